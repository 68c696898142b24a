//! Which transactions of a block need the exact value that another one has left: those are a chain, however many threads there are.
//!
//! Nothing here depends on time or on how threads meet. The block's first transaction is executed and committed: it does what the
//! first of a block has to do for all, such as accruing interest. Each of the others is executed on the state that this leaves, with
//! all its slots followed ([`braid_exec::symbolic`]), as a thread would that is ahead of the frontier; and then in its place, after
//! all before it. If each slot admits the value that it has there, the early result is patched and nothing is executed again. If
//! one does not, the transaction is *dependent* on it.
//!
//! The first two are never dependent: the second finds what it was executed on. Slots alone are compared, and no balances and nonces of accounts, which the executor keeps apart.

use alloy_primitives::{Address, U256};
use braid_exec::{
    ExecError, new_evm,
    symbolic::{Tracker, TrackingHandler},
    transaction_env,
};
use revm::{
    DatabaseCommit, DatabaseRef, ExecuteEvm,
    context::{ContextSetters, ContextTr},
    database::CacheDB,
    handler::Handler,
};

use crate::{
    baseline,
    measure::Sample,
    state::{MemoryState, Missing},
};

/// A transaction that cannot be patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependent {
    /// Its position in the block.
    pub index: usize,
    /// Whose storage.
    pub address: Address,
    /// The first slot that does not admit what others have left there.
    pub slot: U256,
}

/// The transactions that are dependent on those before them. Each sender has one transaction.
///
/// # Errors
/// If the block cannot be executed.
pub fn dependents(sample: &Sample) -> Result<Vec<Dependent>, ExecError<Missing>> {
    let mut early: CacheDB<&MemoryState> = CacheDB::new(&sample.state);
    baseline::begin(&mut early, &sample.context)?;
    let mut late = new_evm(&sample.context, early);
    let (Some(first), others) = (sample.transactions.first(), sample.transactions.iter().enumerate().skip(1)) else {
        return Ok(Vec::new());
    };
    commit(&mut late, transaction_env(first))?;
    let mut ahead = new_evm(&sample.context, late.ctx.db().clone());
    let mut tracker = Tracker::default();
    let mut found = Vec::new();
    for (index, transaction) in others {
        ahead.ctx.set_tx(transaction_env(transaction));
        let run = TrackingHandler::new(&mut tracker, |_, _| true).run(&mut ahead);
        run.map_err(|error| ExecError::Evm(error.to_string()))?;
        ahead.finalize();
        for slot in tracker.slots() {
            let base = late.ctx.db().storage_ref(slot.address(), slot.slot()).map_err(ExecError::State)?;
            if !slot.admits(base) {
                found.push(Dependent { index, address: slot.address(), slot: slot.slot() });
                break;
            }
        }
        commit(&mut late, transaction_env(transaction))?;
    }
    Ok(found)
}

/// The EVM with everything that was committed.
type Evm<'a> = revm::MainnetEvm<revm::handler::MainnetContext<CacheDB<&'a MemoryState>>>;

fn commit(evm: &mut Evm<'_>, transaction: revm::context::TxEnv) -> Result<(), ExecError<Missing>> {
    let result = evm.transact_one(transaction).map_err(|error| ExecError::Evm(error.to_string()));
    let journal = evm.finalize();
    evm.ctx.db_mut().commit(journal);
    result.map(|_| ())
}
