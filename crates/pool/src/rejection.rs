//! Why a transaction is not taken: geth's sentences, which clients match on.

use alloy_primitives::{B256, U256};

/// A transaction is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The same transaction is in the pool already.
    #[error("already known")]
    AlreadyKnown,
    /// The account's nonce has passed this one.
    #[error("nonce too low: next nonce {state}, tx nonce {transaction}")]
    NonceTooLow {
        /// Nonce of the account.
        state: u64,
        /// Nonce of the transaction.
        transaction: u64,
    },
    /// The nonce lies further ahead of the account's than the pool looks.
    #[error("nonce too high: next nonce {state}, tx nonce {transaction}, limit {limit} ahead")]
    NonceTooHigh {
        /// Nonce of the account.
        state: u64,
        /// Nonce of the transaction.
        transaction: u64,
        /// How far ahead a nonce may lie.
        limit: u64,
    },
    /// No nonce could follow this one (EIP-2681).
    #[error("nonce has max value")]
    NonceMax,
    /// The sender cannot pay for this transaction alone.
    #[error("insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {}", .cost.saturating_sub(*.balance))]
    InsufficientFunds {
        /// Balance of the account.
        balance: U256,
        /// Gas limit times fee cap, value and blob fees.
        cost: U256,
    },
    /// The cost of the transaction does not fit 256 bits, so nobody can pay it.
    #[error("insufficient funds for gas * price + value: tx cost exceeds 2^256-1")]
    CostOverflow,
    /// Same sender and nonce as one in the pool, without paying enough more.
    #[error("replacement transaction underpriced")]
    ReplacementUnderpriced,
    /// The tip is below the configured minimum.
    #[error("transaction gas price below minimum: gas tip cap {tip}, minimum needed {minimum}")]
    TipBelowMinimum {
        /// Tip of the transaction.
        tip: u128,
        /// Configured minimum.
        minimum: u128,
    },
    /// The blob fee is below what the protocol can ever ask.
    #[error("transaction gas price below minimum: blob fee cap {fee}, minimum needed {minimum}")]
    BlobFeeBelowMinimum {
        /// Blob fee cap of the transaction.
        fee: u128,
        /// The protocol's minimum.
        minimum: u128,
    },
    /// The sender has as many transactions here as it may.
    #[error("account limit exceeded: pooled {pooled} txs")]
    AccountLimitExceeded {
        /// Transactions of the sender in the pool.
        pooled: usize,
    },
    /// The pool is full of better ones.
    #[error("txpool is full")]
    Full,
    /// Signed for another chain (EIP-155).
    #[error("invalid sender: invalid chain id for signer: have {have} want {want}")]
    InvalidChainId {
        /// Chain id of the transaction.
        have: u64,
        /// Chain id of this chain.
        want: u64,
    },
    /// The fork in force does not know this type.
    #[error("transaction type not supported: type {transaction_type} rejected, pool not yet in {fork}")]
    TypeNotSupported {
        /// EIP-2718 type.
        transaction_type: u8,
        /// Fork that brings it.
        fork: &'static str,
    },
    /// Larger than the pool takes.
    #[error("oversized data: transaction size {size}, limit {limit}")]
    Oversized {
        /// Bytes of the transaction.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Creation code over the limit of EIP-3860.
    #[error("max initcode size exceeded: code size {size} limit {limit}")]
    InitcodeTooLarge {
        /// Bytes of creation code.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Gas limit over the cap of EIP-7825.
    #[error("transaction gas limit too high (cap: {cap}, tx: {gas})")]
    GasLimitTooHigh {
        /// The cap.
        cap: u64,
        /// Gas limit of the transaction.
        gas: u64,
    },
    /// Gas limit over the next block's.
    #[error("exceeds block gas limit")]
    ExceedsBlockGasLimit,
    /// The tip exceeds the fee cap.
    #[error(
        "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {tip}, maxFeePerGas: {max_fee}"
    )]
    TipAboveFeeCap {
        /// Tip of the transaction.
        tip: u128,
        /// Fee cap of the transaction.
        max_fee: u128,
    },
    /// Gas limit below what the transaction costs before its first instruction.
    #[error("intrinsic gas too low: gas {gas}, minimum needed {needed}")]
    IntrinsicGasTooLow {
        /// Gas limit of the transaction.
        gas: u64,
        /// Intrinsic gas.
        needed: u64,
    },
    /// Gas limit below the data floor of EIP-7623.
    #[error("insufficient gas for floor data gas cost: gas {gas}, minimum needed {needed}")]
    FloorDataGas {
        /// Gas limit of the transaction.
        gas: u64,
        /// Floor gas.
        needed: u64,
    },
    /// EIP-7702 transaction without authorisation.
    #[error("set code tx must have at least one authorization tuple")]
    EmptyAuthorizationList,
    /// Blob transaction without its blobs.
    #[error("missing sidecar in blob transaction")]
    MissingSidecar,
    /// Blobs with a transaction that is not of type 3.
    #[error("unexpected sidecar: transaction carries no blobs")]
    UnexpectedSidecar,
    /// Blob transaction that names no blob.
    #[error("blobless blob transaction")]
    NoBlobs,
    /// More blobs than a transaction may have.
    #[error("transaction blob limit exceeded: blob count {count}, limit {limit}")]
    TooManyBlobs {
        /// Blobs of the transaction.
        count: u64,
        /// Blobs allowed.
        limit: u64,
    },
    /// Commitments and blob hashes differ in number.
    #[error("invalid number of {commitments} blob commitments compared to {hashes} blob hashes")]
    CommitmentCount {
        /// Commitments in the sidecar.
        commitments: usize,
        /// Blob hashes in the transaction.
        hashes: usize,
    },
    /// Blobs and commitments differ in number.
    #[error("invalid number of {blobs} blobs compared to {commitments} commitments")]
    BlobCount {
        /// Blobs in the sidecar.
        blobs: usize,
        /// Commitments in the sidecar.
        commitments: usize,
    },
    /// Proofs are not as many as the blobs need.
    #[error("Wrong sidecar format: invalid number of {proofs} blob proofs expected {expected}")]
    ProofCount {
        /// Proofs in the sidecar.
        proofs: usize,
        /// Proofs needed.
        expected: usize,
    },
    /// A blob hash is not that of its commitment.
    #[error("blob {index}: computed hash {computed} mismatches transaction one {claimed}")]
    BlobHashMismatch {
        /// Position of the blob.
        index: usize,
        /// Hash of the commitment.
        computed: B256,
        /// Hash in the transaction.
        claimed: B256,
    },
    /// Sidecar of another fork: version 0 (EIP-4844) before Osaka, 1 (EIP-7594) since.
    #[error("Wrong sidecar format: unexpected sidecar version, want: {want}, got: {got}")]
    SidecarVersion {
        /// Version the fork demands.
        want: u8,
        /// Version of the sidecar.
        got: u8,
    },
    /// A KZG proof does not verify.
    #[error("KZG verification error: {0}")]
    InvalidProof(String),
}
