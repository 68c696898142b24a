//! What a light client trusts, from a genesis, a file or a group key.

use std::{
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use alloy_primitives::{Bytes, FixedBytes};
use braid_chain::genesis_block;
use braid_light::{Chain, Checkpoint, Committee, Dissemination, LightClient, Member, Network, Trust, bls::GroupKey};
use braid_types::{
    ChainSpec, ConsensusConfig,
    ordered::{CertificateScheme, Dissemination as Configured, GenesisValidator},
};
use clap::Args;
use eyre::{OptionExt as _, WrapErr as _, ensure};

use crate::{config::Unusable, dev::data::read_genesis};

#[derive(Clone, Debug, Args)]
pub(crate) struct GenesisArgs {
    /// Genesis file of the chain
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
}

/// One of three.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustArgs {
    /// Trust the first committee, or the group key, of this genesis
    #[arg(long, value_name = "FILE", required_unless_present_any = ["client", "group_key"])]
    genesis: Option<PathBuf>,
    /// Trust what this file says (see `braid proof client` and `--save-client`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["genesis", "group_key"])]
    client: Option<PathBuf>,
    /// Trust a BLS12-381 group key
    #[arg(long, value_name = "KEY", requires = "namespace", conflicts_with = "genesis")]
    group_key: Option<FixedBytes<{ braid_light::bls::KEY_BYTES }>>,
    /// With a group key: what the network's signatures are made under, as `braid proof client` prints it
    #[arg(long, value_name = "BYTES", requires = "group_key")]
    namespace: Option<Bytes>,
    /// With a group key: heights between an ordered block and the one it commits to
    #[arg(long, value_name = "BLOCKS", requires = "group_key", default_value_t = 3)]
    execution_lag: u64,
    /// With a group key: blocks of an epoch
    #[arg(long, value_name = "BLOCKS", requires = "group_key", default_value = "432000")]
    epoch_length: NonZeroU64,
    /// With a group key: the chain's blocks travel in coded parts
    #[arg(long, requires = "group_key")]
    coded: bool,
}

impl GenesisArgs {
    /// What a client of the chain trusts at its beginning.
    ///
    /// # Errors
    /// If the genesis cannot be read, or names no validators.
    pub(super) fn client(&self) -> eyre::Result<LightClient> {
        of_genesis(&self.genesis)
    }
}

impl TrustArgs {
    /// What the client trusts.
    ///
    /// # Errors
    /// If a file cannot be read, or has nothing to trust.
    pub(super) fn client(&self) -> eyre::Result<LightClient> {
        match (&self.genesis, &self.client, &self.group_key) {
            (Some(genesis), ..) => of_genesis(genesis),
            (None, Some(client), _) => super::read_client(client),
            (None, None, key) => self.of_group(&key.ok_or_eyre("nothing to trust is given")?),
        }
    }

    fn of_group(&self, key: &FixedBytes<{ braid_light::bls::KEY_BYTES }>) -> eyre::Result<LightClient> {
        let key =
            GroupKey::new(key).ok_or_else(|| Unusable(format!("--group-key {key} is no BLS12-381 public key")))?;
        let chain = Chain {
            namespace: self.namespace.clone().ok_or_eyre("the namespace is missing")?,
            execution_lag: self.execution_lag,
            epoch_length: self.epoch_length,
            dissemination: if self.coded { Dissemination::Coded } else { Dissemination::Whole },
        };
        Ok(LightClient { chain, trust: Trust::GroupKey(key) })
    }
}

fn of_genesis(path: &Path) -> eyre::Result<LightClient> {
    let genesis = read_genesis(path)?;
    let unusable = |reason: String| Unusable(format!("{}: {reason}", path.display()));
    let spec = ChainSpec::from_config(&genesis.config).map_err(|error| unusable(error.to_string()))?;
    let consensus =
        spec.consensus.as_ref().ok_or_else(|| unusable("it names no validators (config.braid)".to_owned()))?;
    let (block, ..) = genesis_block(&genesis, &spec).wrap_err_with(|| format!("failed to build {}", path.display()))?;
    let epoch_length = NonZeroU64::new(consensus.epoch_length);
    let network = Network {
        chain_id: spec.chain_id,
        genesis_hash: block.header.hash_slow(),
        execution_lag: consensus.execution_lag,
        epoch_length: epoch_length.ok_or_else(|| unusable("epochLength is zero".to_owned()))?,
        dissemination: match consensus.dissemination {
            Configured::Whole => Dissemination::Whole,
            Configured::Coded => Dissemination::Coded,
        },
        group_polynomial: consensus.group_polynomial.clone(),
        validators: consensus.validators.iter().map(member).collect(),
    };
    Ok(LightClient { chain: network.chain(), trust: trust(consensus)? })
}

fn member(validator: &GenesisValidator) -> Member {
    let GenesisValidator { public_key, fee_recipient, address } = validator.clone();
    Member { public_key, fee_recipient, address }
}

fn trust(consensus: &ConsensusConfig) -> eyre::Result<Trust> {
    if consensus.scheme == CertificateScheme::Ed25519 {
        let committee = Committee::new(consensus.validators.iter().map(|validator| validator.public_key))?;
        return Ok(Trust::Checkpoint(Checkpoint { epoch: 0, committee }));
    }
    let polynomial = consensus.group_polynomial.as_ref().ok_or_eyre("groupPolynomial is missing")?;
    ensure!(!polynomial.is_empty(), "groupPolynomial is empty");
    Ok(Trust::GroupKey(GroupKey::of_polynomial(polynomial)?))
}
