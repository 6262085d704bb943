//! Epoch keys are checked alike at the beginning of a link and later.

use beresta_proto::descriptor::EpochKey;
use beresta_proto::reply::Reply;

use super::*;
use crate::store::event::EventKind;

impl Bench {
    fn key(&self, station: &Station) -> Option<u64> {
        match self.engine.lines.get(&station.id()) {
            Some(Line::Up(up)) => up.epoch_key(self.now).map(|key| key.day),
            Some(Line::Dialling { .. } | Line::Down(_)) | None => None,
        }
    }

    fn links_with(&mut self, station: &Station, epoch_keys: Vec<EpochKey>, clock: Timestamp) {
        let up = LinkUp { epoch_keys, clock, ..station.link_up(self.now) };
        self.engine.handle_link_up(&mut self.store, up, self.now).unwrap();
    }
}

fn at_home() -> (Bench, Station) {
    let station = Station::new(1);
    let mut bench = Bench::new(Some(station.address()));
    bench.reads_a_queue(&station);
    (bench, station)
}

#[test]
fn a_reconnect_does_not_bring_senders_back_a_day() {
    let (mut bench, station) = at_home();
    let (now, today) = (bench.now, bench.now.day());
    bench.links(&station);
    assert_eq!(bench.key(&station), Some(today));
    bench.breaks(&station);
    bench.links_with(&station, vec![station.epoch_key(today - 1)], now.minus(DAY_MS));
    assert_eq!(bench.key(&station), None);
    // Reading goes on all the same.
    assert!(bench.engine.is_linked(&station.id()));
    // Nor does a restart of the program.
    bench.engine = Engine::new(rng(3));
    bench.links_with(&station, vec![station.epoch_key(today - 1)], now.minus(DAY_MS));
    assert_eq!(bench.key(&station), None);
    bench.links(&station);
    assert_eq!(bench.key(&station), Some(today));
}

#[test]
fn keys_are_checked_at_the_beginning_of_a_link_as_later() {
    let (mut bench, station) = at_home();
    let (now, today) = (bench.now, bench.now.day());
    let other = Station::new(2);
    bench.links_with(&station, vec![other.epoch_key(today)], now);
    assert_eq!(bench.key(&station), None);
    bench.links_with(&station, vec![station.epoch_key(today)], now.plus(200 * DAY_MS));
    assert_eq!(bench.key(&station), None);
    // Later: the keys that are there stay.
    bench.links(&station);
    bench.effects();
    bench.engine.unopenable(station.id(), now.plus(MINUTE_MS));
    let asked = tokens(&bench.effects());
    let epoch_keys = vec![other.epoch_key(today)];
    let reply = Reply::Descriptor { descriptor: station.signed(), epoch_keys, clock: now };
    bench.engine.handle_reply(&mut bench.store, station.id(), asked[0], Some(reply), now).unwrap();
    assert_eq!(bench.key(&station), Some(today));
}

impl Bench {
    /// The relay answers a question for keys on a link that stands: one that was asked, or is a minute later.
    fn is_told(&mut self, station: &Station, descriptor: Vec<u8>, keys: Vec<EpochKey>, clock: Timestamp) {
        let to_relay = |effect: Effect| {
            let Effect::Transmit { relay, token, command: _ } = effect else { return None };
            (relay == station.id()).then_some(token)
        };
        let asked = |bench: &mut Self| bench.effects().into_iter().find_map(to_relay);
        let token = asked(self).unwrap_or_else(|| {
            self.now = self.now.plus(MINUTE_MS);
            self.engine.unopenable(station.id(), self.now);
            asked(self).unwrap()
        });
        let reply = Reply::Descriptor { descriptor, epoch_keys: keys, clock };
        self.engine.handle_reply(&mut self.store, station.id(), token, Some(reply), self.now).unwrap();
    }

    fn sequence(&mut self, station: &Station) -> u64 {
        self.store.transaction(|tx| tx.relay(&station.id())).unwrap().unwrap().sequence
    }
}

/// The descriptor of a hundred days later.
fn renewed(station: &Station, now: Timestamp) -> Descriptor {
    let (not_before, not_after) = (now.minus(DAY_MS), now.plus(80 * DAY_MS));
    Descriptor { sequence: 2, not_before, not_after, ..station.descriptor() }
}

#[test]
fn a_link_that_outlives_its_descriptor_goes_on_with_the_renewed_one() {
    let (mut bench, station) = at_home();
    bench.links(&station);
    bench.effects();
    bench.now = bench.now.plus(100 * DAY_MS);
    let (now, today) = (bench.now, bench.now.day());
    let shown = renewed(&station, now);
    bench.is_told(&station, shown.sign(&station.identity).unwrap(), vec![station.epoch_key(today)], now);
    assert_eq!((bench.key(&station), bench.sequence(&station)), (Some(today), 2));

    // Another one under the same number is not taken; a new signer of epoch keys is, under the next.
    let signer = SigningKey::random(&mut rng(77));
    let shown = Descriptor { epoch_signer: signer.verifying_key().unwrap(), ..shown };
    bench.now = now.plus(DAY_MS);
    let (now, tomorrow) = (bench.now, today + 1);
    let key = EpochKey::sign(tomorrow, station.epoch.public().unwrap(), &signer).unwrap();
    bench.is_told(&station, shown.sign(&station.identity).unwrap(), vec![key.clone()], now);
    assert_eq!((bench.key(&station), bench.sequence(&station)), (Some(today), 2));
    let next = Descriptor { sequence: 3, ..shown };
    bench.is_told(&station, next.sign(&station.identity).unwrap(), vec![key], now);
    assert_eq!((bench.key(&station), bench.sequence(&station)), (Some(tomorrow), 3));
    assert_eq!(hang_ups(&bench.effects()), 0);
}

#[test]
fn a_link_on_which_a_wrong_descriptor_is_shown_is_closed() {
    type Wrong = fn(&Station, Descriptor) -> Vec<u8>;
    let wrong: [Wrong; 4] = [
        |station, shown| Descriptor { tls_key: [8; 32], ..shown }.sign(&station.identity).unwrap(),
        |station, shown| shown.sign(&station.epoch_signer).unwrap(),
        |_, shown| shown.sign(&SigningKey::random(&mut rng(5))).unwrap(),
        |_, _| Vec::new(),
    ];
    for wrong in wrong {
        let (mut bench, station) = at_home();
        bench.links(&station);
        bench.effects();
        let (now, today) = (bench.now, bench.now.day());
        let shown = wrong(&station, renewed(&station, now));
        bench.is_told(&station, shown, vec![station.epoch_key(today)], now);
        assert_eq!((hang_ups(&bench.effects()), bench.sequence(&station)), (1, 1));
        assert!(!bench.engine.is_linked(&station.id()));
    }
}

#[test]
fn a_relay_that_shows_a_superseded_descriptor_later_is_hung_up_on() {
    let (mut bench, station) = at_home();
    bench.links(&station);
    bench.effects();
    let (now, keys) = (bench.now, vec![station.epoch_key(bench.now.day())]);
    bench.is_told(&station, renewed(&station, now).sign(&station.identity).unwrap(), keys.clone(), now);
    assert_eq!(hang_ups(&bench.effects()), 0);
    bench.is_told(&station, station.signed(), keys, now);
    assert_eq!((hang_ups(&bench.effects()), bench.sequence(&station)), (1, 2));
}

#[test]
fn whoever_holds_back_the_clock_of_a_relay_keeps_no_link_longer_than_its_descriptor() {
    // The home relay tells the time; a thief of another one, without its identity key, lets it stand at the last day.
    let (mut bench, home) = at_home();
    let stolen = Station::new(2);
    bench.reads_a_queue(&stolen);
    bench.links(&home);
    bench.links(&stolen);
    bench.effects();
    let held_back = BEGIN.plus(80 * DAY_MS);
    let keys = vec![stolen.epoch_key(held_back.day())];
    // By a clock that nobody confirms, ours may have jumped.
    bench.now = BEGIN.plus(100 * DAY_MS);
    bench.is_told(&stolen, stolen.signed(), keys.clone(), held_back);
    assert!(bench.engine.is_linked(&stolen.id()));
    let (clock, shown) = (bench.now, renewed(&home, bench.now).sign(&home.identity).unwrap());
    bench.is_told(&home, shown, vec![home.epoch_key(clock.day())], clock);
    bench.effects();
    bench.is_told(&stolen, stolen.signed(), keys, held_back);
    assert!(!bench.engine.is_linked(&stolen.id()) && bench.engine.is_linked(&home.id()));
}

#[test]
fn a_relay_whose_clock_ran_ahead_is_taken_back() {
    let (mut bench, station) = at_home();
    let (now, today) = (bench.now, bench.now.day());
    bench.links_with(&station, vec![station.epoch_key(today + 30)], now.plus(30 * DAY_MS));
    assert_eq!(bench.key(&station), Some(today + 30));
    bench.breaks(&station);
    bench.links(&station);
    assert_eq!(bench.key(&station), Some(today));
}

#[test]
fn keys_are_asked_for_once_a_minute_however_often_a_capsule_does_not_open() {
    let (mut bench, station) = at_home();
    bench.links(&station);
    bench.effects();
    let mut asked = 0;
    for second in 0..600 {
        let now = bench.now.plus(second * 1_000);
        bench.engine.unopenable(station.id(), now);
        for token in tokens(&bench.effects()) {
            asked += 1;
            let epoch_keys = vec![station.epoch_key(now.day())];
            let reply = Reply::Descriptor { descriptor: station.signed(), epoch_keys, clock: now };
            bench.engine.handle_reply(&mut bench.store, station.id(), token, Some(reply), now).unwrap();
            bench.effects();
        }
    }
    assert_eq!(asked, 9);
}

#[test]
fn a_home_relay_that_forgets_with_a_restart_is_told_of_once_when_it_first_says_so() {
    let (mut bench, station) = at_home();
    let told = |bench: &mut Bench| {
        let events = bench.store.transaction(|tx| tx.events_after(0, 64)).unwrap();
        let seen = events.last().map_or(0, |event| event.seq);
        bench.store.transaction(|tx| tx.acknowledge_events(seen)).unwrap();
        events.iter().filter(|event| event.kind == EventKind::HomeVolatile).count()
    };
    let says = |bench: &mut Bench, descriptor: Descriptor| {
        let up = LinkUp { descriptor, ..station.link_up(bench.now) };
        bench.engine.handle_link_up(&mut bench.store, up, bench.now).unwrap();
    };
    bench.links(&station);
    assert_eq!(told(&mut bench), 0);
    bench.effects();
    // While the link stands.
    let volatile = Policy::MAILBOX.and(Policy::OPEN).and(Policy::VOLATILE);
    let forgets = Descriptor { sequence: 2, policy: volatile, ..station.descriptor() };
    let (now, today) = (bench.now, bench.now.day());
    bench.is_told(&station, forgets.sign(&station.identity).unwrap(), vec![station.epoch_key(today)], now);
    assert_eq!(told(&mut bench), 1);
    // Not with each link, and not with the next run.
    bench.breaks(&station);
    says(&mut bench, forgets.clone());
    bench.engine = Engine::new(rng(3));
    says(&mut bench, forgets.clone());
    assert_eq!(told(&mut bench), 0);
    let keeps = Descriptor { sequence: 3, ..station.descriptor() };
    says(&mut bench, keeps);
    let volatile =
        |bench: &mut Bench, relay| bench.store.transaction(|tx| tx.relay(&relay)).unwrap().unwrap().volatile;
    assert!(!volatile(&mut bench, station.id()));
    says(&mut bench, Descriptor { sequence: 4, ..forgets.clone() });
    assert_eq!((told(&mut bench), volatile(&mut bench, station.id())), (1, true));

    // Of another relay it is kept and not told.
    let other = Station::new(2);
    let up = LinkUp {
        descriptor: Descriptor { policy: forgets.policy, ..other.descriptor() },
        ..other.link_up(now)
    };
    bench.engine.handle_link_up(&mut bench.store, up, now).unwrap();
    assert_eq!((told(&mut bench), volatile(&mut bench, other.id())), (0, true));
}
