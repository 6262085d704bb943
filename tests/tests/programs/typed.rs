//! Conversations at a terminal: what is pasted there, and what is typed.

use beresta_tests::process::{Person, Programs, Terminal};

use super::passphrases::on_a_terminal;
use super::{ANNA, World};

/// Anna's conversation with Boris, opened at a terminal.
fn chat(anna: &Person) -> Terminal {
    let programs = Programs::for_tests().unwrap();
    let mut chat = on_a_terminal(&programs, &anna.dir, "--lang en chat open Boris");
    chat.expect("Passphrase: ").unwrap();
    chat.type_unseen(&format!("{}\n", ANNA.passphrase)).unwrap();
    chat.expect("Locks unless").unwrap();
    chat
}

#[test]
fn what_is_pasted_into_a_conversation_destroys_and_locks_nothing() {
    let world = World::new();
    let mut chat = chat(&world.anna);
    chat.expect("\u{1b}[?2004h").unwrap();
    for pasted in [
        // By a terminal that does not mark it, and by one that does.
        "Send this on:\n/panic\nto everybody you know\n",
        "\u{1b}[200~/panic\u{1b}[201~\n",
        "\u{1b}[200~Send this on:\n/lock\nto everybody\u{1b}[201~ you know\n",
        // Typed, and not meant so.
        "/panic is a command of Beresta\n",
    ] {
        chat.type_in(pasted).unwrap();
        chat.expect("is a command only where it is typed").unwrap();
    }
    assert!(world.anna.dir.join("vault.hdr").exists());
    chat.type_in("/lock\n").unwrap();
    let (code, shown) = chat.end().unwrap();
    assert_eq!(code, Some(6), "{shown}");
    assert!(shown.contains("\u{1b}[?2004l"), "the terminal is left as it was: {shown}");
    world.anna.run(&["contact", "list"], "").unwrap();
}

#[test]
fn a_panic_that_is_typed_at_a_terminal_is_heard_although_enter_is_pressed_twice() {
    let world = World::new();
    let mut chat = chat(&world.anna);
    chat.type_in("/panic\n\n").unwrap();
    let (code, shown) = chat.end().unwrap();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!world.anna.dir.exists());
}

#[test]
fn a_panic_that_is_typed_at_a_terminal_that_was_stopped_destroys_all_the_same() {
    let world = World::new();
    let mut chat = chat(&world.anna);
    // Ctrl-S, and something that would be shown.
    chat.type_in("\u{13}").unwrap();
    world.boris.run(&["send", ANNA.name], "shown to nobody").unwrap();
    chat.type_in("/panic\n").unwrap();
    let (code, shown) = chat.end().unwrap();
    assert_ne!(code, Some(0), "{shown}");
    assert!(!world.anna.dir.exists());
}

#[test]
fn a_lock_at_a_terminal_that_was_stopped_ends_the_program_all_the_same() {
    let world = World::new();
    let mut chat = chat(&world.anna);
    // Whoever stops it in the middle of what is being shown is not heard (docs/known-issues.md).
    chat.expect("\u{1b}[?2004h").unwrap();
    chat.type_in("\u{13}/lock\n").unwrap();
    let (code, shown) = chat.end().unwrap();
    assert_ne!(code, Some(0), "{shown}");
    world.anna.run(&["contact", "list"], "").unwrap();
}

#[test]
fn a_line_that_the_terminal_cuts_is_not_sent_and_the_conversation_goes_on() {
    let world = World::new();
    let mut chat = chat(&world.anna);
    // Also where something is deleted: that goes of what the terminal kept.
    for deleted in ["", "\u{7f}\u{7f}\u{7f}"] {
        chat.type_in(&format!("начало {}{deleted}\n", "я".repeat(2_500))).unwrap();
        chat.expect("may have dropped its end").unwrap();
    }
    chat.type_in("a short one\n").unwrap();
    chat.expect("at the relay: a short one").unwrap();
    chat.type_in("/quit\n").unwrap();
    let (code, shown) = chat.end().unwrap();
    assert_eq!(code, Some(0), "{shown}");
    let heard = world.boris.run(&["receive"], "").unwrap();
    assert!(heard.contains("a short one") && !heard.contains("начало"), "{heard}");
}
