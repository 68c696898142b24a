//! Which transactions of a block need the exact value that another one has left: those are a chain, however many threads there are.
//!
//! Nothing here depends on time or on how threads meet. The block's first transaction is executed and committed: it does what the
//! first of a block has to do for all, such as accruing interest. Each of the others is executed on the state that this leaves, with
//! the slots followed that several transactions change ([`braid_exec::symbolic`]), as a thread would that is ahead of the frontier; and
//! then in its place, after all before it. If each slot that was followed admits the value that it has there, and every other slot that
//! was read has the same value, the early result is patched and nothing is executed again. If one does not, the transaction is
//! *dependent* on it.
//!
//! The first two are never dependent: the second finds what it was executed on. Slots alone are compared, and no balances and nonces of
//! accounts, which the executor keeps apart.

use std::collections::{BTreeMap, BTreeSet};

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
    state::EvmState,
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
    let (Some(first), others) = (sample.transactions.first(), sample.transactions.iter().enumerate().skip(1)) else {
        return Ok(Vec::new());
    };
    let contended = contended(sample)?;
    let mut late = begun(sample)?;
    commit(&mut late, transaction_env(first))?;
    let mut ahead = new_evm(&sample.context, late.ctx.db().clone());
    let mut tracker = Tracker::default();
    let mut found = Vec::new();
    for (index, transaction) in others {
        ahead.ctx.set_tx(transaction_env(transaction));
        let is_contended = |address, slot| contended.contains(&(address, slot));
        let run = TrackingHandler::new(&mut tracker, is_contended).run(&mut ahead);
        run.map_err(|error| ExecError::Evm(error.to_string()))?;
        let journal = ahead.finalize();
        if let Some((address, slot)) = first_refused(&tracker, &journal, late.ctx.db())? {
            found.push(Dependent { index, address, slot });
        }
        commit(&mut late, transaction_env(transaction))?;
    }
    Ok(found)
}

/// The slots that more than one transaction of the block changes.
fn contended(sample: &Sample) -> Result<BTreeSet<(Address, U256)>, ExecError<Missing>> {
    let mut evm = begun(sample)?;
    let mut writers = BTreeMap::<(Address, U256), usize>::new();
    for transaction in &sample.transactions {
        for (place, (before, after)) in slots(&commit(&mut evm, transaction_env(transaction))?) {
            *writers.entry(place).or_default() += usize::from(before != after);
        }
    }
    Ok(writers.into_iter().filter(|(_, count)| *count > 1).map(|(place, _)| place).collect())
}

/// The first slot that does not have what an early execution needs.
fn first_refused(
    tracker: &Tracker,
    journal: &EvmState,
    late: &CacheDB<&MemoryState>,
) -> Result<Option<(Address, U256)>, ExecError<Missing>> {
    for (place, (read, _)) in slots(journal) {
        let base = late.storage_ref(place.0, place.1).map_err(ExecError::State)?;
        let mut followed = tracker.slots().iter();
        let followed = followed.find(|slot| (slot.address(), slot.slot()) == place);
        if !followed.map_or(read == base, |slot| slot.admits(base)) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// The slots that a transaction has touched, with what they held before and after.
fn slots(journal: &EvmState) -> BTreeMap<(Address, U256), (U256, U256)> {
    let accounts = journal.iter();
    let all =
        accounts.flat_map(|(address, account)| account.storage.iter().map(|(slot, held)| (*address, *slot, held)));
    all.map(|(address, slot, held)| ((address, slot), (held.original_value, held.present_value))).collect()
}

/// The EVM with everything that was committed.
type Evm<'a> = revm::MainnetEvm<revm::handler::MainnetContext<CacheDB<&'a MemoryState>>>;

/// The EVM before the block's first transaction.
fn begun(sample: &Sample) -> Result<Evm<'_>, ExecError<Missing>> {
    let mut state: CacheDB<&MemoryState> = CacheDB::new(&sample.state);
    baseline::begin(&mut state, &sample.context)?;
    Ok(new_evm(&sample.context, state))
}

/// Executes and commits a transaction; returns what it has touched.
fn commit(evm: &mut Evm<'_>, transaction: revm::context::TxEnv) -> Result<EvmState, ExecError<Missing>> {
    evm.transact_one(transaction).map_err(|error| ExecError::Evm(error.to_string()))?;
    let journal = evm.finalize();
    evm.ctx.db_mut().commit(journal.clone());
    Ok(journal)
}
