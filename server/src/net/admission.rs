//! Who may open a connection: so many a second and so many at once from one neighbourhood of addresses. Wide ones,
//! /24 and /56, because many people share an address behind a carrier; a flood from one of them is slowed all the same.
//! And so many at once from what one owner of addresses may hold, /16 and /48, or one of them would take every place.
//!
//! Nobody takes more places than are left: an owner, or all together whose addresses may be forged. So three owners do not
//! fill a relay that has few places. The first keeps half of them and the second a fourth, until what is held for nothing is taken back
//! (rule L11): then each has as many as are left. (Dynamic thresholds, by which switches share their memory: Choudhury and Hahne
//! 1998, with alpha = 1.)
//!
//! A source address that nobody answered from may be forged. It is never charged: its handshake counts among the few
//! that may be under way, as long as QUIC knows it, and those that may begin in a second, for who hangs up with the first word may
//! be forgotten at once. Beyond these everybody shows first that it receives at its address.
//!
//! Neighbourhoods are kept only while they matter, and wiped then.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use beresta_proto::time::Timestamp;
use zeroize::Zeroize;

use super::counts::Refused;
use super::crowd::Crowd;
use super::register::{Place, Register};

/// Connections at once of the neighbourhoods that may be one owner's, for each that one of these may have.
const NEIGHBOURHOODS_OF_OWNER: u32 = 8;
/// In which as many connections may be opened as there may be at once. No more: a neighbourhood that nobody is in any more is to be
/// forgotten after ten seconds.
const TURNOVER_MS: u64 = 8_000;
/// Handshakes of a neighbourhood at once, and of an owner.
const BURST: u64 = 20;
const BURST_OF_OWNER: u64 = 200;
/// By so much handshakes may come early at the most, so that all links of a small neighbourhood may come at once: as long one is
/// remembered of which so many came, and nobody is in any more.
const EARLY_MS: u64 = TURNOVER_MS;
/// Handshakes under way from addresses that may be forged, of all together.
const UNPROVEN: u32 = 256;
/// The same, of one neighbourhood: enough for its people, who are through after a round trip.
const UNPROVEN_NEAR: u32 = 4;
/// Milliseconds of the share of one of all: 250 in a second, a twentieth of a core.
const UNPROVEN_MS: u64 = 4;
/// By so much they may come early: as many as may be under way.
const UNPROVEN_EARLY_MS: u64 = 1_024;
/// Neighbourhoods and owners at the most: two for each connection, and those that have to wait before they come again.
const KEPT: usize = 49_152;

/// The front of an address, and which: of which kind, and whether it stands for a neighbourhood or an owner.
#[derive(Default, PartialEq, Eq, Hash, Zeroize)]
struct Prefix([u8; 8]);

#[derive(Debug, Default)]
struct Neighbourhood {
    connections: u32,
    /// Those of them with wide windows.
    wide: u32,
    /// Handshakes under way from addresses in it that may be forged.
    unproven: u32,
    /// When its handshakes so far are paid for.
    paid_until: Timestamp,
}

impl Neighbourhood {
    fn matters(&self, now: Timestamp) -> bool {
        self.connections > 0 || self.unproven > 0 || self.paid_until > now
    }
}

/// How much of one kind there may be: connections at once, and handshakes.
#[derive(Debug, Clone, Copy)]
struct Most {
    connections: u32,
    /// Milliseconds of one handshake's share.
    share: u64,
    /// By so many milliseconds handshakes may come early.
    early: u64,
}

impl Most {
    fn of(connections: u32, burst: u64) -> Self {
        let share = (TURNOVER_MS / u64::from(connections.max(1))).max(1);
        Self { connections, share, early: share.saturating_mul(burst).clamp(1, EARLY_MS) }
    }

    fn admits(self, one: &Neighbourhood, free: u32, now: Timestamp) -> bool {
        one.paid_until.since(now) < self.early && one.connections < self.connections.min(free)
    }

    /// A clock that was set back must make nobody wait, or be remembered, until it is there again.
    fn follow_clock(self, paid_until: &mut Timestamp, now: Timestamp) {
        *paid_until = (*paid_until).min(now.plus(self.early.saturating_add(self.share)));
    }
}

#[derive(Debug)]
struct State {
    neighbourhoods: Register<Prefix, Neighbourhood>,
    unproven: u32,
    /// When the handshakes so far are paid for that came from addresses which may be forged.
    unproven_until: Timestamp,
    all: u32,
    /// Those with wide windows.
    wide: u32,
}

/// Counts connections.
#[derive(Debug)]
pub(super) struct Admission {
    crowd: Crowd,
    near: Most,
    owner: Most,
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

/// Where somebody comes from: places in the register.
#[derive(Debug, Clone, Copy)]
struct Origin {
    near: Place,
    owner: Place,
}

/// A connection that counts, as long as QUIC knows it ([`super::tasks`]). Stops counting when it is dropped. What changes in it
/// does so under the admission's lock.
#[derive(Debug)]
pub(super) struct Pass {
    admission: Arc<Admission>,
    /// None for the machine itself.
    from: Option<Origin>,
    /// Whether it was seen to receive at its address, and so is charged.
    proven: AtomicBool,
    /// Whether it has wide windows.
    wide: AtomicBool,
}

impl State {
    /// Whether one more connection may be charged to these, as far as they are known, where so many places are free.
    fn admits(&mut self, kinds: [(Option<Place>, Most); 2], free: u32, now: Timestamp) -> bool {
        let [near, owner] = kinds.map(|(place, most)| {
            place.and_then(|place| self.neighbourhoods.value(place)).is_none_or(|one| {
                most.follow_clock(&mut one.paid_until, now);
                most.admits(one, free, now)
            })
        });
        near && owner
    }

    fn charge(&mut self, kinds: [(Place, Most); 2], now: Timestamp) {
        for (place, most) in kinds {
            if let Some(one) = self.neighbourhoods.value(place) {
                one.paid_until = one.paid_until.max(now).plus(most.share);
                one.connections = one.connections.saturating_add(1);
            }
        }
    }

    /// Whether a handshake may begin that nobody is charged for: a few at once, and of those that are `rated` a few in a second.
    fn admits_unproven(&mut self, rated: bool, free: u32, now: Timestamp) -> bool {
        let most = UNPROVEN.min(free);
        if self.unproven >= most || !rated {
            return self.unproven < most;
        }
        // As above: a clock may be set back.
        self.unproven_until = self.unproven_until.min(now.plus(UNPROVEN_EARLY_MS + UNPROVEN_MS));
        let admits = self.unproven_until.since(now) < UNPROVEN_EARLY_MS;
        if admits {
            self.unproven_until = self.unproven_until.max(now).plus(UNPROVEN_MS);
        }
        admits
    }

    fn each(&mut self, from: Origin, change: impl Fn(&mut Neighbourhood)) {
        for place in [from.near, from.owner] {
            if let Some(one) = self.neighbourhoods.value(place) {
                change(one);
            }
        }
    }

    fn keep(&mut self, known: Option<Place>, prefix: Prefix) -> Option<Place> {
        known.or_else(|| self.neighbourhoods.insert(prefix, Neighbourhood::default()))
    }

    fn narrow(&mut self, pass: &Pass) {
        if pass.wide.swap(false, Ordering::Relaxed) {
            self.wide = self.wide.saturating_sub(1);
            if let Some(from) = pass.from {
                self.each(from, |one| one.wide = one.wide.saturating_sub(1));
            }
        }
    }

    fn no_longer_unproven(&mut self, from: Option<Origin>) {
        self.unproven = self.unproven.saturating_sub(1);
        if let Some(from) = from {
            self.each(from, |one| one.unproven = one.unproven.saturating_sub(1));
        }
    }
}

impl Admission {
    /// Lets in so many.
    pub(super) fn new(crowd: Crowd) -> Self {
        let neighbourhoods = Register::new(KEPT);
        let state = State { neighbourhoods, unproven: 0, unproven_until: Timestamp(0), all: 0, wide: 0 };
        let owner = Most::of(crowd.near.saturating_mul(NEIGHBOURHOODS_OF_OWNER), BURST_OF_OWNER);
        Self { crowd, near: Most::of(crowd.near, BURST), owner, state: Mutex::new(state) }
    }

    fn kinds<T>(&self, (near, owner): (T, T)) -> [(T, Most); 2] {
        [(near, self.near), (owner, self.owner)]
    }

    /// Judges who knocks; `proven` says that it receives at its address. The machine itself is let in: it needs no
    /// protection, and its programs share one address. Leaves parts of the address on the stack ([`super::alias`]).
    pub(super) fn arrive(self: &Arc<Self>, at: IpAddr, proven: bool, now: Timestamp) -> Verdict {
        let at = at.to_canonical();
        let mut state = self.lock();
        let free = self.crowd.links.saturating_sub(state.all);
        if free == 0 {
            return Verdict::Refuse(Refused::Full);
        }
        let prefixes = (!at.is_loopback()).then(|| prefixes(at));
        let known = prefixes
            .as_ref()
            .map(|(near, owner)| (state.neighbourhoods.find(near), state.neighbourhoods.find(owner)));
        let (near, owner) = known.unwrap_or_default();
        let admitted = state.admits(self.kinds((near, owner)), free, now);
        if proven && !admitted {
            return Verdict::Refuse(Refused::Crowded);
        }
        if !proven {
            let under_way =
                near.and_then(|near| state.neighbourhoods.get(near)).map(|(_, near)| near.unproven);
            // Nobody is sent away for what others did in the name of its address. The machine's own can't be forged.
            if !admitted
                || under_way.unwrap_or(0) >= UNPROVEN_NEAR
                || !state.admits_unproven(prefixes.is_some(), free, now)
            {
                return Verdict::Retry;
            }
        }
        let from = match prefixes {
            None => None,
            Some((of_near, of_owner)) => {
                let near = state.keep(near, of_near);
                let owner = state.keep(owner, of_owner);
                let (Some(near), Some(owner)) = (near, owner) else { return Verdict::Refuse(Refused::Full) };
                Some(Origin { near, owner })
            }
        };
        state.all = state.all.saturating_add(1);
        if proven {
            if let Some(from) = from {
                state.charge(self.kinds((from.near, from.owner)), now);
            }
        } else {
            state.unproven = state.unproven.saturating_add(1);
            if let Some(from) = from {
                state.each(from, |one| one.unproven = one.unproven.saturating_add(1));
            }
        }
        let (proven, wide) = (AtomicBool::new(proven), AtomicBool::new(false));
        Verdict::Enter(Pass { admission: Arc::clone(self), from, proven, wide })
    }

    /// Wipes what does not matter any more.
    pub(super) fn forget(&self, now: Timestamp) {
        // Which of both kinds an entry is does not matter: neither is early by more.
        let most = Most { connections: 0, share: self.near.share.max(self.owner.share), early: EARLY_MS };
        self.lock().neighbourhoods.retain(|one| {
            most.follow_clock(&mut one.paid_until, now);
            one.matters(now)
        });
    }

    /// Whether more than half of the places are taken.
    pub(super) fn is_crowded(&self) -> bool {
        self.lock().all > self.crowd.links / 2
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.lock().neighbourhoods.len()
    }

    #[cfg(test)]
    pub(super) fn wide(&self) -> u32 {
        self.lock().wide
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// The handshake is over, which proves its address. Says whether it may stay: its neighbourhood may have filled up
    /// meanwhile.
    pub(super) fn shaken(&self, now: Timestamp) -> bool {
        let mut state = self.admission.lock();
        if self.proven.load(Ordering::Relaxed) {
            return true;
        }
        let places = self.from.map(|from| (from.near, from.owner)).unzip();
        // Its own place is one that is left for it.
        let free = self.admission.crowd.links.saturating_sub(state.all).saturating_add(1);
        let admitted = state.admits(self.admission.kinds(places), free, now);
        if admitted {
            state.no_longer_unproven(self.from);
            self.proven.store(true, Ordering::Relaxed);
            if let Some(from) = self.from {
                state.charge(self.admission.kinds((from.near, from.owner)), now);
            }
        }
        admitted
    }

    /// Takes a place with wide windows; of those who are not in `need` of one, half of the places at the most. Says whether it has one.
    pub(super) fn widen(&self, need: bool) -> bool {
        let mut state = self.admission.lock();
        if self.wide.load(Ordering::Relaxed) {
            return true;
        }
        let places = self.admission.crowd.wide;
        let free = if need { places } else { places / 2 }.saturating_sub(state.wide);
        let of_owner =
            self.from.and_then(|from| state.neighbourhoods.value(from.owner)).map_or(0, |one| one.wide);
        if of_owner >= free {
            return false;
        }
        self.wide.store(true, Ordering::Relaxed);
        state.wide = state.wide.saturating_add(1);
        if let Some(from) = self.from {
            state.each(from, |one| one.wide = one.wide.saturating_add(1));
        }
        true
    }

    /// Gives it back.
    pub(super) fn narrow(&self) {
        self.admission.lock().narrow(self);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        state.all = state.all.saturating_sub(1);
        state.narrow(self);
        if !self.proven.load(Ordering::Relaxed) {
            return state.no_longer_unproven(self.from);
        }
        if let Some(from) = self.from {
            state.each(from, |one| one.connections = one.connections.saturating_sub(1));
        }
    }
}

/// The prefixes of an address that stand for its neighbourhood and for its owner.
fn prefixes(address: IpAddr) -> (Prefix, Prefix) {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            (Prefix([1, a, b, c, 0, 0, 0, 0]), Prefix([2, a, b, 0, 0, 0, 0, 0]))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, ..] = v6.octets();
            (Prefix([3, a, b, c, d, e, f, g]), Prefix([4, a, b, c, d, e, f, 0]))
        }
    }
}

#[cfg(test)]
mod tests;
