//! The memory of another process, as who holds the machine reads it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use super::Broken;

/// A page, and one of zeros, as most of a thread's stack: a search would spend its time there.
const PAGE: usize = 4_096;
const NOTHING: [u8; PAGE] = [0; PAGE];

/// Everything in a process's memory that it may write to, but for pages of zeros.
///
/// # Errors
/// [`Broken`] if it is not ours to read, or has none.
pub(super) fn memory(process: u32) -> Result<Vec<u8>, Broken> {
    let proc = PathBuf::from("/proc").join(process.to_string());
    let maps = std::fs::read_to_string(proc.join("maps"))?;
    let mut memory = File::open(proc.join("mem"))?;
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = bounds(line).ok_or_else(|| Broken(line.to_owned()))?;
        let mut part = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(0)];
        // What the kernel keeps for itself is in the list and can't be read.
        if memory.seek(SeekFrom::Start(from)).is_ok() && memory.read_exact(&mut part).is_ok() {
            part.chunks(PAGE).filter(|page| *page != NOTHING).for_each(|page| all.extend_from_slice(page));
        }
    }
    if all.is_empty() {
        return Err(Broken(format!("the memory of {process} can't be read")));
    }
    Ok(all)
}

fn bounds(line: &str) -> Option<(u64, u64)> {
    let (from, to) = line.split(' ').next()?.split_once('-')?;
    Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?))
}
