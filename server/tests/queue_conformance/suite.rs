//! What every engine promises. Where it matters the engine is closed and opened in between, if it can be.

use beresta_proto::id::BlobId;
use beresta_proto::key::{CapabilityHash, VerifyingKey};
use beresta_proto::limits::{BUCKET_L, BUCKET_S, QUEUE_MESSAGES, TOMBSTONE_HOURS};
use beresta_proto::time::{DAY_MS, HOUR_MS, TtlClass};
use beresta_server::queue::rules::{Cap, Cost};
use beresta_server::queue::{Answer, Op, QueueRecord, QueueRef};

use crate::rig::{NOW, Rig, capability, envelope, message_id, send_id, sequence};

pub(crate) fn a_queue_is_found_by_its_read_id(mut rig: Rig) {
    let queue = rig.make(1);
    rig.restart();
    let record = QueueRecord { queue, read_key: VerifyingKey([1; 32]), last: Some(0) };
    assert_eq!(rig.find(&[2, 1]), [None, Some(record)], "in the order in which they were asked for");
    assert_eq!(rig.ask(rig.make_op(1)), Answer::Exists);
}

pub(crate) fn a_queue_is_found_with_the_place_of_the_last_that_waits(mut rig: Rig) {
    let queue = rig.make(1);
    let last = |rig: &Rig| rig.find(&[1])[0].unwrap().last.unwrap();
    let stored: Vec<u64> = (1..=3).map(|one| sequence(rig.append(1, one))).collect();
    assert_eq!(last(&rig), stored[2]);
    assert!(matches!(rig.acknowledge(queue, stored[1]), Answer::Acknowledged { deleted: 2, .. }));
    rig.restart();
    assert_eq!(last(&rig), stored[2]);
    assert!(matches!(rig.acknowledge(queue, stored[2]), Answer::Acknowledged { deleted: 1, .. }));
    assert_eq!(last(&rig), 0, "nothing waits");
}

pub(crate) fn messages_come_in_order_and_again_until_acknowledged(mut rig: Rig) {
    let queue = rig.make(1);
    let ops = (1..=20).map(|one| rig.append_op(1, one, envelope(one, BUCKET_S), NOW)).collect();
    let sequences: Vec<u64> = rig.ask_all(ops).into_iter().map(sequence).collect();
    assert_eq!(sequences, (1..=20).collect::<Vec<_>>());
    rig.restart();
    let expected =
        |from: u64| (from..=20).map(|one| (one, envelope(one, BUCKET_S).into_bytes())).collect::<Vec<_>>();
    assert_eq!(rig.fetch(queue, 0, NOW), expected(1));
    assert_eq!(rig.fetch(queue, 0, NOW), expected(1));
    assert_eq!(rig.fetch(queue, 12, NOW), expected(13));
    assert_eq!(rig.acknowledge(queue, 5), Answer::Acknowledged { deleted: 5, drained: false });
    assert_eq!(rig.acknowledge(queue, 3), Answer::Acknowledged { deleted: 0, drained: false });
    assert_eq!(rig.fetch(queue, 0, NOW), expected(6));
}

pub(crate) fn a_fetch_keeps_its_limits_and_gives_one_at_least(rig: Rig) {
    let queue = rig.make(1);
    for one in 1..=4 {
        let _ = rig.append(1, one);
    }
    let count = |max_messages, max_bytes| match rig.ask(Op::Fetch {
        queue,
        after: 0,
        max_messages,
        max_bytes,
        now: NOW,
    }) {
        Answer::Messages(messages) => messages.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(count(3, usize::MAX), 3);
    assert_eq!(count(9, 2 * BUCKET_S), 2);
    assert_eq!(count(9, 2 * BUCKET_S - 1), 1);
    assert_eq!(count(9, 0), 1);
    assert_eq!(count(0, 9), 0);
}

pub(crate) fn a_fetch_of_nothing_says_whether_it_ended_or_the_queue_is_gone(rig: Rig) {
    let queue = rig.make(1);
    let fetch = |after, now| rig.ask(Op::Fetch { queue, after, max_messages: 9, max_bytes: usize::MAX, now });
    assert_eq!(fetch(0, NOW), Answer::Messages(Vec::new()));
    let _ = rig.append(1, 1);
    let late = NOW.plus(400 * DAY_MS);
    assert_eq!(fetch(0, late), Answer::Ended);
    assert_eq!(fetch(1, late), Answer::Messages(Vec::new()), "what was fetched before is not looked for");
    assert!(matches!(fetch(0, NOW), Answer::Messages(messages) if messages.len() == 1));
    assert_eq!(rig.ask(Op::DeleteQueue { queue }), Answer::Done);
    assert_eq!(fetch(0, NOW), Answer::Gone);
}

pub(crate) fn a_sequence_number_is_never_used_again(mut rig: Rig) {
    let queue = rig.make(1);
    assert_eq!(sequence(rig.append(1, 1)), 1);
    assert_eq!(sequence(rig.append(1, 2)), 2);
    assert_eq!(rig.acknowledge(queue, u64::MAX), Answer::Acknowledged { deleted: 2, drained: false });
    rig.restart();
    assert_eq!(sequence(rig.append(1, 3)), 3);
    // Expiry may take the newest and leave an older one.
    assert_eq!(sequence(rig.append_ttl(1, 4, TtlClass::Hour)), 4);
    assert!(matches!(rig.expire(NOW.plus(2 * HOUR_MS)), Answer::Expired { deleted: 1, .. }));
    rig.restart();
    assert_eq!(sequence(rig.append(1, 5)), 5);
}

pub(crate) fn a_repeat_of_an_acknowledged_message_is_answered_alike_and_not_delivered(mut rig: Rig) {
    let queue = rig.make(1);
    let _other = rig.make(2);
    assert_eq!(sequence(rig.append(1, 1)), 1);
    assert_eq!(rig.append(1, 1), Answer::Repeated);
    let _ = rig.acknowledge(queue, 1);
    rig.restart();
    assert_eq!(rig.append(1, 1), Answer::Repeated);
    assert!(rig.fetch(queue, 0, NOW).is_empty());
    // The same id in another queue is another message.
    assert_eq!(sequence(rig.append(2, 1)), 1);
    let at = |ms| rig.ask(rig.append_op(1, 1, envelope(1, BUCKET_S), NOW.plus(ms)));
    assert_eq!(at(TOMBSTONE_HOURS * HOUR_MS - 1), Answer::Repeated);
    // Afterwards it is a new one, whether the sweep came or not.
    assert_eq!(sequence(at(TOMBSTONE_HOURS * HOUR_MS + DAY_MS)), 2);
    assert_eq!(rig.stats().tombstones, 0);
}

pub(crate) fn a_wrong_id_and_a_wrong_proof_look_alike(rig: Rig) {
    let queue = rig.make(1);
    let show = |to: u8, capability| {
        let (send, id) = (send_id(to), message_id(1));
        let (send, message) = (rig.namer.send(&send), rig.namer.message(&send, &id));
        let envelope = envelope(1, BUCKET_S);
        rig.ask(Op::Append { send, capability, message, ttl: TtlClass::Week, envelope, now: NOW })
    };
    assert_eq!(show(1, capability(2)), Answer::Gone);
    assert_eq!(show(2, capability(2)), Answer::Gone);
    assert_eq!(show(2, CapabilityHash([0; 32])), Answer::Gone);
    assert!(rig.fetch(queue, 0, NOW).is_empty());
    assert_eq!(sequence(show(1, capability(1))), 1);
    assert_eq!(show(1, capability(2)), Answer::Gone, "also where the right one was shown before");
    // Whoever could send to a queue that is gone can't send to another of the same names.
    assert_eq!(rig.ask(Op::DeleteQueue { queue }), Answer::Done);
    assert_eq!(show(1, capability(1)), Answer::Gone);
    let mut make = rig.make_op(1);
    if let Op::MakeQueue { capability: kept, .. } = &mut make {
        *kept = capability(2);
    }
    assert!(matches!(rig.ask(make), Answer::Made(_)));
    assert_eq!(show(1, capability(1)), Answer::Gone);
    assert_eq!(sequence(show(1, capability(2))), 1);
}

pub(crate) fn a_message_ends_with_its_class_and_not_before(mut rig: Rig) {
    let queue = rig.make(1);
    for (message, class) in (1..).zip(TtlClass::ALL) {
        let _ = rig.append_ttl(1, message, class);
    }
    for (gone, class) in TtlClass::ALL.into_iter().enumerate() {
        let last_moment = NOW.plus(class.millis() - 1);
        assert!(matches!(rig.expire(last_moment), Answer::Expired { .. }));
        rig.restart();
        assert_eq!(rig.fetch(queue, 0, last_moment).len(), 4 - gone);
        // It is not handed out although nobody swept.
        let over = NOW.plus(class.millis() + if class == TtlClass::Hour { HOUR_MS } else { DAY_MS });
        assert_eq!(rig.fetch(queue, 0, over).len(), 3 - gone);
        assert!(matches!(rig.expire(over), Answer::Expired { more: false, .. }));
    }
    assert_eq!(rig.stats().messages, 0);
    assert_eq!(rig.stats().first_end, None);
}

pub(crate) fn a_message_that_ended_is_remembered_as_if_it_were_acknowledged(rig: Rig) {
    rig.make(1);
    let _ = rig.append_ttl(1, 1, TtlClass::Hour);
    let swept = NOW.plus(2 * HOUR_MS);
    let _ = rig.expire(swept);
    assert_eq!(rig.append(1, 1), Answer::Repeated);
    assert_eq!(rig.stats().tombstones, 1);
    let _ = rig.expire(swept.plus(TOMBSTONE_HOURS * HOUR_MS + DAY_MS));
    assert_eq!(rig.stats().tombstones, 0);
    assert_eq!(rig.stats().used, Cost::QUEUE);
}

pub(crate) fn expiry_keeps_its_limit_and_says_that_there_is_more(rig: Rig) {
    rig.make(1);
    for one in 1..=5 {
        let _ = rig.append_ttl(1, one, TtlClass::Hour);
    }
    let now = NOW.plus(2 * HOUR_MS);
    let expire = || rig.ask(Op::Expire { now, limit: 3 });
    assert_eq!(expire(), Answer::Expired { deleted: 3, drained: vec![], more: true });
    assert_eq!(expire(), Answer::Expired { deleted: 2, drained: vec![], more: false });
    assert_eq!(expire(), Answer::Expired { deleted: 0, drained: vec![], more: false });
}

pub(crate) fn a_full_queue_refuses_the_newest_and_says_when_it_drained(mut rig: Rig) {
    let queue = rig.make(1);
    let most = QUEUE_MESSAGES as u64;
    // Of the largest size: both quotas are reached at once.
    let ops = (1..=most + 2).map(|one| rig.append_op(1, one, envelope(one, BUCKET_L), NOW)).collect();
    let answers = rig.ask_all(ops);
    assert_eq!(answers.iter().filter(|one| **one == Answer::QueueFull).count(), 2);
    assert!(answers[..QUEUE_MESSAGES].iter().all(|one| matches!(one, Answer::Appended { .. })));
    rig.restart();
    assert_eq!(rig.append(1, 1), Answer::Repeated, "a repeat is no new message");
    assert_eq!(rig.fetch(queue, 0, NOW).first().unwrap().0, 1, "the oldest is still there");
    assert_eq!(rig.acknowledge(queue, most / 2 - 1), Answer::Acknowledged { deleted: 127, drained: false });
    rig.restart();
    assert_eq!(rig.acknowledge(queue, most / 2), Answer::Acknowledged { deleted: 1, drained: true });
    assert_eq!(rig.acknowledge(queue, most), Answer::Acknowledged { deleted: 128, drained: false });
    assert_eq!(sequence(rig.append(1, 9_999)), most + 1);
}

pub(crate) fn a_full_queue_that_drains_by_expiry_says_so_too(rig: Rig) {
    let queue = rig.make(1);
    for one in 0..=QUEUE_MESSAGES as u64 {
        let _ = rig.append_ttl(1, one, TtlClass::Hour);
    }
    let now = NOW.plus(2 * HOUR_MS);
    let answer = rig.ask(Op::Expire { now, limit: 10_000 });
    assert_eq!(answer, Answer::Expired { deleted: QUEUE_MESSAGES, drained: vec![queue], more: false });
}

pub(crate) fn a_deleted_queue_is_gone_with_all_that_was_in_it(mut rig: Rig) {
    let queue = rig.make(1);
    let _ = (rig.append(1, 1), rig.append(1, 2), rig.acknowledge(queue, 1));
    let send = rig.namer.send(&send_id(1));
    let found = rig.find(&[1]);
    assert_eq!(found[0].map(|record| record.queue), Some(queue));
    assert_eq!(rig.ask(Op::FindSend { send }), Answer::Found(found), "it is one queue under both names");
    assert_eq!(rig.ask(Op::DeleteQueue { queue }), Answer::Done);
    assert_eq!(rig.ask(Op::FindSend { send }), Answer::Found(vec![None]));
    rig.restart();
    assert_eq!(rig.ask(Op::DeleteQueue { queue }), Answer::Gone);
    assert_eq!(rig.find(&[1]), [None]);
    assert_eq!(rig.append(1, 3), Answer::Gone);
    assert_eq!(rig.acknowledge(queue, 2), Answer::Gone);
    assert!(rig.fetch(queue, 0, NOW).is_empty());
    let stats = rig.stats();
    assert_eq!((stats.queues, stats.messages, stats.tombstones, stats.used), (0, 0, 0, 0));
}

pub(crate) fn a_cap_refuses_what_is_new_and_lets_go_of_what_is_old(mut rig: Rig) {
    // The rig was made with `SMALL`.
    let queue = rig.make(1);
    let stored = (1..)
        .map(|one| rig.append(1, one))
        .take_while(|answer| matches!(answer, Answer::Appended { .. }))
        .count() as u64;
    assert!(stored > 10);
    rig.restart();
    assert_eq!(rig.append(1, 1_000), Answer::Full);
    assert_eq!(rig.ask(rig.make_op(2)), Answer::Full);
    assert_eq!(rig.put_blob(1, 1, 1, NOW), Answer::Full);
    assert_eq!(rig.fetch(queue, 0, NOW).len() as u64, stored, "nothing of what was refused is stored");
    assert_eq!(rig.append(1, 1), Answer::Repeated);
    assert!(matches!(rig.acknowledge(queue, stored / 2), Answer::Acknowledged { .. }));
    assert_eq!(sequence(rig.append(1, 1_000)), stored + 1);
    assert_eq!(rig.ask(Op::DeleteQueue { queue }), Answer::Done);
    rig.make(2);
}

/// The cap of [`a_cap_refuses_what_is_new_and_lets_go_of_what_is_old`].
pub(crate) const SMALL: Cap = Cap { bytes: 100_000 };

pub(crate) fn a_blob_is_put_once_and_a_repeat_is_harmless(mut rig: Rig) {
    assert_eq!(rig.put_blob(1, 1, 1, NOW), Answer::Done);
    rig.restart();
    assert_eq!(rig.put_blob(1, 1, 1, NOW.plus(HOUR_MS)), Answer::Done);
    assert_eq!(rig.put_blob(1, 1, 2, NOW), Answer::Exists);
    assert_eq!(rig.put_blob(1, 2, 1, NOW), Answer::Exists);
    // The repeat gave it no longer life.
    assert_eq!(rig.claim_blob(1, 1, NOW.plus(25 * HOUR_MS)), Answer::Gone);
    assert_eq!(rig.stats().blobs, 1);
}

pub(crate) fn the_same_claimant_may_claim_again(mut rig: Rig) {
    let _ = rig.put_blob(1, 1, 9, NOW);
    let blob = Answer::Blob(vec![9; beresta_proto::limits::BLOB]);
    assert_eq!(rig.claim_blob(1, 5, NOW), blob);
    rig.restart();
    assert_eq!(rig.claim_blob(1, 5, NOW), blob);
    assert_eq!(rig.put_blob(1, 1, 9, NOW), Answer::Done, "a late repeat does not unlock it");
    assert_eq!(rig.claim_blob(1, 6, NOW), Answer::Claimed);
}

pub(crate) fn a_second_claimant_is_told_that_the_invite_was_used(mut rig: Rig) {
    let _ = (rig.put_blob(1, 1, 9, NOW), rig.claim_blob(1, 5, NOW));
    rig.restart();
    assert_eq!(rig.claim_blob(1, 6, NOW), Answer::Claimed);
    assert_eq!(rig.claim_blob(2, 6, NOW), Answer::Gone);
}

pub(crate) fn an_expired_blob_is_gone(rig: Rig) {
    let _ = (rig.put_blob(1, 1, 9, NOW), rig.claim_blob(1, 5, NOW));
    let blob = rig.namer.blob(&BlobId([1; 16]));
    assert!(matches!(rig.claim_blob(1, 5, NOW.plus(24 * HOUR_MS - 1)), Answer::Blob(_)));
    let now = NOW.plus(25 * HOUR_MS);
    assert_eq!(rig.claim_blob(1, 5, now), Answer::Gone);
    assert_eq!(rig.ask(Op::FindBlob { blob, now }), Answer::Gone);
    // The name is free again, and the lock went with the bytes.
    assert_eq!(rig.put_blob(1, 2, 8, now), Answer::Done);
    assert!(matches!(rig.claim_blob(1, 6, now), Answer::Blob(_)));
    assert!(matches!(rig.expire(now.plus(25 * HOUR_MS)), Answer::Expired { deleted: 1, .. }));
    assert_eq!((rig.stats().blobs, rig.stats().used), (0, 0));
}

pub(crate) fn only_its_owner_deletes_a_blob(mut rig: Rig) {
    let _ = rig.put_blob(1, 1, 9, NOW);
    let blob = rig.namer.blob(&BlobId([1; 16]));
    let delete =
        |rig: &Rig, owner| rig.ask(Op::DeleteBlob { blob, owner: VerifyingKey([owner; 32]), now: NOW });
    assert_eq!(rig.ask(Op::FindBlob { blob, now: NOW }), Answer::Owner(VerifyingKey([1; 32])));
    assert_eq!(delete(&rig, 2), Answer::Gone);
    assert_eq!(delete(&rig, 1), Answer::Done);
    rig.restart();
    assert_eq!(delete(&rig, 1), Answer::Gone);
    assert_eq!(rig.claim_blob(1, 5, NOW), Answer::Gone);
}

pub(crate) fn a_queue_that_never_was_is_gone(rig: Rig) {
    let queue = rig.make(1);
    assert_eq!(rig.ask(Op::DeleteQueue { queue }), Answer::Done);
    let gone: QueueRef = queue;
    assert_eq!(rig.acknowledge(gone, 1), Answer::Gone);
    assert_eq!(rig.ask(Op::DeleteQueue { queue: gone }), Answer::Gone);
}
