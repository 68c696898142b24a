//! Torn tails are cut at every byte, damage before them is refused.

//! Appending, recovering from torn writes, and refusing damage.

use std::fs;

use tempfile::TempDir;

use super::*;

/// Small, so that a few records fill a segment.
const SIZE: u64 = 512;

fn payload(sequence: u64) -> Vec<u8> {
    let len = 20 + usize::try_from(sequence * 7 % 60).unwrap();
    (0..len).map(|index| u8::try_from((index as u64 + sequence) % 251).unwrap()).collect()
}

fn open(dir: &Path, after: u64) -> (Log, Vec<LogRecord>) {
    Log::open_sized(dir, after, SIZE).unwrap()
}

fn filled(dir: &Path, through: u64) {
    let (mut log, records) = open(dir, 0);
    assert!(records.is_empty());
    for sequence in 1..=through {
        assert_eq!(log.append(&payload(sequence)).unwrap(), sequence);
    }
}

fn expected(from: u64, through: u64) -> Vec<LogRecord> {
    (from..=through).map(|sequence| (sequence, payload(sequence))).collect()
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    list(dir).unwrap().into_iter().map(|(_, path)| path).collect()
}

/// Where the last record of a segment begins and ends.
fn last_record(path: &Path) -> (usize, usize) {
    let bytes = fs::read(path).unwrap();
    let first = segment::first_sequence_of(path).unwrap();
    let scan = scan(path, &bytes, first).unwrap();
    let last = scan.records.last().unwrap();
    (last.start - segment::RECORD_HEADER_BYTES, last.end)
}

#[test]
fn records_come_back_over_segments_and_restarts() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), 20);
    assert!(segments(dir.path()).len() > 2);
    let (mut log, records) = open(dir.path(), 0);
    assert_eq!(records, expected(1, 20));
    assert_eq!(log.append(&payload(21)).unwrap(), 21);
    drop(log);
    assert_eq!(open(dir.path(), 4).1, expected(5, 21));
}

#[test]
fn a_record_larger_than_a_segment_gets_its_own() {
    let dir = TempDir::new().unwrap();
    let (mut log, _) = open(dir.path(), 0);
    let large = vec![7; 5_000];
    log.append(&payload(1)).unwrap();
    log.append(&large).unwrap();
    log.append(&payload(3)).unwrap();
    let (_, records) = open(dir.path(), 0);
    assert_eq!(records, [(1, payload(1)), (2, large), (3, payload(3))]);
}

#[test]
fn a_first_record_larger_than_a_segment_replaces_the_empty_one() {
    let dir = TempDir::new().unwrap();
    let (mut log, _) = open(dir.path(), 0);
    let large = vec![7; 5_000];
    log.append(&large).unwrap();
    log.append(&payload(2)).unwrap();
    assert_eq!(open(dir.path(), 0).1, [(1, large), (2, payload(2))]);
    log.remove_through(1).unwrap();
    assert_eq!(open(dir.path(), 1).1, expected(2, 2));
}

#[test]
fn segments_below_a_checkpoint_are_removed() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), 20);
    let before = segments(dir.path()).len();
    let (mut log, records) = open(dir.path(), 20);
    assert!(records.is_empty());
    assert_eq!(segments(dir.path()).len(), 1, "of {before}");
    for sequence in 21..=40 {
        log.append(&payload(sequence)).unwrap();
    }
    log.remove_through(30).unwrap();
    drop(log);
    assert_eq!(open(dir.path(), 30).1, expected(31, 40));
    let gap = Log::open_sized(dir.path(), 1, SIZE).unwrap_err();
    assert!(matches!(gap, LogError::Damaged { .. }), "records 2 to 20 are gone");
}

#[test]
fn a_torn_tail_is_cut_at_every_byte() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), 20);
    let newest = segments(dir.path()).pop().unwrap();
    let whole = fs::read(&newest).unwrap();
    let (start, end) = last_record(&newest);
    for cut in start..end {
        fs::write(&newest, &whole[..cut]).unwrap();
        let (mut log, records) = open(dir.path(), 0);
        assert_eq!(records, expected(1, 19), "cut at {cut}");
        assert_eq!(log.append(&payload(20)).unwrap(), 20);
        drop(log);
        assert_eq!(open(dir.path(), 0).1, expected(1, 20), "appended after a cut at {cut}");
        fs::write(&newest, &whole).unwrap();
    }
}

#[test]
fn the_last_record_torn_inside_is_cut_and_cleared() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), 20);
    let newest = segments(dir.path()).pop().unwrap();
    let whole = fs::read(&newest).unwrap();
    let (start, end) = last_record(&newest);
    for at in start..end {
        let mut torn = whole.clone();
        torn[at] ^= 0x40;
        fs::write(&newest, &torn).unwrap();
        let (mut log, records) = open(dir.path(), 0);
        assert_eq!(records, expected(1, 19), "flipped at {at}");
        // Shorter than what was cut: nothing of it may show behind.
        log.append(&[1]).unwrap();
        drop(log);
        assert_eq!(open(dir.path(), 0).1.last(), Some(&(20, vec![1])), "flipped at {at}");
    }
}

#[test]
fn a_record_damaged_before_the_last_is_refused() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), 20);
    for path in segments(dir.path()) {
        let whole = fs::read(&path).unwrap();
        let is_newest = Some(&path) == segments(dir.path()).last();
        let (start, end) = last_record(&path);
        let until = if is_newest { start } else { end };
        for at in 0..until {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            let result = Log::open_sized(dir.path(), 0, SIZE);
            assert!(matches!(result, Err(LogError::Damaged { .. })), "{} at {at}", path.display());
        }
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(open(dir.path(), 0).1, expected(1, 20));
}

#[test]
fn a_missing_segment_is_refused() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), 20);
    fs::remove_file(&segments(dir.path())[1]).unwrap();
    assert!(matches!(Log::open_sized(dir.path(), 0, SIZE), Err(LogError::Damaged { .. })));
}

#[test]
fn a_payload_that_holds_records_is_not_taken_for_them() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), 2);
    let inside = fs::read(&segments(dir.path())[0]).unwrap();
    let other = TempDir::new().unwrap();
    let (mut log, _) = Log::open_sized(other.path(), 0, 4_096).unwrap();
    log.append(&inside).unwrap();
    drop(log);
    let path = segments(other.path()).pop().unwrap();
    let mut torn = fs::read(&path).unwrap();
    torn[segment::SEGMENT_HEADER_BYTES + 1] ^= 1;
    fs::write(&path, torn).unwrap();
    assert!(Log::open_sized(other.path(), 0, 4_096).unwrap().1.is_empty());
}

#[test]
fn a_segment_that_was_never_finished_is_removed() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), 3);
    let leftover = dir.path().join("00000000000000ff.new");
    fs::write(&leftover, b"x").unwrap();
    assert_eq!(open(dir.path(), 0).1, expected(1, 3));
    assert!(!leftover.exists());
}
