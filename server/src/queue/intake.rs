//! What is still taken in as a file system fills (rule Q16). A disk that is full fails at a place of its own choosing; a
//! relay that refuses in time does so with a plain word, and keeps what deletes working.
//!
//! The order: who is new can go elsewhere, so they go first. Then what is large, for many small texts fit where one large
//! one does. At the end nothing that grows; to read, acknowledge, delete, claim and subscribe goes on always.

use beresta_proto::envelope::Bucket;
use serde::{Deserialize, Serialize};

use super::rules::{Cap, Cost};

/// Percent of the file system in use from which on each step holds.
const NO_NEW: u64 = 80;
const NO_LARGE: u64 = 85;
const NOTHING: u64 = 95;
/// Bytes of a file system that count, the last: a twentieth of a large one is more than a relay needs for years.
const COUNTED: u64 = 20 * 1024 * 1024 * 1024;

/// What a file system has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that we may still take.
    pub free: u64,
    /// Those, and the bytes that are in use.
    pub all: u64,
    /// Bytes of the queues' file, of which a part may serve again.
    pub file: u64,
    /// Bytes of its write-ahead log, which may be emptied.
    pub log: u64,
}

impl Room {
    /// What is left once the log is moved into the file, of which `live` bytes are in use: with the log as it stands, and
    /// as if it were emptied.
    #[must_use]
    pub fn settled(self, live: u64) -> (Self, Self) {
        let free = self.free.saturating_add(self.file).saturating_sub(live).min(self.all);
        let emptied = free.saturating_add(self.log).min(self.all);
        (Self { free, ..self }, Self { free: emptied, ..self })
    }

    const fn counted(self) -> u64 {
        if self.all < COUNTED { self.all } else { COUNTED }
    }
}

/// Says how full the file system of the queues is.
pub trait Disk: Send {
    /// What is left now; none if that can't be told, and then nothing is refused for it.
    fn room(&self) -> Option<Room>;
}

/// What takes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grows {
    /// A queue or a blob.
    New,
    /// A message.
    Message(Bucket),
}

/// What is taken in, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intake {
    /// Everything.
    #[default]
    All,
    /// No new queues and blobs.
    NoNew,
    /// Nor messages of the largest size.
    NoLarge,
    /// Nothing that grows.
    Nothing,
}

impl Intake {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::All, Self::NoNew, Self::NoLarge, Self::Nothing];

    /// By what a file system has left. Where that is more than the queues may ever take, it does not fill by us, however
    /// full others made it.
    #[must_use]
    pub fn of(room: Room, cap: Cap) -> Self {
        let all = room.counted();
        let used = all.saturating_sub(room.free).saturating_mul(100);
        let over = |percent: u64| used >= all.saturating_mul(percent);
        // Files are up to twice what is counted.
        if room.free >= cap.bytes.saturating_mul(2) {
            Self::All
        } else if over(NOTHING) {
            Self::Nothing
        } else if over(NO_LARGE) {
            Self::NoLarge
        } else if over(NO_NEW) {
            Self::NoNew
        } else {
            Self::All
        }
    }

    /// By how much of the cap is used.
    #[must_use]
    pub fn of_cap(used: u64, cap: Cap) -> Self {
        if !cap.admits_message(used, Cost::message(0)) {
            Self::Nothing
        } else if !cap.admits_new(used, Cost::BLOB) {
            Self::NoNew
        } else {
            Self::All
        }
    }

    /// Bytes left on a file system of this size at which the step begins; of the first, what is left of an empty one.
    #[must_use]
    pub fn begins(self, room: Room, cap: Cap) -> u64 {
        let percent = match self {
            Self::All => 0,
            Self::NoNew => NO_NEW,
            Self::NoLarge => NO_LARGE,
            Self::Nothing => NOTHING,
        };
        let left = room.counted().saturating_mul(100 - percent) / 100;
        left.min(cap.bytes.saturating_mul(2).saturating_sub(1))
    }

    /// Bytes left from which on everything is taken in again.
    #[must_use]
    pub fn all_again(room: Room, cap: Cap) -> u64 {
        Self::NoNew.begins(room, cap).saturating_add(room.counted() / 100).saturating_add(1)
    }

    /// What follows this one: more is taken in again only a percent below the step, or it would go to and fro.
    #[must_use]
    pub fn follow(self, room: Room, cap: Cap) -> Self {
        let tighter = Room { free: room.free.saturating_sub(room.counted() / 100), ..room };
        Self::of(room, cap).max(Self::of(tighter, cap).min(self))
    }

    /// Whether something that grows is taken in.
    #[must_use]
    pub const fn admits(self, grows: Grows) -> bool {
        match (self, grows) {
            (Self::All, _) | (Self::NoNew, Grows::Message(_)) => true,
            (Self::NoLarge, Grows::Message(Bucket::S | Bucket::M)) => true,
            (Self::NoNew | Self::NoLarge, Grows::New)
            | (Self::NoLarge, Grows::Message(Bucket::L))
            | (Self::Nothing, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Cap = Cap { bytes: 1 << 40 };

    fn room(used: u64) -> Room {
        Room { free: 1_000 - used, all: 1_000, file: 0, log: 0 }
    }

    #[test]
    fn steps_hold_from_80_85_and_95_percent_on() {
        for (used, intake) in [
            (0, Intake::All),
            (799, Intake::All),
            (800, Intake::NoNew),
            (849, Intake::NoNew),
            (850, Intake::NoLarge),
            (949, Intake::NoLarge),
            (950, Intake::Nothing),
            (1_000, Intake::Nothing),
        ] {
            assert_eq!(Intake::of(room(used), CAP), intake, "{used}");
        }
    }

    #[test]
    fn a_step_is_taken_back_a_percent_below_it() {
        let after = |from: u64, to: u64| Intake::of(room(from), CAP).follow(room(to), CAP);
        assert_eq!((after(800, 799), after(800, 791)), (Intake::NoNew, Intake::NoNew));
        assert_eq!((after(800, 790), after(800, 789)), (Intake::NoNew, Intake::All));
        assert_eq!(
            (after(960, 945), after(960, 860), after(960, 100)),
            (Intake::Nothing, Intake::NoLarge, Intake::All)
        );
        assert_eq!((after(0, 799), after(0, 951)), (Intake::All, Intake::Nothing), "up at once");
    }

    #[test]
    fn a_large_disk_that_others_filled_has_room_for_us() {
        let cap = Cap { bytes: 10 };
        assert_eq!(Intake::of(room(980), cap), Intake::All);
        assert_eq!(Intake::of(room(981), cap), Intake::Nothing);
    }

    #[test]
    fn of_a_large_disk_the_last_20_gib_count() {
        const GIB: u64 = 1024 * 1024 * 1024;
        let left = |free: u64| Intake::of(Room { free, all: 4_000 * GIB, file: 0, log: 0 }, CAP);
        assert_eq!([5 * GIB, 4 * GIB + 1].map(left), [Intake::All; 2]);
        assert_eq!(
            [4 * GIB, 3 * GIB, GIB, 0].map(left),
            [Intake::NoNew, Intake::NoLarge, Intake::Nothing, Intake::Nothing]
        );
    }

    #[test]
    fn a_step_begins_where_it_is_said_to_and_all_is_taken_in_again_where_that_is_said() {
        for (all, cap) in [(1_000, 1 << 40), (1_000, 60), (u64::MAX / 2, 1 << 50)] {
            let (cap, left) = (Cap { bytes: cap }, |free| Room { free, all, file: 0, log: 0 });
            for step in [Intake::NoNew, Intake::NoLarge, Intake::Nothing] {
                let begins = step.begins(left(0), cap);
                assert!(Intake::of(left(begins), cap) >= step, "{all} {step:?}");
                assert!(Intake::of(left(begins + 1), cap) < step, "{all} {step:?}");
            }
            let again = Intake::all_again(left(0), cap);
            let after = |free| Intake::Nothing.follow(left(free), cap);
            assert_eq!(after(again), Intake::All);
            assert_ne!(after(again - 1), Intake::All);
        }
    }

    #[test]
    fn each_step_takes_less_than_the_one_before() {
        let all =
            [Grows::New, Grows::Message(Bucket::L), Grows::Message(Bucket::M), Grows::Message(Bucket::S)];
        let taken =
            |intake: Intake| all.into_iter().filter(|grows| intake.admits(*grows)).collect::<Vec<_>>();
        assert_eq!(Intake::ALL.map(|intake| taken(intake).len()), [4, 3, 2, 0]);
    }
}
