//! Parallel execution of a block.

mod access;
mod commit;
mod evm;
mod memory;
mod schedule;
mod view;
mod worker;

use std::{collections::BTreeMap, sync::atomic::AtomicBool};

use alloy_primitives::{Address, B256, U256, map::AddressMap};
use braid_types::{
    Fork, RecoveredTx, StateChanges,
    changes::{AccountChange, AccountState},
};
use parking_lot::{Condvar, Mutex};
use revm::{
    DatabaseRef,
    bytecode::Bytecode,
    context::ContextTr,
    primitives::{KECCAK_EMPTY, StorageKey, StorageValue},
    state::AccountInfo,
};

use self::{
    commit::Committer,
    memory::{AccountWrite, Final, Memory, SlotWrite, Version, account_hash, slot_hash},
    schedule::Schedule,
    view::short,
    worker::{Shared, work},
};
use crate::{
    block::{self, BlockEvm},
    dao,
    evm::new_evm,
    outcome::{BlockContext, BlockOutcome, Config, ExecError},
    overlay::Overlay,
    system,
};

/// Executes a block with several threads; see the [module](self).
pub(crate) fn execute<S: DatabaseRef + Sync>(
    block: &BlockContext,
    transactions: &[RecoveredTx],
    state: &S,
    config: &Config,
) -> Result<BlockOutcome, ExecError<S::Error>>
where
    S::Error: Send,
{
    let total = u32::try_from(transactions.len()).unwrap_or(u32::MAX);
    let memory = Memory::new();
    publish_changes(&memory, 0, &before_transactions(block, state)?);
    let beneficiary = account(&memory, state, &block.beneficiary, 0)?;
    let mut outcome = BlockOutcome::default();
    outcome.receipts.reserve(transactions.len());
    let shared = Shared {
        block,
        transactions,
        config,
        state,
        memory: &memory,
        schedule: Mutex::new(Schedule::new(total)),
        wake: Condvar::new(),
        committer: Mutex::new(Committer::new(outcome, beneficiary)),
        beneficiary: Mutex::new(beneficiary),
        is_over: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        for _ in 1..config.threads.get().min(transactions.len()) {
            scope.spawn(|| work(&shared));
        }
        work(&shared);
    });
    let committer = shared.committer.into_inner();
    if let Some(error) = committer.error {
        return Err(error);
    }
    let mut outcome = committer.outcome;
    finish(block, state, &memory, total, committer.beneficiary, &mut outcome)?;
    Ok(outcome)
}

/// What the block does before its transactions.
fn before_transactions<S: DatabaseRef>(block: &BlockContext, state: &S) -> Result<StateChanges, ExecError<S::Error>> {
    let overlay = Overlay::new(state, block.fork >= Fork::SpuriousDragon, false);
    let mut evm: BlockEvm<'_, S> = new_evm(block, overlay);
    if block.is_dao_fork {
        dao::apply(evm.ctx.db_mut()).map_err(ExecError::State)?;
    }
    system::before_transactions(&mut evm, block)?;
    Ok(evm.ctx.journaled_state.database.into_changes())
}

/// What the block does after its transactions, and the sum of all changes.
fn finish<S: DatabaseRef>(
    block: &BlockContext,
    state: &S,
    memory: &Memory,
    total: u32,
    beneficiary: Option<AccountState>,
    outcome: &mut BlockOutcome,
) -> Result<(), ExecError<S::Error>> {
    let address = block.beneficiary;
    let hash = account_hash(&address);
    let write = AccountWrite { address, hash, state: beneficiary, clears_storage: false, base: None };
    memory.put_account(total + 1, &write);
    let after = AfterTransactions { memory, state, version: total + 1 };
    let overlay = Overlay::new(&after, block.fork >= Fork::SpuriousDragon, false);
    let mut evm: BlockEvm<'_, _> = new_evm(block, overlay);
    if block.fork >= Fork::Prague {
        outcome.requests = system::requests(&mut evm, block, &outcome.receipts)?;
    }
    let mut overlay = evm.ctx.journaled_state.database;
    block::pay(&mut overlay, block).map_err(ExecError::State)?;
    publish_changes(memory, total + 2, &overlay.into_changes());
    let mut all = Final::default();
    memory.drain(0, 1, &mut all);
    outcome.changes = changes(all, memory, state).map_err(ExecError::State)?;
    Ok(())
}

fn publish_changes(memory: &Memory, version: Version, changes: &StateChanges) {
    let mut hashes = Vec::new();
    for (hash, code) in &changes.codes {
        memory.put_code(*hash, Bytecode::new_raw(code.clone()));
    }
    for (&address, change) in &changes.accounts {
        let hash = account_hash(&address);
        hashes.push(short(hash));
        let (state, clears_storage) = (change.account, change.storage_cleared);
        memory.put_account(version, &AccountWrite { address, hash, state, clears_storage, base: None });
        for (&slot, &value) in &change.storage {
            let hash = slot_hash(hash, &slot);
            hashes.push(short(hash));
            memory.put_slot(version, &SlotWrite { address, slot, hash, value, base: None });
        }
    }
    memory.announce(version, &hashes);
}

fn account<S: DatabaseRef>(
    memory: &Memory,
    state: &S,
    address: &Address,
    version: Version,
) -> Result<Option<AccountState>, ExecError<S::Error>> {
    match memory.account(address, account_hash(address), version) {
        Some(known) => Ok(known),
        None => base_account(state, *address).map_err(ExecError::State),
    }
}

fn base_account<S: DatabaseRef>(state: &S, address: Address) -> Result<Option<AccountState>, S::Error> {
    let info = state.basic_ref(address)?;
    Ok(info.map(|info| AccountState { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash }))
}

/// Everything that differs from the base state.
fn changes<S: DatabaseRef>(all: Final, memory: &Memory, state: &S) -> Result<StateChanges, S::Error> {
    let mut accounts = AddressMap::<Changed>::with_capacity_and_hasher(all.accounts.len(), Default::default());
    for account in all.accounts {
        let base = match account.base {
            Some(base) => base,
            None => base_account(state, account.address)?,
        };
        let changed = Changed { base, state: account.state, cleared: account.cleared, slots: Vec::new() };
        accounts.insert(account.address, changed);
    }
    for slot in all.slots {
        let changed = match accounts.entry(slot.address) {
            alloy_primitives::map::hash_map::Entry::Occupied(known) => known.into_mut(),
            alloy_primitives::map::hash_map::Entry::Vacant(unknown) => {
                let base = base_account(state, slot.address)?;
                unknown.insert(Changed { base, state: base, cleared: None, slots: Vec::new() })
            }
        };
        let is_gone = changed.cleared.is_some_and(|cleared| slot.version < cleared);
        let base = match slot.base {
            _ if changed.cleared.is_some() => U256::ZERO,
            Some(base) => base,
            None => state.storage_ref(slot.address, slot.slot)?,
        };
        if !is_gone && slot.value != base {
            changed.slots.push((slot.slot, slot.value));
        }
    }
    let mut codes = BTreeMap::new();
    let mut list = Vec::with_capacity(accounts.len());
    #[expect(clippy::iter_over_hash_type, reason = "collected into an ordered map")]
    for (address, changed) in accounts {
        if let Some((hash, code)) = changed.new_code(memory) {
            codes.insert(hash, code.original_bytes());
        }
        list.extend(changed.into_change().map(|change| (address, change)));
    }
    Ok(StateChanges { accounts: list.into_iter().collect(), codes })
}

/// An account before and after.
struct Changed {
    base: Option<AccountState>,
    state: Option<AccountState>,
    cleared: Option<Version>,
    slots: Vec<(U256, U256)>,
}

impl Changed {
    fn new_code(&self, memory: &Memory) -> Option<(B256, Bytecode)> {
        let hash = self.state?.code_hash;
        let is_old = self.base.is_some_and(|base| base.code_hash == hash);
        if is_old || hash == KECCAK_EMPTY {
            return None;
        }
        memory.code(&hash).map(|code| (hash, code))
    }

    fn into_change(self) -> Option<AccountChange> {
        let storage_cleared = self.cleared.is_some() && self.base.is_some();
        let storage: BTreeMap<_, _> = self.slots.into_iter().collect();
        let is_same = self.state == self.base && storage.is_empty() && !storage_cleared;
        (!is_same).then_some(AccountChange { account: self.state, storage_cleared, storage })
    }
}

/// State as the transactions left it.
#[derive(Debug)]
struct AfterTransactions<'a, S> {
    memory: &'a Memory,
    state: &'a S,
    version: Version,
}

impl<S: DatabaseRef> DatabaseRef for AfterTransactions<'_, S> {
    type Error = S::Error;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, S::Error> {
        let Some(known) = self.memory.account(&address, account_hash(&address), self.version) else {
            return self.state.basic_ref(address);
        };
        Ok(known.map(|state| AccountInfo {
            balance: state.balance,
            nonce: state.nonce,
            code_hash: state.code_hash,
            code: None,
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, S::Error> {
        match self.memory.code(&code_hash) {
            Some(code) => Ok(code),
            None => self.state.code_by_hash_ref(code_hash),
        }
    }

    fn storage_ref(&self, address: Address, slot: StorageKey) -> Result<StorageValue, S::Error> {
        let hash = slot_hash(account_hash(&address), &slot);
        match self.memory.slot(&address, &slot, hash, self.version) {
            Some(value) => Ok(value),
            None => self.state.storage_ref(address, slot),
        }
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, S::Error> {
        self.state.block_hash_ref(number)
    }
}
