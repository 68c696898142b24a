//! revm set up for a block: for `eth_call`, tracing, and whoever else runs one transaction.

use alloy_consensus::Transaction as _;
use alloy_eips::eip7702::{RecoveredAuthorization, SignedAuthorization};
use alloy_primitives::U256;
use braid_types::{Fork, RecoveredTx};
use revm::{
    Context, Database, MainBuilder, MainnetEvm,
    context::{BlockEnv, CfgEnv, TxEnv, either::Either},
    context_interface::block::BlobExcessGasAndPrice,
    handler::MainnetContext,
};

use crate::{eip1283, outcome::BlockContext};

/// The EVM's view of a block.
pub fn block_env(block: &BlockContext) -> BlockEnv {
    BlockEnv {
        number: U256::from(block.height),
        beneficiary: block.beneficiary,
        timestamp: U256::from(block.timestamp),
        gas_limit: block.gas_limit,
        basefee: block.base_fee,
        difficulty: block.difficulty,
        prevrandao: (block.fork >= Fork::Paris).then_some(block.prevrandao),
        blob_excess_gas_and_price: blob_fee(block),
        ..BlockEnv::default()
    }
}

fn blob_fee(block: &BlockContext) -> Option<BlobExcessGasAndPrice> {
    let (params, excess_blob_gas) = (block.blob_params?, block.excess_blob_gas?);
    Some(BlobExcessGasAndPrice { excess_blob_gas, blob_gasprice: params.calc_blob_fee(excess_blob_gas) })
}

/// The EVM's configuration for a block's fork, with every check of consensus on. Who runs calls that are no
/// transactions switches checks off (`disable_*`) afterwards.
pub fn call_env(block: &BlockContext) -> CfgEnv {
    let mut config = CfgEnv::new_with_spec(block.fork.spec_id()).with_chain_id(block.chain_id);
    if let Some(params) = block.blob_params {
        config.set_max_blobs_per_tx(params.max_blobs_per_tx.min(params.max_blob_count));
        config.blob_base_fee_update_fraction = u64::try_from(params.update_fraction).ok();
    }
    if block.fork == Fork::Constantinople {
        config.set_gas_params(eip1283::gas_params());
    }
    config
}

/// The EVM's view of a signed transaction. Recovers the authorities of EIP-7702 authorizations.
pub fn transaction_env(transaction: &RecoveredTx) -> TxEnv {
    let authorizations = transaction.authorization_list().unwrap_or_default();
    TxEnv {
        tx_type: transaction.inner().tx_type() as u8,
        caller: transaction.signer(),
        gas_limit: transaction.gas_limit(),
        gas_price: transaction.max_fee_per_gas(),
        kind: transaction.kind(),
        value: transaction.value(),
        data: transaction.input().clone(),
        nonce: transaction.nonce(),
        chain_id: transaction.chain_id(),
        access_list: transaction.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: transaction.max_priority_fee_per_gas(),
        blob_hashes: transaction.blob_versioned_hashes().unwrap_or_default().to_vec(),
        max_fee_per_blob_gas: transaction.max_fee_per_blob_gas().unwrap_or_default(),
        authorization_list: authorizations.iter().map(recover_authority).collect(),
    }
}

/// An authorization with its authority; one whose signature names nobody is kept, as it still costs gas.
fn recover_authority(signed: &SignedAuthorization) -> Either<SignedAuthorization, RecoveredAuthorization> {
    Either::Right(signed.clone().into_recovered())
}

/// An EVM for a block over a database, without inspector.
pub fn new_evm<D: Database>(block: &BlockContext, db: D) -> MainnetEvm<MainnetContext<D>> {
    let context: MainnetContext<D> = Context::new(db, block.fork.spec_id());
    let mut evm = context.with_block(block_env(block)).with_cfg(call_env(block)).build_mainnet();
    if block.fork == Fork::Constantinople {
        eip1283::install(&mut evm.instruction);
    }
    evm
}
