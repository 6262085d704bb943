//! Recognised capsules (rules C6, C7): sessions whose header was opened once, each with a window of coming tags, so
//! that the next capsules cost no opening.
//!
//! A session is remembered only after one of its orders had the right capability, and a queue has room for a few
//! only: an attacker needs a queue of its own to hold a few places, and can push out nobody's by making up tags.
//! Queues cost nothing, so that is not enough: a session is *new* until some of its orders were good, and new ones push
//! out new ones. Established ones, at most three quarters of all, give way to such as did the same work.
//! Forgetting is always harmless, for every capsule stands by itself.

use std::collections::{BTreeMap, HashMap, VecDeque};

use beresta_proto::capsule::{SessionKeys, Tag};
use beresta_proto::id::KeyId;

/// Tags known ahead of the highest number seen, and kept behind it for capsules that come late.
const WINDOW: u64 = 32;
/// Tags known ahead after a session's first good order.
const FIRST_WINDOW: u64 = 8;
/// Good orders with which a session is established.
const ESTABLISHED: u32 = 4;
/// The number whose tag names a session here. No sender reaches it.
const NAME: u64 = u64::MAX;

/// A session by a name that says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionName(Tag);

/// Which session and number a capsule's tag stands for.
#[derive(Debug, Clone)]
pub(super) struct Recognised {
    pub(super) session: SessionKeys,
    pub(super) n: u64,
    /// How it is remembered, if it is.
    pub(super) name: Option<SessionName>,
}

#[derive(Debug)]
struct Remembered<Q> {
    session: SessionKeys,
    key_id: KeyId,
    queue: Q,
    /// The first number whose tag was not made yet.
    next: u64,
    /// Tags that may still come, by number.
    coming: VecDeque<(u64, Tag)>,
    good: u32,
    established: bool,
    used: u64,
}

impl<Q> Remembered<Q> {
    /// Tags to know ahead: few after the first good order, and twice as many after each more. A tag costs 1 µs, and for
    /// a sender who writes once, a whole window would be made in vain.
    fn window(&self) -> u64 {
        WINDOW.min(FIRST_WINDOW << self.good.saturating_sub(1).min(8))
    }
}

/// Sessions of at most so many queues; `Q` names a queue.
#[derive(Debug)]
pub(super) struct Recogniser<Q> {
    most: usize,
    most_per_queue: usize,
    sessions: HashMap<SessionName, Remembered<Q>>,
    tags: HashMap<Tag, (SessionName, u64)>,
    /// In the order of their last use.
    new: BTreeMap<u64, SessionName>,
    established: BTreeMap<u64, SessionName>,
    by_queue: HashMap<Q, VecDeque<SessionName>>,
    uses: u64,
}

impl<Q: Copy + Eq + core::hash::Hash> Recogniser<Q> {
    pub(super) fn new(most: usize, most_per_queue: usize) -> Self {
        Self {
            most,
            most_per_queue,
            sessions: HashMap::new(),
            tags: HashMap::new(),
            new: BTreeMap::new(),
            established: BTreeMap::new(),
            by_queue: HashMap::new(),
            uses: 0,
        }
    }

    /// What a tag stands for, if its session is remembered. Changes nothing: a stranger may have copied the tag.
    pub(super) fn find(&self, tag: &Tag) -> Option<Recognised> {
        let (name, n) = self.tags.get(tag)?;
        let session = self.sessions.get(name)?.session.clone();
        Some(Recognised { session, n: *n, name: Some(*name) })
    }

    /// Remembers a session whose order was good, or moves its window past that.
    pub(super) fn good(&mut self, one: &Recognised, key_id: KeyId, queue: Q) {
        if self.most == 0 || self.most_per_queue == 0 {
            return;
        }
        let Recognised { session, n, name } = one;
        let Some(name) = name.or_else(|| session.tag(NAME).ok().map(SessionName)) else { return };
        let n = *n;
        if !self.sessions.contains_key(&name) {
            self.make_room(queue);
            let fresh = Remembered {
                session: session.clone(),
                key_id,
                queue,
                next: n.saturating_sub(FIRST_WINDOW),
                coming: VecDeque::new(),
                good: 0,
                established: false,
                used: 0,
            };
            self.sessions.insert(name, fresh);
            self.by_queue.entry(queue).or_default().push_back(name);
        }
        if let Some(session) = self.sessions.get_mut(&name) {
            session.good = session.good.saturating_add(1);
            let established = session.good >= ESTABLISHED;
            self.file(name, established);
        }
        if self.established.len() > self.most / 4 * 3
            && let Some((_, last)) = self.established.first_key_value()
        {
            self.file(*last, false);
        }
        self.advance(name, n);
    }

    /// Puts a session behind the others of its kind, as the last that gives way.
    fn file(&mut self, name: SessionName, established: bool) {
        let Self { sessions, new, established: old, uses, .. } = self;
        let Some(session) = sessions.get_mut(&name) else { return };
        let from = if session.established { &mut *old } else { &mut *new };
        from.remove(&session.used);
        *uses = uses.saturating_add(1);
        session.used = *uses;
        session.established = established;
        let to = if established { old } else { new };
        to.insert(session.used, name);
    }

    fn advance(&mut self, name: SessionName, n: u64) {
        let Some(session) = self.sessions.get_mut(&name) else { return };
        if let Some(at) = session.coming.iter().position(|(one, _)| *one == n)
            && let Some((_, tag)) = session.coming.remove(at)
        {
            self.tags.remove(&tag);
        }
        // Numbers far behind the window are not taken back in: they are opened the slow way.
        let end = n.saturating_add(1).saturating_add(session.window());
        if session.next < end {
            session.next = session.next.max(n.saturating_sub(WINDOW));
            while session.next < end {
                let number = session.next;
                session.next = session.next.saturating_add(1);
                if number == n {
                    continue;
                }
                let Ok(tag) = session.session.tag(number) else { return };
                session.coming.push_back((number, tag));
                self.tags.insert(tag, (name, number));
            }
            let begin = n.saturating_sub(WINDOW);
            while session.coming.front().is_some_and(|(number, _)| *number < begin) {
                if let Some((_, tag)) = session.coming.pop_front() {
                    self.tags.remove(&tag);
                }
            }
        }
    }

    fn make_room(&mut self, queue: Q) {
        if let Some(names) = self.by_queue.get(&queue)
            && names.len() >= self.most_per_queue
        {
            let oldest = names.iter().filter_map(|name| Some((self.sessions.get(name)?.used, *name))).min();
            if let Some((_, name)) = oldest {
                self.forget(name);
            }
        }
        while self.sessions.len() >= self.most {
            let first = self.new.first_key_value().or_else(|| self.established.first_key_value());
            let Some((_, name)) = first else { return };
            self.forget(*name);
        }
    }

    fn forget(&mut self, name: SessionName) {
        let Some(session) = self.sessions.remove(&name) else { return };
        let from = if session.established { &mut self.established } else { &mut self.new };
        from.remove(&session.used);
        for (_, tag) in session.coming {
            self.tags.remove(&tag);
        }
        if let Some(names) = self.by_queue.get_mut(&session.queue) {
            names.retain(|one| *one != name);
            if names.is_empty() {
                self.by_queue.remove(&session.queue);
            }
        }
    }

    /// Forgets the sessions of a queue that is gone, which would hold places of others.
    pub(super) fn forget_queue(&mut self, queue: Q) {
        for name in self.by_queue.remove(&queue).unwrap_or_default() {
            self.forget(name);
        }
    }

    /// Forgets the sessions of epoch keys that are destroyed (rule D8).
    pub(super) fn keep_epochs(&mut self, alive: impl Fn(KeyId) -> bool) {
        let dead: Vec<SessionName> =
            self.sessions.iter().filter(|(_, one)| !alive(one.key_id)).map(|(name, _)| *name).collect();
        for name in dead {
            self.forget(name);
        }
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.sessions.len(), self.tags.len())
    }
}

#[cfg(test)]
mod tests;
