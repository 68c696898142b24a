//! Accounts and state changes.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, U256};
use alloy_trie::KECCAK_EMPTY;
use braid_types::{AccountChange, StateChanges, changes::AccountState};

use super::reader::{CodecError, Reader, put_bytes, put_count, put_number};

const EXISTS: u8 = 1;
const HAS_CODE: u8 = 2;
const CLEARED: u8 = 4;

/// An account for the flat store.
pub(crate) fn encode_account(account: &AccountState) -> Vec<u8> {
    let mut out = vec![super::VERSION];
    put_account(&mut out, Some(account), 0);
    out
}

/// The inverse of [`encode_account`].
pub(crate) fn decode_account(bytes: &[u8]) -> Result<AccountState, CodecError> {
    let mut reader = Reader::versioned(bytes)?;
    let (account, flags) = read_account(&mut reader)?;
    reader.finish()?;
    account.filter(|_| flags & CLEARED == 0).ok_or(CodecError::Invalid("account flags"))
}

/// A slot's value for the flat store: big-endian without leading zeros.
pub(crate) fn encode_amount(value: &U256) -> Vec<u8> {
    value.to_be_bytes_trimmed_vec()
}

/// The inverse of [`encode_amount`].
pub(crate) fn decode_amount(bytes: &[u8]) -> Result<U256, CodecError> {
    U256::try_from_be_slice(bytes).ok_or(CodecError::Invalid("slot value"))
}

pub(super) fn put_changes(out: &mut Vec<u8>, changes: &StateChanges) {
    put_count(out, changes.accounts.len());
    for (address, change) in &changes.accounts {
        out.extend_from_slice(address.as_slice());
        put_account(out, change.account.as_ref(), if change.storage_cleared { CLEARED } else { 0 });
        put_count(out, change.storage.len());
        for (slot, value) in &change.storage {
            put_number(out, slot);
            put_number(out, value);
        }
    }
    put_count(out, changes.codes.len());
    for (hash, code) in &changes.codes {
        out.extend_from_slice(hash.as_slice());
        put_bytes(out, code);
    }
}

pub(super) fn read_changes(reader: &mut Reader<'_>) -> Result<StateChanges, CodecError> {
    let accounts = read_map(reader, |reader| {
        let address = reader.address()?;
        let (account, flags) = read_account(reader)?;
        let storage = read_map(reader, |reader| Ok((reader.number()?, reader.number()?)))?;
        Ok((address, AccountChange { account, storage_cleared: flags & CLEARED != 0, storage }))
    })?;
    let codes = read_map(reader, |reader| Ok((reader.hash()?, Bytes::copy_from_slice(reader.bytes()?))))?;
    Ok(StateChanges { accounts, codes })
}

/// Entries in strictly ascending order of their keys, as they are written.
fn read_map<K: Ord, V>(
    reader: &mut Reader<'_>,
    entry: impl FnMut(&mut Reader<'_>) -> Result<(K, V), CodecError>,
) -> Result<BTreeMap<K, V>, CodecError> {
    let entries = reader.sequence(entry)?;
    if !entries.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(CodecError::Invalid("order of keys"));
    }
    Ok(entries.into_iter().collect())
}

pub(super) fn put_account(out: &mut Vec<u8>, account: Option<&AccountState>, flags: u8) {
    let Some(AccountState { nonce, balance, code_hash }) = account else {
        out.push(flags);
        return;
    };
    let has_code = *code_hash != KECCAK_EMPTY;
    out.push(flags | EXISTS | if has_code { HAS_CODE } else { 0 });
    put_number(out, &U256::from(*nonce));
    put_number(out, balance);
    if has_code {
        out.extend_from_slice(code_hash.as_slice());
    }
}

/// Whether the flags of an account say that its earlier storage was removed.
pub(super) const fn is_cleared(flags: u8) -> bool {
    flags & CLEARED != 0
}

pub(super) fn read_account(reader: &mut Reader<'_>) -> Result<(Option<AccountState>, u8), CodecError> {
    let flags = reader.byte()?;
    if flags & !(EXISTS | HAS_CODE | CLEARED) != 0 || flags & (EXISTS | HAS_CODE) == HAS_CODE {
        return Err(CodecError::Invalid("account flags"));
    }
    if flags & EXISTS == 0 {
        return Ok((None, flags));
    }
    let nonce = u64::try_from(reader.number()?).map_err(|_| CodecError::Invalid("nonce"))?;
    let balance = reader.number()?;
    let code_hash: B256 = if flags & HAS_CODE == 0 { KECCAK_EMPTY } else { reader.hash()? };
    Ok((Some(AccountState { nonce, balance, code_hash }), flags))
}
