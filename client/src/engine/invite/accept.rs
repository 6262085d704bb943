//! Accepting an invite: claim, offer, contact.

use beresta_proto::address::RelayAddress;
use beresta_proto::command::Command;
use beresta_proto::content::{Body, Timer};
use beresta_proto::id::{ContentId, RelayId};
use beresta_proto::invite::{BlobError, InviteLink, Offer};
use beresta_proto::key::{Credit, SigningKey};
use beresta_proto::limits::TIMER_DEFAULT_SECS;
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};
use beresta_proto::words::Words;

use super::Wish;
use crate::crypto::{self, MeetError};
use crate::engine::Engine;
use crate::engine::compose::{ComposeError, Draft, peer};
use crate::engine::effect::{Answer, AskError, AskId};
use crate::store::contact::{Contact, ContactId, ContactState, Handle};
use crate::store::queue::OwnQueue;
use crate::store::{Store, Tx};

/// How an invite is to be accepted.
#[derive(Debug, Clone)]
pub struct AcceptRequest {
    /// The link.
    pub link: InviteLink,
    /// What we will call its maker; empty: as they call themselves.
    pub name: Words,
    /// The contact who comes back.
    pub renews: Option<ContactId>,
}

/// A claim on its way.
#[derive(Debug)]
pub(in crate::engine) struct Claiming {
    ask: AskId,
    request: AcceptRequest,
}

/// An opened offer on its way to becoming a contact.
#[derive(Debug)]
pub(in crate::engine) struct Accepting {
    ask: AskId,
    request: AcceptRequest,
    offer: Offer,
}

impl Claiming {
    pub(in crate::engine) const fn request_ask(&self) -> AskId {
        self.ask
    }
}

impl Accepting {
    pub(in crate::engine) const fn request_ask(&self) -> AskId {
        self.ask
    }

    /// What the invite brought to pay for the queue with: for its own relay alone (rule I14).
    pub(in crate::engine) fn handed(&self, relay: &RelayId) -> Option<&Credit> {
        self.offer.credit.as_ref().filter(|_| self.request.link.relay.relay == *relay)
    }

    pub(in crate::engine) fn forget_handed(&mut self) {
        self.offer.credit = None;
    }
}

impl Engine {
    /// Accepts an invite. The answer comes as [`Answer::Accepted`].
    ///
    /// # Errors
    /// [`AskError::OwnInvite`]; [`AskError::Blocked`] if whom it renews is; [`AskError::Store`].
    pub fn invite_accept(
        &mut self,
        store: &mut Store,
        request: AcceptRequest,
        now: Timestamp,
    ) -> Result<AskId, AskError> {
        self.wish(store, now, |engine, tx| {
            // Before it is asked for: a claim would lock it to ourselves, and nobody else could use it any more.
            if tx.invites()?.iter().any(|own| own.blob == request.link.blob) {
                return Err(AskError::OwnInvite);
            }
            Self::who_comes_back(tx, request.renews)?;
            let ask = AskId(engine.number());
            let relay = request.link.relay.clone();
            Ok(engine.wait(relay, Wish::Claim(Box::new(Claiming { ask, request })), now))
        })
    }

    /// The command that claims an invite's blob, with the key that claimed it before if there is one.
    pub(in crate::engine) fn claim_command(
        &mut self,
        tx: &Tx<'_>,
        claiming: &Claiming,
        exporter: &beresta_proto::auth::Exporter,
    ) -> Result<Option<Command>, AskError> {
        let link = &claiming.request.link;
        let fresh = SigningKey::random(&mut self.rng);
        let expires = self.later_clock(tx, self.last)?.max(link.expires).plus(DAY_MS);
        let key = tx.claim_key(&link.blob, fresh, expires)?;
        let text = beresta_proto::auth::claim_blob(exporter, &link.blob);
        let Ok(claimant) = key.verifying_key() else { return Ok(None) };
        let Ok(signature) = key.sign(&text) else { return Ok(None) };
        Ok(Some(Command::ClaimBlob { blob: link.blob, claimant, signature }))
    }

    /// A claimed blob came: opens the offer and goes on to make a queue of our own.
    pub(in crate::engine) fn claimed(
        &mut self,
        tx: &Tx<'_>,
        claiming: Claiming,
        blob: &[u8],
        now: Timestamp,
    ) -> Result<(), AskError> {
        let Claiming { ask, request } = claiming;
        let offer = Offer::open(&request.link, blob).map_err(|_: BlobError| AskError::InviteForged)?;
        let profile = tx.profile()?;
        if offer.bundle.identity.account_id() == profile.account {
            return Err(AskError::OwnInvite);
        }
        Self::known_maker(tx, &offer, &request)?;
        // Whoever has no relay yet takes the inviter's: it was good enough for them.
        let home = match profile.home {
            Some(home) => home,
            None => {
                let home = Self::told_address(tx, request.link.relay.clone())?;
                tx.set_home(&home)?;
                home
            }
        };
        self.wait(home, Wish::Accept(Box::new(Accepting { ask, request, offer })), now);
        Ok(())
    }

    /// The contact who made an invite, if their key is known. Whoever is met already is met anew only where the person
    /// said so (rule I10).
    fn known_maker(tx: &Tx<'_>, offer: &Offer, request: &AcceptRequest) -> Result<Option<Contact>, AskError> {
        match tx.contact_by_identity(&offer.bundle.identity)? {
            Some(known) if request.renews != Some(known.id) => Err(AskError::AlreadyContact(known.id)),
            Some(known) if known.state.is_shut() => Err(AskError::Blocked),
            known => Ok(known),
        }
    }

    /// Our queue for the inviter is there: keeps contact, session and first message in one go. Where the offer's keys
    /// are refused, nothing of it is kept, and the queue is left.
    pub(in crate::engine) fn accept(
        &mut self,
        tx: &Tx<'_>,
        home: &RelayAddress,
        queue: OwnQueue,
        accepting: Accepting,
        now: Timestamp,
    ) -> Result<(), AskError> {
        let ask = accepting.ask;
        match tx.all_or_nothing(|| self.keep_accepted(tx, home, queue.clone(), accepting, now)) {
            Ok(contact) => {
                self.answer(ask, Ok(Answer::Accepted { contact }));
                Ok(())
            }
            Err(error @ AskError::Store(_)) => Err(error),
            Err(refused) => {
                Self::leave_unused(tx, queue)?;
                Err(refused)
            }
        }
    }

    fn keep_accepted(
        &mut self,
        tx: &Tx<'_>,
        home: &RelayAddress,
        mut queue: OwnQueue,
        accepting: Accepting,
        now: Timestamp,
    ) -> Result<ContactId, AskError> {
        let Accepting { ask: _, request, offer } = accepting;
        // While our queue was made, they may have used an invite of ours, or the same link was accepted twice.
        let known = Self::known_maker(tx, &offer, &request)?;
        let comes_back = known.is_some();
        let fresh = Contact {
            id: ContactId(0),
            handle: Handle(beresta_proto::rng::Random::array(&mut self.rng)),
            identity: offer.bundle.identity,
            device: offer.bundle.device,
            conversation: offer.conversation,
            name: if request.name.is_empty() { offer.name.clone() } else { request.name.clone() },
            state: ContactState::Meeting,
            verified: false,
            identity_changed: false,
            needs_queue: false,
            timer: Timer { seconds: Some(TIMER_DEFAULT_SECS), version: 0 },
            probed: Timestamp(0),
        };
        // By the later clock: unanswered for a month, a session is not used any more.
        let by = self.later_clock(tx, now)?;
        let contact = match known {
            Some(known) => {
                let Contact { device, conversation, state, .. } = fresh;
                let contact = Contact { device, conversation, state, needs_queue: false, ..known };
                crypto::forget(tx, peer(&contact).handle)?;
                crypto::meet(tx, &peer(&contact), &offer.bundle, by, &mut self.rng)?;
                Self::begin_anew(tx, contact.id)?;
                tx.update_contact(&contact)?;
                contact
            }
            None => {
                // The keys first: a bad bundle must not cost whom it renews anything.
                crypto::meet(tx, &peer(&fresh), &offer.bundle, by, &mut self.rng)?;
                self.keep_contact(tx, fresh, request.renews, now)?
            }
        };
        tx.replace_peer_queues(contact.id, &offer.addresses)?;
        queue.contact = Some(contact.id);
        tx.insert_own_queue(&queue)?;
        let profile = tx.profile()?;
        let body = Body::Meeting { name: profile.name, addresses: vec![queue.address(home)] };
        let draft = Draft {
            contact: &contact,
            id: ContentId::random(&mut self.rng),
            body,
            timer: contact.timer,
            ttl: TtlClass::ThreeWeeks,
            message: None,
            said: None,
        };
        self.compose(tx, draft, now).map_err(|error| match error {
            ComposeError::Store(error) => AskError::Store(error),
            ComposeError::NoAddress
            | ComposeError::TooLong
            | ComposeError::Blocked
            | ComposeError::IdentityChanged
            | ComposeError::TooFarAhead
            | ComposeError::Crypto(_) => AskError::BadKeys,
        })?;
        if comes_back {
            self.say_again(tx, &contact, now)?;
        }
        // The meeting is kept: it is not claimed again.
        tx.forget_claim(&request.link.blob)?;
        Ok(contact.id)
    }
}

impl From<MeetError> for AskError {
    fn from(error: MeetError) -> Self {
        match error {
            MeetError::Store(error) => Self::Store(error),
            MeetError::Account(error) => error.into(),
            MeetError::Refused(_) | MeetError::BadBundle | MeetError::OtherIdentity => Self::BadKeys,
        }
    }
}
