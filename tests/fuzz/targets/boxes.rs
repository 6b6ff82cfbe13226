//! See `checks/boxes.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| specter_fuzz::boxes::check(data));
