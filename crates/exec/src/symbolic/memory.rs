//! Tagged words of memory.
//!
//! A tagged word that is stored to memory keeps its tag until something overwrites it, and gives it back to MLOAD at the
//! same offset. Logs that contain the whole word are patched later, and so is what a transaction returns. Everything else that
//! reads some of it (hashes, calls, data returned to a caller, copies) pins it.

use alloy_primitives::U256;
use revm::bytecode::opcode;

use super::tracker::{LogPlace, MemoryWord, Operand, Tag, Tracker};

/// Bytes of a word.
const WORD: usize = 32;

/// Whether an instruction reads or writes memory.
pub(super) const fn is_access(opcode: u8) -> bool {
    matches!(
        opcode,
        opcode::KECCAK256
            | opcode::CALLDATACOPY
            | opcode::CODECOPY
            | opcode::EXTCODECOPY
            | opcode::RETURNDATACOPY
            | opcode::MLOAD..=opcode::MSTORE8
            | opcode::MCOPY
            | opcode::LOG0..=opcode::LOG4
            | opcode::CREATE..=opcode::CREATE2
            | opcode::STATICCALL
            | opcode::REVERT
    )
}

/// An instruction with these operands, the topmost first, is about to read or write memory.
pub(super) fn access(tracker: &mut Tracker, opcode: u8, operands: &[U256; 7]) {
    let [first, second, third, fourth, fifth, sixth, seventh] = operands.map(saturated);
    match opcode {
        opcode::RETURN | opcode::REVERT if tracker.is_outermost_call() => {
            defer(tracker, first, second, Tracker::patch_output);
        }
        opcode::KECCAK256 | opcode::RETURN | opcode::REVERT => tracker.read_memory(first, second),
        opcode::CREATE | opcode::CREATE2 => tracker.read_memory(second, third),
        opcode::CALLDATACOPY | opcode::CODECOPY | opcode::RETURNDATACOPY => tracker.overwrite_memory(first, third),
        opcode::EXTCODECOPY => tracker.overwrite_memory(second, fourth),
        opcode::MCOPY => {
            tracker.read_memory(second, third);
            tracker.overwrite_memory(first, third);
        }
        opcode::MSTORE8 => tracker.overwrite_memory(first, 1),
        // The output range may be overwritten, wholly or in part.
        opcode::CALL | opcode::CALLCODE => {
            tracker.read_memory(fourth, fifth);
            tracker.read_memory(sixth, seventh);
        }
        opcode::DELEGATECALL | opcode::STATICCALL => {
            tracker.read_memory(third, fourth);
            tracker.read_memory(fifth, sixth);
        }
        _ => {}
    }
}

/// The tag of the word at `offset`, which MLOAD is about to read.
pub(super) fn loaded(tracker: &mut Tracker, offset: U256) -> Option<Tag> {
    let offset = saturated(offset);
    let same = tracker.memory().iter().find(|word| word.offset == offset).map(|word| word.tag);
    if same.is_none() {
        tracker.read_memory(offset, WORD);
    }
    same
}

/// MSTORE has written a word.
pub(super) fn stored(tracker: &mut Tracker, offset: U256, stored: Operand) {
    let offset = saturated(offset);
    tracker.overwrite_memory(offset, WORD);
    if let Some(tag) = stored.tag {
        tracker.set_memory(offset, stored.value, tag);
    }
}

/// A log with these data is about to be written.
pub(super) fn logged(tracker: &mut Tracker, log: usize, offset: U256, len: U256) {
    defer(tracker, saturated(offset), saturated(len), |tracker, at, word| {
        tracker.patch_log(log, LogPlace::Data(at), word.value, word.tag);
    });
}

/// `len` bytes of memory go where no contract sees them: `patch` notes each tagged word, and where it begins among
/// them. Words that are only in part among them are pinned.
fn defer(tracker: &mut Tracker, offset: usize, len: usize, patch: impl Fn(&mut Tracker, usize, MemoryWord)) {
    let end = offset.saturating_add(len);
    let mut index = 0;
    while let Some(&word) = tracker.memory().get(index) {
        let is_whole = offset <= word.offset && word.offset.saturating_add(WORD) <= end;
        let is_apart = word.offset.saturating_add(WORD) <= offset || end <= word.offset;
        if is_whole {
            patch(tracker, word.offset - offset, word);
        } else if !is_apart {
            tracker.pin(Some(word.tag));
        }
        index += 1;
    }
}

fn saturated(word: U256) -> usize {
    usize::try_from(word).unwrap_or(usize::MAX)
}
