//! The one loop: input, engine step, commit, effects. It owns engine and store, reads the clock, and lets the transport
//! carry what the engine said; it makes no decision of its own.
//!
//! It runs on a runtime of its own, so that a front end which drops a call drops no work, and waits for the disk on
//! threads of its own.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use beresta_proto::id::RelayId;
use beresta_proto::reply::{Push, Reply};
use beresta_proto::time::Timestamp;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};

use crate::engine::{Answer, AskError, AskId, DialFailure, Effect, Engine, LinkUp, Token};
use crate::store::Store;

mod alert;
mod inbox;
mod lines;
mod trouble;

use inbox::{Inbox, Next};
use lines::Lines;
pub use trouble::StoreTrouble;
use trouble::Trouble;

/// How long the threads of a closed client may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// The loop looks at the clock at least this often: after a laptop slept, only the wall clock knows.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(30);

/// What the loop works on, one job at a time.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    asks: BTreeMap<AskId, oneshot::Sender<Result<Answer, AskError>>>,
}

type Job = Box<dyn FnOnce(&mut Desk, Timestamp) + Send>;

/// What the loop is told.
enum Input {
    Job(Job),
    LinkUp(RelayId, u64, Box<LinkUp>),
    DialFailed(RelayId, u64, DialFailure),
    LinkDown(RelayId, u64),
    Replied(RelayId, Token, Option<Reply>),
    /// On one link, one behind the other.
    Pushed(RelayId, u64, Vec<Push>),
    Close(Close),
}

/// The client is to be closed.
struct Close {
    /// Whether the profile is gone: the alert is said then.
    gone: bool,
    /// Told once keys and texts are out of memory, and the store is closed.
    released: oneshot::Sender<()>,
    /// Told once relays know, or the wait for them is over.
    done: oneshot::Sender<()>,
}

/// A client that is being closed.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) released: oneshot::Receiver<()>,
    pub(crate) done: oneshot::Receiver<()>,
}

/// The client is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client is closed")]
pub(crate) struct Closed;

/// The handle of a running loop.
pub(crate) struct Driver {
    inbox: mpsc::Sender<Input>,
    woken: watch::Receiver<u64>,
    trouble: watch::Receiver<StoreTrouble>,
    runtime: Mutex<Option<Runtime>>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { inbox: _, woken: _, trouble: _, runtime: _ } = self;
        f.write_str("Driver(..)")
    }
}

/// The clock of this machine. The only place in the library that reads it.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub(crate) fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Driver {
    /// A runtime for a driver.
    ///
    /// # Errors
    /// Those of the system, where it gives no thread.
    pub(crate) fn runtime() -> std::io::Result<Runtime> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("beresta")
            .enable_io()
            .enable_time()
            .build()
    }

    /// Starts the loop on `runtime`.
    pub(crate) fn start(runtime: Runtime, engine: Engine, store: Store, online: bool) -> Self {
        let (inbox, inputs) = Inbox::new();
        let (wake, woken) = watch::channel(0);
        let lines = Lines::new(inbox.clone(), online);
        let desk = Desk { engine, store, asks: BTreeMap::new() };
        let (tell, trouble) = Trouble::new();
        runtime.spawn(run(desk, lines, inputs, wake, tell));
        Self { inbox, woken, trouble, runtime: Mutex::new(Some(runtime)) }
    }

    /// Does `job` on the desk and waits for what it gives.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) async fn on_desk<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Desk, Timestamp) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        let (give, take) = oneshot::channel();
        let job: Job = Box::new(move |desk, now| {
            // A caller that went away does not want it any more; the work was done all the same.
            let _ = give.send(job(desk, now));
        });
        self.inbox.send(Input::Job(job)).await.map_err(|_| Closed)?;
        take.await.map_err(|_| Closed)
    }

    /// Starts a wish that a relay must answer, and waits for the answer.
    ///
    /// # Errors
    /// The outer one is [`Closed`].
    pub(crate) async fn wish(
        &self,
        wish: impl FnOnce(&mut Desk, Timestamp) -> Result<AskId, AskError> + Send + 'static,
    ) -> Result<Result<Answer, AskError>, Closed> {
        let (give, take) = oneshot::channel();
        let started = self
            .on_desk(move |desk, now| {
                let ask = wish(desk, now)?;
                desk.asks.insert(ask, give);
                Ok(())
            })
            .await?;
        match started {
            Ok(()) => take.await.map_err(|_| Closed),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Tells when something may have changed: events, states, the line. Each call gives a receiver of its own.
    pub(crate) fn woken(&self) -> watch::Receiver<u64> {
        self.woken.clone()
    }

    /// What is wrong with the store now.
    pub(crate) fn trouble(&self) -> StoreTrouble {
        *self.trouble.borrow()
    }

    /// Waits until what is wrong with the store is something else than what is `known`.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) async fn next_trouble(&self, known: StoreTrouble) -> Result<StoreTrouble, Closed> {
        let mut trouble = self.trouble.clone();
        let now = trouble.wait_for(|now| *now != known).await;
        now.map(|now| *now).map_err(|_| Closed)
    }

    /// Begins to end the loop, which drops keys and texts first. If the profile is `gone`, it then says the alert.
    pub(crate) async fn begin_close(&self, gone: bool) -> Closing {
        let ((released, is_released), (done, is_done)) = (oneshot::channel(), oneshot::channel());
        // If that fails, the loop has ended; the senders are dropped with what was not sent.
        let _ = self.inbox.send(Input::Close(Close { gone, released, done })).await;
        Closing { released: is_released, done: is_done }
    }

    /// Waits for the end of the loop and ends its threads.
    pub(crate) async fn end_close(&self, closing: Closing) {
        let _ = closing.done.await;
        let runtime = self.runtime.lock().ok().and_then(|mut runtime| runtime.take());
        if let Some(runtime) = runtime {
            end(runtime).await;
        }
    }
}

/// Ends a runtime and waits for its threads. They have used OpenSSL under SQLCipher, which takes itself apart when the
/// process ends: a thread that ends in the same moment would be taken apart twice.
pub(crate) async fn end(runtime: Runtime) {
    let (done, ended) = oneshot::channel();
    // Not from within a runtime, which must not wait for another one.
    std::thread::spawn(move || {
        runtime.shutdown_timeout(ENDS_WITHIN);
        let _ = done.send(());
    });
    let _ = ended.await;
}

impl Drop for Driver {
    fn drop(&mut self) {
        let runtime = self.runtime.get_mut().ok().and_then(Option::take);
        // A runtime may not be waited for from within another one.
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

async fn run(
    mut desk: Desk,
    mut lines: Lines,
    mut inbox: Inbox,
    wake: watch::Sender<u64>,
    mut trouble: Trouble,
) {
    blocking(|| {
        let now = clock();
        if desk.engine.handle_start(&mut desk.store, now).is_err() && trouble.failed(now) {
            tracing::error!("the store failed at start");
        }
    });
    perform(&mut desk, &mut lines, &mut trouble);
    loop {
        // Before the next input, which may be the last. Where the store fails, the next step meets that.
        let _ = blocking(|| desk.engine.ready_alert(&mut desk.store, clock()));
        trouble.tell(clock());
        let due = blocking(|| desk.engine.poll_timeout(&mut desk.store)).ok().flatten();
        let now = clock();
        let wait = due.map_or(LOOK_AT_CLOCK, |due| Duration::from_millis(due.since(now)).min(LOOK_AT_CLOCK));
        // Whatever is due then: a step that failed may have been the one that would have asked for the next.
        let pause = Duration::from_millis(trouble.pause(now));
        let wait = if pause.is_zero() { wait } else { pause };
        let input = match inbox.next_within(wait).await {
            Next::Input(Input::Close(Close { gone, released, done })) => {
                let alert = if gone { desk.engine.take_alert(clock()) } else { Vec::new() };
                // Keys and texts first: relays may take their time.
                blocking(|| drop(desk));
                let _ = released.send(());
                lines.say_alert(alert, &mut inbox).await;
                lines.close().await;
                let _ = done.send(());
                return;
            }
            Next::Input(input) => Some(input),
            Next::Time => None,
            Next::Nobody => return,
        };
        // A call that only looked changes nothing: waking for it would make who waits look for ever.
        let looked = matches!(input, Some(Input::Job(_)));
        let pushed = match &input {
            Some(Input::Pushed(relay, ..)) => Some(*relay),
            _ => None,
        };
        let kept = blocking(|| step(&mut desk, &mut lines, &mut trouble, input));
        if let (Some(relay), Some(kept)) = (pushed, kept) {
            inbox.kept(relay, kept);
        }
        if perform(&mut desk, &mut lines, &mut trouble) || !looked {
            wake.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

/// Waits for the disk without keeping other tasks from running.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// Whether the step was kept; none where there was none to take.
fn step(desk: &mut Desk, lines: &mut Lines, trouble: &mut Trouble, input: Option<Input>) -> Option<bool> {
    let now = clock();
    let (engine, store) = (&mut desk.engine, &mut desk.store);
    let outcome = match input {
        None => engine.handle_timeout(store, now),
        Some(Input::Job(job)) => {
            job(desk, now);
            // Whoever gave it is told how it ended.
            return None;
        }
        Some(Input::LinkUp(relay, link, up)) if lines.is_current(relay, link) => {
            engine.handle_link_up(store, *up, now)
        }
        Some(Input::DialFailed(relay, link, failure)) if lines.dropped(relay, link) => {
            engine.handle_dial_failed(store, relay, failure, now)
        }
        Some(Input::LinkDown(relay, link)) if lines.dropped(relay, link) => {
            engine.handle_link_down(store, relay, now)
        }
        Some(Input::Replied(relay, token, reply)) => engine.handle_reply(store, relay, token, reply, now),
        Some(Input::Pushed(relay, link, pushes)) if lines.is_current(relay, link) => {
            engine.handle_pushes(store, relay, pushes, now)
        }
        // News of a link that was hung up on or replaced. A closing is handled before.
        Some(
            Input::LinkUp(..)
            | Input::DialFailed(..)
            | Input::LinkDown(..)
            | Input::Pushed(..)
            | Input::Close(_),
        ) => return None,
    };
    match outcome {
        Ok(()) => trouble.over(),
        // The engine hung up and acknowledged nothing: what came comes again once the disk has room.
        Err(_) if trouble.failed(now) => tracing::error!("the store failed"),
        Err(_) => {}
    }
    Some(outcome.is_ok())
}

/// Performs the effects of a step: whether there were any.
fn perform(desk: &mut Desk, lines: &mut Lines, trouble: &mut Trouble) -> bool {
    let mut any = false;
    while let Some(effect) = desk.engine.poll_effect() {
        any = true;
        match effect {
            Effect::Dial { relay, own, known_sequence } => lines.dial(relay, own, known_sequence),
            Effect::Transmit { relay, token, command } => lines.transmit(relay, token, command),
            Effect::HangUp { relay } => lines.hang_up(relay),
            Effect::Answer { ask, outcome } => {
                if let Some(asker) = desk.asks.remove(&ask) {
                    let _ = asker.send(outcome);
                }
            }
        }
    }
    // One that failed is due again after the next step.
    if desk.store.owes_scrub() && trouble.scrubbed(blocking(|| desk.store.scrub()).is_err()) {
        tracing::error!("the store could not be scrubbed");
    }
    any
}
