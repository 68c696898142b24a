//! The accounts of a development node, from its mnemonic.

use alloy_signer_local::{MnemonicBuilder, PrivateKeySigner, coins_bip39::English};
use eyre::Context;

/// Most accounts that a node funds and signs for.
pub(crate) const MAX_ACCOUNTS: u32 = 1_000;

/// The first `count` keys of a BIP-39 phrase, at m/44'/60'/0'/0/i.
///
/// # Errors
/// If the phrase is not valid.
pub(crate) fn derive(mnemonic: &str, count: u32) -> eyre::Result<Vec<PrivateKeySigner>> {
    (0..count).map(|index| at(mnemonic, index)).collect()
}

/// The key of the service of micro-loans: the first after all that can be asked for.
///
/// # Errors
/// If the phrase is not valid.
pub(crate) fn teller(mnemonic: &str) -> eyre::Result<PrivateKeySigner> {
    at(mnemonic, MAX_ACCOUNTS)
}

fn at(mnemonic: &str, index: u32) -> eyre::Result<PrivateKeySigner> {
    let builder = MnemonicBuilder::<English>::default().phrase(mnemonic).index(index);
    builder.and_then(|builder| builder.build()).wrap_err("failed to derive accounts from the mnemonic")
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{address, b256};

    use super::*;
    use crate::config::TEST_MNEMONIC;

    #[test]
    fn the_test_mnemonic_gives_the_accounts_that_every_tool_knows() {
        let keys = derive(TEST_MNEMONIC, 10).unwrap();
        assert_eq!(keys.len(), 10);
        assert_eq!(keys[0].address(), address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        assert_eq!(keys[1].address(), address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"));
        assert_eq!(keys[9].address(), address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720"));
        let first = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
        assert_eq!(keys[0].to_bytes(), first);
    }
}
