//! A relay's epoch keys: asked for, and checked in one place, however they came (rules D7, D8 and D10).

use beresta_proto::command::Command;
use beresta_proto::descriptor::{Descriptor, DescriptorError, EpochKey, Policy, UnverifiedDescriptor};
use beresta_proto::id::RelayId;
use beresta_proto::time::{MINUTE_MS, Timestamp};

use super::Engine;
use super::line::{Flight, Line, Up};
use crate::store::event::EventKind;
use crate::store::profile::KnownRelay;
use crate::store::{StoreError, Tx};

/// Epoch keys are asked for at most this often once the newest has ended; and where a capsule did not open, or our clock
/// jumped.
const REFRESH_MS: u64 = 5 * MINUTE_MS;
const UNOPENABLE_MS: u64 = MINUTE_MS;

impl Up {
    /// The relay's clock now, as far as ours can tell.
    pub(super) const fn relay_now(&self, now: Timestamp) -> Timestamp {
        self.clock.plus(now.since(self.since))
    }

    /// The epoch key to seal to: the newest that has begun by the relay's own clock, for ours may be wrong by days.
    pub(super) fn epoch_key(&self, now: Timestamp) -> Option<&EpochKey> {
        newest(&self.epoch_keys, self.relay_now(now))
    }

    /// Whether the newest key has ended, so that new ones should be fetched. Until they come, the old one still opens.
    fn wants_keys(&self, now: Timestamp) -> bool {
        let newest = self.epoch_keys.iter().max_by_key(|key| key.day);
        newest.is_none_or(|key| key.ends() <= self.relay_now(now))
    }

    /// Whether the keys were not asked for within `pause`. A clock that was set back asks at once.
    fn may_ask(&self, pause: u64, now: Timestamp) -> bool {
        (now < self.keys_asked || now.since(self.keys_asked) >= pause)
            && !self.any(|flight| matches!(flight, Flight::Refresh))
    }
}

/// The newest key that has begun by the relay's clock.
pub(super) fn newest(keys: &[EpochKey], relay_now: Timestamp) -> Option<&EpochKey> {
    keys.iter().filter(|key| key.begins() <= relay_now).max_by_key(|key| key.day)
}

impl Engine {
    /// Keeps what a relay says of itself by a checked descriptor. That the home one forgets with a restart is told once, when it
    /// says so first.
    pub(super) fn described(
        &mut self,
        tx: &Tx<'_>,
        descriptor: &Descriptor,
        now: Timestamp,
    ) -> Result<RelayId, StoreError> {
        let signed = descriptor.address();
        let (relay, sequence) = (signed.relay, descriptor.sequence);
        let address = (!signed.routes.is_empty()).then_some(signed);
        let volatile = descriptor.policy.has(Policy::VOLATILE);
        let news = volatile && !tx.relay(&relay)?.is_some_and(|known| known.volatile);
        tx.put_relay(&KnownRelay { relay, address, sequence, epoch_day: 0, volatile })?;
        if news && tx.profile()?.home.is_some_and(|home| home.relay == relay) {
            self.event(tx, EventKind::HomeVolatile, None, now)?;
        }
        Ok(relay)
    }

    /// Asks for keys where the newest has ended, and for the clock, which comes with them, where it has to be heard.
    pub(super) fn progress_keys(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if matches!(self.lines.get(&relay), Some(Line::Up(up)) if up.wants_keys(now)) {
            self.ask_keys(relay, REFRESH_MS, now);
        } else if self.clock.is_unknown() && tx.profile()?.home.is_some_and(|home| home.relay == relay) {
            self.ask_keys(relay, UNOPENABLE_MS, now);
        }
        Ok(())
    }

    /// A capsule did not open: the relay lost the key, or it ended, or the relay lies, and may do so as often as it
    /// likes.
    pub(super) fn unopenable(&mut self, relay: RelayId, now: Timestamp) {
        self.ask_keys(relay, UNOPENABLE_MS, now);
    }

    fn ask_keys(&mut self, relay: RelayId, pause: u64, now: Timestamp) {
        if let Some(Line::Up(up)) = self.lines.get_mut(&relay)
            && up.may_ask(pause, now)
        {
            up.keys_asked = now;
            self.transmit(relay, Command::Descriptor, Flight::Refresh);
        }
    }

    /// Takes a descriptor that its relay shows while the link stands (rule D6), by the same checks as at its beginning, and
    /// a renewed one in place of the one before. Whether the link may stand: a descriptor that is over by our own clock
    /// ends it only once that may end things, or a clock that jumped would.
    pub(super) fn take_renewed(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        descriptor: &[u8],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let may_end = self.clock.may_end();
        let Some(Line::Up(up)) = self.lines.get_mut(&relay) else { return Ok(true) };
        let Some(known) = tx.relay(&relay)? else { return Ok(true) };
        let Ok(unverified) = UnverifiedDescriptor::decode(descriptor) else { return Ok(false) };
        match unverified.verify(&relay, &up.descriptor.tls_key, known.sequence, now) {
            // With one number a relay signs one descriptor (rule D2).
            Ok(shown) if shown.sequence > up.descriptor.sequence => {
                self.described(tx, &shown, now)?;
                if let Some(Line::Up(up)) = self.lines.get_mut(&relay) {
                    up.descriptor = shown;
                }
                Ok(true)
            }
            Ok(_) => Ok(true),
            Err(DescriptorError::Stale) => Ok(!may_end),
            Err(
                DescriptorError::OtherRelay
                | DescriptorError::Forged
                | DescriptorError::OtherTlsKey
                | DescriptorError::Superseded,
            ) => Ok(false),
        }
    }

    /// Takes the keys that a relay handed out with its `clock`, at the beginning of a link or later. What it may not say is
    /// not taken: keys from before still open, and without any there is no sending, while reading goes on.
    pub(super) fn take_keys(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        epoch_keys: Vec<EpochKey>,
        clock: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(Line::Up(up)) = self.lines.get_mut(&relay) else { return Ok(()) };
        let Some(known) = tx.relay(&relay)? else { return Ok(()) };
        let Ok(epoch_keys) = up.descriptor.epoch_keys(epoch_keys, clock) else { return Ok(()) };
        let begun = epoch_keys.iter().filter(|key| key.begins() <= clock).map(|key| key.day).max();
        // A relay that is seized today must not bring senders back to a day whose key was copied before.
        let Some(day) = begun.filter(|day| *day >= known.epoch_day) else { return Ok(()) };
        let before = up.epoch_key(now).map(EpochKey::id);
        up.epoch_keys = epoch_keys;
        up.clock = clock;
        up.since = now;
        // Never further than our own clock: a relay whose clock ran ahead for an hour must not lock itself out.
        let epoch_day = day.min(now.day());
        tx.put_relay(&KnownRelay { epoch_day, ..known })?;
        // With the key as it was, what did not open before would not open now.
        if up.epoch_key(now).map(EpochKey::id) == before {
            return Ok(());
        }
        tx.hurry_relay(&relay, now)
    }
}
