//! Mobile money: payouts to and collections from phones, through whichever provider holds the customer's wallet.
//!
//! A payout cannot be called back, a callback may be lost, late, doubled or forged, and a time-out says nothing about what happened.
//! So everything here tells three things apart: it succeeded, it failed, and it is not known; the last is never read as the second.
//!
//! Reading order: [`port`] (what the rest of the product sees), [`correlation`], [`msisdn`], [`failure`].

#![forbid(unsafe_code)]

pub mod correlation;
pub mod failure;
pub mod msisdn;
pub mod port;

pub use correlation::CorrelationId;
pub use failure::{Failure, Reason, Retry};
pub use msisdn::Msisdn;
pub use port::MobileMoney;
