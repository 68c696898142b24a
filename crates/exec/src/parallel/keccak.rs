//! KECCAK256 with a memory for what mappings hash: 64 bytes, a key and the mapping's place.

use alloy_primitives::U256;
use revm::{
    Database,
    handler::MainnetContext,
    interpreter::{
        InstructionContext, InstructionExecResult, InstructionResult, instructions::system, interpreter::EthInterpreter,
    },
};

use super::hashes::Hashes;

/// A database that comes with a worker's memory of hashes.
pub(crate) trait HasHashes {
    /// The memory.
    fn hashes(&mut self) -> &mut Hashes;
}

/// The instruction.
pub(crate) fn keccak256<D: Database + HasHashes>(
    context: InstructionContext<'_, MainnetContext<D>, EthInterpreter>,
) -> InstructionExecResult {
    let [.., length, offset] = context.interpreter.stack.data()[..] else { return system::keccak256(context) };
    let offset = usize::try_from(offset).ok().filter(|_| length == U256::from(64));
    let Some(offset) = offset else { return system::keccak256(context) };
    let InstructionContext { interpreter, host } = context;
    let params = &host.cfg.gas_params;
    if !interpreter.gas.record_regular_cost(params.keccak256_cost(64)) {
        return Err(InstructionResult::OutOfGas);
    }
    interpreter.resize_memory(params, offset, 64)?;
    let mut input = [0; 64];
    input.copy_from_slice(&interpreter.memory.slice_len(offset, 64));
    let hash = host.journaled_state.database.hashes().of_pair(&input);
    let words = interpreter.stack.data_mut();
    words.pop();
    if let Some(top) = words.last_mut() {
        *top = hash.into();
    }
    Ok(())
}
