//! Encrypts and decrypts for a contact: the only door to libsignal.
//!
//! ```text
//! meet ─► session ◄─ encrypt ─► Sealed          what leaves: Double Ratchet and SPQR, then sealed sender v1
//!            ▲
//! decrypt ──┴── guard ◄── open_seal ◄── bytes   what arrives: seal, certificate, guard, ratchet
//! ```
//!
//! Every function works inside one transaction of the store and takes `now` and randomness. A failure leaves nothing
//! behind but the sender's budget of failures. Queues, relays and names are not known here; who a contact is, the
//! engine decides by the key that [`Opened::sender`] gives.
//!
//! The four libsignal crates are pinned exactly (docs/decisions/0001).

mod account;
mod backend;
mod budget;
mod bundle;
mod fault;
mod guard;
mod rng;
mod safety_number;
mod seal;
mod session;
mod stores;
#[cfg(test)]
mod tests;

use beresta_proto::bundle::IdentityPublic;
use beresta_proto::id::Device;
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;

pub use self::account::{create_account, own_identity};
pub use self::backend::{BackendError, check_backend};
pub use self::budget::{FAILURES_PER_HOUR, Way};
pub use self::bundle::{forget_bundle, make_bundle};
pub use self::fault::{AccountError, DecryptError, EncryptError, MeetError, OpenError};
pub use self::guard::{MAX_JUMP, Refused};
pub use self::safety_number::{SafetyNumber, SafetyNumberError, ScanError, safety_number};
pub use self::seal::{CERTIFICATE_LIFE_MS, CERTIFICATE_RENEWAL_MS, Opened, Sealed, Vouched, open_seal};
pub use self::session::{
    Decrypted, Expected, count_failure, decrypt, encrypt, encrypt_last, end_sessions, forget, meet, pinned,
    sent_ahead, session_hash,
};

/// libsignal logs addresses and identity keys through the `log` crate, which is a dependency here for one reason: to
/// be compiled out (rule S11). Should a feature of another crate bring it back, this stops the build.
const _: () = assert!(matches!(log::STATIC_MAX_LEVEL, log::LevelFilter::Off));

/// The local name of a peer: 16 random bytes that mean nothing outside this store, so that libsignal's addresses tell
/// nothing to whoever sees one (rule S11).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub [u8; 16]);

impl Handle {
    /// A fresh handle.
    pub fn random(rng: &mut impl Random) -> Self {
        Self(rng.array())
    }

    fn hex(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Handle(..)")
    }
}

/// One device of one person.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Our name for them.
    pub handle: Handle,
    /// Their identity key, pinned.
    pub identity: IdentityPublic,
    /// Which of their devices.
    pub device: Device,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { handle: _, identity: _, device: _ } = self;
        f.write_str("Peer(..)")
    }
}

/// The times by which something is written or read. A plain time stands for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// Our clock: for sessions, and for what a sender may make us compute.
    pub now: Timestamp,
    /// By which certificates are made and checked: it may be a relay's.
    pub certificate: Timestamp,
}

impl From<Timestamp> for Clocks {
    fn from(now: Timestamp) -> Self {
        Self { now, certificate: now }
    }
}
