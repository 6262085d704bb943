//! The alert at rest: sealed like any text, and gone like one.

use super::seeds::contact;
use super::*;
use crate::store::contact::ContactId;

fn set(store: &mut Store, text: &str, to: &[ContactId]) {
    store.transaction(|tx| tx.set_alert(&text.into(), to)).unwrap();
}

fn text(store: &mut Store) -> Option<String> {
    let text = store.transaction(|tx| tx.alert_text()).unwrap();
    text.map(|text| text.as_str().to_owned())
}

#[test]
fn an_alert_is_kept_sealed_and_outlives_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    assert_eq!(text(&mut store), None);
    set(&mut store, "TELL them", &[boris, boris]);
    assert_eq!(traces::count(&store.pages(), b"TELL"), 0);
    store.close().unwrap();
    // An opening overwrites every seed that is nobody's.
    let mut store = Store::open(dir.path(), &pass("right")).unwrap();
    assert_eq!(text(&mut store).as_deref(), Some("TELL them"));
    assert_eq!(store.transaction(|tx| tx.alert_contacts()).unwrap(), [boris]);
}

#[test]
fn an_alert_that_was_removed_or_set_anew_leaves_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    set(&mut store, "TELL the first", &[boris]);
    let first = store.traces("TELL");
    set(&mut store, "TELL the second", &[boris]);
    store.scrub().unwrap();
    let second = store.traces("TELL");
    assert_eq!((store.left_of(&first), store.left_of(&second)), ((0, 0), (1, 1)));
    assert!(store.transaction(|tx| tx.remove_alert()).unwrap());
    store.scrub().unwrap();
    assert_eq!((store.left_of(&second), text(&mut store)), ((0, 0), None));
    assert!(store.transaction(|tx| tx.alert_contacts()).unwrap().is_empty());
}

#[test]
fn an_alert_does_not_keep_a_contact_who_was_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    set(&mut store, "TELL them", &[boris]);
    store.transaction(|tx| tx.delete_contact(boris)).unwrap();
    assert!(store.transaction(|tx| tx.alert_contacts()).unwrap().is_empty());
    assert_eq!(text(&mut store).as_deref(), Some("TELL them"));
}

#[test]
fn a_profile_is_gone_for_who_has_it_open_only_once_it_was_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let profile = dir.path().join("profile");
    let store = make(&profile);
    assert!(!Destruction::is_done(&profile));
    let mut panic = Destruction::of(&profile).unwrap();
    let mut overwritten = false;
    while panic.step() {
        overwritten |= Vault::open(&profile, &pass("right")).is_err();
        // Not before nothing opens any more: what an alert says must be the last that is said.
        assert!(overwritten || !Destruction::is_done(&profile));
    }
    assert!(Destruction::is_done(&profile));
    drop(store);
    // One that was moved is not: it may be opened where it is.
    let (other, moved) = (dir.path().join("other"), dir.path().join("moved"));
    let _store = make(&other);
    fs::rename(&other, &moved).unwrap();
    assert!(!Destruction::is_done(&other) && !Destruction::is_done(&moved));
}
