//! The lending service's hand on the chain: it tells the loan book what happened to loans, moves the money that goes with it, and anchors
//! the journal's daily roots.
//!
//! What is told about a loan carries a number, from 1 on. The contract takes a number once, ignores it when it comes again word for
//! word, and refuses it with other words. So [`Recorder::record`] may be repeated after a crash at any moment, by an outbox that
//! knows nothing but the loan, the number and the [`Fact`]: what is there is found, what is on its way is waited for or overtaken, and
//! nothing happens twice. [`Recorder::anchor`] is the same for a day of the journal.
//!
//! Nothing here names a person: a loan and its borrower are random words ([`Fact`]).
//!
//! Reading order: [`fact`] (what is told), [`recorder`] (how), [`schedule`] (the tree that an offer names), [`contracts`] (the interfaces),
//! [`rpc`].

pub mod contracts;
mod error;
pub mod fact;
pub mod recorder;
pub mod rpc;
pub mod schedule;

pub use error::ChainError;
pub use fact::{Fact, LoanId, Offer, Sequence};
pub use recorder::{Anchor, Recorded, Recorder};
pub use schedule::Schedule;
