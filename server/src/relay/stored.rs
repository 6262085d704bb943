//! From an engine's answer to a reply. Only here is anything said to be stored.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an answer that does not belong to the question is a failure of the engine, whichever it is"
)]

use beresta_proto::capsule::SendReply;
use beresta_proto::reply::{Refusal, Reply};
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;

use super::output::Ticket;
use super::pending::{Asked, Making, Pending, Sending};
use super::tally::Outcome;
use super::{Relay, SWEEP_ROWS};
use crate::queue::{Answer, Op, Stored};

/// Seconds after which a sender tries again at a relay that is full.
const FULL_SECONDS: u32 = 300;
/// Seconds after which a sender tries again at a relay that failed.
const FAILED_SECONDS: u32 = 10;

impl<R: Random> Relay<R> {
    /// The queue engine answered.
    pub fn handle_stored(&mut self, ticket: Ticket, answer: Answer, now: Timestamp) {
        let pending = self.pending.remove(&ticket);
        let is_early = matches!(answer, Answer::Admitted { .. });
        if !is_early {
            self.changes = self.changes.saturating_sub(pending.as_ref().map_or(0, Pending::weight));
            self.next_changes();
        }
        match pending {
            None => {}
            Some(Pending::Make(asked, making)) => self.made(asked, making, &answer, now),
            Some(Pending::Find { asked, wanted, deletes }) => self.found(asked, wanted, deletes, answer),
            Some(Pending::FindBlob(asked, blob, signature)) => {
                self.found_owner(asked, blob, signature, &answer);
            }
            Some(Pending::Append(asked, sending)) => match answer {
                Answer::Admitted { queue, sequence, after, envelope } => {
                    self.pending.insert(ticket, Pending::Append(asked, sending));
                    self.deliver_early(queue, after, Stored { sequence, envelope });
                }
                answer => self.appended(asked, &sending, answer, now),
            },
            Some(Pending::Fetch { queue, link, generation, reserved, announced }) => {
                self.release(link, reserved);
                self.fetched(queue, generation, announced, answer, now);
                self.room_again(link, now);
                self.next_fetches(now);
            }
            Some(Pending::Acknowledge(asked, queue, _)) => match answer {
                Answer::Acknowledged { deleted: _, drained } => {
                    self.reply(asked, &Reply::Done);
                    if drained {
                        self.drained(queue, now);
                    }
                }
                other => self.plain(asked, other),
            },
            Some(Pending::DeleteQueue(asked, queue)) => {
                if matches!(answer, Answer::Done | Answer::Gone) {
                    self.forget_queue(queue);
                }
                self.deletions = self.deletions.saturating_sub(1);
                self.next_deletions();
                self.plain(asked, answer);
            }
            Some(Pending::Plain(asked)) => self.plain(asked, answer),
            Some(Pending::Expire(by)) => self.expired(answer, by, now),
            Some(Pending::Renew(queues)) => {
                self.renewals.answered(queues, answer == Answer::Done, now);
                self.renew(now);
            }
            // These do not wait for the engine; put back, for their own answer is still to come.
            Some(pending @ (Pending::Verify(..) | Pending::Opening(_) | Pending::KeepEpochs(_))) => {
                self.pending.insert(ticket, pending);
            }
        }
    }

    fn made(&mut self, asked: Asked, making: Making, answer: &Answer, now: Timestamp) {
        match answer {
            Answer::Made(_) => {
                let reply = Reply::QueueMade { read_id: making.read_id, send_id: making.send_id };
                self.reply(asked, &reply);
            }
            // Ids of 24 random bytes do not meet; but if they did, others are drawn, once.
            Answer::Exists if !making.again => {
                let Making { read_key, capability, credit, .. } = making;
                self.make_queue(asked, (read_key, capability, credit), true, now);
            }
            Answer::Full => self.refuse(asked, Refusal::Full),
            Answer::NoCredit => self.refuse(asked, Refusal::NoCredit),
            _ => self.refuse(asked, Refusal::Failed),
        }
    }

    fn appended(&mut self, asked: Asked, sending: &Sending, answer: Answer, now: Timestamp) {
        let (reply, outcome) = match answer {
            Answer::Appended { queue, sequence, envelope } => {
                if self.links.contains_key(&asked.link) {
                    self.places.sent(asked.link, queue, now);
                }
                // The right capability was shown, so this session is worth its place in memory, unless its epoch key was
                // destroyed meanwhile (rule D8).
                if self.epochs.secret(sending.key_id, now).is_some() {
                    self.recogniser.good(&sending.session, sending.key_id, queue);
                }
                self.sent(asked, sending, SendReply::Stored, Outcome::Ok);
                return self.deliver(queue, Stored { sequence, envelope }, now);
            }
            Answer::Repeated => (SendReply::Stored, Outcome::Ok),
            Answer::QueueFull => (SendReply::QueueFull, Outcome::QueueFull),
            Answer::Gone => (SendReply::Gone, Outcome::Gone),
            Answer::Full => (SendReply::Later { seconds: FULL_SECONDS }, Outcome::Full),
            _ => (SendReply::Later { seconds: FAILED_SECONDS }, Outcome::Failed),
        };
        self.sent(asked, sending, reply, outcome);
    }

    fn plain(&mut self, asked: Asked, answer: Answer) {
        let reply = match answer {
            Answer::Done => Reply::Done,
            Answer::Blob(sealed) => Reply::Blob(sealed),
            Answer::Exists => Reply::Refused(Refusal::Exists),
            Answer::Claimed => Reply::Refused(Refusal::Claimed),
            Answer::Gone => Reply::Refused(Refusal::Gone),
            Answer::Full => Reply::Refused(Refusal::Full),
            Answer::NoCredit => Reply::Refused(Refusal::NoCredit),
            _ => Reply::Refused(Refusal::Failed),
        };
        self.reply(asked, &reply);
    }

    fn expired(&mut self, answer: Answer, by: Timestamp, now: Timestamp) {
        let Answer::Expired { deleted: _, drained, more } = answer else {
            self.sweeping = false;
            return;
        };
        for queue in drained {
            self.drained(queue, now);
        }
        self.sweeping = more;
        if more {
            // A sweep keeps to the time with which it began.
            self.engine(Pending::Expire(by), Op::Expire { now: by, limit: SWEEP_ROWS });
        }
    }
}
