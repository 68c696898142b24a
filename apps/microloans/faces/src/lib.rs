//! The pages of micro-loans, rendered on the server: for borrowers, officers, auditors, lenders, donors and everybody.
//!
//! Every page works without scripts, in six languages, at 360 pixels, in light and dark, and is below 100 KB. What holds:
//! - A form is answered only with the token of the session it was made for ([`posted`]), and once: sent twice, it does what it did.
//! - A session is a signed cookie ([`session`]); it names a person by an id that says nothing, or an account of the configuration.
//! - A person's data stands only on pages of that person, and never in an address, a title or a log.
//! - Open pages show no figure of fewer than ten persons ([`cohorts`]).
//! - Nothing is loaded from elsewhere, and no script is allowed at all ([`guard`]).
//!
//! Reading order: [`faces`] (what is where), [`language`], [`format`], [`page`], [`guard`], [`session`], [`posted`], [`fault`]; [`pins`], [`accounts`]; then the pages:
//! [`open`], [`borrower`], [`officer`], [`auditor`]; [`wallet`], [`lender`], [`donor`] (what is on a chain).

#![forbid(unsafe_code)]

mod accounts;
mod auditor;
mod borrower;
mod chart;
mod cohorts;
mod donor;
mod faces;
mod fault;
mod format;
mod guard;
mod language;
mod lender;
mod officer;
mod open;
mod page;
mod pins;
mod posted;
mod session;
mod wallet;

pub use accounts::{AccountConfig, hash_password};
pub use faces::{Faces, FacesConfig, FacesError, router};
pub use language::LocaleError;
pub use pins::{Pins, PinsOfMenus};
