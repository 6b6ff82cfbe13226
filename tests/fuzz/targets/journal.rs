//! See `checks/journal.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| specter_fuzz::journal::check(data));
