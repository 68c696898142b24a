//! Chains as files: geth's format, which is every block's RLP, one after the other, oldest first.

pub(crate) mod codec;
