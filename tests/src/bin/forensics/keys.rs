//! The profile opened as its documents say: `vault.hdr`, SQLCipher's raw key, the seeds of its side.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ring::hkdf;
use rusqlite::Connection;

use super::PASSPHRASE;

/// All that the passphrase gives.
pub(crate) struct Keys {
    /// SQLCipher's raw key and salt.
    pub(crate) database: [u8; 48],
    /// Of the two sides, 1 or 2.
    pub(crate) side: u8,
    bodies: [u8; 32],
    /// What must be found of the header, if the header is found: the slot as it lies there.
    pub(crate) slot: Vec<u8>,
}

/// A text as it was: what an image would have to hold for it to be read.
pub(crate) struct Truth {
    pub(crate) text: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) seed: Vec<u8>,
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(secret: &[u8], info: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    let key = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
    key.expand(info, Length(N)).unwrap().fill(&mut out).unwrap();
    out
}

impl Keys {
    pub(crate) fn open(profile: &Path) -> Self {
        let header = std::fs::read(profile.join("vault.hdr")).unwrap();
        let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let params = Params::new(number(32), number(36), number(40), Some(32)).unwrap();
        let mut derived = [0; 32];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(PASSPHRASE.as_bytes(), &header[..32], &mut derived).unwrap();
        let cipher = XChaCha20Poly1305::new(&expand::<32>(&derived, &[b"beresta/1 slot"]).into());
        (0..8_u8)
            .find_map(|slot| {
                let at = 4_096 * (1 + usize::from(slot));
                let bytes = &header[at..at + 4_096];
                let aad = [b"beresta/1 slot", [slot].as_slice(), &header[..44]].concat();
                let nonce = XNonce::from(<[u8; 24]>::try_from(&bytes[..24]).unwrap());
                let opened = cipher.decrypt(&nonce, Payload { msg: &bytes[24..], aad: &aad }).ok()?;
                let master = &opened[2..34];
                Some(Self {
                    database: expand(master, &[b"beresta/1 db"]),
                    side: 1 + (expand::<1>(master, &[b"beresta/1 side"])[0] & 1),
                    bodies: expand(master, &[b"beresta/1 bodies"]),
                    slot: bytes.to_vec(),
                })
            })
            .expect("the passphrase opens a slot")
    }

    /// The text under a seed, if it is the right one.
    pub(crate) fn unseal(&self, seed: &[u8], sealed: &[u8]) -> Option<String> {
        let key: [u8; 32] = expand(&self.bodies, &[b"beresta/1 body", seed]);
        let nonce = XNonce::from(<[u8; 24]>::try_from(sealed.get(..24)?).ok()?);
        let opened = XChaCha20Poly1305::new(&key.into()).decrypt(&nonce, &sealed[24..]).ok()?;
        String::from_utf8(opened).ok()
    }

    /// The file of seeds of a copy of the profile.
    pub(crate) fn seeds(&self, profile: &Path) -> Vec<u8> {
        std::fs::read(profile.join(format!("keys.{}", self.side))).unwrap()
    }

    /// Every text of a copy of the profile that has not disappeared in it.
    pub(crate) fn truths(&self, profile: &Path) -> Vec<Truth> {
        let hex: String = self.database.iter().map(|byte| format!("{byte:02x}")).collect();
        let conn = Connection::open(profile.join(format!("store.{}", self.side))).unwrap();
        conn.execute_batch(&format!("PRAGMA key = \"x'{hex}'\"")).unwrap();
        let seeds = self.seeds(profile);
        let mut statement = conn.prepare("SELECT body, seed FROM message WHERE body IS NOT NULL").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(|row| {
            let (sealed, place): (Vec<u8>, usize) = row.unwrap();
            let seed = seeds[32 * place..32 * place + 32].to_vec();
            Truth { text: self.unseal(&seed, &sealed).expect("its own seed opens it"), sealed, seed }
        })
        .collect()
    }
}
