//! The file's rule, and what becomes of a file that is not what it was.

use std::os::unix::fs::PermissionsExt as _;

use commonware_runtime::{Runner as _, Storage as _, Supervisor as _, deterministic};

use super::{
    guard::{decode, encode},
    *,
};

const NAMESPACE: &[u8] = b"a network";
const LOG: &str = "node-simplex-7";

fn store(id: u8, start: u64) -> Store {
    Store { id: B128::repeat_byte(id), start }
}

fn key() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    fs::write(&path, "a key").unwrap();
    (folder, path)
}

fn open(key: &Path) -> VoteLock {
    VoteLock::open(key, NAMESPACE).unwrap()
}

/// Locked by store 1 in its second life, which votes since epoch 5, and read again by another process.
fn locked() -> (tempfile::TempDir, VoteLock) {
    let (folder, path) = key();
    open(&path).write(Record { epoch: 7, first: 5, store: store(1, 2) }).unwrap();
    let lock = open(&path);
    (folder, lock)
}

#[test]
fn the_first_votes_of_a_key_need_no_file() {
    let (_folder, path) = key();
    let expected = Record { epoch: 3, first: 3, store: store(1, 1) };
    assert_eq!(open(&path).judge(3, store(1, 1), false), Judgement::Votes(expected));
}

#[test]
fn a_restart_on_the_same_store_votes_on() {
    let (_folder, lock) = locked();
    let expected = Record { epoch: 7, first: 5, store: store(1, 3) };
    assert_eq!(lock.judge(7, store(1, 3), true), Judgement::Votes(expected));
    assert_eq!(lock.judge(8, store(1, 3), false), Judgement::Votes(Record { epoch: 8, ..expected }));
    // The end of epoch 6 comes again after a crash; the file must not go back.
    assert_eq!(lock.judge(6, store(1, 3), true), Judgement::Votes(expected));
}

#[test]
fn another_store_follows_until_the_next_epoch() {
    let (_folder, lock) = locked();
    for epoch in 0..=7 {
        assert_eq!(lock.judge(epoch, store(2, 9), true), Judgement::Follows(8));
    }
    let expected = Record { epoch: 8, first: 8, store: store(2, 9) };
    assert_eq!(lock.judge(8, store(2, 9), false), Judgement::Votes(expected));
}

#[test]
fn an_older_copy_of_the_store_and_a_lost_log_are_another_store() {
    let (_folder, lock) = locked();
    assert_eq!(lock.judge(7, store(1, 2), true), Judgement::Follows(8));
    assert_eq!(lock.judge(7, store(1, 3), false), Judgement::Follows(8));
    // Its votes in epoch 4 are in another store.
    assert_eq!(lock.judge(4, store(1, 3), true), Judgement::Follows(8));
}

#[test]
fn a_process_that_has_written_the_file_goes_on() {
    let (_folder, mut lock) = locked();
    lock.write(Record { epoch: 8, first: 5, store: store(1, 3) }).unwrap();
    let expected = Record { epoch: 9, first: 5, store: store(1, 3) };
    assert_eq!(lock.judge(9, store(1, 3), false), Judgement::Votes(expected));
}

#[test]
fn networks_do_not_lock_each_other() {
    let (folder, lock) = locked();
    drop(lock);
    let other = VoteLock::open(&folder.path().join("key.json"), b"another network").unwrap();
    assert_eq!(other.record, None);
}

#[test]
fn a_key_is_used_once_at_a_time() {
    let (_folder, path) = key();
    let first = open(&path);
    let error = VoteLock::open(&path, b"another network").unwrap_err();
    assert!(matches!(error, VoteLockError::InUse(_)), "{error}");
    drop(first);
    open(&path);
    let error = VoteLock::open(&path.with_extension("none"), NAMESPACE).unwrap_err();
    assert!(matches!(error, VoteLockError::Key { .. }), "{error}");
}

#[test]
fn a_damaged_file_lets_nobody_vote() {
    let (folder, lock) = locked();
    let (file, path) = (lock.path.clone(), folder.path().join("key.json"));
    drop(lock);
    let text = fs::read_to_string(&file).unwrap();
    let other_network = render(B256::ZERO, Record { epoch: 7, first: 5, store: store(1, 2) });
    let damaged = [
        String::new(),
        text[..text.len() - 1].to_owned(),
        format!("{text}\n"),
        text.replace("epoch 7", "epoch 6"),
        text.replace("epoch 7", "epoch 07"),
        text.replace("epoch 7\n", ""),
        "x".repeat(5_000),
        other_network,
    ];
    for text in damaged {
        fs::write(&file, &text).unwrap();
        let error = VoteLock::open(&path, NAMESPACE).unwrap_err();
        assert!(matches!(error, VoteLockError::Damaged(_)), "{error}: {text}");
        assert!(error.to_string().contains("must not vote"));
    }
    fs::write(&file, [0xff; 10]).unwrap();
    assert!(matches!(VoteLock::open(&path, NAMESPACE).unwrap_err(), VoteLockError::Damaged(_)));
    fs::write(&file, text).unwrap();
    assert_eq!(open(&path).record.unwrap().epoch, 7);
}

#[test]
fn a_file_that_cannot_be_read_or_written_lets_nobody_vote() {
    let (folder, mut lock) = locked();
    let file = lock.path.clone();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
    // A folder is neither read nor replaced, whoever asks.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let error = lock.write(Record { epoch: 9, first: 5, store: store(1, 3) }).unwrap_err();
    assert!(matches!(error, VoteLockError::File { verb: "write", .. }), "{error}");
    assert_eq!(lock.record.unwrap().epoch, 7, "what is not durable does not count");
    drop(lock);
    let error = VoteLock::open(&folder.path().join("key.json"), NAMESPACE).unwrap_err();
    assert!(matches!(error, VoteLockError::File { verb: "read", .. }), "{error}");
}

async fn guard(
    context: &deterministic::Context,
    life: &'static str,
    key: &Path,
    prefix: &str,
) -> Guard<deterministic::Context> {
    Guard::open(context.child(life), prefix, open(key)).await.unwrap()
}

#[test]
fn a_guard_tells_a_restart_from_a_loss() {
    let (_folder, path) = key();
    deterministic::Runner::default().start(|context| async move {
        let mut first = guard(&context, "first", &path, "node").await;
        assert_eq!(first.enter(7, LOG).await.unwrap(), Permission::Votes);
        drop(first);
        // Nothing was voted for, but the log is there.
        let mut restarted = guard(&context, "restarted", &path, "node").await;
        assert_eq!(restarted.enter(7, LOG).await.unwrap(), Permission::Votes);
        drop(restarted);
        context.remove(LOG, None).await.unwrap();
        let mut robbed = guard(&context, "robbed", &path, "node").await;
        assert_eq!(robbed.enter(7, LOG).await.unwrap(), Permission::Follows { until: 8 });
        drop(robbed);
        // It stays so, whatever its engine has written meanwhile.
        context.open(LOG, &[0; 8]).await.unwrap();
        let mut again = guard(&context, "again", &path, "node").await;
        assert_eq!(again.enter(7, LOG).await.unwrap(), Permission::Follows { until: 8 });
        assert!(context.scan(LOG).await.is_err(), "the log begins anew");
        assert_eq!(again.enter(8, "node-simplex-8").await.unwrap(), Permission::Votes);
        assert_eq!(again.enter(9, "node-simplex-9").await.unwrap(), Permission::Votes);
        drop(again);
        let mut wiped = guard(&context, "wiped", &path, "other").await;
        assert_eq!(wiped.enter(9, "other-simplex-9").await.unwrap(), Permission::Follows { until: 10 });
    });
}

#[test]
fn a_guard_knows_an_older_copy_of_its_store() {
    let (_folder, path) = key();
    deterministic::Runner::default().start(|context| async move {
        let mut first = guard(&context, "first", &path, "node").await;
        assert_eq!(first.enter(7, LOG).await.unwrap(), Permission::Votes);
        let copy = encode(first.store);
        drop(first);
        let mut second = guard(&context, "second", &path, "node").await;
        assert_eq!(second.enter(7, LOG).await.unwrap(), Permission::Votes);
        // The copy of before is put in its place.
        second.keep(decode(&copy)).await.unwrap();
        drop(second);
        for life in ["copy", "copy_again"] {
            let mut copied = guard(&context, life, &path, "node").await;
            assert_eq!(copied.enter(7, LOG).await.unwrap(), Permission::Follows { until: 8 }, "{life}");
        }
    });
}
