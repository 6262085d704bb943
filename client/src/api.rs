//! The public face: one opaque handle, records by value, one durable stream of events. Command line, JSON-RPC and later
//! front ends use this and nothing else of the crate.
//!
//! Every call may be dropped at any await: the work goes on behind it, and no lock is held by a caller. Errors have
//! stable kinds ([`Error`]); texts for people are made of them by the front end, from its catalogue.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use beresta_proto::words::Words;

mod alert;
mod client;
mod destroy;
mod duress;
mod error;
mod line;
mod link;
mod lock;
mod open;
mod opener;
mod record;
mod waits;

pub use crate::phrase::{MadePhrase, WordList, is_weak};
pub use crate::store::{Duress, KdfCost, KeyFile, Passphrase, Surroundings, harden_process};
pub use alert::{ALERT_CONTACTS, AlertContact, AlertInfo};
pub use destroy::{Closing, Panic, panic};
pub use error::{Error, LinkFault, QueueFault};
pub use line::{LineStatus, Lines};
pub use link::{inspect_invite, parse_relay};
pub use lock::{
    Ended, IDLE_BOUNDS, IDLE_DEFAULT, Idle, LockCauses, LockOn, LockReason, LockWord, end_after_sleep,
    has_session, lock_in_time, lock_others,
};
pub use opener::{make_key_file, make_phrase, read_key_file};
pub use record::{
    Chat, ContactInfo, ContactTrust, DeliveryState, Dropped, Event, EventKind, InviteInfo, InvitePreview,
    InviteStatus, MessageInfo, NewInvite, RelayStatus, Status,
};

use crate::driver::Driver;
pub use crate::driver::StoreTrouble;

/// Names a contact, as text: `c` and a number.
pub type ContactId = String;
/// Names a message, as text: `m` and a number.
pub type MessageId = String;
/// Names an invite, as text: `i` and a number.
pub type InviteId = String;

/// What a new profile needs.
#[derive(Debug)]
pub struct NewProfile {
    /// The folder; made if missing.
    pub dir: PathBuf,
    /// Opens it from now on.
    pub passphrase: Passphrase,
    /// What a guess at the passphrase costs.
    pub cost: KdfCost,
    /// The name that contacts see.
    pub name: Words,
    /// `en` or `ru`.
    pub language: String,
    /// The relay's address as its operator gave it (`beresta-relay:…`). Without one, the first accepted invite's relay
    /// is taken.
    pub relay: Option<Words>,
}

/// Whether the network is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Relays are reached and messages flow.
    Online,
    /// Nothing leaves the machine: for looking things up.
    Offline,
}

/// One open profile. Clones share it; it closes when the last one is dropped or [`Client::close`] returns.
#[derive(Debug, Clone)]
pub struct Client {
    driver: Arc<Driver>,
}

impl Client {
    /// Makes a profile and opens it.
    ///
    /// # Errors
    /// [`Error::ProfileExists`], [`Error::InUse`], [`Error::BadLink`] (the relay's), [`Error::BadName`],
    /// [`Error::StoreFull`], [`Error::Store`].
    pub async fn create(profile: NewProfile, network: Network) -> Result<Self, Error> {
        open::create(profile, network).await
    }

    /// Opens a profile.
    ///
    /// # Errors
    /// [`Error::NoProfile`], [`Error::WrongPassphrase`], [`Error::InUse`], [`Error::StoreDamaged`],
    /// [`Error::StoreNewer`], [`Error::Backend`].
    pub async fn open(dir: &Path, passphrase: Passphrase, network: Network) -> Result<Self, Error> {
        open::open(dir.to_owned(), passphrase, network).await
    }

    /// Ends work in order and closes the store. What waits to be sent goes out at the next start.
    pub async fn close(self) {
        self.driver.end_close(self.driver.begin_close(false).await).await;
    }

    /// Changes the passphrase.
    ///
    /// # Errors
    /// [`Error::WrongPassphrase`] if `old` is wrong; [`Error::PassphraseTaken`] if `new` is the duress passphrase.
    pub async fn change_passphrase(&self, old: Passphrase, new: Passphrase) -> Result<(), Error> {
        open::change_passphrase(self, old, new).await
    }

    /// Who this is, how the line is, what waits, what was dropped.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn status(&self) -> Result<Status, Error> {
        open::status(self).await
    }

    /// Takes another relay as home, by its address as its operator gave it: new invites lead there, and contacts whose own
    /// relay can be reached are told to write there. The relay is not reached before this returns.
    ///
    /// # Errors
    /// [`Error::BadLink`] if it is none; [`Error::Store`].
    pub async fn set_relay(&self, link: &str) -> Result<(), Error> {
        client::set_relay(self, link).await
    }

    /// Keeps a code of a relay's operator: a relay that is not open to anybody makes queues and invites for it. Whether the
    /// relay is the home one. Reaches nothing.
    ///
    /// # Errors
    /// [`Error::BadLink`] if it is none; [`Error::Store`].
    pub async fn set_credit(&self, code: &str) -> Result<bool, Error> {
        client::set_credit(self, code).await
    }

    /// Makes an invite that lives `hours` (1 to 168). `name` is what we will call who accepts; `renews` is a contact whom
    /// we meet again: with a new key, or with the one that we know where nothing arrives any more.
    ///
    /// # Errors
    /// [`Error::NoRelay`], [`Error::Link`], [`Error::RelayBusy`], [`Error::NotFound`] and [`Error::Blocked`] (of `renews`).
    pub async fn invite_new(
        &self,
        hours: u16,
        name: Option<String>,
        renews: Option<ContactId>,
    ) -> Result<NewInvite, Error> {
        client::invite_new(self, hours, name, renews).await
    }

    /// Accepts an invite.
    ///
    /// # Errors
    /// [`Error::BadLink`], [`Error::InviteGone`], [`Error::InviteUsed`], [`Error::InviteForged`], [`Error::OwnInvite`],
    /// [`Error::AlreadyContact`], [`Error::Link`], [`Error::RelayBusy`], [`Error::NotFound`] and [`Error::Blocked`] (of
    /// `renews`).
    pub async fn invite_accept(
        &self,
        link: &str,
        name: Option<String>,
        renews: Option<ContactId>,
    ) -> Result<ContactInfo, Error> {
        client::invite_accept(self, link, name, renews).await
    }

    /// Every invite, oldest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn invites(&self) -> Result<Vec<InviteInfo>, Error> {
        client::invites(self).await
    }

    /// Takes an invite back.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no open invite with this id.
    pub async fn invite_revoke(&self, id: &InviteId) -> Result<(), Error> {
        client::invite_revoke(self, id).await
    }

    /// Every contact, oldest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn contacts(&self) -> Result<Vec<ContactInfo>, Error> {
        client::contacts(self).await
    }

    /// The contact that a person means: by id (`c3`), or by the beginning of a name, in whatever case.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ambiguous`] if several names begin so, also where one of them is no longer.
    pub async fn find_contact(&self, who: &str) -> Result<ContactInfo, Error> {
        client::find_contact(self, who).await
    }

    /// Gives a contact another name, here only.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::NotFound`].
    pub async fn rename(&self, who: &ContactId, name: &str) -> Result<(), Error> {
        client::rename(self, who, name).await
    }

    /// Blocks a contact for good: they can write no more, and do not come back by an invite that was open for them. To
    /// meet them again, remove them first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn block(&self, who: &ContactId) -> Result<(), Error> {
        client::block(self, who).await
    }

    /// A contact's device is in other hands: nothing is said to it or taken from it any more, their addresses and session
    /// are forgotten, and what they wrote and was not shown is held aside.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn seized(&self, who: &ContactId) -> Result<(), Error> {
        client::seized(self, who).await
    }

    /// Removes a contact with everything that was said.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove(&self, who: &ContactId) -> Result<(), Error> {
        client::remove(self, who).await
    }

    /// The safety number with a contact: twelve groups of five digits, the same on both sides.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn safety_number(&self, who: &ContactId) -> Result<Vec<String>, Error> {
        client::safety_number(self, who).await
    }

    /// The person compared the safety number: `code` is what the other side read out (spaces do not matter).
    ///
    /// # Errors
    /// [`Error::CodeDiffers`] if it is another number; [`Error::NotFound`].
    pub async fn confirm(&self, who: &ContactId, code: &str) -> Result<(), Error> {
        client::confirm(self, who, code).await
    }

    /// The person decided to write to a contact, as it was `shown`, although the key changed.
    ///
    /// # Errors
    /// [`Error::IdentityChanged`] if the contact has another key by now; [`Error::NotFound`].
    pub async fn accept_identity(&self, shown: &ContactInfo) -> Result<(), Error> {
        client::accept_identity(self, shown).await
    }

    /// Every conversation with its last message and how many are new.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn chats(&self) -> Result<Vec<Chat>, Error> {
        client::chats(self).await
    }

    /// The last `limit` messages before `before`, oldest first. New ones stay new until [`Client::mark_shown`].
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn history(
        &self,
        with: &ContactId,
        before: Option<&MessageId>,
        limit: u32,
    ) -> Result<Vec<MessageInfo>, Error> {
        client::history(self, with, before, limit).await
    }

    /// The messages that arrived and were not shown yet, oldest first. They stay new until [`Client::mark_shown`]: a front
    /// end that dies in between shows them again.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the id is none.
    pub async fn new_messages(&self, from: Option<&ContactId>) -> Result<Vec<MessageInfo>, Error> {
        client::new_messages(self, from).await
    }

    /// The person saw these messages: the timers of new ones run from now.
    ///
    /// # Errors
    /// [`Error::NotFound`] if an id is none.
    pub async fn mark_shown(&self, ids: &[MessageId]) -> Result<(), Error> {
        client::mark_shown(self, ids).await
    }

    /// One message; none if it disappeared.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the id is none.
    pub async fn message(&self, id: &MessageId) -> Result<Option<MessageInfo>, Error> {
        client::message(self, id).await
    }

    /// Sets when messages disappear, in seconds (1 to 4 weeks), none to keep them; the other side is told.
    ///
    /// # Errors
    /// [`Error::BadTimer`], [`Error::NotFound`], [`Error::Blocked`].
    pub async fn set_timer(&self, with: &ContactId, seconds: Option<u32>) -> Result<(), Error> {
        client::set_timer(self, with, seconds).await
    }

    /// Deletes every message with a contact, here only: how many.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_history(&self, with: &ContactId) -> Result<u64, Error> {
        client::delete_history(self, with).await
    }

    /// Sends a text: it is kept when this returns, and goes out as soon as there is a line.
    ///
    /// # Errors
    /// [`Error::IdentityChanged`], [`Error::Blocked`], [`Error::EmptyText`], [`Error::TextTooLong`],
    /// [`Error::TooManyUndelivered`], [`Error::NotFound`].
    pub async fn send(&self, to: &ContactId, text: Words) -> Result<MessageInfo, Error> {
        client::send(self, to, text).await
    }

    /// Waits until a message is at the relay (or further, or failed), at most `patience`: how far it is then.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn wait_sent(&self, id: &MessageId, patience: Duration) -> Result<DeliveryState, Error> {
        client::wait_sent(self, id, patience).await
    }

    /// Up to `max` events after `after`, in order; waits at most `patience` for the first. They stay until
    /// [`Client::acknowledge_events`]: a front end that dies sees them again.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Closed`] once the client is closed.
    pub async fn next_events(&self, after: u64, max: u32, patience: Duration) -> Result<Vec<Event>, Error> {
        client::next_events(self, after, max, patience).await
    }

    /// The front end has every event up to `upto`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn acknowledge_events(&self, upto: u64) -> Result<(), Error> {
        client::acknowledge_events(self, upto).await
    }

    /// What is wrong with the store now.
    #[must_use]
    pub fn trouble(&self) -> StoreTrouble {
        self.driver.trouble()
    }

    /// Waits until what is wrong with the store is something else than what is `known`.
    ///
    /// # Errors
    /// [`Error::Closed`] once the client is closed.
    pub async fn next_trouble(&self, known: StoreTrouble) -> Result<StoreTrouble, Error> {
        Ok(self.driver.next_trouble(known).await?)
    }
}
