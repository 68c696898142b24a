//! A genesis in JSON; see `braid_fuzz::genesis`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| braid_fuzz::genesis(bytes));
