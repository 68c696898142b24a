//! The numbers of the derivatives contracts, outside of the chain: what a trade is filled at, what a position has gained, which
//! margin it needs, where it is liquidated, what an option is worth and how that moves.
//!
//! Every function here has its twin in `contracts/src/derivatives` (`PerpetualMath.sol`, `BlackModel.sol`, `PortfolioMath.sol`, and Solady's `exp`, `ln` and
//! square root below them), and gives the same number to the last unit: a wallet can say before signing what the contract will do.
//! `tests/vectors.rs` draws tens of thousands of random cases, and the Solidity suite draws the same ones and compares.
//!
//! There is no floating point, clock, input or output. A number is a [`U256`] or an [`I256`]; the scales are those of the contracts:
//!
//! | what | scale |
//! |---|---|
//! | size | smallest units of what is traded; positive for who is long |
//! | amount, margin | smallest units of the margin token |
//! | price, funding | worth of one smallest unit in smallest units, times 10^36 |
//! | cost, worth | size times price, exact |
//! | share of something in basis points | times 10^4 |
//! | volatility, rate, deltas and other ratios | times 10^18 |
//!
//! Where Solidity reverts, a function here returns an [`Error`].
//!
//! Reading order: [`fixed`], [`perpetual`], [`account`]; [`normal`], [`black`]; [`portfolio`].

#![forbid(unsafe_code)]

pub mod account;
pub mod black;
mod error;
pub mod fixed;
pub mod normal;
pub mod perpetual;
pub mod portfolio;

pub use alloy_primitives::{I256, U256};
pub use error::Error;
