//! The reference: what was said, and what must have become of it, by the protocol's text and not by the code.

use std::collections::{BTreeMap, BTreeSet};

use beresta_client::crypto;
use beresta_client::store::StoreError;
use beresta_client::store::contact::ContactId;
use beresta_client::store::event::EventKind;
use beresta_client::store::message::{MessageRow, MessageState};
use beresta_proto::bundle::IdentityPublic;
use beresta_proto::envelope::Envelope;
use beresta_proto::id::{ReadId, RelayId};
use beresta_proto::time::{SECOND_MS, Timestamp, TtlClass};

use super::Who;
use super::log::SECRET;
use super::person::Person;
use super::plan::Plan;
use super::relay::Node;
use crate::ratchet::{self, Step};

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

/// A text that was accepted for sending.
struct Said {
    from: Who,
    to: Who,
    row: MessageRow,
    at: Timestamp,
    shown: bool,
    /// Another text under the same content id: one of the two may be shown.
    twin: Option<u64>,
}

/// What was said so far.
#[derive(Default)]
pub(super) struct Model {
    said: BTreeMap<u64, Said>,
    /// The newest text of each pair that was shown.
    newest: BTreeMap<(Who, Who), u64>,
    people: Vec<IdentityPublic>,
    /// To them, and by relays that deliver out of order, less is promised.
    liar: Option<Who>,
    disorder: bool,
    drawn: u64,
    /// What each key of a ratchet encrypted.
    encrypted: BTreeMap<(IdentityPublic, Step), Vec<u8>>,
    broken: Option<Violation>,
    /// Texts of which somebody was told that they did not arrive; and when last of some for a contact that had disappeared.
    told: BTreeSet<(Who, MessageRow)>,
    told_of_gone: BTreeMap<(Who, ContactId), Timestamp>,
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

    /// The text drawn last was accepted.
    pub(super) fn accepted(&mut self, from: Who, to: Who, row: MessageRow, at: Timestamp) {
        self.said.insert(self.drawn, Said { from, to, row, at, shown: false, twin: None });
    }

    /// The text drawn last has the content id of the one before.
    pub(super) fn twins(&mut self) {
        for (one, other) in [(self.drawn, self.drawn - 1), (self.drawn - 1, self.drawn)] {
            self.said.get_mut(&one).unwrap().twin = Some(other);
        }
    }

    /// A relay hands an envelope over. Of two that one key of a ratchet encrypted, both could be read by who has them.
    pub(super) fn delivered(
        &mut self,
        person: &mut Person,
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
        if self.liar.is_some_and(|liar| self.people[liar.0] == *opened.sender()) {
            // Who lies may also ruin their own ratchet.
            return;
        }
        let (step, ciphertext) = ratchet::read(opened.encrypted().unwrap()).unwrap();
        let before = self.encrypted.entry((*opened.sender(), step)).or_insert_with(|| ciphertext.clone());
        if *before != ciphertext {
            self.broken = Some(Violation("one key of a ratchet encrypted two messages".to_owned()));
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
    /// order it comes. Gives the rows that were looked at.
    pub(super) fn look(
        &mut self,
        person: &mut Person,
        who: Who,
        now: Timestamp,
    ) -> Result<Vec<MessageRow>, Violation> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let clock = person.clock(now);
        let last = person.told;
        let (new, expired, events) = person
            .store
            .transaction(|tx| {
                let mut new = Vec::new();
                for message in tx.unshown(None)? {
                    let from = tx.contact(message.contact)?.identity;
                    new.push((message, from));
                }
                Ok::<_, StoreError>((new, tx.next_expiry()?, tx.events_after(last, u32::MAX)?))
            })
            .unwrap();
        if expired.is_some_and(|end| end.plus(SECOND_MS) < clock) {
            return violated(format!("{who:?} still has what ended at {expired:?}"));
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
        let mut rows = Vec::new();
        for (message, from) in new {
            let from = self.people.iter().position(|one| *one == from).map(Who);
            let number = message.body.rsplit(' ').next().and_then(|number| number.parse().ok());
            let number: u64 = number.unwrap_or_default();
            let Some(said) = self.said.get_mut(&number) else {
                return violated(format!("{who:?} was shown {number}, which nobody said"));
            };
            if (Some(said.from), said.to) != (from, who) {
                return violated(format!(
                    "{who:?} was shown {number} of {from:?}, who did not say it to them"
                ));
            }
            if std::mem::replace(&mut said.shown, true) {
                return violated(format!("{who:?} was shown {number} twice"));
            }
            let (author, twin) = (said.from, said.twin);
            if let Some(twin) = twin.filter(|twin| self.said[twin].shown) {
                return violated(format!("{who:?} was shown {number} and {twin}, which are one content"));
            }
            let newest = self.newest.entry((author, who)).or_default();
            let in_order = !self.disorder && Some(author) != self.liar;
            if in_order && *newest > number {
                return violated(format!("{who:?} was shown {number} of {from:?} after {newest}"));
            }
            *newest = number;
            rows.push(message.id);
        }
        Ok(rows)
    }

    /// Everything works again for more than a day: what was accepted was shown, or its sender knows that it was not, or
    /// its time was over.
    pub(super) fn judge(
        &mut self,
        people: &mut [Person],
        relays: &[Node],
        now: Timestamp,
    ) -> Result<(), Violation> {
        for (number, said) in self.said.iter().filter(|(_, said)| !said.shown) {
            let Said { from, to, row, at, shown: _, twin: _ } = said;
            // Forgers use up the patience of who reads them, and relays lose what they say was delivered.
            if self.disorder || Some(*from) == self.liar {
                continue;
            }
            match people[from.0].store.transaction(|tx| tx.message(*row)).unwrap() {
                Some(message) if message.state == MessageState::Failed => {}
                // Who made the invite was away for longer than its queue is read out: the sender is told after 21 days.
                Some(message)
                    if message.fails.is_some()
                        && now.since(super::BEGIN) > TtlClass::ThreeWeeks.millis()
                        && !knows(&mut people[to.0], &self.people[from.0]) => {}
                Some(message) => {
                    let (at, state) = (at.since(super::BEGIN), message.state);
                    return violated(format!(
                        "{number}, said by {from:?} to {to:?} {at} ms after the beginning, is {state:?} and was not shown"
                    ));
                }
                // The text has disappeared by its timer; its sender was told all the same.
                None if self.told.contains(&(*from, *row)) => {}
                None => {
                    let identity = self.people[to.0];
                    let contact = people[from.0].store.transaction(|tx| tx.contact_by_identity(&identity));
                    let contact = contact.unwrap().expect("a contact who was written to").id;
                    // Several that are told of at once are told of in one.
                    if self.told_of_gone.get(&(*from, contact)).is_none_or(|told| told < at) {
                        return violated(format!(
                            "{number}, said by {from:?} to {to:?}, is gone without a word"
                        ));
                    }
                }
            }
        }
        for (at, relay) in relays.iter().enumerate() {
            let held = relay.disk.stats();
            if held.messages > 0 {
                return violated(format!(
                    "relay {at} still holds {} messages, though all were read",
                    held.messages
                ));
            }
            if held.blobs > 0 {
                return violated(format!(
                    "relay {at} still holds {} blobs of invites that ended",
                    held.blobs
                ));
            }
        }
        Ok(())
    }
}

fn knows(person: &mut Person, other: &IdentityPublic) -> bool {
    person.store.transaction(|tx| tx.contact_by_identity(other)).unwrap().is_some()
}
