//! Who sends what comes to nothing.

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::*;

/// A line on which each of a client's datagrams can be said again: as many of the longest as are ordered.
async fn line_with_an_echo(to: SocketAddr) -> (SocketAddr, mpsc::Sender<usize>) {
    let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = front.local_addr().unwrap();
    let (order, mut orders) = mpsc::channel(1);
    tokio::spawn(async move {
        let (mut client, mut said, mut heard) = (None, vec![0; 2_000], vec![0; 2_000]);
        let mut longest = Vec::new();
        loop {
            tokio::select! {
                taken = front.recv_from(&mut said) => {
                    let (bytes, whose) = taken.unwrap();
                    client = Some(whose);
                    // Of those behind the handshake, with a short header.
                    if said[0] & 0x80 == 0 && bytes > longest.len() {
                        longest = said[..bytes].to_vec();
                    }
                    back.send_to(&said[..bytes], to).await.unwrap();
                }
                taken = back.recv(&mut heard) => {
                    front.send_to(&heard[..taken.unwrap()], client.unwrap()).await.unwrap();
                }
                Some(count) = orders.recv() => {
                    for _ in 0..count {
                        back.send_to(&longest, to).await.unwrap();
                    }
                }
            }
        }
    });
    (at, order)
}

#[tokio::test]
async fn what_others_say_again_is_not_held_against_a_link() {
    let relay = start();
    let (at, again) = line_with_an_echo(relay.server.listens_at().unwrap()).await;
    let mut client = Client::connect(at, beresta_proto::label::LINK_ALPN).await.unwrap();
    for number in 1..=20 {
        client.say(RequestId(number), &Command::Descriptor).await;
    }
    for _ in 1..=20 {
        client.hear().await;
    }
    again.send(1_000).await.unwrap();
    sleep(3 * crate::net::alias::TICK).await;
    epoch_key(&relay, &mut client).await;
}

#[tokio::test]
async fn who_sends_much_that_comes_to_nothing_is_hung_up_on() {
    let relay = start();
    let mut client = Client::connect_padding(relay.server.listens_at().unwrap()).await.unwrap();
    // A byte of a frame in each datagram, which is as long as any.
    let frame = Command::Descriptor.encode(RequestId(1)).unwrap();
    while client.trickle(&frame).await {}
    assert_eq!(client.closed().await, Some(CloseReason::OverRate.code()));
    let closed = relay.server.hub.counts().closed();
    assert!(closed.contains(&("over_rate", 1)), "{closed:?}");
}
