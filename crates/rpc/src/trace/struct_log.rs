//! The default trace, opcode by opcode, in geth's spelling.

use alloy_rpc_types_trace::geth::{DefaultFrame, StructLog};
use revm::context::result::ExecutionResult;

/// Leaves out what geth leaves out (empty memory and return data, a refund of zero) and words errors as geth does.
pub(super) fn polish(mut frame: DefaultFrame, result: &ExecutionResult) -> DefaultFrame {
    // A call that runs no code has no frame of its own; its outcome is known all the same.
    frame.failed = !result.is_success();
    frame.gas = result.tx_gas_used();
    frame.return_value = result.output().cloned().unwrap_or_default();
    frame.struct_logs.iter_mut().for_each(polish_step);
    frame
}

fn polish_step(step: &mut StructLog) {
    step.refund_counter = step.refund_counter.filter(|refund| *refund != 0);
    step.return_data = step.return_data.take().filter(|data| !data.is_empty());
    step.memory = step.memory.take().filter(|memory| !memory.is_empty());
    step.error = step.error.take().map(|error| sentence(&error).to_owned());
}

/// geth's sentence for the name of an instruction result.
fn sentence(name: &str) -> &str {
    let name = name.strip_prefix("Some(").and_then(|name| name.strip_suffix(')')).unwrap_or(name);
    match name {
        name if name.ends_with("OOG") || name == "OutOfGas" => "out of gas",
        "InvalidJump" => "invalid jump destination",
        "StackUnderflow" => "stack underflow",
        "StackOverflow" => "stack limit reached 1024 (1023)",
        "InvalidFEOpcode" => "invalid opcode: INVALID",
        "OpcodeNotFound" | "NotActivated" => "invalid opcode",
        "OutOfOffset" => "return data out of bounds",
        "StateChangeDuringStaticCall" | "CallNotAllowedInsideStatic" => "write protection",
        "CreateCollision" => "contract address collision",
        "CreateInitCodeSizeLimit" => "max initcode size exceeded",
        "CallTooDeep" => "max call depth exceeded",
        other => other,
    }
}
