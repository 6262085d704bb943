//! The two lists of words.

use std::sync::OnceLock;

/// A list that passphrases are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordList {
    /// The EFF's large list: 7,776 words.
    English,
    /// 2,048 nouns of 4 to 8 letters, of which the first four tell each from all others.
    Russian,
}

const ENGLISH: &str = include_str!("../../words/en.txt");
const RUSSIAN: &str = include_str!("../../words/ru.txt");

impl WordList {
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Russian];

    /// Every word, in the order of its letters.
    pub(super) fn words(self) -> &'static [&'static str] {
        static LISTS: OnceLock<[Vec<&str>; 2]> = OnceLock::new();
        let [english, russian] = LISTS.get_or_init(|| [ENGLISH, RUSSIAN].map(|list| list.lines().collect()));
        match self {
            Self::English => english,
            Self::Russian => russian,
        }
    }

    pub(super) fn has(self, word: &str) -> bool {
        self.words().binary_search(&word).is_ok()
    }

    /// How many words a made passphrase has.
    #[must_use]
    pub const fn drawn(self) -> usize {
        match self {
            Self::English => 6,
            Self::Russian => 7,
        }
    }
}
