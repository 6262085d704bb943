//! The credits of the engine in memory (rule Q2).

use beresta_proto::time::Timestamp;

use super::super::rules::Hour;
use super::super::{Answer, CreditId, CreditName, CreditRecord, credit};
use super::Held;

#[derive(Clone)]
pub(super) struct Credit {
    name: CreditName,
    left: u32,
    ends: Hour,
}

impl Held {
    /// Pays for one queue or blob, where it is to be paid for. Whether it was.
    pub(super) fn pay(&mut self, with: Option<CreditName>, now: Timestamp) -> bool {
        let Some(name) = with else { return true };
        let Some(held) = self.credits.get_mut(&CreditId::of(&name)).filter(|held| held.name == name) else {
            return false;
        };
        let Some(left) = credit::spend(held.left, held.ends, now) else { return false };
        held.left = left;
        true
    }

    pub(super) fn grant(&mut self, name: CreditName, makes: u32, days: u16, now: Timestamp) -> Answer {
        let id = CreditId::of(&name);
        if self.credits.contains_key(&id) {
            return Answer::Exists;
        }
        self.expire_credits(now);
        if self.credits.len() >= credit::MOST {
            return Answer::Full;
        }
        self.credits.insert(id, Credit { name, left: makes, ends: credit::ends(days, now) });
        Answer::Done
    }

    pub(super) fn revoke(&mut self, credit: CreditId) -> Answer {
        self.credits.remove(&credit).map_or(Answer::Gone, |_| Answer::Done)
    }

    pub(super) fn list_credits(&self, now: Timestamp) -> Answer {
        let good = self.credits.iter().filter(|(_, held)| !held.ends.is_over(now));
        let record = |(id, held): (&CreditId, &Credit)| CreditRecord {
            id: *id,
            left: held.left,
            ends: held.ends.begins(),
        };
        Answer::Credits(good.map(record).collect())
    }

    /// Deletes credits that ended. How many there were.
    pub(super) fn expire_credits(&mut self, now: Timestamp) -> usize {
        let before = self.credits.len();
        self.credits.retain(|_, held| !held.ends.is_over(now));
        before.saturating_sub(self.credits.len())
    }
}
