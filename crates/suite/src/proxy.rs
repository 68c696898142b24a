//! The deterministic deployment proxy (Arachnid, 2019): a contract at one address on every chain that creates what it is sent
//! with CREATE2. Call data is a salt of 32 bytes and creation code; the answer is the address.
//!
//! It comes from a transaction that nobody signed: a signature was chosen, and whoever it belongs to sends it. So it is the same
//! transaction everywhere, valid on any chain that takes transactions from before EIP-155, once [`DEPLOYER`] has the ether.

use alloy_primitives::{Address, B256, Bytes, U256, address, bytes, keccak256, uint};

/// Where the proxy is.
pub const ADDRESS: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");

/// Its code.
pub static CODE: Bytes = bytes!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
);

/// Who sends the transaction that creates it.
pub const DEPLOYER: Address = address!("3fAB184622Dc19b6109349B94811493BF2a45362");

/// What that transaction costs: 100,000 gas at 100 gwei.
pub const COST: U256 = uint!(10_000_000_000_000_000_U256);

/// What a unit of gas costs in it, in wei. Where the base fee is above, it cannot be included.
pub const GAS_PRICE: u64 = 100_000_000_000;

/// The transaction, signed.
pub static TRANSACTION: Bytes = bytes!(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba02222222222222222222222222222222222222222222222222222222222222222a02222222222222222222222222222222222222222222222222222222222222222"
);

/// The salt that the suite is deployed with.
pub const SALT: B256 = B256::ZERO;

/// Where the proxy puts what `init_code` creates.
pub fn address_of(init_code: &[u8]) -> Address {
    ADDRESS.create2(SALT, keccak256(init_code))
}
