//! All tests of the simulation in one program, since each program that runs it has the whole of consensus in it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod auditor;
mod disk;
mod machine;
mod plan;
mod random;
mod seeds;
mod workload;
