//! A worker: commits at the frontier if it can, executes ahead of it otherwise, and sleeps if there is neither.

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U256, map::AddressMap};
use braid_types::{RecoveredTx, changes::AccountState};
use revm::{
    DatabaseRef, ExecuteEvm,
    context::{
        ContextSetters, Transaction as _, TxEnv,
        result::{EVMError, ExecutionResult, InvalidTransaction},
    },
    handler::Handler,
    state::Account,
};

use super::{
    access::{AccessRange, Accesses, Sender, Taking, publish},
    commit::Committer,
    evm::{HotSlots, WorkerEvm, WorkerHandler, worker_evm},
    kept::Keeping,
    memory::{Memory, clear_hash},
    schedule::{Executed, Included, Lists, Run, Schedule},
    settle::{Own, Settling},
    view::View,
};
use crate::{
    block::{evm_error, receipt},
    evm::transaction_env,
    outcome::{AccessListUse, BlockContext, Config, ExecError},
    symbolic::Tracker,
    threads::{AtomicBool, Condvar, Mutex, Ordering, RwLock},
};
use braid_types::Fork;

/// What all workers of a block share.
#[derive(Debug)]
pub(crate) struct Shared<'a, S: DatabaseRef> {
    pub(crate) block: &'a BlockContext,
    pub(crate) transactions: &'a [RecoveredTx],
    pub(crate) config: &'a Config,
    pub(crate) state: &'a S,
    pub(crate) memory: &'a Memory,
    pub(crate) schedule: Mutex<Schedule>,
    /// Signalled when sleepers should look again.
    pub(crate) wake: Condvar,
    pub(crate) committer: Mutex<Committer<S::Error>>,
    /// Slots that conflicted, in the order in which that was learned.
    pub(crate) heat: RwLock<Vec<(Address, U256, Heat)>>,
    /// The fee recipient as of the last commit, for those who execute ahead.
    pub(crate) beneficiary: Mutex<Option<AccountState>>,
    /// Set when all is committed, or nothing will be any more.
    pub(crate) is_over: AtomicBool,
}

impl<S: DatabaseRef> Shared<'_, S> {
    /// Ends the block for all workers.
    pub(crate) fn end(&self) {
        // Ordering: sleepers look under the schedule's lock, which is taken here too.
        self.is_over.store(true, Ordering::Release);
        let schedule = self.schedule.lock();
        self.wake.notify_all();
        drop(schedule);
    }

    pub(crate) fn is_over(&self) -> bool {
        // Ordering: see `end`.
        self.is_over.load(Ordering::Acquire)
    }
}

/// Ends the block if its worker panics, so that nobody waits for it.
struct EndOnPanic<'s, 'a, S: DatabaseRef>(&'s Shared<'a, S>);

impl<S: DatabaseRef> Drop for EndOnPanic<'_, '_, S> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}

/// One EVM with what it needs from transaction to transaction.
#[derive(Debug)]
pub(crate) struct Worker<'a, S: DatabaseRef> {
    pub(crate) evm: WorkerEvm<'a, S>,
    /// Hashes of what was published and not announced yet.
    pub(crate) hashes: Vec<u32>,
    pub(crate) tracker: Tracker,
    /// Gas and gas limit of the transactions of a run.
    used: Vec<(u64, u64)>,
    hot: HotSlots,
    /// How much of the list of hot slots is known.
    known_heat: usize,
    /// Whether contracts may stay in the journal.
    keeps: bool,
    block: &'a BlockContext,
    transactions: &'a [RecoveredTx],
}

/// What is done about a slot that conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heat {
    /// It is tracked symbolically: perhaps what is done to it commutes.
    Tracked,
    /// It does not commute.
    Serial,
}

/// What a transaction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inputs {
    /// What is there now may change before it commits.
    Guessed,
    /// All before it is committed.
    Final,
}

/// Why a transaction gave no result.
#[derive(Debug)]
pub(crate) enum Refused<E: std::error::Error> {
    Invalid(InvalidTransaction),
    Failed(ExecError<E>),
}

/// Accounts by address, as they are.
pub(crate) type Owners = AddressMap<Option<AccountState>>;

/// Works until the block is over. Returns the accounts of which this worker's transactions changed nothing but slots.
pub(crate) fn work<S: DatabaseRef + Sync>(shared: &Shared<'_, S>) -> Owners {
    let _guard = EndOnPanic(shared);
    let mut worker = Worker::new(shared);
    while !shared.is_over() {
        if let Some(mut committer) = shared.committer.try_lock() {
            committer.advance(shared, &mut worker);
        }
        let mut schedule = shared.schedule.lock();
        if schedule.is_frontier_open() {
            continue;
        }
        match schedule.speculate() {
            Some(run) => {
                if schedule.is_all_handed_out() {
                    shared.wake.notify_all();
                }
                drop(schedule);
                worker.speculate(shared, &run);
            }
            // Who has nothing more to do leaves at once: to wake up for the end of the block takes its time.
            None if shared.is_over() || schedule.is_all_handed_out() => break,
            None => shared.wake.wait(&mut schedule),
        }
    }
    let view = worker.evm.ctx.journaled_state.database;
    view.buffers.give_back();
    view.owners
}

impl<'a, S: DatabaseRef> Worker<'a, S> {
    pub(crate) fn new(shared: &Shared<'a, S>) -> Self {
        let view = View::new(shared.state, shared.memory, shared.transactions.len(), shared.block.beneficiary);
        Self {
            evm: worker_evm(shared.block, shared.config, view),
            hashes: Vec::new(),
            tracker: Tracker::default(),
            used: Vec::new(),
            hot: HotSlots::default(),
            known_heat: 0,
            keeps: shared.config.access_list == AccessListUse::Ignore,
            block: shared.block,
            transactions: shared.transactions,
        }
    }

    pub(crate) fn view(&mut self) -> &mut View<'a, S> {
        &mut self.evm.ctx.journaled_state.database
    }

    /// Executes a run ahead of the frontier and publishes what it did.
    fn speculate(&mut self, shared: &Shared<'_, S>, run: &Run) {
        let followed = self.view().follow();
        {
            let mut progress = run.progress.lock();
            progress.followed = followed;
            progress.lists.accesses.reserve(run.range.len());
            progress.lists.executed.reserve(run.range.len());
        }
        self.follow_heat(shared);
        self.view().beneficiary_state = *shared.beneficiary.lock();
        self.hashes.clear();
        self.used.clear();
        self.forget();
        for index in run.range.clone() {
            let result = self.run(index, Inputs::Guessed);
            let mut progress = run.progress.lock();
            if progress.is_cancelled {
                self.discard();
                return;
            }
            let Lists { accesses, executed } = &mut progress.lists;
            let range = self.take(accesses);
            let result = result.ok().map(|(result, fee)| self.included(index, result, fee));
            match &result {
                Some(included) => {
                    self.publish(accesses, &range, index);
                    let limit = self.transactions[index as usize].gas_limit();
                    self.used.push((included.receipt.cumulative_gas_used(), limit));
                }
                None => self.discard(),
            }
            executed.push(Executed { result, accesses: range });
        }
        self.announce(run.range.start);
        let mut schedule = shared.schedule.lock();
        schedule.finish(run);
        schedule.note_gas(self.used.drain(..));
    }

    /// Learns which slots became hot, or turned out not to be worth tracking.
    fn follow_heat(&mut self, shared: &Shared<'_, S>) {
        let heat = shared.heat.read();
        for &(address, slot, heat) in &heat[self.known_heat..] {
            match heat {
                Heat::Tracked => self.hot.insert((address, slot)),
                Heat::Serial => self.hot.remove(&(address, slot)),
            };
        }
        self.known_heat = heat.len();
    }

    /// Announces what was published since the last announcement, by transactions from `first` on.
    pub(crate) fn announce(&mut self, first: u32) {
        if !self.hashes.is_empty() {
            self.evm.ctx.journaled_state.database.memory().announce(first + 1, &self.hashes);
            self.hashes.clear();
        }
    }

    /// Notes a location that was published by this worker's hand.
    pub(crate) fn note_write(&mut self, hash: u64) {
        self.evm.ctx.journaled_state.database.note_write(hash, &mut self.hashes);
    }

    /// Notes what another worker published and did not announce.
    pub(crate) fn note_published(&mut self, accesses: &Accesses) {
        for access in &accesses.accounts {
            let Some(after) = access.after else { continue };
            self.note_write(access.hash);
            if after.clears_storage {
                self.note_write(clear_hash(access.hash));
            }
        }
        for access in accesses.slots.iter().filter(|access| access.after.is_some()) {
            self.note_write(access.hash);
        }
    }

    /// Runs a transaction on what is there now. The journal is left as it is, to be taken.
    pub(crate) fn run(&mut self, index: u32, inputs: Inputs) -> Result<(ExecutionResult, U256), Refused<S::Error>> {
        let transaction = &self.transactions[index as usize];
        let expected = (inputs == Inputs::Guessed).then(|| (transaction.signer(), transaction.nonce()));
        self.view().begin(index, expected);
        if inputs == Inputs::Final {
            return self.run_prepared(index, &HotSlots::default());
        }
        let hot = std::mem::take(&mut self.hot);
        let result = self.run_prepared(index, &hot);
        self.hot = hot;
        result
    }

    /// Runs a transaction on final inputs, and tracks some slots to see what it does to them.
    pub(crate) fn run_tracked(
        &mut self,
        index: u32,
        hot: &HotSlots,
    ) -> Result<(ExecutionResult, U256), Refused<S::Error>> {
        self.view().begin(index, None);
        self.run_prepared(index, hot)
    }

    fn run_prepared(&mut self, index: u32, hot: &HotSlots) -> Result<(ExecutionResult, U256), Refused<S::Error>> {
        self.evm.ctx.set_tx(transaction_env(&self.transactions[index as usize]));
        let mut handler = WorkerHandler::new(&mut self.tracker, hot);
        match handler.run(&mut self.evm) {
            Ok(result) => Ok((result, handler.fee.get())),
            Err(EVMError::Transaction(reason)) => Err(Refused::Invalid(reason)),
            Err(error) => Err(Refused::Failed(evm_error(error))),
        }
    }

    /// Takes what a transaction did out of the journal, into `accesses`.
    pub(crate) fn take(&mut self, accesses: &mut Accesses) -> AccessRange {
        let sender = sender(&self.evm.ctx.tx, self.evm.ctx.journaled_state.database.creates);
        let taking = Taking {
            sender,
            removes_empty: self.block.fork >= Fork::SpuriousDragon,
            keeping: self.keeping(),
            tracker: &self.tracker,
        };
        let journal = &mut self.evm.ctx.journaled_state;
        accesses.take(&mut journal.inner.state, &mut journal.database, taking)
    }

    /// Takes what a transaction did that was executed with final inputs out of the journal, and publishes it. `see` is
    /// shown every account of it, with whether it is removed.
    pub(crate) fn settle(&mut self, index: u32, see: impl FnMut(Address, &Account, bool)) -> Own {
        let keeping = self.keeping();
        let journal = &mut self.evm.ctx.journaled_state;
        let settling = Settling {
            view: &mut journal.database,
            hashes: &mut self.hashes,
            version: index + 1,
            beneficiary: self.block.beneficiary,
            removes_empty: self.block.fork >= Fork::SpuriousDragon,
            keeping,
        };
        settling.settle(&mut journal.inner.state, see)
    }

    /// What stays in the journal after the transaction that was run. Where the block's access list is wanted, nothing does: it
    /// lists what a transaction itself has loaded.
    fn keeping(&self) -> Keeping {
        let next = self.evm.ctx.journaled_state.inner.transaction_id;
        Keeping::after(next, self.block.beneficiary, self.keeps)
    }

    /// Forgets contracts that stayed in the journal: others may have written since.
    pub(crate) fn forget(&mut self) {
        self.evm.ctx.journaled_state.inner.state.clear();
    }

    /// Throws away what a transaction did that is left out, and all that stayed.
    pub(crate) fn discard(&mut self) {
        self.evm.finalize();
    }

    pub(crate) fn included(&mut self, index: u32, result: ExecutionResult, fee: U256) -> Included {
        let (fork, transaction) = (self.block.fork, &self.transactions[index as usize]);
        Included { receipt: receipt(fork, transaction, result, |logs| self.view().buffers.hashes.bloom(logs)), fee }
    }

    pub(crate) fn publish(&mut self, accesses: &Accesses, range: &AccessRange, index: u32) {
        let view = &mut self.evm.ctx.journaled_state.database;
        publish(accesses, range, index + 1, self.block.beneficiary, view, &mut self.hashes);
    }
}

fn sender(tx: &TxEnv, creates: bool) -> Sender {
    let has_authorizations = !tx.authorization_list.is_empty();
    Sender {
        address: tx.caller,
        upfront: tx.max_balance_spending().unwrap_or(U256::MAX),
        needs_nonces: creates || tx.kind.is_create() || has_authorizations,
        has_authorizations,
    }
}
