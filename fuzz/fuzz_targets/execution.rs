//! Byte code under the parallel executor; see `braid_fuzz::execution`.
#![no_main]

libfuzzer_sys::fuzz_target!(|code: &[u8]| braid_fuzz::execution(code));
