//! Runs one transaction with and without a tracker and compares what comes of it.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use braid_types::{ChainSpec, Fork};
use revm::{
    DatabaseCommit, DatabaseRef, ExecuteEvm,
    bytecode::Bytecode,
    context::{
        ContextSetters, TxEnv,
        result::{ExecutionResult, Output},
    },
    database::{CacheDB, EmptyDB},
    handler::Handler,
    state::{AccountInfo, EvmState},
};

use super::{LogPlace, Tracker, TrackingHandler};
use crate::{BlockContext, eip7610::CreationHandler, evm::new_evm};

pub(super) const SENDER: Address = Address::repeat_byte(0x11);

/// A slot by account and key.
pub(super) type Location = (Address, U256);

/// A state and a transaction on it.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) fork: Fork,
    pub(super) height: u64,
    pub(super) state: CacheDB<EmptyDB>,
    pub(super) transaction: TxEnv,
}

/// What came of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) result: ExecutionResult,
    accounts: BTreeMap<Address, (AccountInfo, u8, BTreeMap<U256, U256>)>,
}

impl World {
    pub(super) fn new(fork: Fork) -> Self {
        let mut state = CacheDB::new(EmptyDB::new());
        state.insert_account_info(SENDER, AccountInfo::from_balance(U256::from(u64::MAX)));
        let transaction = TxEnv { caller: SENDER, gas_limit: 1_000_000, ..TxEnv::default() };
        Self { fork, height: 10, state, transaction }
    }

    pub(super) fn deploy(&mut self, address: Address, code: &[u8]) {
        let code = Bytecode::new_raw(Bytes::copy_from_slice(code));
        self.state.insert_account_info(address, AccountInfo::default().with_code(code).with_nonce(1));
    }

    pub(super) fn set(&mut self, (address, slot): Location, value: U256) {
        self.state.insert_account_storage(address, slot, value).unwrap();
    }

    pub(super) fn call(&mut self, to: Address, input: &[u8]) {
        self.transaction.kind = TxKind::Call(to);
        self.transaction.data = Bytes::copy_from_slice(input);
    }

    /// Runs the transaction as every other.
    pub(super) fn run(&self) -> Run {
        let mut evm = new_evm(&block(self.fork, self.height), self.state.clone());
        evm.ctx.set_tx(self.transaction.clone());
        let result = CreationHandler::default().run(&mut evm).unwrap();
        Run::new(result, evm.finalize())
    }

    /// Calls a contract in a block of its own, at the start of an account's history, and keeps what it did.
    pub(super) fn keep(&mut self, caller: Address, to: Address, input: &[u8]) -> Bytes {
        self.height += 1;
        self.transaction.caller = caller;
        self.transaction.nonce = self.state.basic_ref(caller).unwrap().map_or(0, |account| account.nonce);
        self.call(to, input);
        let mut evm = new_evm(&block(self.fork, self.height), self.state.clone());
        evm.ctx.set_tx(self.transaction.clone());
        let result = CreationHandler::default().run(&mut evm).unwrap();
        self.state.commit(evm.finalize());
        self.transaction.nonce += 1;
        assert!(result.is_success(), "{result:?}");
        result.into_output().unwrap()
    }

    /// Runs the transaction with a tracker.
    pub(super) fn track(&self, tracker: &mut Tracker, hot: &[Location]) -> Run {
        let mut evm = new_evm(&block(self.fork, self.height), self.state.clone());
        evm.ctx.set_tx(self.transaction.clone());
        let is_hot = |address, slot| hot.contains(&(address, slot));
        let result = TrackingHandler::new(tracker, is_hot).run(&mut evm).unwrap();
        Run::new(result, evm.finalize())
    }
}

impl Run {
    fn new(result: ExecutionResult, journal: EvmState) -> Self {
        let accounts = journal.into_iter().map(|(address, account)| {
            let storage = account.storage.iter().map(|(slot, value)| (*slot, value.present_value)).collect();
            (address, (account.info.without_code(), account.status.bits(), storage))
        });
        Self { result, accounts: accounts.collect() }
    }

    /// The slots of an account that were read or written.
    pub(super) fn slots(&self, address: Address) -> Vec<Location> {
        self.accounts[&address].2.keys().map(|slot| (address, *slot)).collect()
    }

    pub(super) fn slot(&self, (address, slot): Location) -> U256 {
        self.accounts[&address].2[&slot]
    }

    /// What would have come of it had the tracked slots held `bases`.
    pub(super) fn patched(mut self, tracker: &Tracker, bases: &[U256]) -> Self {
        for (slot, base) in tracker.slots().iter().zip(bases) {
            let storage = &mut self.accounts.get_mut(&slot.address()).unwrap().2;
            if let Some(value) = storage.get_mut(&slot.slot()) {
                assert_eq!(slot.apply(slot.guess()), *value, "the tracker and the journal disagree");
                *value = slot.apply(*base);
            }
        }
        let (ExecutionResult::Success { logs, .. }
        | ExecutionResult::Revert { logs, .. }
        | ExecutionResult::Halt { logs, .. }) = &mut self.result;
        for patch in tracker.log_patches() {
            let (mut topics, mut data) = (logs[patch.log].topics().to_vec(), logs[patch.log].data.data.to_vec());
            let word = patch.apply(bases[patch.slot]);
            match patch.place {
                LogPlace::Topic(topic) => topics[topic] = B256::from(word),
                LogPlace::Data(offset) => data[offset..offset + 32].copy_from_slice(&word.to_be_bytes::<32>()),
            }
            logs[patch.log].data = alloy_primitives::LogData::new_unchecked(topics, data.into());
        }
        let output = match &mut self.result {
            ExecutionResult::Success { output: Output::Call(output), .. } | ExecutionResult::Revert { output, .. } => {
                output
            }
            _ => {
                assert!(tracker.output_patches().is_empty());
                return self;
            }
        };
        let mut patched = output.to_vec();
        for patch in tracker.output_patches() {
            let word = patch.apply(bases[patch.slot]).to_be_bytes::<32>();
            patched[patch.offset..patch.offset + 32].copy_from_slice(&word);
        }
        *output = patched.into();
        self
    }
}

pub(super) fn block(fork: Fork, height: u64) -> BlockContext {
    let spec = ChainSpec::at_fork(1, fork);
    BlockContext {
        chain_id: 1,
        fork,
        height,
        timestamp: 1_000,
        beneficiary: Address::repeat_byte(0x33),
        gas_limit: 1_000_000_000,
        base_fee: 0,
        difficulty: U256::ZERO,
        prevrandao: B256::ZERO,
        blob_params: spec.blob_params(fork, 1_000),
        excess_blob_gas: (fork >= Fork::Cancun).then_some(0),
        parent_hash: B256::ZERO,
        parent_beacon_block_root: None,
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        is_dao_fork: false,
        deposit_contract: Address::ZERO,
    }
}

/// Runs creation code and returns what it deploys.
pub(super) fn deployed(creation: &[u8]) -> Bytes {
    let mut world = World::new(Fork::Cancun);
    world.transaction.kind = TxKind::Create;
    world.transaction.gas_limit = 16_000_000;
    world.transaction.data = Bytes::copy_from_slice(creation);
    match world.run().result {
        ExecutionResult::Success { output: Output::Create(code, _), .. } => code,
        other => unreachable!("creation failed: {other:?}"),
    }
}
