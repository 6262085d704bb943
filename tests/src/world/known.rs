//! Somebody who knows many people: these need no program of their own to be told something.

use beresta_client::crypto::{self, Peer};
use beresta_client::rng::Rng;
use beresta_client::store::contact::{Contact, ContactId, ContactState, Handle};
use beresta_client::store::{Store, StoreError};
use beresta_proto::address::QueueAddress;
use beresta_proto::content::Timer;
use beresta_proto::id::{ConversationId, Device, ReadId, SendId};
use beresta_proto::key::{EnvelopeKey, SendCapability, SigningKey};
use beresta_proto::rng::Random as _;
use beresta_proto::time::Timestamp;
use beresta_server::queue::{Answer, Namer, Op, QueueEngine as _};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

use super::{Who, World};

impl World {
    /// Lets somebody know so many people, each with a queue of their own at the relay. None of them has been told of a queue.
    pub fn knows(&mut self, who: Who, many: usize) -> Vec<ContactId> {
        (0..many).map(|_| self.knows_one(who)).collect()
    }

    fn knows_one(&mut self, who: Who) -> ContactId {
        let (address, now) = (self.queue_of_somebody(), self.now);
        let mut rng = Rng::new(ChaCha20Rng::from_seed(self.rng.array()));
        let mut theirs = Store::open_in_memory(&mut rng).unwrap();
        let bundle = theirs.transaction(|tx| {
            crypto::check_backend(tx).unwrap();
            crypto::create_account(tx, &mut rng).unwrap();
            Ok::<_, StoreError>(crypto::make_bundle(tx, now, &mut rng).unwrap())
        });
        let bundle = bundle.unwrap();
        let contact = Contact {
            id: ContactId(0),
            handle: Handle(rng.array()),
            identity: bundle.identity,
            device: bundle.device,
            conversation: ConversationId(rng.array()),
            name: "Boris".into(),
            state: ContactState::Active,
            verified: false,
            identity_changed: false,
            needs_queue: true,
            timer: Timer { seconds: None, version: 0 },
            probed: Timestamp(0),
        };
        let peer = Peer {
            handle: crypto::Handle(contact.handle.0),
            identity: contact.identity,
            device: contact.device,
        };
        let kept = self.get(who).store.transaction(|tx| {
            crypto::meet(tx, &peer, &bundle, now, &mut rng).unwrap();
            let id = tx.insert_contact(&contact, now)?;
            tx.replace_peer_queues(id, &[address])?;
            Ok::<_, StoreError>(id)
        });
        kept.unwrap()
    }

    fn queue_of_somebody(&mut self) -> QueueAddress {
        let (read_id, send_id) = (ReadId(self.rng.array()), SendId(self.rng.array()));
        let capability = SendCapability::random(&mut self.rng);
        let namer = Namer::new(&self.namer_secret);
        let make = Op::MakeQueue {
            read: namer.read(&read_id),
            send: namer.send(&send_id),
            read_key: SigningKey::random(&mut self.rng).verifying_key().unwrap(),
            capability: capability.hash(),
            credit: None,
            now: self.now,
        };
        self.queues.submit(make, Box::new(|answer| assert!(matches!(answer, Answer::Made { .. }))));
        let (relay, key) = (self.relay_address(), EnvelopeKey::random(&mut self.rng));
        QueueAddress { relay, device: Device::FIRST, send_id, capability, key }
    }
}
