//! Who is who: real addresses by alias and aliases by real address. Forged addresses must not make it grow, and none may
//! stay in it for longer than it is needed.
//!
//! An alias is an address in 100::/64, to which nobody can send (RFC 6666): one that got out by a fault would reach no
//! one. It says where its entry lies, which spares a search, and has 47 random bits, so that an old one never leads to who
//! lies there now.
//!
//! | state | from | forgotten | pushed out |
//! |---|---|---|---|
//! | unanswered | a datagram came | after [`KEPT`] | by 4,096 others who were not answered |
//! | answered | something was sent there | after [`KEPT`] | by 65,536 others who were |
//! | held | a handshake or link is there | after [`SILENT`] without a datagram | never |
//!
//! A link whose machine was switched off is QUIC's for a minute and a half or two, but where it was is forgotten before. If it was only a
//! bad line, whoever is heard again gets another alias, and QUIC follows the link there (RFC 9000 §9).
//!
//! What is sent to an address that may be forged is three times what came from there, at the most (RFC 9000 §8.1):
//! QUIC's library counts a datagram only once it has sent it, and so goes beyond.

use std::collections::VecDeque;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use beresta_proto::rng::Random as _;
use zeroize::Zeroize;

use crate::net::register::{Place, Register};
use crate::random::SystemRandom;

/// Ticks for which an entry is kept that nobody holds.
pub(super) const KEPT: u64 = 10;
/// Ticks after which an entry is forgotten that is held and says nothing. Clients let themselves be heard every 25 s (rule
/// L10); what is lost of that is said again within the rest.
pub(super) const SILENT: u64 = 40;
/// Ticks between two looks for those.
const LOOK: u64 = 5;
/// Entries of who was not answered: as many as may wait to be judged, and some more.
pub(super) const UNANSWERED: usize = 4_096;
/// Entries of who was answered, and is no link: in a flood of forged handshakes an honest one has to come back before
/// so many others came, with the token that it was given. A gigabit a second brings as many in half a second.
pub(super) const ANSWERED: usize = 65_536;
/// Entries that may be held: more than there may be links.
const HELD: usize = 20_480;
/// So many bytes may be sent for each that came.
const TIMES: u64 = 3;
/// The front of all aliases (RFC 6666).
const DISCARD: u16 = 0x0100;

/// A real address, in a form that can be wiped: an address of the standard library keeps parts of what was there before.
#[derive(Default, PartialEq, Eq, Hash, Zeroize)]
struct Peer {
    ip: [u8; 16],
    scope: u32,
    port: u16,
    /// Whether the socket speaks IPv4 and so wants it back as that.
    v4: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Unanswered,
    Answered,
    /// By so many.
    Held(u32),
}

#[derive(Debug, Default)]
struct Entry {
    tag: u64,
    state: State,
    /// The tick at which the state began.
    since: u64,
    /// The tick at which something came last.
    heard: u64,
    /// Bytes that may still be sent, where that is limited.
    left: u64,
    limited: bool,
    proven: bool,
}

/// An entry that nobody holds, in the order in which it is forgotten; another state may have come over it.
#[derive(Debug, Clone, Copy)]
struct Due {
    place: Place,
    tag: u64,
    since: u64,
}

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    register: Register<Peer, Entry>,
    unanswered: VecDeque<Due>,
    answered: VecDeque<Due>,
    tick: u64,
    rng: SystemRandom,
}

impl From<SocketAddr> for Peer {
    fn from(at: SocketAddr) -> Self {
        match at {
            SocketAddr::V4(v4) => {
                Self { ip: v4.ip().to_ipv6_mapped().octets(), scope: 0, port: v4.port(), v4: true }
            }
            SocketAddr::V6(v6) => {
                Self { ip: v6.ip().octets(), scope: v6.scope_id(), port: v6.port(), v4: false }
            }
        }
    }
}

impl Peer {
    fn address(&self) -> SocketAddr {
        let ip = Ipv6Addr::from(self.ip);
        match ip.to_ipv4_mapped().filter(|_| self.v4) {
            Some(v4) => SocketAddr::from((v4, self.port)),
            None => SocketAddr::V6(SocketAddrV6::new(ip, self.port, 0, self.scope)),
        }
    }
}

/// The alias of an entry. Its tag is in the address and, for the rest, in the port, which is never 0.
fn alias(place: Place, tag: u64) -> SocketAddr {
    let [_, _, port_high, port_low, a, b, c, d] = tag.to_be_bytes();
    let word = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    let [e, f, g, h] = place.to_be_bytes();
    let ip = Ipv6Addr::new(DISCARD, 0, 0, 0, word(e, f), word(g, h), word(a, b), word(c, d));
    SocketAddr::V6(SocketAddrV6::new(ip, word(port_high, port_low) | 1, 0, 0))
}

impl Table {
    pub(super) fn new(rng: SystemRandom) -> Self {
        let register = Register::new(UNANSWERED + ANSWERED + HELD);
        Self { register, unanswered: VecDeque::new(), answered: VecDeque::new(), tick: 0, rng }
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.register.len()
    }

    /// Where the entry of an alias lies, if it is still the same one's.
    fn place(&self, at: SocketAddr) -> Option<Place> {
        let SocketAddr::V6(v6) = at else { return None };
        let [_, _, _, _, high, low, _, _] = v6.ip().segments();
        let place = Place::from(high) << 16 | Place::from(low);
        let (_, entry) = self.register.get(place)?;
        (alias(place, entry.tag) == at).then_some(place)
    }

    fn entry(&mut self, alias: SocketAddr) -> Option<&mut Entry> {
        let place = self.place(alias)?;
        self.register.value(place)
    }

    /// Who it is.
    pub(super) fn address(&self, alias: SocketAddr) -> Option<SocketAddr> {
        let (peer, _) = self.register.get(self.place(alias)?)?;
        Some(peer.address())
    }

    /// Something came from `from`; `begins` says whether it may belong to a handshake. None if there is no room.
    pub(super) fn received(
        &mut self,
        from: SocketAddr,
        bytes: usize,
        begins: impl FnOnce() -> bool,
    ) -> Option<SocketAddr> {
        let peer = Peer::from(from);
        let place = match self.register.find(&peer) {
            Some(place) => place,
            None => self.add(peer)?,
        };
        let entry = self.register.value(place)?;
        entry.heard = self.tick;
        if !entry.proven {
            entry.left = entry.left.saturating_add((bytes as u64).saturating_mul(TIMES));
            // A link that moved is limited by QUIC's library, which alone knows when its new address is proven; and who
            // knows where a link is must not slow it down by a handshake in its name.
            if !entry.limited && !matches!(entry.state, State::Held(_)) {
                entry.limited = begins();
            }
        }
        Some(alias(place, entry.tag))
    }

    fn add(&mut self, peer: Peer) -> Option<Place> {
        make_room(&mut self.unanswered, UNANSWERED, State::Unanswered, &mut self.register);
        let mut tag = [0; 8];
        self.rng.fill(&mut tag);
        let (tag, since) = (u64::from_be_bytes(tag), self.tick);
        let place = self.register.insert(peer, Entry { tag, since, ..Entry::default() })?;
        self.unanswered.push_back(Due { place, tag, since });
        Some(place)
    }

    /// Where to send what is for `alias`, and how many of the bytes, in whole datagrams. None if nobody is there any
    /// more, or nothing may be sent.
    pub(super) fn sending(
        &mut self,
        alias: SocketAddr,
        bytes: usize,
        datagram: usize,
    ) -> Option<(SocketAddr, usize)> {
        let place = self.place(alias)?;
        let entry = self.register.value(place)?;
        let mut allowed = bytes;
        if !entry.proven {
            if entry.limited {
                allowed = within(bytes, datagram, entry.left);
            }
            entry.left = entry.left.saturating_sub(allowed as u64);
        }
        if allowed == 0 {
            return None;
        }
        if entry.state == State::Unanswered {
            self.answer(place);
        }
        let (peer, _) = self.register.get(place)?;
        Some((peer.address(), allowed))
    }

    /// The bytes were not sent after all.
    pub(super) fn unsent(&mut self, alias: SocketAddr, bytes: usize) {
        if let Some(entry) = self.entry(alias) {
            entry.left = entry.left.saturating_add(bytes as u64);
        }
    }

    /// From now on the entry counts among those that were answered.
    fn answer(&mut self, place: Place) {
        make_room(&mut self.answered, ANSWERED, State::Answered, &mut self.register);
        let since = self.tick;
        let Some(entry) = self.register.value(place) else { return };
        (entry.state, entry.since) = (State::Answered, since);
        self.answered.push_back(Due { place, tag: entry.tag, since });
    }

    /// Keeps an entry until it is released. Says whether it is there.
    pub(super) fn hold(&mut self, alias: SocketAddr) -> bool {
        let Some(entry) = self.entry(alias) else { return false };
        entry.state = match entry.state {
            State::Unanswered | State::Answered => State::Held(1),
            State::Held(by) => State::Held(by.saturating_add(1)),
        };
        true
    }

    /// Keeps the entry to which a link moved. How much may be sent there is QUIC's to limit from now on: a handshake that
    /// somebody forges in its name must not slow it down. Says whether it is there.
    pub(super) fn hold_moved(&mut self, alias: SocketAddr) -> bool {
        let held = self.hold(alias);
        if let Some(entry) = self.entry(alias) {
            entry.limited = false;
        }
        held
    }

    pub(super) fn release(&mut self, alias: SocketAddr) {
        let Some(place) = self.place(alias) else { return };
        let Some(entry) = self.register.value(place) else { return };
        match entry.state {
            State::Held(1) => self.answer(place),
            State::Held(by) => entry.state = State::Held(by.saturating_sub(1)),
            State::Unanswered | State::Answered => {}
        }
    }

    /// The peer was seen to receive at its address.
    pub(super) fn prove(&mut self, alias: SocketAddr) {
        if let Some(entry) = self.entry(alias) {
            entry.proven = true;
        }
    }

    /// Time passes: forgets what was kept for long enough.
    pub(super) fn tick(&mut self) {
        self.tick = self.tick.saturating_add(1);
        let over = |due: &Due| due.since.saturating_add(KEPT) < self.tick;
        for (queue, state) in
            [(&mut self.unanswered, State::Unanswered), (&mut self.answered, State::Answered)]
        {
            while let Some(due) = queue.pop_front_if(|due| over(due)) {
                forget(due, state, &mut self.register);
            }
            // What a flood needed is given back; there is no address in it.
            if queue.is_empty() {
                queue.shrink_to_fit();
            }
        }
        if self.tick.is_multiple_of(LOOK) {
            let tick = self.tick;
            let silent = |entry: &Entry| entry.heard.saturating_add(SILENT) < tick;
            self.register.retain(|entry| !(matches!(entry.state, State::Held(_)) && silent(entry)));
        }
    }
}

/// As many whole datagrams as fit.
fn within(bytes: usize, datagram: usize, left: u64) -> usize {
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    if bytes <= left { bytes } else { left.checked_div(datagram).unwrap_or(0).saturating_mul(datagram) }
}

/// Makes room for one more in `queue`, at the cost of who came first.
fn make_room(queue: &mut VecDeque<Due>, most: usize, state: State, register: &mut Register<Peer, Entry>) {
    while queue.len() >= most {
        let Some(due) = queue.pop_front() else { return };
        forget(due, state, register);
    }
}

/// Forgets an entry that is still in this state since then.
fn forget(due: Due, state: State, register: &mut Register<Peer, Entry>) {
    let is_due = register
        .get(due.place)
        .is_some_and(|(_, entry)| entry.tag == due.tag && entry.state == state && entry.since == due.since);
    if is_due {
        register.remove(due.place);
    }
}

#[cfg(test)]
mod tests;
