//! The blobs of the engine in memory (rules B1 to B5).

use beresta_proto::key::VerifyingKey;
use beresta_proto::time::Timestamp;

use super::super::rules::{self, Claim, Cost, Hour};
use super::super::{Answer, BlobName, ClaimantName, Payment};
use super::Held;

#[derive(Clone)]
pub(super) struct Blob {
    pub(super) owner: VerifyingKey,
    ends: Hour,
    claimant: Option<ClaimantName>,
    sealed: Vec<u8>,
}

impl Held {
    /// The blob, unless it ended.
    pub(super) fn blob(&self, blob: &BlobName, now: Timestamp) -> Option<&Blob> {
        self.blobs.get(blob).filter(|held| !held.ends.is_over(now))
    }

    pub(super) fn put_blob(
        &mut self,
        blob: BlobName,
        owner: VerifyingKey,
        (hours, sealed): (u16, Vec<u8>),
        payment: Option<Payment>,
        now: Timestamp,
    ) -> Answer {
        if let Some(held) = self.blob(&blob, now) {
            return if held.owner == owner && held.sealed == sealed { Answer::Done } else { Answer::Exists };
        }
        if self.blobs.remove(&blob).is_some() {
            self.used = self.used.saturating_sub(Cost::BLOB);
        }
        if !self.cap.admits_new(self.felt.follow(self.used, self.cap), Cost::BLOB) {
            return Answer::Full;
        }
        let ends = rules::blob_ends(hours, now);
        if !self.pay_for_blob(payment, ends, now) {
            return Answer::NoCredit;
        }
        self.used = self.used.saturating_add(Cost::BLOB);
        self.blobs.insert(blob, Blob { owner, ends, claimant: None, sealed });
        Answer::Done
    }

    pub(super) fn claim_blob(&mut self, blob: &BlobName, claimant: ClaimantName, now: Timestamp) -> Answer {
        let Some(held) = self.blobs.get_mut(blob).filter(|held| !held.ends.is_over(now)) else {
            return Answer::Gone;
        };
        match rules::claim(held.claimant.as_ref(), &claimant) {
            Claim::Claimed => return Answer::Claimed,
            Claim::Lock => held.claimant = Some(claimant),
            Claim::Again => {}
        }
        Answer::Blob(held.sealed.clone())
    }

    pub(super) fn delete_blob(&mut self, blob: &BlobName, owner: &VerifyingKey, now: Timestamp) -> Answer {
        if self.blob(blob, now).is_none_or(|held| held.owner != *owner) {
            return Answer::Gone;
        }
        self.blobs.remove(blob);
        self.used = self.used.saturating_sub(Cost::BLOB);
        Answer::Done
    }

    /// Deletes blobs that ended, at most so many. How many there were.
    pub(super) fn expire_blobs(&mut self, now: Timestamp, limit: usize) -> usize {
        let over = self.blobs.iter().filter(|(_, blob)| blob.ends.is_over(now));
        let going: Vec<BlobName> = over.map(|(name, _)| *name).take(limit).collect();
        for name in &going {
            self.blobs.remove(name);
            self.used = self.used.saturating_sub(Cost::BLOB);
        }
        going.len()
    }
}
