//! Execution of a block: the choice of how, and the sequential way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alloy_consensus::{Eip658Value, Receipt as ReceiptFields, ReceiptWithBloom, Transaction as _};
use alloy_eips::eip7928::validate_block_access_list;
use alloy_primitives::{B256, Bloom, Log, U256};
use braid_types::{Fork, Receipt, RecoveredTx, StateChanges, TxIndex};
use revm::{
    DatabaseRef, ExecuteEvm, MainnetEvm,
    context::{
        ContextSetters, ContextTr,
        result::{EVMError, ExecutionResult, InvalidTransaction},
    },
    handler::{Handler, MainnetContext},
};

use crate::{
    access_list::{first_difference, index_after},
    dao,
    eip7610::CreationHandler,
    evm::{new_evm, transaction_env},
    outcome::{AccessListUse, BlockContext, BlockOutcome, Config, ExecError, OnInvalid},
    overlay::Overlay,
    parallel::{self, given},
    symbolic::{LogPatch, LogPlace},
    system,
};

/// The EVM of one block.
pub(crate) type BlockEvm<'a, S> = MainnetEvm<MainnetContext<Overlay<'a, S>>>;

/// Wei in a gwei, the unit of withdrawals.
const GWEI: u64 = 1_000_000_000;

/// Executes `transactions` on top of `state`, with the system calls, withdrawals and rewards that `block` asks for. The
/// outcome is that of one transaction after the other, whatever [`Config::threads`] says; only its statistics may differ.
///
/// `state` answers `block_hash_ref` for the last 256 heights.
///
/// # Errors
/// If a transaction is invalid and `config` says to fail, if a system call fails, or if state cannot be read.
pub fn execute<S: DatabaseRef + Sync>(
    block: &BlockContext,
    transactions: &[RecoveredTx],
    state: &S,
    config: &Config,
) -> Result<BlockOutcome, ExecError<S::Error>> {
    if parallel::serves(config) {
        // A panic is a broken invariant of the parallel path, or of the state, which will then panic again.
        let attempt = || parallel::execute(block, transactions, state, config);
        if let Ok(done) = catch_unwind(AssertUnwindSafe(attempt)) {
            return done;
        }
        let mut outcome = execute_in_order(block, transactions, state, config)?;
        outcome.statistics.fallbacks = 1;
        return Ok(outcome);
    }
    check_form(&config.access_list, transactions.len())?;
    let Some(list) = given::list(block, transactions, config) else {
        return execute_in_order(block, transactions, state, config);
    };
    if let Some(outcome) = given::execute(block, transactions, state, config, list) {
        return Ok(outcome);
    }
    let mut outcome = execute_in_order(block, transactions, state, config)?;
    outcome.statistics.fallbacks = 1;
    Ok(outcome)
}

/// Executes one transaction after the other.
fn execute_in_order<S: DatabaseRef>(
    block: &BlockContext,
    transactions: &[RecoveredTx],
    state: &S,
    config: &Config,
) -> Result<BlockOutcome, ExecError<S::Error>> {
    let removes_empty = block.fork >= Fork::SpuriousDragon;
    let mut overlay = Overlay::new(state, removes_empty, config.per_transaction_changes);
    if config.access_list != AccessListUse::Ignore {
        overlay.record_accesses();
    }
    let mut evm = new_evm(block, overlay);
    evm.ctx.cfg.disable_eip3607 = config.allow_contract_senders;

    let mut outcome = BlockOutcome::default();
    outcome.statistics.threads = 1;
    if block.is_dao_fork {
        dao::apply(evm.ctx.db_mut()).map_err(ExecError::State)?;
    }
    system::before_transactions(&mut evm, block)?;
    for (index, transaction) in (0..).map(TxIndex).zip(transactions) {
        outcome.statistics.executions += 1;
        evm.ctx.db_mut().begin(index_after(outcome.receipts.len()));
        match execute_transaction(&mut evm, block, transaction, &outcome)? {
            Ok(result) => include(&mut outcome, block.fork, transaction, result, evm.ctx.db_mut().take_recorded()),
            Err(reason) => match config.on_invalid {
                OnInvalid::Fail => return Err(ExecError::InvalidTransaction { index, reason }),
                OnInvalid::Skip => outcome.skipped.push((index, reason)),
            },
        }
    }
    evm.ctx.db_mut().begin(index_after(outcome.receipts.len()));
    if block.fork >= Fork::Prague {
        outcome.requests = system::requests(&mut evm, block, &outcome.receipts)?;
    }
    let mut overlay = evm.ctx.journaled_state.database;
    pay(&mut overlay, block).map_err(ExecError::State)?;
    outcome.access_list = overlay.take_access_list();
    outcome.changes = overlay.into_changes();
    check_access_list(&config.access_list, &outcome)?;
    Ok(outcome)
}

/// Checks the form of the access list that came with a block, if one did.
pub(crate) fn check_form<E: std::error::Error>(usage: &AccessListUse, transactions: usize) -> Result<(), ExecError<E>> {
    let AccessListUse::Given(given) = usage else { return Ok(()) };
    validate_block_access_list(given, transactions).map_err(ExecError::AccessListForm)
}

/// Compares the access list that came with a block, if one did, with the one that its execution produced.
pub(crate) fn check_access_list<E: std::error::Error>(
    usage: &AccessListUse,
    outcome: &BlockOutcome,
) -> Result<(), ExecError<E>> {
    let (AccessListUse::Given(given), Some(produced)) = (usage, &outcome.access_list) else { return Ok(()) };
    first_difference(given, produced).map_or(Ok(()), |difference| Err(ExecError::AccessList(difference)))
}

/// Runs one transaction and commits what it did; the inner error says why it cannot be included here.
pub(crate) fn execute_transaction<S: DatabaseRef>(
    evm: &mut BlockEvm<'_, S>,
    block: &BlockContext,
    transaction: &RecoveredTx,
    so_far: &BlockOutcome,
) -> Result<Result<ExecutionResult, InvalidTransaction>, ExecError<S::Error>> {
    if let Err(reason) = check_room(block, transaction, so_far) {
        return Ok(Err(reason));
    }
    evm.ctx.set_tx(transaction_env(transaction));
    let result = CreationHandler::default().run(evm);
    let journal = evm.finalize();
    match result {
        Ok(result) => {
            evm.ctx.db_mut().commit(journal).map_err(ExecError::State)?;
            Ok(Ok(result))
        }
        Err(EVMError::Transaction(reason)) => Ok(Err(reason)),
        Err(error) => Err(evm_error(error)),
    }
}

/// Whether the block has gas and blob gas left for a transaction.
pub(crate) fn check_room(
    block: &BlockContext,
    transaction: &RecoveredTx,
    so_far: &BlockOutcome,
) -> Result<(), InvalidTransaction> {
    if transaction.gas_limit() > block.gas_limit.saturating_sub(so_far.gas_used) {
        return Err(InvalidTransaction::CallerGasLimitMoreThanBlock);
    }
    let blob_gas = transaction.blob_gas_used().unwrap_or_default();
    let Some(params) = block.blob_params.filter(|_| blob_gas > 0) else { return Ok(()) };
    let room = params.max_blob_gas_per_block().saturating_sub(so_far.blob_gas_used);
    if blob_gas <= room {
        return Ok(());
    }
    let blobs = |gas: u64| usize::try_from(gas / alloy_eips::eip4844::DATA_GAS_PER_BLOB).unwrap_or(usize::MAX);
    Err(InvalidTransaction::TooManyBlobs { max: blobs(room), have: blobs(blob_gas) })
}

/// Adds an executed transaction to the outcome.
pub(crate) fn include(
    outcome: &mut BlockOutcome,
    fork: Fork,
    transaction: &RecoveredTx,
    result: ExecutionResult,
    changes: Option<StateChanges>,
) {
    let gas_used = result.tx_gas_used();
    let receipt = receipt(fork, transaction, result, bloom);
    append(outcome, transaction, receipt, gas_used);
    outcome.transaction_changes.extend(changes);
}

/// The receipt of a transaction, as if it were the first of its block.
pub(crate) fn receipt(
    fork: Fork,
    transaction: &RecoveredTx,
    result: ExecutionResult,
    bloom: impl FnOnce(&[Log]) -> Bloom,
) -> Receipt {
    let status = if fork >= Fork::Byzantium {
        Eip658Value::Eip658(result.is_success())
    } else {
        Eip658Value::PostState(B256::ZERO)
    };
    let cumulative_gas_used = result.tx_gas_used();
    let logs = result.into_logs();
    let logs_bloom = bloom(&logs);
    let receipt = ReceiptFields { status, cumulative_gas_used, logs };
    Receipt::from_typed(transaction.inner().tx_type(), ReceiptWithBloom { receipt, logs_bloom })
}

/// Adds a receipt, which [`receipt`] made, to the outcome.
pub(crate) fn append(outcome: &mut BlockOutcome, transaction: &RecoveredTx, mut receipt: Receipt, gas_used: u64) {
    outcome.gas_used += gas_used;
    outcome.blob_gas_used += transaction.blob_gas_used().unwrap_or_default();
    let fields = fields(&mut receipt);
    if !fields.receipt.logs.is_empty() {
        outcome.logs_bloom |= fields.logs_bloom;
    }
    fields.receipt.cumulative_gas_used = outcome.gas_used;
    outcome.receipts.push(receipt);
}

fn fields(receipt: &mut Receipt) -> &mut ReceiptWithBloom {
    let (Receipt::Legacy(fields)
    | Receipt::Eip2930(fields)
    | Receipt::Eip1559(fields)
    | Receipt::Eip4844(fields)
    | Receipt::Eip7702(fields)) = receipt;
    fields
}

/// Puts another value into a word of a log.
pub(crate) fn patch_log(receipt: &mut Receipt, patch: &LogPatch, value: U256) {
    let Some(log) = fields(receipt).receipt.logs.get_mut(patch.log) else { return };
    match patch.place {
        LogPlace::Topic(number) => {
            if let Some(topic) = log.data.topics_mut_unchecked().get_mut(number) {
                *topic = value.into();
            }
        }
        LogPlace::Data(offset) => {
            let mut data = log.data.data.to_vec();
            if let Some(word) = data.get_mut(offset..offset + 32) {
                word.copy_from_slice(&value.to_be_bytes::<32>());
            }
            log.data.data = data.into();
        }
    }
}

/// Makes a receipt's bloom anew, after its topics changed.
pub(crate) fn refresh_bloom(receipt: &mut Receipt) {
    let fields = fields(receipt);
    fields.logs_bloom = bloom(&fields.receipt.logs);
}

fn bloom(logs: &[Log]) -> Bloom {
    let mut bloom = Bloom::ZERO;
    for log in logs {
        bloom.accrue_log(log);
    }
    bloom
}

/// Pays what a block pays without a transaction: withdrawals since Shanghai (EIP-4895), rewards before Paris.
pub(crate) fn pay<S: DatabaseRef>(state: &mut Overlay<'_, S>, block: &BlockContext) -> Result<(), S::Error> {
    for withdrawal in &block.withdrawals {
        state.credit(withdrawal.address, U256::from(withdrawal.amount) * U256::from(GWEI))?;
    }
    let reward = U256::from(block.fork.block_reward());
    if reward.is_zero() {
        return Ok(());
    }
    for ommer in &block.ommers {
        state.credit(ommer.beneficiary, ommer_reward(reward, block.height, ommer.height))?;
    }
    let for_ommers = reward / U256::from(32) * U256::from(block.ommers.len());
    state.credit(block.beneficiary, reward + for_ommers)
}

/// An ommer one generation back earns seven eighths of the reward, each further generation an eighth less (Yellow Paper,
/// section 11.3).
fn ommer_reward(reward: U256, height: u64, ommer: u64) -> U256 {
    let eighths = (ommer + 8).saturating_sub(height).min(8);
    reward * U256::from(eighths) / U256::from(8)
}

/// An error of the EVM that is no transaction's fault.
pub(crate) fn evm_error<E: std::error::Error>(error: EVMError<E>) -> ExecError<E> {
    match error {
        EVMError::Database(error) => ExecError::State(error),
        EVMError::Transaction(reason) => ExecError::Evm(reason.to_string()),
        EVMError::Header(reason) => ExecError::Evm(reason.to_string()),
        EVMError::Custom(reason) => ExecError::Evm(reason),
        EVMError::CustomAny(reason) => ExecError::Evm(reason.to_string()),
    }
}
