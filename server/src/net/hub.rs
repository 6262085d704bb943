//! The one lock around the core, and what goes in and out under it. Sections are short: slow work goes to the workers
//! and the engine, and their answers are taken in batches by one task, so that a group commit wakes each link once.

use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

use beresta_proto::auth::Exporter;
use beresta_proto::id::{ReadId, SendId};
use beresta_proto::time::Timestamp;
use tokio::sync::{Notify, oneshot};

use super::counts::Counts;
use super::outbox::Outbox;
use super::workers::{Done, Task};
use crate::clock;
use crate::queue::{Answer, Op, QueueEngine, QueueRef, ReadName, SendName};
use crate::random::SystemRandom;
use crate::relay::{LinkId, Output, Relay, Ticket};

/// Answers that are taken under the lock at once.
const BATCH: usize = 256;
/// The timer looks at the clock at least this often, because a clock may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

#[derive(Debug)]
enum Heard {
    Stored(Ticket, Answer),
    Done(Done),
}

#[derive(Debug)]
struct State {
    relay: Relay<SystemRandom>,
    outboxes: HashMap<LinkId, Arc<Outbox>>,
    links: u64,
    /// For when the timer has set itself.
    due: Timestamp,
}

/// Where everything meets.
pub(super) struct Hub {
    state: Mutex<State>,
    engine: Arc<dyn QueueEngine>,
    workers: OnceLock<Sender<Task>>,
    heard: Mutex<Vec<Heard>>,
    woken: Notify,
    hurried: Notify,
    understaffed: Notify,
    counts: Counts,
}

impl core::fmt::Debug for Hub {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            state: _,
            engine: _,
            workers: _,
            heard: _,
            woken: _,
            hurried: _,
            understaffed: _,
            counts: _,
        } = self;
        f.write_str("Hub(..)")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    pub(super) fn new(relay: Relay<SystemRandom>, engine: Arc<dyn QueueEngine>) -> Self {
        Self {
            state: Mutex::new(State { relay, outboxes: HashMap::new(), links: 0, due: Timestamp(0) }),
            engine,
            workers: OnceLock::new(),
            heard: Mutex::new(Vec::new()),
            woken: Notify::new(),
            hurried: Notify::new(),
            understaffed: Notify::new(),
            counts: Counts::default(),
        }
    }

    /// Hands over the workers, whose reports come back by [`Hub::worked`].
    pub(super) fn employ(&self, workers: Sender<Task>) {
        let _ = self.workers.set(workers);
    }

    pub(super) fn worked(&self, done: Done) {
        lock(&self.heard).push(Heard::Done(done));
        self.woken.notify_one();
    }

    fn stored(&self, ticket: Ticket, answer: Answer) {
        lock(&self.heard).push(Heard::Stored(ticket, answer));
        self.woken.notify_one();
    }

    /// Hands something to the core, and then does what it asks for.
    fn with<T>(self: &Arc<Self>, f: impl FnOnce(&mut State) -> T) -> T {
        let mut wakers: Vec<Waker> = Vec::new();
        let mut state = lock(&self.state);
        let result = f(&mut state);
        while let Some(output) = state.relay.poll_output() {
            wakers.extend(self.perform(&mut state, output));
        }
        let due = state.relay.poll_timeout();
        if due < state.due {
            state.due = due;
            self.hurried.notify_one();
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    fn perform(self: &Arc<Self>, state: &mut State, output: Output) -> Option<Waker> {
        match output {
            Output::Frame { link, bytes } => state.outboxes.get(&link)?.put(bytes),
            Output::Resume { link } => state.outboxes.get(&link)?.resume(),
            Output::Close { link, reason } => state.outboxes.remove(&link)?.close(reason),
            Output::Engine { ticket, op } => {
                // An answer that comes when all is over must not keep the engine from ending.
                let hub = Arc::downgrade(self);
                let told = move |answer| {
                    if let Some(hub) = hub.upgrade() {
                        hub.stored(ticket, answer);
                    }
                };
                // Under the lock, so that the engine hears what changes one queue in the core's order.
                self.engine.submit(op, Box::new(told));
                None
            }
            Output::Work { ticket, job } => {
                self.task(Task::Job(ticket, job));
                None
            }
            Output::KeepEpochs { ticket, keys } => {
                self.task(Task::KeepEpochs(ticket, keys));
                None
            }
        }
    }

    fn task(&self, task: Task) {
        if self.workers.get().is_none_or(|workers| workers.send(task).is_err()) {
            tracing::error!("a worker is missing");
            self.understaffed.notify_one();
        }
    }

    /// Waits until there is nobody for a task that was to be done.
    pub(super) async fn misses_a_worker(&self) {
        self.understaffed.notified().await;
    }

    pub(super) fn connected(self: &Arc<Self>, exporter: Exporter) -> (LinkId, Arc<Outbox>) {
        self.with(|state| {
            state.links = state.links.saturating_add(1);
            let link = LinkId(state.links);
            let outbox = Arc::new(Outbox::default());
            state.outboxes.insert(link, Arc::clone(&outbox));
            state.relay.handle_connected(link, exporter, clock::now());
            (link, outbox)
        })
    }

    pub(super) fn closed(self: &Arc<Self>, link: LinkId) {
        self.with(|state| {
            state.outboxes.remove(&link);
            state.relay.handle_closed(link);
        });
    }

    /// Hands over the frames that `next` gives, as long as the link may be read from. Says whether it still may. So many bytes
    /// were written to it meanwhile.
    pub(super) fn frames<'f>(
        self: &Arc<Self>,
        link: LinkId,
        written: usize,
        mut next: impl FnMut() -> Option<&'f [u8]>,
    ) -> bool {
        self.with(|state| {
            let now = clock::now();
            if written > 0 {
                state.relay.handle_written(link, written, now);
            }
            loop {
                if !state.relay.may_read(link) {
                    return false;
                }
                match next() {
                    Some(frame) => state.relay.handle_frame(link, frame, now),
                    None => return true,
                }
            }
        })
    }

    pub(super) fn written(self: &Arc<Self>, link: LinkId, bytes: usize) {
        self.with(|state| state.relay.handle_written(link, bytes, clock::now()));
    }

    pub(super) fn renew(self: &Arc<Self>, descriptor: Vec<u8>) {
        self.with(|state| state.relay.handle_renewed(descriptor));
    }

    pub(super) fn stop(self: &Arc<Self>, soonest: u16, latest: u16) {
        self.with(|state| state.relay.handle_stop(soonest, latest));
    }

    pub(super) fn thin_out(self: &Arc<Self>, now: Timestamp) {
        self.with(|state| state.relay.handle_crowded(now));
    }

    pub(super) fn pause(self: &Arc<Self>, paused: bool) {
        self.with(|state| state.relay.handle_paused(paused));
    }

    pub(super) fn deleted(self: &Arc<Self>, queue: QueueRef) {
        self.with(|state| state.relay.handle_deleted(queue));
    }

    /// The names under which a queue with this id would be kept.
    pub(super) fn names(&self, send: &SendId, read: &ReadId) -> (SendName, ReadName) {
        let state = lock(&self.state);
        let namer = state.relay.namer();
        (namer.send(send), namer.read(read))
    }

    /// Looks at the core, shortly.
    pub(super) fn look<T>(&self, at: impl FnOnce(&Relay<SystemRandom>) -> T) -> T {
        at(&lock(&self.state).relay)
    }

    /// What was refused and closed.
    pub(super) const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Asks the engine past the core: for the operator.
    pub(super) async fn consult(&self, op: Op) -> Answer {
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        self.engine.submit(op, Box::new(move |answer| drop(tell.take().map(|tell| tell.send(answer)))));
        told.await.unwrap_or(Answer::Failed)
    }

    pub(super) fn is_busy(&self) -> bool {
        lock(&self.state).relay.is_busy()
    }

    /// Takes answers of the engine and the workers, for ever.
    pub(super) async fn run_answers(self: Arc<Self>) {
        loop {
            self.woken.notified().await;
            // Whoever else is ready goes first: meanwhile the other answers of the same commit come in.
            tokio::task::yield_now().await;
            let heard = core::mem::take(&mut *lock(&self.heard));
            let mut heard = heard.into_iter().peekable();
            while heard.peek().is_some() {
                self.with(|state| {
                    let now = clock::now();
                    for one in heard.by_ref().take(BATCH) {
                        match one {
                            Heard::Stored(ticket, answer) => state.relay.handle_stored(ticket, answer, now),
                            Heard::Done(Done::Worked(ticket, worked)) => {
                                state.relay.handle_opened(ticket, worked, now);
                            }
                            Heard::Done(Done::Kept(ticket, kept)) => {
                                state.relay.handle_kept(ticket, kept, now);
                            }
                        }
                    }
                });
            }
        }
    }

    /// Lets time pass, for ever.
    pub(super) async fn run_timer(self: Arc<Self>) {
        loop {
            let due = self.with(|state| {
                state.relay.handle_timeout(clock::now());
                state.due = state.relay.poll_timeout();
                state.due
            });
            let wait = Duration::from_millis(due.since(clock::now()));
            let wait = wait.clamp(Duration::from_millis(50), LONGEST_SLEEP);
            // Until then, or until something comes that is due earlier.
            let _ = tokio::time::timeout(wait, self.hurried.notified()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use beresta_proto::id::RelayId;
    use beresta_proto::key::SigningKey;
    use beresta_proto::time::HOUR_MS;

    use super::*;
    use crate::queue::memory::MemoryEngine;
    use crate::queue::{Completion, Namer, rules::Cap};
    use crate::relay::{Identity, Limits};

    fn relay() -> Relay<SystemRandom> {
        let identity = Identity {
            relay: RelayId([1; 32]),
            descriptor: Vec::new(),
            epoch_signer: SigningKey::take(&mut [2; 32]),
            epochs: None,
            namer: Namer::new(&[3; 32]),
        };
        let rng = SystemRandom::new().unwrap();
        Relay::new(identity, Limits::default(), clock::now(), rng).unwrap()
    }

    /// An engine that does not answer.
    #[derive(Default)]
    struct Silent(Mutex<Vec<Completion>>);

    impl QueueEngine for Silent {
        fn submit(&self, _: Op, done: Completion) {
            lock(&self.0).push(done);
        }
    }

    #[test]
    fn an_answer_that_never_came_keeps_no_engine_from_ending() {
        let engine = Arc::new(Silent::default());
        let hub = Arc::new(Hub::new(relay(), Arc::clone(&engine) as Arc<dyn QueueEngine>));
        // It sweeps.
        hub.with(|state| state.relay.handle_timeout(clock::now().plus(HOUR_MS)));
        assert_eq!(lock(&engine.0).len(), 1);
        drop(hub);
        assert_eq!(Arc::strong_count(&engine), 1);
    }

    #[tokio::test]
    async fn the_timer_is_woken_when_something_comes_due_earlier_and_only_then() {
        let hub = Arc::new(Hub::new(relay(), Arc::new(MemoryEngine::new(Cap { bytes: 1 << 20 }))));
        lock(&hub.state).due = Timestamp(u64::MAX);
        let mut woken = Vec::new();
        for _ in 0..2 {
            hub.with(|_| ());
            woken.push(tokio::time::timeout(Duration::ZERO, hub.hurried.notified()).await.is_ok());
        }
        assert_eq!(woken, [true, false]);
    }
}
