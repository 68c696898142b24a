//! What is known about one tracked slot, and the questions that may be asked of words that depend on it.
//!
//! Every method takes words as `(Linear, value)`: how the word moves with the base, and what it is for the guess. A method
//! that answers a question (is it zero, is it below that, what are its low bits) does so for the guess and notes the
//! condition under which the answer is the same for another base. Conditions are intervals of fields of the base, all
//! of which must hold; it does not matter whether fields overlap. What cannot be expressed like that pins the fields
//! involved to their present content.

use alloy_primitives::{Address, U256};

use super::linear::{Linear, Pieces, Term, low_mask};

/// Most intervals of a slot; with more the slot is exact.
const MAX_INTERVALS: usize = 4;

/// A field of the base and where its content must lie.
#[derive(Clone, Copy, Debug, Default)]
struct Interval {
    from: u16,
    bits: u16,
    low: U256,
    high: U256,
}

impl Interval {
    fn contains(&self, base: U256) -> bool {
        let content = (base >> usize::from(self.from)) & low_mask(self.bits);
        self.low <= content && content <= self.high
    }

    /// Whether it fixes every bit of the base that a term reads.
    fn fixes(&self, term: &Term) -> bool {
        let covers = self.from <= term.from && term.from + term.bits <= self.from + self.bits;
        covers && self.low == self.high
    }
}

/// A slot that a transaction read or wrote, as a function of the value that it had before.
#[derive(Clone, Debug)]
pub struct TrackedSlot {
    pub(super) address: Address,
    pub(super) slot: U256,
    pub(super) guess: U256,
    /// How the slot's content moves with the base, and what it is for the guess.
    pub(super) current: Linear,
    pub(super) value: U256,
    pub(super) is_written: bool,
    is_exact: bool,
    len: usize,
    intervals: [Interval; MAX_INTERVALS],
}

impl TrackedSlot {
    pub(super) fn new(address: Address, slot: U256, guess: U256) -> Self {
        Self {
            address,
            slot,
            guess,
            current: Linear::word(),
            value: guess,
            is_written: false,
            is_exact: false,
            len: 0,
            intervals: [Interval::default(); MAX_INTERVALS],
        }
    }

    /// The account.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The slot's key.
    pub fn slot(&self) -> U256 {
        self.slot
    }

    /// The value with which the transaction was executed.
    pub fn guess(&self) -> U256 {
        self.guess
    }

    /// Whether no other value than the guess is admitted.
    pub fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// Whether the transaction stored to the slot, and the store was not reverted.
    pub fn is_written(&self) -> bool {
        self.is_written
    }

    /// Whether the transaction would have run exactly as it did had the slot held `base`.
    pub fn admits(&self, base: U256) -> bool {
        base == self.guess || (!self.is_exact && self.intervals().iter().all(|interval| interval.contains(base)))
    }

    /// The content that the slot is left with if it held `base`, for an admitted `base`.
    pub fn apply(&self, base: U256) -> U256 {
        self.current.evaluate(self.value, self.guess, base)
    }

    fn intervals(&self) -> &[Interval] {
        &self.intervals[..self.len]
    }

    /// The intervals: from which bit, how many bits, least and greatest content.
    #[cfg(test)]
    pub(super) fn interval_parts(&self) -> Vec<(u16, u16, U256, U256)> {
        self.intervals().iter().map(|known| (known.from, known.bits, known.low, known.high)).collect()
    }

    /// Admits the guess alone.
    pub(super) fn pin_all(&mut self) {
        self.is_exact = true;
    }

    /// Whether a word can only be what it is.
    pub(super) fn is_fixed(&self, word: &Linear) -> bool {
        let is_term_fixed = |term: &Term| self.intervals().iter().any(|interval| interval.fixes(term));
        self.is_exact || word.as_slice().iter().all(is_term_fixed)
    }

    /// Admits only bases for which the word is the same, field by field.
    pub(super) fn pin(&mut self, word: &Linear) {
        for term in word.as_slice() {
            let content = term.field(self.guess);
            self.narrow(term, content, content);
        }
    }

    fn narrow(&mut self, term: &Term, low: U256, high: U256) {
        let is_everything = low.is_zero() && high == low_mask(term.bits);
        if self.is_exact || is_everything {
            return;
        }
        let known = self.intervals[..self.len].iter_mut();
        for interval in known {
            if interval.from == term.from && interval.bits == term.bits {
                interval.low = interval.low.max(low);
                interval.high = interval.high.min(high);
                self.is_exact = interval.bits == 256 && interval.low == interval.high;
                return;
            }
        }
        let Some(free) = self.intervals.get_mut(self.len) else { return self.pin_all() };
        *free = Interval { from: term.from, bits: term.bits, low, high };
        self.is_exact = term.bits == 256 && low == high;
        self.len += 1;
    }

    /// Lets what a term adds to a word shrink by at most `down` and grow by at most `up`, in units of its lowest bit.
    fn limit(&mut self, term: &Term, down: U256, up: U256) {
        let (down, up) = if term.is_negative { (up, down) } else { (down, up) };
        let content = term.field(self.guess);
        let room = low_mask(term.bits) - content;
        self.narrow(term, content - content.min(down), content + room.min(up));
    }

    /// Lets a word, wherever it is on the circle of 2^256, move down by at most `down` and up by at most `up`.
    pub(super) fn bound(&mut self, word: &Linear, down: U256, up: U256) {
        let is_anywhere = down.wrapping_add(up) == U256::MAX;
        match word.as_slice() {
            _ if is_anywhere => {}
            [term] => self.limit(term, down >> usize::from(term.at), up >> usize::from(term.at)),
            _ => self.pin(word),
        }
    }

    /// Keeps a word within `low..=high`, an arc of the circle that contains it; `low` may be above `high`.
    pub(super) fn keep_within(&mut self, word: &Linear, value: U256, low: U256, high: U256) {
        self.bound(word, value.wrapping_sub(low), high.wrapping_sub(value));
    }

    /// Keeps what a term adds from carrying out of the term's place, or borrowing from above it.
    fn contain(&mut self, term: &Term, value: U256) {
        let content = term.content(value);
        self.limit(term, content, low_mask(term.bits) - content);
    }

    /// Keeps the word from changing between zero and non-zero.
    pub(super) fn keep_zeroness(&mut self, word: &Linear, value: U256) {
        match word.as_slice() {
            [] => {}
            [_] if value.is_zero() => self.keep_within(word, value, U256::ZERO, U256::ZERO),
            [_] => self.keep_within(word, value, U256::from(1), U256::MAX),
            _ if value.is_zero() || !word.is_disjoint() => self.pin(word),
            terms => {
                for term in terms {
                    self.contain(term, value);
                }
                if !(value & !word.places()).is_zero() {
                    return;
                }
                // Some term's place is not empty; that it stays so is enough.
                if let Some(term) = terms.iter().find(|term| !term.content(value).is_zero()) {
                    let content = term.content(value);
                    self.limit(term, content - U256::from(1), low_mask(term.bits) - content);
                }
            }
        }
    }

    /// Keeps two words equal or different, whichever they are.
    pub(super) fn keep_equality(&mut self, first: (Linear, U256), second: (Linear, U256)) {
        if first.0 == second.0 {
            return;
        }
        match first.0.plus(&second.0.negated()) {
            Some(difference) => self.keep_zeroness(&difference, first.1.wrapping_sub(second.1)),
            None => {
                self.pin(&first.0);
                self.pin(&second.0);
            }
        }
    }

    /// Keeps the order of two words.
    pub(super) fn keep_order(&mut self, first: (Linear, U256), second: (Linear, U256)) {
        if first.0 != second.0 {
            self.pin(&first.0);
            self.pin(&second.0);
        } else if first.1 != second.1 {
            // Both move alike; their order changes when one of them passes zero.
            self.bound(&first.0, first.1.min(second.1), U256::MAX - first.1.max(second.1));
        }
    }

    /// Keeps what a store of `new` costs and refunds (EIP-2200, EIP-3529; EIP-8037 asks the same questions). The guard
    /// ladder is that of the EIPs: a question that is not reached does not matter.
    pub(super) fn keep_store_gas(&mut self, new: (Linear, U256)) {
        let zero = (Linear::default(), U256::ZERO);
        let (original, present) = ((Linear::word(), self.guess), (self.current, self.value));
        self.keep_equality(new, present);
        if new.1 == present.1 {
            return;
        }
        self.keep_equality(original, present);
        self.keep_equality(original, zero);
        if original.1.is_zero() && original.1 == present.1 {
            return;
        }
        if !original.1.is_zero() {
            if original.1 != present.1 {
                self.keep_equality(present, zero);
            }
            self.keep_equality(new, zero);
        }
        self.keep_equality(original, new);
    }

    /// `value & mask`.
    pub(super) fn masked(&mut self, word: &Linear, value: U256, mask: U256) -> Linear {
        let Some(pieces) = word.cut_by(mask).filter(|_| word.is_disjoint()) else { return self.pinned(word) };
        let mut kept = Pieces::default();
        let mask_end = 256 - mask.leading_zeros();
        for piece in pieces.as_slice() {
            let is_kept = mask.bit(usize::from(piece.at));
            let is_top = piece.end() == 256;
            // What carries out of a piece matters if the piece is kept or something above it is; at the top of the
            // word a carry is lost either way.
            if !is_top && (is_kept || usize::from(piece.end()) < mask_end) {
                self.contain(piece, value);
            }
            if is_kept && kept.push(*piece).is_none() {
                return self.pinned(word);
            }
        }
        kept.normalized().unwrap_or_else(|| self.pinned(word))
    }

    /// `value >> shift`, for a shift below 256.
    pub(super) fn shifted_right(&mut self, word: &Linear, value: U256, shift: u16) -> Linear {
        let kept_bits = U256::MAX << usize::from(shift);
        let Some(pieces) = word.cut_by(kept_bits).filter(|_| word.is_disjoint()) else { return self.pinned(word) };
        let mut kept = Pieces::default();
        for piece in pieces.as_slice() {
            self.contain(piece, value);
            if piece.at >= shift && kept.push(Term { at: piece.at - shift, ..*piece }).is_none() {
                return self.pinned(word);
            }
        }
        kept.normalized().unwrap_or_else(|| self.pinned(word))
    }

    /// `first | second` or `first ^ second` of words that have no bit in common, whatever the base.
    pub(super) fn joined(&mut self, first: (Linear, U256), second: (Linear, U256)) -> Linear {
        let (places, other_places) = (first.0.places(), second.0.places());
        let is_clash = !(places & (second.1 | other_places)).is_zero() || !(other_places & first.1 & !places).is_zero();
        let sum = first.0.plus(&second.0).filter(|sum| !is_clash && sum.is_disjoint());
        let Some(sum) = sum.filter(|_| first.0.is_disjoint() && second.0.is_disjoint()) else {
            self.pin(&first.0);
            return self.pinned(&second.0);
        };
        for (word, value) in [first, second] {
            for term in word.as_slice() {
                self.contain(term, value);
            }
        }
        sum
    }

    /// Pins a word and returns it as the constant that it is now.
    pub(super) fn pinned(&mut self, word: &Linear) -> Linear {
        self.pin(word);
        Linear::default()
    }
}
