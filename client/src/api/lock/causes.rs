//! What locks a profile by itself, beside that nobody touches it: the machine slept, or the desktop was locked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::{ASLEEP, ASLEEP_LOOK, LOCKS_WITHIN, SAYS_WITHIN, asleep, end_process};
use crate::desktop::Session;

/// How long a desktop is asked for when a person wants to know whether there is one.
const ASK: Duration = Duration::from_secs(2);

/// What locks a profile by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockOn {
    /// The machine slept.
    pub sleep: bool,
    /// The session of the desktop was locked.
    pub session: bool,
}

/// What locks this process. Clones share it. A sleep does, until the profile is open and says otherwise.
#[derive(Debug, Clone, Default)]
pub struct LockCauses(Arc<Causes>);

#[derive(Debug, Default)]
struct Causes {
    sleep_is_off: AtomicBool,
    session: Notify,
}

impl LockCauses {
    /// Does from now on what the profile says that was just opened. Once a process.
    pub fn obey(&self, on: LockOn) {
        self.0.sleep_is_off.store(!on.sleep, Ordering::Relaxed);
        if on.session {
            let causes = self.clone();
            std::thread::spawn(move || causes.watch_session());
        }
    }

    pub(super) fn sleep_locks(&self) -> bool {
        !self.0.sleep_is_off.load(Ordering::Relaxed)
    }

    pub(super) async fn session_locked(&self) {
        self.0.session.notified().await;
    }

    /// Looks from a thread of its own, as for a sleep: the process may stand at a question.
    fn watch_session(&self) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        let locked = runtime.block_on(async { Session::find().await?.locked().await });
        if locked.is_ok() {
            self.0.session.notify_one();
            std::thread::sleep(LOCKS_WITHIN);
            end_process();
        }
    }
}

/// Whether somebody says when the desktop is locked.
pub async fn has_session() -> bool {
    matches!(tokio::time::timeout(ASK, Session::find()).await, Ok(Ok(_)))
}

/// Ends this process where the machine slept and the process does not lock by itself: it may stand at a question, or
/// before somebody who takes nothing of what it says. Looks from a thread of its own. Does `say` before.
pub fn end_after_sleep(causes: LockCauses, say: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || watch(asleep, || causes.sleep_locks(), std::thread::sleep, say));
}

pub(super) fn watch(
    asleep: impl Fn() -> Duration,
    locks: impl Fn() -> bool,
    pause: impl Fn(Duration),
    say: impl FnOnce() + Send + 'static,
) {
    let mut before = asleep();
    loop {
        let now = asleep();
        if now.saturating_sub(before) > ASLEEP {
            if locks() {
                break;
            }
            before = now;
        }
        pause(ASLEEP_LOOK);
    }
    // If it can, it notices as late as we do, and locks in order.
    pause(ASLEEP_LOOK);
    pause(LOCKS_WITHIN);
    // What holds the process up may hold this up, too.
    std::thread::spawn(say);
    pause(SAYS_WITHIN);
    end_process();
}
