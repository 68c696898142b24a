//! Power cuts and chain directories.

use std::{num::NonZeroUsize, sync::Arc};

use alloy_primitives::{Address, B256};
use braid_chain::{Chain, ChainOptions, Ledger};
use braid_pool::PoolConfig;
use braid_types::OrderedBlock;
use tempfile::TempDir;

use braid_sim::{
    disk::{copy, store_options, tear},
    plan::{Plan, Torn},
    world,
};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
};

fn open(directory: &TempDir) -> Ledger {
    let options = ChainOptions {
        genesis: world::genesis(&world::Keys::of(&Plan::new(1, 1)).consensus_config()),
        directory: directory.path().to_owned(),
        store: store_options(),
        pool: PoolConfig::default(),
        threads: NonZeroUsize::MIN,
        is_dev: false,
    };
    Ledger::new(Arc::new(Chain::open(options).unwrap())).unwrap()
}

/// The height that a chain of three blocks comes back with after its machine lost power.
fn height_after(torn: Torn) -> u64 {
    let (before, after) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let ledger = open(&before);
    for height in 1..=3 {
        let digest = B256::with_last_byte(height);
        let (parent, height) = (ledger.durable().digest, u64::from(height));
        let (beneficiary, transactions) = (Address::ZERO, Vec::new());
        let block = OrderedBlock { height, digest, parent, timestamp_ms: 0, beneficiary, transactions };
        ledger.commit(&block).unwrap();
    }
    copy(before.path(), after.path()).unwrap();
    tear(after.path(), torn).unwrap();
    open(&after).durable().height
}

#[test]
fn only_the_record_that_was_being_written_is_lost() {
    assert_eq!(height_after(Torn::Nothing), 3);
    for torn in [Torn::All, Torn::Behind(0), Torn::Behind(3), Torn::Behind(99), Torn::Within(0), Torn::Within(60)] {
        assert_eq!(height_after(torn), 2, "{torn:?}");
    }
}

#[test]
fn copies_have_the_bytes_and_the_length() {
    let directory = TempDir::new().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fs::create_dir(&from).unwrap();
    let mut content = vec![0; 3 << 20];
    content[1 << 20] = 1;
    content[(2 << 20) + 5] = 2;
    let file = File::create(from.join("file")).unwrap();
    file.write_all_at(&[1], 1 << 20).unwrap();
    file.write_all_at(&[2], (2 << 20) + 5).unwrap();
    file.set_len(3 << 20).unwrap();
    copy(&from, &to).unwrap();
    assert!(fs::read(to.join("file")).unwrap() == content);
}
