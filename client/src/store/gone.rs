//! What is remembered of texts that came and are gone: enough to show none of them again (rule E8).
//!
//! Who opens the store learns how many went in each of the last weeks, which the numbers of rows tell as well. With whom, and
//! which, they can tell only of a content whose id they have from the other side.

use beresta_proto::id::ContentId;
use beresta_proto::key::sha256;
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};
use rusqlite::Params;

use super::column::{array, to_db};
use super::contact::ContactId;
use super::{StoreError, Tx};

/// A relay may bring a text for three weeks, and whoever has no receipt of it may say it again until then.
const AGAIN_MS: u64 = 2 * TtlClass::ThreeWeeks.millis();
/// Ends lie on whole weeks: when a text was read is not to be seen in them.
const WEEK_MS: u64 = 7 * DAY_MS;

/// What is kept of one.
fn trace(contact: ContactId, content: &ContentId) -> [u8; 32] {
    sha256(&[&contact.0.to_be_bytes()[..], &content.0].concat())
}

/// Until when that is kept, of a text that goes now.
pub(super) const fn kept_until(now: Timestamp) -> Timestamp {
    Timestamp((now.0.saturating_add(AGAIN_MS) / WEEK_MS).saturating_add(1).saturating_mul(WEEK_MS))
}

impl Tx<'_> {
    /// Remembers texts that are about to go: `which` picks their contact and content.
    pub(super) fn remember(
        &self,
        which: &'static str,
        params: impl Params,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let read = |row: &rusqlite::Row<'_>| Ok((ContactId(row.get("contact")?), array(row, "content")?));
        for (contact, content) in self.query_all(which, params, read)? {
            self.run(
                "INSERT OR REPLACE INTO gone (trace, until) VALUES (?1, ?2)",
                (trace(contact, &ContentId(content)), to_db(kept_until(now))),
            )?;
        }
        Ok(())
    }

    /// Whether a text came before and is gone.
    pub(super) fn is_gone(&self, contact: ContactId, content: &ContentId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM gone WHERE trace = ?1";
        Ok(self.one(sql, [trace(contact, content)], |_| Ok(()))?.is_some())
    }

    /// Forgets texts that no relay brings any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget_gone(&self, now: Timestamp) -> Result<(), StoreError> {
        self.run("DELETE FROM gone WHERE until <= ?1", [to_db(now)])?;
        Ok(())
    }
}
