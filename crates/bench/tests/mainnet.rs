//! Recorded blocks of Ethereum's mainnet: any number of threads makes of them what the sequence makes, and what their
//! headers say.
//!
//! The blocks lie in the folder that `BRAID_DATA` names, else beside the repository; without them there is nothing to
//! test, and the test says so.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{env, fs, num::NonZeroUsize, path::PathBuf};

use braid_bench::blocks::{self, RecordedBlock};
use braid_exec::{BlockOutcome, Config, execute};

const THREADS: [usize; 4] = [1, 2, 3, 8];

fn recordings() -> Vec<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mainnet-blocks");
    let folder = env::var_os("BRAID_DATA").map_or(beside, PathBuf::from);
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: no recorded blocks in {} (BRAID_DATA names their folder)", folder.display());
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.to_string_lossy().contains(".json")).collect();
    paths.sort();
    paths
}

fn run(block: &RecordedBlock, config: &Config) -> BlockOutcome {
    execute(&block.context, &block.transactions, &block.state, config).unwrap()
}

#[test]
fn recorded_blocks_come_out_as_in_sequence_and_as_their_headers_say() {
    for path in recordings() {
        let block = blocks::read(&path, &fs::read(&path).unwrap(), &blocks::mainnet().unwrap()).unwrap();
        let name = path.display();
        let expected = run(&block, &Config { per_transaction_changes: true, ..Config::default() });
        assert_eq!(expected.gas_used, block.header.gas_used, "{name}");
        assert_eq!(expected.logs_bloom, block.header.logs_bloom, "{name}");
        let changes = expected.changes.clone().into_state_changes();
        for threads in THREADS {
            let found = run(&block, &Config { threads: NonZeroUsize::new(threads).unwrap(), ..Config::default() });
            assert!(found.receipts == expected.receipts, "receipts of {name}, {threads} threads");
            assert!(found.requests == expected.requests, "requests of {name}, {threads} threads");
            assert_eq!((found.gas_used, found.logs_bloom), (expected.gas_used, expected.logs_bloom), "{name}");
            assert_eq!(found.blob_gas_used, expected.blob_gas_used, "{name}");
            assert!(found.changes.into_state_changes() == changes, "changes of {name}, {threads} threads");
        }
    }
}
