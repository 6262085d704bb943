//! What stands between the network and libsignal (rule S7): nothing is decrypted that did not come through here.
//!
//! libsignal v0.85.3 does much before it checks a MAC. A stranger can panic it, or make it count for minutes. The
//! guard lets a message pass only if its numbers are near what the session has reached, its keys are canonical and
//! its post-quantum header has the one right form. What passes is an [`Admitted`], which only the guard can make.
//! Whether the message is genuine, libsignal decides; how often a sender may fail, `budget` does; and
//! [`contain`](super::fault::contain) stands behind it all.

mod header;
pub(super) mod record;
#[cfg(test)]
mod tests;

use beresta_proto::bundle::IdentityPublic;
use libsignal_protocol::{CiphertextMessageType, PreKeySignalMessage, PublicKey, SignalMessage};
use prost::Message as _;
use zeroize::Zeroizing;

use self::record::{Numbers, Record};

/// How far past the last message seen a counter may be (rule S9). A sender stops 1,000 past the last one delivered; each step
/// is a hash that a forger makes us compute.
pub const MAX_JUMP: u32 = 2_000;

/// The version of messages in sessions made by PQXDH.
const PQXDH_VERSION: u8 = 4;

/// Why the guard refused a message or a key. The sender erred, or lied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not a message of a kind that we take.
    #[error("not a message of a known kind")]
    Malformed,
    /// A key that is not canonical, all-zero or of low order: it would void a key agreement.
    #[error("a key is not canonical")]
    WeakKey,
    /// Our own identity key as somebody else's: it lifts libsignal's limits.
    #[error("our own identity claimed by a peer")]
    OurIdentity,
    /// The identity key inside the message is not the one that sealed it.
    #[error("sealed by one key, written by another")]
    OtherIdentity,
    /// A counter more than [`MAX_JUMP`] past the last one seen.
    #[error("counter too far ahead")]
    TooFarAhead,
    /// No PQXDH, or no post-quantum ratchet, or a header of it that is not of the one right form.
    #[error("not post-quantum")]
    NotPostQuantum,
    /// A message of a session that we don't have.
    #[error("no session")]
    NoSession,
}

/// A message that may be handed to libsignal, and with which states.
pub(super) enum Admitted {
    /// It begins a session, or repeats the beginning.
    First(Box<PreKeySignalMessage>),
    /// It belongs to a running session: one of the states in this record, libsignal's `RecordStructure`.
    Running(Box<SignalMessage>, Zeroizing<Vec<u8>>),
}

impl std::fmt::Debug for Admitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::First(_) => f.write_str("First(..)"),
            Self::Running(..) => f.write_str("Running(..)"),
        }
    }
}

/// The one field of a message's protobuf that libsignal parses but does not give out.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct MessageView {
    #[prost(uint32, optional, tag = "3")]
    previous_counter: Option<u32>,
}

/// Bytes of the MAC at a message's end.
const MAC_LEN: usize = 8;

/// Reads a public key and refuses those that would void a key agreement.
pub(super) fn public_key(bytes: &[u8]) -> Result<PublicKey, Refused> {
    let key = PublicKey::deserialize(bytes).map_err(|_| Refused::WeakKey)?;
    // `deserialize` ignores bytes after a key.
    if *key.serialize() != *bytes {
        return Err(Refused::WeakKey);
    }
    canonical(&key)?;
    Ok(key)
}

fn canonical(key: &PublicKey) -> Result<(), Refused> {
    if key.is_canonical() { Ok(()) } else { Err(Refused::WeakKey) }
}

/// The identity key of a peer, canonical and not our own. Only the guard makes one: whoever holds it need not ask again.
#[derive(Clone, Copy)]
pub(super) struct PeerKey {
    identity: IdentityPublic,
    key: PublicKey,
}

impl PeerKey {
    /// Its bytes.
    pub(super) const fn identity(&self) -> &IdentityPublic {
        &self.identity
    }

    /// The key.
    pub(super) const fn key(&self) -> &PublicKey {
        &self.key
    }
}

impl std::fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { identity: _, key: _ } = self;
        f.write_str("PeerKey(..)")
    }
}

/// Reads the identity key of a peer: canonical, and not our own.
pub(super) fn peer_identity(identity: &IdentityPublic, own: &IdentityPublic) -> Result<PeerKey, Refused> {
    if identity == own {
        return Err(Refused::OurIdentity);
    }
    Ok(PeerKey { identity: *identity, key: public_key(&identity.0)? })
}

/// Reads the identity key of a peer that is pinned to a handle: none is pinned that [`peer_identity`] refused.
pub(super) fn pinned_identity(identity: &IdentityPublic) -> Result<PeerKey, Refused> {
    let key = PublicKey::deserialize(&identity.0).map_err(|_| Refused::WeakKey)?;
    Ok(PeerKey { identity: *identity, key })
}

/// Admits a message that `sender` sealed, against the record of the session with them; with it, the steps that it skips
/// in the ratchets: their sender pays for them.
pub(super) fn admit(
    kind: CiphertextMessageType,
    bytes: &[u8],
    record: &Record,
    sender: &PeerKey,
    own: &IdentityPublic,
) -> Result<(Admitted, u32), Refused> {
    let sender = sender.identity();
    match kind {
        CiphertextMessageType::PreKey => {
            let message = PreKeySignalMessage::try_from(bytes).map_err(|_| Refused::Malformed)?;
            // The identity is compared first: a lie about it is worth its own name.
            let identity = message.identity_key().serialize();
            if *identity == own.0 {
                return Err(Refused::OurIdentity);
            }
            if *identity != sender.0 {
                return Err(Refused::OtherIdentity);
            }
            if message.message_version() != PQXDH_VERSION || message.kyber_pre_key_id().is_none() {
                return Err(Refused::NotPostQuantum);
            }
            canonical(message.base_key())?;
            let skips = with_numbers(message.message(), |numbers| {
                record.check_first(&record::key_bytes(message.base_key()), numbers)
            })?;
            Ok((Admitted::First(Box::new(message)), skips))
        }
        CiphertextMessageType::Whisper => {
            let message = SignalMessage::try_from(bytes).map_err(|_| Refused::Malformed)?;
            if !record.only_with(&sender.0) {
                return Err(Refused::NoSession);
            }
            let (candidates, skips) = with_numbers(&message, |numbers| record.candidates(numbers))?;
            Ok((Admitted::Running(Box::new(message), candidates), skips))
        }
        CiphertextMessageType::SenderKey | CiphertextMessageType::Plaintext => Err(Refused::Malformed),
    }
}

/// Checks what a message says of itself, then hands its numbers to `check`.
fn with_numbers<T>(
    message: &SignalMessage,
    check: impl FnOnce(&Numbers<'_>) -> Result<T, Refused>,
) -> Result<T, Refused> {
    if message.message_version() != PQXDH_VERSION {
        return Err(Refused::NotPostQuantum);
    }
    canonical(message.sender_ratchet_key())?;
    let header = header::parse(message.pq_ratchet()).ok_or(Refused::NotPostQuantum)?;
    let bytes = message.serialized();
    let inner =
        bytes.len().checked_sub(MAC_LEN).and_then(|end| bytes.get(1..end)).ok_or(Refused::Malformed)?;
    let view = MessageView::decode(inner).map_err(|_| Refused::Malformed)?;
    check(&Numbers {
        ratchet_key: &record::key_bytes(message.sender_ratchet_key()),
        counter: message.counter(),
        previous_counter: view.previous_counter.unwrap_or(0),
        header,
    })
}

impl std::fmt::Debug for MessageView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { previous_counter: _ } = self;
        f.write_str("MessageView(..)")
    }
}
