//! What a local network is made of, and the file that remembers it: `localnet.toml`.

use std::{fs, path::Path};

use braid_types::ordered::{CertificateScheme, Dissemination};
use eyre::{Context, bail, ensure, eyre};
use serde::{Deserialize, Serialize};

use super::{DisseminationName, LocalnetArgs, SchemeName};
use crate::{
    config::{Unusable, node::DEFAULT_BLOCK_INTERVAL_MS},
    keys::file,
};

/// Name of the file that remembers the shape. It is written first, so that a folder without it is none of ours.
const SHAPE: &str = "localnet.toml";

/// Distance between a node's RPC port and the one for its peers.
const PEER_PORTS: u16 = 100;

/// What a network is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Shape {
    pub(super) validators: u16,
    pub(super) followers: u16,
    /// RPC port of the first validator.
    pub(super) port: u16,
    pub(super) scheme: CertificateScheme,
    pub(super) dissemination: Dissemination,
    /// Milliseconds.
    pub(super) block_interval: u64,
    pub(super) chain_id: u64,
    pub(super) gas_limit: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            validators: 4,
            followers: 0,
            port: 8545,
            scheme: CertificateScheme::Ed25519,
            dissemination: Dissemination::Whole,
            block_interval: DEFAULT_BLOCK_INTERVAL_MS,
            chain_id: 31_337,
            gas_limit: 500_000_000,
        }
    }
}

impl Shape {
    /// The shape that `dir` was made with; in a new folder the one asked for, which is then remembered.
    ///
    /// # Errors
    /// If what is asked for is not what is there, or the folder belongs to something else.
    pub(super) fn settle(dir: &Path, args: &LocalnetArgs) -> eyre::Result<Self> {
        let path = dir.join(SHAPE);
        let Some(remembered) = read(&path)? else {
            ensure!(is_empty(dir)?, "{} is not empty and has no {SHAPE}", dir.display());
            let shape = Self::default().with(args);
            shape.check()?;
            let text = toml::to_string(&shape).wrap_err("failed to write the network's shape")?;
            file::create(&path, &format!("# What this network was made of. Do not change.\n{text}"))?;
            return Ok(shape);
        };
        let asked = remembered.clone().with(args);
        if asked != remembered {
            let (now, then) = (toml::to_string(&asked)?, toml::to_string(&remembered)?);
            let differences = now.lines().zip(then.lines()).filter(|(now, then)| now != then);
            let list: Vec<_> = differences.map(|(now, then)| format!("{now}, but it was made with {then}")).collect();
            bail!(Unusable(format!(
                "{} holds another network: {}; leave that out or take another folder",
                dir.display(),
                list.join("; ")
            )));
        }
        Ok(remembered)
    }

    fn with(mut self, args: &LocalnetArgs) -> Self {
        let scheme = args.scheme.map(|name| match name {
            SchemeName::Ed25519 => CertificateScheme::Ed25519,
            SchemeName::Bls12381Threshold => CertificateScheme::Bls12381Threshold,
        });
        let dissemination = args.dissemination.map(|name| match name {
            DisseminationName::Whole => Dissemination::Whole,
            DisseminationName::Coded => Dissemination::Coded,
        });
        self.validators = args.validators.unwrap_or(self.validators);
        self.followers = args.followers.unwrap_or(self.followers);
        self.port = args.port.unwrap_or(self.port);
        self.scheme = scheme.unwrap_or(self.scheme);
        self.dissemination = dissemination.unwrap_or(self.dissemination);
        self.block_interval = args.block_interval.unwrap_or(self.block_interval);
        self.chain_id = args.chain_id.unwrap_or(self.chain_id);
        self.gas_limit = args.gas_limit.unwrap_or(self.gas_limit);
        self
    }

    fn check(&self) -> Result<(), Unusable> {
        if self.nodes() > PEER_PORTS {
            return Err(Unusable(format!("{} nodes are more than {PEER_PORTS}", self.nodes())));
        }
        if self.port.checked_add(PEER_PORTS + self.nodes()).is_none() {
            return Err(Unusable(format!("port {} leaves no room for the ports above it", self.port)));
        }
        if self.dissemination == Dissemination::Coded && self.validators < 4 {
            return Err(Unusable("coded dissemination needs at least 4 validators".to_owned()));
        }
        Ok(())
    }

    /// Validators and followers.
    pub(super) const fn nodes(&self) -> u16 {
        self.validators.saturating_add(self.followers)
    }

    /// RPC port of a node, validators first.
    pub(super) const fn rpc_port(&self, node: u16) -> u16 {
        self.port.saturating_add(node)
    }

    /// Port of a node for its peers.
    pub(super) const fn peer_port(&self, node: u16) -> u16 {
        self.port.saturating_add(PEER_PORTS).saturating_add(node)
    }
}

fn read(path: &Path) -> eyre::Result<Option<Shape>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).wrap_err_with(|| format!("failed to read {}", path.display()))?;
    let shape = toml::from_str(&text);
    shape.map(Some).map_err(|error| eyre!("{} is not the shape of a network: {error}", path.display()))
}

fn is_empty(dir: &Path) -> eyre::Result<bool> {
    if !dir.exists() {
        return Ok(true);
    }
    Ok(fs::read_dir(dir).wrap_err_with(|| format!("failed to read {}", dir.display()))?.next().is_none())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: LocalnetArgs,
    }

    fn args(dir: &Path, more: &[&str]) -> LocalnetArgs {
        Line::parse_from([&["localnet", "--dir", dir.to_str().unwrap()], more].concat()).args
    }

    #[test]
    fn a_second_start_has_the_shape_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net");
        let first = Shape::settle(&path, &args(&path, &["--port", "9000", "--scheme", "bls12381-threshold"])).unwrap();
        assert_eq!((first.validators, first.port, first.scheme), (4, 9000, CertificateScheme::Bls12381Threshold));
        assert_eq!(Shape::settle(&path, &args(&path, &[])).unwrap(), first);
        assert_eq!(Shape::settle(&path, &args(&path, &["--port", "9000"])).unwrap(), first);
        for other in [["--validators", "7"], ["--scheme", "ed25519"], ["--port", "9001"]] {
            let error = Shape::settle(&path, &args(&path, &other)).unwrap_err();
            assert!(error.is::<Unusable>() && error.to_string().contains("holds another network"), "{error}");
            assert!(error.to_string().contains(other[0].trim_start_matches('-')), "{error}");
        }
    }

    #[test]
    fn a_folder_of_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("photo.jpg"), "").unwrap();
        let error = Shape::settle(dir.path(), &args(dir.path(), &[])).unwrap_err();
        assert!(error.to_string().contains("is not empty"), "{error}");
        fs::write(dir.path().join(SHAPE), "validators = 3").unwrap();
        let error = Shape::settle(dir.path(), &args(dir.path(), &[])).unwrap_err();
        assert!(error.to_string().contains("is not the shape"), "{error}");
    }

    #[test]
    fn what_cannot_run_is_refused_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net");
        let shape = Shape::settle(&path, &args(&path, &["--validators", "3", "--dissemination", "coded"]));
        assert!(shape.unwrap_err().is::<Unusable>());
        assert!(!path.exists());
        let shape = Shape { port: 65_400, validators: 64, ..Shape::default() };
        assert!(shape.check().unwrap_err().to_string().contains("no room"));
    }
}
