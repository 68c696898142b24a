//! Whole-network deterministic simulation: validators, network, disks and clocks from one seed.
//!
//! Reading order: [`plan`] (what happens), [`world`] and [`workload`] (the chain and its clients), [`machine`] and [`disk`] (what a
//! validator runs on), [`network`] (what lies between), [`node`] (a validator), [`byzantine`] (validators that lie), [`auditor`],
//! [`books`] and [`proofs`] (what must be true), [`mod@run`] (one simulation), [`campaign`] (many).
//!
//! # What is real and what is simulated
//!
//! Real are the engine of `braid-consensus` with all of its settings, the ledger, pool, executor and store, keys and signatures. Simulated
//! are the machines between them: commonware's deterministic runtime gives tasks, time, random numbers and the files of
//! consensus, its simulated network the links. One thread runs it all, in an order that the seed decides; virtual time passes
//! only when nobody has anything to do. The same seed gives the same run to the last message, which is checked for some seeds by
//! running them twice ([`run::Outcome::events`] is a hash over everything that happened).
//!
//! The chain's store is the exception: it writes real files, in a temporary directory that is in memory where the system has such a
//! file system. What a power cut leaves of it is decided by the simulation ([`disk`]). Its threads, and those that recover senders in
//! parallel, change nothing but the time that a run takes.
//!
//! # Running
//!
//! ```text
//! braid-sim run --seeds 0..2000        many scenarios; prints a summary as JSON
//! braid-sim replay 17 --verbose        one of them, with what the validators log
//! ```
//!
//! # What it notices
//!
//! A simulation is worth what it finds. Each of these was broken on purpose, in a copy, and found:
//!
//! | broken | scenarios that failed | by the rule |
//! |---|---|---|
//! | a block is voted for whatever it commits to | 3 of 5 with a leader that lies about it | ordered blocks: execution commitment |
//! | transactions that do not decode or are not signed are passed over | 6 of 6 with such a leader | ordered blocks: body |
//! | anybody may get a block's fees | 2 of 6 with such a leader | ordered blocks: beneficiary |
//! | nobody waits for a time stamp from the future | 1 of 6 with such a leader | ordered blocks: time stamp |
//! | blocks are acknowledged before they are durable | 11 of 14 without liars | start: a final block without its parent |
//! | votes cast before a power cut are forgotten | 8 of 14 without liars | progress |
//! | leaders propose what is ordered already | 10 of 14 without liars | ordered blocks: repetition |
//!
//! # Limits
//!
//! A chain's commit takes no virtual time, so slow disks delay votes and certificates but not blocks. Members do not join or leave.

pub mod auditor;
pub mod books;
pub mod byzantine;
pub mod campaign;
pub mod disk;
pub mod machine;
pub mod network;
pub mod node;
pub mod plan;
pub mod proofs;
pub mod random;
pub mod run;
pub mod workload;
pub mod world;
