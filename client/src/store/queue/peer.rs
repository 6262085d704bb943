//! Rows of the queues that we write to.

use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::id::{Device, RelayId, SendId};
use beresta_proto::key::{EnvelopeKey, SendCapability};
use rusqlite::{Row, params};

use crate::store::column::{array, secret};
use crate::store::contact::ContactId;
use crate::store::{StoreError, Tx};

/// Names a queue that we write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerQueueId(pub i64);

/// A queue that we write to.
#[derive(Debug, Clone)]
pub struct PeerQueue {
    /// Names the row.
    pub id: PeerQueueId,
    /// Whose it is.
    pub contact: ContactId,
    /// Where it is and how to write to it.
    pub address: QueueAddress,
}

fn read_peer(row: &Row<'_>) -> Result<PeerQueue, StoreError> {
    let relay: Vec<u8> = row.get("address")?;
    Ok(PeerQueue {
        id: PeerQueueId(row.get("id")?),
        contact: ContactId(row.get("contact")?),
        address: QueueAddress {
            relay: RelayAddress::from_bytes(&relay).map_err(|_| StoreError::Damaged)?,
            device: Device::FIRST,
            send_id: SendId(array(row, "send_id")?),
            capability: secret(row, "capability", SendCapability::take)?,
            key: secret(row, "envelope", EnvelopeKey::take)?,
        },
    })
}

const PEER: &str = "id, contact, address, send_id, capability, envelope";

impl Tx<'_> {
    /// Replaces the queues to which a contact is written. What is already sealed to an old one may still go there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn replace_peer_queues(&self, contact: ContactId, list: &[QueueAddress]) -> Result<(), StoreError> {
        self.run("UPDATE peer_queue SET retired = 1 WHERE contact = ?1 AND retired = 0", [contact.0])?;
        for address in list {
            self.run(
                "INSERT INTO peer_queue (contact, relay, address, send_id, capability, envelope, retired)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
                params![
                    contact.0,
                    address.relay.relay.0,
                    address.relay.to_bytes(),
                    address.send_id.0,
                    address.capability.expose(),
                    address.key.expose(),
                ],
            )?;
        }
        Ok(())
    }

    /// The queue to which a contact is written now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn peer_queue(&self, contact: ContactId) -> Result<Option<PeerQueue>, StoreError> {
        let sql =
            format!("SELECT {PEER} FROM peer_queue WHERE contact = ?1 AND retired = 0 ORDER BY id LIMIT 1");
        Ok(self.query_all(&sql, [contact.0], read_peer)?.pop())
    }

    /// Every queue to which a contact is written, or was and something still waits for it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn peer_queues(&self, contact: ContactId) -> Result<Vec<PeerQueue>, StoreError> {
        let sql = format!(
            "SELECT {PEER} FROM peer_queue WHERE contact = ?1
             AND (retired = 0 OR id IN (SELECT queue FROM outbox WHERE contact = ?1)) ORDER BY id"
        );
        self.query_all(&sql, [contact.0], read_peer)
    }

    /// Gives up a queue that is gone where the contact has another one, which is written to from now on: which.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_peer_queue(&self, gone: &PeerQueue) -> Result<Option<PeerQueue>, StoreError> {
        let sql = format!(
            "SELECT {PEER} FROM peer_queue WHERE contact = ?1 AND retired = 0 AND id <> ?2 ORDER BY id LIMIT 1"
        );
        let next = self.query_all(&sql, [gone.contact.0, gone.id.0], read_peer)?.pop();
        if next.is_some() {
            self.run("UPDATE peer_queue SET retired = 1 WHERE id = ?1", [gone.id.0])?;
        }
        Ok(next)
    }

    /// One queue that we write to.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub fn peer_queue_by_id(&self, id: PeerQueueId) -> Result<PeerQueue, StoreError> {
        let sql = format!("SELECT {PEER} FROM peer_queue WHERE id = ?1");
        self.query_all(&sql, [id.0], read_peer)?.pop().ok_or(StoreError::NotFound)
    }

    /// Where contacts say that a relay is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn peer_addresses(&self, relay: &RelayId) -> Result<Vec<RelayAddress>, StoreError> {
        let sql = "SELECT address FROM peer_queue WHERE relay = ?1 GROUP BY address ORDER BY min(id)";
        self.query_all(sql, [relay.0], |row| {
            RelayAddress::from_bytes(&row.get::<_, Vec<u8>>("address")?).map_err(|_| StoreError::Damaged)
        })
    }

    /// Forgets every address at which a contact was written to, with what waits for them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget_peer_queues(&self, contact: ContactId) -> Result<(), StoreError> {
        self.erase("DELETE FROM peer_queue WHERE contact = ?1", [contact.0])?;
        Ok(())
    }

    /// Forgets retired queues to which nothing more waits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget_retired_peer_queues(&self) -> Result<(), StoreError> {
        // The outbox is read once, however many there are.
        let sql = "DELETE FROM peer_queue WHERE retired = 1 AND id NOT IN (SELECT queue FROM outbox)";
        self.erase(sql, [])?;
        Ok(())
    }
}
