//! The keys of texts: one each, gone with their text, and nobody's again before they are overwritten.

use beresta_proto::id::ContentId;
use beresta_proto::time::Timestamp;

use super::traces::count;
use super::*;
use crate::store::contact::{Contact, ContactId};
use crate::store::message::{Message, MessageRow, MessageState};

pub(super) fn contact(store: &mut Store) -> ContactId {
    store.transaction(|tx| tx.insert_contact(&Contact::boris(), Timestamp(1))).unwrap()
}

pub(super) fn message(contact: ContactId, n: u32) -> Message {
    let mut content = [0; 16];
    content[..4].copy_from_slice(&n.to_be_bytes());
    Message {
        id: MessageRow(0),
        contact,
        content: ContentId(content),
        outgoing: false,
        body: format!("text {n}").into(),
        sent: Timestamp(1),
        arrived: Timestamp(1),
        state: MessageState::Shown,
        timer: None,
        expires: None,
        fails: None,
    }
}

pub(super) fn write(store: &mut Store, contact: ContactId, n: u32) -> Option<MessageRow> {
    store.transaction(|tx| tx.insert_message(&message(contact, n))).unwrap()
}

/// Many of them, a hundred to a transaction: each is flushed.
pub(super) fn write_all(store: &mut Store, contact: ContactId, numbers: impl IntoIterator<Item = u32>) {
    for some in numbers.into_iter().collect::<Vec<_>>().chunks(100) {
        let put = |tx: &Tx<'_>| -> Result<Vec<_>, StoreError> {
            some.iter().map(|n| tx.insert_message(&message(contact, *n))).collect()
        };
        assert!(store.transaction(put).unwrap().iter().all(Option::is_some));
    }
}

fn texts(store: &mut Store, contact: ContactId) -> Vec<String> {
    let history = store.transaction(|tx| tx.history(contact, None, u32::MAX)).unwrap();
    history.iter().map(|one| one.body.as_str().to_owned()).collect()
}

fn len(dir: &Path) -> u64 {
    fs::metadata(seeds_of(dir)).unwrap().len()
}

#[test]
fn the_file_of_keys_grows_in_steps_and_is_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    assert_eq!(len(dir.path()), 64 * 1024);
    let boris = contact(&mut store);
    write_all(&mut store, boris, 0..2_048);
    // A repeat takes no key.
    assert_eq!(write(&mut store, boris, 7), None);
    assert_eq!(len(dir.path()), 64 * 1024);
    write(&mut store, boris, 2_048).unwrap();
    assert_eq!(len(dir.path()), 128 * 1024);
    assert_eq!(texts(&mut store, boris).len(), 2_049);

    store.transaction(|tx| tx.delete_history(boris, Timestamp(1))).unwrap();
    store.scrub().unwrap();
    assert_eq!(write(&mut store, boris, 7), None, "nor does one of a text that is gone");
    write_all(&mut store, boris, 10_000..14_096);
    assert_eq!(len(dir.path()), 128 * 1024);
}

#[test]
fn a_key_is_not_used_again_before_it_was_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    write(&mut store, boris, 1).unwrap();
    let first = store.traces("text");
    store.transaction(|tx| tx.delete_history(boris, Timestamp(1))).unwrap();
    // Not scrubbed yet: the next text has another key.
    write(&mut store, boris, 2).unwrap();
    assert_eq!(store.left_of(&first).1, 1);
    let second = store.traces("text");
    store.scrub().unwrap();
    assert_eq!((store.left_of(&first).1, store.left_of(&second)), (0, (1, 1)));
}

#[test]
fn what_was_rolled_back_leaves_every_text_readable() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    write(&mut store, boris, 1).unwrap();
    let undone: Result<(), StoreError> = store.transaction(|tx| {
        tx.delete_history(boris, Timestamp(1))?;
        for n in 2..5_000 {
            tx.insert_message(&message(boris, n))?;
        }
        Err(StoreError::BadRow)
    });
    assert!(undone.is_err());
    // The file grew for nothing; what it has is listed when it is needed.
    assert_eq!(len(dir.path()), 3 * 64 * 1024);
    // What they were given is spent: overwritten first, then given to others.
    write(&mut store, boris, 2).unwrap();
    store.scrub().unwrap();
    write_all(&mut store, boris, 3..5_000);
    store.close().unwrap();
    let mut store = Store::open(dir.path(), &pass("right")).unwrap();
    assert_eq!(texts(&mut store, boris).len(), 4_999);
    assert_eq!(len(dir.path()), 3 * 64 * 1024);
}

#[test]
fn a_profile_without_its_file_of_keys_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path()).close().unwrap();
    fs::remove_file(seeds_of(dir.path())).unwrap();
    assert_eq!(Store::open(dir.path(), &pass("right")).unwrap_err(), StoreError::Damaged);
}

#[test]
fn the_file_of_keys_opens_nothing_under_another_master_key() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut store = make(one.path());
    let boris = contact(&mut store);
    write(&mut store, boris, 1).unwrap();
    let sealed = store
        .transaction(|tx| tx.all("SELECT body FROM message", [], |row| row.get::<_, Vec<u8>>(0)))
        .unwrap()
        .remove(0);
    fs::create_dir_all(other.path()).unwrap();
    let seeds = store.keys.all();
    let master = MasterKey::generate(&mut ChaCha20Rng::seed_from_u64(8));
    fs::write(other.path().join(master.side().unwrap().seeds()), seeds).unwrap();
    let keys = BodyKeys::open(other.path(), &master).unwrap();
    keys.trust(2_048).unwrap();
    let opened = (0..2_048).filter(|slot| keys.open_body(body::Slot(*slot), &sealed).is_ok()).count();
    assert_eq!(opened, 0);
}

#[test]
fn a_key_whose_text_was_rolled_back_is_given_to_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    write(&mut store, boris, 1).unwrap();
    let all = store.keys.all();
    let seed = |n: usize| all[32 * n..32 * (n + 1)].to_vec();
    let undone: Result<(), StoreError> = store.transaction(|tx| {
        tx.insert_message(&message(boris, 2))?;
        Err(StoreError::BadRow)
    });
    assert!(undone.is_err());
    // Whoever is killed here finds it overwritten when it starts again.
    let copy = Store::killed(dir.path());
    let reopened = Store::open(copy.path(), &pass("right")).unwrap().keys.all();
    assert!(count(&reopened, &seed(0)) == 1 && count(&reopened, &seed(1)) == 0);
    write(&mut store, boris, 3).unwrap();
    let used = store
        .transaction(|tx| tx.all("SELECT seed FROM message ORDER BY seed", [], |row| row.get::<_, usize>(0)));
    assert_eq!(used.unwrap(), [0, 2]);
    assert!(store.owes_scrub());
    store.scrub().unwrap();
    let now = store.keys.all();
    assert!(count(&now, &seed(1)) == 0 && count(&now, &seed(2)) == 1);
}

#[test]
fn what_a_crash_left_in_the_file_of_keys_is_used_for_no_text() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    write(&mut store, boris, 1).unwrap();
    store.close().unwrap();
    // Longer, as a step makes it, and what it was to hold has not arrived.
    let path = seeds_of(dir.path());
    let mut file = fs::read(&path).unwrap();
    file[32..].fill(0);
    file.resize(128 * 1024, 0);
    fs::write(&path, file).unwrap();
    let mut store = Store::open(dir.path(), &pass("right")).unwrap();
    assert_eq!(count(&store.keys.all(), &[0; 32]), 0);
    assert_eq!(texts(&mut store, boris), ["text 1"]);
}

#[test]
fn an_older_file_of_keys_costs_texts_and_not_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    write_all(&mut store, boris, 0..2_050);
    store.close().unwrap();
    let path = seeds_of(dir.path());
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(64 * 1024).unwrap();
    let mut store = Store::open(dir.path(), &pass("right")).unwrap();
    write(&mut store, boris, 9_999).unwrap();
    let readable = texts(&mut store, boris).into_iter().filter(|text| !text.is_empty());
    assert_eq!(readable.count(), 2_048 + 1);
}

#[test]
fn the_first_key_of_all_is_not_given_again_either_when_its_text_was_rolled_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    // The list of keys was rolled back with it.
    let undone: Result<(), StoreError> = store.transaction(|tx| {
        tx.insert_message(&message(boris, 1))?;
        Err(StoreError::BadRow)
    });
    assert!(undone.is_err());
    write(&mut store, boris, 2).unwrap();
    let used = store.transaction(|tx| tx.all("SELECT seed FROM message", [], |row| row.get::<_, u32>(0)));
    assert_eq!(used.unwrap(), [1]);
}

#[test]
fn a_file_of_keys_that_somebody_made_huge_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    write(&mut store, boris, 1).unwrap();
    store.close().unwrap();
    // Beyond what a number of a seed can say.
    let path = seeds_of(dir.path());
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let mut store = Store::open(dir.path(), &pass("right")).unwrap();
    assert_eq!(texts(&mut store, boris), ["text 1"]);
    assert_eq!(store.keys.count(), 2_048);
}

#[test]
fn a_key_whose_text_was_taken_back_within_a_step_is_given_to_no_other_either() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    let taken_back = store
        .transaction(|tx| {
            let undone: Result<(), StoreError> = tx.all_or_nothing(|| {
                tx.insert_message(&message(boris, 1))?;
                Err(StoreError::BadRow)
            });
            assert!(undone.is_err());
            tx.insert_message(&message(boris, 2))?;
            Ok::<_, StoreError>(tx.keys().all()[..32].to_vec())
        })
        .unwrap();
    let used = store.transaction(|tx| tx.all("SELECT seed FROM message", [], |row| row.get::<_, u32>(0)));
    assert_eq!(used.unwrap(), [1]);
    store.scrub().unwrap();
    assert_eq!(count(&store.keys.all(), &taken_back), 0);
}

#[test]
fn an_older_database_beside_newer_keys_gives_no_key_away_that_one_of_its_texts_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    write_all(&mut store, boris, 0..3);
    let old = Store::killed(dir.path());
    store.transaction(|tx| tx.delete_history(boris, Timestamp(1))).unwrap();
    store.scrub().unwrap();
    write_all(&mut store, boris, 3..6);
    store.close().unwrap();
    Store::give_keys(dir.path(), old.path());
    let mut store = Store::open(old.path(), &pass("right")).unwrap();
    write(&mut store, boris, 9).unwrap();
    assert_eq!(texts(&mut store, boris), ["", "", "", "text 9"]);
    let used = store
        .transaction(|tx| tx.all("SELECT seed FROM message ORDER BY id", [], |row| row.get::<_, u32>(0)));
    assert_eq!(used.unwrap(), [0, 1, 2, 3]);
}

#[test]
fn a_scrub_that_is_rolled_back_is_done_again_before_a_key_is_given_to_another_text() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    write(&mut store, boris, 1).unwrap();
    store.transaction(|tx| tx.delete_history(boris, Timestamp(1))).unwrap();
    let undone: Result<(), StoreError> = store.transaction(|tx| {
        tx.destroy_seeds()?;
        Err(StoreError::BadRow)
    });
    assert!(undone.is_err());
    write(&mut store, boris, 2).unwrap();
    store.scrub().unwrap();
    assert_eq!(texts(&mut store, boris), ["text 2"]);
}

#[test]
fn which_keys_are_in_use_is_found_without_reading_a_text() {
    let mut store = Store::open_in_memory(&mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    let sql = "EXPLAIN QUERY PLAN SELECT seed FROM message INDEXED BY message_content WHERE seed IS NOT NULL";
    let plan = store.transaction(|tx| tx.one(sql, [], |row| row.get::<_, String>("detail"))).unwrap();
    assert_eq!(plan.unwrap(), "SCAN message USING COVERING INDEX message_content");
}
