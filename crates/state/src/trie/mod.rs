//! A persistent Merkle-Patricia trie in memory, with Ethereum's root.
//!
//! Nodes are immutable once published and shared between versions by reference counts: an update copies the paths it
//! touches and leaves the rest to both versions. The tree is path-compressed: a [`node::Branch`] with a prefix stands
//! for Ethereum's extension node with its branch, so extensions never have to be split or merged on their own.
//!
//! A node's encoding depends on the nibble at which its parent's path ends (its *start*): a leaf that moves up because its
//! siblings went is the same leaf with another encoding. Nodes therefore keep absolute keys, and their cached reference
//! (the hash, or the RLP itself when it is shorter than 32 bytes) names the start it was made for. [`update::update`]
//! first decides the shape and then places the nodes level by level, so every dirty node is hashed once, children
//! before parents, and many at once. Yellow Paper, appendix D.
//!
//! Where memory is bounded, small sub-tries whose keys are on disk may be forgotten and read again ([`page`]).

pub(crate) mod diff;
pub(crate) mod node;
pub(crate) mod page;
pub(crate) mod read;
pub(crate) mod update;

#[cfg(test)]
mod tests;

pub(crate) use diff::diff;
pub(crate) use node::{Branch, Child, Leaf, Value};
pub(crate) use page::{PAGE_KEYS, Range, Rules, Source, count, load, trim};
pub(crate) use read::{for_each, get, prefetch, prove, root_hash, walk_from};
pub(crate) use update::{Op, build, join, update};
