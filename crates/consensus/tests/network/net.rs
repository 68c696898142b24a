//! A network of real nodes in the deterministic runtime: simulated links, real ledgers on temporary directories.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use alloy_consensus::{SignableTransaction as _, TxEip1559, transaction::Recovered};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_network::TxSignerSync as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address};
use alloy_signer_local::PrivateKeySigner;
use braid_chain::{
    Chain, ChainOptions, Ledger, ProposalLimits,
    genesis::system_contracts,
    state::{StoreOptions, Vacancy, snapshot::vacancy},
};
use braid_consensus::{
    Pace, StopReason,
    certificates::Certificates,
    committee::{Change, Committee, Validator},
    committees::Committees,
    deal::deal,
    engine::{self, Network, Node, Settings, max_message_size},
    epochs::Timeouts,
    keys,
    peers::Unaddressed,
    rules::Rules,
    scheme::GroupShare,
    status::Status,
    sync::{Joining, Progress, SyncError, Wanted, fetch},
};
use braid_pool::{Pool, PoolConfig};
use braid_types::{
    ChainSpec, ConsensusConfig, Fork, RecoveredTx, Transaction,
    ordered::{CONSENSUS_KEY, CertificateScheme, Dissemination, GenesisValidator},
};
use commonware_cryptography::{
    Signer as _,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::simulated::{self, Link, Oracle};
use commonware_parallel::Sequential;
use commonware_runtime::{Clock as _, Handle, Quota, Spawner as _, Supervisor as _, deterministic::Context};
use commonware_utils::{NZU32, NZUsize, channel::watch, ordered::Set, probability};
use tempfile::TempDir;

pub(crate) const CHAIN_ID: u64 = 31_337;
pub(crate) const RECIPIENT: Address = address!("0x00000000000000000000000000000000000000aa");
/// What all nodes call it.
const SYNC_CHANNEL: u64 = 5;
const SHARE_CHANNEL: u64 = 6;

pub(crate) type SyncSender = simulated::Sender<PublicKey, Context>;
pub(crate) type SyncReceiver = simulated::Receiver<PublicKey>;

const QUOTA: Quota = Quota::per_second(NZU32!(4_096));

/// What kind of network.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) validators: usize,
    /// Nodes beyond the first committee.
    pub(crate) others: usize,
    pub(crate) scheme: CertificateScheme,
    pub(crate) dissemination: Dissemination,
    pub(crate) epoch_length: u64,
    /// Blocks from a snapshot to the next; zero: none.
    pub(crate) snapshot_interval: u64,
    /// Accounts beside those that send.
    pub(crate) accounts: u64,
}

impl Default for Kind {
    fn default() -> Self {
        Self {
            validators: 4,
            others: 0,
            scheme: CertificateScheme::Ed25519,
            dissemination: Dissemination::Whole,
            epoch_length: 1_000,
            snapshot_interval: 0,
            accounts: 0,
        }
    }
}

/// A started node. Aborting the task drops everything in it, as a crash does.
struct Running {
    task: Handle<()>,
    ledger: Arc<Ledger>,
    node: Arc<parking_lot::Mutex<Option<Node>>>,
}

pub(crate) struct Net {
    pub(crate) context: Context,
    rules: Arc<Rules>,
    genesis: Genesis,
    keys: Vec<PrivateKey>,
    shares: BTreeMap<B256, Vec<u8>>,
    directories: Vec<TempDir>,
    /// Key files, by node, with what the keys have voted in beside them.
    key_files: TempDir,
    oracle: Oracle<PublicKey, Context>,
    running: Vec<Option<Running>>,
    generation: usize,
    snapshot_interval: u64,
    /// How often each node has got another disk.
    disks: Vec<usize>,
    /// What nodes keep, from their next start on.
    pub(crate) keep_blocks: Option<u64>,
    /// What each node asks for, from its next start on.
    pub(crate) votes: Vec<Option<Change>>,
}

pub(crate) fn link() -> Link {
    Link { latency: Duration::from_millis(10), jitter: Duration::from_millis(2), success_rate: probability!(1.0) }
}

pub(crate) fn lossy() -> Link {
    Link { latency: Duration::from_millis(25), jitter: Duration::from_millis(10), success_rate: probability!(0.9) }
}

fn signer(number: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::with_last_byte(number)).unwrap()
}

/// A payment of one wei by one of the five funded accounts.
pub(crate) fn transfer(from: u8, nonce: u64) -> RecoveredTx {
    let signer = signer(from);
    let mut transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(RECIPIENT),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let signature = signer.sign_transaction_sync(&mut transaction).unwrap();
    let signed = Transaction::from(transaction.into_signed(signature));
    Arc::new(Recovered::new_unchecked(signed, signer.address()))
}

fn fee_recipient(index: usize) -> Address {
    Address::repeat_byte(u8::try_from(0x80 + index).unwrap())
}

fn genesis(kind: &Kind, keys: &[PrivateKey], polynomial: Option<Bytes>) -> Genesis {
    let validator = |(index, key): (usize, &PrivateKey)| GenesisValidator {
        public_key: keys::to_bytes(&key.public_key()),
        fee_recipient: fee_recipient(index),
        address: format!("127.0.0.1:{}", 30_400 + index),
    };
    let config = ConsensusConfig {
        execution_lag: 3,
        epoch_length: kind.epoch_length,
        scheme: kind.scheme,
        dissemination: kind.dissemination,
        validators: keys.iter().take(kind.validators).enumerate().map(validator).collect(),
        group_polynomial: polynomial,
    };
    let accounts = (1..=5).map(|number| {
        let balance = U256::from(100_000_000_000_000_000_000_u128);
        (signer(number).address(), GenesisAccount { balance, ..GenesisAccount::default() })
    });
    let others = (0..kind.accounts).map(|number| {
        let address = Address::left_padding_from(&(number + 1_000_000).to_be_bytes());
        (address, GenesisAccount { balance: U256::from(number + 1), ..GenesisAccount::default() })
    });
    let alloc = accounts.chain(others).chain(system_contracts(Fork::LATEST)).collect();
    let spec = ChainSpec::at_fork(CHAIN_ID, Fork::LATEST);
    let mut genesis = Genesis { config: spec.config, gas_limit: 30_000_000, alloc, ..Genesis::default() };
    genesis.config.extra_fields.insert_value(CONSENSUS_KEY.to_owned(), config).unwrap();
    genesis
}

fn open(genesis: &Genesis, directory: &std::path::Path) -> Arc<Ledger> {
    let options = ChainOptions {
        genesis: genesis.clone(),
        directory: directory.to_owned(),
        store: StoreOptions { checkpoint_interval_ms: 3_600_000, ..StoreOptions::default() },
        pool: PoolConfig::default(),
        threads: NonZeroUsize::MIN,
        is_dev: false,
    };
    Arc::new(Ledger::new(Arc::new(Chain::open(options).unwrap())).unwrap())
}

fn insert(chain: &Chain, transaction: RecoveredTx) {
    let account = chain.head().state.account(transaction.signer()).unwrap_or_default();
    let mut pool = chain.pool().lock();
    Pool::check(&pool.rules().clone(), &pool.config().clone(), &transaction, None).unwrap();
    // Refused: it came twice, or stands in a block by now.
    let _ = pool.insert(transaction, None, account);
}

impl Net {
    pub(crate) async fn new(context: Context, kind: Kind) -> Self {
        let count = kind.validators + kind.others;
        let mut keys: Vec<_> = (0..count).map(|index| PrivateKey::from_seed(index as u64)).collect();
        keys[..kind.validators].sort_by_key(PrivateKey::public_key);
        let members: Vec<_> = keys.iter().take(kind.validators).map(|key| keys::to_bytes(&key.public_key())).collect();
        let dealt = (kind.scheme == CertificateScheme::Bls12381Threshold).then(|| deal(&members, &[7; 32]).unwrap());
        let (polynomial, shares) =
            dealt.map_or((None, BTreeMap::new()), |deal| (Some(deal.polynomial), deal.shares.into_iter().collect()));
        let genesis = genesis(&kind, &keys, polynomial);
        let directories: Vec<_> = (0..count).map(|_| tempfile::tempdir().unwrap()).collect();
        let ledger = open(&genesis, directories[0].path());
        let config = ledger.chain().spec().consensus.clone().unwrap();
        let rules = Arc::new(Rules::new(&config, CHAIN_ID, ledger.chain().head().block.block_ref()).unwrap());
        drop(ledger);
        let (network, oracle) = simulated::Network::new(
            context.child("network"),
            simulated::Config {
                max_size: max_message_size(&rules),
                max_peers_per_set: NZUsize!(16),
                disconnect_on_block: true,
                tracked_peer_sets: NZUsize!(3),
            },
        );
        network.start();
        let running = (0..count).map(|_| None).collect();
        let votes = vec![None; count];
        let key_files = tempfile::tempdir().unwrap();
        for index in 0..count {
            std::fs::write(key_files.path().join(index.to_string()), "a key").unwrap();
        }
        let mut net = Self {
            context,
            rules,
            genesis,
            keys,
            shares,
            directories,
            key_files,
            oracle,
            running,
            generation: 0,
            snapshot_interval: kind.snapshot_interval,
            disks: vec![0; count],
            keep_blocks: None,
            votes,
        };
        net.track().await;
        net.connect(&link(), |_, _| true).await;
        net
    }

    /// Lets links be made before the first node activates its peers.
    async fn track(&mut self) {
        use braid_consensus::peers::Peers as _;
        self.peers().activate(0, &self.rules.committee, &[]);
        self.context.sleep(Duration::from_millis(1)).await;
    }

    fn peers(&self) -> Unaddressed<simulated::Manager<PublicKey, Context>> {
        // Whoever is in the committee counts as a member of it.
        let all = self.keys.iter().map(PrivateKey::public_key);
        Unaddressed { manager: self.oracle.manager(), followers: Set::from_iter_dedup(all) }
    }

    pub(crate) fn validator(&self, index: usize) -> Validator {
        Validator {
            public_key: self.keys[index].public_key(),
            fee_recipient: fee_recipient(index),
            address: format!("127.0.0.1:{}", 30_400 + index),
        }
    }

    /// Makes exactly the links that `is_up` allows.
    pub(crate) async fn connect(&self, link: &Link, is_up: impl Fn(usize, usize) -> bool) {
        for (a, from) in self.keys.iter().enumerate() {
            for (b, to) in self.keys.iter().enumerate().filter(|(b, _)| *b != a) {
                let (from, to) = (from.public_key(), to.public_key());
                // There may be none yet.
                let _ = self.oracle.remove_link(from.clone(), to.clone()).await;
                if is_up(a, b) {
                    self.oracle.add_link(from, to, link.clone()).await.unwrap();
                }
            }
        }
    }

    pub(crate) async fn start_all(&mut self) {
        for index in 0..self.keys.len() {
            self.start(index).await;
        }
    }

    /// Starts a node on its directory and storage, whatever is there.
    pub(crate) async fn start(&mut self, index: usize) {
        let ledger = open(&self.genesis, self.directories[index].path());
        self.start_on(index, ledger).await;
    }

    pub(crate) fn open(&self, index: usize) -> Arc<Ledger> {
        open(&self.genesis, self.directories[index].path())
    }

    pub(crate) async fn start_on(&mut self, index: usize, ledger: Arc<Ledger>) {
        self.generation += 1;
        let key = self.keys[index].clone();
        let control = self.oracle.control(key.public_key());
        let mut channels = Vec::new();
        for number in 0..7 {
            channels.push(control.register(number, QUOTA).await.unwrap());
        }
        let mut channels = channels.into_iter();
        let mut next = || channels.next().unwrap();
        let network = Network {
            peers: self.peers(),
            blocker: control,
            votes: next(),
            certificates: next(),
            resolver: next(),
            backfill: next(),
            blocks: next(),
            sync: next(),
            shares: next(),
        };
        let share = self.shares.get(&keys::to_bytes(&key.public_key())).map(|share| keys::share(share).unwrap());
        let settings = Settings {
            key,
            key_file: self.key_file(index),
            share,
            pace: Pace {
                block_interval: Duration::from_millis(200),
                enough_transactions: 1_000,
                limits: ProposalLimits::default(),
            },
            timeouts: Timeouts {
                leader: Duration::from_millis(1_000),
                certification: Duration::from_millis(2_000),
                retry: Duration::from_millis(2_000),
                skip: Duration::from_secs(5),
                fetch: Duration::from_millis(1_000),
            },
            keep_blocks: self.keep_blocks,
            vote: self.votes[index].clone(),
            partition: self.partition(index),
            snapshot_interval: self.snapshot_interval,
        };
        let node = Arc::new(parking_lot::Mutex::new(None));
        let (slot, rules, held) = (Arc::clone(&node), Arc::clone(&self.rules), Arc::clone(&ledger));
        let context = self.context.child("node").with_attribute("index", index);
        let context = context.with_attribute("generation", self.generation);
        let task = context.spawn(move |context| async move {
            let started = engine::start(context, rules, settings, network, Sequential, held).await.unwrap();
            *slot.lock() = Some(started);
            std::future::pending::<()>().await;
        });
        self.running[index] = Some(Running { task, ledger, node });
    }

    /// Stops a node without letting it say goodbye.
    pub(crate) async fn crash(&mut self, index: usize) {
        let Running { task, ledger, node } = self.running[index].take().unwrap();
        task.abort();
        node.lock().take();
        // Tasks are dropped when the runtime comes to them.
        for _ in 0..1_000 {
            if Arc::strong_count(&ledger) == 1 {
                return;
            }
            self.context.sleep(Duration::from_millis(1)).await;
        }
        panic!("{} still hold the ledger of a crashed node", Arc::strong_count(&ledger) - 1);
    }

    fn key_file(&self, index: usize) -> PathBuf {
        self.key_files.path().join(index.to_string())
    }

    /// Removes what says which epoch a key has voted in.
    pub(crate) fn forget_votes(&self, index: usize) {
        let mut removed = 0;
        for entry in std::fs::read_dir(self.key_files.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{index}.votes-")) {
                std::fs::remove_file(path).unwrap();
                removed += 1;
            }
        }
        assert_eq!(removed, 1);
    }

    pub(crate) fn ledger(&self, index: usize) -> &Arc<Ledger> {
        &self.running[index].as_ref().unwrap().ledger
    }

    pub(crate) fn status(&self, index: usize) -> Status {
        let running = self.running[index].as_ref().unwrap();
        running.node.lock().as_ref().map(|node| node.status.borrow().clone()).unwrap_or_default()
    }

    pub(crate) fn stopped(&self, index: usize) -> Option<StopReason> {
        let running = self.running[index].as_ref().unwrap();
        running.node.lock().as_ref().and_then(|node| node.stopped.borrow().clone())
    }

    /// The committees that a node knows.
    pub(crate) fn committees(&self, index: usize) -> Committees {
        let running = self.running[index].as_ref().unwrap();
        running.node.lock().as_ref().unwrap().committees.clone()
    }

    /// Starts a node without its share of the group's key from now on.
    pub(crate) fn forget_share(&mut self, index: usize) {
        self.shares.remove(&keys::to_bytes(&self.keys[index].public_key())).unwrap();
    }

    pub(crate) fn key(&self, index: usize) -> PrivateKey {
        self.keys[index].clone()
    }

    pub(crate) fn share(&self, index: usize) -> GroupShare {
        keys::share(&self.shares[&keys::to_bytes(&self.keys[index].public_key())]).unwrap()
    }

    /// The channel for shares of a node that does not run.
    pub(crate) async fn share_channel(&self, index: usize) -> (SyncSender, SyncReceiver) {
        self.oracle.control(self.keys[index].public_key()).register(SHARE_CHANNEL, QUOTA).await.unwrap()
    }

    /// Who keeps whom away.
    pub(crate) async fn blocked(&self) -> Vec<(PublicKey, PublicKey)> {
        self.oracle.blocked().await.unwrap()
    }

    /// Reads something from the node's handle.
    pub(crate) fn status_of<T>(&self, index: usize, read: impl FnOnce(&Node) -> T) -> T {
        read(self.running[index].as_ref().unwrap().node.lock().as_ref().unwrap())
    }

    /// Takes the node's handle.
    pub(crate) fn node(&self, index: usize) -> Node {
        self.running[index].as_ref().unwrap().node.lock().take().unwrap()
    }

    pub(crate) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    pub(crate) fn committee(&self) -> Committee {
        self.rules.committee.clone()
    }

    pub(crate) fn height(&self, index: usize) -> u64 {
        self.ledger(index).durable().height
    }

    pub(crate) async fn sleep(&self, seconds: u64) {
        self.context.sleep(Duration::from_secs(seconds)).await;
    }

    /// Waits until all `nodes` have made `height` durable.
    pub(crate) async fn reach(&self, nodes: &[usize], height: u64, seconds: u64) {
        for _ in 0..seconds * 10 {
            if nodes.iter().all(|&index| self.height(index) >= height) {
                return;
            }
            self.context.sleep(Duration::from_millis(100)).await;
        }
        let heights: Vec<_> = nodes.iter().map(|&index| (index, self.height(index), self.stopped(index))).collect();
        panic!("not all of {nodes:?} have reached {height} within {seconds} s: {heights:?}");
    }

    /// Gives a transaction to a node's pool.
    pub(crate) fn submit(&self, index: usize, transaction: RecoveredTx) {
        insert(self.ledger(index).chain(), transaction);
    }

    /// The channel of state sync of a node that does not run.
    pub(crate) async fn sync_channel(&self, index: usize) -> (SyncSender, SyncReceiver) {
        self.oracle.control(self.keys[index].public_key()).register(SYNC_CHANNEL, QUOTA).await.unwrap()
    }

    /// Lets a node without a chain look for a snapshot, and fetch it.
    pub(crate) fn join(
        &mut self,
        index: usize,
        (least, patience): (u64, Option<Duration>),
    ) -> Handle<Result<Joining, SyncError>> {
        self.generation += 1;
        let wanted = Wanted {
            directory: self.directories[index].path().to_owned(),
            genesis: self.genesis.clone(),
            least,
            patience,
            partition: self.partition(index),
        };
        let control = self.oracle.control(self.keys[index].public_key());
        let (rules, peers) = (Arc::clone(&self.rules), self.rules.committee.validators().len());
        let context = self.context.child("joiner").with_attribute("index", index);
        context.with_attribute("generation", self.generation).spawn(move |context| async move {
            let mut channel = control.register(SYNC_CHANNEL, QUOTA).await.unwrap();
            let (progress, _) = watch::channel(Progress::default());
            fetch(context, rules, wanted, peers, &mut channel, &progress).await
        })
    }

    /// Removes everything that a node has learnt; its key stays, with what is beside it.
    pub(crate) fn wipe(&mut self, index: usize) {
        assert!(self.running[index].is_none());
        self.directories[index] = tempfile::tempdir().unwrap();
        self.disks[index] += 1;
    }

    /// Prefix of a node's partitions in the storage that all share.
    fn partition(&self, index: usize) -> String {
        format!("node-{index}-{}", self.disks[index])
    }

    pub(crate) fn certificates(&self, index: usize) -> Certificates {
        self.running[index].as_ref().unwrap().node.lock().as_ref().unwrap().certificates.clone()
    }

    /// Whether a node has a chain.
    pub(crate) fn has_chain(&self, index: usize) -> bool {
        vacancy(self.directories[index].path()).unwrap() == Vacancy::Taken
    }

    /// Checks that no two nodes have different blocks at a height, and returns the lowest height.
    pub(crate) fn agree(&self) -> u64 {
        let mut hashes = BTreeMap::new();
        let mut lowest = u64::MAX;
        for running in self.running.iter().flatten() {
            let top = running.ledger.durable().height;
            lowest = lowest.min(top);
            for height in 0..=top {
                // Who joined by state sync has no blocks from before, and some of their hashes.
                let Some(hash) = running.ledger.chain().store().hash(height).unwrap() else { continue };
                assert_eq!(*hashes.entry(height).or_insert(hash), hash, "two blocks at height {height}");
            }
        }
        lowest
    }

    /// Wei that the recipient of all transfers has at a node.
    pub(crate) fn received(&self, index: usize) -> U256 {
        let state = self.ledger(index).chain().head();
        state.state.account(RECIPIENT).map_or(U256::ZERO, |account| account.balance)
    }
}
