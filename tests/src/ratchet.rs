//! Which key of a ratchet encrypted a message.

use libsignal_protocol::{PreKeySignalMessage, SignalMessage};

/// A step of a sender's ratchet: the chain, by its public key, and the place in it.
pub(crate) type Step = (Vec<u8>, u32);

/// The step that encrypted a message, and what came of it. None of what is no message of a ratchet.
pub(crate) fn read(message: &[u8]) -> Option<(Step, Vec<u8>)> {
    match SignalMessage::try_from(message) {
        Ok(message) => Some(inside(&message)),
        // The first messages of a session have theirs inside.
        Err(_) => PreKeySignalMessage::try_from(message).ok().map(|first| inside(first.message())),
    }
}

fn inside(message: &SignalMessage) -> (Step, Vec<u8>) {
    let chain = message.sender_ratchet_key().serialize().into_vec();
    ((chain, message.counter()), message.body().to_vec())
}

/// Whether two ciphertexts have a block of the cipher in common, at the same place: then so have the texts.
pub(crate) fn have_a_block_in_common(one: &[u8], other: &[u8]) -> bool {
    const BLOCK: usize = 16;
    one.chunks(BLOCK).zip(other.chunks(BLOCK)).any(|(one, other)| one == other)
}
