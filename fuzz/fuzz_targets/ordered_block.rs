//! An ordered block or a finality certificate; see `braid_fuzz::ordered_block`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| braid_fuzz::ordered_block(bytes));
