//! Taking blocks back, for development chains: one atomic batch over a checkpointed store.
//!
//! The log needs no mark: its records are all at or below the checkpoint's sequence number, which recovery skips.

use std::sync::Arc;

use alloy_trie::KECCAK_EMPTY;
use braid_types::{ExecutedBlock, Height};
use fjall::OwnedWriteBatch;

use crate::{
    checkpoint::put_differences,
    codec::Checkpoint,
    error::StoreError,
    history::{put_history, rebuild, remove_history},
    state::{Difference, State},
    store::{Head, Shared},
};

impl Shared {
    /// See [`crate::Store::rollback`].
    pub(crate) fn rollback(&self, height: Height, state: Option<State>) -> Result<Arc<Head>, StoreError> {
        let _turn = self.checkpointing.lock();
        // The writer's lock keeps commits out until the head has moved.
        let _writer = self.writer.lock();
        self.checkpoint_in_turn()?;
        let (head, old) = {
            let memory = self.memory.read();
            (memory.head.clone().ok_or(StoreError::Empty)?, memory.checkpoint.ok_or(StoreError::Empty)?)
        };
        if height > old.block.height {
            return Err(StoreError::AboveHead(height));
        }
        let block = self.block(height)?.ok_or(StoreError::Pruned(height))?;
        let natural = self.natural_state(height, &head, &old)?;
        let target = match state {
            Some(state) => state.over(&self.codes, self.pager.as_ref()),
            None => natural.clone().ok_or(StoreError::Pruned(height))?,
        };
        let checkpoint = Checkpoint {
            block: block.block_ref(),
            root: target.root(),
            history_from: old.history_from.min(height),
            ..old
        };
        let differences = head.state.diff(&target);
        let batch = self.undo(&differences, natural.as_ref(), &target, &old, &checkpoint)?;
        batch.commit().map_err(|error| self.poison(error.into()))?;
        if let Some(pager) = &self.pager {
            pager.set_durable(target.accounts(), &differences);
        }
        Ok(self.move_head(block, target, checkpoint))
    }

    /// The state after the block at `height`, if it is still kept.
    fn natural_state(&self, height: Height, head: &Head, old: &Checkpoint) -> Result<Option<State>, StoreError> {
        if let Some(state) = self.memory.read().states.get(&height) {
            return Ok(Some(state.clone()));
        }
        if height < old.history_from {
            return Ok(None);
        }
        rebuild(&self.flat, &head.state, height, old.block.height).map(Some)
    }

    /// Everything the flat store has to change.
    fn undo(
        &self,
        differences: &[Difference],
        natural: Option<&State>,
        target: &State,
        old: &Checkpoint,
        new: &Checkpoint,
    ) -> Result<OwnedWriteBatch, StoreError> {
        let flat = &self.flat;
        let mut batch = flat.batch();
        for height in new.block.height + 1..=old.block.height {
            let block = self.block(height)?.ok_or(StoreError::Damaged("block below the head is missing"))?;
            flat.remove_block(&mut batch, &block)?;
            remove_history(flat, &mut batch, height)?;
        }
        self.put_codes(&mut batch, target, differences)?;
        put_differences(flat, &mut batch, differences);
        if let Some(natural) = natural.filter(|_| new.block.height > new.history_from) {
            put_history(flat, &mut batch, new.block.height, &natural.diff(target))?;
        }
        flat.put_checkpoint(&mut batch, new);
        Ok(batch)
    }

    /// Writes code that accounts of a given state name and the disk does not have.
    fn put_codes(
        &self,
        batch: &mut OwnedWriteBatch,
        target: &State,
        differences: &[Difference],
    ) -> Result<(), StoreError> {
        for difference in differences {
            let Difference::Account { new: Some(account), .. } = difference else { continue };
            let hash = account.code_hash;
            if hash != KECCAK_EMPTY && !self.flat.code.contains_key(hash)? {
                batch.insert(&self.flat.code, hash.as_slice(), target.code(hash)?.as_ref());
            }
        }
        Ok(())
    }

    fn move_head(&self, block: Arc<ExecutedBlock>, target: State, checkpoint: Checkpoint) -> Arc<Head> {
        let mut memory = self.memory.write();
        memory.truncate(checkpoint.block.height);
        memory.durable = target.clone();
        memory.checkpoint = Some(checkpoint);
        memory.set_head(block, 0, target)
    }
}
