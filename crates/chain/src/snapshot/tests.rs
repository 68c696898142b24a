//! Joining a chain by a snapshot, and what is not believed.

use std::{num::NonZeroUsize, path::Path};

use alloy_primitives::{Address, U256};
use braid_pool::PoolConfig;
use braid_state::StoreOptions;
use tempfile::TempDir;

use super::*;
use crate::{
    ChainOptions,
    consensus::order::digest_of,
    ledger::Ledger,
    testing::{GENESIS, HASH_KEEPER, block_on, call, open_ledger, options, ordered_genesis, place},
    tests::transfer,
};

/// A chain of `count` blocks, each with two transactions, one of which keeps the hash of the block before.
fn served(count: u64) -> (TempDir, Ledger) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open_ledger(directory.path());
    extend(&ledger, count);
    (directory, ledger)
}

/// Commits `count` more blocks.
fn extend(ledger: &Ledger, count: u64) {
    for _ in 0..count {
        let durable = ledger.durable();
        let keep = call(1, durable.height, alloy_primitives::TxKind::Call(HASH_KEEPER), &[]);
        let transactions = vec![keep, transfer(2, durable.height, 1)];
        let at = (durable.height, durable.digest);
        ledger.commit(&block_on(at, 1_000_000 + durable.height * 200, transactions)).unwrap();
    }
}

fn chunks(snapshot: &Snapshot) -> Vec<Vec<u8>> {
    let (mut chunks, mut next) = (Vec::new(), Some(Cursor::default()));
    while let Some(from) = next {
        let (bytes, after) = snapshot.chunk(from).unwrap();
        chunks.push(bytes);
        next = after;
    }
    chunks
}

fn begin(directory: &Path, trusted: BlockRef, manifest: &[u8]) -> Result<SnapshotImport, SyncError> {
    SnapshotImport::begin(directory, &ordered_genesis(), trusted, manifest)
}

fn join(directory: &Path, snapshot: &Snapshot) -> BlockRef {
    let mut import = begin(directory, snapshot.block(), snapshot.manifest()).unwrap();
    for chunk in chunks(snapshot) {
        import.add(&chunk).unwrap();
    }
    import.finish().unwrap()
}

#[test]
fn who_joins_goes_on_like_the_others() {
    let (_directory, server) = served(300);
    let snapshot = Snapshot::take(server.chain(), 290).unwrap();
    let joined = tempfile::tempdir().unwrap();
    assert_eq!(join(joined.path(), &snapshot), snapshot.block());
    let late = open_ledger(joined.path());
    assert_eq!(late.durable().height, 290);
    // The blocks between, as consensus would redeliver them; each reads the hash of the one before.
    for height in 291..=300 {
        let block = server.chain().store().block(height).unwrap().unwrap();
        let parent = server.chain().store().block(height - 1).unwrap().unwrap();
        let digest = |block: &ExecutedBlock| digest_of(&block.block.header).unwrap();
        let ordered = braid_types::OrderedBlock {
            height,
            digest: digest(&block),
            parent: digest(&parent),
            timestamp_ms: 1_000_000 + (height - 1) * 200,
            beneficiary: block.block.header.beneficiary,
            transactions: block.block.transactions.clone(),
        };
        assert_eq!(late.commit(&ordered).unwrap(), block);
        // Execution commitments lag: they name blocks below the snapshot, too.
        let lagging = server.chain().store().block(height - 5).unwrap().unwrap();
        assert_eq!(late.executed(height - 5, digest(&lagging)).unwrap(), Some(lagging.block_ref()));
    }
    drop(late);
    let again = open_ledger(joined.path());
    extend(&again, 3);
    extend(&server, 3);
    assert_eq!(again.durable(), server.durable());
    let state = &again.chain().head().state;
    assert_eq!(
        B256::from(state.storage(HASH_KEEPER, U256::from(303))),
        server.chain().store().hash(302).unwrap().unwrap()
    );
    // Whoever has joined can serve the next.
    let second = tempfile::tempdir().unwrap();
    assert_eq!(join(second.path(), &Snapshot::take(again.chain(), 302).unwrap()).height, 302);
}

#[test]
fn a_young_chain_leads_down_to_its_genesis() {
    let (_directory, server) = served(3);
    for height in 1..=3 {
        let joined = tempfile::tempdir().unwrap();
        join(joined.path(), &Snapshot::take(server.chain(), height).unwrap());
        let late = open_ledger(joined.path());
        assert_eq!(late.durable().height, height);
        assert_eq!(late.executed(0, B256::ZERO).unwrap().unwrap().height, 0);
    }
    for height in [0, 4] {
        assert!(matches!(Snapshot::take(server.chain(), height), Err(SyncError::NotKept(found)) if found == height));
    }
}

#[test]
fn a_state_that_memory_has_let_go_cannot_be_taken() {
    let (_directory, server) = served(3);
    server.chain().store().checkpoint().unwrap();
    extend(&server, 260);
    server.chain().store().checkpoint().unwrap();
    extend(&server, 1);
    let error = Snapshot::take(server.chain(), 2).unwrap_err();
    assert!(matches!(error, SyncError::NotKept(2)) && !error.is_sources_fault(), "{error}");
}

#[test]
fn a_manifest_that_proves_nothing_is_refused() {
    let (_directory, server) = served(20);
    let snapshot = Snapshot::take(server.chain(), 20).unwrap();
    let good = Manifest::decode(snapshot.manifest()).unwrap();
    let other = tempfile::tempdir().unwrap();
    let refused = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = good.clone();
        change(&mut manifest);
        let error = begin(other.path(), snapshot.block(), &manifest.encode()).unwrap_err();
        assert!(error.is_sources_fault());
        error
    };
    assert!(matches!(refused(&|it| it.head.block.header.gas_used += 1), SyncError::OtherBlock { .. }));
    let no_body = |it: &mut Manifest| drop(it.head.block.transactions.pop());
    assert!(matches!(refused(&no_body), SyncError::Body(BlockError::TransactionsRoot { .. })));
    let no_receipt = |it: &mut Manifest| drop(it.head.receipts.pop());
    assert!(matches!(refused(&no_receipt), SyncError::Body(BlockError::ReceiptsRoot { .. })));
    let no_withdrawals = |it: &mut Manifest| it.head.block.withdrawals = None;
    assert!(matches!(refused(&no_withdrawals), SyncError::Body(BlockError::WithdrawalsRoot { .. })));
    let forged = |it: &mut Manifest| {
        let inner = it.head.block.transactions[1].inner().clone();
        let forged = alloy_consensus::transaction::Recovered::new_unchecked(inner, Address::repeat_byte(7));
        it.head.block.transactions[1] = Arc::new(forged);
    };
    assert!(matches!(refused(&forged), SyncError::Sender { index: 1 }));
    let short = |it: &mut Manifest| drop(it.headers.pop());
    assert!(matches!(refused(&short), SyncError::HeaderCount { found: 18, expected: 19 }));
    assert!(matches!(refused(&|it| it.headers[4].gas_used += 1), SyncError::NotParent { height: 15 }));
    assert!(matches!(refused(&|it| it.headers.swap(3, 4)), SyncError::NotParent { .. }));
    let garbage = begin(other.path(), snapshot.block(), &[1, 2, 3]).unwrap_err();
    assert!(matches!(garbage, SyncError::Snapshot(SnapshotError::Manifest(_))), "{garbage}");
    let mut foreign = ordered_genesis();
    foreign.timestamp += 1;
    let error = SnapshotImport::begin(other.path(), &foreign, snapshot.block(), snapshot.manifest()).unwrap_err();
    assert!(matches!(error, SyncError::OtherGenesis { .. }), "{error}");
}

#[test]
fn hashes_and_difficulties_come_from_headers_and_not_from_the_manifest() {
    let (_directory, server) = served(4);
    let snapshot = Snapshot::take(server.chain(), 4).unwrap();
    let mut manifest = Manifest::decode(snapshot.manifest()).unwrap();
    manifest.head.hash = B256::repeat_byte(9);
    manifest.head.total_difficulty = U256::from(9);
    let joined = tempfile::tempdir().unwrap();
    let mut import = begin(joined.path(), snapshot.block(), &manifest.encode()).unwrap();
    chunks(&snapshot).iter().for_each(|chunk| import.add(chunk).unwrap());
    import.finish().unwrap();
    let late = open_ledger(joined.path());
    assert_eq!(late.chain().head().block, server.chain().head().block);
}

#[test]
fn another_state_than_the_blocks_is_refused_and_another_source_may_try() {
    let (_directory, server) = served(8);
    let [old, new] = [7, 8].map(|height| Snapshot::take(server.chain(), height).unwrap());
    let joined = tempfile::tempdir().unwrap();
    let mut import = begin(joined.path(), new.block(), new.manifest()).unwrap();
    chunks(&old).iter().for_each(|chunk| import.add(chunk).unwrap());
    let error = import.finish().unwrap_err();
    assert!(matches!(error, SyncError::Snapshot(SnapshotError::Root { .. })) && error.is_sources_fault(), "{error}");
    join(joined.path(), &new);
    assert_eq!(open_ledger(joined.path()).durable(), server.durable());
    let error = begin(joined.path(), new.block(), new.manifest()).unwrap_err();
    assert!(matches!(
        error,
        SyncError::Snapshot(SnapshotError::Store(StoreError::Locked(_)) | SnapshotError::NotEmpty(_))
    ));
    assert!(!error.is_sources_fault());
}

#[test]
fn a_chain_from_before_paris_has_no_snapshots() {
    let joined = tempfile::tempdir().unwrap();
    let genesis = crate::tests::genesis(Fork::London);
    let error = SnapshotImport::begin(joined.path(), &genesis, BlockRef::default(), &[]).unwrap_err();
    assert!(matches!(error, SyncError::ProofOfWork), "{error}");
}

#[test]
fn an_ordinary_chain_can_be_joined_too() {
    let [served, joined] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let genesis = crate::tests::genesis(Fork::LATEST);
    let options = |directory: &Path| ChainOptions {
        genesis: genesis.clone(),
        directory: directory.to_owned(),
        store: StoreOptions::default(),
        pool: PoolConfig::default(),
        threads: NonZeroUsize::MIN,
        is_dev: false,
    };
    let chain = Chain::open(options(served.path())).unwrap();
    for height in 1..=4 {
        let gas_limit = crate::tests::GAS_LIMIT;
        let attributes = crate::Attributes { timestamp: 1_000 + height, gas_limit, ..crate::Attributes::default() };
        chain.produce(&attributes, &[transfer(1, height - 1, 1)]).unwrap();
    }
    let snapshot = Snapshot::take(&chain, 3).unwrap();
    let mut import = SnapshotImport::begin(joined.path(), &genesis, snapshot.block(), snapshot.manifest()).unwrap();
    chunks(&snapshot).iter().for_each(|chunk| import.add(chunk).unwrap());
    import.finish().unwrap();
    let late = Chain::open(options(joined.path())).unwrap();
    let last = chain.store().block(4).unwrap().unwrap();
    assert_eq!(late.import(last.block.clone()).unwrap(), last);
}

#[test]
fn places_of_the_ordered_genesis_agree() {
    let directory = tempfile::tempdir().unwrap();
    let chain = Chain::open(options(directory.path())).unwrap();
    assert_eq!(digest_of(&chain.head().block.block.header), Some(GENESIS.1));
    assert_eq!(place(&block_on(GENESIS, 0, vec![])).0, 1);
}
