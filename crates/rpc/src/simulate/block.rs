//! One simulated block: overrides, system calls, calls, and what ends a block.

use std::sync::Arc;

use alloy_consensus::{Eip658Value, Receipt as ReceiptFields, ReceiptWithBloom, TxReceipt as _};
use alloy_primitives::{Address, Bytes, Log, U64, U256};
use alloy_rpc_types_eth::TransactionRequest;
use braid_chain::{
    exec::{self, BlockContext},
    process::block_context,
    state::State,
};
use braid_types::{Block, ExecutedBlock, Fork, Receipt, RecoveredTx, StateChanges};
use revm::{
    Database, InspectEvm,
    context::{
        BlockEnv,
        result::{ExecutionResult, ResultAndState},
    },
};
use serde::Serialize;

use super::{
    Simulation,
    header::{self, Executed},
    request::Plan,
    transaction,
    transfers::LogCollector,
};
use crate::{
    call::{
        message::{Fault, Message, Strictness},
        outcome::{halt_sentence, peak_gas},
        overrides,
        precompiles::CallPrecompiles,
        site::{call_evm, check},
    },
    convert::{self, Place, RpcLog},
    error::{INTERNAL, INVALID_PARAMS, RpcError},
};

const NONCE_TOO_LOW: i32 = -38010;
const NONCE_TOO_HIGH: i32 = -38011;
const FEE_CAP_TOO_LOW: i32 = -38012;
const INTRINSIC_GAS: i32 = -38013;
const INSUFFICIENT_FUNDS: i32 = -38014;
const BLOCK_GAS_LIMIT: i32 = -38015;
const INIT_CODE_SIZE: i32 = -38025;
/// A call stopped for another reason than a revert.
const VM_ERROR: i32 = -32015;

/// How one call ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallResult {
    return_data: Bytes,
    logs: Vec<RpcLog>,
    gas_used: U64,
    max_used_gas: U64,
    status: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<CallError>,
}

#[derive(Clone, Debug, Serialize)]
struct CallError {
    code: i32,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<serde_json::Value>,
}

/// A call's result, and its logs with their numbers in the block, before the block's hash is known.
type Unplaced = (CallResult, Vec<(usize, Log)>);

/// A block being simulated.
struct Run<'a> {
    simulation: &'a mut Simulation,
    context: BlockContext,
    env: BlockEnv,
    precompiles: CallPrecompiles,
    collector: LogCollector,
    /// State before the block, for receipts with state roots.
    before: State,
    changes: StateChanges,
    transactions: Vec<RecoveredTx>,
    receipts: Vec<Receipt>,
    results: Vec<Unplaced>,
    gas_used: u64,
    blob_gas_used: u64,
}

/// Simulates `plan` on top of `parent`. Returns the block, what its calls did, and its fork.
pub(super) fn simulate(
    simulation: &mut Simulation,
    plan: &Plan,
    parent: &ExecutedBlock,
    parent_fork: Fork,
) -> Result<(ExecutedBlock, Vec<CallResult>, Fork), RpcError> {
    let spec = simulation.chain.spec().clone();
    let fork = spec.fork_at(plan.height, plan.timestamp, parent.total_difficulty);
    let mut header = header::begin(plan, parent, parent_fork, fork, &spec, simulation.validates)?;
    let context = block_context(&header, fork, &spec);
    let context = BlockContext { withdrawals: plan.withdrawals.clone(), is_dao_fork: false, ..context };
    let mut run = Run::new(simulation, context);
    if let Some(fee) = plan.fields.blob_base_fee {
        let fee = u128::try_from(fee).map_err(|_| overrides::too_large("blobBaseFee"))?;
        overrides::set_blob_base_fee(&mut run.env, fee);
    }
    run.begin(plan)?;
    for request in &plan.calls {
        run.call(request.clone())?;
    }
    let (changes, requests) = exec::after_transactions(&run.context, &run.receipts, &run.simulation.state)
        .map_err(|error| RpcError::internal(error.to_string()))?;
    run.apply(changes)?;
    let state = run.before.apply(&run.changes);
    let executed = Executed {
        transactions: &run.transactions,
        receipts: &run.receipts,
        gas_used: run.gas_used,
        blob_gas_used: run.blob_gas_used,
        requests,
        state_root: state.root(),
    };
    header::finish(&mut header, plan, fork, &executed);
    let Run { transactions, receipts, results, .. } = run;
    let total_difficulty = parent.total_difficulty.saturating_add(header.difficulty);
    let withdrawals = (fork >= Fork::Shanghai).then(|| plan.withdrawals.clone());
    let hash = header.hash_slow();
    let block = Block { header, transactions, ommers: Vec::new(), withdrawals };
    let block = ExecutedBlock { hash, block, receipts, total_difficulty };
    simulation.trie = state;
    simulation.state.cache.block_hashes.insert(U256::from(plan.height), hash);
    let results = with_logs(results, &block);
    Ok((block, results, fork))
}

/// Gives each call its logs, now that the block's hash is known.
fn with_logs(results: Vec<Unplaced>, block: &ExecutedBlock) -> Vec<CallResult> {
    let complete = |(index, (mut result, logs)): (usize, Unplaced)| {
        let place = Place { block, index };
        result.logs = logs.iter().filter_map(|(number, log)| convert::log(place, log, *number)).collect();
        result
    };
    results.into_iter().enumerate().map(complete).collect()
}

impl<'a> Run<'a> {
    fn new(simulation: &'a mut Simulation, context: BlockContext) -> Self {
        Self {
            env: exec::block_env(&context),
            precompiles: CallPrecompiles::new(context.fork.spec_id()),
            collector: LogCollector::new(simulation.traces_transfers),
            before: simulation.trie.clone(),
            changes: StateChanges::default(),
            transactions: Vec::new(),
            receipts: Vec::new(),
            results: Vec::new(),
            gas_used: 0,
            blob_gas_used: 0,
            simulation,
            context,
        }
    }

    /// Overrides, then the system calls of a block's beginning.
    fn begin(&mut self, plan: &Plan) -> Result<(), RpcError> {
        if let Some(accounts) = &plan.state {
            let changes = overrides::state_changes(accounts, &self.simulation.state, &mut self.precompiles)?;
            self.apply(changes)?;
        }
        let changes = exec::before_transactions(&self.context, &self.simulation.state);
        self.apply(changes.map_err(|error| RpcError::internal(error.to_string()))?)
    }

    fn apply(&mut self, changes: StateChanges) -> Result<(), RpcError> {
        let applied = overrides::apply(&changes, &mut self.simulation.state);
        applied.map_err(|error| RpcError::internal(error.to_string()))?;
        self.changes.extend(changes);
        Ok(())
    }

    fn call(&mut self, request: TransactionRequest) -> Result<(), RpcError> {
        let message = self.message(request)?;
        let run = self.execute(&message).map_err(|fault| refused(&fault, message.gas))?;
        let transaction = transaction::of(&message, self.context.chain_id);
        self.gas_used += run.result.tx_gas_used();
        self.blob_gas_used += message.blob_gas();
        self.simulation.gas_left = self.simulation.gas_left.saturating_sub(run.result.tx_gas_used());
        self.apply(overrides::journal_changes(&run.state, self.context.fork >= Fork::SpuriousDragon))?;
        let logs = self.collector.take();
        self.results.push((call_result(&run.result), logs));
        self.receipts.push(self.receipt(&transaction, run.result));
        self.transactions.push(transaction);
        Ok(())
    }

    /// The call with what it leaves out: the sender's nonce, the gas that block and request have left.
    fn message(&mut self, mut request: TransactionRequest) -> Result<Message, RpcError> {
        if request.nonce.is_none() {
            request.nonce = Some(self.nonce(request.from.unwrap_or_default())?);
        }
        let (used, limit) = (self.gas_used, self.context.gas_limit);
        let gas = request.gas.unwrap_or_else(|| limit.saturating_sub(used));
        if used.saturating_add(gas) > limit {
            let message = format!("block gas limit reached: {used} >= {limit}");
            return Err(RpcError::new(BLOCK_GAS_LIMIT, message));
        }
        request.gas = Some(gas);
        let base_fee = (self.context.fork >= Fork::London).then_some(self.context.base_fee);
        Message::new(request, self.simulation.gas_left, base_fee, self.context.chain_id)
    }

    fn nonce(&mut self, address: Address) -> Result<u64, RpcError> {
        let account = self.simulation.state.basic(address).map_err(|error| RpcError::internal(error.to_string()))?;
        Ok(account.map_or(0, |account| account.nonce))
    }

    fn execute(&mut self, message: &Message) -> Result<ResultAndState, Fault> {
        let mut env = self.env.clone();
        let strictness = if self.simulation.validates { Strictness::Transaction } else { Strictness::Call };
        check(message, &mut self.simulation.state, &env, self.context.fork, strictness)?;
        if message.blob_hashes.is_some() && message.blob_fee_cap == 0 && !self.simulation.validates {
            overrides::set_blob_base_fee(&mut env, 0);
        }
        let tx = message.tx_env(self.context.chain_id);
        let state = &mut self.simulation.state;
        let mut evm = call_evm(&self.context, env, self.precompiles.clone(), state).with_inspector(&mut self.collector);
        let mut run = evm.inspect_tx(tx)?;
        wrap_nonce(&mut run, message);
        Ok(run)
    }

    fn receipt(&self, transaction: &RecoveredTx, result: ExecutionResult) -> Receipt {
        let status = if self.context.fork >= Fork::Byzantium {
            Eip658Value::Eip658(result.is_success())
        } else {
            Eip658Value::PostState(self.before.apply(&self.changes).root())
        };
        let receipt = ReceiptFields { status, cumulative_gas_used: self.gas_used, logs: result.into_logs() };
        let logs_bloom = receipt.bloom();
        Receipt::from_typed(transaction.inner().tx_type(), ReceiptWithBloom { receipt, logs_bloom })
    }
}

/// geth lets the largest nonce wrap to 0 where nonces are not checked; revm leaves it.
fn wrap_nonce(run: &mut ResultAndState, message: &Message) {
    if let Some(sender) = run.state.get_mut(&message.from)
        && sender.info.nonce == u64::MAX
        && !transaction::creates(message)
    {
        sender.info.nonce = 0;
    }
}

fn call_result(result: &ExecutionResult) -> CallResult {
    let (return_data, error) = match result {
        ExecutionResult::Success { output, .. } => (output.data().clone(), None),
        ExecutionResult::Revert { output, .. } => {
            let RpcError { code, message, data } = RpcError::reverted(output);
            (Bytes::new(), Some(CallError { code, message, data }))
        }
        ExecutionResult::Halt { reason, .. } => {
            (Bytes::new(), Some(CallError { code: VM_ERROR, message: halt_sentence(reason), data: None }))
        }
    };
    CallResult {
        return_data,
        logs: Vec::new(),
        gas_used: U64::from(result.tx_gas_used()),
        max_used_gas: U64::from(peak_gas(result)),
        status: U64::from(u64::from(result.is_success())),
        error,
    }
}

/// The error of a call that cannot be in a block: it ends the simulation.
fn refused(fault: &Fault, supplied_gas: u64) -> RpcError {
    let code = match fault {
        Fault::NonceTooLow { .. } => NONCE_TOO_LOW,
        Fault::NonceTooHigh { .. } => NONCE_TOO_HIGH,
        Fault::FeeCapTooLow { .. } => FEE_CAP_TOO_LOW,
        Fault::TipAboveFeeCap { .. } => INVALID_PARAMS,
        Fault::IntrinsicGas { .. } | Fault::FloorGas { .. } => INTRINSIC_GAS,
        Fault::InsufficientFunds { .. } => INSUFFICIENT_FUNDS,
        Fault::InitCodeSize => INIT_CODE_SIZE,
        _ => INTERNAL,
    };
    RpcError::new(code, format!("err: {fault} (supplied gas {supplied_gas})"))
}

/// A block as it is answered.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SimulatedBlock {
    #[serde(flatten)]
    block: convert::RpcBlock,
    calls: Vec<CallResult>,
}

/// A block with its calls.
pub(super) fn show(block: &Arc<ExecutedBlock>, calls: Vec<CallResult>, detail: convert::Detail) -> SimulatedBlock {
    SimulatedBlock { block: convert::block(block, detail), calls }
}
