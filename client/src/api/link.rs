//! What a link says before anything is done with it.

use beresta_proto::address::RelayAddress;
use beresta_proto::invite::InviteLink;

use super::Error;
use super::record::{self, InvitePreview};

/// Reads a relay's address as its operator gave it.
///
/// # Errors
/// [`Error::BadLink`] if it is none.
pub fn parse_relay(link: &str) -> Result<RelayAddress, Error> {
    Ok(RelayAddress::from_link(link)?)
}

/// What an invite says before anything is done with it. Reaches nothing.
///
/// # Errors
/// [`Error::BadLink`] if it is none.
pub fn inspect_invite(link: &str) -> Result<InvitePreview, Error> {
    record::preview(&InviteLink::from_link(link)?)
}
