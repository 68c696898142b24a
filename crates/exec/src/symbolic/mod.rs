//! x
mod arithmetic;
mod handler;
mod linear;
mod machine;
mod memory;
mod slot;
mod tracker;

pub use handler::TrackingHandler;
pub use slot::TrackedSlot;
pub use tracker::{LogPatch, LogPlace, Tracker};
