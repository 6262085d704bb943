//! Rows of events: what front ends are told, in order, until they say that they have it.

use beresta_proto::time::Timestamp;
use rusqlite::params;

use super::column::{code, time, to_db};
use super::contact::ContactId;
use super::invite::InviteId;
use super::message::MessageRow;
use super::{StoreError, Tx};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Each of them.
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$variant),+];

            pub(super) const fn to_code(self) -> i64 {
                match self { $(Self::$variant => $code,)+ }
            }

            const fn from_code(code: i64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

codes!(
    /// What happened.
    EventKind {
        /// A message arrived.
        MessageArrived = 1,
        /// A message of ours came further: its row says how far.
        MessageChanged = 2,
        /// Somebody accepted an invite of ours, or answered after we accepted theirs.
        Met = 3,
        /// Somebody else tried to use an invite that was used already: the link leaked.
        InviteUsedAgain = 4,
        /// A contact came back with a new key.
        IdentityChanged = 5,
        /// The conversation's timer was changed by the other side.
        TimerChanged = 6,
        /// Another device reads a queue of ours: a copy of this store may be in use.
        TakenOver = 7,
        /// A contact needs something that this version cannot do.
        NeedsNewer = 8,
        /// A relay shows different keys to different people.
        RelayForked = 9,
        /// An invite ended unused.
        InviteEnded = 10,
        /// A message of ours did not arrive in its time, or cannot. Without a message if its text has disappeared.
        NotDelivered = 11,
        /// A contact used an invite of ours that does not name them: they may have lost us.
        InviteNamesAnother = 12,
        /// Somebody whose invite we accepted cannot be met by it: it ended before our first message came.
        NotToBeMet = 13,
        /// Somebody wrote with the key of a contact whose device was seized. Nothing of it was kept.
        SeizedWrote = 14,
        /// The home relay says that it keeps what waits in memory only.
        HomeVolatile = 15,
        /// A contact's queue is gone, and so is ours that they know: neither reaches the other.
        LostEachOther = 16,
    }
);

codes!(
    /// Why something that came in was dropped.
    DropReason {
        /// Not sealed under the queue's key, or padded wrongly.
        Envelope = 1,
        /// The sealed sender's certificate failed a check.
        Certificate = 2,
        /// From somebody who may not write to this queue.
        NotOwner = 3,
        /// The guard or libsignal refused it.
        Decryption = 4,
        /// Too many that failed before it.
        Budget = 5,
        /// The content names other people, or another conversation.
        Misdirected = 6,
        /// The content is malformed or needs a newer version.
        Content = 7,
        /// From a blocked contact.
        Blocked = 8,
        /// A repeat of what was stored before.
        Repeat = 9,
        /// With the key of a contact whose device was seized.
        Seized = 10,
    }
);

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRow {
    /// Its place in the order.
    pub seq: u64,
    /// When, by our clock.
    pub time: Timestamp,
    /// What.
    pub kind: EventKind,
    /// About whom.
    pub contact: Option<ContactId>,
    /// About which message.
    pub message: Option<MessageRow>,
    /// About which invite.
    pub invite: Option<InviteId>,
}

impl Tx<'_> {
    /// Adds an event; its `seq` is ignored. It takes the place of one that says the same and was not acknowledged:
    /// how often something is told is in others' hands, and must not fill the store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn insert_event(&self, event: &EventRow) -> Result<(), StoreError> {
        let (contact, message) = (event.contact.map(|id| id.0), event.message.map(|row| row.0));
        // A message arrives once; and what is told of one was told after its row had its number.
        if event.kind != EventKind::MessageArrived {
            let (since, invite) = (message.unwrap_or(0), event.invite.map(|id| id.0));
            self.run(
                "DELETE FROM event
                 WHERE seq > ?5 AND kind = ?1 AND contact IS ?2 AND message IS ?3 AND invite IS ?4",
                params![event.kind.to_code(), contact, message, invite, since],
            )?;
        }
        self.run(
            "INSERT INTO event (seq, kind, contact, message, invite, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                self.number()?,
                event.kind.to_code(),
                contact,
                message,
                event.invite.map(|id| id.0),
                to_db(event.time),
            ],
        )?;
        Ok(())
    }

    /// Up to `limit` events after `after`, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn events_after(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.query_all(
            "SELECT seq, time, kind, contact, message, invite FROM event
             WHERE seq > ?1 AND (message IS NULL OR EXISTS (SELECT 1 FROM message WHERE id = event.message))
             ORDER BY seq LIMIT ?2",
            params![i64::try_from(after).unwrap_or(i64::MAX), limit],
            |row| {
                Ok(EventRow {
                    seq: row.get("seq")?,
                    time: time(row, "time")?,
                    kind: code(row, "kind", EventKind::from_code)?,
                    contact: row.get::<_, Option<i64>>("contact")?.map(ContactId),
                    message: row.get::<_, Option<i64>>("message")?.map(MessageRow),
                    invite: row.get::<_, Option<i64>>("invite")?.map(InviteId),
                })
            },
        )
    }

    /// Forgets events about messages that are gone. In one look at all of them, with each scrub: an index by which a message
    /// that goes finds its events would be a page more in every message that comes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn forget_stale_events(&self) -> Result<(), StoreError> {
        self.run(
            "DELETE FROM event WHERE message IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM message WHERE id = event.message)",
            [],
        )?;
        Ok(())
    }

    /// Forgets events up to `upto`: the front end has them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn acknowledge_events(&self, upto: u64) -> Result<(), StoreError> {
        self.conn()
            .execute("DELETE FROM event WHERE seq <= ?1", [i64::try_from(upto).unwrap_or(i64::MAX)])?;
        Ok(())
    }

    /// Counts something that was dropped.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn count_dropped(&self, reason: DropReason) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO dropped (reason, count) VALUES (?1, 1)
             ON CONFLICT (reason) DO UPDATE SET count = count + 1",
            [reason.to_code()],
        )?;
        Ok(())
    }

    /// How often what was dropped.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn dropped(&self) -> Result<Vec<(DropReason, u64)>, StoreError> {
        self.query_all("SELECT reason, count FROM dropped ORDER BY reason", [], |row| {
            Ok((code(row, "reason", DropReason::from_code)?, row.get("count")?))
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::store::Store;

    fn event(kind: EventKind, contact: Option<i64>, time: u64) -> EventRow {
        let contact = contact.map(ContactId);
        EventRow { seq: 0, time: Timestamp(time), kind, contact, message: None, invite: None }
    }

    fn store() -> Store {
        Store::open_in_memory(&mut rand_chacha::ChaCha20Rng::seed_from_u64(7)).unwrap()
    }

    #[test]
    fn every_event_is_told_as_what_it_is_until_it_was_acknowledged() {
        let mut store = store();
        let told = store.transaction(|tx| {
            for (time, kind) in (1..).zip(EventKind::ALL) {
                tx.insert_event(&event(*kind, None, time))?;
            }
            let told = tx.events_after(0, 100)?;
            tx.acknowledge_events(told[2].seq)?;
            assert_eq!(tx.events_after(0, 100)?, told[3..]);
            assert_eq!(tx.events_after(told[4].seq, 2)?, told[5..7]);
            Ok::<_, StoreError>(told)
        });
        let told = told.unwrap();
        assert_eq!(told.iter().map(|one| one.kind).collect::<Vec<_>>(), EventKind::ALL);
        assert!(told.is_sorted_by_key(|one| (one.seq, one.time)));
    }

    /// How often something is told is in others' hands.
    #[test]
    fn an_event_that_says_the_same_again_takes_the_place_of_the_one_before() {
        let mut store = store();
        let told = store.transaction(|tx| {
            for time in 1..50 {
                tx.insert_event(&event(EventKind::TakenOver, None, time))?;
            }
            tx.insert_event(&event(EventKind::RelayForked, None, 50))?;
            tx.events_after(0, 100)
        });
        let told: Vec<_> = told.unwrap().into_iter().map(|one| (one.kind, one.time.0)).collect();
        assert_eq!(told, [(EventKind::TakenOver, 49), (EventKind::RelayForked, 50)]);
    }

    #[test]
    fn what_was_dropped_is_counted_by_its_reason() {
        let mut store = store();
        let counted = store.transaction(|tx| {
            for (times, reason) in (1..).zip(DropReason::ALL) {
                (0..times).try_for_each(|_| tx.count_dropped(*reason))?;
            }
            tx.dropped()
        });
        assert_eq!(counted.unwrap(), DropReason::ALL.iter().copied().zip(1..).collect::<Vec<_>>());
    }

    #[test]
    fn a_kind_or_reason_that_is_none_of_ours_means_a_damaged_store() {
        let mut store = store();
        let read = store.transaction(|tx| {
            tx.run("INSERT INTO event (kind, time) VALUES (99, 0)", [])?;
            tx.run("INSERT INTO dropped (reason, count) VALUES (99, 1)", [])?;
            Ok::<_, StoreError>((tx.events_after(0, 1), tx.dropped()))
        });
        assert_eq!(read.unwrap(), (Err(StoreError::Damaged), Err(StoreError::Damaged)));
    }
}
