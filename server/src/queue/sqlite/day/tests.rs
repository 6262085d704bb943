//! The steps in which a key comes and goes, and a kill between any two of them.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::queue::QueueRef;
use crate::queue::sqlite::schema;

const ROW: Row<'static> = Row::Message { queue: QueueRef(1), sequence: 2, name: 3 };

/// A file of queues and its keys. To open it anew is what a start after a kill does.
struct Rig {
    dir: tempfile::TempDir,
}

/// What a running relay has of it.
struct Open {
    keys: DayKeys,
    conn: Connection,
}

impl Rig {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("day.keys")
    }

    fn open(&self) -> Open {
        let mut conn = schema::open_writer(&self.dir.path().join("queues")).unwrap();
        schema::migrate(&mut conn).unwrap();
        Open { keys: DayKeys::open(&conn, &self.path(), Keeping::Durable).unwrap(), conn }
    }

    fn seeds(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }
}

impl Open {
    /// Does something in a transaction, which comes about or not.
    fn within<T>(
        &mut self,
        commits: bool,
        what: impl FnOnce(&mut DayKeys, &mut Statements<'_>) -> rusqlite::Result<T>,
    ) -> T {
        let mut statements = Statements::prepare(&self.conn).unwrap();
        statements.begin.execute([]).unwrap();
        let done = what(&mut self.keys, &mut statements).unwrap();
        if commits { statements.commit.execute([]) } else { statements.rollback.execute([]) }.unwrap();
        done
    }

    fn seal(&mut self, day: i64) -> Vec<u8> {
        self.within(true, |keys, statements| keys.seal(day, ROW, b"body", statements))
    }

    fn opens(&self, day: i64, sealed: &[u8]) -> bool {
        self.keys.ring().open(Some(day), ROW, sealed.to_vec()).is_some()
    }

    fn destroy(&mut self) {
        self.keys.destroy(&mut Statements::prepare(&self.conn).unwrap()).unwrap();
    }

    /// Whether any of the seeds that are on the disk opens it.
    fn can_be_had(&self, sealed: &[u8]) -> bool {
        (0..SLOTS).any(|slot| self.keys.seeds.key(slot).unwrap().open(ROW, sealed.to_vec()).is_some())
    }

    fn rows(&self) -> i64 {
        self.conn.query_row("SELECT count(*) FROM day_key", [], |row| row.get(0)).unwrap()
    }
}

#[test]
fn a_day_is_over_when_the_last_that_ends_on_it_has_ended() {
    let midnight = |day: i64| Hour(day * DAY_HOURS);
    assert_eq!((of(midnight(5)), of(Hour(midnight(5).0 + 1)), of(midnight(6))), (4, 5, 5));
    for ends in [-30, 0, 1, 24, 25, 480_000] {
        let day = of(Hour(ends));
        assert!(first_hour(day) <= Hour(ends) && Hour(ends) < first_hour(day.saturating_add(1)));
        let begins_next = midnight(day.saturating_add(1));
        assert!(Hour(ends) <= begins_next);
    }
}

#[test]
fn a_kill_before_the_file_of_keys_was_whole_heals() {
    let rig = Rig::new();
    drop(rig.open());
    for half in [&[][..], &[1; 4_095], &[0; 4_096]] {
        fs::write(rig.path(), half).unwrap();
        let mut open = rig.open();
        assert_eq!(rig.seeds().len(), SLOTS * 32);
        let sealed = open.within(false, |keys, statements| keys.seal(7, ROW, b"body", statements));
        assert!(open.can_be_had(&sealed));
    }
}

#[test]
fn a_key_is_on_the_disk_before_anything_is_sealed_under_it() {
    let rig = Rig::new();
    let mut open = rig.open();
    let before = rig.seeds();
    let sealed = open.seal(7);
    assert_eq!(rig.seeds(), before, "nothing is written beside the body that needs it");
    drop(open);
    assert!(rig.open().opens(7, &sealed));
}

#[test]
fn what_a_transaction_sealed_that_came_to_nothing_opens_with_no_later_key() {
    let rig = Rig::new();
    let mut open = rig.open();
    let kept = open.seal(7);
    let lost = open.within(false, |keys, statements| {
        let sealed = keys.seal(8, ROW, b"body", statements);
        drop(sealed?);
        keys.seal(8, ROW, b"body", statements)
    });
    open.keys.reload(&mut Statements::prepare(&open.conn).unwrap()).unwrap();
    assert_eq!(open.rows(), 1);
    // Its day keeps that key, and says so with the next body.
    let next = open.seal(8);
    assert!(open.rows() == 2 && open.opens(8, &next) && open.opens(8, &lost));
    let never = open.within(false, |keys, statements| keys.seal(9, ROW, b"body", statements));
    drop(open);
    let mut open = rig.open();
    assert!(open.opens(7, &kept) && open.opens(8, &next));
    assert!(!open.can_be_had(&never), "no row named its key when the relay was killed");
    // Turned in a transaction that came to nothing, too.
    open.within(false, |keys, statements| keys.turn(100, statements));
    assert!(!open.opens(7, &kept));
    open.destroy();
    assert!(open.can_be_had(&kept), "whether it was taken back or not, what was committed decides");
    open.keys.reload(&mut Statements::prepare(&open.conn).unwrap()).unwrap();
    open.destroy();
    assert!(open.opens(7, &kept) && open.opens(8, &next));
}

#[test]
fn a_kill_at_any_step_of_a_keys_end_heals() {
    for steps in 0..=3 {
        let rig = Rig::new();
        let mut open = rig.open();
        let (over, later) = (open.seal(7), open.seal(9));
        if steps > 0 {
            open.within(true, |keys, statements| keys.turn(8, statements));
            assert!(!open.opens(7, &over) && open.opens(9, &later));
        }
        if steps == 2 {
            let slots: Vec<Slot> = open.keys.over.iter().copied().collect();
            open.keys.seeds.overwrite(slots).unwrap();
        }
        if steps == 3 {
            open.destroy();
        }
        drop(open);
        for _ in 0..2 {
            let open = rig.open();
            assert_eq!((open.opens(7, &over), open.can_be_had(&over)), (steps == 0, steps == 0), "{steps}");
            assert!(open.opens(9, &later));
            assert_eq!(open.rows(), if steps == 0 { 2 } else { 1 });
        }
        // A clock that is set back has the same day once more.
        let mut open = rig.open();
        let again = open.seal(7);
        assert!(open.opens(7, &again));
    }
}

#[test]
fn only_the_key_of_a_day_that_is_over_is_overwritten() {
    let rig = Rig::new();
    let mut open = rig.open();
    let (over, later) = (open.seal(7), open.seal(8));
    let before = rig.seeds();
    open.within(true, |keys, statements| keys.turn(8, statements));
    assert_eq!(rig.seeds(), before, "not before the file says so");
    open.destroy();
    let after = rig.seeds();
    let changed = before.chunks(32).zip(after.chunks(32)).filter(|(old, new)| old != new).count();
    assert_eq!((changed, open.rows()), (1, 1));
    assert!(!open.can_be_had(&over) && open.opens(8, &later));
    // With nothing over, nothing is written.
    open.within(true, |keys, statements| keys.turn(8, statements));
    open.destroy();
    assert_eq!(rig.seeds(), after);
}

#[test]
fn days_of_a_clock_that_stood_wrong_do_not_take_every_key() {
    let rig = Rig::new();
    let mut open = rig.open();
    let today = 20_000;
    let mine = open.seal(today);
    for wrong in 0..SLOTS {
        let far = today + 1_000 + i64::try_from(wrong).unwrap();
        let done = open.within(true, |keys, statements| Ok(keys.seal(far, ROW, b"body", statements).is_ok()));
        assert_eq!(done, wrong < SLOTS - 1, "{wrong}");
    }
    open.within(true, |keys, statements| keys.turn(today, statements));
    open.destroy();
    assert!(open.opens(today, &mine) && open.keys.named.len() == CROWD);
    let next = open.seal(today + 21);
    assert!(open.opens(today + 21, &next));
}

#[test]
fn a_row_that_is_damaged_is_refused_and_does_not_panic() {
    for (sql, why) in [
        ("UPDATE day_key SET slot = 128", "Damaged"),
        ("UPDATE day_key SET slot = -1", "Damaged"),
        ("UPDATE day_key SET proof = x''", "Keys"),
    ] {
        let rig = Rig::new();
        let mut open = rig.open();
        drop(open.seal(7));
        open.conn.execute_batch(sql).unwrap();
        let refused = DayKeys::open(&open.conn, &rig.path(), Keeping::Durable).unwrap_err();
        assert_eq!(format!("{refused:?}"), why, "{sql}");
    }
}
