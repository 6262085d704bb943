//! A client that trusts what it is shown and lets the tests judge.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use beresta_proto::auth::Exporter;
use beresta_proto::command::Command;
use beresta_proto::frame::{Class, RequestId};
use beresta_proto::key::sha256;
use beresta_proto::label::{LINK_ALPN, LINK_EXPORTER};
use beresta_proto::reply::Heard;
use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, RecvStream, SendStream, TokenStore, TransportConfig,
    VarInt,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, NamedGroup, SignatureScheme};
use tokio::net::UdpSocket;

/// Bytes that a client takes before it reads.
const WINDOW: u32 = 1_000_000;

#[derive(Debug)]
pub(super) struct Pin {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<[u8; 32]>>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = rustls::server::ParsedCertificate::try_from(end_entity)?;
        *self.seen.lock().unwrap() = Some(sha256(&parsed.subject_public_key_info()));
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
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What a relay gives a client for later visits, by which it could know it again.
#[derive(Debug)]
pub(super) struct Souvenirs {
    kept: ClientSessionMemoryCache,
    count: AtomicUsize,
}

impl Souvenirs {
    fn count(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

impl ClientSessionStore for Souvenirs {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(server)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {
        self.count();
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, server: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.count();
        self.kept.insert_tls13_ticket(server, ticket);
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.kept.take_tls13_ticket(server)
    }
}

impl TokenStore for Souvenirs {
    fn insert(&self, _: &str, _: Bytes) {
        self.count();
    }

    fn take(&self, _: &str) -> Option<Bytes> {
        None
    }
}

pub(super) struct Client {
    endpoint: Endpoint,
    config: ClientConfig,
    connection: Connection,
    send: SendStream,
    recv: RecvStream,
    pin: Arc<Pin>,
    souvenirs: Arc<Souvenirs>,
}

/// What a client that takes up old sessions would use, and where the key that it sees is put.
pub(super) fn config(alpn: &[u8], window: u32) -> (ClientConfig, Arc<Pin>, Arc<Souvenirs>) {
    let provider = Arc::new(ring::default_provider());
    let pin = Arc::new(Pin { provider: Arc::clone(&provider), seen: Mutex::default() });
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&pin) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls.enable_early_data = true;
    let souvenirs =
        Arc::new(Souvenirs { kept: ClientSessionMemoryCache::new(8), count: AtomicUsize::default() });
    tls.resumption = Resumption::store(Arc::clone(&souvenirs) as Arc<dyn ClientSessionStore>);
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let mut transport = TransportConfig::default();
    // The relay's time counts.
    transport.stream_receive_window(VarInt::from_u32(window)).max_idle_timeout(None);
    config.transport_config(Arc::new(transport));
    config.token_store(Arc::clone(&souvenirs) as Arc<dyn TokenStore>);
    (config, pin, souvenirs)
}

pub(super) fn endpoint() -> Endpoint {
    endpoint_at(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn endpoint_at(from: IpAddr) -> Endpoint {
    Endpoint::client(SocketAddr::new(from, 0)).unwrap()
}

/// So many first datagrams of handshakes that nobody goes on with, as a forger would send them.
pub(super) async fn beginnings(count: usize) -> Vec<Vec<u8>> {
    let (endpoint, (config, ..)) = (endpoint(), config(LINK_ALPN, WINDOW));
    let catcher = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = catcher.local_addr().unwrap();
    let mut caught = BTreeMap::new();
    let mut begun = Vec::new();
    while caught.len() < count {
        begun.push(endpoint.connect_with(config.clone(), to, "127.0.0.1").unwrap());
        let mut datagram = vec![0; 1_500];
        let bytes = catcher.recv(&mut datagram).await.unwrap();
        datagram.truncate(bytes);
        // What is said again says it under the same number.
        caught.insert(datagram[..20].to_vec(), datagram);
    }
    caught.into_values().collect()
}

impl Client {
    pub(super) async fn connect(to: SocketAddr, alpn: &[u8]) -> Result<Self, ConnectionError> {
        Self::connect_with_window(to, alpn, WINDOW).await
    }

    /// As one that takes so many bytes before it reads.
    pub(super) async fn connect_with_window(
        to: SocketAddr,
        alpn: &[u8],
        window: u32,
    ) -> Result<Self, ConnectionError> {
        Self::connect_by(endpoint(), to, alpn, window).await
    }

    /// As somebody else's machine, which this one has to have as an address of its own.
    pub(super) async fn connect_from(from: IpAddr, to: SocketAddr) -> Result<Self, ConnectionError> {
        Self::connect_by(endpoint_at(from), to, LINK_ALPN, WINDOW).await
    }

    /// As one whose datagrams are all as long as any.
    pub(super) async fn connect_padding(to: SocketAddr) -> Result<Self, ConnectionError> {
        let mut config = config(LINK_ALPN, WINDOW);
        let mut transport = TransportConfig::default();
        transport.pad_to_mtu(true);
        config.0.transport_config(Arc::new(transport));
        Self::connect_as(endpoint(), to, config).await
    }

    async fn connect_by(
        endpoint: Endpoint,
        to: SocketAddr,
        alpn: &[u8],
        window: u32,
    ) -> Result<Self, ConnectionError> {
        Self::connect_as(endpoint, to, config(alpn, window)).await
    }

    async fn connect_as(
        endpoint: Endpoint,
        to: SocketAddr,
        (config, pin, souvenirs): (ClientConfig, Arc<Pin>, Arc<Souvenirs>),
    ) -> Result<Self, ConnectionError> {
        let connection = endpoint.connect_with(config.clone(), to, "127.0.0.1").unwrap().await?;
        let (send, recv) = connection.open_bi().await?;
        Ok(Self { endpoint, config, connection, send, recv, pin, souvenirs })
    }

    pub(super) fn tls_key(&self) -> [u8; 32] {
        self.pin.seen.lock().unwrap().unwrap()
    }

    /// How much the relay gave it for later visits.
    pub(super) fn souvenirs(&self) -> usize {
        self.souvenirs.count.load(Ordering::Relaxed)
    }

    /// Its own port.
    pub(super) fn port(&self) -> u16 {
        self.endpoint.local_addr().unwrap().port()
    }

    /// Bytes that it has sent, QUIC's own among them.
    pub(super) fn sent(&self) -> u64 {
        self.connection.stats().udp_tx.bytes
    }

    pub(super) fn exporter(&self) -> Exporter {
        let mut exporter = [0; 32];
        self.connection.export_keying_material(&mut exporter, LINK_EXPORTER, b"").unwrap();
        Exporter(exporter)
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.send.write_all(bytes).await.unwrap();
    }

    /// Says it byte by byte, each in a datagram of its own. Whether it got that far.
    pub(super) async fn trickle(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.send.write_all(&[*byte]).await.is_err() {
                return false;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        true
    }

    pub(super) async fn say(&mut self, request: RequestId, command: &Command) {
        self.write(&command.encode(request).unwrap()).await;
    }

    pub(super) async fn hear(&mut self) -> Heard {
        let mut frame = vec![0];
        self.recv.read_exact(&mut frame).await.unwrap();
        frame.resize(Class::from_code(frame[0]).unwrap().size(), 0);
        self.recv.read_exact(&mut frame[1..]).await.unwrap();
        Heard::decode(&frame).unwrap()
    }

    /// Whether this client could say something to the relay before a second handshake is done.
    pub(super) fn may_send_early(&self) -> bool {
        let to = self.connection.remote_address();
        self.endpoint.connect_with(self.config.clone(), to, "127.0.0.1").unwrap().into_0rtt().is_ok()
    }

    /// Whether the relay takes bytes on any stream but the link's.
    pub(super) async fn may_open_another_stream(&self) -> bool {
        // What may be opened is known since the handshake, so one look is enough.
        let look = std::time::Duration::ZERO;
        tokio::time::timeout(look, self.connection.open_bi()).await.is_ok()
            || tokio::time::timeout(look, self.connection.open_uni()).await.is_ok()
    }

    /// Waits until the relay closes, and says with which number.
    pub(super) async fn closed(&mut self) -> Option<u32> {
        let ConnectionError::ApplicationClosed(close) = self.connection.closed().await else { return None };
        u32::try_from(close.error_code.into_inner()).ok()
    }
}
