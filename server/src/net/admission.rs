//! Who may open a connection: so many a second and so many at once from one neighbourhood of addresses. Wide ones,
//! /24 and /56, because many people share an address behind a carrier; a flood from one of them is slowed all the same.
//! And so many at once from what one owner of addresses may hold, /16 and /48, or one of them would take every place.
//!
//! A source address that nobody answered from may be forged. It is never charged: its handshake counts among the few
//! that may be under way, and once those places are taken everybody shows first that it receives at its address.
//!
//! Neighbourhoods are kept under a hash whose key dies with the process, and only while they matter.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use beresta_proto::time::Timestamp;

use super::counts::Refused;

/// Connections of one neighbourhood at once.
const CONNECTIONS: u32 = 64;
/// Connections at once of the neighbourhoods that may be one owner's.
const CONNECTIONS_OF_OWNER: u32 = 512;
/// Milliseconds of one handshake's share: 20 in a second.
const HANDSHAKE_MS: u64 = 50;
/// Milliseconds by which handshakes may come early: 20 at once.
const BURST_MS: u64 = 1_000;
/// Handshakes under way from addresses that may be forged, of all together.
const UNPROVEN: u32 = 256;
/// The same, of one neighbourhood: enough for its people, who are through after a round trip.
const UNPROVEN_NEAR: u32 = 4;
/// Connections of all together: some 52 KiB each.
const ALL: u32 = 16_384;
/// Neighbourhoods kept before the idle ones are dropped.
const KEPT: usize = 4_096;

#[derive(Debug, Default)]
struct Neighbourhood {
    connections: u32,
    /// Handshakes under way from addresses in it that may be forged.
    unproven: u32,
    /// When its handshakes so far are paid for.
    paid_until: Timestamp,
}

#[derive(Debug, Default)]
struct State {
    neighbourhoods: HashMap<u64, Neighbourhood>,
    /// Neighbourhoods at which the idle ones are dropped next, so that a look at all of them stays rare.
    drop_at: usize,
    unproven: u32,
    all: u32,
}

/// Counts connections.
#[derive(Debug, Default)]
pub(super) struct Admission {
    secret: RandomState,
    state: Mutex<State>,
}

/// What to do with who knocks.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Let it in, and hold the pass as long as its connection lives.
    Enter(Pass),
    /// Let it show first that it receives at its address: one more round trip, nothing kept.
    Retry,
    /// Send it away, and why.
    Refuse(Refused),
}

/// Where somebody comes from.
#[derive(Debug, Clone, Copy)]
struct Origin {
    near: u64,
    owner: u64,
}

/// A connection that counts. Stops counting when it is dropped.
#[derive(Debug)]
pub(super) struct Pass {
    admission: Arc<Admission>,
    /// None for the machine itself.
    from: Option<Origin>,
    /// Whether it was seen to receive at its address, and so is charged.
    proven: bool,
}

impl State {
    /// Whether one more connection may be charged to `from`.
    fn admits(&mut self, from: Origin, now: Timestamp) -> bool {
        if self.neighbourhoods.len() >= self.drop_at {
            self.neighbourhoods
                .retain(|_, one| one.connections > 0 || one.unproven > 0 || one.paid_until > now);
            self.drop_at = self.neighbourhoods.len().saturating_mul(2).max(KEPT);
        }
        let near = self.neighbourhoods.entry(from.near).or_default();
        // A clock that was set back must not make a neighbourhood wait until it is there again.
        near.paid_until = near.paid_until.min(now.plus(BURST_MS + HANDSHAKE_MS));
        let near = near.paid_until.since(now) < BURST_MS && near.connections < CONNECTIONS;
        near && self.neighbourhoods.get(&from.owner).is_none_or(|one| one.connections < CONNECTIONS_OF_OWNER)
    }

    fn charge(&mut self, from: Origin, now: Timestamp) {
        let near = self.neighbourhoods.entry(from.near).or_default();
        near.paid_until = near.paid_until.max(now).plus(HANDSHAKE_MS);
        near.connections = near.connections.saturating_add(1);
        let owner = self.neighbourhoods.entry(from.owner).or_default();
        owner.connections = owner.connections.saturating_add(1);
    }

    fn near(&mut self, from: Option<Origin>) -> Option<&mut Neighbourhood> {
        self.neighbourhoods.get_mut(&from?.near)
    }
}

impl Admission {
    /// Judges who knocks; `proven` says that it receives at its address. The machine itself is let in: it needs no
    /// guard, and its programs share one address.
    pub(super) fn arrive(self: &Arc<Self>, at: IpAddr, proven: bool, now: Timestamp) -> Verdict {
        let at = at.to_canonical();
        let from = (!at.is_loopback()).then(|| {
            let (near, owner) = prefixes(at);
            Origin { near: self.secret.hash_one(near), owner: self.secret.hash_one(owner) }
        });
        let mut state = self.lock();
        if state.all >= ALL {
            return Verdict::Refuse(Refused::Full);
        }
        let admitted = from.is_none_or(|from| state.admits(from, now));
        if proven {
            if !admitted {
                return Verdict::Refuse(Refused::Crowded);
            }
            if let Some(from) = from {
                state.charge(from, now);
            }
        } else {
            let near = state.near(from).map_or(0, |near| near.unproven);
            // Nobody is sent away for what others did in the name of its address.
            if !admitted || near >= UNPROVEN_NEAR || state.unproven >= UNPROVEN {
                return Verdict::Retry;
            }
            state.unproven = state.unproven.saturating_add(1);
            if let Some(near) = state.near(from) {
                near.unproven = near.unproven.saturating_add(1);
            }
        }
        state.all = state.all.saturating_add(1);
        Verdict::Enter(Pass { admission: Arc::clone(self), from, proven })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// The handshake is over, which proves its address. Says whether it may stay: its neighbourhood may have filled up
    /// meanwhile.
    pub(super) fn shaken(&mut self, now: Timestamp) -> bool {
        if self.proven {
            return true;
        }
        let admission = Arc::clone(&self.admission);
        let mut state = admission.lock();
        let admitted = self.from.is_none_or(|from| state.admits(from, now));
        if admitted {
            self.no_longer_unproven(&mut state);
            self.proven = true;
            if let Some(from) = self.from {
                state.charge(from, now);
            }
        }
        admitted
    }

    fn no_longer_unproven(&self, state: &mut State) {
        state.unproven = state.unproven.saturating_sub(1);
        if let Some(near) = state.near(self.from) {
            near.unproven = near.unproven.saturating_sub(1);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        state.all = state.all.saturating_sub(1);
        if !self.proven {
            return self.no_longer_unproven(&mut state);
        }
        let Some(Origin { near, owner }) = self.from else { return };
        for key in [near, owner] {
            if let Some(one) = state.neighbourhoods.get_mut(&key) {
                one.connections = one.connections.saturating_sub(1);
            }
        }
    }
}

/// The prefixes of an address that stand for its neighbourhood and for its owner; they differ in length as in use.
fn prefixes(address: IpAddr) -> (Vec<u8>, Vec<u8>) {
    let (octets, near, owner) = match address {
        IpAddr::V4(v4) => (v4.octets().to_vec(), 3, 2),
        IpAddr::V6(v6) => (v6.octets().to_vec(), 7, 6),
    };
    let front = |bytes: usize| octets.iter().copied().take(bytes).collect();
    (front(near), front(owner))
}

#[cfg(test)]
mod tests;
