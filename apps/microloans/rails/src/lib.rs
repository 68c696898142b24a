//! Mobile money: payouts to and collections from phones, through whichever provider holds the customer's wallet.
//!
//! A payout cannot be called back, a callback may be lost, late, doubled or forged, and a time-out says nothing about what happened.
//! So everything here tells three things apart: it succeeded, it failed, and it is not known; the last is never read as the second.
//!
//! Reading order: [`port`] (what the rest of the product sees), [`correlation`], [`msisdn`], [`failure`]; the adapters [`daraja`] and [`momo`], over
//! `http`, `token`, [`source`] and `json`; [`sim`] (has the number changed hands?); [`sms`]; [`foreign`] (their readers alone); [`reconcile`] (the nightly comparison with a statement).

#![forbid(unsafe_code)]

pub mod correlation;
mod csv;
pub mod daraja;
pub mod failure;
pub mod foreign;
mod http;
mod json;
pub mod momo;
pub mod msisdn;
pub mod port;
pub mod reconcile;
pub mod sim;
pub mod sms;
pub mod source;
mod text;
mod token;

pub use correlation::CorrelationId;
pub use daraja::{Daraja, DarajaConfig};
pub use failure::{Failure, Reason, Retry};
pub use http::SetupError;
pub use momo::{MtnMomo, MtnMomoConfig};
pub use msisdn::Msisdn;
pub use port::MobileMoney;
pub use sim::SimSwaps;
pub use sms::TextMessages;
pub use source::StatementSource;
pub use token::Clock;
