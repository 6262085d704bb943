//! A few threads for what would hold everybody up: opening headers, checking signatures, writing the epoch keys.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use zeroize::Zeroizing;

use crate::home::{Home, Name};
use crate::relay::{Job, Ticket, Worked};

/// How far the workers stand back: a third of a processor for one of them beside a thread that is as busy.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

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
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    for _ in 0..threads {
        let (receiver, home, report) = (Arc::clone(&receiver), home.clone(), Arc::clone(report));
        thread::Builder::new().name("worker".to_owned()).spawn(move || work(&receiver, &home, &report))?;
    }
    Ok(sender)
}

/// Openings that strangers ask for may take the whole machine, but only while nobody else wants it: the threads that
/// serve the links and the queues go first. A system that refuses shares it evenly.
fn give_way() {
    // On Linux each thread has a priority of its own; elsewhere it would be that of the whole process.
    #[cfg(target_os = "linux")]
    if rustix::process::setpriority_process(None, NICE).is_err() {
        tracing::warn!("the workers run with the priority of all");
    }
}

fn work(receiver: &Mutex<Receiver<Task>>, home: &Home, report: &Report) {
    give_way();
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn epoch_keys_are_written_over_those_of_before_where_they_lie() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(&dir.path().join("relay"));
        home.create().unwrap();
        assert!(keep_epochs(&home, &[1; 4_096]));
        let path = home.path(Name::EpochKeys);
        let before = fs::metadata(&path).unwrap().ino();
        // Another name of the same place: a file that was renamed over would leave the old keys under it.
        let place = dir.path().join("place");
        fs::hard_link(&path, &place).unwrap();
        assert!(keep_epochs(&home, &[2; 4_096]));
        assert_eq!(fs::metadata(&path).unwrap().ino(), before);
        assert!(fs::read(place).unwrap() == [2; 4_096], "the old keys are left where they lay");
    }
}
