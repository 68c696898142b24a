//! The access list of a block; see `braid_fuzz::access_list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| braid_fuzz::access_list(bytes));
