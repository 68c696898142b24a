//! Where two access lists differ.

use std::{cmp::Ordering, fmt};

use alloy_eips::eip7928::{AccountChanges, BlockAccessIndex};
use alloy_primitives::{Address, U256};

/// The first difference between the access list that came with a block and the one that execution produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The account whose entries differ.
    pub address: Address,
    /// What about it differs.
    pub item: Item,
}

/// What differs between two entries of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// The list has an account that the block does not access.
    NotAccessed,
    /// The list lacks an account that the block accesses.
    Missing,
    /// The changes of a slot.
    SlotChanges(U256),
    /// A slot that only one of the lists names as read and not changed.
    SlotRead(U256),
    /// The change of balance at an index.
    Balance(BlockAccessIndex),
    /// The change of nonce at an index.
    Nonce(BlockAccessIndex),
    /// The change of code at an index.
    Code(BlockAccessIndex),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match self.item {
            Item::NotAccessed => write!(f, "account {address} is listed and not accessed"),
            Item::Missing => write!(f, "account {address} is accessed and not listed"),
            Item::SlotChanges(slot) => write!(f, "the changes of slot {slot:#x} of account {address} differ"),
            Item::SlotRead(slot) => write!(f, "the reads of account {address} differ at slot {slot:#x}"),
            Item::Balance(index) => write!(f, "the balance of account {address} at index {index} differs"),
            Item::Nonce(index) => write!(f, "the nonce of account {address} at index {index} differs"),
            Item::Code(index) => write!(f, "the code of account {address} at index {index} differs"),
        }
    }
}

/// The first difference between a list that was given and the one that execution produced, both in canonical order.
pub fn first_difference(given: &[AccountChanges], produced: &[AccountChanges]) -> Option<Difference> {
    let order = |one: &AccountChanges, other: &AccountChanges| one.address.cmp(&other.address);
    match first_unequal(given, produced, order)? {
        Unequal::OnlyFirst(account) => Some(Difference { address: account.address, item: Item::NotAccessed }),
        Unequal::OnlySecond(account) => Some(Difference { address: account.address, item: Item::Missing }),
        Unequal::Both(given, produced) => {
            Some(Difference { address: given.address, item: account_difference(given, produced)? })
        }
    }
}

fn account_difference(given: &AccountChanges, produced: &AccountChanges) -> Option<Item> {
    let slot = || first_key(&given.storage_changes, &produced.storage_changes, |change| change.slot);
    let read = || first_key(&given.storage_reads, &produced.storage_reads, |slot| *slot);
    let balance = || first_key(&given.balance_changes, &produced.balance_changes, |change| change.block_access_index);
    let nonce = || first_key(&given.nonce_changes, &produced.nonce_changes, |change| change.block_access_index);
    let code = || first_key(&given.code_changes, &produced.code_changes, |change| change.block_access_index);
    slot()
        .map(Item::SlotChanges)
        .or_else(|| read().map(Item::SlotRead))
        .or_else(|| balance().map(Item::Balance))
        .or_else(|| nonce().map(Item::Nonce))
        .or_else(|| code().map(Item::Code))
}

/// The key of the first entry in which two lists, ordered by key, differ.
fn first_key<T: PartialEq, K: Ord>(given: &[T], produced: &[T], key: impl Fn(&T) -> K) -> Option<K> {
    let unequal = first_unequal(given, produced, |one, other| key(one).cmp(&key(other)))?;
    Some(match unequal {
        Unequal::OnlyFirst(entry) | Unequal::OnlySecond(entry) | Unequal::Both(entry, _) => key(entry),
    })
}

enum Unequal<'a, T> {
    OnlyFirst(&'a T),
    OnlySecond(&'a T),
    Both(&'a T, &'a T),
}

fn first_unequal<'a, T: PartialEq>(
    first: &'a [T],
    second: &'a [T],
    order: impl Fn(&T, &T) -> Ordering,
) -> Option<Unequal<'a, T>> {
    let position = first.iter().zip(second).position(|(one, other)| one != other);
    let position = position.unwrap_or_else(|| first.len().min(second.len()));
    match (first.get(position), second.get(position)) {
        (None, None) => None,
        (Some(one), None) => Some(Unequal::OnlyFirst(one)),
        (None, Some(other)) => Some(Unequal::OnlySecond(other)),
        (Some(one), Some(other)) => Some(match order(one, other) {
            Ordering::Less => Unequal::OnlyFirst(one),
            Ordering::Equal => Unequal::Both(one, other),
            Ordering::Greater => Unequal::OnlySecond(other),
        }),
    }
}
