//! An invite: a link that a person hands over, and the sealed blob at a relay that it opens (rules I1 to I7).
//!
//! ```text
//! link = "beresta:" base64url( version 1 │ kind 1 │ relay │ routes │ blob id 16 │ blob key 32 │ hash 16 │ expiry 8 │ checksum 4 )
//! blob = nonce 24 │ XChaCha20-Poly1305( offer │ zeros ) 4,072    the hash in the link is of what is inside
//! ```
//! The relay can neither read the blob nor swap a key in it. Claiming it is a command ([`crate::command`]).

use alloc::string::String;
use alloc::vec::Vec;

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::address::{QueueAddress, RelayAddress};
use crate::bundle::Bundle;
use crate::codec::{DecodeError, Reader, Writer, limited};
use crate::id::{BlobId, ConversationId};
use crate::key::{BlobKey, Credit, hash};
use crate::label;
use crate::limits::{BLOB, NAME_BYTES};
use crate::rng::Random;
use crate::time::Timestamp;
use crate::words::Words;

/// The scheme of an invite.
pub const INVITE_SCHEME: &str = "beresta:";
const VERSION: u8 = 1;
/// Of an offer that brings a credit.
const WITH_CREDIT: u8 = 2;
const ONE_TIME: u8 = 1;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;
const CHECKSUM_LEN: usize = 4;
/// A link longer than this is none: routes are few and short.
const LINK_CHARS: usize = 600;

/// Why a link was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It does not begin with the scheme that was asked for.
    #[error("not such a link")]
    Scheme,
    /// Letters are missing, changed or added: its checksum does not fit.
    #[error("the link is damaged")]
    Damaged,
    /// It is whole, and says what this version does not know.
    #[error("the link is not understood: {0}")]
    Malformed(#[from] DecodeError),
}

fn checksum(payload: &[u8]) -> [u8; CHECKSUM_LEN] {
    let digest = hash(label::LINK_CHECKSUM, &[payload]);
    core::array::from_fn(|i| digest.get(i).copied().unwrap_or_default())
}

pub(crate) fn encode_link(scheme: &str, payload: &[u8]) -> String {
    let bytes = Zeroizing::new([payload, &checksum(payload)].concat());
    let mut link = String::from(scheme);
    BASE64URL_NOPAD.encode_append(&bytes, &mut link);
    link
}

/// The payload of a link: alone, or behind the `#` of an https link, where no server sees it.
pub(crate) fn decode_link(scheme: &str, link: &str) -> Result<Zeroizing<Vec<u8>>, LinkError> {
    let link = link.trim();
    let link = match link.split_once('#') {
        Some((https, fragment)) if https.starts_with("https://") => fragment,
        _ => link,
    };
    let text = link.strip_prefix(scheme).ok_or(LinkError::Scheme)?;
    if text.len() > LINK_CHARS {
        return Err(LinkError::Damaged);
    }
    let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| LinkError::Damaged)?);
    let split = bytes.len().checked_sub(CHECKSUM_LEN).ok_or(LinkError::Damaged)?;
    let (payload, sum) = bytes.split_at_checked(split).ok_or(LinkError::Damaged)?;
    if sum != checksum(payload) {
        return Err(LinkError::Damaged);
    }
    Ok(Zeroizing::new(payload.to_vec()))
}

/// What an invite's link carries.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteLink {
    /// Where the blob lies.
    pub relay: RelayAddress,
    /// Which blob.
    pub blob: BlobId,
    /// Opens it.
    pub key: BlobKey,
    /// The front of the hash of what is inside.
    pub hash: [u8; 16],
    /// When it ends, by its maker's clock. The relay enforces it; this is for people.
    pub expires: Timestamp,
}

impl core::fmt::Debug for InviteLink {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { relay: _, blob: _, key: _, hash: _, expires: _ } = self;
        f.write_str("InviteLink(..)")
    }
}

impl InviteLink {
    /// The link as text.
    #[must_use]
    pub fn to_link(&self) -> Words {
        let mut w = Writer::with_capacity(160);
        w.u8(VERSION);
        w.u8(ONE_TIME);
        self.relay.encode(&mut w);
        self.blob.encode(&mut w);
        self.key.encode(&mut w);
        w.put(&self.hash);
        self.expires.encode(&mut w);
        encode_link(INVITE_SCHEME, w.as_slice()).into()
    }

    /// Reads a link.
    ///
    /// # Errors
    /// [`LinkError`] if it is something else, damaged, or of a kind that this version does not know.
    pub fn from_link(link: &str) -> Result<Self, LinkError> {
        let payload = decode_link(INVITE_SCHEME, link)?;
        let mut r = Reader::new(&payload);
        match r.u8()? {
            VERSION => {}
            code => return Err(DecodeError::Unknown { what: "invite version", code: u32::from(code) }.into()),
        }
        match r.u8()? {
            ONE_TIME => {}
            code => return Err(DecodeError::Unknown { what: "invite kind", code: u32::from(code) }.into()),
        }
        let link = Self {
            relay: RelayAddress::decode(&mut r)?,
            blob: BlobId::decode(&mut r)?,
            key: BlobKey::decode(&mut r)?,
            hash: r.array()?,
            expires: Timestamp::decode(&mut r)?,
        };
        r.finish()?;
        Ok(link)
    }
}

/// What a blob says inside: who invites, how to begin a session, where to answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Offer {
    /// The name that the inviter chose to show.
    pub name: Words,
    /// Names the conversation that begins.
    pub conversation: ConversationId,
    /// Pre-keys of the inviter's device.
    pub bundle: Bundle,
    /// The invite queue, used until both sides moved to fresh ones.
    pub addresses: Vec<QueueAddress>,
    /// Makes two queues at the relay of the blob, where that asks for credits (rule Q2).
    pub credit: Option<Credit>,
}

/// Why a blob was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// The blob was changed on the way, or the link belongs to another.
    #[error("the blob is not the one that the link names")]
    Forged,
    /// The blob is the link's, and its maker wrote it wrongly.
    #[error("the blob is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// The cipher refused; it takes every input of this size, so this does not happen.
    #[error("the cipher refused")]
    Cipher,
}

impl core::fmt::Debug for Offer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { name: _, conversation: _, bundle: _, addresses: _, credit: _ } = self;
        f.write_str("Offer(..)")
    }
}

const INSIDE_LEN: usize = BLOB - NONCE_LEN - TAG_LEN;

impl Offer {
    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
        limited("name", self.name.len(), NAME_BYTES)?;
        QueueAddress::check_list(&self.addresses)?;
        let mut w = Writer::with_capacity(INSIDE_LEN);
        w.u8(if self.credit.is_some() { WITH_CREDIT } else { VERSION });
        w.bytes(self.name.as_bytes());
        self.conversation.encode(&mut w);
        self.bundle.encode(&mut w);
        QueueAddress::encode_list(&self.addresses, &mut w);
        if let Some(credit) = &self.credit {
            credit.encode(&mut w);
        }
        if w.len() > INSIDE_LEN {
            return Err(DecodeError::TooLong { what: "offer", got: w.len(), limit: INSIDE_LEN });
        }
        w.zeros_to(INSIDE_LEN);
        Ok(Zeroizing::new(w.into_vec()))
    }

    fn decode(inside: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(inside);
        let brings = match r.u8()? {
            VERSION => false,
            WITH_CREDIT => true,
            code => return Err(DecodeError::Unknown { what: "offer version", code: u32::from(code) }),
        };
        let offer = Self {
            name: r.text("name", NAME_BYTES)?.into(),
            conversation: ConversationId::decode(&mut r)?,
            bundle: Bundle::decode(&mut r)?,
            addresses: QueueAddress::decode_list(&mut r)?,
            credit: if brings { Some(Credit::decode(&mut r)?) } else { None },
        };
        r.zeros()?;
        Ok(offer)
    }

    /// Seals the offer: the blob ([`BLOB`] bytes) and the hash that the link carries.
    ///
    /// # Errors
    /// [`BlobError::Malformed`] if a part is over its limit.
    pub fn seal(&self, key: &BlobKey, rng: &mut impl Random) -> Result<(Vec<u8>, [u8; 16]), BlobError> {
        let mut inside = self.encode()?;
        let hash = offer_hash(&inside);
        let nonce: [u8; NONCE_LEN] = rng.array();
        let tag = XChaCha20Poly1305::new(key.expose().into())
            .encrypt_inout_detached(&XNonce::from(nonce), label::INVITE_BLOB, inside.as_mut_slice().into())
            .map_err(|_| BlobError::Cipher)?;
        Ok(([nonce.as_slice(), &inside, &tag].concat(), hash))
    }

    /// Opens a blob that `link` names.
    ///
    /// # Errors
    /// [`BlobError::Forged`] if it is not that blob; [`BlobError::Malformed`] if its maker wrote it wrongly.
    pub fn open(link: &InviteLink, blob: &[u8]) -> Result<Self, BlobError> {
        let mut r = Reader::new(blob);
        let nonce: [u8; NONCE_LEN] = r.array()?;
        let mut inside = Zeroizing::new(r.take(INSIDE_LEN)?.to_vec());
        let tag: [u8; TAG_LEN] = r.array()?;
        r.finish()?;
        XChaCha20Poly1305::new(link.key.expose().into())
            .decrypt_inout_detached(
                &XNonce::from(nonce),
                label::INVITE_BLOB,
                inside.as_mut_slice().into(),
                &tag.into(),
            )
            .map_err(|_| BlobError::Forged)?;
        if !bool::from(offer_hash(&inside).ct_eq(&link.hash)) {
            return Err(BlobError::Forged);
        }
        Ok(Self::decode(&inside)?)
    }
}

fn offer_hash(inside: &[u8]) -> [u8; 16] {
    let digest = hash(label::INVITE_HASH, &[inside]);
    core::array::from_fn(|i| digest.get(i).copied().unwrap_or_default())
}
