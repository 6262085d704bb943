//! A few threads for what would hold everybody up: opening headers, checking signatures, writing the epoch keys.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use zeroize::Zeroizing;

use crate::home::{Home, Name};
use crate::relay::{Job, Ticket, Worked};

/// What a worker does.
pub(super) enum Task {
    Job(Ticket, Job),
    KeepEpochs(Ticket, Zeroizing<Vec<u8>>),
}

/// What became of a task.
#[derive(Debug)]
pub(super) enum Done {
    Worked(Ticket, Worked),
    /// Whether the epoch keys are on the disk.
    Kept(Ticket, bool),
}

/// Called with what a task came to, from any thread.
pub(super) type Report = Arc<dyn Fn(Done) + Send + Sync>;

/// Starts the workers. How much may wait for them, the core bounds. They end when the sender is dropped.
pub(super) fn start(home: &Home, report: &Report) -> std::io::Result<Sender<Task>> {
    let (sender, receiver) = channel();
    let receiver = Arc::new(Mutex::new(receiver));
    // Half of the machine: openings that strangers ask for never take it all.
    let threads = thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2));
    for _ in 0..threads {
        let (receiver, home, report) = (Arc::clone(&receiver), home.clone(), Arc::clone(report));
        thread::Builder::new().name("worker".to_owned()).spawn(move || work(&receiver, &home, &report))?;
    }
    Ok(sender)
}

fn work(receiver: &Mutex<Receiver<Task>>, home: &Home, report: &Report) {
    loop {
        let task = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match task {
            Ok(Task::Job(ticket, job)) => {
                // A panic must not take the thread, and every later opening, with it.
                let worked = catch_unwind(AssertUnwindSafe(|| job.run()));
                report(Done::Worked(ticket, worked.unwrap_or(Worked::Failed)));
            }
            Ok(Task::KeepEpochs(ticket, keys)) => report(Done::Kept(ticket, keep_epochs(home, &keys))),
            Err(_) => return,
        }
    }
}

/// Writes the epoch keys. Says whether they are on the disk.
pub(super) fn keep_epochs(home: &Home, keys: &[u8]) -> bool {
    let kept = home.overwrite(Name::EpochKeys, keys).is_ok();
    if !kept {
        tracing::error!("the epoch keys could not be written, and fresh ones are not handed out");
    }
    kept
}
