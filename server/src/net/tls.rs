//! The links' TLS: version 1.3 only, one ALPN, a self-signed certificate. What clients pin is the key, by the hash in
//! the descriptor; the certificate around it says nothing and is made anew at every start.

use std::sync::Arc;

use beresta_proto::key::sha256;
use beresta_proto::label::{LINK_ALPN, LINK_RESET};
use quinn::crypto::HmacKey;
use quinn::crypto::rustls::QuicServerConfig;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use ring::hmac;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::TLS13;
use zeroize::Zeroizing;

/// The links' key was refused. It is the relay's own, so its file is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the TLS key is damaged")]
pub struct BadTlsKey;

/// A links' private key (P-256, PKCS #8) and the SHA-256 of its SubjectPublicKeyInfo.
pub struct TlsKey {
    pkcs8: Zeroizing<Vec<u8>>,
    hash: [u8; 32],
}

impl core::fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { pkcs8: _, hash: _ } = self;
        f.write_str("TlsKey(..)")
    }
}

impl TlsKey {
    /// Makes a key.
    ///
    /// # Errors
    /// [`BadTlsKey`] if the library can't, for want of randomness.
    pub fn generate() -> Result<Self, BadTlsKey> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| BadTlsKey)?;
        Ok(Self::of(&pair, Zeroizing::new(pair.serialize_der())))
    }

    /// Reads a key as [`TlsKey::pkcs8`] gave it.
    ///
    /// # Errors
    /// [`BadTlsKey`] if it is none.
    pub fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, BadTlsKey> {
        let pair = Self::pair(&pkcs8)?;
        Ok(Self::of(&pair, pkcs8))
    }

    fn of(pair: &KeyPair, pkcs8: Zeroizing<Vec<u8>>) -> Self {
        Self { hash: sha256(&pair.subject_public_key_info()), pkcs8 }
    }

    fn pair(pkcs8: &[u8]) -> Result<KeyPair, BadTlsKey> {
        KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8), &PKCS_ECDSA_P256_SHA256)
            .map_err(|_| BadTlsKey)
    }

    /// The key for its file.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// What the descriptor says of it.
    #[must_use]
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Key of the tokens that end links of before (RFC 9000 §10.3). It must be the same after a restart: a client whose
    /// relay was killed hears at once that its link is gone, and does not wait until it thinks so. Who has the key could
    /// end links; but who has this file could pose as the relay.
    pub(super) fn resets(&self) -> Arc<dyn HmacKey> {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.pkcs8), LINK_RESET);
        Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    pub(super) fn server(&self) -> Result<Arc<QuicServerConfig>, BadTlsKey> {
        let pair = Self::pair(&self.pkcs8)?;
        let mut params = CertificateParams::default();
        // Empty, and no date of its own: a certificate must not tell one relay or program from another.
        params.distinguished_name = DistinguishedName::new();
        let certificate = params.self_signed(&pair).map_err(|_| BadTlsKey)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pkcs8.to_vec()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|_| BadTlsKey)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .map_err(|_| BadTlsKey)?;
        config.alpn_protocols = vec![LINK_ALPN.to_vec()];
        // A ticket would let a relay link one visit of a client to the next; and there is no early data to replay.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.max_early_data_size = 0;
        QuicServerConfig::try_from(config).map(Arc::new).map_err(|_| BadTlsKey)
    }
}
