//! The relay on its port: accepts, makes links, stops in order.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use beresta_proto::auth::Exporter;
use beresta_proto::label::LINK_EXPORTER;
use quinn::{Connection, Endpoint, Incoming, TokioRuntime, VarInt};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::admission::{Admission, Pass, Verdict};
use super::hub::Hub;
use super::link::{End, FIRST_COMMAND, LinkTask};
use super::tls::{BadTlsKey, TlsKey};
use super::{quic, socket, workers};
use crate::clock;
use crate::home::Home;
use crate::queue::QueueEngine;
use crate::random::SystemRandom;
use crate::relay::Relay;

/// Seconds after which clients come back when we stop.
const RECONNECT_SECONDS: u16 = 5;
/// How long what was begun may take to finish when we stop.
const FINISH: Duration = Duration::from_secs(10);
/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(20);
/// How long the last frames may take to reach the clients.
const LINGER: Duration = Duration::from_millis(500);

/// Why the relay does not listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, not ours, or not allowed: the operator's to mend.
    #[error("the address could not be bound")]
    Bind(ErrorKind),
    /// The TLS key's file is damaged.
    #[error(transparent)]
    Tls(#[from] BadTlsKey),
    /// The operating system gave no threads.
    #[error("the relay's threads could not be started")]
    Threads(ErrorKind),
}

/// A relay that listens.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    hub: Arc<Hub>,
    tasks: Vec<JoinHandle<()>>,
    roomy: bool,
}

impl Server {
    /// Binds and begins to accept. Must be called in a Tokio runtime.
    ///
    /// # Errors
    /// [`ServerError`]; nothing runs then.
    pub fn start(
        listen: SocketAddr,
        tls: &TlsKey,
        relay: Relay<SystemRandom>,
        engine: Arc<dyn QueueEngine>,
        home: &Home,
    ) -> Result<Self, ServerError> {
        let config = quic::server_config(tls.server()?);
        let bound = socket::bind(listen).map_err(|error| ServerError::Bind(error.kind()))?;
        let runtime = Arc::new(TokioRuntime);
        let endpoint =
            Endpoint::new(quic::endpoint_config(tls.resets()), Some(config), bound.socket, runtime)
                .map_err(|error| ServerError::Bind(error.kind()))?;
        let hub = Arc::new(Hub::new(relay, engine));
        // Weak, or the workers would keep the hub, which keeps them.
        let reports = Arc::downgrade(&hub);
        let report: workers::Report = Arc::new(move |ticket, worked| {
            if let Some(hub) = reports.upgrade() {
                hub.worked(ticket, worked);
            }
        });
        hub.employ(workers::start(home, &report).map_err(|error| ServerError::Threads(error.kind()))?);
        let tasks = vec![
            tokio::spawn(Arc::clone(&hub).run_answers()),
            tokio::spawn(Arc::clone(&hub).run_timer()),
            tokio::spawn(accept(endpoint.clone(), Arc::clone(&hub))),
        ];
        Ok(Self { endpoint, hub, tasks, roomy: bound.roomy })
    }

    /// Where it listens: with port 0, which port it became.
    #[must_use]
    pub fn listens_at(&self) -> Option<SocketAddr> {
        self.endpoint.local_addr().ok()
    }

    /// Whether the kernel gave the socket the buffers that a busy relay needs.
    #[must_use]
    pub const fn has_roomy_buffers(&self) -> bool {
        self.roomy
    }

    /// Stops: accepts nobody new, tells everybody, finishes what was begun, closes.
    pub async fn stop(self) {
        self.endpoint.set_server_config(None);
        self.hub.stop(RECONNECT_SECONDS);
        let finished = async {
            while self.hub.is_busy() {
                sleep(LOOK).await;
            }
        };
        // What is not finished by then was not acknowledged either.
        let _ = timeout(FINISH, finished).await;
        sleep(LINGER).await;
        self.endpoint.close(VarInt::from_u32(0), b"");
        let _ = timeout(LINGER, self.endpoint.wait_idle()).await;
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn accept(endpoint: Endpoint, hub: Arc<Hub>) {
    let admission = Arc::new(Admission::default());
    while let Some(incoming) = endpoint.accept().await {
        let from = incoming.remote_address().ip();
        match admission.arrive(from, incoming.remote_address_validated(), clock::now()) {
            Verdict::Enter(pass) => {
                tokio::spawn(shake(incoming, pass, Arc::clone(&hub)));
            }
            Verdict::Retry => {
                // It was not validated, so this can't fail; if it did, the drop refuses it.
                let _ = incoming.retry();
            }
            Verdict::Refuse => incoming.refuse(),
        }
    }
}

/// From a handshake to a link; a pass counts it as long as it lives.
async fn shake(incoming: Incoming, mut pass: Pass, hub: Arc<Hub>) {
    let Ok(connecting) = incoming.accept() else { return };
    let Ok(Ok(connection)) = timeout(FIRST_COMMAND, connecting).await else { return };
    pass.shaken();
    let mut exporter = [0; 32];
    if connection.export_keying_material(&mut exporter, LINK_EXPORTER, b"").is_err() {
        return;
    }
    let Ok(Ok(streams)) = timeout(FIRST_COMMAND, connection.accept_bi()).await else {
        return connection.close(VarInt::from_u32(crate::relay::CloseReason::Slow.code()), b"");
    };
    // A task of its own: what the handshake's future needed is given back while the link lives.
    tokio::spawn(run(connection, streams, Exporter(exporter), pass, hub));
}

async fn run(
    connection: Connection,
    streams: (quinn::SendStream, quinn::RecvStream),
    exporter: Exporter,
    pass: Pass,
    hub: Arc<Hub>,
) {
    let link = hub.connected(exporter);
    let id = link.0;
    let end = LinkTask::new(Arc::clone(&hub), link, streams).await;
    hub.closed(id);
    match end {
        // No words to the client beyond the number: it is for its author, not for a person.
        End::Ours(reason) => connection.close(VarInt::from_u32(reason.code()), b""),
        End::Theirs => connection.close(VarInt::from_u32(0), b""),
    }
    drop(pass);
}

#[cfg(test)]
mod tests;
