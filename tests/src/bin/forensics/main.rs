#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a check: what it did not expect ends it"
)]
//! What somebody finds on a disk who has an image of it, the passphrase, and every key that is left.
//!
//! ```text
//! forensics live PROFILE IMAGE WORK    lives a while with a profile, in a file system that IMAGE holds
//! forensics carve IMAGE WORK           looks for what is left of that in the image of the unmounted file system
//! forensics destroyed IMAGE WORK       the same after the profile was destroyed: nothing that opens it is there
//!
//! forensics relay-live PROGRAM FOLDER IMAGE WORK    lives some weeks with a relay, and has it serve somebody
//! forensics relay-carve IMAGE WORK                  looks for what has ended, and for who was there
//! ```
//! `live` writes texts that stay and texts that disappear, lets time pass, and copies the profile to WORK before each
//! ending, and the image once: the truth that `carve` compares with. The profile is opened by code of its own, written from
//! the layouts that are documented, and not by the client's.

mod carve;
mod keys;
mod live;
mod relay;

use std::path::PathBuf;

/// What opens the profile.
const PASSPHRASE: &str = "snow lamp anchor spring teapot";

fn main() {
    let mut args = std::env::args_os().skip(1);
    let what = args.next().and_then(|what| what.into_string().ok()).unwrap_or_default();
    let paths: Vec<PathBuf> = args.map(PathBuf::from).collect();
    match (what.as_str(), paths.as_slice()) {
        ("live", [profile, image, work]) => live::live(profile, image, work),
        ("carve", [image, work]) => carve::carve(image, work),
        ("destroyed", [image, work]) => carve::destroyed(image, work),
        ("relay-live", [program, folder, image, work]) => relay::live(program, folder, image, work),
        ("relay-carve", [image, work]) => relay::carve(image, work),
        _ => panic!(
            "forensics live PROFILE IMAGE WORK | carve|destroyed|relay-carve IMAGE WORK | \
             relay-live PROGRAM FOLDER IMAGE WORK"
        ),
    }
}
