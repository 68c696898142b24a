//! The algebra against plain arithmetic: a chain of instructions on a word of a slot, computed once with the guess and
//! once with another base.

use alloy_primitives::{Address, U256};
use proptest::{collection::vec, prelude::*};
use revm::bytecode::opcode::*;

use super::{
    TrackedSlot, Tracker,
    linear::Linear,
    tracker::{Operand, Tag},
};

/// An instruction on the word of the chain and a constant, or the slot's own content, on one side or the other.
#[derive(Clone, Debug)]
struct Step {
    opcode: u8,
    constant: Option<U256>,
    is_constant_first: bool,
}

const OPCODES: [u8; 22] =
    [ADD, ADD, SUB, SUB, MUL, DIV, MOD, AND, AND, OR, XOR, SHL, SHR, SHR, SAR, BYTE, SIGNEXTEND, LT, GT, SLT, SGT, EQ];

fn words() -> impl Strategy<Value = U256> {
    let random = prop::array::uniform4(any::<u64>()).prop_map(U256::from_limbs);
    let run = (0..256_usize, 0..256_usize).prop_map(|(bits, at)| (U256::MAX >> bits) << at);
    let power = (0..256_usize).prop_map(|bit| U256::from(1) << bit);
    let small = (0..300_u64).prop_map(U256::from);
    prop_oneof![2 => random, 2 => run.clone(), 1 => run.prop_map(|run| !run), 2 => power, 4 => small]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (prop::sample::select(&OPCODES[..]), prop::option::weighted(0.85, words()), any::<bool>());
    vec(step.prop_map(|(opcode, constant, is_constant_first)| Step { opcode, constant, is_constant_first }), 1..8)
}

/// What the instruction computes, as the Yellow Paper has it.
fn compute(opcode: u8, first: U256, second: U256) -> U256 {
    let bits = usize::try_from(first).ok().filter(|bits| *bits < 256);
    let sign = |word: U256| word ^ (U256::from(1) << 255);
    match opcode {
        ADD => first.wrapping_add(second),
        SUB => first.wrapping_sub(second),
        MUL => first.wrapping_mul(second),
        DIV => first.checked_div(second).unwrap_or_default(),
        MOD => first.checked_rem(second).unwrap_or_default(),
        AND => first & second,
        OR => first | second,
        XOR => first ^ second,
        SHL => bits.map_or(U256::ZERO, |bits| second << bits),
        SHR => bits.map_or(U256::ZERO, |bits| second >> bits),
        SAR => second.arithmetic_shr(bits.unwrap_or(255)),
        BYTE => bits.filter(|byte| *byte < 32).map_or(U256::ZERO, |byte| U256::from(second.byte(31 - byte))),
        SIGNEXTEND => match bits.filter(|byte| *byte < 31) {
            Some(byte) => (second << (248 - 8 * byte)).arithmetic_shr(248 - 8 * byte),
            None => second,
        },
        LT => U256::from(first < second),
        GT => U256::from(first > second),
        SLT => U256::from(sign(first) < sign(second)),
        SGT => U256::from(sign(first) > sign(second)),
        EQ => U256::from(first == second),
        _ => unreachable!("not among the opcodes"),
    }
}

/// Runs the chain for a base.
fn run(steps: &[Step], base: U256) -> U256 {
    steps.iter().fold(base, |word, step| {
        let other = step.constant.unwrap_or(base);
        if step.is_constant_first { compute(step.opcode, other, word) } else { compute(step.opcode, word, other) }
    })
}

/// Follows the chain; returns the slot with its conditions, and the last word.
fn follow(steps: &[Step], guess: U256) -> (TrackedSlot, Linear, U256) {
    let mut tracker = Tracker::default();
    tracker.begin();
    let slot = tracker.add_slot(Address::ZERO, U256::ZERO, guess);
    let base = Operand { value: guess, tag: Some(Tag { slot, word: Linear::word() }) };
    let last = steps.iter().fold(base, |word, step| {
        let other = step.constant.map_or(base, |value| Operand { value, tag: None });
        let (first, second) = if step.is_constant_first { (other, word) } else { (word, other) };
        let tag = tracker.binary(step.opcode, first, second).filter(|tag| !tag.word.is_constant());
        Operand { value: compute(step.opcode, first.value, second.value), tag }
    });
    let word = last.tag.map_or_else(Linear::default, |tag| tag.word);
    (tracker.slot_mut(slot).clone(), word, last.value)
}

/// Bases near the guess, at the ends of the conditions, and the given ones.
fn bases(slot: &TrackedSlot, random: &[U256]) -> Vec<U256> {
    let mut bases = random.to_vec();
    for (from, bits, low, high) in slot.interval_parts() {
        let mask = super::linear::low_mask(bits);
        for content in [low, high] {
            bases.push((slot.guess() & !(mask << usize::from(from))) | (content << usize::from(from)));
        }
    }
    for word in random {
        bases.push(slot.guess().wrapping_add(*word & U256::from(0xffff)));
        bases.push((slot.guess() & !*word) | (random[0] & *word));
    }
    bases
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn words_follow_every_admitted_base(steps in steps(), guess in words(), random in vec(words(), 6)) {
        let (slot, word, value) = follow(&steps, guess);
        prop_assert_eq!(value, run(&steps, guess));
        for base in bases(&slot, &random) {
            if slot.admits(base) {
                prop_assert_eq!(word.evaluate(value, guess, base), run(&steps, base), "base {} of {:?}", base, slot);
            }
        }
    }

    #[test]
    fn comparisons_keep_one_side_and_not_less(constant in words(), guess in words(), base in words()) {
        // A single comparison of the word itself loses nothing: what does not wrap around is admitted.
        for opcode in [LT, GT] {
            let steps = [Step { opcode, constant: Some(constant), is_constant_first: false }];
            let (slot, ..) = follow(&steps, guess);
            prop_assert_eq!(slot.admits(base), run(&steps, guess) == run(&steps, base));
        }
    }
}

#[test]
fn what_cancels_is_constant() {
    let word = Linear::word();
    assert!(word.plus(&word.negated()).unwrap().is_constant());
    let (low, high) = (U256::MAX >> 128, U256::MAX << 128);
    let mut slot = TrackedSlot::new(Address::ZERO, U256::ZERO, U256::from(5));
    let parts = [low, high].map(|mask| slot.masked(&word, U256::from(5), mask));
    assert_eq!(parts[0].plus(&parts[1]).unwrap(), word, "neighbours are joined");
    assert!(word.plus(&parts[0].negated()).unwrap().plus(&parts[1].negated()).unwrap().is_constant());
    assert!(!slot.is_exact());
}

#[test]
fn too_many_conditions_are_exact() {
    let mut slot = TrackedSlot::new(Address::ZERO, U256::ZERO, U256::ZERO);
    for byte in 0..4 {
        let mask = U256::from(0xff) << (8 * byte);
        let word = slot.masked(&Linear::word(), U256::ZERO, mask);
        slot.pin(&word);
        assert!(!slot.is_exact() && slot.admits(U256::from(1) << 255));
    }
    let word = slot.masked(&Linear::word(), U256::ZERO, U256::from(0xff) << 128);
    slot.pin(&word);
    assert!(slot.is_exact() && !slot.admits(U256::from(1) << 255));
}
