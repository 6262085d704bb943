//! Time on a processor that the client takes to send and to receive a text: the whole step of the engine, from the wish
//! to the committed rows and the sealed capsule, and from a push to the committed rows. Real stores in files; the relay
//! between the two is the false world's, and nothing of it is measured.

use std::path::Path;
use std::time::Duration;

use beresta_client::rng::Rng;
use beresta_client::store::contact::ContactId;
use beresta_client::store::{KdfCost, Passphrase, Store};
use beresta_tests::world::{Who, World};
use rustix::time::{ClockId, clock_gettime};

use crate::ROUNDS;
use crate::libsignal::{Bare, Costs};
use crate::table::{Table, median, micros};

/// What is sent: 200 bytes.
pub(crate) const TEXT: &str = "Завтра в десять у входа в суд, со стороны набережной. Возьмите с собой копию \
    доверенности, телефон оставьте дома.";
/// Messages each way of one turn.
const MESSAGES: usize = 60;
/// Until the relay has what was said, and its push is on the line.
const HALF_WAY_MS: u64 = 60;
/// Until everything that follows has been said.
const REST_MS: u64 = 400;

/// What `f` takes of a processor on this thread: the kernel's work for it included, waiting for the disk not.
pub(crate) fn cpu<T>(f: impl FnOnce() -> T) -> (f64, T) {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
    };
    let began = now();
    let value = f();
    ((now() - began).as_secs_f64(), value)
}

/// Measures and prints it.
pub(crate) fn measure(dir: &Path) {
    let mut world = World::new(1);
    let [anna, boris] = ["Anna", "Boris"].map(|name| person(&mut world, &dir.join(name), name));
    let (to_boris, to_anna) = world.meet(anna, boris);
    let mut bare = Bare::new(&dir.join("bare.db"));
    let (mut sends, mut receives, mut costs) = (Vec::new(), Vec::new(), Costs::default());
    for _ in 0..ROUNDS {
        for _ in 0..MESSAGES {
            for (from, to, contact) in [(anna, boris, to_boris), (boris, anna, to_anna)] {
                sends.push(send(&mut world, from, contact));
                receives.extend(receive(&mut world, to));
            }
        }
        for _ in 0..MESSAGES {
            bare.exchange(&mut costs);
        }
    }
    let arrived = world.heard_texts(anna, to_boris).len() + world.heard_texts(boris, to_anna).len();
    assert_eq!(arrived, sends.len(), "a message did not arrive");
    print(sends, receives, costs);
}

fn person(world: &mut World, dir: &Path, name: &str) -> Who {
    let mut rng = Rng::system();
    let passphrase = Passphrase::new("a bench keeps no secrets".to_owned());
    // The passphrase is derived when a store is opened, so its cost is not part of this.
    let store = Store::create(dir, &passphrase, KdfCost::FOR_TESTS, &mut rng).unwrap();
    world.person_with(name, store, rng)
}

fn send(world: &mut World, from: Who, to: ContactId) -> f64 {
    let (took, sent) = world.wish(from, |engine, store, now| cpu(|| engine.send(store, to, TEXT, now)));
    sent.unwrap();
    took
}

/// Lets the relay work, and hands what it pushes over by hand. Receipts come this way too, a few among many texts.
fn receive(world: &mut World, to: Who) -> Vec<f64> {
    world.run(HALF_WAY_MS);
    let relay = world.relay_address().relay;
    let pushes = world.take_pushes(to);
    let took = pushes.into_iter().map(|push| {
        let (took, done) =
            world.wish(to, |engine, store, now| cpu(|| engine.handle_pushes(store, relay, [push], now)));
        done.unwrap();
        took
    });
    let took = took.collect();
    world.run(REST_MS);
    took
}

fn print(sends: Vec<f64>, receives: Vec<f64>, costs: Costs) {
    // A text behind a receipt that the relay has not taken yet leaves later, and is not measured where it arrives.
    assert!(receives.len() * 10 >= sends.len() * 9, "{} of {} arrived in time", receives.len(), sends.len());
    let Costs { encrypt, decrypt, commit_sent, commit_received, capsule } = costs;
    let [send, receive] = [sends, receives].map(median);
    let [encrypt, decrypt, commit_sent, commit_received, capsule] =
        [encrypt, decrypt, commit_sent, commit_received, capsule].map(median);
    let mut table = Table::new(&["", "client", "libsignal", "commit", "capsule", "together", "ratio"]);
    let mut row = |name: &str, ours: f64, crypto: f64, commit: f64, capsule: f64| {
        let bare = crypto + commit + capsule;
        let parts = [ours, crypto, commit, capsule, bare].map(micros);
        let [ours_us, crypto, commit, capsule, together] = parts;
        table.row([
            name.to_owned(),
            ours_us,
            crypto,
            commit,
            capsule,
            together,
            format!("{:.2}", ours / bare),
        ]);
    };
    row("send", send, encrypt, commit_sent, capsule);
    row("receive", receive, decrypt, commit_received, 0.0);
    row("both", send + receive, encrypt + decrypt, commit_sent + commit_received, capsule);
    println!("Time on a processor for one text, in µs:\n\n{table}");
}
