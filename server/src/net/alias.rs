//! Aliases for network addresses. QUIC's library keeps the address of a link in tables, freed places and buffers of its
//! own for as long as nobody takes the place; so it is never told one. Each peer gets an alias, drawn at random, and only
//! the table here knows who that is, for as long as a link lives and some seconds more.
//!
//! ```text
//! kernel ─ real address ─► socket ─ alias ─► quinn ─ alias ─► admission, links
//!                            └─── table ◄── holds, proofs ──────┘
//! ```
//! A call that sees a real address leaves it on the stack of its thread, and an idle relay's threads sleep for hours. So each is a
//! function that never becomes a part of its caller, who overwrites right after it as much as it may have had.

mod lease;
mod socket;
mod table;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use zeroize::zeroize_stack;

pub(super) use lease::Lease;
use lease::Link;
pub(super) use socket::AliasSocket;
use table::Table;

use crate::random::SystemRandom;

/// Between two looks at what is to be forgotten, and at who moved to another address.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// Bytes of stack that forgetting needs.
const PASSING: usize = 4 * 1024;

/// The table, and the links that hold aliases.
#[derive(Debug)]
pub(super) struct Aliases {
    table: Mutex<Table>,
    links: Mutex<Vec<Weak<Link>>>,
}

impl Aliases {
    pub(super) fn new(rng: SystemRandom) -> Arc<Self> {
        Arc::new(Self { table: Mutex::new(Table::new(rng)), links: Mutex::default() })
    }

    /// Poisoned or not: each change of the table is whole before anything in it can panic.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who an alias is. The caller must leave no trace of it (see above).
    pub(super) fn address(&self, alias: SocketAddr) -> Option<SocketAddr> {
        self.table().address(alias)
    }

    /// Forgets in time, and follows links to other addresses, for as long as the relay runs.
    pub(super) async fn keep(self: Arc<Self>, also: impl Fn() + Send) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.follow();
            self.pass();
            also();
            zeroize_stack::<PASSING>();
        }
    }

    /// Time passes in the table, which leaves traces of whom it forgets on the stack.
    #[inline(never)]
    fn pass(&self) {
        self.table().tick();
    }

    /// QUIC moves a link to another address by itself (RFC 9000 §9), and tells nobody.
    fn follow(&self) {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|link| link.upgrade().is_some_and(|link| link.follow(self)));
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.table().known()
    }
}
