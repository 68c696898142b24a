//! What execution takes and gives.

use std::{num::NonZeroUsize, sync::Arc};

use alloy_eips::{
    eip4895::Withdrawal,
    eip7685::Requests,
    eip7840::BlobParams,
    eip7928::{BlockAccessList, BlockAccessListValidationError},
};
use alloy_primitives::{Address, B256, Bloom, U256};
use braid_types::{Fork, Height, Receipt, StateChanges, TxIndex};
use revm::context::result::InvalidTransaction;

use crate::changes::Changes;

use crate::access_list::Difference;

/// Everything about a block, apart from its transactions, that its execution depends on.
#[derive(Clone, Debug)]
pub struct BlockContext {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The rules in force.
    pub fork: Fork,
    /// Height of the block.
    pub height: Height,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    /// Fee recipient.
    pub beneficiary: Address,
    /// Gas the block may use.
    pub gas_limit: u64,
    /// Base fee in wei per gas; 0 before London.
    pub base_fee: u64,
    /// Difficulty; 0 since Paris.
    pub difficulty: U256,
    /// The beacon chain's randomness (`mixHash`); not read before Paris.
    pub prevrandao: B256,
    /// Blob rules; `None` before Cancun.
    pub blob_params: Option<BlobParams>,
    /// Excess blob gas of this block's header; `None` before Cancun.
    pub excess_blob_gas: Option<u64>,
    /// Hash of the parent, which EIP-2935 stores.
    pub parent_hash: B256,
    /// Root that EIP-4788 stores; `None` before Cancun.
    pub parent_beacon_block_root: Option<B256>,
    /// Withdrawals to credit; empty before Shanghai.
    pub withdrawals: Vec<Withdrawal>,
    /// Ommers to reward; empty since Paris.
    pub ommers: Vec<Ommer>,
    /// Whether this is the block of the DAO fork's irregular state change.
    pub is_dao_fork: bool,
    /// Contract whose logs are deposit requests (EIP-6110).
    pub deposit_contract: Address,
}

/// An ommer as rewards see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ommer {
    /// Height of the ommer.
    pub height: Height,
    /// Who is rewarded for it.
    pub beneficiary: Address,
}

/// How to execute, as opposed to what.
#[derive(Clone, Debug)]
pub struct Config {
    /// Worker threads, the caller's included.
    pub threads: NonZeroUsize,
    /// What to do with a transaction that cannot be included.
    pub on_invalid: OnInvalid,
    /// Whether to return each transaction's changes apart (receipts with state roots, before Byzantium).
    pub per_transaction_changes: bool,
    /// Whether senders may have code and wrong nonces are still errors; development nodes impersonate contracts.
    pub allow_contract_senders: bool,
    /// What to do about the block's access list.
    pub access_list: AccessListUse,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: NonZeroUsize::MIN,
            on_invalid: OnInvalid::Fail,
            per_transaction_changes: false,
            allow_contract_senders: false,
            access_list: AccessListUse::Ignore,
        }
    }
}

/// What to do about a block's access list (EIP-7928); see [`access_list`](crate::access_list).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessListUse {
    /// None is made.
    #[default]
    Ignore,
    /// Make it: [`BlockOutcome::access_list`].
    Produce,
    /// The block came with one: stop with an error if execution produces another. All transactions of such a block are
    /// executed at once, on the states that the list tells, if the fork is Cancun or later and every transaction must be
    /// included.
    Given(Arc<BlockAccessList>),
}

/// What to do with a transaction that cannot be included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnInvalid {
    /// The block is invalid: stop with [`ExecError::InvalidTransaction`]. For blocks that others built.
    #[default]
    Fail,
    /// Leave the transaction out and go on. For building.
    Skip,
}

/// What a block did.
#[derive(Clone, Debug, Default)]
pub struct BlockOutcome {
    /// One receipt for each included transaction, in order. Before Byzantium their post-state root is zero: the caller,
    /// who has the trie, fills it in from `transaction_changes`.
    pub receipts: Vec<Receipt>,
    /// Positions, in the input, of the transactions that were left out, with the reason; see [`OnInvalid::Skip`].
    pub skipped: Vec<(TxIndex, InvalidTransaction)>,
    /// Gas used by all included transactions.
    pub gas_used: u64,
    /// Blob gas used by all included transactions.
    pub blob_gas_used: u64,
    /// Union of the receipts' blooms.
    pub logs_bloom: Bloom,
    /// Everything the block changed: system calls, transactions, withdrawals and rewards.
    pub changes: Changes,
    /// Requests to the consensus layer (EIP-7685); empty before Prague.
    pub requests: Requests,
    /// One element for each included transaction if [`Config::per_transaction_changes`] is set, else empty. The first
    /// includes what happened before the transactions.
    pub transaction_changes: Vec<StateChanges>,
    /// Everything the block accessed and changed, unless [`Config::access_list`] says to ignore it.
    pub access_list: Option<BlockAccessList>,
    /// What the executor observed.
    pub statistics: Statistics,
}

/// What the executor observed; never part of consensus. Two runs of one block may differ in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Transactions executed, repetitions included.
    pub executions: u64,
    /// Executions ahead of the commit frontier, on inputs that were not final yet.
    pub speculations: u64,
    /// Speculations whose inputs turned out to be others when their turn to commit came.
    pub conflicts: u64,
    /// Transactions executed again after a conflict.
    pub re_executions: u64,
    /// Results with stale inputs that were patched by the difference instead of being executed again.
    pub deltas: u64,
    /// Blocks that were begun in parallel and executed again sequentially, because an invariant was broken: 0 or 1 for a
    /// block.
    pub fallbacks: u64,
    /// Threads that took part, the caller's included.
    pub threads: u64,
    /// The locations that transactions contended for, the most contended first; at most
    /// [`MAX_CONTENTIONS_PER_BLOCK`](braid_types::limits::MAX_CONTENTIONS_PER_BLOCK).
    pub contended: Vec<Contention>,
}

/// How often transactions of a block met at one location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contention {
    /// The account.
    pub address: Address,
    /// The slot of its storage; `None`: its nonce, balance or code.
    pub slot: Option<U256>,
    /// Speculations that were invalid because of it.
    pub conflicts: u64,
    /// Results that were patched because of it.
    pub deltas: u64,
}

/// Failed to execute a block.
#[derive(Debug, thiserror::Error)]
pub enum ExecError<E: std::error::Error> {
    /// A transaction cannot be included at its position.
    #[error("transaction {} is invalid: {reason}", .index.0)]
    InvalidTransaction {
        /// Its position.
        index: TxIndex,
        /// What is wrong.
        reason: InvalidTransaction,
    },
    /// A system contract that the fork demands is missing or failed.
    #[error("system call to {contract} failed: {reason}")]
    SystemCall {
        /// The contract.
        contract: Address,
        /// What happened.
        reason: String,
    },
    /// A deposit log does not have the layout of EIP-6110.
    #[error("deposit log is malformed: {0}")]
    DepositLog(String),
    /// The EVM refused the block for a reason that lies in no transaction.
    #[error("the EVM refused the block: {0}")]
    Evm(String),
    /// The access list that came with the block breaks the rules of its form.
    #[error("the block's access list is malformed")]
    AccessListForm(#[source] BlockAccessListValidationError),
    /// The access list that came with the block is not the one that execution produces.
    #[error("the block's access list is not what the block does: {0}")]
    AccessList(Difference),
    /// State could not be read.
    #[error("failed to read state")]
    State(#[source] E),
}
