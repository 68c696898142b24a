//! The parallel executor under schedules that a checker chooses.
//!
//! These are the sources of `braid-exec`, file by file; only the module [`threads`] is another. There, locks, atomics,
//! condition variables and threads are shuttle's: all threads run on one, and at each step that others could notice a
//! scheduler decides who goes on. So a block is executed, by the code that nodes run and with a real EVM, under
//! thousands of schedules, among them such as no machine produces in years. A seed repeats them, but for the order in
//! which revm's journal tells what a transaction wrote, which differs from run to run.
//!
//! What is checked of every schedule (`tests/interleave`):
//!
//! - *The outcome is that of one transaction after the other*: receipts in order, gas, logs, changes, access list. So
//!   every transaction is settled once, at its place; what was validated is what the sequence reads there; and nothing
//!   that was withdrawn is left.
//! - *It ends.* A schedule after which everybody sleeps fails, and so does one of too many steps: no wake-up is lost.
//! - *Work is bounded*: executed ahead at most once, executed at the frontier at most once, and never fallen back.
//!
//! That the checker would notice is checked too: with a [`Fault`](threads::Fault), outcomes become wrong or threads
//! sleep for ever; `make mutants` does the same to the sources.
//!
//! **What it does not see.** All atomics are taken to be sequentially consistent. The orderings that the sources name
//! need not be relied upon: values are read and written under locks, and each comment `Ordering:` says which. Base
//! state is read without a step in between, as nobody writes it.
//!
//! Schedules are random walks, uniform random walks, and those of PCT (Burckhardt et al., *A Randomized Scheduler with
//! Probabilistic Guarantees of Finding Bugs*, 2010).

#[path = "../../exec/src/access_list/mod.rs"]
pub mod access_list;
#[path = "../../exec/src/block.rs"]
pub mod block;
#[path = "../../exec/src/changes.rs"]
mod changes;
#[path = "../../exec/src/contention.rs"]
pub mod contention;
#[path = "../../exec/src/dao.rs"]
mod dao;
#[path = "../../exec/src/deposits.rs"]
mod deposits;
#[path = "../../exec/src/eip1283.rs"]
mod eip1283;
#[path = "../../exec/src/eip7610.rs"]
pub mod eip7610;
#[path = "../../exec/src/evm.rs"]
pub mod evm;
#[path = "../../exec/src/outcome.rs"]
pub mod outcome;
#[path = "../../exec/src/overlay.rs"]
mod overlay;
#[path = "../../exec/src/parallel/mod.rs"]
mod parallel;
#[path = "../../exec/src/parts.rs"]
pub mod parts;
#[path = "../../exec/src/symbolic/mod.rs"]
pub mod symbolic;
#[path = "../../exec/src/system.rs"]
mod system;
pub mod threads;

pub use block::execute;
pub use changes::Changes;
pub use contention::ContentionTally;
pub use evm::{block_env, call_env, new_evm, transaction_env};
pub use outcome::{
    AccessListUse, BlockContext, BlockOutcome, Config, Contention, ExecError, Ommer, OnInvalid, Statistics,
};
pub use parts::{after_transactions, before_transactions, execute_alone};
