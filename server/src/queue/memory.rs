//! The engine that keeps everything in memory: for tests and simulations, and the plain reading of the rules. Nothing
//! survives it. Answers come before [`QueueEngine::submit`] returns.

mod blob;
mod credit;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use beresta_proto::envelope::Envelope;
use beresta_proto::key::{CapabilityHash, VerifyingKey};
use beresta_proto::time::{Timestamp, TtlClass};

use super::rules::{self, Append, Cap, Cost, Felt, Fill, Hour};
use super::{
    Answer, BlobName, Completion, CreditId, CreditName, MessageName, Op, QueueEngine, QueueRecord, QueueRef,
    ReadName, SendName, Stats, Stored,
};
use blob::Blob;
use credit::Credit;

/// The engine.
pub struct MemoryEngine {
    held: Mutex<Held>,
}

#[derive(Clone)]
struct Held {
    cap: Cap,
    used: u64,
    felt: Felt,
    /// The day of the last sweep.
    swept: Option<i64>,
    /// Hours that did not count.
    missed: i64,
    queues: BTreeMap<QueueRef, Queue>,
    sends: BTreeMap<SendName, QueueRef>,
    blobs: BTreeMap<BlobName, Blob>,
    credits: BTreeMap<CreditId, Credit>,
    /// Those that came with blobs.
    handed: BTreeMap<CreditId, Credit>,
}

#[derive(Clone)]
struct Queue {
    read: ReadName,
    send: SendName,
    read_key: VerifyingKey,
    capability: CapabilityHash,
    ends: Hour,
    /// The highest sequence number given so far.
    last: u64,
    fill: Fill,
    messages: BTreeMap<u64, Message>,
    tombstones: BTreeMap<MessageName, Hour>,
}

#[derive(Clone)]
struct Message {
    name: MessageName,
    ends: Hour,
    envelope: Envelope,
}

impl core::fmt::Debug for MemoryEngine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { held: _ } = self;
        f.write_str("MemoryEngine(..)")
    }
}

impl MemoryEngine {
    /// An empty engine that holds at most so much.
    #[must_use]
    pub fn new(cap: Cap) -> Self {
        Self {
            held: Mutex::new(Held {
                cap,
                used: 0,
                felt: Felt::default(),
                swept: None,
                missed: 0,
                queues: BTreeMap::new(),
                sends: BTreeMap::new(),
                blobs: BTreeMap::new(),
                credits: BTreeMap::new(),
                handed: BTreeMap::new(),
            }),
        }
    }

    /// Takes a message back as if it had never come, but for its place, which is not given again: one that was only
    /// admitted and never stored (rule Q14).
    pub fn withdraw(&self, queue: QueueRef, sequence: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(there) = held.queues.get_mut(&queue) else { return };
        let Some(message) = there.messages.remove(&sequence) else { return };
        let bytes = message.envelope.as_bytes().len();
        there.fill.remove(bytes);
        held.used = held.used.saturating_sub(Cost::message(bytes));
    }
}

/// What it holds now, once more: an older state to bring back.
impl Clone for MemoryEngine {
    fn clone(&self) -> Self {
        Self { held: Mutex::new(self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()) }
    }
}

impl QueueEngine for MemoryEngine {
    fn submit(&self, op: Op, mut done: Completion) {
        // The guard is gone before `done` runs: it may submit again.
        let answer = self.held.lock().unwrap_or_else(PoisonError::into_inner).carry_out(op);
        done(answer);
    }
}

impl Held {
    fn carry_out(&mut self, op: Op) -> Answer {
        match op {
            Op::MakeQueue { read, send, read_key, capability, credit, now } => {
                self.make((read, send), read_key, capability, credit, now)
            }
            Op::Renew { queues, now } => {
                for queue in queues {
                    if let Some(held) = self.queues.get_mut(&queue) {
                        held.ends = rules::queue_ends(rules::not_before(self.swept, now), self.missed);
                    }
                }
                Answer::Done
            }
            Op::Find { reads } => {
                let found = reads.iter().map(|read| {
                    let queue = rules::queue_ref(read);
                    self.record(queue)
                        .filter(|_| self.queues.get(&queue).is_some_and(|held| held.read == *read))
                });
                Answer::Found(found.collect())
            }
            Op::FindSend { send } => {
                Answer::Found(vec![self.sends.get(&send).and_then(|queue| self.record(*queue))])
            }
            Op::Append { send, capability, message, ttl, envelope, now } => {
                self.append(send, &capability, message, ttl, envelope, now)
            }
            Op::Fetch { queue, after, max_messages, max_bytes, now } => {
                self.fetch(queue, after, max_messages, max_bytes, now)
            }
            Op::Acknowledge { queue, upto, now } => self.acknowledge(queue, upto, now),
            Op::DeleteQueue { queue } => self.forget(queue).map_or(Answer::Gone, |_| Answer::Done),
            Op::PutBlob { blob, owner, hours, sealed, payment, now } => {
                self.put_blob(blob, owner, (hours, sealed), payment, now)
            }
            Op::FindBlob { blob, now } => {
                self.blob(&blob, now).map_or(Answer::Gone, |held| Answer::Owner(held.owner))
            }
            Op::ClaimBlob { blob, claimant, now } => self.claim_blob(&blob, claimant, now),
            Op::DeleteBlob { blob, owner, now } => self.delete_blob(&blob, &owner, now),
            Op::Grant { credit, makes, days, now } => self.grant(credit, makes, days, now),
            Op::Revoke { credit } => self.revoke(credit),
            Op::Credits { now } => self.list_credits(now),
            Op::Expire { now, limit } => self.expire(now, limit),
            Op::Stats => Answer::Stats(self.stats()),
        }
    }

    fn make(
        &mut self,
        (read, send): (ReadName, SendName),
        key: VerifyingKey,
        capability: CapabilityHash,
        credit: Option<CreditName>,
        now: Timestamp,
    ) -> Answer {
        let queue = rules::queue_ref(&read);
        if self.queues.contains_key(&queue) || self.sends.contains_key(&send) {
            return Answer::Exists;
        }
        if !self.cap.admits_new(self.felt.follow(self.used, self.cap), Cost::QUEUE) {
            return Answer::Full;
        }
        if !self.pay(credit, now) {
            return Answer::NoCredit;
        }
        self.used = self.used.saturating_add(Cost::QUEUE);
        self.sends.insert(send, queue);
        self.queues.insert(
            queue,
            Queue {
                read,
                send,
                read_key: key,
                capability,
                ends: rules::new_queue_ends(rules::not_before(self.swept, now), self.missed),
                last: 0,
                fill: Fill::default(),
                messages: BTreeMap::new(),
                tombstones: BTreeMap::new(),
            },
        );
        Answer::Made(queue)
    }

    fn append(
        &mut self,
        send: SendName,
        shown: &CapabilityHash,
        name: MessageName,
        ttl: TtlClass,
        envelope: Envelope,
        now: Timestamp,
    ) -> Answer {
        let found = self.sends.get(&send).copied();
        let mut held = found.and_then(|queue| self.queues.get_mut(&queue));
        if !rules::may_send(held.as_ref().map(|held| &held.capability), shown) {
            return Answer::Gone;
        }
        let (Some(queue), Some(held)) = (found, held.take()) else { return Answer::Gone };
        let known = held.messages.values().any(|message| message.name == name)
            || held.tombstones.get(&name).is_some_and(|ends| !ends.is_over(now));
        let bytes = envelope.as_bytes().len();
        let fill = (&held.fill, held.tombstones.len());
        match rules::append(known, fill, bytes, self.felt.follow(self.used, self.cap), self.cap) {
            Append::Repeated => Answer::Repeated,
            Append::Full => Answer::Full,
            Append::QueueFull => {
                held.fill.was_full = true;
                Answer::QueueFull
            }
            Append::Store { cost } => {
                self.used = self.used.saturating_add(cost);
                // One that ended and was not swept yet makes way: an id is remembered or waits, never both.
                if held.tombstones.remove(&name).is_some() {
                    self.used = self.used.saturating_sub(Cost::TOMBSTONE);
                }
                held.last = held.last.saturating_add(1);
                held.fill.add(bytes);
                let message =
                    Message { name, ends: rules::message_ends(ttl, now), envelope: envelope.clone() };
                held.messages.insert(held.last, message);
                Answer::Appended { queue, sequence: held.last, envelope }
            }
        }
    }

    fn record(&self, queue: QueueRef) -> Option<QueueRecord> {
        let held = self.queues.get(&queue)?;
        let last = held.messages.last_key_value().map_or(0, |(sequence, _)| *sequence);
        Some(QueueRecord { queue, read_key: held.read_key, last: Some(last) })
    }

    fn fetch(&self, queue: QueueRef, after: u64, most: usize, max_bytes: usize, now: Timestamp) -> Answer {
        let Some(held) = self.queues.get(&queue) else { return Answer::Gone };
        let mut bytes = 0_usize;
        let fitting = held
            .messages
            .iter()
            .filter(|(sequence, message)| **sequence > after && !message.ends.is_over(now));
        let within = fitting.take(most).enumerate().take_while(|(place, (_, message))| {
            bytes = bytes.saturating_add(message.envelope.as_bytes().len());
            *place == 0 || bytes <= max_bytes
        });
        let stored = |(_, (sequence, message)): (usize, (&u64, &Message))| Stored {
            sequence: *sequence,
            envelope: message.envelope.clone(),
        };
        let messages: Vec<Stored> = within.map(stored).collect();
        let over = |(sequence, message): (&u64, &Message)| *sequence > after && message.ends.is_over(now);
        if messages.is_empty() && held.messages.iter().any(over) {
            return Answer::Ended;
        }
        Answer::Messages(messages)
    }

    fn acknowledge(&mut self, queue: QueueRef, upto: u64, now: Timestamp) -> Answer {
        let Some(held) = self.queues.get_mut(&queue) else { return Answer::Gone };
        let going: Vec<u64> = held.messages.range(..=upto).map(|(sequence, _)| *sequence).collect();
        for sequence in &going {
            held.bury(*sequence, now, &mut self.used);
        }
        Answer::Acknowledged { deleted: going.len(), drained: held.take_drained() }
    }

    /// Deletes a queue. How many rows went, if it was there.
    fn forget(&mut self, queue: QueueRef) -> Option<usize> {
        let held = self.queues.remove(&queue)?;
        self.sends.remove(&held.send);
        let messages: u64 =
            held.messages.values().map(|message| Cost::message(message.envelope.as_bytes().len())).sum();
        let tombstones = Cost::TOMBSTONE.saturating_mul(held.tombstones.len() as u64);
        self.used = self.used.saturating_sub(Cost::QUEUE + messages + tombstones);
        Some(1 + held.messages.len() + held.tombstones.len())
    }

    /// Deletes queues that ended, until so many rows went. How many did.
    fn expire_queues(&mut self, now: Timestamp, limit: usize) -> usize {
        let today = rules::day(now);
        self.missed = self.missed.saturating_add(rules::missed(self.swept, today));
        self.swept = Some(today);
        for held in self.queues.values_mut() {
            held.ends = held.ends.min(rules::queue_ends(now, self.missed));
        }
        let counted = rules::counted(now, self.missed);
        let over = self.queues.iter().filter(|(_, held)| held.ends <= counted);
        let over: Vec<QueueRef> = over.map(|(queue, _)| *queue).collect();
        let mut rows = 0_usize;
        for queue in over {
            if rows < limit {
                rows = rows.saturating_add(self.forget(queue).unwrap_or(0));
            }
        }
        rows
    }

    /// Forgets ids that were remembered for long enough, at most so many. How many.
    fn expire_tombstones(&mut self, now: Timestamp, limit: usize) -> usize {
        let mut gone = 0_usize;
        for held in self.queues.values_mut() {
            let room = limit.saturating_sub(gone);
            let over = held.tombstones.iter().filter(|(_, ends)| ends.is_over(now));
            let going: Vec<MessageName> = over.map(|(name, _)| *name).take(room).collect();
            gone += going.len();
            for name in going {
                held.tombstones.remove(&name);
                self.used = self.used.saturating_sub(Cost::TOMBSTONE);
            }
        }
        gone
    }

    fn expire(&mut self, now: Timestamp, limit: usize) -> Answer {
        // One number for all that ends, in the order of the kinds.
        let queues = self.expire_queues(now, limit);
        let mut left = limit.saturating_sub(queues);
        let tombstones = self.expire_tombstones(now, left);
        left = left.saturating_sub(tombstones);
        let handed = self.expire_handed(now, left);
        left = left.saturating_sub(handed);
        let blobs = self.expire_blobs(now, left);
        left = left.saturating_sub(blobs);
        let (mut messages, mut drained) = (0_usize, Vec::new());
        for (queue, held) in &mut self.queues {
            let room = left.saturating_sub(messages);
            let over = held.messages.iter().filter(|(_, message)| message.ends.is_over(now));
            let going: Vec<u64> = over.map(|(sequence, _)| *sequence).take(room).collect();
            messages += going.len();
            for sequence in going {
                held.bury(sequence, now, &mut self.used);
            }
            if held.take_drained() {
                drained.push(*queue);
            }
        }
        drained.sort_unstable();
        let more = messages >= left;
        let credits = self.expire_credits(now);
        let deleted = [queues, tombstones, handed, blobs, messages, credits].into_iter().sum();
        Answer::Expired { deleted, drained, more }
    }

    fn stats(&self) -> Stats {
        let queues = self.queues.values();
        Stats {
            queues: self.queues.len() as u64,
            messages: queues.clone().map(|held| held.messages.len() as u64).sum(),
            tombstones: queues.clone().map(|held| held.tombstones.len() as u64).sum(),
            blobs: self.blobs.len() as u64,
            credits: self.credits.len() as u64,
            handed_credits: self.handed.len() as u64,
            used: self.used,
            first_end: queues
                .flat_map(|held| held.messages.values())
                .map(|message| message.ends)
                .min()
                .map(Hour::begins),
        }
    }
}

impl Queue {
    /// A message goes; its id is remembered (rule Q5).
    fn bury(&mut self, sequence: u64, now: Timestamp, used: &mut u64) {
        let Some(message) = self.messages.remove(&sequence) else { return };
        let bytes = message.envelope.as_bytes().len();
        self.fill.remove(bytes);
        *used = used.saturating_sub(Cost::message(bytes));
        self.tombstones.insert(message.name, rules::tombstone_ends(now));
        *used = used.saturating_add(Cost::TOMBSTONE);
    }

    fn take_drained(&mut self) -> bool {
        let drained = self.fill.is_drained();
        self.fill.was_full &= !drained;
        drained
    }
}
