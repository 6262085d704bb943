//! An engine whose keys are in memory only.

use beresta_proto::limits::{BLOB, BUCKET_S};
use beresta_proto::time::DAY_MS;
use beresta_server::queue::rules::Cost;
use beresta_server::queue::sqlite::Keeping;
use beresta_server::queue::{Answer, QueueRef};

use crate::carve::yields;
use crate::rig::{NOW, ROOMY, Rig, envelope, sequence};

/// Queue 1 with two messages, queue 2 with one, and a blob.
fn holding(keeping: Keeping) -> (Rig, QueueRef) {
    let rig = Rig::keeping(ROOMY, keeping);
    let queue = rig.make(1);
    rig.make(2);
    for (queue, message) in [(1, 1), (1, 2), (2, 3)] {
        let _ = sequence(rig.append(queue, message));
    }
    assert_eq!(rig.put_blob(1, 1, 7, NOW), Answer::Done);
    (rig, queue)
}

fn holds_queues_only(rig: &Rig, queue: QueueRef) {
    let stats = rig.stats();
    assert_eq!((stats.queues, stats.messages, stats.blobs), (2, 0, 0));
    assert_eq!(stats.used, 2 * Cost::QUEUE, "what went counts no more");
    assert!(rig.fetch(queue, 0, NOW).is_empty());
    assert_eq!(rig.claim_blob(1, 1, NOW), Answer::Gone);
}

#[test]
fn a_restart_of_a_volatile_relay_drops_what_waited_and_keeps_the_queues() {
    let (mut rig, queue) = holding(Keeping::Volatile);
    assert_eq!(rig.fetch(queue, 0, NOW).len(), 2);
    assert_eq!(rig.claim_blob(1, 1, NOW), Answer::Blob(vec![7; BLOB]));
    assert!(!rig.folder().join("day.keys").exists());
    rig.restart();
    holds_queues_only(&rig, queue);
    assert_eq!(sequence(rig.append(1, 1)), 3, "who sends again delivers, at a place that nobody was told");
    assert_eq!(rig.fetch(queue, 0, NOW), [(3, envelope(1, BUCKET_S).into_bytes())]);
}

#[test]
fn what_waited_at_a_volatile_relay_is_noise_after_a_power_cut() {
    let (rig, queue) = holding(Keeping::Volatile);
    let mut cut = rig.copy();
    let bytes = crate::carve::files(cut.folder());
    assert!((1..4).all(|place| !yields((&bytes, &[]), &rig.namer, (1, 1, place), BUCKET_S)));
    cut.restart();
    holds_queues_only(&cut, queue);
}

#[test]
fn days_pass_at_a_volatile_relay_as_at_others() {
    let (rig, queue) = holding(Keeping::Volatile);
    for days in 1..60 {
        let now = NOW.plus(days * DAY_MS);
        assert!(matches!(rig.expire(now), Answer::Expired { .. }));
        assert_eq!(rig.renew(queue, now), Answer::Done);
        let append = rig.append_op(1, 100 + days, envelope(days, BUCKET_S), now);
        let last = sequence(rig.ask(append));
        assert_eq!(rig.fetch(queue, last - 1, now), [(last, envelope(days, BUCKET_S).into_bytes())]);
    }
}

#[test]
fn a_relay_that_becomes_volatile_destroys_its_keys_and_one_that_was_begins_with_new_ones() {
    let (mut rig, queue) = holding(Keeping::Durable);
    let kept = rig.copy();
    let bytes = crate::carve::files(kept.folder());
    let keys = crate::carve::keys(kept.folder());
    assert!(yields((&bytes, &keys), &rig.namer, (1, 1, 1), BUCKET_S), "the search finds what is there");
    rig.keeping = Keeping::Volatile;
    rig.restart();
    assert!(!rig.folder().join("day.keys").exists());
    holds_queues_only(&rig, queue);
    assert_eq!(sequence(rig.append(1, 5)), 3);
    rig.keeping = Keeping::Durable;
    rig.restart();
    holds_queues_only(&rig, queue);
    assert_eq!(sequence(rig.append(1, 6)), 4);
    rig.restart();
    assert_eq!(rig.fetch(queue, 0, NOW), [(4, envelope(6, BUCKET_S).into_bytes())]);
}

#[test]
fn a_lost_file_of_keys_is_got_over_by_one_volatile_start() {
    let (mut rig, queue) = holding(Keeping::Durable);
    rig.close();
    std::fs::remove_file(rig.folder().join("day.keys")).unwrap();
    for keeping in [Keeping::Volatile, Keeping::Durable] {
        rig.keeping = keeping;
        rig.restart();
        holds_queues_only(&rig, queue);
    }
}
