//! What the disk allows: the same bytes appended to a file, and flushed once for as many messages as are in flight.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use beresta_proto::envelope::Bucket;

use crate::load::Carried;
use crate::timed::Latencies;

/// Appends `messages` to a fresh file in `dir`, `group` to a flush.
pub(crate) fn append(dir: &Path, messages: usize, group: usize) -> Carried {
    let path = dir.join("appended");
    let mut file = File::create(&path).unwrap();
    let bytes = vec![0x5a; Bucket::M.size() * group];
    let groups = messages / group;
    let mut took = Latencies::default();
    let began = Instant::now();
    for _ in 0..groups {
        let group = Instant::now();
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
        took.stored.push(group.elapsed().as_secs_f64());
    }
    let rate = (groups * group) as f64 / began.elapsed().as_secs_f64();
    std::fs::remove_file(&path).unwrap();
    // It is not a process of its own: its time on a processor is not looked at.
    Carried { rate, cpu: Duration::ZERO, took }
}
