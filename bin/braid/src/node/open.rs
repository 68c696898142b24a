//! What a node opens before it can begin: genesis, data directory, chain.

use std::{fs, net::SocketAddr, num::NonZeroUsize, path::Path, sync::Arc};

use alloy_genesis::Genesis;
use alloy_primitives::B256;
use braid_chain::{Chain, ChainOptions, genesis_block, state::StoreOptions};
use braid_pool::PoolConfig;
use braid_types::{BlockRef, ChainSpec, ConsensusConfig};
use eyre::{Context, bail};

use crate::{
    config::{Unusable, memory_bytes, node::NodeSettings},
    dev::data::{GENESIS, keep_genesis, read_genesis},
};

/// The genesis, and how its validators agree.
///
/// # Errors
/// If it cannot be read or followed, or names no validators.
pub(super) fn genesis(path: &Path) -> eyre::Result<(Genesis, ConsensusConfig)> {
    let genesis = read_genesis(path)?;
    let spec =
        ChainSpec::from_config(&genesis.config).map_err(|error| Unusable(format!("{}: {error}", path.display())))?;
    let Some(consensus) = spec.consensus else {
        bail!(Unusable(format!("{} names no validators (config.braid); braid dev runs such a chain", path.display())));
    };
    Ok((genesis, consensus))
}

/// Makes the data directory if it is not there, and checks that it belongs to the genesis. Returns the chain id, and the block at
/// height 0.
///
/// # Errors
/// If the directory belongs to another genesis, or cannot be made.
pub(super) fn directory(settings: &NodeSettings, genesis: &Genesis) -> eyre::Result<(u64, BlockRef)> {
    let directory = &settings.datadir;
    fs::create_dir_all(directory).wrap_err_with(|| format!("failed to create {}", directory.display()))?;
    check_same(genesis, directory)?;
    let spec = ChainSpec::from_config(&genesis.config).wrap_err("the genesis cannot be followed")?;
    let (block, ..) = genesis_block(genesis, &spec).wrap_err("the genesis makes no block")?;
    Ok((spec.chain_id, BlockRef { height: block.header.number, hash: block.header.hash_slow() }))
}

/// The chain in the data directory.
///
/// # Errors
/// If the directory is in use, or cannot be opened.
pub(super) fn chain(settings: &NodeSettings, genesis: &Genesis) -> eyre::Result<Arc<Chain>> {
    let directory = &settings.datadir;
    let limits = &settings.limits;
    let options = ChainOptions {
        genesis: genesis.clone(),
        directory: directory.clone(),
        store: StoreOptions {
            history: settings.history,
            memory_bytes: memory_bytes(settings.memory),
            ..StoreOptions::default()
        },
        pool: PoolConfig {
            max_transactions: limits.pool_max_transactions,
            max_size_bytes: limits.pool_max_bytes,
            max_per_sender: limits.pool_max_per_sender,
            ..PoolConfig::default()
        },
        threads: settings.threads.unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
        is_dev: false,
    };
    let chain = Chain::open(options).wrap_err_with(|| format!("failed to open {}", directory.display()))?;
    keep_genesis(directory, chain.genesis())?;
    Ok(Arc::new(chain))
}

/// A directory remembers its genesis with everything that the block of height 0 does not hold, such as the validators.
fn check_same(genesis: &Genesis, directory: &Path) -> eyre::Result<()> {
    let path = directory.join(GENESIS);
    if !path.exists() {
        return Ok(());
    }
    if serde_json::to_value(read_genesis(&path)?)? != serde_json::to_value(genesis)? {
        bail!("the data directory was made with another genesis, {}", path.display());
    }
    Ok(())
}

/// The first screen.
pub(super) fn first_screen(settings: &NodeSettings, chain: &Chain, address: SocketAddr, public_key: B256) -> String {
    let role = match settings.role {
        crate::config::node::Role::Validator => "validator",
        crate::config::node::Role::Follower => "follower",
    };
    format!(
        "Braid {}: a {role}\n\n  HTTP        http://{address}\n  WebSocket   ws://{address}\n  Peers       {}\n  Identity    {public_key}\n  \
         Chain id    {}\n  Height      {}\n  Data        {}\n\nCtrl-C stops the node.\n\n",
        env!("CARGO_PKG_VERSION"),
        settings.listen,
        chain.spec().chain_id,
        chain.head().block.height(),
        settings.datadir.display(),
    )
}
