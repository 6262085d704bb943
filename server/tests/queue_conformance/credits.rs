//! What queues and blobs are paid with (rule Q2), the same in every engine.

use beresta_proto::key::Credit;
use beresta_proto::time::{DAY_MS, Timestamp};
use beresta_server::queue::{Answer, CreditId, CreditName, Op, Payment, credit};

use crate::rig::{NOW, Rig};

/// The credit of a number, as the relay keeps it.
fn name(rig: &Rig, n: u8) -> CreditName {
    rig.namer.credit(&Credit::take(&mut [n; 32]))
}

fn grant(rig: &Rig, n: u8, makes: u32) -> Answer {
    rig.ask(Op::Grant { credit: name(rig, n), makes, days: 10, now: NOW })
}

fn paid(mut op: Op, with: CreditName) -> Op {
    match &mut op {
        Op::MakeQueue { credit, .. } => *credit = Some(with),
        Op::PutBlob { payment, .. } => *payment = Some(Payment { credit: with, hands_on: None }),
        _ => panic!("nothing that is paid for"),
    }
    op
}

/// A blob that hands on.
fn handing_on(rig: &Rig, blob: u8, with: CreditName, handed: CreditName, now: Timestamp) -> Op {
    let mut op = rig.put_blob_op(blob, 1, 1, now);
    if let Op::PutBlob { payment, .. } = &mut op {
        *payment = Some(Payment { credit: with, hands_on: Some(handed) });
    }
    op
}

/// How much is left of each.
fn left(rig: &Rig) -> Vec<u32> {
    let Answer::Credits(list) = rig.ask(Op::Credits { now: NOW }) else { panic!() };
    list.iter().map(|one| one.left).collect()
}

pub(crate) fn a_credit_pays_for_as_much_as_it_says_and_for_no_repeat(mut rig: Rig) {
    assert_eq!(grant(&rig, 1, 3), Answer::Done);
    assert_eq!(grant(&rig, 1, 9), Answer::Exists);
    let one = name(&rig, 1);
    assert!(matches!(rig.ask(paid(rig.make_op(1), one)), Answer::Made(_)));
    assert_eq!(rig.ask(paid(rig.put_blob_op(1, 1, 1, NOW), one)), Answer::Done);
    rig.restart();
    assert_eq!(left(&rig), [1]);
    // What is not made is not paid for.
    assert_eq!(rig.ask(paid(rig.make_op(1), one)), Answer::Exists);
    assert_eq!(rig.ask(paid(rig.put_blob_op(1, 1, 1, NOW), one)), Answer::Done, "a repeat");
    assert_eq!(rig.ask(paid(rig.put_blob_op(1, 1, 2, NOW), one)), Answer::Exists);
    assert_eq!(left(&rig), [1]);
    assert!(matches!(rig.ask(paid(rig.make_op(2), one)), Answer::Made(_)));
    rig.restart();
    assert_eq!(left(&rig), [0]);
    assert_eq!(rig.ask(paid(rig.make_op(3), one)), Answer::NoCredit);
    assert_eq!(rig.ask(paid(rig.put_blob_op(3, 1, 1, NOW), one)), Answer::NoCredit);
    assert_eq!((rig.stats().queues, rig.stats().blobs, rig.stats().credits), (2, 1, 1));
}

pub(crate) fn a_credit_that_is_over_taken_back_or_never_was_pays_for_nothing(mut rig: Rig) {
    let (one, two) = (name(&rig, 1), name(&rig, 2));
    assert_eq!((grant(&rig, 1, 5), grant(&rig, 2, 5)), (Answer::Done, Answer::Done));
    assert_eq!(rig.ask(Op::Revoke { credit: CreditId::of(&one) }), Answer::Done);
    rig.restart();
    assert_eq!(rig.ask(Op::Revoke { credit: CreditId::of(&one) }), Answer::Gone);
    assert_eq!(rig.ask(paid(rig.make_op(1), one)), Answer::NoCredit);
    assert_eq!(rig.ask(paid(rig.make_op(1), name(&rig, 3))), Answer::NoCredit);
    // One whose front is another's.
    let mut near = two;
    near.0[31] ^= 1;
    assert_eq!(rig.ask(paid(rig.make_op(1), near)), Answer::NoCredit);
    let late = |mut op: Op| {
        if let Op::MakeQueue { now, .. } = &mut op {
            *now = NOW.plus(11 * DAY_MS);
        }
        op
    };
    assert_eq!(rig.ask(late(paid(rig.make_op(1), two))), Answer::NoCredit);
    assert_eq!(left(&rig), [5]);
    assert!(matches!(rig.expire(NOW.plus(11 * DAY_MS)), Answer::Expired { deleted: 1, .. }));
    assert_eq!(rig.stats().credits, 0);
}

pub(crate) fn a_credit_that_is_granted_under_a_clock_that_is_ahead_ends_no_other(rig: Rig) {
    assert_eq!(grant(&rig, 1, 5), Answer::Done);
    let ahead = NOW.plus(80 * DAY_MS);
    let op = Op::Grant { credit: name(&rig, 2), makes: 3, days: 10, now: ahead };
    assert_eq!(rig.ask(op), Answer::Done);
    assert!(matches!(rig.ask(paid(rig.make_op(1), name(&rig, 1))), Answer::Made(_)));
}

pub(crate) fn what_an_invite_hands_on_pays_for_two_queues_and_for_nothing_more(mut rig: Rig) {
    assert_eq!(grant(&rig, 1, 7), Answer::Done);
    let (one, handed) = (name(&rig, 1), name(&rig, 2));
    assert_eq!(rig.ask(handing_on(&rig, 1, one, handed, NOW)), Answer::Done);
    assert_eq!(left(&rig), [4], "the blob, and two queues");
    // A repeat changes nothing, whatever it is paid with.
    assert_eq!(rig.ask(handing_on(&rig, 1, one, handed, NOW)), Answer::Done);
    assert_eq!(rig.ask(handing_on(&rig, 1, one, name(&rig, 3), NOW)), Answer::Done);
    rig.restart();
    assert_eq!((left(&rig), rig.stats().credits, rig.stats().handed_credits), (vec![4], 1, 1));
    // It pays for no invite, hands nothing on itself, and is none of the operator's.
    assert_eq!(rig.ask(paid(rig.put_blob_op(2, 1, 1, NOW), handed)), Answer::NoCredit);
    assert_eq!(rig.ask(handing_on(&rig, 2, handed, name(&rig, 4), NOW)), Answer::NoCredit);
    assert_eq!(rig.ask(Op::Revoke { credit: CreditId::of(&handed) }), Answer::Gone);
    assert!(matches!(rig.ask(paid(rig.make_op(1), handed)), Answer::Made(_)));
    assert!(matches!(rig.ask(paid(rig.make_op(2), handed)), Answer::Made(_)));
    assert_eq!(rig.ask(paid(rig.make_op(3), handed)), Answer::NoCredit);
    assert_eq!((left(&rig), rig.stats().handed_credits), (vec![4], 0), "what is used up goes");
    // Where not so much is left, nothing changes.
    assert_eq!(rig.ask(handing_on(&rig, 2, one, name(&rig, 5), NOW)), Answer::Done);
    assert_eq!(rig.ask(handing_on(&rig, 3, one, name(&rig, 6), NOW)), Answer::NoCredit);
    assert_eq!((left(&rig), rig.stats().handed_credits, rig.stats().blobs), (vec![1], 1, 2));
}

pub(crate) fn nobody_hands_on_a_credit_that_is_there(rig: Rig) {
    assert_eq!((grant(&rig, 1, 9), grant(&rig, 2, 0)), (Answer::Done, Answer::Done));
    let (one, two, handed) = (name(&rig, 1), name(&rig, 2), name(&rig, 3));
    for there in [one, two] {
        assert_eq!(rig.ask(handing_on(&rig, 1, one, there, NOW)), Answer::NoCredit);
    }
    assert_eq!(rig.ask(handing_on(&rig, 1, one, handed, NOW)), Answer::Done);
    assert_eq!(rig.ask(handing_on(&rig, 2, one, handed, NOW)), Answer::NoCredit);
    assert_eq!((left(&rig).iter().sum::<u32>(), rig.stats().blobs), (6, 1));
}

pub(crate) fn what_an_invite_hands_on_ends_a_day_behind_it_and_counts_for_no_operator(rig: Rig) {
    assert_eq!(grant(&rig, 1, 9), Answer::Done);
    assert_eq!(rig.ask(handing_on(&rig, 1, name(&rig, 1), name(&rig, 2), NOW)), Answer::Done);
    let granted = |n: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        Op::Grant { credit: CreditName(bytes), makes: 1, days: 10, now: NOW }
    };
    let answers = rig.ask_all((1..credit::MOST).map(granted).collect());
    assert!(answers.iter().all(|answer| *answer == Answer::Done));
    // The blob is kept for a day, and whoever claims it last has one more.
    for (days, there) in [(2, 1), (4, 0)] {
        while matches!(rig.expire(NOW.plus(days * DAY_MS)), Answer::Expired { more: true, .. }) {}
        assert_eq!(rig.stats().handed_credits, there, "after {days} days");
    }
}

pub(crate) fn there_are_as_many_credits_as_one_answer_has_room_for(rig: Rig) {
    let granted = |n: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        Op::Grant { credit: CreditName(bytes), makes: 1, days: 10, now: NOW }
    };
    let answers = rig.ask_all((0..=credit::MOST).map(granted).collect());
    assert!(answers[..credit::MOST].iter().all(|answer| *answer == Answer::Done));
    assert_eq!(answers[credit::MOST], Answer::Enough);
    // Those that are over make room.
    let late = Op::Grant { credit: name(&rig, 1), makes: 1, days: 10, now: NOW.plus(20 * DAY_MS) };
    assert_eq!(rig.ask(late), Answer::Done);
}
