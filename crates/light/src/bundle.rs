//! A whole proof in one piece, as it is written to a file: from a client's trust to a fact.
//!
//! ```json
//! { "version": 1,
//!   "epochs": ["0x…", "0x…"],
//!   "final": "0x…",
//!   "header": "0x…",
//!   "claim": { "account": { "address": "0x…", "balance": "0x…", "accountProof": ["0x…"], "storageProof": [] } } }
//! ```
//!
//! `epochs` has the last header of every epoch from the client's to the one before the proof's (none with a group key), `final` the
//! ordered header that commits to the Ethereum block, both with their proofs ([`Certified`](crate::Certified)); `header` is
//! that block's header in RLP. A `claim` is an `account` (the answer to
//! `eth_getProof`) or a `receipt`; without one, the proof is of the block alone.

use alloy_primitives::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    certified::Certified,
    client::{AdvanceError, ExecutionError, FinalityError, LightClient},
    ethereum::EthereumHeader,
    header::OrderedHeader,
    proof::{AccountClaim, AccountError, InclusionError, ProvedAccount, ProvedReceipt, ReceiptClaim},
};

/// The form of proofs that is read and written.
pub const VERSION: u32 = 1;

/// Epochs that one proof may go through: with a day each, eleven years.
pub const MAX_EPOCHS: usize = 4_096;

/// A whole proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`VERSION`].
    pub version: u32,
    /// The last headers of epochs, oldest first.
    #[serde(default)]
    pub epochs: Vec<Bytes>,
    /// The ordered header that commits to the block.
    #[serde(rename = "final")]
    pub finality: Bytes,
    /// The Ethereum block's header in RLP.
    pub header: Bytes,
    /// What is to be proved of the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// What is to be proved of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Claim {
    /// An account and some of its storage after the block.
    Account(AccountClaim),
    /// A transaction of the block and its receipt.
    Receipt(ReceiptClaim),
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// An account and some of its storage.
    Account(ProvedAccount),
    /// A transaction and its receipt.
    Receipt(ProvedReceipt),
}

/// What a bundle has proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The client after the epochs of the proof: its trust may begin here the next time.
    pub client: LightClient,
    /// The ordered header that commits to the block.
    pub ordered: OrderedHeader,
    /// The block's header.
    pub header: EthereumHeader,
    /// What is claimed of it, if anything.
    pub fact: Option<Fact>,
}

/// The step at which a proof fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Another form than the one that is read.
    #[error("the proof is of version {0}, known is {VERSION}")]
    Version(u32),
    /// More than [`MAX_EPOCHS`].
    #[error("the proof goes through {0} epochs, allowed are {MAX_EPOCHS}")]
    TooManyEpochs(usize),
    /// The committee of an epoch is not proved.
    #[error("failed to go on from epoch {epoch}: {error}")]
    Epoch {
        /// The epoch that is known.
        epoch: u64,
        /// Why.
        error: AdvanceError,
    },
    /// The ordered header is not proved final.
    #[error("failed to prove the ordered header final: {0}")]
    Finality(FinalityError),
    /// The ordered header does not commit to the Ethereum header.
    #[error("failed to prove the Ethereum header: {0}")]
    Execution(ExecutionError),
    /// An account or slot is not as claimed.
    #[error("failed to prove the account: {0}")]
    Account(AccountError),
    /// A transaction or receipt is not as claimed.
    #[error("failed to prove the receipt: {0}")]
    Receipt(InclusionError),
}

impl Bundle {
    /// Checks every step from what `client` trusts to what is claimed. Epochs before the client's are passed over.
    ///
    /// # Errors
    /// The first step that fails.
    pub fn verify(&self, client: &LightClient) -> Result<Proved, BundleError> {
        if self.version != VERSION {
            return Err(BundleError::Version(self.version));
        }
        if self.epochs.len() > MAX_EPOCHS {
            return Err(BundleError::TooManyEpochs(self.epochs.len()));
        }
        let client = self.follow_epochs(client.clone())?;
        let ordered = client.finalized(&self.finality).map_err(BundleError::Finality)?;
        let header = client.chain.execution(&ordered, &self.header).map_err(BundleError::Execution)?;
        let fact = self.claim.as_ref().map(|claim| claim.verify(&header)).transpose()?;
        Ok(Proved { client, ordered, header, fact })
    }

    fn follow_epochs(&self, mut client: LightClient) -> Result<LightClient, BundleError> {
        for proof in &self.epochs {
            let Some(epoch) = client.epoch() else { break };
            let of = Certified::decode(proof, client.chain.dissemination);
            if of.is_ok_and(|certified| certified.finalization().epoch < epoch) {
                continue;
            }
            client.advance(proof).map_err(|error| BundleError::Epoch { epoch, error })?;
        }
        Ok(client)
    }
}

impl Claim {
    /// Checks the claim under a header that is known to be final.
    ///
    /// # Errors
    /// What is first found not to be as claimed.
    pub fn verify(&self, header: &EthereumHeader) -> Result<Fact, BundleError> {
        match self {
            Self::Account(claim) => claim.verify(header).map(Fact::Account).map_err(BundleError::Account),
            Self::Receipt(claim) => claim.verify(header).map(Fact::Receipt).map_err(BundleError::Receipt),
        }
    }
}

#[cfg(test)]
mod tests;
