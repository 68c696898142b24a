//! A request to the calculator of micro-loans; see `braid_fuzz::microloan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| braid_fuzz::microloan(bytes));
