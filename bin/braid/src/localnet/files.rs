//! The folder of a local network:
//!
//! ```text
//! localnet.toml      what the network is made of
//! genesis.json       the genesis, with the validators
//! password           the password of all keys
//! validator-0/       key.json, share.json (threshold signatures), node.toml, data/
//! follower-0/        key.json, node.toml, data/
//! ```
//!
//! What is there is kept. The genesis is written last, so that a folder without it is one whose first start was interrupted, and is
//! made anew.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use alloy_genesis::Genesis;
use alloy_primitives::{Address, B128, B256, Bytes, hex};
use alloy_signer_local::PrivateKeySigner;
use braid_types::{
    ConsensusConfig, Fork,
    ordered::{CONSENSUS_KEY, CertificateScheme, GenesisValidator},
};
use eyre::Context;
use serde_json::json;

use super::shape::Shape;
use crate::{
    config::{TEST_MNEMONIC, values::Ether},
    dev::{accounts, genesis::DevGenesis},
    keys::{
        file,
        keystore::Cost,
        validator::{create_identity, create_shares},
    },
};

/// Accounts funded, as in `braid dev`.
const ACCOUNTS: u32 = 10;

/// Balance of each in ether, as in `braid dev`.
const BALANCE: &str = "10000";

/// The files of a network.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// Validators first.
    pub(super) nodes: Vec<NodeFiles>,
    /// The funded accounts.
    pub(super) accounts: Vec<PrivateKeySigner>,
}

/// The files of a node.
#[derive(Clone, Debug)]
pub(super) struct NodeFiles {
    /// `validator-0`.
    pub(super) name: String,
    /// Its configuration.
    pub(super) config: PathBuf,
}

impl Files {
    /// Writes what is missing.
    ///
    /// # Errors
    /// If something cannot be read or written.
    pub(super) fn prepare(dir: &Path, shape: &Shape) -> eyre::Result<Self> {
        let accounts = accounts::derive(TEST_MNEMONIC, ACCOUNTS)?;
        let folders: Vec<(String, PathBuf)> = (0..shape.nodes())
            .map(|node| match node.checked_sub(shape.validators) {
                None => format!("validator-{node}"),
                Some(follower) => format!("follower-{follower}"),
            })
            .map(|name| (name.clone(), dir.join(name)))
            .collect();
        let genesis = dir.join("genesis.json");
        if !genesis.exists() {
            write_network(dir, shape, &folders, &accounts)?;
        }
        let nodes = folders.into_iter().map(|(name, folder)| NodeFiles { name, config: folder.join("node.toml") });
        Ok(Self { nodes: nodes.collect(), accounts })
    }
}

fn write_network(
    dir: &Path,
    shape: &Shape,
    folders: &[(String, PathBuf)],
    accounts: &[PrivateKeySigner],
) -> eyre::Result<()> {
    for (_, folder) in folders {
        discard(folder)?;
    }
    let password_file = dir.join("password");
    discard(&password_file)?;
    let password = hex::encode(B128::random());
    file::create(&password_file, &format!("{password}\n"))?;
    // The password lies beside the keys.
    let identity = |(_, folder): &(String, PathBuf)| create_identity(&folder.join("key.json"), &password, Cost::Light);
    let identities: Vec<B256> = folders.iter().map(identity).collect::<eyre::Result<_>>()?;
    let validators = &identities[..usize::from(shape.validators)];
    let polynomial = match shape.scheme {
        CertificateScheme::Ed25519 => None,
        CertificateScheme::Bls12381Threshold => {
            let shares: Vec<_> = folders.iter().map(|(_, folder)| folder.join("share.json")).collect();
            Some(create_shares(validators, &shares, &password, Cost::Light)?)
        }
    };
    for (node, (_, folder)) in (0..shape.nodes()).zip(folders) {
        file::create(&folder.join("node.toml"), &configuration(shape, node, &identities)?)?;
    }
    let genesis = genesis(shape, validators, polynomial, accounts)?;
    file::create_json(&dir.join("genesis.json"), &genesis)
}

/// Removes what an interrupted first start has left.
fn discard(path: &Path) -> eyre::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).wrap_err_with(|| format!("failed to remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The configuration of a node, with paths from its own folder.
fn configuration(shape: &Shape, node: u16, identities: &[B256]) -> eyre::Result<String> {
    let is_validator = node < shape.validators;
    let mut table = toml::Table::new();
    let mut set = |name: &str, value: toml::Value| table.insert(name.to_owned(), value);
    set("role", if is_validator { "validator" } else { "follower" }.into());
    set("datadir", "data".into());
    set("genesis", "../genesis.json".into());
    set("key", "key.json".into());
    if is_validator && shape.scheme == CertificateScheme::Bls12381Threshold {
        set("share", "share.json".into());
    }
    set("password-file", "../password".into());
    set("port", i64::from(shape.rpc_port(node)).into());
    set("listen", format!("127.0.0.1:{}", shape.peer_port(node)).into());
    set("block-interval", i64::try_from(shape.block_interval)?.into());
    let followers = (shape.validators..shape.nodes()).filter(|other| *other != node);
    let peers: Vec<toml::Value> = followers
        .filter_map(|other| {
            let key = identities.get(usize::from(other))?;
            Some(format!("{key}@127.0.0.1:{}", shape.peer_port(other)).into())
        })
        .collect();
    if !peers.is_empty() {
        set("peers", peers.into());
    }
    Ok(format!("# Settings of a node of this network; braid node --help explains them.\n{table}"))
}

fn genesis(
    shape: &Shape,
    identities: &[B256],
    group_polynomial: Option<Bytes>,
    accounts: &[PrivateKeySigner],
) -> eyre::Result<Genesis> {
    let dev = DevGenesis {
        chain_id: shape.chain_id,
        fork: Fork::LATEST,
        timestamp: now_s(),
        gas_limit: shape.gas_limit,
        balance: BALANCE.parse::<Ether>().map_err(|error| eyre::eyre!(error))?.0,
    };
    let addresses: Vec<Address> = accounts.iter().map(PrivateKeySigner::address).collect();
    let validators = identities.iter().zip(0..).map(|(&public_key, node)| GenesisValidator {
        public_key,
        fee_recipient: fee_recipient(node),
        address: format!("127.0.0.1:{}", shape.peer_port(node)),
    });
    // What is left out here has the defaults of the format.
    let mut consensus: ConsensusConfig = serde_json::from_value(json!({
        "scheme": shape.scheme,
        "dissemination": shape.dissemination,
        "validators": validators.collect::<Vec<_>>(),
    }))?;
    consensus.group_polynomial = group_polynomial;
    let mut genesis = dev.build(&addresses);
    genesis.config.extra_fields.insert(CONSENSUS_KEY.to_owned(), serde_json::to_value(consensus)?);
    Ok(genesis)
}

/// An address that says whose it is: nobody has its key.
fn fee_recipient(node: u16) -> Address {
    Address::left_padding_from(&[&[0xfe; 2][..], &node.to_be_bytes()].concat())
}

#[expect(clippy::disallowed_methods, reason = "the binary is where time comes from")]
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use braid_types::ChainSpec;

    use super::*;
    use crate::{dev::data::read_genesis, keys::validator::read_identity};

    fn shape() -> Shape {
        Shape { followers: 1, scheme: CertificateScheme::Bls12381Threshold, ..Shape::default() }
    }

    #[test]
    fn every_node_has_what_it_names() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::prepare(dir.path(), &shape()).unwrap();
        let genesis = read_genesis(&dir.path().join("genesis.json")).unwrap();
        let consensus = ChainSpec::from_config(&genesis.config).unwrap().consensus.unwrap();
        assert_eq!(consensus.validators.len(), 4);
        assert!(consensus.group_polynomial.is_some());
        for (index, node) in files.nodes.iter().enumerate() {
            let table: toml::Table = fs::read_to_string(&node.config).unwrap().parse().unwrap();
            let folder = node.config.parent().unwrap();
            for name in ["genesis", "key", "password-file"] {
                assert!(folder.join(table[name].as_str().unwrap()).exists(), "{}: {name}", node.name);
            }
            let identity = read_identity(&folder.join("key.json")).unwrap();
            assert_eq!(table.contains_key("share"), index < 4);
            if let Some(validator) = consensus.validators.get(index) {
                assert_eq!(validator.public_key, identity.public_key);
                assert_eq!(table["listen"].as_str(), Some(validator.address.as_str()));
                assert_eq!(table["peers"].as_array().unwrap().len(), 1);
            }
        }
    }

    #[test]
    fn a_second_start_changes_nothing_and_an_interrupted_first_one_is_repeated() {
        let dir = tempfile::tempdir().unwrap();
        Files::prepare(dir.path(), &shape()).unwrap();
        let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
        let (genesis, key) = (read("genesis.json"), read("validator-0/key.json"));
        Files::prepare(dir.path(), &shape()).unwrap();
        assert_eq!((&genesis, &key), (&read("genesis.json"), &read("validator-0/key.json")));
        fs::remove_file(dir.path().join("genesis.json")).unwrap();
        Files::prepare(dir.path(), &shape()).unwrap();
        assert_ne!(key, read("validator-0/key.json"));
    }
}
