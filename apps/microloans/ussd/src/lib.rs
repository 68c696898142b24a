//! Micro-loans by the menus of any telephone (USSD), in six languages.
//!
//! A person registers (language, consent, ID, PIN), asks for a loan, reads its key facts on three screens, accepts them with the PIN, and looks
//! at, pays, and complains about what they owe. A screen holds 182 septets; a test measures every one in every language.
//!
//! Reading order: [`loans`] (what is asked of the lending service), `place` (the menus as screens), `machine` (where answers lead),
//! [`gateway`] (sessions), [`http`]; [`messages`] (what borrowers are told of); [`gsm7`], `language`.

#![forbid(unsafe_code)]

pub mod gateway;
pub mod gsm7;
pub mod http;
mod language;
pub mod loans;
mod machine;
pub mod messages;
mod place;

pub use gateway::Gateway;
pub use language::{Language, LocaleError, fill};
pub use loans::Loans;
pub use place::Screen;
