//! Rows for the crypto room: our keys, pinned identities, sessions, pre-keys, used first messages, failures.
//!
//! They are byte strings here. What they mean, and that they were checked, is `crypto`'s business.

use rusqlite::params;
use zeroize::Zeroizing;

use super::{StoreError, Tx};

/// Our own keys as they lie in the store.
#[derive(Clone)]
pub struct AccountRow {
    /// libsignal's serialised identity key pair, private half included.
    pub identity_pair: Zeroizing<Vec<u8>>,
    /// libsignal's registration id, 14 bits.
    pub registration_id: u32,
    /// The private key that signs sender certificates, 32 bytes.
    pub online_key: Zeroizing<Vec<u8>>,
    /// The identity key's certificate for the online key.
    pub server_certificate: Vec<u8>,
}

impl std::fmt::Debug for AccountRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { identity_pair: _, registration_id: _, online_key: _, server_certificate: _ } = self;
        f.write_str("AccountRow(..)")
    }
}

/// Which private half of a bundle a row keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreKeyKind {
    /// The one-time X25519 pre-key.
    OneTime,
    /// The signed X25519 pre-key.
    Signed,
    /// The Kyber pre-key.
    Kyber,
}

impl PreKeyKind {
    const fn code(self) -> u8 {
        match self {
            Self::OneTime => 1,
            Self::Signed => 2,
            Self::Kyber => 3,
        }
    }
}

/// What a sender made us compute of late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailuresRow {
    /// Steps of the ratchets that they skipped since then; a failure counts as many.
    pub count: u32,
    /// Unix milliseconds of the first of them.
    pub since: u64,
}

impl Tx<'_> {
    /// Our own keys, once made.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn account(&self) -> Result<Option<AccountRow>, StoreError> {
        let sql = "SELECT identity_pair, registration_id, online_key, server_certificate FROM signal_account";
        self.one(sql, [], |row| {
            Ok(AccountRow {
                identity_pair: Zeroizing::new(row.get(0)?),
                registration_id: row.get(1)?,
                online_key: Zeroizing::new(row.get(2)?),
                server_certificate: row.get(3)?,
            })
        })
    }

    /// Keeps our own keys. They are made once: a second time is the store's error.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn insert_account(&self, row: &AccountRow) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO signal_account (id, identity_pair, registration_id, online_key, server_certificate)
                   VALUES (1, ?1, ?2, ?3, ?4)";
        self.run(
            sql,
            params![
                row.identity_pair.as_slice(),
                row.registration_id,
                row.online_key.as_slice(),
                row.server_certificate
            ],
        )?;
        Ok(())
    }

    /// The sender certificate in use, and when it was made (Unix milliseconds).
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn sender_certificate(&self) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let sql = "SELECT sender_certificate, certificate_made FROM signal_account
                   WHERE sender_certificate IS NOT NULL AND certificate_made IS NOT NULL";
        self.one(sql, [], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))
    }

    /// Keeps a renewed sender certificate.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn set_sender_certificate(&self, certificate: &[u8], made: u64) -> Result<(), StoreError> {
        let sql = "UPDATE signal_account SET sender_certificate = ?1, certificate_made = ?2";
        self.run(sql, params![certificate, signed(made)])?;
        Ok(())
    }

    /// The identity key pinned to a handle.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn pinned_identity(&self, handle: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT identity FROM signal_identity WHERE handle = ?1";
        self.one(sql, [handle], |row| row.get(0))
    }

    /// The handle to which an identity key is pinned.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn handle_of_identity(&self, identity: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT handle FROM signal_identity WHERE identity = ?1";
        self.one(sql, [identity], |row| row.get(0))
    }

    /// Pins an identity key to a handle. Neither is ever pinned twice: that is the store's error.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn insert_identity(&self, handle: &[u8], identity: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT INTO signal_identity (handle, identity) VALUES (?1, ?2)";
        self.run(sql, [handle, identity])?;
        Ok(())
    }

    /// Forgets a handle: its identity, its sessions, its failures.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn delete_handle(&self, handle: &[u8]) -> Result<(), StoreError> {
        self.delete_sessions(handle)?;
        for sql in [
            "DELETE FROM signal_identity WHERE handle = ?1",
            "DELETE FROM signal_failures WHERE substr(handle, 1, length(?1)) = ?1",
        ] {
            self.erase(sql, [handle])?;
        }
        Ok(())
    }

    /// Forgets the sessions with a handle.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn delete_sessions(&self, handle: &[u8]) -> Result<(), StoreError> {
        self.erase("DELETE FROM signal_session WHERE handle = ?1", [handle])?;
        Ok(())
    }

    /// The session record with one device of a handle.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn session(&self, handle: &[u8], device: u8) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let sql = "SELECT record FROM signal_session WHERE handle = ?1 AND device = ?2";
        let padded = self.one(sql, params![handle, device], |row| row.get(0).map(Zeroizing::new))?;
        padded.map(|padded| unpad(padded).ok_or(StoreError::Damaged)).transpose()
    }

    /// Keeps a session record in place of the one before.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn put_session(&self, handle: &[u8], device: u8, record: &[u8]) -> Result<(), StoreError> {
        let padded = pad(record);
        let row = params![handle, device, padded.as_slice()];
        // Not in one statement: that would lay the row out twice.
        if self.run("UPDATE signal_session SET record = ?3 WHERE handle = ?1 AND device = ?2", row)? == 0 {
            self.run("INSERT INTO signal_session (handle, device, record) VALUES (?1, ?2, ?3)", row)?;
        }
        Ok(())
    }

    /// The private half of a pre-key that we gave out.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn pre_key(&self, kind: PreKeyKind, id: u32) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let sql = "SELECT record FROM signal_pre_key WHERE kind = ?1 AND id = ?2";
        self.one(sql, params![kind.code(), id], |row| row.get(0).map(Zeroizing::new))
    }

    /// Keeps the private half of a pre-key of the bundle whose signed pre-key has the id `bundle`.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed, also for an id that is taken.
    pub fn insert_pre_key(
        &self,
        kind: PreKeyKind,
        id: u32,
        bundle: u32,
        record: &[u8],
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO signal_pre_key (kind, id, bundle, record) VALUES (?1, ?2, ?3, ?4)";
        self.run(sql, params![kind.code(), id, bundle, record])?;
        Ok(())
    }

    /// Deletes the private halves of a bundle; says how many there were.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn delete_bundle(&self, bundle: u32) -> Result<usize, StoreError> {
        self.erase("DELETE FROM signal_pre_key WHERE bundle = ?1", [bundle])
    }

    /// Whether a first message was taken before: then it is a replay.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn is_used_pre_key(
        &self,
        kyber_id: u32,
        signed_id: u32,
        base_key: &[u8],
    ) -> Result<bool, StoreError> {
        let sql =
            "SELECT 1 FROM signal_used_pre_key WHERE kyber_id = ?1 AND signed_id = ?2 AND base_key = ?3";
        Ok(self.one(sql, params![kyber_id, signed_id, base_key], |_| Ok(()))?.is_some())
    }

    /// Notes that a first message was taken. A second time is the store's error.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn insert_used_pre_key(
        &self,
        kyber_id: u32,
        signed_id: u32,
        base_key: &[u8],
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO signal_used_pre_key (kyber_id, signed_id, base_key) VALUES (?1, ?2, ?3)";
        self.run(sql, params![kyber_id, signed_id, base_key])?;
        Ok(())
    }

    /// What a sender made us compute of late; `key` begins with the handle.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn failures(&self, key: &[u8]) -> Result<Option<FailuresRow>, StoreError> {
        let sql = "SELECT count, since FROM signal_failures WHERE handle = ?1";
        self.one(sql, [key], |row| Ok(FailuresRow { count: row.get(0)?, since: unsigned(row.get(1)?) }))
    }

    /// Writes what a sender made us compute of late.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn put_failures(&self, key: &[u8], row: FailuresRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO signal_failures (handle, count, since) VALUES (?1, ?2, ?3)
                   ON CONFLICT (handle) DO UPDATE SET count = excluded.count, since = excluded.since";
        self.run(sql, params![key, row.count, signed(row.since)])?;
        Ok(())
    }

    /// Forgets what senders made us compute in stretches that began at `until` or before.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub fn forget_failures(&self, until: u64) -> Result<(), StoreError> {
        self.run("DELETE FROM signal_failures WHERE since <= ?1", [signed(until)])?;
        Ok(())
    }
}

/// Session records are padded to a multiple of this many bytes. One whose length is the same as before is written over
/// where it lies; else its pages would be given back, wiped and taken anew at every step of a ratchet.
const RECORD_STEP: usize = 1024;

/// A record, zeros, the record's length.
fn pad(record: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes();
    let whole = record.len().saturating_add(length.len()).next_multiple_of(RECORD_STEP);
    let mut padded = Zeroizing::new(Vec::with_capacity(whole));
    padded.extend_from_slice(record);
    padded.resize(whole.saturating_sub(length.len()), 0);
    padded.extend_from_slice(&length);
    padded
}

fn unpad(mut padded: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    let (rest, length) = padded.split_last_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length <= rest.len())?;
    padded.truncate(length);
    Some(padded)
}

/// SQLite's integers are signed: times past the year 292,000,000 stop there.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
