//! x
mod arithmetic;
#[cfg(test)]
mod fuzz;
mod handler;
mod linear;
mod machine;
mod memory;
#[cfg(test)]
mod precision;
mod slot;
#[cfg(test)]
mod testkit;
mod tracker;

pub use handler::TrackingHandler;
pub use slot::TrackedSlot;
pub use tracker::{LogPatch, LogPlace, Tracker};
