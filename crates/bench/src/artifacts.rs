//! Creation code of the contracts that the workloads deploy.
//!
//! What may be passed on is compiled into this library; `artifacts/README.md` has the origins. Uniswap's licences (GPL, BUSL) do not
//! go with ours, so its code is read where `npm ci` puts it: in the nearest `node_modules` from the current folder upwards.

use std::{env, fs, io, path::PathBuf};

use alloy_primitives::{Bytes, hex};
use serde::Deserialize;

/// A contract that can be deployed.
#[derive(Clone, Copy, Debug)]
pub struct Artifact {
    /// Its name, for messages.
    pub name: &'static str,
    source: Source,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    /// Creation code in hex.
    Hex(&'static str),
    /// A JSON file below `node_modules` with the creation code as its member `bytecode`.
    Npm(&'static str),
}

macro_rules! artifact {
    ($name:literal) => {
        Artifact { name: $name, source: Source::Hex(include_str!(concat!("../artifacts/", $name, ".hex"))) }
    };
}

/// ERC-20 of OpenZeppelin, with `mint(address,uint256)` open to everybody.
pub const OZ_TOKEN: Artifact = artifact!("OzToken");
/// ERC-20 of Solady, with `mint(address,uint256)` open to everybody.
pub const SOLADY_TOKEN: Artifact = artifact!("SoladyToken");
/// ERC-20 with votes of OpenZeppelin, with `mint(address,uint256)` open to everybody.
pub const OZ_VOTES: Artifact = artifact!("OzVotes");
/// Governor of OpenZeppelin; constructor(token).
pub const OZ_GOVERNOR: Artifact = artifact!("OzGovernor");
/// Tokenised vault of OpenZeppelin (ERC-4626); constructor(asset).
pub const OZ_VAULT: Artifact = artifact!("OzVault");
/// Stakes that accrue in every transaction; constructor(token).
pub const STAKING_PER_TRANSACTION: Artifact = artifact!("StakingPerTransaction");
/// Lending that counts in shares of totals; constructor(token).
pub const LENDING_BY_SHARES: Artifact = artifact!("LendingByShares");
/// Perpetual futures that compute with the skew in every transaction; constructor(token).
pub const PERPETUAL_PER_TRANSACTION: Artifact = artifact!("PerpetualPerTransaction");
/// A pool that collects the orders of a batch.
pub const BATCH_AUCTION: Artifact = artifact!("BatchAuction");
/// What a parallel executor likes least.
pub const WORST_CASES: Artifact = artifact!("WorstCases");
/// A contract that destroys itself when asked.
pub const MORTAL: Artifact = artifact!("Mortal");

const fn npm(name: &'static str, path: &'static str) -> Artifact {
    Artifact { name, source: Source::Npm(path) }
}

/// Uniswap v2: constructor(feeToSetter).
pub const V2_FACTORY: Artifact = npm("UniswapV2Factory", "@uniswap/v2-core/build/UniswapV2Factory.json");
/// Uniswap v2: a pool, for its address.
pub const V2_PAIR: Artifact = npm("UniswapV2Pair", "@uniswap/v2-core/build/UniswapV2Pair.json");
/// Uniswap v2: constructor(factory, weth).
pub const V2_ROUTER: Artifact = npm("UniswapV2Router02", "@uniswap/v2-periphery/build/UniswapV2Router02.json");
/// Wrapped ether, as Uniswap's periphery brings it.
pub const WETH: Artifact = npm("WETH9", "@uniswap/v2-periphery/build/WETH9.json");
/// Uniswap v3: no constructor arguments.
pub const V3_FACTORY: Artifact =
    npm("UniswapV3Factory", "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json");
/// Uniswap v3: constructor(factory, weth).
pub const V3_ROUTER: Artifact =
    npm("SwapRouter", "@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json");
/// Uniswap v3: constructor(factory, weth, descriptor).
pub const V3_POSITIONS: Artifact = npm(
    "NonfungiblePositionManager",
    "@uniswap/v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json",
);

/// A contract's creation code cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// No folder `node_modules` from here upwards has the file.
    #[error("{name} is not installed: no node_modules from here upwards holds {path}; run npm ci in the repository")]
    NotInstalled {
        /// The contract.
        name: &'static str,
        /// The file.
        path: &'static str,
    },
    /// The file cannot be read.
    #[error("failed to read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds no creation code.
    #[error("the creation code of {name} is malformed: {reason}")]
    Malformed {
        /// The contract.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// What packages publish, as far as it is read: the code itself, or an object that holds it.
#[derive(Deserialize)]
struct Published {
    bytecode: Code,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Hex(String),
    Object { object: String },
}

impl Artifact {
    /// The creation code.
    ///
    /// # Errors
    /// If the file is not there or does not hold it.
    pub fn code(&self) -> Result<Bytes, ArtifactError> {
        let hex = match self.source {
            Source::Hex(hex) => hex.trim().to_owned(),
            Source::Npm(path) => self.published(path)?,
        };
        hex::decode(hex).map(Bytes::from).map_err(|error| self.malformed(&error))
    }

    fn published(&self, path: &'static str) -> Result<String, ArtifactError> {
        let name = self.name;
        let installed = find(path).ok_or(ArtifactError::NotInstalled { name, path })?;
        let json = fs::read(&installed).map_err(|source| ArtifactError::Read { path: installed, source })?;
        let published: Published = serde_json::from_slice(&json).map_err(|error| self.malformed(&error))?;
        Ok(match published.bytecode {
            Code::Hex(hex) | Code::Object { object: hex } => hex,
        })
    }

    fn malformed(&self, error: &dyn std::error::Error) -> ArtifactError {
        ArtifactError::Malformed { name: self.name, reason: error.to_string() }
    }
}

/// A file of an installed package.
fn find(path: &str) -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join("node_modules").join(path)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_in_is_code() {
        let all = [OZ_TOKEN, SOLADY_TOKEN, OZ_VOTES, OZ_GOVERNOR, OZ_VAULT, STAKING_PER_TRANSACTION, BATCH_AUCTION];
        let others = [LENDING_BY_SHARES, PERPETUAL_PER_TRANSACTION, WORST_CASES, MORTAL];
        for artifact in all.into_iter().chain(others) {
            assert!(artifact.code().unwrap().len() > 100, "{}", artifact.name);
        }
    }

    #[test]
    fn a_package_that_is_not_installed_is_named() {
        let error = npm("Nothing", "no-such-package/Nothing.json").code().unwrap_err();
        assert!(error.to_string().contains("no-such-package/Nothing.json; run npm ci"), "{error}");
    }

    #[test]
    fn published_code_is_read_in_both_forms() {
        for json in [r#"{"bytecode": "0x6001"}"#, r#"{"bytecode": {"object": "6001"}}"#] {
            let published: Published = serde_json::from_str(json).unwrap();
            let (Code::Hex(hex) | Code::Object { object: hex }) = published.bytecode;
            assert_eq!(hex::decode(hex).unwrap(), [0x60, 0x01]);
        }
    }
}
