//! Reading queues in turn at a crowded relay.

use std::collections::{BTreeMap, BTreeSet};

use beresta_proto::command::Command;
use beresta_proto::reply::{Refusal, Reply, Subscribed};

use super::*;

/// As many queues as a link gets in a crowd.
const SHARE: usize = 64;

impl Bench {
    fn reads_queues(&mut self, station: &Station, many: u8) {
        let queue = self.reads_a_queue(station);
        for number in 1..many {
            let (read_id, send_id) = (ReadId([number; 24]), SendId([number; 24]));
            let another = OwnQueue { read_id, send_id, ..queue.clone() };
            self.store.transaction(|tx| tx.insert_own_queue(&another)).unwrap();
        }
    }

    /// The relay answers what is among `effects`, with room for `room` subscriptions more: of which it granted, and how much
    /// room is left.
    fn subscribes(
        &mut self,
        station: &Station,
        effects: Vec<Effect>,
        mut room: usize,
    ) -> (BTreeSet<ReadId>, usize) {
        let mut granted = BTreeSet::new();
        for effect in effects {
            let Effect::Transmit { token, command: Command::Subscribe(queues), .. } = effect else {
                continue;
            };
            let reply = if queues.len() <= room {
                room -= queues.len();
                granted.extend(queues.iter().map(|one| one.queue));
                Reply::Subscribed(vec![Subscribed::Ok; queues.len()])
            } else {
                Reply::Refused(Refusal::RateLimited)
            };
            self.engine.handle_reply(&mut self.store, station.id(), token, Some(reply), self.now).unwrap();
        }
        (granted, room)
    }

    /// A link to a crowded relay, until the relay has refused as often as it takes: what is read on it.
    fn crowded(&mut self, station: &Station) -> BTreeSet<ReadId> {
        self.links(station);
        let asked = self.effects();
        let (granted, room) = self.subscribes(station, asked, SHARE);
        let again = self.pass(10 * SECOND_MS);
        let (more, _) = self.subscribes(station, again, room);
        assert!(more.is_empty());
        granted
    }

    fn passed_over(&mut self, station: &Station) -> usize {
        let Self { engine, store, .. } = self;
        store.transaction(|tx| engine.passed_over_at(tx, &station.id())).unwrap()
    }
}

/// Somebody with more queues than two links may read.
fn scene() -> (Station, Bench) {
    let station = Station::new(1);
    let mut bench = Bench::new(Some(station.address()));
    bench.reads_queues(&station, 150);
    (station, bench)
}

#[test]
fn a_crowded_relay_is_left_after_a_minute_once_all_has_come_for_those_that_were_not_read() {
    let (station, mut bench) = scene();
    let first = bench.crowded(&station);
    assert_eq!((first.len(), bench.passed_over(&station)), (64, 86));
    // What is refused is not asked for without end.
    assert_eq!(tokens(&bench.pass(2 * MINUTE_MS)).len(), 0);
    let left = bench.catches_up(&station, 2);
    assert_eq!((hang_ups(&left), dials(&left)), (1, 0));
    assert_eq!(dials(&bench.pass(2 * SECOND_MS)), 1, "at once, because the link was no failure");

    let second = bench.crowded(&station);
    bench.catches_up(&station, 2);
    bench.pass(MINUTE_MS);
    let third = bench.crowded(&station);
    let read: BTreeSet<ReadId> = [&first, &second, &third].into_iter().flatten().copied().collect();
    assert_eq!((second.intersection(&first).count(), read.len()), (0, 150));
}

#[test]
fn a_queue_that_is_never_read_out_keeps_the_others_waiting_for_minutes_only() {
    let (station, mut bench) = scene();
    bench.crowded(&station);
    assert_eq!(hang_ups(&bench.pass(4 * MINUTE_MS)), 0);
    assert_eq!(hang_ups(&bench.pass(MINUTE_MS)), 1);
}

#[test]
fn a_relay_that_refuses_once_or_lets_nothing_be_read_is_asked_again_on_the_same_link() {
    // Too much at a time.
    let (station, mut bench) = scene();
    bench.links(&station);
    let asked = bench.effects();
    let (first, _) = bench.subscribes(&station, asked, SHARE);
    let again = bench.pass(10 * SECOND_MS);
    let (second, _) = bench.subscribes(&station, again, 150);
    assert_eq!(first.len() + second.len(), 150);
    assert_eq!(bench.passed_over(&station), 0);
    assert_eq!(hang_ups(&bench.catches_up(&station, 6)), 0);
    assert_eq!(hang_ups(&bench.pass(DAY_MS)), 0);

    // Nothing at all: another link would be no better.
    let (station, mut bench) = scene();
    bench.links(&station);
    let asked = bench.effects();
    bench.subscribes(&station, asked, 0);
    for _ in 0..5 {
        let again = bench.pass(10 * MINUTE_MS);
        assert_eq!((tokens(&again).len() >= 5, hang_ups(&again)), (true, 0));
        bench.subscribes(&station, again, 0);
    }
    assert_eq!(bench.passed_over(&station), 0);
}

#[test]
fn what_was_asked_for_is_answered_before_a_crowded_relay_is_left() {
    let (station, mut bench) = scene();
    bench.crowded(&station);
    bench.catches_up(&station, 2);
    bench.invites();
    let making = bench.effects();
    assert_eq!(hang_ups(&bench.pass(2 * MINUTE_MS)), 0);
    let (relay, token) = (station.id(), tokens(&making)[0]);
    let full = Some(Reply::Refused(Refusal::Full));
    bench.engine.handle_reply(&mut bench.store, relay, token, full, bench.now).unwrap();
    let effects = bench.effects();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Answer { .. })));
    assert_eq!(hang_ups(&effects), 1);
}

#[test]
fn a_crowd_that_has_gone_is_forgotten() {
    let (station, mut bench) = scene();
    bench.crowded(&station);
    bench.catches_up(&station, 2);
    bench.pass(MINUTE_MS);
    bench.links(&station);
    assert_eq!(bench.passed_over(&station), 0, "nobody can say yet");
    let mut read = 0;
    for _ in 0..2 {
        let asked = bench.effects();
        read += bench.subscribes(&station, asked, 150).0.len();
    }
    assert_eq!((read, bench.passed_over(&station)), (150, 0));

    // Refused once, as anybody may be.
    bench.breaks(&station);
    bench.pass(MINUTE_MS);
    bench.links(&station);
    let asked = bench.effects();
    bench.subscribes(&station, asked, SHARE);
    assert_eq!(bench.passed_over(&station), 0);
}

#[test]
fn who_writes_on_and_on_does_not_keep_a_link_to_a_crowded_relay() {
    let (station, mut bench) = scene();
    let read = bench.crowded(&station);
    let queue = *read.first().unwrap();
    let mut hung_up = 0;
    for sequence in 1..300 {
        let envelope = Envelope::seal(&EnvelopeKey::random(&mut rng(7)), b"nothing", &mut rng(8)).unwrap();
        let push = Push::Deliver { queue, sequence, envelope };
        bench.engine.handle_pushes(&mut bench.store, station.id(), [push], bench.now).unwrap();
        let said = bench.pass(SECOND_MS);
        // The answer comes behind the next message.
        hung_up += hang_ups(&said);
        if hung_up > 0 {
            break;
        }
        assert_eq!(tokens(&said).len(), 1, "it is acknowledged");
    }
    assert_eq!(hung_up, 1);
}

#[test]
fn links_to_a_crowded_relay_that_break_take_turns_too() {
    let (station, mut bench) = scene();
    let mut read = BTreeMap::<ReadId, u32>::new();
    // By a clock that is a year ahead, until it is set right.
    bench.now = BEGIN.plus(365 * DAY_MS);
    for _ in 0..6 {
        for queue in bench.crowded(&station) {
            *read.entry(queue).or_default() += 1;
        }
        bench.breaks(&station);
        bench.now = BEGIN;
        bench.pass(10 * MINUTE_MS);
    }
    assert_eq!(read.len(), 150);
    assert!(read.values().all(|times| *times >= 2), "{read:?}");
}

#[test]
fn who_hardly_gets_a_place_at_a_crowded_relay_stays_for_longer() {
    let (station, mut bench) = scene();
    let mut turns = Vec::new();
    for failures in [0, 1, 3, 20] {
        for _ in 0..failures {
            let failure = DialFailure::Unreachable;
            bench.engine.handle_dial_failed(&mut bench.store, station.id(), failure, bench.now).unwrap();
            bench.pass(20 * MINUTE_MS);
        }
        let linked = bench.now;
        bench.crowded(&station);
        bench.catches_up(&station, 2);
        while hang_ups(&bench.pass(10 * SECOND_MS)) == 0 {}
        turns.push(bench.now.since(linked) / MINUTE_MS);
        bench.pass(2 * SECOND_MS);
    }
    assert_eq!(turns, [1, 2, 8, 32]);
}

#[test]
fn a_crowded_relay_makes_queues_one_by_one_and_not_before_it_shows_what_is_read() {
    let (station, mut bench) = scene();
    bench.crowded(&station);
    bench.catches_up(&station, 2);
    bench.pass(MINUTE_MS);
    for number in 1..4 {
        let contact = bench.writes_to(number, Station::new(9).address());
        let needs = |tx: &Tx<'_>| {
            let mut contact = tx.contact(contact)?;
            contact.needs_queue = true;
            tx.update_contact(&contact)
        };
        bench.store.transaction(needs).unwrap();
    }
    let making = |effects: &[Effect]| {
        let is_making =
            |effect: &&Effect| matches!(effect, Effect::Transmit { command: Command::MakeQueue { .. }, .. });
        effects.iter().filter(is_making).count()
    };
    bench.links(&station);
    let asked = bench.effects();
    assert_eq!(making(&asked), 0);
    bench.subscribes(&station, asked, SHARE);
    assert_eq!(making(&bench.pass(10 * SECOND_MS)), 1);
}
