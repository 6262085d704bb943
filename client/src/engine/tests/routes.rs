//! Where a relay is tried.

use beresta_proto::address::QueueAddress;
use beresta_proto::id::Device;

use super::*;
use crate::store::contact::{Contact, ContactState, Handle};

impl Bench {
    /// A contact who says that a queue of theirs is at `relay`, and an envelope for it.
    fn writes_to(&mut self, number: u8, relay: RelayAddress) {
        let mut rng = rng(u64::from(number));
        let contact = Contact {
            id: ContactId(0),
            handle: Handle(rng.array()),
            identity: beresta_proto::bundle::IdentityPublic([number; 33]),
            device: Device::FIRST,
            conversation: beresta_proto::id::ConversationId(rng.array()),
            name: "Boris".to_owned(),
            state: ContactState::Active,
            verified: false,
            identity_changed: false,
            needs_queue: false,
            timer: beresta_proto::content::Timer { seconds: None, version: 0 },
            probed: Timestamp(0),
        };
        let key = EnvelopeKey::random(&mut rng);
        let envelope = beresta_proto::envelope::Envelope::seal(&key, b"inside", &mut rng).unwrap();
        let (send_id, capability) = (SendId(rng.array()), SendCapability::random(&mut rng));
        let address = QueueAddress { relay, device: Device::FIRST, send_id, capability, key };
        let now = self.now;
        let write = |tx: &Tx<'_>| {
            let contact = tx.insert_contact(&contact, now)?;
            tx.replace_peer_queues(contact, &[address])?;
            let queue = tx.peer_queue(contact)?.ok_or(StoreError::NotFound)?.id;
            tx.insert_outgoing(&crate::store::outbox::Outgoing {
                id: crate::store::outbox::OutboxId(0),
                contact,
                queue,
                message: None,
                transport: beresta_proto::id::MessageId([number; 16]),
                envelope,
                ttl: beresta_proto::time::TtlClass::ThreeWeeks,
                attempts: 0,
                due: now,
                expires: now.plus(21 * DAY_MS),
            })
        };
        self.store.transaction(write).unwrap();
    }

    fn unreachable(&mut self, station: &Station) {
        let failure = DialFailure::Unreachable;
        self.engine.handle_dial_failed(&mut self.store, station.id(), failure, self.now).unwrap();
    }

    /// The routes of the only dial since the last look.
    fn dialled(&mut self) -> Vec<Route> {
        let mut all = Vec::new();
        for effect in self.pass(10 * MINUTE_MS) {
            if let Effect::Dial { relay, known_sequence: _ } = effect {
                all.push(relay.routes);
            }
        }
        assert_eq!(all.len(), 1);
        all.pop().unwrap()
    }
}

fn elsewhere(station: &Station, last: u8) -> RelayAddress {
    RelayAddress { relay: station.id(), routes: vec![route(last)] }
}

#[test]
fn routes_of_others_come_last_and_are_not_kept() {
    let far = Station::new(2);
    let mut bench = Bench::new(None);
    bench.writes_to(1, elsewhere(&far, 66));
    bench.accepts(elsewhere(&far, 77));
    assert_eq!(bench.dialled(), [route(77), route(66)]);
    // It was reached there, and its descriptor says where it is.
    bench.links(&far);
    bench.breaks(&far);
    assert_eq!(bench.dialled(), [route(2), route(66)]);
    let known = bench.store.transaction(|tx| tx.relay(&far.id())).unwrap().unwrap();
    assert_eq!(known.address, Some(far.address()));
}

#[test]
fn our_home_is_never_tried_where_others_say_that_it_is() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(elsewhere(&home, 10)));
    bench.writes_to(1, elsewhere(&home, 66));
    bench.accepts(elsewhere(&home, 77));
    assert_eq!(bench.dialled(), [route(10)]);
    bench.links(&home);
    bench.breaks(&home);
    assert_eq!(bench.dialled(), [route(10), route(1)]);
}

#[test]
fn a_contact_with_dead_routes_keeps_nobody_from_a_relay() {
    let far = Station::new(2);
    let mut bench = Bench::new(None);
    for dead in 0..12 {
        bench.writes_to(100 + dead, elsewhere(&far, 100 + dead));
    }
    bench.writes_to(3, far.address());
    let mut tried = Vec::new();
    for _ in 0..13 {
        tried.extend(bench.dialled());
        bench.unreachable(&far);
    }
    assert!(tried.contains(&route(2)));
}

#[test]
fn whoever_takes_the_inviter_s_relay_takes_it_where_it_says_it_is() {
    let far = Station::new(2);
    let mut bench = Bench::new(None);
    bench.links(&far);
    let told = bench.store.transaction(|tx| Engine::told_address(tx, elsewhere(&far, 77))).unwrap();
    assert_eq!(told, far.address());
    // Where its descriptor names no route, there is only what the invite said.
    let silent = Station { routes: Vec::new(), ..Station::new(3) };
    bench.links(&silent);
    let told = bench.store.transaction(|tx| Engine::told_address(tx, elsewhere(&silent, 77))).unwrap();
    assert_eq!(told, elsewhere(&silent, 77));
}
