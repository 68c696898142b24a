//! Creation code of the contracts that the workloads deploy.

use alloy_primitives::{Bytes, hex};

/// A contract that is compiled into this library; see `artifacts/README.md` for its origin.
#[derive(Clone, Copy, Debug)]
pub struct Artifact {
    /// Its name, for messages.
    pub name: &'static str,
    hex: &'static str,
}

macro_rules! artifact {
    ($name:literal) => {
        Artifact { name: $name, hex: include_str!(concat!("../artifacts/", $name, ".hex")) }
    };
}

/// ERC-20 of OpenZeppelin, with `mint(address,uint256)` open to everybody.
pub const OZ_TOKEN: Artifact = artifact!("OzToken");
/// ERC-20 of Solady, with `mint(address,uint256)` open to everybody.
pub const SOLADY_TOKEN: Artifact = artifact!("SoladyToken");

/// A file that should hold creation code does not.
#[derive(Debug, thiserror::Error)]
#[error("the creation code of {name} is malformed: {reason}")]
pub struct ArtifactError {
    name: String,
    reason: String,
}

impl Artifact {
    /// The creation code.
    ///
    /// # Errors
    /// If the file is not hex.
    pub fn code(&self) -> Result<Bytes, ArtifactError> {
        let code = hex::decode(self.hex.trim());
        code.map(Bytes::from).map_err(|error| ArtifactError { name: self.name.to_owned(), reason: error.to_string() })
    }
}
