//! For how long a connection holds its place.

use tokio::net::UdpSocket;

use super::*;

/// A line on which each datagram is so long on its way.
async fn slow_line(to: SocketAddr, takes: Duration) -> SocketAddr {
    let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let at = front.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut client, mut said, mut heard) = (None, vec![0; 2_000], vec![0; 2_000]);
        loop {
            let (bytes, by, whose) = tokio::select! {
                taken = front.recv_from(&mut said) => {
                    let (bytes, whose) = taken.unwrap();
                    client = Some(whose);
                    (said[..bytes].to_vec(), Arc::clone(&back), to)
                }
                taken = back.recv(&mut heard) => {
                    (heard[..taken.unwrap()].to_vec(), Arc::clone(&front), client.unwrap())
                }
            };
            tokio::spawn(async move {
                sleep(takes).await;
                by.send_to(&bytes, whose).await
            });
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
