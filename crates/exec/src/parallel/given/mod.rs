//! Execution of a block that carries its access list (EIP-7928).
//!
//! The list tells the state before every transaction. So all transactions are executed at once, in any order and by any
//! thread, each on the state that the list says it begins with; nothing is shared between threads but the list, the base
//! state, and a counter that hands out work. What each transaction accessed and left is compared with the list
//! ([`check`]).
//!
//! This gives what sequential execution gives, by induction: the first transaction begins with the base state and what the
//! system calls left, which was compared with the list; if all before a transaction left what the list says, then the
//! list tells the state it begins with, and what it does there is what it does in the block. The order comes in
//! afterwards, in one cheap pass: cumulative gas, and room for gas and blobs.
//!
//! If anything is not as the list says, all is thrown away, and the block is executed sequentially: then the error is what
//! sequential execution says, and it names the first difference. A false list so costs its reader up to one more execution, which
//! ends with the first difference that a thread finds.
//!
//! What the block changed is not gathered from the transactions: it is the difference between the base state and the last
//! values in the list.

mod check;
mod collect;
#[cfg(test)]
mod tests;
mod view;

use alloy_eips::eip7928::{AccountChanges, BlockAccessIndex};
use braid_types::{Fork, Receipt, RecoveredTx};
use revm::{
    DatabaseRef, ExecuteEvm, MainnetEvm,
    bytecode::opcode,
    context::ContextSetters,
    handler::{Handler, MainnetContext},
    interpreter::Instruction,
};

use self::{
    check::{Checked, Refused, refused},
    collect::Collected,
    view::GivenView,
};
use super::keccak::keccak256;
use crate::{
    access_list::{BlockAccessList, GivenState, StateBefore, index_after},
    block::{self, BlockEvm, append, check_room, receipt},
    eip7610::CreationHandler,
    evm::{new_evm, transaction_env},
    outcome::{AccessListUse, BlockContext, BlockOutcome, Config, OnInvalid},
    overlay::Overlay,
    system,
    threads::{self, AtomicBool, AtomicUsize, Ordering},
};

/// Most transactions that are handed out at once. Neighbours tend to use the same contracts.
const MAX_RUN: usize = 16;

/// Accounts of the list whose changes are collected at once.
const ACCOUNTS_AT_ONCE: usize = 64;

/// What all threads share.
#[derive(Debug)]
struct Shared<'a, S> {
    block: &'a BlockContext,
    transactions: &'a [RecoveredTx],
    config: &'a Config,
    state: &'a S,
    list: &'a [AccountChanges],
    given: &'a GivenState<'a>,
    next_transaction: AtomicUsize,
    next_account: AtomicUsize,
    is_refused: AtomicBool,
}

/// What one thread did.
#[derive(Debug)]
struct Done<'a> {
    checked: Checked<'a>,
    /// Receipts of runs of transactions, each as if it were the first of its block, with the number of the first.
    receipts: Vec<(usize, Vec<Receipt>)>,
    collected: Collected,
}

type GivenEvm<'a, S> = MainnetEvm<MainnetContext<GivenView<'a, S>>>;

/// The list that a block is to be executed from, if it can be.
pub(crate) fn list<'a>(
    block: &BlockContext,
    transactions: &[RecoveredTx],
    config: &'a Config,
) -> Option<&'a BlockAccessList> {
    let AccessListUse::Given(list) = &config.access_list else { return None };
    let serves = block.fork >= Fork::Cancun
        && !transactions.is_empty()
        && config.on_invalid == OnInvalid::Fail
        && !config.per_transaction_changes;
    serves.then_some(list)
}

/// Executes a block from its access list, whose form was checked. `None`: the list is not what the block does, or the block
/// cannot be executed.
pub(crate) fn execute<S: DatabaseRef + Sync>(
    block: &BlockContext,
    transactions: &[RecoveredTx],
    state: &S,
    config: &Config,
    list: &[AccountChanges],
) -> Option<BlockOutcome> {
    let given = GivenState::new(list);
    let shared = Shared {
        block,
        transactions,
        config,
        state,
        list,
        given: &given,
        next_transaction: AtomicUsize::new(0),
        next_account: AtomicUsize::new(0),
        is_refused: AtomicBool::new(false),
    };
    let threads = config.threads.get().min(transactions.len());
    let parts = threads::run(threads, |number| shared.work(number));
    let done = parts.into_iter().collect::<Result<Vec<_>, _>>().ok()?;
    shared.join(done, threads).ok()
}

impl<'a, S: DatabaseRef + Sync> Shared<'a, S> {
    /// The work of one thread. Who finds the list wrong tells the others.
    fn work(&self, number: usize) -> Result<Done<'a>, Refused> {
        let done = self.try_work(number);
        if done.is_err() {
            // Ordering: it carries nothing, and only saves time.
            self.is_refused.store(true, Ordering::Relaxed);
        }
        done
    }

    fn try_work(&self, number: usize) -> Result<Done<'a>, Refused> {
        let mut checked = Checked::new(self.list, self.given);
        if number == 0 {
            self.before_transactions(&mut checked)?;
        }
        let mut evm = self.evm();
        let mut receipts = Vec::new();
        while let Some((first, run)) = self.next_run() {
            receipts.push((first, self.run(&mut evm, &mut checked, first, run)?));
        }
        evm.ctx.journaled_state.database.buffers.give_back();
        let mut collected = Collected::default();
        while let Some((first, accounts)) = self.next_accounts() {
            collected.add(self.state, self.given, first, accounts).map_err(refused)?;
        }
        Ok(Done { checked, receipts, collected })
    }

    fn evm(&self) -> GivenEvm<'a, S> {
        let mut evm = new_evm(self.block, GivenView::new(self.state, self.given));
        evm.ctx.cfg.disable_eip3607 = self.config.allow_contract_senders;
        evm.instruction.instruction_table_mut()[opcode::KECCAK256 as usize] = Instruction::new(keccak256);
        evm
    }

    /// The next transactions to execute, with the number of the first. Runs get shorter towards the end, so that all threads
    /// end together.
    fn next_run(&self) -> Option<(usize, &'a [RecoveredTx])> {
        let length = |first: usize| {
            let left = self.transactions.len().saturating_sub(first);
            (left / (4 * self.config.threads.get())).clamp(1, MAX_RUN).min(left)
        };
        // Ordering: the counter is all that is shared; results are handed over when the threads end.
        let handed_out = self.next_transaction.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |first| {
            let length = length(first);
            (length > 0).then_some(first + length)
        });
        let first = handed_out.ok()?;
        Some((first, &self.transactions[first..first + length(first)]))
    }

    /// The next accounts of the list whose changes are to be collected, with the number of the first.
    fn next_accounts(&self) -> Option<(usize, &'a [AccountChanges])> {
        // Ordering: as for transactions.
        let first = self.next_account.fetch_add(ACCOUNTS_AT_ONCE, Ordering::Relaxed);
        let end = first.saturating_add(ACCOUNTS_AT_ONCE).min(self.list.len());
        self.list.get(first..end).filter(|accounts| !accounts.is_empty()).map(|accounts| (first, accounts))
    }

    /// Executes neighbouring transactions.
    fn run(
        &self,
        evm: &mut GivenEvm<'a, S>,
        checked: &mut Checked<'_>,
        first: usize,
        run: &[RecoveredTx],
    ) -> Result<Vec<Receipt>, Refused> {
        let mut receipts = Vec::with_capacity(run.len());
        for (position, transaction) in (first..).zip(run) {
            if self.is_refused.load(Ordering::Relaxed) {
                return Err(Refused);
            }
            receipts.push(self.transaction(evm, checked, index_after(position), transaction)?);
        }
        Ok(receipts)
    }

    fn transaction(
        &self,
        evm: &mut GivenEvm<'a, S>,
        checked: &mut Checked<'_>,
        index: BlockAccessIndex,
        transaction: &RecoveredTx,
    ) -> Result<Receipt, Refused> {
        evm.ctx.journaled_state.database.begin(index);
        evm.ctx.set_tx(transaction_env(transaction));
        let result = CreationHandler::default().run(evm).map_err(refused)?;
        let mut journal = std::mem::take(&mut evm.ctx.journaled_state.inner.state);
        checked.transaction(index, &mut journal)?;
        // The emptied map goes back, so that its memory serves the next transaction.
        evm.finalize();
        evm.ctx.journaled_state.inner.state = journal;
        let hashes = &mut evm.ctx.journaled_state.database.buffers.hashes;
        Ok(receipt(self.block.fork, transaction, result, |logs| hashes.bloom(logs)))
    }

    /// Checks what happens before the transactions.
    fn before_transactions(&self, checked: &mut Checked<'_>) -> Result<(), Refused> {
        let mut overlay = Overlay::new(self.state, true, false);
        overlay.record_accesses();
        let mut evm: BlockEvm<'_, S> = new_evm(self.block, overlay);
        system::before_transactions(&mut evm, self.block).map_err(refused)?;
        checked.overlay(evm.ctx.journaled_state.database)
    }

    /// Checks what happens after the transactions; adds the requests to the outcome.
    fn after_transactions(&self, outcome: &mut BlockOutcome, checked: &mut Checked<'_>) -> Result<(), Refused> {
        let index = index_after(self.transactions.len());
        let state = StateBefore { base: self.state, given: self.given, index };
        let mut overlay = Overlay::new(&state, true, false);
        overlay.record_accesses();
        overlay.begin(index);
        let mut evm: BlockEvm<'_, _> = new_evm(self.block, overlay);
        if self.block.fork >= Fork::Prague {
            outcome.requests = system::requests(&mut evm, self.block, &outcome.receipts).map_err(refused)?;
        }
        let mut overlay = evm.ctx.journaled_state.database;
        block::pay(&mut overlay, self.block).map_err(refused)?;
        checked.overlay(overlay)
    }

    /// Puts together what the threads did.
    fn join(&self, parts: Vec<Done<'a>>, threads: usize) -> Result<BlockOutcome, Refused> {
        let mut outcome = BlockOutcome::default();
        let mut checked = Checked::new(self.list, self.given);
        let (mut receipts, mut collected) = (Vec::new(), Vec::new());
        for part in parts {
            checked.add(part.checked);
            receipts.extend(part.receipts);
            collected.push(part.collected);
        }
        self.order(receipts, &mut outcome)?;
        self.after_transactions(&mut outcome, &mut checked)?;
        checked.finish()?;
        let (mut changes, list) = collect::join(collected);
        collect::note_cleared(&mut changes, &checked.cleared, self.state, self.list, self.given)?;
        (outcome.changes, outcome.access_list) = (changes, Some(list));
        let executed = u64::try_from(self.transactions.len()).unwrap_or(u64::MAX);
        (outcome.statistics.executions, outcome.statistics.speculations) = (executed, executed);
        outcome.statistics.threads = u64::try_from(threads).unwrap_or(u64::MAX);
        Ok(outcome)
    }

    /// Adds the receipts to the outcome in the order of their transactions.
    fn order(&self, mut runs: Vec<(usize, Vec<Receipt>)>, outcome: &mut BlockOutcome) -> Result<(), Refused> {
        runs.sort_unstable_by_key(|(first, _)| *first);
        outcome.receipts.reserve(self.transactions.len());
        let receipts = runs.into_iter().flat_map(|(_, receipts)| receipts);
        for (transaction, receipt) in self.transactions.iter().zip(receipts) {
            check_room(self.block, transaction, outcome).map_err(refused)?;
            let gas_used = receipt.cumulative_gas_used();
            append(outcome, transaction, receipt, gas_used);
        }
        Ok(())
    }
}
