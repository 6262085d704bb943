//! The text of a credit: what a relay's operator hands to somebody whom the relay shall serve (rule Q2).
//!
//! ```text
//! code = "beresta-credit:" base64url( relay id 32 │ credit 32 │ checksum 4 )
//! ```

use zeroize::Zeroizing;

use crate::codec::Reader;
use crate::id::RelayId;
use crate::invite::{LinkError, decode_link, encode_link};
use crate::key::Credit;
use crate::words::Words;

/// The scheme of a code.
pub const CREDIT_SCHEME: &str = "beresta-credit:";

/// A credit, and the relay that takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditCode {
    /// The relay. It gets the credit and never the code.
    pub relay: RelayId,
    /// What it takes.
    pub credit: Credit,
}

impl CreditCode {
    /// The code as one word, `beresta-credit:…`.
    #[must_use]
    pub fn to_code(&self) -> Words {
        let bytes = Zeroizing::new([self.relay.0, *self.credit.expose()].concat());
        encode_link(CREDIT_SCHEME, &bytes).into()
    }

    /// Reads what [`CreditCode::to_code`] wrote.
    ///
    /// # Errors
    /// [`LinkError`] if it is something else or was damaged.
    pub fn from_code(code: &str) -> Result<Self, LinkError> {
        let bytes = decode_link(CREDIT_SCHEME, code)?;
        let mut r = Reader::new(&bytes);
        let code = Self { relay: RelayId::decode(&mut r)?, credit: Credit::decode(&mut r)? };
        r.finish()?;
        Ok(code)
    }
}
