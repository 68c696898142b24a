//! A chain in memory on which workloads set up what they need, by real transactions.

use std::sync::Arc;

use alloy_consensus::{SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_eips::{
    eip2935::{HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE},
    eip4788::{BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CODE},
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256, map::AddressMap};
use alloy_sol_types::SolCall;
use braid_exec::{AccessListUse, BlockContext, BlockOutcome, Config, ExecError, access_list::BlockAccessList, execute};
use braid_types::{
    ChainSpec, Fork, Height, RecoveredTx, Transaction, block::impersonation_signature, fork::MAINNET_DEPOSIT_CONTRACT,
};
use revm::{
    bytecode::{Bytecode, BytecodeDecodeError},
    state::AccountInfo,
};

use crate::{
    artifacts::{Artifact, ArtifactError},
    state::{MemoryState, Missing},
};

const CHAIN_ID: u64 = 31_337;

/// The rules in force: the newest that mainnet has.
const FORK: Fork = Fork::Osaka;

/// Seconds between blocks.
const BLOCK_TIME_S: u64 = 1;

/// Time of block 0, a day in 2027.
const GENESIS_TIME: u64 = 1_800_000_000;

/// Room for any block of the workloads.
const BLOCK_GAS_LIMIT: u64 = 1 << 50;

/// Most gas of one transaction (EIP-7825); set-up transactions ask for it.
const TRANSACTION_GAS_LIMIT: u64 = 1 << 24;

const GWEI: u64 = 1_000_000_000;

/// Blocks whose hashes BLOCKHASH gives.
const KNOWN_HASHES: u64 = 256;

/// Set-up transactions in one block.
const SET_UP_BLOCK_LENGTH: usize = 10_000;

/// Failed to set up a workload.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// A contract's creation code cannot be had.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A block cannot be executed.
    #[error("failed to execute block {height}")]
    Execution {
        /// Its height.
        height: Height,
        /// Why.
        #[source]
        source: ExecError<Missing>,
    },
    /// A transaction did not do what it was meant to.
    #[error("transaction {index} of block {height} has status {status}")]
    Status {
        /// Height of its block.
        height: Height,
        /// Its position there.
        index: usize,
        /// Whether it succeeded.
        status: bool,
    },
    /// A contract of the suite is malformed.
    #[error(transparent)]
    Suite(#[from] braid_suite::ArtefactError),
    /// A block created code that is none.
    #[error("block {height} created malformed code")]
    Code {
        /// Its height.
        height: Height,
        /// Why.
        #[source]
        source: BytecodeDecodeError,
    },
}

/// See the [module](self).
#[derive(Debug)]
pub struct World {
    state: MemoryState,
    height: Height,
    /// Seconds in which no block was made.
    idle_s: u64,
    nonces: AddressMap<u64>,
    pending: Vec<RecoveredTx>,
}

/// What a transaction does.
#[derive(Clone, Debug)]
pub struct Action {
    /// Whom it calls, or that it creates.
    pub to: TxKind,
    /// Wei it brings.
    pub value: U256,
    /// Call data or creation code.
    pub input: Bytes,
    /// Gas it may use.
    pub gas_limit: u64,
}

impl Action {
    /// A transfer of wei to an account without code.
    pub const fn transfer(to: Address, value: U256) -> Self {
        Self { to: TxKind::Call(to), value, input: Bytes::new(), gas_limit: 21_000 }
    }

    /// A call of a function.
    pub fn call(to: Address, call: &impl SolCall, gas_limit: u64) -> Self {
        Self { to: TxKind::Call(to), value: U256::ZERO, input: call.abi_encode().into(), gas_limit }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// Most gas of one transaction.
    pub const MAX_TRANSACTION_GAS: u64 = TRANSACTION_GAS_LIMIT;

    /// A chain with the system contracts of its fork.
    pub fn new() -> Self {
        let mut state = MemoryState::default();
        for (address, code) in [
            (BEACON_ROOTS_ADDRESS, &BEACON_ROOTS_CODE),
            (HISTORY_STORAGE_ADDRESS, &HISTORY_STORAGE_CODE),
            (WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &WITHDRAWAL_REQUEST_PREDEPLOY_CODE),
            (CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &CONSOLIDATION_REQUEST_PREDEPLOY_CODE),
        ] {
            let info = AccountInfo::default().with_nonce(1).with_code(Bytecode::new_legacy(code.clone()));
            state.insert(address, info, []);
        }
        let mut world = Self { state, height: 1, idle_s: 0, nonces: AddressMap::default(), pending: Vec::new() };
        world.fund(beneficiary());
        world
    }

    /// The block that comes next.
    pub fn context(&self) -> BlockContext {
        let timestamp = GENESIS_TIME + self.height * BLOCK_TIME_S + self.idle_s;
        BlockContext {
            chain_id: CHAIN_ID,
            fork: FORK,
            height: self.height,
            timestamp,
            beneficiary: beneficiary(),
            gas_limit: BLOCK_GAS_LIMIT,
            base_fee: GWEI,
            difficulty: U256::ZERO,
            prevrandao: block_hash(self.height),
            blob_params: ChainSpec::at_fork(CHAIN_ID, FORK).blob_params(FORK, timestamp),
            excess_blob_gas: Some(0),
            parent_hash: block_hash(self.height - 1),
            parent_beacon_block_root: Some(block_hash(self.height - 1)),
            withdrawals: Vec::new(),
            ommers: Vec::new(),
            is_dao_fork: false,
            deposit_contract: MAINNET_DEPOSIT_CONTRACT,
        }
    }

    /// The state after everything that was sealed.
    pub fn into_state(mut self) -> MemoryState {
        for height in self.height.saturating_sub(KNOWN_HASHES)..self.height {
            self.state.insert_hash(height, block_hash(height));
        }
        self.state
    }

    /// Puts a contract there without a transaction.
    pub fn put_code(&mut self, address: Address, code: &Bytes) {
        let info = AccountInfo::default().with_nonce(1).with_code(Bytecode::new_legacy(code.clone()));
        self.state.insert(address, info, []);
    }

    /// A user with ether: the `number`th of the family called `kind`.
    pub fn user(&mut self, kind: &str, number: usize) -> Address {
        let address = named(kind, number);
        if !self.nonces.contains_key(&address) {
            self.fund(address);
        }
        address
    }

    /// Gives an account more ether than it can spend.
    fn fund(&mut self, address: Address) {
        self.state.insert(address, AccountInfo::from_balance(U256::from(1_u128 << 100)), []);
        self.nonces.insert(address, 0);
    }

    /// Lets so many seconds pass without a block.
    pub const fn wait(&mut self, seconds: u64) {
        self.idle_s += seconds;
    }

    /// The user's next transaction.
    pub fn transaction(&mut self, from: Address, action: Action) -> RecoveredTx {
        let next = self.nonces.entry(from).or_default();
        let nonce = *next;
        *next += 1;
        let transaction = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: action.gas_limit,
            max_fee_per_gas: 3 * u128::from(GWEI),
            max_priority_fee_per_gas: u128::from(GWEI),
            to: action.to,
            value: action.value,
            access_list: Default::default(),
            input: action.input,
        };
        let signed = Transaction::from(transaction.into_signed(impersonation_signature(from)));
        Arc::new(Recovered::new_unchecked(signed, from))
    }

    /// Has `from` call a function while the world is set up.
    ///
    /// # Errors
    /// If a block was full and could not be executed.
    pub fn call(&mut self, from: Address, to: Address, call: &impl SolCall) -> Result<(), SetUpError> {
        self.send(from, Action::call(to, call, TRANSACTION_GAS_LIMIT))
    }

    /// Sends a set-up transaction.
    ///
    /// # Errors
    /// If a block was full and could not be executed.
    pub fn send(&mut self, from: Address, action: Action) -> Result<(), SetUpError> {
        let transaction = self.transaction(from, action);
        self.pending.push(transaction);
        if self.pending.len() < SET_UP_BLOCK_LENGTH { Ok(()) } else { self.seal() }
    }

    /// Deploys a contract with ABI-encoded constructor arguments; returns its address.
    ///
    /// # Errors
    /// If its code cannot be had, or a block was full and could not be executed.
    pub fn deploy(&mut self, artifact: &Artifact, arguments: &[u8]) -> Result<Address, SetUpError> {
        self.create(&artifact.code()?, arguments)
    }

    /// The same, with creation code.
    ///
    /// # Errors
    /// If a block was full and could not be executed.
    pub fn create(&mut self, code: &[u8], arguments: &[u8]) -> Result<Address, SetUpError> {
        let deployer = self.user("deployer", 0);
        let address = deployer.create(self.nonces.get(&deployer).copied().unwrap_or_default());
        let input = [code, arguments].concat().into();
        let action = Action { to: TxKind::Create, value: U256::ZERO, input, gas_limit: TRANSACTION_GAS_LIMIT };
        self.send(deployer, action)?;
        Ok(address)
    }

    /// Executes what was sent as one block.
    ///
    /// # Errors
    /// If it cannot be executed or a transaction fails.
    pub fn seal(&mut self) -> Result<(), SetUpError> {
        let transactions = std::mem::take(&mut self.pending);
        let height = self.height;
        let outcome = self.execute(&transactions, AccessListUse::Ignore)?;
        check(&outcome, height, true)?;
        self.state.apply(outcome.changes.into_state_changes()).map_err(|source| SetUpError::Code { height, source })?;
        self.height += 1;
        Ok(())
    }

    /// Checks that all of `transactions`, as the next block, end with `status`; returns the block's access list.
    ///
    /// # Errors
    /// If the block cannot be executed or one does not.
    pub fn check(&self, transactions: &[RecoveredTx], status: bool) -> Result<Option<BlockAccessList>, SetUpError> {
        let outcome = self.execute(transactions, AccessListUse::Produce)?;
        check(&outcome, self.height, status)?;
        Ok(outcome.access_list)
    }

    fn execute(&self, transactions: &[RecoveredTx], access_list: AccessListUse) -> Result<BlockOutcome, SetUpError> {
        let config = Config { access_list, ..Config::default() };
        let outcome = execute(&self.context(), transactions, &self.state, &config);
        outcome.map_err(|source| SetUpError::Execution { height: self.height, source })
    }
}

fn check(outcome: &BlockOutcome, height: Height, expected: bool) -> Result<(), SetUpError> {
    let mut statuses = outcome.receipts.iter().map(alloy_consensus::TxReceipt::status);
    match statuses.position(|status| status != expected) {
        Some(index) => Err(SetUpError::Status { height, index, status: !expected }),
        None => Ok(()),
    }
}

fn beneficiary() -> Address {
    named("beneficiary", 0)
}

/// An address that nobody chose: spread like real ones.
fn named(kind: &str, number: usize) -> Address {
    Address::from_word(keccak256(format!("{kind} {number}")))
}

fn block_hash(height: Height) -> B256 {
    keccak256(format!("block {height}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_up_transactions_really_run() {
        let mut world = World::new();
        let (one, other) = (world.user("user", 0), world.user("user", 1));
        world.send(one, Action::transfer(other, U256::from(5))).unwrap();
        world.seal().unwrap();
        assert_eq!(world.context().height, 2);
        let next = world.transaction(one, Action::transfer(other, U256::from(5)));
        world.check(std::slice::from_ref(&next), true).unwrap();
        assert!(matches!(world.check(&[next], false), Err(SetUpError::Status { index: 0, .. })));
    }

    #[test]
    fn time_passes_without_blocks_when_asked() {
        let mut world = World::new();
        let before = world.context();
        world.wait(86_400);
        assert_eq!(world.context().timestamp, before.timestamp + 86_400);
        assert_eq!(world.context().height, before.height);
    }

    #[test]
    fn a_set_up_transaction_that_fails_is_an_error() {
        let mut world = World::new();
        let user = world.user("user", 0);
        let invalid = Bytes::from_static(&[0xfe]);
        let action = Action { to: TxKind::Create, value: U256::ZERO, input: invalid, gas_limit: 100_000 };
        world.send(user, action).unwrap();
        assert!(matches!(world.seal(), Err(SetUpError::Status { height: 1, index: 0, status: false })));
    }
}
