//! A stream under a passphrase: what is written goes out in sealed chunks, what is read was checked before. Cut off,
//! reordered or changed, it does not open.
//!
//! ```text
//! "beresta relay export v1\n" │ salt 32 │ memory KiB 4 │ passes 4 │ lanes 4 │ nonce 19        all of it: associated data
//! chunk: XChaCha20-Poly1305 of 65,536 bytes, 16 more each; the last is shorter and marked in its nonce (STREAM)
//! ```

use std::io::{self, BufRead as _, BufReader, Read, Write};

use aead_stream::{DecryptorBE32, EncryptorBE32};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use beresta_proto::rng::Random;
use chacha20poly1305::aead::{KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::{TransferError, unread, unwritten};

const MAGIC: &[u8; 24] = b"beresta relay export v1\n";
const SALT: usize = 32;
const NONCE: usize = 19;
const HEAD: usize = MAGIC.len() + SALT + 3 * 4 + NONCE;
/// Bytes of a chunk's text.
const CHUNK: usize = 64 * 1024;
const TAG: u64 = 16;

/// What guessing a passphrase costs: Argon2id's memory in KiB, passes and lanes. A quarter of the client's memory, because
/// small rented machines have little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost(u32, u32, u32);

impl Cost {
    /// 64 MiB, 6 passes, 4 lanes.
    pub const DEFAULT: Self = Self(64 * 1024, 6, 4);
    /// The cheapest allowed. For tests; it protects nobody.
    pub const FOR_TESTS: Self = Self(256, 1, 1);

    /// What a hostile file may ask for at the most: 1 GiB, 16 passes, 16 lanes.
    fn checked(self) -> Result<Self, TransferError> {
        let Self(memory, passes, lanes) = self;
        let fits =
            (256..=1024 * 1024).contains(&memory) && (1..=16).contains(&passes) && (1..=16).contains(&lanes);
        if fits { Ok(self) } else { Err(TransferError::NotAnExport) }
    }
}

fn derive(
    passphrase: &str,
    salt: &[u8],
    Cost(memory, passes, lanes): Cost,
) -> Result<XChaCha20Poly1305, TransferError> {
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| TransferError::NotAnExport)?;
    let mut blocks: Vec<Block> = Vec::new();
    blocks.try_reserve_exact(params.block_count()).map_err(|_| TransferError::OutOfMemory)?;
    blocks.resize(params.block_count(), Block::new());
    // The same on every keyboard.
    let typed: Zeroizing<String> = Zeroizing::new(passphrase.nfc().collect());
    let mut key = Zeroizing::new([0; 32]);
    let done = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        typed.as_bytes(),
        salt,
        key.as_mut_slice(),
        blocks.as_mut_slice(),
    );
    blocks.iter_mut().for_each(|block| block.zeroize());
    done.map_err(|_| TransferError::NotAnExport)?;
    Ok(XChaCha20Poly1305::new(Key::cast_from_core(&key)))
}

fn nonce(
    bytes: [u8; NONCE],
) -> aead_stream::Nonce<XChaCha20Poly1305, aead_stream::StreamBE32<XChaCha20Poly1305>> {
    bytes.into()
}

/// Seals what is written to it. [`Sealer::finish`] or it is worth nothing.
pub(super) struct Sealer<W> {
    out: W,
    head: [u8; HEAD],
    stream: EncryptorBE32<XChaCha20Poly1305>,
    text: Zeroizing<Vec<u8>>,
}

impl<W: Write> Sealer<W> {
    pub(super) fn new(
        mut out: W,
        passphrase: &str,
        cost: Cost,
        rng: &mut impl Random,
    ) -> Result<Self, TransferError> {
        let (salt, prefix) = (rng.array::<SALT>(), rng.array::<NONCE>());
        let Cost(memory, passes, lanes) = cost;
        let numbers = [memory, passes, lanes].map(u32::to_be_bytes).concat();
        let head: [u8; HEAD] = [&MAGIC[..], &salt, &numbers, &prefix]
            .concat()
            .try_into()
            .map_err(|_| TransferError::NotAnExport)?;
        let cipher = derive(passphrase, &salt, cost)?;
        out.write_all(&head).map_err(unwritten)?;
        let stream = EncryptorBE32::from_aead(cipher, &nonce(prefix));
        Ok(Self { out, head, stream, text: Zeroizing::new(Vec::with_capacity(CHUNK)) })
    }

    /// Seals what is left, marked as the last.
    pub(super) fn finish(mut self) -> Result<W, TransferError> {
        let last = Payload { msg: &self.text, aad: &self.head };
        let sealed = self.stream.encrypt_last(last).map_err(|_| TransferError::TooLong)?;
        self.out.write_all(&sealed).map_err(unwritten)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() == CHUNK {
            let next = Payload { msg: &self.text, aad: &self.head };
            let sealed = self.stream.encrypt_next(next).map_err(|_| io::ErrorKind::FileTooLarge)?;
            self.out.write_all(&sealed)?;
            self.text.zeroize();
        }
        let room = CHUNK.saturating_sub(self.text.len());
        let (now, _) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.text.extend_from_slice(now);
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a file begins as an export does.
pub(super) fn is_export(mut from: impl Read) -> Result<(), TransferError> {
    let mut magic = [0; MAGIC.len()];
    begin(&mut from, &mut magic)?;
    if &magic == MAGIC { Ok(()) } else { Err(TransferError::NotAnExport) }
}

fn begin(from: &mut impl Read, bytes: &mut [u8]) -> Result<(), TransferError> {
    from.read_exact(bytes).map_err(|error| match error.kind() == io::ErrorKind::UnexpectedEof {
        true => TransferError::NotAnExport,
        false => unread(error),
    })
}

/// Opens what a [`Sealer`] wrote. Bytes are given once their chunk was checked; that nothing is missing is known at the end.
pub(super) struct Opener<R> {
    from: BufReader<R>,
    head: [u8; HEAD],
    /// None once the last chunk was opened.
    stream: Option<DecryptorBE32<XChaCha20Poly1305>>,
    text: Zeroizing<Vec<u8>>,
    given: usize,
}

impl<R: Read> Opener<R> {
    pub(super) fn new(from: R, passphrase: &str) -> Result<Self, TransferError> {
        let mut from = BufReader::new(from);
        let mut head = [0; HEAD];
        begin(&mut from, &mut head)?;
        let rest = head.strip_prefix(MAGIC).ok_or(TransferError::NotAnExport)?;
        let (salt, rest) = rest.split_at_checked(SALT).ok_or(TransferError::NotAnExport)?;
        let mut numbers =
            rest.chunks_exact(4).filter_map(|four| four.first_chunk().map(|four| u32::from_be_bytes(*four)));
        let mut number = || numbers.next().unwrap_or(0);
        let cost = Cost(number(), number(), number()).checked()?;
        let prefix = *head.last_chunk::<NONCE>().ok_or(TransferError::NotAnExport)?;
        let cipher = derive(passphrase, salt, cost)?;
        let stream = Some(DecryptorBE32::from_aead(cipher, &nonce(prefix)));
        let mut opener = Self { from, head, stream, text: Zeroizing::new(Vec::new()), given: 0 };
        match opener.next_chunk().map_err(unread) {
            // What is too short to be a chunk does not open either.
            Err(TransferError::Damaged) => Err(TransferError::WrongPassphrase),
            Err(error) => Err(error),
            Ok(()) => Ok(opener),
        }
    }

    /// Opens the next chunk. Does nothing after the last.
    fn next_chunk(&mut self) -> io::Result<()> {
        let Some(mut stream) = self.stream.take() else { return Ok(()) };
        let mut sealed = Vec::new();
        (&mut self.from).take(CHUNK as u64 + TAG).read_to_end(&mut sealed)?;
        let chunk = Payload { msg: &sealed, aad: &self.head };
        let opened = if self.from.fill_buf()?.is_empty() {
            stream.decrypt_last(chunk)
        } else {
            let opened = stream.decrypt_next(chunk);
            self.stream = Some(stream);
            opened
        };
        self.text = Zeroizing::new(opened.map_err(|_| io::ErrorKind::InvalidData)?);
        self.given = 0;
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.given == self.text.len() {
            self.text.zeroize();
            self.given = 0;
            self.next_chunk()?;
        }
        let mut left = self.text.get(self.given..).unwrap_or_default();
        let given = left.read(out)?;
        self.given = self.given.saturating_add(given);
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    fn sealed(text: &[u8]) -> Vec<u8> {
        let mut rng = SystemRandom::new().unwrap();
        let mut sealer = Sealer::new(Vec::new(), "pass", Cost::FOR_TESTS, &mut rng).unwrap();
        sealer.write_all(text).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(sealed: &[u8], passphrase: &str) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        Opener::new(sealed, passphrase).ok()?.read_to_end(&mut text).ok()?;
        Some(text)
    }

    #[test]
    fn what_was_sealed_opens_whole_with_the_passphrase_only() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let text: Vec<u8> = (0..251).cycle().take(length).collect();
            let sealed = sealed(&text);
            assert_eq!(opened(&sealed, "pass").as_deref(), Some(text.as_slice()), "{length}");
            assert_eq!(opened(&sealed, "Pass"), None);
        }
    }

    #[test]
    fn a_stream_that_was_cut_changed_or_put_together_anew_does_not_open() {
        let sealed = sealed(&vec![7; 2 * CHUNK + 9]);
        let step = CHUNK + 16;
        for length in [0, HEAD, HEAD + 5, HEAD + step, HEAD + 2 * step, sealed.len() - 1] {
            assert_eq!(opened(&sealed[..length], "pass"), None, "{length}");
        }
        for at in [0, 30, 60, HEAD - 1, HEAD, HEAD + step, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(opened(&changed, "pass"), None, "{at}");
        }
        let swapped = [
            &sealed[..HEAD],
            &sealed[HEAD + step..HEAD + 2 * step],
            &sealed[HEAD..HEAD + step],
            &sealed[HEAD + 2 * step..],
        ]
        .concat();
        assert_eq!(opened(&swapped, "pass"), None);
        assert_eq!(opened(&[&sealed[..], b"more"].concat(), "pass"), None);
    }

    #[test]
    fn a_hostile_file_may_not_ask_for_all_memory() {
        let mut sealed = sealed(b"text");
        let at = MAGIC.len() + SALT;
        sealed[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(matches!(Opener::new(&sealed[..], "pass"), Err(TransferError::NotAnExport)));
    }

    #[test]
    fn a_passphrase_is_the_same_however_its_letters_were_composed() {
        let mut rng = SystemRandom::new().unwrap();
        let sealer = Sealer::new(Vec::new(), "\u{0439}", Cost::FOR_TESTS, &mut rng).unwrap();
        assert!(opened(&sealer.finish().unwrap(), "\u{0438}\u{0306}").is_some());
    }
}
