//! Rows of contacts.

use beresta_proto::bundle::IdentityPublic;
use beresta_proto::content::Timer;
use beresta_proto::id::{ConversationId, Device};
use beresta_proto::time::Timestamp;
use beresta_proto::words::Words;
use rusqlite::{Row, params};

use super::column::{array, code, time, to_db, words};
use super::{StoreError, Tx};

/// Names a contact in this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactId(pub i64);

/// libsignal's name for a contact: random and local, because libsignal logs it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Handle(pub [u8; 16]);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle(..)")
    }
}

/// How far two people are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactState {
    /// We wrote to their invite and have not heard from them yet.
    Meeting,
    /// Both have heard from each other.
    Active,
    /// Nothing from them is shown, and they cannot write any more.
    Blocked,
    /// Their device is in other hands: whoever writes from it now is not them. Their session and their addresses are gone.
    Seized,
}

impl ContactState {
    /// Whether nothing is said to them and nothing of theirs is taken any more.
    #[must_use]
    pub const fn is_shut(self) -> bool {
        matches!(self, Self::Blocked | Self::Seized)
    }

    const fn to_code(self) -> i64 {
        match self {
            Self::Meeting => 1,
            Self::Active => 2,
            Self::Blocked => 3,
            Self::Seized => 4,
        }
    }

    const fn from_code(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::Meeting),
            2 => Some(Self::Active),
            3 => Some(Self::Blocked),
            4 => Some(Self::Seized),
            _ => None,
        }
    }
}

/// One contact.
#[derive(Debug, Clone)]
pub struct Contact {
    /// Names the row.
    pub id: ContactId,
    /// libsignal's name.
    pub handle: Handle,
    /// The pinned identity key.
    pub identity: IdentityPublic,
    /// Their device.
    pub device: Device,
    /// The conversation.
    pub conversation: ConversationId,
    /// What we call them.
    pub name: Words,
    /// How far we are.
    pub state: ContactState,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// Whether the key changed and the person has not decided about it yet.
    pub identity_changed: bool,
    /// Whether a fresh queue is still to be made for them.
    pub needs_queue: bool,
    /// When messages disappear.
    pub timer: Timer,
    /// When a probe was last sent.
    pub probed: Timestamp,
}

const COLUMNS: &str = "id, handle, identity, device, conversation, name, state, verified, identity_changed, \
                       needs_queue, timer_secs, timer_version, probed";

fn read(row: &Row<'_>) -> Result<Contact, StoreError> {
    let timer_secs: u32 = row.get("timer_secs")?;
    Ok(Contact {
        id: ContactId(row.get("id")?),
        handle: Handle(array(row, "handle")?),
        identity: IdentityPublic(array(row, "identity")?),
        device: Device::new(row.get("device")?).map_err(|_| StoreError::Damaged)?,
        conversation: ConversationId(array(row, "conversation")?),
        name: words(row, "name")?,
        state: code(row, "state", ContactState::from_code)?,
        verified: row.get("verified")?,
        identity_changed: row.get("identity_changed")?,
        needs_queue: row.get("needs_queue")?,
        timer: Timer { seconds: (timer_secs != 0).then_some(timer_secs), version: row.get("timer_version")? },
        probed: time(row, "probed")?,
    })
}

#[cfg(test)]
impl Contact {
    /// Somebody for tests, who is in no store yet.
    pub(crate) fn boris() -> Self {
        Self {
            id: ContactId(0),
            handle: Handle([1; 16]),
            identity: IdentityPublic([5; 33]),
            device: Device::FIRST,
            conversation: ConversationId([3; 16]),
            name: "Boris".into(),
            state: ContactState::Active,
            verified: false,
            identity_changed: false,
            needs_queue: false,
            timer: Timer { seconds: None, version: 0 },
            probed: Timestamp(0),
        }
    }
}

impl Tx<'_> {
    fn contacts_where(
        &self,
        condition: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Vec<Contact>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM contact WHERE {condition} ORDER BY id");
        self.query_all(&sql, parameters, read)
    }

    /// Every contact, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn contacts(&self) -> Result<Vec<Contact>, StoreError> {
        self.contacts_where("true", [])
    }

    /// Contacts for whom a fresh queue is still to be made. A changed key is told nothing before the person decided, and
    /// whom we cannot write to can be told nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn contacts_needing_queue(&self) -> Result<Vec<ContactId>, StoreError> {
        let sql = "SELECT id FROM contact
                   WHERE needs_queue = 1 AND state NOT IN (3, 4) AND identity_changed = 0
                       AND EXISTS (SELECT 1 FROM peer_queue WHERE peer_queue.contact = contact.id AND retired = 0)
                   ORDER BY id";
        self.query_all(sql, [], |row| Ok(ContactId(row.get("id")?)))
    }

    /// One contact.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none with this id.
    pub fn contact(&self, id: ContactId) -> Result<Contact, StoreError> {
        self.contacts_where("id = ?1", [id.0])?.pop().ok_or(StoreError::NotFound)
    }

    /// The contact with this identity key. The only way in which a sender is looked up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn contact_by_identity(&self, identity: &IdentityPublic) -> Result<Option<Contact>, StoreError> {
        Ok(self.contacts_where("identity = ?1", [identity.0])?.pop())
    }

    /// When a conversation that still stands at its cap was probed, the longest ago.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn last_probed(&self) -> Result<Option<Timestamp>, StoreError> {
        self.earliest("SELECT min(probed) FROM contact WHERE probed > 0 AND state = 2", [])
    }

    /// Adds a contact; its `id` is ignored.
    ///
    /// # Errors
    /// [`StoreError`] if the key or handle belongs to another contact already.
    pub fn insert_contact(&self, contact: &Contact, now: Timestamp) -> Result<ContactId, StoreError> {
        self.run(
            "INSERT INTO contact (handle, identity, device, conversation, name, state, verified, identity_changed,
                 needs_queue, timer_secs, timer_version, probed, created)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                contact.handle.0,
                contact.identity.0,
                contact.device.get(),
                contact.conversation.0,
                contact.name.as_str(),
                contact.state.to_code(),
                contact.verified,
                contact.identity_changed,
                contact.needs_queue,
                contact.timer.seconds.unwrap_or(0),
                contact.timer.version,
                to_db(contact.probed),
                to_db(now),
            ],
        )?;
        Ok(ContactId(self.conn().last_insert_rowid()))
    }

    /// Writes every field of a contact back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn update_contact(&self, contact: &Contact) -> Result<(), StoreError> {
        self.run(
            "UPDATE contact SET handle = ?2, identity = ?3, device = ?4, conversation = ?5, name = ?6, state = ?7,
                 verified = ?8, identity_changed = ?9, needs_queue = ?10, timer_secs = ?11, timer_version = ?12,
                 probed = ?13
             WHERE id = ?1",
            params![
                contact.id.0,
                contact.handle.0,
                contact.identity.0,
                contact.device.get(),
                contact.conversation.0,
                contact.name.as_str(),
                contact.state.to_code(),
                contact.verified,
                contact.identity_changed,
                contact.needs_queue,
                contact.timer.seconds.unwrap_or(0),
                contact.timer.version,
                to_db(contact.probed),
            ],
        )?;
        Ok(())
    }

    /// Removes a contact with messages, outbox and addresses. Sessions go through the crypto room.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn delete_contact(&self, id: ContactId) -> Result<(), StoreError> {
        self.erase("DELETE FROM contact WHERE id = ?1", [id.0])?;
        Ok(())
    }
}
