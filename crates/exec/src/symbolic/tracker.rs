//! The tags of a running transaction: which stack and memory words move with which slot.
//!
//! Tags are kept by frame. A frame that fails takes back what slots held when it began, and its logs; the conditions that it
//! imposed stay, for without them it might not have failed.

use alloy_primitives::{Address, U256};

use super::{linear::Linear, slot::TrackedSlot};

/// Most slots that one transaction tracks; further ones are read as usual.
const MAX_SLOTS: usize = 16;

/// Most memory words of a frame that are followed; further ones are pinned.
const MAX_MEMORY_WORDS: usize = 8;

/// A word that moves with a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Index of the slot.
    pub(super) slot: usize,
    pub(super) word: Linear,
}

/// A word on the stack or in memory, which may have a tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub(super) value: U256,
    pub(super) tag: Option<Tag>,
}

/// A tagged word of memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryWord {
    pub(super) offset: usize,
    pub(super) value: U256,
    pub(super) tag: Tag,
}

/// Where each list stood when a frame began.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    tags: usize,
    memory: usize,
    undo: usize,
    patches: usize,
}

/// What a slot held before a store.
#[derive(Clone, Copy, Debug)]
struct Undo {
    slot: usize,
    current: Linear,
    value: U256,
    is_written: bool,
}

/// A word of a log that depends on a tracked slot.
#[derive(Clone, Copy, Debug)]
pub struct LogPatch {
    /// Index of the log among those of the transaction.
    pub log: usize,
    /// Where in the log.
    pub place: LogPlace,
    /// Index of the slot in [`Tracker::slots`].
    pub slot: usize,
    value: U256,
    guess: U256,
    word: Linear,
}

/// A word of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPlace {
    /// A topic, by its number.
    Topic(usize),
    /// The 32 bytes of data from this offset on.
    Data(usize),
}

/// A word of what the transaction returned, or reverted with, that depends on a tracked slot. No receipt holds it.
#[derive(Clone, Copy, Debug)]
pub struct OutputPatch {
    /// Where the word begins.
    pub offset: usize,
    /// Index of the slot in [`Tracker::slots`].
    pub slot: usize,
    value: U256,
    guess: U256,
    word: Linear,
}

impl OutputPatch {
    /// The word if the slot held `base`.
    pub fn apply(&self, base: U256) -> U256 {
        self.word.evaluate(self.value, self.guess, base)
    }
}

impl LogPatch {
    /// The word if the slot held `base`.
    pub fn apply(&self, base: U256) -> U256 {
        self.word.evaluate(self.value, self.guess, base)
    }
}

/// Follows the slots that are hot through one transaction after another; its buffers are kept.
#[derive(Debug, Default)]
pub struct Tracker {
    slots: Vec<TrackedSlot>,
    patches: Vec<LogPatch>,
    output: Vec<OutputPatch>,
    /// Whether the transaction is a call, whose output no state holds.
    is_call: bool,
    frames: Vec<Frame>,
    frame: Frame,
    tags: Vec<(usize, Tag)>,
    memory: Vec<MemoryWord>,
    undo: Vec<Undo>,
    /// One above the highest tagged stack index of the current frame; zero without tags.
    top: usize,
}

impl Tracker {
    /// Forgets the last transaction.
    pub fn begin(&mut self) {
        let Self { slots, patches, output, is_call: _, frames, frame, tags, memory, undo, top } = self;
        slots.clear();
        patches.clear();
        output.clear();
        frames.clear();
        *frame = Frame::default();
        tags.clear();
        memory.clear();
        undo.clear();
        *top = 0;
    }

    /// The slots that were tracked, in order of their first use.
    pub fn slots(&self) -> &[TrackedSlot] {
        &self.slots
    }

    /// The words of logs that depend on them.
    pub fn log_patches(&self) -> &[LogPatch] {
        &self.patches
    }

    /// The words of its output that depend on them; for those who want more than receipts.
    pub fn output_patches(&self) -> &[OutputPatch] {
        &self.output
    }

    /// The outermost frame begins.
    pub(super) fn enter_outermost(&mut self, is_call: bool) {
        self.is_call = is_call;
        self.enter_frame();
    }

    /// The outermost frame has ended; if it did so by an exception, it has no output.
    pub(super) fn leave_outermost(&mut self, has_output: bool) {
        if !has_output {
            self.output.clear();
        }
    }

    /// Whether the current frame is the outermost one and no creation.
    pub(super) fn is_outermost_call(&self) -> bool {
        self.is_call && self.frames.len() == 1
    }

    /// A frame begins; its stack and memory are empty.
    pub(super) fn enter_frame(&mut self) {
        self.frames.push(self.frame);
        self.frame = Frame {
            tags: self.tags.len(),
            memory: self.memory.len(),
            undo: self.undo.len(),
            patches: self.patches.len(),
        };
        self.top = 0;
    }

    /// The frame ends; if it fails, its stores and logs never were.
    pub(super) fn leave_frame(&mut self, is_success: bool) {
        self.tags.truncate(self.frame.tags);
        self.memory.truncate(self.frame.memory);
        if !is_success {
            self.patches.truncate(self.frame.patches);
            for Undo { slot, current, value, is_written } in self.undo.drain(self.frame.undo..).rev() {
                let slot = &mut self.slots[slot];
                (slot.current, slot.value, slot.is_written) = (current, value, is_written);
            }
        }
        self.frame = self.frames.pop().unwrap_or_default();
        self.find_top();
    }

    /// See [`Tracker::top`].
    pub(super) fn top(&self) -> usize {
        self.top
    }

    /// Whether a word of the frame's stack or memory is tagged.
    pub(super) fn has_tags(&self) -> bool {
        self.top > 0 || self.has_memory_tags()
    }

    fn find_top(&mut self) {
        self.top = self.tags[self.frame.tags..].iter().map(|(index, _)| index + 1).max().unwrap_or_default();
    }

    pub(super) fn slot_mut(&mut self, index: usize) -> &mut TrackedSlot {
        &mut self.slots[index]
    }

    pub(super) fn find_slot(&self, address: Address, slot: U256) -> Option<usize> {
        self.slots.iter().position(|known| known.slot == slot && known.address == address)
    }

    pub(super) fn has_room(&self) -> bool {
        self.slots.len() < MAX_SLOTS
    }

    /// Begins to track a slot; returns its index.
    pub(super) fn add_slot(&mut self, address: Address, slot: U256, guess: U256) -> usize {
        self.slots.push(TrackedSlot::new(address, slot, guess));
        self.slots.len() - 1
    }

    /// Pins the slots of some accounts.
    pub(super) fn pin_slots(&mut self, is_pinned: impl Fn(Address) -> bool) {
        for slot in self.slots.iter_mut().filter(|slot| is_pinned(slot.address)) {
            slot.pin_all();
        }
    }

    /// Notes a store, which a failing frame takes back.
    pub(super) fn write_slot(&mut self, index: usize, word: Linear, value: U256) {
        let slot = &mut self.slots[index];
        let TrackedSlot { current, value: before, is_written, .. } = *slot;
        self.undo.push(Undo { slot: index, current, value: before, is_written });
        (slot.current, slot.value, slot.is_written) = (word, value, true);
    }

    /// The tag at a stack index.
    pub(super) fn tag(&self, index: usize) -> Option<Tag> {
        self.tags[self.frame.tags..].iter().find(|(at, _)| *at == index).map(|(_, tag)| *tag)
    }

    /// Takes the tag from a stack index; a word that is fixed has none.
    pub(super) fn take_tag(&mut self, index: usize) -> Option<Tag> {
        let position = self.tags[self.frame.tags..].iter().position(|(at, _)| *at == index)?;
        let (_, tag) = self.tags.swap_remove(self.frame.tags + position);
        if self.top == index + 1 {
            self.find_top();
        }
        (!self.slots[tag.slot].is_fixed(&tag.word)).then_some(tag)
    }

    /// Tags a stack index that has no tag.
    pub(super) fn set_tag(&mut self, index: usize, tag: Option<Tag>) {
        let Some(tag) = tag.filter(|tag| !tag.word.is_constant()) else { return };
        self.tags.push((index, tag));
        self.top = self.top.max(index + 1);
    }

    /// Exchanges the tags of two stack indices.
    pub(super) fn swap_tags(&mut self, first: usize, second: usize) {
        for (index, _) in &mut self.tags[self.frame.tags..] {
            if *index == first {
                *index = second;
            } else if *index == second {
                *index = first;
            }
        }
        self.find_top();
    }

    /// Pins a word if it is tagged.
    pub(super) fn pin(&mut self, tag: Option<Tag>) {
        if let Some(Tag { slot, word }) = tag {
            self.slots[slot].pin(&word);
        }
    }

    /// Pins every word on the frame's stack.
    pub(super) fn pin_stack(&mut self) {
        for (_, tag) in self.tags.drain(self.frame.tags..) {
            self.slots[tag.slot].pin(&tag.word);
        }
        self.top = 0;
    }

    /// Whether a word of the frame's memory is tagged.
    pub(super) fn has_memory_tags(&self) -> bool {
        self.memory.len() > self.frame.memory
    }

    /// The tagged words of the frame's memory.
    pub(super) fn memory(&self) -> &[MemoryWord] {
        &self.memory[self.frame.memory..]
    }

    /// Tags a word of memory, which has been overwritten.
    pub(super) fn set_memory(&mut self, offset: usize, value: U256, tag: Tag) {
        if self.memory().len() < MAX_MEMORY_WORDS {
            self.memory.push(MemoryWord { offset, value, tag });
        } else {
            self.pin(Some(tag));
        }
    }

    /// `len` bytes of memory are read by something that needs to know them.
    pub(super) fn read_memory(&mut self, offset: usize, len: usize) {
        self.release_memory(offset, len, |_| false);
    }

    /// `len` bytes of memory are overwritten.
    pub(super) fn overwrite_memory(&mut self, offset: usize, len: usize) {
        self.release_memory(offset, len, |word| {
            offset <= word.offset && word.offset.saturating_add(32) <= offset.saturating_add(len)
        });
    }

    /// Forgets tagged words that overlap a range, pinning those that `is_lost` does not tell to be overwritten.
    fn release_memory(&mut self, offset: usize, len: usize, is_lost: impl Fn(&MemoryWord) -> bool) {
        let mut index = self.frame.memory;
        while let Some(&word) = self.memory.get(index) {
            let ends_before = word.offset.saturating_add(32) <= offset;
            if len == 0 || ends_before || offset.saturating_add(len) <= word.offset {
                index += 1;
                continue;
            }
            self.memory.swap_remove(index);
            if !is_lost(&word) {
                self.pin(Some(word.tag));
            }
        }
    }

    /// Notes that a word of the output is tagged.
    pub(super) fn patch_output(&mut self, offset: usize, word: MemoryWord) {
        let MemoryWord { value, tag: Tag { slot, word }, .. } = word;
        self.output.push(OutputPatch { offset, slot, value, guess: self.slots[slot].guess, word });
    }

    /// Notes that a word of a log is tagged.
    pub(super) fn patch_log(&mut self, log: usize, place: LogPlace, value: U256, tag: Tag) {
        let guess = self.slots[tag.slot].guess;
        self.patches.push(LogPatch { log, place, slot: tag.slot, value, guess, word: tag.word });
    }
}
