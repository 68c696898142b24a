//! What one transaction accessed, apart from what it changed.

use alloy_primitives::{Address, U256};
use revm::state::EvmState;

/// The accounts in a transaction's journal and their slots, in one allocation each.
///
/// A journal may lack the fee recipient, where the fee is paid without it: then whoever pays it adds the fee recipient to the
/// [`Recorder`](super::Recorder).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accesses {
    /// Each account, with where its slots end in `slots`.
    accounts: Vec<(Address, usize)>,
    slots: Vec<U256>,
}

impl Accesses {
    /// Everything in a journal, whether changed, read or reverted.
    pub fn of(journal: &EvmState) -> Self {
        let mut accesses = Self { accounts: Vec::with_capacity(journal.len()), slots: Vec::new() };
        #[expect(clippy::iter_over_hash_type, reason = "the recorder does not depend on the order")]
        for (address, account) in journal {
            accesses.slots.extend(account.storage.keys());
            accesses.accounts.push((*address, accesses.slots.len()));
        }
        accesses
    }

    /// Each account with its slots.
    pub fn iter(&self) -> impl Iterator<Item = (Address, &[U256])> {
        let mut begin = 0;
        self.accounts.iter().map(move |&(address, end)| {
            let slots = &self.slots[begin..end];
            begin = end;
            (address, slots)
        })
    }
}
