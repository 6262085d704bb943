//! Rows of the person themself, and of the relays that were reached.

use beresta_proto::address::RelayAddress;
use beresta_proto::id::{AccountId, RelayId};
use beresta_proto::key::Credit;
use beresta_proto::time::Timestamp;
use beresta_proto::words::Words;
use rusqlite::{OptionalExtension as _, Row, params};

use super::column::{array, from_db, secret, to_db, words};
use super::contact::ContactId;
use super::{StoreError, Tx};

/// The person of this store.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Who they are to contacts: made of the identity key.
    pub account: AccountId,
    /// The name that contacts see.
    pub name: Words,
    /// The language of texts: `en` or `ru`.
    pub language: String,
    /// The relay where own queues are made; none until one is known.
    pub home: Option<RelayAddress>,
}

/// A relay that was reached at least once.
#[derive(Debug, Clone)]
pub struct KnownRelay {
    /// Which.
    pub relay: RelayId,
    /// Where it is, as its signed descriptor says; none if that names no route.
    pub address: Option<RelayAddress>,
    /// Of the newest descriptor seen.
    pub sequence: u64,
    /// The newest epoch whose key we took from it, in days since 1970.
    pub epoch_day: u64,
    /// Whether it says that it keeps what waits in memory only: a restart loses it.
    pub volatile: bool,
}

/// After how long an idle profile locks, in seconds, 4 bytes; 0: never.
const IDLE: &str = "lock.idle";

/// What else locks a profile, each 1 byte; 0: it does not.
const ON_SLEEP: &str = "lock.sleep";
const ON_SESSION: &str = "lock.session";

impl Tx<'_> {
    /// Whether a sleep of the machine locks the profile, and a lock of the desktop; each does unless somebody said otherwise.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn lock_on(&self) -> Result<(bool, bool), StoreError> {
        let is_on = |key| Ok::<_, StoreError>(self.meta(key)?.as_deref() != Some(&[0]));
        Ok((is_on(ON_SLEEP)?, is_on(ON_SESSION)?))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_lock_on(&self, sleep: bool, session: bool) -> Result<(), StoreError> {
        self.set_meta(ON_SLEEP, &[u8::from(sleep)])?;
        self.set_meta(ON_SESSION, &[u8::from(session)])
    }

    /// After how many seconds an idle profile locks, 0 for never; none if nobody said.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn idle_lock(&self) -> Result<Option<u32>, StoreError> {
        let Some(bytes) = self.meta(IDLE)? else { return Ok(None) };
        Ok(Some(u32::from_be_bytes(bytes.try_into().map_err(|_| StoreError::Damaged)?)))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_idle_lock(&self, seconds: u32) -> Result<(), StoreError> {
        self.set_meta(IDLE, &seconds.to_be_bytes())
    }

    /// Keeps who the person is. Once per store.
    ///
    /// # Errors
    /// [`StoreError`] if there is a profile already.
    pub fn insert_profile(&self, profile: &Profile, now: Timestamp) -> Result<(), StoreError> {
        let home = profile.home.as_ref().map(RelayAddress::to_bytes);
        self.run(
            "INSERT INTO profile (one, account, name, language, home, created) VALUES (1, ?1, ?2, ?3, ?4, ?5)",
            params![profile.account.0, profile.name.as_str(), profile.language, home, to_db(now)],
        )?;
        Ok(())
    }

    /// When the profile was made.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the row is missing.
    pub fn profile_made(&self) -> Result<Timestamp, StoreError> {
        let made = self.one("SELECT created FROM profile", [], |row| Ok(from_db(row.get(0)?)))?;
        made.ok_or(StoreError::Damaged)
    }

    /// Who the person is.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the row is missing.
    pub fn profile(&self) -> Result<Profile, StoreError> {
        let mut statement =
            self.conn().prepare_cached("SELECT account, name, language, home FROM profile")?;
        let mut rows = statement.query([])?;
        let row = rows.next()?.ok_or(StoreError::Damaged)?;
        let home: Option<Vec<u8>> = row.get("home")?;
        Ok(Profile {
            account: AccountId(array(row, "account")?),
            name: words(row, "name")?,
            language: row.get("language")?,
            home: match home {
                None => None,
                Some(bytes) => Some(RelayAddress::from_bytes(&bytes).map_err(|_| StoreError::Damaged)?),
            },
        })
    }

    /// Sets the relay where own queues are made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_home(&self, home: &RelayAddress) -> Result<(), StoreError> {
        self.run("UPDATE profile SET home = ?1", params![home.to_bytes()])?;
        Ok(())
    }

    /// What a relay makes our queues for, if its operator gave us something.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn credit(&self, relay: &RelayId) -> Result<Option<Credit>, StoreError> {
        let read = |row: &Row<'_>| secret(row, "credit", Credit::take);
        Ok(self.query_all("SELECT credit FROM credit WHERE relay = ?1", [relay.0], read)?.pop())
    }

    /// Keeps what a relay makes our queues for, in place of what was kept before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_credit(&self, relay: &RelayId, credit: &Credit) -> Result<(), StoreError> {
        self.erase("DELETE FROM credit WHERE relay = ?1", [relay.0])?;
        let row = params![relay.0, credit.expose()];
        self.run("INSERT INTO credit (relay, credit) VALUES (?1, ?2)", row)?;
        Ok(())
    }

    /// What is known of a relay.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn relay(&self, relay: &RelayId) -> Result<Option<KnownRelay>, StoreError> {
        let row = self
            .conn()
            .prepare_cached("SELECT address, sequence, epoch_day, volatile FROM relay WHERE relay = ?1")?
            .query_row([relay.0], |row| {
                Ok((row.get::<_, Option<Vec<u8>>>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let Some((address, sequence, epoch_day, volatile)) = row else { return Ok(None) };
        let read = |bytes: Vec<u8>| RelayAddress::from_bytes(&bytes).map_err(|_| StoreError::Damaged);
        let address = address.map(read).transpose()?;
        Ok(Some(KnownRelay { relay: *relay, address, sequence, epoch_day, volatile }))
    }

    /// Keeps what a relay says of itself; its numbers only rise.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_relay(&self, known: &KnownRelay) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO relay (relay, address, sequence, epoch_day, volatile) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (relay) DO UPDATE SET address = excluded.address, volatile = excluded.volatile,
                 sequence = max(sequence, excluded.sequence), epoch_day = max(epoch_day, excluded.epoch_day)",
            params![
                known.relay.0,
                known.address.as_ref().map(RelayAddress::to_bytes),
                i64::try_from(known.sequence).unwrap_or(i64::MAX),
                i64::try_from(known.epoch_day).unwrap_or(i64::MAX),
                known.volatile,
            ],
        )?;
        Ok(())
    }

    /// Whether a relay at which we write to a contact says that it keeps what waits in memory only.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn waits_in_memory_only(&self, contact: ContactId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM peer_queue JOIN relay USING (relay)
                   WHERE contact = ?1 AND retired = 0 AND volatile = 1)";
        Ok(self.conn().prepare_cached(sql)?.query_row([contact.0], |row| row.get(0))?)
    }
}
