use super::*;

const NOW: Timestamp = Timestamp(1_000_000);
const CONNECTIONS: u32 = 64;
/// What follows of that: 20 handshakes at once and 8 in a second, and 200 and 66 of an owner.
const HANDSHAKE_MS: u64 = 125;
const BURST_MS: u64 = 2_500;
const HANDSHAKE_OF_OWNER_MS: u64 = 15;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Room for as many as there may be, and so many of a neighbourhood.
fn crowd(near: u32) -> Crowd {
    Crowd { links: 16_384, wide: 2, near, held: 0 }
}

/// Arrives after it has shown that it receives at its address.
fn enter(admission: &Arc<Admission>, from: &str, now: Timestamp) -> Option<Pass> {
    match admission.arrive(ip(from), true, now) {
        Verdict::Enter(pass) => Some(pass),
        Verdict::Retry | Verdict::Refuse(_) => None,
    }
}

/// Arrives under an address that may be forged.
fn claim(admission: &Arc<Admission>, from: &str, now: Timestamp) -> Verdict {
    admission.arrive(ip(from), false, now)
}

#[test]
fn a_neighbourhood_gets_so_many_handshakes_a_second_and_others_are_not_held_up() {
    let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
    let passes: Vec<_> = (0..40).filter_map(|_| enter(&admission, "192.0.2.7", NOW)).collect();
    assert_eq!(passes.len(), 20);
    assert!(matches!(claim(&admission, "192.0.2.200", NOW), Verdict::Retry));
    assert!(enter(&admission, "192.0.3.7", NOW).is_some());
    assert!(enter(&admission, "192.0.2.7", NOW.plus(HANDSHAKE_MS)).is_some());
}

#[test]
fn a_neighbourhood_holds_so_many_connections_until_one_closes() {
    let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
    let mut now = NOW;
    let mut passes = Vec::new();
    for _ in 0..CONNECTIONS {
        now = now.plus(HANDSHAKE_MS);
        passes.push(enter(&admission, "2001:db8:0:1::1", now).unwrap());
    }
    now = now.plus(1_000);
    assert!(enter(&admission, "2001:db8:0:1ff::2", now).is_some(), "another /56");
    assert!(enter(&admission, "2001:db8:0:2::2", now).is_none(), "the same /56");
    passes.pop();
    assert!(enter(&admission, "2001:db8:0:2::2", now).is_some());
}

#[test]
fn one_owner_of_many_neighbourhoods_does_not_take_every_place() {
    for (neighbours, stranger) in [("2001:db8:0:", "2001:db8:1::1"), ("10.1.", "10.2.0.1")] {
        let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
        let near = |number: u32| match neighbours {
            "10.1." => format!("{neighbours}{}.1", number % 256),
            _ => format!("{neighbours}{:x}00::1", number % 256),
        };
        let arrive = |number, now| enter(&admission, &near(number), now);
        let passes: Vec<_> = (0..2_000)
            .filter_map(|number| arrive(number, NOW.plus(u64::from(number) * HANDSHAKE_OF_OWNER_MS)))
            .collect();
        assert_eq!(passes.len(), usize::try_from(CONNECTIONS * NEIGHBOURHOODS_OF_OWNER).unwrap());
        assert!(enter(&admission, stranger, NOW).is_some());
    }
}

#[test]
fn one_owner_who_hangs_up_at_once_does_not_have_the_relay_shake_hands_without_end() {
    let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
    let mut entered = 0;
    for number in 0..2_000 {
        let at = format!("2001:db8:0:{:x}00::1", number % 256);
        entered += u64::from(enter(&admission, &at, NOW).is_some());
    }
    assert_eq!(entered, BURST_OF_OWNER);
    assert!(enter(&admission, "2001:db8:1::1", NOW).is_some(), "another owner");
}

#[test]
fn a_clock_that_is_set_back_leaves_nobody_remembered_who_has_gone() {
    let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
    let ahead = NOW.plus(86_400_000);
    drop(enter(&admission, "192.0.2.7", ahead).unwrap());
    admission.forget(NOW);
    admission.forget(NOW.plus(EARLY_MS + HANDSHAKE_MS));
    assert_eq!(admission.lock().neighbourhoods.len(), 0);
}

#[test]
fn forged_addresses_lock_nobody_out_of_its_neighbourhood() {
    let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
    let mut now = NOW;
    let (mut forged, mut retries) = (Vec::new(), 0);
    for number in 0..1_000 {
        now = now.plus(1);
        match claim(&admission, "192.0.2.66", now) {
            Verdict::Enter(pass) => forged.push(pass),
            Verdict::Retry => retries += 1,
            Verdict::Refuse(_) => panic!("a forged address is no reason to send its owner away"),
        }
        // Some of them are given up, as handshakes that nobody answers are.
        if number % 10 == 0 {
            forged.remove(0);
        }
    }
    assert!(retries > 0, "a flood begins to be asked for proof");
    for _ in 0..20 {
        assert!(
            enter(&admission, "192.0.2.7", now).is_some(),
            "the honest neighbours have all of their share"
        );
    }
}

#[test]
fn a_handshake_that_ends_well_is_charged_then() {
    let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
    let mut passes = Vec::new();
    for _ in 0..20 {
        let Verdict::Enter(pass) = claim(&admission, "192.0.2.7", NOW) else { panic!("no flood yet") };
        assert!(pass.shaken(NOW));
        passes.push(pass);
    }
    assert!(enter(&admission, "192.0.2.7", NOW).is_none());
    // Begun while there was room, ended when there is none.
    let later = NOW.plus(HANDSHAKE_MS);
    let Verdict::Enter(slow) = claim(&admission, "192.0.2.7", later) else { panic!("room for one") };
    assert!(enter(&admission, "192.0.2.8", later).is_some());
    assert!(!slow.shaken(later));
    drop((slow, passes));
    admission.forget(later.plus(BURST_MS + HANDSHAKE_MS));
    let state = admission.lock();
    assert_eq!((state.all, state.unproven, state.neighbourhoods.len()), (0, 0, 0));
}

#[test]
fn when_many_handshakes_are_under_way_a_forged_address_gets_a_retry() {
    let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
    let mut passes = Vec::new();
    for third in 0..UNPROVEN {
        match claim(&admission, &format!("10.{}.{}.1", third / 200, third % 200), NOW) {
            Verdict::Enter(pass) => passes.push(pass),
            Verdict::Retry | Verdict::Refuse(_) => panic!("too early"),
        }
    }
    assert!(matches!(claim(&admission, "198.51.100.1", NOW), Verdict::Retry));
    assert!(matches!(claim(&admission, "127.0.0.1", NOW), Verdict::Retry));
    assert!(enter(&admission, "198.51.100.1", NOW).is_some());
    passes.clear();
    assert!(matches!(claim(&admission, "198.51.100.1", NOW.plus(UNPROVEN_MS)), Verdict::Enter(_)));
}

#[test]
fn who_hangs_up_with_the_first_word_does_not_have_the_relay_shake_hands_without_end() {
    let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
    let mut entered = 0;
    for number in 0..20_000_u32 {
        let [_, _, a, b] = number.to_be_bytes();
        let now = NOW.plus(u64::from(number) / 10);
        match claim(&admission, &format!("198.{a}.{b}.7"), now) {
            Verdict::Enter(pass) => {
                entered += 1;
                drop(pass);
            }
            Verdict::Retry => {}
            Verdict::Refuse(_) => panic!("whose address it is did nothing"),
        }
    }
    assert!((256 + 450..256 + 550).contains(&entered), "{entered} in two seconds");
    assert!(matches!(claim(&admission, "127.0.0.1", NOW), Verdict::Enter(_)), "nobody can forge that");
    assert!(enter(&admission, "198.0.0.7", NOW).is_some(), "who shows that it hears is let in");
}

/// For as long as a client can have QUIC keep what it closed.
#[test]
fn what_is_opened_and_closed_at_once_is_at_most_seven_times_as_much_as_may_be_open() {
    for connections in [8, 64, 1_000] {
        let admission = Arc::new(Admission::new(crowd(connections)));
        let last = 49_000;
        let rush = |at: &dyn Fn(u64) -> String| {
            let enters = |ms: &u64| enter(&admission, &at(*ms), NOW.plus(*ms)).is_some();
            u32::try_from((0..last).filter(enters).count()).unwrap()
        };
        let near = rush(&|_| String::from("192.0.2.7"));
        assert!((connections..=7 * connections + 1).contains(&near), "{near} of {connections}");
        let owner = rush(&|ms| format!("2001:db8:7:{:x}00::1", ms % 256));
        assert!(owner <= 7 * NEIGHBOURHOODS_OF_OWNER * connections + 8, "{owner} of {connections}");
    }
}

#[test]
fn a_clock_that_is_set_back_locks_no_neighbourhood_out() {
    let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
    let _passes: Vec<_> = (0..20).filter_map(|_| enter(&admission, "192.0.2.7", NOW)).collect();
    let back = NOW.minus(500_000);
    assert!(enter(&admission, "192.0.2.7", back).is_none());
    assert!(enter(&admission, "192.0.2.7", back.plus(2 * HANDSHAKE_MS)).is_some());
}

#[test]
fn neighbourhoods_that_no_longer_matter_are_forgotten() {
    let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
    let stays = enter(&admission, "192.0.2.7", NOW).unwrap();
    for number in 0..20_000_u32 {
        enter(&admission, &format!("10.{}.{}.1", number % 250, number / 250), NOW).unwrap();
    }
    assert!(admission.lock().neighbourhoods.len() > 20_000);
    admission.forget(NOW.plus(BURST_MS));
    assert_eq!(admission.lock().neighbourhoods.len(), 2, "where a link is");
    drop(stays);
    admission.forget(NOW.plus(BURST_MS));
    assert_eq!(admission.lock().neighbourhoods.len(), 0);
}

#[test]
fn a_neighbourhood_that_many_came_from_is_forgotten_after_ten_seconds() {
    for connections in [8, 64, 16_384] {
        let admission = Arc::new(Admission::new(crowd(connections)));
        let mut hosts = 0;
        while enter(&admission, "192.0.2.7", NOW).is_some() {
            hosts += 1;
        }
        assert!(hosts >= 8, "{hosts} of {connections}");
        // The relay looks each second.
        admission.forget(NOW.plus(9_000));
        assert_eq!(admission.lock().neighbourhoods.len(), 0, "{connections}");
    }
}

#[test]
fn nothing_is_kept_of_a_neighbourhood_in_whose_name_others_knock() {
    let admission = Arc::new(Admission::new(crowd(CONNECTIONS)));
    let passes: Vec<_> = (0..UNPROVEN)
        .map(|number| claim(&admission, &format!("10.{}.{}.1", number / 250, number % 250), NOW))
        .collect();
    let known = admission.lock().neighbourhoods.len();
    for number in 0..100_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        assert!(matches!(claim(&admission, &format!("198.{a}.{b}.{c}"), NOW), Verdict::Retry));
    }
    assert_eq!(admission.lock().neighbourhoods.len(), known);
    drop(passes);
    admission.forget(NOW);
    assert_eq!(admission.lock().neighbourhoods.len(), 0);
}

#[test]
fn everybody_waits_for_a_place_once_all_are_taken() {
    let admission = Arc::new(Admission::new(Crowd { links: 3, ..crowd(CONNECTIONS) }));
    let mut passes: Vec<_> = (1..4).map(|net| enter(&admission, &format!("10.{net}.0.1"), NOW)).collect();
    assert!(passes.iter().all(Option::is_some));
    for from in ["10.4.0.1", "127.0.0.1"] {
        for proven in [true, false] {
            let verdict = admission.arrive(ip(from), proven, NOW);
            assert!(matches!(verdict, Verdict::Refuse(Refused::Full)), "{from}");
        }
    }
    passes.pop();
    assert!(enter(&admission, "10.4.0.1", NOW).is_some());
}

/// Whoever comes as often as they can, from three owners of networks.
struct Flood {
    admission: Arc<Admission>,
    held: [Vec<Pass>; 3],
    now: Timestamp,
}

impl Flood {
    fn comes(&mut self, from: core::ops::Range<usize>) {
        for number in 0..400 {
            self.now = self.now.plus(HANDSHAKE_OF_OWNER_MS);
            for owner in from.clone() {
                let at = format!("10.{owner}.{}.1", number % 256);
                self.held[owner].extend(enter(&self.admission, &at, self.now));
            }
        }
    }

    fn held(&self) -> [usize; 3] {
        self.held.each_ref().map(Vec::len)
    }
}

#[test]
fn each_owner_of_networks_leaves_as_many_places_as_it_has() {
    let admission = Arc::new(Admission::new(Crowd { links: 120, ..crowd(CONNECTIONS) }));
    let mut flood = Flood { admission: Arc::clone(&admission), held: Default::default(), now: NOW };
    for owner in 0..3 {
        flood.comes(owner..owner + 1);
    }
    assert_eq!(flood.held(), [60, 30, 15], "who comes early gets more");
    assert!(enter(&admission, "192.0.2.7", flood.now).is_some());
    // Who is of no use gives their place up again (rule L11), and comes anew.
    for _ in 0..30 {
        flood.held.iter_mut().for_each(|held| drop(held.drain(..held.len() / 4)));
        flood.comes(0..3);
    }
    assert!(flood.held().iter().all(|held| (28..=32).contains(held)), "{:?}", flood.held());
    assert!(enter(&admission, "192.0.2.7", flood.now).is_some());
}

#[test]
fn forged_addresses_take_no_more_places_than_they_leave() {
    let admission = Arc::new(Admission::new(Crowd { links: 100, ..crowd(CONNECTIONS) }));
    let claims: Vec<_> = (0..1_000)
        .map(|number| claim(&admission, &format!("10.{}.{}.1", number / 250, number % 250), NOW))
        .collect();
    assert_eq!(claims.iter().filter(|claim| matches!(claim, Verdict::Enter(_))).count(), 50);
    assert!(claims.iter().all(|claim| matches!(claim, Verdict::Enter(_) | Verdict::Retry)));
    let honest: Vec<_> =
        (1..=50).filter_map(|net| enter(&admission, &format!("172.{net}.0.1"), NOW)).collect();
    assert_eq!(honest.len(), 50);
}

#[test]
fn whose_handshake_began_while_there_was_room_stays_though_it_took_the_last_place() {
    let admission = Arc::new(Admission::new(Crowd { links: 2, ..crowd(CONNECTIONS) }));
    let Verdict::Enter(first) = claim(&admission, "10.1.0.1", NOW) else { panic!("there is room") };
    let _last = enter(&admission, "10.2.0.1", NOW).unwrap();
    assert!(first.shaken(NOW));
}

#[test]
fn it_is_crowded_where_more_than_half_of_the_places_are_taken() {
    let admission = Arc::new(Admission::new(Crowd { links: 4, ..crowd(CONNECTIONS) }));
    let mut passes: Vec<_> =
        (1..=3).filter_map(|net| enter(&admission, &format!("10.{net}.0.1"), NOW)).collect();
    assert!(admission.is_crowded());
    passes.pop();
    assert!(!admission.is_crowded());
}

#[test]
fn half_of_the_wide_windows_are_for_who_needs_them_and_who_leaves_gives_them_back() {
    let admission = Arc::new(Admission::new(Crowd { wide: 2, ..crowd(CONNECTIONS) }));
    let mut passes: Vec<_> =
        (1..5).filter_map(|net| enter(&admission, &format!("10.{net}.0.1"), NOW)).collect();
    let wide = |passes: &[Pass], need| passes.iter().map(|pass| pass.widen(need)).collect::<Vec<_>>();
    assert_eq!(wide(&passes, false), [true, false, false, false]);
    assert_eq!(wide(&passes, true), [true, true, false, false]);
    passes.remove(0);
    assert_eq!(wide(&passes, true), [true, true, false]);
    passes[0].narrow();
    assert_eq!(wide(&passes[1..], true), [true, true]);
}

#[test]
fn one_owner_takes_no_more_wide_windows_than_it_leaves() {
    let admission = Arc::new(Admission::new(Crowd { wide: 8, ..crowd(CONNECTIONS) }));
    let passes: Vec<_> =
        (0..8).filter_map(|near| enter(&admission, &format!("10.1.{near}.1"), NOW)).collect();
    let wide = |need| passes.iter().filter(|pass| pass.widen(need)).count();
    assert_eq!((wide(false), wide(true)), (2, 4));
    let other = enter(&admission, "10.2.0.1", NOW).unwrap();
    assert!(other.widen(true));
    passes.iter().for_each(Pass::narrow);
    assert_eq!((wide(false), wide(true)), (2, 4), "what was given back may be taken again");
}
