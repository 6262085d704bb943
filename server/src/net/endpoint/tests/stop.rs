//! For what a relay that stops waits, and for how long.

use tokio::time::pause;

use super::*;
use crate::queue::{Completion, Op};

/// An engine that takes so long for everything.
struct Late {
    engine: Arc<MemoryEngine>,
    after: Duration,
}

impl QueueEngine for Late {
    fn submit(&self, op: Op, done: Completion) {
        let (engine, after) = (Arc::clone(&self.engine), self.after);
        tokio::spawn(async move {
            sleep(after).await;
            engine.submit(op, done);
        });
    }
}

/// A client that has asked for a queue of a relay whose engine takes so long.
async fn asks_late(after: Duration) -> (Running, Client) {
    let engine = Arc::new(MemoryEngine::new(Cap { bytes: 1 << 30 }));
    let relay = start_on("127.0.0.1:0", Crowd::of(1 << 30, 64), Arc::new(Late { engine, after }));
    let mut client = relay.client().await;
    let read_key = SigningKey::take(&mut [1; 32]).verifying_key().unwrap();
    let capability = SendCapability::take(&mut [7; 32]).hash();
    client.say(RequestId(3), &Command::MakeQueue { read_key, capability, credit: None }).await;
    while !relay.server.hub.is_busy() {
        sleep(Duration::from_millis(1)).await;
    }
    (relay, client)
}

#[tokio::test]
async fn who_stays_is_waited_for_until_the_patience_is_over() {
    let relay = start();
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    let Running { _dir, setup: _, server } = relay;
    pause();
    let stopped = tokio::spawn(server.stop(Duration::from_secs(20), std::future::pending()));
    assert!(timeout(Duration::from_secs(19), client.closed()).await.is_err());
    assert_eq!(timeout(Duration::from_secs(2), client.closed()).await, Ok(Some(0)));
    stopped.await.unwrap();
}

#[tokio::test]
async fn nobody_is_waited_for_once_all_have_hung_up() {
    let relay = start();
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    let Running { _dir, setup: _, server } = relay;
    pause();
    let stopped = tokio::spawn(server.stop(Duration::from_secs(20), std::future::pending()));
    sleep(Duration::from_secs(3)).await;
    assert!(!stopped.is_finished());
    drop(client);
    timeout(Duration::from_secs(2), stopped).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_was_begun_before_the_relay_stops_is_answered() {
    let (relay, mut client) = asks_late(Duration::from_secs(3)).await;
    let Running { _dir, setup: _, server } = relay;
    pause();
    let stopped = tokio::spawn(server.stop(Duration::ZERO, std::future::pending()));
    assert!(matches!(client.hear().await, Heard::Push(Push::GoAway { .. })));
    assert!(matches!(client.hear().await, Heard::Reply(RequestId(3), Reply::QueueMade { .. })));
    assert_eq!(client.closed().await, Some(0));
    stopped.await.unwrap();
}

#[tokio::test]
async fn an_engine_that_does_not_answer_keeps_no_relay_from_stopping() {
    let (relay, mut client) = asks_late(Duration::from_secs(3_600)).await;
    let Running { _dir, setup: _, server } = relay;
    pause();
    let stopped = tokio::spawn(server.stop(Duration::ZERO, std::future::pending()));
    assert!(timeout(Duration::from_secs(10), client.closed()).await.is_err());
    assert_eq!(timeout(Duration::from_secs(1), client.closed()).await, Ok(Some(0)));
    timeout(Duration::from_secs(1), stopped).await.unwrap().unwrap();
}
