//! What must have become of all that was said, once everything works for more than a day.

use beresta_client::store::message::{Message, MessageState};
use beresta_client::store::queue::OwnQueueState;
use beresta_proto::bundle::IdentityPublic;
use beresta_proto::id::{ReadId, RelayId};
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};

use super::{Model, Said, Violation, violated};
use crate::sim::person::Person;
use crate::sim::relay::Node;
use crate::sim::{At, BEGIN, Who};

/// A queue that nobody reads lives for so long at least, and for so long where nobody ever did (rule Q13).
const QUEUE_MS: u64 = 90 * DAY_MS;
const UNHEARD_MS: u64 = 2 * DAY_MS;
/// A queue that is to be deleted at a relay is given up after so long without a line there; the relay ends it by itself.
const DELETING_MS: u64 = 7 * DAY_MS;
/// A relay that somebody left is asked for what came there for so long, if it could not be before (rule I13).
const OLD_HOME_MS: u64 = 28 * DAY_MS;
/// Clocks are wrong by a day.
const CLOCK_MS: u64 = DAY_MS;

impl Model {
    /// What was accepted was shown, or its sender knows that it was not, or its time was over; and relays hold nothing.
    pub(in crate::sim) fn judge(
        &mut self,
        people: &mut [Person],
        relays: &[Node],
        now: Timestamp,
    ) -> Result<(), Violation> {
        for (number, said) in self.said.iter().filter(|(_, said)| !said.shown) {
            // Forgers use up the patience of who reads them, and relays lose what they say was delivered.
            if self.disorder || Some(said.from) == self.liar {
                continue;
            }
            // Its sender does not know of it, or the row is another text's by now.
            if self.old_people.contains(&said.from) {
                continue;
            }
            let message = people[said.from.0].store.transaction(|tx| tx.message(said.row)).unwrap();
            match message {
                Some(message) => self.not_shown(*number, said, &message, (people, relays), now)?,
                None => self.gone(*number, said, people)?,
            }
        }
        self.moves_explain_the_order(people)?;
        self.relays_rest(people, relays, now)
    }

    /// Only a text that its sender knew to be at a relay, before they heard of a fresh queue, came after newer ones: those
    /// went to that queue (rule I11). Or one that was lost, and said again when they met anew (rule I10). Or one that had disappeared
    /// with its sender when newer ones were said again to who moved (rule I16).
    fn moves_explain_the_order(&self, people: &mut [Person]) -> Result<(), Violation> {
        for (number, newer) in &self.overtaken {
            let (old, new) = (&self.said[number], &self.said[newer]);
            if self.old_people.contains(&old.from) || self.may_be_lost(old) {
                continue;
            }
            let row = people[old.from.0].store.transaction(|tx| tx.message(old.row)).unwrap();
            let came = if row.is_none_or(|row| row.body.is_empty()) { new.again } else { new.stored };
            if came.is_none_or(|new| old.stored.is_none_or(|old| old >= new)) {
                let (to, from) = (old.to, old.from);
                return violated(format!(
                    "{to:?} was shown {number} of {from:?} after {newer}, and no move is why"
                ));
            }
        }
        Ok(())
    }

    fn not_shown(
        &self,
        number: u64,
        said: &Said,
        message: &Message,
        (people, relays): (&mut [Person], &[Node]),
        now: Timestamp,
    ) -> Result<(), Violation> {
        if message.state == MessageState::Failed {
            return Ok(());
        }
        if message.state == MessageState::AtRelay && message.fails.is_some() {
            // The sender is told after 21 days. Who made the invite was away for longer than its queue is read out, or took it
            // back, and with it what came to its queue.
            let late = now.since(BEGIN) > TtlClass::ThreeWeeks.millis() || self.revoked.contains(&said.to);
            // Of whoever is known only since a later one, the first message may have ended at the relay, and what came behind it.
            let stranger = said.unanswered || !knows(&mut people[said.to.0], &self.people[said.from.0]);
            // Its queue may have ended while its reader was away (rule Q13).
            let reader = &people[said.to.0];
            let homes = relays.iter().enumerate().filter(|(at, _)| self.homes.contains(&(said.to, At(*at))));
            let unheard = homes.into_iter().any(|(_, relay)| relay.disk.was_unheard());
            let ended = was_away(reader, QUEUE_MS) || (unheard && was_away(reader, UNHEARD_MS));
            // A relay counts from the first time that it stored a text (rule Q9), its sender from the last that they heard of it.
            let weeks = TtlClass::ThreeWeeks.millis();
            let over = was_away(reader, weeks) && now.since(said.at) > weeks;
            // It had disappeared with its sender when the two met anew, and could not be said again; the session before, by which it
            // would open, ended.
            let unsayable = message.body.is_empty() && self.met_anew.contains(&(said.from, said.to));
            if (late && stranger)
                || unsayable
                || ended
                || over
                || self.left_unread(said.to, reader)
                || self.may_be_lost(said)
            {
                return Ok(());
            }
        }
        let (at, state) = (said.at.since(BEGIN), message.state);
        let fails = message.fails.map(|at| at.since(BEGIN));
        violated(format!(
            "{number}, said by {:?} to {:?} {at} ms after the beginning, is {state:?} and was not shown (fails {fails:?})",
            said.from, said.to
        ))
    }

    /// Whether a text may be lost at a relay: its reader left, or has an older profile, or a relay has older queues, or the
    /// two met anew on one side only.
    fn may_be_lost(&self, said: &Said) -> bool {
        let lives = |who: Who| self.old_relays.iter().any(|at| self.homes.contains(&(who, *at)));
        self.parted.contains(&(said.from, said.to))
            || self.half_met.contains(&(said.from, said.to))
            || self.old_people.contains(&said.to)
            || lives(said.from)
            || lives(said.to)
    }

    /// Whether somebody moved, and was away for as long as the old relay is asked for what came there.
    fn left_unread(&self, who: Who, person: &Person) -> bool {
        let homes = self.homes.range((who, At(0))..=(who, At(usize::MAX)));
        was_away(person, OLD_HOME_MS) && homes.count() > 1
    }

    /// The text is gone from its sender's profile, unshown.
    fn gone(&self, number: u64, said: &Said, people: &mut [Person]) -> Result<(), Violation> {
        let Said { from, to, row, at, .. } = said;
        let cleared = self.cleared.get(&(*from, *to)).is_some_and(|when| when >= at);
        // The text has disappeared by its timer; its sender was told all the same.
        if cleared || self.parted.contains(&(*from, *to)) || self.told.contains(&(*from, *row)) {
            return Ok(());
        }
        let identity = self.people[to.0];
        let contact = people[from.0].store.transaction(|tx| tx.contact_by_identity(&identity));
        let contact = contact.unwrap().expect("a contact who was written to").id;
        // Several that are told of at once are told of in one.
        if self.told_of_gone.get(&(*from, contact)).is_none_or(|told| told < at) {
            return violated(format!("{number}, said by {from:?} to {to:?}, is gone without a word"));
        }
        Ok(())
    }

    /// Everything was read. A queue that nobody knows of any more, because somebody has an older profile, a relay older
    /// queues, or somebody was away for so long that they gave up deleting it, holds what it has until it ends.
    fn relays_rest(&self, people: &mut [Person], relays: &[Node], now: Timestamp) -> Result<(), Violation> {
        for (at, relay) in relays.iter().enumerate() {
            let held = relay.disk.stats();
            let given_up = people.iter().any(|person| was_away(person, DELETING_MS));
            let lost = given_up || !self.old_people.is_empty() || self.old_relays.contains(&At(at));
            let waiting = if lost {
                let queues = people.iter_mut().flat_map(|person| read_at(person, &relay.id));
                queues.map(|queue| relay.waiting(&queue, now) as u64).sum()
            } else {
                held.messages
            };
            if waiting > 0 {
                return violated(format!("relay {at} still holds {waiting} messages, though all were read"));
            }
            if held.blobs > 0 {
                let blobs = held.blobs;
                return violated(format!("relay {at} still holds {blobs} blobs of invites that ended"));
            }
        }
        Ok(())
    }
}

/// Whether somebody had no line for so long, as far as a clock can tell.
fn was_away(person: &Person, ms: u64) -> bool {
    person.away_ms() + CLOCK_MS > ms
}

fn knows(person: &mut Person, other: &IdentityPublic) -> bool {
    person.store.transaction(|tx| tx.contact_by_identity(other)).unwrap().is_some()
}

/// The queues that a person reads at a relay.
fn read_at(person: &mut Person, relay: &RelayId) -> Vec<ReadId> {
    let queues = person.store.transaction(|tx| tx.own_queues()).unwrap();
    let read = queues.into_iter().filter(|own| own.state == OwnQueueState::Read && own.relay == *relay);
    read.map(|own| own.read_id).collect()
}
