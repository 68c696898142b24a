//! A signed transaction; see `braid_fuzz::transaction`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| braid_fuzz::transaction(bytes));
