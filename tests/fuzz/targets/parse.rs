//! See `checks/parse.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| specter_fuzz::parse::check(data));
