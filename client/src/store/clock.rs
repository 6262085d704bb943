//! What is kept of clocks, and times in rows after one was wrong: none lies further ahead than its rule can put it.

use beresta_proto::limits::BLOB_HOURS;
use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp, TtlClass};

use super::column::to_db;
use super::gone::kept_until;
use super::{StoreError, Tx};

/// Our clock when a step was last kept; the home relay's as it last told it. Milliseconds, 8 bytes.
const SEEN: &str = "clock.seen";
const TOLD: &str = "clock.told";

impl Tx<'_> {
    /// Our clock some minutes before the last run ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn clock_seen(&self) -> Result<Option<Timestamp>, StoreError> {
        self.kept_time(SEEN)
    }

    /// Keeps our clock for the next run.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_clock_seen(&self, now: Timestamp) -> Result<(), StoreError> {
        self.set_meta(SEEN, &now.0.to_be_bytes())
    }

    /// The home relay's clock, as it was last told.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn clock_told(&self) -> Result<Option<Timestamp>, StoreError> {
        self.kept_time(TOLD)
    }

    /// Keeps the home relay's clock. One that was a lie is not kept beyond the next that is told.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_clock_told(&self, clock: Timestamp) -> Result<(), StoreError> {
        self.set_meta(TOLD, &clock.0.to_be_bytes())
    }

    fn kept_time(&self, key: &'static str) -> Result<Option<Timestamp>, StoreError> {
        let Some(bytes) = self.meta(key)? else { return Ok(None) };
        let bytes = bytes.try_into().map_err(|_| StoreError::Damaged)?;
        Ok(Some(Timestamp(u64::from_be_bytes(bytes))))
    }

    /// The clock was set back by so many milliseconds: what should disappear does so no later for it, and what should be
    /// tried or acknowledged waits no longer for it: what comes later goes behind that. Where it is not known by how much, nothing
    /// waits for more than a day. In doubt about the clock a text goes too early rather than never.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn clock_set_back(&self, now: Timestamp, by_ms: u64) -> Result<(), StoreError> {
        let back = to_db(Timestamp(by_ms));
        self.run(
            "UPDATE message SET expires = max(expires - ?1, 0) WHERE expires IS NOT NULL AND ?1 > 0",
            [back],
        )?;
        let (now, latest) = (to_db(now), to_db(now.plus(DAY_MS)));
        self.run("UPDATE outbox SET due = max(due - ?1, ?2) WHERE due > ?2 AND ?1 > 0", [back, now])?;
        self.run("UPDATE receipt SET due = max(due - ?1, ?2) WHERE due > ?2 AND ?1 > 0", [back, now])?;
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
        let blobs = u64::from(BLOB_HOURS).saturating_mul(HOUR_MS);
        let (invites, claims) = (to_db(now.plus(blobs)), to_db(now.plus(blobs).plus(DAY_MS)));
        self.run("UPDATE message SET fails = ?1 WHERE fails > ?1", [latest])?;
        self.run("UPDATE outbox SET expires = ?1 WHERE expires > ?1", [latest])?;
        self.run("UPDATE own_queue SET retire = ?1 WHERE retire > ?1", [latest])?;
        self.run("UPDATE invite SET expires = ?1 WHERE expires > ?1", [invites])?;
        // The inviter says when an invite ends, and may say never.
        self.run("UPDATE claim SET expires = ?1 WHERE expires > ?1", [claims])?;
        self.run("UPDATE gone SET until = ?1 WHERE until > ?1", [to_db(kept_until(now))])?;
        Ok(())
    }
}
