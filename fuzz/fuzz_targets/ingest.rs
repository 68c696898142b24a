//! Both sides of the binary ingest; see `braid_fuzz::ingest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| braid_fuzz::ingest(bytes));
