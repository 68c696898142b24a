//! Parallel execution of a block: several threads, and the outcome of one.
//!
//! # The idea
//!
//! Transactions of a block are ordered; each sees what all before it left. Somewhere in the block is the *frontier*,
//! the first transaction that is not committed. All before it is final, so the transaction at the frontier can be
//! executed like in a sequential executor: its inputs are what they should be, and so is its result. One worker at a
//! time does that: it holds the [committer](commit).
//!
//! All other workers *speculate*: they execute transactions ahead of the frontier on what is there now, in the hope
//! that this is what will be there. When the frontier arrives at such a transaction, the committer compares what the
//! transaction read with what is there. If it is the same, the result is final without being executed again.
//!
//! **Why this is not slower.** Either the transaction at the frontier was executed ahead: then comparing is much
//! cheaper than executing. Or its speculation was wrong: then it is executed now, with final inputs, as it would have
//! been anyway, and cannot fail again. So a transaction is executed at most twice, and the useless one of the two kept
//! a thread busy that had nothing better to do. The frontier waits for one thing only, a run that another worker has
//! begun, and after a failure not even for that ([below](#when-speculation-does-not-pay)). What is left as overhead is
//! that reads are noted, writes are published, and cores share caches and memory; much of this chapter is about keeping
//! that small. With one thread nobody speculates, and what runs at the frontier is a sequential executor.
//!
//! The idea of executing optimistically in a given order over a multi-version memory is Block-STM's (Gelashvili et al.,
//! *Block-STM: Scaling Blockchain Execution by Turning Ordering Curse to a Performance Blessing*, 2022), and pevm
//! brought it to the EVM. [Below](#departures) is what is done differently.
//!
//! # Runs
//!
//! Handing over a transfer of one microsecond costs more than executing it. Transactions are therefore handed out in
//! *runs* of neighbours ([`schedule`]) that take about 60 µs, as their gas limits, and what recent transactions used of
//! theirs, predict ([`estimate`]). A run is handed out, published, announced and checked as one. A transaction that
//! may take as long as a worker's share of all that is left is begun at once, as a run by itself, however far
//! ahead it is: last in its turn it would be executed while the other workers have nothing to do. Workers without work
//! sleep; they are woken when the frontier moved on to where there is something to execute again. When nothing is left
//! to hand out they leave.
//!
//! How many runs may wait for the frontier begins small, doubles with every run that was right and halves with every one
//! that was not. So a block that begins with transactions that depend on each other is found out after a few dozen. It
//! also grows while the frontier executes transactions itself, and with what the one there is likely to take: to wait for a
//! chain to end is no better than to be wrong.
//!
//! # The multi-version memory and its event log
//!
//! What transactions write goes to the [`memory`], under its location (an account by its address; a slot by address and
//! key) and the *version* of its writer: version 0 is what the block did before its transactions, version i + 1 was
//! written by transaction i. Transaction i reads the highest version at or below i; if there is none, the base state.
//! So a transaction executed too early or too late never sees what is after it, and one at the frontier sees exactly
//! what sequential execution would show it.
//!
//! There is no registry of readers. Instead every publication appends one *event* to a log: the hashes of the locations
//! that it wrote. The order of steps is what soundness rests on:
//!
//! 1. A writer **puts** its values into the memory, **then announces** them in the log. The same for values that it
//!    withdraws.
//! 2. A reader **follows** the log to its end and notes how long it was, **then reads**. The locations that the log
//!    names are a filter for the reads to come: a location that nobody has announced is read from the base state,
//!    without a look into the memory and without a lock ([`view`]).
//! 3. The committer, when the run's turn comes, looks at **everything that was announced since** the length that the
//!    reader noted, as far as earlier transactions wrote it. What the run read and nobody announced since cannot have
//!    changed.
//!
//! If a writer announced before the reader followed, the reader saw its values, or newer ones. If it announced later,
//! the committer learns of it. It does not matter whether the reader saw a value that was put and not announced yet:
//! that event is still to come. Hashes in the log are short and may collide; then a location is compared for nothing.
//! They decide nothing else: a location is found by its full address and key, so no crafted slot can pass for another.
//!
//! # Validation by value
//!
//! A read that may have changed is compared by value ([`access`], [`commit`]): what is there now against what was seen.
//! Who wrote it, and how often, is no matter. A reentrancy guard that is set and reset, a pool that is moved and moved
//! back, a transaction that is executed again and leaves what it left before: nobody is disturbed by them.
//!
//! **Claim.** The outcome is that of sequential execution, whatever speculations saw.
//!
//! *Proof sketch*, by induction over the transactions. Assume that when transaction i is at the frontier, versions up
//! to i over the base state are the state that sequential execution has before transaction i. Versions up to i belong
//! to committed transactions only, so nobody but the committer can change that state now. Three things can happen.
//! - *It is executed here.* It reads that state, so its result is the sequential one.
//! - *It was executed ahead, and every value that it read is there now.* The EVM is a function of the transaction, the
//!   block and the values read, one after the other: given the first value, the second read asks for the same location,
//!   and so on. Executed now it would read the same and do the same. That no changed read is overlooked is the argument
//!   about the log above. Within a run, what one transaction's commit changed joins the set to be compared for the
//!   next.
//! - *It was executed ahead, and what changed is within bounds that it is known not to have noticed.* Then its result
//!   is patched to what it would have been; the sections on accounts and on commuting storage say why that is the same.
//!
//! Otherwise what it published is withdrawn, and it is executed here. In each case its writes are version i + 1
//! afterwards, so the assumption holds for the next. Room for gas and blobs, and with them what is cumulative, is
//! computed at the frontier alone. An error found ahead of the frontier is forgotten; it is the block's error only if
//! it comes up again with final inputs. ∎
//!
//! The statistics tell how it went; they may differ from run to run. Nothing else does.
//!
//! # Accounts: nonce, balance, code
//!
//! Blocks are full of transactions that touch the same accounts without caring what is in them. An account is therefore
//! compared in three parts ([`access`]).
//!
//! - **Code** must be the same.
//! - **Nonce** must be the same if the transaction could have noticed: it is the sender's, or contracts are created, or
//!   EIP-7702 authorizations are at work. A contract that creates others with CREATE2 alone does not notice its own
//!   nonce: the addresses come from salts, and the nonce is a count to which the transaction adds. A sender's nonce is *guessed*: if it is lower than the transaction says, the
//!   transactions between are on their way, and the speculation goes on with the nonce that will be there. At the
//!   frontier it must be there.
//! - **Balance** is mostly passed on: to pay is to subtract, to be paid is to add. A transaction then is a difference,
//!   and a *least balance* below which it would have gone another way: the most that a sender may spend, the value of a
//!   call that a contract made. Only where the EVM tells the balance to the program (`BALANCE`, `SELFBALANCE`,
//!   `SELFDESTRUCT`, a call that failed for lack of it) must it be the same. The instructions that may do so are
//!   wrapped ([`evm`]). Whether an account is empty must stay as it was (EIP-161), and where an account holds more than
//!   2^128 wei no balance of the transaction is a sum, so that no addition overflows unnoticed.
//!
//! **The fee recipient** earns from every transaction. Its account is kept by the committer and is not in the memory: a
//! worker's EVM does not pay it, but tells the fee; the committer adds. Who looks at the recipient's balance is
//! compared with the committer's account like with any other.
//!
//! # Storage that commutes
//!
//! Many transactions write one slot and still do not depend on each other: mints on one total supply, payments to one
//! recipient, votes on one proposal. [`symbolic`](crate::symbolic) executes a transaction with a guess for such a slot
//! and follows which words depend on it. It ends with conditions on the slot's value under which all would have gone
//! the same way, and with the value left as a function of the value found. If the value at commit satisfies the
//! conditions, the slot is *patched*; so are log words that were made of it (and the bloom, if it was a topic). Byte
//! code need not know.
//!
//! Tracking costs, so only slots are tracked that have conflicted ([`heat`]). When a transaction is executed again
//! because of a slot, this second execution tracks the slot, and then asks: would it have gone the same way with the
//! stale value of the first? If so, what it does commutes: from now on all speculations track the slot, and the next
//! conflict there is a patch. If not, the slot is *serial*. So one execution, which was due anyway, decides; nothing is
//! tried for long.
//!
//! # Storage that does not commute: chains
//!
//! The price of a pool depends on all swaps before. Speculating on such transactions at once is waste, but in order,
//! one after the other, they can be executed ahead: on what the one before left, though that is not committed either.
//! [`predict`] learns which belong together. Transactions that call the same function of the same contract with the
//! same addresses among their arguments, in any order, form a group; groups that were seen at one serial slot form a
//! *chain*. What was learned of one group holds for others that call the same function, *by analogy*: each larger one
//! becomes a chain of its own before any of it has conflicted. Where the groups meet at a slot after all, their chains
//! join. Where this is too narrow, and conflicts at the slot go on that no chain foresaw, all calls of the function join. A chain
//! is executed by one worker at a time, and the chain with most to do goes first; so eight pools keep two workers busy.
//! What was handed out of a chain before it was known, or follows a transaction that went wrong, was executed on what
//! does not hold. Nothing is executed on top of that: the chain waits until the frontier has passed it. A wrong
//! prediction costs time only.
//!
//! # When speculation does not pay
//!
//! - *Pauses.* After several runs in a row of which most had to be executed again, speculation pauses, and with every
//!   further failure for twice as long. A block that cannot be executed in parallel thus is executed by one worker, with
//!   few interruptions. A lesson learned ends the pause.
//! - *Taking over.* If the run at the frontier is still being executed elsewhere, the committer leaves, to speculate
//!   elsewhere itself; but after a failure it does not wait (after several, if the run is one transaction, of which
//!   nothing can be kept). It cancels the run, checks what the other has done of it, and executes the rest. Publishing
//!   happens under the run's lock, so that it is known what was published, and that nothing will be.
//!
//! # Rare things
//!
//! - *Storage that is cleared.* Where an account loses its storage (destroyed, created anew, removed as empty), the
//!   memory notes the version; slots of lower versions and of the base state are gone. The loss is announced like a
//!   write, under a hash of its own; from the first such event on in a block, who reads or compares a slot asks for this
//!   hash too.
//! - *Marks of EIP-7610.* No contract is created where there is storage. The base state marks accounts in question; a
//!   mark lives beside the account, outside of what is compared. Once any marked account was seen, speculations of the
//!   block are not trusted any more. Mainnet has 28 such accounts, which nothing can hit.
//! - *Deployed code* is kept by its hash, so a version of an account names it and need not hold it.
//! - *A worker that panics* ends the block for all, so that nobody waits for it; [`execute`](crate::execute) then
//!   executes the block sequentially.
//!
//! # What is bounded, and by what
//!
//! | what | by |
//! |---|---|
//! | executions of a transaction | two: ahead, and at the frontier |
//! | transactions of a run; how far ahead of the frontier | `MAX_RUN`, `MAX_AHEAD` in [`schedule`] |
//! | runs that wait for the frontier, at first and after failures | `RUNS_AT_FIRST`, `LEAST_RUNS` in [`schedule`] |
//! | transactions that are begun before their turn | `MAX_LONG` in [`estimate`] |
//! | failures that are free; length of a pause | `FREE_FAILURES`, `MAX_PAUSE` in [`schedule`] |
//! | slots examined after a conflict | `MAX_SUSPECTS` in [`heat`] |
//! | lessons of a block; chains by analogy from one; words of input looked at | `MAX_LESSONS`, `MAX_ANALOGIES`, `MAX_WORDS` in [`predict`] |
//! | conditions on a tracked slot | `MAX_INTERVALS` in `symbolic::slot` |
//! | balances that are sums, nonces that are counts | `LARGEST_SUMMED`, `LARGEST_COUNTED` in [`access`] |
//! | base slots and hashes that a worker remembers | `CACHED_SLOTS` in [`crew`], `PAIRS` and `WORDS` in [`hashes`] |
//! | contracts and slots that stay in the journal | `MAX_KEPT`, `MAX_SLOTS` in [`kept`] |
//! | buffers kept between blocks | `MAX_KEPT` in [`crew`] |
//! | contended locations that are named | `MAX_CONTENTIONS_PER_BLOCK` in `braid_types::limits` |
//!
//! The memory holds what the block writes, which its gas bounds; versions that nobody can read any more are dropped
//! when the next is put. The event log holds four bytes for every write and every withdrawal.
//!
//! # Blocks that carry their access list
//!
//! A list of EIP-7928 tells the state before every transaction. Then nothing is guessed, and nothing needs an order:
//! [`given`] executes all transactions at once, one hot pool included, and compares what they do with the list. A false
//! list is found out and costs its reader up to one more execution. Lists are also produced here, at commit
//! ([`record`]).
//!
//! # Small costs
//!
//! What is executed at the frontier goes from revm's journal straight into the memory, in place of older values
//! ([`settle`]). Lists of what was read and written are made of what is executed ahead alone.
//!
//! Contracts that a run's transactions call one after the other stay in revm's journal between them ([`kept`]). Most of what
//! was executed ahead is as it was: to find that, the committer looks at hashes that lie close together, and at nothing
//! else that the other core has in its caches.
//!
//! What is shared by threads is what they wait for, so a worker has of its own: an EVM; copies of byte code that it
//! uses often, for the counter of references would travel between cores ([`codes`]); slots of the base state that it
//! read; inputs of 64 bytes that it hashed, and blooms of topics ([`hashes`], [`keccak`]). Threads and large buffers
//! outlive the block ([`crew`]); nothing that was learned does, and what is left in the buffers is not found. At the end the changes are gathered by all threads and
//! are not sorted ([`Changes`]): a location that was written once, by a transaction that saw the base
//! state, need not even be compared with it.
//!
//! # What is executed sequentially
//!
//! Blocks whose transactions' changes are wanted one by one
//! ([`Config::per_transaction_changes`](crate::Config::per_transaction_changes)): before Byzantium every receipt holds a
//! state root. Blocks that carry an access list which cannot be used (before Cancun, or transactions may be left out)
//! or is false. Blocks of which a worker panicked. What a block does before and after its transactions is executed by
//! the caller's thread.
//!
//! # Departures
//!
//! From Block-STM and pevm:
//!
//! - *Values, not versions, are validated*, and only those that the log says may have changed.
//! - *A transaction is executed at most twice.* There a transaction may be executed as often as its inputs change. Here
//!   a wrong speculation is not repeated ahead of the frontier; it does not get better by being early twice.
//! - *Commits go along with execution*, in order, so there is no second phase and no counter of validated transactions
//!   to settle.
//! - *No estimates.* A reader does not wait for a writer that is expected; chains order transactions beforehand
//!   instead.
//! - *Nobody spins.* Workers without work sleep.
//! - *No identity of 64 bits.* A location is its address and slot. Hashes choose places in tables and filters.
//! - *No sequential second attempt for self-destructs*, nor for anything else that a transaction can do.
//!
//! From Aptos' aggregators: deltas and their ranges are found in unmodified byte code, and programs need not ask for
//! them.
//!
//! From operation-level schemes (Lin et al., *ParallelEVM*, 2025), which redo only the operations that depend on a
//! value that changed: a patch does that for words that are linear in the old value. A swap, whose result is a
//! quotient, is executed again. So one hot pool runs at about the speed of one thread, unless the block carries its
//! access list.
//!
//! # Reading order
//!
//! [`worker`] (what a thread does), [`schedule`] (who executes what next), [`commit`] (the frontier), [`settle`] (what
//! is executed there), [`memory`], [`view`] (how a transaction reads), [`access`] (what it read and wrote), [`kept`], [`evm`], then [`heat`], [`predict`]
//! and [`estimate`], [`record`], and [`given`]. This file holds what comes before the first transaction and after the last.

mod access;
mod codes;
mod commit;
mod crew;
mod estimate;
mod evm;
pub(crate) mod given;
mod hashes;
mod heat;
mod keccak;
mod kept;
mod memory;
mod predict;
mod record;
mod schedule;
mod settle;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod view;
mod worker;

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, U256, map::AddressMap};
use braid_types::{Fork, RecoveredTx, StateChanges, changes::AccountState};
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
        AccountWrite, Certainty, Final, FinalAccount, FinalSlot, Memory, SlotWrite, Standing, Version, account_hash,
        clear_hash, slot_hash,
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
    overlay::{Overlay, account_state},
    system,
    threads::{self, AtomicBool, Condvar, Mutex, RwLock},
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
    let threads = config.threads.get().min(transactions.len()).max(1);
    let memory = Memory::new(transactions.len(), threads);
    let recorder = (config.access_list != AccessListUse::Ignore).then(Recorder::default);
    let (before, recorder) = before_transactions(block, state, recorder)?;
    for &address in before.accounts.keys().chain([&block.beneficiary]) {
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
        schedule: Mutex::new(Schedule::new(transactions.iter().map(|transaction| transaction.gas_limit()), threads)),
        wake: Condvar::new(),
        committer: Mutex::new(Committer::new(outcome, beneficiary, recorder)),
        heat: RwLock::default(),
        beneficiary: Mutex::new(beneficiary),
        is_over: AtomicBool::new(false),
    };
    let mut owners = Owners::default();
    for part in threads::run(threads, |_| work(&shared)) {
        owners.extend(part);
    }
    let committer = shared.committer.into_inner();
    if let Some(error) = committer.error {
        return Err(error);
    }
    let mut outcome = committer.outcome;
    outcome.statistics.contended = committer.heat.tally.worst();
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
    memory.put_account(total + 1, &write, Standing::Final);
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
        if clears_storage {
            hashes.push(short(clear_hash(hash)));
        }
        memory.put_account(
            version,
            &AccountWrite { address, hash, state, clears_storage, certainty: Certainty::Unknown },
            Standing::Final,
        );
        for (&slot, &value) in &change.storage {
            let hash = slot_hash(hash, &slot);
            hashes.push(short(hash));
            let write = SlotWrite { address, slot, hash, value, certainty: Certainty::Unknown };
            memory.put_slot(version, &write, Standing::Final);
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
    Ok(state.basic_ref(address)?.as_ref().map(account_state))
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
    let mut parts = threads::run(threads, |first| collect_part(memory.drain(first, threads), memory, state, &cleared));
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
