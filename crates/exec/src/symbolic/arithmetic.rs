//! What instructions that compute a word make of tagged operands.

use alloy_primitives::U256;
use revm::bytecode::opcode;

use super::{
    linear::Linear,
    slot::TrackedSlot,
    tracker::{Operand, Tag, Tracker},
};

/// The sign bit of a word.
const SIGN: U256 = U256::from_limbs([0, 0, 0, 1 << 63]);

impl Tracker {
    /// The tag of what an instruction with one operand computes.
    pub(super) fn unary(&mut self, opcode: u8, operand: Operand) -> Option<Tag> {
        let Tag { slot, word } = operand.tag?;
        match opcode {
            opcode::NOT => Some(Tag { slot, word: word.negated() }),
            opcode::ISZERO => {
                self.slot_mut(slot).keep_zeroness(&word, operand.value);
                None
            }
            _ => {
                self.slot_mut(slot).pin(&word);
                None
            }
        }
    }

    /// The tag of what an instruction with two operands computes; `first` is the one on top.
    pub(super) fn binary(&mut self, opcode: u8, mut first: Operand, second: Operand) -> Option<Tag> {
        if let (Some(one), Some(other)) = (first.tag, second.tag) {
            if one.slot == other.slot {
                let word = both(self.slot_mut(one.slot), opcode, (one.word, first.value), (other.word, second.value));
                return Some(Tag { slot: one.slot, word });
            }
            self.pin(first.tag.take());
        }
        let (slot, word) = match (first.tag, second.tag) {
            (Some(Tag { slot, word }), _) => {
                (slot, with_constant_right(self.slot_mut(slot), opcode, &word, first.value, second.value))
            }
            (None, Some(Tag { slot, word })) => {
                (slot, with_constant_left(self.slot_mut(slot), opcode, first.value, &word, second.value))
            }
            (None, None) => return None,
        };
        Some(Tag { slot, word })
    }
}

/// Both operands move with the same slot.
fn both(slot: &mut TrackedSlot, opcode: u8, first: (Linear, U256), second: (Linear, U256)) -> Linear {
    let sum = match opcode {
        opcode::ADD => first.0.plus(&second.0),
        opcode::SUB => first.0.plus(&second.0.negated()),
        opcode::OR | opcode::XOR => Some(slot.joined(first, second)),
        opcode::EQ => {
            slot.keep_equality(first, second);
            Some(Linear::default())
        }
        opcode::LT | opcode::GT => {
            slot.keep_order(first, second);
            Some(Linear::default())
        }
        opcode::SLT | opcode::SGT => {
            slot.keep_order((first.0, first.1 ^ SIGN), (second.0, second.1 ^ SIGN));
            Some(Linear::default())
        }
        _ => None,
    };
    sum.unwrap_or_else(|| {
        slot.pin(&first.0);
        slot.pinned(&second.0)
    })
}

/// The second operand is a constant.
fn with_constant_right(slot: &mut TrackedSlot, opcode: u8, word: &Linear, value: U256, constant: U256) -> Linear {
    match opcode {
        opcode::SUB => *word,
        opcode::DIV if constant.is_zero() => Linear::default(),
        opcode::DIV => match exponent(constant) {
            Some(shift) => slot.shifted_right(word, value, shift),
            None => slot.pinned(word),
        },
        opcode::MOD if constant.is_power_of_two() => slot.masked(word, value, constant - U256::from(1)),
        opcode::LT => below(slot, word, value, constant),
        opcode::GT => above(slot, word, value, constant),
        opcode::SLT => below_signed(slot, word, value, constant),
        opcode::SGT => above_signed(slot, word, value, constant),
        _ => commutative(slot, opcode, word, value, constant),
    }
}

/// The first operand is a constant.
fn with_constant_left(slot: &mut TrackedSlot, opcode: u8, constant: U256, word: &Linear, value: U256) -> Linear {
    let bits = u16::try_from(constant).ok().filter(|bits| *bits < 256);
    match opcode {
        opcode::SUB => word.negated(),
        opcode::LT => above(slot, word, value, constant),
        opcode::GT => below(slot, word, value, constant),
        opcode::SLT => above_signed(slot, word, value, constant),
        opcode::SGT => below_signed(slot, word, value, constant),
        opcode::SHL => bits.map_or_else(Linear::default, |bits| word.shifted_left(bits)),
        opcode::SHR => bits.map_or_else(Linear::default, |bits| slot.shifted_right(word, value, bits)),
        opcode::SAR => {
            keep_bit(slot, word, value, 255);
            bits.map_or_else(Linear::default, |bits| slot.shifted_right(word, value, bits))
        }
        opcode::BYTE => match bits.filter(|byte| *byte < 32) {
            Some(byte) => {
                let shift = 8 * (31 - byte);
                let low = slot.masked(word, value, U256::from(0xff) << usize::from(shift));
                slot.shifted_right(&low, value & (U256::from(0xff) << usize::from(shift)), shift)
            }
            None => Linear::default(),
        },
        opcode::SIGNEXTEND => match bits.filter(|byte| *byte < 31) {
            Some(byte) => sign_extended(slot, word, value, 8 * byte + 7),
            None => *word,
        },
        _ => commutative(slot, opcode, word, value, constant),
    }
}

/// It does not matter which operand is the constant; or the instruction is none that is followed.
fn commutative(slot: &mut TrackedSlot, opcode: u8, word: &Linear, value: U256, constant: U256) -> Linear {
    match opcode {
        opcode::ADD => *word,
        opcode::AND => slot.masked(word, value, constant),
        opcode::OR => slot.masked(word, value, !constant),
        opcode::XOR if constant == U256::MAX => word.negated(),
        opcode::XOR => slot.joined((*word, value), (Linear::default(), constant)),
        opcode::MUL if constant.is_zero() => Linear::default(),
        opcode::MUL => match exponent(constant) {
            Some(shift) => word.shifted_left(shift),
            None => slot.pinned(word),
        },
        opcode::EQ => {
            slot.keep_equality((*word, value), (Linear::default(), constant));
            Linear::default()
        }
        _ => slot.pinned(word),
    }
}

/// `n` of `2^n`.
fn exponent(constant: U256) -> Option<u16> {
    constant.is_power_of_two().then(|| u16::try_from(constant.trailing_zeros()).ok()).flatten()
}

/// `value < constant`.
fn below(slot: &mut TrackedSlot, word: &Linear, value: U256, constant: U256) -> Linear {
    keep_on_side(slot, word, value, U256::ZERO, constant)
}

/// `value > constant`, which is not `value < constant + 1`.
fn above(slot: &mut TrackedSlot, word: &Linear, value: U256, constant: U256) -> Linear {
    if constant == U256::MAX {
        return Linear::default();
    }
    keep_on_side(slot, word, value, U256::ZERO, constant + U256::from(1))
}

fn below_signed(slot: &mut TrackedSlot, word: &Linear, value: U256, constant: U256) -> Linear {
    keep_on_side(slot, word, value, SIGN, constant)
}

fn above_signed(slot: &mut TrackedSlot, word: &Linear, value: U256, constant: U256) -> Linear {
    let next = constant.wrapping_add(U256::from(1));
    if next == SIGN {
        return Linear::default();
    }
    keep_on_side(slot, word, value, SIGN, next)
}

/// Keeps a word on its side of `limit` on the circle cut open at `least`.
fn keep_on_side(slot: &mut TrackedSlot, word: &Linear, value: U256, least: U256, limit: U256) -> Linear {
    let one = U256::from(1);
    if limit == least {
        // Nothing lies below.
    } else if value.wrapping_sub(least) < limit.wrapping_sub(least) {
        slot.keep_within(word, value, least, limit.wrapping_sub(one));
    } else {
        slot.keep_within(word, value, limit, least.wrapping_sub(one));
    }
    Linear::default()
}

/// Keeps bit `bit` of a word, which has no higher terms, as it is.
fn keep_bit(slot: &mut TrackedSlot, word: &Linear, value: U256, bit: u16) {
    let weight = U256::from(1) << usize::from(bit);
    let low = value & !(weight - U256::from(1));
    slot.keep_within(word, value, low, low + (weight - U256::from(1)));
}

/// The low bits of a word up to and with `sign_bit`, whose higher bits become equal to it.
fn sign_extended(slot: &mut TrackedSlot, word: &Linear, value: U256, sign_bit: u16) -> Linear {
    let mask = (U256::from(2) << usize::from(sign_bit)) - U256::from(1);
    let low = slot.masked(word, value, mask);
    keep_bit(slot, &low, value & mask, sign_bit);
    low
}
