//! What a client asks to be executed, with geth's defaults filled in, and geth's checks before it runs.
//!
//! A call is no transaction: gas may be left out, a missing price means free of charge, the sender needs no key and may
//! be a contract. The order of the checks, and their sentences, are geth's (`core/state_transition.go`), for tools match
//! on them.

use alloy_eips::{eip2930::AccessList, eip7702::SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_rpc_types_eth::TransactionRequest;
use revm::context::{
    BlockEnv, TxEnv,
    either::Either,
    result::{EVMError, InvalidTransaction},
};

use crate::error::RpcError;

/// A call, complete.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) from: Address,
    pub(crate) to: TxKind,
    pub(crate) gas: u64,
    /// Most the sender pays per gas; 0: nothing is charged.
    pub(crate) fee_cap: u128,
    pub(crate) tip_cap: u128,
    /// Whether the price was given as `gasPrice`.
    pub(crate) is_legacy_price: bool,
    pub(crate) value: U256,
    pub(crate) input: Bytes,
    pub(crate) nonce: u64,
    pub(crate) access_list: Option<AccessList>,
    pub(crate) blob_hashes: Option<Vec<B256>>,
    pub(crate) blob_fee_cap: u128,
    pub(crate) authorizations: Option<Vec<SignedAuthorization>>,
}

/// Which rules of transactions a call must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// A call: any nonce, and the base fee matters only if a price is given.
    Call,
    /// Nonce and base fee as in a block.
    Transaction,
}

/// Why a call did not begin to run, in geth's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("nonce too low: address {address}, tx: {transaction} state: {state}")]
    NonceTooLow { address: Address, transaction: u64, state: u64 },
    #[error("nonce too high: address {address}, tx: {transaction} state: {state}")]
    NonceTooHigh { address: Address, transaction: u64, state: u64 },
    #[error("nonce has max value: address {address}, nonce: {nonce}")]
    NonceMax { address: Address, nonce: u64 },
    #[error(
        "max priority fee per gas higher than max fee per gas: address {address}, maxPriorityFeePerGas: {tip_cap}, maxFeePerGas: {fee_cap}"
    )]
    TipAboveFeeCap { address: Address, tip_cap: u128, fee_cap: u128 },
    #[error(
        "max fee per gas less than block base fee: address {address}, maxFeePerGas: {fee_cap}, baseFee: {base_fee}"
    )]
    FeeCapTooLow { address: Address, fee_cap: u128, base_fee: u64 },
    #[error("input string too long: blob transaction of type create")]
    BlobCreate,
    #[error("blob transaction missing blob hashes")]
    NoBlobs,
    #[error("blob {0} has invalid hash version")]
    BlobVersion(usize),
    #[error(
        "max fee per blob gas less than block blob gas fee: address {address} blobGasFeeCap: {fee_cap}, blobBaseFee: {base_fee}"
    )]
    BlobFeeCapTooLow { address: Address, fee_cap: u128, base_fee: u128 },
    #[error("EIP-7702 transaction cannot be used to create contract (sender {0})")]
    SetCodeCreate(Address),
    #[error("EIP-7702 transaction with empty auth list (sender {0})")]
    NoAuthorizations(Address),
    #[error("insufficient funds for gas * price + value: address {address} have {have} want {want}")]
    InsufficientFunds { address: Address, have: U256, want: U256 },
    #[error("intrinsic gas too low: have {have}, want {want}")]
    IntrinsicGas { have: u64, want: u64 },
    #[error("insufficient gas for floor data gas cost: have {have}, want {want}")]
    FloorGas { have: u64, want: u64 },
    #[error("max initcode size exceeded")]
    InitCodeSize,
    #[error("{0}")]
    Other(String),
    /// An inspector stopped the call.
    #[error("{0}")]
    Stopped(String),
    /// State could not be read, or the block cannot be set up: the node's fault.
    #[error("{0}")]
    Node(String),
}

impl Fault {
    /// The error of `eth_call` and its kin.
    pub(crate) fn into_rpc(self, supplied_gas: u64) -> RpcError {
        match self {
            Self::Node(reason) => RpcError::internal(reason),
            Self::Stopped(reason) => RpcError::limit(reason),
            fault => RpcError::server(format!("err: {fault} (supplied gas {supplied_gas})")),
        }
    }
}

impl<E: std::fmt::Display> From<EVMError<E>> for Fault {
    fn from(error: EVMError<E>) -> Self {
        match error {
            EVMError::Transaction(InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit }) => {
                Self::IntrinsicGas { have: gas_limit, want: initial_gas }
            }
            EVMError::Transaction(InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor, gas_limit }) => {
                Self::FloorGas { have: gas_limit, want: gas_floor }
            }
            EVMError::Transaction(InvalidTransaction::CreateInitCodeSizeLimit) => Self::InitCodeSize,
            EVMError::Transaction(reason) => Self::Other(reason.to_string()),
            EVMError::Custom(reason) => Self::Stopped(reason),
            EVMError::Database(error) => Self::Node(error.to_string()),
            other => Self::Node(other.to_string()),
        }
    }
}

impl Message {
    /// Fills in what `request` leaves out. Gas is capped at `gas_cap`, which is also the default; `base_fee` is `None`
    /// before London.
    pub(crate) fn new(
        request: TransactionRequest,
        gas_cap: u64,
        base_fee: Option<u64>,
        chain_id: u64,
    ) -> Result<Self, RpcError> {
        let has_caps = request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some();
        if request.gas_price.is_some() && has_caps {
            return Err(RpcError::server("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"));
        }
        if let Some(wrong) = request.chain_id.filter(|id| *id != chain_id) {
            return Err(RpcError::server(format!("chainId does not match node's (have={wrong}, want={chain_id})")));
        }
        let is_legacy_price = request.gas_price.is_some() || base_fee.is_none();
        let price = request.gas_price.unwrap_or_default();
        let (fee_cap, tip_cap) = if is_legacy_price {
            (price, price)
        } else {
            (request.max_fee_per_gas.unwrap_or_default(), request.max_priority_fee_per_gas.unwrap_or_default())
        };
        Ok(Self {
            from: request.from.unwrap_or_default(),
            to: request.to.unwrap_or(TxKind::Create),
            gas: request.gas.map_or(gas_cap, |gas| gas.min(gas_cap)),
            fee_cap,
            tip_cap,
            is_legacy_price,
            value: request.value.unwrap_or_default(),
            input: input_of(request.input)?,
            nonce: request.nonce.unwrap_or_default(),
            access_list: request.access_list,
            blob_hashes: request.blob_versioned_hashes,
            blob_fee_cap: request.max_fee_per_blob_gas.unwrap_or_default(),
            authorizations: request.authorization_list,
        })
    }

    /// Whether nothing is charged for gas.
    pub(crate) const fn is_free(&self) -> bool {
        self.fee_cap == 0 && self.tip_cap == 0
    }

    /// Blob gas the call stands for.
    pub(crate) fn blob_gas(&self) -> u64 {
        let blobs = self.blob_hashes.as_ref().map_or(0, Vec::len) as u64;
        blobs.saturating_mul(alloy_eips::eip4844::DATA_GAS_PER_BLOB)
    }

    /// geth's checks before execution, against the sender's nonce and balance.
    pub(crate) fn check(
        &self,
        nonce: u64,
        balance: U256,
        block: &BlockEnv,
        has_base_fee: bool,
        strictness: Strictness,
    ) -> Result<(), Fault> {
        if strictness == Strictness::Transaction {
            self.check_nonce(nonce)?;
        }
        let skips_fees = strictness == Strictness::Call && self.is_free();
        if has_base_fee && !skips_fees {
            self.check_fees(block.basefee)?;
        }
        self.check_blobs(block, strictness)?;
        self.check_authorizations()?;
        self.check_balance(balance)
    }

    const fn check_nonce(&self, state: u64) -> Result<(), Fault> {
        let (address, transaction) = (self.from, self.nonce);
        if state < transaction {
            return Err(Fault::NonceTooHigh { address, transaction, state });
        }
        if state > transaction {
            return Err(Fault::NonceTooLow { address, transaction, state });
        }
        if state == u64::MAX {
            return Err(Fault::NonceMax { address, nonce: state });
        }
        Ok(())
    }

    fn check_fees(&self, base_fee: u64) -> Result<(), Fault> {
        let (address, tip_cap, fee_cap) = (self.from, self.tip_cap, self.fee_cap);
        if fee_cap < tip_cap {
            return Err(Fault::TipAboveFeeCap { address, tip_cap, fee_cap });
        }
        if fee_cap < u128::from(base_fee) {
            return Err(Fault::FeeCapTooLow { address, fee_cap, base_fee });
        }
        Ok(())
    }

    fn check_blobs(&self, block: &BlockEnv, strictness: Strictness) -> Result<(), Fault> {
        let Some(hashes) = &self.blob_hashes else { return Ok(()) };
        if self.to.is_create() {
            return Err(Fault::BlobCreate);
        }
        if hashes.is_empty() {
            return Err(Fault::NoBlobs);
        }
        let version = alloy_eips::eip4844::VERSIONED_HASH_VERSION_KZG;
        if let Some(wrong) = hashes.iter().position(|hash| hash[0] != version) {
            return Err(Fault::BlobVersion(wrong));
        }
        let base_fee = block.blob_excess_gas_and_price.map_or(0, |fee| fee.blob_gasprice);
        let skips_fee = strictness == Strictness::Call && self.blob_fee_cap == 0;
        if !skips_fee && self.blob_fee_cap < base_fee {
            return Err(Fault::BlobFeeCapTooLow { address: self.from, fee_cap: self.blob_fee_cap, base_fee });
        }
        Ok(())
    }

    fn check_authorizations(&self) -> Result<(), Fault> {
        let Some(authorizations) = &self.authorizations else { return Ok(()) };
        if self.to.is_create() {
            return Err(Fault::SetCodeCreate(self.from));
        }
        if authorizations.is_empty() {
            return Err(Fault::NoAuthorizations(self.from));
        }
        Ok(())
    }

    fn check_balance(&self, have: U256) -> Result<(), Fault> {
        let gas = U256::from(self.gas).saturating_mul(U256::from(self.fee_cap));
        let blobs = U256::from(self.blob_gas()).saturating_mul(U256::from(self.blob_fee_cap));
        let want = gas.saturating_add(blobs).saturating_add(self.value);
        if have < want {
            return Err(Fault::InsufficientFunds { address: self.from, have, want });
        }
        Ok(())
    }

    /// The EVM's view of the call.
    pub(crate) fn tx_env(&self, chain_id: u64) -> TxEnv {
        TxEnv {
            tx_type: self.transaction_type(),
            caller: self.from,
            gas_limit: self.gas,
            gas_price: self.fee_cap,
            kind: self.to,
            value: self.value,
            data: self.input.clone(),
            // revm refuses the largest nonce even where nonces are not checked, and reads it nowhere else.
            nonce: if self.nonce == u64::MAX { 0 } else { self.nonce },
            chain_id: Some(chain_id),
            access_list: self.access_list.clone().unwrap_or_default(),
            gas_priority_fee: (!self.is_legacy_price || self.needs_caps()).then_some(self.tip_cap),
            blob_hashes: self.blob_hashes.clone().unwrap_or_default(),
            max_fee_per_blob_gas: self.blob_fee_cap,
            authorization_list: self.recovered_authorizations(),
        }
    }

    const fn needs_caps(&self) -> bool {
        self.authorizations.is_some() || self.blob_hashes.is_some()
    }

    const fn transaction_type(&self) -> u8 {
        if self.authorizations.is_some() {
            return 4;
        }
        if self.blob_hashes.is_some() {
            return 3;
        }
        if !self.is_legacy_price {
            return 2;
        }
        self.access_list.is_some() as u8
    }

    fn recovered_authorizations(
        &self,
    ) -> Vec<Either<SignedAuthorization, alloy_eips::eip7702::RecoveredAuthorization>> {
        let signed = self.authorizations.iter().flatten();
        signed.map(|authorization| Either::Right(authorization.clone().into_recovered())).collect()
    }
}

fn input_of(input: alloy_rpc_types_eth::TransactionInput) -> Result<Bytes, RpcError> {
    let unequal =
        "both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass transaction call data";
    let input = input.try_into_unique_input().map_err(|_| RpcError::server(unequal))?;
    Ok(input.unwrap_or_default())
}
