//! MQTT 3.1.1 as mosquitto speaks it, QoS 1 on both sides, in sessions that are kept (clean session 0): only for those
//! does a broker keep and persist what waits.
//!
//! A PUBACK to the sender says that the broker has the message in memory. With `persistence true` it writes its memory to
//! a file now and then and at its end, so it is not on the disk yet. The reader's PUBACK has the broker forget the message.

use bytes::{Buf as _, BytesMut};

use crate::link::{Dialer, Link};
use crate::tongue::{Heard, PAYLOAD, Tongue, numbered, payload};

const CONNACK: u8 = 0x20;
const PUBLISH_QOS_1: u8 = 0x32;
const PUBACK: u8 = 0x40;
const SUBACK: u8 = 0x90;

pub(crate) struct Mqtt {
    topic: String,
    /// Packet identifiers of the last message sent, and of the last one that the server has.
    sent: u16,
    has: u16,
}

impl Tongue for Mqtt {
    const GOODBYE: &'static [u8] = &[0xe0, 0];

    async fn sender(dialer: Dialer, port: u16, number: u32) -> (Link, Self) {
        Self::connect(&dialer, port, "s", number).await
    }

    async fn reader(dialer: Dialer, port: u16, number: u32) -> (Link, Self) {
        let (mut link, tongue) = Self::connect(&dialer, port, "r", number).await;
        let mut subscribe = vec![0, 1];
        string(&tongue.topic, &mut subscribe);
        subscribe.push(1);
        link.say(&packet(0x82, &subscribe)).await;
        let (kind, body) = answer(&mut link).await;
        assert_eq!((kind, &body[..]), (SUBACK, &[0, 1, 1][..]), "not subscribed");
        (link, tongue)
    }

    fn send(&mut self, message: u64, out: &mut Vec<u8>) {
        self.sent = next(self.sent);
        let mut body = Vec::with_capacity(PAYLOAD + 32);
        string(&self.topic, &mut body);
        body.extend_from_slice(&self.sent.to_be_bytes());
        body.extend_from_slice(&payload(message));
        out.extend_from_slice(&packet(PUBLISH_QOS_1, &body));
    }

    fn hear(&mut self, unread: &mut BytesMut) -> Option<Heard> {
        let (kind, mut body) = cut(unread)?;
        Some(match kind {
            PUBACK => {
                self.has = next(self.has);
                assert_eq!(body.get_u16(), self.has, "out of order");
                Heard::Has
            }
            // Also one that is delivered once more.
            0x30..=0x3f => {
                let topic = usize::from(body.get_u16());
                body.advance(topic);
                let id = body.split_to(2);
                Heard::Message(numbered(&body), packet(PUBACK, &id))
            }
            _ => Heard::Other,
        })
    }
}

impl Mqtt {
    async fn connect(dialer: &Dialer, port: u16, role: &str, number: u32) -> (Link, Self) {
        let mut link = dialer.dial(port).await;
        // Protocol 4, a session that is kept, no pings.
        let mut connect = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0, 0, 0];
        string(&format!("{role}{number}"), &mut connect);
        link.say(&packet(0x10, &connect)).await;
        let (kind, body) = answer(&mut link).await;
        assert_eq!((kind, body[1]), (CONNACK, 0), "not connected");
        (link, Self { topic: format!("q/{number}"), sent: 0, has: 0 })
    }
}

fn next(id: u16) -> u16 {
    id.wrapping_add(1).max(1)
}

fn string(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(body.len() + 5);
    packet.push(kind);
    let mut rest = body.len();
    loop {
        let digit = u8::try_from(rest % 128).unwrap();
        rest /= 128;
        if rest == 0 {
            packet.push(digit);
            break;
        }
        packet.push(digit | 0x80);
    }
    packet.extend_from_slice(body);
    packet
}

/// The first packet, if all of it is there: its first byte and what follows its length.
fn cut(unread: &mut BytesMut) -> Option<(u8, BytesMut)> {
    let (mut length, mut head) = (0, 1);
    loop {
        let digit = *unread.get(head)?;
        length |= usize::from(digit & 0x7f) << (7 * (head - 1));
        head += 1;
        if digit & 0x80 == 0 {
            break;
        }
    }
    if unread.len() < head + length {
        return None;
    }
    let mut packet = unread.split_to(head + length);
    Some((packet[0], packet.split_off(head)))
}

async fn answer(link: &mut Link) -> (u8, BytesMut) {
    loop {
        if let Some(packet) = cut(&mut link.unread) {
            return packet;
        }
        link.more().await;
    }
}
