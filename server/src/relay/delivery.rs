//! The push of one queue to its subscriber: which messages go out, how many at once, and when the engine is asked
//! (rules Q4, Q6). In order, never twice to one subscription, and from memory where that is possible.
//!
//! `known` is the place up to which everything was pushed or is gone. A message that is stored at `known + 1` can be
//! pushed straight away. Anything else is only announced, and fetched in order once there is room; so storage answers
//! may come late or turned round without harm.

use std::collections::VecDeque;

use beresta_proto::envelope::Bucket;
use beresta_proto::frame::Class;
use beresta_proto::id::ReadId;
use beresta_proto::limits::{BUCKET_L, WINDOW_BYTES, WINDOW_MESSAGES};

use super::output::{LinkId, Ticket};

/// What to ask the engine for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) after: u64,
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Wanted {
    /// As much of it as there are bytes for. Each message takes a frame, which is longer than a short envelope by most of
    /// its length: only so many are asked for as fit if they are short.
    pub(super) fn within(self, bytes: usize) -> Self {
        let messages = (bytes / Class::Bucket(Bucket::S).size()).max(1);
        Self { messages: self.messages.min(messages), bytes: self.bytes.min(bytes), ..self }
    }
}

#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) link: LinkId,
    pub(super) read_id: ReadId,
    /// Tells this subscription from an earlier one of the same queue, whose fetch may still be answered for nobody.
    pub(super) generation: u64,
    known: u64,
    announced: u64,
    /// The place of the last message that waited when its subscriber came.
    waited: u64,
    /// The last place that was pushed: nobody acknowledges what it has not seen.
    pushed: u64,
    more: bool,
    /// Whether its reader is still to hear that it drained.
    drained: bool,
    /// The fetch that is under way.
    fetching: Option<Ticket>,
    window: VecDeque<(u64, usize)>,
    window_bytes: usize,
}

impl Delivery {
    pub(super) fn new(link: LinkId, read_id: ReadId, generation: u64) -> Self {
        Self {
            link,
            read_id,
            generation,
            known: 0,
            announced: 0,
            waited: 0,
            pushed: 0,
            more: true,
            drained: false,
            fetching: None,
            window: VecDeque::new(),
            window_bytes: 0,
        }
    }

    /// The fetch from the queue's start on, if that is under way: whoever takes the queue over wants the same.
    pub(super) fn fetching_all(&self) -> Option<Ticket> {
        self.fetching.filter(|_| self.known == 0)
    }

    /// The queue goes to another link, and with it the fetch from its start on that is under way: two links that take a
    /// queue from each other without end have nothing read for nobody.
    pub(super) fn handed_over(self, link: LinkId) -> Self {
        Self { link, ..self }
    }

    /// Its subscriber has caught up once all was pushed up to this place, where a message waits: its own word may be on its way
    /// still, and would be too late for a fetch that has begun.
    ///
    /// Where nobody can say how far that is, only a fetch that finds nothing says that all was pushed.
    pub(super) fn reads_to(&mut self, place: Option<u64>) {
        self.waited = self.waited.max(place.unwrap_or(u64::MAX));
        self.announced = self.announced.max(place.unwrap_or(0));
        self.more |= place.is_none() || self.announced > self.known;
    }

    /// Whether all was pushed that waited when its subscriber came: whoever writes on without end keeps that from nobody.
    pub(super) const fn is_read(&self) -> bool {
        self.known >= self.waited
    }

    /// A message is about to be stored, at `sequence` and next to `after`. Says whether it is to be pushed at once; else
    /// [`Delivery::appended`] decides.
    pub(super) fn admitted(
        &mut self,
        (after, sequence): (u64, u64),
        bytes: usize,
        link_has_room: bool,
    ) -> bool {
        let next = after <= self.known && self.known < sequence;
        let at_once = next && !self.more && self.fetching.is_none() && link_has_room && self.fits(bytes);
        if at_once {
            self.push(sequence, bytes);
        }
        at_once
    }

    /// A message was stored. Says whether it is to be pushed at once; else it will be fetched, or was pushed before.
    pub(super) fn appended(&mut self, sequence: u64, bytes: usize, link_has_room: bool) -> bool {
        if self.admitted((sequence.saturating_sub(1), sequence), bytes, link_has_room) {
            return true;
        }
        if sequence > self.known {
            self.announced = self.announced.max(sequence);
            self.more = true;
        }
        false
    }

    fn fits(&self, bytes: usize) -> bool {
        self.window.is_empty()
            || (self.window.len() < WINDOW_MESSAGES
                && self.window_bytes.saturating_add(bytes) <= WINDOW_BYTES)
    }

    fn push(&mut self, sequence: u64, bytes: usize) {
        self.known = sequence;
        self.pushed = sequence;
        self.window.push_back((sequence, bytes));
        self.window_bytes = self.window_bytes.saturating_add(bytes);
    }

    /// What to fetch now, if anything is worth asking for.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        let messages = WINDOW_MESSAGES.checked_sub(self.window.len()).filter(|room| *room > 0)?;
        let bytes = WINDOW_BYTES.saturating_sub(self.window_bytes);
        // The engine gives one message whatever its size: ask only if any size fits.
        let roomy = self.window.is_empty() || bytes >= BUCKET_L;
        let wanted = Wanted { after: self.known, messages, bytes };
        (self.more && self.fetching.is_none() && roomy).then_some(wanted)
    }

    pub(super) fn fetch_begins(&mut self, fetch: Ticket) {
        self.fetching = Some(fetch);
        self.more = false;
    }

    /// Its reader is to hear that it drained.
    pub(super) const fn drains(&mut self) {
        self.drained = true;
    }

    pub(super) const fn is_drained(&self) -> bool {
        self.drained
    }

    /// Whether its reader is to hear that now, for the one time.
    pub(super) const fn take_drained(&mut self) -> bool {
        core::mem::replace(&mut self.drained, false)
    }

    /// The engine could not say: ask again later.
    pub(super) fn fetch_failed(&mut self) {
        self.fetching = None;
        self.more = true;
    }

    /// The engine answered with `count` messages; each goes through [`Delivery::fetched`] after this.
    pub(super) fn fetch_ends(&mut self, count: usize, begun_at: u64) {
        self.fetching = None;
        if count > 0 {
            self.more = true;
        } else {
            // What was announced before the fetch began and did not come is gone.
            self.known = self.known.max(begun_at);
            self.more = self.announced > self.known;
            if !self.more {
                // Where nobody could say how far that is, this does.
                self.waited = self.waited.min(self.known);
            }
        }
    }

    /// Whether there may be something to fetch.
    pub(super) const fn has_more(&self) -> bool {
        self.more
    }

    /// The highest place announced so far, to be handed to [`Delivery::fetch_ends`].
    pub(super) const fn announced(&self) -> u64 {
        self.announced
    }

    /// Whether a fetched message is to be pushed.
    pub(super) fn fetched(&mut self, sequence: u64, bytes: usize) -> bool {
        if sequence <= self.known {
            return false;
        }
        self.push(sequence, bytes);
        true
    }

    /// The reader acknowledged. How many messages, if it may.
    pub(super) fn acknowledged(&mut self, upto: u64) -> Option<usize> {
        if upto > self.pushed {
            return None;
        }
        let before = self.window.len();
        while let Some((_, bytes)) = self.window.front().copied().filter(|(sequence, _)| *sequence <= upto) {
            self.window.pop_front();
            self.window_bytes = self.window_bytes.saturating_sub(bytes);
        }
        // Who once had a full window would keep more room than all else that a subscription takes.
        if self.window.len() <= self.window.capacity() / 4 {
            self.window.shrink_to(self.window.len().saturating_mul(2));
        }
        Some(before.saturating_sub(self.window.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_room_for_what_is_not_acknowledged_and_none_once_all_is() {
        let mut delivery = Delivery::new(LinkId(1), ReadId([1; 24]), 1);
        let entry = size_of::<(u64, usize)>();
        for round in 0..3 {
            let first = round * 32;
            let sequences = first + 1..=first + 32;
            assert!(sequences.clone().all(|sequence| delivery.fetched(sequence, 4_096)));
            assert!(delivery.window.capacity() * entry <= 512, "as said in the known issues");
            assert_eq!(sequences.filter_map(|upto| delivery.acknowledged(upto)).sum::<usize>(), 32);
            assert_eq!(delivery.window.capacity(), 0);
        }
        assert!((97..129).all(|sequence| delivery.fetched(sequence, 4_096)));
        assert_eq!(delivery.acknowledged(127), Some(31));
        assert!(delivery.window.capacity() <= 4, "one message is not worth a window");
    }
}
