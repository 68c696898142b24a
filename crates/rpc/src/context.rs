//! What every method works with: the chain, its sequencer, and what this server keeps for its clients.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use alloy_primitives::Address;
use alloy_signer_local::PrivateKeySigner;
use braid_chain::{
    Chain, Committed, Sequencer,
    sequencer::Clock,
    state::{Head, State},
};
use braid_types::{Height, RecoveredTx, limits};
use parking_lot::{Mutex, RwLock};
use tokio::sync::broadcast;

use crate::{
    admission::Admission, consensus::Consensus, eth::fees::SuggestedTip, execution_stats::ExecutionStats,
    filters::FilterStore,
};

/// Changes of the head a slow subscriber may lag behind before it loses the oldest. Each holds whole blocks.
const COMMITTED_BUFFER: usize = 128;

/// Pending transactions a slow subscriber may lag behind before it loses the oldest.
const PENDING_BUFFER: usize = 4_096;

/// Limits and what the server says about itself.
#[derive(Clone, Debug)]
pub struct RpcOptions {
    /// Namespaces offered (`eth`, `net`, `web3`, `txpool`, `debug`, `trace`, `ots`, `braid`, `admin`, `personal`, `evm`, `anvil`,
    /// `hardhat`, `dev`).
    pub namespaces: BTreeSet<String>,
    /// Origins that browsers may call from: `*`, or a list; empty: none.
    pub cors_origins: Vec<String>,
    /// What `web3_clientVersion` answers.
    pub client_version: String,
    /// Gas of `eth_call`, `eth_estimateGas` and tracing.
    pub gas_cap: u64,
    /// Entries of a batch.
    pub max_batch: u32,
    /// Bytes of a request.
    pub max_body_bytes: u32,
    /// Bytes of a response.
    pub max_response_bytes: u32,
    /// Connections.
    pub max_connections: u32,
    /// Subscriptions of a connection.
    pub max_subscriptions_per_connection: u32,
    /// Blocks one `eth_getLogs` may span.
    pub max_log_range: u64,
    /// Logs one `eth_getLogs` may return.
    pub max_logs: usize,
    /// Installed filters.
    pub max_filters: usize,
    /// Milliseconds after which an unpolled filter goes.
    pub filter_timeout_ms: u64,
    /// Blocks of an `eth_feeHistory`.
    pub max_fee_history: u64,
    /// Blocks of an `eth_simulateV1`.
    pub max_simulate_blocks: u64,
}

impl Default for RpcOptions {
    fn default() -> Self {
        Self {
            namespaces: ["eth", "net", "web3", "txpool", "debug", "trace", "ots", "braid"].map(str::to_owned).into(),
            cors_origins: vec!["*".to_owned()],
            client_version: format!("braid/v{}", env!("CARGO_PKG_VERSION")),
            gas_cap: limits::RPC_GAS_CAP,
            max_batch: limits::MAX_RPC_BATCH,
            max_body_bytes: limits::MAX_RPC_BODY_BYTES,
            max_response_bytes: limits::MAX_RPC_RESPONSE_BYTES,
            max_connections: limits::MAX_RPC_CONNECTIONS,
            max_subscriptions_per_connection: limits::MAX_RPC_SUBSCRIPTIONS_PER_CONNECTION,
            max_log_range: limits::MAX_LOG_RANGE_BLOCKS,
            max_logs: limits::MAX_LOGS_PER_RESPONSE,
            max_filters: limits::MAX_FILTERS,
            filter_timeout_ms: limits::FILTER_TIMEOUT_MS,
            max_fee_history: limits::MAX_FEE_HISTORY_BLOCKS,
            max_simulate_blocks: limits::MAX_SIMULATE_BLOCKS,
        }
    }
}

impl RpcOptions {
    /// The namespaces of a development node: all of them.
    pub fn dev_namespaces() -> BTreeSet<String> {
        let privileged = ["admin", "personal", "evm", "anvil", "hardhat", "dev"].map(str::to_owned);
        Self::default().namespaces.into_iter().chain(privileged).collect()
    }

    /// Whether a namespace is offered.
    pub fn offers(&self, namespace: &str) -> bool {
        self.namespaces.contains(namespace)
    }
}

/// Keys this node signs with on behalf of its clients, in the order `eth_accounts` lists them.
#[derive(Clone, Debug, Default)]
pub struct DevAccounts(Vec<PrivateKeySigner>);

impl DevAccounts {
    /// Accounts of these keys.
    pub const fn new(signers: Vec<PrivateKeySigner>) -> Self {
        Self(signers)
    }

    /// The addresses.
    pub fn addresses(&self) -> impl Iterator<Item = Address> + '_ {
        self.0.iter().map(PrivateKeySigner::address)
    }

    /// The key of an address.
    pub fn signer(&self, address: Address) -> Option<&PrivateKeySigner> {
        self.0.iter().find(|signer| signer.address() == address)
    }
}

/// Senders a development node sends for without their key.
#[derive(Debug, Default)]
pub struct Impersonation {
    accounts: RwLock<BTreeSet<Address>>,
    everyone: AtomicBool,
}

impl Impersonation {
    /// Whether transactions of this sender need no signature.
    pub fn allows(&self, address: Address) -> bool {
        // Ordering: a flag on its own; a request racing with the switch may see either side.
        self.everyone.load(Ordering::Relaxed) || self.accounts.read().contains(&address)
    }

    /// Begins to impersonate an account.
    pub fn insert(&self, address: Address) {
        self.accounts.write().insert(address);
    }

    /// Stops impersonating an account; whether it was impersonated.
    pub fn remove(&self, address: Address) -> bool {
        self.accounts.write().remove(&address)
    }

    /// Impersonates every sender, or no longer.
    pub fn set_everyone(&self, everyone: bool) {
        // Ordering: as in `allows`.
        self.everyone.store(everyone, Ordering::Relaxed);
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.accounts.write().clear();
        self.set_everyone(false);
    }
}

/// What subscribers hear.
#[derive(Clone, Debug)]
pub struct Events {
    /// Changes of the head.
    pub committed: broadcast::Sender<Arc<Committed>>,
    /// Transactions that entered the pool.
    pub pending: broadcast::Sender<RecoveredTx>,
}

impl Default for Events {
    fn default() -> Self {
        Self { committed: broadcast::channel(COMMITTED_BUFFER).0, pending: broadcast::channel(PENDING_BUFFER).0 }
    }
}

/// A point `evm_revert` can go back to.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Height of the head when it was taken.
    pub height: Height,
    /// State of the head when it was taken.
    pub state: State,
    /// Time in seconds that the next block would have had.
    pub timestamp: u64,
}

/// Snapshots by number, from 1.
pub type Snapshots = BTreeMap<u64, Snapshot>;

/// Everything a method may use. Shared as `Arc<RpcContext>`.
pub struct RpcContext {
    /// The chain.
    pub chain: Arc<Chain>,
    /// Who makes blocks, if it is this node.
    pub sequencer: Option<Arc<Sequencer>>,
    /// What is known of the validators, if this node belongs to a network.
    pub consensus: Option<Arc<dyn Consensus>>,
    /// Height of the head when the server was made.
    pub(crate) first_height: Height,
    /// Limits and names.
    pub options: RpcOptions,
    /// Keys this node signs with.
    pub accounts: DevAccounts,
    /// Senders that need no signature.
    pub impersonation: Impersonation,
    /// Milliseconds since the Unix epoch.
    pub clock: Clock,
    /// What subscribers hear.
    pub events: Events,
    /// Installed filters.
    pub filters: Arc<FilterStore>,
    /// What the executor observed in the newest blocks.
    pub execution_stats: Arc<ExecutionStats>,
    /// Snapshots of a development node.
    pub snapshots: Mutex<Snapshots>,
    /// Held from the choice of a nonce until the transaction is in the pool, so that no two get the same.
    pub(crate) choosing_nonce: Mutex<()>,
    /// Transactions on their way into the pool.
    pub admission: Arc<Admission>,
    /// The tip suggested at the head, once somebody asked.
    pub(crate) suggested_tip: Mutex<SuggestedTip>,
}

impl std::fmt::Debug for RpcContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RpcContext").field("options", &self.options).finish_non_exhaustive()
    }
}

impl RpcContext {
    /// Binds a server to a chain and begins to listen to its commits.
    pub fn new(
        chain: Arc<Chain>,
        sequencer: Option<Arc<Sequencer>>,
        options: RpcOptions,
        accounts: DevAccounts,
        clock: Clock,
    ) -> Arc<Self> {
        Self::build(chain, sequencer, None, options, accounts, clock)
    }

    /// Like [`RpcContext::new`], for a node whose blocks validators agree on. It signs for nobody.
    pub fn in_network(
        chain: Arc<Chain>,
        consensus: Arc<dyn Consensus>,
        options: RpcOptions,
        clock: Clock,
    ) -> Arc<Self> {
        Self::build(chain, None, Some(consensus), options, DevAccounts::default(), clock)
    }

    fn build(
        chain: Arc<Chain>,
        sequencer: Option<Arc<Sequencer>>,
        consensus: Option<Arc<dyn Consensus>>,
        options: RpcOptions,
        accounts: DevAccounts,
        clock: Clock,
    ) -> Arc<Self> {
        let events = Events::default();
        let filters = Arc::new(FilterStore::new(options.max_filters, options.filter_timeout_ms));
        let execution_stats = Arc::new(ExecutionStats::default());
        let (committed, rewound) = (events.committed.clone(), Arc::clone(&filters));
        let observed = Arc::clone(&execution_stats);
        chain.on_commit(move |change| {
            if let Some(lowest) = change.reverted.iter().map(|block| block.height()).min() {
                rewound.rewind(lowest);
            }
            observed.on_commit(change);
            // An error says that nobody listens.
            let _ = committed.send(Arc::new(change.clone()));
        });
        let (impersonation, snapshots, choosing_nonce, suggested_tip, admission) = Default::default();
        let first_height = chain.head().block.height();
        Arc::new(Self {
            chain,
            sequencer,
            consensus,
            first_height,
            options,
            accounts,
            impersonation,
            clock,
            events,
            filters,
            execution_stats,
            snapshots,
            choosing_nonce,
            admission,
            suggested_tip,
        })
    }

    /// The newest block and its state.
    pub fn head(&self) -> Arc<Head> {
        self.chain.head()
    }

    /// EIP-155 chain id.
    pub fn chain_id(&self) -> u64 {
        self.chain.spec().chain_id
    }

    /// Whether this node votes on blocks.
    pub fn is_validator(&self) -> bool {
        self.consensus.as_ref().is_some_and(|consensus| consensus.status().role == "validator")
    }

    /// Whether this is a development node, where clients may change the chain.
    pub fn is_dev(&self) -> bool {
        self.options.offers("dev")
    }
}
