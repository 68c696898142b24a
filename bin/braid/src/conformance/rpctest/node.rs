//! A node that serves the suite's chain, for as long as the value lives.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use alloy_primitives::{Address, Bytes};
use braid_chain::{Mining, Sequencer, SequencerOptions};
use braid_rpc::{DevAccounts, RpcContext, RpcOptions, ServerHandle, ServerOptions, serve};
use eyre::{WrapErr as _, ensure};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::transfer;

/// The suite's chain.
pub(crate) const CHAIN: &str = "chain.rlp";
/// Its genesis.
pub(crate) const GENESIS: &str = "genesis.json";
/// The request by which a consensus client would name the chain's head.
const HEAD: &str = "headfcu.json";

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Node {
    server: ServerHandle,
    _directory: TempDir,
}

#[derive(Debug, Deserialize)]
struct ForkchoiceUpdate {
    params: (ForkchoiceState, Option<serde_json::Value>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForkchoiceState {
    head_block_hash: alloy_primitives::B256,
}

impl Node {
    /// Imports the chain in `root` and serves it.
    ///
    /// # Errors
    /// If the chain cannot be imported or does not end in the head that the suite names, or the server cannot start.
    pub(crate) fn start(runtime: &Runtime, root: &Path) -> eyre::Result<Self> {
        let directory = tempfile::tempdir().wrap_err("failed to make a temporary data directory")?;
        let chain = transfer::open_chain(&root.join(GENESIS), directory.path())?;
        transfer::import_file(&chain, &root.join(CHAIN))?;
        let head = chain.head();
        if let Some(expected) = expected_head(root)? {
            ensure!(head.block.hash == expected, "the chain ends in {}, the suite expects {expected}", head.block.hash);
        }
        let chain = Arc::new(chain);
        let options = SequencerOptions {
            mining: Mining::Manual,
            gas_limit: head.block.block.header.gas_limit,
            beneficiary: Address::ZERO,
            extra_data: Bytes::new(),
        };
        let clock: braid_chain::sequencer::Clock = Arc::new(clock_ms);
        let sequencer = Sequencer::start(Arc::clone(&chain), options, Arc::clone(&clock))?;
        let context =
            RpcContext::new(chain, Some(Arc::new(sequencer)), RpcOptions::default(), DevAccounts::default(), clock);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = runtime.block_on(serve(context, ServerOptions { address, routes: None, observer: None }))?;
        Ok(Self { server, _directory: directory })
    }

    /// Where it is asked.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.local_address())
    }
}

fn expected_head(root: &Path) -> eyre::Result<Option<alloy_primitives::B256>> {
    let file = root.join(HEAD);
    if !file.exists() {
        return Ok(None);
    }
    let text = std::fs::read(&file).wrap_err_with(|| format!("failed to read {}", file.display()))?;
    let update: ForkchoiceUpdate =
        serde_json::from_slice(&text).wrap_err_with(|| format!("{} is malformed", file.display()))?;
    Ok(Some(update.params.0.head_block_hash))
}

#[expect(clippy::disallowed_methods, reason = "the binary may read the clock")]
fn clock_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
