//! The suite's transactions, executed in memory on a chain where nothing of it is.
//!
//! What they change goes into the genesis of development chains; what they use tells `braid deploy` how much gas each needs.

use std::{collections::BTreeMap, sync::Arc};

use alloy_consensus::{Header, SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, TxKind, U256};
use alloy_trie::KECCAK_EMPTY;
use braid_chain::{
    genesis::{genesis_block, genesis_fork},
    state::StateAt,
    view::BlockView,
};
use braid_exec::{BlockContext, BlockOutcome, Config, execute};
use braid_suite::{Suite, Transaction};
use braid_types::{
    ChainSpec, Fork, Height, RecoveredTx, StateChanges, block::impersonation_signature, fork::MAINNET_DEPOSIT_CONTRACT,
};
use eyre::{WrapErr as _, ensure};

/// Gas that each transaction may use: the most of any chain (EIP-7825).
const TRANSACTION_GAS: u64 = 1 << 24;

/// Room for all of them.
const BLOCK_GAS: u64 = 1 << 50;

/// Wei of the owner: more than any step brings.
const FUNDS: U256 = U256::from_limbs([0, 0, 1, 0]);

/// What the transactions did.
#[derive(Debug)]
pub(super) struct Simulated {
    /// Everything that is different afterwards.
    pub(super) changes: StateChanges,
    /// Gas that each used; of two that are the same, the one that used more.
    pub(super) gas: BTreeMap<Transaction, u64>,
}

/// Executes them all at once, at height and time of `genesis` and on its accounts. Gas is free and the owner is rich.
///
/// # Errors
/// If one fails, or `genesis` has no deployment proxy.
pub(super) fn simulate(genesis: &Genesis, suite: &Suite) -> eyre::Result<Simulated> {
    let mut genesis = genesis.clone();
    genesis.alloc.insert(suite.owner, GenesisAccount { balance: FUNDS, ..GenesisAccount::default() });
    let transactions = suite.transactions();
    let sign = |(transaction, nonce)| signed(transaction, suite.owner, genesis.config.chain_id, nonce);
    let signed: Vec<_> = transactions.iter().zip(0..).map(sign).collect();
    let outcome = run(&genesis, &signed)?;
    let mut gas = BTreeMap::<Transaction, u64>::new();
    let mut before = 0;
    for (index, (transaction, receipt)) in transactions.into_iter().zip(&outcome.receipts).enumerate() {
        ensure!(receipt.status(), "transaction {index} of the suite, to {}, fails", transaction.to);
        let total = receipt.cumulative_gas_used();
        let most = gas.entry(transaction).or_default();
        *most = (*most).max(total - before);
        before = total;
    }
    let changes = outcome.changes.into_state_changes();
    for contract in &suite.contracts {
        // A call of an address without code succeeds: the proxy may not be there.
        let account = changes.accounts.get(&contract.address).and_then(|change| change.account);
        let has_code = account.is_some_and(|account| account.code_hash != KECCAK_EMPTY);
        ensure!(has_code, "nothing puts {} at {}", contract.name, contract.address);
    }
    Ok(Simulated { changes, gas })
}

fn run(genesis: &Genesis, transactions: &[RecoveredTx]) -> eyre::Result<BlockOutcome> {
    let spec = ChainSpec::from_config(&genesis.config).wrap_err("the genesis has no rules")?;
    let (block, _, state) = genesis_block(genesis, &spec).wrap_err("the genesis makes no block")?;
    let context = context(&spec, genesis_fork(genesis, &spec), &block.header);
    let view = BlockView { state: StateAt::Recent(state), ancestors: Arc::new(|_: Height| None) };
    execute(&context, transactions, &view, &Config::default()).wrap_err("failed to execute the suite")
}

/// The block that a genesis makes, with free gas.
fn context(spec: &ChainSpec, fork: Fork, header: &Header) -> BlockContext {
    BlockContext {
        chain_id: spec.chain_id,
        fork,
        height: header.number,
        timestamp: header.timestamp,
        beneficiary: Address::ZERO,
        gas_limit: BLOCK_GAS,
        base_fee: 0,
        difficulty: U256::ZERO,
        prevrandao: header.mix_hash,
        blob_params: spec.blob_params(fork, header.timestamp),
        excess_blob_gas: Some(0),
        parent_hash: header.parent_hash,
        parent_beacon_block_root: header.parent_beacon_block_root,
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        is_dao_fork: false,
        deposit_contract: MAINNET_DEPOSIT_CONTRACT,
    }
}

/// A transaction as if its sender had signed it.
fn signed(transaction: &Transaction, from: Address, chain_id: u64, nonce: u64) -> RecoveredTx {
    let unsigned = TxEip1559 {
        chain_id,
        nonce,
        gas_limit: TRANSACTION_GAS,
        to: TxKind::Call(transaction.to),
        value: transaction.value,
        input: transaction.input.clone(),
        ..TxEip1559::default()
    };
    let signed = braid_types::Transaction::from(unsigned.into_signed(impersonation_signature(from)));
    Arc::new(Recovered::new_unchecked(signed, from))
}

/// What a contract of a genesis answers.
#[cfg(test)]
pub(super) fn ask(genesis: &Genesis, to: Address, input: alloy_primitives::Bytes) -> eyre::Result<Vec<u8>> {
    use revm::{ExecuteEvm, context::TxEnv};
    let spec = ChainSpec::from_config(&genesis.config)?;
    let (block, _, state) = genesis_block(genesis, &spec)?;
    let context = context(&spec, genesis_fork(genesis, &spec), &block.header);
    let view = BlockView { state: StateAt::Recent(state), ancestors: Arc::new(|_: Height| None) };
    let mut evm = braid_exec::new_evm(&context, revm::database::CacheDB::new(view));
    let question = TxEnv { kind: TxKind::Call(to), data: input, gas_limit: TRANSACTION_GAS, ..TxEnv::default() };
    let answer = evm.transact_one(TxEnv { chain_id: Some(spec.chain_id), ..question })?;
    Ok(answer.output().map(|output| output.to_vec()).unwrap_or_default())
}
