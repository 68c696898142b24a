//! Why something could not be told.

use alloy_primitives::B256;

use crate::fact::{LoanId, Sequence};

/// Failed to tell the chain something.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The node cannot be reached, or its answer not be read: try again.
    #[error("failed to reach the node")]
    Unreachable(#[source] reqwest::Error),
    /// The node takes too long for whoever waits.
    #[error("the node does not answer in time")]
    Late,
    /// The node answered with an error that is not the contract's.
    #[error("the node refused {method}: {message} (code {code})")]
    Node {
        /// What was asked.
        method: &'static str,
        /// The JSON-RPC code.
        code: i64,
        /// What it says.
        message: String,
    },
    /// The node answered something else than what was asked.
    #[error("malformed answer to {0}")]
    Malformed(&'static str),
    /// The contract refuses: this will not change by trying again.
    #[error("the contract refused: {0}")]
    Refused(String),
    /// Something else was told under this number: the books of the service and the chain differ.
    #[error("loan {loan} has another fact under number {sequence}")]
    Contradiction {
        /// The loan.
        loan: LoanId,
        /// The number.
        sequence: Sequence,
    },
    /// What comes before has not been told.
    #[error("loan {loan} is at number {last}, and {given} is not the next")]
    Gap {
        /// The loan.
        loan: LoanId,
        /// The last number that was told.
        last: Sequence,
        /// The number that was given.
        given: Sequence,
    },
    /// Another root, or other entries, are anchored for the day.
    #[error("day {0} is anchored with other contents")]
    AnchoredOtherwise(u32),
    /// It was sent and is in no block yet: it may still happen. Try again.
    #[error("transaction {0} is not in a block yet")]
    Pending(B256),
    /// It has to be announced and to wait for a delay.
    #[error("it has to be announced first")]
    ToAnnounce,
    /// It has been announced, and its delay runs.
    #[error("it has been announced, and its delay is not over")]
    Announced,
    /// The key cannot sign.
    #[error("failed to sign")]
    Signing(#[source] alloy_signer::Error),
}

impl ChainError {
    /// Whether trying again can help without anybody looking at it.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Late
                | Self::Pending(_)
                | Self::Node { .. }
                | Self::ToAnnounce
                | Self::Announced
        )
    }
}
