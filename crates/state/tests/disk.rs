//! The store on a disk that tears and reorders writes, fails, lies, or is full: never a wrong head, never an acknowledged block lost.
//!
//! A child of this process fills a store under a shim (`disk/shim.c`) that writes down what is done to files, syncs included. From that
//! [`image`] makes disks as a power cut might have left them at any moment, and the store is opened on each. `BRAID_DISK_CUTS` and
//! `BRAID_DISK_SEED` widen the search (`make disk`).

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(unreachable_pub, reason = "helpers beside")]

#[path = "disk/image.rs"]
mod image;
mod support;

use std::{
    collections::BTreeMap,
    error::Error,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use alloy_primitives::{B256, Bytes, keccak256};
use braid_state::{Store, StoreError};
use braid_types::StateChanges;
use image::{Disk, Random, Step, read_trace};
use proptest::strategy::{Strategy as _, ValueTree as _};
use support::{Model, changes, manual};
use tempfile::TempDir;

/// Power cuts in a short run.
const CUTS: usize = 16;

/// Blocks that the child commits.
const BLOCKS: usize = 40;

/// Every so many blocks a checkpoint is made.
const CHECKPOINT_EVERY: usize = 7;

/// Every so many blocks one brings this much code, so that the log goes through several segments.
const LARGE_EVERY: usize = 4;
const LARGE_CODE_BYTES: usize = 7 << 18;

/// A child, and where it works: `data` is the store's, `said` is what it said of it.
struct Child {
    scratch: TempDir,
    root: PathBuf,
}

/// What the child said of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// It is about to be committed.
    Trying,
    /// The store said that it is durable.
    Durable,
}

impl Child {
    /// Runs the child with a fault, or none; its error, if it ended with one.
    fn run(fault: Option<String>) -> (Self, Option<String>) {
        let scratch = TempDir::new().unwrap();
        let root = scratch.path().canonicalize().unwrap().join("disk");
        fs::create_dir(&root).unwrap();
        let child = Self { scratch, root };
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "fill_a_store", "--test-threads=1"]);
        command.env("LD_PRELOAD", shim()).env("BRAID_DISK_ROOT", &child.root).env("BRAID_DISK_TRACE", child.trace());
        if let Some(fault) = fault {
            command.env("BRAID_DISK_FAULT", fault);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let error = fs::read_to_string(error_of(&child.root)).unwrap();
        (child, Some(error).filter(|error| !error.is_empty()))
    }

    fn trace(&self) -> PathBuf {
        self.scratch.path().join("trace")
    }

    fn steps(&self) -> Vec<Step> {
        read_trace(&self.trace())
    }

    /// Checks that the trace tells everything that the child did.
    fn assert_traced(&self) {
        let mut disk = Disk::new(&self.root);
        self.steps().iter().for_each(|step| disk.apply(step));
        disk.assert_complete();
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// What it said in all.
    fn said(&self) -> Blocks {
        Blocks::of(&fs::read(self.root.join("said")).unwrap())
    }
}

/// Blocks that the child spoke of.
#[derive(Debug, Default)]
struct Blocks {
    /// Every block that was ever tried at a height: there is one, for the child goes straight on.
    tried: BTreeMap<u64, B256>,
    /// Height of the newest that is durable.
    durable: Option<u64>,
}

impl Blocks {
    fn of(said: &[u8]) -> Self {
        let mut blocks = Self::default();
        for line in String::from_utf8_lossy(said).lines() {
            // The last line may be cut short where the disk was full.
            let words: Vec<_> = line.split(' ').collect();
            let [word, height, hash] = words[..] else { continue };
            let (Ok(height), Ok(hash)) = (height.parse(), hash.parse()) else { continue };
            if word == "trying" {
                blocks.tried.insert(height, hash);
            } else {
                blocks.durable = Some(height);
            }
        }
        blocks
    }

    /// Whether a store that opened has a head that may be: one that was tried, with all before it, and no older than `durable`.
    fn check(&self, store: &Store, durable: Option<u64>, context: &str) {
        let Some(head) = store.head() else {
            assert_eq!(durable, None, "{context}: the store is empty");
            return;
        };
        let height = head.block.height();
        assert!(Some(height) >= durable, "{context}: head is {height}, but {durable:?} was durable");
        assert_eq!(head.state.root(), head.block.block.header.state_root, "{context}");
        for height in 0..=height {
            assert_eq!(store.hash(height).unwrap(), self.tried.get(&height).copied(), "{context}: block {height}");
            assert!(store.block(height).unwrap().is_some(), "{context}: block {height}");
        }
    }
}

/// The shim, compiled once a process.
fn shim() -> PathBuf {
    static SHIM: std::sync::LazyLock<(TempDir, PathBuf)> = std::sync::LazyLock::new(|| {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("shim.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disk/shim.c");
        let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        let output =
            compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&path).arg(source).args(["-ldl", "-lpthread"]);
        let output = output.output().expect("a C compiler is needed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (dir, path)
    });
    SHIM.1.clone()
}

fn error_of(root: &Path) -> PathBuf {
    root.with_extension("error")
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Block `index` of the child's chain; the same in every run.
fn sample(index: usize) -> StateChanges {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut sample = StateChanges::default();
    for _ in 0..=index % 5 + index / 5 {
        sample = changes().new_tree(&mut runner).unwrap().current();
    }
    if index.is_multiple_of(LARGE_EVERY) {
        let mut random = Random(index as u64);
        let bytes: Vec<u8> = (0..LARGE_CODE_BYTES).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
        let code = Bytes::from(bytes);
        sample.codes.insert(keccak256(&code), code);
    }
    sample
}

fn say(root: &Path, said: Said, height: u64, hash: B256) {
    let word = if said == Said::Trying { "trying" } else { "durable" };
    let mut file = OpenOptions::new().append(true).open(root.join("said")).unwrap();
    // One write: nothing else may come between.
    let line = format!("{word} {height} {hash}\n");
    // A full disk may not take it; what is not said does not count.
    let _ = file.write_all(line.as_bytes());
}

/// Commits blocks until all are in or the store fails.
fn fill(root: &Path) -> Result<(), StoreError> {
    let store = Store::open(&root.join("data"), &manual())?;
    let mut model = Model::default();
    for index in 0..BLOCKS {
        model.try_commit(&store, &sample(index), |block| say(root, Said::Trying, block.height(), block.hash))?;
        let head = model.head().block.block_ref();
        say(root, Said::Durable, head.height, head.hash);
        if index % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1 {
            store.checkpoint()?;
        }
    }
    Ok(())
}

/// What the child does; nothing where it is no child.
#[test]
#[ignore = "run by the other tests, under the shim"]
fn fill_a_store() {
    let Some(root) = std::env::var_os("BRAID_DISK_ROOT").map(PathBuf::from) else { return };
    drop(fs::File::create(root.join("said")).unwrap());
    let mut text = String::new();
    if let Err(error) = fill(&root) {
        let mut next: Option<&dyn Error> = Some(&error);
        while let Some(error) = next {
            text += &format!("{error}: ");
            next = error.source();
        }
    }
    fs::write(error_of(&root), text).unwrap();
}

/// Calls `visit` with the disk and what was said, at `cuts` moments of a trace.
fn at_moments(child: &Child, cuts: usize, mut visit: impl FnMut(usize, &Disk, Blocks)) {
    let steps = child.steps();
    let seed = setting("BRAID_DISK_SEED", 1);
    let mut random = Random(seed as u64);
    let mut moments: Vec<_> = (0..cuts).map(|_| random.below(steps.len() + 1)).collect();
    moments.sort_unstable();
    let mut disk = Disk::new(&child.root);
    let mut done = 0;
    for moment in moments {
        steps[done..moment].iter().for_each(|step| disk.apply(step));
        done = moment;
        let said = child.root.join("said");
        let said = disk.contents(said.to_str().unwrap()).unwrap_or_default();
        visit(moment, &disk, Blocks::of(&said));
    }
}

/// A disk cut off at a moment: a folder with the store's data directory in it.
fn image_of(disk: &Disk, moment: usize, child: &Child) -> TempDir {
    let left = TempDir::new_in(child.scratch.path()).unwrap();
    disk.cut(&mut Random(moment as u64 + setting("BRAID_DISK_SEED", 1) as u64), left.path());
    left
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_durable() {
    let (child, error) = Child::run(None);
    assert_eq!(error, None);
    let all = child.said();
    assert_eq!((all.tried.len(), all.durable), (BLOCKS, Some(BLOCKS as u64 - 1)));
    child.assert_traced();
    at_moments(&child, setting("BRAID_DISK_CUTS", CUTS), |moment, disk, said| {
        let left = image_of(disk, moment, &child);
        let context = format!("cut after step {moment}");
        // Opening changes the disk as well.
        for _ in 0..1 + moment % 2 {
            let store = Store::open(&left.path().join("data"), &manual());
            let store = store.unwrap_or_else(|error| panic!("{context}: {error:?}"));
            all.check(&store, said.durable, &context);
        }
    });
}

#[test]
fn a_disk_that_lies_may_cost_blocks_but_never_gives_a_wrong_head() {
    let (child, error) = Child::run(Some("lie:12".to_owned()));
    assert_eq!(error, None);
    let all = child.said();
    let mut opened = 0;
    at_moments(&child, setting("BRAID_DISK_CUTS", CUTS) / 2, |moment, disk, _| {
        let left = image_of(disk, moment, &child);
        // To refuse is right too: what was checkpointed may be half there.
        if let Ok(store) = Store::open(&left.path().join("data"), &manual()) {
            all.check(&store, None, &format!("lied to, cut after step {moment}"));
            opened += 1;
        }
    });
    assert!(opened > 0, "no image could be opened");
}

#[test]
fn a_sync_that_fails_is_an_error_and_costs_nothing_durable() {
    for failing in [30, 80] {
        let (child, error) = Child::run(Some(format!("sync:{failing}")));
        let error = error.unwrap_or_else(|| panic!("sync {failing} failed unnoticed"));
        assert!(error.contains("os error 5"), "{error}");
        let all = child.said();
        at_moments(&child, 2, |moment, disk, said| {
            let left = image_of(disk, moment, &child);
            let store = Store::open(&left.path().join("data"), &manual()).unwrap();
            all.check(&store, said.durable, &format!("sync {failing} failed, cut after step {moment}"));
        });
    }
}

#[test]
fn a_full_disk_is_a_clear_error_and_the_store_goes_on_when_there_is_room() {
    for room in [40_000, 5 << 20, 30 << 20] {
        let (child, error) = Child::run(Some(format!("full:{room}")));
        let error = error.unwrap_or_else(|| panic!("a disk of {room} bytes is large enough"));
        assert!(error.contains("No space left on device"), "{room}: {error}");
        let (data, all) = (child.data(), child.said());
        let store = Store::open(&data, &manual()).unwrap_or_else(|error| panic!("{room}: {error:?}"));
        all.check(&store, all.durable, &format!("disk of {room} bytes"));
        go_on(&store);
        store.checkpoint().unwrap();
        let head = store.head().unwrap().block.block_ref();
        drop(store);
        assert_eq!(Store::open(&data, &manual()).unwrap().head().unwrap().block.block_ref(), head);
    }
}

/// Commits a block on whatever head there is.
fn go_on(store: &Store) {
    let mut model = Model::default();
    if let Some(head) = store.head() {
        model.follow(store, head.block.height());
    }
    model.commit(store, &sample(1));
}
