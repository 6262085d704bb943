//! What the program advises, as far as following it leads where it says.

use super::*;

#[test]
fn a_relay_that_lost_its_settings_becomes_what_its_descriptor_says() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("relay");
    init(&dir);
    let (at, settings) = (dir.to_str().unwrap(), dir.join("relay.toml"));
    std::fs::write(&settings, "listen = \"127.0.0.1:0\"\nvolatile = true\nopen = false\n").unwrap();
    let again = ["init", "--dir", at, "--listen", "127.0.0.1:0"];
    assert_eq!(relay(&again).status.code(), Some(0));
    std::fs::remove_file(&settings).unwrap();
    let lost = relay(&["run", "--dir", at]);
    assert!(err(&lost).contains("other settings are lost"), "{}", err(&lost));
    assert_eq!(relay(&again).status.code(), Some(0));
    let shown = out(&relay(&["config", "check", "--dir", at]));
    assert!(shown.contains("volatile = true") && shown.contains("open = false"), "{shown}");
    let looked = out(&relay(&["doctor", "--dir", at]));
    assert!(!looked.contains("does not fit"), "what is signed holds: {looked}");
}
