//! Times in rows, after a clock that ran ahead was set back: none lies further ahead than its rule can put it.

use beresta_proto::limits::BLOB_HOURS;
use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp, TtlClass};

use super::column::to_db;
use super::{StoreError, Tx};

impl Tx<'_> {
    /// What should disappear or be tried does not wait for a time that is months away. In doubt about the clock a text
    /// goes too early rather than never.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn clock_set_back(&self, now: Timestamp) -> Result<(), StoreError> {
        let (now, latest) = (to_db(now), to_db(now.plus(DAY_MS)));
        self.run("UPDATE outbox SET due = ?1 WHERE due > ?2", [now, latest])?;
        self.run("UPDATE receipt SET due = ?1 WHERE due > ?2", [now, latest])?;
        self.run("UPDATE message SET expires = ?1 + timer * 1000 WHERE expires > ?1 + timer * 1000", [now])?;
        Ok(())
    }

    /// What others gave us time for does not wait either. Only for a clock that is right: by one that begins years behind,
    /// everything would be over as soon as it is set.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn clock_is_right(&self, now: Timestamp) -> Result<(), StoreError> {
        let latest = to_db(now.plus(TtlClass::ThreeWeeks.millis()));
        let invites = to_db(now.plus(u64::from(BLOB_HOURS).saturating_mul(HOUR_MS)));
        self.run("UPDATE message SET fails = ?1 WHERE fails > ?1", [latest])?;
        self.run("UPDATE outbox SET expires = ?1 WHERE expires > ?1", [latest])?;
        self.run("UPDATE own_queue SET retire = ?1 WHERE retire > ?1", [latest])?;
        self.run("UPDATE invite SET expires = ?1 WHERE expires > ?1", [invites])?;
        Ok(())
    }
}
