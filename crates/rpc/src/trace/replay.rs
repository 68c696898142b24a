//! A past block executed again, transaction by transaction, on the state that its parent left.

use std::sync::Arc;

use alloy_eips::BlockId;
use braid_chain::exec::{self, BlockContext};
use braid_types::{ExecutedBlock, RecoveredTx};
use revm::{
    DatabaseCommit, ExecuteEvm, InspectEvm, Inspector,
    context::{
        BlockEnv, TxEnv,
        result::{EVMError, ResultAndState},
    },
    database::CacheDB,
    handler::MainnetContext,
    state::EvmState,
};
use revm_inspectors::tracing::TransactionContext;

use crate::{
    call::{overrides, site::CallState},
    context::RpcContext,
    error::RpcError,
    resolve,
};

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Replay {
    /// The block.
    pub(super) block: Arc<ExecutedBlock>,
    /// Its rules.
    pub(super) context: BlockContext,
    /// What the EVM is told about it.
    pub(super) env: BlockEnv,
    /// The state after the transactions that ran so far.
    pub(super) state: CallState,
}

impl Replay {
    /// Before the first transaction of `block`, after the system calls.
    pub(super) fn begin(rpc: &RpcContext, block: Arc<ExecutedBlock>) -> Result<Self, RpcError> {
        let genesis = || RpcError::server("genesis is not traceable");
        let parent = block.height().checked_sub(1).ok_or_else(genesis)?;
        let context = rpc.chain.context_of(&block);
        let mut state = CacheDB::new(rpc.chain.view_after(parent)?);
        let changes = exec::before_transactions(&context, &state);
        let changes = changes.map_err(|error| RpcError::internal(error.to_string()))?;
        overrides::apply(&changes, &mut state).map_err(|error| RpcError::internal(error.to_string()))?;
        let env = exec::block_env(&context);
        Ok(Self { block, context, env, state })
    }

    /// Before the transaction with `index`.
    pub(super) fn before(rpc: &RpcContext, block: Arc<ExecutedBlock>, index: usize) -> Result<Self, RpcError> {
        let mut replay = Self::begin(rpc, block)?;
        let earlier: Vec<RecoveredTx> = replay.block.block.transactions.iter().take(index).cloned().collect();
        for transaction in &earlier {
            let run = replay.run(transaction)?;
            replay.commit(run.state);
        }
        Ok(replay)
    }

    /// Runs a transaction; what it changed is in the result alone.
    fn run(&mut self, transaction: &RecoveredTx) -> Result<ResultAndState, RpcError> {
        let mut evm = exec::new_evm(&self.context, &mut self.state);
        evm.ctx.cfg.disable_eip3607 = true;
        evm.transact(exec::transaction_env(transaction)).map_err(|error| failed(&error))
    }

    /// Runs a transaction under an inspector; what it changed is in the result alone.
    pub(super) fn inspect<I>(&mut self, tx: TxEnv, inspector: I) -> Result<ResultAndState, RpcError>
    where
        I: for<'a> Inspector<MainnetContext<&'a mut CallState>>,
    {
        let mut evm = exec::new_evm(&self.context, &mut self.state).with_inspector(inspector);
        // The block was found valid when it was made; development nodes let contracts send.
        evm.ctx.cfg.disable_eip3607 = true;
        evm.inspect_tx(tx).map_err(|error| failed(&error))
    }

    /// Makes what a transaction changed part of the state.
    pub(super) fn commit(&mut self, changes: EvmState) {
        self.state.commit(changes);
    }

    /// The transactions of the block, with where they stand.
    pub(super) fn transactions(&self) -> Vec<(TransactionContext, RecoveredTx)> {
        let hash = self.block.hash;
        let place = |(index, transaction): (usize, &RecoveredTx)| {
            let tx_hash = Some(*transaction.tx_hash());
            (TransactionContext { block_hash: Some(hash), tx_index: Some(index), tx_hash }, Arc::clone(transaction))
        };
        self.block.block.transactions.iter().enumerate().map(place).collect()
    }
}

fn failed<E: std::fmt::Display>(error: &EVMError<E>) -> RpcError {
    match error {
        EVMError::Custom(reason) => RpcError::limit(reason.clone()),
        error => RpcError::internal(format!("re-execution failed: {error}")),
    }
}

/// The block that a client means, which must exist.
pub(super) fn existing(rpc: &RpcContext, id: BlockId) -> Result<Arc<ExecutedBlock>, RpcError> {
    let absent = || match id {
        BlockId::Hash(hash) => RpcError::server(format!("block {} not found", hash.block_hash)),
        BlockId::Number(number) => RpcError::server(format!("block {number} not found")),
    };
    resolve::block(rpc, id)?.ok_or_else(absent)
}
