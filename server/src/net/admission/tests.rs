use super::*;

const NOW: Timestamp = Timestamp(1_000_000);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn enter(admission: &Arc<Admission>, from: &str, now: Timestamp) -> Option<Pass> {
    match admission.arrive(ip(from), true, now) {
        Verdict::Enter(mut pass) => {
            pass.shaken();
            Some(pass)
        }
        Verdict::Retry | Verdict::Refuse => None,
    }
}

#[test]
fn a_neighbourhood_gets_so_many_handshakes_a_second_and_others_are_not_held_up() {
    let admission = Arc::new(Admission::default());
    let passes: Vec<_> = (0..40).filter_map(|_| enter(&admission, "192.0.2.7", NOW)).collect();
    assert_eq!(passes.len(), 20);
    assert!(matches!(admission.arrive(ip("192.0.2.200"), false, NOW), Verdict::Retry));
    assert!(enter(&admission, "192.0.3.7", NOW).is_some());
    assert!(enter(&admission, "192.0.2.7", NOW.plus(HANDSHAKE_MS)).is_some());
}

#[test]
fn a_neighbourhood_holds_so_many_connections_until_one_closes() {
    let admission = Arc::new(Admission::default());
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
fn when_many_handshakes_are_under_way_a_forged_address_gets_a_retry() {
    let admission = Arc::new(Admission::default());
    let mut passes = Vec::new();
    for third in 0..HALF_OPEN {
        match admission.arrive(ip(&format!("10.{}.{}.1", third / 200, third % 200)), false, NOW) {
            Verdict::Enter(pass) => passes.push(pass),
            Verdict::Retry | Verdict::Refuse => panic!("too early"),
        }
    }
    assert!(matches!(admission.arrive(ip("198.51.100.1"), false, NOW), Verdict::Retry));
    assert!(matches!(admission.arrive(ip("198.51.100.1"), true, NOW), Verdict::Enter(_)));
    passes.clear();
    assert!(matches!(admission.arrive(ip("198.51.100.1"), false, NOW), Verdict::Enter(_)));
}
