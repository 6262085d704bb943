//! The power goes while everything talks. What is left is the disk as it was at that moment, and nothing of what the
//! system still held in memory.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use beresta_tests::process::apart::{Disk, cut_power};
use beresta_tests::process::{Person, Programs, Relay};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::killed::{assert_in_order, shown_in, texts};
use super::{ANNA, BORIS};

/// How often it goes.
const CUTS: usize = 4;

#[test]
fn a_power_cut_under_everything_at_once_loses_nothing_that_was_acknowledged() {
    let test = "power_cut::a_power_cut_under_everything_at_once_loses_nothing_that_was_acknowledged";
    let Some(disk) = Disk::Image.apart(test).unwrap() else { return };
    let programs = Programs::for_tests().unwrap();
    let mut relay = Relay::make(&programs, &disk.join("relay")).unwrap();
    let make = |at, who| Person::make_cheap(&programs, &disk.join(at), who, &relay.address).unwrap();
    let (anna, boris) = (make("anna", ANNA), make("boris", BORIS));
    anna.meet(&boris).unwrap();

    let mut chance = ChaCha20Rng::seed_from_u64(20_261_127);
    let (mut typed, mut at_relay, mut shown) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for _ in 0..CUTS {
        let mut hers = anna.chat(&boris).unwrap();
        let his = boris.start(&["receive", "--follow"]).unwrap();
        for burst in 0..3 {
            for _ in 0..4 {
                let text = format!("text-{:04}", typed.len());
                hers.type_line(&text).unwrap();
                typed.insert(text);
            }
            if burst == 0 {
                hers.expect("at the relay: ").unwrap();
            }
            sleep(Duration::from_millis(chance.random_range(0..150)));
        }
        let lines = cut_power(&disk, vec![hers, his, relay.take().unwrap()]).unwrap();
        lines.iter().for_each(|lines| assert_in_order(lines));
        let said = lines[0].iter().filter_map(|line| line.strip_prefix("at the relay: "));
        at_relay.extend(said.map(str::to_owned));
        shown.extend(shown_in(&lines[1]));
        relay.start().unwrap();
    }
    let mut got = texts(&boris, ANNA, false);
    for _ in 0..5 {
        anna.run(&["receive", "--brief"], "").unwrap();
        boris.run(&["receive", "--brief"], "").unwrap();
        got = texts(&boris, ANNA, false);
        if texts(&anna, BORIS, true) == got {
            break;
        }
    }
    assert!(at_relay.len() > CUTS, "{} arrived meanwhile", at_relay.len());
    assert_eq!(texts(&anna, BORIS, true), got, "what Anna has written is what Boris has");
    assert!(got.values().all(|count| *count == 1), "once: {got:?}");
    assert!(
        at_relay.iter().chain(&shown).all(|text| got.contains_key(text)),
        "{at_relay:?} {shown:?} {got:?}"
    );
    assert!(got.keys().all(|text| typed.contains(text)));
    // And both talk on, in both directions.
    boris.run(&["send", ANNA.name], "healed").unwrap();
    assert!(anna.run(&["receive", "--max", "1"], "").unwrap().contains("healed"));
    assert_in_order(&relay.stop().unwrap());
}
