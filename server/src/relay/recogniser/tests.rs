use beresta_proto::key::SessionKey;

use super::*;

const EPOCH: KeyId = KeyId([1; 8]);
const NEXT_EPOCH: KeyId = KeyId([2; 8]);

fn session(seed: u8) -> SessionKeys {
    SessionKeys::new(&SessionKey::take(&mut [seed; 32]), EPOCH)
}

/// Capsule `n` of a session that was opened the slow way.
fn shown(session: &SessionKeys, n: u64) -> Recognised {
    Recognised { session: session.clone(), n, name: None }
}

fn knows(recogniser: &Recogniser<u8>, session: &SessionKeys, n: u64) -> bool {
    match recogniser.find(&session.tag(n).unwrap()) {
        Some(recognised) => {
            assert_eq!(recognised.n, n);
            true
        }
        None => false,
    }
}

#[test]
fn a_window_of_coming_capsules_is_recognised_and_slides() {
    let (mut recogniser, session) = (Recogniser::new(8, 4), session(1));
    (0..3).for_each(|n| recogniser.good(&shown(&session, n), EPOCH, 1));
    assert!(!knows(&recogniser, &session, 2), "what came is not taken again");
    assert!((3..=2 + WINDOW).all(|n| knows(&recogniser, &session, n)));
    assert!(!knows(&recogniser, &session, 3 + WINDOW));
    recogniser.good(&shown(&session, 3), EPOCH, 1);
    assert!(knows(&recogniser, &session, 3 + WINDOW));
}

#[test]
fn who_writes_once_costs_few_tags_and_who_goes_on_gets_a_whole_window() {
    let (mut recogniser, session) = (Recogniser::new(8, 4), session(1));
    for (n, ahead) in [8, 16, 32, 32].into_iter().enumerate() {
        let n = n as u64;
        recogniser.good(&shown(&session, n), EPOCH, 1);
        assert!(knows(&recogniser, &session, n + ahead) && !knows(&recogniser, &session, n + ahead + 1));
        assert_eq!(recogniser.sizes().1 as u64, ahead, "none but those that are to come");
    }
    let (mut recogniser, late) = (Recogniser::new(8, 4), self::session(2));
    recogniser.good(&shown(&late, 1_000), EPOCH, 1);
    assert!(recogniser.sizes().1 <= 16, "a few on both sides");
}

#[test]
fn lost_and_reordered_capsules_are_recognised() {
    let (mut recogniser, session) = (Recogniser::new(8, 4), session(1));
    for n in [0, 3, 2, 20, 45] {
        recogniser.good(&shown(&session, n), EPOCH, 1);
    }
    assert!(knows(&recogniser, &session, 21) && knows(&recogniser, &session, 44), "late ones");
    assert!(!knows(&recogniser, &session, 2) && !knows(&recogniser, &session, 3));
    assert!(knows(&recogniser, &session, 45 + WINDOW));
    assert_eq!(recogniser.sizes().0, 1);
    assert!(recogniser.sizes().1 <= 2 * 32, "a window has an end on both sides");
}

#[test]
fn a_session_that_went_far_ahead_is_one_session_still() {
    let (mut recogniser, session) = (Recogniser::new(8, 4), session(1));
    recogniser.good(&shown(&session, 0), EPOCH, 1);
    recogniser.good(&shown(&session, 1_000), EPOCH, 1);
    recogniser.good(&shown(&session, 5), EPOCH, 1);
    assert_eq!(recogniser.sizes().0, 1);
    assert!(knows(&recogniser, &session, 1_001) && !knows(&recogniser, &session, 6));
    recogniser.good(&shown(&session, NAME - 1), EPOCH, 1);
    assert!(recogniser.sizes().1 <= 2 * 32);
}

#[test]
fn one_queue_holds_a_few_sessions_only_and_pushes_out_none_of_another() {
    let mut recogniser = Recogniser::new(8, 2);
    let honest = session(200);
    recogniser.good(&shown(&honest, 0), EPOCH, 1);
    for seed in 0..100 {
        recogniser.good(&shown(&session(seed), 0), EPOCH, 2);
    }
    assert_eq!(recogniser.sizes().0, 3);
    assert!(knows(&recogniser, &honest, 1));
    assert!(knows(&recogniser, &session(99), 1) && !knows(&recogniser, &session(97), 1));
}

#[test]
fn the_session_that_was_not_used_for_longest_is_forgotten_first_and_entirely() {
    let mut recogniser = Recogniser::new(3, 2);
    for (seed, queue) in [(1, 1), (2, 2), (3, 3)] {
        recogniser.good(&shown(&session(seed), 0), EPOCH, queue);
    }
    recogniser.good(&shown(&session(1), 1), EPOCH, 1);
    recogniser.good(&shown(&session(4), 0), EPOCH, 4);
    assert!(!knows(&recogniser, &session(2), 1));
    assert!(knows(&recogniser, &session(1), 2) && knows(&recogniser, &session(3), 1));
    assert_eq!(
        recogniser.tags.len(),
        recogniser.sessions.values().map(|one| one.coming.len()).sum::<usize>()
    );
    assert_eq!((recogniser.new.len(), recogniser.by_queue.len()), (3, 3));
}

#[test]
fn sessions_end_with_their_epoch_key() {
    let mut recogniser = Recogniser::new(8, 4);
    let old = session(1);
    let new = SessionKeys::new(&SessionKey::take(&mut [2; 32]), NEXT_EPOCH);
    recogniser.good(&shown(&old, 0), EPOCH, 1);
    recogniser.good(&shown(&new, 0), NEXT_EPOCH, 1);
    recogniser.keep_epochs(|id| id == NEXT_EPOCH);
    assert!(!knows(&recogniser, &old, 1) && knows(&recogniser, &new, 1));
}

/// Numbers the sessions of a flood: each with a queue of its own, each with some good orders.
fn flood(recogniser: &mut Recogniser<u32>, sessions: u32, orders: u64) {
    for queue in 1_000..1_000 + sessions {
        let mut seed = [9; 32];
        seed[..4].copy_from_slice(&queue.to_be_bytes());
        let session = SessionKeys::new(&SessionKey::take(&mut seed), EPOCH);
        (0..orders).for_each(|n| recogniser.good(&shown(&session, n), EPOCH, queue));
    }
}

#[test]
fn a_flood_by_queues_of_ones_own_pushes_no_established_session_out() {
    let mut recogniser = Recogniser::new(64, 4);
    let (honest, new) = (session(200), session(201));
    let tag = |session: &SessionKeys, n| session.tag(n).unwrap();
    (0..u64::from(ESTABLISHED)).for_each(|n| recogniser.good(&shown(&honest, n), EPOCH, 1));
    recogniser.good(&shown(&new, 0), EPOCH, 2);
    flood(&mut recogniser, 500, u64::from(ESTABLISHED) - 1);
    assert!(recogniser.find(&tag(&honest, 10)).is_some());
    assert!(recogniser.find(&tag(&new, 1)).is_none(), "who just came is opened once more");
    // Who is in use stays also beside those who did the work of establishing theirs.
    for round in 0..20 {
        flood(&mut recogniser, 30, u64::from(ESTABLISHED));
        assert!(recogniser.find(&tag(&honest, 10 + round)).is_some());
        recogniser.good(&shown(&honest, 10 + round), EPOCH, 1);
    }
    assert_eq!(recogniser.sessions.len(), recogniser.new.len() + recogniser.established.len());
    assert!(recogniser.established.len() <= 48 && recogniser.sessions.len() <= 64);
}

#[test]
fn a_queue_that_is_gone_holds_no_places() {
    let mut recogniser = Recogniser::new(8, 4);
    let (one, other) = (session(1), session(2));
    (0..6).for_each(|n| recogniser.good(&shown(&one, n), EPOCH, 1));
    recogniser.good(&shown(&session(3), 0), EPOCH, 1);
    recogniser.good(&shown(&other, 0), EPOCH, 2);
    recogniser.forget_queue(1);
    assert_eq!(recogniser.sizes().0, 1);
    assert!(knows(&recogniser, &other, 1) && !knows(&recogniser, &one, 6));
    assert_eq!((recogniser.new.len(), recogniser.established.len(), recogniser.by_queue.len()), (1, 0, 1));
}

#[test]
fn who_is_to_remember_nothing_remembers_nothing() {
    for (most, most_per_queue) in [(0, 4), (8, 0)] {
        let mut recogniser = Recogniser::new(most, most_per_queue);
        recogniser.good(&shown(&session(1), 0), EPOCH, 1);
        assert!(!knows(&recogniser, &session(1), 1));
        assert_eq!(recogniser.sizes(), (0, 0));
    }
}
