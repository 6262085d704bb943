//! Memory for keys: pages of their own, which the system never writes to swap, leaves out of dumps, and hands to no child.

use std::fmt;

use memmap2::MmapMut;
use zeroize::{Zeroize as _, Zeroizing};

/// A secret of `N` bytes, at first zeros; wiped when dropped.
pub(super) struct Page<const N: usize>(Memory);

enum Memory {
    Own(MmapMut),
    /// Where the system gives no page.
    Heap(Zeroizing<Vec<u8>>),
}

impl<const N: usize> Page<N> {
    /// A page for one secret. A system that gives or locks none goes on without: the limit of locked memory is low on
    /// some, and no reason to keep a person from their messages.
    pub(super) fn new() -> Self {
        let Ok(page) = MmapMut::map_anon(N.max(1)) else {
            return Self(Memory::Heap(Zeroizing::new(vec![0; N])));
        };
        #[cfg(unix)]
        let _ = page.lock();
        #[cfg(target_os = "linux")]
        for advice in [memmap2::Advice::DontDump, memmap2::Advice::DontFork] {
            let _ = page.advise(advice);
        }
        Self(Memory::Own(page))
    }

    /// The same secret on another page.
    #[cfg(any(test, feature = "false-world"))]
    pub(super) fn copy(&self) -> Self {
        let mut copy = Self::new();
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy
    }

    /// The secret.
    pub(super) fn bytes(&self) -> &[u8] {
        let all: &[u8] = match &self.0 {
            Memory::Own(page) => page,
            Memory::Heap(bytes) => bytes,
        };
        all.get(..N).unwrap_or_default()
    }

    /// The secret, to be written.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        let all: &mut [u8] = match &mut self.0 {
            Memory::Own(page) => page,
            Memory::Heap(bytes) => bytes,
        };
        all.get_mut(..N).unwrap_or_default()
    }
}

impl<const N: usize> Drop for Page<N> {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
    }
}

impl<const N: usize> fmt::Debug for Page<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("Page(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel says of the mapping in which the secret lies.
    #[cfg(target_os = "linux")]
    fn flags(page: &Page<32>) -> String {
        let at = page.bytes().as_ptr() as usize;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            if let Some((from, to)) = line.split_once(' ').and_then(|(range, _)| range.split_once('-')) {
                let bounds = [from, to].map(|bound| usize::from_str_radix(bound, 16).unwrap_or(0));
                inside = (bounds[0]..bounds[1]).contains(&at);
            } else if inside && line.starts_with("VmFlags:") {
                return line.to_owned();
            }
        }
        panic!("no such mapping");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_page_is_locked_in_memory_and_neither_dumped_nor_handed_to_a_child() {
        let mut page = Page::<32>::new();
        page.bytes_mut().fill(7);
        let flags = flags(&page);
        // lo: locked; dd: not dumped; dc: not there in a fork.
        for flag in [" lo", " dd", " dc"] {
            assert!(flags.contains(flag), "{flag} in {flags}");
        }
    }

    #[test]
    fn a_page_holds_its_secret_and_begins_with_zeros() {
        let mut page = Page::<48>::new();
        assert_eq!(page.bytes(), [0; 48]);
        page.bytes_mut().copy_from_slice(&[7; 48]);
        assert_eq!(page.bytes(), [7; 48]);
        assert_eq!(format!("{page:?}"), "Page(..)");
    }
}
