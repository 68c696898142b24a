//! Precompiled contracts that a call may switch off or move to another address (`movePrecompileToAddress`).
//!
//! An address whose account is overridden in any way stops being a precompile, as in geth: the override's code, or no
//! code, runs instead. A moved precompile answers at its new address. Which addresses are warm from the beginning follows
//! the fork alone, whatever was moved.

use std::collections::BTreeMap;

use alloy_primitives::{Address, map::AddressSet};
use revm::{
    context::Cfg,
    context_interface::ContextTr,
    handler::{PrecompileProvider, precompile_output_to_interpreter_result},
    interpreter::{CallInputs, InterpreterResult},
    precompile::{PrecompileSpecId, Precompiles},
    primitives::hardfork::SpecId,
};

/// The precompiles of a fork, under the addresses at which they answer in one call.
#[derive(Clone, Debug)]
pub(crate) struct CallPrecompiles {
    all: &'static Precompiles,
    /// Where a precompile answers, and the address it was born with.
    at: BTreeMap<Address, Address>,
}

impl CallPrecompiles {
    /// Every precompile at its own address.
    pub(crate) fn new(spec: SpecId) -> Self {
        let all = Precompiles::new(PrecompileSpecId::from_spec_id(spec));
        let at = all.addresses().map(|address| (*address, *address)).collect();
        Self { all, at }
    }

    /// Whether a precompile answers at `address`.
    pub(crate) fn contains(&self, address: Address) -> bool {
        self.at.contains_key(&address)
    }

    /// Takes the precompile away from `address`; returns the one that was there.
    pub(crate) fn remove(&mut self, address: Address) -> Option<Address> {
        self.at.remove(&address)
    }

    /// Lets the precompile born at `origin` answer at `target`.
    pub(crate) fn place(&mut self, origin: Address, target: Address) {
        self.at.insert(target, origin);
    }
}

impl<CTX: ContextTr> PrecompileProvider<CTX> for CallPrecompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, _spec: <CTX::Cfg as Cfg>::Spec) -> bool {
        false
    }

    fn run(&mut self, context: &mut CTX, inputs: &CallInputs) -> Result<Option<InterpreterResult>, String> {
        let origin = self.at.get(&inputs.bytecode_address);
        let Some(precompile) = origin.and_then(|origin| self.all.get(origin)) else {
            return Ok(None);
        };
        let output = precompile
            .execute(&inputs.input.as_bytes(context), inputs.gas_limit, inputs.reservoir)
            .map_err(|error| error.to_string())?;
        Ok(Some(precompile_output_to_interpreter_result(output, inputs.gas_limit)))
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.all.addresses_set()
    }

    fn contains(&self, address: &Address) -> bool {
        self.at.contains_key(address)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::address;

    use super::*;

    #[test]
    fn a_moved_precompile_answers_only_at_its_new_address() {
        let (old, new) = (
            address!("0x0000000000000000000000000000000000000004"),
            address!("0x0000000000000000000000000000000000123456"),
        );
        let mut precompiles = CallPrecompiles::new(SpecId::OSAKA);
        let origin = precompiles.remove(old).unwrap();
        precompiles.place(origin, new);
        assert!(!precompiles.contains(old) && precompiles.contains(new));
    }
}
