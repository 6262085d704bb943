//! Contacts to whom no way is left, nor from them: their queue is gone at its relay, and so are those of ours that they know. Only
//! what a relay said is kept; the rest follows from the queues, and is over as soon as a queue is there again on either side.

use rusqlite::params;

use super::contact::ContactId;
use super::queue::PeerQueueId;
use super::{StoreError, Tx};

/// Met, not shut, and known under a queue that is gone; and no queue of ours is read of which they were heard to know.
const LOST: &str = "contact.state = 2
    AND EXISTS (SELECT 1 FROM peer_queue WHERE peer_queue.contact = contact.id AND retired = 0 AND gone > 0)
    AND NOT EXISTS (SELECT 1 FROM own_queue WHERE own_queue.contact = contact.id AND own_queue.state = 1
        AND told IS NULL)";

impl Tx<'_> {
    /// What a relay said of a queue that we write to: whether it is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_gone(&self, queue: PeerQueueId, gone: bool) -> Result<(), StoreError> {
        self.run(
            "UPDATE peer_queue SET gone = ?2 WHERE id = ?1 AND (gone > 0) <> ?2",
            params![queue.0, gone],
        )?;
        Ok(())
    }

    /// Notes that a person was told that a contact may be lost: whether they are to be told now. A relay that loses all queues again
    /// and again has them told once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tells_lost(&self, contact: ContactId) -> Result<bool, StoreError> {
        let sql = "UPDATE peer_queue SET gone = 2 WHERE contact = ?1 AND retired = 0 AND gone = 1";
        Ok(self.is_lost(contact)? && self.run(sql, [contact.0])? > 0)
    }

    /// Whether a contact and we may have lost each other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_lost(&self, contact: ContactId) -> Result<bool, StoreError> {
        let sql = format!("SELECT 1 FROM contact WHERE id = ?1 AND {LOST}");
        Ok(!self.query_all(&sql, [contact.0], |_| Ok(()))?.is_empty())
    }

    /// With how many contacts that may be so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn count_lost(&self) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM contact WHERE {LOST}");
        let count = self.query_all(&sql, [], |row| Ok(row.get::<_, i64>(0)?))?;
        Ok(count.first().map_or(0, |count| count.unsigned_abs()))
    }
}
