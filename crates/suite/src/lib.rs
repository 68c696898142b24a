//! The contracts of `contracts/` as one suite: their code, where they stand, and what puts them there.
//!
//! Nothing here talks to a chain. A [`Suite`] is a list of contracts and of [`Step`]s, each with the question that tells whether it
//! is done; who carries it out decides how. `braid dev` executes it into its genesis, `braid deploy` sends it to any chain, and the
//! benchmarks take the code alone.
//!
//! Every contract is deployed through the deterministic deployment proxy ([`proxy`]), so its address follows from its code and its
//! constructor's arguments. The arguments name the suite's owner: the suite of one owner has the same addresses on every chain.
//!
//! Reading order: [`artefact`] (code), [`plan`] (the types), then a part after the other: `tokens`, `exchange`, `lending`, `staking`. A contract is added
//! to its part by one call of [`Suite::contract`], and to the list in [`artefact`].

pub mod artefact;
mod exchange;
mod lending;
pub mod plan;
pub mod proxy;
mod staking;
mod tokens;

pub use artefact::{Artefact, ArtefactError};
pub use plan::{Act, Condition, Contract, Purpose, Step, Suite, Transaction};
