//! Why a relay is not made, renewed or read.

use std::net::SocketAddr;

use beresta_proto::id::RelayId;
use beresta_proto::key::BadSigningKey;

use super::ConfigError;
use crate::home::{HomeError, Name};
use crate::net::BadTlsKey;

/// Why a relay was not made or renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// There is no relay in the folder, and the operator did not say where one is to listen and where clients find it.
    #[error("no address was given")]
    NoAddress,
    /// More addresses than a descriptor names.
    #[error("too many addresses")]
    ManyRoutes,
    /// No client can come to this address, which the operator would hand out.
    #[error("nobody can reach that address")]
    BadPublic(SocketAddr),
    /// To listen at port 0 is to listen at another one after each start, where nobody looks.
    #[error("no port to listen at")]
    NoPort,
    /// The operator's name is too long.
    #[error("the operator's name is too long")]
    LongName,
    /// The identity key is not where it was looked for. The operator has it elsewhere.
    #[error("the identity key is not there")]
    NoIdentity,
    /// A new one can't be written where the operator wants it.
    #[error("the identity key can't be written")]
    IdentityNotWritten,
    /// The file that the operator named is none.
    #[error("no identity key")]
    NotAnIdentity,
    /// Taking up new keys was cut short, and root may not finish it in another user's folder.
    #[error("a rotation was cut short")]
    HalfRotated,
    /// The identity key may not be read by this user.
    #[error("the identity key can't be read")]
    IdentityDenied,
    /// The clock stands before the making of the descriptor that is there: a new one would be over before it.
    #[error("the clock is behind")]
    ClockBehind,
    /// The file is not the identity key of this relay, which is in the folder: another's, or none, since any 32 bytes pass
    /// for one.
    #[error("not this relay's identity key")]
    OtherIdentity(RelayId),
    /// The file is another one of a relay, and no identity key.
    #[error("another of a relay's files")]
    OtherFile(Name),
    /// There was a relay in the folder, this one if that can be told, and its identity key was not given.
    #[error("another relay was here")]
    WasRelay(Option<RelayId>),
    /// There was a relay in the folder, by its `relay.id`, and the identity key that was given is of another.
    #[error("another relay's identity key, where one was")]
    WasAnother {
        /// Which one, if `relay.id` is whole and its own.
        was: RelayId,
        /// Whose identity key was given.
        given: RelayId,
    },
    /// There is no relay in the folder.
    #[error("no relay in this folder")]
    NoRelay,
    /// An import into the folder was cut short.
    #[error("an import was cut short")]
    HalfImported,
    /// The descriptor has ended and must be renewed with the identity key.
    #[error("the descriptor has ended")]
    Ended,
    /// A file could not be read or written.
    #[error(transparent)]
    Home(HomeError),
    /// A key could not be made or used.
    #[error("a key was refused")]
    Key,
    /// `relay.toml` is a link, and is to say that the relay listens here. The operator's to write.
    #[error("the settings are a link")]
    LinkedConfig(SocketAddr),
    /// `relay.toml` is longer than any settings are.
    #[error("the settings are too long")]
    LongConfig,
    /// The settings are not understood: the operator's to mend.
    #[error(transparent)]
    Config(ConfigError),
}

impl From<ConfigError> for SetupError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<HomeError> for SetupError {
    fn from(error: HomeError) -> Self {
        Self::Home(error)
    }
}

impl From<BadSigningKey> for SetupError {
    fn from(_: BadSigningKey) -> Self {
        Self::Key
    }
}

impl From<BadTlsKey> for SetupError {
    fn from(_: BadTlsKey) -> Self {
        Self::Home(HomeError::Damaged(Name::TlsKey))
    }
}
