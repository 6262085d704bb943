//! Epoch keys are checked alike at the beginning of a link and later.

use beresta_proto::descriptor::EpochKey;
use beresta_proto::reply::Reply;

use super::*;

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
    let reply = Reply::Descriptor { descriptor: Vec::new(), epoch_keys, clock: now };
    bench.engine.handle_reply(&mut bench.store, station.id(), asked[0], Some(reply), now).unwrap();
    assert_eq!(bench.key(&station), Some(today));
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
            let reply = Reply::Descriptor { descriptor: Vec::new(), epoch_keys, clock: now };
            bench.engine.handle_reply(&mut bench.store, station.id(), token, Some(reply), now).unwrap();
            bench.effects();
        }
    }
    assert_eq!(asked, 9);
}
