//! A relay that is lived with: real engine, real file system, real queues; only the clock is false, and it arrives at the true
//! one in the end. Then the real program serves on the same folder, to somebody whose address must not be found, and destroys epoch
//! keys that it made before.
//!
//! The truth is written down beside the image: of each body where it lay, the form in which it lay there, and the key of
//! its day. What is sealed is opened by code of its own, from the layout that is documented.

mod epochs;
mod visit;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;

use beresta_proto::envelope::{Bucket, Envelope};
use beresta_proto::id::{BlobId, MessageId, ReadId, SendId};
use beresta_proto::key::{CapabilityHash, VerifyingKey, sha256};
use beresta_proto::limits::BLOB;
use beresta_proto::rng::Random as _;
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};
use beresta_server::clock;
use beresta_server::queue::rules::Cap;
use beresta_server::queue::sqlite::{Keeping, SqliteEngine};
use beresta_server::queue::{Answer, Namer, Op, QueueEngine as _, QueueRef};
use beresta_server::random::SystemRandom;
use beresta_tests::process::Relay;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::HEXLOWER;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::carve::{Search, seeds_of_old_copies};

/// How often messages come, are fetched or wait, and end; days between.
const ROUNDS: u64 = 5;
const DAYS: u64 = 5;
/// Messages in a round, of which every other one is fetched; and blobs.
const MESSAGES: u8 = 40;
const BLOBS: u8 = 6;
/// So many bytes of a sealed body tell it from any other.
const FRONT: usize = 40;

/// A body as it lay in the queues' file.
struct Truth {
    /// Of its end.
    day: u64,
    seed: Vec<u8>,
    sealed: Vec<u8>,
    /// What binds it to its row.
    row: Vec<u8>,
}

impl Truth {
    fn opens_under(&self, key: &[u8]) -> bool {
        let Ok(key) = <[u8; 32]>::try_from(key) else { return false };
        let (nonce, inside) = self.sealed.split_at(24);
        let nonce = XNonce::from(<[u8; 24]>::try_from(nonce).unwrap());
        let payload = Payload { msg: inside, aad: &self.row };
        XChaCha20Poly1305::new(&key.into()).decrypt(&nonce, payload).is_ok()
    }

    fn to_json(&self) -> Value {
        let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
        json!([self.day, hex(&self.seed), hex(&self.sealed), hex(&self.row)])
    }

    fn from_json(value: &Value) -> Self {
        let bytes = |n: usize| HEXLOWER.decode(value[n].as_str().unwrap().as_bytes()).unwrap();
        Self { day: value[0].as_u64().unwrap(), seed: bytes(1), sealed: bytes(2), row: bytes(3) }
    }
}

/// Every body that lies in the queues' file now.
fn truths(folder: &Path) -> Vec<Truth> {
    let seeds = std::fs::read(folder.join("day.keys")).unwrap();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let queues = Connection::open_with_flags(folder.join("queues.sqlite"), flags).unwrap();
    let number = |bytes: i64| bytes.to_be_bytes();
    let mut messages = queues
        .prepare(
            "SELECT day, slot, envelope, queue, sequence, name FROM message JOIN day_key USING (day) WHERE over = 0",
        )
        .unwrap();
    let messages = messages.query_map([], |row| {
        let place = [number(row.get(3)?), number(row.get(4)?), number(row.get(5)?)];
        let row_of = [b"beresta stored message v1".as_slice(), place.as_flattened()].concat();
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row_of))
    });
    let mut blobs = queues
        .prepare("SELECT day, slot, sealed, name FROM blob JOIN day_key USING (day) WHERE over = 0")
        .unwrap();
    let blobs = blobs.query_map([], |row| {
        let row_of = [b"beresta stored blob v1".as_slice(), &row.get::<_, Vec<u8>>(3)?].concat();
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row_of))
    });
    messages
        .unwrap()
        .chain(blobs.unwrap())
        .map(|row| {
            let (day, slot, sealed, row): (u64, usize, Vec<u8>, Vec<u8>) = row.unwrap();
            let truth = Truth { day, seed: seeds[32 * slot..32 * slot + 32].to_vec(), sealed, row };
            assert!(truth.opens_under(&truth.seed), "its own key opens it");
            truth
        })
        .collect()
}

/// The engine, as a relay asks it.
struct Desk {
    engine: SqliteEngine,
    namer: Namer,
    rng: SystemRandom,
}

impl Desk {
    fn ask(&self, op: Op) -> Answer {
        self.ask_all(vec![op]).remove(0)
    }

    /// Asks for all before it waits for any, as many people do: they share their commits.
    fn ask_all(&self, ops: Vec<Op>) -> Vec<Answer> {
        let ask = |op| {
            let (tell, told) = mpsc::channel();
            self.engine.submit(op, Box::new(move |answer| tell.send(answer).unwrap()));
            told
        };
        let told: Vec<_> = ops.into_iter().map(ask).collect();
        let last = |told: mpsc::Receiver<Answer>| {
            told.iter().find(|answer| !matches!(answer, Answer::Admitted { .. })).unwrap()
        };
        told.into_iter().map(last).collect()
    }

    /// A queue that somebody reads, messages of which every other one is fetched, and invites.
    fn round(&mut self, ttl: TtlClass, now: Timestamp) -> QueueRef {
        let (read, send) = (ReadId(self.rng.array()), SendId(self.rng.array()));
        let capability = CapabilityHash(sha256(&send.0));
        let (read, sender) = (self.namer.read(&read), self.namer.send(&send));
        let read_key = VerifyingKey([7; 32]);
        let made = self.ask(Op::MakeQueue { read, send: sender, read_key, capability, credit: None, now });
        let Answer::Made(queue) = made else { panic!("{made:?}") };
        assert_eq!(self.ask(Op::Renew { queues: vec![queue], now }), Answer::Done);
        let mut ops = Vec::new();
        for n in 0..MESSAGES {
            let bucket = if n % 8 == 0 { Bucket::L } else { Bucket::S };
            let mut body = vec![0; bucket.size()];
            self.rng.fill(&mut body);
            let envelope = Envelope::from_bytes(body).unwrap();
            let message = self.namer.message(&send, &MessageId(self.rng.array()));
            ops.push(Op::Append { send: sender, capability, message, ttl, envelope, now });
        }
        for _ in 0..BLOBS {
            let blob = self.namer.blob(&BlobId(self.rng.array()));
            let mut sealed = vec![0; BLOB];
            self.rng.fill(&mut sealed);
            let owner = VerifyingKey([8; 32]);
            ops.push(Op::PutBlob { blob, owner, hours: 24, sealed, payment: None, now });
        }
        let kept = self.ask_all(ops);
        assert!(kept.iter().all(|answer| matches!(answer, Answer::Appended { .. } | Answer::Done)));
        queue
    }

    fn fetch_half(&self, queue: QueueRef, now: Timestamp) {
        let all = Op::Fetch { queue, after: 0, max_messages: usize::MAX, max_bytes: usize::MAX, now };
        let Answer::Messages(messages) = self.ask(all) else { panic!("nothing is fetched") };
        assert_eq!(messages.len(), usize::from(MESSAGES));
        let upto = messages[messages.len() / 2 - 1].sequence;
        let acknowledged = self.ask(Op::Acknowledge { queue, upto, now });
        assert!(matches!(acknowledged, Answer::Acknowledged { .. }), "{acknowledged:?}");
    }

    fn expire(&self, now: Timestamp) {
        loop {
            let expired = self.ask(Op::Expire { now, limit: 1_000 });
            let Answer::Expired { more, .. } = expired else { panic!("{expired:?}") };
            if !more {
                return;
            }
        }
    }
}

fn sync() {
    assert!(Command::new("sync").status().unwrap().success());
}

pub(crate) fn live(program: &Path, folder: &Path, image: &Path, work: &Path) {
    let mut forwarder = visit::Forwarder::new();
    let mut relay = forwarder.relay(program, folder);
    let secret: [u8; 32] = std::fs::read(folder.join("queue.key")).unwrap().try_into().unwrap();
    let (queues, cap, namer) = (folder.join("queues.sqlite"), Cap { bytes: 64 << 20 }, Namer::new(&secret));
    let engine = SqliteEngine::open(&queues, cap, Keeping::Durable, namer.proof()).unwrap();
    let mut desk = Desk { engine, namer, rng: SystemRandom::new().unwrap() };
    let end = clock::now();
    let mut all = Vec::new();
    let mut keys = Vec::new();
    for round in 0..ROUNDS {
        let now = end.minus((ROUNDS - round) * DAYS * DAY_MS);
        desk.expire(now);
        let queue = desk.round(TtlClass::TwoDays, now);
        all.extend(truths(folder));
        desk.fetch_half(queue, now);
        keys.push(std::fs::read(folder.join("day.keys")).unwrap());
    }
    // With bodies in it that are about to end: what the look must be able to find.
    sync();
    std::fs::copy(image, work.join("before.img")).unwrap();
    desk.expire(end);
    let queue = desk.round(TtlClass::ThreeWeeks, end);
    desk.fetch_half(queue, end);
    let waits = truths(folder);
    drop(desk);
    relay.start().unwrap();
    relay.stop().unwrap();
    let destroyed = epochs::age(folder);
    sync();
    let found = Search::new(&destroyed).found(&std::fs::read(image).unwrap()).len();
    assert_eq!(found, destroyed.len(), "the look is blind: of epoch keys that are there");
    visit(&mut relay, &mut forwarder);
    let list_of = |all: &[Vec<u8>]| all.iter().map(|one| HEXLOWER.encode(one)).collect::<Vec<_>>();
    keys.push(std::fs::read(folder.join("day.keys")).unwrap());
    let list = |truths: &[Truth]| truths.iter().map(Truth::to_json).collect::<Vec<_>>();
    let told = json!({
        "today": end.day(),
        "ended": list(&all),
        "waits": list(&waits),
        "keys": list_of(&keys),
        "epochs": list_of(&epochs::seeds(folder)),
        "destroyed epochs": list_of(&destroyed),
        "theirs": list_of(&forwarder.theirs()),
        "public": HEXLOWER.encode(&forwarder.public()),
    });
    std::fs::write(work.join("truth.json"), told.to_string()).unwrap();
    println!("lived: {} bodies that ended, {} that wait", all.len(), waits.len());
}

/// The real program serves people from another address.
fn visit(relay: &mut Relay, forwarder: &mut visit::Forwarder) {
    relay.start().unwrap();
    forwarder.carry(relay);
    relay.stop().unwrap();
}

/// What a look at one image found of some bodies.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    bodies: usize,
    /// As they lay in the queues' file: noise without their keys.
    sealed: usize,
    /// Those that a key opens which is left anywhere.
    opened: usize,
    /// Their days' keys, anywhere.
    keys: usize,
}

fn look(image: &[u8], bodies: &[&Truth], left: &BTreeSet<Vec<u8>>) -> Found {
    let anywhere = |needles: &[Vec<u8>]| Search::new(needles).found(image);
    let sealed: Vec<Vec<u8>> = bodies.iter().map(|one| one.sealed[..FRONT].to_vec()).collect();
    let seeds: BTreeSet<Vec<u8>> = bodies.iter().map(|one| one.seed.clone()).collect();
    let sealed = anywhere(&sealed);
    let opens = |one: &Truth| left.iter().any(|key| one.opens_under(key));
    Found {
        bodies: bodies.len(),
        opened: sealed.iter().filter(|which| opens(bodies[**which])).count(),
        keys: anywhere(&seeds.into_iter().collect::<Vec<_>>()).len(),
        sealed: sealed.len(),
    }
}

pub(crate) fn carve(image: &Path, work: &Path) {
    let read = |path: &Path| std::fs::read(path).unwrap();
    let told: Value = serde_json::from_slice(&read(&work.join("truth.json"))).unwrap();
    let list = |what: &str| told[what].as_array().unwrap().iter().map(Truth::from_json).collect::<Vec<_>>();
    let bytes = |value: &Value| HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap();
    let all = |what: &str| told[what].as_array().unwrap().iter().map(bytes).collect::<Vec<_>>();
    let (ended, waits, keys) = (list("ended"), list("waits"), all("keys"));
    let today = told["today"].as_u64().unwrap();
    assert!(ended.iter().all(|one| one.day < today) && waits.iter().all(|one| one.day >= today));
    let each = u64::from(MESSAGES) + u64::from(BLOBS);
    assert_eq!(ended.len() as u64, ROUNDS * each, "of each body the truth is known");
    let (ended, waits): (Vec<&Truth>, Vec<&Truth>) = (ended.iter().collect(), waits.iter().collect());

    // The look finds what is to be found: before they ended, the last ones could be read, fetched or not.
    let last = ended.iter().map(|one| one.day).max().unwrap();
    let last: Vec<&Truth> = ended.iter().copied().filter(|one| one.day == last).collect();
    let before = read(&work.join("before.img"));
    let found = look(&before, &last, &seeds_of_old_copies(&before, &keys));
    println!("before the last ones ended, of those: {found:?}");
    assert!(found.keys == 1 && found.opened >= usize::from(MESSAGES) / 2, "the look is blind");

    let image = read(image);
    let left = seeds_of_old_copies(&image, &keys);
    let (waits, ended) = (look(&image, &waits, &left), look(&image, &ended, &left));
    println!("after, of what waits: {waits:?}");
    println!("after, of what has ended: {ended:?}");
    println!("keys in old and new copies of day.keys: {}", left.len());
    assert_eq!((waits.opened, waits.sealed), (waits.bodies, waits.bodies), "the look is blind");
    let public = Search::new(&[bytes(&told["public"])]).found(&image).len();
    assert_eq!(public, 1, "not even the relay's own address is found");
    let theirs = Search::new(&all("theirs")).found(&image).len();
    println!("of the addresses of those who were there: {theirs}");
    let [epochs, destroyed] = [all("epochs"), all("destroyed epochs")];
    let [alive, left] = [&epochs, &destroyed].map(|seeds| Search::new(seeds).found(&image).len());
    println!(
        "epoch keys: {alive} of {} that live, {left} of {} that were destroyed",
        epochs.len(),
        destroyed.len()
    );
    assert!(alive == epochs.len() && alive > 0 && !destroyed.is_empty(), "the look is blind");
    assert_eq!((ended.opened, ended.keys, theirs, left), (0, 0, 0, 0), "SOMETHING IS LEFT");
}
