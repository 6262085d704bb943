//! How a relay is reached. A list of routes stands in addresses, invites and descriptors; kinds that this version
//! does not know are skipped, so that new ones can be added (rule D5).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::codec::{DecodeError, Reader, Writer};
use crate::limits::{ROUTE_BYTES, ROUTES};

/// One way to a relay.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// QUIC to an IP address and a UDP port. No name is looked up.
    Quic(SocketAddr),
    /// A kind that this version does not know, kept so that it can be handed on.
    Other {
        /// Its number.
        kind: u8,
        /// Its bytes, at most [`ROUTE_BYTES`].
        data: Vec<u8>,
    },
}

impl core::fmt::Debug for Route {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Quic(_) => f.write_str("Route::Quic(..)"),
            Self::Other { kind: _, data: _ } => f.write_str("Route::Other(..)"),
        }
    }
}

const QUIC_V4: u8 = 1;
const QUIC_V6: u8 = 2;

impl Route {
    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Quic(at) => {
                match at.ip() {
                    IpAddr::V4(ip) => {
                        w.u8(QUIC_V4);
                        w.u8(6);
                        w.put(&ip.octets());
                    }
                    IpAddr::V6(ip) => {
                        w.u8(QUIC_V6);
                        w.u8(18);
                        w.put(&ip.octets());
                    }
                }
                w.u16(at.port());
            }
            Self::Other { kind, data } => {
                let len = u8::try_from(data.len()).unwrap_or(u8::MAX);
                w.u8(*kind);
                w.u8(len);
                w.put(data.get(..usize::from(len)).unwrap_or(data));
            }
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = r.u8()?;
        let len = usize::from(r.u8()?);
        if len > ROUTE_BYTES {
            return Err(DecodeError::TooLong { what: "route", got: len, limit: ROUTE_BYTES });
        }
        let data = r.take(len)?;
        let mut r = Reader::new(data);
        let at = match kind {
            QUIC_V4 => SocketAddr::new(Ipv4Addr::from(r.array::<4>()?).into(), r.u16()?),
            QUIC_V6 => SocketAddr::new(Ipv6Addr::from(r.array::<16>()?).into(), r.u16()?),
            kind => return Ok(Self::Other { kind, data: data.to_vec() }),
        };
        r.finish()?;
        Ok(Self::Quic(at))
    }

    pub(crate) fn encode_list(routes: &[Self], w: &mut Writer) {
        w.list(routes, |w, route| route.encode(w));
    }

    pub(crate) fn decode_list(r: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        r.list("routes", ROUTES, Self::decode)
    }
}
