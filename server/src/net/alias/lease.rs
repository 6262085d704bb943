//! Who holds an alias: a handshake under way, and the link that comes of it. An alias that is held is not forgotten.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Aliases;
use crate::net::flow::Flow;

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
    held: Arc<Held>,
    flow: Arc<Flow>,
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

    /// A link came of it: it may move to another address from now on, and is looked at once a second.
    pub(in crate::net) fn follow(&mut self, flow: Arc<Flow>) {
        let link = Arc::new(Link { held: Arc::clone(&self.held), flow });
        self.aliases.links.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&link));
        self.link = Some(link);
    }
}

impl Link {
    /// Holds the alias at which the link is now. Says whether it is still held at all.
    pub(super) fn follow(&self, aliases: &Aliases) -> bool {
        let now = self.flow.connection().remote_address();
        let mut held = self.held.lock();
        let Some(before) = *held else { return false };
        self.flow.look();
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
