//! The protocol of order, execute and certify as a model small enough to be explored whole.
//!
//! What validators do is written down in `docs/protocol.md`; here are its rules for one epoch, as a state machine without
//! network, cryptography or clock. A checker ([stateright](https://docs.rs/stateright)) visits every state that can be
//! reached and looks at the properties in each. The tests beside this file are the scenarios: each says which faults
//! are allowed, which properties must hold, and, where a rule is taken away, which one must break.
//!
//! Reading order: [`settings`] (what can be varied), [`tree`] (proposals), [`state`] (what a state holds), [`rules`] (what
//! each participant may do), [`settle`] (what is forgotten on the way), [`properties`] (what is checked), [`model`] (the door to
//! the checker).
//!
//! Every run of the model ends: views are few, votes are cast once, restarts are counted. So a property of the end of all runs
//! ("something has become final") is one of all states in which nothing can happen any more, and no search for cycles is needed.
//!
//! # What is left out, and why that is sound
//!
//! - **The network.** A vote that was sent stays visible to everyone for ever, and nobody has to look at it: delay, loss until
//!   retransmission and reordering are all ways of looking later. For safety this gives more behaviours than any network
//!   has. For liveness it relies on the one thing the real network must do, to deliver in the end what honest validators repeat.
//! - **Signatures and hashes.** A vote carries its voter, a proposal its parent. The argument holds as long as neither can be
//!   forged.
//! - **The Byzantine validator's state.** It has none: wherever a vote of its would complete a certificate it is there
//!   ([`Adversary::Eager`]), or may be there from then on ([`Adversary::AtWill`]). It can vote for everything at once, show a
//!   certificate to one validator alone or to nobody, and propose two blocks in a view it leads.
//! - **Which honest validator leads.** Where safety alone is asked for, any of them may turn out to be the leader of an
//!   honest view. That covers every schedule, and makes the honest validators interchangeable, so that a state is kept once for
//!   all permutations. Liveness is checked with a fixed schedule.
//! - **How long an execution takes.** A block is executed when its result is needed, by a step that can be arbitrarily late. An
//!   execution that was done before and is needed later differs from that in nothing that anybody can see; one that is never
//!   needed has no effect. A crash takes results away and they come again, other ones perhaps where the validator is broken.
//! - **Results of execution** are right or wrong. Two wrong results are taken to be equal, so that a broken validator
//!   and a Byzantine one agree on the same lie: the worst case.
//! - **Crash and restart** are one step. To be down is not to look for a while. The vote log holds a validator's votes, its
//!   verdicts and the view it was in. Who has lost that ([`Loss::Disk`]) follows to the end of the epoch, which is the end of the model.
//! - **Bodies, gas, time stamps, validity checks.** They decide whether a proposal is voted for. A Byzantine proposal that fails
//!   them is one that gets no vote, which the model has too.
//! - **Availability of blocks.** A notarised block can be fetched. Really only one that an honest, reachable validator holds
//!   can; while none does, nobody certifies it, which is a certification that takes long.
//! - **Stable leaders, optimistic votes, epochs, state sync.** A leader has one view, and there is one epoch. An epoch's end is an
//!   ordinary final block with which the next instance begins.
//! - **Length.** Two to six views, two proposals each, a restart or two. The argument for agreement is an induction over pairs of
//!   views with the parent's between them, for which three views are the smallest full case; no rule looks further back than
//!   the parent, its gap, and `lag` blocks. This is a bound on what is explored, and no proof beyond it.

pub mod model;
pub mod properties;
pub mod rules;
pub mod settings;
pub mod settle;
pub mod state;
pub mod tree;

pub use model::{Action, Protocol};
pub use settings::{Adversary, Execution, Leader, Loss, Mutation, Settings};
pub use state::{State, Validator, Votes};
pub use tree::{Block, BlockId, BlockSet, Claim, Tree, View, ViewSet};

#[cfg(test)]
mod tests;
