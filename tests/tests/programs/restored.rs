//! A relay whose disk came back as it was some time ago.

use std::path::Path;

use super::{ANNA, BORIS, World};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    // A killed relay leaves its socket behind, which is no part of a snapshot.
    let files = std::fs::read_dir(from).unwrap().map(Result::unwrap);
    for file in files.filter(|file| file.file_type().unwrap().is_file()) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn a_relay_of_an_older_snapshot_shows_nothing_twice_and_goes_on() {
    let mut world = World::new();
    let say = |world: &World, text: &str| {
        let mut chat = world.anna.chat(&world.boris).unwrap();
        chat.type_line(text).unwrap();
        chat.expect(&format!("at the relay: {text}")).unwrap();
        chat.finish().unwrap();
    };
    say(&world, "text-1");
    world.relay.kill().unwrap();
    let (now, older) = (world.relay.dir.clone(), tempfile::tempdir().unwrap());
    copy(&now, older.path());
    world.relay.start().unwrap();
    // Read and acknowledged, and on the disk of then all the same. Briefly: a receipt would wait for her.
    world.boris.run(&["receive", "--brief"], "").unwrap();
    assert_eq!(world.relay.waiting().unwrap(), 0);
    world.relay.kill().unwrap();
    std::fs::remove_dir_all(&now).unwrap();
    copy(older.path(), &now);
    world.relay.start().unwrap();
    assert_eq!(world.relay.waiting().unwrap(), 1, "the snapshot holds what was read since");
    say(&world, "text-2");
    world.boris.run(&["receive", "--brief"], "").unwrap();
    // Half a minute may have gone since the first, and then he has sent her a receipt.
    world.anna.run(&["receive", "--brief"], "").unwrap();
    assert_eq!(world.relay.waiting().unwrap(), 0);
    let got = world.boris.json(&["chat", "history", ANNA.name, "--limit", "100"]).unwrap();
    let texts: Vec<&str> = got
        .iter()
        .filter(|line| line["message"]["outgoing"] == false)
        .map(|line| line["message"]["text"].as_str().unwrap())
        .collect();
    let mut sorted = texts.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["text-1", "text-2"], "{} has both, once", BORIS.name);
}
