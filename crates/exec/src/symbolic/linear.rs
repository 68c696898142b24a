//! Words that move along with the base value of a slot.
//!
//! A [`Term`] is a run of bits of the base `b`, placed at some bit of a word and added to or subtracted from it. A
//! [`Linear`] is a few such terms. It stands for the word
//!
//! ```text
//! value(b) = value(guess) + Σ ± (field(b) - field(guess)) · 2^at      modulo 2^256
//! ```
//!
//! where `field(b)` is the term's run of bits. The constant part of the word is not kept: the transaction is executed
//! with `guess`, so `value(guess)` is the concrete word on the stack. Adding or subtracting a constant therefore leaves
//! the terms as they are.
//!
//! A term may be cut in two and neighbouring terms may be joined without changing what they stand for.

use alloy_primitives::U256;

/// Bits of a word.
pub(super) const WORD_BITS: u16 = 256;

/// Most terms of a word; two packed fields changed in one slot need three.
const MAX_TERMS: usize = 4;

/// Most terms in the middle of a computation.
const MAX_PIECES: usize = 12;

/// Bits `from..from + bits` of the base, as a number, times `2^at`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Term {
    /// Where the bits go.
    pub(super) at: u16,
    /// Where they come from.
    pub(super) from: u16,
    /// How many they are; `at + bits` and `from + bits` are at most 256.
    pub(super) bits: u16,
    /// Whether they are subtracted.
    pub(super) is_negative: bool,
}

impl Term {
    /// The whole base.
    const WORD: Self = Self { at: 0, from: 0, bits: WORD_BITS, is_negative: false };

    /// The term's bits of a base.
    pub(super) fn field(&self, base: U256) -> U256 {
        (base >> usize::from(self.from)) & low_mask(self.bits)
    }

    /// The term's place in a value.
    pub(super) fn content(&self, value: U256) -> U256 {
        (value >> usize::from(self.at)) & low_mask(self.bits)
    }

    /// End of the term's place.
    pub(super) fn end(&self) -> u16 {
        self.at + self.bits
    }

    /// The part of the term whose place is within `low..high`, which lies in the term.
    fn cut(&self, low: u16, high: u16) -> Self {
        Self { at: low, from: self.from + (low - self.at), bits: high - low, ..*self }
    }

    /// Whether bits of the base are moved by as much in both terms.
    fn moves_like(&self, other: &Self) -> bool {
        self.at + other.from == other.at + self.from
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.at < other.end() && other.at < self.end()
    }
}

/// A list of terms of bounded length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<const N: usize> {
    len: usize,
    terms: [Term; N],
}

/// See the [module](self).
pub(super) type Linear = Terms<MAX_TERMS>;

/// Terms that were cut.
pub(super) type Pieces = Terms<MAX_PIECES>;

impl<const N: usize> PartialEq for Terms<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<const N: usize> Eq for Terms<N> {}

impl<const N: usize> Default for Terms<N> {
    fn default() -> Self {
        Self { len: 0, terms: [Term::default(); N] }
    }
}

impl<const N: usize> Terms<N> {
    pub(super) fn as_slice(&self) -> &[Term] {
        &self.terms[..self.len]
    }

    /// Adds a term, unless it is empty; `None` if there is no room.
    pub(super) fn push(&mut self, term: Term) -> Option<()> {
        if term.bits > 0 {
            *self.terms.get_mut(self.len)? = term;
            self.len += 1;
        }
        Some(())
    }

    fn swap_remove(&mut self, index: usize) -> Term {
        let term = self.terms[index];
        self.len -= 1;
        self.terms[index] = self.terms[self.len];
        self.terms[self.len] = Term::default();
        term
    }
}

impl Linear {
    /// The base itself.
    pub(super) fn word() -> Self {
        let mut linear = Self::default();
        linear.terms[0] = Term::WORD;
        linear.len = 1;
        linear
    }

    /// Whether the word does not depend on the base.
    pub(super) fn is_constant(&self) -> bool {
        self.len == 0
    }

    /// The word for another base than the guess.
    pub(super) fn evaluate(&self, value: U256, guess: U256, base: U256) -> U256 {
        self.as_slice().iter().fold(value, |value, term| {
            let moved = term.field(base).wrapping_sub(term.field(guess)) << usize::from(term.at);
            if term.is_negative { value.wrapping_sub(moved) } else { value.wrapping_add(moved) }
        })
    }

    /// Minus the word, up to a constant.
    pub(super) fn negated(mut self) -> Self {
        for term in &mut self.terms[..self.len] {
            term.is_negative = !term.is_negative;
        }
        self
    }

    /// The sum of two words; `None` if it has too many terms.
    pub(super) fn plus(&self, other: &Self) -> Option<Self> {
        if self.is_constant() || other.is_constant() {
            return Some(if self.is_constant() { *other } else { *self });
        }
        let mut pieces = Pieces::default();
        for &term in self.as_slice().iter().chain(other.as_slice()) {
            pieces.push(term)?;
        }
        pieces.normalized()
    }

    /// The word times `2^shift`, for a shift below 256. What leaves the word is lost, as it is modulo 2^256.
    pub(super) fn shifted_left(&self, shift: u16) -> Self {
        let mut shifted = Self::default();
        for term in self.as_slice() {
            let at = term.at + shift;
            // There is room: there are no more terms than before.
            let _ = shifted.push(Term { at, bits: term.bits.min(WORD_BITS.saturating_sub(at)), ..*term });
        }
        shifted
    }

    /// The terms, cut wherever `mask` changes between zeros and ones; `None` if these are too many.
    pub(super) fn cut_by(&self, mask: U256) -> Option<Pieces> {
        let mut pieces = Pieces::default();
        for term in self.as_slice() {
            let mut low = term.at;
            while low < term.end() {
                let high = run_end(mask, low).min(term.end());
                pieces.push(term.cut(low, high))?;
                low = high;
            }
        }
        Some(pieces)
    }

    /// Whether no two terms share a bit of the word.
    pub(super) fn is_disjoint(&self) -> bool {
        let terms = self.as_slice();
        terms.iter().enumerate().all(|(index, term)| terms[..index].iter().all(|other| !term.overlaps(other)))
    }

    /// The bits of the word that terms occupy.
    pub(super) fn places(&self) -> U256 {
        let place = |term: &Term| low_mask(term.bits) << usize::from(term.at);
        self.as_slice().iter().fold(U256::ZERO, |places, term| places | place(term))
    }
}

impl Pieces {
    /// Cancels terms of opposite signs and joins neighbours; `None` if too many terms are left.
    pub(super) fn normalized(mut self) -> Option<Linear> {
        while let Some((first, second)) =
            self.find_pair(|a, b| a.is_negative != b.is_negative && a.moves_like(b) && a.overlaps(b))
        {
            let (a, b) = self.take_pair(first, second);
            let (low, high) = (a.at.max(b.at), a.end().min(b.end()));
            for term in [a, b] {
                self.push(term.cut(term.at, low.max(term.at)))?;
                self.push(term.cut(high.min(term.end()), term.end()))?;
            }
        }
        while let Some((first, second)) = self
            .find_pair(|a, b| a.is_negative == b.is_negative && a.moves_like(b) && (a.end() == b.at || b.end() == a.at))
        {
            let (a, b) = self.take_pair(first, second);
            let low = if a.at < b.at { a } else { b };
            self.push(Term { bits: a.bits + b.bits, ..low })?;
        }
        self.terms[..self.len].sort_unstable();
        let mut linear = Linear::default();
        for &term in self.as_slice() {
            linear.push(term)?;
        }
        Some(linear)
    }

    fn find_pair(&self, is_pair: impl Fn(&Term, &Term) -> bool) -> Option<(usize, usize)> {
        let terms = self.as_slice();
        (1..terms.len()).find_map(|second| {
            (0..second).find(|&first| is_pair(&terms[first], &terms[second])).map(|first| (first, second))
        })
    }

    /// Removes two terms, of which `first` comes first.
    fn take_pair(&mut self, first: usize, second: usize) -> (Term, Term) {
        let b = self.swap_remove(second);
        (self.swap_remove(first), b)
    }
}

/// The lowest `bits` bits.
pub(super) fn low_mask(bits: u16) -> U256 {
    if bits == 0 { U256::ZERO } else { U256::MAX >> usize::from(WORD_BITS - bits) }
}

/// The first bit above `bit` where `mask` differs from what it is there; 256 if there is none.
fn run_end(mask: U256, bit: u16) -> u16 {
    let rest = mask >> usize::from(bit);
    let run = if rest.bit(0) { rest.trailing_ones() } else { rest.trailing_zeros() };
    u16::try_from(run).map_or(WORD_BITS, |run| bit.saturating_add(run).min(WORD_BITS))
}
