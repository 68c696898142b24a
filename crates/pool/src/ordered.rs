//! Choosing transactions for a block some blocks ahead of the head: beyond those that are ordered already but not executed.
//!
//! The pool follows the head, whose state knows nothing of ordered transactions. What a sender has in them is taken as if it
//! will succeed: its nonces are used, and the most it can cost is spent. Where that turns out wrong, a transaction is
//! left out when its block is executed, and waits in the pool as before.

use std::collections::HashMap;

use alloy_primitives::{Address, U256};
use braid_types::{RecoveredTx, changes::AccountState};

use alloy_consensus::Transaction as _;

use crate::check;

/// Transactions that are ordered before the block to be filled.
#[derive(Clone, Debug, Default)]
pub struct Ordered(HashMap<Address, Vec<Claim>>);

/// What an ordered transaction takes from its sender.
#[derive(Clone, Copy, Debug)]
struct Claim {
    nonce: u64,
    cost: U256,
}

/// Where a sender stands after its ordered transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The nonce to go on with.
    pub(crate) nonce: u64,
    /// What is left to pay with.
    pub(crate) balance: U256,
}

impl Ordered {
    /// Transactions in the order in which they will be executed.
    pub fn new<'a>(transactions: impl IntoIterator<Item = &'a RecoveredTx>) -> Self {
        let mut senders: HashMap<Address, Vec<Claim>> = HashMap::new();
        for transaction in transactions {
            let cost = check::cost(transaction).unwrap_or(U256::MAX);
            senders.entry(transaction.signer()).or_default().push(Claim { nonce: transaction.nonce(), cost });
        }
        Self(senders)
    }

    /// Where `sender` will stand, who has `account` now; `None` if nothing of it is ordered.
    pub(crate) fn standing(&self, sender: &Address, account: &AccountState) -> Option<Standing> {
        let claims = self.0.get(sender)?;
        let mut standing = Standing { nonce: account.nonce, balance: account.balance };
        for claim in claims {
            // One out of order will be left out, and so will one that is executed already.
            if claim.nonce == standing.nonce {
                standing.nonce += 1;
                standing.balance = standing.balance.saturating_sub(claim.cost);
            }
        }
        Some(standing)
    }
}
