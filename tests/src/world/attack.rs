//! What people with programs of their own, and a relay that lies, can do in the world. The keys they use are genuine:
//! only what is said is not what the program would say.

use beresta_client::crypto;
use beresta_client::store::StoreError;
use beresta_client::store::contact::ContactId;
use beresta_client::store::outbox::{Held, OutboxId, Outgoing};
use beresta_proto::auth::{self, Exporter};
use beresta_proto::command::Command;
use beresta_proto::content::{Body, Content};
use beresta_proto::envelope::Envelope;
use beresta_proto::frame::RequestId;
use beresta_proto::id::{BlobId, MessageId, ReadId};
use beresta_proto::invite::{InviteLink, Offer};
use beresta_proto::key::{BlobKey, SigningKey};
use beresta_proto::reply::{Heard, Push};
use beresta_proto::time::{DAY_MS, TtlClass};
use beresta_server::relay::LinkId;

use super::line::exporter;
use super::{Who, World};
use crate::forge::{self, peer};

impl World {
    /// Says one command on a line of its own.
    fn command(&mut self, command: impl FnOnce(&Exporter) -> Command) {
        self.next += 1;
        let link = LinkId(self.next);
        self.relay.handle_connected(link, exporter(link), self.now);
        self.settle_relay();
        let frame = command(&exporter(link)).encode(RequestId(1)).unwrap();
        self.relay.handle_frame(link, &frame, self.now);
        self.settle_relay();
        self.relay.handle_closed(link);
        self.settle_relay();
    }

    /// Puts an offer of any making at the relay: its link.
    pub fn plant(&mut self, offer: &Offer) -> InviteLink {
        let key = BlobKey::random(&mut self.rng);
        let (sealed, hash) = offer.seal(&key, &mut self.rng).unwrap();
        let blob = BlobId::random(&mut self.rng);
        let owner = SigningKey::random(&mut self.rng).verifying_key().unwrap();
        self.command(|_| Command::PutBlob { blob, owner, hours: 24, sealed, payment: None });
        InviteLink { relay: self.relay_address(), blob, key, hash, expires: self.now.plus(DAY_MS) }
    }

    /// The relay loses a queue of a person's, who finds out on a new line.
    pub fn lose_queue(&mut self, who: Who, queue: ReadId) {
        let relay = self.relay_address().relay;
        let own = self.get(who).store.transaction(|tx| tx.own_queue(&relay, &queue)).unwrap().unwrap();
        self.command(|exporter| {
            let signature = own.read_key.sign(&auth::delete_queue(exporter, &queue)).unwrap();
            Command::DeleteQueue { queue, signature }
        });
        self.break_line(who);
    }

    /// The offer behind a link, as whoever has both link and blob can read it.
    pub fn offer_of(&self, link: &InviteLink) -> Offer {
        let put = self.tap.iter().filter(|(to_relay, _)| *to_relay).find_map(|(_, frame)| {
            let Ok((_, Command::PutBlob { blob, sealed, .. })) = Command::decode(frame) else { return None };
            (blob == link.blob).then_some(sealed)
        });
        Offer::open(link, &put.expect("a blob on the line")).unwrap()
    }

    /// A fresh bundle of a person's, as an offer needs it.
    pub fn bundle(&mut self, who: Who) -> beresta_proto::bundle::Bundle {
        let (now, rng) = (self.now, &mut self.rng);
        self.people[who.0].store.transaction(|tx| crypto::make_bundle(tx, now, rng)).unwrap()
    }

    /// Says something to a contact by a program that edits what it says. It is encrypted and sent rightly.
    pub fn say_edited(&mut self, who: Who, to: ContactId, body: Body, edit: impl FnOnce(&mut Content)) {
        let (now, rng) = (self.now, &mut self.rng);
        let store = &mut self.people[who.0].store;
        let sealed = forge::edited(store, to, body, edit, now, rng).unwrap();
        store
            .transaction(|tx| {
                let queue = tx.peer_queue(to)?.expect("an address");
                tx.insert_outgoing(&Outgoing {
                    id: OutboxId(0),
                    contact: to,
                    queue: queue.id,
                    message: None,
                    transport: MessageId::random(rng),
                    envelope: Envelope::seal(&queue.address.key, &sealed.0, rng).unwrap(),
                    ttl: TtlClass::ThreeWeeks,
                    attempts: 0,
                    held: Held::No,
                    stale: false,
                    due: now,
                    expires: now.plus(DAY_MS),
                })
            })
            .unwrap();
        self.wish(who, |engine, store, now| engine.handle_timeout(store, now)).unwrap();
    }

    /// How many messages a person encrypted for a contact since the contact's last answer.
    pub fn ahead(&mut self, who: Who, of: ContactId) -> u32 {
        let contact = self.get(who).store.transaction(|tx| tx.contact(of)).unwrap();
        self.get(who)
            .store
            .transaction(|tx| Ok::<_, StoreError>(crypto::sent_ahead(tx, &peer(&contact)).unwrap()))
            .unwrap()
    }

    /// What a person's conversation with a contact stands at: another hash once it has moved.
    pub fn stands_at(&mut self, who: Who, with: ContactId) -> Option<[u8; 32]> {
        let store = &mut self.get(who).store;
        store.transaction(|tx| crypto::session_hash(tx, &peer(&tx.contact(with)?))).unwrap()
    }

    /// The last message that the relay pushed to anybody.
    pub fn last_delivery(&self) -> Push {
        let pushed = self.tap.iter().rev().filter(|(to_relay, _)| !to_relay);
        let mut heard = pushed.filter_map(|(_, frame)| Heard::decode(frame).ok());
        heard
            .find_map(|heard| match heard {
                Heard::Push(push @ Push::Deliver { .. }) => Some(push),
                Heard::Push(_) | Heard::Reply(..) => None,
            })
            .expect("a delivery")
    }

    /// A relay pushes what it likes.
    pub fn push(&mut self, who: Who, push: Push) {
        let relay = self.relay_address().relay;
        self.wish(who, |engine, store, now| engine.handle_pushes(store, relay, [push], now)).unwrap();
    }
}
