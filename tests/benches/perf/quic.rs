//! QUIC for the load and for the bare relay, set up as the relay and the client set theirs up
//! (`server/src/net/quic.rs`, `client/src/transport/dial.rs`): what is compared differs in what it does with a frame only.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use beresta_proto::frame::Class;
use beresta_proto::label::LINK_ALPN;
use bytes::{Bytes, BytesMut};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, RecvStream, SendStream, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use socket2::{Domain, Protocol, Socket, Type};

const SOCKET_BUFFER: usize = 8 * 1024 * 1024;
const SEND_WINDOW: u64 = 256 * 1024;
const IDLE_MS: u32 = 120_000;
/// Pieces that are read at once: a datagram brings one.
const PIECES: usize = 32;

fn socket(at: SocketAddr) -> UdpSocket {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP)).unwrap();
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.set_nonblocking(true).unwrap();
    socket.bind(&at.into()).unwrap();
    socket.into()
}

fn transport(streams: u32, receive: u32) -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(receive))
        .receive_window(VarInt::from_u32(receive))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(VarInt::from_u32(IDLE_MS).into()))
        .allow_spin(false);
    Arc::new(transport)
}

/// A bare relay's side.
pub(crate) fn server(at: SocketAddr) -> Endpoint {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::default().self_signed(&pair).unwrap();
    let key = PrivateKeyDer::try_from(pair.serialize_der()).unwrap();
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    tls.alpn_protocols = vec![LINK_ALPN.to_vec()];
    tls.send_tls13_tickets = 0;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    config.transport_config(transport(4, 128 * 1024));
    config.validation_token.sent(0);
    Endpoint::new(EndpointConfig::default(), Some(config), socket(at), Arc::new(TokioRuntime)).unwrap()
}

/// The load's side, on a socket of its own.
pub(crate) fn client() -> Endpoint {
    client_of(LINK_ALPN)
}

/// A client of another protocol.
pub(crate) fn stranger() -> Endpoint {
    client_of(b"another")
}

/// So many first datagrams of handshakes, as somebody would send them who can't hear the answers.
pub(crate) fn first_words(count: usize) -> Vec<Vec<u8>> {
    let catcher = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = catcher.local_addr().unwrap();
    let endpoint = client();
    let mut words = BTreeMap::new();
    let mut begun = Vec::new();
    while words.len() < count {
        begun.push(endpoint.connect(to, "127.0.0.1").unwrap());
        let mut datagram = vec![0; 1_500];
        let (bytes, _) = catcher.recv_from(&mut datagram).unwrap();
        datagram.truncate(bytes);
        // What is said again says it under the same number.
        words.insert(datagram[..20].to_vec(), datagram);
    }
    words.into_values().collect()
}

fn client_of(protocol: &[u8]) -> Endpoint {
    let provider = Arc::new(ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    tls.alpn_protocols = vec![protocol.to_vec()];
    tls.resumption = Resumption::disabled();
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    config.transport_config(transport(0, 512 * 1024));
    let socket = socket(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut endpoint =
        Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime)).unwrap();
    endpoint.set_default_client_config(config);
    endpoint
}

/// One stream of a connection, which carries frames.
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) send: SendStream,
    pub(crate) frames: Frames,
}

impl Link {
    pub(crate) fn new(connection: Connection, (send, stream): (SendStream, RecvStream)) -> Self {
        Self { connection, send, frames: Frames { stream, unread: BytesMut::new() } }
    }

    /// Connects and opens the stream.
    pub(crate) async fn open(endpoint: &Endpoint, at: SocketAddr) -> Self {
        let connection = endpoint.connect(at, "127.0.0.1").unwrap().await.unwrap();
        let streams = connection.open_bi().await.unwrap();
        Self::new(connection, streams)
    }

    /// Says a frame and waits for the next one that comes.
    pub(crate) async fn ask(&mut self, frame: &[u8]) -> Bytes {
        self.send.write_all(frame).await.unwrap();
        self.frames.next().await.unwrap_or_else(|| self.ended())
    }

    /// To be called when no frame came.
    pub(crate) fn ended(&self) -> ! {
        panic!("the link ended: {:?}", self.connection.close_reason())
    }
}

/// What comes on a stream, cut into frames.
pub(crate) struct Frames {
    stream: RecvStream,
    unread: BytesMut,
}

impl Frames {
    /// The next frame; none when the stream has ended. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready() {
                return Some(frame);
            }
            // All that is there, or what came together would be taken for what came one after the other.
            let mut pieces = [const { Bytes::new() }; PIECES];
            let count = self.stream.read_chunks(&mut pieces).await.ok()??;
            pieces[..count].iter().for_each(|piece| self.unread.extend_from_slice(piece));
        }
    }

    /// A frame that is there already.
    pub(crate) fn ready(&mut self) -> Option<Bytes> {
        let size = Class::from_code(*self.unread.first()?).unwrap().size();
        (self.unread.len() >= size).then(|| self.unread.split_to(size).freeze())
    }
}

/// Takes everybody for the relay: there is nobody else on loopback.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
