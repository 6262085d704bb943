//! A link as a client has it (rules L1 to L8), for who tries a relay: one stream, one command after the other.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use beresta_proto::auth::Exporter;
use beresta_proto::command::Command;
use beresta_proto::frame::{Class, RequestId};
use beresta_proto::key::sha256;
use beresta_proto::label::{LINK_ALPN, LINK_EXPORTER};
use beresta_proto::reply::{Heard, Push, Reply};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream, VarInt};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::TLS13;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use tokio::time::timeout;

/// Why nothing was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VisitError {
    /// Nobody answers.
    #[error("nobody answers")]
    Unreachable,
    /// The link ended.
    #[error("the link ended")]
    Ended,
    /// No answer came in time.
    #[error("no answer in time")]
    Silent,
    /// It said what a relay does not say.
    #[error("a wrong answer")]
    Wrong,
    /// A fault of this program.
    #[error("the program failed inside")]
    Internal,
}

/// Longer than a handshake takes on the worst line that still carries messages.
const CONNECT: Duration = Duration::from_secs(12);
/// Longer than a relay that works takes for anything.
const REPLY: Duration = Duration::from_secs(20);

/// Takes every certificate whose holder proves to have its key; whether it is the relay's key, the descriptor says.
#[derive(Debug)]
struct ProofOfKey(Arc<CryptoProvider>);

impl ServerCertVerifier for ProofOfKey {
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
        // TLS 1.2 is not offered.
        Err(CertificateError::BadSignature.into())
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

fn config() -> Option<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ProofOfKey(provider)))
        .with_no_client_auth();
    tls.alpn_protocols = vec![LINK_ALPN.to_vec()];
    tls.resumption = Resumption::disabled();
    Some(ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).ok()?)))
}

/// Pushes that are kept while a reply is awaited: more than what a relay has reason for.
const PUSHES: usize = 64;

/// A link, and what was pushed on it and not looked at yet.
#[derive(Debug)]
pub struct Visit {
    endpoint: Endpoint,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    pushed: VecDeque<Push>,
    requests: u32,
}

impl Visit {
    /// Shakes hands with whoever listens at `at`.
    ///
    /// # Errors
    /// [`VisitError::Unreachable`].
    pub async fn open(at: SocketAddr) -> Result<Self, VisitError> {
        let any: IpAddr =
            if at.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let endpoint = Endpoint::client((any, 0).into()).map_err(|_| VisitError::Unreachable)?;
        let config = config().ok_or(VisitError::Internal)?;
        // An IP address as the name: no SNI is sent.
        let connecting =
            endpoint.connect_with(config, at, &at.ip().to_string()).map_err(|_| VisitError::Unreachable)?;
        let shaken = async {
            let connection = connecting.await.map_err(|_| VisitError::Unreachable)?;
            let streams = connection.open_bi().await.map_err(|_| VisitError::Unreachable)?;
            Ok((connection, streams))
        };
        let (connection, (send, receive)) =
            timeout(CONNECT, shaken).await.map_err(|_| VisitError::Unreachable)??;
        Ok(Self { endpoint, connection, send, receive, pushed: VecDeque::new(), requests: 0 })
    }

    /// The SHA-256 of the key of whoever answers (SubjectPublicKeyInfo, RFC 5280 §4.1.2.7), which the descriptor pins.
    #[must_use]
    pub fn tls_key(&self) -> Option<[u8; 32]> {
        let chain = self.connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
        let parsed = ParsedCertificate::try_from(chain.first()?).ok()?;
        Some(sha256(parsed.subject_public_key_info().as_ref()))
    }

    /// What signatures on this link are bound to.
    #[must_use]
    pub fn exporter(&self) -> Option<Exporter> {
        let mut exporter = [0; 32];
        self.connection.export_keying_material(&mut exporter, LINK_EXPORTER, b"").ok()?;
        Some(Exporter(exporter))
    }

    /// Says a command and waits for its reply.
    ///
    /// # Errors
    /// [`VisitError`]; the link is of no more use.
    pub async fn ask(&mut self, command: &Command) -> Result<Reply, VisitError> {
        timeout(REPLY, self.exchange(command)).await.map_err(|_| VisitError::Silent)?
    }

    async fn exchange(&mut self, command: &Command) -> Result<Reply, VisitError> {
        self.requests = self.requests.saturating_add(1);
        let request = RequestId(self.requests);
        let frame = command.encode(request).map_err(|_| VisitError::Internal)?;
        self.send.write_all(&frame).await.map_err(|_| VisitError::Ended)?;
        loop {
            match self.hear().await? {
                Heard::Reply(to, reply) if to == request => return Ok(reply),
                // Whoever pushes without end would be listened to, and kept, without end.
                Heard::Push(push) if self.pushed.len() < PUSHES => self.pushed.push_back(push),
                Heard::Push(_) | Heard::Reply(..) => return Err(VisitError::Wrong),
            }
        }
    }

    /// The next push.
    ///
    /// # Errors
    /// As of [`Visit::ask`].
    pub async fn push(&mut self) -> Result<Push, VisitError> {
        if let Some(push) = self.pushed.pop_front() {
            return Ok(push);
        }
        match timeout(REPLY, self.hear()).await.map_err(|_| VisitError::Silent)?? {
            Heard::Push(push) => Ok(push),
            Heard::Reply(..) => Err(VisitError::Wrong),
        }
    }

    async fn hear(&mut self) -> Result<Heard, VisitError> {
        let frame = read(&mut self.receive).await?;
        Heard::decode(&frame).map_err(|_| VisitError::Wrong)
    }

    /// Ends it in order.
    pub async fn close(self) {
        self.connection.close(VarInt::from_u32(0), b"");
        let _ = timeout(Duration::from_secs(1), self.endpoint.wait_idle()).await;
    }
}

async fn read(from: &mut RecvStream) -> Result<Vec<u8>, VisitError> {
    let mut first = [0];
    from.read_exact(&mut first).await.map_err(|_| VisitError::Ended)?;
    let [code] = first;
    let class = Class::from_code(code).map_err(|_| VisitError::Wrong)?;
    let mut frame = vec![0; class.size()];
    let (head, rest) = frame.split_first_mut().ok_or(VisitError::Internal)?;
    *head = code;
    from.read_exact(rest).await.map_err(|_| VisitError::Ended)?;
    Ok(frame)
}
