//! What waits to be said on one link. Filled under the hub's lock, emptied by the link's task. How much may wait, the
//! core decides: it counts what was not reported as written.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;

use crate::relay::CloseReason;

/// What the link's task has to do.
#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    resume: bool,
    close: Option<CloseReason>,
    waker: Option<Waker>,
}

/// What waits for one link's task.
#[derive(Debug, Default)]
pub(super) struct Outbox(Mutex<Waiting>);

/// What was taken out.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) resume: bool,
    pub(super) close: Option<CloseReason>,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, frame: Vec<u8>) -> Option<Waker> {
        let mut waiting = self.lock();
        waiting.frames.push_back(Bytes::from(frame));
        waiting.waker.take()
    }

    pub(super) fn resume(&self) -> Option<Waker> {
        let mut waiting = self.lock();
        waiting.resume = true;
        waiting.waker.take()
    }

    pub(super) fn close(&self, reason: CloseReason) -> Option<Waker> {
        let mut waiting = self.lock();
        waiting.close = Some(reason);
        waiting.waker.take()
    }

    /// Until the next [`Outbox::take`] nobody is woken: what a task brings about itself, it sees by itself.
    pub(super) fn hush(&self) -> Taken {
        let mut waiting = self.lock();
        waiting.waker = None;
        Taken { resume: core::mem::take(&mut waiting.resume), close: waiting.close }
    }

    /// Moves all frames behind those in `frames`; `waker` is woken by what comes next.
    pub(super) fn take(&self, frames: &mut VecDeque<Bytes>, waker: &Waker) -> Taken {
        let mut waiting = self.lock();
        frames.append(&mut waiting.frames);
        if !waiting.waker.as_ref().is_some_and(|one| one.will_wake(waker)) {
            waiting.waker = Some(waker.clone());
        }
        Taken { resume: core::mem::take(&mut waiting.resume), close: waiting.close }
    }
}
