//! Queues that are damaged, and what an operator does then.

use std::fs;
use std::io::{Seek as _, SeekFrom};

use rusqlite::Connection;

use super::*;

/// Bytes of a page.
const PAGE: u64 = 32 * 1_024;

/// Writes over the page with which a table begins.
fn damage(queues: &Path, table: &str) {
    let file = Connection::open(queues).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: u32 = file.query_row(root, [table], |row| row.get(0)).unwrap();
    drop(file);
    overwrite(queues, u64::from(page - 1) * PAGE);
}

fn overwrite(queues: &Path, at: u64) {
    let mut file = fs::OpenOptions::new().write(true).open(queues).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[0xa5; 4_096]).unwrap();
}

#[test]
fn a_relay_whose_queues_are_damaged_says_how_to_go_on_with_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("relay");
    let address = out(&init(&dir));
    let at = dir.to_str().unwrap();
    let queues = dir.join("queues.sqlite");
    let repair = || relay(&["repair", "--dir", at]);
    assert!(err(&repair()).contains("There are no queues here"));
    let running = start(at);
    let refused = repair();
    stop(running);
    assert!(err(&refused).contains("relay runs"), "{}", err(&refused));
    let whole = err(&repair());
    assert!(whole.contains("nothing is changed") && whole.contains("All of it could be read"), "{whole}");

    damage(&queues, "tombstone");
    let ended = relay(&["run", "--dir", at]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(err(&ended).contains("beresta-relay repair --dir"), "{}", err(&ended));
    let repaired = repair();
    assert_eq!(repaired.status.code(), Some(0));
    assert!(err(&repaired).contains("What could be read goes on"), "{}", err(&repaired));
    once(at);

    overwrite(&queues, 0);
    let before = fs::read(&queues).unwrap();
    let beyond = repair();
    assert_eq!((beyond.status.code(), fs::read(&queues).unwrap()), (Some(5), before));
    assert!(err(&beyond).contains("move day.keys, and queues.sqlite with all"), "{}", err(&beyond));
    for file in fs::read_dir(&dir).unwrap().flatten() {
        let name = file.file_name().into_string().unwrap();
        if name == "day.keys" || name.starts_with("queues.sqlite") {
            fs::rename(file.path(), folder.path().join(name)).unwrap();
        }
    }
    once(at);
    assert_eq!(out(&relay(&["address", "--dir", at])), address);
}

#[test]
fn a_relay_whose_list_of_keys_says_nonsense_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("relay");
    init(&dir);
    let at = dir.to_str().unwrap();
    once(at);
    let file = Connection::open(dir.join("queues.sqlite")).unwrap();
    file.execute_batch("INSERT INTO day_key (day, slot, proof) VALUES (20000, 0, zeroblob(40))").unwrap();
    drop(file);
    for said in [relay(&["run", "--dir", at]), relay(&["config", "check", "--dir", at])] {
        let told = err(&said);
        let first = told.find("beresta-relay repair --dir").unwrap();
        assert!(told.contains("day.keys") && told.find("volatile = true").unwrap() > first, "{told}");
    }
    // No key that is there is one of these queues': they may be another relay's.
    let keys = fs::read(dir.join("day.keys")).unwrap();
    let repaired = relay(&["repair", "--dir", at]);
    assert!(!repaired.status.success() && err(&repaired).contains("volatile = true"), "{}", err(&repaired));
    assert!(fs::read(dir.join("day.keys")).unwrap() == keys);
    let settings = fs::read_to_string(dir.join("relay.toml")).unwrap();
    fs::write(dir.join("relay.toml"), format!("{settings}\nvolatile = true\n")).unwrap();
    once(at);
    fs::write(dir.join("relay.toml"), settings).unwrap();
    once(at);
}
