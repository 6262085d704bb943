//! `beresta-relay selftest`: what an operator learns of a relay from where people are.

use std::process::Command;

use beresta_proto::address::RelayAddress;
use beresta_proto::route::Route;
use beresta_tests::process::{Output, Programs, Relay, free_port, output};

fn selftest(programs: &Programs, address: &str) -> Output {
    let mut ask = Command::new(&programs.relay);
    ask.args(["selftest", "--lang", "en", "--via", address]);
    output(ask, "").unwrap()
}

fn order(programs: &Programs, relay: &Relay, what: &str) {
    let mut order = Command::new(&programs.relay);
    order.arg(what).arg("--dir").arg(&relay.dir);
    assert_eq!(output(order, "").unwrap().code, 0, "{what}");
}

#[test]
fn a_relay_that_works_passes_every_step_and_keeps_nothing_of_it() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::make(&programs, &folder.path().join("relay")).unwrap();
    let Output { code, out, err } = selftest(&programs, &relay.address);
    assert_eq!((code, out.matches("ok  ").count()), (0, 6), "{out}{err}");
    let held: serde_json::Value = serde_json::from_str(&relay.what_it_holds(&["--json"]).unwrap()).unwrap();
    for kind in ["queues", "messages", "blobs"] {
        assert_eq!(held[kind], 0, "{kind}: {held}");
    }
}

#[test]
fn what_keeps_people_from_a_relay_is_named_with_what_to_do() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut relay = Relay::make(&programs, &folder.path().join("relay")).unwrap();
    let fails = |address: &str, why: &str| {
        let Output { code, out, err } = selftest(&programs, address);
        assert_eq!(code, 5, "{out}{err}");
        let failed: Vec<&str> = out.lines().filter(|line| line.starts_with("FAIL")).collect();
        assert!(failed.iter().any(|line| line.contains(why)), "{why}: {out}{err}");
    };

    order(&programs, &relay, "pause-new");
    fails(&relay.address, "lets nobody new in");
    order(&programs, &relay, "resume");

    // Another one answers where this one should be.
    let other = Relay::make(&programs, &folder.path().join("other")).unwrap();
    let mut address = RelayAddress::from_link(&relay.address).unwrap();
    address.routes = RelayAddress::from_link(&other.address).unwrap().routes;
    fails(&address.to_link(), "another relay answers");

    // One of two ways to it is closed: people reach it by the other.
    let mut both = RelayAddress::from_link(&relay.address).unwrap();
    both.routes.insert(0, Route::Quic(free_port().unwrap().parse().unwrap()));
    let Output { code, out, err } = selftest(&programs, &both.to_link());
    assert_eq!((code, out.matches("FAIL").count(), out.matches("ok  ").count()), (4, 1, 6), "{out}{err}");

    relay.kill().unwrap();
    fails(&relay.address, "nobody answers");

    let Output { code, out: _, err } = selftest(&programs, "beresta:nothing");
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("no address of a relay"), "{err}");
}
