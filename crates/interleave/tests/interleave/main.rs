//! Blocks under schedules that a checker chooses; see the crate's documentation for what is checked of each.
//!
//! The blocks are those of the executor's oracle (`crates/exec/tests/oracle`), by seed. A failure prints the seed, the
//! scheduler's, and the schedule.
//!
//! `BRAID_INTERLEAVE_BLOCKS` sets how many blocks are tried, `BRAID_INTERLEAVE_SCHEDULES` under how many schedules each,
//! `BRAID_INTERLEAVE_SEED` where they begin.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    reason = "tests, and helpers that nobody else sees"
)]

extern crate braid_interleave as braid_exec;

#[path = "../../../exec/tests/oracle/assembler.rs"]
mod assembler;
#[path = "../../../exec/tests/oracle/case.rs"]
mod case;
#[allow(dead_code, reason = "not all that the oracle needs is needed here")]
#[path = "../../../exec/tests/oracle/compare.rs"]
mod compare;
#[path = "../../../exec/tests/oracle/program.rs"]
mod program;
#[path = "../../../exec/tests/oracle/random.rs"]
mod random;
mod schedules;
#[path = "../../../exec/tests/oracle/setup.rs"]
mod setup;
#[allow(dead_code, reason = "not all that the oracle needs is needed here")]
#[path = "../../../exec/tests/oracle/world.rs"]
mod world;
