//! Block 0 from a geth-format genesis, with the header fields that the forks active at its height and time demand.

use std::collections::BTreeMap;

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header};
use alloy_eips::{
    eip1559::INITIAL_BASE_FEE,
    eip2935::{HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE},
    eip4788::{BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CODE},
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE},
    eip7685::EMPTY_REQUESTS_HASH,
};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B64, B256, U256, keccak256};
use braid_state::State;
use braid_types::{AccountChange, Block, ChainSpec, Fork, StateChanges, changes::AccountState};

use crate::consensus::BlockError;

/// Gas limit of a genesis that names none, as geth has it.
const DEFAULT_GAS_LIMIT: u64 = 4_712_388;

/// The genesis block, the state it begins with, and that state as changes from nothing.
///
/// # Errors
/// If the genesis contradicts itself.
pub fn genesis_block(genesis: &Genesis, spec: &ChainSpec) -> Result<(Block, StateChanges, State), BlockError> {
    let changes = allocation(genesis);
    let state = State::empty().apply(&changes);
    let fork = genesis_fork(genesis, spec);
    let header = header(genesis, fork, state.root())?;
    let withdrawals = (fork >= Fork::Shanghai).then(Vec::new);
    Ok((Block { header, withdrawals, ..Block::default() }, changes, state))
}

/// The fork whose fields the genesis header has. Forks by time count whatever the total difficulty, as in geth; Paris
/// alone adds no field, so a chain that merges later begins with the fork of its height.
pub fn genesis_fork(genesis: &Genesis, spec: &ChainSpec) -> Fork {
    let fork = |total_difficulty| spec.fork_at(genesis.number.unwrap_or_default(), genesis.timestamp, total_difficulty);
    Some(fork(U256::MAX)).filter(|newest| *newest > Fork::Paris).unwrap_or_else(|| fork(U256::ZERO))
}

fn header(genesis: &Genesis, fork: Fork, state_root: B256) -> Result<Header, BlockError> {
    let base_fee = u64::try_from(genesis.base_fee_per_gas.unwrap_or(INITIAL_BASE_FEE.into()))
        .map_err(|_| BlockError::GenesisField { field: "baseFeePerGas" })?;
    if genesis.gas_limit > i64::MAX.unsigned_abs() {
        return Err(BlockError::GenesisField { field: "gasLimit" });
    }
    // There must be room for blocks above.
    if genesis.number.is_some_and(|number| number > u64::from(u32::MAX)) {
        return Err(BlockError::GenesisField { field: "number" });
    }
    let is_cancun = fork >= Fork::Cancun;
    Ok(Header {
        parent_hash: genesis.parent_hash.unwrap_or_default(),
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: genesis.coinbase,
        state_root,
        difficulty: genesis.difficulty,
        number: genesis.number.unwrap_or_default(),
        gas_limit: if genesis.gas_limit == 0 { DEFAULT_GAS_LIMIT } else { genesis.gas_limit },
        timestamp: genesis.timestamp,
        extra_data: genesis.extra_data.clone(),
        mix_hash: genesis.mix_hash,
        nonce: B64::from(genesis.nonce),
        base_fee_per_gas: (fork >= Fork::London).then_some(base_fee),
        withdrawals_root: (fork >= Fork::Shanghai).then_some(EMPTY_ROOT_HASH),
        blob_gas_used: is_cancun.then(|| genesis.blob_gas_used.unwrap_or_default()),
        excess_blob_gas: is_cancun.then(|| genesis.excess_blob_gas.unwrap_or_default()),
        parent_beacon_block_root: is_cancun.then_some(B256::ZERO),
        requests_hash: (fork >= Fork::Prague).then_some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    })
}

/// The accounts of a genesis. One that is listed exists, even if it is empty.
fn allocation(genesis: &Genesis) -> StateChanges {
    let mut changes = StateChanges::default();
    for (&address, account) in &genesis.alloc {
        let code = account.code.clone().unwrap_or_default();
        let code_hash = keccak256(&code);
        if !code.is_empty() {
            changes.codes.insert(code_hash, code);
        }
        let nonce = account.nonce.unwrap_or_default();
        let state = AccountState { nonce, balance: account.balance, code_hash };
        changes
            .accounts
            .insert(address, AccountChange { account: Some(state), storage_cleared: false, storage: storage(account) });
    }
    changes
}

fn storage(account: &GenesisAccount) -> BTreeMap<U256, U256> {
    let slots = account.storage.iter().flatten().map(|(&slot, &value)| (slot.into(), value.into()));
    slots.filter(|(_, value): &(U256, U256)| !value.is_zero()).collect()
}

/// The contracts that `fork` calls in every block, for the `alloc` of a chain that starts at it: EIP-4788 since Cancun;
/// EIP-2935, EIP-7002 and EIP-7251 since Prague. Without the last two no block is valid since Prague.
pub fn system_contracts(fork: Fork) -> BTreeMap<Address, GenesisAccount> {
    let contracts = [
        (Fork::Cancun, BEACON_ROOTS_ADDRESS, &BEACON_ROOTS_CODE),
        (Fork::Prague, HISTORY_STORAGE_ADDRESS, &HISTORY_STORAGE_CODE),
        (Fork::Prague, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &WITHDRAWAL_REQUEST_PREDEPLOY_CODE),
        (Fork::Prague, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &CONSOLIDATION_REQUEST_PREDEPLOY_CODE),
    ];
    let active = contracts.into_iter().filter(|&(since, ..)| fork >= since);
    let account = |code: &alloy_primitives::Bytes| GenesisAccount {
        nonce: Some(1),
        code: Some(code.clone()),
        ..GenesisAccount::default()
    };
    active.map(|(_, address, code)| (address, account(code))).collect()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Bytes;

    use super::*;

    fn genesis(fork: Fork) -> (Genesis, ChainSpec) {
        let spec = ChainSpec::at_fork(1, fork);
        (Genesis { config: spec.config.clone(), ..Genesis::default() }, spec)
    }

    #[test]
    fn every_listed_account_exists() {
        let (mut genesis, spec) = genesis(Fork::Osaka);
        let (empty, contract) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let slot = |byte| B256::with_last_byte(byte);
        genesis.alloc.insert(empty, GenesisAccount::default());
        genesis.alloc.insert(
            contract,
            GenesisAccount {
                nonce: Some(3),
                code: Some(Bytes::from_static(&[0xfe])),
                storage: Some([(slot(1), slot(7)), (slot(2), slot(0))].into()),
                ..GenesisAccount::default()
            },
        );
        let (block, changes, state) = genesis_block(&genesis, &spec).unwrap();
        assert_eq!(state.account(empty), Some(AccountState::default()));
        assert_eq!(state.account(contract).map(|account| account.nonce), Some(3));
        assert_eq!(state.storage(contract, U256::from(1)), U256::from(7));
        assert_eq!(changes.accounts[&contract].storage.len(), 1, "zero is no value");
        assert_eq!(changes.codes.len(), 1);
        assert_eq!(block.header.state_root, state.root());
    }

    #[test]
    fn what_a_genesis_leaves_out_has_geths_defaults() {
        let (genesis, spec) = genesis(Fork::Osaka);
        let (block, ..) = genesis_block(&genesis, &spec).unwrap();
        assert_eq!(block.header.gas_limit, DEFAULT_GAS_LIMIT);
        assert_eq!(block.header.base_fee_per_gas, Some(INITIAL_BASE_FEE));
        assert_eq!(block.header.parent_beacon_block_root, Some(B256::ZERO));
        assert_eq!((block.header.blob_gas_used, block.header.excess_blob_gas), (Some(0), Some(0)));
        assert_eq!(block.withdrawals, Some(Vec::new()));
        assert_eq!(block.header.state_root, EMPTY_ROOT_HASH);
    }

    #[test]
    fn forks_by_time_shape_the_header_before_paris_too() {
        let (mut genesis, _) = genesis(Fork::Cancun);
        genesis.config.terminal_total_difficulty = Some(U256::from(1_000));
        let spec = ChainSpec::from_config(&genesis.config).unwrap();
        let (block, ..) = genesis_block(&genesis, &spec).unwrap();
        assert!(block.header.withdrawals_root.is_some() && block.header.blob_gas_used.is_some());
    }

    #[test]
    fn values_no_header_can_hold_are_refused() {
        let (genesis, spec) = genesis(Fork::London);
        let base_fee = Genesis { base_fee_per_gas: Some(1 << 64), ..genesis.clone() };
        let error = genesis_block(&base_fee, &spec).unwrap_err();
        assert!(matches!(error, BlockError::GenesisField { field: "baseFeePerGas" }), "{error}");
        let gas_limit = Genesis { gas_limit: 1 << 63, ..genesis };
        let error = genesis_block(&gas_limit, &spec).unwrap_err();
        assert!(matches!(error, BlockError::GenesisField { field: "gasLimit" }), "{error}");
    }

    #[test]
    fn system_contracts_come_with_their_forks() {
        let count = |fork| system_contracts(fork).len();
        assert_eq!([Fork::Shanghai, Fork::Cancun, Fork::Prague, Fork::Osaka].map(count), [0, 1, 4, 4]);
    }
}
