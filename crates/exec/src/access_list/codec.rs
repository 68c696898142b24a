//! Access lists as bytes: RLP, as EIP-7928 lays it out.
//!
//! Decoding never takes more memory than a list could need that a block can pay for. By the EIP, accounts and slots together
//! are at most one for each [`ITEM_COST`] gas of the block. Changes cost more than that each: the cheapest is the value
//! that an `SSTORE` leaves, 2,900 gas.

use alloy_eips::eip7928::{
    AccountChanges, BalanceChange, BlockAccessList, BlockAccessListValidationError, CodeChange, ITEM_COST, NonceChange,
    SlotChanges, StorageChange, compute_block_access_list_hash, total_bal_items, validate_block_access_list,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{Decodable, Header};
use braid_types::limits::MAX_ACCESS_LIST_SIZE_BYTES;

/// Changes that no gas pays for: system contracts, and withdrawals (mainnet: 16 a block).
const UNPAID_CHANGES: u64 = 4_096;

/// Failed to decode an access list.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// More than [`MAX_ACCESS_LIST_SIZE_BYTES`].
    #[error("access list has {0} bytes, more than {MAX_ACCESS_LIST_SIZE_BYTES}")]
    TooLarge(usize),
    /// More entries than the block could pay for.
    #[error("access list has more entries than the block's gas allows")]
    TooManyEntries,
    /// More accounts and slots than EIP-7928 allows.
    #[error("access list has {items} accounts and slots, more than the block's gas allows: {max}")]
    TooManyItems {
        /// How many it has.
        items: u64,
        /// How many the block may have.
        max: u64,
    },
    /// Not RLP of this shape.
    #[error("access list is not the RLP of one: {0}")]
    Rlp(#[from] alloy_rlp::Error),
    /// Against the rules on order, uniqueness and indices.
    #[error(transparent)]
    Form(#[from] BlockAccessListValidationError),
}

/// The bytes of a list.
pub fn encode(list: &BlockAccessList) -> Bytes {
    alloy_rlp::encode(list).into()
}

/// What a header says of a block's list: Keccak-256 of its bytes.
pub fn hash(list: &BlockAccessList) -> B256 {
    compute_block_access_list_hash(list)
}

/// The list that came with a block of `transactions` transactions and a gas limit. What is decoded encodes to the same bytes.
///
/// # Errors
/// If `bytes` are no canonical list, or one that no such block can have.
pub fn decode(bytes: &[u8], transactions: usize, gas_limit: u64) -> Result<BlockAccessList, DecodeError> {
    if bytes.len() > MAX_ACCESS_LIST_SIZE_BYTES {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    let max = gas_limit / ITEM_COST as u64;
    let mut room = max.saturating_mul(2).saturating_add(UNPAID_CHANGES);
    let mut rest = bytes;
    let list = decode_list(&mut rest, &mut room, account)?;
    if !rest.is_empty() {
        return Err(alloy_rlp::Error::UnexpectedLength.into());
    }
    validate_block_access_list(&list, transactions)?;
    let items = total_bal_items(&list);
    if items > max {
        return Err(DecodeError::TooManyItems { items, max });
    }
    Ok(list)
}

fn account(bytes: &mut &[u8], room: &mut u64) -> Result<AccountChanges, DecodeError> {
    let mut fields = Header::decode_bytes(bytes, true)?;
    let account = AccountChanges {
        address: Address::decode(&mut fields)?,
        storage_changes: decode_list(&mut fields, room, slot_changes)?,
        storage_reads: decode_list(&mut fields, room, leaf::<U256>)?,
        balance_changes: decode_list(&mut fields, room, leaf::<BalanceChange>)?,
        nonce_changes: decode_list(&mut fields, room, leaf::<NonceChange>)?,
        code_changes: decode_list(&mut fields, room, leaf::<CodeChange>)?,
    };
    if fields.is_empty() { Ok(account) } else { Err(alloy_rlp::Error::UnexpectedLength.into()) }
}

fn slot_changes(bytes: &mut &[u8], room: &mut u64) -> Result<SlotChanges, DecodeError> {
    let mut fields = Header::decode_bytes(bytes, true)?;
    let slot = U256::decode(&mut fields)?;
    let changes = decode_list(&mut fields, room, leaf::<StorageChange>)?;
    if fields.is_empty() { Ok(SlotChanges::new(slot, changes)) } else { Err(alloy_rlp::Error::UnexpectedLength.into()) }
}

fn leaf<T: Decodable>(bytes: &mut &[u8], _room: &mut u64) -> Result<T, DecodeError> {
    Ok(T::decode(bytes)?)
}

/// Decodes a list whose entries, and theirs, take from `room` what is left of what may be decoded.
fn decode_list<T>(
    bytes: &mut &[u8],
    room: &mut u64,
    entry: impl Fn(&mut &[u8], &mut u64) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut payload = Header::decode_bytes(bytes, true)?;
    let mut entries = Vec::new();
    while !payload.is_empty() {
        *room = room.checked_sub(1).ok_or(DecodeError::TooManyEntries)?;
        entries.push(entry(&mut payload, room)?);
    }
    Ok(entries)
}
