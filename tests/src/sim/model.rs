//! The reference: what was said, and what must have become of it, by the protocol's text and not by the code.

use std::collections::BTreeMap;

use beresta_client::store::StoreError;
use beresta_client::store::message::{MessageRow, MessageState};
use beresta_proto::bundle::IdentityPublic;
use beresta_proto::time::{SECOND_MS, Timestamp};

use super::Who;
use super::person::Person;
use super::relay::Node;

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
}

/// What was said so far.
#[derive(Default)]
pub(super) struct Model {
    said: BTreeMap<u64, Said>,
    /// The newest text of each pair that was shown.
    newest: BTreeMap<(Who, Who), u64>,
    people: Vec<IdentityPublic>,
    drawn: u64,
}

impl Model {
    /// Texts are numbers: whose each is, the model knows.
    pub(super) fn next_text(&mut self) -> String {
        self.drawn += 1;
        self.drawn.to_string()
    }

    pub(super) fn know(&mut self, people: &[Person]) {
        self.people = people.iter().map(|person| person.identity).collect();
    }

    /// The text drawn last was accepted.
    pub(super) fn accepted(&mut self, from: Who, to: Who, row: MessageRow, at: Timestamp) {
        self.said.insert(self.drawn, Said { from, to, row, at, shown: false });
    }

    pub(super) fn said(&self) -> usize {
        self.said.len()
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
        let clock = person.clock(now);
        let (new, expired) = person
            .store
            .transaction(|tx| {
                let mut new = Vec::new();
                for message in tx.unshown(None)? {
                    let from = tx.contact(message.contact)?.identity;
                    new.push((message, from));
                }
                Ok::<_, StoreError>((new, tx.next_message_change()?))
            })
            .unwrap();
        if expired.is_some_and(|end| end.plus(SECOND_MS) < clock) {
            return violated(format!("{who:?} still has what ended at {expired:?}"));
        }
        let mut rows = Vec::new();
        for (message, from) in new {
            let from = self.people.iter().position(|one| *one == from).map(Who);
            let number: u64 = message.body.parse().unwrap_or_default();
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
            let newest = self.newest.entry((said.from, who)).or_default();
            if *newest > number {
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
        &self,
        people: &mut [Person],
        relays: &[Node],
        now: Timestamp,
    ) -> Result<(), Violation> {
        for (number, said) in self.said.iter().filter(|(_, said)| !said.shown) {
            let store = &mut people[said.from.0].store;
            let row = store.transaction(|tx| tx.message(said.row)).unwrap();
            match row {
                Some(message) if message.state == MessageState::Failed => {}
                Some(message) => {
                    let (from, to, at) = (said.from, said.to, said.at.since(super::BEGIN));
                    return violated(format!(
                        "{number}, said by {from:?} to {to:?} {at} ms after the beginning, is {:?} and was not shown",
                        message.state
                    ));
                }
                // Its timer ran out: a week is the longest of the plan.
                None if now.since(said.at) >= 60 * SECOND_MS => {}
                None => return violated(format!("{number} is gone before its time")),
            }
        }
        for (at, relay) in relays.iter().enumerate() {
            let held = relay.disk.stats().messages;
            if held > 0 {
                return violated(format!("relay {at} still holds {held} messages, though all were read"));
            }
        }
        Ok(())
    }
}
