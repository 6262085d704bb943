//! Capsules: recognised, or opened the slow way, in the order in which a link sent them (rules C5 to C9).

use beresta_proto::capsule::{Capsule, SendReply};
use beresta_proto::reply::{Refusal, Reply};
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;

use super::Relay;
use super::output::{CloseReason, LinkId, Worked};
use super::pending::{Asked, Pending, Sending};
use super::recogniser::Recognised;
use super::tally::Outcome;
use crate::queue::Op;

impl<R: Random> Relay<R> {
    pub(super) fn send(&mut self, asked: Asked, capsule: Vec<u8>, now: Timestamp) {
        let Ok(capsule) = Capsule::decode(capsule) else {
            return self.close(asked.link, CloseReason::Malformed);
        };
        let Some(one) = self.links.get_mut(&asked.link) else { return };
        one.over_rate = 0;
        one.capsules.push_back((asked, Box::new(capsule)));
        self.advance(asked.link, now);
        self.next_openings(now);
    }

    /// Takes a link's capsules one after the other, until one has to be opened the slow way.
    pub(super) fn advance(&mut self, link: LinkId, now: Timestamp) {
        loop {
            let Some(one) = self.links.get_mut(&link) else { return };
            if one.opening {
                return;
            }
            let Some((asked, capsule)) = one.capsules.pop_front() else { return };
            // First of all, for the session of a destroyed key is not to be used any more (rule D8), wherever it is
            // remembered. A key that is gone is no attack: the sender asks for the keys and seals anew.
            if self.epochs.secret(capsule.key_id(), now).is_none() {
                self.refuse(asked, Refusal::Unopenable);
                continue;
            }
            let recognised = match self.recogniser.find(&capsule.tag()) {
                Some(recognised) => Some(recognised),
                None => one.recognise(capsule.key_id(), &capsule.tag()),
            };
            match recognised {
                Some(recognised) => self.order(asked, *capsule, recognised, now),
                None => self.open(asked, capsule, now),
            }
        }
    }

    /// A [`Job`](super::Job) is done.
    pub fn handle_opened(&mut self, ticket: super::Ticket, worked: Worked, now: Timestamp) {
        match self.pending.remove(&ticket) {
            Some(Pending::Opening(asked)) => {
                self.openings = self.openings.saturating_sub(1);
                self.opened(asked, worked, now);
                self.next_openings(now);
            }
            Some(Pending::Verify(asked, then, signatures)) => {
                // For a link that is gone nothing is done that nobody would hear of.
                if self.links.contains_key(&asked.link) {
                    match worked {
                        Worked::Verified(good) => self.verified(asked, then, &good, now),
                        Worked::Opened { .. } | Worked::Failed => self.refuse(asked, Refusal::Failed),
                    }
                }
                self.checked(asked.link, signatures);
            }
            // It waits for the engine: put back, for its own answer is still to come.
            Some(other) => {
                self.pending.insert(ticket, other);
            }
            // A ticket that nobody waits for: the driver's mistake, harmless here.
            None => {}
        }
    }

    fn opened(&mut self, asked: Asked, worked: Worked, now: Timestamp) {
        let Some(one) = self.links.get_mut(&asked.link) else { return };
        one.opening = false;
        match worked {
            // Destroyed while the worker had it, with all its sessions (rule D8).
            Worked::Opened { capsule, header: Ok(_) }
                if self.epochs.secret(capsule.key_id(), now).is_none() =>
            {
                self.refuse(asked, Refusal::Unopenable);
            }
            Worked::Opened { capsule, header: Ok(header) } => {
                one.opened(header.session.clone(), capsule.key_id(), header.n);
                let opened = Recognised { session: header.session, n: header.n, name: None };
                self.order(asked, *capsule, opened, now);
            }
            Worked::Opened { capsule: _, header: Err(_) } => self.unopenable(asked),
            Worked::Verified(_) | Worked::Failed => self.refuse(asked, Refusal::Failed),
        }
        self.advance(asked.link, now);
    }

    fn order(&mut self, asked: Asked, capsule: Capsule, session: Recognised, now: Timestamp) {
        let key_id = capsule.key_id();
        let Ok((order, reply)) = capsule.open_order(&session.session, session.n) else {
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
        self.change(asked.link, Pending::Append(asked, Box::new(Sending { reply, session, key_id })), op);
    }

    fn unopenable(&mut self, asked: Asked) {
        let Some(one) = self.links.get_mut(&asked.link) else { return };
        one.unopenable = one.unopenable.saturating_add(1);
        if one.unopenable >= self.limits.unopenable {
            return self.close(asked.link, CloseReason::Unopenable);
        }
        self.refuse(asked, Refusal::Unopenable);
    }

    /// Seals what became of an order for its sender.
    pub(super) fn sent(&mut self, asked: Asked, sending: &Sending, reply: SendReply, outcome: Outcome) {
        match sending.reply.seal(reply, &mut self.rng) {
            Ok(sealed) => {
                self.tally.count(asked.kind, outcome);
                self.reply(asked, &Reply::Sent(sealed));
            }
            Err(_) => self.refuse(asked, Refusal::Failed),
        }
    }
}
