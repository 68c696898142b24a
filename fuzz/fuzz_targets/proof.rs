//! A proof for a light client, or a part of one; see `braid_fuzz::proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| braid_fuzz::proof(bytes));
