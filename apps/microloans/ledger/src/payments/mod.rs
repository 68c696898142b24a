//! Money through providers: what goes out, what comes in, and what is not known.
//!
//! A [`leg`](LegRecord) is one movement that a provider is asked for. Its id, which is the provider's idempotency key, is written before
//! anything is sent, and with it a row of the [`outbox`]. What a provider says about it is a [`Report`]; reports may come late, twice, and in any
//! order, and the books are the same ([`report`]). Unknown is not failed: money that may have gone is not paid again. What contradicts what was
//! believed is written down as a contradiction for a person to settle.
//!
//! Money that comes in is known by rail and receipt, and counts once ([`receive`]). If no loan is found for it, it waits in suspense. Every night the provider's [`statement`] is compared.

mod leg;
pub mod outbox;
mod receive;
mod report;
pub mod statement;
pub mod told;

pub use leg::{LegKind, LegRecord, LegView, collect, count_by_state, create_leg, leg, legs_of};
pub use receive::{Incoming, PaymentLine, Receipt, SuspendedPayment, of_loan, receive, suspended};
pub use report::{Contradiction, Report, call_off, contradictions, hint_receipt, inquired, mistrust, report, sending};

pub(crate) use leg::step_leg;
pub(crate) use receive::assign;
pub(crate) use report::{resolve, settle_by_hand};
