//! What flows on a link: counted by its task, and looked at once a second by who looks after all of them ([`super::alias`]).
//!
//! A link begins with wide windows as long as half of the places for that are free. Else they are narrow until they hold it up. Who
//! carries nothing for a while gives wide ones back: most links are idle most of the time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use quinn::{Connection, VarInt};

use super::admission::Pass;
use super::quic;
use super::waste::{Carried, Waste};
use crate::relay::CloseReason;

/// Looks in a row at which nothing was carried, after which wide windows are given back.
const REST: u8 = 30;

/// A connection that carries a link, or is to.
#[derive(Debug)]
pub(super) struct Flow {
    connection: Connection,
    pass: Arc<Pass>,
    read: AtomicU64,
    written: AtomicU64,
    wasteful: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    wide: bool,
    waste: Waste,
    /// Bytes that were read.
    read: u64,
    /// Bytes that were read and written, and for how many looks.
    carried: u64,
    rests: u8,
}

impl Flow {
    pub(super) fn new(connection: Connection, pass: Arc<Pass>) -> Arc<Self> {
        let (read, written, wasteful) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Self { connection, pass, read, written, wasteful, seen: Mutex::default() })
    }

    /// The connection.
    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// So many bytes were read; `held_up`: there may be more than the window lets through.
    pub(super) fn read(&self, bytes: usize, held_up: bool) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        if held_up {
            self.widen(true);
        }
    }

    /// So many bytes were written.
    pub(super) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Gets wide windows, if there is a place; `need`: the window holds the link up.
    pub(super) fn widen(&self, need: bool) {
        self.widen_seen(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner), need);
    }

    fn widen_seen(&self, seen: &mut Seen, need: bool) {
        if !seen.wide && self.pass.widen(need) {
            seen.wide = true;
            quic::widen(&self.connection);
        }
    }

    /// Gives wide windows back.
    pub(super) fn narrow(&self) {
        self.narrow_seen(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn narrow_seen(&self, seen: &mut Seen) {
        if core::mem::take(&mut seen.wide) {
            quic::narrow(&self.connection);
            self.pass.narrow();
        }
    }

    /// Looks, a second after the last time. Where too much of what comes on it comes to nothing, it is closed; where its client can't
    /// say more in a second than the window lets through, it is widened.
    pub(super) fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, written) = (self.read.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed));
        let stats = self.connection.stats();
        let frames = stats.frame_rx.stream.saturating_add(stats.frame_rx.crypto);
        let carried = Carried { came: stats.udp_rx.bytes, frames, read, sent: stats.udp_tx.datagrams };
        if seen.waste.grows(carried) {
            self.wasteful.store(true, Ordering::Relaxed);
            self.connection.close(VarInt::from_u32(CloseReason::OverRate.code()), b"");
        }
        // What its client says in a round trip is near the window: on a line that is fast and far, never much at once.
        let in_a_round =
            u128::from(read.saturating_sub(seen.read)).saturating_mul(stats.path.rtt.as_millis()) / 1_000;
        seen.read = read;
        if in_a_round >= u128::from(quic::NARROW / 2) {
            self.widen_seen(&mut seen, true);
        }
        let carried = read.saturating_add(written);
        seen.rests = if seen.carried == carried { seen.rests.saturating_add(1) } else { 0 };
        seen.carried = carried;
        if seen.rests >= REST {
            self.narrow_seen(&mut seen);
        }
    }

    /// Whether it was closed by [`Flow::look`].
    pub(super) fn is_wasteful(&self) -> bool {
        self.wasteful.load(Ordering::Relaxed)
    }
}
