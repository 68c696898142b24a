//! Moving what the log holds into the flat store, in one atomic batch.
//!
//! What changed is not taken from the log but from the difference of two states: it is already deduplicated, exact
//! for cleared storage, and yields the old values that the history needs. Blocks go on being committed
//! meanwhile; only taking the job and reporting it done hold the memory's lock.

use std::sync::Arc;

use braid_keccak::hash_all;
use braid_types::{BlockRef, ExecutedBlock, Height, limits::MAX_PRUNED_HEIGHTS};
use fjall::OwnedWriteBatch;

use crate::{
    codec::{Checkpoint, encode_block, encode_receipts},
    error::StoreError,
    flat::Flat,
    history::{put_touched, remove_history},
    memory::{Memory, Names, Pending},
    meter::Stopwatch,
    state::{Difference, State},
    store::Shared,
};

/// What one checkpoint writes.
struct Job {
    /// The state in the flat store.
    base: State,
    /// What the flat store holds.
    previous: Option<Checkpoint>,
    records: Vec<Pending>,
    /// The state after each height with a record, in order.
    steps: Vec<(Height, State)>,
    head: BlockRef,
}

impl Job {
    /// Everything up to the head; `None` if there is nothing to write.
    fn take(memory: &Memory) -> Option<Self> {
        let head = memory.head_ref()?;
        let records: Vec<_> = memory.pending.iter().cloned().collect();
        let mut heights: Vec<_> = records.iter().map(|record| record.height).collect();
        heights.dedup();
        let steps = heights.iter().filter_map(|height| Some((*height, memory.states.get(height)?.clone()))).collect();
        let job = Self { base: memory.durable.clone(), previous: memory.checkpoint, records, steps, head };
        (!job.records.is_empty()).then_some(job)
    }

    fn transactions(&self) -> usize {
        let blocks = self.records.iter().filter_map(|record| record.block.as_ref());
        blocks.map(|block| block.block.transactions.len()).sum()
    }

    /// Heights to forget at most, so that a smaller history setting does not remove years in one batch.
    fn most_pruned(&self) -> u64 {
        MAX_PRUNED_HEIGHTS.saturating_add(self.records.len() as u64)
    }

    /// What the flat store holds afterwards.
    fn checkpoint(&self, history: Option<u64>) -> Option<Checkpoint> {
        let last = self.records.last()?;
        let (_, state) = self.steps.last()?;
        let first = self.previous.map_or_else(|| self.records.first().map(|it| it.height), |it| Some(it.first))?;
        let wanted = history.map_or(first, |blocks| self.head.height.saturating_sub(blocks));
        let before = self.previous.map_or(first, |it| it.history_from);
        let history_from = wanted.min(before.saturating_add(self.most_pruned())).max(before);
        Some(Checkpoint { block: self.head, root: state.root(), sequence: last.sequence, history_from, first })
    }
}

impl Shared {
    /// Writes everything up to the head into the flat store.
    pub(crate) fn checkpoint(&self) -> Result<BlockRef, StoreError> {
        let _turn = self.checkpointing.lock();
        self.checkpoint_in_turn()?;
        self.writer
            .lock()
            .log
            .remove_through(self.checkpointed_sequence())
            .map_err(|error| self.poison(error.into()))?;
        self.memory.read().checkpoint.map(|checkpoint| checkpoint.block).ok_or(StoreError::Empty)
    }

    /// The same without touching the log; the caller holds `checkpointing`.
    pub(crate) fn checkpoint_in_turn(&self) -> Result<(), StoreError> {
        self.check_writable()?;
        let Some(job) = Job::take(&self.memory.read()) else { return Ok(()) };
        let Some(checkpoint) = job.checkpoint(self.options.history) else { return Ok(()) };
        let mut watch = Stopwatch::start();
        let differences = write(&self.flat, &job, &checkpoint).map_err(|error| self.poison(error))?;
        let Some((_, durable)) = job.steps.last() else { return Ok(()) };
        if let Some(pager) = &self.pager {
            pager.set_durable(durable.accounts(), &differences);
        }
        self.memory.write().checkpointed(job.records.len(), durable.clone(), checkpoint);
        self.codes.unpin(job.records.iter().flat_map(|record| record.names.codes.keys()));
        self.meters.checkpoint.work(watch.lap(), job.transactions());
        Ok(())
    }

    fn checkpointed_sequence(&self) -> u64 {
        self.memory.read().checkpoint.map_or(0, |checkpoint| checkpoint.sequence)
    }
}

/// Returns what has changed in the state.
fn write(flat: &Arc<Flat>, job: &Job, checkpoint: &Checkpoint) -> Result<Vec<Difference>, StoreError> {
    let mut batch = flat.batch();
    for record in &job.records {
        match (&record.block, &record.record) {
            (Some(block), Some(encoded)) => {
                flat.put_encoded(&mut batch, block, (encoded.block(), encoded.receipts()));
            }
            (Some(block), None) => flat.put_encoded(&mut batch, block, encode(block)),
            (None, _) => {}
        }
        put_names(flat, &mut batch, &job.base, &record.names);
    }
    flat.put_transactions(&mut batch, job.records.iter().filter_map(|record| record.block.as_deref()));
    let differences = job.steps.last().map(|(_, last)| job.base.diff(last)).unwrap_or_default();
    put_differences(flat, &mut batch, &differences);
    let (mut before, mut history) = (&job.base, Vec::new());
    for (height, after) in &job.steps {
        if *height > checkpoint.history_from {
            history.extend(put_touched(flat, &mut batch, *height, &before.diff(after))?);
        }
        before = after;
    }
    // In the order of keys, in which the store takes them at less cost.
    history.sort_unstable();
    history.into_iter().for_each(|(key, value)| batch.insert(&flat.history, key, value));
    if let Some(previous) = job.previous {
        for height in previous.history_from + 1..=checkpoint.history_from.min(previous.block.height) {
            remove_history(flat, &mut batch, height)?;
        }
    }
    flat.put_checkpoint(&mut batch, checkpoint);
    batch.commit()?;
    Ok(differences)
}

fn encode(block: &ExecutedBlock) -> (Vec<u8>, Vec<u8>) {
    (encode_block(block), encode_receipts(&block.receipts))
}

/// Writes the values after each difference.
pub(crate) fn put_differences(flat: &Flat, batch: &mut OwnedWriteBatch, differences: &[Difference]) {
    for difference in differences {
        let (key, _, new) = difference.encoded();
        flat.put_value(batch, &key, new);
    }
}

/// Records codes, and the addresses and slots that `base` does not have yet.
fn put_names(flat: &Flat, batch: &mut OwnedWriteBatch, base: &State, names: &Names) {
    for (hash, code) in &names.codes {
        batch.insert(&flat.code, hash.as_slice(), code.as_ref());
    }
    let addresses: Vec<_> = names.accounts.iter().map(|(address, _)| address).collect();
    for ((address, slots), account) in names.accounts.iter().zip(hash_all(&addresses)) {
        if base.hashed_account(&account).is_none() {
            batch.insert(&flat.preimage, account.as_slice(), address.as_slice());
        }
        let slots: Vec<[u8; 32]> = slots.iter().map(|slot| slot.to_be_bytes()).collect();
        for (slot, hash) in slots.iter().zip(hash_all(&slots)) {
            if base.hashed_slot(&account, &hash).is_zero() {
                batch.insert(&flat.preimage, hash.as_slice(), slot);
            }
        }
    }
}
