//! Locking a profile, also one that another process has open; and what a process that has it open waits for to lock
//! itself.
//!
//! A process that is told to lock closes its profile and ends. What it had in memory goes with it.

use std::path::Path;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Client, Error};
use crate::store::Holder;

mod causes;

pub use causes::{LockCauses, LockOn, end_after_sleep, has_session};

/// How long a process that was told to lock may take before it is killed: it may wait for a disk, or at a question.
const LOCKS_WITHIN: Duration = Duration::from_secs(3);

/// How long somebody who has the profile open is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Whom we told to lock: before it is killed, and then once more.
    told: Duration,
    /// Who can't be told.
    unknown: Duration,
}

impl Patience {
    const LOCK: Self = Self { told: LOCKS_WITHIN, unknown: Duration::from_secs(6) };
    pub(super) const PANIC: Self = Self { told: Duration::from_millis(500), unknown: Duration::from_secs(1) };
    /// Under duress: waiting would show beside the time that a wrong passphrase takes.
    pub(super) const DURESS: Self = Self { told: LOCKS_WITHIN, unknown: Duration::ZERO };
}

/// How often we look whether it has ended.
const LOOK: Duration = Duration::from_millis(10);
/// How often we look whether the machine slept. It wakes the processor, so not more often.
const ASLEEP_LOOK: Duration = Duration::from_secs(2);
/// Clocks that are read one after the other differ by less than this.
const ASLEEP: Duration = Duration::from_millis(500);
/// How long last words may take.
const SAYS_WITHIN: Duration = Duration::from_millis(500);

/// Why a profile is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockReason {
    /// Another process asked for it, or destroyed the profile.
    Told,
    /// Nobody did anything for the time that the profile sets.
    Idle,
    /// The machine slept.
    Slept,
    /// The session of the desktop was locked.
    Session,
}

/// After how long an idle profile locks, unless the person says otherwise: see `docs/decisions/0010`.
pub const IDLE_DEFAULT: Duration = Duration::from_secs(600);
/// The shortest and the longest that may be set.
pub const IDLE_BOUNDS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));

/// Whether another process had the profile open, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There was none.
    Nobody,
    /// It closed the profile.
    InOrder,
    /// It did not in its time, and was killed. Nothing that it had kept is lost; its screen shows what it showed.
    Killed,
}

/// Has every other process close the profile in `dir`. Waits for it, a few seconds at the most.
///
/// # Errors
/// [`Error::NoProfile`] if there is no such folder; [`Error::InUse`] if somebody has it open whom this system can't
/// reach.
pub fn lock_others(dir: &Path) -> Result<Ended, Error> {
    if !dir.exists() {
        return Err(Error::NoProfile);
    }
    end_holder(dir, Patience::LOCK)
}

/// Has whoever has the profile in `dir` open close it.
///
/// # Errors
/// [`Error::InUse`] if they can't be told, or did not end.
pub(super) fn end_holder(dir: &Path, patience: Patience) -> Result<Ended, Error> {
    end_holder_with(dir, patience, || std::thread::sleep(LOOK))
}

fn end_holder_with(dir: &Path, patience: Patience, mut pause: impl FnMut()) -> Result<Ended, Error> {
    let mut told = None;
    let mut waited = Duration::ZERO;
    loop {
        match (Holder::of(dir)?, &told) {
            (Holder::Process(process), None) => {
                process.tell_to_lock();
                told = Some(process);
            }
            (Holder::Process(process), Some(before)) if process == *before => {}
            (Holder::Unknown, None) if waited < patience.unknown => {}
            (Holder::Unknown, None) => return Err(Error::InUse),
            (Holder::Nobody, None) => return Ok(Ended::Nobody),
            // It ended. Whoever opened the profile since did so with the passphrase.
            (Holder::Nobody | Holder::Unknown | Holder::Process(_), Some(_)) => {
                return Ok(if waited > patience.told { Ended::Killed } else { Ended::InOrder });
            }
        }
        if told.is_some() && waited > patience.told.saturating_mul(2) {
            return Err(Error::InUse);
        }
        pause();
        let before = waited;
        waited = waited.saturating_add(LOOK);
        if let Some(process) = &told
            && before <= patience.told
            && waited > patience.told
        {
            process.kill();
        }
    }
}

/// Ends this process if it has not ended by itself in this time, however it hangs. Does `last` before, which must not wait.
/// What was committed is safe; what was in memory goes with it.
pub(super) fn end_within(time: Duration, last: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        last();
        end_process();
    });
}

/// As by `kill -9`: nothing that hangs can hold it up.
fn end_process() {
    #[cfg(unix)]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort();
}

/// Ends this process if a lock does not end it in the time after which another process would kill it: its terminal may be
/// stopped.
pub fn lock_in_time() {
    end_within(LOCKS_WITHIN, || {});
}

/// Listens for the word by which another process has us lock. From its making on that word does not end the process.
#[derive(Debug)]
pub struct LockWord {
    causes: LockCauses,
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl LockWord {
    /// Begins to listen, on a runtime. A system that refuses ends the process when the word comes, which locks as well.
    #[must_use]
    pub fn listen(causes: LockCauses) -> Self {
        Self {
            causes,
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1()).ok(),
        }
    }

    /// Waits for the word, for the machine to wake up after a sleep, or for the desktop to be locked.
    pub async fn spoken(&mut self) -> LockReason {
        let causes = self.causes.clone();
        tokio::select! {
            () = self.told() => LockReason::Told,
            () = slept(asleep, || causes.sleep_locks()) => LockReason::Slept,
            () = causes.session_locked() => LockReason::Session,
        }
    }

    async fn told(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// How long the machine has slept since it was started. Only Linux says so.
fn asleep() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::time::{ClockId, Timespec, clock_gettime};
        let span = |time: Timespec| {
            let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
            Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
        };
        let awake = span(clock_gettime(ClockId::Monotonic));
        span(clock_gettime(ClockId::Boottime)).saturating_sub(awake)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    Duration::ZERO
}

/// Waits until the machine has slept longer than it had before, at a time at which that locks.
async fn slept(asleep: impl Fn() -> Duration, locks: impl Fn() -> bool) {
    let mut before = asleep();
    loop {
        tokio::time::sleep(ASLEEP_LOOK).await;
        let now = asleep();
        if now.saturating_sub(before) > ASLEEP {
            if locks() {
                return;
            }
            before = now;
        }
    }
}

/// Notes what a person does, and waits for the time in which they do nothing.
#[derive(Debug, Default)]
pub struct Idle(Notify);

impl Idle {
    /// The person did something.
    pub fn touch(&self) {
        self.0.notify_one();
    }

    /// Waits until nobody did anything for so long; for ever if it is none.
    pub async fn over(&self, after: Option<Duration>) {
        let Some(after) = after else { return std::future::pending().await };
        while tokio::time::timeout(after, self.0.notified()).await.is_ok() {}
    }
}

impl Client {
    /// After how long without a sign of the person the profile locks; none if it does not.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn idle_lock(&self) -> Result<Option<Duration>, Error> {
        let kept = self.rows(|tx| Ok(tx.idle_lock()?)).await?;
        let span = |seconds: u32| (seconds != 0).then(|| Duration::from_secs(u64::from(seconds)));
        Ok(kept.map_or(Some(IDLE_DEFAULT), span))
    }

    /// What else locks the profile.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn lock_on(&self) -> Result<LockOn, Error> {
        let (sleep, session) = self.rows(|tx| Ok(tx.lock_on()?)).await?;
        Ok(LockOn { sleep, session })
    }

    /// Sets what else locks the profile.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn set_lock_on(&self, on: LockOn) -> Result<(), Error> {
        self.rows(move |tx| Ok(tx.set_lock_on(on.sleep, on.session)?)).await
    }

    /// Sets after how long the profile locks: a minute to a day, or none for never.
    ///
    /// # Errors
    /// [`Error::BadTimer`] for another time.
    pub async fn set_idle_lock(&self, after: Option<Duration>) -> Result<(), Error> {
        let (shortest, longest) = IDLE_BOUNDS;
        let seconds = match after {
            None => 0,
            Some(after) if after < shortest || after > longest => return Err(Error::BadTimer),
            Some(after) => u32::try_from(after.as_secs()).map_err(|_| Error::BadTimer)?,
        };
        self.rows(move |tx| Ok(tx.set_idle_lock(seconds)?)).await
    }
}

#[cfg(test)]
mod tests;
