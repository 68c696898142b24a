//! All tests of the simulation in one program, since each program that runs it has the whole of consensus in it.

mod auditor;
mod disk;
mod machine;
mod plan;
mod random;
mod seeds;
mod workload;
