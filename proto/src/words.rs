//! What people write and are called by, and what is secret as text.

use alloc::string::String;
use core::fmt;
use core::ops::Deref;

use zeroize::Zeroizing;

/// A text of a person's, a name, or a link that opens something: wiped when dropped, and shown by no `Debug`. It has no
/// `Display` either, so whoever shows it to a person says so.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Words(Zeroizing<String>);

impl Words {
    /// The text, to be read or shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for Words {
    /// Takes the text over without a copy.
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Self::from(String::from(text))
    }
}

impl From<Zeroizing<String>> for Words {
    /// Takes the text over without a copy.
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(..)")
    }
}
