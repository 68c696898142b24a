//! How a call ended, in geth's words.

use revm::context::result::{ExecutionResult, HaltReason};

/// geth's sentence for the reason a call stopped (`core/vm/errors.go`).
pub(crate) fn halt_sentence(reason: &HaltReason) -> String {
    let sentence = match reason {
        HaltReason::OutOfGas(_) => "out of gas",
        HaltReason::OpcodeNotFound | HaltReason::NotActivated => "invalid opcode",
        HaltReason::InvalidFEOpcode => "invalid opcode: INVALID",
        HaltReason::InvalidJump => "invalid jump destination",
        HaltReason::StackUnderflow => "stack underflow",
        HaltReason::StackOverflow => "stack limit reached 1024 (1023)",
        HaltReason::OutOfOffset => "return data out of bounds",
        HaltReason::CreateCollision => "contract address collision",
        HaltReason::NonceOverflow => "nonce uint64 overflow",
        HaltReason::CreateContractSizeLimit => "max code size exceeded",
        HaltReason::CreateContractStartingWithEF => "invalid code: must not begin with 0xef",
        HaltReason::CreateInitCodeSizeLimit => "max initcode size exceeded",
        HaltReason::StateChangeDuringStaticCall | HaltReason::CallNotAllowedInsideStatic => "write protection",
        HaltReason::OutOfFunds => "insufficient balance for transfer",
        HaltReason::CallTooDeep => "max call depth exceeded",
        other => return other.to_string(),
    };
    sentence.to_owned()
}

/// What went wrong, without the reason that a contract gave; `None` if nothing did.
pub(crate) fn failure(result: &ExecutionResult) -> Option<String> {
    match result {
        ExecutionResult::Success { .. } => None,
        ExecutionResult::Revert { .. } => Some("execution reverted".to_owned()),
        ExecutionResult::Halt { reason, .. } => Some(halt_sentence(reason)),
    }
}

/// Most gas held at once while the call ran, refunds not counted.
pub(crate) fn peak_gas(result: &ExecutionResult) -> u64 {
    result.gas().total_gas_spent().max(result.gas().floor_gas())
}
