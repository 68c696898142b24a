//! A block in RLP; see `braid_fuzz::block`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| braid_fuzz::block(bytes));
