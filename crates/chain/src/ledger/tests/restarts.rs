//! Killed at any step, a ledger goes on from its newest durable block.
//!
//! A directory copied while its store is open is what a killed process leaves: nothing was closed, flushed or told. (What the disk
//! itself may lose is the store's affair, whose log is synced before a commit returns.)

use super::*;

/// What a process killed now leaves.
fn remains(directory: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_all(directory, copy.path());
    copy
}

fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Opens what is left, and plays the whole chain again, as consensus does for what it got no answer about.
fn resume(directory: &Path, durable: Height, blocks: &[Arc<OrderedBlock>], expected: &[B256]) {
    let remains = remains(directory);
    let ledger = open_ledger(remains.path());
    assert_eq!(ledger.durable().height, durable);
    assert_eq!(ledger.statistics().speculative, 0);
    let hashes: Vec<_> = blocks.iter().map(|block| ledger.commit(block).unwrap().hash).collect();
    assert_eq!(hashes, expected);
    assert_eq!(ledger.statistics().executed, blocks.len() as u64 - durable);
    for (block, hash) in blocks.iter().zip(expected) {
        let found = ledger.executed(block.height, block.digest).unwrap();
        assert_eq!(found, Some(BlockRef { height: block.height, hash: *hash }));
    }
}

#[test]
fn killed_between_any_two_steps_it_goes_on() {
    let mut blocks: Vec<Arc<OrderedBlock>> = Vec::new();
    for nonce in 0..5 {
        let parent = blocks.last().map_or(GENESIS, |block| place(block));
        blocks.push(block_on(parent, 1_000_000 + nonce * 400, vec![transfer(1, nonce, 1), transfer(2, nonce, 2)]));
    }
    let (_straight_directory, straight) = ledger();
    let expected: Vec<_> = blocks.iter().map(|block| straight.commit(block).unwrap().hash).collect();

    let (directory, ledger) = ledger();
    let check = |durable| resume(directory.path(), durable, &blocks, &expected);
    check(0);
    for (block, ahead) in blocks.iter().zip(blocks.iter().skip(1).map(Some).chain([None])) {
        ledger.execute(block).unwrap();
        check(block.height - 1);
        ahead.map(|ahead| ledger.execute(ahead).unwrap());
        check(block.height - 1);
        ledger.commit(block).unwrap();
        check(block.height);
        if block.height % 2 == 0 {
            ledger.chain().store().checkpoint().unwrap();
            check(block.height);
        }
    }
}

#[test]
fn a_torn_record_is_a_block_that_was_never_committed() {
    let (directory, ledger) = ledger();
    let first = block_on(GENESIS, 0, vec![transfer(1, 0, 1)]);
    let second = block_on(place(&first), 0, vec![transfer(1, 1, 1)]);
    let hashes = [&first, &second].map(|block| ledger.commit(block).unwrap().hash);
    let remains = remains(directory.path());
    let log = std::fs::read_dir(remains.path().join("log")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    // Segments end in zeros; a write that was cut short leaves more of them.
    let mut bytes = std::fs::read(&log).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end - 10..].fill(0);
    std::fs::write(&log, bytes).unwrap();
    let again = open_ledger(remains.path());
    assert_eq!(again.durable(), Durable { height: 1, hash: hashes[0], digest: first.digest });
    assert_eq!(again.commit(&second).unwrap().hash, hashes[1]);
}
