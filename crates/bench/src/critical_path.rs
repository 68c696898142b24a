//! What unlimited threads could reach: the longest chain of transactions that need each other's results.
//!
//! A sequential pass notes for each transaction how long it takes and which accounts and slots it reads and changes. A
//! transaction depends on the latest one before it that changed something it reads; with several versions in memory nothing
//! else makes it wait. The chain that takes longest bounds every schedule from below ([`Graph::longest_chain`]). For a number of
//! threads a list schedule comes close to the best one: a free thread takes, among the transactions whose dependencies are
//! done, the one with the longest chain behind it (Graham, "Bounds on multiprocessing timing anomalies", 1969).
//!
//! What counts as a conflict is a choice: see [`Conflicts`].

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use alloy_primitives::{
    Address, U256,
    map::{AddressMap, HashMap},
};
use braid_exec::{ExecError, new_evm, transaction_env};
use revm::{
    DatabaseCommit, ExecuteEvm,
    context::ContextTr,
    database::CacheDB,
    state::{Account, EvmState},
};

use crate::{
    baseline,
    measure::Sample,
    state::{MemoryState, Missing},
};

/// Passes, of which each transaction's shortest time is kept: other programs disturb single ones.
const PASSES: usize = 3;

/// What makes one transaction wait for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflicts {
    /// Accounts and slots.
    All,
    /// The same without the account of the fee recipient, whose fees can be added up at the end.
    WithoutFees,
    /// Slots and code alone: nonces follow from the block, and balances are added up at the end.
    Storage,
    /// Nothing: the block's access list tells what every transaction reads.
    None,
}

/// What a transaction did.
#[derive(Clone, Debug, Default)]
struct Trace {
    time: Duration,
    accounts: Vec<(Address, Change)>,
    slots: Vec<(Address, U256, bool)>,
}

/// How an account that was read changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    NonceOrBalance,
    Code,
}

/// A block's transactions as the sequential pass saw them.
#[derive(Clone, Debug)]
pub struct Traces {
    traces: Vec<Trace>,
    beneficiary: Address,
}

/// Transactions, how long each takes, and what each waits for.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    times: Vec<Duration>,
    /// For each transaction, those before it that it needs.
    needs: Vec<Vec<usize>>,
}

/// Executes a block sequentially and notes what each transaction does.
///
/// # Errors
/// If the block cannot be executed.
pub fn trace(sample: &Sample) -> Result<Traces, ExecError<Missing>> {
    let mut traces = pass(sample, true)?;
    for _ in 1..PASSES {
        for (trace, again) in traces.iter_mut().zip(pass(sample, false)?) {
            trace.time = trace.time.min(again.time);
        }
    }
    Ok(Traces { traces, beneficiary: sample.context.beneficiary })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn pass(sample: &Sample, record: bool) -> Result<Vec<Trace>, ExecError<Missing>> {
    let mut db: CacheDB<&MemoryState> = CacheDB::new(&sample.state);
    baseline::begin(&mut db, &sample.context)?;
    let mut evm = new_evm(&sample.context, db);
    let mut traces = Vec::with_capacity(sample.transactions.len());
    for transaction in &sample.transactions {
        let begin = Instant::now();
        let result = evm.transact_one(transaction_env(transaction));
        let journal = evm.finalize();
        let executed = begin.elapsed();
        result.map_err(|error| ExecError::Evm(error.to_string()))?;
        let mut trace = if record { accesses(&journal) } else { Trace::default() };
        let begin = Instant::now();
        evm.ctx.db_mut().commit(journal);
        trace.time = executed + begin.elapsed();
        traces.push(trace);
    }
    Ok(traces)
}

/// What a transaction's journal says it read and changed.
fn accesses(journal: &EvmState) -> Trace {
    let mut trace = Trace::default();
    #[expect(clippy::iter_over_hash_type, reason = "dependencies are a set; their order does not matter")]
    for (&address, account) in journal {
        trace.accounts.push((address, change(account)));
        #[expect(clippy::iter_over_hash_type, reason = "dependencies are a set; their order does not matter")]
        for (&slot, value) in &account.storage {
            trace.slots.push((address, slot, value.is_changed()));
        }
    }
    trace
}

fn change(account: &Account) -> Change {
    let (before, after) = (account.original_info(), &account.info);
    if account.is_created() || account.is_selfdestructed() || before.code_hash != after.code_hash {
        Change::Code
    } else if (before.nonce, before.balance) != (after.nonce, after.balance) {
        Change::NonceOrBalance
    } else {
        Change::None
    }
}

impl Traces {
    /// How the transactions depend on each other.
    pub fn graph(&self, conflicts: Conflicts) -> Graph {
        let mut graph = Graph::default();
        if conflicts == Conflicts::None {
            graph.times = self.traces.iter().map(|trace| trace.time).collect();
            graph.needs = vec![Vec::new(); self.traces.len()];
            return graph;
        }
        let (mut accounts, mut slots) = (AddressMap::default(), HashMap::<(Address, U256), usize>::default());
        for (index, trace) in self.traces.iter().enumerate() {
            let mut needs: Vec<usize> = Vec::new();
            needs.extend(trace.accounts.iter().filter_map(|(address, _)| accounts.get(address)));
            needs.extend(trace.slots.iter().filter_map(|&(address, slot, _)| slots.get(&(address, slot))));
            needs.sort_unstable();
            needs.dedup();
            graph.needs.push(needs);
            graph.times.push(trace.time);
            let changed = trace.accounts.iter().filter(|&&(address, change)| self.counts(address, change, conflicts));
            accounts.extend(changed.map(|&(address, _)| (address, index)));
            let changed = trace.slots.iter().filter(|(_, _, is_changed)| *is_changed);
            slots.extend(changed.map(|&(address, slot, _)| ((address, slot), index)));
        }
        graph
    }

    fn counts(&self, address: Address, change: Change, conflicts: Conflicts) -> bool {
        match (change, conflicts) {
            (Change::None, _) | (Change::NonceOrBalance, Conflicts::Storage) | (_, Conflicts::None) => false,
            (Change::NonceOrBalance, Conflicts::WithoutFees) => address != self.beneficiary,
            (Change::Code, _) | (Change::NonceOrBalance, Conflicts::All) => true,
        }
    }
}

impl Graph {
    /// Time of all transactions, one after the other.
    pub fn total(&self) -> Duration {
        self.times.iter().sum()
    }

    /// Time of the longest chain.
    pub fn longest_chain(&self) -> Duration {
        self.chains().into_iter().max().unwrap_or_default()
    }

    /// For each transaction, the time from its start to the end of the longest chain that begins with it.
    fn chains(&self) -> Vec<Duration> {
        let mut chains = self.times.clone();
        // Dependents come later, so that a transaction's chain is complete when its turn comes.
        for (index, needs) in self.needs.iter().enumerate().rev() {
            let chain = chains[index];
            for &need in needs {
                chains[need] = chains[need].max(self.times[need] + chain);
            }
        }
        chains
    }

    /// Time on so many threads, with a list schedule.
    pub fn schedule(&self, threads: NonZeroUsize) -> Duration {
        let chains = self.chains();
        let mut waits_for: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut dependents = vec![Vec::new(); self.needs.len()];
        for (index, needs) in self.needs.iter().enumerate() {
            for &need in needs {
                dependents[need].push(index);
            }
        }
        let ready = waits_for.iter().enumerate().filter(|&(_, &count)| count == 0);
        let mut ready: BinaryHeap<_> = ready.map(|(index, _)| (chains[index], Reverse(index))).collect();
        let mut running = BinaryHeap::new();
        let mut now = Duration::ZERO;
        loop {
            while running.len() < threads.get()
                && let Some((_, Reverse(index))) = ready.pop()
            {
                running.push((Reverse(now + self.times[index]), index));
            }
            let Some((Reverse(end), index)) = running.pop() else { return now };
            now = end;
            for &dependent in &dependents[index] {
                waits_for[dependent] -= 1;
                if waits_for[dependent] == 0 {
                    ready.push((chains[dependent], Reverse(dependent)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload;

    fn graph(times: &[u64], needs: &[&[usize]]) -> Graph {
        let times = times.iter().map(|&seconds| Duration::from_secs(seconds)).collect();
        Graph { times, needs: needs.iter().map(|needs| needs.to_vec()).collect() }
    }

    fn threads(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    #[test]
    fn a_chain_takes_its_length_on_any_number_of_threads() {
        let chain = graph(&[1, 2, 3], &[&[], &[0], &[1]]);
        assert_eq!(chain.longest_chain(), Duration::from_secs(6));
        assert_eq!(chain.schedule(threads(8)), Duration::from_secs(6));
    }

    #[test]
    fn independent_transactions_fill_the_threads() {
        let free = graph(&[1; 8], &[&[] as &[usize]; 8]);
        assert_eq!(free.longest_chain(), Duration::from_secs(1));
        for (count, seconds) in [(1, 8), (2, 4), (3, 3), (8, 1), (9, 1)] {
            assert_eq!(free.schedule(threads(count)), Duration::from_secs(seconds), "{count} threads");
        }
    }

    #[test]
    fn the_longest_chain_goes_first() {
        // A chain of three at the end, and three that are free: on two threads nobody need wait.
        let mixed = graph(&[1; 6], &[&[], &[], &[], &[], &[3], &[4]]);
        assert_eq!(mixed.schedule(threads(2)), Duration::from_secs(3));
    }

    #[test]
    fn what_conflicts_depends_on_what_is_lazy() {
        let limit = |name: &str, conflicts| {
            let sample = workload::find(name)[0].sample(Some(50)).unwrap();
            let graph = trace(&sample).unwrap().graph(conflicts);
            graph.needs.iter().filter(|needs| !needs.is_empty()).count()
        };
        assert_eq!(limit("eth-independent", Conflicts::All), 49, "all pay the fee recipient");
        assert_eq!(limit("eth-independent", Conflicts::WithoutFees), 0);
        assert_eq!(limit("eth-chain", Conflicts::WithoutFees), 49);
        assert_eq!(limit("eth-chain", Conflicts::Storage), 0);
        assert_eq!(limit("erc20-hot-oz", Conflicts::Storage), 49);
        assert_eq!(limit("worst-chain", Conflicts::Storage), 49);
        assert_eq!(limit("worst-chain", Conflicts::None), 0);
    }
}
