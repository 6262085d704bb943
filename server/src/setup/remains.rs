//! A folder in which a relay was and has no descriptor any more. Under a new identity nobody would come for the queues that lie
//! there, and what people have as its address would answer no more.

use beresta_proto::id::RelayId;

use super::SetupError;
use crate::home::{Home, HomeError, Name};

/// What only a relay leaves, in the order in which it is made. Settings may be written before there is one.
const LEFT: [Name; 6] =
    [Name::TlsKey, Name::EpochSigner, Name::QueueKey, Name::EpochKeys, Name::DayKeys, Name::Queues];

/// Refuses any relay but the one that was here. `ours`: whose identity key there is, none if one is to be made.
pub(super) fn refuse_another(home: &Home, ours: Option<RelayId>) -> Result<(), SetupError> {
    let was = match home.read_array(Name::RelayId) {
        Ok(was) => Some(RelayId(*was)),
        Err(HomeError::Missing(_) | HomeError::Damaged(_)) => None,
        Err(error @ (HomeError::Exists(_) | HomeError::Foreign | HomeError::Busy | HomeError::Io(_))) => {
            return Err(error.into());
        }
    };
    match (ours, was) {
        (Some(given), Some(was)) if given != was => Err(SetupError::WasAnother { was, given }),
        // Where no id is left whose it was can't be told: its operator says.
        (Some(_), _) => Ok(()),
        (None, Some(_)) => Err(SetupError::WasRelay(was)),
        (None, None) => {
            let left = home.has(Name::RelayId) || LEFT.into_iter().any(|name| home.has(name));
            if left { Err(SetupError::WasRelay(None)) } else { Ok(()) }
        }
    }
}
