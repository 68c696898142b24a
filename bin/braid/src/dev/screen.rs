//! The first screen: where the node is, whose keys it has, and what to try next.

use std::fmt::Write;

use alloy_primitives::{Address, U256, hex};
use alloy_signer_local::PrivateKeySigner;
use braid_types::Fork;

use crate::config::{TEST_MNEMONIC, values::Ether};

/// Accounts shown; the others are counted.
const MAX_SHOWN: usize = 20;

/// What the first screen tells.
#[derive(Debug)]
pub(crate) struct Screen<'a> {
    /// Host and port the server listens on.
    pub(crate) address: std::net::SocketAddr,
    /// EIP-155 chain id.
    pub(crate) chain_id: u64,
    /// The fork in force.
    pub(crate) fork: Fork,
    /// Height of the head.
    pub(crate) height: u64,
    /// When blocks are made.
    pub(crate) mining: String,
    /// Where the chain lives.
    pub(crate) directory: String,
    /// The accounts with their balances in wei.
    pub(crate) accounts: &'a [(PrivateKeySigner, U256)],
    /// The DeFi contracts that are there, by name.
    pub(crate) contracts: Vec<(String, Address)>,
    /// Where the accounts come from.
    pub(crate) mnemonic: &'a str,
}

impl Screen<'_> {
    /// The screen as text.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let url = format!("http://{}", self.address);
        writeln!(out, "Braid {}: a development chain, compatible with Ethereum\n", env!("CARGO_PKG_VERSION"))?;
        writeln!(out, "  HTTP        {url}")?;
        writeln!(out, "  WebSocket   ws://{}", self.address)?;
        writeln!(out, "  Chain id    {}", self.chain_id)?;
        writeln!(out, "  Fork        {:?}", self.fork)?;
        writeln!(out, "  Height      {}", self.height)?;
        writeln!(out, "  Blocks      {}", self.mining)?;
        writeln!(out, "  Data        {}", self.directory)?;
        self.write_accounts(out)?;
        self.write_contracts(out)?;
        self.write_examples(out, &url)
    }

    /// Not the pools, whose names have dashes: they are too many, and the others tell of them.
    fn write_contracts(&self, out: &mut String) -> std::fmt::Result {
        let shown = || self.contracts.iter().filter(|(name, _)| !name.contains('-'));
        let width = shown().map(|(name, _)| name.len()).max().unwrap_or_default();
        if self.contracts.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nContracts, with money in every account (braid contracts lists all {})", self.contracts.len())?;
        shown().try_for_each(|(name, address)| writeln!(out, "  {name:width$}  {address}"))
    }

    fn write_accounts(&self, out: &mut String) -> std::fmt::Result {
        if self.accounts.is_empty() {
            return Ok(());
        }
        let shown = || self.accounts.iter().enumerate().take(MAX_SHOWN);
        writeln!(out, "\nAccounts")?;
        for (index, (signer, balance)) in shown() {
            writeln!(out, "  ({index}) {}  {} ETH", signer.address(), Ether(*balance))?;
        }
        writeln!(out, "\nPrivate keys")?;
        for (index, (signer, _)) in shown() {
            writeln!(out, "  ({index}) {}", hex::encode_prefixed(signer.to_bytes()))?;
        }
        if self.accounts.len() > MAX_SHOWN {
            writeln!(out, "  and {} more", self.accounts.len() - MAX_SHOWN)?;
        }
        writeln!(out, "\nMnemonic\n  {}", self.mnemonic)?;
        if self.mnemonic == TEST_MNEMONIC {
            writeln!(out, "  Everybody knows these keys: never send real money to them.")?;
        }
        Ok(())
    }

    fn write_examples(&self, out: &mut String, url: &str) -> std::fmt::Result {
        writeln!(out, "\nTry next, in another terminal")?;
        if let [(first, _), (second, _), ..] = self.accounts {
            let key = hex::encode_prefixed(first.to_bytes());
            writeln!(
                out,
                "  cast send {} --value 1ether --rpc-url {url} \\\n    --private-key {key}",
                second.address()
            )?;
        }
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}"#;
        writeln!(out, "  curl {url} -H 'content-type: application/json' \\\n    -d '{body}'")?;
        writeln!(out, "  cast block latest --rpc-url {url}")?;
        writeln!(out, "\nCtrl-C stops the node.\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_everything_a_user_needs() {
        let keys = crate::dev::accounts::derive(TEST_MNEMONIC, 22).unwrap();
        let ether = U256::from(10).pow(U256::from(18));
        let accounts: Vec<_> = keys.into_iter().map(|key| (key, ether * U256::from(10_000))).collect();
        let screen = Screen {
            address: ([127, 0, 0, 1], 8545).into(),
            chain_id: 31_337,
            fork: Fork::Osaka,
            height: 12,
            mining: "as transactions wait".to_owned(),
            directory: "/data".to_owned(),
            accounts: &accounts,
            contracts: vec![("Vault".to_owned(), Address::repeat_byte(7)), ("Pool-A".to_owned(), Address::ZERO)],
            mnemonic: TEST_MNEMONIC,
        };
        let text = screen.render();
        for part in [
            "http://127.0.0.1:8545",
            "ws://127.0.0.1:8545",
            "31337",
            "Osaka",
            "(0) 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266  10000 ETH",
            "(0) 0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
            "and 2 more",
            "all 2)\n  Vault  0x0707070707070707070707070707070707070707\n",
            "test junk",
            "cast send 0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
