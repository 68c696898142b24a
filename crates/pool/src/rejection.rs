//! Why a transaction is not taken: geth's sentences, which clients match on.

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
}
