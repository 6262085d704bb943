#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a body of a fuzz target is a test: what it did not expect ends it"
)]
//! Bodies of the fuzz targets: each takes bytes that nobody meant, and fails if the code does. `tests/fuzz` hands them
//! to a fuzzer, one binary for all; the test `corpus` runs them over the committed corpus and over changes of it.

mod guarded;
mod relay;
mod store;
mod wire;

pub use guarded::genuine;
pub use relay::heard;

/// What is done with bytes.
pub type Body = fn(&[u8]);

/// Every target: its name, which is also its corpus' folder, and its body.
pub const TARGETS: [(&str, Body); 9] = [
    ("frame", wire::frame),
    ("capsule", wire::capsule),
    ("envelope", wire::envelope),
    ("content", wire::content),
    ("invite", wire::invite),
    ("descriptor", wire::descriptor),
    ("guarded", guarded::guarded),
    ("relay", relay::relay),
    ("header", store::header),
];

/// Runs a target by its name: what a fuzzer's binary does.
///
/// # Panics
/// If there is no such target, or the code failed.
pub fn run(target: &str, bytes: &[u8]) {
    let (_, body) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target of this name");
    body(bytes);
}
