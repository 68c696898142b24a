//! Keccak-256 of many messages at once, and the roots made of such hashes.
//!
//! A block is hashed through and through: its transactions, its receipts, the keys and the nodes of its state. Few of these hashes depend on
//! each other, and a processor with vectors of four or eight words computes as many of them in less than three times the time of one.
//!
//! Reading order: [`hash_all`] in `many` (who takes which lane), `permutation` (the states), [`ordered_root`] in `ordered` (the trie of a
//! list, level by level).

mod many;
mod ordered;
#[cfg(target_arch = "x86_64")]
mod permutation;

pub use many::hash_all;
pub use ordered::ordered_root;
