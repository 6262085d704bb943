//! Rows of queues: those that we read, and, in a room of their own, those that we write to.

use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::id::{Device, ReadId, RelayId, SendId};
use beresta_proto::key::{EnvelopeKey, SendCapability, SigningKey};
use beresta_proto::time::Timestamp;
use rusqlite::{Row, params};

use super::column::{array, code, from_db, secret, to_db};
use super::contact::ContactId;
use super::invite::InviteId;
use super::{StoreError, Tx};

mod peer;

pub use self::peer::{PeerQueue, PeerQueueId};

/// Names a queue that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnQueueId(pub i64);

/// Whether we still read a queue of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnQueueState {
    /// Subscribed whenever its relay is reached.
    Read,
    /// To be deleted at its relay.
    Leaving,
}

impl OwnQueueState {
    const fn to_code(self) -> i64 {
        match self {
            Self::Read => 1,
            Self::Leaving => 2,
        }
    }

    const fn from_code(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::Read),
            2 => Some(Self::Leaving),
            _ => None,
        }
    }
}

/// A queue that we read.
#[derive(Debug, Clone)]
pub struct OwnQueue {
    /// Names the row.
    pub id: OwnQueueId,
    /// Where it is.
    pub relay: RelayId,
    /// Its name towards us.
    pub read_id: ReadId,
    /// Its name towards senders.
    pub send_id: SendId,
    /// Signs our commands on it.
    pub read_key: SigningKey,
    /// Lets its bearer write.
    pub capability: SendCapability,
    /// Seals its envelopes.
    pub envelope: EnvelopeKey,
    /// The invite it was made for.
    pub invite: Option<InviteId>,
    /// Who may write to it; on an invite queue the first who did.
    pub contact: Option<ContactId>,
    /// Whether we still read it.
    pub state: OwnQueueState,
    /// When we stop to, because a fresh one took its place; of one that is left, when we stop to ask for its deletion.
    pub retire: Option<Timestamp>,
    /// When its contact was told of it, until something comes by it.
    pub told: Option<Timestamp>,
}

impl OwnQueue {
    /// Whether it is read, and none took its place.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.state == OwnQueueState::Read && self.retire.is_none()
    }

    /// Whether it is read, and its contact was heard to know it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.state == OwnQueueState::Read && self.told.is_none()
    }

    /// What a contact needs to write to it.
    #[must_use]
    pub fn address(&self, relay: &RelayAddress) -> QueueAddress {
        QueueAddress {
            relay: relay.clone(),
            device: Device::FIRST,
            send_id: self.send_id,
            capability: self.capability.clone(),
            key: self.envelope.clone(),
        }
    }
}

fn read_own(row: &Row<'_>) -> Result<OwnQueue, StoreError> {
    Ok(OwnQueue {
        id: OwnQueueId(row.get("id")?),
        relay: RelayId(array(row, "relay")?),
        read_id: ReadId(array(row, "read_id")?),
        send_id: SendId(array(row, "send_id")?),
        read_key: secret(row, "read_key", SigningKey::take)?,
        capability: secret(row, "capability", SendCapability::take)?,
        envelope: secret(row, "envelope", EnvelopeKey::take)?,
        invite: row.get::<_, Option<i64>>("invite")?.map(InviteId),
        contact: row.get::<_, Option<i64>>("contact")?.map(ContactId),
        state: code(row, "state", OwnQueueState::from_code)?,
        retire: row.get::<_, Option<i64>>("retire")?.map(from_db),
        told: row.get::<_, Option<i64>>("told")?.map(from_db),
    })
}

const OWN: &str =
    "id, relay, read_id, send_id, read_key, capability, envelope, invite, contact, state, retire, told";

impl Tx<'_> {
    /// Adds a queue that we read; its `id` is ignored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn insert_own_queue(&self, queue: &OwnQueue) -> Result<OwnQueueId, StoreError> {
        self.run(
            "INSERT INTO own_queue
                 (relay, read_id, send_id, read_key, capability, envelope, invite, contact, state, told)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                queue.relay.0,
                queue.read_id.0,
                queue.send_id.0,
                queue.read_key.expose(),
                queue.capability.expose(),
                queue.envelope.expose(),
                queue.invite.map(|id| id.0),
                queue.contact.map(|id| id.0),
                queue.state.to_code(),
                queue.told.map(to_db),
            ],
        )?;
        Ok(OwnQueueId(self.conn().last_insert_rowid()))
    }

    /// Every queue of ours, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn own_queues(&self) -> Result<Vec<OwnQueue>, StoreError> {
        self.query_all(&format!("SELECT {OWN} FROM own_queue ORDER BY id"), [], read_own)
    }

    /// Queues of ours that will be left, or are being left.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn own_queues_ending(&self) -> Result<Vec<OwnQueue>, StoreError> {
        let sql = format!("SELECT {OWN} FROM own_queue WHERE retire IS NOT NULL OR state = 2 ORDER BY id");
        self.query_all(&sql, [], read_own)
    }

    /// Relays that there is something to say to: where a queue of ours is, an envelope goes, or a blob is to be deleted.
    /// One comes as often as there is something.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn relays_in_use(&self) -> Result<Vec<RelayId>, StoreError> {
        let sql = "SELECT relay FROM own_queue
                   UNION ALL SELECT relay FROM outbox CROSS JOIN peer_queue ON peer_queue.id = outbox.queue
                   UNION ALL SELECT relay FROM invite WHERE blob_state = 2";
        self.query_all(sql, [], |row| Ok(RelayId(array(row, "relay")?)))
    }

    /// Relays to which an envelope is due at this very moment: what was just written.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn relays_written_to(&self, now: Timestamp) -> Result<Vec<RelayId>, StoreError> {
        let sql = "SELECT DISTINCT relay FROM outbox CROSS JOIN peer_queue ON peer_queue.id = outbox.queue
                   WHERE outbox.due = ?1";
        self.query_all(sql, [to_db(now)], |row| Ok(RelayId(array(row, "relay")?)))
    }

    /// Every queue of ours at a relay: its row, its name, its state.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn own_queues_at(
        &self,
        relay: &RelayId,
    ) -> Result<Vec<(OwnQueueId, ReadId, OwnQueueState)>, StoreError> {
        let sql = "SELECT id, read_id, state FROM own_queue WHERE relay = ?1";
        self.query_all(sql, [relay.0], |row| {
            let state = code(row, "state", OwnQueueState::from_code)?;
            Ok((OwnQueueId(row.get("id")?), ReadId(array(row, "read_id")?), state))
        })
    }

    /// The key that signs our commands on a queue.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub fn read_key(&self, id: OwnQueueId) -> Result<SigningKey, StoreError> {
        let sql = "SELECT read_key FROM own_queue WHERE id = ?1";
        let key = self.query_all(sql, [id.0], |row| secret(row, "read_key", SigningKey::take))?.pop();
        key.ok_or(StoreError::NotFound)
    }

    /// The queue of ours with this name at this relay.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn own_queue(&self, relay: &RelayId, read_id: &ReadId) -> Result<Option<OwnQueue>, StoreError> {
        let sql = format!("SELECT {OWN} FROM own_queue WHERE relay = ?1 AND read_id = ?2");
        Ok(self.query_all(&sql, params![relay.0, read_id.0], read_own)?.pop())
    }

    /// The queue that was made for an invite.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn invite_queue(&self, invite: InviteId) -> Result<Option<OwnQueue>, StoreError> {
        let sql = format!("SELECT {OWN} FROM own_queue WHERE invite = ?1");
        Ok(self.query_all(&sql, params![invite.0], read_own)?.pop())
    }

    /// Those of ours that a contact writes to, or wrote to; the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn queues_of(&self, contact: ContactId) -> Result<Vec<OwnQueue>, StoreError> {
        let sql = format!("SELECT {OWN} FROM own_queue WHERE contact = ?1 ORDER BY id");
        self.query_all(&sql, [contact.0], read_own)
    }

    /// Writes back what changes of a queue.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn update_own_queue(&self, queue: &OwnQueue) -> Result<(), StoreError> {
        self.run(
            "UPDATE own_queue SET invite = ?2, contact = ?3, state = ?4, retire = ?5, told = ?6 WHERE id = ?1",
            params![
                queue.id.0,
                queue.invite.map(|id| id.0),
                queue.contact.map(|id| id.0),
                queue.state.to_code(),
                queue.retire.map(to_db),
                queue.told.map(to_db),
            ],
        )?;
        Ok(())
    }

    /// When the next queue of ours is left, or forgotten: one whose time was over at the `last` step waits to be read out, for
    /// at most so many milliseconds more; then it waits for its relay alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_retirement(&self, last: Timestamp, unread_ms: u64) -> Result<Option<Timestamp>, StoreError> {
        let (last, unread) = (to_db(last), to_db(Timestamp(unread_ms)));
        let sql = "SELECT min(CASE WHEN retire > ?1 THEN retire WHEN retire + ?2 > ?1 THEN retire + ?2 END)
                   FROM own_queue";
        self.earliest(sql, [last, unread])
    }

    /// Forgets a queue that is gone from its relay.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn delete_own_queue(&self, id: OwnQueueId) -> Result<(), StoreError> {
        self.erase("DELETE FROM own_queue WHERE id = ?1", [id.0])?;
        Ok(())
    }
}
