//! The books of micro-loans: what was lent, what came back, who decided, and what mobile money was told to do.
//!
//! Everything is rows of one relational database, SQLite or PostgreSQL. A write is one transaction ([`Write`](store::Write)) of one writer at a time, so that
//! the journal is one chain and a decision is made on what is true when it is written. Time comes in as an argument; nothing here
//! waits for a network. What is to be done outside is a row of the outbox, written in the same transaction, and done by whoever runs the service.
//!
//! What holds, and is refused by the database itself where it can be:
//! - An entry consists of transfers from one account to another of the same currency, so it balances whatever is in it.
//! - Entries are only added, each with the hash of the one before; days have a Merkle root.
//! - A loan or a payment leg changes state only along its table ([`states`]).
//! - A loan has at most one payout that is under way, unknown or done.
//! - A receipt of a provider is money once.
//! - What one person proposes, another one approves.
//! - A person's data is sealed with a key of its own, which can be destroyed.
//!
//! Reading order: [`states`], [`store`], [`journal`], [`loans`], [`payments`]; [`vault`], [`pii`], [`pin`]; [`complaints`]; [`chain`]; [`rules`], [`product`]; [`approvals`], [`idempotency`], [`audit`], [`inspect`].

#![forbid(unsafe_code)]

pub mod approvals;
pub mod audit;
pub mod chain;
pub mod code;
pub mod complaints;
mod error;
pub mod id;
pub mod idempotency;
pub mod inspect;
pub mod journal;
pub mod limits;
pub mod loans;
pub mod payments;
pub mod pii;
pub mod pin;
pub mod product;
pub mod rules;
pub mod states;
pub mod store;
pub mod time;
pub mod vault;

pub use error::LedgerError;
pub use id::{ApprovalId, LegId, LoanId, PaymentId, PersonId};
pub use pii::Pii;
pub use states::{LegState, LoanState};
pub use store::{Actor, Ledger, Write};
