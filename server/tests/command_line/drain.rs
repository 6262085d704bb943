//! What `drain` is to people who are there.

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use beresta_proto::address::RelayAddress;
use beresta_server::clock;
use beresta_server::selftest::{self, Step};

use super::*;

/// Seconds for which people are waited for here.
const PATIENCE: u64 = 3;

#[test]
fn a_drain_waits_for_people_as_long_as_its_settings_say() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap();
    let free = free();
    let made = relay(&["init", "--dir", at, "--listen", &free, "--public", &free]);
    let address = RelayAddress::from_link(out(&made).trim()).unwrap();
    let file = dir.path().join("relay.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{settings}drain_seconds = {PATIENCE}\n")).unwrap();
    let mut running = start(at);

    // A link that stays as long as nobody listens to its second step.
    let (comes, came) = mpsc::channel();
    let (goes, gone) = mpsc::channel::<()>();
    let visitor = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tell = |tried: selftest::Tried| {
            if tried.step == Step::IsTheOne {
                comes.send(tried.outcome.is_ok()).unwrap();
                let _ = gone.recv();
            }
        };
        runtime.block_on(selftest::run(&address, None, tell, |_| {}))
    });
    assert_eq!(came.recv(), Ok(true));
    let begun = clock::monotonic();
    let drained = relay(&["drain", "--dir", at]);
    assert_eq!(drained.status.code(), Some(0), "{}", err(&drained));
    let took = begun.elapsed();
    // Without a setting it would be half a minute.
    assert!((Duration::from_secs(PATIENCE)..Duration::from_secs(25)).contains(&took), "{took:?}");
    assert_eq!(running.wait().unwrap().code(), Some(0));
    drop(goes);
    visitor.join().unwrap();
}
