//! Capsules: recognised, or opened the slow way, in the order in which a link sent them (rules C5 to C9).

use beresta_proto::capsule::{Capsule, SendReply, SessionKeys};
use beresta_proto::reply::{Refusal, Reply};
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;

use super::Relay;
use super::limits::cost;
use super::output::{CloseReason, Job, LinkId, Worked};
use super::pending::{Asked, Pending, Sending};
use crate::queue::Op;

impl<R: Random> Relay<R> {
    pub(super) fn send(&mut self, asked: Asked, capsule: &[u8], now: Timestamp) {
        let Ok(capsule) = Capsule::decode(capsule) else {
            return self.close(asked.link, CloseReason::Malformed);
        };
        let Some(one) = self.links.get_mut(&asked.link) else { return };
        one.over_rate = 0;
        one.capsules.push_back((asked.request, Box::new(capsule)));
        self.advance(asked.link, now);
    }

    /// Takes a link's capsules one after the other, until one has to be opened the slow way.
    fn advance(&mut self, link: LinkId, now: Timestamp) {
        loop {
            let Some(one) = self.links.get_mut(&link) else { return };
            if one.opening {
                return;
            }
            let Some((request, capsule)) = one.capsules.pop_front() else { return };
            let asked = Asked { link, request };
            let recognised = match self.recogniser.find(&capsule.tag()) {
                Some(recognised) => Some(recognised),
                None => one.recognise(capsule.key_id(), &capsule.tag()),
            };
            match recognised {
                Some(recognised) => self.order(asked, *capsule, recognised.session, recognised.n, now),
                None => self.open(asked, capsule, now),
            }
        }
    }

    fn open(&mut self, asked: Asked, capsule: Box<Capsule>, now: Timestamp) {
        // A key that is gone is no attack: the sender asks for the keys and seals anew.
        let Some(epoch) = self.epochs.secret(capsule.key_id(), now) else {
            return self.refuse(asked.link, asked.request, Refusal::Unopenable);
        };
        // Anybody may ask for openings; the other half of the places is for readers' signatures.
        let crowded = self.jobs >= self.limits.jobs / 2;
        let Some(one) = self.links.get_mut(&asked.link) else { return };
        if crowded || !one.rate.take(cost::OPENING, now) {
            return self.refuse(asked.link, asked.request, Refusal::RateLimited);
        }
        one.opening = true;
        let job = Job::Open { capsule, epoch, relay: self.relay };
        if let Err(refusal) = self.work(Pending::Opening(asked), job) {
            if let Some(one) = self.links.get_mut(&asked.link) {
                one.opening = false;
            }
            self.refuse(asked.link, asked.request, refusal);
        }
    }

    /// A [`Job`] is done.
    pub fn handle_opened(&mut self, ticket: super::Ticket, worked: Worked, now: Timestamp) {
        self.jobs = self.jobs.saturating_sub(1);
        match (self.pending.remove(&ticket), worked) {
            (Some(Pending::Opening(asked)), Worked::Opened { capsule, header }) => {
                let Some(one) = self.links.get_mut(&asked.link) else { return };
                one.opening = false;
                match header {
                    Ok(header) => {
                        one.opened(header.session.clone(), capsule.key_id(), header.n);
                        self.order(asked, *capsule, header.session, header.n, now);
                    }
                    Err(_) => self.unopenable(asked),
                }
                self.advance(asked.link, now);
            }
            (Some(Pending::Verify(asked, then)), Worked::Verified(good)) => {
                self.verified(asked, then, &good, now);
            }
            (Some(Pending::Opening(asked)), Worked::Verified(_) | Worked::Failed) => {
                if let Some(one) = self.links.get_mut(&asked.link) {
                    one.opening = false;
                }
                self.refuse(asked.link, asked.request, Refusal::Failed);
                self.advance(asked.link, now);
            }
            (Some(Pending::Verify(asked, _)), Worked::Opened { .. } | Worked::Failed) => {
                self.refuse(asked.link, asked.request, Refusal::Failed);
            }
            // A ticket that nobody waits for: the driver's mistake, harmless here.
            (_, Worked::Opened { .. } | Worked::Verified(_) | Worked::Failed) => {}
        }
    }

    fn order(&mut self, asked: Asked, capsule: Capsule, session: SessionKeys, n: u64, now: Timestamp) {
        let key_id = capsule.key_id();
        let Ok((order, reply)) = capsule.open_order(&session, n) else {
            return self.unopenable(asked);
        };
        if let Some(one) = self.links.get_mut(&asked.link) {
            one.unopenable = 0;
        }
        let op = Op::Append {
            send: self.namer.send(&order.queue),
            capability: order.capability.hash(),
            message: self.namer.message(&order.queue, &order.message),
            ttl: order.ttl,
            envelope: order.envelope,
            now,
        };
        self.engine(Pending::Append(asked, Box::new(Sending { reply, session, key_id, n })), op);
    }

    fn unopenable(&mut self, asked: Asked) {
        let Some(one) = self.links.get_mut(&asked.link) else { return };
        one.unopenable = one.unopenable.saturating_add(1);
        if one.unopenable >= self.limits.unopenable {
            return self.close(asked.link, CloseReason::Unopenable);
        }
        self.refuse(asked.link, asked.request, Refusal::Unopenable);
    }

    /// Seals what became of an order for its sender.
    pub(super) fn sent(&mut self, asked: Asked, sending: &Sending, reply: SendReply) {
        match sending.reply.seal(reply, &mut self.rng) {
            Ok(sealed) => self.reply(asked.link, asked.request, &Reply::Sent(sealed)),
            Err(_) => self.refuse(asked.link, asked.request, Refusal::Failed),
        }
    }
}
