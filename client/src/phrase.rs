//! Passphrases made of random words, and how strong those are that people think of.
//!
//! A made passphrase has six words of 7,776 (English) or seven of 2,048 (Russian): 77 bits. Who has the header guesses at
//! the price of Argon2id with 256 MiB and three passes, some thousand guesses a second on the best card there is, whose
//! memory bounds it. A thousand such cards for a year try 2^45 of 2^77. The lists, and how the Russian one was made:
//! `client/words/README.md`.

mod list;
mod strength;

use std::fmt;

use rand::{CryptoRng, Rng as _};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::store::Passphrase;
pub use list::WordList;
pub use strength::is_weak;

/// Fewer words than these are not taken for a made passphrase.
const FEWEST: usize = 4;

/// A passphrase that was made here: words of a list, with a space between each two. For the eyes of one person, once.
pub struct MadePhrase(Zeroizing<String>);

impl MadePhrase {
    /// Draws words, each independent of the others, so that the same may come twice.
    #[must_use]
    pub fn draw<R: CryptoRng + ?Sized>(list: WordList, rng: &mut R) -> Self {
        let words = list.words();
        // The longest word has 16 bytes: it never grows, and leaves no copies.
        let mut phrase = Zeroizing::new(String::with_capacity(list.drawn() * 24));
        for _ in 0..list.drawn() {
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push_str(words.get(rng.random_range(0..words.len())).copied().unwrap_or_default());
        }
        Self(phrase)
    }

    /// The words, to be shown.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.0
    }

    /// Whether somebody typed these words, in whatever case, with spaces and ё as they like.
    #[must_use]
    pub fn is_typed(&self, typed: &str) -> bool {
        spelled(typed).is_some_and(|spelled| *spelled == *self.0)
    }

    /// What opens a profile.
    #[must_use]
    pub fn passphrase(&self) -> Passphrase {
        Passphrase::new(self.0.as_str().to_owned())
    }
}

impl fmt::Debug for MadePhrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("MadePhrase(..)")
    }
}

/// How words of one list are spelled in it: small letters, one space between two, е for ё. None for anything else, which
/// is taken as it was typed.
///
/// Every profile's key is derived from what comes out here: for words that the lists have, it must never change.
pub(crate) fn spelled(typed: &str) -> Option<Zeroizing<String>> {
    let mut small = Zeroizing::new(String::with_capacity(typed.len().saturating_mul(3)));
    for one in typed.nfc().flat_map(char::to_lowercase) {
        small.push(if one == 'ё' { 'е' } else { one });
    }
    let words = || small.split_whitespace();
    let whole = |list: &WordList| words().all(|word| list.has(word));
    if words().count() < FEWEST || !WordList::ALL.iter().any(whole) {
        return None;
    }
    let mut out = Zeroizing::new(String::with_capacity(small.len()));
    for word in words() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    Some(out)
}

/// A text in Unicode's NFC, as bytes, in a buffer that never grows.
pub(crate) fn composed(typed: &str) -> Vec<u8> {
    // Composing can make a text longer, at most threefold.
    let mut bytes = Vec::with_capacity(typed.len().saturating_mul(3));
    let mut utf8 = [0; 4];
    for one in typed.nfc() {
        bytes.extend_from_slice(one.encode_utf8(&mut utf8).as_bytes());
    }
    utf8.zeroize();
    bytes
}

#[cfg(test)]
mod tests;
