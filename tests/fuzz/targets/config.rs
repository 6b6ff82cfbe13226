//! See `checks/config.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| specter_fuzz::config::check(data));
