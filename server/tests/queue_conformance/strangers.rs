//! Who may not send holds nobody up (rules Q3 and Q14).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use beresta_server::queue::rules::Cap;
use beresta_server::queue::sqlite::{Keeping, SqliteEngine};
use beresta_server::queue::{Answer, Op, QueueEngine as _};

use crate::passing::{append_op, hold, scene};
use crate::rig::{NOW, ROOMY, Rig, ask_all, reopen, sequence};

#[test]
fn neither_a_commit_nor_a_stranger_holds_up_what_is_admitted() {
    let (rig, _) = scene();
    let idle = rig.make(2);
    let go = hold(&rig);
    let (tell, told) = channel();
    let submit = |who: &'static str, op: Op| {
        let tell = tell.clone();
        rig.submit(op, Box::new(move |answer| tell.send((who, answer)).unwrap()));
    };
    submit("acknowledges", Op::Acknowledge { queue: idle, upto: 1, now: NOW });
    submit("stranger", append_op(&rig, 9, 1));
    submit("friend", append_op(&rig, 1, 2));
    drop(go);
    let order: Vec<_> = told.iter().take(3).collect();
    assert!(
        matches!(
            order.as_slice(),
            [("stranger", Answer::Gone), ("friend", Answer::Admitted { .. }), ("acknowledges", _)]
        ),
        "{order:?}"
    );
}

/// A stranger who knocks again as soon as they have their answer, so that the engine always has somebody to answer.
fn knock(rig: &Arc<Rig>, engine: &Arc<SqliteEngine>, over: &Arc<AtomicBool>) {
    let again = (Arc::clone(rig), Arc::clone(engine), Arc::clone(over));
    let next = move |_| {
        let (rig, engine, over) = &again;
        if !over.load(Ordering::Relaxed) {
            knock(rig, engine, over);
        }
    };
    engine.submit(append_op(rig, 9, 1), Box::new(next));
}

#[test]
fn strangers_who_knock_without_end_do_not_keep_from_the_disk_what_waits() {
    let mut rig = Rig::sqlite(ROOMY);
    rig.close();
    let (rig, over) = (Arc::new(rig), Arc::<AtomicBool>::default());
    let path = rig.folder().join("queues");
    let engine = Arc::new(reopen(&path, ROOMY, Keeping::Durable).unwrap());
    let ask = |op| ask_all(engine.as_ref(), vec![op]).remove(0);
    let Answer::Made(queue) = ask(rig.make_op(1)) else { panic!("no queue") };
    assert_eq!(ask(Op::Renew { queues: vec![queue], now: NOW }), Answer::Done);
    assert_eq!(sequence(ask(append_op(&rig, 1, 1))), 1);
    assert!(matches!(ask(Op::Acknowledge { queue, upto: 1, now: NOW }), Answer::Acknowledged { .. }));

    let (tell, told) = channel();
    engine.submit(append_op(&rig, 1, 2), Box::new(move |answer| tell.send(answer).unwrap()));
    assert!(matches!(told.recv().unwrap(), Answer::Admitted { sequence: 2, .. }));
    knock(&rig, &engine, &over);
    let answer = told.recv_timeout(Duration::from_secs(20));
    over.store(true, Ordering::Relaxed);
    assert!(matches!(answer, Ok(Answer::Appended { sequence: 2, .. })), "{answer:?}");
}

#[test]
fn who_fills_a_relay_to_its_edge_is_not_told_of_each_message_that_others_send() {
    let cap = Cap { bytes: 400_000 };
    for rig in [Rig::memory(cap), Rig::sqlite(cap)] {
        let friend = rig.make(1);
        for message in 1..=100 {
            sequence(rig.append(1, message));
        }
        let mut others = 2..=255;
        let mut knock = || rig.ask(rig.make_op(others.next().unwrap()));
        while matches!(knock(), Answer::Made(_)) {}
        assert!(matches!(rig.acknowledge(friend, 1), Answer::Acknowledged { deleted: 1, .. }));
        assert_eq!(knock(), Answer::Full, "as before");
        sequence(rig.append(1, 101));
        assert_eq!(knock(), Answer::Full);
        assert!(matches!(rig.acknowledge(friend, 3), Answer::Acknowledged { deleted: 2, .. }));
        assert!(matches!(knock(), Answer::Made(_)), "a hundredth is free again");
    }
}

#[test]
fn who_acknowledges_nothing_has_no_queue_read_from_the_file() {
    let mut rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    let last = (1..=3).map(|message| sequence(rig.append(1, message))).max().unwrap();
    // To read it would fail.
    rig.change("UPDATE message SET bucket = 9");
    assert_eq!(rig.acknowledge(queue, 0), Answer::Acknowledged { deleted: 0, drained: false });
    assert_eq!(rig.acknowledge(queue, last), Answer::Failed);
    rig.change("DELETE FROM message");
    assert_eq!(rig.acknowledge(queue, last), Answer::Acknowledged { deleted: 0, drained: false });
    assert_eq!(rig.ask(Op::DeleteQueue { queue }), Answer::Done);
    assert_eq!(rig.acknowledge(queue, 0), Answer::Gone);
}
