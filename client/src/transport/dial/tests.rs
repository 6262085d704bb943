//! Over real QUIC on loopback, with relays that are only as good as these tests need.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use beresta_proto::descriptor::{Descriptor, Policy};
use beresta_proto::key::{SigningKey, sha256};
use beresta_proto::label::LINK_ALPN;
use beresta_proto::time::DAY_MS;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{RecvStream, SendStream, ServerConfig};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::rng::Rng;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A server that answers DESCRIPTOR with what it was given and counts what else it is told.
struct Server {
    at: SocketAddr,
    tls_key: [u8; 32],
    endpoint: Endpoint,
    heard: Arc<AtomicUsize>,
}

impl Server {
    fn new() -> Self {
        let pair = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&pair).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![LINK_ALPN.to_vec()];
        let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(config).unwrap()));
        let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
        let at = endpoint.local_addr().unwrap();
        let tls_key = sha256(&pair.subject_public_key_info());
        Self { at, tls_key, endpoint, heard: Arc::default() }
    }

    /// Shows this descriptor to whoever comes.
    fn show(&self, descriptor: Vec<u8>) {
        let (endpoint, heard) = (self.endpoint.clone(), Arc::clone(&self.heard));
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connection) = incoming.await else { continue };
                let Ok(stream) = connection.accept_bi().await else { continue };
                tokio::spawn(answer(stream, descriptor.clone(), Arc::clone(&heard)));
            }
        });
    }

    fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }
}

async fn answer(
    (mut send, mut receive): (SendStream, RecvStream),
    descriptor: Vec<u8>,
    heard: Arc<AtomicUsize>,
) {
    let mut frame = [0; 256];
    while receive.read_exact(&mut frame).await.is_ok() {
        heard.fetch_add(1, Ordering::SeqCst);
        let (request, command) = Command::decode(&frame).unwrap();
        assert_eq!(command, Command::Descriptor);
        let reply = Reply::Descriptor { descriptor: descriptor.clone(), epoch_keys: Vec::new(), clock: NOW };
        send.write_all(&reply.encode(request).unwrap()).await.unwrap();
    }
}

/// The relay of an identity, and its descriptor for a TLS key.
fn described(identity: &SigningKey, tls_key: [u8; 32], routes: &[SocketAddr]) -> (RelayAddress, Vec<u8>) {
    let descriptor = Descriptor {
        identity: identity.verifying_key().unwrap(),
        sequence: 1,
        not_before: NOW.minus(DAY_MS),
        not_after: NOW.plus(DAY_MS),
        tls_key,
        epoch_signer: identity.verifying_key().unwrap(),
        routes: routes.iter().copied().map(Route::Quic).collect(),
        policy: Policy::MAILBOX,
        operator: String::new(),
    };
    (descriptor.address(), descriptor.sign(identity).unwrap())
}

fn identity() -> SigningKey {
    SigningKey::random(&mut Rng::new(ChaCha20Rng::seed_from_u64(1)))
}

/// Somebody in between shows the relay's own descriptor, and has not the relay's TLS key (rules L7 and D4).
#[tokio::test]
async fn a_relay_with_another_tls_key_is_refused() {
    let (relay, between) = (Server::new(), Server::new());
    let (address, descriptor) = described(&identity(), relay.tls_key, &[between.at]);
    between.show(descriptor);
    let refused = Dialler::new().connect(&address, usize::MAX, 0, || NOW).await.unwrap_err();
    assert_eq!(refused, ConnectError::NotTheRelay(DescriptorError::OtherTlsKey));
    assert_eq!(between.heard(), 1);
}

#[tokio::test]
async fn the_next_route_is_tried_where_somebody_else_answers() {
    let (relay, between) = (Server::new(), Server::new());
    let (address, descriptor) = described(&identity(), relay.tls_key, &[between.at, relay.at]);
    relay.show(descriptor.clone());
    between.show(descriptor);
    let (link, _pushes) = Dialler::new().connect(&address, usize::MAX, 0, || NOW).await.unwrap();
    assert_eq!(link.descriptor().address(), address);
    assert_eq!((between.heard(), relay.heard()), (1, 1));
}

#[tokio::test]
async fn another_relay_at_the_address_is_told_nothing() {
    let relay = Server::new();
    let (_, descriptor) = described(&identity(), relay.tls_key, &[relay.at]);
    relay.show(descriptor);
    let other = SigningKey::random(&mut Rng::new(ChaCha20Rng::seed_from_u64(2)));
    let (address, _) = described(&other, relay.tls_key, &[relay.at]);
    let refused = Dialler::new().connect(&address, usize::MAX, 0, || NOW).await.unwrap_err();
    assert_eq!(refused, ConnectError::NotTheRelay(DescriptorError::OtherRelay));
    assert_eq!(relay.heard(), 1);
}

/// An address where something is, and nobody says a word: as after a move.
fn silent() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    (socket, at)
}

#[tokio::test]
async fn a_relay_that_moved_is_reached_while_its_old_address_is_tried() {
    let (relay, (_socket, old)) = (Server::new(), silent());
    let (address, descriptor) = described(&identity(), relay.tls_key, &[old, relay.at]);
    relay.show(descriptor);
    // Less than the 10 s that `beresta receive` has for it.
    let dialler = Dialler::new();
    let reached = dialler.connect(&address, usize::MAX, 0, || NOW);
    let (link, _pushes) = timeout(Duration::from_secs(8), reached).await.unwrap().unwrap();
    assert_eq!(link.descriptor().address(), address);
}

#[tokio::test]
async fn a_route_of_others_is_tried_only_once_those_of_the_relay_failed() {
    let (relay, (_socket, silent)) = (Server::new(), silent());
    let (address, descriptor) = described(&identity(), relay.tls_key, &[silent, relay.at]);
    relay.show(descriptor.clone());
    let dialler = Dialler::new();
    let early = timeout(2 * ALONE, dialler.connect(&address, 1, 0, || NOW)).await;
    assert!(early.is_err());
    assert_eq!(relay.heard(), 0);
    // Somebody else is there now.
    let between = Server::new();
    let (address, _) = described(&identity(), relay.tls_key, &[between.at, relay.at]);
    between.show(descriptor);
    dialler.connect(&address, 1, 0, || NOW).await.unwrap();
    assert_eq!((between.heard(), relay.heard()), (1, 1));
    // Who names somebody else's address as the relay's does not have it called somebody else's.
    let broken = Server::new();
    broken.show(vec![0]);
    let (address, _) = described(&identity(), relay.tls_key, &[broken.at, between.at]);
    let refused = dialler.connect(&address, 1, 0, || NOW).await.unwrap_err();
    assert_eq!((refused, between.heard()), (ConnectError::Protocol, 2));
}
