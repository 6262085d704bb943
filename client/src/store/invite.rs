//! Rows of invites that we made, and of keys with which we claimed those of others.

use beresta_proto::id::{BlobId, ConversationId, RelayId};
use beresta_proto::key::SigningKey;
use beresta_proto::time::{DAY_MS, Timestamp};
use beresta_proto::words::Words;
use rusqlite::{OptionalExtension as _, Row, params};

use super::column::{array, code, secret, time, to_db, words};
use super::contact::{ContactId, Handle};
use super::{StoreError, Tx};

/// Names an invite in this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InviteId(pub i64);

/// How far an invite is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteState {
    /// Its blob is on the way to the relay; nobody has seen the link.
    Putting,
    /// It can be accepted.
    Open,
    /// Somebody accepted it.
    Used,
    /// It expired or was revoked.
    Ended,
}

impl InviteState {
    const fn to_code(self) -> i64 {
        match self {
            Self::Putting => 1,
            Self::Open => 2,
            Self::Used => 3,
            Self::Ended => 4,
        }
    }

    const fn from_code(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::Putting),
            2 => Some(Self::Open),
            3 => Some(Self::Used),
            4 => Some(Self::Ended),
            _ => None,
        }
    }
}

/// Where an invite's blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobState {
    /// At the relay, as far as we know.
    There,
    /// To be deleted at the relay.
    Leaving,
    /// Gone.
    Gone,
}

impl BlobState {
    const fn to_code(self) -> i64 {
        match self {
            Self::There => 1,
            Self::Leaving => 2,
            Self::Gone => 3,
        }
    }

    const fn from_code(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::There),
            2 => Some(Self::Leaving),
            3 => Some(Self::Gone),
            _ => None,
        }
    }
}

/// An invite that we made.
#[derive(Debug, Clone)]
pub struct Invite {
    /// Names the row.
    pub id: InviteId,
    /// Where its blob lies.
    pub relay: RelayId,
    /// Which blob.
    pub blob: BlobId,
    /// May delete the blob.
    pub owner: SigningKey,
    /// The conversation that begins with it.
    pub conversation: ConversationId,
    /// The id of the bundle in it, whose private halves go with it.
    pub bundle: u32,
    /// The link; emptied once the invite was used or ended.
    pub link: Words,
    /// libsignal's name for whoever accepts: the first key that is accepted under it owns it.
    pub stranger: Handle,
    /// What we will call who accepts; may be empty, and is once the invite is closed.
    pub name: Words,
    /// The contact who comes back with a new key.
    pub renews: Option<ContactId>,
    /// How far it is.
    pub state: InviteState,
    /// Where its blob is.
    pub blob_state: BlobState,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

const COLUMNS: &str = "id, relay, blob, owner, conversation, bundle, link, stranger, name, renews, state, blob_state, \
                       created, expires";

fn read(row: &Row<'_>) -> Result<Invite, StoreError> {
    Ok(Invite {
        id: InviteId(row.get("id")?),
        relay: RelayId(array(row, "relay")?),
        blob: BlobId(array(row, "blob")?),
        owner: secret(row, "owner", SigningKey::take)?,
        conversation: ConversationId(array(row, "conversation")?),
        bundle: row.get("bundle")?,
        link: words(row, "link")?,
        stranger: Handle(array(row, "stranger")?),
        name: words(row, "name")?,
        renews: row.get::<_, Option<i64>>("renews")?.map(ContactId),
        state: code(row, "state", InviteState::from_code)?,
        blob_state: code(row, "blob_state", BlobState::from_code)?,
        created: time(row, "created")?,
        expires: time(row, "expires")?,
    })
}

impl Tx<'_> {
    /// Adds an invite; its `id` is ignored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn insert_invite(&self, invite: &Invite) -> Result<InviteId, StoreError> {
        self.run(
            "INSERT INTO invite (relay, blob, owner, conversation, bundle, link, stranger, name, renews, state,
                 blob_state, created, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                invite.relay.0,
                invite.blob.0,
                invite.owner.expose(),
                invite.conversation.0,
                invite.bundle,
                invite.link.as_str(),
                invite.stranger.0,
                invite.name.as_str(),
                invite.renews.map(|id| id.0),
                invite.state.to_code(),
                invite.blob_state.to_code(),
                to_db(invite.created),
                to_db(invite.expires),
            ],
        )?;
        Ok(InviteId(self.conn().last_insert_rowid()))
    }

    /// Every invite, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn invites(&self) -> Result<Vec<Invite>, StoreError> {
        self.query_all(&format!("SELECT {COLUMNS} FROM invite ORDER BY id"), [], read)
    }

    /// Invites whose blob is to be deleted at a relay.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn invites_leaving(&self, relay: &RelayId) -> Result<Vec<Invite>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM invite WHERE blob_state = 2 AND relay = ?1 ORDER BY id");
        self.query_all(&sql, [relay.0], read)
    }

    /// One invite.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub fn invite(&self, id: InviteId) -> Result<Invite, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM invite WHERE id = ?1");
        self.query_all(&sql, [id.0], read)?.pop().ok_or(StoreError::NotFound)
    }

    /// Writes what changes in an invite back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn update_invite(&self, invite: &Invite) -> Result<(), StoreError> {
        // It may take the link and the name back.
        self.erase(
            "UPDATE invite SET conversation = ?2, link = ?3, name = ?4, renews = ?5, state = ?6, blob_state = ?7
             WHERE id = ?1",
            params![
                invite.id.0,
                invite.conversation.0,
                invite.link.as_str(),
                invite.name.as_str(),
                invite.renews.map(|id| id.0),
                invite.state.to_code(),
                invite.blob_state.to_code(),
            ],
        )?;
        Ok(())
    }

    /// Forgets invites of which nothing is left at their relay. A blob that ended a day ago is not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget_invites(&self, now: Timestamp) -> Result<(), StoreError> {
        self.erase(
            "DELETE FROM invite
             WHERE state IN (3, 4) AND (blob_state = 3 OR expires <= ?1)
                 AND NOT EXISTS (SELECT 1 FROM own_queue WHERE own_queue.invite = invite.id)",
            [to_db(now.minus(DAY_MS))],
        )?;
        Ok(())
    }

    /// When the next open invite ends.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_invite_end(&self) -> Result<Option<Timestamp>, StoreError> {
        self.earliest("SELECT min(expires) FROM invite WHERE state = 2", [])
    }

    /// The key with which a blob was claimed before, or is now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn claim_key(
        &self,
        blob: &BlobId,
        fresh: SigningKey,
        expires: Timestamp,
    ) -> Result<SigningKey, StoreError> {
        let known = self
            .conn()
            .query_row("SELECT key FROM claim WHERE blob = ?1", [blob.0], |row| {
                Ok(secret(row, "key", SigningKey::take))
            })
            .optional()?;
        if let Some(key) = known {
            return key;
        }
        self.run(
            "INSERT INTO claim (blob, key, expires) VALUES (?1, ?2, ?3)",
            params![blob.0, fresh.expose(), to_db(expires)],
        )?;
        Ok(fresh)
    }

    /// Forgets the claim of a blob: whoever made it was met.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget_claim(&self, blob: &BlobId) -> Result<(), StoreError> {
        self.erase("DELETE FROM claim WHERE blob = ?1", [blob.0])?;
        Ok(())
    }

    /// Forgets claims of invites that ended before `now`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget_claims(&self, now: Timestamp) -> Result<(), StoreError> {
        self.erase("DELETE FROM claim WHERE expires < ?1", [to_db(now)])?;
        Ok(())
    }
}
