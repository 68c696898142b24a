//! Net gas metering of SSTORE as Constantinople had it (EIP-1283), which revm leaves out.
//!
//! Mainnet never ran it: Petersburg removed it at the same height. Test networks and old test suites do. The formula is
//! that of EIP-2200 (Istanbul) with 200 gas for a load and without the check for the call stipend, so revm's own
//! formula serves with these numbers:
//!
//! | case | gas | refund |
//! |---|---|---|
//! | nothing changes, or the slot was changed before in the transaction | 200 | |
//! | zero becomes something | 20,000 | |
//! | something else changes | 5,000 | 15,000 if it becomes zero |
//! | back to zero / to the original value | 200 | 19,800 / 4,800 |

use revm::{
    bytecode::opcode,
    context_interface::{
        cfg::gas_params::{GasId, GasParams},
        host::Host,
    },
    handler::instructions::EthInstructions,
    interpreter::{
        Instruction, InstructionContext, InstructionExecResult, InstructionResult,
        instructions::host::sstore_with_gas_accounting, interpreter_types::InterpreterTypes,
    },
    primitives::hardfork::SpecId,
};

/// Gas of a load, charged for every SSTORE.
const LOAD_GAS: u64 = 200;
/// Gas of creating a slot, beyond the load.
const SET_GAS: u64 = 20_000 - LOAD_GAS;
/// Gas of changing a slot, beyond the load.
const RESET_GAS: u64 = 5_000 - LOAD_GAS;

/// Gas parameters of Constantinople: those of Petersburg but for SSTORE.
pub(crate) fn gas_params() -> GasParams {
    let mut params = GasParams::new_spec(SpecId::PETERSBURG);
    params.override_gas([
        (GasId::sstore_static(), LOAD_GAS),
        (GasId::sstore_set_without_load_cost(), SET_GAS),
        (GasId::sstore_reset_without_cold_load_cost(), RESET_GAS),
        (GasId::sstore_set_refund(), SET_GAS),
        (GasId::sstore_reset_refund(), RESET_GAS),
    ]);
    params
}

/// Replaces SSTORE.
pub(crate) fn install<W: InterpreterTypes, H: Host>(instructions: &mut EthInstructions<W, H>) {
    instructions.insert_instruction(opcode::SSTORE, Instruction::new(sstore), 0);
}

fn sstore<W: InterpreterTypes, H: Host + ?Sized>(context: InstructionContext<'_, H, W>) -> InstructionExecResult {
    sstore_with_gas_accounting(context, |context, _, stored| {
        let params = context.host.gas_params();
        let (gas, refund) = (params.sstore_dynamic_gas(true, stored, false), params.sstore_refund(true, stored));
        if !context.interpreter.gas.record_regular_cost(gas) {
            return Err(InstructionResult::OutOfGas);
        }
        context.interpreter.gas.record_refund(refund);
        Ok(())
    })
}
