//! A simulator of mobile money: a server that speaks Daraja's and MTN's interfaces as they are, with telephones that have wallets and PINs,
//! and with everything that goes wrong, as often as it is told to.
//!
//! Its world is pure ([`World::step`](world)): with the same seed, the same requests and time that passes when told, the same happens,
//! whatever the order in which requests about different telephones arrive.
//!
//! Reading order: `world` (money, payments, agenda), `faults` and `chance` (what goes wrong), `calls` (bodies of callbacks), `statement`,
//! `server` (the interfaces, the controls, the page), [`credentials`].

#![forbid(unsafe_code)]

mod calls;
mod chance;
pub mod credentials;
mod faults;
mod people;
mod phone;
mod server;
mod statement;
mod time;
mod world;

pub use faults::Faults;
pub use people::people;
pub use phone::{Habit, Message, Phone, Prompt, Rail};
pub use server::{Settings, Simulator, StartError, Time};
pub use world::{MAX_PHONES, WorldError};
