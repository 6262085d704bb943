//! Where a relay is (rule D11): which of the routes that are known are tried, and which are told to others.
//!
//! Anybody can name routes for a relay's id, in an invite or as a contact. Whoever answers there cannot pass for the
//! relay, but may forward to it, see our address, and fall silent when it suits them. So what the person gave and what
//! the relay itself signed comes first, and what others say is never kept as the relay's.

use beresta_proto::address::RelayAddress;
use beresta_proto::id::RelayId;
use beresta_proto::route::Route;

use super::Engine;
use crate::store::{StoreError, Tx};

/// Routes of others that are tried in one go. Which ones changes from try to try, so that nobody's crowd out the rest.
const OF_OTHERS: usize = 8;

impl Engine {
    /// Where to try a relay, best first, and how many of these the person gave or the relay signed; after more `failures`
    /// other routes of others. For our home there are none of others: all that we do goes through it, and a forwarder
    /// would see when.
    pub(super) fn routes(
        &self,
        tx: &Tx<'_>,
        relay: RelayId,
        failures: u32,
    ) -> Result<(Vec<Route>, usize), StoreError> {
        let home = tx.profile()?.home.filter(|home| home.relay == relay);
        let signed = tx.relay(&relay)?.and_then(|known| known.address);
        let is_home = home.is_some();
        let mut routes = distinct(home.into_iter().chain(signed), &[]);
        let own = routes.len();
        if is_home {
            return Ok((routes, own));
        }
        let waiting = self.waiting.iter().map(|one| &one.relay).filter(|address| address.relay == relay);
        let mut others = distinct(waiting.cloned().chain(tx.peer_addresses(&relay)?), &routes);
        let turn = usize::try_from(failures).unwrap_or_default().checked_rem(others.len());
        others.rotate_left(turn.unwrap_or_default());
        routes.extend(others.into_iter().take(OF_OTHERS));
        Ok((routes, own))
    }

    /// Where contacts and guests find our queues: as the relay says of itself, and as we were told only where it says
    /// nothing. A route that the person gave may be a private one.
    pub(super) fn told_address(tx: &Tx<'_>, given: RelayAddress) -> Result<RelayAddress, StoreError> {
        Ok(tx.relay(&given.relay)?.and_then(|known| known.address).unwrap_or(given))
    }
}

/// The routes of `addresses` in their order, without those in `before`.
fn distinct(addresses: impl Iterator<Item = RelayAddress>, before: &[Route]) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for route in addresses.flat_map(|address| address.routes) {
        if !routes.contains(&route) && !before.contains(&route) {
            routes.push(route);
        }
    }
    routes
}
