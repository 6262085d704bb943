//! Whatever is asked, the memory engine and the SQLite engine say the same.

use beresta_proto::id::BlobId;
use beresta_proto::key::{Credit, VerifyingKey};
use beresta_proto::limits::{BUCKET_L, BUCKET_M, BUCKET_S};
use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp, TtlClass};
use beresta_server::queue::rules::{Cap, queue_ref};
use beresta_server::queue::{CreditId, Op, Payment, QueueRef};
use proptest::prelude::*;

use crate::rig::{NOW, Rig, capability, envelope, read_id};

#[derive(Debug, Clone)]
enum Step {
    Make(u8),
    /// A queue that is paid for.
    Buy(u8, u8),
    Grant(u8, u32),
    Revoke(u8),
    Credits,
    Find(u8),
    Append {
        queue: u8,
        shown: u8,
        message: u64,
        class: usize,
        size: usize,
    },
    /// Many at once, one more than a queue holds in all.
    Flood {
        queue: u8,
        from: u64,
    },
    Fetch {
        queue: u8,
        after: u64,
        messages: usize,
        bytes: usize,
    },
    Acknowledge {
        queue: u8,
        upto: u64,
    },
    DeleteQueue(u8),
    PutBlob {
        blob: u8,
        owner: u8,
        byte: u8,
        /// The credit, and what is handed on.
        paid: Option<(u8, Option<u8>)>,
    },
    ClaimBlob {
        blob: u8,
        claimant: u8,
    },
    DeleteBlob {
        blob: u8,
        owner: u8,
    },
    FindBlob(u8),
    Renew(u8),
    Expire,
    /// So many days, each with its sweep.
    Pass(u64),
    Wait(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let queue = || 0_u8..3;
    prop_oneof![
        4 => queue().prop_map(Step::Make),
        2 => (queue(), 0_u8..4).prop_map(|(queue, credit)| Step::Buy(queue, credit)),
        2 => (0_u8..2, 0_u32..6).prop_map(|(credit, makes)| Step::Grant(credit, makes)),
        1 => (0_u8..2).prop_map(Step::Revoke),
        1 => Just(Step::Credits),
        1 => queue().prop_map(Step::Find),
        12 => (queue(), 0_u8..8, 0_u64..12, 0_usize..4, 0_usize..3).prop_map(|(queue, wrong, message, class, size)| {
            let shown = if wrong == 0 { (queue + 1) % 3 } else { queue };
            Step::Append { queue, shown, message, class, size }
        }),
        2 => (queue(), 0_u64..1_000).prop_map(|(queue, from)| Step::Flood { queue, from }),
        4 => (queue(), 0_u64..40, 0_usize..40, 0_usize..60_000)
            .prop_map(|(queue, after, messages, bytes)| Step::Fetch { queue, after, messages, bytes }),
        4 => (queue(), 0_u64..300).prop_map(|(queue, upto)| Step::Acknowledge { queue, upto }),
        1 => queue().prop_map(Step::DeleteQueue),
        3 => (0_u8..2, 0_u8..2, 0_u8..2).prop_map(|(blob, owner, byte)| Step::PutBlob { blob, owner, byte, paid: None }),
        3 => (0_u8..2, 0_u8..4, prop::option::of(0_u8..4)).prop_map(|(blob, credit, hands_on)| {
            Step::PutBlob { blob, owner: 0, byte: 0, paid: Some((credit, hands_on)) }
        }),
        3 => (0_u8..2, 0_u8..2).prop_map(|(blob, claimant)| Step::ClaimBlob { blob, claimant }),
        1 => (0_u8..2, 0_u8..2).prop_map(|(blob, owner)| Step::DeleteBlob { blob, owner }),
        1 => (0_u8..2).prop_map(Step::FindBlob),
        2 => queue().prop_map(Step::Renew),
        3 => Just(Step::Expire),
        1 => prop::sample::select(vec![2, 3, 4, 95]).prop_map(Step::Pass),
        4 => (0_u64..60).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn ops(rig: &Rig, step: &Step, now: Timestamp) -> Vec<Op> {
    let queue_of = |queue: u8| -> QueueRef { queue_ref(&rig.namer.read(&read_id(queue))) };
    let credit_of = |n: u8| rig.namer.credit(&Credit::take(&mut [n; 32]));
    let blob_of = |blob: u8| BlobId([blob; 16]);
    let op = match *step {
        Step::Make(queue) | Step::Buy(queue, _) => {
            let mut op = rig.make_op(queue);
            if let Op::MakeQueue { now: at, credit, .. } = &mut op {
                *at = now;
                if let Step::Buy(_, with) = *step {
                    *credit = Some(credit_of(with));
                }
            }
            op
        }
        Step::Grant(credit, makes) => Op::Grant { credit: credit_of(credit), makes, days: 3, now },
        Step::Revoke(credit) => Op::Revoke { credit: CreditId::of(&credit_of(credit)) },
        Step::Credits => Op::Credits { now },
        Step::Find(queue) => rig.find_op(&[queue]),
        Step::Append { queue, shown, message, class, size } => {
            let size = [BUCKET_S, BUCKET_M, BUCKET_L][size];
            let mut op = rig.append_op(queue, message, envelope(message, size), now);
            if let Op::Append { capability: kept, ttl, .. } = &mut op {
                (*kept, *ttl) = (capability(shown), TtlClass::ALL[class]);
            }
            op
        }
        Step::Flood { queue, from } => {
            return (from..from + 257)
                .map(|one| rig.append_op(queue, one, envelope(one, BUCKET_S), now))
                .collect();
        }
        Step::Fetch { queue, after, messages, bytes } => {
            Op::Fetch { queue: queue_of(queue), after, max_messages: messages, max_bytes: bytes, now }
        }
        Step::Acknowledge { queue, upto } => Op::Acknowledge { queue: queue_of(queue), upto, now },
        Step::DeleteQueue(queue) => Op::DeleteQueue { queue: queue_of(queue) },
        Step::PutBlob { blob, owner, byte, paid } => Op::PutBlob {
            blob: rig.namer.blob(&blob_of(blob)),
            owner: VerifyingKey([owner; 32]),
            hours: 24,
            sealed: vec![byte; 4_096],
            payment: paid.map(|(credit, hands_on)| Payment {
                credit: credit_of(credit),
                hands_on: hands_on.map(credit_of),
            }),
            now,
        },
        Step::ClaimBlob { blob, claimant } => Op::ClaimBlob {
            blob: rig.namer.blob(&blob_of(blob)),
            claimant: rig.namer.claimant(&blob_of(blob), &VerifyingKey([claimant; 32])),
            now,
        },
        Step::DeleteBlob { blob, owner } => {
            Op::DeleteBlob { blob: rig.namer.blob(&blob_of(blob)), owner: VerifyingKey([owner; 32]), now }
        }
        Step::FindBlob(blob) => Op::FindBlob { blob: rig.namer.blob(&blob_of(blob)), now },
        Step::Renew(queue) => Op::Renew { queues: vec![queue_of(queue)], now },
        Step::Expire | Step::Pass(_) => Op::Expire { now, limit: 100_000 },
        Step::Wait(_) | Step::Restart => return vec![],
    };
    vec![op]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engines_say_the_same(steps in prop::collection::vec(step(), 1..60), cap in 200_000_u64..3_000_000) {
        let cap = Cap { bytes: cap };
        let (memory, mut sqlite) = (Rig::memory(cap), Rig::sqlite(cap));
        let mut now = NOW;
        for step in &steps {
            match step {
                Step::Wait(hours) => now = now.plus(hours * HOUR_MS),
                Step::Restart => sqlite.restart(),
                _ => {}
            }
            let days = if let Step::Pass(days) = step { *days } else { 1 };
            for day in 0..days {
                if day > 0 {
                    now = now.plus(DAY_MS);
                }
                let asked = ops(&memory, step, now);
                prop_assert!(memory.ask_all(asked.clone()) == sqlite.ask_all(asked), "{step:?} of {steps:?}");
                prop_assert_eq!(memory.stats(), sqlite.stats());
            }
        }
    }
}
