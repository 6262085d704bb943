//! Who may open a connection: so many a second and so many at once from one neighbourhood of addresses. Wide ones,
//! /24 and /56, because many people share an address behind a carrier; a flood from one of them is slowed all the same.
//!
//! Neighbourhoods are kept under a hash whose key dies with the process, and only while they matter.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use beresta_proto::time::Timestamp;

/// Connections of one neighbourhood at once.
const CONNECTIONS: u32 = 64;
/// Milliseconds of one handshake's share: 20 in a second.
const HANDSHAKE_MS: u64 = 50;
/// Milliseconds by which handshakes may come early: 20 at once.
const BURST_MS: u64 = 1_000;
/// Handshakes under way, of all together, above which everybody shows first that it receives at its address.
const HALF_OPEN: u32 = 256;
/// Connections of all together: some 52 KiB each.
const ALL: u32 = 16_384;
/// Neighbourhoods kept before the idle ones are dropped.
const KEPT: usize = 4_096;

#[derive(Debug, Default)]
struct Neighbourhood {
    connections: u32,
    /// When its handshakes so far are paid for.
    paid_until: Timestamp,
}

#[derive(Debug, Default)]
struct State {
    neighbourhoods: HashMap<u64, Neighbourhood>,
    half_open: u32,
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
    /// Send it away.
    Refuse,
}

/// A connection that counts. Stops counting when it is dropped.
#[derive(Debug)]
pub(super) struct Pass {
    admission: Arc<Admission>,
    neighbourhood: Option<u64>,
    half_open: bool,
}

impl Admission {
    /// Judges who knocks. The machine itself is let in: it needs no guard, and its programs share one address.
    pub(super) fn arrive(self: &Arc<Self>, from: IpAddr, receives_there: bool, now: Timestamp) -> Verdict {
        let from = from.to_canonical();
        let neighbourhood = (!from.is_loopback()).then(|| self.secret.hash_one(prefix(from)));
        let mut state = self.lock();
        if state.all >= ALL {
            return Verdict::Refuse;
        }
        let crowded = state.half_open >= HALF_OPEN;
        if let Some(key) = neighbourhood {
            if state.neighbourhoods.len() >= KEPT {
                state.neighbourhoods.retain(|_, one| one.connections > 0 || one.paid_until > now);
            }
            let one = state.neighbourhoods.entry(key).or_default();
            let fast = one.paid_until.since(now) >= BURST_MS;
            // The order matters: a forged source address must not use up what is its owner's.
            if (fast || crowded) && !receives_there {
                return Verdict::Retry;
            }
            if fast || one.connections >= CONNECTIONS {
                return Verdict::Refuse;
            }
            one.paid_until = one.paid_until.max(now).plus(HANDSHAKE_MS);
            one.connections = one.connections.saturating_add(1);
        } else if crowded && !receives_there {
            return Verdict::Retry;
        }
        state.half_open = state.half_open.saturating_add(1);
        state.all = state.all.saturating_add(1);
        Verdict::Enter(Pass { admission: Arc::clone(self), neighbourhood, half_open: true })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// The handshake is over.
    pub(super) fn shaken(&mut self) {
        if core::mem::take(&mut self.half_open) {
            let mut state = self.admission.lock();
            state.half_open = state.half_open.saturating_sub(1);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.shaken();
        let mut state = self.admission.lock();
        state.all = state.all.saturating_sub(1);
        let Some(key) = self.neighbourhood else { return };
        if let Some(one) = state.neighbourhoods.get_mut(&key) {
            one.connections = one.connections.saturating_sub(1);
        }
    }
}

fn prefix(address: IpAddr) -> [u8; 8] {
    let mut prefix = [0; 8];
    match address {
        IpAddr::V4(v4) => {
            prefix[0] = 4;
            prefix.iter_mut().skip(1).zip(v4.octets().iter().take(3)).for_each(|(to, from)| *to = *from);
        }
        IpAddr::V6(v6) => {
            prefix[0] = 6;
            prefix.iter_mut().skip(1).zip(v6.octets().iter().take(7)).for_each(|(to, from)| *to = *from);
        }
    }
    prefix
}

#[cfg(test)]
mod tests;
