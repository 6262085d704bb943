//! How full the disk is: which step of rule Q16 holds, and what of the settings does not fit it.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::Finding;
use crate::queue::intake::{Intake, Room};
use crate::queue::rules::Cap;
use crate::queue::sqlite::SqliteEngine;
use crate::setup::{Config, LEAST_DISK_MIB};

/// Bytes without which a relay has no room for its log of writes.
const LEAST_FREE: u64 = 64 * MIB;
const MIB: u64 = 1024 * 1024;

/// Looks at the disk of the queues at `path`. `running`: what the relay takes in that works on them, if one does.
pub(super) fn look(path: &Path, config: &Config, running: Option<Intake>) -> Vec<Finding> {
    if path.parent().is_some_and(is_read_only) {
        return vec![Finding::ReadOnly];
    }
    let Some((room, live, used)) = SqliteEngine::room(path) else { return Vec::new() };
    let mut found = judge(room, live, used, config.cap(), running.unwrap_or_default());
    found.extend(too_small(room, config.disk));
    found
}

/// Whether the disk has less room than `set` allows the queues, or than any relay needs. One that is full is said to be so.
fn too_small(room: Room, set: u64) -> Option<Finding> {
    let tiny = Finding::DiskTiny { least_mib: LEAST_DISK_MIB.saturating_mul(10).div_ceil(9) };
    // A tenth is left over.
    let may_be = |bytes: u64| bytes / 10 * 9 / MIB;
    if room.free < LEAST_FREE {
        return (may_be(room.all) < LEAST_DISK_MIB).then_some(tiny);
    }
    let ours = room.free.saturating_add(room.file);
    if ours >= set {
        return None;
    }
    let mib = may_be(ours);
    Some(if mib < LEAST_DISK_MIB { tiny } else { Finding::DiskSmall { mib } })
}

/// A disk that fails is often mounted so by the system itself.
fn is_read_only(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|told| told.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn judge(room: Room, live: u64, used: u64, cap: Cap, running: Intake) -> Vec<Finding> {
    if room.free < LEAST_FREE {
        return vec![Finding::DiskFull];
    }
    let mut found = Vec::new();
    // What the log holds a relay moves before it refuses anything.
    let (_, left) = room.settled(live);
    let free_mib = left.free / MIB;
    let intake = running.follow(left, cap);
    found.push(if intake == Intake::All {
        let steps = [Intake::NoNew, Intake::NoLarge, Intake::Nothing];
        Finding::Disk { free_mib, steps_mib: steps.map(|step| step.begins(left, cap) / MIB) }
    } else {
        Finding::DiskStep { intake, free_mib, again_mib: Intake::all_again(left, cap).div_ceil(MIB) }
    });
    // A relay goes back over a step of its cap a hundredth below it.
    let felt = Intake::of_cap(used.saturating_add(cap.bytes / 100), cap).min(running);
    match Intake::of_cap(used, cap).max(felt) {
        Intake::All => {}
        Intake::NoNew | Intake::NoLarge => found.push(Finding::CapStep { reached: false }),
        Intake::Nothing => found.push(Finding::CapStep { reached: true }),
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    const CAP: Cap = Cap { bytes: 4_096 * MIB };

    /// Of a disk of 10,000 MiB that is ours alone.
    fn left(free_mib: u64) -> Room {
        Room { free: free_mib * MIB, all: 10_000 * MIB, file: (10_000 - free_mib) * MIB, log: 0 }
    }

    fn step(free_mib: u64, running: Intake) -> Option<Intake> {
        let room = left(free_mib);
        judge(room, room.file, 0, CAP, running).into_iter().find_map(|one| {
            let Finding::DiskStep { intake, free_mib: told, again_mib } = one else { return None };
            (told == free_mib && again_mib == 2_101).then_some(intake)
        })
    }

    #[test]
    fn the_step_that_holds_is_told_with_what_is_left_and_where_it_ends() {
        let alone = Intake::All;
        assert_eq!(
            [2_001, 2_000, 1_500, 500, 64].map(|free| step(free, alone)),
            [None, Some(Intake::NoNew), Some(Intake::NoLarge), Some(Intake::Nothing), Some(Intake::Nothing)]
        );
        let room = left(3_000);
        assert_eq!(
            judge(room, room.file, 0, CAP, alone),
            [Finding::Disk { free_mib: 3_000, steps_mib: [2_000, 1_500, 500] }]
        );
        assert_eq!(judge(left(63), left(63).file, 0, CAP, alone), [Finding::DiskFull]);
        let bad = |intake| Finding::DiskStep { intake, free_mib: 0, again_mib: 0 }.verdict();
        assert_eq!(
            [Intake::NoNew, Intake::NoLarge, Intake::Nothing].map(bad),
            [Verdict::Warning, Verdict::Warning, Verdict::Failure]
        );
    }

    #[test]
    fn a_relay_that_runs_and_took_a_step_is_believed_until_its_end() {
        assert_eq!(
            [2_001, 2_100, 2_101].map(|free| step(free, Intake::NoNew)),
            [Some(Intake::NoNew), Some(Intake::NoNew), None]
        );
        assert_eq!(step(1_400, Intake::All), Some(Intake::NoLarge), "what it has not noticed yet");
    }

    #[test]
    fn free_pages_of_the_file_and_its_log_are_room() {
        let room = Room { log: 100 * MIB, ..left(1_000) };
        let told = |live: u64| judge(room, live, 0, CAP, Intake::All);
        assert!(told(room.file).iter().any(|one| matches!(one, Finding::DiskStep { free_mib: 1_100, .. })));
        assert!(
            told(room.file - 2_000 * MIB)
                .contains(&Finding::Disk { free_mib: 3_100, steps_mib: [2_000, 1_500, 500] })
        );
    }

    #[test]
    fn what_is_advised_for_a_small_disk_is_what_the_settings_accept() {
        let default = 32_768 * MIB;
        let with = |free_mib: u64, all_mib: u64, set: u64| {
            too_small(Room { free: free_mib * MIB, all: all_mib * MIB, file: 0, log: 0 }, set)
        };
        let of = |free_mib: u64, all_mib: u64| with(free_mib, all_mib, default);
        let tiny = Some(Finding::DiskTiny { least_mib: 72 });
        // Alone on it, or beside others.
        assert_eq!([of(68, 68), of(71, 71), of(68, 9_000)], [tiny; 3]);
        assert_eq!(of(72, 72), Some(Finding::DiskSmall { mib: 64 }));
        assert_eq!(of(10_000, 10_000), Some(Finding::DiskSmall { mib: 9_000 }));
        assert_eq!([of(32_768, 40_000), with(66, 66, LEAST_DISK_MIB * MIB)], [None; 2]);
        // No room can be made on the one; the other is full.
        assert_eq!((of(40, 50), of(40, 9_000)), (tiny, None));
        assert_eq!(Finding::DiskTiny { least_mib: 72 }.verdict(), Verdict::Failure);
    }

    #[test]
    fn a_cap_that_is_reached_is_told_apart_from_a_disk_that_is_full() {
        let by = |used: u64, running| judge(left(9_000), left(9_000).file, used, CAP, running);
        let told = |used: u64| by(used, Intake::All);
        assert!(!told(0).iter().any(|one| matches!(one, Finding::CapStep { .. })));
        let eighty = CAP.bytes / 5 * 4;
        assert!(told(eighty).contains(&Finding::CapStep { reached: false }));
        let below = eighty - CAP.bytes / 200;
        assert!(by(below, Intake::NoNew).contains(&Finding::CapStep { reached: false }), "it refuses still");
        assert!(!by(below, Intake::All).iter().any(|one| matches!(one, Finding::CapStep { .. })));
        assert!(!by(below / 2, Intake::NoNew).iter().any(|one| matches!(one, Finding::CapStep { .. })));
        assert!(told(CAP.bytes).contains(&Finding::CapStep { reached: true }));
        assert_eq!(Finding::CapStep { reached: true }.verdict(), Verdict::Failure);
    }
}
