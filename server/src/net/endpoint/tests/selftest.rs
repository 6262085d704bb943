//! What somebody leaves who tries a relay that fails meanwhile.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use beresta_proto::address::RelayAddress;
use beresta_proto::route::Route;

use super::*;
use crate::queue::{Answer, Completion, Op, Stats};
use crate::selftest::{Step, Tried, Trouble, run};

/// An engine that fails to find a queue once.
struct Fails {
    engine: MemoryEngine,
    failed: AtomicBool,
}

impl QueueEngine for Fails {
    fn submit(&self, op: Op, mut done: Completion) {
        if matches!(op, Op::Find { .. }) && !self.failed.swap(true, Ordering::Relaxed) {
            return done(Answer::Failed);
        }
        self.engine.submit(op, done);
    }
}

fn count(engine: &Fails) -> u64 {
    let held = Arc::new(Mutex::new(None));
    let told = Arc::clone(&held);
    engine.submit(Op::Stats, Box::new(move |answer| *told.lock().unwrap() = Some(answer)));
    let Some(Answer::Stats(Stats { queues, .. })) = held.lock().unwrap().take() else { panic!("no count") };
    queues
}

#[tokio::test]
async fn a_queue_that_could_not_be_subscribed_to_is_taken_away_again() {
    let engine = MemoryEngine::new(Cap { bytes: 1 << 30 });
    let engine = Arc::new(Fails { engine, failed: AtomicBool::new(false) });
    let relay = start_on("127.0.0.1:0", Crowd::of(1 << 30, 64), Arc::clone(&engine) as Arc<dyn QueueEngine>);
    let routes = vec![Route::Quic(relay.server.listens_at().unwrap())];
    let address = RelayAddress { relay: relay.setup.relay, routes };
    let mut tried = Vec::new();
    let works =
        run(&address, None, |Tried { step, outcome }| tried.push((step, outcome.map(drop))), |_| {}).await;
    assert!(!works);
    let [.., made, left] = &tried[..] else { panic!("{tried:?}") };
    assert_eq!((made, left), (&(Step::Queue, Err(Trouble::Busy)), &(Step::Leaves, Ok(()))), "{tried:?}");
    assert_eq!(count(&engine), 0);
}
