//! What the core knows of one link: nothing by which it could be found again once it is closed.

use std::collections::{BTreeSet, HashMap, VecDeque};

use beresta_proto::auth::Exporter;
use beresta_proto::capsule::{Capsule, SessionKeys, Tag};
use beresta_proto::id::{KeyId, ReadId};
use beresta_proto::limits::{BUCKET_L, SUBSCRIPTIONS};
use beresta_proto::time::Timestamp;

use super::bucket::Bucket;
use super::limits::Limits;
use super::pending::{Asked, Check, Pending};
use super::places::UNUSED_MS;
use super::recogniser::Recognised;
use crate::queue::{Op, QueueRef};

/// Numbers after the one just opened by which the same link's next capsules are recognised, before its session is
/// remembered for all.
const FRESH_AHEAD: u64 = 4;

/// The session of the capsule that was opened last on a link. It serves that link alone, so no proof is asked for.
#[derive(Debug)]
pub(super) struct Fresh {
    session: SessionKeys,
    key_id: KeyId,
    last: u64,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) exporter: Exporter,
    pub(super) rate: Bucket,
    pub(super) over_rate: u32,
    pub(super) unopenable: u32,
    /// Commands without a reply yet.
    pub(super) open: usize,
    /// Bytes of commands without a reply or of what that takes, bytes asked of the engine for this link, and bytes handed out and not reported
    /// as written.
    pub(super) held: usize,
    /// The part of it that is commands.
    pub(super) asked: usize,
    /// Whether the driver was told to wait.
    pub(super) paused: bool,
    /// Queues with something to push once there is room, in turn: who fills it again and again waits behind the others.
    stalled: VecDeque<QueueRef>,
    pub(super) subscribed: HashMap<ReadId, QueueRef>,
    /// Queues that other links took over, in turn, of which it is still to be told. They count as subscribed until then, which
    /// bounds them: who takes nothing must not be given a word for each.
    lost: Vec<ReadId>,
    /// Those of which not all was pushed yet that waited when they were subscribed to.
    pub(super) unread: BTreeSet<QueueRef>,
    /// How many of its SUBSCRIBE were answered, and of how many of these it was told that there is none of them (rule Q17).
    subscriptions: u32,
    caught_up: u32,
    /// Capsules in the order in which they came. A later one never overtakes: that would turn a queue's order round.
    pub(super) capsules: VecDeque<(Asked, Box<Capsule>)>,
    /// Whether a slow opening for this link is under way, or waits for its turn: one at a time, so that a flood waits behind
    /// itself.
    pub(super) opening: bool,
    /// The capsule that waits for it.
    pub(super) to_open: Option<(Asked, Box<Capsule>)>,
    /// Signatures that wait for their turn, by command.
    pub(super) checks: VecDeque<(Asked, Check)>,
    /// Whether those of one command are looked after, or wait for their turn: one at a time, for the same reason.
    pub(super) checking: bool,
    /// Changes that wait for their turn.
    pub(super) changes: VecDeque<(Pending, Op)>,
    /// Queues that wait for their turn to be deleted.
    pub(super) deletions: VecDeque<(Asked, QueueRef)>,
    /// Whether it waits for its turn to have a queue read.
    pub(super) fetching: bool,
    pub(super) fresh: Option<Fresh>,
    since: Timestamp,
}

impl Link {
    pub(super) fn new(exporter: Exporter, limits: &Limits, now: Timestamp) -> Self {
        Self {
            exporter,
            rate: Bucket::new(limits.burst, limits.per_second, now),
            over_rate: 0,
            unopenable: 0,
            open: 0,
            held: 0,
            asked: 0,
            paused: false,
            stalled: VecDeque::new(),
            subscribed: HashMap::new(),
            lost: Vec::new(),
            unread: BTreeSet::new(),
            subscriptions: 0,
            caught_up: 0,
            capsules: VecDeque::new(),
            opening: false,
            to_open: None,
            checks: VecDeque::new(),
            checking: false,
            changes: VecDeque::new(),
            deletions: VecDeque::new(),
            fetching: false,
            fresh: None,
            since: now,
        }
    }

    /// What is held to be written. Only this holds pushes back: it goes by itself, as far as the reader takes it.
    pub(super) const fn unwritten(&self) -> usize {
        self.held.saturating_sub(self.asked)
    }

    /// Bytes that may be read for it, where it has any room: one envelope always, or who has little room would get nothing.
    pub(super) fn spare(&self, room: usize) -> Option<usize> {
        let spare = room.checked_sub(self.unwritten()).filter(|spare| *spare > 0)?;
        Some(spare.max(BUCKET_L))
    }

    /// Whether nobody is pushed anything by it, though it had the time to ask for that. What it asked for and is under way keeps it for
    /// as long again, and no longer: who asks without end always has something.
    pub(super) fn is_idle(&mut self, now: Timestamp) -> bool {
        // A clock that was set back must keep it for no longer.
        self.since = self.since.min(now);
        let patience = if self.open == 0 { UNUSED_MS } else { 2 * UNUSED_MS };
        self.subscribed.is_empty() && now.since(self.since) >= patience
    }

    /// It is subscribed to a queue no more.
    pub(super) fn leave(&mut self, read_id: &ReadId) {
        if let Some(queue) = self.subscribed.remove(read_id) {
            self.stalled.retain(|one| *one != queue);
            self.unread.remove(&queue);
        }
    }

    /// Whether it is subscribed to a queue, as far as it was told.
    pub(super) fn knows(&self, read_id: &ReadId) -> bool {
        self.subscribed.contains_key(read_id) || self.lost.contains(read_id)
    }

    /// To how many.
    pub(super) fn known(&self) -> usize {
        self.subscribed.len().saturating_add(self.lost.len())
    }

    /// Other links took queues over: it is to be told.
    pub(super) fn loses(&mut self, queues: Vec<ReadId>) {
        self.lost.extend(queues);
    }

    /// What is still to be told of these queues.
    pub(super) fn lost_among(&mut self, queues: &[ReadId]) -> Vec<ReadId> {
        let lost = self.lost.extract_if(.., |lost| queues.contains(lost)).collect();
        self.lost.shrink_to_fit();
        lost
    }

    /// What one word tells it that it lost, where there is room.
    pub(super) fn next_lost(&mut self, room: usize) -> Option<Vec<ReadId>> {
        if self.lost.is_empty() || self.unwritten() >= room {
            return None;
        }
        let later = self.lost.split_off(self.lost.len().min(SUBSCRIPTIONS));
        Some(core::mem::replace(&mut self.lost, later))
    }

    /// Whether there is room to push to it, and no queue waits for that.
    pub(super) fn is_roomy(&self, room: usize) -> bool {
        self.unwritten() < room && self.stalled.is_empty()
    }

    /// A queue waits until it may be read.
    pub(super) fn stalls(&mut self, queue: QueueRef) {
        if !self.stalled.contains(&queue) {
            self.stalled.push_back(queue);
        }
    }

    /// Whether a queue waits for which there is room.
    pub(super) fn wants_to_read(&self, room: usize) -> bool {
        self.unwritten() < room && !self.stalled.is_empty()
    }

    /// Whether it stands in one of the rows of [`super::turns`].
    pub(super) fn waits_for_a_turn(&self) -> bool {
        let Self { opening, checking, fetching, changes, deletions, .. } = self;
        *opening || *checking || *fetching || !changes.is_empty() || !deletions.is_empty()
    }

    /// The queue that waits the longest, where there is room.
    pub(super) fn next_stalled(&mut self, room: usize) -> Option<QueueRef> {
        if self.unwritten() < room { self.stalled.pop_front() } else { None }
    }

    /// It was answered that it is subscribed.
    pub(super) const fn subscribes(&mut self) {
        self.subscriptions = self.subscriptions.saturating_add(1);
    }

    /// As of how many subscriptions it is to be told now that it has caught up; none if it was, or has not.
    pub(super) fn catches_up(&mut self) -> Option<u32> {
        // What it lost was not pushed: that it is to hear before.
        let fresh = self.unread.is_empty() && self.lost.is_empty() && self.caught_up < self.subscriptions;
        fresh.then(|| {
            self.caught_up = self.subscriptions;
            self.caught_up
        })
    }

    pub(super) fn opened(&mut self, session: SessionKeys, key_id: KeyId, n: u64) {
        self.fresh = Some(Fresh { session, key_id, last: n });
    }

    /// Forgets the session if its epoch key is destroyed (rule D8).
    pub(super) fn keep_epochs(&mut self, alive: impl Fn(KeyId) -> bool) {
        self.fresh.take_if(|fresh| !alive(fresh.key_id));
    }

    /// Whether a capsule is one of the next of the session that was just opened here.
    pub(super) fn recognise(&mut self, key_id: KeyId, tag: &Tag) -> Option<Recognised> {
        let fresh = self.fresh.as_mut().filter(|fresh| fresh.key_id == key_id)?;
        let first = fresh.last.saturating_add(1);
        let n = (first..first.saturating_add(FRESH_AHEAD))
            .find(|n| fresh.session.tag(*n).is_ok_and(|one| one == *tag))?;
        fresh.last = n;
        Some(Recognised { session: fresh.session.clone(), n, name: None })
    }
}
