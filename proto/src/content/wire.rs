//! The Protocol Buffers of a content, and the checks between them and [`super::Content`]. Field numbers are the
//! protocol (`docs/protocol/4-content.md`): none is ever used again for something else.

use alloc::string::String;
use alloc::vec::Vec;

use prost::Message as _;
use zeroize::Zeroize as _;

use super::{Body, Content, ContentError, Route, SeenEpoch, Timer};
use crate::address::QueueAddress;
use crate::codec::{DecodeError, Reader, Writer, limited};
use crate::id::{AccountId, ContentId, ConversationId, Device, KeyId};
use crate::limits::{NAME_BYTES, RECEIPTS, TEXT_BYTES, TIMER_MAX_SECS};
use crate::time::Timestamp;

#[derive(Clone, PartialEq, prost::Message)]
struct WireContent {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    from: Vec<u8>,
    #[prost(uint32, tag = "3")]
    from_device: u32,
    #[prost(bytes = "vec", tag = "4")]
    to: Vec<u8>,
    #[prost(uint32, tag = "5")]
    to_device: u32,
    #[prost(bytes = "vec", tag = "6")]
    conversation: Vec<u8>,
    #[prost(uint64, tag = "7")]
    sent_ms: u64,
    #[prost(uint32, tag = "8")]
    timer_secs: u32,
    #[prost(uint32, tag = "9")]
    timer_version: u32,
    /// What a reader must understand to show this content: bits, none defined yet.
    #[prost(uint32, tag = "10")]
    needs: u32,
    #[prost(message, optional, tag = "11")]
    seen_epoch: Option<WireEpoch>,
    #[prost(oneof = "WireBody", tags = "16, 17, 18, 19, 20, 21")]
    body: Option<WireBody>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireEpoch {
    #[prost(uint64, tag = "1")]
    day: u64,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum WireBody {
    #[prost(string, tag = "16")]
    Text(String),
    #[prost(message, tag = "17")]
    Delivered(WireDelivered),
    #[prost(message, tag = "18")]
    Meeting(WireMeeting),
    #[prost(message, tag = "19")]
    TimerChanged(WireEmpty),
    #[prost(message, tag = "20")]
    Resume(WireEmpty),
    #[prost(message, tag = "21")]
    Probe(WireEmpty),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireEmpty {}

#[derive(Clone, PartialEq, prost::Message)]
struct WireDelivered {
    #[prost(bytes = "vec", repeated, tag = "1")]
    contents: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireMeeting {
    #[prost(string, tag = "1")]
    name: String,
    /// The list of `proto::address`, as it stands in invites.
    #[prost(bytes = "vec", tag = "2")]
    addresses: Vec<u8>,
}

/// A timer as it stands on the wire, where 0 is none: a timer of 0 seconds would come out as "stays for ever".
fn timer_secs(seconds: Option<u32>) -> Result<u32, DecodeError> {
    match seconds {
        None => Ok(0),
        Some(0) => Err(DecodeError::Invalid { what: "timer" }),
        Some(seconds) => check_timer(seconds),
    }
}

fn check_timer(seconds: u32) -> Result<u32, DecodeError> {
    if seconds > TIMER_MAX_SECS { Err(DecodeError::Invalid { what: "timer" }) } else { Ok(seconds) }
}

pub(super) fn encode(content: &Content) -> Result<Vec<u8>, DecodeError> {
    let Content { id, route, sent, timer, seen_epoch, body } = content;
    let body = match body {
        Body::Text(text) => {
            limited("text", text.len(), TEXT_BYTES)?;
            WireBody::Text(String::from(text.as_str()))
        }
        Body::Delivered(contents) => {
            limited("receipts", contents.len(), RECEIPTS)?;
            WireBody::Delivered(WireDelivered { contents: contents.iter().map(|id| id.0.to_vec()).collect() })
        }
        Body::Meeting { name, addresses } => {
            limited("name", name.len(), NAME_BYTES)?;
            let mut w = Writer::with_capacity(512);
            QueueAddress::check_list(addresses)?;
            QueueAddress::encode_list(addresses, &mut w);
            WireBody::Meeting(WireMeeting { name: String::from(name.as_str()), addresses: w.into_vec() })
        }
        Body::TimerChanged => WireBody::TimerChanged(WireEmpty {}),
        Body::Resume => WireBody::Resume(WireEmpty {}),
        Body::Probe => WireBody::Probe(WireEmpty {}),
    };
    let mut wire = WireContent {
        id: id.0.to_vec(),
        from: route.from.0.to_vec(),
        from_device: u32::from(route.from_device.get()),
        to: route.to.0.to_vec(),
        to_device: u32::from(route.to_device.get()),
        conversation: route.conversation.0.to_vec(),
        sent_ms: sent.0,
        timer_secs: timer_secs(timer.seconds)?,
        timer_version: timer.version,
        needs: 0,
        seen_epoch: seen_epoch.map(|seen| WireEpoch { day: seen.day, key: seen.key.0.to_vec() }),
        body: Some(body),
    };
    let bytes = wire.encode_to_vec();
    wipe(&mut wire);
    Ok(bytes)
}

/// Wipes the copies that the wire form made of texts, names and capabilities.
fn wipe(wire: &mut WireContent) {
    match &mut wire.body {
        Some(WireBody::Text(text)) => text.zeroize(),
        Some(WireBody::Meeting(meeting)) => {
            meeting.name.zeroize();
            meeting.addresses.zeroize();
        }
        Some(
            WireBody::Delivered(_) | WireBody::TimerChanged(_) | WireBody::Resume(_) | WireBody::Probe(_),
        )
        | None => {}
    }
}

fn device(number: u32) -> Result<Device, DecodeError> {
    Device::new(u8::try_from(number).map_err(|_| DecodeError::Invalid { what: "device" })?)
}

pub(super) fn decode(bytes: &[u8]) -> Result<Content, ContentError> {
    let invalid = |what| DecodeError::Invalid { what };
    let mut wire = WireContent::decode(bytes).map_err(|_| invalid("content"))?;
    if wire.needs != 0 {
        return Err(ContentError::NeedsNewer);
    }
    // A body of a number that this version does not know is skipped by the parser and so is missing here: the sender
    // is newer. A content that names no body at all looks the same, and the advice is the same.
    let body = decode_body(wire.body.take().ok_or(ContentError::NeedsNewer)?)?;
    check_timer(wire.timer_secs)?;
    let seen_epoch = match wire.seen_epoch {
        None => None,
        Some(seen) => Some(SeenEpoch {
            day: seen.day,
            key: KeyId::from_slice(&seen.key).ok_or_else(|| invalid("epoch key id"))?,
        }),
    };
    Ok(Content {
        id: ContentId::from_slice(&wire.id).ok_or_else(|| invalid("content id"))?,
        route: Route {
            from: AccountId::from_slice(&wire.from).ok_or_else(|| invalid("sender"))?,
            from_device: device(wire.from_device)?,
            to: AccountId::from_slice(&wire.to).ok_or_else(|| invalid("recipient"))?,
            to_device: device(wire.to_device)?,
            conversation: ConversationId::from_slice(&wire.conversation)
                .ok_or_else(|| invalid("conversation"))?,
        },
        sent: Timestamp(wire.sent_ms),
        timer: Timer {
            seconds: (wire.timer_secs != 0).then_some(wire.timer_secs),
            version: wire.timer_version,
        },
        seen_epoch,
        body,
    })
}

fn decode_body(body: WireBody) -> Result<Body, ContentError> {
    Ok(match body {
        WireBody::Text(text) => {
            limited("text", text.len(), TEXT_BYTES)?;
            Body::Text(text.into())
        }
        WireBody::Delivered(delivered) => {
            limited("receipts", delivered.contents.len(), RECEIPTS)?;
            let ids = delivered.contents.iter().map(|id| ContentId::from_slice(id));
            let ids: Option<Vec<_>> = ids.collect();
            Body::Delivered(ids.ok_or(DecodeError::Invalid { what: "receipt" })?)
        }
        WireBody::Meeting(mut meeting) => {
            limited("name", meeting.name.len(), NAME_BYTES)?;
            let mut r = Reader::new(&meeting.addresses);
            let addresses = QueueAddress::decode_list(&mut r)?;
            r.finish()?;
            meeting.addresses.zeroize();
            Body::Meeting { name: meeting.name.into(), addresses }
        }
        WireBody::TimerChanged(_) => Body::TimerChanged,
        WireBody::Resume(_) => Body::Resume,
        WireBody::Probe(_) => Body::Probe,
    })
}
