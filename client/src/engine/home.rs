//! The home relay, where our queues are made, and leaving the one before.
//!
//! Contacts are told of their fresh queues where they can be written to; who has their own queue at a relay that is gone
//! can be told nothing, and is met again by an invite. What contacts wrote before they heard of it comes by the old
//! queues, which are read on for a while. Not for ever: a relay that was seized would see our address at each dial. But for as
//! long as the new home makes no queues the old ones are all that a contact knows (`leave`).

use beresta_proto::address::RelayAddress;
use beresta_proto::credit::CreditCode;
use beresta_proto::id::RelayId;
use beresta_proto::reply::Refusal;
use beresta_proto::time::{Timestamp, TtlClass};

use super::Engine;
use crate::store::contact::ContactId;
use crate::store::queue::OwnQueue;
use crate::store::{Store, StoreError};

/// How long queues at the home before are read: as long as a contact's relay keeps our word of the fresh one.
pub(super) const MOVING_MS: u64 = TtlClass::ThreeWeeks.millis();

impl Engine {
    /// Keeps what a relay makes our queues for (rule Q2), in place of what was kept before. It may be home later.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_credit(
        &mut self,
        store: &mut Store,
        code: &CreditCode,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.wish(store, now, |engine, tx| {
            tx.set_credit(&code.relay, &code.credit)?;
            engine.unmade.clear();
            Ok(())
        })
    }

    /// Takes another relay as home. New invites lead there, and every contact gets a queue there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_home(
        &mut self,
        store: &mut Store,
        home: &RelayAddress,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.wish(store, now, |engine, tx| {
            let before = tx.profile()?.home.map(|home| home.relay);
            tx.set_home(home)?;
            if before.is_none_or(|before| before == home.relay) {
                // The same one, at another address.
                return Ok(());
            }
            for mut contact in tx.contacts()? {
                if !contact.state.is_shut() {
                    contact.needs_queue = true;
                    tx.update_contact(&contact)?;
                }
            }
            let end = engine.later_clock(tx, now)?.plus(MOVING_MS);
            let older = |queue: &OwnQueue| queue.contact.is_some() && queue.retire.is_none();
            for mut queue in tx.own_queues()?.into_iter().filter(older) {
                queue.retire = Some(end);
                tx.update_own_queue(&queue)?;
            }
            // It is the person's word, and no relay's.
            engine.fresh.clear();
            engine.prompted.clear();
            engine.unmade.clear();
            Ok(())
        })
    }

    /// Why `home` made no queue for one of these contacts when it was last asked for one; none where it made it since, or was
    /// not asked yet.
    #[must_use]
    pub fn queue_refusal(&self, home: &RelayId, needing: &[ContactId]) -> Option<Refusal> {
        let refused = needing.iter().filter_map(|contact| self.unmade.get(contact));
        refused.filter(|(relay, _)| relay == home).map(|(_, refusal)| *refusal).next_back()
    }
}
