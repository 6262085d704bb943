//! What the load wants of a protocol. The three that are spoken here are written out as bytes and read as bytes, without a
//! client library: the load shares the processors with the server that is measured, and what a library takes of them would
//! be missing there. Our own load is as bare.

use bytes::BytesMut;

use crate::link::{Dialer, Link};

/// Bytes of a message, as in our own load.
pub(crate) const PAYLOAD: usize = 4096;

/// What a server said, in the terms of the load.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// To a sender: it has one message more, in the order in which they were sent.
    Has,
    /// To a reader: a message by its number; and what says that it was read.
    Message(u64, Vec<u8>),
    /// A question, and the answer.
    Asked(Vec<u8>),
    /// What does not count.
    Other,
}

/// One end of a pair, in a server's language.
pub(crate) trait Tongue: Sized + Send + 'static {
    /// What is said last.
    const GOODBYE: &'static [u8];

    /// The sender of pair `number`, ready to send. Its reader is there before it.
    fn sender(dialer: Dialer, port: u16, number: u32) -> impl Future<Output = (Link, Self)> + Send;

    /// The reader of pair `number`: once this is over, what is sent to it arrives.
    fn reader(dialer: Dialer, port: u16, number: u32) -> impl Future<Output = (Link, Self)> + Send;

    /// Adds the bytes that send message `message` to `out`.
    fn send(&mut self, message: u64, out: &mut Vec<u8>);

    /// Takes the next thing that was said off `unread`, if all of it is there.
    fn hear(&mut self, unread: &mut BytesMut) -> Option<Heard>;
}

/// A message's bytes: its number, and then what does not compress.
pub(crate) fn payload(message: u64) -> [u8; PAYLOAD] {
    let mut bytes = [0; PAYLOAD];
    let mut state = message.wrapping_add(0x9e37_79b9_7f4a_7c15);
    for chunk in bytes.chunks_exact_mut(8) {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_be_bytes());
    }
    bytes[..8].copy_from_slice(&message.to_be_bytes());
    bytes
}

/// The number of a message with this payload.
pub(crate) fn numbered(payload: &[u8]) -> u64 {
    u64::from_be_bytes(payload[..8].try_into().unwrap())
}
