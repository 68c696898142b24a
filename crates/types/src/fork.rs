//! Which rules hold at which height and time: forks, blob parameters, block rewards.
//!
//! A [`ChainSpec`] is built from a geth-format `genesis.json` configuration. Forks up to Gray Glacier activate at
//! a height, Paris once the parent's total difficulty has reached the terminal one, Shanghai and later at a time. Between
//! forks by time, blob parameters may change alone (EIP-7892).
//!
//! `mergeNetsplitBlock` decides nothing where a terminal total difficulty is given: it marks a height some time after
//! Paris, for peers to tell chains apart.

use alloy_eips::{BlobScheduleBlobParams, eip7840::BlobParams};
use alloy_genesis::ChainConfig;
use alloy_primitives::{Address, U256};
use revm::primitives::hardfork::SpecId;

use crate::{
    block::Height,
    ordered::{CONSENSUS_KEY, ConsensusConfig, ConsensusConfigError},
};

/// The deposit contract of Ethereum's mainnet (EIP-6110), used where a genesis names none.
pub const MAINNET_DEPOSIT_CONTRACT: Address = alloy_primitives::address!("0x00000000219ab540356cbb839cbe05303d7705fa");

/// A set of rules, in order of activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Fork {
    Frontier,
    Homestead,
    Tangerine,
    SpuriousDragon,
    Byzantium,
    Constantinople,
    Petersburg,
    Istanbul,
    MuirGlacier,
    Berlin,
    London,
    ArrowGlacier,
    GrayGlacier,
    Paris,
    Shanghai,
    Cancun,
    Prague,
    Osaka,
}

/// Every fork in order of activation.
pub const FORKS: [Fork; 18] = [
    Fork::Frontier,
    Fork::Homestead,
    Fork::Tangerine,
    Fork::SpuriousDragon,
    Fork::Byzantium,
    Fork::Constantinople,
    Fork::Petersburg,
    Fork::Istanbul,
    Fork::MuirGlacier,
    Fork::Berlin,
    Fork::London,
    Fork::ArrowGlacier,
    Fork::GrayGlacier,
    Fork::Paris,
    Fork::Shanghai,
    Fork::Cancun,
    Fork::Prague,
    Fork::Osaka,
];

impl Fork {
    /// The newest fork Braid executes, which `braid dev` starts with.
    pub const LATEST: Self = Self::Osaka;

    /// The revm rule set. The glacier forks change difficulty alone, so they share their predecessor's. revm has no
    /// Constantinople (EIP-1283 never ruled mainnet); it is Petersburg with net-metered SSTORE, which `braid-exec` adds.
    pub const fn spec_id(self) -> SpecId {
        match self {
            Self::Frontier => SpecId::FRONTIER,
            Self::Homestead => SpecId::HOMESTEAD,
            Self::Tangerine => SpecId::TANGERINE,
            Self::SpuriousDragon => SpecId::SPURIOUS_DRAGON,
            Self::Byzantium => SpecId::BYZANTIUM,
            Self::Constantinople | Self::Petersburg => SpecId::PETERSBURG,
            Self::Istanbul | Self::MuirGlacier => SpecId::ISTANBUL,
            Self::Berlin => SpecId::BERLIN,
            Self::London | Self::ArrowGlacier | Self::GrayGlacier => SpecId::LONDON,
            Self::Paris => SpecId::MERGE,
            Self::Shanghai => SpecId::SHANGHAI,
            Self::Cancun => SpecId::CANCUN,
            Self::Prague => SpecId::PRAGUE,
            Self::Osaka => SpecId::OSAKA,
        }
    }

    /// Reward of a block's miner in wei, before ommers (EIP-649, EIP-1234); none since Paris.
    pub const fn block_reward(self) -> u64 {
        const ETHER: u64 = 1_000_000_000_000_000_000;
        match self {
            Self::Frontier | Self::Homestead | Self::Tangerine | Self::SpuriousDragon => 5 * ETHER,
            Self::Byzantium => 3 * ETHER,
            Self::Paris | Self::Shanghai | Self::Cancun | Self::Prague | Self::Osaka => 0,
            _ => 2 * ETHER,
        }
    }
}

/// When a fork begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// At this height.
    Height(Height),
    /// At this block timestamp, in seconds, once Paris is active.
    Timestamp(u64),
    /// At the first block whose parent reached the chain's terminal total difficulty.
    TotalDifficulty(U256),
}

/// Why a genesis configuration cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The configuration schedules a fork this version does not execute.
    #[error("genesis schedules {0}, which this version does not execute")]
    UnsupportedFork(&'static str),
    /// A later fork begins before an earlier one.
    #[error("fork {later:?} is scheduled before {earlier:?}")]
    Order {
        /// The fork that must come first.
        earlier: Fork,
        /// The fork that is scheduled before it.
        later: Fork,
    },
    /// Blob parameters that no fee can be computed from.
    #[error("blob schedule {0:?} needs a base fee update fraction and a maximum not below its target")]
    BlobSchedule(String),
    /// The configuration names a consensus engine other than Ethereum's.
    #[error("genesis asks for the consensus engine {0}, which this version does not run")]
    UnsupportedEngine(&'static str),
    /// What the configuration says about validators cannot be followed.
    #[error("config.braid of the genesis is wrong: {0}")]
    Consensus(#[from] ConsensusConfigError),
}

/// The rules of one chain.
#[derive(Clone, Debug)]
pub struct ChainSpec {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The configuration this was built from, for `eth_config` and export.
    pub config: ChainConfig,
    /// Where deposits of EIP-6110 are logged.
    pub deposit_contract: Address,
    /// How validators agree on its blocks; `None`: somebody vouches for them.
    pub consensus: Option<ConsensusConfig>,
    activations: Vec<(Fork, Activation)>,
    blobs: BlobScheduleBlobParams,
}

impl ChainSpec {
    /// The rules that a geth genesis configuration describes.
    ///
    /// # Errors
    /// If it schedules a fork or an engine that this version does not know, or forks out of order.
    pub fn from_config(config: &ChainConfig) -> Result<Self, SpecError> {
        if config.amsterdam_time.is_some() {
            return Err(SpecError::UnsupportedFork("Amsterdam"));
        }
        if config.bogota_time.is_some() {
            return Err(SpecError::UnsupportedFork("Bogota"));
        }
        if config.clique.is_some() {
            return Err(SpecError::UnsupportedEngine("clique"));
        }
        for (name, params) in &config.blob_schedule {
            if params.update_fraction == 0 || params.max_blob_count < params.target_blob_count {
                return Err(SpecError::BlobSchedule(name.clone()));
            }
        }
        let activations = activations(config);
        check_order(&activations)?;
        Ok(Self {
            chain_id: config.chain_id,
            deposit_contract: config.deposit_contract_address.unwrap_or(MAINNET_DEPOSIT_CONTRACT),
            consensus: consensus(config)?,
            blobs: blob_schedule(config),
            config: config.clone(),
            activations,
        })
    }

    /// Rules with `fork` active from genesis, as `braid dev` and the conformance tests use them; under Osaka with the
    /// newest blob parameters Ethereum has (BPO2).
    pub fn at_fork(chain_id: u64, fork: Fork) -> Self {
        let config = config_at_fork(chain_id, fork);
        let activations = activations(&config);
        let deposit_contract = MAINNET_DEPOSIT_CONTRACT;
        Self { chain_id, deposit_contract, consensus: None, blobs: blob_schedule(&config), config, activations }
    }

    /// The fork that rules a block at `height` and `timestamp` whose parent has `parent_total_difficulty`.
    pub fn fork_at(&self, height: Height, timestamp: u64, parent_total_difficulty: U256) -> Fork {
        let mut current = Fork::Frontier;
        for &(fork, activation) in &self.activations {
            let active = match activation {
                Activation::Height(at) => height >= at,
                Activation::TotalDifficulty(at) => parent_total_difficulty >= at,
                Activation::Timestamp(at) => current >= Fork::Paris && timestamp >= at,
            };
            if active {
                current = current.max(fork);
            }
        }
        current
    }

    /// Blob target, maximum and fee fraction at `timestamp` under `fork`; `None` before Cancun.
    pub fn blob_params(&self, fork: Fork, timestamp: u64) -> Option<BlobParams> {
        match fork {
            Fork::Osaka => {
                Some(self.blobs.active_scheduled_params_at_timestamp(timestamp).copied().unwrap_or(self.blobs.osaka))
            }
            Fork::Prague => Some(self.blobs.prague),
            Fork::Cancun => Some(self.blobs.cancun),
            _ => None,
        }
    }

    /// Height of the DAO fork's irregular state change, if this chain made it.
    pub fn dao_fork_height(&self) -> Option<Height> {
        self.config.dao_fork_block.filter(|_| self.config.dao_fork_support)
    }

    /// The newest fork in the schedule, active or not.
    pub fn newest_fork(&self) -> Fork {
        self.activations.iter().map(|&(fork, _)| fork).max().unwrap_or(Fork::Frontier)
    }

    /// Whether a block may carry `timestamp` after one with `parent`, both in seconds. Ethereum's time stamps increase; where
    /// validators order blocks, several may share a second.
    pub const fn allows_timestamp(&self, timestamp: u64, parent: u64) -> bool {
        timestamp > parent || (timestamp == parent && self.consensus.is_some())
    }

    /// Forks with their activation, in order; for `eth_config` and the first screen.
    pub fn activations(&self) -> &[(Fork, Activation)] {
        &self.activations
    }
}

fn activations(config: &ChainConfig) -> Vec<(Fork, Activation)> {
    let heights = [
        (Fork::Homestead, config.homestead_block),
        (Fork::Tangerine, config.eip150_block),
        (Fork::SpuriousDragon, config.eip158_block.or(config.eip155_block)),
        (Fork::Byzantium, config.byzantium_block),
        (Fork::Constantinople, config.constantinople_block),
        (Fork::Petersburg, config.petersburg_block.or(config.constantinople_block)),
        (Fork::Istanbul, config.istanbul_block),
        (Fork::MuirGlacier, config.muir_glacier_block),
        (Fork::Berlin, config.berlin_block),
        (Fork::London, config.london_block),
        (Fork::ArrowGlacier, config.arrow_glacier_block),
        (Fork::GrayGlacier, config.gray_glacier_block),
    ];
    let times = [
        (Fork::Shanghai, config.shanghai_time),
        (Fork::Cancun, config.cancun_time),
        (Fork::Prague, config.prague_time),
        (Fork::Osaka, config.osaka_time),
    ];
    let by_height = heights.into_iter().filter_map(|(fork, at)| Some((fork, Activation::Height(at?))));
    let by_time = times.into_iter().filter_map(|(fork, at)| Some((fork, Activation::Timestamp(at?))));
    by_height.chain(paris(config).map(|at| (Fork::Paris, at))).chain(by_time).collect()
}

/// Paris begins at the terminal total difficulty; a configuration without one may say a height, or that it has passed.
fn paris(config: &ChainConfig) -> Option<Activation> {
    if let Some(difficulty) = config.terminal_total_difficulty {
        return Some(Activation::TotalDifficulty(difficulty));
    }
    let passed = config.terminal_total_difficulty_passed.then_some(Activation::TotalDifficulty(U256::ZERO));
    config.merge_netsplit_block.map(Activation::Height).or(passed)
}

fn check_order(activations: &[(Fork, Activation)]) -> Result<(), SpecError> {
    let mut previous: Option<(Fork, Activation)> = None;
    for &(fork, activation) in activations {
        let misplaced = match (previous, activation) {
            (Some((_, Activation::Height(before))), Activation::Height(at)) => before > at,
            (Some((_, Activation::Timestamp(before))), Activation::Timestamp(at)) => before > at,
            _ => false,
        };
        if let (true, Some((earlier, _))) = (misplaced, previous) {
            return Err(SpecError::Order { earlier, later: fork });
        }
        previous = Some((fork, activation));
    }
    Ok(())
}

/// What the configuration says about validators.
fn consensus(config: &ChainConfig) -> Result<Option<ConsensusConfig>, ConsensusConfigError> {
    let Some(parsed) = config.extra_fields.get_deserialized::<ConsensusConfig>(CONSENSUS_KEY) else { return Ok(None) };
    let consensus = parsed.map_err(|error| ConsensusConfigError::Malformed(error.to_string()))?;
    consensus.check()?;
    Ok(Some(consensus))
}

fn blob_schedule(config: &ChainConfig) -> BlobScheduleBlobParams {
    config.blob_schedule_blob_params()
}

fn config_at_fork(chain_id: u64, fork: Fork) -> ChainConfig {
    let height = |at: Fork| (fork >= at).then_some(0);
    let time = |at: Fork| (fork >= at).then_some(0);
    let mut config = ChainConfig {
        chain_id,
        homestead_block: height(Fork::Homestead),
        eip150_block: height(Fork::Tangerine),
        eip155_block: height(Fork::SpuriousDragon),
        eip158_block: height(Fork::SpuriousDragon),
        byzantium_block: height(Fork::Byzantium),
        constantinople_block: height(Fork::Constantinople),
        petersburg_block: if fork == Fork::Constantinople { Some(u64::MAX) } else { height(Fork::Petersburg) },
        istanbul_block: height(Fork::Istanbul),
        muir_glacier_block: height(Fork::MuirGlacier),
        berlin_block: height(Fork::Berlin),
        london_block: height(Fork::London),
        arrow_glacier_block: height(Fork::ArrowGlacier),
        gray_glacier_block: height(Fork::GrayGlacier),
        shanghai_time: time(Fork::Shanghai),
        cancun_time: time(Fork::Cancun),
        prague_time: time(Fork::Prague),
        osaka_time: time(Fork::Osaka),
        bpo1_time: time(Fork::Osaka),
        bpo2_time: time(Fork::Osaka),
        ..ChainConfig::default()
    };
    if fork >= Fork::Paris {
        config.terminal_total_difficulty = Some(U256::ZERO);
        config.terminal_total_difficulty_passed = true;
    }
    config.blob_schedule = std::collections::BTreeMap::from([
        ("cancun".to_owned(), BlobParams::cancun()),
        ("prague".to_owned(), BlobParams::prague()),
        ("osaka".to_owned(), BlobParams::osaka()),
        ("bpo1".to_owned(), BlobParams::bpo1()),
        ("bpo2".to_owned(), BlobParams::bpo2()),
    ]);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_DIFFICULTY: U256 = U256::ZERO;

    /// The network a fixture names `<from>To<to>At…`: `from` at genesis, with `change` made to its configuration.
    fn transition(from: Fork, change: impl Fn(&mut ChainConfig)) -> ChainSpec {
        let mut config = config_at_fork(1, from);
        change(&mut config);
        ChainSpec::from_config(&config).unwrap()
    }

    #[test]
    fn a_fork_at_genesis_rules_every_block() {
        for fork in FORKS {
            let spec = ChainSpec::at_fork(1, fork);
            for (height, timestamp) in [(0, 0), (1, 12), (u64::MAX - 1, u64::MAX)] {
                assert_eq!(spec.fork_at(height, timestamp, NO_DIFFICULTY), fork);
            }
            let again = ChainSpec::from_config(&spec.config).unwrap();
            assert_eq!(again.activations(), spec.activations());
        }
    }

    #[test]
    fn forks_by_height_begin_at_theirs() {
        let spec = transition(Fork::Berlin, |config| config.london_block = Some(5));
        assert_eq!(spec.fork_at(4, 0, NO_DIFFICULTY), Fork::Berlin);
        assert_eq!(spec.fork_at(5, 0, NO_DIFFICULTY), Fork::London);
        let spec = transition(Fork::SpuriousDragon, |config| config.byzantium_block = Some(5));
        assert_eq!(spec.fork_at(4, 0, NO_DIFFICULTY), Fork::SpuriousDragon);
        assert_eq!(spec.fork_at(5, 0, NO_DIFFICULTY), Fork::Byzantium);
        let fixed =
            |config: &mut ChainConfig| (config.constantinople_block, config.petersburg_block) = (Some(5), Some(5));
        let spec = transition(Fork::Byzantium, fixed);
        assert_eq!(spec.fork_at(5, 0, NO_DIFFICULTY), Fork::Petersburg);
        let spec = transition(Fork::Homestead, |config| {
            (config.dao_fork_block, config.dao_fork_support) = (Some(5), true);
        });
        assert_eq!((spec.fork_at(5, 0, NO_DIFFICULTY), spec.dao_fork_height()), (Fork::Homestead, Some(5)));
    }

    #[test]
    fn constantinople_without_a_word_on_petersburg_includes_it() {
        let spec = transition(Fork::Byzantium, |config| config.constantinople_block = Some(3));
        assert_eq!(spec.fork_at(3, 0, NO_DIFFICULTY), Fork::Petersburg);
    }

    #[test]
    fn paris_begins_once_the_parent_reached_the_total_difficulty() {
        let limit = U256::from(0xC0000);
        let spec = transition(Fork::ArrowGlacier, |config| config.terminal_total_difficulty = Some(limit));
        assert_eq!(spec.fork_at(9, 0, limit - U256::from(1)), Fork::ArrowGlacier);
        assert_eq!(spec.fork_at(9, 0, limit), Fork::Paris);
        let marked = transition(Fork::GrayGlacier, |config| {
            (config.terminal_total_difficulty, config.merge_netsplit_block) = (Some(limit), Some(3));
        });
        assert_eq!(marked.fork_at(3, 0, NO_DIFFICULTY), Fork::GrayGlacier, "the height decides nothing");
        let by_height = transition(Fork::GrayGlacier, |config| config.merge_netsplit_block = Some(3));
        assert_eq!(by_height.fork_at(2, 0, NO_DIFFICULTY), Fork::GrayGlacier);
        assert_eq!(by_height.fork_at(3, 0, NO_DIFFICULTY), Fork::Paris);
    }

    #[test]
    fn forks_by_time_begin_at_theirs_once_paris_has_come() {
        let spec = transition(Fork::Paris, |config| config.shanghai_time = Some(15_000));
        assert_eq!(spec.fork_at(1, 14_999, NO_DIFFICULTY), Fork::Paris);
        assert_eq!(spec.fork_at(1, 15_000, NO_DIFFICULTY), Fork::Shanghai);
        let spec = transition(Fork::Shanghai, |config| config.cancun_time = Some(15_000));
        assert_eq!(spec.fork_at(1, 15_000, NO_DIFFICULTY), Fork::Cancun);
        let late = transition(Fork::London, |config| {
            (config.terminal_total_difficulty, config.shanghai_time) = (Some(U256::from(9)), Some(0));
        });
        assert_eq!(late.fork_at(1, 1, NO_DIFFICULTY), Fork::London);
        assert_eq!(late.fork_at(1, 1, U256::from(9)), Fork::Shanghai);
    }

    #[test]
    fn blob_parameters_follow_fork_and_time() {
        let at = |fork| ChainSpec::at_fork(1, fork).blob_params(fork, 0);
        assert_eq!(at(Fork::Shanghai), None);
        assert_eq!(at(Fork::Cancun), Some(BlobParams::cancun()));
        assert_eq!(at(Fork::Prague), Some(BlobParams::prague()));
        assert_eq!(at(Fork::Osaka), Some(BlobParams::bpo2()), "the newest");
        let spec = transition(Fork::Osaka, |config| {
            (config.bpo1_time, config.bpo2_time) = (Some(100), Some(200));
        });
        let blobs = |timestamp| spec.blob_params(Fork::Osaka, timestamp);
        assert_eq!(blobs(99), Some(BlobParams::osaka()));
        assert_eq!(blobs(100), Some(BlobParams::bpo1()));
        assert_eq!(blobs(200), Some(BlobParams::bpo2()));
    }

    #[test]
    fn configurations_that_cannot_be_followed_are_refused() {
        let refused = |change: fn(&mut ChainConfig)| {
            let mut config = config_at_fork(1, Fork::Cancun);
            change(&mut config);
            ChainSpec::from_config(&config).unwrap_err()
        };
        assert_eq!(refused(|config| config.amsterdam_time = Some(9)), SpecError::UnsupportedFork("Amsterdam"));
        assert_eq!(
            refused(|config| config.london_block = Some(7)),
            SpecError::Order { earlier: Fork::London, later: Fork::ArrowGlacier }
        );
        assert_eq!(
            refused(|config| config.shanghai_time = Some(7)),
            SpecError::Order { earlier: Fork::Shanghai, later: Fork::Cancun }
        );
        let no_fraction = |config: &mut ChainConfig| {
            let params = BlobParams { update_fraction: 0, ..BlobParams::cancun() };
            config.blob_schedule.insert("cancun".to_owned(), params);
        };
        assert_eq!(refused(no_fraction), SpecError::BlobSchedule("cancun".to_owned()));
    }

    #[test]
    fn rewards_fall_until_paris_ends_them() {
        let ether = |fork: Fork| fork.block_reward() / 1_000_000_000_000_000_000;
        assert_eq!(FORKS.map(ether), [5, 5, 5, 5, 3, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0]);
    }
}
