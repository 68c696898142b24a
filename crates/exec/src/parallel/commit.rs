//! The frontier: transactions become final here, one after the other, by one worker at a time.
//!
//! A run that was executed ahead is compared with what is there now. Only what others published after the run began can differ, so the
//! event log tells which reads to look at; those are compared by value. A transaction whose reads are as they were is final as it
//! is. One that saw other balances, but within the bounds of what it asked of them, is patched. Any other is executed
//! again, now with final inputs.

use std::mem::take;

use alloy_consensus::Transaction as _;
use alloy_primitives::U256;
use braid_types::{RecoveredTx, TxIndex, changes::AccountState};
use revm::DatabaseRef;

use super::{
    access::{AccessRange, Accesses, AccountAccess, SlotAccess, withdraw},
    base_account,
    heat::HeatMap,
    memory::{AccountWrite, Certainty, Memory, Standing, Version, account_hash, clear_hash},
    record::{Committed, record_account, record_journal},
    schedule::{Executed, Frontier, Included, Lists, Progress, Run},
    settle::Own,
    view::short,
    worker::{Inputs, Refused, Shared, Worker},
};
use crate::{
    access_list::{Recorder, index_after},
    block::{append, check_room, patch_log, refresh_bloom},
    outcome::{BlockOutcome, ExecError, OnInvalid},
    symbolic::LogPlace,
};
use braid_types::Fork;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Committer<E: std::error::Error> {
    pub(crate) outcome: BlockOutcome,
    /// The fee recipient.
    pub(crate) beneficiary: Option<AccountState>,
    /// Why the block ended early.
    pub(crate) error: Option<ExecError<E>>,
    frontier: u32,
    dirty: Dirty,
    changed: Changed,
    pub(crate) heat: HeatMap,
    /// What transactions accessed and changed, if the block's access list is wanted.
    pub(crate) recorder: Option<Recorder>,
}

/// Locations that may have changed under a run, by their hashes.
#[derive(Debug)]
struct Dirty {
    bits: Box<[u64; DIRTY_WORDS]>,
    /// The words in which bits were set.
    used: Vec<u16>,
}

/// Words of the set of changed locations: 32,768 bits, of which a few hundred are set at a time.
const DIRTY_WORDS: usize = 512;

impl Dirty {
    fn new() -> Self {
        Self { bits: Box::new([0; DIRTY_WORDS]), used: Vec::new() }
    }

    fn clear(&mut self) {
        for word in self.used.drain(..) {
            self.bits[usize::from(word)] = 0;
        }
    }

    fn add(&mut self, hashes: &[u32]) {
        for &hash in hashes {
            #[expect(clippy::cast_possible_truncation, reason = "below the number of words")]
            let word = (hash as usize / 64 % DIRTY_WORDS) as u16;
            let bits = &mut self.bits[usize::from(word)];
            if *bits == 0 {
                self.used.push(word);
            }
            *bits |= 1 << (hash % 64);
        }
    }

    fn has(&self, hash: u32) -> bool {
        !self.used.is_empty() && self.bits[hash as usize / 64 % DIRTY_WORDS] >> (hash % 64) & 1 != 0
    }
}

/// What a transaction read that is not as it saw it: places in its lists, and what is there now.
#[derive(Debug, Default)]
struct Changed {
    accounts: Vec<(usize, Option<AccountState>)>,
    slots: Vec<(usize, U256)>,
}

/// How a transaction that was executed ahead stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Unchanged,
    /// What it saw changed, but within its bounds.
    Patchable,
    Invalid,
}

/// Whether the writes of a run are in the event log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announced {
    Yes,
    No,
}

/// Whether a transaction is executed because of conflicts, whose slots are to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conflicts {
    None,
    Suspected,
}

impl<E: std::error::Error> Committer<E> {
    pub(crate) fn new(outcome: BlockOutcome, beneficiary: Option<AccountState>, recorder: Option<Recorder>) -> Self {
        let (dirty, changed, heat) = (Dirty::new(), Changed::default(), HeatMap::default());
        Self { outcome, beneficiary, error: None, frontier: 0, dirty, changed, heat, recorder }
    }

    /// Commits as far as it goes.
    pub(crate) fn advance<S>(&mut self, shared: &Shared<'_, S>, worker: &mut Worker<'_, S>)
    where
        S: DatabaseRef<Error = E> + Sync,
    {
        while !shared.is_over() {
            let step = {
                let mut schedule = shared.schedule.lock();
                let step = schedule.at_frontier(self.frontier);
                if schedule.is_all_handed_out() {
                    shared.wake.notify_all();
                } else if schedule.may_speculate() {
                    shared.wake.notify_one();
                }
                step
            };
            let before = (self.frontier, self.outcome.receipts.len());
            // Of what was executed ahead the gas is known already.
            let is_new = !matches!(step, Frontier::Check(_));
            let done = match step {
                Frontier::Elsewhere => return,
                Frontier::Finished => {
                    shared.end();
                    return;
                }
                Frontier::Execute(range) => self.execute(shared, worker, range),
                Frontier::TakeOver(run) => self.take_over(shared, worker, &run),
                Frontier::Check(run) => {
                    let progress = &mut run.progress.lock();
                    self.check(shared, worker, &run, progress, Announced::Yes).map(drop)
                }
            };
            if let Err(error) = done {
                self.error = Some(error);
                shared.end();
                return;
            }
            shared.memory.set_committed(self.frontier);
            let mut schedule = shared.schedule.lock();
            if is_new {
                schedule.note_gas(self.used_since(shared.transactions, before));
            }
            if let Some(chains) = self.heat.news() {
                schedule.set_chains(chains);
            }
            drop(schedule);
            *shared.beneficiary.lock() = self.beneficiary;
        }
    }

    /// Gas and gas limit of each transaction that was included since `frontier`, when there were so many receipts.
    fn used_since(
        &self,
        transactions: &[RecoveredTx],
        (frontier, receipts): (u32, usize),
    ) -> impl Iterator<Item = (u64, u64)> {
        let included = &self.outcome.receipts[receipts..];
        // Where transactions were left out, limits and receipts would not match.
        let is_complete = included.len() == (self.frontier - frontier) as usize;
        let mut sum = receipts.checked_sub(1).map_or(0, |last| self.outcome.receipts[last].cumulative_gas_used());
        let transactions = transactions[frontier as usize..].iter().filter(move |_| is_complete);
        included.iter().zip(transactions).map(move |(receipt, transaction)| {
            let used = receipt.cumulative_gas_used() - sum;
            sum += used;
            (used, transaction.gas_limit())
        })
    }

    /// Executes transactions with final inputs.
    fn execute<S: DatabaseRef<Error = E>>(
        &mut self,
        shared: &Shared<'_, S>,
        worker: &mut Worker<'_, S>,
        range: std::ops::Range<u32>,
    ) -> Result<(), ExecError<E>> {
        worker.view().follow();
        worker.hashes.clear();
        worker.forget();
        let first = range.start;
        for index in range {
            self.execute_one(shared, worker, index, Conflicts::None)?;
        }
        worker.announce(first);
        Ok(())
    }

    fn execute_one<S: DatabaseRef<Error = E>>(
        &mut self,
        shared: &Shared<'_, S>,
        worker: &mut Worker<'_, S>,
        index: u32,
        conflicts: Conflicts,
    ) -> Result<(), ExecError<E>> {
        let transaction = &shared.transactions[index as usize];
        let has_room = check_room(shared.block, transaction, &self.outcome);
        let result = has_room.map_err(Refused::Invalid).and_then(|()| {
            worker.view().beneficiary_state = self.beneficiary;
            self.outcome.statistics.executions += 1;
            match conflicts {
                Conflicts::None => worker.run(index, Inputs::Final),
                Conflicts::Suspected => worker.run_tracked(index, &self.heat.suspects),
            }
        });
        if conflicts == Conflicts::Suspected && result.is_ok() {
            self.heat.judge(shared, worker.tracker.slots(), index);
        }
        match result {
            Ok((result, fee)) => {
                let own = self.settle(shared, worker, index);
                let included = worker.included(index, result, fee);
                self.include(shared, worker, index, included, own);
                Ok(())
            }
            Err(Refused::Invalid(reason)) => {
                worker.discard();
                self.leave_out(shared, index, reason)
            }
            Err(Refused::Failed(error)) => Err(error),
        }
    }

    /// Publishes what a transaction did that was executed with final inputs.
    fn settle<S: DatabaseRef<Error = E>>(
        &mut self,
        shared: &Shared<'_, S>,
        worker: &mut Worker<'_, S>,
        index: u32,
    ) -> Own {
        let (transactions, beneficiary) = (shared.transactions, shared.block.beneficiary);
        let place = index_after(self.outcome.receipts.len());
        let Self { heat, recorder, .. } = self;
        worker.settle(index, |address, account, is_removed| {
            let loaded = account.storage.iter().filter(|(_, slot)| slot.transaction_id == account.transaction_id);
            heat.note_committed(transactions, index, address, loaded.map(|(slot, _)| slot));
            if let Some(recorder) = recorder {
                record_journal(recorder, place, beneficiary, (address, account, is_removed));
            }
        })
    }

    fn leave_out<S: DatabaseRef<Error = E>>(
        &mut self,
        shared: &Shared<'_, S>,
        index: u32,
        reason: revm::context::result::InvalidTransaction,
    ) -> Result<(), ExecError<E>> {
        match shared.config.on_invalid {
            OnInvalid::Fail => return Err(ExecError::InvalidTransaction { index: TxIndex(index), reason }),
            OnInvalid::Skip => self.outcome.skipped.push((TxIndex(index), reason)),
        }
        self.frontier += 1;
        Ok(())
    }

    /// Makes an executed transaction final, whose writes are published. `own`: what it left of the fee recipient.
    fn include<S: DatabaseRef<Error = E>>(
        &mut self,
        shared: &Shared<'_, S>,
        worker: &mut Worker<'_, S>,
        index: u32,
        included: Included,
        own: Own,
    ) {
        let before = self.beneficiary;
        let place = index_after(self.outcome.receipts.len());
        let gas_used = included.receipt.cumulative_gas_used();
        append(&mut self.outcome, &shared.transactions[index as usize], included.receipt, gas_used);
        if let Some(left) = own.left {
            self.beneficiary = left;
        }
        if !own.is_destroyed {
            self.pay_fee(shared, worker, (before, included.fee), index);
        }
        if let Some(recorder) = &mut self.recorder {
            let states = (before, self.beneficiary);
            record_account(shared.memory, recorder, place, shared.block.beneficiary, states);
        }
        self.frontier += 1;
    }

    /// Takes note of a transaction that was executed ahead and is about to be final, and says what it leaves of the fee
    /// recipient.
    fn note_accesses<S: DatabaseRef<Error = E>>(
        &mut self,
        shared: &Shared<'_, S>,
        version: Version,
        accesses: &Accesses,
        range: &AccessRange,
    ) -> Result<Own, E> {
        if !range.is_special && !self.heat.has_serial() && self.recorder.is_none() {
            return Ok(Own::default());
        }
        let beneficiary = shared.block.beneficiary;
        let slots = &accesses.slots[range.slots.clone()];
        for slots in slots.chunk_by(|one, other| one.address == other.address) {
            let keys = slots.iter().map(|access| &access.slot);
            self.heat.note_committed(shared.transactions, version, slots[0].address, keys);
        }
        if let Some(recorder) = &mut self.recorder {
            let (memory, state, index) = (shared.memory, shared.state, index_after(self.outcome.receipts.len()));
            Committed { memory, state, version, index, beneficiary, accesses, range }.record(recorder)?;
        }
        let own = accesses.accounts[range.accounts.clone()].iter().find(|access| access.address == beneficiary);
        Ok(Own {
            left: own.and_then(|access| access.patched(self.beneficiary)).map(|after| after.state),
            is_destroyed: own.is_some_and(|access| access.is_destroyed),
        })
    }

    /// Credits the fee recipient, which was `before` before the transaction, and touches it even if there is nothing to
    /// credit: so one that is empty goes.
    fn pay_fee<S: DatabaseRef<Error = E>>(
        &mut self,
        shared: &Shared<'_, S>,
        worker: &mut Worker<'_, S>,
        (before, fee): (Option<AccountState>, U256),
        index: u32,
    ) {
        let mut state = self.beneficiary.take().unwrap_or_default();
        // As revm does it: what cannot be added is lost.
        state.balance = state.balance.checked_add(fee).unwrap_or(state.balance);
        let is_removed = shared.block.fork >= Fork::SpuriousDragon && state == AccountState::default();
        self.beneficiary = (!is_removed).then_some(state);
        if before.is_some() && is_removed {
            let address = shared.block.beneficiary;
            let (hash, certainty) = (account_hash(&address), Certainty::Unknown);
            let write = AccountWrite { address, hash, state: None, clears_storage: true, certainty };
            shared.memory.put_account(index + 1, &write, Standing::Final);
            worker.note_write(clear_hash(hash));
        }
    }

    /// Takes a run over from the worker that executes it: what it has done is checked and committed, the rest is executed
    /// here.
    fn take_over<S: DatabaseRef<Error = E> + Sync>(
        &mut self,
        shared: &Shared<'_, S>,
        worker: &mut Worker<'_, S>,
        run: &Run,
    ) -> Result<(), ExecError<E>> {
        let done = {
            let mut progress = run.progress.lock();
            progress.is_cancelled = true;
            self.check(shared, worker, run, &mut progress, Announced::No)?
        };
        let rest = run.range.start + done..run.range.end;
        shared.schedule.lock().note_speculation(run.range.start, self.frontier, done == 0);
        self.execute(shared, worker, rest)
    }

    /// Commits a run that was executed ahead.
    fn check<S: DatabaseRef<Error = E> + Sync>(
        &mut self,
        shared: &Shared<'_, S>,
        worker: &mut Worker<'_, S>,
        run: &Run,
        progress: &mut Progress,
        announced: Announced,
    ) -> Result<u32, ExecError<E>> {
        let Progress { followed, lists: Lists { accesses, executed }, .. } = progress;
        let (start, mut repeated) = (run.range.start, 0);
        self.dirty.clear();
        shared.memory.follow(*followed, |first, hashes| {
            if first <= start {
                self.dirty.add(hashes);
            }
        });
        worker.view().follow();
        worker.hashes.clear();
        if announced == Announced::No {
            worker.note_published(accesses);
        }
        let transactions = u32::try_from(executed.len()).unwrap_or(u32::MAX);
        for (index, Executed { result, accesses: range }) in run.range.clone().zip(executed.drain(..)) {
            let known = worker.hashes.len();
            let has_room = check_room(shared.block, &shared.transactions[index as usize], &self.outcome).is_ok();
            let verdict = match &result {
                // Marks are no part of what is compared, and so rare that nothing is lost by executing again.
                Some(_) if has_room && !shared.memory.has_marked() => {
                    self.verdict(shared, accesses, &range, index).map_err(ExecError::State)?
                }
                _ => Verdict::Invalid,
            };
            self.outcome.statistics.executions += 1;
            self.outcome.statistics.speculations += 1;
            match (verdict, result) {
                (Verdict::Unchanged | Verdict::Patchable, Some(mut included)) => {
                    if verdict == Verdict::Patchable {
                        self.patch(shared, worker, accesses, &range, index, &mut included);
                    }
                    let own = self.note_accesses(shared, index, accesses, &range).map_err(ExecError::State)?;
                    self.include(shared, worker, index, included, own);
                }
                (_, result) => {
                    repeated += 1;
                    self.outcome.statistics.conflicts += 1;
                    self.outcome.statistics.re_executions += 1;
                    if result.is_some() {
                        let Worker { evm, hashes, .. } = worker;
                        withdraw(accesses, &range, index + 1, &evm.ctx.journaled_state.database, hashes);
                    }
                    worker.forget();
                    self.execute_one(shared, worker, index, Conflicts::Suspected)?;
                }
            }
            self.dirty.add(&worker.hashes[known..]);
        }
        worker.announce(start);
        accesses.clear();
        let lists = Lists { accesses: take(accesses), executed: take(executed) };
        let mut schedule = shared.schedule.lock();
        schedule.keep(lists);
        schedule.note_speculation(start, self.frontier, repeated * 2 > transactions);
        Ok(transactions)
    }

    /// Compares what a transaction saw with what is there now.
    fn verdict<S: DatabaseRef<Error = E>>(
        &mut self,
        shared: &Shared<'_, S>,
        accesses: &Accesses,
        range: &AccessRange,
        version: Version,
    ) -> Result<Verdict, E> {
        let mut verdict = Verdict::Unchanged;
        self.heat.suspects.clear();
        self.changed.accounts.clear();
        self.changed.slots.clear();
        if !self.may_have_changed(shared.memory, accesses, range) {
            return Ok(Verdict::Unchanged);
        }
        for at in range.accounts.clone() {
            let access = &accesses.accounts[at];
            let Some(now) = self.changed_account(shared, access, version)? else { continue };
            self.changed.accounts.push((at, now));
            if !access.admits(now) {
                self.heat.tally.conflict(access.address, None);
                verdict = Verdict::Invalid;
            } else if access.after.is_some() {
                verdict = verdict.max(Verdict::Patchable);
            }
        }
        for at in range.slots.clone() {
            let access = &accesses.slots[at];
            let Some(now) = self.changed_slot(shared, access, version)? else { continue };
            self.changed.slots.push((at, now));
            let tracked = access.tracked.map(|at| &accesses.tracked[at]);
            if tracked.is_some_and(|tracked| tracked.admits(now)) {
                verdict = verdict.max(Verdict::Patchable);
            } else {
                self.heat.suspect(access, version);
                verdict = Verdict::Invalid;
            }
        }
        Ok(verdict)
    }

    /// Whether anything that a transaction saw may be different now, as far as hashes tell.
    fn may_have_changed(&self, memory: &Memory, accesses: &Accesses, range: &AccessRange) -> bool {
        range.is_special
            || memory.has_clears()
            || accesses.hashes[range.hashes.clone()].iter().any(|&hash| self.dirty.has(hash))
    }

    /// What an account is now, if that is not what was seen.
    fn changed_account<S: DatabaseRef<Error = E>>(
        &self,
        shared: &Shared<'_, S>,
        access: &AccountAccess,
        version: Version,
    ) -> Result<Option<Option<AccountState>>, E> {
        let now = if access.address == shared.block.beneficiary {
            self.beneficiary
        } else if !access.is_guessed && !self.dirty.has(short(access.hash)) {
            return Ok(None);
        } else {
            match shared.memory.account(&access.address, access.hash, version) {
                Some(now) => now,
                None if access.is_from_base => access.seen,
                None => base_account(shared.state, access.address)?,
            }
        };
        Ok((now != access.seen).then_some(now))
    }

    /// What a slot holds now, if that is not what was seen.
    fn changed_slot<S: DatabaseRef<Error = E>>(
        &self,
        shared: &Shared<'_, S>,
        access: &SlotAccess,
        version: Version,
    ) -> Result<Option<U256>, E> {
        let is_cleared =
            || shared.memory.has_clears() && self.dirty.has(short(clear_hash(account_hash(&access.address))));
        if !self.dirty.has(short(access.hash)) && !is_cleared() {
            return Ok(None);
        }
        let now = match shared.memory.slot(&access.address, &access.slot, access.hash, version) {
            Some(now) => now,
            None if access.is_from_base => access.seen,
            None => shared.state.storage_ref(access.address, access.slot)?,
        };
        Ok((now != access.seen).then_some(now))
    }

    /// Publishes what a transaction leaves of the accounts and slots that are not as it saw them, which the verdict has
    /// found, and mends its logs.
    fn patch<S: DatabaseRef<Error = E>>(
        &mut self,
        shared: &Shared<'_, S>,
        worker: &mut Worker<'_, S>,
        accesses: &Accesses,
        range: &AccessRange,
        index: u32,
        included: &mut Included,
    ) {
        self.outcome.statistics.deltas += 1;
        for &(at, now) in &self.changed.accounts {
            let access = &accesses.accounts[at];
            if access.address == shared.block.beneficiary {
                continue;
            }
            let Some(after) = access.patched(now) else { continue };
            shared.memory.put_account(index + 1, &access.write(after), Standing::Guess);
            worker.note_write(access.hash);
        }
        for &(at, now) in &self.changed.slots {
            let access = &accesses.slots[at];
            let Some(at) = access.tracked else { continue };
            self.heat.note_delta(access);
            let after = accesses.tracked[at].apply(now);
            if after != now {
                shared.memory.put_slot(index + 1, &access.write(after), Standing::Guess);
            } else if access.after.is_some() {
                shared.memory.withdraw_slot(index + 1, &access.address, &access.slot, access.hash);
            } else {
                continue;
            }
            worker.note_write(access.hash);
        }
        self.patch_logs(accesses, range, included);
    }

    /// Puts the values that hold now into log words that were made of tracked slots.
    fn patch_logs(&self, accesses: &Accesses, range: &AccessRange, included: &mut Included) {
        for patch in &accesses.log_patches[range.log_patches.clone()] {
            let tracked = range.tracked.start + patch.slot;
            let changed = self.changed.slots.iter().find(|(at, _)| accesses.slots[*at].tracked == Some(tracked));
            let now = changed.map_or(accesses.tracked[tracked].guess(), |&(_, now)| now);
            patch_log(&mut included.receipt, patch, patch.apply(now));
        }
        if range.log_patches.clone().any(|at| matches!(accesses.log_patches[at].place, LogPlace::Topic(_))) {
            refresh_bloom(&mut included.receipt);
        }
    }
}
