//! What the core asks of its driver, and the names that both use.

use std::sync::Arc;

use beresta_proto::capsule::{Capsule, CapsuleError, Header};
use beresta_proto::id::RelayId;
use beresta_proto::key::{EpochSecret, Signature, VerifyingKey};
use zeroize::Zeroizing;

use crate::queue::Op;

/// One link, for as long as it lives. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// One piece of work that the core waits for. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Why a link is closed by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// What came is no frame or no command of this version: the client erred.
    #[error("malformed frame")]
    Malformed,
    /// It went on asking over its rate.
    #[error("too many requests")]
    OverRate,
    /// Its capsules do not open, one after the other.
    #[error("too many capsules that do not open")]
    Unopenable,
    /// It said no whole command in time, or too slowly.
    #[error("too slow")]
    Slow,
    /// Places are short, and it held one for nothing.
    #[error("unused")]
    Unused,
}

impl CloseReason {
    /// The application error code of QUIC's CONNECTION_CLOSE.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Malformed => 1,
            Self::OverRate => 2,
            Self::Unopenable => 3,
            Self::Slow => 4,
            Self::Unused => 5,
        }
    }
}

/// What the driver does next.
pub enum Output {
    /// Write this frame on that link, after all before it.
    Frame {
        /// The link.
        link: LinkId,
        /// A whole frame.
        bytes: Vec<u8>,
    },
    /// Close that link. The core has forgotten it already.
    Close {
        /// The link.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// A link that was not read from may be read from again: ask [`super::Relay::may_read`].
    Resume {
        /// The link.
        link: LinkId,
    },
    /// Hand this to the queue engine, and its answer to [`super::Relay::handle_stored`].
    Engine {
        /// For the answer.
        ticket: Ticket,
        /// What is asked.
        op: Op,
    },
    /// Run this where it holds nobody up, and hand the result to [`super::Relay::handle_opened`].
    Work {
        /// For the result.
        ticket: Ticket,
        /// What is to be computed.
        job: Job,
    },
    /// Write the private epoch keys over those of before, in place, and say to [`super::Relay::handle_kept`] whether
    /// they are on the disk. Until that was said no other write is asked for, so none overtakes another.
    KeepEpochs {
        /// For the answer.
        ticket: Ticket,
        /// The file.
        keys: Zeroizing<Vec<u8>>,
    },
}

/// A computation that is too slow for the core: 0.1 to 2 ms of a core.
#[derive(Debug)]
pub enum Job {
    /// Open a capsule's header.
    Open {
        /// What came.
        capsule: Box<Capsule>,
        /// The key it claims to be sealed to.
        epoch: Arc<EpochSecret>,
        /// Whom it must be sealed for.
        relay: RelayId,
    },
    /// Check signatures.
    Verify(Vec<Claim>),
}

impl core::fmt::Debug for Output {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Frame { link: _, bytes: _ } => f.write_str("Frame(..)"),
            Self::Close { link: _, reason } => f.debug_tuple("Close").field(reason).finish(),
            Self::Resume { link: _ } => f.write_str("Resume"),
            Self::Engine { ticket: _, op } => f.debug_tuple("Engine").field(op).finish(),
            Self::Work { ticket: _, job } => f.debug_tuple("Work").field(job).finish(),
            Self::KeepEpochs { ticket: _, keys: _ } => f.write_str("KeepEpochs(..)"),
        }
    }
}

/// A text, who is said to have signed it, and the signature.
#[derive(Clone)]
pub struct Claim {
    pub(super) key: VerifyingKey,
    pub(super) text: Vec<u8>,
    pub(super) signature: Signature,
}

impl core::fmt::Debug for Claim {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { key: _, text: _, signature: _ } = self;
        f.write_str("Claim(..)")
    }
}

/// What a [`Job`] came to.
#[derive(Debug)]
pub enum Worked {
    /// A capsule and its header.
    Opened {
        /// The capsule.
        capsule: Box<Capsule>,
        /// What its header says.
        header: Result<Header, CapsuleError>,
    },
    /// Whether each signature holds.
    Verified(Vec<bool>),
    /// The work could not be done.
    Failed,
}

impl Job {
    /// Does the work.
    #[must_use]
    pub fn run(self) -> Worked {
        match self {
            Self::Open { capsule, epoch, relay } => {
                let header = capsule.open_header(&epoch, &relay);
                Worked::Opened { capsule, header }
            }
            Self::Verify(claims) => Worked::Verified(
                claims.iter().map(|claim| claim.key.verify(&claim.text, &claim.signature).is_ok()).collect(),
            ),
        }
    }
}
