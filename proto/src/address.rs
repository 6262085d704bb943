//! Where a contact is written to: a list of queues, each on a relay with its routes (rule Q12). Also the text form
//! of a relay's own address, which its operator hands out.

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::{DecodeError, Reader, Writer, limited};
use crate::id::{Device, RelayId, SendId};
use crate::invite::{LinkError, decode_link, encode_link};
use crate::key::{EnvelopeKey, SendCapability};
use crate::limits::{ADDRESSES, ROUTES};
use crate::route::Route;

/// A relay and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayAddress {
    /// The hash of its identity key.
    pub relay: RelayId,
    /// At least one, at most [`crate::limits::ROUTES`].
    pub routes: Vec<Route>,
}

/// The scheme of a relay's address.
pub const RELAY_SCHEME: &str = "beresta-relay:";

impl RelayAddress {
    pub(crate) fn encode(&self, w: &mut Writer) {
        self.relay.encode(w);
        Route::encode_list(&self.routes, w);
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let address = Self { relay: RelayId::decode(r)?, routes: Route::decode_list(r)? };
        if address.routes.is_empty() {
            return Err(DecodeError::Invalid { what: "routes" });
        }
        Ok(address)
    }

    /// The address as bytes, for a store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(64);
        self.encode(&mut w);
        w.into_vec()
    }

    /// An address from a store.
    ///
    /// # Errors
    /// [`DecodeError`] if it is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let address = Self::decode(&mut r)?;
        r.finish()?;
        Ok(address)
    }

    /// The address as one word, `beresta-relay:…`, that fits a QR code.
    #[must_use]
    pub fn to_link(&self) -> String {
        encode_link(RELAY_SCHEME, &self.to_bytes())
    }

    /// Reads what [`RelayAddress::to_link`] wrote.
    ///
    /// # Errors
    /// [`LinkError`] if it is something else or was damaged.
    pub fn from_link(link: &str) -> Result<Self, LinkError> {
        Ok(Self::from_bytes(&decode_link(RELAY_SCHEME, link)?)?)
    }
}

/// One queue of a contact's device, with what is needed to write to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueAddress {
    /// The mailbox relay.
    pub relay: RelayAddress,
    /// Whose device reads it.
    pub device: Device,
    /// The queue.
    pub send_id: SendId,
    /// Lets its bearer send.
    pub capability: SendCapability,
    /// Seals its envelopes.
    pub key: EnvelopeKey,
}

impl QueueAddress {
    pub(crate) fn encode(&self, w: &mut Writer) {
        self.relay.encode(w);
        w.u8(self.device.get());
        self.send_id.encode(w);
        self.capability.encode(w);
        self.key.encode(w);
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            relay: RelayAddress::decode(r)?,
            device: Device::new(r.u8()?)?,
            send_id: SendId::decode(r)?,
            capability: SendCapability::decode(r)?,
            key: EnvelopeKey::decode(r)?,
        })
    }

    /// Refuses a list that [`QueueAddress::decode_list`] would refuse.
    pub(crate) fn check_list(list: &[Self]) -> Result<(), DecodeError> {
        if list.is_empty() {
            return Err(DecodeError::Invalid { what: "addresses" });
        }
        limited("addresses", list.len(), ADDRESSES)?;
        list.iter().try_for_each(|one| match one.relay.routes.len() {
            0 => Err(DecodeError::Invalid { what: "routes" }),
            got => limited("routes", got, ROUTES),
        })
    }

    /// Writes a list of at most [`ADDRESSES`].
    pub fn encode_list(list: &[Self], w: &mut Writer) {
        w.list(list, |w, one| one.encode(w));
    }

    /// Reads a list of 1 to [`ADDRESSES`].
    ///
    /// # Errors
    /// [`DecodeError`] if it is empty, too long or cut.
    pub fn decode_list(r: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        let list = r.list("addresses", ADDRESSES, Self::decode)?;
        if list.is_empty() { Err(DecodeError::Invalid { what: "addresses" }) } else { Ok(list) }
    }
}
