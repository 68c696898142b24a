//! Calls that the protocol itself makes to system contracts, and the requests that come out of a block.
//!
//! A system call has 30 million gas of its own, pays nothing, and comes from [`SYSTEM_ADDRESS`]. It leaves no receipt.

use alloy_eips::{
    eip2935::HISTORY_STORAGE_ADDRESS,
    eip4788::{BEACON_ROOTS_ADDRESS, SYSTEM_ADDRESS},
    eip6110::DEPOSIT_REQUEST_TYPE,
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_TYPE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_TYPE},
    eip7685::Requests,
};
use alloy_primitives::{Address, Bytes, TxKind};
use braid_types::{Fork, Receipt};
use revm::{
    DatabaseRef, ExecuteEvm,
    context::{ContextSetters, ContextTr, TxEnv, result::ExecutionResult},
    handler::{Handler, MainnetHandler},
};

use crate::{
    block::{BlockEvm, evm_error},
    deposits,
    outcome::{BlockContext, ExecError},
};

/// Gas of one system call (EIP-2935, EIP-4788, EIP-7002, EIP-7251).
const SYSTEM_CALL_GAS: u64 = 30_000_000;

/// What is called before the transactions: EIP-4788 since Cancun, EIP-2935 since Prague. Neither contract must exist,
/// and a failing call is ignored, as the EIPs demand.
pub(crate) fn before_transactions<S: DatabaseRef>(
    evm: &mut BlockEvm<'_, S>,
    block: &BlockContext,
) -> Result<(), ExecError<S::Error>> {
    if let (true, Some(root)) = (block.fork >= Fork::Cancun, block.parent_beacon_block_root) {
        call(evm, BEACON_ROOTS_ADDRESS, root.into())?;
    }
    if block.fork >= Fork::Prague {
        call(evm, HISTORY_STORAGE_ADDRESS, block.parent_hash.into())?;
    }
    Ok(())
}

/// The requests of a block since Prague, in order of their type; those without data are left out (EIP-7685).
pub(crate) fn requests<S: DatabaseRef>(
    evm: &mut BlockEvm<'_, S>,
    block: &BlockContext,
    receipts: &[Receipt],
) -> Result<Requests, ExecError<S::Error>> {
    let mut requests = Requests::default();
    let deposits = deposits::collect(receipts, block.deposit_contract).map_err(ExecError::DepositLog)?;
    requests.push_request_with_type(DEPOSIT_REQUEST_TYPE, deposits);
    let withdrawals = dequeue(evm, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS)?;
    requests.push_request_with_type(WITHDRAWAL_REQUEST_TYPE, withdrawals);
    let consolidations = dequeue(evm, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS)?;
    requests.push_request_with_type(CONSOLIDATION_REQUEST_TYPE, consolidations);
    Ok(requests)
}

/// Takes the requests that wait in a contract, which must exist and answer.
fn dequeue<S: DatabaseRef>(evm: &mut BlockEvm<'_, S>, contract: Address) -> Result<Bytes, ExecError<S::Error>> {
    if !evm.ctx.db_mut().has_code(contract).map_err(ExecError::State)? {
        return Err(ExecError::SystemCall { contract, reason: "the contract has no code".to_owned() });
    }
    match call(evm, contract, Bytes::new())? {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        ExecutionResult::Revert { .. } => {
            Err(ExecError::SystemCall { contract, reason: "the call reverted".to_owned() })
        }
        ExecutionResult::Halt { reason, .. } => {
            Err(ExecError::SystemCall { contract, reason: format!("the call halted: {reason:?}") })
        }
    }
}

fn call<S: DatabaseRef>(
    evm: &mut BlockEvm<'_, S>,
    contract: Address,
    data: Bytes,
) -> Result<ExecutionResult, ExecError<S::Error>> {
    evm.ctx.set_tx(TxEnv {
        caller: SYSTEM_ADDRESS,
        kind: TxKind::Call(contract),
        data,
        gas_limit: SYSTEM_CALL_GAS,
        ..TxEnv::default()
    });
    let result = MainnetHandler::default().run_system_call(evm);
    let journal = evm.finalize();
    let result = result.map_err(evm_error)?;
    evm.ctx.db_mut().commit(journal).map_err(ExecError::State)?;
    Ok(result)
}
