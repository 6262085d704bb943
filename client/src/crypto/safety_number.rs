//! Safety numbers: libsignal's fingerprint of two identities, which two people compare by voice or by QR code.

use beresta_proto::bundle::IdentityPublic;
use libsignal_protocol::{Fingerprint, FingerprintError, IdentityKey};

use super::account::Account;
use super::fault::AccountError;
use super::{Peer, guard};
use crate::store::{StoreError, Tx};

/// libsignal's version of the scannable form for ids that are not phone numbers.
const VERSION: u32 = 2;
/// Rounds of SHA-512: what Signal uses.
const ITERATIONS: u32 = 5_200;
/// Digits of one shown group.
const GROUP: usize = 5;

/// A safety number could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SafetyNumberError {
    /// The store failed.
    #[error("store")]
    Store(#[from] StoreError),
    /// Our own keys.
    #[error("account")]
    Account(#[from] AccountError),
    /// The peer's key is refused by the guard.
    #[error("the peer's key is refused")]
    Refused(#[from] guard::Refused),
    /// libsignal did not make it. It takes every key, so this does not happen.
    #[error("no fingerprint")]
    Fingerprint,
}

/// What was scanned is no safety number, or one of another version. Whoever showed the code erred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Not a safety number.
    #[error("not a safety number")]
    Malformed,
    /// A version that this program does not know.
    #[error("another version")]
    OtherVersion,
}

/// The safety number of two people, as one of them sees it.
#[derive(Clone)]
pub struct SafetyNumber(Fingerprint);

impl std::fmt::Debug for SafetyNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It names two people to whoever knows their keys.
        let Self(_) = self;
        f.write_str("SafetyNumber(..)")
    }
}

impl SafetyNumber {
    /// Its 60 digits in groups of 5, the same for both people.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let digits: Vec<char> = self.0.display.to_string().chars().collect();
        digits.chunks(GROUP).map(|group| group.iter().collect()).collect()
    }

    /// Its bytes for a QR code.
    ///
    /// # Errors
    /// [`SafetyNumberError::Fingerprint`], which does not happen.
    pub fn scannable(&self) -> Result<Vec<u8>, SafetyNumberError> {
        self.0.scannable.serialize().map_err(|_| SafetyNumberError::Fingerprint)
    }

    /// Whether the bytes of the other person's QR code are of the same safety number.
    ///
    /// # Errors
    /// [`ScanError`] if they are of none.
    pub fn matches(&self, scanned: &[u8]) -> Result<bool, ScanError> {
        self.0.scannable.compare(scanned).map_err(|error| match error {
            FingerprintError::VersionMismatch { .. } => ScanError::OtherVersion,
            FingerprintError::ParsingError(_) | FingerprintError::InvalidIterationCount(_) => {
                ScanError::Malformed
            }
        })
    }
}

/// The safety number that we share with `peer`.
///
/// # Errors
/// [`SafetyNumberError`] if there is no account or the peer's key is refused.
pub fn safety_number(tx: &Tx<'_>, peer: &Peer) -> Result<SafetyNumber, SafetyNumberError> {
    let own = Account::load(tx)?;
    let theirs = *guard::peer_identity(&peer.identity, own.identity())?.key();
    let ids: [&IdentityPublic; 2] = [own.identity(), &peer.identity];
    let [our_id, their_id] = ids.map(|identity| identity.account_id().0);
    let own_pair = own.pair();
    Fingerprint::new(
        VERSION,
        ITERATIONS,
        &our_id,
        own_pair.identity_key(),
        &their_id,
        &IdentityKey::new(theirs),
    )
    .map(SafetyNumber)
    .map_err(|_| SafetyNumberError::Fingerprint)
}
