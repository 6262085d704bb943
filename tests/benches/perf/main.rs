#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench looks at the clock, and what it did not expect ends it"
)]
//! `cargo bench -p beresta-tests`: the tables of `docs/perf.md`, measured on this machine and printed. It takes some
//! minutes, sends to loopback only, and judges nothing: whether a figure is good, `docs/perf.md` says.
//!
//! `-- relayed`, `-- latency`, `-- idle`, `-- handshakes`, `-- soak`, `-- siege`, `-- crowd`, `-- client` or `-- unlock` behind the command measures that part only; a number
//! behind `soak` is its length in seconds. What `latency` and `soak` draw goes into `docs/perf/`. In every part the peers take turns
//! in one run, because only ratios of one run mean anything on another machine.
//!
//! `-- asked` measures what standard input asks for, and nothing else: `.ci/load` has other servers take turns with it.

mod asked;
mod bare;
mod beresta;
mod client;
mod crowd;
mod disk;
mod handshakes;
mod idle;
mod latency;
mod libsignal;
mod load;
mod pace;
mod plot;
mod process;
mod quic;
mod relayed;
mod siege;
mod soak;
mod table;
mod timed;
mod unlock;

use std::path::Path;

use beresta_proto::key::EpochSecret;
use data_encoding::HEXLOWER;

/// Times that everybody has their turn.
const ROUNDS: usize = 5;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [process::BARE, at, rest @ ..] => {
            let epoch = rest.first().map(|hex| {
                let mut bytes = HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap();
                EpochSecret::take(&mut bytes)
            });
            bare::run(at.parse().unwrap(), epoch);
        }
        [wanted @ .., "--bench"] => measure(wanted),
        // `cargo test --benches` comes without: a test is not timed.
        _ => println!("nothing is measured but by `cargo bench`"),
    }
}

fn measure(wanted: &[&str]) {
    let wants = |part: &str| wanted.is_empty() || wanted.contains(&part);
    // Not where temporary files go by default: that is memory on many machines.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    machine(dir.path());
    if wanted != ["client"] && wanted != ["unlock"] {
        process::build_relay();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if wants("relayed") {
        runtime.block_on(relayed::measure(dir.path()));
    }
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/perf");
    if wants("latency") {
        runtime.block_on(latency::measure(dir.path(), &pictures));
    }
    if wants("idle") {
        runtime.block_on(idle::measure(dir.path()));
    }
    if wants("handshakes") {
        runtime.block_on(handshakes::measure(dir.path()));
    }
    if wants("soak") {
        let seconds = wanted.iter().find_map(|word| word.parse().ok()).unwrap_or(soak::SECONDS);
        runtime.block_on(soak::measure(dir.path(), &pictures, seconds));
    }
    if wants("siege") {
        runtime.block_on(siege::measure(dir.path()));
    }
    if wanted == ["asked"] {
        runtime.block_on(asked::answer(dir.path()));
    }
    drop(runtime);
    if wants("crowd") {
        crowd::measure(dir.path());
    }
    if wants("client") {
        client::measure(dir.path());
    }
    if wants("unlock") {
        unlock::measure(dir.path());
    }
}

/// Says what was measured on.
fn machine(dir: &Path) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu =
        cpu.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown").to_owned();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("unknown");
    let mounts = read("/proc/mounts");
    let system = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|mount| dir.starts_with(mount[1]))
        .max_by_key(|mount| mount[1].len())
        .map_or("unknown", |mount| mount[2]);
    println!("{cores} cores of {cpu}, Linux {}, {system}; load before: {load}.\n", kernel.trim());
}
