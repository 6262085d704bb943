//! Rows of messages: what a person reads and wrote.

use beresta_proto::id::ContentId;
use beresta_proto::time::Timestamp;
use beresta_proto::words::Words;
use rusqlite::{Row, params};

use super::column::{array, code, from_db, time, to_db};
use super::contact::ContactId;
use super::event::EventKind;
use super::{StoreError, Tx};

/// Names a message in this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageRow(pub i64);

/// How far a message is. The first four are of messages that we wrote, the last two of those that we got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageState {
    /// Only here.
    Queued,
    /// The relay has it durably.
    AtRelay,
    /// The other side's device stored it.
    Delivered,
    /// It did not arrive in its time, or cannot.
    Failed,
    /// It arrived, and was not shown yet.
    New,
    /// It was shown.
    Shown,
}

impl MessageState {
    const fn to_code(self) -> i64 {
        match self {
            Self::Queued => 1,
            Self::AtRelay => 2,
            Self::Delivered => 3,
            Self::Failed => 4,
            Self::New => 5,
            Self::Shown => 6,
        }
    }

    const fn from_code(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::Queued),
            2 => Some(Self::AtRelay),
            3 => Some(Self::Delivered),
            4 => Some(Self::Failed),
            5 => Some(Self::New),
            6 => Some(Self::Shown),
            _ => None,
        }
    }
}

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Names the row.
    pub id: MessageRow,
    /// With whom.
    pub contact: ContactId,
    /// Its name in receipts.
    pub content: ContentId,
    /// Whether we wrote it.
    pub outgoing: bool,
    /// The text; empty once it has disappeared while what became of the message is not known yet.
    pub body: Words,
    /// When it was sent, by the sender's clock.
    pub sent: Timestamp,
    /// When it came or was written, by ours.
    pub arrived: Timestamp,
    /// How far it is.
    pub state: MessageState,
    /// Seconds after which it disappears.
    pub timer: Option<u32>,
    /// When it disappears, once the timer runs.
    pub expires: Option<Timestamp>,
    /// When it counts as not delivered, if we wrote it and have no receipt.
    pub fails: Option<Timestamp>,
}

/// What arrived and was not shown: of a contact, or of all but those whose device was seized.
const UNSHOWN: &str = "state = 5 AND (contact = ?1 OR (?1 IS NULL AND contact NOT IN (SELECT id FROM contact WHERE state = 4)))";
const COLUMNS: &str =
    "id, contact, content, outgoing, body, seed, sent, arrived, state, timer, expires, fails";

fn read(tx: &Tx<'_>, row: &Row<'_>) -> Result<Message, StoreError> {
    let timer: u32 = row.get("timer")?;
    Ok(Message {
        id: MessageRow(row.get("id")?),
        contact: ContactId(row.get("contact")?),
        content: ContentId(array(row, "content")?),
        outgoing: row.get("outgoing")?,
        body: tx.opened(row)?,
        sent: time(row, "sent")?,
        arrived: time(row, "arrived")?,
        state: code(row, "state", MessageState::from_code)?,
        timer: (timer != 0).then_some(timer),
        expires: row.get::<_, Option<i64>>("expires")?.map(from_db),
        fails: row.get::<_, Option<i64>>("fails")?.map(from_db),
    })
}

impl Tx<'_> {
    /// Adds a message; its `id` is ignored. None if it is one of theirs and came before, also if it is gone since: a repeat.
    /// That a content is there once for a contact is seen to here alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn insert_message(&self, message: &Message) -> Result<Option<MessageRow>, StoreError> {
        // Of ours, the name was drawn at random a moment ago.
        if !message.outgoing && self.came(message.contact, &message.content)? {
            return Ok(None);
        }
        let (seed, body) = self.sealed(&message.body)?;
        let row = self.number()?;
        self.run(
            "INSERT INTO message (id, contact, content, outgoing, body, seed, sent, arrived, state, timer, expires, fails)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                row,
                message.contact.0,
                message.content.0,
                message.outgoing,
                body,
                seed.0,
                to_db(message.sent),
                to_db(message.arrived),
                message.state.to_code(),
                message.timer.unwrap_or(0),
                message.expires.map(to_db),
                message.fails.map(to_db),
            ],
        )?;
        Ok(Some(MessageRow(row)))
    }

    /// Whether a content of a contact came before.
    fn came(&self, contact: ContactId, content: &ContentId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM message WHERE contact = ?1 AND outgoing = 0 AND content = ?2";
        let here = self.one(sql, params![contact.0, content.0], |_| Ok(()))?.is_some();
        Ok(here || self.is_gone(contact, content)?)
    }

    /// One message. One whose text has disappeared while it is on its way still has its row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn message(&self, id: MessageRow) -> Result<Option<Message>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM message WHERE id = ?1");
        Ok(self.query_all(&sql, [id.0], |row| read(self, row))?.pop())
    }

    /// The last `limit` messages with a contact before `before`, oldest first, without those whose text has disappeared.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn history(
        &self,
        contact: ContactId,
        before: Option<MessageRow>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM message WHERE contact = ?1 AND id < ?2 AND body IS NOT NULL ORDER BY id DESC LIMIT ?3"
        );
        let before = before.map_or(i64::MAX, |row| row.0);
        let mut list = self.query_all(&sql, params![contact.0, before, limit], |row| read(self, row))?;
        list.reverse();
        Ok(list)
    }

    /// Messages that arrived and were not shown yet, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn unshown(&self, contact: Option<ContactId>) -> Result<Vec<Message>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM message WHERE {UNSHOWN} ORDER BY id");
        self.query_all(&sql, params![contact.map(|id| id.0)], |row| read(self, row))
    }

    /// How many these are. Opens none of them: a program that stays open asks again and again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn count_unshown(&self, contact: Option<ContactId>) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM message WHERE {UNSHOWN}");
        Ok(self.conn().query_row(&sql, params![contact.map(|id| id.0)], |row| row.get(0))?)
    }

    /// Writes state and times of a message back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn update_message(&self, message: &Message) -> Result<(), StoreError> {
        self.run(
            "UPDATE message SET state = ?2, expires = ?3, fails = ?4 WHERE id = ?1",
            params![
                message.id.0,
                message.state.to_code(),
                message.expires.map(to_db),
                message.fails.map(to_db),
            ],
        )?;
        Ok(())
    }

    /// The message that we wrote to a contact under this name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn outgoing_by_content(
        &self,
        contact: ContactId,
        content: &ContentId,
    ) -> Result<Option<Message>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM message WHERE contact = ?1 AND outgoing = 1 AND content = ?2");
        Ok(self.query_all(&sql, params![contact.0, content.0], |row| read(self, row))?.pop())
    }

    /// Messages that we wrote to a contact and of which it is not known whether they arrived, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn undelivered(&self, contact: ContactId) -> Result<Vec<Message>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM message WHERE contact = ?1 AND state IN (1, 2) ORDER BY id");
        self.query_all(&sql, [contact.0], |row| read(self, row))
    }

    /// Lets the messages disappear whose time is over (rule E10).
    ///
    /// Of one that is at the relay only the text goes: its row stays until it is known whether it arrived. A person
    /// is told that a message was not delivered also if they look after its end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn delete_expired(&self, now: Timestamp) -> Result<(), StoreError> {
        let expired = "SELECT contact, content FROM message WHERE expires <= ?1 AND outgoing = 0";
        self.remember(expired, [to_db(now)], now)?;
        let now = to_db(now);
        self.erase(
            "UPDATE message SET body = NULL, seed = NULL WHERE expires <= ?1 AND state = 2 AND body IS NOT NULL",
            [now],
        )?;
        self.run(
            "UPDATE event SET message = NULL WHERE kind = ?2
                 AND EXISTS (SELECT 1 FROM message WHERE id = event.message AND expires <= ?1 AND state <> 2)",
            [now, EventKind::NotDelivered.to_code()],
        )?;
        self.erase("DELETE FROM message WHERE expires <= ?1 AND state <> 2", [now])?;
        Ok(())
    }

    /// Deletes a message of ours.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn delete_message(&self, id: MessageRow) -> Result<(), StoreError> {
        self.erase("DELETE FROM message WHERE id = ?1", [id.0])?;
        Ok(())
    }

    /// Deletes every message with a contact: how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn delete_history(&self, contact: ContactId, now: Timestamp) -> Result<usize, StoreError> {
        let theirs = "SELECT contact, content FROM message WHERE contact = ?1 AND outgoing = 0";
        self.remember(theirs, [contact.0], now)?;
        self.erase("DELETE FROM message WHERE contact = ?1", [contact.0])
    }

    /// Messages that we wrote and that count as not delivered from `now` on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn overdue(&self, now: Timestamp) -> Result<Vec<Message>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM message WHERE fails <= ?1 ORDER BY id");
        self.query_all(&sql, [to_db(now)], |row| read(self, row))
    }

    /// When the next text disappears.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_expiry(&self) -> Result<Option<Timestamp>, StoreError> {
        // That there is a time has to be said, or SQLite reads every message in place of the index.
        let sql =
            "SELECT min(expires) FROM message WHERE expires IS NOT NULL AND (body IS NOT NULL OR state <> 2)";
        self.earliest(sql, [])
    }

    /// When the next message counts as not delivered; of one that was to by the `last` step and did not, so many milliseconds
    /// later.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_overdue(&self, last: Timestamp, unread_ms: u64) -> Result<Option<Timestamp>, StoreError> {
        let (last, unread) = (to_db(last), to_db(Timestamp(unread_ms)));
        let sql = "SELECT min(CASE WHEN fails > ?1 THEN fails ELSE fails + ?2 END) FROM message WHERE fails IS NOT NULL";
        self.earliest(sql, [last, unread])
    }
}
