//! The reference: what was said, and what must have become of it, by the protocol's text and not by the code.

use std::collections::{BTreeMap, BTreeSet};

use beresta_client::crypto;
use beresta_client::store::StoreError;
use beresta_client::store::contact::ContactId;
use beresta_client::store::event::EventKind;
use beresta_client::store::message::{Message, MessageRow, MessageState};
use beresta_client::store::queue::PeerQueueId;
use beresta_proto::bundle::IdentityPublic;
use beresta_proto::envelope::Envelope;
use beresta_proto::id::{ReadId, RelayId};
use beresta_proto::time::{DAY_MS, SECOND_MS, Timestamp, TtlClass};

use super::log::SECRET;
use super::person::Person;
use super::plan::Plan;
use super::{At, Who};
use crate::ratchet::{self, Step};

mod end;
mod past;

pub(super) use past::Remembered;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn violated<T>(what: String) -> Result<T, Violation> {
    Err(Violation(what))
}

/// The longest time from writing to showing: it waits three weeks with its sender and three, to the end of a day, at a
/// relay, and clocks are wrong by a day.
const LATEST_MS: u64 = 2 * TtlClass::ThreeWeeks.millis() + 3 * DAY_MS;

/// A text that was accepted for sending.
struct Said {
    from: Who,
    to: Who,
    row: MessageRow,
    at: Timestamp,
    /// The row under which its reader has seen it, as far as their profile goes.
    seen: Option<MessageRow>,
    /// Whether it was shown.
    shown: bool,
    /// Another text under the same content id: one of the two may be shown.
    twin: Option<u64>,
    /// The queue to which its reader was written when its sender heard that a relay has it, and when they heard that last: it may have
    /// been said again (rule I16).
    stored: Option<PeerQueueId>,
    again: Option<PeerQueueId>,
    /// Whether its reader had not answered the first message yet.
    unanswered: bool,
}

/// What was said so far.
#[derive(Default)]
pub(super) struct Model {
    said: BTreeMap<u64, Said>,
    /// The newest text of each pair that was shown.
    newest: BTreeMap<(Who, Who), u64>,
    /// What was shown, and could not be noted yet.
    unnoted: BTreeSet<(Who, MessageRow)>,
    people: Vec<IdentityPublic>,
    /// To them, and by relays that deliver out of order, less is promised.
    liar: Option<Who>,
    disorder: bool,
    drawn: u64,
    /// Who made an invite for whom, both ways.
    introduced: BTreeSet<(Who, Who)>,
    /// Who blocked whom.
    blocked: BTreeSet<(Who, Who)>,
    /// Who blocked or removed whom once, both ways.
    parted: BTreeSet<(Who, Who)>,
    /// Who removed whom once, and all that they had said with them.
    removed: BTreeSet<(Who, Who)>,
    /// Who met anew by an invite that did not name them, both ways: its maker was told what to do, and does not do it here.
    half_met: BTreeSet<(Who, Who)>,
    /// Who was to meet anew whom they know, both ways.
    pub(super) met_anew: BTreeSet<(Who, Who)>,
    /// Who took an invite back: somebody may have used it whom they did not meet yet.
    revoked: BTreeSet<Who>,
    /// Who deleted what was said to whom, and when last.
    cleared: BTreeMap<(Who, Who), Timestamp>,
    /// The relays that were ever home to somebody.
    homes: BTreeSet<(Who, At)>,
    /// Whose older state came back.
    old_people: BTreeSet<Who>,
    old_relays: BTreeSet<At>,
    /// What each key of a ratchet encrypted.
    encrypted: BTreeMap<(IdentityPublic, Step), Vec<u8>>,
    broken: Option<Violation>,
    /// Texts of which somebody was told that they did not arrive; and when last of some for a contact that had disappeared.
    told: BTreeSet<(Who, MessageRow)>,
    told_of_gone: BTreeMap<(Who, ContactId), Timestamp>,
    /// Texts that came after newer ones, and the newer ones.
    overtaken: Vec<(u64, u64)>,
}

impl Model {
    /// Texts are numbers, and each is a secret: whose it is, the model knows.
    pub(super) fn next_text(&mut self) -> String {
        self.drawn += 1;
        format!("{SECRET} {}", self.drawn)
    }

    pub(super) fn know(&mut self, people: &[Person], plan: &Plan) {
        self.people = people.iter().map(|person| person.identity).collect();
        (self.liar, self.disorder) = (plan.liar, plan.disorder);
    }

    pub(super) fn lives_at(&mut self, who: Who, home: At) {
        self.homes.insert((who, home));
    }

    pub(super) fn introduces(&mut self, one: Who, other: Who) {
        self.introduced.extend([(one, other), (other, one)]);
    }

    pub(super) fn parts(&mut self, who: Who, from: Who, for_good: bool) {
        self.parted.extend([(who, from), (from, who)]);
        if for_good {
            self.blocked.insert((who, from));
        } else {
            self.blocked.remove(&(who, from));
            self.removed.insert((who, from));
        }
    }

    pub(super) fn revokes(&mut self, who: Who) {
        self.revoked.insert(who);
    }

    pub(super) fn clears(&mut self, who: Who, with: Who, now: Timestamp) {
        self.cleared.insert((who, with), now);
    }

    /// The text drawn last was accepted.
    pub(super) fn accepted(&mut self, from: Who, to: Who, row: MessageRow, at: Timestamp) {
        // Who lies has a program of their own.
        if self.blocked.contains(&(from, to)) && self.liar != Some(from) {
            self.breaks(format!("{from:?} could write to {to:?}, whom they blocked"));
        }
        self.said.insert(
            self.drawn,
            Said {
                from,
                to,
                row,
                at,
                seen: None,
                shown: false,
                twin: None,
                stored: None,
                again: None,
                unanswered: false,
            },
        );
    }

    /// The text drawn last is for somebody who has not answered the first message yet.
    pub(super) fn unanswered(&mut self) {
        self.said.get_mut(&self.drawn).unwrap().unanswered = true;
    }

    /// The text drawn last has the content id of the one before.
    pub(super) fn twins(&mut self) {
        for (one, other) in [(self.drawn, self.drawn - 1), (self.drawn - 1, self.drawn)] {
            self.said.get_mut(&one).unwrap().twin = Some(other);
        }
    }

    /// Something happened that must not.
    pub(super) fn breaks(&mut self, what: String) {
        self.broken.get_or_insert(Violation(what));
    }

    /// The first of what must not happen.
    pub(super) fn broken(&mut self) -> Option<Violation> {
        self.broken.take()
    }

    /// A relay hands an envelope over. Of two that one key of a ratchet encrypted, both could be read by who has them.
    pub(super) fn delivered(
        &mut self,
        person: &mut Person,
        who: Who,
        relay: &RelayId,
        queue: &ReadId,
        envelope: &Envelope,
    ) {
        let opened = person.store.transaction(|tx| {
            let Some(own) = tx.own_queue(relay, queue)? else { return Ok(None) };
            let Ok(sealed) = envelope.open(&own.envelope) else { return Ok(None) };
            Ok::<_, StoreError>(crypto::open_seal(tx, &sealed).ok())
        });
        let Some(opened) = opened.unwrap() else { return };
        let author = self.people.iter().position(|one| one == opened.sender()).map(Who);
        if author.is_none() || author == self.liar {
            // Who lies may also ruin their own ratchet.
            return;
        }
        if author.is_some_and(|author| !self.introduced.contains(&(author, who))) {
            self.breaks(format!("{author:?} sealed something for {who:?}, whom they never met"));
        }
        let (step, ciphertext) = ratchet::read(opened.encrypted().unwrap()).unwrap();
        let before = self.encrypted.entry((*opened.sender(), step)).or_insert_with(|| ciphertext.clone());
        if *before == ciphertext {
            return;
        }
        // Who went on with an older profile does it (docs/known-issues.md); even then nobody sees what two texts have in
        // common, because each begins with an id that was drawn for it.
        let went_back = author.is_some_and(|author| self.old_people.contains(&author));
        if !went_back {
            self.breaks("one key of a ratchet encrypted two messages".to_owned());
        } else if ratchet::have_a_block_in_common(before, &ciphertext) {
            self.breaks("two messages under one key of a ratchet look alike".to_owned());
        }
    }

    pub(super) fn said(&self) -> usize {
        self.said.len()
    }

    pub(super) fn encrypted(&self) -> usize {
        self.encrypted.len()
    }

    pub(super) fn shown(&self) -> usize {
        self.said.values().filter(|said| said.shown).count()
    }

    /// Looks at what is new for a person, as their screen does: whose it is, whether it was shown before, and in what
    /// order it comes; and, once what was due is `done`, what should be gone. Gives the rows that were looked at.
    pub(super) fn look(
        &mut self,
        person: &mut Person,
        who: Who,
        now: Timestamp,
        done: bool,
    ) -> Result<Vec<MessageRow>, Violation> {
        let clock = person.clock(now);
        let last = person.told;
        let blocked: Vec<IdentityPublic> = self
            .blocked
            .range((who, Who(0))..=(who, Who(usize::MAX)))
            .map(|(_, of)| self.people[of.0])
            .collect();
        let (new, expired, events, waits, stored, half_met) = person
            .store
            .transaction(|tx| {
                let mut new = Vec::new();
                for message in tx.unshown(None)? {
                    let from = tx.contact(message.contact)?.identity;
                    new.push((message, from));
                }
                let mut waits = false;
                let anything = tx.count_outgoing()? > 0;
                for identity in blocked.iter().filter(|_| anything) {
                    if let Some(contact) = tx.contact_by_identity(identity)? {
                        waits |= !tx.outgoing_to(contact.id)?.is_empty();
                    }
                }
                let events = tx.events_after(last, u32::MAX)?;
                let unnamed = events.iter().filter(|event| event.kind == EventKind::InviteNamesAnother);
                let half_met: Vec<ContactId> = unnamed.filter_map(|event| event.contact).collect();
                let half_met = half_met.into_iter().map(|contact| Ok(tx.contact(contact)?.identity));
                let half_met = half_met.collect::<Result<Vec<_>, StoreError>>()?;
                let mut stored = Vec::new();
                for row in events.iter().filter_map(|event| event.message) {
                    let there = |message: &Message| {
                        matches!(message.state, MessageState::AtRelay | MessageState::Delivered)
                    };
                    if let Some(message) = tx.message(row)?.filter(there)
                        && let Some(queue) = tx.peer_queue(message.contact)?
                    {
                        stored.push((row, queue.id));
                    }
                }
                Ok::<_, StoreError>((new, tx.next_expiry()?, events, waits, stored, half_met))
            })
            .unwrap();
        for identity in half_met {
            let other = self.people.iter().position(|one| *one == identity).map(Who);
            self.half_met.extend(other.into_iter().flat_map(|other| [(who, other), (other, who)]));
        }
        if done && expired.is_some_and(|end| end.plus(SECOND_MS) < clock) && person.works(now) {
            return violated(format!("{who:?} still has what ended at {expired:?}"));
        }
        if waits {
            return violated(format!("{who:?} has something to send for somebody whom they blocked"));
        }
        for event in events {
            person.told = event.seq;
            match (event.kind, event.message, event.contact) {
                (EventKind::NotDelivered, Some(row), _) => {
                    self.told.insert((who, row));
                }
                (EventKind::NotDelivered, None, Some(contact)) => {
                    self.told_of_gone.insert((who, contact), now);
                }
                _ => {}
            }
        }
        for (row, queue) in stored {
            if let Some(said) = self.said.values_mut().find(|said| said.from == who && said.row == row) {
                said.stored.get_or_insert(queue);
                said.again = Some(queue);
            }
        }
        let mut rows = Vec::new();
        for (message, from) in new {
            let from = self.people.iter().position(|one| *one == from).map(Who);
            self.sees(who, from, &message, now)?;
            rows.push(message.id);
        }
        Ok(rows)
    }

    /// Somebody sees a text.
    fn sees(
        &mut self,
        who: Who,
        from: Option<Who>,
        message: &Message,
        now: Timestamp,
    ) -> Result<(), Violation> {
        let number = message.body.rsplit(' ').next().and_then(|number| number.parse().ok());
        let number: u64 = number.unwrap_or_default();
        let Some(said) = self.said.get_mut(&number) else {
            return violated(format!("{who:?} was shown {number}, which nobody said"));
        };
        if (Some(said.from), said.to) != (from, who) {
            return violated(format!("{who:?} was shown {number} of {from:?}, who did not say it to them"));
        }
        if said.seen == Some(message.id) && self.unnoted.contains(&(who, message.id)) {
            // The disk did not take it that it was shown: it still counts as new.
            return Ok(());
        }
        if said.seen.is_some() {
            // Who went on with an older profile may say again what had arrived, and so may who meets anew with somebody who
            // removed them, and all that they had said.
            if self.old_people.contains(&said.from) || self.removed.contains(&(said.to, said.from)) {
                return Ok(());
            }
            return violated(format!("{who:?} was shown {number} twice"));
        }
        let (author, twin, age) = (said.from, said.twin, now.since(said.at));
        (said.seen, said.shown) = (Some(message.id), true);
        self.unnoted.insert((who, message.id));
        if self.blocked.contains(&(who, author)) {
            return violated(format!("{who:?} was shown {number} of {author:?}, whom they blocked"));
        }
        if age > LATEST_MS {
            return violated(format!("{who:?} was shown {number}, {age} ms after it was said"));
        }
        if let Some(twin) = twin.filter(|twin| self.said[twin].shown) {
            return violated(format!("{who:?} was shown {number} and {twin}, which are one content"));
        }
        let newest = self.newest.entry((author, who)).or_default();
        let in_order = !self.disorder && Some(author) != self.liar;
        let before = std::mem::replace(newest, number.max(*newest));
        if in_order && before > number {
            // What a relay had before its reader moved may come later than what was written since (rule I11).
            if self.said[&number].stored.is_none() {
                return violated(format!("{who:?} was shown {number} of {from:?} after {before}"));
            }
            self.overtaken.push((number, before));
        }
        Ok(())
    }

    /// The profile says that these were shown.
    pub(super) fn noted(&mut self, who: Who, rows: &[MessageRow]) {
        for row in rows {
            self.unnoted.remove(&(who, *row));
        }
    }
}
