//! For how long a connection holds its place, and who gets one with wide windows.

use beresta_proto::id::BlobId;
use beresta_proto::limits::BLOB;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::*;

/// Between two datagrams of full length, at 10 Mbit/s.
const PACE: Duration = Duration::from_micros(1_200);

/// Sends what it is given, in its time and at the line's pace.
fn carrier() -> mpsc::UnboundedSender<(Instant, Vec<u8>, Arc<UdpSocket>, SocketAddr)> {
    let (give, mut given) = mpsc::unbounded_channel::<(Instant, Vec<u8>, Arc<UdpSocket>, SocketAddr)>();
    tokio::spawn(async move {
        let mut free = sleep(Duration::ZERO).deadline();
        while let Some((due, bytes, by, whose)) = given.recv().await {
            free = due.max(free + PACE);
            sleep_until(free).await;
            by.send_to(&bytes, whose).await.unwrap();
        }
    });
    give
}

/// A line on which each datagram is so long on its way.
async fn slow_line(to: SocketAddr, takes: Duration) -> SocketAddr {
    let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let at = front.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut client, mut said, mut heard) = (None, vec![0; 2_000], vec![0; 2_000]);
        let (there, here) = (carrier(), carrier());
        loop {
            let gone = tokio::select! {
                taken = front.recv_from(&mut said) => {
                    let (bytes, whose) = taken.unwrap();
                    client = Some(whose);
                    there.send((sleep(takes).deadline(), said[..bytes].to_vec(), Arc::clone(&back), to))
                }
                taken = back.recv(&mut heard) => {
                    let bytes = heard[..taken.unwrap()].to_vec();
                    here.send((sleep(takes).deadline(), bytes, Arc::clone(&front), client.unwrap()))
                }
            };
            gone.unwrap();
        }
    });
    at
}

#[tokio::test]
async fn a_connection_holds_its_place_until_quic_has_forgotten_it() {
    let relay = start_for("127.0.0.1:0", Crowd { links: 2, ..Crowd::of(1 << 30, 64) });
    let to = relay.server.listens_at().unwrap();
    let comes = || Client::connect(to, beresta_proto::label::LINK_ALPN);
    let mut first = relay.client().await;
    epoch_key(&relay, &mut first).await;
    let line = slow_line(to, Duration::from_millis(200)).await;
    let mut slow = Client::connect(line, beresta_proto::label::LINK_ALPN).await.unwrap();
    epoch_key(&relay, &mut slow).await;
    assert!(comes().await.is_err(), "both places are taken");

    // By what it was seen to take, it is QUIC's for some seconds.
    drop(slow);
    while relay.server.hub.look(Relay::links) > 1 {
        sleep(LOOK).await;
    }
    assert!(comes().await.is_err(), "its link has ended, and QUIC has not forgotten it");
    let mut next = loop {
        if let Ok(next) = comes().await {
            break next;
        }
        sleep(LOOK).await;
    };
    epoch_key(&relay, &mut next).await;

    // One that is near is forgotten at once, nearly.
    drop(first);
    while comes().await.is_err() {
        sleep(LOOK).await;
    }
}

#[tokio::test]
async fn a_handshake_that_fails_holds_its_place_no_longer_than_quic_knows_it() {
    let relay = start_for("127.0.0.1:0", Crowd { links: 1, ..Crowd::of(1 << 30, 64) });
    let to = relay.server.listens_at().unwrap();
    assert!(Client::connect(to, b"beresta/9").await.is_err());
    while Client::connect(to, beresta_proto::label::LINK_ALPN).await.is_err() {
        sleep(LOOK).await;
    }
}

#[tokio::test]
async fn who_says_much_on_a_line_that_is_fast_and_far_gets_wide_windows() {
    let relay = start_for("127.0.0.1:0", Crowd { wide: 1, ..Crowd::of(1 << 30, 64) });
    let line = slow_line(relay.server.listens_at().unwrap(), Duration::from_millis(100)).await;
    let mut client = Client::connect(line, beresta_proto::label::LINK_ALPN).await.unwrap();
    epoch_key(&relay, &mut client).await;
    assert_eq!(relay.server.admission.wide(), 0);
    let owner = SigningKey::random(&mut SystemRandom::new().unwrap()).verifying_key().unwrap();
    let put =
        Command::PutBlob { blob: BlobId([8; 16]), owner, hours: 24, sealed: vec![7; BLOB], payment: None };
    for number in 1..=100 {
        client.say(RequestId(number), &put).await;
    }
    for _ in 1..=100 {
        client.hear().await;
    }
    assert_eq!(relay.server.admission.wide(), 1);
}

#[tokio::test]
async fn in_a_crowd_a_link_that_is_of_no_use_is_hung_up_on() {
    let relay = start_for("127.0.0.1:0", Crowd { links: 4, ..Crowd::of(1 << 30, 64) });
    let (admission, hub) = (&relay.server.admission, &relay.server.hub);
    let (mut one, mut two) = (relay.client().await, relay.client().await);
    for client in [&mut one, &mut two] {
        epoch_key(&relay, client).await;
    }
    let late = clock::now().plus(100_000);
    look_at_places(admission, hub, late);
    epoch_key(&relay, &mut one).await;
    let mut three = relay.client().await;
    epoch_key(&relay, &mut three).await;
    look_at_places(admission, hub, late);
    for mut client in [one, two, three] {
        assert_eq!(client.closed().await, Some(CloseReason::Unused.code()));
    }
}
