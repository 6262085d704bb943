//! Reaching a relay and checking that it is the one (rules L7 and D4).

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use beresta_proto::address::RelayAddress;
use beresta_proto::auth::Exporter;
use beresta_proto::command::Command;
use beresta_proto::descriptor::{DescriptorError, UnverifiedDescriptor};
use beresta_proto::label::LINK_EXPORTER;
use beresta_proto::reply::{Push, Reply};
use beresta_proto::route::Route;
use beresta_proto::time::Timestamp;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, EndpointConfig, TokioRuntime, TransportConfig, VarInt};
use rustls::pki_types::CertificateDer;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::link::{Link, Wire};
use super::tls;

/// Longer than a handshake takes on the worst line that still carries messages.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(12);
/// So long a route is tried alone. A relay may have moved, and at its old address nobody says that nobody is there.
const ALONE: Duration = Duration::from_millis(2_500);
/// How long the other side may be silent before the link counts as broken. Keep-alives come more often.
const IDLE_TIMEOUT_MS: u32 = 90_000;
/// Often enough for the NATs of mobile networks, seldom enough for a battery.
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// Asked for the socket's buffers; the system may give less. A window of pushes fits.
const SOCKET_BUFFER: usize = 1024 * 1024;
/// Unread bytes that a relay may send.
const RECEIVE_WINDOW: u32 = 512 * 1024;

/// Why a relay was not reached. The last route's reason, the worst one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answered, or the line broke before the relay was checked.
    #[error("nobody answered")]
    Unreachable,
    /// Every route is of a kind that this version does not know.
    #[error("no route that this version knows")]
    NoUsableRoute,
    /// Somebody else answers there. Nothing was said to them.
    #[error("somebody else answers: {0}")]
    NotTheRelay(DescriptorError),
    /// The relay's descriptor is out of date, or our clock is wrong.
    #[error("the descriptor is not valid now")]
    Stale {
        /// The relay's clock.
        relay_clock: Timestamp,
    },
    /// It answered what no relay answers.
    #[error("no relay of this protocol")]
    Protocol,
    /// This machine gave no socket.
    #[error("no socket")]
    Socket,
}

/// A link, and what is pushed on it.
type Linked = (Link, mpsc::Receiver<Push>);

/// Reaches relays. One UDP socket for each address family, on a random port, made when it is first needed.
#[derive(Debug, Default)]
pub struct Dialler {
    endpoints: Mutex<[Option<Endpoint>; 2]>,
}

impl Dialler {
    /// A dialler that has not opened a socket yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reaches a relay by the first route that works and checks it. The next route is tried beside those before, once they
    /// took a while; those behind the first `own`, which others named, only once all of these failed (rule D11). Pushes
    /// come on the receiver, which ends with the link.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing but DESCRIPTOR was said.
    pub async fn connect(
        &self,
        relay: &RelayAddress,
        own: usize,
        known_sequence: u64,
        clock: impl Fn() -> Timestamp + Send + Sync,
    ) -> Result<Linked, ConnectError> {
        let (own, others) = relay.routes.split_at(own.min(relay.routes.len()));
        let mut worst = ConnectError::NoUsableRoute;
        // Those whom others named learn of us only if those before them failed, and that somebody else is there tells nothing of the
        // relay's own address.
        for (routes, alone) in [(own, ALONE), (others, CONNECT_TIMEOUT)] {
            match self.race((routes, alone), relay, known_sequence, &clock).await {
                Ok(link) => return Ok(link),
                Err(error) if worst == ConnectError::NoUsableRoute => worst = error,
                Err(_) => {}
            }
        }
        Err(worst)
    }

    /// The first of some routes by which the relay is reached. Tries that are dropped hang up.
    async fn race(
        &self,
        (routes, alone): (&[Route], Duration),
        relay: &RelayAddress,
        known_sequence: u64,
        clock: &(impl Fn() -> Timestamp + Send + Sync),
    ) -> Result<Linked, ConnectError> {
        let mut left = routes.iter().filter_map(|route| match route {
            Route::Quic(at) => Some(*at),
            Route::Other { .. } => None,
        });
        let mut worst = ConnectError::NoUsableRoute;
        let mut tries = Vec::new();
        loop {
            let next = left.next();
            if let Some(at) = next {
                let attempt = self.connect_to(at, relay, known_sequence, clock);
                tries.push(Box::pin(async move {
                    timeout(CONNECT_TIMEOUT, attempt).await.unwrap_or(Err(ConnectError::Unreachable))
                }));
            }
            if tries.is_empty() {
                return Err(worst);
            }
            // Where there is no other route, there is only these to wait for.
            let alone = if next.is_some() { alone } else { CONNECT_TIMEOUT };
            match timeout(alone, first_of(&mut tries)).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(error)) => worst = worse(worst, error),
                Err(_) => {}
            }
        }
    }

    /// Tells every relay that we go, and waits a moment until they know.
    pub async fn close(&self) {
        let endpoints: Vec<Endpoint> = self.lock().iter_mut().filter_map(Option::take).collect();
        for endpoint in endpoints {
            endpoint.close(VarInt::from_u32(0), b"");
            let _ = timeout(Duration::from_secs(1), endpoint.wait_idle()).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, [Option<Endpoint>; 2]> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn endpoint(&self, to: SocketAddr) -> Result<Endpoint, ConnectError> {
        let mut endpoints = self.lock();
        let [v4, v6] = &mut *endpoints;
        let (slot, domain, any): (_, _, IpAddr) = if to.is_ipv4() {
            (v4, Domain::IPV4, Ipv4Addr::UNSPECIFIED.into())
        } else {
            (v6, Domain::IPV6, Ipv6Addr::UNSPECIFIED.into())
        };
        if let Some(endpoint) = slot {
            return Ok(endpoint.clone());
        }
        let endpoint = bind(domain, any).map_err(|_| ConnectError::Socket)?;
        *slot = Some(endpoint.clone());
        Ok(endpoint)
    }

    async fn connect_to(
        &self,
        at: SocketAddr,
        relay: &RelayAddress,
        known_sequence: u64,
        clock: &(impl Fn() -> Timestamp + Send + Sync),
    ) -> Result<Linked, ConnectError> {
        let endpoint = self.endpoint(at)?;
        // An IP address as the name: no SNI is sent.
        let name = at.ip().to_string();
        let connecting =
            endpoint.connect_with(client_config()?, at, &name).map_err(|_| ConnectError::Unreachable)?;
        let connection = connecting.await.map_err(|_| ConnectError::Unreachable)?;
        let tls_key = tls_key(&connection).ok_or(ConnectError::Protocol)?;
        let mut exporter = [0; 32];
        connection
            .export_keying_material(&mut exporter, LINK_EXPORTER, b"")
            .map_err(|_| ConnectError::Protocol)?;
        let stream = connection.open_bi().await.map_err(|_| ConnectError::Unreachable)?;
        let (wire, pushes) = Wire::new(connection, stream);

        let reply = wire.request(Command::Descriptor).await.map_err(|_| ConnectError::Unreachable)?;
        let Reply::Descriptor { descriptor, epoch_keys, clock: relay_clock } = reply else {
            return Err(ConnectError::Protocol);
        };
        let unverified = UnverifiedDescriptor::decode(&descriptor).map_err(|_| ConnectError::Protocol)?;
        let descriptor = unverified.verify(&relay.relay, &tls_key, known_sequence, clock()).map_err(
            |error| match error {
                DescriptorError::Stale => ConnectError::Stale { relay_clock },
                DescriptorError::OtherRelay
                | DescriptorError::Forged
                | DescriptorError::OtherTlsKey
                | DescriptorError::Superseded => ConnectError::NotTheRelay(error),
            },
        )?;
        Ok((Link::new(descriptor, epoch_keys, relay_clock, Exporter(exporter), wire), pushes))
    }
}

/// What the first of some futures to end gives. It is taken out.
async fn first_of<F: Future + Unpin>(futures: &mut Vec<F>) -> F::Output {
    poll_fn(|context| {
        for at in 0..futures.len() {
            if let Some(future) = futures.get_mut(at)
                && let Poll::Ready(output) = Pin::new(future).poll(context)
            {
                drop(futures.swap_remove(at));
                return Poll::Ready(output);
            }
        }
        Poll::Pending
    })
    .await
}

/// Of two reasons the one that people must know of.
const fn worse(one: ConnectError, other: ConnectError) -> ConnectError {
    const fn rank(error: ConnectError) -> u8 {
        match error {
            ConnectError::NoUsableRoute => 0,
            ConnectError::Socket => 1,
            ConnectError::Unreachable => 2,
            ConnectError::Protocol => 3,
            ConnectError::Stale { .. } => 4,
            ConnectError::NotTheRelay(_) => 5,
        }
    }
    if rank(other) >= rank(one) { other } else { one }
}

fn tls_key(connection: &Connection) -> Option<[u8; 32]> {
    let identity = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    tls::key_hash(identity.first()?)
}

fn client_config() -> Result<ClientConfig, ConnectError> {
    let tls = tls::config().map_err(|_| ConnectError::Socket)?;
    let quic = QuicClientConfig::try_from(tls).map_err(|_| ConnectError::Socket)?;
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .max_idle_timeout(Some(VarInt::from_u32(IDLE_TIMEOUT_MS).into()))
        .keep_alive_interval(Some(KEEP_ALIVE))
        // The spin bit would show the line's round trip to an observer (RFC 9000 §17.4).
        .allow_spin(false);
    // No padding to the MTU: a padded acknowledgement counts as in flight and is never acknowledged itself, so that two
    // lost ones fill the window of a bad line and nothing is said on it any more (quinn 0.11.12).
    let mut config = ClientConfig::new(Arc::new(quic));
    config.transport_config(Arc::new(transport));
    // Address tokens would let a relay link two connections.
    config.token_store(Arc::new(quinn::NoneTokenStore));
    Ok(config)
}

fn bind(domain: Domain, any: IpAddr) -> std::io::Result<Endpoint> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    // The system may refuse; the defaults carry a person's messages.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&SocketAddr::new(any, 0).into())?;
    let socket: UdpSocket = socket.into();
    Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))
}

#[cfg(test)]
mod tests;
