//! The key that a command sends transactions with: from a keystore, a file, or a phrase.

use std::path::PathBuf;

use alloy_signer_local::PrivateKeySigner;
use clap::Args;
use eyre::{OptionExt, bail};

use super::{
    account::{self, FileArgs},
    password::PasswordArgs,
};
use crate::{
    config::{TEST_MNEMONIC, values},
    dev::accounts,
};

/// Chains on which the keys of development nodes are taken without being asked for: those of anvil, Hardhat and Braid, and geth's.
const DEVELOPMENT_CHAINS: [u64; 2] = [31_337, 1_337];

/// Whose key to use. On a development chain it is account 0 of the mnemonic that development nodes share, unless another is named.
#[derive(Args, Clone, Debug)]
pub(crate) struct SenderArgs {
    /// Keystore file of the key that pays and becomes the owner
    #[arg(long, value_name = "FILE", group = "key")]
    keystore: Option<PathBuf>,
    #[command(flatten)]
    password: PasswordArgs,
    /// File whose first line is the private key in hexadecimal
    #[arg(long, value_name = "FILE", group = "key")]
    private_key_file: Option<PathBuf>,
    /// BIP-39 phrase whose account 0 it is
    #[arg(long, value_name = "PHRASE", group = "key", value_parser = values::mnemonic)]
    mnemonic: Option<String>,
}

/// The key for transactions on a chain.
///
/// # Errors
/// If none is named and the chain is not one for development, or the one named cannot be read.
pub(crate) fn open(args: &SenderArgs, chain_id: u64) -> eyre::Result<PrivateKeySigner> {
    if let Some(file) = &args.keystore {
        return account::open(&FileArgs { file: file.clone(), password: args.password.clone() });
    }
    if let Some(file) = &args.private_key_file {
        return account::imported(Some(file));
    }
    let phrase = match args.mnemonic.as_deref() {
        Some(phrase) => phrase,
        None if DEVELOPMENT_CHAINS.contains(&chain_id) => TEST_MNEMONIC,
        None => bail!(
            "chain {chain_id} is not one for development: name the key with --keystore, --private-key-file or --mnemonic"
        ),
    };
    accounts::derive(phrase, 1)?.pop().ok_or_eyre("the phrase gives no account")
}

#[cfg(test)]
mod tests {
    use alloy_primitives::address;

    use super::*;

    fn args(mnemonic: Option<&str>) -> SenderArgs {
        let mnemonic = mnemonic.map(ToOwned::to_owned);
        SenderArgs { keystore: None, password: PasswordArgs::default(), private_key_file: None, mnemonic }
    }

    #[test]
    fn the_shared_key_is_taken_on_development_chains_alone() {
        let shared = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        assert_eq!(open(&args(None), 31_337).unwrap().address(), shared);
        let error = open(&args(None), 1).unwrap_err().to_string();
        assert!(error.contains("chain 1 ") && error.contains("--keystore"), "{error}");
        assert_eq!(open(&args(Some(TEST_MNEMONIC)), 1).unwrap().address(), shared);
    }
}
