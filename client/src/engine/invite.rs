//! Making invites, and accepting those of others (rules I1 to I9).
//!
//! ```text
//! invite_new:    wait for home's line ─► MAKE_QUEUE ─► SUBSCRIBE ─► offer sealed, row kept ─► PUT_BLOB ─► link told
//! invite_accept: wait for its relay's line ─► CLAIM ─► offer opened ─► wait for home's line ─► MAKE_QUEUE
//!                ─► SUBSCRIBE ─► contact, session and first message kept ─► told; the outbox does the rest
//! ```
//! Nobody has seen the link of an invite whose blob did not arrive: it is dropped. A claim that was interrupted is made
//! again with the same key, which the relay answers alike.

use beresta_proto::address::RelayAddress;
use beresta_proto::auth::{self, Exporter};
use beresta_proto::command::{Command, Payment, Subscription};
use beresta_proto::id::{BlobId, ConversationId, ReadId, RelayId, SendId};
use beresta_proto::invite::{InviteLink, Offer};
use beresta_proto::key::{BlobKey, Credit, EnvelopeKey, SendCapability, SigningKey};
use beresta_proto::time::{HOUR_MS, MINUTE_MS, Timestamp};
use beresta_proto::words::Words;

mod accept;

pub use accept::AcceptRequest;
pub(super) use accept::{Accepting, Claiming};

use super::Engine;
use super::effect::{Answer, AskError, AskId, Effect};
use crate::crypto::{self, AccountError};
use crate::store::contact::{ContactId, Handle};
use crate::store::invite::{BlobState, Invite, InviteId, InviteState};
use crate::store::queue::{OwnQueue, OwnQueueId, OwnQueueState};
use crate::store::{Store, StoreError, Tx};

mod end;

pub(super) use end::{close_invite, drop_invite, is_open};

/// A wish that waits for a line is given up after this long. The person is told to look at the connection.
const WISH_MS: u64 = MINUTE_MS;

/// What kind of invite is wished.
#[derive(Debug, Clone)]
pub struct InviteRequest {
    /// Hours until it ends, 1 to 168.
    pub hours: u16,
    /// What we will call who accepts; empty: as they call themselves.
    pub name: Words,
    /// The contact who comes back, with a new key or with the one that we know.
    pub renews: Option<ContactId>,
}

/// A wish that waits for a line.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) relay: RelayAddress,
    deadline: Timestamp,
    pub(super) what: Wish,
}

#[derive(Debug)]
pub(super) enum Wish {
    Invite { ask: AskId, request: InviteRequest },
    Claim(Box<Claiming>),
    Accept(Box<Accepting>),
}

impl Wish {
    pub(super) const fn ask(&self) -> AskId {
        match self {
            Self::Invite { ask, request: _ } => *ask,
            Self::Claim(claiming) => claiming.request_ask(),
            Self::Accept(accepting) => accepting.request_ask(),
        }
    }
}

impl Waiting {
    pub(super) const fn deadline(&self) -> Timestamp {
        self.deadline
    }
}

/// What a queue is made for, and the secrets that belong to it.
#[derive(Debug)]
pub(super) struct QueueFor {
    pub(super) purpose: Purpose,
    read_key: SigningKey,
    capability: SendCapability,
    envelope: EnvelopeKey,
}

#[derive(Debug)]
pub(super) enum Purpose {
    Invite { ask: AskId, request: InviteRequest },
    Accept(Box<Accepting>),
    Contact(ContactId),
}

/// A queue that is there, and not kept yet: a crash forgets it, and nobody else has heard of it.
#[derive(Debug)]
pub(super) struct MadeQueue {
    pub(super) queue: QueueFor,
    pub(super) read_id: ReadId,
    send_id: SendId,
    /// How often its relay failed to read it, at its first subscription.
    pub(super) failed: u32,
}

/// A blob on its way to the relay.
#[derive(Debug)]
pub(super) struct PutInvite {
    pub(super) ask: AskId,
    pub(super) invite: InviteId,
}

impl QueueFor {
    /// Draws the secrets of a queue, and the command that makes it, with what the relay may ask for it.
    pub(super) fn draw(
        purpose: Purpose,
        credit: Option<Credit>,
        engine: &mut Engine,
    ) -> Option<(Self, Command)> {
        let rng = &mut engine.rng;
        let read_key = SigningKey::random(rng);
        let capability = SendCapability::random(rng);
        let envelope = EnvelopeKey::random(rng);
        let verifying = read_key.verifying_key().ok()?;
        let command = Command::MakeQueue { read_key: verifying, capability: capability.hash(), credit };
        Some((Self { purpose, read_key, capability, envelope }, command))
    }

    /// The relay made it: the command that subscribes to it for the first time on the line of `exporter`.
    pub(super) fn made(
        self,
        read_id: ReadId,
        send_id: SendId,
        exporter: &Exporter,
    ) -> Result<(MadeQueue, Command), Self> {
        let made = MadeQueue { queue: self, read_id, send_id, failed: 0 };
        match made.subscription(exporter) {
            Some(command) => Ok((made, command)),
            None => Err(made.queue),
        }
    }
}

impl Purpose {
    /// What an invite brought to pay for the queue with (rule I14).
    pub(super) fn handed(&self, relay: &RelayId) -> Option<&Credit> {
        match self {
            Self::Accept(accepting) => accepting.handed(relay),
            Self::Invite { .. } | Self::Contact(_) => None,
        }
    }

    /// The relay did not take that: it is used up, or was none.
    pub(super) fn forget_handed(&mut self) {
        if let Self::Accept(accepting) = self {
            accepting.forget_handed();
        }
    }

    /// The wish that waits for the queue.
    pub(super) const fn ask(&self) -> Option<AskId> {
        match self {
            Self::Invite { ask, request: _ } => Some(*ask),
            Self::Accept(accepting) => Some(accepting.request_ask()),
            Self::Contact(_) => None,
        }
    }
}

impl MadeQueue {
    /// The command that subscribes to it on the line of `exporter`.
    pub(super) fn subscription(&self, exporter: &Exporter) -> Option<Command> {
        let signature = self.queue.read_key.sign(&auth::subscribe(exporter, &self.read_id)).ok()?;
        Some(Command::Subscribe(vec![Subscription { queue: self.read_id, signature }]))
    }

    pub(super) fn into_row(self, relay: &RelayAddress) -> (Purpose, OwnQueue) {
        let Self { queue: QueueFor { purpose, read_key, capability, envelope }, read_id, send_id, failed: _ } =
            self;
        let queue = OwnQueue {
            id: OwnQueueId(0),
            relay: relay.relay,
            read_id,
            send_id,
            read_key,
            capability,
            envelope,
            invite: None,
            contact: None,
            state: OwnQueueState::Read,
            retire: None,
            told: None,
        };
        (purpose, queue)
    }
}

impl Engine {
    fn wait(&mut self, relay: RelayAddress, what: Wish, now: Timestamp) -> AskId {
        let ask = what.ask();
        self.asked.insert(ask);
        self.waiting.push(Waiting { relay, deadline: now.plus(WISH_MS), what });
        ask
    }

    pub(super) fn answer(&mut self, ask: AskId, outcome: Result<Answer, AskError>) {
        if self.asked.remove(&ask) {
            self.effect(Effect::Answer { ask, outcome });
        }
    }

    /// Makes an invite. The answer comes as [`Answer::Invited`].
    ///
    /// # Errors
    /// [`AskError::NoRelay`] if no home relay is known yet; [`AskError::Blocked`] if whom it renews is;
    /// [`AskError::Store`].
    pub fn invite_new(
        &mut self,
        store: &mut Store,
        request: InviteRequest,
        now: Timestamp,
    ) -> Result<AskId, AskError> {
        self.wish(store, now, |engine, tx| {
            Self::who_comes_back(tx, request.renews)?;
            let home = tx.profile()?.home.ok_or(AskError::NoRelay)?;
            let ask = AskId(engine.number());
            Ok(engine.wait(home, Wish::Invite { ask, request }, now))
        })
    }

    /// A queue for an invite is there: seals the offer and keeps everything before the blob leaves, or nothing.
    pub(super) fn offer(
        &mut self,
        tx: &Tx<'_>,
        home: &RelayAddress,
        queue: OwnQueue,
        wish: (AskId, InviteRequest),
        now: Timestamp,
    ) -> Result<(PutInvite, Command), AskError> {
        let kept = tx.all_or_nothing(|| self.keep_offer(tx, home, queue.clone(), wish, now));
        match kept {
            Ok(_) | Err(AskError::Store(_)) => {}
            Err(_) => Self::leave_unused(tx, queue)?,
        }
        kept
    }

    fn keep_offer(
        &mut self,
        tx: &Tx<'_>,
        home: &RelayAddress,
        mut queue: OwnQueue,
        (ask, request): (AskId, InviteRequest),
        now: Timestamp,
    ) -> Result<(PutInvite, Command), AskError> {
        // Once more: while its queue was made, they may have been removed, or blocked.
        let renews = Self::who_comes_back(tx, request.renews)?.map(|known| known.id);
        let profile = tx.profile()?;
        let bundle = crypto::make_bundle(tx, now, &mut self.rng)?;
        let conversation = ConversationId::random(&mut self.rng);
        let keys = bundle.signed.id;
        // Who accepts may have no code of the operator's (rule I14).
        let paid = tx.credit(&home.relay)?;
        let hands_on = paid.is_some().then(|| Credit::random(&mut self.rng));
        let (name, addresses, credit) = (profile.name, vec![queue.address(home)], hands_on.clone());
        let offer = Offer { name, conversation, bundle, addresses, credit };
        let key = BlobKey::random(&mut self.rng);
        let (sealed, hash) = offer.seal(&key, &mut self.rng).map_err(|_| AskError::BadKeys)?;
        let blob = BlobId::random(&mut self.rng);
        let owner = SigningKey::random(&mut self.rng);
        let verifying = owner.verifying_key().map_err(|_| AskError::BadKeys)?;
        let expires = self.later_clock(tx, now)?.plus(u64::from(request.hours) * HOUR_MS);
        let link = InviteLink { relay: home.clone(), blob, key, hash, expires }.to_link();
        let invite = tx.insert_invite(&Invite {
            id: InviteId(0),
            relay: home.relay,
            blob,
            owner,
            conversation,
            bundle: keys,
            link,
            stranger: Handle(beresta_proto::rng::Random::array(&mut self.rng)),
            name: request.name,
            renews,
            state: InviteState::Putting,
            blob_state: BlobState::There,
            created: now,
            expires,
        })?;
        queue.invite = Some(invite);
        tx.insert_own_queue(&queue)?;
        let payment = paid.map(|credit| Payment { credit, hands_on });
        let command = Command::PutBlob { blob, owner: verifying, hours: request.hours, sealed, payment };
        Ok((PutInvite { ask, invite }, command))
    }

    /// The blob lies at the relay: the invite is open, unless it was ended meanwhile.
    pub(super) fn invite_put(&mut self, tx: &Tx<'_>, put: &PutInvite) -> Result<(), AskError> {
        let mut invite = match tx.invite(put.invite) {
            Ok(invite) if invite.state == InviteState::Putting => invite,
            Ok(_) | Err(StoreError::NotFound) => return Err(AskError::InviteGone),
            Err(error) => return Err(error.into()),
        };
        invite.state = InviteState::Open;
        tx.update_invite(&invite)?;
        self.answer(put.ask, Ok(Answer::Invited { invite: invite.id, link: invite.link }));
        Ok(())
    }
}

impl From<AccountError> for AskError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => Self::Store(error),
            AccountError::Exists | AccountError::Missing | AccountError::Damaged => {
                Self::Store(StoreError::Damaged)
            }
        }
    }
}
