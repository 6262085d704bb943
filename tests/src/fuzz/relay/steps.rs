//! What a script's bytes do: one step each.

use beresta_proto::auth;
use beresta_proto::capsule::{SendOrder, Session};
use beresta_proto::command::{Command, Subscription};
use beresta_proto::envelope::{Bucket, Envelope};
use beresta_proto::frame::{Class, RequestId};
use beresta_proto::id::{BlobId, MessageId};
use beresta_proto::key::{EpochSecret, SendCapability, SigningKey};
use beresta_proto::limits::BLOB;
use beresta_proto::time::{HOUR_MS, TtlClass};
use beresta_server::relay::LinkId;

use super::{Bench, RELAY, exporter};

/// Links at a time.
const LINKS: usize = 4;

impl Bench<'_> {
    pub(super) fn step(&mut self, op: u8) {
        match op % 16 {
            0 => self.connect(),
            1 => self.close(),
            2 => self.noise(),
            3 => self.make_queue(),
            4 => self.subscribe(),
            5 => self.acknowledge(),
            6 => self.delete_queue(),
            7 | 8 => self.send(op >= 128),
            9 => self.blob(),
            10 => drop(self.say(&Command::Descriptor)),
            11 => self.pass(),
            // One answer of the disk, of the workers, of the key file: in whatever order.
            12 => drop(self.answer(op >= 128)),
            13 => drop(self.opened()),
            14 => drop(self.keep(op < 128)),
            _ => self.settle(),
        }
        self.outputs();
    }

    fn connect(&mut self) {
        if self.links.len() < LINKS {
            self.next += 1;
            let link = LinkId(u64::from(self.next));
            self.relay.handle_connected(link, exporter(link), self.now);
            self.links.push(link);
        }
    }

    fn close(&mut self) {
        if !self.links.is_empty() {
            let at = self.choice(self.links.len());
            let link = self.links.swap_remove(at);
            self.over.insert(link);
            self.relay.handle_closed(link);
        }
    }

    fn link(&mut self) -> Option<LinkId> {
        let at = self.choice(self.links.len());
        self.links.get(at).copied()
    }

    fn frame(&mut self, link: LinkId, frame: &[u8]) {
        if self.relay.may_read(link) {
            self.relay.handle_frame(link, frame, self.now);
        }
    }

    /// A command on some link, with a number that may be in use.
    fn say(&mut self, command: &Command) -> Option<(LinkId, RequestId)> {
        let link = self.link()?;
        self.next += 1;
        let request = RequestId(self.next);
        let frame = command.encode(request).unwrap();
        self.frame(link, &frame);
        Some((link, request))
    }

    /// Bytes that nobody meant, in a frame of one of the sizes.
    fn noise(&mut self) {
        let Some(link) = self.link() else { return };
        let class = Class::ALL[self.choice(Class::ALL.len())];
        let take = self.choice(256).min(self.script.len());
        let (said, rest) = self.script.split_at(take);
        self.script = rest;
        let mut frame = said.to_vec();
        frame.resize(class.size(), 0);
        self.frame(link, &frame);
    }

    fn make_queue(&mut self) {
        let key = SigningKey::random(&mut self.rng);
        let capability = SendCapability::take(&mut [5; 32]).hash();
        let read_key = key.verifying_key().unwrap();
        if let Some(asked) = self.say(&Command::MakeQueue { read_key, capability, credit: None }) {
            self.wanted.insert(asked, key);
        }
    }

    /// Some of the queues, rightly or by a key of another.
    fn subscribe(&mut self) {
        let Some(link) = self.link() else { return };
        let (mask, wrong) = (self.choice(256), self.choice(8) == 7);
        let chosen = self.queues.iter().enumerate().filter(|(n, _)| mask >> (n % 8) & 1 == 1).take(32);
        let list: Vec<Subscription> = chosen
            .map(|(n, queue)| {
                let by = if wrong { &self.queues[(n + 1) % self.queues.len()] } else { queue };
                let text = auth::subscribe(&exporter(link), &queue.read_id);
                Subscription { queue: queue.read_id, signature: by.key.sign(&text).unwrap() }
            })
            .collect();
        self.next += 1;
        if let Ok(frame) = Command::Subscribe(list).encode(RequestId(self.next)) {
            self.frame(link, &frame);
        }
    }

    fn queue(&mut self) -> Option<usize> {
        let at = self.choice(self.queues.len());
        (at < self.queues.len()).then_some(at)
    }

    fn acknowledge(&mut self) {
        let Some(at) = self.queue() else { return };
        let upto = u64::from(self.byte().unwrap_or(0));
        let queue = self.queues[at].read_id;
        self.say(&Command::Acknowledge { queue, upto });
    }

    fn delete_queue(&mut self) {
        let Some(at) = self.queue() else { return };
        let Some(link) = self.link() else { return };
        let queue = self.queues[at].read_id;
        let signature = self.queues[at].key.sign(&auth::delete_queue(&exporter(link), &queue)).unwrap();
        let frame = Command::DeleteQueue { queue, signature }.encode(RequestId(1)).unwrap();
        self.frame(link, &frame);
    }

    /// A capsule, of a session that goes on or of a new one, whole or with a bit turned.
    fn send(&mut self, damaged: bool) {
        let Some(at) = self.queue() else { return };
        let (message, fresh) = (self.choice(256), self.choice(4) == 0);
        let turned = self.choice(256);
        let order = SendOrder {
            queue: self.queues[at].send_id,
            capability: self.queues[at].capability.clone(),
            message: MessageId((message << 8 | turned).to_be_bytes().repeat(2).try_into().unwrap()),
            ttl: [TtlClass::Hour, TtlClass::TwoDays, TtlClass::Week, TtlClass::ThreeWeeks][message % 4],
            envelope: Envelope::from_bytes(vec![6; Bucket::S.size()]).unwrap(),
        };
        // Who was not told of a key yet guesses one.
        let epoch = self.epoch.clone();
        let epoch = epoch.unwrap_or_else(|| EpochSecret::random(&mut self.rng).public().unwrap());
        let queue = &mut self.queues[at];
        let began = queue.session.take().filter(|_| !fresh);
        let session =
            queue.session.insert(began.unwrap_or_else(|| Session::new(RELAY, epoch, &mut self.rng)));
        let (mut capsule, _) = session.seal(&order, &mut self.rng).unwrap();
        if damaged {
            let at = turned * 13 % capsule.len();
            capsule[at] ^= 1;
        }
        self.say(&Command::Send { capsule });
    }

    fn blob(&mut self) {
        let Some(link) = self.link() else { return };
        let (kind, name) = (self.choice(3), self.choice(4));
        let blob = BlobId([u8::try_from(name).unwrap(); 16]);
        let key = SigningKey::take(&mut [8; 32]);
        let owner = key.verifying_key().unwrap();
        let command = match kind {
            0 => Command::PutBlob { blob, owner, hours: 24, sealed: vec![4; BLOB], payment: None },
            1 => {
                let signature = key.sign(&auth::claim_blob(&exporter(link), &blob)).unwrap();
                Command::ClaimBlob { blob, claimant: owner, signature }
            }
            _ => {
                let signature = key.sign(&auth::delete_blob(&exporter(link), &blob)).unwrap();
                Command::DeleteBlob { blob, signature }
            }
        };
        let frame = command.encode(RequestId(2)).unwrap();
        self.frame(link, &frame);
    }

    /// Time passes, from a millisecond to a month; or the clock is set back by an hour.
    fn pass(&mut self) {
        let power = self.choice(33);
        self.now = if power == 32 { self.now.minus(HOUR_MS) } else { self.now.plus(1 << power) };
        if self.relay.poll_timeout() <= self.now || power == 32 {
            self.relay.handle_timeout(self.now);
        }
    }
}
