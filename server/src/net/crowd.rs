//! How many links there may be, by the memory that is meant for them.
//!
//! A link that says nothing takes some 32 KiB. One whose client asks and takes nothing has the core hold what waits to be
//! written, and QUIC what is sent and not acknowledged: without limits that follow the machine a thousand of those would have
//! the system end a small relay. So two thirds of the memory are shared among all links alike, each with what it may take when everything is taken;
//! a sixth is for what waits for those who are quick, and a sixth for lines that are fast and far.

/// Bytes that a link takes when all together hold as much as they may: 32 KiB of its own, narrow windows, what was read and is not
/// taken, and its share twice, of what it asks and of what is pushed.
const LINK: u64 = 168 * 1024;
/// Bytes by which wide windows are more.
const WIDE: u64 = (super::quic::WIDE_SEND - super::quic::NARROW as u64)
    + (super::quic::WIDE_RECEIVE - super::quic::NARROW) as u64;
/// More links than one relay is for, on whatever machine.
const MOST: u64 = 16_384;

/// How many may be here at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// Links of all together, with those that have ended and QUIC has not forgotten.
    pub links: u32,
    /// Those of them that may have wide windows at a time.
    pub wide: u32,
    /// Links of one neighbourhood of addresses.
    pub near: u32,
    /// Bytes of frames that may be held for all together before each has to be content with its share.
    pub held: usize,
}

impl Crowd {
    /// As many as so many bytes of memory are good for, and no more than `near` of one neighbourhood.
    #[must_use]
    pub fn of(memory: u64, near: u32) -> Self {
        let count = |bytes: u64, each: u64| u32::try_from((bytes / each).min(MOST)).unwrap_or(u32::MAX);
        Self {
            links: count(memory / 3 * 2, LINK),
            wide: count(memory / 6, WIDE),
            near,
            held: usize::try_from(memory / 6).unwrap_or(usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn what_all_may_take_together_is_no_more_than_the_memory_for_links() {
        for memory in [16, 64, 192, 1_024, 4_096, 1_048_576].map(|mib| mib * MIB) {
            let Crowd { links, wide, held, near } = Crowd::of(memory, 64);
            let taken = u64::from(links) * LINK + u64::from(wide) * WIDE + held as u64;
            assert!(taken <= memory, "{memory}");
            assert_eq!(near, 64);
        }
        let small = Crowd::of(288 * MIB, 64);
        assert!((1_000..3_000).contains(&small.links) && small.wide > 100, "{small:?}");
        assert_eq!(Crowd::of(4_096 * MIB, 64).links, 16_384);
    }
}
