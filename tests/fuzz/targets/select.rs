//! See `checks/select.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| specter_fuzz::select::check(data));
