//! The alert: what is said to some contacts when the profile is destroyed (decision 0015).
//!
//! Whoever destroys a profile waits for nothing, and nothing of it can be read or written after that. So what is to be said
//! lies ready in memory, sealed, for as long as the profile is open. It takes the key of the next message to each contact,
//! and the store goes on as if it had not: whenever a conversation has moved, it is made anew before anything else is
//! done, and it leaves only where the profile is gone. So no key seals two texts that both leave (rule S13).

use beresta_proto::address::RelayAddress;
use beresta_proto::capsule::Session;
use beresta_proto::command::Command;
use beresta_proto::content::Body;
use beresta_proto::descriptor::EpochKey;
use beresta_proto::id::ContentId;
use beresta_proto::time::{MINUTE_MS, Timestamp, TtlClass};
use beresta_proto::words::Words;

use super::compose::{ComposeError, Draft, Turn, peer, unless_refused};
use super::effect::LinkUp;
use super::outbox::order;
use super::wish::SendRefused;
use super::{Engine, epochs};
use crate::crypto;
use crate::rng::Rng;
use crate::store::contact::{Contact, ContactId};
use crate::store::outbox::Outgoing;
use crate::store::queue::PeerQueue;
use crate::store::{Store, StoreError, Tx};

/// Contacts see when it was sent, which is when it was made: it must not be much older than that.
const FRESH_MS: u64 = MINUTE_MS;

/// What lies ready.
#[derive(Debug, Default)]
pub(super) struct Alert {
    /// Whether there is one; none if the store was not asked yet.
    is_set: Option<bool>,
    ready: Vec<Ready>,
}

/// The alert to one contact, sealed.
#[derive(Debug)]
struct Ready {
    contact: ContactId,
    basis: Basis,
    made: Timestamp,
    message: AlertMessage,
}

/// What it was made from. With another one it is made anew.
#[derive(Debug, PartialEq, Eq)]
struct Basis {
    session: [u8; 32],
    queue: i64,
    timer: Option<u32>,
}

/// A sealed alert to one contact, with all that it takes to say it without a store.
#[derive(Debug)]
pub struct AlertMessage {
    relay: RelayAddress,
    own: usize,
    known_sequence: u64,
    epoch_day: u64,
    queue: PeerQueue,
    outgoing: Outgoing,
    capsule: Option<Command>,
}

impl AlertMessage {
    /// The relay where it goes, and where to try it.
    #[must_use]
    pub const fn relay(&self) -> &RelayAddress {
        &self.relay
    }

    /// How many of its routes the person gave or the relay signed.
    #[must_use]
    pub const fn own_routes(&self) -> usize {
        self.own
    }

    /// The sequence number of the newest descriptor known: an older one is refused.
    #[must_use]
    pub const fn known_sequence(&self) -> u64 {
        self.known_sequence
    }

    /// The command for the link that was up when the profile went.
    pub const fn take_command(&mut self) -> Option<Command> {
        self.capsule.take()
    }

    /// The command for a link that came up since; none where its relay hands out keys that it may not (rules D7 and D8).
    #[must_use]
    pub fn command(&self, link: &LinkUp, rng: &mut Rng) -> Option<Command> {
        let keys = link.descriptor.epoch_keys(link.epoch_keys.clone(), link.clock).ok()?;
        let epoch: &EpochKey = epochs::newest(&keys, link.clock).filter(|key| key.day >= self.epoch_day)?;
        let mut session = Session::new(self.relay.relay, epoch.public.clone(), rng);
        let (capsule, _) = session.seal(&order(&self.queue, &self.outgoing), rng).ok()?;
        Some(Command::Send { capsule })
    }
}

impl Engine {
    /// Keeps what is said to these contacts when the profile is destroyed.
    ///
    /// # Errors
    /// [`SendRefused`]: nothing was kept.
    pub fn set_alert(
        &mut self,
        store: &mut Store,
        text: &Words,
        to: &[ContactId],
        now: Timestamp,
    ) -> Result<(), SendRefused> {
        self.alert = Alert::default();
        self.wish(store, now, |_, tx| {
            if text.trim().is_empty() {
                return Err(SendRefused::Empty);
            }
            if text.len() > beresta_proto::limits::TEXT_BYTES {
                return Err(ComposeError::TooLong.into());
            }
            for contact in to {
                if tx.contact(*contact)?.state.is_shut() {
                    return Err(SendRefused::Blocked);
                }
            }
            Ok(tx.set_alert(text, to)?)
        })
    }

    /// Removes the alert: false if there was none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remove_alert(&mut self, store: &mut Store, now: Timestamp) -> Result<bool, StoreError> {
        self.alert = Alert::default();
        self.wish(store, now, |_, tx| tx.remove_alert())
    }

    /// Makes ready what is not, or not any more. To be called after every step, before the next: what a step has moved must
    /// not leave as it was made before.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is ready then.
    pub fn ready_alert(&mut self, store: &mut Store, now: Timestamp) -> Result<(), StoreError> {
        if self.alert.is_set == Some(false) {
            return Ok(());
        }
        let before = std::mem::take(&mut self.alert).ready;
        self.alert = store.transaction(|tx| self.make_ready(tx, before, now))?;
        Ok(())
    }

    /// To whom the alert would go now.
    #[must_use]
    pub fn alert_ready(&self) -> Vec<ContactId> {
        self.alert.ready.iter().map(|one| one.contact).collect()
    }

    /// What is to be said, for who has seen that the profile is gone. What comes by a link that is up is in its capsule.
    pub fn take_alert(&mut self, now: Timestamp) -> Vec<AlertMessage> {
        let ready = std::mem::take(&mut self.alert).ready;
        let mut messages: Vec<AlertMessage> = ready.into_iter().map(|one| one.message).collect();
        for one in &mut messages {
            one.capsule = self.capsule(&one.queue, &one.outgoing, now).map(|(command, _)| command);
        }
        messages
    }

    fn make_ready(
        &mut self,
        tx: &Tx<'_>,
        mut before: Vec<Ready>,
        now: Timestamp,
    ) -> Result<Alert, StoreError> {
        let to = tx.alert_contacts()?;
        if to.is_empty() {
            return Ok(Alert { is_set: Some(false), ready: Vec::new() });
        }
        let mut ready = Vec::new();
        let mut text = None;
        for id in to {
            let contact = tx.contact(id)?;
            let Some(basis) = basis(tx, &contact)? else { continue };
            // A clock that was set back makes it anew, too.
            let holds = |one: &Ready| one.basis == basis && one.made <= now && now.since(one.made) < FRESH_MS;
            let old = before.iter().position(|one| one.contact == id).map(|at| before.swap_remove(at));
            if let Some(old) = old.filter(holds) {
                ready.push(old);
                continue;
            }
            if text.is_none() {
                text = tx.alert_text()?;
            }
            let Some(text) = &text else { break };
            // Else nothing can be said to them now.
            if let Some(message) = unless_refused(self.seal_alert(tx, &contact, text, now))? {
                ready.push(Ready { contact: id, basis, made: now, message });
            }
        }
        Ok(Alert { is_set: Some(true), ready })
    }

    fn seal_alert(
        &mut self,
        tx: &Tx<'_>,
        contact: &Contact,
        text: &Words,
        now: Timestamp,
    ) -> Result<AlertMessage, ComposeError> {
        let draft = Draft {
            contact,
            id: ContentId::random(&mut self.rng),
            body: Body::Text(text.clone()),
            timer: contact.timer,
            ttl: TtlClass::ThreeWeeks,
            message: None,
            said: None,
        };
        let outgoing = self.seal(tx, draft, Turn::Last, now)?;
        let queue = tx.peer_queue(contact.id)?.ok_or(ComposeError::NoAddress)?;
        let relay = queue.address.relay.relay;
        let known = tx.relay(&relay)?;
        let (routes, own) = self.routes(tx, relay, 0)?;
        Ok(AlertMessage {
            relay: RelayAddress { relay, routes },
            own,
            known_sequence: known.as_ref().map_or(0, |known| known.sequence),
            epoch_day: known.map_or(0, |known| known.epoch_day),
            queue,
            outgoing,
            capsule: None,
        })
    }
}

/// None if nothing can be said to the contact now.
fn basis(tx: &Tx<'_>, contact: &Contact) -> Result<Option<Basis>, StoreError> {
    if contact.state.is_shut() || contact.identity_changed {
        return Ok(None);
    }
    let (session, queue) = (crypto::session_hash(tx, &peer(contact))?, tx.peer_queue(contact.id)?);
    let timer = contact.timer.seconds;
    Ok(session.zip(queue).map(|(session, queue)| Basis { session, queue: queue.id.0, timer }))
}
