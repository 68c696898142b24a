//! Access lists of blocks (EIP-7928).

mod difference;

pub use alloy_eips::eip7928::BlockAccessList;
pub use difference::{Difference, Item, first_difference};
