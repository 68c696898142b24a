//! Lets validators agree on blocks, through commonware.

mod application;
pub mod block;
pub mod certificates;
pub mod committee;
pub mod committees;
pub mod deal;
pub mod engine;
pub mod epochs;
pub mod faults;
mod finality;
pub mod keys;
pub mod peers;
mod pipeline;
pub mod rules;
pub mod scheme;
pub mod status;
mod stop;
mod validity;
mod worker;

pub use application::Pace;
pub use stop::StopReason;
pub use validity::{HeaderError, check_header};
