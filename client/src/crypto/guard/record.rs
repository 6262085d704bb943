//! libsignal's session record, read by a small mirror of its protobuf for exactly the fields that the guard needs,
//! and put together again so that it never grows.

use libsignal_protocol::{PublicKey, SessionRecord};
use prost::Message as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::header::Header;
use super::{MAX_JUMP, Refused};

/// How many archived states a record may keep. libsignal keeps 40, and tries a forged message on each.
pub(crate) const MAX_ARCHIVED: usize = 3;

/// How far an archived state follows a ratchet key that no state knows: as far as a person's texts go (rule S9).
const MAX_ARCHIVED_JUMP: u32 = 1_000;

/// `RecordStructure`, its states left as bytes. They hold keys of ratchets, and are wiped.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct RecordBytes {
    #[prost(bytes = "vec", optional, tag = "1")]
    current: Option<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    previous: Vec<Vec<u8>>,
}

impl Drop for RecordBytes {
    fn drop(&mut self) {
        self.current.zeroize();
        self.previous.zeroize();
    }
}

/// What the guard reads of `SessionStructure`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct StateView {
    #[prost(bytes = "vec", tag = "3")]
    remote_identity: Vec<u8>,
    #[prost(message, optional, tag = "6")]
    sender_chain: Option<ChainView>,
    #[prost(message, repeated, tag = "7")]
    receiver_chains: Vec<ChainView>,
    #[prost(bytes = "vec", tag = "13")]
    base_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "15")]
    pq_ratchet: Vec<u8>,
}

impl Drop for StateView {
    fn drop(&mut self) {
        self.pq_ratchet.zeroize();
    }
}

/// What the guard reads of `Chain`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct ChainView {
    #[prost(bytes = "vec", tag = "1")]
    ratchet_key: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    chain_key: Option<ChainKeyView>,
}

/// What the guard reads of `ChainKey`: the counter of the next message.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct ChainKeyView {
    #[prost(uint32, tag = "1")]
    index: u32,
}

/// What the guard reads of SPQR's `PqRatchetState`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct PqStateView {
    #[prost(message, optional, tag = "2")]
    chain: Option<PqChainView>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct PqChainView {
    #[prost(uint64, tag = "2")]
    current_epoch: u64,
    #[prost(message, repeated, tag = "3")]
    links: Vec<PqLinkView>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct PqLinkView {
    #[prost(message, optional, tag = "2")]
    receiving: Option<PqCounterView>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct PqCounterView {
    #[prost(uint32, tag = "1")]
    counter: u32,
}

macro_rules! redacted {
    ($($name:ident)*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
redacted!(RecordBytes StateView ChainView ChainKeyView PqStateView PqChainView PqLinkView PqCounterView);

impl PqStateView {
    /// The counter of the last message received in an epoch; 0 for one that we have no chain of.
    fn last_received(&self, epoch: u64) -> u32 {
        let Some(chain) = &self.chain else { return 0 };
        // The newest epoch's link stands last.
        let Some(back) = chain.current_epoch.checked_sub(epoch).and_then(|back| usize::try_from(back).ok())
        else {
            return 0;
        };
        chain.links.iter().rev().nth(back).and_then(|link| link.receiving.as_ref()).map_or(0, |c| c.counter)
    }
}

/// One state, as bytes and as the guard sees it.
struct State {
    bytes: Zeroizing<Vec<u8>>,
    view: StateView,
}

impl State {
    fn read(bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        let view = StateView::decode(bytes.as_slice()).ok()?;
        Some(Self { bytes, view })
    }

    /// The index that the chain of `ratchet_key` has reached.
    fn reached(&self, ratchet_key: &[u8]) -> Option<u32> {
        let chain = self.view.receiver_chains.iter().find(|chain| chain.ratchet_key == ratchet_key)?;
        chain.chain_key.as_ref().map(|key| key.index)
    }

    /// How many steps of both ratchets together following `numbers` would skip; none if more than `jump` in either.
    fn skips(&self, numbers: &Numbers<'_>, jump: u32) -> Option<u32> {
        let reached = self.reached(numbers.ratchet_key).unwrap_or(0);
        let last = PqStateView::decode(self.view.pq_ratchet.as_slice())
            .map_or(0, |pq| pq.last_received(numbers.header.epoch.saturating_sub(1)));
        numbers.skips(reached, last, jump)
    }
}

/// The unauthenticated numbers of a message.
pub(super) struct Numbers<'m> {
    pub(super) ratchet_key: &'m [u8],
    pub(super) counter: u32,
    pub(super) previous_counter: u32,
    pub(super) header: Header,
}

impl Numbers<'_> {
    /// How many steps are skipped from the next counter `reached` and the `last` index of the post-quantum chain.
    fn skips(&self, reached: u32, last: u32, jump: u32) -> Option<u32> {
        let counters = self.counter.saturating_sub(reached);
        let indices = self.header.index.saturating_sub(last);
        // The step after the last index is the next one, and not skipped.
        (counters <= jump && indices <= jump).then(|| counters.saturating_add(indices.saturating_sub(1)))
    }
}

/// A record as it lies in the store, its current state first.
pub(crate) struct Record {
    has_current: bool,
    states: Vec<State>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { has_current: _, states: _ } = self;
        f.write_str("Record(..)")
    }
}

impl Record {
    /// Reads a stored record; archived states past [`MAX_ARCHIVED`] are left behind. No bytes: no session yet.
    /// Nothing if the store held something else.
    pub(crate) fn read(bytes: Option<&[u8]>) -> Option<Self> {
        let mut record = RecordBytes::decode(bytes.unwrap_or_default()).ok()?;
        let (current, previous) = (record.current.take(), std::mem::take(&mut record.previous));
        let has_current = current.is_some();
        let states = current
            .into_iter()
            .chain(previous)
            .map(Zeroizing::new)
            .take(usize::from(has_current) + MAX_ARCHIVED);
        Some(Self { has_current, states: states.map(State::read).collect::<Option<_>>()? })
    }

    /// Whether a session was begun with the key `identity`, and with no other.
    pub(crate) fn only_with(&self, identity: &[u8]) -> bool {
        self.has_current && self.states.iter().all(|state| state.view.remote_identity == identity)
    }

    /// How many messages were encrypted since the peer's last new ratchet key, which only a peer who decrypted one of
    /// the chain before makes: how far we are ahead of what was delivered.
    pub(crate) fn sent_ahead(&self) -> u32 {
        let current = self.states.first().filter(|_| self.has_current);
        let chain = current.and_then(|state| state.view.sender_chain.as_ref());
        chain.and_then(|chain| chain.chain_key.as_ref()).map_or(0, |key| key.index)
    }

    /// Checks the numbers of a message that begins a session with `base_key`, or repeats its beginning: the steps that
    /// it skips.
    pub(super) fn check_first(&self, base_key: &[u8], numbers: &Numbers<'_>) -> Result<u32, Refused> {
        let skips = match self.states.iter().find(|state| state.view.base_key == base_key) {
            Some(state) => state.skips(numbers, MAX_JUMP),
            None => numbers.skips(0, 0, MAX_JUMP),
        };
        skips.filter(|_| self.previous_near(numbers)).ok_or(Refused::TooFarAhead)
    }

    /// The states that a message of a running session may be tried on, as a record for libsignal, and the steps that it
    /// skips on all of them.
    ///
    /// A ratchet key that one state knows belongs to that one: on the others libsignal would count from 0 to a counter
    /// that may be high by right. A key that none knows counts from 0 on each. There an archived state follows only as
    /// far as an honest sender goes: libsignal's work grows with the square of the jump, and all states together must
    /// not cost more than the current one alone.
    pub(super) fn candidates(&self, numbers: &Numbers<'_>) -> Result<(Zeroizing<Vec<u8>>, u32), Refused> {
        let known = self.states.iter().position(|state| state.reached(numbers.ratchet_key).is_some());
        let mut tried = RecordBytes::default();
        let mut skips = None;
        for (at, state) in self.states.iter().enumerate() {
            let jump = if at == 0 || known.is_some() { MAX_JUMP } else { MAX_ARCHIVED_JUMP };
            let Some(more) = state.skips(numbers, jump).filter(|_| known.is_none_or(|known| known == at))
            else {
                continue;
            };
            let bytes = state.bytes.to_vec();
            if skips.is_none() {
                tried.current = Some(bytes)
            } else {
                tried.previous.push(bytes)
            }
            skips = Some(skips.unwrap_or(0_u32).saturating_add(more));
        }
        let skips = skips.filter(|_| self.previous_near(numbers)).ok_or(Refused::TooFarAhead)?;
        Ok((Zeroizing::new(tried.encode_to_vec()), skips))
    }

    /// Whether the length that a message claims for the chain before its own is near what we saw of any chain.
    fn previous_near(&self, numbers: &Numbers<'_>) -> bool {
        let seen = self.states.iter().flat_map(|state| &state.view.receiver_chains);
        let most = seen.filter_map(|chain| chain.chain_key.as_ref()).map(|key| key.index).max().unwrap_or(0);
        numbers.previous_counter <= most.saturating_add(MAX_JUMP)
    }

    /// The record with the state that libsignal made or moved as the current one, and the others archived behind it,
    /// at most [`MAX_ARCHIVED`]. Nothing if either is not a record.
    pub(crate) fn with(&self, moved: &SessionRecord) -> Option<Zeroizing<Vec<u8>>> {
        let moved_bytes = Zeroizing::new(moved.serialize().ok()?);
        let current = RecordBytes::decode(moved_bytes.as_slice()).ok()?.current.take()?;
        let base_key = moved.alice_base_key().ok()?;
        let mut record = RecordBytes { current: Some(current), previous: Vec::new() };
        for (at, state) in self.states.iter().enumerate() {
            if record.previous.len() == MAX_ARCHIVED {
                break;
            }
            if state.view.base_key == base_key {
                continue;
            }
            let archived =
                if at == 0 && self.has_current { archive(&state.bytes)? } else { state.bytes.to_vec() };
            record.previous.push(archived);
        }
        Some(Zeroizing::new(record.encode_to_vec()))
    }
}

/// A current state made an archived one by libsignal, which drops what only a current one needs.
fn archive(state: &[u8]) -> Option<Vec<u8>> {
    let alone = RecordBytes { current: Some(state.to_vec()), previous: Vec::new() };
    let alone = Zeroizing::new(alone.encode_to_vec());
    let mut record = SessionRecord::deserialize(&alone).ok()?;
    record.archive_current_state().ok()?;
    let archived = Zeroizing::new(record.serialize().ok()?);
    RecordBytes::decode(archived.as_slice()).ok()?.previous.pop()
}

/// The bytes of a ratchet key as records keep it.
pub(super) fn key_bytes(key: &PublicKey) -> Box<[u8]> {
    key.serialize()
}
