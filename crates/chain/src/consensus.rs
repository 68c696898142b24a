//! What a block must satisfy before it is executed: Ethereum's header, ommer and body rules.
//!
//! Every rule of every fork since Frontier is checked but one: the proof-of-work seal (ethash). Braid follows chains whose
//! blocks it made itself or is given by someone who vouches for them; difficulty is checked, the work behind it is not.
//!
//! Reading order: [`header`] (a header on top of its parent), [`difficulty`] and [`fees`] (the values a header must carry),
//! [`body`] (transactions, withdrawals, sizes), [`ommers`], [`order`] (where validators order blocks).

pub mod body;
pub mod difficulty;
pub mod fees;
pub mod header;
pub mod ommers;
pub mod order;
#[cfg(test)]
mod tests;

use alloy_primitives::{B256, Bloom, Bytes, U256};
use braid_exec::ExecError;
use braid_types::{Block, ChainSpec, Fork, Height, TxIndex};

pub use difficulty::next_difficulty;

use crate::{
    process::Parent,
    view::{Ancestors, ViewError},
};

/// A block is not valid. One variant a rule.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum BlockError {
    // Header.
    #[error("unknown parent {0}")]
    UnknownParent(B256),
    #[error("height is {found}, not {expected}")]
    Height { found: Height, expected: Height },
    #[error("time stamp {found} is not later than the parent's, {parent}")]
    Timestamp { found: u64, parent: u64 },
    #[error("extra data has {0} bytes, more than 32")]
    ExtraDataSize(usize),
    #[error("extra data {found} is not what the DAO fork demands")]
    DaoExtraData { found: Bytes },
    #[error("gas limit {found} is out of bounds for a block after one with {parent}")]
    GasLimit { found: u64, parent: u64 },
    #[error("header says {used} gas used, more than its limit of {limit}")]
    GasUsedAboveLimit { used: u64, limit: u64 },
    #[error("difficulty is {found}, not {expected}")]
    Difficulty { found: U256, expected: U256 },
    #[error("nonce is not zero since Paris")]
    Nonce,
    #[error("base fee is {found:?}, not {expected:?}")]
    BaseFee { found: Option<u64>, expected: Option<u64> },
    #[error("header field {field} must be {}", if *.must_exist { "present" } else { "absent" })]
    FieldPresence { field: &'static str, must_exist: bool },
    #[error("excess blob gas is {found:?}, not {expected:?}")]
    ExcessBlobGas { found: Option<u64>, expected: Option<u64> },
    #[error("blob gas used {used} is above the limit of {limit}")]
    BlobGasAboveLimit { used: u64, limit: u64 },
    #[error("blob gas used is {found}, the transactions' blobs need {expected}")]
    BlobGasUsed { found: u64, expected: u64 },
    #[error("header field {field} is not what the ordered block gives")]
    Order { field: &'static str },
    // Body.
    #[error("transactions root is {found}, the body has {expected}")]
    TransactionsRoot { found: B256, expected: B256 },
    #[error("ommers hash is {found}, the body has {expected}")]
    OmmersHash { found: B256, expected: B256 },
    #[error("withdrawals root is {found:?}, the body has {expected:?}")]
    WithdrawalsRoot { found: Option<B256>, expected: Option<B256> },
    #[error("block has {found} bytes, more than {limit} (EIP-7934)")]
    BlockSize { found: usize, limit: usize },
    #[error("transaction {} is of type {kind}, which its fork does not know", .index.0)]
    TransactionType { index: TxIndex, kind: u8 },
    #[error("transaction {} is replay-protected before Spurious Dragon", .index.0)]
    ReplayProtection { index: TxIndex },
    #[error("signature of transaction {} has its s in the upper half", .index.0)]
    HighS { index: TxIndex },
    // Ommers.
    #[error("block has {0} ommers, more than 2")]
    TooManyOmmers(usize),
    #[error("ommer {0} was included before")]
    DuplicateOmmer(B256),
    #[error("ommer {0} is an ancestor")]
    OmmerIsAncestor(B256),
    #[error("ommer {0} is not a child of one of the last ancestors")]
    DanglingOmmer(B256),
    #[error("ommers are given, but the ancestors at height {0} are not known")]
    UnknownAncestor(Height),
    #[error("ommer {hash} is not valid: {reason}")]
    InvalidOmmer {
        hash: B256,
        #[source]
        reason: Box<BlockError>,
    },
    // Execution.
    #[error(transparent)]
    Execution(#[from] ExecError<ViewError>),
    #[error("gas used is {found}, execution used {expected}")]
    GasUsed { found: u64, expected: u64 },
    #[error("receipts root is {found}, execution gave {expected}")]
    ReceiptsRoot { found: B256, expected: B256 },
    #[error("logs bloom differs from the one execution gave")]
    LogsBloom { found: Box<Bloom>, expected: Box<Bloom> },
    #[error("requests hash is {found:?}, execution gave {expected:?}")]
    RequestsHash { found: Option<B256>, expected: Option<B256> },
    #[error("state root is {found}, execution gave {expected}")]
    StateRoot { found: B256, expected: B256 },
    // Genesis.
    #[error("genesis field {field} is out of range")]
    GenesisField { field: &'static str },
}

/// Checks everything about a block that its ancestors and its own bytes tell, without executing it; returns its fork.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_before_execution(
    parent: &Parent,
    block: &Block,
    spec: &ChainSpec,
    ancestors: &dyn Ancestors,
) -> Result<Fork, BlockError> {
    if block.header.parent_hash != parent.hash {
        return Err(BlockError::UnknownParent(block.header.parent_hash));
    }
    let fork = spec.fork_at(block.header.number, block.header.timestamp, parent.total_difficulty);
    header::check(&block.header, fork, &parent.header, parent.fork(spec), spec)?;
    order::check(&block.header, &parent.header, spec)?;
    body::check(block, fork)?;
    ommers::check(parent, block, spec, ancestors)?;
    Ok(fork)
}
