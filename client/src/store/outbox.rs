//! Rows of what waits to leave: sealed envelopes, and receipts before they are sealed.

use std::collections::{BTreeMap, BTreeSet};

use beresta_proto::envelope::{Bucket, Envelope};
use beresta_proto::id::{ContentId, MessageId, RelayId};
use beresta_proto::time::{Timestamp, TtlClass};
use rusqlite::{Row, params};

use super::column::{array, code, time, to_db};
use super::contact::ContactId;
use super::message::MessageRow;
use super::queue::PeerQueueId;
use super::{StoreError, Tx};

mod lane;

use self::lane::First;
pub use self::lane::Held;

/// Names an envelope in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboxId(pub i64);

/// A sealed envelope on its way to a relay.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Names the row.
    pub id: OutboxId,
    /// To whom.
    pub contact: ContactId,
    /// Into which queue; the envelope is sealed under its key.
    pub queue: PeerQueueId,
    /// The message it carries, if a person sees it.
    pub message: Option<MessageRow>,
    /// The id that the relay sees; the same on every try at one queue.
    pub transport: MessageId,
    /// What the relay will store.
    pub envelope: Envelope,
    /// How long it may wait there.
    pub ttl: TtlClass,
    /// Tries in a row that ended alike.
    pub attempts: u32,
    /// What held the last one.
    pub held: Held,
    /// Whether its contact was heard while others went past it: the step of the ratchet by which it was sealed may be too old.
    pub stale: bool,
    /// When the next try is due.
    pub due: Timestamp,
    /// When it is given up.
    pub expires: Timestamp,
}

const COLUMNS: &str = "id, contact, queue, message, transport, ttl, attempts, full, due, expires, envelope";

fn read(row: &Row<'_>) -> Result<Outgoing, StoreError> {
    Ok(Outgoing {
        id: OutboxId(row.get("id")?),
        contact: ContactId(row.get("contact")?),
        queue: PeerQueueId(row.get("queue")?),
        message: row.get::<_, Option<i64>>("message")?.map(MessageRow),
        transport: MessageId(array(row, "transport")?),
        envelope: Envelope::from_bytes(row.get::<_, Vec<u8>>("envelope")?)
            .map_err(|_| StoreError::Damaged)?,
        ttl: code(row, "ttl", |code| {
            u8::try_from(code).ok().and_then(|code| TtlClass::from_code(code).ok())
        })?,
        attempts: row.get("attempts")?,
        held: code(row, "full", Held::from_code)?,
        stale: code(row, "full", |code| Some(Held::is_stale(code)))?,
        due: time(row, "due")?,
        expires: time(row, "expires")?,
    })
}

/// A receipt that waits for its moment.
#[derive(Debug, Clone, Copy)]
pub struct DueReceipt {
    /// To whom.
    pub contact: ContactId,
    /// For which content.
    pub content: ContentId,
    /// From when on.
    pub due: Timestamp,
}

impl Outgoing {
    /// Whether it is a text that a relay takes none of from 85 % of its disk on.
    #[must_use]
    pub fn is_long_text(&self) -> bool {
        self.message.is_some() && self.envelope.bucket() == Bucket::L
    }
}

impl Tx<'_> {
    /// Adds an envelope; its `id` is ignored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn insert_outgoing(&self, one: &Outgoing) -> Result<OutboxId, StoreError> {
        let id = self.number()?;
        self.run(
            "INSERT INTO outbox (id, contact, queue, message, transport, envelope, ttl, attempts, full, due, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                id,
                one.contact.0,
                one.queue.0,
                one.message.map(|row| row.0),
                one.transport.0,
                one.envelope.as_bytes(),
                one.ttl.code(),
                one.attempts,
                one.held.with(one.stale),
                to_db(one.due),
                to_db(one.expires),
            ],
        )?;
        Ok(OutboxId(id))
    }

    /// One envelope; none if it was sent or given up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn outgoing(&self, id: OutboxId) -> Result<Option<Outgoing>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM outbox WHERE id = ?1");
        Ok(self.query_all(&sql, [id.0], read)?.pop())
    }

    /// Envelopes for queues at a relay whose time has come, is not over at `relay_now`, and that are `wanted`, oldest first, but
    /// long texts that were refused last, at most `limit`: of each contact the oldest alone, and where that is a long text of which the relay takes none, the oldest
    /// of what is none, too. Of the others no more is read than their id.
    ///
    /// One goes after the other, because a relay may refuse one for the moment and take the next, which would overtake it.
    /// What waits for another relay holds up nothing: that relay may be gone for good.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn due_outgoing(
        &self,
        relay: &RelayId,
        now: Timestamp,
        relay_now: Timestamp,
        limit: usize,
        wanted: impl Fn(OutboxId) -> bool,
    ) -> Result<Vec<Outgoing>, StoreError> {
        let sql = "SELECT peer_queue.contact, outbox.id, outbox.due, outbox.full & 3 = 2 AS refused,
                  outbox.message IS NOT NULL AND length(outbox.envelope) = ?3 AS long FROM outbox
             CROSS JOIN peer_queue ON peer_queue.id = outbox.queue WHERE peer_queue.relay = ?1
                  AND outbox.expires > ?2";
        let read = |row: &Row<'_>| {
            let (long, refused): (bool, bool) = (row.get("long")?, row.get("refused")?);
            Ok((ContactId(row.get("contact")?), OutboxId(row.get("id")?), time(row, "due")?, (long, refused)))
        };
        let mut oldest: BTreeMap<ContactId, First> = BTreeMap::new();
        let params = params![relay.0, to_db(relay_now), Bucket::L.size()];
        for (contact, id, due, (long, refused)) in self.query_all(sql, params, read)? {
            let first = oldest.entry(contact).or_default();
            if long {
                first.long = first.long.into_iter().chain([(id, due, refused)]).min();
            } else {
                first.other = first.other.into_iter().chain([(id, due)]).min();
            }
        }
        let due =
            oldest.into_values().flat_map(First::may_go).filter(|(_, id, due)| *due <= now && wanted(*id));
        let mut ids: Vec<(bool, OutboxId)> = due.map(|(refused, id, _)| (refused, id)).collect();
        ids.sort_unstable();
        ids.truncate(limit);
        ids.into_iter().map(|(_, id)| self.outgoing(id)?.ok_or(StoreError::Damaged)).collect()
    }

    /// Every envelope that waits for a contact.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn outgoing_to(&self, contact: ContactId) -> Result<Vec<Outgoing>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM outbox WHERE contact = ?1 ORDER BY id");
        self.query_all(&sql, [contact.0], read)
    }

    /// Where what has waited longest for a contact is to be stored; none where nothing waits. Reads no envelope.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn relay_waited_for(&self, contact: ContactId) -> Result<Option<RelayId>, StoreError> {
        let sql = "SELECT relay FROM outbox CROSS JOIN peer_queue ON peer_queue.id = outbox.queue
                   WHERE outbox.contact = ?1 ORDER BY outbox.id LIMIT 1";
        Ok(self.query_all(sql, [contact.0], |row| Ok(RelayId(array(row, "relay")?)))?.pop())
    }

    /// Writes queue, id, envelope, tries and times back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn update_outgoing(&self, one: &Outgoing) -> Result<(), StoreError> {
        self.run(
            "UPDATE outbox SET queue = ?2, transport = ?3, envelope = ?4, attempts = ?5, due = ?6, full = ?7
             WHERE id = ?1",
            params![
                one.id.0,
                one.queue.0,
                one.transport.0,
                one.envelope.as_bytes(),
                one.attempts,
                to_db(one.due),
                one.held.with(one.stale)
            ],
        )?;
        Ok(())
    }

    /// A contact was heard, which turns the ratchet: long texts that others go past are sealed anew before they are tried again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn heard_past_long(&self, contact: ContactId) -> Result<(), StoreError> {
        self.run(
            "UPDATE outbox SET full = full | 4
             WHERE contact = ?1 AND message IS NOT NULL AND length(envelope) = ?2 AND full & 4 = 0
                 AND EXISTS (SELECT 1 FROM outbox WHERE contact = ?1 AND full & 3 = 2)",
            params![contact.0, Bucket::L.size()],
        )?;
        Ok(())
    }

    /// The long texts of ours that wait because a relay takes none: the first of a contact's is tried, and the others wait behind it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn too_long_now(&self) -> Result<BTreeSet<MessageRow>, StoreError> {
        let sql = "SELECT message FROM outbox WHERE message IS NOT NULL AND length(envelope) = ?1
                   AND contact IN (SELECT contact FROM outbox WHERE full & 3 = 2)";
        let rows = self.query_all(sql, [Bucket::L.size()], |row| Ok(MessageRow(row.get("message")?)))?;
        Ok(rows.into_iter().collect())
    }

    /// Makes everything that waits for a contact due at once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn hurry_outgoing(&self, contact: ContactId, now: Timestamp) -> Result<(), StoreError> {
        self.run(
            "UPDATE outbox SET due = ?2 WHERE contact = ?1 AND due > ?2",
            params![contact.0, to_db(now)],
        )?;
        Ok(())
    }

    /// Makes everything that waits for a relay due at once: it is reachable again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn hurry_relay(&self, relay: &RelayId, now: Timestamp) -> Result<(), StoreError> {
        self.run(
            "UPDATE outbox SET due = ?2
             WHERE due > ?2 AND queue IN (SELECT id FROM peer_queue WHERE relay = ?1)",
            params![relay.0, to_db(now)],
        )?;
        Ok(())
    }

    /// Removes an envelope that the relay has, or that is given up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn delete_outgoing(&self, id: OutboxId) -> Result<(), StoreError> {
        self.run("DELETE FROM outbox WHERE id = ?1", [id.0])?;
        Ok(())
    }

    /// Envelopes that are given up from `now` on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn overdue_outgoing(&self, now: Timestamp) -> Result<Vec<Outgoing>, StoreError> {
        self.query_all(&format!("SELECT {COLUMNS} FROM outbox WHERE expires <= ?1"), [to_db(now)], read)
    }

    /// When the next try after `last` is due.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_outgoing(&self, last: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.earliest("SELECT min(due) FROM outbox WHERE due > ?1", [to_db(last)])
    }

    /// When the next envelope is given up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_given_up(&self) -> Result<Option<Timestamp>, StoreError> {
        self.earliest("SELECT min(expires) FROM outbox", [])
    }

    /// How many envelopes wait.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn count_outgoing(&self) -> Result<u64, StoreError> {
        Ok(self.conn().query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))?)
    }

    /// Plans a receipt. One that is planned for the contact already takes it along, so that receipts come in batches.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn insert_receipt(&self, receipt: DueReceipt) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO receipt (id, contact, content, due)
             VALUES (?4, ?1, ?2, coalesce((SELECT min(due) FROM receipt WHERE contact = ?1), ?3))",
            params![receipt.contact.0, receipt.content.0, to_db(receipt.due), self.number()?],
        )?;
        Ok(())
    }

    /// Takes up to `limit` receipts whose moment has come for one contact. Those for a changed key wait until the person
    /// decided about it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn take_due_receipts(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Option<(ContactId, Vec<ContentId>)>, StoreError> {
        let first = self.query_all(
            "SELECT contact FROM receipt
             WHERE due <= ?1
                 AND NOT EXISTS (SELECT 1 FROM contact WHERE id = receipt.contact AND identity_changed = 1)
             ORDER BY due, id LIMIT 1",
            [to_db(now)],
            |row| Ok(ContactId(row.get("contact")?)),
        )?;
        let Some(contact) = first.first().copied() else { return Ok(None) };
        let taken = self.query_all(
            "DELETE FROM receipt WHERE id IN (SELECT id FROM receipt WHERE contact = ?1 ORDER BY id LIMIT ?2)
             RETURNING content",
            params![contact.0, limit],
            |row| Ok(ContentId(array(row, "content")?)),
        )?;
        Ok(Some((contact, taken)))
    }

    /// Forgets the receipts that are planned for a contact.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn delete_receipts_to(&self, contact: ContactId) -> Result<(), StoreError> {
        self.run("DELETE FROM receipt WHERE contact = ?1", [contact.0])?;
        Ok(())
    }

    /// When the next receipt is due.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_receipt(&self) -> Result<Option<Timestamp>, StoreError> {
        // `NOT IN` would make a table of contacts for each look, in locked memory.
        let sql = "SELECT min(due) FROM receipt
                   WHERE NOT EXISTS (SELECT 1 FROM contact WHERE id = receipt.contact AND identity_changed = 1)";
        self.earliest(sql, [])
    }
}
