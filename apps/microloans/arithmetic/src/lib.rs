//! The arithmetic of micro-loans: exact, deterministic, without floating point, clock, input or output.
//!
//! Amounts are whole numbers of minor units; rates are exact decimals; everything between is integers or fractions of them, and
//! is rounded at five points only, which have names ([`round`]). What was lent is repaid to the last minor unit, and a sum that is
//! shared out is shared out whole; property tests replay random loans to prove it.
//!
//! Reading order: [`money`], [`rate`], [`date`], [`period`], [`calendar`], [`day_count`], [`round`]; [`terms`], [`fee`], [`parts`]; [`loan`] (the heart),
//! `level`; [`apr`], [`key_facts`]; [`share`], [`convert`], [`metrics`]. What is refused: [`limits`], [`Error`].

#![forbid(unsafe_code)]

pub mod apr;
pub mod calendar;
pub mod convert;
pub mod date;
pub mod day_count;
mod error;
pub mod fee;
pub mod key_facts;
mod level;
pub mod limits;
pub mod loan;
pub mod metrics;
pub mod money;
pub mod parts;
pub mod period;
pub mod rate;
pub mod round;
pub mod share;
pub mod terms;

pub use date::Date;
pub use day_count::DayCount;
pub use error::Error;
pub use fee::{Charge, Fee, Late, Penalty, When};
pub use loan::{Line, Loan, Schedule, Status};
pub use money::{Currency, Minor, Money};
pub use parts::{Component, Parts};
pub use period::{Every, Periods};
pub use rate::Rate;
pub use round::Rounding;
pub use terms::{Disbursement, Grace, Method, Prepayment, Terms};
