//! `debug_executionWitness`: what somebody without the state needs to execute a block.
//!
//! The block is executed again on a state that notes what is read; the parent's trie proves exactly that. Headers go back as
//! far as a block hash was asked for. Not included are nodes that are never read but move up when a neighbour is deleted
//! (a branch left with one child): who recomputes the root of such a block has to ask for them with `eth_getProof`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_debug::ExecutionWitness;
use braid_chain::{
    BlockView,
    exec::{self, Config},
    state::{State, StateAt},
    view::ViewError,
};
use braid_types::{ExecutedBlock, Height};
use jsonrpsee::core::RegisterMethodError;
use parking_lot::Mutex;
use revm::{
    DatabaseRef,
    bytecode::Bytecode,
    primitives::{StorageKey, StorageValue},
    state::AccountInfo,
};

use super::replay::existing;
use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module, blocking},
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "debug_executionWitness", 1, witness)?;
    blocking(module, "debug_executionWitnessByBlockHash", 1, |context, arguments| {
        let hash: B256 = arguments.required(0)?;
        of_block(context, existing(context, hash.into())?)
    })
}

/// A state that notes what is read from it.
struct Recorder {
    view: BlockView,
    read: Mutex<Read>,
}

/// What was read.
#[derive(Debug, Default)]
struct Read {
    slots: BTreeMap<Address, BTreeSet<U256>>,
    codes: BTreeMap<B256, Bytes>,
    oldest_hash: Option<Height>,
}

fn witness(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<ExecutionWitness, RpcError> {
    let id: BlockId = arguments.required(0)?;
    of_block(context, existing(context, id)?)
}

fn of_block(context: &RpcContext, block: Arc<ExecutedBlock>) -> Result<ExecutionWitness, RpcError> {
    let genesis = || RpcError::server("genesis has no witness: nothing was executed");
    let parent = block.height().checked_sub(1).ok_or_else(genesis)?;
    let view = context.chain.view_after(parent)?;
    let StateAt::Recent(state) = view.state.clone() else {
        return Err(RpcError::server("the state before this block is too old to be proven"));
    };
    let recorder = Recorder { view, read: Mutex::default() };
    let config = Config { allow_contract_senders: true, ..Config::default() };
    let executed = exec::execute(&context.chain.context_of(&block), &block.block.transactions, &recorder, &config);
    let outcome = executed.map_err(|error| RpcError::internal(format!("re-execution failed: {error}")))?;
    let mut read = recorder.read.into_inner();
    // What is written without being read (a balance that a reward adds to) is proven too.
    for (address, change) in &outcome.changes.into_state_changes().accounts {
        read.slots.entry(*address).or_default().extend(change.storage.keys());
    }
    let headers = headers(context, read.oldest_hash.unwrap_or(parent).min(parent), parent)?;
    let (nodes, keys) = prove(&state, &read.slots);
    let codes = read.codes.into_values().collect();
    Ok(ExecutionWitness { state: nodes, codes, keys, ..ExecutionWitness::default() }.with_headers(headers))
}

/// The trie nodes on the paths to what was read, each once, and the keys of those paths.
fn prove(state: &State, read: &BTreeMap<Address, BTreeSet<U256>>) -> (Vec<Bytes>, Vec<Bytes>) {
    let (mut nodes, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for (address, slots) in read {
        let slots: Vec<U256> = slots.iter().copied().collect();
        let proof = state.prove(*address, &slots);
        keys.insert(Bytes::copy_from_slice(address.as_slice()));
        keys.extend(slots.iter().map(|slot| Bytes::from(slot.to_be_bytes::<32>())));
        nodes.extend(proof.nodes);
        nodes.extend(proof.storage.into_iter().flat_map(|slot| slot.nodes));
    }
    (nodes.into_iter().collect(), keys.into_iter().collect())
}

fn headers(context: &RpcContext, from: Height, to: Height) -> Result<Vec<alloy_consensus::Header>, RpcError> {
    let mut headers = Vec::new();
    for height in from..=to {
        let block = context.chain.store().block(height)?;
        headers.extend(block.map(|block| block.block.header.clone()));
    }
    Ok(headers)
}

impl DatabaseRef for Recorder {
    type Error = ViewError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ViewError> {
        self.read.lock().slots.entry(address).or_default();
        self.view.basic_ref(address)
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, ViewError> {
        let code = self.view.code_by_hash_ref(code_hash)?;
        self.read.lock().codes.insert(code_hash, code.original_bytes());
        Ok(code)
    }

    fn storage_ref(&self, address: Address, index: StorageKey) -> Result<StorageValue, ViewError> {
        self.read.lock().slots.entry(address).or_default().insert(index);
        self.view.storage_ref(address, index)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ViewError> {
        let mut read = self.read.lock();
        read.oldest_hash = Some(read.oldest_hash.map_or(number, |oldest| oldest.min(number)));
        drop(read);
        self.view.block_hash_ref(number)
    }
}
