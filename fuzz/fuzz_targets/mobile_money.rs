//! A callback or a statement of a mobile-money provider; see `braid_fuzz::mobile_money`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| braid_fuzz::mobile_money(bytes));
