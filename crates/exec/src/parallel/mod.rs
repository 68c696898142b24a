//! Parallel execution of a block.

mod access;
mod codes;
mod commit;
mod crew;
mod evm;
pub(crate) mod given;
mod hashes;
mod heat;
mod keccak;
mod memory;
mod predict;
mod record;
mod schedule;
mod view;
mod worker;

use std::sync::atomic::AtomicBool;

use alloy_primitives::{Address, B256, U256, map::AddressMap};
use braid_types::{Fork, RecoveredTx, StateChanges, changes::AccountState};
use parking_lot::{Condvar, Mutex, RwLock};
use revm::{
    DatabaseRef,
    bytecode::Bytecode,
    context::ContextTr,
    primitives::{KECCAK_EMPTY, StorageKey, StorageValue},
    state::AccountInfo,
};

use self::{
    commit::Committer,
    memory::{
        AccountWrite, Certainty, Final, FinalAccount, FinalSlot, Memory, SlotWrite, Version, account_hash, slot_hash,
    },
    schedule::Schedule,
    view::short,
    worker::{Owners, Shared, work},
};
use crate::{
    access_list::{Recorder, index_after},
    block::{self, BlockEvm},
    changes::{ChangedAccount, Changes},
    dao,
    evm::new_evm,
    outcome::{AccessListUse, BlockContext, BlockOutcome, Config, ExecError},
    overlay::Overlay,
    system,
};

/// Whether the parallel path does all that is asked for.
pub(crate) fn serves(config: &Config) -> bool {
    !config.per_transaction_changes && !matches!(config.access_list, AccessListUse::Given(_))
}

/// Executes a block with several threads; see the [module](self).
pub(crate) fn execute<S: DatabaseRef + Sync>(
    block: &BlockContext,
    transactions: &[RecoveredTx],
    state: &S,
    config: &Config,
) -> Result<BlockOutcome, ExecError<S::Error>> {
    let total = u32::try_from(transactions.len()).unwrap_or(u32::MAX);
    let memory = Memory::new(transactions.len());
    let recorder = (config.access_list != AccessListUse::Ignore).then(Recorder::default);
    let (before, recorder) = before_transactions(block, state, recorder)?;
    for &address in before.accounts.keys() {
        if state.basic_ref(address).map_err(ExecError::State)?.is_some_and(|info| info.account_id.is_some()) {
            memory.mark(address);
        }
    }
    publish_changes(&memory, 0, &before);
    let beneficiary = account(&memory, state, &block.beneficiary, 0)?;
    let mut outcome = BlockOutcome::default();
    outcome.receipts.reserve(transactions.len());
    let shared = Shared {
        block,
        transactions,
        config,
        state,
        memory: &memory,
        schedule: Mutex::new(Schedule::new(transactions.len())),
        wake: Condvar::new(),
        committer: Mutex::new(Committer::new(outcome, beneficiary, recorder)),
        heat: RwLock::default(),
        beneficiary: Mutex::new(beneficiary),
        is_over: AtomicBool::new(false),
    };
    let threads = config.threads.get().min(transactions.len()).max(1);
    let mut owners = Owners::default();
    for part in crew::run(threads, |_| work(&shared)) {
        owners.extend(part);
    }
    let committer = shared.committer.into_inner();
    if let Some(error) = committer.error {
        return Err(error);
    }
    let mut outcome = committer.outcome;
    outcome.statistics.contended = committer.heat.tally.worst();
    let threads = config.threads.get().min(transactions.len()).max(1);
    outcome.statistics.threads = u64::try_from(threads).unwrap_or(u64::MAX);
    finish(block, state, &memory, total, committer.beneficiary, committer.recorder, &mut outcome)?;
    outcome.changes = collect(&memory, state, config.threads.get(), owners).map_err(ExecError::State)?;
    Ok(outcome)
}

/// What the block does before its transactions; the recorder, if there is one, notes it.
fn before_transactions<S: DatabaseRef>(
    block: &BlockContext,
    state: &S,
    recorder: Option<Recorder>,
) -> Result<(StateChanges, Option<Recorder>), ExecError<S::Error>> {
    let mut overlay = Overlay::new(state, block.fork >= Fork::SpuriousDragon, false);
    overlay.record_in(recorder);
    let mut evm: BlockEvm<'_, S> = new_evm(block, overlay);
    if block.is_dao_fork {
        dao::apply(evm.ctx.db_mut()).map_err(ExecError::State)?;
    }
    system::before_transactions(&mut evm, block)?;
    let mut overlay = evm.ctx.journaled_state.database;
    let recorder = overlay.take_recorder();
    Ok((overlay.into_changes().into_state_changes(), recorder))
}

/// What the block does after its transactions, and the sum of all changes.
fn finish<S: DatabaseRef>(
    block: &BlockContext,
    state: &S,
    memory: &Memory,
    total: u32,
    beneficiary: Option<AccountState>,
    recorder: Option<Recorder>,
    outcome: &mut BlockOutcome,
) -> Result<(), ExecError<S::Error>> {
    let address = block.beneficiary;
    let hash = account_hash(&address);
    let write =
        AccountWrite { address, hash, state: beneficiary, clears_storage: false, certainty: Certainty::Unknown };
    memory.put_account(total + 1, &write);
    let after = AfterTransactions { memory, state, version: total + 1 };
    let mut overlay = Overlay::new(&after, block.fork >= Fork::SpuriousDragon, false);
    overlay.record_in(recorder);
    overlay.begin(index_after(outcome.receipts.len()));
    let mut evm: BlockEvm<'_, _> = new_evm(block, overlay);
    if block.fork >= Fork::Prague {
        outcome.requests = system::requests(&mut evm, block, &outcome.receipts)?;
    }
    let mut overlay = evm.ctx.journaled_state.database;
    block::pay(&mut overlay, block).map_err(ExecError::State)?;
    outcome.access_list = overlay.take_access_list();
    publish_changes(memory, total + 2, &overlay.into_changes().into_state_changes());
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
        memory.put_account(
            version,
            &AccountWrite { address, hash, state, clears_storage, certainty: Certainty::Unknown },
        );
        for (&slot, &value) in &change.storage {
            let hash = slot_hash(hash, &slot);
            hashes.push(short(hash));
            memory.put_slot(version, &SlotWrite { address, slot, hash, value, certainty: Certainty::Unknown });
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

/// Entries of the memory below which one thread collects them all.
const COLLECT_ALONE: usize = 4_096;

/// Everything that differs from the base state.
fn collect<S: DatabaseRef + Sync>(
    memory: &Memory,
    state: &S,
    threads: usize,
    mut owners: Owners,
) -> Result<Changes, S::Error> {
    let cleared = memory.cleared();
    let threads = if memory.len() < COLLECT_ALONE { 1 } else { threads };
    let mut parts = crew::run(threads, |first| collect_part(memory.drain(first, threads), memory, state, &cleared));
    let mut all = parts.swap_remove(0)?;
    owners.extend(std::mem::take(&mut all.owners));
    all.owners = owners;
    for part in parts {
        let part = part?;
        all.accounts.extend(part.accounts);
        all.slots.extend(part.slots);
        all.owners.extend(part.owners);
        all.codes.extend(part.codes);
    }
    Ok(all)
}

/// What of these locations differs from the base state.
fn collect_part<S: DatabaseRef>(
    part: Final,
    memory: &Memory,
    state: &S,
    cleared: &AddressMap<Version>,
) -> Result<Changes, S::Error> {
    let mut changes = Changes::default();
    changes.accounts.reserve(part.accounts.len());
    changes.slots.reserve(part.slots.len());
    for FinalAccount { address, state: account, certainty } in part.accounts {
        if let (Certainty::Differs, Some(account), true) = (certainty, account, cleared.is_empty())
            && account.is_some_and(|account| account.code_hash == KECCAK_EMPTY)
        {
            changes.accounts.push(ChangedAccount { address, account, storage_cleared: false });
            continue;
        }
        let base = base_account(state, address)?;
        let account = account.unwrap_or(base);
        if let Some((hash, code)) = new_code(base, account, memory) {
            changes.codes.insert(hash, code.original_bytes());
        }
        let storage_cleared = base.is_some() && cleared.contains_key(&address);
        if account != base || storage_cleared {
            changes.accounts.push(ChangedAccount { address, account, storage_cleared });
        } else {
            changes.owners.insert(address, account);
        }
    }
    for FinalSlot { address, slot, version, value, certainty } in part.slots {
        if certainty == Certainty::Differs && cleared.is_empty() {
            changes.slots.push((address, slot, value));
            continue;
        }
        let cleared = cleared.get(&address);
        if cleared.is_some_and(|&cleared| version < cleared) {
            continue;
        }
        let base = if cleared.is_some() { U256::ZERO } else { state.storage_ref(address, slot)? };
        if value != base {
            changes.slots.push((address, slot, value));
        }
    }
    Ok(changes)
}

/// The code of an account, if it was deployed in this block.
fn new_code(base: Option<AccountState>, account: Option<AccountState>, memory: &Memory) -> Option<(B256, Bytecode)> {
    let hash = account?.code_hash;
    if hash == KECCAK_EMPTY || base.is_some_and(|base| base.code_hash == hash) {
        return None;
    }
    memory.code(&hash).map(|code| (hash, code))
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
