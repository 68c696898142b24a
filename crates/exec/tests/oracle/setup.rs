//! What the fork of a block brings with it.

use alloy_eips::{
    eip2935::{HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE},
    eip4788::{BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CODE},
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE},
};
use alloy_primitives::{Address, B256, U256};
use braid_exec::BlockContext;
use braid_types::{ChainSpec, Fork, fork::MAINNET_DEPOSIT_CONTRACT};

use crate::world::World;

pub const CHAIN_ID: u64 = 1;

/// A block without anything of its own.
pub fn block_at(fork: Fork) -> BlockContext {
    BlockContext {
        chain_id: CHAIN_ID,
        fork,
        height: 300,
        timestamp: 1_000,
        beneficiary: Address::repeat_byte(0xd4),
        gas_limit: 30_000_000,
        base_fee: 0,
        difficulty: if fork < Fork::Paris { U256::from(131_072) } else { U256::ZERO },
        prevrandao: B256::repeat_byte(7),
        blob_params: ChainSpec::at_fork(CHAIN_ID, fork).blob_params(fork, 1_000),
        excess_blob_gas: (fork >= Fork::Cancun).then_some(0),
        parent_hash: B256::repeat_byte(9),
        parent_beacon_block_root: (fork >= Fork::Cancun).then_some(B256::repeat_byte(8)),
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        is_dao_fork: false,
        deposit_contract: MAINNET_DEPOSIT_CONTRACT,
    }
}

/// A state with the contracts that the fork calls by itself.
pub fn with_system_contracts(fork: Fork) -> World {
    let mut world = World::default();
    if fork >= Fork::Cancun {
        world.deploy(BEACON_ROOTS_ADDRESS, &BEACON_ROOTS_CODE);
    }
    if fork >= Fork::Prague {
        world.deploy(HISTORY_STORAGE_ADDRESS, &HISTORY_STORAGE_CODE);
        world.deploy(WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &WITHDRAWAL_REQUEST_PREDEPLOY_CODE);
        world.deploy(CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &CONSOLIDATION_REQUEST_PREDEPLOY_CODE);
    }
    world
}
