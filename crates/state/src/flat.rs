//! The flat store: what the last checkpoint wrote, in an LSM tree.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `account` | keccak(address) | account |
//! | `slot` | keccak(address), keccak(slot) | value, big-endian without leading zeros |
//! | `code` | keccak(code) | code |
//! | `block`, `receipt` | height | block, receipts |
//! | `block_hash` | block hash | height |
//! | `tx` | transaction hash | height, index u32 |
//! | `history` | tagged key (see [`Key`]), height | value before the block at that height; empty: absent |
//! | `touched` | height | tagged keys with an entry in `history` at that height |
//! | `preimage` | keccak | address or slot |
//! | `header` | height | hash, RLP of the header: blocks below a snapshot, whose bodies are not here |
//! | `meta` | `checkpoint` | [`Checkpoint`] |
//! | `meta` | `import` | [`Progress`], until a snapshot is complete |
//!
//! Heights are big-endian, so keys sort by height. A batch changes all keyspaces atomically.

use std::{fs, io, path::Path};

use alloy_consensus::Header;
use alloy_primitives::{B256, TxHash, U256};
use alloy_rlp::{Decodable, Encodable};
use braid_types::{ExecutedBlock, Height, TxIndex, changes::AccountState};
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable, Snapshot,
};

use crate::{
    codec::{self, Checkpoint, CodecError},
    error::StoreError,
    recovery::{MemoryShares, sync},
    snapshot::Progress,
    state::Difference,
};

const CHECKPOINT_KEY: &[u8] = b"checkpoint";
const IMPORT_KEY: &[u8] = b"import";
/// Bytes of journal from which tables are written, so that opening the store has less to read again: a million keys take two seconds. No
/// less can be asked for.
const MAX_JOURNAL_BYTES: u64 = 64 << 20;

/// Bytes that a keyspace gathers in memory before it writes a table, at most.
pub(crate) const MAX_TABLE_BYTES: u64 = 64 << 20;

/// The same, at least: smaller ones would be merged all the time.
pub(crate) const MIN_TABLE_BYTES: u64 = 1 << 20;

/// How many keyspaces there are.
pub(crate) const KEYSPACES: u64 = 12;

const ACCOUNT_TAG: u8 = b'a';
const SLOT_TAG: u8 = b's';

/// The keyspaces.
pub(crate) struct Flat {
    pub(crate) db: Database,
    pub(crate) account: Keyspace,
    pub(crate) slot: Keyspace,
    pub(crate) code: Keyspace,
    pub(crate) block: Keyspace,
    pub(crate) receipt: Keyspace,
    pub(crate) block_hash: Keyspace,
    pub(crate) transaction: Keyspace,
    pub(crate) history: Keyspace,
    pub(crate) touched: Keyspace,
    pub(crate) preimage: Keyspace,
    pub(crate) header: Keyspace,
    pub(crate) meta: Keyspace,
}

impl std::fmt::Debug for Flat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flat").finish_non_exhaustive()
    }
}

/// An account or a slot by its hashed key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// keccak(address)
    Account(B256),
    /// keccak(address), keccak(slot)
    Slot(B256, B256),
}

impl Key {
    /// The key with its tag, as `history` and `touched` keep it.
    pub(crate) fn tagged(&self) -> Vec<u8> {
        match self {
            Self::Account(account) => [&[ACCOUNT_TAG], account.as_slice()].concat(),
            Self::Slot(account, slot) => [&[SLOT_TAG], account.as_slice(), slot.as_slice()].concat(),
        }
    }

    /// The key of the value before the block at `height`.
    pub(crate) fn at(&self, height: Height) -> Vec<u8> {
        let mut key = self.tagged();
        key.extend_from_slice(&height.to_be_bytes());
        key
    }

    /// The keys of a `touched` entry.
    pub(crate) fn parse_all(mut bytes: &[u8]) -> Result<Vec<Self>, StoreError> {
        let mut keys = Vec::new();
        while let Some((tag, rest)) = bytes.split_first() {
            let (key, rest) = match *tag {
                ACCOUNT_TAG => rest.split_first_chunk::<32>().map(|(key, rest)| (Self::Account(key.into()), rest)),
                SLOT_TAG => rest.split_first_chunk::<64>().map(|(key, rest)| {
                    let (account, slot) = key.split_at(32);
                    (Self::Slot(B256::from_slice(account), B256::from_slice(slot)), rest)
                }),
                _ => None,
            }
            .ok_or(StoreError::Damaged("list of touched keys is invalid"))?;
            keys.push(key);
            bytes = rest;
        }
        Ok(keys)
    }
}

impl Difference {
    /// The key, and the values before and after as the store keeps them; empty: absent.
    pub(crate) fn encoded(&self) -> (Key, Vec<u8>, Vec<u8>) {
        let account = |account: &Option<AccountState>| account.as_ref().map(codec::encode_account).unwrap_or_default();
        match self {
            Self::Account { key, old, new } => (Key::Account(*key), account(old), account(new)),
            Self::Slot { account, slot, old, new } => {
                (Key::Slot(*account, *slot), codec::encode_amount(old), codec::encode_amount(new))
            }
        }
    }
}

impl Flat {
    /// Opens the store at `dir`, or makes it. Half a store cannot be opened, so a new one is made beside and then given its name.
    pub(crate) fn open(dir: &Path, shares: &MemoryShares) -> Result<Self, StoreError> {
        if !dir.exists() {
            let begun = dir.with_extension("new");
            match fs::remove_dir_all(&begun) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::io("remove", &begun)(error));
                }
                _ => drop(Self::open_whole(&begun, shares)?),
            }
            sync_all(&begun)?;
            fs::rename(&begun, dir).map_err(StoreError::io("rename", &begun))?;
            sync(dir.parent().unwrap_or(dir))?;
        }
        Self::open_whole(dir, shares)
    }

    fn open_whole(dir: &Path, shares: &MemoryShares) -> Result<Self, StoreError> {
        // What the journal holds is written to tables within seconds, compressed; doing that twice saves nothing.
        let mut builder =
            Database::builder(dir).journal_compression(CompressionType::None).max_journaling_size(MAX_JOURNAL_BYTES);
        if let Some(bytes) = shares.cache_bytes {
            builder = builder.cache_size(bytes);
        }
        let db = builder.open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(shares.table_bytes);
        let keyspace = |name| db.keyspace(name, options);
        Ok(Self {
            account: keyspace("account")?,
            slot: keyspace("slot")?,
            code: keyspace("code")?,
            block: keyspace("block")?,
            receipt: keyspace("receipt")?,
            block_hash: keyspace("block_hash")?,
            transaction: keyspace("tx")?,
            history: keyspace("history")?,
            touched: keyspace("touched")?,
            preimage: keyspace("preimage")?,
            header: keyspace("header")?,
            meta: keyspace("meta")?,
            db,
        })
    }

    /// A batch that is durable once committed.
    pub(crate) fn batch(&self) -> OwnedWriteBatch {
        self.db.batch().durability(Some(PersistMode::SyncAll))
    }

    /// What the store holds; `None` before the first checkpoint.
    pub(crate) fn checkpoint(&self, view: &impl Readable) -> Result<Option<Checkpoint>, StoreError> {
        let bytes = view.get(&self.meta, CHECKPOINT_KEY)?;
        bytes.map(|bytes| Checkpoint::decode(&bytes).map_err(StoreError::decode("checkpoint"))).transpose()
    }

    pub(crate) fn put_checkpoint(&self, batch: &mut OwnedWriteBatch, checkpoint: &Checkpoint) {
        batch.insert(&self.meta, CHECKPOINT_KEY, checkpoint.encode());
    }

    pub(crate) fn block(&self, height: Height) -> Result<Option<ExecutedBlock>, StoreError> {
        let view = self.db.snapshot();
        let Some(block) = view.get(&self.block, height.to_be_bytes())? else { return Ok(None) };
        let receipts = view.get(&self.receipt, height.to_be_bytes())?;
        let receipts = receipts.ok_or(StoreError::Damaged("block without receipts"))?;
        let receipts = codec::decode_receipts(&receipts).map_err(StoreError::decode("receipts"))?;
        codec::decode_block(&block, receipts).map(Some).map_err(StoreError::decode("block"))
    }

    pub(crate) fn hash(&self, height: Height) -> Result<Option<B256>, StoreError> {
        if let Some(bytes) = self.block.get(height.to_be_bytes())? {
            return codec::block_hash(&bytes).map(Some).map_err(StoreError::decode("block"));
        }
        let Some(bytes) = self.header.get(height.to_be_bytes())? else { return Ok(None) };
        let hash = bytes.first_chunk().ok_or(StoreError::Damaged("header is cut short"))?;
        Ok(Some(B256::new(*hash)))
    }

    /// A header with its hash, of a block or alone.
    pub(crate) fn header(&self, height: Height) -> Result<Option<(B256, Header)>, StoreError> {
        if let Some(bytes) = self.block.get(height.to_be_bytes())? {
            let executed = codec::decode_block(&bytes, Vec::new()).map_err(StoreError::decode("block"))?;
            return Ok(Some((executed.hash, executed.block.header)));
        }
        let Some(bytes) = self.header.get(height.to_be_bytes())? else { return Ok(None) };
        let damaged = StoreError::Damaged("header is invalid");
        let Some((hash, mut rlp)) = bytes.split_first_chunk::<32>() else { return Err(damaged) };
        let header = Header::decode(&mut rlp).map_err(|_| damaged)?;
        Ok(Some((B256::new(*hash), header)))
    }

    /// Adds a header without its block.
    pub(crate) fn put_header(&self, batch: &mut OwnedWriteBatch, header: &Header) {
        let mut value = header.hash_slow().to_vec();
        header.encode(&mut value);
        batch.insert(&self.header, header.number.to_be_bytes(), value);
    }

    /// Height of the newest header without its block, the one below a snapshot.
    pub(crate) fn newest_header(&self) -> Result<Option<Height>, StoreError> {
        let Some(newest) = self.header.last_key_value() else { return Ok(None) };
        let key = newest.key()?;
        let height = key.as_ref().try_into().map_err(|_| StoreError::Damaged("height of a header is invalid"))?;
        Ok(Some(Height::from_be_bytes(height)))
    }

    /// How far an unfinished import has come; `None` if there is none.
    pub(crate) fn progress(&self) -> Result<Option<Progress>, StoreError> {
        let bytes = self.meta.get(IMPORT_KEY)?;
        bytes.map(|bytes| codec::decode_progress(&bytes).map_err(StoreError::decode("import"))).transpose()
    }

    pub(crate) fn put_progress(&self, batch: &mut OwnedWriteBatch, progress: &Progress) {
        batch.insert(&self.meta, IMPORT_KEY, codec::encode_progress(progress));
    }

    pub(crate) fn remove_progress(&self, batch: &mut OwnedWriteBatch) {
        batch.remove(&self.meta, IMPORT_KEY);
    }

    pub(crate) fn height(&self, hash: B256) -> Result<Option<Height>, StoreError> {
        let damaged = || StoreError::Damaged("height of a block hash is invalid");
        let bytes = self.block_hash.get(hash)?;
        bytes.map(|bytes| bytes.as_ref().try_into().map(Height::from_be_bytes).map_err(|_| damaged())).transpose()
    }

    pub(crate) fn transaction(&self, hash: TxHash) -> Result<Option<(Height, TxIndex)>, StoreError> {
        let Some(bytes) = self.transaction.get(hash)? else { return Ok(None) };
        let place = bytes.split_first_chunk::<8>().and_then(|(height, index)| {
            Some((Height::from_be_bytes(*height), TxIndex(u32::from_be_bytes(index.try_into().ok()?))))
        });
        place.map(Some).ok_or(StoreError::Damaged("place of a transaction is invalid"))
    }

    /// Adds a block with its indexes.
    pub(crate) fn put_block(&self, batch: &mut OwnedWriteBatch, executed: &ExecutedBlock) {
        let encoded = (codec::encode_block(executed), codec::encode_receipts(&executed.receipts));
        self.put_encoded(batch, executed, encoded);
        self.put_transactions(batch, [executed]);
    }

    /// Adds a block that is encoded already, without its transactions' index.
    pub(crate) fn put_encoded(
        &self,
        batch: &mut OwnedWriteBatch,
        executed: &ExecutedBlock,
        (block, receipts): (Vec<u8>, Vec<u8>),
    ) {
        let height = executed.height().to_be_bytes();
        batch.insert(&self.block, height, block);
        batch.insert(&self.receipt, height, receipts);
        batch.insert(&self.block_hash, executed.hash.as_slice(), height);
    }

    /// Adds the index of the transactions of blocks, in the order of their hashes, in which the store takes them at less cost.
    pub(crate) fn put_transactions<'a>(
        &self,
        batch: &mut OwnedWriteBatch,
        blocks: impl IntoIterator<Item = &'a ExecutedBlock>,
    ) {
        let mut places: Vec<(&TxHash, [u8; 12])> = Vec::new();
        for executed in blocks {
            let height = executed.height().to_be_bytes();
            for (index, transaction) in (0u32..).zip(&executed.block.transactions) {
                let mut place = [0; 12];
                place[..8].copy_from_slice(&height);
                place[8..].copy_from_slice(&index.to_be_bytes());
                places.push((transaction.inner().hash(), place));
            }
        }
        // A later place of the same transaction stands behind an earlier one, and counts.
        places.sort_unstable();
        for (hash, place) in places {
            batch.insert(&self.transaction, hash.as_slice(), place);
        }
    }

    /// Removes a block with its indexes.
    pub(crate) fn remove_block(&self, batch: &mut OwnedWriteBatch, executed: &ExecutedBlock) -> Result<(), StoreError> {
        let height = executed.height();
        batch.remove(&self.block, height.to_be_bytes());
        batch.remove(&self.receipt, height.to_be_bytes());
        batch.remove(&self.block_hash, executed.hash.as_slice());
        for transaction in &executed.block.transactions {
            let hash = *transaction.inner().hash();
            // On a development chain whose nonces were set back the same transaction may stand in two blocks.
            if self.transaction(hash)?.is_some_and(|(place, _)| place == height) {
                batch.remove(&self.transaction, hash.as_slice());
            }
        }
        Ok(())
    }

    /// Writes one value of the flat state; empty: absent.
    pub(crate) fn put_value(&self, batch: &mut OwnedWriteBatch, key: &Key, value: Vec<u8>) {
        let (keyspace, key) = match key {
            Key::Account(account) => (&self.account, account.to_vec()),
            Key::Slot(account, slot) => (&self.slot, [account.as_slice(), slot.as_slice()].concat()),
        };
        if value.is_empty() {
            batch.remove(keyspace, key);
        } else {
            batch.insert(keyspace, key, value);
        }
    }

    /// One value of the flat state; empty: absent.
    pub(crate) fn value(&self, view: &Snapshot, key: &Key) -> Result<Vec<u8>, StoreError> {
        let found = match key {
            Key::Account(account) => view.get(&self.account, account)?,
            Key::Slot(account, slot) => view.get(&self.slot, [account.as_slice(), slot.as_slice()].concat())?,
        };
        Ok(found.map(|value| value.to_vec()).unwrap_or_default())
    }

    /// Names, approximate numbers of keys, and bytes on disk.
    pub(crate) fn sizes(&self) -> Vec<(String, u64, u64)> {
        let keyspaces = [
            &self.account,
            &self.slot,
            &self.code,
            &self.block,
            &self.receipt,
            &self.block_hash,
            &self.transaction,
            &self.history,
            &self.touched,
            &self.preimage,
            &self.header,
            &self.meta,
        ];
        keyspaces.map(|it| (it.name().to_string(), it.approximate_len() as u64, it.disk_space())).to_vec()
    }
}

/// Makes a folder with everything below it durable. The store syncs what it changes once it is whole, and not each name before.
fn sync_all(dir: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(dir).map_err(StoreError::io("list", dir))? {
        let path = entry.map_err(StoreError::io("list", dir))?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            sync(&path)?;
        }
    }
    sync(dir)
}

/// An account from its stored value.
pub(crate) fn account_from(value: &[u8]) -> Result<Option<AccountState>, StoreError> {
    if value.is_empty() {
        return Ok(None);
    }
    codec::decode_account(value).map(Some).map_err(StoreError::decode("account"))
}

/// A slot's value from its stored value.
pub(crate) fn slot_from(value: &[u8]) -> Result<U256, StoreError> {
    codec::decode_amount(value).map_err(|error: CodecError| StoreError::decode("slot")(error))
}
