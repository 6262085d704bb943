//! What each changing operation does to credits (rule Q2), inside the writer's transaction: what is made and what it is paid
//! with change together, or not at all.

use beresta_proto::time::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::work::Work;
use crate::queue::rules::Hour;
use crate::queue::{Answer, CreditId, CreditName, credit};

impl Work<'_> {
    /// Pays for one queue or blob, where it is to be paid for. Whether it was.
    pub(super) fn pay(&mut self, with: Option<&CreditName>, now: Timestamp) -> rusqlite::Result<bool> {
        let Some(name) = with else { return Ok(true) };
        let id = CreditId::of(name).row();
        let held = self
            .statements
            .credit
            .query_row([id], |row| Ok((CreditName(row.get(0)?), row.get(1)?, Hour(row.get(2)?))));
        let good = held.optional()?.filter(|(kept, ..)| kept == name);
        let Some(left) = good.and_then(|(_, left, ends)| credit::spend(left, ends, now)) else {
            return Ok(false);
        };
        self.statements.spend.execute(params![id, left])?;
        Ok(true)
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
        self.statements.expire_credits.execute([Hour::down(now).0])?;
        let there: u32 = self.statements.credits.query_row([], |row| row.get(0))?;
        if usize::try_from(there).is_ok_and(|there| there >= credit::MOST) {
            return Ok(Answer::Full);
        }
        self.statements.grant.execute(params![id, name.0, makes, credit::ends(days, now).0])?;
        Ok(Answer::Done)
    }

    pub(super) fn revoke(&mut self, credit: CreditId) -> rusqlite::Result<Answer> {
        let gone = self.statements.revoke.execute([credit.row()])?;
        Ok(if gone == 0 { Answer::Gone } else { Answer::Done })
    }
}
