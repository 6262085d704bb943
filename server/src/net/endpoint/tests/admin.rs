//! What the operator's socket does to people's links, and to who misuses it.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use super::*;
use crate::admin::{Request, Status};
use crate::home::Name;
use crate::{admin, net};

const CAP: Cap = Cap { bytes: 1 << 30 };

fn home(relay: &Running) -> Home {
    Home::at(relay._dir.path())
}

fn administered() -> Running {
    let mut relay = start();
    let home = home(&relay);
    relay.server.administer(&home, CAP, Arc::default()).unwrap();
    relay
}

/// Does what waits for the relay, beside it.
async fn beside<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || drop(tell.send(ask())));
    told.await.unwrap()
}

async fn order(relay: &Running, request: Request) -> admin::Reply {
    let home = home(relay);
    beside(move || net::ask(&home, request)).await.unwrap()
}

/// What the socket says to bytes that no operator's program sends.
async fn says(relay: &Running, bytes: Vec<u8>) -> String {
    let path = home(relay).path(Name::Admin);
    let heard = beside(move || {
        let mut socket = UnixStream::connect(path).unwrap();
        // What is too long may be hung up on before its end.
        let _ = socket.write_all(&bytes);
        let mut heard = Vec::new();
        let _ = socket.read_to_end(&mut heard);
        heard
    });
    String::from_utf8(heard.await).unwrap()
}

async fn make(client: &mut Client, key: &SigningKey) -> Reply {
    let capability = SendCapability::take(&mut [7; 32]).hash();
    let make = Command::MakeQueue { read_key: key.verifying_key().unwrap(), capability, credit: None };
    client.say(RequestId(3), &make).await;
    let Heard::Reply(RequestId(3), reply) = client.hear().await else { panic!("no reply") };
    reply
}

#[tokio::test]
async fn the_operators_socket_is_its_owners_alone_and_replaces_one_that_was_left() {
    let mut relay = start();
    let home = home(&relay);
    drop(std::os::unix::net::UnixListener::bind(home.path(Name::Admin)).unwrap());
    assert_eq!(net::ask(&home, Request::Status), Err(net::AdminError::NotRunning));
    relay.server.administer(&home, CAP, Arc::default()).unwrap();
    let mode = std::fs::metadata(home.path(Name::Admin)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(order(&relay, Request::Status).await, admin::Reply::Status(_)));
}

#[tokio::test]
async fn who_says_nonsense_too_much_or_nothing_at_the_socket_holds_nobody_up() {
    let relay = administered();
    let nonsense = "\"not_understood\"\n";
    for bytes in [&b"\n"[..], b"{}\n", b"\"status\"x\n", b"\"dance\"\n", &[0xff, b'\n'], &[b'['; 100_000]] {
        assert_eq!(says(&relay, bytes.to_vec()).await, nonsense, "{}", bytes.len());
    }
    // Time passes by itself as long as they say no whole line.
    tokio::time::pause();
    for bytes in [&b""[..], br#"{"delete_queue":[1,2]}"#] {
        assert_eq!(says(&relay, bytes.to_vec()).await, "");
    }
    tokio::time::resume();
    assert!(matches!(order(&relay, Request::Status).await, admin::Reply::Status(_)));
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_done() {
    let relay = administered();
    let home = home(&relay);
    // The relay stands still meanwhile: it runs on this thread.
    let mut socket = UnixStream::connect(home.path(Name::Admin)).unwrap();
    let mut line = serde_json::to_vec(&Request::PauseNew).unwrap();
    line.push(b'\n');
    socket.write_all(&line).unwrap();
    drop(socket);
    let admin::Reply::Status(status) = order(&relay, Request::Status).await else { panic!("no status") };
    assert!(!status.paused && !home.has(Name::Paused));
}

#[tokio::test]
async fn the_status_tells_nobody_from_nobody() {
    let relay = administered();
    let mut client = relay.client().await;
    make(&mut client, &SigningKey::take(&mut [1; 32])).await;
    let admin::Reply::Status(status) = order(&relay, Request::Status).await else { panic!("no status") };
    let Status { links, queues, messages, blobs, disk_percent, paused, .. } = status;
    assert_eq!([links, queues, messages, blobs], ["0-9"; 4]);
    assert_eq!((disk_percent, paused), (5, false));
}

#[tokio::test]
async fn a_relay_that_is_paused_lets_nobody_new_in_until_it_resumes() {
    let relay = administered();
    let mut client = relay.client().await;
    let key = SigningKey::take(&mut [1; 32]);
    assert!(matches!(make(&mut client, &key).await, Reply::QueueMade { .. }));
    assert_eq!(order(&relay, Request::PauseNew).await, admin::Reply::Done);
    let closed = Reply::Refused(beresta_proto::reply::Refusal::Closed);
    assert_eq!(make(&mut client, &key).await, closed);
    let put = Command::PutBlob {
        blob: beresta_proto::id::BlobId([1; 16]),
        owner: key.verifying_key().unwrap(),
        hours: 1,
        sealed: vec![0; 4_096],
        payment: None,
    };
    client.say(RequestId(4), &put).await;
    assert_eq!(client.hear().await, Heard::Reply(RequestId(4), closed));
    assert!(home(&relay).has(Name::Paused), "beyond a restart");
    epoch_key(&relay, &mut client).await;

    assert_eq!(order(&relay, Request::Resume).await, admin::Reply::Done);
    assert!(matches!(make(&mut client, &key).await, Reply::QueueMade { .. }));
    assert!(!home(&relay).has(Name::Paused));
}

#[tokio::test]
async fn a_queue_that_the_operator_deletes_is_gone_by_either_id_and_its_reader_is_sent_to_learn_it() {
    let relay = administered();
    let key = SigningKey::take(&mut [1; 32]);
    for by_read_id in [true, false] {
        let mut client = relay.client().await;
        let Reply::QueueMade { read_id, send_id } = make(&mut client, &key).await else { panic!() };
        let signature = key.sign(&auth::subscribe(&client.exporter(), &read_id)).unwrap();
        let subscribe = Command::Subscribe(vec![Subscription { queue: read_id, signature }]);
        client.say(RequestId(8), &subscribe).await;
        let subscribed = |one| Heard::Reply(RequestId(8), Reply::Subscribed(vec![one]));
        assert_eq!(client.hear().await, subscribed(Subscribed::Ok));
        assert_eq!(client.hear().await, Heard::Push(Push::CaughtUp { subscribed: 1 }));

        let id = if by_read_id { read_id.0 } else { send_id.0 };
        assert_eq!(order(&relay, Request::DeleteQueue(id)).await, admin::Reply::Done);
        assert!(matches!(client.hear().await, Heard::Push(Push::GoAway { reconnect_after: 1 })));
        client.say(RequestId(8), &subscribe).await;
        assert_eq!(client.hear().await, subscribed(Subscribed::Gone));
        assert_eq!(order(&relay, Request::DeleteQueue(id)).await, admin::Reply::Gone);
    }
}

#[tokio::test]
async fn a_drain_waits_for_people_to_hang_up_and_not_for_ever() {
    let relay = administered();
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    let ordered = relay.server.drain_order();
    assert_eq!(order(&relay, Request::Drain).await, admin::Reply::Done);
    ordered.await;
    let Running { _dir, setup: _, server } = relay;
    let stopped = tokio::spawn(server.stop(Duration::from_secs(20), std::future::pending()));
    assert!(matches!(client.hear().await, Heard::Push(Push::GoAway { .. })));
    assert!(!stopped.is_finished());
    tokio::time::pause();
    // The client stays: it is closed once the patience is over.
    assert_eq!(client.closed().await, Some(0));
    stopped.await.unwrap();
}

#[tokio::test]
async fn a_drain_is_cut_short_by_whoever_is_in_a_hurry() {
    let relay = administered();
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    let Running { _dir, setup: _, server } = relay;
    let (hurry, hurried) = tokio::sync::oneshot::channel::<()>();
    let stopped = tokio::spawn(server.stop(Duration::from_secs(3_600), async move { drop(hurried.await) }));
    assert!(matches!(client.hear().await, Heard::Push(Push::GoAway { .. })));
    tokio::time::pause();
    hurry.send(()).unwrap();
    timeout(Duration::from_secs(60), stopped).await.unwrap().unwrap();
}
