//! The contracts of `contracts/` as one suite: their code, where they stand, and what puts them there.
//!
//! Nothing here talks to a chain. A [`Suite`] is a list of contracts and of [`Step`]s, each with the question that tells whether it
//! is done; who carries it out decides how. `braid dev` executes it into its genesis, `braid deploy` sends it to any chain, and the
//! benchmarks take the code alone.
//!
//! Every contract is deployed through the deterministic deployment proxy ([`proxy`]), so its address follows from its code and its
//! constructor's arguments. The arguments name the suite's owner: the suite of one owner has the same addresses on every chain.
//!
//! Reading order: [`artefact`] (code), [`plan`] (the types), then a part after the other: `tokens`, `governance`, `compliance`, `exchange` and `curves`,
//! `lending`, `oracles`, `staking`, `derivatives`, `microloans`. A contract is added to its part by one call of [`Suite::contract`], and to the list in [`artefact`].
//!
//! What is everybody's (the reserve of loans, what markets there are, how long rewards run) is ruled by the governor's timelock. The owner keeps
//! what somebody has to do day by day: mint, report prices, fund rewards, know investors and merchants, tell what happens to
//! loans, and stop what goes wrong.

pub mod artefact;
mod compliance;
mod curves;
mod derivatives;
mod exchange;
mod governance;
mod lending;
mod microloans;
mod oracles;
pub mod plan;
pub mod proxy;
mod staking;
mod tokens;

pub use artefact::{Artefact, ArtefactError};
pub use plan::{Act, Condition, Contract, Expected, Purpose, Registry, Step, Suite, Transaction};
