//! Where a relay is tried.

use super::*;

impl Bench {
    fn unreachable(&mut self, station: &Station) {
        let failure = DialFailure::Unreachable;
        self.engine.handle_dial_failed(&mut self.store, station.id(), failure, self.now).unwrap();
    }

    /// The routes of the only dial since the last look.
    fn dialled(&mut self) -> Vec<Route> {
        let (own, others) = self.dialled_first_and_then();
        [own, others].concat()
    }

    /// The same: those that are tried first, and the others.
    fn dialled_first_and_then(&mut self) -> (Vec<Route>, Vec<Route>) {
        let mut all = Vec::new();
        for effect in self.pass(10 * MINUTE_MS) {
            if let Effect::Dial { relay, own, known_sequence: _ } = effect {
                let (first, then) = relay.routes.split_at(own);
                all.push((first.to_vec(), then.to_vec()));
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
    assert_eq!(bench.dialled_first_and_then(), (vec![], vec![route(77), route(66)]));
    // It was reached there, and its descriptor says where it is.
    bench.links(&far);
    bench.breaks(&far);
    assert_eq!(bench.dialled_first_and_then(), (vec![route(2)], vec![route(66)]));
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
