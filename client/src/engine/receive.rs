//! From a push to what a person sees (rules E1 to E12, S5 to S8, I5, I6).
//!
//! ```text
//! Deliver ─► our queue? ─► envelope opens under its K_q ─► sealed sender opens ─► contact looked up by KEY
//!   ─► owner of the queue? ─► guard, certificate, libsignal ─► content names us both and the conversation
//!   ─► row, receipt, event ─── commit ─── ► acknowledgement
//! ```
//! What fails any step up to libsignal's is dropped, and no ratchet moved; what fails a later one keeps a contact's ratchet
//! where it moved to, and takes a stranger's back. The reason is counted, and the push is acknowledged so that it does not
//! come again. A failure of the store is no such step: nothing of what came together is acknowledged, and all comes again.

use std::collections::BTreeMap;

use beresta_proto::command::Command;
use beresta_proto::content::{Body, Content, ContentError, Timer};
use beresta_proto::envelope::Envelope;
use beresta_proto::id::{ReadId, RelayId};
use beresta_proto::limits::TIMER_DEFAULT_SECS;
use beresta_proto::reply::Push;
use beresta_proto::time::{SECOND_MS, Timestamp};

use super::Engine;
use super::compose::peer;
use super::invite::is_open;
use super::line::{Flight, Line};
use crate::crypto::{self, Expected, Opened, Way};
use crate::store::contact::{Contact, ContactId, ContactState};
use crate::store::event::{DropReason, EventKind};
use crate::store::invite::Invite;
use crate::store::queue::{OwnQueue, OwnQueueState};
use crate::store::{Store, StoreError, Tx};

mod body;
mod prompted;
mod refused;

use refused::{Refused, Tell, dropped, seized};

/// Messages that a driver hands over at once at the most: half of the small ones that a relay lets come before it wants an
/// acknowledgement (rule Q6), so that the next are on their way while these are stored.
pub const TOGETHER: usize = 16;

/// Who a sealed message is from, as far as its certificate and its queue say.
enum Sender {
    Known(Contact),
    /// Somebody who uses an invite of ours; a contact who comes back, or whose invite we are using too.
    Accepting(Invite, Option<Contact>),
}

/// What a contact may make us compute is counted for each queue (rule S7): a relay that we left must not cost what comes by
/// another. Those that are being deleted count as one: a relay that deletes none makes them many.
pub(super) fn way(own: &OwnQueue) -> Way {
    Way(if own.state == OwnQueueState::Leaving { [0; 24] } else { own.read_id.0 })
}

impl Engine {
    /// A relay pushed something: what came together is stored in one commit, and each queue is then acknowledged once.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was stored and nothing is acknowledged.
    pub fn handle_pushes(
        &mut self,
        store: &mut Store,
        relay: RelayId,
        pushes: impl IntoIterator<Item = Push>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.step(store, now, |engine, tx| {
            let mut safe = BTreeMap::new();
            for push in pushes {
                match push {
                    Push::Deliver { queue, sequence, envelope } => {
                        if engine.deliver(tx, relay, queue, &envelope, now)? {
                            let upto = safe.entry(queue).or_insert(sequence);
                            *upto = sequence.max(*upto);
                        }
                    }
                    Push::TakenOver { queues } => {
                        for queue in queues {
                            engine.taken_over(tx, relay, queue, now)?;
                        }
                    }
                    Push::Drained { queue } => engine.drained(tx, relay, queue, now)?,
                    Push::CaughtUp { subscribed } => engine.caught_up(tx, relay, subscribed, now)?,
                    Push::GoAway { reconnect_after } => {
                        if let Some(Line::Up(up)) = engine.lines.get_mut(&relay) {
                            up.away = Some(u64::from(reconnect_after).saturating_mul(SECOND_MS));
                        }
                    }
                }
            }
            for (queue, upto) in safe {
                engine.acknowledge(relay, queue, upto);
            }
            Ok(())
        })
    }

    /// Whether it came by a queue of ours. What did not is not acknowledged: a relay that names queues without end would
    /// have us say as much, and keep for each what it refuses.
    fn deliver(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        queue: ReadId,
        envelope: &Envelope,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(own) = tx.own_queue(&relay, &queue)? else {
            tx.count_dropped(DropReason::NotOwner)?;
            return Ok(false);
        };
        match self.store_message(tx, own, envelope, now) {
            Ok(()) => {}
            Err(Refused::Drop { reason, tell }) => {
                tx.count_dropped(reason)?;
                if let Some(Tell { kind, contact }) = tell {
                    self.event(tx, kind, contact, now)?;
                }
            }
            Err(Refused::Store(error)) => return Err(error),
        }
        Ok(true)
    }

    /// Says that everything in a queue up to `upto` is safe. It takes the place of what was refused before.
    pub(super) fn acknowledge(&mut self, relay: RelayId, queue: ReadId, upto: u64) {
        if let Some(Line::Up(up)) = self.lines.get_mut(&relay) {
            up.unacknowledged.remove(&queue);
        }
        self.transmit(relay, Command::Acknowledge { queue, upto }, Flight::Acknowledge { queue, upto });
    }

    fn store_message(
        &mut self,
        tx: &Tx<'_>,
        own: OwnQueue,
        envelope: &Envelope,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let sealed = envelope.open(&own.envelope).map_err(|_| dropped(DropReason::Envelope))?;
        let opened = crypto::open_seal(tx, &sealed)?;
        let sender = Self::sender(tx, &own, &opened)?;
        match sender {
            Sender::Known(contact) => self.contact_says(tx, &own, contact, &opened, now),
            // Whoever says what does not fit has not used the invite.
            Sender::Accepting(invite, known) => {
                let handle =
                    known.as_ref().map_or(crypto::Handle(invite.stranger.0), |known| peer(known).handle);
                let way = way(&own);
                let said = tx.all_or_nothing(|| self.accepting_says(tx, own, invite, known, &opened, now));
                if said.as_ref().is_err_and(Refused::was_tried) {
                    // What was taken back took along what it cost, which must stay paid (rule S7).
                    crypto::count_failure(tx, handle, way, now)?;
                }
                said
            }
        }
    }

    /// Who may have written this, by the certificate's key and the queue it came on (rules S6 and I6).
    fn sender(tx: &Tx<'_>, own: &OwnQueue, opened: &Opened) -> Result<Sender, Refused> {
        let known = tx.contact_by_identity(opened.sender())?;
        match (own.contact, known) {
            (Some(owner), Some(contact)) if contact.id == owner => match contact.state {
                ContactState::Blocked => Err(dropped(DropReason::Blocked)),
                ContactState::Seized => Err(seized(&contact)),
                ContactState::Meeting | ContactState::Active => Ok(Sender::Known(contact)),
            },
            // Somebody else on a queue that has an owner. On an invite queue this means that the link leaked.
            (Some(owner), _) => Err(Refused::Drop {
                reason: DropReason::NotOwner,
                tell: own.invite.map(|_| Tell { kind: EventKind::InviteUsedAgain, contact: Some(owner) }),
            }),
            (None, known) => {
                let invite = own.invite.ok_or_else(|| dropped(DropReason::NotOwner))?;
                let invite = match tx.invite(invite) {
                    Err(StoreError::NotFound) => return Err(dropped(DropReason::NotOwner)),
                    other => other?,
                };
                if !is_open(&invite, own) {
                    return Err(dropped(DropReason::NotOwner));
                }
                if let Some(known) = &known {
                    Self::may_come_back(tx, own, &invite, known)?;
                }
                Ok(Sender::Accepting(invite, known))
            }
        }
    }

    /// Whether a contact may use an invite of ours: one that names them (rule I10), or where two use each other's at once:
    /// one of the two must hold, and both must mean the same one (rule I8).
    fn may_come_back(tx: &Tx<'_>, own: &OwnQueue, invite: &Invite, known: &Contact) -> Result<(), Refused> {
        let named = invite.renews == Some(known.id);
        let (may, at_once) = match known.state {
            ContactState::Blocked => return Err(dropped(DropReason::Blocked)),
            ContactState::Seized => return Err(seized(known)),
            ContactState::Active => (named, false),
            ContactState::Meeting => {
                // Ours holds also where theirs ended meanwhile.
                let ours_holds =
                    tx.profile()?.account < known.identity.account_id() || tx.peer_queue(known.id)?.is_none();
                // We accepted theirs first, and made this one since.
                let since = tx.queues_of(known.id)?.iter().all(|one| one.id < own.id);
                (ours_holds || (named && since), !since)
            }
        };
        if may {
            return Ok(());
        }
        let tell = Tell { kind: EventKind::InviteNamesAnother, contact: Some(known.id) };
        Err(Refused::Drop { reason: DropReason::NotOwner, tell: (!at_once).then_some(tell) })
    }

    fn contact_says(
        &mut self,
        tx: &Tx<'_>,
        own: &OwnQueue,
        mut contact: Contact,
        opened: &Opened,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let peer = peer(&contact);
        let clocks = self.reading_clocks(now);
        let decrypted = crypto::decrypt(
            tx,
            opened,
            Expected::Pinned(&peer),
            way(own),
            &mut self.vouched,
            clocks,
            &mut self.rng,
        )?;
        // A new chain of ours begins at 0. What comes on one that they wrote by before turns nothing, and must not have us seal again
        // and again (rule S9).
        if super::compose::sent_ahead(tx, &peer)? == Some(0) {
            tx.heard_past_long(contact.id)?;
        }
        let content = Self::content(&decrypted.plaintext, Some(contact.id))?;
        Self::check_route(tx, &content, &contact)?;
        self.prompted.remove(&contact.id);
        self.notice_epoch(tx, own, &content, &contact, now)?;
        self.merge_timer(tx, &mut contact, &content, now)?;
        Self::heard_by(tx, own)?;
        self.retire_older(tx, own, contact.id, now)?;
        let moved = matches!(content.body, Body::Meeting { .. });
        self.body(tx, &mut contact, content, now)?;
        if moved && own.retire.is_some() {
            self.tell_again(tx, &contact, now)?;
        }
        Ok(())
    }

    fn accepting_says(
        &mut self,
        tx: &Tx<'_>,
        own: OwnQueue,
        invite: Invite,
        known: Option<Contact>,
        opened: &Opened,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let pinned = known.as_ref().map(peer);
        let expected = match &pinned {
            Some(peer) => Expected::Pinned(peer),
            None => Expected::Stranger { handle: crypto::Handle(invite.stranger.0) },
        };
        // The sessions before are over (rules I8, I10), on the other side too: libsignal would go back to one of them with the
        // first message of it that came late, and what we said from then on could be read by nobody.
        if let Some(peer) = &pinned {
            crypto::end_sessions(tx, peer)?;
        }
        let clocks = self.reading_clocks(now);
        let decrypted =
            crypto::decrypt(tx, opened, expected, way(&own), &mut self.vouched, clocks, &mut self.rng)?;
        let content = Self::content(&decrypted.plaintext, known.as_ref().map(|known| known.id))?;
        let Body::Meeting { name, addresses } = content.body.clone() else {
            return Err(dropped(DropReason::Content));
        };
        let (conversation, renews) = (invite.conversation, invite.renews);
        let fresh = match known {
            Some(known) => Contact { conversation, state: ContactState::Active, needs_queue: true, ..known },
            None => Contact {
                id: ContactId(0),
                handle: invite.stranger,
                identity: decrypted.peer.identity,
                device: decrypted.peer.device,
                conversation,
                name: if invite.name.is_empty() { name } else { invite.name.clone() },
                state: ContactState::Active,
                verified: false,
                identity_changed: false,
                needs_queue: true,
                timer: Timer { seconds: Some(TIMER_DEFAULT_SECS), version: 0 },
                probed: Timestamp(0),
            },
        };
        Self::check_route(tx, &content, &fresh)?;
        let mut contact = match pinned {
            Some(_) if renews == Some(fresh.id) => {
                Self::begin_anew(tx, fresh.id)?;
                fresh
            }
            Some(_) => {
                Self::unsay(tx, fresh.id)?;
                fresh
            }
            None => self.keep_contact(tx, fresh, renews, now)?,
        };
        self.met_by_invite(tx, own, invite, &contact, now)?;
        self.merge_timer(tx, &mut contact, &content, now)?;
        tx.replace_peer_queues(contact.id, &addresses)?;
        if pinned.is_some() {
            self.say_again(tx, &contact, now)?;
        }
        Ok(())
    }

    fn content(plain: &[u8], contact: Option<ContactId>) -> Result<Content, Refused> {
        Content::decode(plain).map_err(|error| Refused::Drop {
            reason: DropReason::Content,
            tell: matches!(error, ContentError::NeedsNewer)
                .then_some(Tell { kind: EventKind::NeedsNewer, contact }),
        })
    }

    /// The content's own words: from this contact, to us, in this conversation (rule E7).
    fn check_route(tx: &Tx<'_>, content: &Content, contact: &Contact) -> Result<(), Refused> {
        let route = &content.route;
        let ours = tx.profile()?.account;
        let fits = route.from == contact.identity.account_id()
            && route.from_device == contact.device
            && route.to == ours
            && route.to_device == beresta_proto::id::Device::FIRST
            && route.conversation == contact.conversation;
        if fits { Ok(()) } else { Err(dropped(DropReason::Misdirected)) }
    }

    /// The sender saw an epoch key of our relay: it should be the one that we see (rule D9).
    fn notice_epoch(
        &mut self,
        tx: &Tx<'_>,
        own: &OwnQueue,
        content: &Content,
        contact: &Contact,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(seen) = content.seen_epoch else { return Ok(()) };
        let Some(Line::Up(up)) = self.lines.get(&own.relay) else { return Ok(()) };
        let forked = up.epoch_keys.iter().any(|key| key.day == seen.day && key.id() != seen.key);
        if forked { self.event(tx, EventKind::RelayForked, Some(contact.id), now) } else { Ok(()) }
    }

    /// A relay does not know a queue of ours any more.
    pub(super) fn queue_lost(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        queue: ReadId,
    ) -> Result<(), StoreError> {
        let Some(own) = tx.own_queue(&relay, &queue)? else { return Ok(()) };
        tx.delete_own_queue(own.id)?;
        if let Some(invite) = own.invite
            && own.contact.is_none()
        {
            self.invite_over(tx, invite, self.last)?;
        }
        if let Some(contact) = own.contact {
            let mut contact = tx.contact(contact)?;
            let left = tx.queues_of(contact.id)?;
            if !left.iter().any(OwnQueue::stays) {
                contact.needs_queue = true;
                tx.update_contact(&contact)?;
            } else if own.is_known() && !left.iter().any(OwnQueue::is_known) {
                // The word of the one that is left may be lost with theirs at that relay. Said again, it shows whether it is. A relay
                // can't have it said on and on: none is known again until they are heard.
                self.tell_again(tx, &contact, self.last)?;
            }
        }
        Ok(())
    }
}
