//! The keys that a node starts with, checked against the genesis before anything else is opened.

use alloy_primitives::B256;
use braid_types::{ConsensusConfig, ordered::CertificateScheme};
use eyre::{bail, ensure};
use zeroize::Zeroizing;

use crate::{
    config::node::{NodeSettings, Role},
    keys::{password, validator},
};

/// The keys of a node.
pub(super) struct NodeKeys {
    /// What peers know it by.
    pub(super) public_key: B256,
    /// The private half.
    pub(super) identity: Zeroizing<Vec<u8>>,
    /// Its share of the group's key, if it votes with one.
    pub(super) share: Option<Zeroizing<Vec<u8>>>,
}

impl std::fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeKeys").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

impl NodeKeys {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// If one is missing, its password is wrong, or it does not belong to this network.
    pub(super) fn open(settings: &NodeSettings, consensus: &ConsensusConfig) -> eyre::Result<Self> {
        let file = validator::read_identity(&settings.key)?;
        let password = password::existing(settings.password_file.as_deref(), &settings.key)?;
        let identity = file.open(&password, &settings.key)?;
        let public_key = file.public_key;
        check_role(settings, consensus, public_key)?;
        let share = open_share(settings, consensus, public_key, &password)?;
        Ok(Self { public_key, identity, share })
    }
}

fn check_role(settings: &NodeSettings, consensus: &ConsensusConfig, public_key: B256) -> eyre::Result<()> {
    let is_member = consensus.validators.iter().any(|validator| validator.public_key == public_key);
    match settings.role {
        Role::Validator if !is_member => {
            tracing::warn!(%public_key, "this key is not one of the genesis's validators: it votes once it is voted in");
            Ok(())
        }
        Role::Follower if is_member => {
            bail!(
                "{public_key} is a validator of the genesis, which needs its vote: set role to validator, or use another key"
            )
        }
        _ => Ok(()),
    }
}

/// The share that a validator of the genesis signs with until it is given another. Its file has the password of the identity.
fn open_share(
    settings: &NodeSettings,
    consensus: &ConsensusConfig,
    public_key: B256,
    password: &str,
) -> eyre::Result<Option<Zeroizing<Vec<u8>>>> {
    if settings.role == Role::Follower || consensus.scheme == CertificateScheme::Ed25519 {
        return Ok(None);
    }
    let is_member = consensus.validators.iter().any(|validator| validator.public_key == public_key);
    let Some(path) = settings.share.as_ref() else {
        ensure!(
            !is_member,
            "the genesis asks for BLS12-381 threshold signatures, and this is one of its validators: name its --share"
        );
        // Voted in later, it is given shares by the others.
        return Ok(None);
    };
    let file = validator::read_share(path)?;
    let owner = file.public_key;
    ensure!(owner == public_key, "{} is the share of {owner}, but this node is {public_key}", path.display());
    ensure!(
        Some(&file.group_polynomial) == consensus.group_polynomial.as_ref(),
        "{} is a share of another group than the genesis's",
        path.display()
    );
    file.open(password, path).map(Some)
}
