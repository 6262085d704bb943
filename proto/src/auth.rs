//! What is signed on a link. Every text begins with a label of its own and the TLS exporter of the innermost TLS
//! session, so that no signature is valid on another connection, for another relay or for another purpose
//! (rule L8).

use alloc::vec::Vec;

use crate::id::{BlobId, ReadId};
use crate::label;

/// 32 bytes of the link's TLS exporter ([`label::LINK_EXPORTER`], no context; RFC 8446 §7.5).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Exporter(pub [u8; 32]);

impl core::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("Exporter(..)")
    }
}

fn text(label: &[u8], exporter: &Exporter, subject: &[u8]) -> Vec<u8> {
    [label, &exporter.0, subject].concat()
}

/// What a read key signs to subscribe to its queue.
#[must_use]
pub fn subscribe(exporter: &Exporter, queue: &ReadId) -> Vec<u8> {
    text(label::SUBSCRIBE, exporter, &queue.0)
}

/// What a read key signs to delete its queue.
#[must_use]
pub fn delete_queue(exporter: &Exporter, queue: &ReadId) -> Vec<u8> {
    text(label::DELETE_QUEUE, exporter, &queue.0)
}

/// What a claimant's key signs to claim a blob.
#[must_use]
pub fn claim_blob(exporter: &Exporter, blob: &BlobId) -> Vec<u8> {
    text(label::CLAIM_BLOB, exporter, &blob.0)
}

/// What an owner's key signs to delete a blob.
#[must_use]
pub fn delete_blob(exporter: &Exporter, blob: &BlobId) -> Vec<u8> {
    text(label::DELETE_BLOB, exporter, &blob.0)
}
