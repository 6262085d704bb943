//! Who is pushed to: subscriptions, take-over, and the push itself (rules Q3, Q4, Q6, Q7).

use std::collections::BTreeMap;

use beresta_proto::id::ReadId;
use beresta_proto::reply::{Push, Refusal, Reply, Subscribed};
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;

use super::delivery::Delivery;
use super::output::LinkId;
use super::pending::{Asked, Pending};
use super::{Limits, Relay};
use crate::queue::{Answer, Op, QueueRecord, QueueRef, Stored};

impl<R: Random> Relay<R> {
    /// It is known which of these queues a link may read: it is subscribed to them.
    pub(super) fn subscribed(
        &mut self,
        asked: Asked,
        queues: Vec<(ReadId, Option<QueueRecord>)>,
        good: &[bool],
        now: Timestamp,
    ) {
        let Some(one) = self.links.get(&asked.link) else { return };
        let named: Vec<ReadId> = queues.iter().map(|(read_id, _)| *read_id).collect();
        let mut results = Vec::with_capacity(queues.len());
        let mut begun = Vec::new();
        for ((read_id, record), good) in queues.into_iter().zip(good) {
            match record.filter(|_| *good) {
                Some(record) => {
                    results.push(Subscribed::Ok);
                    begun.push((read_id, record));
                }
                None => results.push(Subscribed::Gone),
            }
        }
        // Counted where they begin, because other commands of the link may have been under way meanwhile.
        let fresh = begun.iter().filter(|(read_id, _)| !one.knows(read_id)).count();
        // What was another link's is counted already.
        let more = begun.iter().filter(|(_, record)| !self.deliveries.contains_key(&record.queue));
        let most = self.most_subscriptions(more.count(), named.len() == 1);
        if fresh > 0 && one.known().saturating_add(fresh) > most {
            return self.refuse(asked, Refusal::RateLimited);
        }
        self.tell_lost_among(asked.link, &named);
        self.reply(asked, &Reply::Subscribed(results));
        if let Some(one) = self.links.get_mut(&asked.link) {
            one.subscribes();
        }
        let mut taken = BTreeMap::<LinkId, Vec<ReadId>>::new();
        for (read_id, record) in &begun {
            if let Some(loser) = self.begin(asked.link, *read_id, record, now) {
                taken.entry(loser).or_default().push(*read_id);
            }
        }
        for (loser, queues) in taken {
            if let Some(old) = self.links.get_mut(&loser) {
                old.loses(queues);
            }
            self.tell_lost(loser);
            self.tell_caught_up(loser);
        }
        self.tell_caught_up(asked.link);
        begun.iter().for_each(|(_, record)| self.renewals.add(record.queue, now));
        self.renew(now);
    }

    /// How many queues a link may be subscribed to, that asks for some more. Nobody pays for a subscription, and a relay with little
    /// memory has not enough for a thousand on each link.
    fn most_subscriptions(&self, more: usize, single: bool) -> usize {
        let Limits { subscriptions, subscriptions_of_all, subscriptions_share, subscriptions_single, .. } =
            self.limits;
        let roomy = self.deliveries.len().saturating_add(more) <= subscriptions_of_all;
        let share = subscriptions_share.saturating_add(if single { subscriptions_single } else { 0 });
        if roomy { subscriptions } else { share.min(subscriptions) }
    }

    /// Whether a link may be subscribed to nothing more.
    pub(super) fn has_its_share(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|one| one.known() >= self.most_subscriptions(1, true))
    }

    /// Has the engine renew queues for whom somebody is there.
    pub(super) fn renew(&mut self, now: Timestamp) {
        if let Some(queues) = self.renewals.next(now) {
            self.engine(Pending::Renew(queues.clone()), Op::Renew { queues, now });
        }
    }

    /// Pushes a queue to a link from now on. From which other link it was taken.
    fn begin(
        &mut self,
        link: LinkId,
        read_id: ReadId,
        record: &QueueRecord,
        now: Timestamp,
    ) -> Option<LinkId> {
        let QueueRecord { queue, last, .. } = *record;
        let one = self.links.get_mut(&link)?;
        one.subscribed.insert(read_id, queue);
        if let Some(delivery) = self.deliveries.get_mut(&queue).filter(|delivery| delivery.link == link) {
            // A repeat on the same link: what is on its way stays on its way, and what waits is still to come.
            delivery.reads_to(last);
            if !delivery.is_read() {
                one.unread.insert(queue);
                self.pump(queue, now);
            }
            return None;
        }
        one.unread.insert(queue);
        let held = self.deliveries.remove(&queue);
        let drained = self.untold.remove(&queue) || held.as_ref().is_some_and(Delivery::is_drained);
        let loser = held.as_ref().map(|held| held.link);
        if let Some((loser, old)) = loser.and_then(|loser| Some((loser, self.links.get_mut(&loser)?))) {
            old.leave(&read_id);
            self.places.lost(loser, queue, now);
        }
        let delivery = held.and_then(|held| self.hand_over(held, link, now));
        self.tickets = self.tickets.saturating_add(1);
        let mut delivery = delivery.unwrap_or_else(|| Delivery::new(link, read_id, self.tickets));
        delivery.reads_to(last);
        if drained {
            delivery.drains();
        }
        self.deliveries.insert(queue, delivery);
        self.pump(queue, now);
        loser
    }

    /// What is being read from a queue's start on is for another link now, which it is counted for, if that has room; none
    /// if it begins anew.
    fn hand_over(&mut self, held: Delivery, link: LinkId, now: Timestamp) -> Option<Delivery> {
        let fetch = held.fetching_all()?;
        let room = self.room();
        let spare = self.links.get(&link)?.spare(room)?;
        let Some(Pending::Fetch { link: counted, reserved, .. }) = self.pending.get_mut(&fetch) else {
            return None;
        };
        let reserved = Some(*reserved).filter(|reserved| *reserved <= spare)?;
        let before = core::mem::replace(counted, link);
        self.release(before, reserved);
        self.hold(link, reserved);
        // What it lost is told together, when all of it is known.
        self.read_on(before, now);
        Some(held.handed_over(link))
    }

    /// Fetches what a queue's subscriber has room for, in its turn.
    pub(super) fn pump(&mut self, queue: QueueRef, now: Timestamp) {
        let room = self.room();
        let Some(delivery) = self.deliveries.get(&queue) else { return };
        let Some(link) = self.links.get_mut(&delivery.link) else { return };
        if delivery.wanted().is_none() && !delivery.is_drained() {
            return;
        }
        let (at, roomy) = (delivery.link, link.is_roomy(room));
        if roomy && self.may_fetch(at) {
            self.go_on(queue, now);
        } else if let Some(link) = self.links.get_mut(&at) {
            link.stalls(queue);
        }
    }

    /// It is a queue's turn: its subscriber hears that it drained, or what is in it is fetched.
    pub(super) fn go_on(&mut self, queue: QueueRef, now: Timestamp) {
        let Some(delivery) = self.deliveries.get_mut(&queue) else { return };
        if !delivery.take_drained() {
            return self.fetch(queue, now);
        }
        let (link, read_id) = (delivery.link, delivery.read_id);
        self.push(link, &Push::Drained { queue: read_id });
        // That may have taken the room that there was.
        self.pump(queue, now);
    }

    fn fetch(&mut self, queue: QueueRef, now: Timestamp) {
        let Some(delivery) = self.deliveries.get(&queue) else { return };
        let spare = self.links.get(&delivery.link).and_then(|link| link.spare(self.room()));
        let (Some(wanted), Some(spare)) = (delivery.wanted(), spare) else { return };
        let wanted = wanted.within(spare);
        let (link, announced) = (delivery.link, delivery.announced());
        let pending = Pending::Fetch {
            queue,
            link,
            generation: delivery.generation,
            reserved: wanted.bytes,
            announced,
        };
        let op = Op::Fetch {
            queue,
            after: wanted.after,
            max_messages: wanted.messages,
            max_bytes: wanted.bytes,
            now,
        };
        // What was asked for is on its way into memory: count it, or many queues would be read at once.
        self.hold(link, wanted.bytes);
        self.fetches = self.fetches.saturating_add(1);
        let fetch = self.ask_engine(pending, op);
        if let Some(delivery) = self.deliveries.get_mut(&queue) {
            delivery.fetch_begins(fetch);
        }
    }

    /// A link has room again: what waited for it goes on.
    pub(super) fn room_again(&mut self, link: LinkId, now: Timestamp) {
        self.tell_lost(link);
        self.read_on(link, now);
    }

    fn read_on(&mut self, link: LinkId, now: Timestamp) {
        let enough = self.room() / 2;
        if self.links.get(&link).is_some_and(|one| one.unwritten() <= enough) {
            // No more than there is room for: a link with a thousand queues is here after each of them.
            while let Some(queue) = self.next_stalled(link) {
                self.go_on(queue, now);
            }
        }
        self.resume(link);
    }

    fn next_stalled(&mut self, link: LinkId) -> Option<QueueRef> {
        let room = self.room();
        let may = self.links.get(&link)?.wants_to_read(room) && self.may_fetch(link);
        if may { self.links.get_mut(&link)?.next_stalled(room) } else { None }
    }

    pub(super) fn fetched(
        &mut self,
        queue: QueueRef,
        generation: u64,
        announced: u64,
        answer: Answer,
        now: Timestamp,
    ) {
        let Some(delivery) = self.deliveries.get_mut(&queue).filter(|one| one.generation == generation)
        else {
            return;
        };
        let Answer::Messages(messages) = answer else {
            if answer == Answer::Gone {
                // Deleted between its look-up and its subscription.
                return self.handle_deleted(queue);
            }
            // What ended and is there still has not ended if the clock is wrong: soon it is deleted, or the clock set.
            delivery.fetch_failed();
            return self.unfetched.add(queue, now);
        };
        delivery.fetch_ends(messages.len(), announced);
        let (link, read_id) = (delivery.link, delivery.read_id);
        // What was stored meanwhile, after the fetch of whom this took over had begun, is still to come.
        let ends = messages.is_empty() && !delivery.has_more();
        let mut pushes = Vec::with_capacity(messages.len());
        for Stored { sequence, envelope } in messages {
            if delivery.fetched(sequence, envelope.as_bytes().len()) {
                pushes.push(Push::Deliver { queue: read_id, sequence, envelope });
            }
        }
        let is_read = ends || delivery.is_read();
        for push in &pushes {
            self.push(link, push);
        }
        if is_read {
            if let Some(one) = self.links.get_mut(&link) {
                one.unread.remove(&queue);
            }
            self.tell_caught_up(link);
        }
        self.pump(queue, now);
    }

    /// A message is about to be stored: its queue's subscriber gets it if it is the next one and there is room. Else
    /// [`Relay::deliver`] sees to it, for it can't be fetched yet.
    pub(super) fn deliver_early(&mut self, queue: QueueRef, after: u64, stored: Stored) {
        let room = self.room();
        let Some(delivery) = self.deliveries.get_mut(&queue) else { return };
        let Some(link) = self.links.get(&delivery.link) else { return };
        let Stored { sequence, envelope } = stored;
        if delivery.admitted((after, sequence), envelope.as_bytes().len(), link.is_roomy(room)) {
            let (link, queue) = (delivery.link, delivery.read_id);
            self.push(link, &Push::Deliver { queue, sequence, envelope });
        }
    }

    /// A message was stored: its queue's subscriber gets it, from memory if it is the next one and there is room, unless
    /// it was given it early.
    pub(super) fn deliver(&mut self, queue: QueueRef, stored: Stored, now: Timestamp) {
        let room = self.room();
        let Some(delivery) = self.deliveries.get_mut(&queue) else { return };
        let Some(link) = self.links.get(&delivery.link) else { return };
        let Stored { sequence, envelope } = stored;
        let roomy = link.is_roomy(room);
        if delivery.appended(sequence, envelope.as_bytes().len(), roomy) {
            let (link, queue) = (delivery.link, delivery.read_id);
            self.push(link, &Push::Deliver { queue, sequence, envelope });
        } else {
            self.pump(queue, now);
        }
    }
}
