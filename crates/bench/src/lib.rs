//! Workloads for the executor, and how fast it is on them beside the best plain loop over revm.
//!
//! Reading order: [`workload`] (what is measured), [`world`] (how the state it needs comes about), [`blocks`] (recorded
//! blocks as a workload), [`baseline`] (what the executor is compared with), [`measure`] (how),
//! [`critical_path`] (what could be reached at best), [`commuting`] (who needs the exact value that another one has left).

pub mod artifacts;
pub mod baseline;
pub mod blocks;
pub mod commuting;
pub mod critical_path;
mod machine;
pub mod measure;
pub mod pipeline;
pub mod random;
pub mod state;
pub mod workload;
pub mod world;
