//! What QUIC is told of addresses, and what goes to those that may be forged.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use beresta_proto::time::{DAY_MS, Timestamp};
use quinn::{AsyncUdpSocket, Connection, RecvStream, SendStream};
use tokio::net::UdpSocket;
use tokio::time::pause;

use super::client::{beginnings, config, endpoint};
use super::*;
use crate::net::alias::TICK;

/// As a first word may be answered (RFC 9000 §8.1).
const TIMES: usize = 3;

async fn nobodys_socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn a_forged_first_word_is_answered_with_three_times_its_bytes_at_the_most() {
    let relay = start();
    let at = relay.server.listens_at().unwrap();
    let beginning = beginnings(1).await.pop().unwrap();
    let forger = nobodys_socket().await;
    forger.send_to(&beginning, at).await.unwrap();
    pause();
    let mut answered = 0;
    let mut datagram = vec![0; 2_000];
    while let Ok(heard) = timeout(Duration::from_secs(60), forger.recv(&mut datagram)).await {
        answered += heard.unwrap();
    }
    assert!(answered > 2 * beginning.len(), "QUIC says again what is not acknowledged: {answered}");
    assert!(answered <= TIMES * beginning.len(), "{answered}");
}

/// Carries what two say to each other: of the relay's words none, and of the client's the first only, until `from`.
async fn bad_line(to: SocketAddr, from: Duration, lost: Arc<AtomicUsize>) -> SocketAddr {
    let (front, back) = (nobodys_socket().await, nobodys_socket().await);
    let at = front.local_addr().unwrap();
    tokio::spawn(async move {
        let begun = sleep(from);
        tokio::pin!(begun);
        let (mut client, mut said, mut heard) = (None, vec![0; 2_000], vec![0; 2_000]);
        loop {
            tokio::select! {
                taken = front.recv_from(&mut said) => {
                    let (bytes, whose) = taken.unwrap();
                    if client.replace(whose).is_none() || begun.is_elapsed() {
                        back.send_to(&said[..bytes], to).await.unwrap();
                    }
                }
                taken = back.recv(&mut heard) => {
                    let bytes = taken.unwrap();
                    if begun.is_elapsed() {
                        front.send_to(&heard[..bytes], client.unwrap()).await.unwrap();
                    } else {
                        lost.fetch_add(bytes, Ordering::Relaxed);
                    }
                }
                () = &mut begun, if !begun.is_elapsed() => {}
            }
        }
    });
    at
}

#[tokio::test]
async fn an_honest_client_on_a_bad_line_gets_in_once_it_is_heard_again() {
    let relay = start();
    let lost = Arc::<AtomicUsize>::default();
    let line = bad_line(relay.server.listens_at().unwrap(), Duration::from_secs(6), Arc::clone(&lost)).await;
    pause();
    let mut client = Client::connect(line, beresta_proto::label::LINK_ALPN).await.unwrap();
    epoch_key(&relay, &mut client).await;
    let lost = lost.load(Ordering::Relaxed);
    assert!((2_401..=3_600).contains(&lost), "the relay used up what it may send: {lost}");
}

/// QUIC behind aliases and nothing else, that says back whatever it is told.
struct Echo {
    at: SocketAddr,
    aliases: Arc<Aliases>,
    links: Arc<Mutex<Vec<Connection>>>,
}

fn echo() -> Echo {
    let runtime = Arc::new(Tasks);
    let aliases = Aliases::new(SystemRandom::new().unwrap());
    let bound = socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let under = runtime.wrap_udp_socket(bound.socket).unwrap();
    let socket = Arc::new(AliasSocket::new(under, Arc::clone(&aliases), 1_472));
    let at = socket.local_addr().unwrap();
    let tls = TlsKey::generate().unwrap();
    let config = Some(quic::server_config(tls.server().unwrap()));
    let endpoint =
        Endpoint::new_with_abstract_socket(quic::endpoint_config(tls.resets()), config, socket, runtime)
            .unwrap();
    tokio::spawn(Arc::clone(&aliases).keep(|| {}));
    let admission = Arc::new(Admission::new(Crowd::of(1 << 30, 64)));
    let links = Arc::<Mutex<Vec<Connection>>>::default();
    let (held, met) = (Arc::clone(&aliases), Arc::clone(&links));
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            let mut lease = held.hold(incoming.remote_address()).unwrap();
            let connection = incoming.accept().unwrap().await.unwrap();
            lease.prove();
            let Verdict::Enter(pass) = admission.arrive([127, 0, 0, 1].into(), true, clock::now()) else {
                panic!("it is full")
            };
            lease.follow(Flow::new(connection.clone(), Arc::new(pass)));
            met.lock().unwrap().push(connection.clone());
            tokio::spawn(async move {
                let (mut send, mut recv) = connection.accept_bi().await.unwrap();
                let mut word = [0; 4];
                while recv.read_exact(&mut word).await.is_ok() {
                    send.write_all(&word).await.unwrap();
                }
                drop(lease);
            });
        }
    });
    Echo { at, aliases, links }
}

impl Echo {
    /// A client whose link was heard once.
    async fn client(&self) -> (Endpoint, Connection, (SendStream, RecvStream)) {
        let client = endpoint();
        let (config, ..) = config(beresta_proto::label::LINK_ALPN, 10_000);
        let connection = client.connect_with(config, self.at, "127.0.0.1").unwrap().await.unwrap();
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        says(&mut send, &mut recv, b"here").await;
        (client, connection, (send, recv))
    }

    fn alias(&self) -> SocketAddr {
        self.links.lock().unwrap().first().unwrap().remote_address()
    }
}

async fn says(send: &mut SendStream, recv: &mut RecvStream, word: &[u8; 4]) {
    send.write_all(word).await.unwrap();
    let mut back = [0; 4];
    recv.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, word);
}

#[tokio::test]
async fn quic_knows_a_link_by_its_alias_follows_it_to_another_address_and_forgets_both() {
    let echo = echo();
    let (client, connection, (mut send, mut recv)) = echo.client().await;
    let first = echo.alias();
    assert!(first.to_string().starts_with("[100::"), "{first}");
    assert_eq!(echo.aliases.address(first), Some(client.local_addr().unwrap()));

    pause();
    sleep(20 * TICK).await;
    says(&mut send, &mut recv, b"wait").await;
    assert_eq!(echo.alias(), first, "who is silent for a while keeps its alias");

    // As behind a NAT that gave its place to another.
    client.rebind(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    says(&mut send, &mut recv, b"move").await;
    let second = echo.alias();
    assert_ne!(second, first);
    assert_eq!(echo.aliases.address(second), Some(client.local_addr().unwrap()));
    sleep(20 * TICK).await;
    assert_eq!((echo.aliases.address(first), echo.aliases.known()), (None, 1));
    says(&mut send, &mut recv, b"stay").await;
    assert_eq!(echo.alias(), second);

    connection.close(VarInt::from_u32(0), b"");
    client.wait_idle().await;
    sleep(20 * TICK).await;
    assert_eq!((echo.aliases.address(second), echo.aliases.known()), (None, 0));
}

#[tokio::test]
async fn quic_forgets_where_a_silent_link_is_and_finds_it_again() {
    let echo = echo();
    let (client, _connection, (mut send, mut recv)) = echo.client().await;
    let first = echo.alias();

    pause();
    sleep(60 * TICK).await;
    assert_eq!((echo.aliases.address(first), echo.aliases.known()), (None, 0));
    says(&mut send, &mut recv, b"back").await;
    let second = echo.alias();
    assert_ne!(second, first);
    assert_eq!(echo.aliases.address(second), Some(client.local_addr().unwrap()));
    // It is held again, and not only known because something came.
    sleep(20 * TICK).await;
    assert_eq!(echo.aliases.known(), 1);
    says(&mut send, &mut recv, b"more").await;
    assert_eq!(echo.alias(), second);
}

#[tokio::test]
async fn a_relay_that_runs_forgets_a_neighbourhood_once_nobody_is_in_it_any_more() {
    let relay = start();
    let admission = &relay.server.admission;
    pause();
    // Long ago by the machine's clock: the handshake is paid for.
    let before = Timestamp(clock::now().0 - DAY_MS);
    let Verdict::Enter(pass) = admission.arrive([192, 0, 2, 7].into(), true, before) else {
        panic!("not let in")
    };
    sleep(20 * TICK).await;
    assert_eq!(admission.known(), 2, "it, and its owner");
    drop(pass);
    sleep(2 * TICK).await;
    assert_eq!(admission.known(), 0);
}
