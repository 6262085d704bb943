//! The real programs as processes: killed, on a bad line, used wrongly, and by a newcomer who follows README.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "outside the test functions stand only their helpers"
)]

mod addresses;
mod alert;
mod bad_line;
mod clock;
mod clock_jumps;
mod codes;
mod command_line;
mod desktop;
mod duress;
mod epochs;
mod full_disk;
mod killed;
mod locked;
mod logs;
mod lost;
mod memory;
mod moved;
mod operators;
mod outside;
mod passphrases;
mod power_cut;
mod readme;
mod restored;
mod seized;
mod selftest;
mod typed;
mod volatile;

use beresta_tests::process::{Person, Programs, Relay, Who, both};

const ANNA: Who = Who { name: "Anna", language: "en", passphrase: "snow lamp anchor spring teapot" };
const BORIS: Who = Who { name: "Boris", language: "en", passphrase: "harbour violet engine moss kettle" };

/// A relay and two people who met.
struct World {
    relay: Relay,
    anna: Person,
    boris: Person,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let programs = Programs::for_tests().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let relay = Relay::make(&programs, &folder.path().join("relay")).unwrap();
        let world = Self::at(&programs, relay, folder);
        world.anna.meet(&world.boris).unwrap();
        world
    }

    /// Who did not meet yet.
    fn at(programs: &Programs, relay: Relay, folder: tempfile::TempDir) -> Self {
        let make = |at, who| Person::make_cheap(programs, &folder.path().join(at), who, &relay.address);
        let (anna, boris) = both(|| make("anna", ANNA), || make("boris", BORIS)).unwrap();
        Self { relay, anna, boris, _folder: folder }
    }
}
