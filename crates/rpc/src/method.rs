//! How a method is registered: its name, how many arguments it takes at most, and a function from arguments to result.
//!
//! Handlers are synchronous. [`quick`] ones run where the request was read and must be short; [`blocking`] ones have a
//! thread of their own; [`quick_unless_pending`] ones have one only if the `pending` block must be built for them. A panic in either is caught and answered as an internal error, so it ends one request and no more.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use alloy_primitives::{Address, B256, U64};
use jsonrpsee::{
    RpcModule,
    core::RegisterMethodError,
    types::{ErrorObjectOwned, Params},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{context::RpcContext, error::RpcError};

/// The methods of a server.
pub type Module = RpcModule<Arc<RpcContext>>;

/// A handler: arguments in, result out.
pub type Handler<R> = fn(&Arc<RpcContext>, &Arguments<'_>) -> Result<R, RpcError>;

/// Positional arguments of one call.
#[derive(Clone, Debug, Default)]
pub struct Arguments<'a>(Vec<&'a RawValue>);

impl<'a> Arguments<'a> {
    /// Splits the `params` of a request.
    ///
    /// # Errors
    /// If they are not an array, or more than `at_most`.
    pub fn parse(params: Option<&'a str>, at_most: usize) -> Result<Self, RpcError> {
        let text = params.map(str::trim).filter(|text| !text.is_empty() && *text != "null");
        let Some(text) = text else { return Ok(Self::default()) };
        if !text.starts_with('[') {
            return Err(RpcError::invalid_params("non-array args"));
        }
        let values: Vec<&'a RawValue> =
            serde_json::from_str(text).map_err(|error| RpcError::invalid_params(error.to_string()))?;
        if values.len() > at_most {
            return Err(RpcError::invalid_params(format!("too many arguments, want at most {at_most}")));
        }
        Ok(Self(values))
    }

    /// The text of an argument; `None` if it is absent or null.
    pub fn raw(&self, index: usize) -> Option<&'a str> {
        self.0.get(index).map(|value| value.get()).filter(|text| *text != "null")
    }

    /// An argument that must be there.
    ///
    /// # Errors
    /// If it is absent, null or malformed.
    pub fn required<T: DeserializeOwned>(&self, index: usize) -> Result<T, RpcError> {
        let missing = || RpcError::invalid_params(format!("missing value for required argument {index}"));
        self.optional(index)?.ok_or_else(missing)
    }

    /// An argument that may be left out.
    ///
    /// # Errors
    /// If it is malformed.
    pub fn optional<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>, RpcError> {
        let Some(text) = self.raw(index) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|error| invalid_argument(index, &error.to_string()))
    }
}

impl Arguments<'_> {
    /// A 32-byte hash that must be there, with `0x` and of full length.
    ///
    /// # Errors
    /// If it is absent or malformed.
    pub fn hash(&self, index: usize) -> Result<B256, RpcError> {
        self.fixed(index, "common.Hash")
    }

    /// An address that must be there, with `0x` and of full length.
    ///
    /// # Errors
    /// If it is absent or malformed.
    pub fn address(&self, index: usize) -> Result<Address, RpcError> {
        self.fixed(index, "common.Address")
    }

    /// A position that must be there.
    ///
    /// # Errors
    /// If it is absent or malformed.
    pub fn index(&self, index: usize) -> Result<usize, RpcError> {
        let position = self.required::<U64>(index)?;
        Ok(usize::try_from(position).unwrap_or(usize::MAX))
    }

    fn fixed<T: DeserializeOwned>(&self, index: usize, kind: &str) -> Result<T, RpcError> {
        if self.raw(index).is_some_and(|text| !text.starts_with("\"0x") && !text.starts_with("\"0X")) {
            let reason = format!("json: cannot unmarshal hex string without 0x prefix into Go value of type {kind}");
            return Err(invalid_argument(index, &reason));
        }
        self.required(index)
    }
}

/// "invalid argument N: …", without the position that serde_json appends.
pub fn invalid_argument(index: usize, reason: &str) -> RpcError {
    let reason = reason.split(" at line ").next().unwrap_or(reason);
    RpcError::invalid_params(format!("invalid argument {index}: {reason}"))
}

/// Registers a method that takes at most `at_most` arguments and is done within microseconds.
///
/// # Errors
/// If the name is taken.
pub fn quick<R: Serialize + Clone + 'static>(
    module: &mut Module,
    name: &'static str,
    at_most: usize,
    handler: Handler<R>,
) -> Result<(), RegisterMethodError> {
    module.register_method(name, move |params, context, _| answer(name, context, &params, at_most, handler)).map(|_| ())
}

/// Registers a method that takes at most `at_most` arguments and may compute or read for long.
///
/// # Errors
/// If the name is taken.
pub fn blocking<R: Serialize + Clone + Send + 'static>(
    module: &mut Module,
    name: &'static str,
    at_most: usize,
    handler: Handler<R>,
) -> Result<(), RegisterMethodError> {
    module
        .register_blocking_method(name, move |params, context, _| answer(name, &context, &params, at_most, handler))
        .map(|_| ())
}

/// Registers a method that is quick for blocks that exist, and takes a thread of its own for the `pending` one, which has to
/// be executed first.
///
/// # Errors
/// If the name is taken.
pub fn quick_unless_pending<R: Serialize + Clone + Send + 'static>(
    module: &mut Module,
    name: &'static str,
    at_most: usize,
    handler: Handler<R>,
) -> Result<(), RegisterMethodError> {
    let call = move |params: Params<'static>, context: Arc<Arc<RpcContext>>, _| async move {
        if !params.as_str().is_some_and(|text| text.contains("pending")) {
            return answer(name, &context, &params, at_most, handler);
        }
        let task = tokio::task::spawn_blocking(move || answer(name, &context, &params, at_most, handler));
        task.await.unwrap_or_else(|_| Err(handler_crashed(name).into()))
    };
    module.register_async_method(name, call).map(|_| ())
}

fn answer<R>(
    name: &str,
    context: &Arc<RpcContext>,
    params: &Params<'_>,
    at_most: usize,
    handler: Handler<R>,
) -> Result<R, ErrorObjectOwned> {
    let run = || handler(context, &Arguments::parse(params.as_str(), at_most)?);
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(handler_crashed(name))).map_err(Into::into)
}

/// What a client hears when a handler panicked.
pub fn handler_crashed(method: &str) -> RpcError {
    tracing::error!(method, "method handler crashed");
    RpcError::internal("method handler crashed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_counted_and_typed() {
        let arguments = Arguments::parse(Some(r#"["0x1", null]"#), 2).unwrap();
        assert_eq!(arguments.required::<String>(0).unwrap(), "0x1");
        assert_eq!(arguments.optional::<String>(1).unwrap(), None);
        let missing = arguments.required::<String>(1).unwrap_err();
        assert_eq!(missing.message, "missing value for required argument 1");
        let wrong = arguments.required::<u64>(0).unwrap_err();
        assert!(wrong.message.starts_with("invalid argument 0: invalid type"), "{wrong}");
        assert_eq!(Arguments::parse(Some("[1,2]"), 1).unwrap_err().message, "too many arguments, want at most 1");
        assert_eq!(Arguments::parse(Some("{}"), 1).unwrap_err().message, "non-array args");
        assert!(Arguments::parse(None, 0).unwrap().raw(0).is_none());
    }
}
