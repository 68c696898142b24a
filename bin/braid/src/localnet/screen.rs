//! What `braid localnet` prints: where the nodes are and whose keys they fund, or the commands that would run them.

use std::fmt::Write;

use alloy_primitives::hex;
use alloy_signer_local::PrivateKeySigner;

use super::{files::Files, shape::Shape};
use crate::config::TEST_MNEMONIC;

/// The first screen.
pub(super) fn first(shape: &Shape, files: &Files) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_first(&mut text, shape, files);
    text
}

fn write_first(out: &mut String, shape: &Shape, files: &Files) -> std::fmt::Result {
    writeln!(out, "Braid {}: a network of validators, compatible with Ethereum\n", env!("CARGO_PKG_VERSION"))?;
    for (index, node) in (0..).zip(&files.nodes) {
        writeln!(
            out,
            "  {:<12} http://127.0.0.1:{port}   ws://127.0.0.1:{port}",
            node.name,
            port = shape.rpc_port(index)
        )?;
    }
    writeln!(out, "\n  Chain id     {}", shape.chain_id)?;
    writeln!(out, "  Tolerates    {} of {} validators failing", faults(shape.validators), shape.validators)?;
    write_accounts(out, &files.accounts)?;
    writeln!(out, "\nTry next, in another terminal")?;
    if let [first, second, ..] = files.accounts.as_slice() {
        let (key, url) = (hex::encode_prefixed(first.to_bytes()), format!("http://127.0.0.1:{}", shape.port));
        writeln!(out, "  cast send {} --value 1ether --rpc-url {url} \\\n    --private-key {key}", second.address())?;
        let other = format!("http://127.0.0.1:{}", shape.rpc_port(shape.nodes().saturating_sub(1)));
        writeln!(out, "  cast balance {} --rpc-url {other}", second.address())?;
        writeln!(out, "  cast block finalized --rpc-url {other}")?;
    }
    writeln!(out, "\nCtrl-C stops the network.\n")
}

fn write_accounts(out: &mut String, accounts: &[PrivateKeySigner]) -> std::fmt::Result {
    writeln!(out, "\nAccounts, each with 10000 ETH at the start")?;
    for (index, signer) in accounts.iter().enumerate() {
        writeln!(out, "  ({index}) {}", signer.address())?;
    }
    writeln!(out, "\nPrivate keys")?;
    for (index, signer) in accounts.iter().enumerate() {
        writeln!(out, "  ({index}) {}", hex::encode_prefixed(signer.to_bytes()))?;
    }
    writeln!(out, "\nMnemonic\n  {TEST_MNEMONIC}")?;
    writeln!(out, "  Everybody knows these keys: never send real money to them.")
}

/// The commands that run the nodes, one a line.
///
/// # Errors
/// If the program does not know where it is.
pub(super) fn commands(files: &Files) -> eyre::Result<String> {
    let program = std::env::current_exe()?;
    let line =
        |node: &super::files::NodeFiles| format!("{} node --config {}\n", program.display(), node.config.display());
    Ok(files.nodes.iter().map(line).collect())
}

/// How many of `validators` may fail: f where there are at least 3f + 1.
const fn faults(validators: u16) -> u16 {
    validators.saturating_sub(1) / 3
}
