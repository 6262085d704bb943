//! The descriptor while the relay runs: `init` writes a renewed one beside it, and a relay that went on with the old
//! one would be refused by every client once that ended.

use std::path::Path;

use beresta_proto::descriptor::{Descriptor, UnverifiedDescriptor, relay_id};
use beresta_proto::time::{DAY_MS, Timestamp};

use super::config::Config;
use crate::home::{Home, Name};

/// Days before its end from which on the operator is reminded to renew a descriptor. Whoever looks once a month, as the guide
/// asks, sees that in time.
pub const RENEW_DAYS: u64 = 35;

/// A descriptor that should be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It ends in less than [`RENEW_DAYS`].
    Soon,
    /// It has ended, and clients refuse the relay.
    Over,
}

/// The descriptor that runs, and the file in which a renewed one appears.
#[derive(Debug)]
pub struct Renewal {
    home: Home,
    running: Descriptor,
    /// What holds for the relay that runs, whatever its descriptor says.
    config: Config,
    /// The last one that was left for settings that hold only after a restart.
    left: u64,
    /// The day of the last reminder.
    reminded: u64,
}

impl Renewal {
    /// Looks into the folder `dir` of the relay that runs with this descriptor and these settings.
    #[must_use]
    pub fn new(dir: &Path, running: Descriptor, config: Config) -> Self {
        Self { home: Home::at(dir), running, config, left: 0, reminded: 0 }
    }

    /// The signed descriptor in the folder, if it is newer than the one that runs, valid, of the same keys, and says what
    /// holds. It counts as running from then on. Anything else is left alone: half of a relay must not be taken up, and
    /// nobody told of settings that hold only after a restart (rule D2), or where nobody listens yet.
    pub fn look(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        let Ok(signed) = self.home.read(Name::Descriptor) else {
            tracing::warn!("the descriptor in the relay's folder cannot be read: look by doctor who owns it");
            return None;
        };
        let signed = signed.to_vec();
        let next = self.running.sequence.saturating_add(1);
        let heard = UnverifiedDescriptor::decode(&signed).ok()?;
        let relay = relay_id(&self.running.identity);
        let renewed = heard.verify(&relay, &self.running.tls_key, next, now).ok()?;
        if renewed.epoch_signer != self.running.epoch_signer {
            return None;
        }
        // Another place to listen may be why it was signed anew. Settings that can't be read say nothing of that.
        let moves = || Config::read(&self.home).is_ok_and(|next| next.listen != self.config.listen);
        if renewed.policy != self.config.policy() || moves() {
            if core::mem::replace(&mut self.left, renewed.sequence) != renewed.sequence {
                tracing::warn!(
                    "a newer descriptor is taken up with the settings beside it: restart the relay"
                );
            }
            return None;
        }
        self.running = renewed;
        Some(signed)
    }

    /// What the operator should hear of the descriptor's end: at most once a day.
    pub fn due(&mut self, now: Timestamp) -> Option<Due> {
        let left = self.running.not_after.since(now);
        if left >= RENEW_DAYS * DAY_MS || self.reminded == now.day() {
            return None;
        }
        self.reminded = now.day();
        Some(if left > 0 { Due::Soon } else { Due::Over })
    }
}

#[cfg(test)]
mod tests {
    use beresta_proto::key::SigningKey;

    use super::*;
    use crate::random::SystemRandom;
    use crate::setup::{Wish, init, load};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn relay() -> (tempfile::TempDir, Wish, Renewal) {
        let dir = tempfile::tempdir().unwrap();
        let wish = Wish {
            dir: dir.path().to_path_buf(),
            listen: Some("127.0.0.1:1".parse().unwrap()),
            public: vec!["192.0.2.1:443".parse().unwrap()],
            operator: None,
            identity: None,
            clock_is_right: false,
        };
        init(&wish, NOW, &mut SystemRandom::new().unwrap()).unwrap();
        let setup = load(dir.path(), NOW).unwrap();
        let renewal = Renewal::new(dir.path(), setup.descriptor, setup.config);
        (dir, wish, renewal)
    }

    #[test]
    fn a_descriptor_that_was_renewed_is_taken_up_once() {
        let (dir, wish, mut renewal) = relay();
        assert_eq!(renewal.look(NOW), None);
        let later = NOW.plus(80 * DAY_MS);
        init(&wish, later, &mut SystemRandom::new().unwrap()).unwrap();
        let signed = renewal.look(later).unwrap();
        assert_eq!(signed, load(dir.path(), later).unwrap().signed);
        assert_eq!(renewal.look(later), None);
    }

    #[test]
    fn a_policy_that_holds_only_after_a_restart_is_not_told_before() {
        let (dir, wish, mut renewal) = relay();
        let home = Home::at(dir.path());
        let settings = String::from_utf8(home.read(Name::Config).unwrap().to_vec()).unwrap();
        home.replace(Name::Config, format!("{settings}\nvolatile = true\n").as_bytes()).unwrap();
        init(&wish, NOW, &mut SystemRandom::new().unwrap()).unwrap();
        assert_eq!(renewal.look(NOW), None);
        home.replace(Name::Config, settings.as_bytes()).unwrap();
        init(&wish, NOW, &mut SystemRandom::new().unwrap()).unwrap();
        assert!(renewal.look(NOW).is_some(), "and back");

        // Restarted first, and signed then.
        home.replace(Name::Config, format!("{settings}\nvolatile = true\n").as_bytes()).unwrap();
        let setup = load(dir.path(), NOW).unwrap();
        assert!(setup.config.differs(setup.descriptor.policy).is_some());
        let mut renewal = Renewal::new(dir.path(), setup.descriptor, setup.config);
        init(&wish, NOW, &mut SystemRandom::new().unwrap()).unwrap();
        assert!(renewal.look(NOW).is_some(), "it says what holds");
    }

    #[test]
    fn nobody_is_sent_to_where_the_relay_listens_only_after_a_restart() {
        let (dir, wish, mut renewal) = relay();
        let moved = Wish {
            listen: Some("127.0.0.1:2".parse().unwrap()),
            public: vec!["192.0.2.1:444".parse().unwrap()],
            ..wish
        };
        init(&moved, NOW, &mut SystemRandom::new().unwrap()).unwrap();
        assert_eq!(renewal.look(NOW), None);
        let setup = load(dir.path(), NOW).unwrap();
        let mut renewal = Renewal::new(dir.path(), setup.descriptor, setup.config);
        init(&moved, NOW, &mut SystemRandom::new().unwrap()).unwrap();
        assert!(renewal.look(NOW).is_some(), "once it listens there");
    }

    #[test]
    fn an_older_damaged_or_foreign_descriptor_is_left_alone() {
        let (dir, wish, mut renewal) = relay();
        let first = load(dir.path(), NOW).unwrap();
        init(&wish, NOW, &mut SystemRandom::new().unwrap()).unwrap();
        renewal.look(NOW).unwrap();
        let home = Home::at(dir.path());
        home.replace(Name::Descriptor, &first.signed).unwrap();
        assert_eq!(renewal.look(NOW), None);
        home.replace(Name::Descriptor, &first.signed[1..]).unwrap();
        assert_eq!(renewal.look(NOW), None);
        let identity = SigningKey::take(&mut home.read_array::<32>(Name::Identity).unwrap());
        let other = SigningKey::random(&mut SystemRandom::new().unwrap());
        let mut newer = first.descriptor.clone();
        newer.sequence = 9;
        newer.epoch_signer = other.verifying_key().unwrap();
        home.replace(Name::Descriptor, &newer.sign(&identity).unwrap()).unwrap();
        assert_eq!(renewal.look(NOW), None, "the epoch keys that run would be refused under it");
        newer.identity = other.verifying_key().unwrap();
        home.replace(Name::Descriptor, &newer.sign(&other).unwrap()).unwrap();
        assert_eq!(renewal.look(NOW), None);
    }

    #[test]
    fn the_operator_is_reminded_daily_in_the_last_five_weeks() {
        let (_dir, wish, mut renewal) = relay();
        assert_eq!(renewal.due(NOW.plus(54 * DAY_MS)), None);
        let late = NOW.plus(56 * DAY_MS);
        let told = [late, late.plus(1), late.plus(DAY_MS)].map(|now| renewal.due(now));
        assert_eq!(told, [Some(Due::Soon), None, Some(Due::Soon)]);
        assert_eq!(renewal.due(NOW.plus(89 * DAY_MS)), Some(Due::Soon));
        assert_eq!(renewal.due(NOW.plus(99 * DAY_MS)), Some(Due::Over), "and after the end");
        init(&wish, late, &mut SystemRandom::new().unwrap()).unwrap();
        renewal.look(late).unwrap();
        assert_eq!(renewal.due(late.plus(2 * DAY_MS)), None);
    }
}
