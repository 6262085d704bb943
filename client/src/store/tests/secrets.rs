//! The secrets of a profile, for who looks for them elsewhere.

use super::*;

impl Store {
    /// What must be in no memory and no file: by name.
    pub(crate) fn secrets(dir: &Path, phrase: &str) -> Vec<(&'static str, Vec<u8>)> {
        let (_, master) = Vault::open(dir, &pass(phrase)).unwrap();
        let database = master.database_key().unwrap().keyspec();
        // 'x' and the hex of the key and the salt: the key as SQLCipher has it.
        let hex: Vec<u8> = database[2..66].to_vec();
        let raw = data_encoding::HEXLOWER.decode(&hex).unwrap();
        let account =
            Self::open(dir, &pass(phrase)).unwrap().transaction(|tx| tx.account()).unwrap().unwrap();
        let pair = account.identity_pair;
        vec![
            ("master", master.as_bytes().to_vec()),
            ("database", raw),
            ("database in hex", hex),
            ("texts", master.body_secret().unwrap().bytes().to_vec()),
            // The private half is the last field of libsignal's form.
            ("identity", pair[pair.len() - 32..].to_vec()),
        ]
    }
}
