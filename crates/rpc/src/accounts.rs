//! What the node signs for its clients: transactions and messages of development accounts, and transactions of
//! impersonated senders, which carry a mark instead of a signature.

use std::{sync::Arc, time::Duration};

use alloy_consensus::{
    EthereumTypedTransaction, SignableTransaction, Transaction as _, TxEip4844, TxEip4844Variant, TypedTransaction,
    transaction::Recovered,
};
use alloy_dyn_abi::TypedData;
use alloy_eips::{BlockId, eip2718::Encodable2718, eip7594::BlobTransactionSidecarVariant};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use alloy_rpc_types_eth::{TransactionRequest, transaction::TransactionInput};
use alloy_signer::SignerSync;
use braid_chain::Mining;
use braid_types::{RecoveredTx, Transaction, block::impersonation_signature};
use jsonrpsee::{core::RegisterMethodError, types::ErrorObjectOwned};
use serde::Serialize;

use crate::{
    call,
    context::RpcContext,
    convert::{self, RpcTransaction},
    error::RpcError,
    eth::{fees, send, state},
    method::{Arguments, Module, blocking, handler_crashed, quick},
    submit::Submission,
};

/// How long `eth_sendTransaction` waits for the block when blocks are made at once.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Registers the methods that sign.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_async_method("eth_sendTransaction", |params, context, _| async move {
        let request = Arguments::parse(params.as_str(), 1).and_then(|arguments| arguments.required(0))?;
        send(Arc::clone(&*context), request).await.map_err(ErrorObjectOwned::from)
    })?;
    blocking(module, "eth_signTransaction", 1, |context, arguments| {
        let submission = prepare(context, arguments.required(0)?)?;
        Ok(Signed { raw: encoded(&submission), tx: convert::transaction(&submission.transaction, None) })
    })?;
    blocking(module, "eth_fillTransaction", 1, |context, arguments| {
        let request = fill(context, arguments.required(0)?)?;
        let (typed, sidecar) = split(request)?;
        let unsigned = typed.into_envelope(Signature::new(U256::ZERO, U256::ZERO, false));
        let transaction = Arc::new(Recovered::new_unchecked(unsigned, Address::ZERO));
        let submission = Submission { transaction, sidecar };
        Ok(Signed { raw: encoded(&submission), tx: convert::transaction(&submission.transaction, None) })
    })?;
    quick(module, "eth_sign", 2, |context, arguments| {
        sign_message(context, arguments.address(0)?, &arguments.required::<Bytes>(1)?)
    })?;
    quick(module, "personal_sign", 3, |context, arguments| {
        sign_message(context, arguments.address(1)?, &arguments.required::<Bytes>(0)?)
    })?;
    for name in ["eth_signTypedData", "eth_signTypedData_v4"] {
        quick(module, name, 2, |context, arguments| sign_typed_data(context, arguments.address(0)?, arguments))?;
    }
    Ok(())
}

/// `eth_signTransaction`.
#[derive(Clone, Debug, Serialize)]
struct Signed {
    raw: Bytes,
    tx: RpcTransaction,
}

fn unknown_account() -> RpcError {
    RpcError::server("unknown account")
}

/// Sends a transaction. Where blocks are made at once it returns when the transaction is in one, as tools expect that ask
/// for the receipt next.
async fn send(context: Arc<RpcContext>, request: TransactionRequest) -> Result<B256, RpcError> {
    let commits = context.events.committed.subscribe();
    let submitter = Arc::clone(&context);
    let submit = move || {
        let _choosing = request.nonce.is_none().then(|| submitter.choosing_nonce.lock());
        let Submission { transaction, sidecar } = prepare(&submitter, request)?;
        submitter.check(&transaction, sidecar.as_deref())?;
        submitter.submit(Arc::clone(&transaction), sidecar)?;
        Ok(transaction)
    };
    let submitted = tokio::task::spawn_blocking(submit).await;
    let transaction: RecoveredTx = submitted.unwrap_or_else(|_| Err(handler_crashed("eth_sendTransaction")))?;
    let hash = *transaction.tx_hash();
    if is_due(&context, &transaction) {
        send::wait_for_receipt(&context, hash, commits, INCLUSION_TIMEOUT).await?;
    }
    Ok(hash)
}

/// Whether a transaction waits that will go into a block without anybody asking for one.
fn is_due(context: &RpcContext, transaction: &RecoveredTx) -> bool {
    let is_auto = context.sequencer.as_ref().is_some_and(|sequencer| sequencer.mining() == Mining::Auto);
    let pays = || transaction.max_fee_per_gas() >= u128::from(fees::next_base_fee(context));
    let follows = |next: u64| next > transaction.nonce();
    let next_nonce = || context.chain.pool().lock().next_nonce(transaction.signer());
    is_auto && pays() && next_nonce().is_some_and(follows)
}

/// A request, filled in and signed.
fn prepare(context: &RpcContext, request: TransactionRequest) -> Result<Submission, RpcError> {
    let from = request.from.ok_or_else(|| RpcError::invalid_params("missing field from"))?;
    let is_impersonated = context.impersonation.allows(from);
    if !is_impersonated && context.accounts.signer(from).is_none() {
        return Err(unknown_account());
    }
    let (typed, sidecar) = split(fill(context, request)?)?;
    let signature = match context.accounts.signer(from) {
        Some(signer) => signer.sign_hash_sync(&typed.signature_hash()).map_err(signing_failed)?,
        None => impersonation_signature(from),
    };
    let transaction = Arc::new(Recovered::new_unchecked(typed.into_envelope(signature), from));
    Ok(Submission { transaction, sidecar })
}

/// A request, filled in, of a sender that need not be known: for development nodes alone.
pub(crate) fn prepare_unsigned(context: &RpcContext, request: TransactionRequest) -> Result<Submission, RpcError> {
    let from = request.from.ok_or_else(|| RpcError::invalid_params("missing field from"))?;
    let (typed, sidecar) = split(fill(context, request)?)?;
    let transaction = Recovered::new_unchecked(typed.into_envelope(impersonation_signature(from)), from);
    Ok(Submission { transaction: Arc::new(transaction), sidecar })
}

fn signing_failed(error: alloy_signer::Error) -> RpcError {
    RpcError::internal(format!("signing failed: {error}"))
}

/// A transaction without its blobs, and the blobs.
type Parts = (EthereumTypedTransaction<TxEip4844>, Option<Arc<BlobTransactionSidecarVariant>>);

fn split(request: TransactionRequest) -> Result<Parts, RpcError> {
    let typed = request.build_consensus_tx().map_err(|error| RpcError::invalid_params(error.error))?;
    Ok(match typed {
        TypedTransaction::Legacy(tx) => (tx.into(), None),
        TypedTransaction::Eip2930(tx) => (tx.into(), None),
        TypedTransaction::Eip1559(tx) => (tx.into(), None),
        TypedTransaction::Eip7702(tx) => (tx.into(), None),
        TypedTransaction::Eip4844(TxEip4844Variant::TxEip4844(tx)) => (tx.into(), None),
        TypedTransaction::Eip4844(TxEip4844Variant::TxEip4844WithSidecar(tx)) => {
            let (tx, sidecar) = tx.into_parts();
            (tx.into(), Some(Arc::new(sidecar)))
        }
    })
}

/// The bytes of a transaction, blobs included.
fn encoded(submission: &Submission) -> Bytes {
    match (submission.transaction.inner(), &submission.sidecar) {
        (Transaction::Eip4844(signed), Some(sidecar)) => {
            let (inner, signature, hash) = signed.clone().into_parts();
            let with_sidecar = inner.with_sidecar(sidecar.as_ref().clone());
            alloy_consensus::Signed::new_unchecked(with_sidecar, signature, hash).encoded_2718().into()
        }
        (inner, _) => inner.encoded_2718().into(),
    }
}

/// Fills in what a client left out: nonce, fees, gas and chain id.
fn fill(context: &RpcContext, mut request: TransactionRequest) -> Result<TransactionRequest, RpcError> {
    let input = std::mem::take(&mut request.input).try_into_unique_input();
    let input = input.map_err(|error| RpcError::invalid_params(error.to_string()))?;
    request.input = TransactionInput::maybe_input(input);
    if request.to.is_none() {
        request.to = Some(TxKind::Create);
    }
    if request.to == Some(TxKind::Create) && request.input.input().is_none_or(|input| input.is_empty()) {
        return Err(RpcError::server("contract creation without any data provided"));
    }
    let want = context.chain_id();
    if let Some(have) = request.chain_id.replace(want)
        && have != want
    {
        return Err(RpcError::server(format!("chainId does not match node's (have={have}, want={want})")));
    }
    fill_fees(context, &mut request)?;
    if request.nonce.is_none() {
        let from = request.from.unwrap_or_default();
        request.nonce = Some(state::nonce(context, from, Some(BlockId::pending()))?);
    }
    if request.gas.is_none() {
        request.gas = Some(call::estimate(context, request.clone(), BlockId::latest())?);
    }
    Ok(request)
}

fn fill_fees(context: &RpcContext, request: &mut TransactionRequest) -> Result<(), RpcError> {
    if request.sidecar.is_some() {
        request.populate_blob_hashes();
    }
    let base_fee = u128::from(fees::next_base_fee(context));
    let is_before_london = context.head().block.block.header.base_fee_per_gas.is_none() && base_fee == 0;
    let wants_price = is_before_london || matches!(request.transaction_type, Some(0 | 1));
    if request.gas_price.is_some() && request.has_eip1559_fields() {
        let message = "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified";
        return Err(RpcError::server(message));
    }
    if request.has_eip4844_blob_data() && request.max_fee_per_blob_gas.is_none() {
        let blob_base_fee = context.chain.pool().lock().rules().blob_base_fee;
        request.max_fee_per_blob_gas = Some(blob_base_fee.saturating_mul(2));
    }
    if request.gas_price.is_some() {
        return Ok(());
    }
    let tip = fees::suggested_tip(context)?;
    if wants_price && !request.has_eip1559_fields() {
        request.gas_price = Some(tip.saturating_add(base_fee));
        return Ok(());
    }
    let tip =
        request.max_priority_fee_per_gas.unwrap_or_else(|| request.max_fee_per_gas.map_or(tip, |cap| cap.min(tip)));
    let cap = request.max_fee_per_gas.unwrap_or_else(|| base_fee.saturating_mul(2).saturating_add(tip));
    if cap < tip {
        return Err(RpcError::server(format!("maxFeePerGas ({cap}) < maxPriorityFeePerGas ({tip})")));
    }
    request.max_priority_fee_per_gas = Some(tip);
    request.max_fee_per_gas = Some(cap);
    Ok(())
}

/// EIP-191 signature of a message.
fn sign_message(context: &RpcContext, address: Address, message: &[u8]) -> Result<Bytes, RpcError> {
    let signer = context.accounts.signer(address).ok_or_else(unknown_account)?;
    let signature = signer.sign_message_sync(message).map_err(signing_failed)?;
    Ok(Bytes::from(signature.as_bytes().to_vec()))
}

/// EIP-712 signature; the data come as an object, or as a string that holds one.
fn sign_typed_data(context: &RpcContext, address: Address, arguments: &Arguments<'_>) -> Result<Bytes, RpcError> {
    let signer = context.accounts.signer(address).ok_or_else(unknown_account)?;
    let data: TypedData = match arguments.raw(1) {
        Some(text) if text.starts_with('"') => {
            let inner: String = arguments.required(1)?;
            serde_json::from_str(&inner)
                .map_err(|error| RpcError::invalid_params(format!("invalid argument 1: {error}")))?
        }
        _ => arguments.required(1)?,
    };
    let hash = data.eip712_signing_hash();
    let hash = hash.map_err(|error| RpcError::invalid_params(format!("invalid argument 1: {error}")))?;
    let signature = signer.sign_hash_sync(&hash).map_err(signing_failed)?;
    Ok(Bytes::from(signature.as_bytes().to_vec()))
}
