//! Access lists of blocks (EIP-7928): every account and slot that a block accesses, and what it changes in them.
//!
//! A list orders changes by an index: 0 for what happens before the transactions, i + 1 for transaction i, n + 1 for what
//! happens after n transactions. A change holds the value afterwards. Whoever has a block's list can therefore read the
//! state before any of its transactions from the list and the parent's state alone ([`GivenState`]), and execute them all
//! at once; that the list is true follows by induction, when each of them leaves what the list says it leaves.
//! [`execute`](crate::execute) does that ([`AccessListUse::Given`](crate::AccessListUse::Given)).
//!
//! # What is listed
//!
//! * An **account** as soon as the EVM has looked at it, in reverted frames too: senders, recipients, targets of calls and
//!   of `BALANCE` and `EXTCODE*`, created addresses, beneficiaries of `SELFDESTRUCT`, authorities and, when they are
//!   called, delegates (EIP-7702), precompiles, system contracts, recipients of withdrawals, and the fee recipient after
//!   each transaction. Not: addresses that are named by a transaction's own list (EIP-2930), and the caller of system calls.
//! * A **slot** that was loaded or written, under the account. It is in `storage_reads` unless some index changed it.
//! * A **change** of a slot, balance, nonce or code at an index, if the value after it differs from the value before it.
//!   Writes of the same value, transfers that cancel out, code that is set to what it was, and reverted writes change
//!   nothing. An account that was created and destroyed by one transaction has reads only, and a change of balance if it
//!   had one before.
//!
//! All of this is what revm's journal holds when a transaction ends: accounts and slots enter it when they are accessed,
//! after the gas for the access was charged (as the EIP's table asks), and stay when a frame is reverted.
//!
//! # Deviations
//!
//! * The EIP begins with Amsterdam. Here lists are made for blocks of any fork, with the same rules. Before Cancun a
//!   transaction may destroy an account that it did not create (EIP-6780): then nonce, balance and code change to zero, and
//!   so do the slots of it that the transaction accessed; a list cannot name the others. So it does not tell the state of such
//!   a block completely, and blocks before Cancun must not be executed from a list ([`GivenState`]).
//! * Before Paris, rewards have the index n + 1; the DAO fork's irregular change has index 0.
//! * Before Berlin, gas for an access is charged after it, so an access that ran out of gas is listed.
//! * An authorization that sets the code which is set already is listed with its nonce only, as the executable
//!   specification does; the EIP's prose could be read otherwise.
//!
//! Reading order: [`recorder`] (makes a list), [`accesses`] (what one transaction adds to it), [`codec`] (bytes to list and
//! back), [`given`] (state out of a list), [`difference`] (where two lists differ).

pub mod accesses;
pub mod codec;
pub mod difference;
pub mod given;
pub mod recorder;
#[cfg(test)]
pub(crate) mod tests;

pub use accesses::Accesses;
pub use alloy_eips::eip7928::{BlockAccessIndex, BlockAccessList};
pub use codec::{DecodeError, decode, encode, hash};
pub use difference::{Difference, Item, first_difference};
pub use given::{GivenInfo, GivenState, StateBefore};
pub use recorder::{AccountRecord, Recorder};

/// The index of what happens after so many transactions: of the next one, or of what follows the last.
pub fn index_after(transactions: usize) -> BlockAccessIndex {
    BlockAccessIndex::new(u64::try_from(transactions).unwrap_or(u64::MAX).saturating_add(1))
}
