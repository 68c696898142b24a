//! The plain sequential loop that the executor is compared with: one EVM kept for the block, `transact_commit` for every
//! transaction over revm's own `CacheDB`, the fastest of its databases for this.
//!
//! What the clock should measure ends with [`run`]: receipts and the database's own cache. [`Cache::changes`] turns that cache into
//! the executor's form afterwards, for the comparison.

use alloy_consensus::{Eip658Value, Receipt as ReceiptFields, ReceiptWithBloom};
use alloy_eips::eip7685::Requests;
use alloy_primitives::{B256, Bloom, U256};
use braid_exec::{BlockContext, ExecError, after_transactions, before_transactions, new_evm, transaction_env};
use braid_types::{AccountChange, Fork, Receipt, RecoveredTx, StateChanges, TxIndex, changes::AccountState};
use revm::{
    DatabaseRef, ExecuteCommitEvm,
    bytecode::Bytecode,
    context::result::{EVMError, ExecutionResult},
    database::{AccountState as CacheState, CacheDB, DbAccount},
    state::AccountInfo,
};

/// A block that was executed.
#[derive(Debug)]
pub struct Done<'a, S> {
    /// One receipt for each transaction.
    pub receipts: Vec<Receipt>,
    /// Gas used by all transactions.
    pub gas_used: u64,
    /// Requests to the consensus layer.
    pub requests: Requests,
    /// The database with everything that was written.
    pub cache: Cache<'a, S>,
}

/// revm's database after a block.
#[derive(Debug)]
pub struct Cache<'a, S>(CacheDB<&'a S>);

/// Executes a block.
///
/// # Errors
/// If a transaction is invalid, a system call fails, or state cannot be read.
pub fn run<'a, S: DatabaseRef>(
    block: &BlockContext,
    transactions: &[RecoveredTx],
    state: &'a S,
) -> Result<Done<'a, S>, ExecError<S::Error>> {
    let mut db = CacheDB::new(state);
    db.cache.accounts.reserve(2 * transactions.len());
    begin(&mut db, block)?;
    let mut evm = new_evm(block, db);
    let (mut receipts, mut gas_used) = (Vec::with_capacity(transactions.len()), 0);
    for (index, transaction) in (0..).map(TxIndex).zip(transactions) {
        let result = evm.transact_commit(transaction_env(transaction)).map_err(|error| failure(index, error))?;
        gas_used += result.tx_gas_used();
        receipts.push(receipt(block.fork, transaction, result, gas_used));
    }
    let mut db = evm.ctx.journaled_state.database;
    let mut requests = Requests::default();
    if block.fork >= Fork::Prague || !block.withdrawals.is_empty() || block.fork < Fork::Paris {
        let (changes, found) = after_transactions(block, &receipts, &db)?;
        requests = found;
        write(&mut db, changes)?;
    }
    Ok(Done { receipts, gas_used, requests, cache: Cache(db) })
}

/// What happens before the transactions.
pub(crate) fn begin<S: DatabaseRef>(db: &mut CacheDB<&S>, block: &BlockContext) -> Result<(), ExecError<S::Error>> {
    if block.is_dao_fork || block.fork >= Fork::Cancun {
        let changes = before_transactions(block, db.db)?;
        write(db, changes)?;
    }
    Ok(())
}

fn failure<E: std::error::Error>(index: TxIndex, error: EVMError<E>) -> ExecError<E> {
    match error {
        EVMError::Transaction(reason) => ExecError::InvalidTransaction { index, reason },
        EVMError::Database(error) => ExecError::State(error),
        other => ExecError::Evm(other.to_string()),
    }
}

fn receipt(fork: Fork, transaction: &RecoveredTx, result: ExecutionResult, cumulative_gas_used: u64) -> Receipt {
    let status = if fork >= Fork::Byzantium {
        Eip658Value::Eip658(result.is_success())
    } else {
        Eip658Value::PostState(B256::ZERO)
    };
    let logs = result.into_logs();
    let mut logs_bloom = Bloom::ZERO;
    for log in &logs {
        logs_bloom.accrue_log(log);
    }
    let receipt = ReceiptFields { status, cumulative_gas_used, logs };
    Receipt::from_typed(transaction.inner().tx_type(), ReceiptWithBloom { receipt, logs_bloom })
}

/// Writes what happened around the transactions.
fn write<S: DatabaseRef>(db: &mut CacheDB<&S>, changes: StateChanges) -> Result<(), ExecError<S::Error>> {
    for (address, change) in changes.accounts {
        let account = db.load_account(address).map_err(ExecError::State)?;
        let Some(after) = change.account else {
            *account = DbAccount::new_not_existing();
            continue;
        };
        account.info = AccountInfo {
            balance: after.balance,
            nonce: after.nonce,
            code_hash: after.code_hash,
            code: if account.info.code_hash == after.code_hash { account.info.code.take() } else { None },
            ..AccountInfo::default()
        };
        account.account_state = match account.account_state {
            _ if change.storage_cleared => CacheState::StorageCleared,
            CacheState::StorageCleared | CacheState::NotExisting => CacheState::StorageCleared,
            CacheState::None | CacheState::Touched => CacheState::Touched,
        };
        if change.storage_cleared {
            account.storage.clear();
        }
        account.storage.extend(change.storage);
    }
    for (hash, code) in changes.codes {
        db.cache.contracts.insert(hash, Bytecode::new_raw(code));
    }
    Ok(())
}

impl<S: DatabaseRef> Cache<'_, S> {
    /// Everything that differs from the state before, in the executor's form.
    ///
    /// # Errors
    /// If state cannot be read.
    pub fn changes(self, fork: Fork) -> Result<StateChanges, S::Error> {
        let mut changes = StateChanges::default();
        let CacheDB { cache, db: base } = self.0;
        #[expect(clippy::iter_over_hash_type, reason = "collected into an ordered map")]
        for (address, cached) in cache.accounts {
            let before = base.basic_ref(address)?;
            let change = change(base, address, before.as_ref(), cached, fork)?;
            let Some(change) = change else { continue };
            let old_code = before.map(|info| info.code_hash);
            let new_code = change.account.map(|account| account.code_hash);
            if let Some(hash) = new_code.filter(|_| new_code != old_code)
                && let Some(code) = cache.contracts.get(&hash).filter(|code| !code.is_empty())
            {
                changes.codes.insert(hash, code.original_bytes());
            }
            changes.accounts.insert(address, change);
        }
        Ok(changes)
    }
}

/// How an account changed; `None` if it did not.
fn change<S: DatabaseRef>(
    base: &S,
    address: alloy_primitives::Address,
    before: Option<&AccountInfo>,
    cached: DbAccount,
    fork: Fork,
) -> Result<Option<AccountChange>, S::Error> {
    let exists = cached.account_state != CacheState::NotExisting
        && (fork < Fork::SpuriousDragon || !cached.info.is_empty() || cached.account_state == CacheState::None);
    let account = exists.then(|| state(&cached.info));
    let is_cleared = !exists || cached.account_state == CacheState::StorageCleared || lost_code(before, &cached.info);
    let mut change = AccountChange { account, storage_cleared: is_cleared && before.is_some(), ..Default::default() };
    #[expect(clippy::iter_over_hash_type, reason = "collected into an ordered map")]
    for (slot, value) in cached.storage {
        let old = if is_cleared { U256::ZERO } else { base.storage_ref(address, slot)? };
        if exists && value != old {
            change.storage.insert(slot, value);
        }
    }
    let is_same = account == before.map(state) && change.storage.is_empty() && !change.storage_cleared;
    Ok((!is_same).then_some(change))
}

/// Whether a contract was destroyed and its address used again without code. `CacheDB` forgets that.
fn lost_code(before: Option<&AccountInfo>, after: &AccountInfo) -> bool {
    let is_contract = |info: &AccountInfo| info.code.as_ref().is_some_and(|code| !code.is_eip7702());
    before.is_some_and(|before| !before.is_empty_code_hash() && is_contract(before)) && after.is_empty_code_hash()
}

fn state(info: &AccountInfo) -> AccountState {
    AccountState { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash }
}
