//! Chunks and manifests of snapshots, and how far an import has come. See [`crate::snapshot`] for the layout.

use alloy_primitives::{B256, Bytes};
use alloy_rlp::Encodable;
use braid_types::BlockRef;

use super::{
    block::{decode_block, decode_receipts, encode_block, encode_receipts},
    changes::{put_account, read_account},
    reader::{CodecError, Reader, put_bytes, put_count, put_number},
};
use crate::snapshot::{Chunk, Cursor, Entry, Manifest, Progress};

pub(crate) fn encode_chunk(chunk: &Chunk) -> Vec<u8> {
    let mut out = vec![super::VERSION];
    put_cursor(&mut out, &chunk.from);
    put_count(&mut out, chunk.entries.len());
    for entry in &chunk.entries {
        out.extend_from_slice(entry.key.as_slice());
        put_account(&mut out, Some(&entry.account), 0);
        put_count(&mut out, entry.slots.len());
        for (slot, value) in &entry.slots {
            out.extend_from_slice(slot.as_slice());
            put_number(&mut out, value);
        }
    }
    put_count(&mut out, chunk.codes.len());
    chunk.codes.iter().for_each(|code| put_bytes(&mut out, code));
    put_next(&mut out, chunk.next.as_ref());
    out
}

/// The inverse of [`encode_chunk`]; checks the order of everything, and that nothing lies outside of the chunk's bounds.
pub(crate) fn decode_chunk(bytes: &[u8]) -> Result<Chunk, CodecError> {
    let mut reader = Reader::versioned(bytes)?;
    let from = read_cursor(&mut reader)?;
    let entries = reader.sequence(read_entry)?;
    let codes = reader.sequence(|reader| Ok(Bytes::copy_from_slice(reader.bytes()?)))?;
    let next = read_next(&mut reader)?;
    reader.finish()?;
    let chunk = Chunk { from, entries, codes, next };
    if is_in_order(&chunk) { Ok(chunk) } else { Err(CodecError::Invalid("order of a chunk")) }
}

/// Every place in a chunk, cursors included, lies behind the one before. Those of accounts are their first slots'.
fn is_in_order(chunk: &Chunk) -> bool {
    let slot = |entry: &Entry, slot: B256| Cursor { account: entry.key, slot };
    let is_ascending = |entry: &Entry| entry.slots.is_sorted_by(|a, b| a.0 < b.0);
    let keys_ascend = chunk.entries.is_sorted_by(|a, b| a.key < b.key);
    let begins_there = chunk.entries.first().is_none_or(|first| match first.slots.first() {
        Some((first_slot, _)) => slot(first, *first_slot) >= chunk.from,
        None => first.key >= chunk.from.account && (first.key > chunk.from.account || chunk.from.slot.is_zero()),
    });
    let ends_there = chunk.next.is_none_or(|next| {
        let last = chunk.entries.last();
        let behind = last.map(|last| slot(last, last.slots.last().map_or(B256::ZERO, |(slot, _)| *slot)));
        next > chunk.from && behind.is_some_and(|behind| behind < next)
    });
    let has_values = chunk.entries.iter().flat_map(|entry| &entry.slots).all(|(_, value)| !value.is_zero());
    keys_ascend && begins_there && ends_there && has_values && chunk.entries.iter().all(is_ascending)
}

fn read_entry(reader: &mut Reader<'_>) -> Result<Entry, CodecError> {
    let key = reader.hash()?;
    let (account, flags) = read_account(reader)?;
    let account = account.filter(|_| !super::changes::is_cleared(flags)).ok_or(CodecError::Invalid("account flags"))?;
    let slots = reader.sequence(|reader| Ok((reader.hash()?, reader.number()?)))?;
    Ok(Entry { key, account, slots })
}

fn put_cursor(out: &mut Vec<u8>, cursor: &Cursor) {
    out.extend_from_slice(cursor.account.as_slice());
    out.extend_from_slice(cursor.slot.as_slice());
}

fn read_cursor(reader: &mut Reader<'_>) -> Result<Cursor, CodecError> {
    Ok(Cursor { account: reader.hash()?, slot: reader.hash()? })
}

fn put_next(out: &mut Vec<u8>, next: Option<&Cursor>) {
    out.push(u8::from(next.is_some()));
    if let Some(next) = next {
        put_cursor(out, next);
    }
}

fn read_next(reader: &mut Reader<'_>) -> Result<Option<Cursor>, CodecError> {
    match reader.byte()? {
        0 => Ok(None),
        1 => read_cursor(reader).map(Some),
        _ => Err(CodecError::Invalid("flag of the next cursor")),
    }
}

pub(crate) fn encode_manifest(manifest: &Manifest) -> Vec<u8> {
    let mut out = vec![super::VERSION];
    put_bytes(&mut out, &encode_block(&manifest.head));
    put_bytes(&mut out, &encode_receipts(&manifest.head.receipts));
    put_count(&mut out, manifest.headers.len());
    manifest.headers.iter().for_each(|header| header.encode(&mut out));
    out
}

pub(crate) fn decode_manifest(bytes: &[u8]) -> Result<Manifest, CodecError> {
    let mut reader = Reader::versioned(bytes)?;
    let block = reader.bytes()?;
    let receipts = decode_receipts(reader.bytes()?)?;
    let head = decode_block(block, receipts)?;
    let headers = reader.sequence(Reader::rlp)?;
    reader.finish()?;
    Ok(Manifest { head, headers })
}

pub(crate) fn encode_progress(progress: &Progress) -> Vec<u8> {
    let mut out = vec![super::VERSION];
    out.extend_from_slice(&progress.block.height.to_be_bytes());
    out.extend_from_slice(progress.block.hash.as_slice());
    out.extend_from_slice(progress.root.as_slice());
    put_next(&mut out, progress.next.as_ref());
    out
}

pub(crate) fn decode_progress(bytes: &[u8]) -> Result<Progress, CodecError> {
    let mut reader = Reader::versioned(bytes)?;
    let block = BlockRef { height: reader.u64()?, hash: reader.hash()? };
    let progress = Progress { block, root: reader.hash()?, next: read_next(&mut reader)? };
    reader.finish()?;
    Ok(progress)
}
