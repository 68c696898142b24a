//! Executes a block over revm, with several threads, and returns exactly what sequential execution would.
//!
//! [`execute`] takes everything a block depends on ([`BlockContext`]), its transactions, and the state it begins with,
//! through revm's `DatabaseRef`. It returns receipts, the state's changes in absolute values, and requests; it stores
//! nothing, knows no trie, and reads no clock. The same input gives the same outcome on every run and with any number
//! of threads; only [`Statistics`] may differ. It does not check the header: who calls it compares gas, bloom and
//! roots.
//!
//! `examples/block.rs` executes a block on a small state: `cargo run --release -p braid-exec --example block`.
//!
//! # The phases of a block
//!
//! In this order, each where the fork has it:
//!
//! 1. The irregular state change of the DAO fork, in its one block (EIP-779).
//! 2. System calls: the parent's beacon root since Cancun (EIP-4788), the parent's hash since Prague (EIP-2935). A
//!    contract that is missing or fails is ignored.
//! 3. The transactions, each on what the one before left. A transaction must find room for its gas limit and its blobs;
//!    revm checks the rest and executes it. The receipt holds a status since Byzantium (EIP-658), before it a state
//!    root, which the caller fills in.
//! 4. Requests since Prague (EIP-7685): deposits out of the receipts' logs (EIP-6110), withdrawals (EIP-7002) and
//!    consolidations (EIP-7251) by system calls to contracts that must exist and answer.
//! 5. Withdrawals since Shanghai, in gwei (EIP-4895).
//! 6. Rewards of ommers and miner until Paris (Yellow Paper; EIP-649, EIP-1234).
//!
//! After each transaction and system call, accounts that were touched and are empty are removed since Spurious Dragon
//! (EIP-161); before, they come into existence.
//!
//! Rules are revm's own, save two that revm leaves out: Constantinople's storage gas (EIP-1283), and that no contract
//! is created where there is storage (EIP-7610).
//!
//! # How several threads execute a block
//!
//! In short; the module `parallel` tells it whole (`src/parallel/mod.rs`, or `cargo doc --document-private-items`).
//!
//! The first transaction that is not committed is the *frontier*. What executes there has final inputs, as in
//! sequential execution. The other threads execute transactions ahead of it, on what is there now, and publish what
//! they write, by version, in a memory that lies over the base state. When the frontier arrives, what such a
//! transaction read is compared with what is there then, by value: if it is the same, the result stands; if not, the
//! transaction is executed again, now with final inputs. So no transaction is executed more than twice, and what a
//! speculation saw can change how long a block takes but never what it does.
//!
//! Most of what transactions have in common need not be the same:
//!
//! - An account is compared as nonce, balance and code. A balance that is only passed on is a sum with a least balance;
//!   a sender's nonce is guessed ahead; the fee recipient is paid at commit.
//! - A slot that conflicted is tracked symbolically ([`symbolic`]): if all would have gone the same way with its new
//!   value, the result is patched, log words included. Unmodified tokens, votes and counters so commute.
//! - Transactions that meet at a slot that does not commute are recognised by what they call, and executed in order,
//!   ahead of the frontier.
//! - A block that carries its access list ([`AccessListUse::Given`]) is executed all at once, whatever its transactions
//!   have in common.
//!
//! The threads are [`Config::threads`], the caller's included. One thread executes the same way and never ahead. Where
//! each transaction's changes are wanted apart ([`Config::per_transaction_changes`]; before Byzantium) the block is
//! executed sequentially.
//!
//! Reading order: [`outcome`] (what goes in and out), [`block`](mod@block) (the phases), `overlay` (what was read and
//! written so far), `system` (system calls and requests), [`evm`] (revm for one block), [`parts`] (phases one by one,
//! for tracing and simulation), [`access_list`] (what a block accessed, as EIP-7928 lists it), `parallel` (several
//! threads), [`symbolic`] (storage that commutes), [`contention`] (where transactions met).
//!
//! # How it is checked
//!
//! - `tests/oracle`: random blocks, rich in conflicts, by one to eight threads, beside sequential execution and a plain
//!   loop over revm (`cargo test --release -p braid-exec --test oracle`).
//! - `crates/interleave`: the same blocks, by these sources, under schedules that a checker chooses (`make interleave`);
//!   `make mutants` breaks one step after the other, and each has to be noticed.
//! - The oracle under ThreadSanitizer (`make tsan`), and byte code that libFuzzer makes up (`make fuzz`, target `execution`).
//! - [`symbolic`] beside execution: random byte code around everything that is tracked (unit tests there).
//! - Ethereum's own tests through the parallel path (`make conformance`), and recorded blocks (`braid replay`).

pub mod access_list;
pub mod block;
mod changes;
pub mod contention;
mod dao;
mod deposits;
mod eip1283;
pub mod eip7610;
pub mod evm;
pub mod outcome;
mod overlay;
mod parallel;
pub mod parts;
pub mod symbolic;
mod system;
#[cfg(test)]
mod tests;
mod threads;

pub use block::execute;
pub use changes::Changes;
pub use contention::ContentionTally;
pub use evm::{block_env, call_env, new_evm, transaction_env};
pub use outcome::{
    AccessListUse, BlockContext, BlockOutcome, Config, Contention, ExecError, Ommer, OnInvalid, Statistics,
};
pub use parts::{after_transactions, before_transactions, execute_alone};
