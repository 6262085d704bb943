//! The one fuzzing binary: which target it is, `BERESTA_FUZZ_TARGET` says when it runs.
#![no_main]

use std::sync::OnceLock;

static TARGET: OnceLock<String> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let target = TARGET.get_or_init(|| std::env::var("BERESTA_FUZZ_TARGET").expect("the name of a target"));
    beresta_tests::fuzz::run(target, bytes);
});
