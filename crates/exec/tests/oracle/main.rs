//! The oracle: any number of threads must make of a block exactly what one transaction after the other makes of it.
//!
//! Random blocks, rich in conflicts, are executed by one to eight threads, over state whose reads take their time or
//! fail, and compared with sequential execution and with a plain loop over revm: receipts, gas, logs, bloom, changes,
//! requests, skipped transactions, errors. A failure prints a command that repeats it, and the transactions that
//! suffice for it.
//!
//! `BRAID_ORACLE_CASES` sets how many blocks are tried, `BRAID_ORACLE_SEED` where they begin, `BRAID_ORACLE_REPEATS` how
//! often each is executed with each number of threads.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    reason = "tests, and helpers that nobody else sees"
)]

mod assembler;
mod blocks;
mod case;
mod compare;
mod program;
mod random;
mod scenarios;
mod setup;
mod world;
