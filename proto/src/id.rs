//! Identifiers that could be swapped are types of their own. Their `Debug` shows no byte: an id in a log links what
//! must not be linked.

use crate::codec::{DecodeError, Reader, Writer};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Bytes of the id.
            pub const LEN: usize = $len;

            /// A fresh random id.
            pub fn random(rng: &mut impl $crate::rng::Random) -> Self {
                Self(rng.array())
            }

            /// The id in a byte string of exactly its length.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            #[allow(dead_code, reason = "not every id stands on the wire by itself")]
            pub(crate) fn encode(&self, w: &mut Writer) {
                w.put(&self.0);
            }

            #[allow(dead_code, reason = "not every id stands on the wire by itself")]
            pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                r.array().map(Self)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let Self(_) = self;
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

id!(
    /// A relay's address: the hash of its offline identity key (rule D1).
    RelayId, 32
);
id!(
    /// Names a queue towards its reader. Made by the relay at random.
    ReadId, 24
);
id!(
    /// Names a queue towards its senders. Made by the relay at random; says nothing about the [`ReadId`].
    SendId, 24
);
id!(
    /// Names an invite blob. Drawn at random by its owner.
    BlobId, 16
);
id!(
    /// Makes a send idempotent: the same envelope in a fresh capsule keeps it (rule Q5).
    MessageId, 16
);
id!(
    /// Names a text among two people, for receipts; never seen by a relay.
    ContentId, 16
);
id!(
    /// Names an epoch key: the front of its hash.
    KeyId, 8
);
id!(
    /// A person's account: the UUID made of the hash of the identity key (rule S2). Certifies itself.
    AccountId, 16
);
id!(
    /// A conversation between two people. Drawn at random by the inviter.
    ConversationId, 16
);

/// Which of a person's devices: 1 to 127. This version has device 1 only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device(u8);

impl Device {
    /// The first device of an account.
    pub const FIRST: Self = Self(1);

    /// Checks a number.
    ///
    /// # Errors
    /// [`DecodeError::Invalid`] if it is not from 1 to 127, the range of libsignal's device ids.
    pub const fn new(number: u8) -> Result<Self, DecodeError> {
        match number {
            1..=127 => Ok(Self(number)),
            _ => Err(DecodeError::Invalid { what: "device" }),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}
