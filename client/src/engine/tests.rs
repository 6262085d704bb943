//! The engine against relays that a test plays by hand: which lines it wants, and what it says on them.

use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::bundle::IdentityPublic;
use beresta_proto::descriptor::{Descriptor, EpochKey, Policy};
use beresta_proto::envelope::Envelope;
use beresta_proto::id::{BlobId, ConversationId, Device, MessageId, ReadId};
use beresta_proto::invite::InviteLink;
use beresta_proto::key::{BlobKey, EnvelopeKey, EpochSecret, SendCapability, SigningKey};
use beresta_proto::reply::Push;
use beresta_proto::rng::Random as _;
use beresta_proto::route::Route;
use beresta_proto::time::{DAY_MS, MINUTE_MS, SECOND_MS, TtlClass};
use beresta_proto::words::Words;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::crypto;
use crate::store::contact::{Contact, Handle};
use crate::store::outbox::{Held, OutboxId, Outgoing};
use crate::store::profile::Profile;
use crate::store::queue::OwnQueueId;

mod alert;
mod clock;
mod ending;
mod epochs;
mod handed;
mod lines;
mod making;
mod outbox;
mod overdue;
mod pushes;
mod queues;
mod routes;
mod turns;
mod wishes;

const BEGIN: Timestamp = Timestamp(1_800_000_000_000);

fn rng(seed: u64) -> Rng {
    Rng::new(ChaCha20Rng::seed_from_u64(seed))
}

/// A relay, as far as it can be played.
struct Station {
    identity: SigningKey,
    epoch_signer: SigningKey,
    epoch: EpochSecret,
    routes: Vec<Route>,
}

impl Station {
    fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        Self {
            identity: SigningKey::random(&mut rng),
            epoch_signer: SigningKey::random(&mut rng),
            epoch: EpochSecret::random(&mut rng),
            routes: vec![route(u8::try_from(seed).unwrap())],
        }
    }

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            identity: self.identity.verifying_key().unwrap(),
            sequence: 1,
            not_before: BEGIN.minus(DAY_MS),
            not_after: BEGIN.plus(80 * DAY_MS),
            tls_key: [7; 32],
            epoch_signer: self.epoch_signer.verifying_key().unwrap(),
            routes: self.routes.clone(),
            policy: Policy::MAILBOX.and(Policy::OPEN),
            operator: String::new(),
        }
    }

    fn signed(&self) -> Vec<u8> {
        self.descriptor().sign(&self.identity).unwrap()
    }

    fn address(&self) -> RelayAddress {
        self.descriptor().address()
    }

    fn id(&self) -> RelayId {
        self.address().relay
    }

    fn epoch_key(&self, day: u64) -> EpochKey {
        EpochKey::sign(day, self.epoch.public().unwrap(), &self.epoch_signer).unwrap()
    }

    fn link_up(&self, now: Timestamp) -> LinkUp {
        LinkUp {
            descriptor: self.descriptor(),
            epoch_keys: vec![self.epoch_key(now.day())],
            clock: now,
            exporter: beresta_proto::auth::Exporter([1; 32]),
        }
    }
}

fn route(last: u8) -> Route {
    Route::Quic(([192, 0, 2, last], 443).into())
}

fn queue_at(relay: RelayAddress, number: u8) -> QueueAddress {
    let mut rng = rng(u64::from(number));
    let (send_id, capability) = (SendId(rng.array()), SendCapability::random(&mut rng));
    QueueAddress { relay, device: Device::FIRST, send_id, capability, key: EnvelopeKey::random(&mut rng) }
}

/// One person's engine and store, and their clock.
struct Bench {
    engine: Engine,
    store: Store,
    now: Timestamp,
}

impl Bench {
    fn new(home: Option<RelayAddress>) -> Self {
        let mut rng = rng(99);
        let mut store = Store::open_in_memory(&mut rng).unwrap();
        store
            .transaction(|tx| {
                crypto::check_backend(tx).unwrap();
                let account = crypto::create_account(tx, &mut rng).unwrap();
                let (name, language) = ("Anna".into(), "en".to_owned());
                tx.insert_profile(&Profile { account, name, language, home }, BEGIN)
            })
            .unwrap();
        Self { engine: Engine::new(rng), store, now: BEGIN }
    }

    fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.engine.poll_effect()).collect()
    }

    /// Lets time pass as the driver does: it wakes up when the engine wants it. Gives all that the engine said.
    fn pass(&mut self, ms: u64) -> Vec<Effect> {
        let end = self.now.plus(ms);
        let mut said = self.effects();
        while let Some(due) = self.due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(&mut self.store, self.now).unwrap();
            assert!(self.due().is_none_or(|due| due > self.now), "what was due is due still");
            said.extend(self.effects());
        }
        self.now = end;
        said
    }

    fn due(&mut self) -> Option<Timestamp> {
        self.engine.poll_timeout(&mut self.store).unwrap()
    }

    fn links(&mut self, station: &Station) {
        let up = station.link_up(self.now);
        self.engine.handle_link_up(&mut self.store, up, self.now).unwrap();
    }

    fn catches_up(&mut self, station: &Station, subscribed: u32) -> Vec<Effect> {
        let pushes = [Push::CaughtUp { subscribed }];
        self.engine.handle_pushes(&mut self.store, station.id(), pushes, self.now).unwrap();
        self.effects()
    }

    fn breaks(&mut self, station: &Station) {
        self.engine.handle_link_down(&mut self.store, station.id(), self.now).unwrap();
    }

    fn accepts(&mut self, relay: RelayAddress) -> AskId {
        let mut rng = rng(5);
        let (blob, key) = (BlobId::random(&mut rng), BlobKey::random(&mut rng));
        let link = InviteLink { relay, blob, key, hash: [3; 16], expires: self.now.plus(DAY_MS) };
        let request = AcceptRequest { link, name: Words::default(), renews: None };
        self.engine.invite_accept(&mut self.store, request, self.now).unwrap()
    }

    /// A queue of ours at a relay, as if it had been made there.
    fn reads_a_queue(&mut self, station: &Station) -> OwnQueue {
        let mut rng = rng(6);
        let queue = OwnQueue {
            id: OwnQueueId(0),
            relay: station.id(),
            read_id: ReadId(rng.array()),
            send_id: SendId(rng.array()),
            read_key: SigningKey::random(&mut rng),
            capability: SendCapability::random(&mut rng),
            envelope: EnvelopeKey::random(&mut rng),
            invite: None,
            contact: None,
            state: OwnQueueState::Read,
            retire: None,
            told: None,
        };
        self.store.transaction(|tx| tx.insert_own_queue(&queue)).unwrap();
        queue
    }

    /// A contact who says that a queue of theirs is at `relay`, and an envelope for it.
    fn writes_to(&mut self, number: u8, relay: RelayAddress) -> ContactId {
        let mut rng = rng(u64::from(number));
        let contact = Contact {
            handle: Handle(rng.array()),
            identity: IdentityPublic([number; 33]),
            conversation: ConversationId(rng.array()),
            ..Contact::boris()
        };
        let (now, address) = (self.now, queue_at(relay, number));
        let write = |tx: &Tx<'_>| {
            let contact = tx.insert_contact(&contact, now)?;
            tx.replace_peer_queues(contact, &[address])?;
            Ok::<_, StoreError>(contact)
        };
        let contact = self.store.transaction(write).unwrap();
        self.says(contact, number);
        contact
    }

    /// One more envelope for a contact, to where they are read now.
    fn says(&mut self, contact: ContactId, number: u8) -> OutboxId {
        let (now, mut rng) = (self.now, rng(u64::from(number)));
        let write = |tx: &Tx<'_>| {
            let queue = tx.peer_queue(contact)?.ok_or(StoreError::NotFound)?;
            tx.insert_outgoing(&Outgoing {
                id: OutboxId(0),
                contact,
                queue: queue.id,
                message: None,
                transport: MessageId([number; 16]),
                envelope: Envelope::seal(&queue.address.key, b"inside", &mut rng).unwrap(),
                ttl: TtlClass::ThreeWeeks,
                attempts: 0,
                held: Held::No,
                stale: false,
                due: now,
                expires: now.plus(21 * DAY_MS),
            })
        };
        self.store.transaction(write).unwrap()
    }

    fn invites(&mut self) -> AskId {
        let request = InviteRequest { hours: 24, name: Words::default(), renews: None };
        self.engine.invite_new(&mut self.store, request, self.now).unwrap()
    }

    /// A step in which the store fails.
    fn fails(&mut self) {
        let full = |_: &mut Engine, _: &Tx<'_>| Err::<(), _>(StoreError::Full);
        assert_eq!(self.engine.step(&mut self.store, self.now, full), Err(StoreError::Full));
    }
}

fn dials(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Dial { .. })).count()
}

fn hang_ups(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::HangUp { .. })).count()
}

/// The tokens of what was transmitted.
fn tokens(effects: &[Effect]) -> Vec<Token> {
    let mut tokens = Vec::new();
    for effect in effects {
        if let Effect::Transmit { relay: _, token, command: _ } = effect {
            tokens.push(*token);
        }
    }
    tokens
}
