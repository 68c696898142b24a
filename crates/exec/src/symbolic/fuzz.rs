//! Differential fuzzing: random programs run once with a tracker, then, for every base that is admitted, plainly; the
//! patched result and the plain one must be the same in everything.
//!
//! `BRAID_SYMBOLIC_PROGRAMS` sets how many programs are run, `BRAID_SYMBOLIC_SEED` where they begin.

use alloy_primitives::{Address, U256};
use braid_types::Fork;
use revm::bytecode::opcode::*;

use super::{
    TrackedSlot, Tracker,
    testkit::{Location, World},
};

const CONTRACTS: [Address; 3] = [Address::repeat_byte(0xa1), Address::repeat_byte(0xa2), Address::repeat_byte(0xa3)];
const FORKS: [Fork; 5] = [Fork::Istanbul, Fork::Berlin, Fork::London, Fork::Cancun, Fork::Osaka];
/// Keys that programs use; the last is not hot.
const KEYS: u64 = 3;
const DEFAULT_PROGRAMS: u64 = 1_500;
/// Random bases tried for each program, besides those at the ends of intervals.
const RANDOM_BASES: usize = 12;

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    fn word(&mut self) -> U256 {
        let bits = self.pick(&[8_usize, 16, 32, 64, 96, 128, 160, 192, 224, 255]);
        let bits = if self.chance(30) { usize::try_from(self.below(256)).unwrap() } else { bits };
        let power = U256::from(1) << bits;
        match self.below(9) {
            0 => U256::ZERO,
            1 | 2 => U256::from(self.below(6)),
            3 => power,
            4 => power - U256::from(1),
            5 => !(power - U256::from(1)),
            6 => U256::MAX - U256::from(self.below(4)),
            7 => U256::from_limbs([self.next(), self.next(), self.next(), self.next()]) & (power - U256::from(1)),
            _ => U256::from_limbs([self.next(), self.next(), self.next(), self.next()]),
        }
    }

    fn mask(&mut self) -> U256 {
        let bits = self.pick(&[8_usize, 64, 96, 128, 160]);
        let low = (U256::from(1) << bits) - U256::from(1);
        let placed = low << (8 * usize::try_from(self.below(17)).unwrap());
        if self.chance(50) { placed } else { !placed }
    }
}

/// Writes a program; knows how high the stack is at each point.
struct Writer<'r> {
    random: &'r mut Random,
    code: Vec<u8>,
    height: usize,
    /// Calls are not written below this many contracts, so that programs end.
    callees: &'r [Address],
}

impl Writer<'_> {
    fn op(&mut self, opcode: u8) {
        let info = revm::bytecode::opcode::OpCode::info_by_op(opcode).unwrap();
        self.height = self.height + usize::from(info.outputs()) - usize::from(info.inputs());
        self.code.push(opcode);
    }

    fn push(&mut self, word: U256) {
        let bytes = word.to_be_bytes_trimmed_vec();
        self.code.push(PUSH0 + u8::try_from(bytes.len().max(1)).unwrap());
        self.code.extend(if bytes.is_empty() { vec![0] } else { bytes });
        self.height += 1;
    }

    fn push_small(&mut self, number: u64) {
        self.push(U256::from(number));
    }

    /// Makes sure that there are some words.
    fn need(&mut self, words: usize) {
        while self.height < words {
            if self.random.chance(60) {
                self.load();
            } else {
                let word = self.random.word();
                self.push(word);
            }
        }
    }

    fn load(&mut self) {
        let key = self.random.below(KEYS);
        self.push_small(key);
        self.op(SLOAD);
    }

    fn range(&mut self) {
        let (offset, len) = (self.random.pick(&[0, 0, 32, 64, 5]), self.random.pick(&[0, 32, 32, 64, 96, 40]));
        self.push_small(len);
        self.push_small(offset);
    }

    fn block(&mut self, steps: u64) {
        for _ in 0..steps {
            self.step();
            while self.height > 12 {
                self.op(POP);
            }
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..=9 => self.load(),
            10..=16 => {
                let word = self.random.word();
                self.push(word);
            }
            17..=31 => {
                self.need(2);
                let opcode = self.random.pick(&[ADD, ADD, ADD, SUB, SUB, SUB, OR, XOR, AND, EQ, LT, GT, SLT, SGT]);
                self.op(opcode);
            }
            32..=38 => self.with_constant(),
            39..=42 => self.packed(),
            43..=47 => self.compare_and_branch(),
            48..=49 => {
                self.need(1);
                let opcode = self.random.pick(&[ISZERO, NOT]);
                self.op(opcode);
            }
            50..=57 => {
                self.need(1);
                let opcode = DUP1 + u8::try_from(self.random.below(self.height as u64)).unwrap();
                self.op(opcode);
            }
            58..=62 => {
                self.need(2);
                let opcode = SWAP1 + u8::try_from(self.random.below(self.height as u64 - 1)).unwrap();
                self.op(opcode);
            }
            63..=74 => {
                self.need(1);
                let key = self.random.below(KEYS);
                self.push_small(key);
                self.op(SSTORE);
            }
            75..=78 => {
                self.need(1);
                let offset = self.random.pick(&[0, 0, 32, 64, 5]);
                self.push_small(offset);
                let opcode = if self.random.chance(90) { MSTORE } else { MSTORE8 };
                self.op(opcode);
            }
            79..=80 => {
                let offset = self.random.pick(&[0, 0, 32, 64, 5]);
                self.push_small(offset);
                self.op(MLOAD);
            }
            81..=84 => {
                let topics = u8::try_from(self.random.below(5)).unwrap();
                self.need(topics.into());
                self.range();
                self.op(LOG0 + topics);
            }
            85..=92 => self.call(),
            93..=94 => self.branch(),
            95 => {
                self.need(1);
                self.op(POP);
            }
            96 => {
                self.need(2);
                let opcode = self.random.pick(&[MUL, DIV, MOD, EXP, SDIV, SIGNEXTEND, BYTE, SAR, SMOD]);
                self.op(opcode);
            }
            _ => self.rare(),
        }
    }

    fn with_constant(&mut self) {
        self.need(1);
        let bits = self.random.pick(&[0, 8, 64, 96, 128, 160, 192, 255, 256]);
        match self.random.below(10) {
            0..=2 => {
                let mask = self.random.mask();
                self.push(mask);
                let opcode = self.random.pick(&[AND, AND, AND, OR, XOR]);
                self.op(opcode);
            }
            3..=5 => {
                self.push_small(bits);
                let opcode = self.random.pick(&[SHL, SHR, SHR, SAR]);
                self.op(opcode);
            }
            6 => {
                self.push_small(bits % 35);
                let opcode = self.random.pick(&[BYTE, SIGNEXTEND]);
                self.op(opcode);
            }
            _ => {
                self.push(U256::from(1) << usize::try_from(bits).unwrap());
                let opcode = self.random.pick(&[MUL, DIV, MOD]);
                if opcode != MUL {
                    self.op(SWAP1);
                }
                self.op(opcode);
            }
        }
    }

    /// `field += constant`, as Solidity writes it for a packed slot.
    fn packed(&mut self) {
        let (shift, bits) =
            self.random.pick(&[(0, 128_usize), (128, 128), (0, 64), (64, 64), (160, 96), (8, 8), (0, 160)]);
        let mask = (U256::from(1) << bits) - U256::from(1);
        let key = self.random.below(KEYS);
        let constant = U256::from(self.random.below(1_000));
        self.push_small(key);
        self.op(SLOAD);
        self.op(DUP1);
        self.push_small(shift);
        self.op(SHR);
        self.push(mask);
        self.op(AND);
        self.push(constant);
        let opcode = self.random.pick(&[ADD, SUB]);
        if opcode == SUB {
            self.op(SWAP1);
        }
        self.op(opcode);
        if self.random.chance(70) {
            self.op(DUP1);
            self.push(mask);
            self.op(LT);
            self.fail_if_true();
        }
        self.push(mask);
        self.op(AND);
        self.push_small(shift);
        self.op(SHL);
        self.op(SWAP1);
        self.push(!(mask << usize::try_from(shift).unwrap()));
        self.op(AND);
        self.op(OR);
        self.push_small(key);
        self.op(SSTORE);
    }

    /// `if (condition) revert`
    fn fail_if_true(&mut self) {
        self.op(ISZERO);
        let jump = self.jump();
        self.push_small(0);
        self.push_small(0);
        self.op(REVERT);
        self.land(jump);
    }

    /// JUMPI to somewhere behind; returns where its target must be written.
    fn jump(&mut self) -> usize {
        self.code.extend([PUSH2, 0, 0, JUMPI]);
        self.height -= 1;
        self.code.len() - 3
    }

    fn land(&mut self, jump: usize) {
        let target = u16::try_from(self.code.len()).unwrap();
        self.code[jump..jump + 2].copy_from_slice(&target.to_be_bytes());
        self.code.push(JUMPDEST);
    }

    fn compare_and_branch(&mut self) {
        self.need(2);
        if self.random.chance(60) {
            self.op(DUP2);
            self.op(DUP2);
        } else {
            let word = self.random.word();
            self.op(DUP1);
            self.push(word);
        }
        let opcode = self.random.pick(&[LT, GT, EQ, SLT, SGT, SUB]);
        self.op(opcode);
        if self.random.chance(30) {
            self.fail_if_true();
        } else {
            self.branch();
        }
    }

    /// Skips a block if the word on top is not zero.
    fn branch(&mut self) {
        self.need(1);
        let jump = self.jump();
        let height = self.height;
        let steps = self.random.below(4);
        self.block(steps);
        while self.height > height {
            self.op(POP);
        }
        while self.height < height {
            self.push_small(0);
        }
        self.land(jump);
    }

    fn call(&mut self) {
        if self.callees.is_empty() {
            return;
        }
        let opcode = self.random.pick(&[CALL, CALL, DELEGATECALL, DELEGATECALL, STATICCALL, CALLCODE]);
        self.range();
        self.range();
        if matches!(opcode, CALL | CALLCODE) {
            self.push_small(0);
        }
        let target = self.random.pick(self.callees);
        self.push(U256::from_be_slice(target.as_slice()));
        if self.random.chance(70) {
            self.op(GAS);
        } else {
            let gas = self.random.below(60_000);
            self.push_small(gas);
        }
        self.op(opcode);
        if self.random.chance(50) {
            self.op(POP);
        }
    }

    fn rare(&mut self) {
        match self.random.below(14) {
            0 | 1 => {
                self.need(2);
                self.op(TSTORE);
            }
            2 => {
                self.need(1);
                self.op(TLOAD);
            }
            3 | 4 => self.op(GAS),
            5 | 6 => {
                self.range();
                self.op(KECCAK256);
            }
            7 => {
                self.range();
                self.push_small(0);
                self.op(CREATE);
            }
            8 => {
                // Init code that loads and stores a slot of the account it creates.
                self.push(U256::from_be_slice(&[PUSH1, 1, SLOAD, PUSH1, 1, ADD, PUSH1, 1, SSTORE, STOP]) << 176);
                self.push_small(0);
                self.op(MSTORE);
                let salt = self.random.below(2);
                self.push_small(salt);
                self.push_small(32);
                self.push_small(0);
                self.push_small(0);
                self.op(CREATE2);
            }
            9 => {
                let (from, len) = (self.random.below(64), self.random.below(64));
                self.push_small(len);
                self.push_small(from);
                let to = self.random.below(96);
                self.push_small(to);
                let opcode = self.random.pick(&[MCOPY, CALLDATACOPY, CODECOPY]);
                self.op(opcode);
            }
            10 => {
                self.need(1);
                self.op(BALANCE);
            }
            11 => {
                self.need(1);
                self.op(SLOAD);
            }
            12 => {
                self.need(2);
                self.op(SSTORE);
            }
            _ => {
                let opcode = self.random.pick(&[RETURN, REVERT, INVALID, STOP, SELFDESTRUCT]);
                self.need(1);
                let jump = self.jump();
                let height = self.height;
                if opcode == SELFDESTRUCT {
                    self.need(1);
                } else {
                    self.range();
                }
                self.code.push(opcode);
                self.height = height;
                self.land(jump);
            }
        }
    }

    fn end(mut self) -> Vec<u8> {
        self.range();
        let opcode = self.random.pick(&[RETURN, RETURN, STOP, STOP, REVERT]);
        self.op(opcode);
        self.code
    }
}

fn world(random: &mut Random) -> World {
    let mut world = World::new(random.pick(&FORKS));
    for (index, address) in CONTRACTS.into_iter().enumerate() {
        let mut writer = Writer { random, code: Vec::new(), height: 0, callees: &CONTRACTS[index + 1..] };
        let steps = 4 + writer.random.below(30);
        writer.block(steps);
        let code = writer.end();
        world.deploy(address, &code);
        for key in 0..KEYS {
            let value = if random.chance(60) { U256::from(random.below(1 << 40)) } else { random.word() };
            world.set((address, U256::from(key)), value);
        }
    }
    world.call(CONTRACTS[0], &[7; 40]);
    if random.chance(15) {
        world.transaction.gas_limit = 23_000 + random.below(60_000);
    }
    world
}

/// Bases worth trying for a slot.
fn bases(random: &mut Random, slot: &TrackedSlot) -> Vec<U256> {
    let one = U256::from(1);
    let mut bases = vec![U256::ZERO, one, U256::MAX, slot.guess().wrapping_add(one), slot.guess().wrapping_sub(one)];
    for (from, bits, low, high) in slot.interval_parts() {
        let mask = super::linear::low_mask(bits);
        for content in [low, high, low.wrapping_sub(one) & mask, high.wrapping_add(one) & mask] {
            bases.push(slot.guess() & !(mask << usize::from(from)) | content << usize::from(from));
        }
    }
    for _ in 0..RANDOM_BASES {
        let word = random.word();
        let mask = random.mask();
        bases.push(word);
        bases.push((slot.guess() & !mask) | (word & mask));
        bases.push(slot.guess().wrapping_add(U256::from(random.below(1 << 20))));
    }
    bases
}

/// How far the tests reached.
#[derive(Debug, Default)]
struct Reach {
    slots: u64,
    exact: u64,
    admitted: u64,
    refused: u64,
    written: u64,
    patched_logs: u64,
    patched_outputs: u64,
}

fn check(seed: u64, tracker: &mut Tracker, reach: &mut Reach) {
    let random = &mut Random(seed);
    let world = world(random);
    let hot: Vec<Location> =
        CONTRACTS.iter().flat_map(|address| (0..KEYS - 1).map(|key| (*address, U256::from(key)))).collect();
    let guessed = world.track(tracker, &hot);
    assert_eq!(guessed, world.run(), "seed {seed}: tracking changed the result");
    let guesses: Vec<U256> = tracker.slots().iter().map(TrackedSlot::guess).collect();
    for (index, slot) in tracker.slots().iter().enumerate() {
        reach.slots += 1;
        reach.exact += u64::from(slot.is_exact());
        reach.written += u64::from(slot.is_written());
        assert!(slot.admits(slot.guess()), "seed {seed}: the guess is refused");
        for base in bases(random, slot) {
            if base == slot.guess() {
                continue;
            }
            if !slot.admits(base) {
                reach.refused += 1;
                continue;
            }
            reach.admitted += 1;
            let mut chosen = guesses.clone();
            chosen[index] = base;
            // Sometimes the other slots change too.
            if random.chance(30) {
                for (other, chosen) in tracker.slots().iter().zip(&mut chosen) {
                    let base = random.word();
                    if other.guess() == *chosen && other.admits(base) {
                        *chosen = base;
                    }
                }
            }
            let mut other = world.clone();
            for (slot, base) in tracker.slots().iter().zip(&chosen) {
                other.set((slot.address(), slot.slot()), *base);
            }
            reach.patched_logs += tracker.log_patches().len() as u64;
            reach.patched_outputs += tracker.output_patches().len() as u64;
            let patched = world.track(&mut Tracker::default(), &hot).patched(tracker, &chosen);
            assert_eq!(
                patched,
                other.run(),
                "seed {seed}: slot {index} {:?} with base {base}",
                (slot.address(), slot.slot())
            );
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[test]
fn patched_results_equal_executed_ones() {
    let programs = setting("BRAID_SYMBOLIC_PROGRAMS", DEFAULT_PROGRAMS);
    let first = setting("BRAID_SYMBOLIC_SEED", 0);
    let mut tracker = Tracker::default();
    let mut reach = Reach::default();
    for seed in first..first + programs {
        check(seed, &mut tracker, &mut reach);
    }
    println!("{reach:?}");
    assert!(reach.exact < reach.slots * 3 / 4, "too few slots are tracked to the end: {reach:?}");
    assert!(reach.admitted > reach.slots, "too few bases are admitted: {reach:?}");
    assert!(reach.patched_logs > 0 && reach.patched_outputs > 0, "nothing is patched: {reach:?}");
    assert!(reach.written > reach.slots / 8, "too few slots are written: {reach:?}");
}
