//! What happened inside transactions: geth's `debug_trace…` and Parity's `trace_…`.
//!
//! A past transaction is traced by running its block again from the state of its parent (`replay`), with an inspector on
//! the EVM. `debug` shapes the result as geth does, `parity` and `filter` as Parity did.

mod debug;
mod replay;
mod struct_log;

use jsonrpsee::core::RegisterMethodError;

use crate::method::Module;

/// Registers the methods of this module.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    debug::register(module)
}
