//! Time until a passphrase has its answer: whoever watches somebody type one, with a clock in hand, is not to learn from it
//! what the passphrase does. Whatever is typed waits for Argon2id; who has the right one, or that of the decoy, opens a database.

use std::path::Path;
use std::time::Instant;

use beresta_client::rng::Rng;
use beresta_client::store::{Duress, KdfCost, Passphrase, Store, StoreError};

use crate::table::{Table, median};

/// Turns of each passphrase.
const TURNS: usize = 21;

/// What is typed, and what it is.
const TYPED: [(&str, &str); 6] = [
    ("wrong", "wrong"),
    ("right", "right"),
    ("decoy", "of the decoy"),
    ("cold", "under duress, cold"),
    ("wipe", "under duress, wipe"),
    ("", "empty"),
];

/// A profile with a decoy, under whose duress passphrase `what` is done.
fn make(dir: &Path, what: Duress) {
    let (mut rng, pass) = (Rng::system(), |text: &str| Passphrase::new(text.to_owned()));
    let mut store = Store::create(dir, &pass("right"), KdfCost::DEFAULT, &mut rng).unwrap();
    store.set_decoy(&pass("decoy"), &mut rng, |_, _| Ok::<_, StoreError>(())).unwrap();
    let forced = if what == Duress::Cold { "cold" } else { "wipe" };
    store.set_duress(&pass(forced), what, &mut rng).unwrap();
    store.close().unwrap();
}

/// Measures and prints it.
pub(crate) fn measure(dir: &Path) {
    let profiles = [("cold", Duress::Cold), ("wipe", Duress::Wipe)].map(|(name, what)| {
        let profile = dir.join(format!("unlock-{name}"));
        make(&profile, what);
        profile
    });
    let mut times = [const { Vec::new() }; TYPED.len()];
    for _ in 0..TURNS {
        for ((text, _), times) in TYPED.iter().zip(&mut times) {
            let profile = &profiles[usize::from(*text == "wipe")];
            let began = Instant::now();
            let opened = Store::open(profile, &Passphrase::new((*text).to_owned()));
            times.push(began.elapsed().as_secs_f64());
            assert_eq!(opened.is_ok(), ["right", "decoy"].contains(text));
        }
    }
    let medians = times.map(median);
    let mut table = Table::new(&["passphrase", "ms", "ratio to a wrong one"]);
    for ((_, what), time) in TYPED.iter().zip(medians) {
        table.row([(*what).to_owned(), format!("{:.1}", time * 1e3), format!("{:.3}", time / medians[0])]);
    }
    println!("Time until a passphrase has its answer, medians of {TURNS} turns:\n\n{table}");
}
