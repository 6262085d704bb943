//! What who scrapes is told, and what it costs the others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use beresta_proto::id::{ReadId, SendId};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

use super::*;
use crate::metrics::{Board, EVERY_MS};
use crate::queue::intake::Intake;
use crate::relay::{Kind, Outcome};
use crate::{admin, net};

const CAP: Cap = Cap { bytes: 1 << 30 };
/// Connections of who scrapes, at once.
const PLACES: usize = 8;

struct Published {
    relay: Running,
    at: SocketAddr,
}

fn published() -> Published {
    let mut relay = start();
    let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let at = relay.server.publish(anywhere.try_into().unwrap(), CAP, Arc::default()).unwrap();
    Published { relay, at }
}

/// Does what waits for the relay, beside it.
async fn beside<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || drop(tell.send(ask())));
    told.await.unwrap()
}

/// What is answered to a request; nothing if it is hung up on.
fn got(at: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(at).unwrap();
    let _ = socket.write_all(request.as_bytes());
    let mut heard = String::new();
    let _ = socket.read_to_string(&mut heard);
    heard
}

fn scrape(at: SocketAddr) -> String {
    got(at, &format!("GET /metrics HTTP/1.1\r\nHost: {at}\r\nAccept: text/plain\r\n\r\n"))
}

/// The first text, which is there once the queues have answered.
fn first_page(at: SocketAddr) -> String {
    loop {
        let page = scrape(at);
        if page.contains("beresta_relay_links 0") {
            return page;
        }
    }
}

/// A queue of one person's, and three messages that went through it.
async fn talk(relay: &Running, anna: &mut Client, boris: &mut Client) -> (ReadId, SendId) {
    let mut rng = SystemRandom::new().unwrap();
    let key = epoch_key(relay, anna).await;
    let (read_key, capability) = (SigningKey::random(&mut rng), SendCapability::random(&mut rng));
    let (verifying, hash) = (read_key.verifying_key().unwrap(), capability.hash());
    boris
        .say(RequestId(7), &Command::MakeQueue { read_key: verifying, capability: hash, credit: None })
        .await;
    let Heard::Reply(_, Reply::QueueMade { read_id, send_id }) = boris.hear().await else { panic!() };
    let signature = read_key.sign(&auth::subscribe(&boris.exporter(), &read_id)).unwrap();
    boris.say(RequestId(8), &Command::Subscribe(vec![Subscription { queue: read_id, signature }])).await;
    boris.hear().await;
    assert!(matches!(boris.hear().await, Heard::Push(Push::CaughtUp { .. })));
    let mut session = Session::new(relay.setup.relay, key.public, &mut rng);
    for number in 0..3_u32 {
        let envelope = Envelope::seal(&EnvelopeKey::random(&mut rng), &[1; 100], &mut rng).unwrap();
        let order = SendOrder {
            queue: send_id,
            capability: capability.clone(),
            message: MessageId::random(&mut rng),
            ttl: TtlClass::ThreeWeeks,
            envelope,
        };
        let (capsule, _) = session.seal(&order, &mut rng).unwrap();
        anna.say(RequestId(number + 10), &Command::Send { capsule }).await;
        anna.hear().await;
        let Heard::Push(Push::Deliver { sequence, .. }) = boris.hear().await else { panic!() };
        boris.say(RequestId(number + 10), &Command::Acknowledge { queue: read_id, upto: sequence }).await;
        boris.hear().await;
    }
    (read_id, send_id)
}

#[tokio::test]
async fn no_address_id_or_size_is_in_what_is_shown_after_real_traffic() {
    let relay = start();
    let (mut anna, mut boris) = (relay.client().await, relay.client().await);
    let (read_id, send_id) = talk(&relay, &mut anna, &mut boris).await;
    let figures = relay.server.survey(CAP, Arc::default()).figures().await.unwrap();
    // All of it was seen, and what is shown of it is made from that.
    let counted = [(Kind::Send, 3), (Kind::Acknowledge, 3), (Kind::MakeQueue, 1), (Kind::Subscribe, 1)];
    assert!(counted.iter().all(|(kind, count)| figures.commands.of(*kind, Outcome::Ok) == *count));
    assert_eq!((figures.links, figures.held.queues, figures.descriptor_left > 0), (2, 1, true));

    let mut board = Board::new(SystemRandom::new().unwrap());
    let mut shown = String::new();
    for period in 0..20 {
        board.update(&figures, clock::now().plus(period * EVERY_MS));
        shown.push_str(&board.text());
    }
    let listens_at = relay.server.listens_at().unwrap();
    let ports = [anna.port(), boris.port(), listens_at.port()].map(|port| port.to_string());
    let words: Vec<&str> = shown.split(|one: char| !one.is_ascii_alphanumeric()).collect();
    assert!(ports.iter().all(|port| !words.contains(&port.as_str())));
    for needle in [
        "127.0.0.1",
        "localhost",
        &HEXLOWER.encode(&read_id.0),
        &HEXLOWER.encode(&send_id.0),
        &BASE64URL_NOPAD.encode(&read_id.0),
        &BASE64URL_NOPAD.encode(&send_id.0),
        &HEXLOWER.encode(&relay.setup.relay.0),
        &BASE64URL_NOPAD.encode(&relay.setup.relay.0),
        "bytes",
    ] {
        assert!(!shown.contains(needle), "{needle}");
    }
    // What stands between quotes is one of our own words, the end of a bin, or the version.
    let labels = shown.split('"').skip(1).step_by(2);
    let ours = |one: &str| one.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    assert!({ labels }.all(|one| ours(one)
        || one == "+Inf"
        || one == env!("CARGO_PKG_VERSION")
        || one.parse::<f64>().is_ok()));
}

#[tokio::test]
async fn who_scrapes_gets_the_text_and_nothing_else_is_there() {
    let Published { relay: _relay, at } = published();
    let page = beside(move || first_page(at)).await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"));
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    let lost = beside(move || got(at, "GET /queues HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    assert!(lost.starts_with("HTTP/1.1 404 ") && lost.ends_with("\r\n\r\n"));
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(4_096));
    let long = beside(move || got(at, &long)).await;
    assert!(long.is_empty() || long.starts_with("HTTP/1.1 400 "), "{long}");
}

#[tokio::test]
async fn what_the_disk_has_room_for_and_a_pause_are_in_the_status_and_in_what_is_scraped() {
    let mut relay = start();
    let home = Home::at(relay._dir.path());
    let health = Arc::<Health>::default();
    health.takes(Intake::NoLarge);
    relay.server.hub.pause(true);
    relay.server.administer(&home, CAP, Arc::clone(&health)).unwrap();
    let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let at = relay.server.publish(anywhere.try_into().unwrap(), CAP, health).unwrap();
    let said = beside(move || net::ask(&home, admin::Request::Status)).await;
    let Ok(admin::Reply::Status(status)) = said else { panic!("no status") };
    assert_eq!((status.intake, status.paused), (Intake::NoLarge, true));
    let page = beside(move || first_page(at)).await;
    assert!(page.contains("\nberesta_relay_intake_step 2\n") && page.contains("\nberesta_relay_paused 1\n"));
}

#[tokio::test]
async fn what_is_shown_is_made_of_what_each_part_of_the_relay_counts() {
    let relay = start();
    let health = Arc::<Health>::default();
    health.takes(Intake::Nothing);
    health.took(Duration::from_millis(3));
    let counts = relay.server.hub.counts();
    counts.refuse(Refused::Crowded);
    counts.close(CloseReason::Slow);
    let survey = relay.server.survey(CAP, Arc::clone(&health));
    let figures = survey.figures().await.unwrap();
    assert_eq!((figures.intake, figures.commits), (Intake::Nothing, health.commits()));
    assert_eq!((figures.refused[1], figures.closed[3]), (("crowded", 1), ("slow", 1)));
    assert_eq!(
        figures.dropped,
        relay.server.drops.and_then(Drops::read),
        "none where the kernel does not tell"
    );
    assert_eq!((figures.cap, figures.roomy), (CAP.bytes, relay.server.roomy));
}

#[tokio::test]
async fn the_port_of_another_is_told_and_the_relay_goes_on() {
    let mut one = published();
    let taken = one.at.try_into().unwrap();
    let refused = one.relay.server.publish(taken, CAP, Arc::default());
    assert_eq!(refused, Err(ServerError::Metrics(ErrorKind::AddrInUse)));
    let mut client = one.relay.client().await;
    epoch_key(&one.relay, &mut client).await;
}

#[tokio::test]
async fn a_flood_of_scrapes_holds_nobody_up() {
    let Published { relay, at } = published();
    let over = Arc::<AtomicBool>::default();
    let flood = [(); 4].map(|()| {
        let over = Arc::clone(&over);
        std::thread::spawn(move || {
            let pages = std::iter::repeat_with(|| scrape(at)).take_while(|_| !over.load(Ordering::Relaxed));
            pages.filter(|page| page.starts_with("HTTP/1.1 200 OK")).count()
        })
    });
    let (mut anna, mut boris) = (relay.client().await, relay.client().await);
    for _ in 0..20 {
        talk(&relay, &mut anna, &mut boris).await;
    }
    over.store(true, Ordering::Relaxed);
    let answered: usize = beside(move || flood.map(|one| one.join().unwrap()).iter().sum()).await;
    assert!(answered > 100, "{answered}");
    let figures = relay.server.survey(CAP, Arc::default()).figures().await.unwrap();
    assert_eq!(figures.commands.of(Kind::Send, Outcome::Ok), 60);
}

#[tokio::test]
async fn one_more_than_there_are_places_for_who_scrapes_is_hung_up_on_at_once() {
    let Published { relay, at } = published();
    let silent = beside(move || {
        let mut silent = [(); PLACES + 1].map(|()| TcpStream::connect(at).unwrap());
        assert_eq!(silent[PLACES].read(&mut [0; 1]).unwrap(), 0);
        silent
    });
    let mut silent = silent.await;
    for one in &mut silent[..PLACES] {
        one.set_nonblocking(true).unwrap();
        assert_eq!(one.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock, "it is waited for");
    }
    assert_eq!(beside(move || scrape(at)).await, "");
    epoch_key(&relay, &mut relay.client().await).await;
    drop(silent);
    assert!(beside(move || first_page(at)).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn who_connects_and_says_nothing_is_hung_up_on() {
    let Published { relay: _relay, at } = published();
    let silent = beside(move || TcpStream::connect(at).unwrap()).await;
    // Time passes by itself once nobody has anything else to do.
    tokio::time::pause();
    let heard = beside(move || {
        let mut silent = silent;
        silent.read(&mut [0; 1]).map_or(0, |bytes| bytes)
    });
    assert_eq!(heard.await, 0);
}

#[tokio::test]
async fn who_gets_no_link_and_whose_link_is_closed_is_counted_by_reason() {
    let relay = start();
    let mut client = relay.client().await;
    client.write(&[0xff; 300]).await;
    client.closed().await;
    assert!(Client::connect(relay.server.listens_at().unwrap(), b"beresta/9").await.is_err());
    let counts = relay.server.hub.counts();
    let of = |counts: Vec<(&str, u64)>, reason| counts.into_iter().find(|(one, _)| *one == reason).unwrap().1;
    assert_eq!(of(counts.closed(), "malformed"), 1);
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    while of(counts.refused(), "handshake") == 0 {
        looks.tick().await;
    }
    assert_eq!(of(counts.refused(), "full") + of(counts.refused(), "crowded"), 0);
}
