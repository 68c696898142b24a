//! The conformance commands, import and export on small fixtures: what is right passes, what is wrong is reported.
//!
//! The fixtures have the suites' own formats. Their hashes, roots and signatures were computed by an independent
//! implementation, so that the runners and what they run are checked against something else than themselves.
//!
//! The suites themselves run where `BRAID_ETHEREUM_TESTS` (a checkout of ethereum/legacytests) and
//! `BRAID_EXECUTION_APIS` (one of ethereum/execution-apis) say where they are.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

fn braid(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_braid")).args(args).output().unwrap()
}

fn fixture(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path);
    path.to_str().unwrap().to_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a suite and compares its last line and its exit code with what is expected.
#[track_caller]
fn expect(command: &str, path: &str, summary: &str) -> String {
    let output = braid(&[command, path]);
    let text = stdout(&output);
    assert_eq!(text.lines().last(), Some(summary), "{text}{}", stderr(&output));
    assert_eq!(output.status.success(), summary.contains(" 0 failed"), "{text}");
    text
}

#[test]
fn state_tests_pass_and_unknown_forks_are_skipped_by_name() {
    let text = expect("statetest", &fixture("state"), "14 passed, 0 failed, 1 skipped");
    assert!(text.contains("skipped 1: fork Amsterdam is not supported"), "{text}");
}

#[test]
fn wrong_state_tests_are_reported_one_by_one() {
    let text = expect("statetest", &fixture("state-failing"), "1 passed, 7 failed, 0 skipped");
    for reason in [
        "wrong/London/d0g0v0: state root is ",
        "the transaction was included; expected TR_NoFunds",
        "hash of the logs is ",
        "wrong/London/d0g1v0: the transaction was refused: ",
        "not-json.json: is not a JSON object of test cases",
        "malformed: is malformed: missing field `transaction`",
        "empty.json: holds no test case",
    ] {
        assert!(text.contains(reason), "{reason} is missing in {text}");
    }
}

#[test]
fn a_fork_can_be_chosen() {
    let output = braid(&["statetest", "--fork", "cancun", &fixture("state")]);
    assert_eq!(stdout(&output).lines().last(), Some("4 passed, 0 failed, 0 skipped"));
}

#[test]
fn blocks_are_processed_and_refused_as_expected() {
    let text = expect("blocktest", &fixture("chain"), "2 passed, 0 failed, 1 skipped");
    assert!(text.contains("skipped 1: network Amsterdam is not supported"), "{text}");
}

#[test]
fn wrong_blockchain_tests_are_reported_one_by_one() {
    let text = expect("blocktest", &fixture("chain-failing"), "0 passed, 4 failed, 0 skipped");
    for reason in [
        "wrongBalance: account ",
        "wrongHead: head is ",
        "acceptedThoughRefused: block 2 was accepted; expected InvalidStateRoot",
        "refusedThoughValid: block 2 was refused: ",
    ] {
        assert!(text.contains(reason), "{reason} is missing in {text}");
    }
}

#[test]
fn several_threads_inside_a_block_change_nothing() {
    for (command, path) in
        [("statetest", "state"), ("statetest", "state-failing"), ("blocktest", "chain"), ("blocktest", "chain-failing")]
    {
        let alone = braid(&[command, "--verbose", &fixture(path)]);
        let together = braid(&[command, "--verbose", "--block-threads", "2", &fixture(path)]);
        assert_eq!(stdout(&together), stdout(&alone), "{command} {path}");
        assert_eq!(together.status.code(), alone.status.code(), "{command} {path}");
    }
    let none = braid(&["blocktest", "--block-threads", "0", &fixture("chain")]);
    assert_eq!(none.status.code(), Some(2), "{}", stderr(&none));
}

#[test]
fn recorded_blocks_are_replayed() {
    expect("replay", &fixture("replay"), "1 passed, 0 failed, 0 skipped");
    let text = expect("replay", &fixture("replay-failing"), "0 passed, 4 failed, 0 skipped");
    for reason in ["gas used is 43898", "header hashes to ", "receipts root is ", "cannot be unpacked: "] {
        assert!(text.contains(reason), "{reason} is missing in {text}");
    }
}

#[test]
fn json_is_one_object_a_line() {
    let output = braid(&["statetest", "--json", &fixture("state-failing")]);
    let lines: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 9, "eight cases and the summary");
    assert_eq!(lines.iter().filter(|line| line["outcome"] == "failed").count(), 7);
    assert_eq!(lines[8], serde_json::json!({ "passed": 1, "failed": 7, "skipped": 0 }));
    assert!(!output.status.success());
}

#[test]
fn a_path_without_tests_is_a_failure() {
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    for command in ["statetest", "blocktest", "replay"] {
        for path in [empty, "/nonexistent/file.json"] {
            let output = braid(&[command, path]);
            assert!(!output.status.success(), "{command} {path}");
            assert_eq!(stdout(&output).lines().last(), Some("0 passed, 1 failed, 0 skipped"), "{command} {path}");
        }
    }
    let output = braid(&["rpctest", empty]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("holds chain.rlp and genesis.json"), "{}", stderr(&output));
}

#[test]
fn rpc_scripts_are_asked_of_a_real_server() {
    let text = expect("rpctest", &fixture("rpc"), "3 passed, 0 failed, 1 skipped");
    assert!(text.contains("skipped 1: testing_buildBlockV1 is not served"), "{text}");
    let output = braid(&["rpctest", "--chain", &fixture("rpc"), &fixture("rpc-failing")]);
    let text = stdout(&output);
    assert_eq!(text.lines().last(), Some("0 passed, 2 failed, 0 skipped"), "{text}");
    assert!(text.contains(".result: found \"0xb2d05e00\", expected \"0xffff\""), "{text}");
    assert!(text.contains("malformed.io: line 1: neither comment, request nor response"), "{text}");
}

#[test]
fn an_imported_chain_is_exported_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (datadir, chain, genesis) = (path("data"), fixture("rpc/chain.rlp"), fixture("rpc/genesis.json"));

    let import = braid(&["import", &chain, "--genesis", &genesis, "--datadir", &datadir]);
    assert!(import.status.success(), "{}", stderr(&import));
    assert!(stdout(&import).starts_with("imported 2 blocks, skipped 0 known ones"), "{}", stdout(&import));
    let again = braid(&["import", &chain, "--genesis", &genesis, "--datadir", &datadir]);
    assert!(stdout(&again).starts_with("imported 0 blocks, skipped 2 known ones"), "{}", stdout(&again));

    let original = fs::read(&chain).unwrap();
    assert!(braid(&["export", &path("all.rlp"), "--datadir", &datadir]).status.success());
    assert_eq!(fs::read(path("all.rlp")).unwrap(), original);
    assert!(braid(&["export", &path("last.rlp"), "--datadir", &datadir, "--from", "2"]).status.success());
    assert!(original.ends_with(&fs::read(path("last.rlp")).unwrap()));

    // A packed export is a chain to import, into a directory of its own.
    assert!(braid(&["export", &path("all.rlp.gz"), "--datadir", &datadir]).status.success());
    let packed = braid(&["import", &path("all.rlp.gz"), "--genesis", &genesis, "--datadir", &path("other")]);
    assert!(stdout(&packed).starts_with("imported 2 blocks"), "{}{}", stdout(&packed), stderr(&packed));

    let beyond = braid(&["export", &path("none.rlp"), "--datadir", &datadir, "--to", "3"]);
    assert!(stderr(&beyond).contains("block 3 does not exist: the head is 2"), "{}", stderr(&beyond));
    assert!(!Path::new(&path("none.rlp")).exists());
}

#[test]
fn a_damaged_chain_file_is_refused_with_the_block_that_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let genesis = fixture("rpc/genesis.json");
    let original = fs::read(fixture("rpc/chain.rlp")).unwrap();
    let mut flipped = original.clone();
    // A byte of the first header's parent hash.
    flipped[20] ^= 1;
    for (name, bytes, mention) in [
        ("truncated", &original[..original.len() - 1], "ends within a block"),
        ("flipped", &flipped[..], "block 1 of the file"),
        ("text", b"hello", "does not begin a block"),
    ] {
        let file = dir.path().join(name);
        fs::write(&file, bytes).unwrap();
        let output = braid(&["import", file.to_str().unwrap(), "--genesis", &genesis]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(stderr(&output).contains(mention), "{name}: {}", stderr(&output));
    }
}

/// The checkout that a variable names; without it the test says that it does nothing.
fn checkout(variable: &str) -> Option<PathBuf> {
    let path = env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: {variable} does not name a checkout; see docs/conformance.md");
    }
    path
}

#[track_caller]
fn expect_suite_to_pass(command: &str, path: &Path) {
    let output = braid(&[command, path.to_str().unwrap()]);
    let text = stdout(&output);
    assert!(output.status.success(), "{}{}", &text[text.len().saturating_sub(20_000)..], stderr(&output));
}

#[test]
fn ethereum_state_tests() {
    if let Some(suite) = checkout("BRAID_ETHEREUM_TESTS") {
        expect_suite_to_pass("statetest", &suite.join("Cancun/GeneralStateTests"));
    }
}

#[test]
fn ethereum_blockchain_tests() {
    if let Some(suite) = checkout("BRAID_ETHEREUM_TESTS") {
        expect_suite_to_pass("blocktest", &suite.join("Cancun/BlockchainTests"));
    }
}

#[test]
fn ethereum_rpc_tests() {
    if let Some(suite) = checkout("BRAID_EXECUTION_APIS") {
        expect_suite_to_pass("rpctest", &suite.join("tests"));
    }
}
