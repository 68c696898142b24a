//! Lets validators agree on blocks, through commonware. Nothing else in the repository names commonware but the simulation.
//!
//! Order first, execute after: validators agree on *ordered blocks*, lists of transactions; executing one gives *the block* of the
//! Ethereum chain at the same height, and an ordered block commits to the block some heights below it. The certificate of an
//! ordered header therefore proves an Ethereum header.
//!
//! Reading order: [`rules`] (what all nodes of a chain hold alike) and [`committee`] (who votes), [`block`] (what is agreed on),
//! [`scheme`] (how votes are signed), `vote_lock` (which of them may be cast after a loss), [`check_header`] (what a header must say), `pipeline` (check, execute, commit),
//! `application` (propose and verify), `finality` (final blocks to disk), [`epochs`] (one simplex engine an epoch), [`engine`] (all
//! of it together), [`process`] (that on tokio and TCP), [`sync`] (state for who joins late), [`reshare`] (a group's key from one
//! committee to the next); [`generate`] and [`deal`] make that key. [`certificates`] and [`faults`] are what others learn from a node.
//!
//! A node is started with [`engine::start`]:
//!
//! ```text
//! let rules = Arc::new(Rules::new(&config, chain_id, genesis_block)?);        // config: config.braid of the genesis
//! let settings = Settings {
//!     key, key_file, share: None, pace, timeouts: Timeouts::default(), keep_blocks: None, vote: None, partition: "node".into(),
//!     snapshot_interval: 0,
//! };
//! let network = Network { peers, blocker, votes, certificates, resolver, backfill, blocks, sync, shares };   // channels of one network
//! let mut node = engine::start(context, rules, settings, network, Sequential, ledger).await?;
//!
//! node.status.borrow().durable;                  // newest final block, at any time
//! node.certificates.certificate(height).await;   // for light clients
//! node.faults.recv().await;                      // who did wrong
//! node.wait().await;                             // the reason, once it cannot go on
//! ```

mod allowance;
mod anchor;
mod application;
pub mod block;
pub mod certificates;
pub mod committee;
pub mod committees;
pub mod deal;
mod ends;
pub mod engine;
pub mod epochs;
pub mod faults;
mod finality;
pub mod fuzz;
pub mod generate;
pub mod keys;
pub mod peers;
mod pipeline;
pub mod process;
pub mod reshare;
mod retention;
pub mod rules;
pub mod scheme;
pub mod status;
mod stop;
pub mod sync;
mod validity;
mod vote_lock;
mod worker;

pub use application::Pace;
pub use ends::EndsError;
pub use stop::StopReason;
pub use validity::{HeaderError, Members, check_header};
pub use vote_lock::VoteLockError;
