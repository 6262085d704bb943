//! The one fuzzing binary: which target it is, `BERESTA_FUZZ_TARGET` says when it is built.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| beresta_tests::fuzz::run(env!("BERESTA_FUZZ_TARGET"), bytes));
