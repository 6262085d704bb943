//! The relay on its port: accepts, makes links, stops in order.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use beresta_proto::auth::Exporter;
use beresta_proto::label::LINK_EXPORTER;
use beresta_proto::time::Timestamp;
use quinn::{Endpoint, Incoming, Runtime as _, VarInt};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use zeroize::zeroize_stack;

use super::admin::{self, Desk};
use super::admission::{Admission, Pass, Verdict};
use super::alias::{AliasSocket, Aliases, Lease};
use super::counts::Refused;
use super::crowd::Crowd;
use super::flow::Flow;
use super::hub::Hub;
use super::link::{End, FIRST_COMMAND, LinkTask};
use super::scrape::{self, Booth};
use super::socket::{Drops, Loopback};
use super::survey::Survey;
use super::tasks::Tasks;
use super::tls::{BadTlsKey, TlsKey};
use super::{quic, socket, tasks, workers};
use crate::clock;
use crate::home::Home;
use crate::queue::rules::Cap;
use crate::queue::{Health, QueueEngine};
use crate::random::SystemRandom;
use crate::relay::{CloseReason, LinkId, Output, Relay};

/// Seconds after which the first clients come back when we stop, and the last.
const RECONNECT_SECONDS: (u16, u16) = (5, 60);
/// How long what was begun may take to finish when we stop.
const FINISH: Duration = Duration::from_secs(10);
/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(20);
/// How long the last frames may take to reach the clients.
const LINGER: Duration = Duration::from_millis(500);
/// Bytes of stack that a judgement needs.
const JUDGING: usize = 4 * 1024;

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
    /// The operator's socket could not be made.
    #[error("the operator's socket could not be made")]
    Admin(ErrorKind),
    /// The address for who scrapes is taken or not allowed.
    #[error("the address for metrics could not be bound")]
    Metrics(ErrorKind),
}

/// A relay that listens.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    hub: Arc<Hub>,
    /// What runs as long as the relay does: none of them ends by itself.
    tasks: JoinSet<()>,
    roomy: bool,
    drops: Option<Drops>,
    drain: Arc<Notify>,
    #[cfg(test)]
    admission: Arc<Admission>,
}

impl Server {
    /// Binds and begins to accept, so many links at once. Must be called in a Tokio runtime.
    ///
    /// # Errors
    /// [`ServerError`]; nothing runs then.
    pub fn start(
        listen: SocketAddr,
        crowd: Crowd,
        tls: &TlsKey,
        mut relay: Relay<SystemRandom>,
        engine: Arc<dyn QueueEngine>,
        home: &Home,
    ) -> Result<Self, ServerError> {
        let config = quic::server_config(tls.server()?);
        let failed = |error: std::io::Error| ServerError::Bind(error.kind());
        let bound = socket::bind(listen).map_err(failed)?;
        let runtime = Arc::new(Tasks);
        let rng = SystemRandom::new().map_err(|_| ServerError::Bind(ErrorKind::Other))?;
        let (aliases, admission) = (Aliases::new(rng), Arc::new(Admission::new(crowd)));
        let under = runtime.wrap_udp_socket(bound.socket).map_err(failed)?;
        let ours = quic::endpoint_config(tls.resets());
        let longest = usize::try_from(ours.get_max_udp_payload_size()).unwrap_or(usize::MAX);
        let socket = Arc::new(AliasSocket::new(under, Arc::clone(&aliases), longest));
        let endpoint =
            Endpoint::new_with_abstract_socket(ours, Some(config), socket, runtime).map_err(failed)?;
        // Before anybody asks: a key is handed out once it is on the disk, and nothing else is asked for yet.
        while let Some(Output::KeepEpochs { ticket, keys }) = relay.poll_output() {
            relay.handle_kept(ticket, workers::keep_epochs(home, &keys), clock::now());
        }
        let hub = Arc::new(Hub::new(relay, engine));
        // Weak, or the workers would keep the hub, which keeps them.
        let reports = Arc::downgrade(&hub);
        let report: workers::Report = Arc::new(move |done| {
            if let Some(hub) = reports.upgrade() {
                hub.worked(done);
            }
        });
        hub.employ(workers::start(home, &report).map_err(|error| ServerError::Threads(error.kind()))?);
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&hub).run_answers());
        tasks.spawn(Arc::clone(&hub).run_timer());
        let (doorkeeper, within) = (Arc::clone(&admission), Arc::clone(&hub));
        tasks.spawn(Arc::clone(&aliases).keep(move || look_at_places(&doorkeeper, &within, clock::now())));
        tasks.spawn(accept(endpoint.clone(), aliases, Arc::clone(&admission), Arc::clone(&hub)));
        Ok(Self {
            endpoint,
            hub,
            tasks,
            roomy: bound.roomy,
            drops: bound.drops,
            drain: Arc::default(),
            #[cfg(test)]
            admission,
        })
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

    /// Hands out another descriptor, signed, as it stands on the wire, from now on.
    pub fn renew(&self, descriptor: Vec<u8>) {
        self.hub.renew(descriptor);
    }

    /// Waits for as long as the relay works: until a part of it has ended that must not, by a fault of the program. It can
    /// only be stopped then; to go on would be to take frames and answer none.
    pub async fn fails(&mut self) {
        tokio::select! {
            _ = self.tasks.join_next() => {}
            () = self.hub.misses_a_worker() => {}
        }
        tracing::error!("a part of the relay has ended, and so the relay stops");
    }

    /// Lets the operator in, through the socket in the relay's folder.
    ///
    /// # Errors
    /// [`ServerError::Admin`]; the relay goes on without.
    pub fn administer(&mut self, home: &Home, cap: Cap, health: Arc<Health>) -> Result<(), ServerError> {
        let listener = admin::listen(home).map_err(|error| ServerError::Admin(error.kind()))?;
        let desk = Desk {
            survey: self.survey(cap, health),
            home: home.clone(),
            since: clock::now(),
            drain: Arc::clone(&self.drain),
        };
        self.tasks.spawn(admin::serve(listener, desk));
        Ok(())
    }

    /// Shows how the relay is, made coarse, to who scrapes at `at`. Says where: with port 0, which port it became.
    ///
    /// # Errors
    /// [`ServerError::Metrics`]; the relay goes on without.
    pub fn publish(
        &mut self,
        at: Loopback,
        cap: Cap,
        health: Arc<Health>,
    ) -> Result<SocketAddr, ServerError> {
        let failed = |error: std::io::Error| ServerError::Metrics(error.kind());
        let rng = SystemRandom::new().map_err(|_| ServerError::Metrics(ErrorKind::Other))?;
        let listener = scrape::listen(at.address()).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let booth = Arc::new(Booth::new(rng));
        self.tasks.spawn(Arc::clone(&booth).keep(self.survey(cap, health)));
        self.tasks.spawn(booth.serve(listener));
        Ok(bound)
    }

    fn survey(&self, cap: Cap, health: Arc<Health>) -> Survey {
        Survey { hub: Arc::clone(&self.hub), cap, roomy: self.roomy, drops: self.drops, health }
    }

    /// Waits until the operator wants everybody sent away and the relay stopped.
    pub fn drain_order(&self) -> impl Future<Output = ()> + use<> {
        let drain = Arc::clone(&self.drain);
        async move { drain.notified().await }
    }

    /// Stops: accepts nobody new, tells everybody, waits for at most `patience` until they hung up, or until `hurry` is over,
    /// finishes what was begun, closes. Without patience that takes at most 11 seconds.
    pub async fn stop(mut self, patience: Duration, hurry: impl Future<Output = ()>) {
        self.endpoint.set_server_config(None);
        self.hub.stop(RECONNECT_SECONDS.0, RECONNECT_SECONDS.1);
        let gone = async {
            while self.hub.look(Relay::links) > 0 {
                sleep(LOOK).await;
            }
        };
        tokio::select! {
            _ = timeout(patience, gone) => {}
            () = hurry => {}
        }
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
        self.tasks.abort_all();
    }
}

/// Forgets whom nobody has to remember, and where places are short frees those that are held for nothing.
fn look_at_places(admission: &Admission, hub: &Arc<Hub>, now: Timestamp) {
    admission.forget(now);
    if admission.is_crowded() {
        hub.thin_out(now);
    }
}

async fn accept(endpoint: Endpoint, aliases: Arc<Aliases>, admission: Arc<Admission>, hub: Arc<Hub>) {
    while let Some(incoming) = endpoint.accept().await {
        let verdict = judge(&aliases, &admission, &incoming);
        zeroize_stack::<JUDGING>();
        match verdict {
            Some(Verdict::Enter(pass)) => match aliases.hold(incoming.remote_address()) {
                Some(lease) => {
                    tokio::spawn(shake(incoming, Guest { pass: Arc::new(pass), lease }, Arc::clone(&hub)));
                }
                None => incoming.ignore(),
            },
            Some(Verdict::Retry) => {
                // It was not validated, so this can't fail; if it did, the drop refuses it.
                let _ = incoming.retry();
            }
            Some(Verdict::Refuse(why)) => {
                hub.counts().refuse(why);
                incoming.refuse();
            }
            // It waited for so long that nobody knows any more who it is.
            None => incoming.ignore(),
        }
    }
}

/// Judges who knocks by the real address, which leaves its traces on the stack.
#[inline(never)]
fn judge(aliases: &Aliases, admission: &Arc<Admission>, incoming: &Incoming) -> Option<Verdict> {
    let from = aliases.address(incoming.remote_address())?;
    Some(admission.arrive(from.ip(), incoming.remote_address_validated(), clock::now()))
}

/// Somebody who was let in: held as long as it is here, and counted as long as QUIC knows it.
struct Guest {
    pass: Arc<Pass>,
    lease: Lease,
}

/// From a handshake to a link.
async fn shake(incoming: Incoming, mut guest: Guest, hub: Arc<Hub>) {
    let failed = || hub.counts().refuse(Refused::Handshake);
    if incoming.remote_address_validated() {
        guest.lease.prove();
    }
    let Ok(connecting) = tasks::accept(incoming, &guest.pass) else { return failed() };
    let Ok(Ok(connection)) = timeout(FIRST_COMMAND, connecting).await else { return failed() };
    guest.lease.prove();
    let flow = Flow::new(connection.clone(), Arc::clone(&guest.pass));
    guest.lease.follow(Arc::clone(&flow));
    if !guest.pass.shaken(clock::now()) {
        hub.counts().refuse(Refused::Crowded);
        return connection.close(VarInt::from_u32(CloseReason::OverRate.code()), b"");
    }
    let mut exporter = [0; 32];
    if connection.export_keying_material(&mut exporter, LINK_EXPORTER, b"").is_err() {
        return failed();
    }
    let Ok(Ok(streams)) = timeout(FIRST_COMMAND, connection.accept_bi()).await else {
        failed();
        return connection.close(VarInt::from_u32(CloseReason::Slow.code()), b"");
    };
    // A task of its own: what the handshake's future needed is given back while the link lives.
    tokio::spawn(run(flow, streams, Exporter(exporter), guest, hub));
}

async fn run(
    flow: Arc<Flow>,
    streams: (quinn::SendStream, quinn::RecvStream),
    exporter: Exporter,
    guest: Guest,
    hub: Arc<Hub>,
) {
    flow.widen(false);
    let (id, outbox) = hub.connected(exporter);
    let registered = Registered { hub: Arc::clone(&hub), id };
    let mut task = LinkTask::new(Arc::clone(&hub), (id, outbox), streams, Arc::clone(&flow));
    let end = (&mut task).await;
    drop(registered);
    match end {
        End::Theirs if flow.is_wasteful() => hub.counts().close(CloseReason::OverRate),
        // No words to the client beyond the number: it is for its author, not for a person.
        End::Ours(reason) => {
            hub.counts().close(reason);
            flow.connection().close(VarInt::from_u32(reason.code()), b"");
        }
        End::Theirs => flow.connection().close(VarInt::from_u32(0), b""),
    }
    // QUIC knows it for a while yet: without what it was to carry, and without wide windows.
    drop(task);
    flow.narrow();
    drop(guest);
}

/// A link that the core knows. It is forgotten however its task ends, a panic in it included: else its subscriptions
/// would hold back what another link of the same reader could take.
struct Registered {
    hub: Arc<Hub>,
    id: LinkId,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.hub.closed(self.id);
    }
}

#[cfg(test)]
mod tests;
