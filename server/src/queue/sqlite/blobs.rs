//! What each changing operation does to blobs (rules B1 to B5), inside the writer's transaction. A blob that no key opens any
//! more has ended.

use beresta_proto::key::VerifyingKey;
use beresta_proto::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::day;
use super::seal::Row as Sealed;
use super::work::Work;
use crate::queue::intake::Grows;
use crate::queue::rules::{self, Claim, Cost, Hour};
use crate::queue::{Answer, BlobName, ClaimantName, Payment};

struct Blob {
    owner: VerifyingKey,
    ends: Hour,
    claimant: Option<ClaimantName>,
    sealed: Vec<u8>,
    day: Option<i64>,
}

fn blob(row: &Row<'_>) -> rusqlite::Result<Blob> {
    let claimant: Vec<u8> = row.get(2)?;
    Ok(Blob {
        owner: VerifyingKey(row.get(0)?),
        ends: Hour(row.get(1)?),
        claimant: claimant.try_into().ok().map(ClaimantName),
        sealed: row.get(3)?,
        day: row.get(4)?,
    })
}

impl Work<'_> {
    /// As it lies in the file.
    fn kept(&mut self, name: &BlobName) -> rusqlite::Result<Option<Blob>> {
        self.statements.blob.query_row([&name.0], blob).optional()
    }

    /// Opened, if it has not ended.
    fn blob(&mut self, name: &BlobName, now: Timestamp) -> rusqlite::Result<Option<Blob>> {
        let held = self.kept(name)?.filter(|held| !held.ends.is_over(now));
        let ring = self.keys.ring();
        Ok(held.and_then(|Blob { owner, ends, claimant, sealed, day }| {
            let sealed = ring.open(day, Sealed::Blob(name), sealed)?;
            Some(Blob { owner, ends, claimant, sealed, day })
        }))
    }

    pub(super) fn put_blob(
        &mut self,
        name: &BlobName,
        owner: &VerifyingKey,
        (hours, sealed): (u16, &[u8]),
        payment: Option<&Payment>,
        now: Timestamp,
    ) -> rusqlite::Result<Answer> {
        if let Some(held) = self.blob(name, now)? {
            let same = held.owner == *owner && held.sealed == sealed;
            return Ok(if same { Answer::Done } else { Answer::Exists });
        }
        if self.kept(name)?.is_some() {
            self.forget_blob(name)?;
        }
        if !self.cap.admits_new(self.weight(Grows::New), Cost::BLOB) {
            return Ok(Answer::Full);
        }
        let ends = rules::blob_ends(hours, now);
        if !self.pay_for_blob(payment, ends, now)? {
            return Ok(Answer::NoCredit);
        }
        let day = day::of(ends);
        let sealed = self.keys.seal(day, Sealed::Blob(name), sealed, &mut self.statements)?;
        self.statements.put_blob.execute(params![name.0, owner.0, ends.0, sealed, day])?;
        self.used = self.used.saturating_add(Cost::BLOB);
        Ok(Answer::Done)
    }

    pub(super) fn claim_blob(
        &mut self,
        name: &BlobName,
        claimant: &ClaimantName,
        now: Timestamp,
    ) -> rusqlite::Result<Answer> {
        let Some(held) = self.blob(name, now)? else { return Ok(Answer::Gone) };
        match rules::claim(held.claimant.as_ref(), claimant) {
            Claim::Claimed => return Ok(Answer::Claimed),
            Claim::Lock => {
                self.statements.claim_blob.execute(params![name.0, claimant.0])?;
            }
            Claim::Again => {}
        }
        Ok(Answer::Blob(held.sealed))
    }

    pub(super) fn delete_blob(
        &mut self,
        name: &BlobName,
        owner: &VerifyingKey,
        now: Timestamp,
    ) -> rusqlite::Result<Answer> {
        if self.kept(name)?.is_none_or(|held| held.ends.is_over(now) || held.owner != *owner) {
            return Ok(Answer::Gone);
        }
        self.forget_blob(name)?;
        Ok(Answer::Done)
    }

    fn forget_blob(&mut self, name: &BlobName) -> rusqlite::Result<()> {
        self.statements.delete_blob.execute([&name.0])?;
        self.used = self.used.saturating_sub(Cost::BLOB);
        Ok(())
    }
}
