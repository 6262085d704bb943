//! The credits of the engine in memory (rule Q2).

use std::collections::BTreeMap;

use beresta_proto::time::Timestamp;

use super::super::rules::Hour;
use super::super::{Answer, CreditId, CreditName, CreditRecord, Payment, credit};
use super::Held;

#[derive(Clone)]
pub(super) struct Credit {
    name: CreditName,
    left: u32,
    ends: Hour,
}

impl Held {
    /// Pays for one queue, where it is to be paid for. Whether it was.
    pub(super) fn pay(&mut self, with: Option<CreditName>, now: Timestamp) -> bool {
        with.is_none_or(|name| {
            spend(&mut self.credits, &name, 1, now) || {
                let paid = spend(&mut self.handed, &name, 1, now);
                self.handed.retain(|_, held| held.left > 0);
                paid
            }
        })
    }

    /// Pays for a blob, and hands on what is to be handed on with it. Whether it was paid for.
    pub(super) fn pay_for_blob(&mut self, with: Option<Payment>, ends: Hour, now: Timestamp) -> bool {
        let Some(payment) = with else { return true };
        let handed = payment.hands_on.map(|name| (CreditId::of(&name), name));
        let is_there = |id| self.credits.contains_key(id) || self.handed.contains_key(id);
        if handed.as_ref().is_some_and(|(id, _)| is_there(id)) {
            return false;
        }
        let paid = spend(&mut self.credits, &payment.credit, payment.takes(), now);
        if let Some((id, name)) = handed.filter(|_| paid) {
            let ends = credit::handed_ends(ends);
            self.handed.insert(id, Credit { name, left: credit::HANDED_ON, ends });
        }
        paid
    }

    pub(super) fn grant(&mut self, name: CreditName, makes: u32, days: u16, now: Timestamp) -> Answer {
        let id = CreditId::of(&name);
        if self.credits.contains_key(&id) {
            return Answer::Exists;
        }
        if self.credits.values().filter(|held| !held.ends.is_over(now)).count() >= credit::MOST {
            return Answer::Enough;
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

    /// Deletes credits that ended and had been handed on, at most so many. How many there were.
    pub(super) fn expire_handed(&mut self, now: Timestamp, limit: usize) -> usize {
        let over = self.handed.iter().filter(|(_, held)| held.ends.is_over(now));
        let going: Vec<CreditId> = over.map(|(id, _)| *id).take(limit).collect();
        for id in &going {
            self.handed.remove(id);
        }
        going.len()
    }

    /// Deletes credits that ended. How many there were.
    pub(super) fn expire_credits(&mut self, now: Timestamp) -> usize {
        let before = self.credits.len();
        self.credits.retain(|_, held| !held.ends.is_over(now));
        before.saturating_sub(self.credits.len())
    }
}

fn spend(credits: &mut BTreeMap<CreditId, Credit>, name: &CreditName, takes: u32, now: Timestamp) -> bool {
    let held = credits.get_mut(&CreditId::of(name)).filter(|held| held.name == *name);
    held.is_some_and(|held| {
        let left = credit::spend(held.left, takes, held.ends, now);
        held.left = left.unwrap_or(held.left);
        left.is_some()
    })
}
