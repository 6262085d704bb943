//! From a frame to what is asked of the engine. Cheap checks first: rate, then form, then signatures.

use beresta_proto::auth;
use beresta_proto::command::{Command, Payment, Subscription};
use beresta_proto::frame::{Frame, RequestId};
use beresta_proto::id::{ReadId, SendId};
use beresta_proto::key::{CapabilityHash, Credit, VerifyingKey};
use beresta_proto::reply::{Refusal, Reply};
use beresta_proto::rng::Random;
use beresta_proto::time::{MINUTE_MS, Timestamp};

use super::Relay;
use super::limits::cost;
use super::outgoing::answer_bytes;
use super::output::{Claim, CloseReason, LinkId};
use super::pending::{Asked, Check, Making, Pending, Then};
use super::tally::Kind;
use crate::queue::{self, CreditName, Op};

impl<R: Random> Relay<R> {
    /// A whole frame came on a link.
    pub fn handle_frame(&mut self, link: LinkId, frame: &[u8], now: Timestamp) {
        let bytes = frame.len();
        self.hold_asked(link, bytes);
        let Some(one) = self.links.get_mut(&link) else { return };
        one.open = one.open.saturating_add(1);
        if !one.rate.take(cost::PLAIN, now) {
            one.over_rate = one.over_rate.saturating_add(1);
            if one.over_rate > self.limits.over_rate {
                return self.close(link, CloseReason::OverRate);
            }
            return match Frame::decode(frame) {
                Ok(frame) => {
                    let request = frame.request;
                    self.refuse(Asked { link, request, kind: Kind::Unread, bytes }, Refusal::RateLimited);
                }
                Err(_) => self.close(link, CloseReason::Malformed),
            };
        }
        match Command::decode(frame) {
            // Zero is the number of pushes.
            Err(_) | Ok((RequestId(0), _)) => self.close(link, CloseReason::Malformed),
            Ok((request, command)) => {
                let kind = Kind::of(&command);
                // Long answers to short commands would have no room else, which is looked at before a command is read.
                let whole = bytes.max(answer_bytes(&command));
                self.hold_asked(link, whole.saturating_sub(bytes));
                let bytes = whole;
                self.command(Asked { link, request, kind, bytes }, command, now);
            }
        }
    }

    /// Takes what a command costs beyond its frame, or refuses it.
    fn afford(&mut self, asked: Asked, cost: u32, now: Timestamp) -> bool {
        let Some(one) = self.links.get_mut(&asked.link) else { return false };
        if one.rate.take(cost, now) {
            one.over_rate = 0;
            return true;
        }
        self.refuse(asked, Refusal::RateLimited);
        false
    }

    fn command(&mut self, asked: Asked, command: Command, now: Timestamp) {
        match command {
            Command::MakeQueue { .. } | Command::PutBlob { .. } if self.paused => {
                self.refuse(asked, Refusal::Closed);
            }
            Command::MakeQueue { credit: None, .. } | Command::PutBlob { payment: None, .. }
                if self.limits.asks_credit =>
            {
                self.refuse(asked, Refusal::NoCredit);
            }
            Command::Descriptor => {
                if self.afford(asked, cost::DESCRIPTOR, now) {
                    self.descriptor(asked, now);
                }
            }
            // Who makes one to read it would have paid for what they are not subscribed to, and make another.
            Command::MakeQueue { .. } if self.has_its_share(asked.link) => {
                self.refuse(asked, Refusal::RateLimited);
            }
            Command::MakeQueue { read_key, capability, credit } => {
                if self.afford(asked, cost::ROOM, now) {
                    let credit = self.credit(credit.as_ref());
                    self.make_queue(asked, (read_key, capability, credit), false, now);
                }
            }
            Command::Subscribe(wanted) => self.subscribe(asked, wanted, now),
            Command::Acknowledge { queue, upto } => self.acknowledge(asked, queue, upto, now),
            Command::DeleteQueue { queue, signature } => {
                if self.afford(asked, cost::SIGNATURE, now) {
                    let wanted = vec![Subscription { queue, signature }];
                    self.verify(asked, Check::Readers { wanted, deletes: true });
                }
            }
            Command::Send { capsule } => self.send(asked, capsule, now),
            Command::PutBlob { blob, owner, hours, sealed, payment } => {
                if self.afford(asked, cost::ROOM, now) {
                    let (blob, payment) = (self.namer.blob(&blob), self.payment(payment.as_ref()));
                    let op = Op::PutBlob { blob, owner, hours, sealed, payment, now };
                    self.change(asked.link, Pending::Plain(asked), op);
                }
            }
            Command::ClaimBlob { blob, claimant, signature } => {
                if self.afford(asked, cost::SIGNATURE + cost::BLOB, now) {
                    let Some(one) = self.links.get(&asked.link) else { return };
                    let text = auth::claim_blob(&one.exporter, &blob);
                    let claim = Claim { key: claimant, text, signature };
                    self.verify(asked, Check::Known(vec![claim], Then::ClaimBlob { blob, claimant }));
                }
            }
            Command::DeleteBlob { blob, signature } => {
                if self.afford(asked, cost::SIGNATURE, now) {
                    self.verify(asked, Check::Owner { blob, signature, asked_at: now });
                }
            }
        }
    }

    /// What is paid with, at a relay that asks for it. An open one takes nothing.
    fn credit(&self, credit: Option<&Credit>) -> Option<CreditName> {
        credit.filter(|_| self.limits.asks_credit).map(|credit| self.namer.credit(credit))
    }

    /// The same for a blob.
    fn payment(&self, payment: Option<&Payment>) -> Option<queue::Payment> {
        let Payment { credit, hands_on } = payment?;
        Some(queue::Payment { credit: self.credit(Some(credit))?, hands_on: self.credit(hands_on.as_ref()) })
    }

    fn descriptor(&mut self, asked: Asked, now: Timestamp) {
        let reply = Reply::Descriptor {
            descriptor: self.descriptor.clone(),
            epoch_keys: self.epochs.offered(now),
            clock: now.floor(MINUTE_MS),
        };
        self.reply(asked, &reply);
    }

    pub(super) fn make_queue(
        &mut self,
        asked: Asked,
        (read_key, capability, credit): (VerifyingKey, CapabilityHash, Option<CreditName>),
        again: bool,
        now: Timestamp,
    ) {
        let read_id = ReadId::random(&mut self.rng);
        let send_id = SendId::random(&mut self.rng);
        let (read, send) = (self.namer.read(&read_id), self.namer.send(&send_id));
        let making = Making { read_id, send_id, read_key, capability, credit, again };
        let op = Op::MakeQueue { read, send, read_key, capability, credit, now };
        self.change(asked.link, Pending::Make(asked, making), op);
    }

    fn subscribe(&mut self, asked: Asked, wanted: Vec<Subscription>, now: Timestamp) {
        let count = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
        if !self.afford(asked, count.saturating_mul(cost::SIGNATURE), now) {
            return;
        }
        if wanted.is_empty() {
            return self.reply(asked, &Reply::Subscribed(Vec::new()));
        }
        self.verify(asked, Check::Readers { wanted, deletes: false });
    }

    fn acknowledge(&mut self, asked: Asked, queue: ReadId, upto: u64, now: Timestamp) {
        let queue = self.links.get(&asked.link).and_then(|one| one.subscribed.get(&queue).copied());
        let Some((queue, delivery)) = queue.and_then(|queue| Some((queue, self.deliveries.get_mut(&queue)?)))
        else {
            return self.refuse(asked, Refusal::Gone);
        };
        let going = if delivery.link == asked.link { delivery.acknowledged(upto) } else { None };
        let Some(going) = going else { return self.refuse(asked, Refusal::Gone) };
        let op = Op::Acknowledge { queue, upto, now };
        self.change(asked.link, Pending::Acknowledge(asked, queue, going), op);
        self.pump(queue, now);
    }
}
