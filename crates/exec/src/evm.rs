//! revm set up for a block: for `eth_call`, tracing, and whoever else runs one transaction.

use braid_types::RecoveredTx;
use revm::{
    Context, Database, MainnetEvm,
    context::{BlockEnv, CfgEnv, TxEnv},
    handler::MainnetContext,
};

use crate::outcome::BlockContext;

/// The EVM's view of a block.
pub fn block_env(block: &BlockContext) -> BlockEnv {
    let _ = block;
    todo!()
}

/// The EVM's configuration for a block's fork, with every check of consensus on.
pub fn call_env(block: &BlockContext) -> CfgEnv {
    let _ = block;
    todo!()
}

/// The EVM's view of a signed transaction.
pub fn transaction_env(transaction: &RecoveredTx) -> TxEnv {
    let _ = transaction;
    todo!()
}

/// An EVM for a block over a database, without inspector.
pub fn new_evm<D: Database>(block: &BlockContext, db: D) -> MainnetEvm<MainnetContext<D>> {
    let _ = (block, db, Context::<BlockEnv, TxEnv, CfgEnv, D>::new);
    todo!()
}
