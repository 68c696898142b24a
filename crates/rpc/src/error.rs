//! Errors as JSON-RPC clients see them: geth's codes, and sentences that tools match on.

use alloy_primitives::Bytes;
use alloy_sol_types::{Panic, Revert, SolError};
use braid_chain::{BlockError, ChainError, state::StoreError};
use braid_pool::Rejection;
use jsonrpsee::types::ErrorObjectOwned;

/// The body is not JSON.
pub const PARSE_ERROR: i32 = -32700;
/// The JSON is not a request.
pub const INVALID_REQUEST: i32 = -32600;
/// There is no such method.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The arguments are wrong.
pub const INVALID_PARAMS: i32 = -32602;
/// The node failed.
pub const INTERNAL: i32 = -32603;
/// The request was understood and refused.
pub const SERVER: i32 = -32000;
/// What was asked for does not exist.
pub const NOT_FOUND: i32 = -32001;
/// A result is too large (EIP-1474 "limit exceeded").
pub const LIMIT_EXCEEDED: i32 = -32005;
/// What was asked for needs history that is no longer kept.
pub const PRUNED: i32 = 4444;
/// A call reverted; `data` carries what it returned.
pub const REVERTED: i32 = 3;

/// A refused or failed request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// JSON-RPC code.
    pub code: i32,
    /// What is wrong.
    pub message: String,
    /// More for machines: return data of a revert.
    pub data: Option<serde_json::Value>,
}

impl RpcError {
    /// An error with a code of its own.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// An error with a code and data of its own.
    pub fn with_data(code: i32, message: impl Into<String>, data: serde_json::Value) -> Self {
        Self { code, message: message.into(), data: Some(data) }
    }

    /// The arguments are wrong.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    /// The request was understood and refused.
    pub fn server(message: impl Into<String>) -> Self {
        Self::new(SERVER, message)
    }

    /// The node failed, through no fault of the client.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(INTERNAL, message)
    }

    /// What was asked for does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(NOT_FOUND, message)
    }

    /// The result would be larger than a limit.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(LIMIT_EXCEEDED, message)
    }

    /// State or headers were asked of a block that does not exist.
    pub fn header_not_found() -> Self {
        Self::server("header not found")
    }

    /// What was asked for needs history that is not here.
    pub fn pruned() -> Self {
        Self::new(PRUNED, "Pruned history unavailable")
    }

    /// The method is not offered.
    pub fn method_not_found(method: &str) -> Self {
        Self::new(METHOD_NOT_FOUND, format!("the method {method} does not exist/is not available"))
    }

    /// A call reverted and returned `output`; a reason that Solidity encoded is spelt out.
    pub fn reverted(output: &Bytes) -> Self {
        let message = match revert_reason(output) {
            Some(reason) => format!("execution reverted: {reason}"),
            None => "execution reverted".to_owned(),
        };
        Self::with_data(REVERTED, message, serde_json::Value::String(output.to_string()))
    }
}

/// What Solidity's `revert("…")` or a panic code says, as geth words it.
pub fn revert_reason(output: &[u8]) -> Option<String> {
    if let Ok(revert) = Revert::abi_decode(output) {
        return Some(revert.reason);
    }
    let panic = Panic::abi_decode(output).ok()?;
    Some(match panic.kind() {
        Some(kind) => panic_sentence(kind).to_owned(),
        None => format!("unknown panic code: {:#x}", panic.code),
    })
}

fn panic_sentence(kind: alloy_sol_types::PanicKind) -> &'static str {
    use alloy_sol_types::PanicKind;
    match kind {
        PanicKind::Generic => "generic panic",
        PanicKind::Assert => "assert(false)",
        PanicKind::UnderOverflow => "arithmetic underflow or overflow",
        PanicKind::DivisionByZero => "division or modulo by zero",
        PanicKind::EnumConversionError => "enum overflow",
        PanicKind::StorageEncodingError => "invalid encoded storage byte array accessed",
        PanicKind::EmptyArrayPop => "out-of-bounds array access; popping on an empty array",
        PanicKind::ArrayOutOfBounds => "out-of-bounds access of an array or bytesN",
        PanicKind::ResourceError => "out of memory",
        PanicKind::InvalidInternalFunction => "uninitialized function",
        _ => "unknown panic",
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        Self::owned(error.code, error.message, error.data)
    }
}

impl From<StoreError> for RpcError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Pruned(_) => Self::server(error.to_string()),
            other => Self::internal(other.to_string()),
        }
    }
}

impl From<ChainError> for RpcError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Store(error) => error.into(),
            other => Self::internal(other.to_string()),
        }
    }
}

impl From<BlockError> for RpcError {
    fn from(error: BlockError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<Rejection> for RpcError {
    fn from(rejection: Rejection) -> Self {
        Self::server(rejection.to_string())
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;

    use super::*;

    #[test]
    fn a_revert_carries_its_reason_and_data() {
        let output = Bytes::from(Revert { reason: "too late".to_owned() }.abi_encode());
        let error = RpcError::reverted(&output);
        assert_eq!((error.code, error.message.as_str()), (3, "execution reverted: too late"));
        assert_eq!(error.data, Some(serde_json::Value::String(output.to_string())));
    }

    #[test]
    fn a_panic_is_spelt_out() {
        let output = Bytes::from(Panic { code: U256::from(0x11) }.abi_encode());
        assert_eq!(RpcError::reverted(&output).message, "execution reverted: arithmetic underflow or overflow");
    }

    #[test]
    fn a_custom_error_has_no_reason() {
        let output = Bytes::from_static(&[1, 2, 3, 4]);
        assert_eq!(RpcError::reverted(&output).message, "execution reverted");
        assert_eq!(RpcError::reverted(&Bytes::new()).message, "execution reverted");
    }
}
