//! An engine under test, and short ways of asking it.

use std::fs;
use std::path::Path;
use std::sync::mpsc;

use beresta_proto::envelope::Envelope;
use beresta_proto::id::{BlobId, MessageId, ReadId, SendId};
use beresta_proto::key::{CapabilityHash, VerifyingKey, sha256};
use beresta_proto::limits::{BLOB, BUCKET_S};
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};
use beresta_server::queue::memory::MemoryEngine;
use beresta_server::queue::rules::Cap;
use beresta_server::queue::sqlite::{Keeping, OpenError, SqliteEngine};
use beresta_server::queue::{
    Answer, Completion, KeyProof, Namer, Op, QueueEngine, QueueRecord, QueueRef, Stats,
};
use rusqlite::Connection;
use tempfile::TempDir;

/// A moment in the middle of an hour.
pub(crate) const NOW: Timestamp = Timestamp(20_000 * DAY_MS + 1_800_000);
/// Of who makes the names.
pub(crate) const PROOF: KeyProof = KeyProof([7; 32]);
/// More than any test holds.
pub(crate) const ROOMY: Cap = Cap { bytes: 1 << 30 };

pub(crate) struct Rig {
    engine: Option<Box<dyn QueueEngine>>,
    cap: Cap,
    /// Of an engine that survives a restart. In force from the next one.
    pub(crate) keeping: Keeping,
    /// Where an engine that survives a restart keeps its file.
    pub(crate) dir: Option<TempDir>,
    pub(crate) namer: Namer,
}

impl Rig {
    pub(crate) fn memory(cap: Cap) -> Self {
        let engine: Box<dyn QueueEngine> = Box::new(MemoryEngine::new(cap));
        let (keeping, namer) = (Keeping::Durable, Namer::new(&[7; 32]));
        Self { engine: Some(engine), cap, keeping, dir: None, namer }
    }

    pub(crate) fn sqlite(cap: Cap) -> Self {
        Self::keeping(cap, Keeping::Durable)
    }

    pub(crate) fn keeping(cap: Cap, keeping: Keeping) -> Self {
        let dir = Some(tempfile::tempdir().unwrap());
        let mut rig = Self { engine: None, cap, keeping, dir, namer: Namer::new(&[7; 32]) };
        rig.restart();
        rig
    }

    /// Where an engine that survives a restart keeps its files.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }

    /// The same names and the same settings over a copy of the files, as a power cut would leave them now.
    pub(crate) fn copy(&self) -> Self {
        let to = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.folder()).unwrap() {
            let from = entry.unwrap().path();
            if from.file_name().unwrap() != "queues-shm" {
                fs::copy(&from, to.path().join(from.file_name().unwrap())).unwrap();
            }
        }
        let namer = self.namer.clone();
        Self { engine: None, cap: self.cap, keeping: self.keeping, dir: Some(to), namer }
    }

    /// Changes the file behind the engine's back.
    pub(crate) fn change(&mut self, sql: &str) {
        self.close();
        Connection::open(self.folder().join("queues")).unwrap().execute_batch(sql).unwrap();
        self.restart();
    }

    /// Closes and opens, if the engine can.
    pub(crate) fn restart(&mut self) {
        if let Some(dir) = &self.dir {
            self.engine = None;
            self.engine = Some(Box::new(reopen(&dir.path().join("queues"), self.cap, self.keeping).unwrap()));
        }
    }

    pub(crate) fn close(&mut self) {
        self.engine = None;
    }

    pub(crate) fn ask(&self, op: Op) -> Answer {
        self.ask_all(vec![op]).remove(0)
    }

    pub(crate) fn submit(&self, op: Op, done: Completion) {
        self.engine.as_deref().unwrap().submit(op, done);
    }

    /// Submits all before it waits for any.
    pub(crate) fn ask_all(&self, ops: Vec<Op>) -> Vec<Answer> {
        ask_all(self.engine.as_deref().unwrap(), ops)
    }

    /// Makes a queue that somebody reads.
    pub(crate) fn make(&self, queue: u8) -> QueueRef {
        let queue = match self.ask(self.make_op(queue)) {
            Answer::Made(queue) => queue,
            other => panic!("{other:?}"),
        };
        assert_eq!(self.renew(queue, NOW), Answer::Done);
        queue
    }

    pub(crate) fn renew(&self, queue: QueueRef, now: Timestamp) -> Answer {
        self.ask(Op::Renew { queues: vec![queue], now })
    }

    pub(crate) fn find_op(&self, queues: &[u8]) -> Op {
        Op::Find { reads: queues.iter().map(|queue| self.namer.read(&read_id(*queue))).collect() }
    }

    pub(crate) fn find(&self, queues: &[u8]) -> Vec<Option<QueueRecord>> {
        match self.ask(self.find_op(queues)) {
            Answer::Found(found) => found,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn make_op(&self, queue: u8) -> Op {
        Op::MakeQueue {
            read: self.namer.read(&read_id(queue)),
            send: self.namer.send(&send_id(queue)),
            read_key: VerifyingKey([queue; 32]),
            capability: capability(queue),
            credit: None,
            now: NOW,
        }
    }

    pub(crate) fn append_op(&self, queue: u8, message: u64, envelope: Envelope, now: Timestamp) -> Op {
        let (send, id) = (send_id(queue), message_id(message));
        Op::Append {
            send: self.namer.send(&send),
            capability: capability(queue),
            message: self.namer.message(&send, &id),
            ttl: TtlClass::ThreeWeeks,
            envelope,
            now,
        }
    }

    /// Appends a small message whose bytes are made of its number.
    pub(crate) fn append(&self, queue: u8, message: u64) -> Answer {
        self.ask(self.append_op(queue, message, envelope(message, BUCKET_S), NOW))
    }

    pub(crate) fn append_ttl(&self, queue: u8, message: u64, class: TtlClass) -> Answer {
        let mut op = self.append_op(queue, message, envelope(message, BUCKET_S), NOW);
        if let Op::Append { ttl, .. } = &mut op {
            *ttl = class;
        }
        self.ask(op)
    }

    /// Sequence numbers and bytes of what waits.
    pub(crate) fn fetch(&self, queue: QueueRef, after: u64, now: Timestamp) -> Vec<(u64, Vec<u8>)> {
        let op = Op::Fetch { queue, after, max_messages: usize::MAX, max_bytes: usize::MAX, now };
        match self.ask(op) {
            Answer::Messages(messages) => {
                messages.into_iter().map(|one| (one.sequence, one.envelope.into_bytes())).collect()
            }
            Answer::Ended | Answer::Gone => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn acknowledge(&self, queue: QueueRef, upto: u64) -> Answer {
        self.ask(Op::Acknowledge { queue, upto, now: NOW })
    }

    pub(crate) fn expire(&self, now: Timestamp) -> Answer {
        self.ask(Op::Expire { now, limit: 10_000 })
    }

    pub(crate) fn stats(&self) -> Stats {
        match self.ask(Op::Stats) {
            Answer::Stats(stats) => stats,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn put_blob_op(&self, blob: u8, owner: u8, byte: u8, now: Timestamp) -> Op {
        let (blob, owner) = (self.namer.blob(&BlobId([blob; 16])), VerifyingKey([owner; 32]));
        Op::PutBlob { blob, owner, hours: 24, sealed: vec![byte; BLOB], payment: None, now }
    }

    pub(crate) fn put_blob(&self, blob: u8, owner: u8, byte: u8, now: Timestamp) -> Answer {
        self.ask(self.put_blob_op(blob, owner, byte, now))
    }

    pub(crate) fn claim_blob_op(&self, blob: u8, claimant: u8, now: Timestamp) -> Op {
        let id = BlobId([blob; 16]);
        let claimant = self.namer.claimant(&id, &VerifyingKey([claimant; 32]));
        Op::ClaimBlob { blob: self.namer.blob(&id), claimant, now }
    }

    pub(crate) fn claim_blob(&self, blob: u8, claimant: u8, now: Timestamp) -> Answer {
        self.ask(self.claim_blob_op(blob, claimant, now))
    }
}

pub(crate) fn ask_all(engine: &dyn QueueEngine, ops: Vec<Op>) -> Vec<Answer> {
    let answers = ops.into_iter().map(|op| {
        let (tell, told) = mpsc::channel();
        engine.submit(op, Box::new(move |answer| tell.send(answer).unwrap()));
        told
    });
    let answers: Vec<_> = answers.collect();
    answers.iter().map(last).collect()
}

/// Opens what was closed a moment ago. A program that another test starts holds a copy of our locks until it runs.
pub(crate) fn reopen(path: &Path, cap: Cap, keeping: Keeping) -> Result<SqliteEngine, OpenError> {
    for _ in 0..1_000 {
        match SqliteEngine::open(path, cap, keeping, PROOF) {
            Err(OpenError::InUse) => std::thread::sleep(std::time::Duration::from_millis(1)),
            done => return done,
        }
    }
    SqliteEngine::open(path, cap, keeping, PROOF)
}

/// What an operation is answered in the end.
pub(crate) fn last(told: &mpsc::Receiver<Answer>) -> Answer {
    told.iter().find(|answer| !matches!(answer, Answer::Admitted { .. })).unwrap()
}

pub(crate) fn sequence(answer: Answer) -> u64 {
    match answer {
        Answer::Appended { sequence, .. } => sequence,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn read_id(queue: u8) -> ReadId {
    ReadId::from_slice(&sha256(&[queue, 1])[..24]).unwrap()
}

pub(crate) fn send_id(queue: u8) -> SendId {
    SendId::from_slice(&sha256(&[queue, 2])[..24]).unwrap()
}

pub(crate) fn capability(queue: u8) -> CapabilityHash {
    CapabilityHash(sha256(&[queue, 3]))
}

pub(crate) fn message_id(message: u64) -> MessageId {
    MessageId::from_slice(&sha256(&message.to_be_bytes())[..16]).unwrap()
}

/// Bytes that compress badly and are found by their number.
pub(crate) fn envelope(message: u64, size: usize) -> Envelope {
    let bytes = sha256(&[&message.to_be_bytes()[..], b"envelope"].concat()).repeat(size / 32);
    Envelope::from_bytes(bytes).unwrap()
}
