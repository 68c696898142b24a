//! What the tests share: encodings and signatures as validators make them, and a small chain to prove things of.

pub(crate) mod encode;
pub(crate) mod ledger;
pub(crate) mod network;
pub(crate) mod sign;
