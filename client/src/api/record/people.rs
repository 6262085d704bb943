//! Contacts, as front ends show them.

use beresta_proto::words::Words;
use data_encoding::BASE32_NOPAD;
use serde::Serialize;

use super::{contact_id, plain};
use crate::api::ContactId;
use crate::store::contact::{Contact, ContactState};
use crate::store::{StoreError, Tx};

/// How sure we are of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactTrust {
    /// They met us by an invite; the safety number was not compared.
    Invited,
    /// The safety number was compared.
    Verified,
    /// Their key changed and nobody decided about it yet.
    IdentityChanged,
}

/// A contact.
#[derive(Debug, Clone, Serialize)]
pub struct ContactInfo {
    /// Their id.
    pub id: ContactId,
    /// What we call them.
    #[serde(serialize_with = "plain")]
    pub name: Words,
    /// Their account, as text: it names their key.
    #[serde(serialize_with = "plain")]
    pub account: Words,
    /// A short form of their key, to tell equal names apart.
    #[serde(serialize_with = "plain")]
    pub tag: Words,
    /// How sure we are of them.
    pub trust: ContactTrust,
    /// Whether we heard from them.
    pub met: bool,
    /// Whether they are blocked.
    pub blocked: bool,
    /// Whether their device was seized. What they wrote and was not shown is in the history only.
    pub seized: bool,
    /// Seconds after which messages disappear; none if they stay.
    pub timer_secs: Option<u32>,
    /// Whether their relay says that it keeps what waits in memory only: a restart loses it.
    pub volatile: bool,
    /// Whether their queue is gone at its relay, and so are those of ours that they know: nothing that either writes arrives.
    pub lost: bool,
}

impl From<&Contact> for ContactInfo {
    fn from(contact: &Contact) -> Self {
        let account = BASE32_NOPAD.encode(&contact.identity.account_id().0);
        Self {
            id: contact_id(contact.id),
            name: contact.name.clone(),
            tag: account.chars().take(6).collect::<String>().into(),
            account: account.into(),
            trust: if contact.identity_changed {
                ContactTrust::IdentityChanged
            } else if contact.verified {
                ContactTrust::Verified
            } else {
                ContactTrust::Invited
            },
            met: contact.state != ContactState::Meeting,
            blocked: contact.state == ContactState::Blocked,
            seized: contact.state == ContactState::Seized,
            timer_secs: contact.timer.seconds,
            volatile: false,
            lost: false,
        }
    }
}

impl ContactInfo {
    /// A contact, and what is known of the ways to them.
    pub(in crate::api) fn of(tx: &Tx<'_>, contact: &Contact) -> Result<Self, StoreError> {
        let (volatile, lost) = (tx.waits_in_memory_only(contact.id)?, tx.is_lost(contact.id)?);
        Ok(Self { volatile, lost, ..contact.into() })
    }
}
