//! Who holds an alias: a handshake under way, and the link that comes of it. An alias that is held is not forgotten.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quinn::{Connection, VarInt};

use super::Aliases;
use crate::net::waste::{Flow, Waste};
use crate::relay::CloseReason;

/// A hold on an alias. Dropped, the alias is forgotten some seconds later.
#[derive(Debug)]
pub(in crate::net) struct Lease {
    aliases: Arc<Aliases>,
    held: Arc<Held>,
    link: Option<Arc<Link>>,
}

/// The alias that is held; none once it was released.
#[derive(Debug)]
struct Held(Mutex<Option<SocketAddr>>);

impl Held {
    fn lock(&self) -> MutexGuard<'_, Option<SocketAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A link, and where it was seen last.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    held: Arc<Held>,
    flow: Arc<Flow>,
    waste: Mutex<Waste>,
}

impl Aliases {
    /// Holds an alias. None if it is forgotten already.
    pub(in crate::net) fn hold(self: &Arc<Self>, alias: SocketAddr) -> Option<Lease> {
        self.table().hold(alias).then(|| Lease {
            aliases: Arc::clone(self),
            held: Arc::new(Held(Mutex::new(Some(alias)))),
            link: None,
        })
    }
}

impl Lease {
    /// Who has it was seen to receive at its address: what is sent there is not limited any more.
    pub(in crate::net) fn prove(&self) {
        if let Some(alias) = *self.held.lock() {
            self.aliases.table().prove(alias);
        }
    }

    /// A link came of it: it may move to another address from now on. Where too much of what comes on it comes to nothing, it is
    /// closed, and `flow` says why.
    pub(in crate::net) fn follow(&mut self, connection: Connection, flow: Arc<Flow>) {
        let held = Arc::clone(&self.held);
        let link = Arc::new(Link { connection, held, flow, waste: Mutex::default() });
        self.aliases.links.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&link));
        self.link = Some(link);
    }
}

impl Link {
    /// Holds the alias at which the link is now. Says whether it is still held at all.
    pub(super) fn follow(&self, aliases: &Aliases) -> bool {
        let now = self.connection.remote_address();
        let mut held = self.held.lock();
        let Some(before) = *held else { return false };
        let mut waste = self.waste.lock().unwrap_or_else(PoisonError::into_inner);
        if waste.grows(&self.connection.stats(), &self.flow, before != now) {
            self.flow.condemn();
            self.connection.close(VarInt::from_u32(CloseReason::OverRate.code()), b"");
        }
        if before != now {
            let mut table = aliases.table();
            // One that was forgotten is held once the peer is heard again, under its next.
            if table.hold_moved(now) {
                table.release(before);
                *held = Some(now);
            }
        }
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(alias) = self.held.lock().take() {
            self.aliases.table().release(alias);
        }
    }
}
