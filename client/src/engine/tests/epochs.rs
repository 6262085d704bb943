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
fn a_link_that_outlives_its_descriptor_goes_on_with_the_renewed_one() {
    let (mut bench, station) = at_home();
    bench.links(&station);
    bench.effects();
    // What it is told later on the same link: the reply to a question for keys.
    let told = |bench: &mut Bench, descriptor: Vec<u8>, key: EpochKey| {
        let now = bench.now;
        bench.engine.unopenable(station.id(), now);
        let asked = tokens(&bench.effects());
        let reply = Reply::Descriptor { descriptor, epoch_keys: vec![key], clock: now };
        bench.engine.handle_reply(&mut bench.store, station.id(), asked[0], Some(reply), now).unwrap();
        bench.effects();
    };
    let sequence =
        |bench: &mut Bench| bench.store.transaction(|tx| tx.relay(&station.id())).unwrap().unwrap().sequence;
    bench.now = bench.now.plus(100 * DAY_MS);
    let today = bench.now.day();
    let mut renewed = Descriptor {
        sequence: 2,
        not_before: bench.now.minus(DAY_MS),
        not_after: bench.now.plus(80 * DAY_MS),
        ..station.descriptor()
    };
    // Neither the one before nor one of another key of the link, nor one that is not signed.
    let other_tls = Descriptor { tls_key: [8; 32], ..renewed.clone() }.sign(&station.identity).unwrap();
    let forged = renewed.sign(&station.epoch_signer).unwrap();
    let old = station.descriptor().sign(&station.identity).unwrap();
    for refused in [old.clone(), other_tls, forged] {
        told(&mut bench, refused, station.epoch_key(today));
        assert_ne!(bench.key(&station), Some(today));
        assert_eq!(sequence(&mut bench), 1);
        bench.now = bench.now.plus(MINUTE_MS);
    }
    told(&mut bench, renewed.sign(&station.identity).unwrap(), station.epoch_key(today));
    assert_eq!((bench.key(&station), sequence(&mut bench)), (Some(today), 2));

    // A new signer of epoch keys is taken, and the descriptor before is not taken back.
    let signer = SigningKey::random(&mut rng(77));
    renewed = Descriptor { sequence: 3, epoch_signer: signer.verifying_key().unwrap(), ..renewed };
    bench.now = bench.now.plus(DAY_MS);
    let (descriptor, today) = (renewed.sign(&station.identity).unwrap(), bench.now.day());
    let key = EpochKey::sign(today, station.epoch.public().unwrap(), &signer).unwrap();
    told(&mut bench, descriptor, key);
    assert_eq!((bench.key(&station), sequence(&mut bench)), (Some(today), 3));
    bench.now = bench.now.plus(DAY_MS);
    let tomorrow = station.epoch_key(bench.now.day());
    told(&mut bench, old, tomorrow);
    assert_eq!((bench.key(&station), sequence(&mut bench)), (Some(today), 3));
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
