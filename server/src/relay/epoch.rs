//! The relay's epoch keys: one X-Wing key per day of UTC (rules D7, D8). Made ahead, signed, handed out for a day,
//! destroyed after two. Where the private halves are kept, is the caller's business ([`Epochs::to_bytes`]).

use std::sync::Arc;

use beresta_proto::descriptor::EpochKey;
use beresta_proto::hpke::HpkeError;
use beresta_proto::id::KeyId;
use beresta_proto::key::{BadSigningKey, EpochSecret, SigningKey};
use beresta_proto::limits::EPOCH_AHEAD_HOURS;
use beresta_proto::rng::Random;
use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp};
use zeroize::Zeroizing;

/// Keys that are alive at once: yesterday's, today's and tomorrow's, and one for a clock that is back for some minutes.
const ALIVE: usize = 4;
/// Bytes of a key in its file: day and seed.
const SLOT: usize = 8 + 32;
/// Bytes of the file, the same whatever is in it, so that every write covers the one before. A page, so that no file system keeps
/// it inside its records, which it writes elsewhere.
const FILE: usize = 4_096;
/// The same of earlier versions.
const FILES_BEFORE: [usize; 2] = [ALIVE * SLOT, 3 * SLOT];
/// Hours of a day in which yesterday's key is handed out beside today's, and tomorrow's at the other end.
const BESIDE_HOURS: u64 = EPOCH_AHEAD_HOURS;
/// Until when of a day the next day's key must exist.
const AHEAD_MS: u64 = DAY_MS - BESIDE_HOURS * HOUR_MS;

/// A key could not be made. The signing key is the relay's own, so this does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an epoch key could not be made")]
pub(super) struct BadEpochKey;

impl From<HpkeError> for BadEpochKey {
    fn from(_: HpkeError) -> Self {
        Self
    }
}

impl From<BadSigningKey> for BadEpochKey {
    fn from(_: BadSigningKey) -> Self {
        Self
    }
}

#[derive(Debug)]
struct Epoch {
    key: EpochKey,
    id: KeyId,
    secret: Arc<EpochSecret>,
    /// The state of the file with which it came.
    since: u64,
}

/// The keys that are alive, oldest first.
#[derive(Debug)]
pub(super) struct Epochs {
    signer: SigningKey,
    alive: Vec<Epoch>,
    /// Rises with every change of what is alive.
    state: u64,
    /// The last state that is known to be on the disk.
    kept: u64,
}

impl Epochs {
    /// Takes up the keys of an earlier run, as far as they are of use, and makes what is missing.
    ///
    /// # Errors
    /// [`BadEpochKey`], which does not happen.
    pub(super) fn new(
        signer: SigningKey,
        kept: Option<&[u8]>,
        now: Timestamp,
        rng: &mut impl Random,
    ) -> Result<Self, BadEpochKey> {
        let mut epochs = Self { signer, alive: Vec::with_capacity(ALIVE), state: 0, kept: 0 };
        // A file of another length is no file of ours: fresh keys cost a sender one question.
        if let Some(kept) = kept {
            if kept.len() == FILE || FILES_BEFORE.contains(&kept.len()) {
                for slot in kept.chunks_exact(SLOT).take(ALIVE) {
                    epochs.take_up(slot)?;
                }
            } else if !kept.is_empty() {
                tracing::warn!(
                    "the epoch keys' file is damaged: fresh keys are made, which clients show as others for the same day; if nobody changed it, look after the disk"
                );
            }
        }
        epochs.turn(now, rng)?;
        Ok(epochs)
    }

    fn take_up(&mut self, slot: &[u8]) -> Result<(), BadEpochKey> {
        let (Some(day), Some(kept)) = (slot.first_chunk::<8>(), slot.last_chunk::<32>()) else {
            return Ok(());
        };
        let day = u64::from_be_bytes(*day);
        if day == 0 {
            return Ok(());
        }
        // Copied where it is wiped, and not moved there.
        let mut seed = Zeroizing::new([0; 32]);
        seed.copy_from_slice(kept);
        self.add(day, EpochSecret::take(&mut seed))
    }

    fn add(&mut self, day: u64, secret: EpochSecret) -> Result<(), BadEpochKey> {
        let key = EpochKey::sign(day, secret.public()?, &self.signer)?;
        self.alive.push(Epoch { id: key.id(), key, secret: Arc::new(secret), since: self.state });
        self.alive.sort_by_key(|epoch| epoch.key.day);
        Ok(())
    }

    /// Destroys what has had its time and makes what will be needed: [`Epochs::unkept`] from then on.
    ///
    /// # Errors
    /// [`BadEpochKey`], which does not happen.
    pub(super) fn turn(&mut self, now: Timestamp, rng: &mut impl Random) -> Result<(), BadEpochKey> {
        let before = self.alive.len();
        let today = now.day();
        self.alive.retain(|epoch| now < epoch.key.destroyed());
        let fewer = self.alive.len() != before;
        let next = self.state.saturating_add(1);
        self.state = if fewer { next } else { self.state };
        let ahead = u64::from(now.0 % DAY_MS >= AHEAD_MS);
        for day in today..=today.saturating_add(ahead) {
            let has_slot = day == today || self.alive.len() < ALIVE;
            if has_slot && !self.alive.iter().any(|epoch| epoch.key.day == day) {
                self.state = next;
                self.add(day, EpochSecret::random(rng))?;
            }
        }
        // Those of the latest days go where there is no slot for them.
        self.alive.truncate(ALIVE);
        Ok(())
    }

    /// Destroys keys of a later day than tomorrow: a clock stood wrong when they were made, unless it stands wrong now. So not
    /// before it had some minutes to be set right: a second key for a day looks like an attack (rule D9).
    pub(super) fn forget_later(&mut self, now: Timestamp) {
        let before = self.alive.len();
        self.alive.retain(|epoch| epoch.key.day <= now.day().saturating_add(1));
        if self.alive.len() != before {
            self.state = self.state.saturating_add(1);
        }
    }

    /// The state that is to be written, if it is not known to be on the disk.
    #[must_use]
    pub(super) fn unkept(&self) -> Option<u64> {
        (self.state > self.kept).then_some(self.state)
    }

    /// That state is on the disk.
    pub(super) fn keep(&mut self, state: u64) {
        self.kept = self.kept.max(state);
    }

    /// When [`Epochs::turn`] has something to do again.
    #[must_use]
    pub(super) fn next_turn(&self, now: Timestamp) -> Timestamp {
        let midnight = now.floor(DAY_MS);
        let ahead = midnight.plus(AHEAD_MS);
        if now < ahead { ahead } else { midnight.plus(DAY_MS) }
    }

    /// What is handed out now, oldest first: today's, with tomorrow's in the last hours or yesterday's in the first. Only
    /// what is on the disk: after a crash there would be another key for the day, which looks like an attack (rule D9).
    /// While the fresh key can't be written, the newest that is there serves on; none, if that is destroyed.
    #[must_use]
    pub(super) fn offered(&self, now: Timestamp) -> Vec<EpochKey> {
        let today = now.day();
        let hour = now.0 % DAY_MS / HOUR_MS;
        let first = if hour < BESIDE_HOURS { today.saturating_sub(1) } else { today };
        let last = if now.0 % DAY_MS >= AHEAD_MS { today.saturating_add(1) } else { today };
        let kept = || self.alive.iter().filter(|one| one.since <= self.kept && now < one.key.destroyed());
        let newest = kept().map(|epoch| epoch.key.day).filter(|day| *day <= last).max().unwrap_or(first);
        let offered = kept().filter(|epoch| (first.min(newest)..=last).contains(&epoch.key.day));
        offered.map(|epoch| epoch.key.clone()).collect()
    }

    /// Milliseconds since the beginning of the day of the newest key that is handed out.
    #[must_use]
    pub(super) fn age(&self, now: Timestamp) -> Option<u64> {
        let begun = self.offered(now).iter().map(|key| key.day).filter(|day| *day <= now.day()).max()?;
        Some(now.since(Timestamp(begun.saturating_mul(DAY_MS))))
    }

    /// The private half of the key with this id, while it lives.
    #[must_use]
    pub(super) fn secret(&self, id: KeyId, now: Timestamp) -> Option<Arc<EpochSecret>> {
        let epoch = self.alive.iter().find(|epoch| epoch.id == id && now < epoch.key.destroyed())?;
        Some(Arc::clone(&epoch.secret))
    }

    /// The private halves for their file: always as many bytes.
    #[must_use]
    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(vec![0; FILE]);
        for (slot, epoch) in bytes.chunks_exact_mut(SLOT).zip(&self.alive) {
            let (day, seed) = slot.split_at_mut(8);
            day.copy_from_slice(&epoch.key.day.to_be_bytes());
            seed.copy_from_slice(epoch.secret.expose());
        }
        bytes
    }
}

#[cfg(test)]
mod tests;
