//! What each changing operation does to credits (rule Q2), inside the writer's transaction: what is made and what it is paid
//! with change together, or not at all.

use beresta_proto::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Statement, params};

use super::statements::Statements;
use super::work::Work;
use crate::queue::rules::Hour;
use crate::queue::{Answer, CreditId, CreditName, Payment, credit};

impl Work<'_> {
    /// Pays for one queue, where it is to be paid for. Whether it was.
    pub(super) fn pay(&mut self, with: Option<&CreditName>, now: Timestamp) -> rusqlite::Result<bool> {
        let Some(name) = with else { return Ok(true) };
        if self.spend(name, 1, now)? {
            return Ok(true);
        }
        let Statements { handed, spend_handed, forget_used, .. } = &mut self.statements;
        let paid = spend(handed, spend_handed, name, 1, now)?;
        if paid {
            forget_used.execute([CreditId::of(name).row()])?;
        }
        Ok(paid)
    }

    /// Pays for a blob, and hands on what is to be handed on with it. Whether it was paid for.
    pub(super) fn pay_for_blob(
        &mut self,
        with: Option<&Payment>,
        ends: Hour,
        now: Timestamp,
    ) -> rusqlite::Result<bool> {
        let Some(payment) = with else { return Ok(true) };
        let handed = payment.hands_on.map(|name| (CreditId::of(&name).row(), name));
        if let Some((id, _)) = handed
            && (self.statements.credit.exists([id])? || self.statements.handed.exists([id])?)
        {
            return Ok(false);
        }
        let paid = self.spend(&payment.credit, payment.takes(), now)?;
        if let Some((id, name)) = handed.filter(|_| paid) {
            let ends = credit::handed_ends(ends);
            self.statements.hand_on.execute(params![id, name.0, credit::HANDED_ON, ends.0])?;
        }
        Ok(paid)
    }

    /// Takes of what an operator granted.
    fn spend(&mut self, name: &CreditName, takes: u32, now: Timestamp) -> rusqlite::Result<bool> {
        let Statements { credit, spend: change, .. } = &mut self.statements;
        spend(credit, change, name, takes, now)
    }

    pub(super) fn grant(
        &mut self,
        name: &CreditName,
        makes: u32,
        days: u16,
        now: Timestamp,
    ) -> rusqlite::Result<Answer> {
        let id = CreditId::of(name).row();
        if self.statements.credit.exists([id])? {
            return Ok(Answer::Exists);
        }
        // Sweeps delete what ended, and leave time to set a clock right that is ahead.
        let there: u32 = self.statements.credits.query_row([Hour::down(now).0], |row| row.get(0))?;
        if usize::try_from(there).is_ok_and(|there| there >= credit::MOST) {
            return Ok(Answer::Enough);
        }
        self.statements.grant.execute(params![id, name.0, makes, credit::ends(days, now).0])?;
        Ok(Answer::Done)
    }

    pub(super) fn revoke(&mut self, credit: CreditId) -> rusqlite::Result<Answer> {
        let gone = self.statements.revoke.execute([credit.row()])?;
        Ok(if gone == 0 { Answer::Gone } else { Answer::Done })
    }
}

fn spend(
    kept: &mut Statement<'_>,
    change: &mut Statement<'_>,
    name: &CreditName,
    takes: u32,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let id = CreditId::of(name).row();
    let read = |row: &Row<'_>| Ok((CreditName(row.get(0)?), row.get(1)?, Hour(row.get(2)?)));
    let held = kept.query_row([id], read).optional()?.filter(|(kept, ..)| kept == name);
    let left = held.and_then(|(_, left, ends)| credit::spend(left, takes, ends, now));
    if let Some(left) = left {
        change.execute(params![id, left])?;
    }
    Ok(left.is_some())
}
