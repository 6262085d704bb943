//! Bytes that came on a link and to nothing. QUIC's library keeps what comes before its time, and with a fragment of one byte
//! the whole datagram that brought it, thousands of them: a window says nothing about that. So what comes is weighed against
//! what was read of it, and whoever has sent a few windows more than that explains is hung up on.
//!
//! What somebody else sends under a link's number, or says again, brings no frame: it is not held against the link.

/// Bytes that may have come to nothing: a wide window that is not read yet, once more.
const MOST: u64 = 256 * 1024;
/// For each byte that was read, so many may have come: on a bad line a half is said again.
const FOR_EACH_READ: u64 = 2;
/// For each datagram that we sent, bytes of those that acknowledge it.
const FOR_EACH_SENT: u64 = 300;
/// In a second: what a line loses and says again now and then.
const IN_A_SECOND: u64 = 16;
/// Bytes that are kept with a fragment, at the most.
const DATAGRAM: u64 = 1_472;

/// What a connection carried since it began.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Carried {
    /// Bytes of datagrams that came, whoever sent them.
    pub(super) came: u64,
    /// Frames of what can be kept: of streams and of handshakes, in datagrams that were authentic and came for the first time.
    pub(super) frames: u64,
    /// Bytes that were read of its stream.
    pub(super) read: u64,
    /// Datagrams that were sent.
    pub(super) sent: u64,
}

/// What of it came to nothing, as of the last look.
#[derive(Debug, Default)]
pub(super) struct Waste {
    bytes: u64,
    before: Carried,
}

impl Waste {
    /// Looks, a second after the last time. Whether it is too much.
    pub(super) fn grows(&mut self, now: Carried) -> bool {
        let before = core::mem::replace(&mut self.before, now);
        let since = |now: u64, before: u64, each: u64| now.saturating_sub(before).saturating_mul(each);
        let explained = since(now.read, before.read, FOR_EACH_READ)
            .saturating_add(since(now.sent, before.sent, FOR_EACH_SENT))
            .saturating_add(IN_A_SECOND);
        let came = since(now.came, before.came, 1).min(since(now.frames, before.frames, DATAGRAM));
        self.bytes = self.bytes.saturating_add(came).saturating_sub(explained);
        self.bytes > MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds until it is too much, within a day, where so much comes, in so many frames, is read and is sent in each.
    fn lasts(came: u64, frames: u64, read: u64, sent: u64) -> Option<u64> {
        let mut waste = Waste::default();
        (1..=86_400).find(|second| {
            let [came, frames, read, sent] = [came, frames, read, sent].map(|each| each * second);
            waste.grows(Carried { came, frames, read, sent })
        })
    }

    #[test]
    fn who_talks_as_clients_do_is_never_wasteful() {
        // Long texts in full datagrams, short commands in one each, on a line on which half is lost and said again.
        assert_eq!(lasts(2 * 5 * 1_472, 10, 5 * 1_408, 5), None);
        assert_eq!(lasts(2 * 320 * 10, 20, 256 * 10, 15), None);
        // Who reads and acknowledges, with all the gaps of a bad line, and who only says that it is there.
        assert_eq!(lasts(100 * 250 + 10 * 320, 10, 10 * 256, 200), None);
        assert_eq!(lasts(2, 0, 0, 0), None);
        // In whose name others send, or who moves without end.
        assert_eq!(lasts(1_000_000, 0, 0, 0), None);
    }

    #[test]
    fn who_sends_what_comes_to_nothing_is_wasteful_after_a_few_windows() {
        // Full datagrams with a byte of a fragment each, every one of them acknowledged.
        for datagrams in [1, 10, 100] {
            let seconds = lasts(datagrams * 1_472, datagrams, 0, datagrams).unwrap();
            let came = seconds * datagrams * 1_472;
            assert!(came < 2 * MOST, "{came}");
        }
        assert!(lasts(10 * 1_472, 10, 10, 0).is_some_and(|seconds| seconds < 60));
    }
}
