//! Who may: signatures by the keys that were looked up, and what follows once they were checked (rules L8, Q3, B2). When it is a
//! link's turn is the business of [`super::turns`], to check them that of a worker.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an answer that does not belong to the question is a failure of the engine, whichever it is"
)]

use beresta_proto::auth;
use beresta_proto::command::Subscription;
use beresta_proto::id::BlobId;
use beresta_proto::key::Signature;
use beresta_proto::reply::Refusal;
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;

use super::Relay;
use super::output::{Claim, Job};
use super::pending::{Asked, Check, Pending, Then};
use crate::queue::{Answer, Op};

impl<R: Random> Relay<R> {
    /// Begins with the signatures of a command whose turn it is.
    pub(super) fn begin_check(&mut self, asked: Asked, check: Check) {
        match check {
            Check::Readers { wanted, deletes } => {
                let reads = wanted.iter().map(|one| self.namer.read(&one.queue)).collect();
                self.engine(Pending::Find { asked, wanted, deletes }, Op::Find { reads });
            }
            Check::Owner { blob, signature, asked_at } => {
                let op = Op::FindBlob { blob: self.namer.blob(&blob), now: asked_at };
                self.engine(Pending::FindBlob(asked, blob, signature), op);
            }
            Check::Known(claims, then) => self.work_on(asked, claims, then),
        }
    }

    /// Hands signatures to a worker.
    fn work_on(&mut self, asked: Asked, claims: Vec<Claim>, then: Then) {
        self.work(Pending::Verify(asked, then, claims.len()), Job::Verify(claims));
    }

    /// Queues were looked up, whose readers' signatures are to be checked.
    pub(super) fn found(&mut self, asked: Asked, wanted: Vec<Subscription>, deletes: bool, answer: Answer) {
        let (count, link) = (wanted.len(), self.links.get(&asked.link));
        let found = if let Answer::Found(found) = answer { Some(found) } else { None };
        // A reader that hears "gone" gives the queue up, so an engine that failed must not look like that.
        let (Some(link), Some(found)) = (link, found.filter(|found| found.len() == count)) else {
            self.refuse(asked, Refusal::Failed);
            return self.checked(asked.link, count);
        };
        let claims = wanted.iter().zip(&found).map(|(Subscription { queue, signature }, record)| {
            let text = if deletes { auth::delete_queue } else { auth::subscribe };
            Claim {
                key: record.map_or(self.nobody, |record| record.read_key),
                text: text(&link.exporter, queue),
                signature: *signature,
            }
        });
        let claims = claims.collect();
        let then = if deletes {
            Then::DeleteQueue(found.first().copied().flatten().map(|record| record.queue))
        } else {
            Then::Subscribe(wanted.iter().map(|one| one.queue).zip(found).collect())
        };
        self.work_on(asked, claims, then);
    }

    /// A blob's owner was looked up.
    pub(super) fn found_owner(&mut self, asked: Asked, blob: BlobId, signature: Signature, answer: &Answer) {
        let owner = match answer {
            Answer::Owner(owner) => Some(*owner),
            Answer::Gone => None,
            _ => {
                self.refuse(asked, Refusal::Failed);
                return self.checked(asked.link, 1);
            }
        };
        let Some(link) = self.links.get(&asked.link) else { return self.checked(asked.link, 1) };
        let (key, text) = (owner.unwrap_or(self.nobody), auth::delete_blob(&link.exporter, &blob));
        self.work_on(asked, vec![Claim { key, text, signature }], Then::DeleteBlob { blob, owner });
    }

    /// Signatures were checked.
    pub(super) fn verified(&mut self, asked: Asked, then: Then, good: &[bool], now: Timestamp) {
        let all = good.iter().all(|good| *good);
        match then {
            Then::Subscribe(queues) => self.subscribed(asked, queues, good, now),
            Then::DeleteQueue(queue) => match queue.filter(|_| all) {
                Some(queue) => self.delete(asked, queue),
                None => self.refuse(asked, Refusal::Gone),
            },
            // Who signed wrongly learns nothing: the blob was not looked for.
            Then::ClaimBlob { blob, claimant } if all => {
                let (blob, claimant) = (self.namer.blob(&blob), self.namer.claimant(&blob, &claimant));
                let op = Op::ClaimBlob { blob, claimant, now };
                self.change(asked.link, Pending::Plain(asked), op);
            }
            Then::ClaimBlob { .. } => self.refuse(asked, Refusal::Gone),
            Then::DeleteBlob { blob, owner } => match owner.filter(|_| all) {
                Some(owner) => {
                    let op = Op::DeleteBlob { blob: self.namer.blob(&blob), owner, now };
                    self.change(asked.link, Pending::Plain(asked), op);
                }
                None => self.refuse(asked, Refusal::Gone),
            },
        }
    }
}
