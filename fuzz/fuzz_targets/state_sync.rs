//! A message of state sync, a chunk or a manifest; see `braid_fuzz::state_sync`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| braid_fuzz::state_sync(bytes));
