//! Random contracts: lists of statements, each of which does one thing that transactions may conflict over.
//!
//! A statement leaves the stack as it found it. Arguments come from call data, a word each. Memory below 0x80 belongs to
//! the statement that runs; what a call returned lies at 0x80.

use alloy_primitives::{Address, U256};
use braid_types::Fork;
use revm::bytecode::opcode::*;

use crate::{
    assembler::{Code, creation},
    random::Random,
};

/// Keys of plain slots.
const KEYS: u64 = 4;
/// Where a call's answer is put.
const ANSWER: u64 = 0x80;

/// What programs are made of.
#[derive(Clone, Debug)]
pub struct Parts {
    pub fork: Fork,
    /// Addresses worth looking at, calling and paying.
    pub addresses: Vec<Address>,
    /// Creation codes for contracts to use.
    pub creations: Vec<Vec<u8>>,
}

/// A contract of so many statements.
pub fn program(random: &mut Random, parts: &Parts, statements: u64) -> Vec<u8> {
    let mut writer = Writer { random, parts, code: Code::default(), depth: 0 };
    for _ in 0..statements {
        writer.statement();
    }
    if writer.random.chance(30) {
        let key = writer.key();
        writer.code.push(key).ops(&[SLOAD]).push(0).ops(&[MSTORE]).push(32).push(0).ops(&[RETURN]);
    }
    writer.code.done()
}

/// Creation code with a constructor that does a thing or two, or fails, or leaves no code.
pub fn random_creation(random: &mut Random, parts: &Parts) -> Vec<u8> {
    let statements = 1 + random.below(3);
    let runtime = match random.below(12) {
        0 => Vec::new(),
        1 => vec![0xef, 0],
        2..=5 => killable(),
        _ => program(random, parts, statements),
    };
    let mut writer = Writer { random, parts, code: Code::default(), depth: 2 };
    if writer.random.chance(50) {
        writer.statement();
    }
    match writer.random.below(20) {
        0 => drop(writer.code.ops(&[INVALID])),
        1 => drop(writer.code.push(0).push(0).ops(&[REVERT])),
        2 => drop(writer.code.ops(&[CALLER, SELFDESTRUCT])),
        _ => {}
    }
    creation(&writer.code, &runtime)
}

/// Counts calls in slot 0; with an odd first argument destroys itself to the address in the second.
pub fn killable() -> Vec<u8> {
    let mut code = Code::default();
    code.push(1).push(0).ops(&[SLOAD, ADD]).push(0).ops(&[SSTORE]);
    code.push(1).push(0).ops(&[CALLDATALOAD, AND]);
    code.when(|code| code.push(32).ops(&[CALLDATALOAD, SELFDESTRUCT]));
    code.done()
}

struct Writer<'a> {
    random: &'a mut Random,
    parts: &'a Parts,
    code: Code,
    depth: u32,
}

impl Writer<'_> {
    fn key(&mut self) -> u64 {
        self.random.below(KEYS)
    }

    /// Pushes an amount.
    fn amount(&mut self) {
        match self.random.below(12) {
            0..=3 => {
                let number = 1 + self.random.below(5);
                self.code.push(number);
            }
            4..=7 => {
                let word = 32 * self.random.below(4);
                self.code.push(word).ops(&[CALLDATALOAD]);
            }
            8 => drop(self.code.ops(&[CALLVALUE])),
            9 => drop(self.code.push(ANSWER).ops(&[MLOAD])),
            10 => {
                let key = self.key();
                self.code.push(key).ops(&[SLOAD]);
            }
            _ => {
                let word = self.random.word();
                self.code.word(word);
            }
        }
    }

    /// Pushes an address.
    fn address(&mut self) {
        match self.random.below(10) {
            0..=4 => {
                let address = self.random.pick(&self.parts.addresses);
                self.code.word(address.into_word().into());
            }
            5..=6 => {
                let word = 32 * self.random.below(4);
                self.code.push(word).ops(&[CALLDATALOAD]);
            }
            7 => drop(self.code.ops(&[CALLER])),
            8 => drop(self.code.ops(&[COINBASE])),
            _ => drop(self.code.ops(&[ADDRESS])),
        }
    }

    /// Pushes the key of a slot: a plain one, or that of a mapping by caller, argument or address.
    fn slot(&mut self) {
        if self.random.chance(60) {
            let key = self.key();
            self.code.push(key);
            return;
        }
        match self.random.below(3) {
            0 => drop(self.code.ops(&[CALLER])),
            1 => drop(self.code.push(0).ops(&[CALLDATALOAD])),
            _ => self.address(),
        }
        let number = self.random.below(2);
        self.code.push(0).ops(&[MSTORE]).push(number).push(32).ops(&[MSTORE]);
        self.code.push(64).push(0).ops(&[KECCAK256]);
    }

    /// Pops a value and stores it under a key that it pops next.
    fn store(&mut self) {
        self.code.ops(&[SWAP1, SSTORE]);
    }

    /// Pops a condition; unless it is zero, ends the call, mostly by reverting it.
    fn revert_if(&mut self) {
        let ending = self.random.below(6);
        self.code.when(|code| match ending {
            0 => code.ops(&[INVALID]),
            1 => code.ops(&[STOP]),
            _ => code.push(0).push(0).ops(&[REVERT]),
        });
    }

    fn nested(&mut self) {
        if self.depth < 3 {
            self.depth += 1;
            self.statement();
            self.depth -= 1;
        }
    }

    /// Pops a condition; unless it is zero, runs a statement.
    fn branch(&mut self) {
        let branch = self.code.open();
        self.nested();
        self.code.close(branch);
    }

    fn statement(&mut self) {
        match self.random.below(100) {
            0..=12 => self.add(),
            13..=19 => self.spend(),
            20..=25 => self.cap(),
            26..=28 => self.multiply(),
            29..=34 => self.packed(),
            35..=39 => self.overwrite(),
            40..=45 => self.log(),
            46..=51 => self.observe(),
            52..=55 => self.compare_balance(),
            56..=67 => self.call(),
            68..=70 => self.create(),
            71..=72 => self.destroy(),
            73..=76 => self.fail(),
            77..=79 => self.transient(),
            80..=81 => self.precompile(),
            82..=83 => self.gas(),
            84..=86 => self.environment(),
            87..=88 => self.pointer(),
            89..=91 => self.guard(),
            92..=95 => self.branch_on_slot(),
            96..=97 => self.answer(),
            _ => self.hash(),
        }
    }

    fn add(&mut self) {
        self.slot();
        self.code.ops(&[DUP1, SLOAD]);
        self.amount();
        self.code.ops(&[ADD]);
        self.store();
    }

    /// Takes an amount from a slot that must hold it.
    fn spend(&mut self) {
        self.slot();
        self.code.ops(&[DUP1, SLOAD]);
        self.amount();
        self.code.ops(&[DUP1, DUP3, LT]);
        self.revert_if();
        self.code.ops(&[SWAP1, SUB]);
        self.store();
    }

    /// Adds, up to a limit.
    fn cap(&mut self) {
        let cap = self.random.pick(&[3, 20, 100, 1_000]);
        self.slot();
        self.code.ops(&[DUP1, SLOAD]);
        self.amount();
        self.code.ops(&[ADD]).push(cap).ops(&[DUP2, GT]);
        self.revert_if();
        self.store();
    }

    fn multiply(&mut self) {
        self.slot();
        self.code.ops(&[DUP1, SLOAD]).push(3).ops(&[MUL]).push(1).ops(&[ADD]);
        self.store();
    }

    /// Adds to, or takes from, one of two 128-bit numbers in a slot, with a check.
    fn packed(&mut self) {
        let low = (U256::from(1) << 128) - U256::from(1);
        let key = self.key();
        self.code.push(key).ops(&[DUP1, SLOAD]);
        if self.random.chance(50) {
            // The low half.
            self.code.ops(&[DUP1]).word(low).ops(&[AND]);
            self.amount();
            self.code.ops(&[ADD]).word(low).ops(&[DUP2, GT]);
            self.revert_if();
            self.code.ops(&[SWAP1]).word(!low).ops(&[AND, OR]);
        } else {
            // The high half.
            let shift = U256::from(1) << 128;
            self.code.ops(&[DUP1]).word(shift).ops(&[SWAP1, DIV]);
            self.amount();
            let opcode = self.random.pick(&[ADD, SUB]);
            self.code.ops(&[SWAP1, opcode]).word(low).ops(&[AND]).word(shift).ops(&[MUL, SWAP1]);
            self.code.word(low).ops(&[AND, OR]);
        }
        self.store();
    }

    fn overwrite(&mut self) {
        self.slot();
        match self.random.below(4) {
            0 => drop(self.code.ops(&[DUP1, SLOAD, ISZERO])),
            1 => drop(self.code.push(0)),
            2 => drop(self.code.push(1)),
            _ => self.amount(),
        }
        self.store();
    }

    fn log(&mut self) {
        let key = self.key();
        self.code.push(key).ops(&[SLOAD]).push(0).ops(&[MSTORE]);
        let topics = u8::try_from(self.random.below(3)).unwrap();
        for _ in 0..topics {
            if self.random.chance(40) {
                let key = self.key();
                self.code.push(key).ops(&[SLOAD]);
            } else {
                self.amount();
            }
        }
        let length = self.random.pick(&[0, 32, 32, 40]);
        self.code.push(length).push(0).ops(&[LOG0 + topics]);
    }

    /// Looks at another account.
    fn observe(&mut self) {
        let forks = self.parts.fork;
        let key = self.key();
        self.code.push(key);
        match self.random.below(5) {
            0 | 1 => {
                self.address();
                self.code.ops(&[BALANCE]);
            }
            2 if forks >= Fork::Constantinople => {
                self.address();
                self.code.ops(&[EXTCODEHASH]);
            }
            3 if forks >= Fork::Istanbul => drop(self.code.ops(&[SELFBALANCE])),
            _ => {
                self.address();
                self.code.ops(&[EXTCODESIZE]);
            }
        }
        if self.random.chance(30) {
            self.code.ops(&[SWAP1, POP]).push(0).ops(&[MSTORE]).push(32).push(0).ops(&[LOG0]);
        } else {
            self.store();
        }
    }

    fn compare_balance(&mut self) {
        self.amount();
        self.address();
        let opcode = self.random.pick(&[LT, GT, EQ]);
        self.code.ops(&[BALANCE, opcode]);
        self.branch();
    }

    fn call(&mut self) {
        let argument = self.random.below(2) * 32;
        self.code.push(argument).ops(&[CALLDATALOAD]).push(0).ops(&[MSTORE]);
        self.address();
        self.code.push(32).ops(&[MSTORE]);
        let fork = self.parts.fork;
        let opcode = match self.random.below(12) {
            0..=7 => CALL,
            8 => CALLCODE,
            9..=10 if fork >= Fork::Homestead => DELEGATECALL,
            11 if fork >= Fork::Byzantium => STATICCALL,
            _ => CALL,
        };
        self.code.push(32).push(ANSWER).push(64).push(0);
        if opcode == CALL || opcode == CALLCODE {
            match self.random.below(4) {
                0..=1 => drop(self.code.push(0)),
                2 => drop(self.code.ops(&[CALLVALUE])),
                _ => self.amount(),
            }
        }
        self.address();
        let gas = self.random.pick(&[2_300, 10_000, 30_000, 60_000]);
        self.code.push(gas).ops(&[opcode]);
        match self.random.below(4) {
            0 => {
                self.code.ops(&[ISZERO]);
                self.revert_if();
            }
            1 => {
                let key = self.key();
                self.code.push(key).ops(&[SSTORE]);
            }
            _ => drop(self.code.ops(&[POP])),
        }
    }

    fn create(&mut self) {
        if self.parts.creations.is_empty() {
            return self.add();
        }
        let creation = self.random.pick(&self.parts.creations);
        self.code.store(&creation);
        let is_salted = self.parts.fork >= Fork::Constantinople && self.random.chance(70);
        if is_salted {
            if self.random.chance(50) {
                self.code.push(0);
            } else {
                self.code.push(0).ops(&[CALLDATALOAD]).push(1).ops(&[AND]);
            }
        }
        self.code.push(creation.len() as u64).push(0);
        if self.random.chance(70) {
            self.code.push(0);
        } else {
            self.amount();
        }
        self.code.ops(&[if is_salted { CREATE2 } else { CREATE }]);
        if self.random.chance(50) {
            let key = self.key();
            self.code.push(key).ops(&[SSTORE]);
        } else {
            self.code.ops(&[POP]);
        }
    }

    fn destroy(&mut self) {
        let mask = self.random.pick(&[1, 2, 3]);
        self.code.push(mask).push(0).ops(&[CALLDATALOAD, AND]);
        let branch = self.code.open();
        self.address();
        self.code.ops(&[SELFDESTRUCT]);
        self.code.close(branch);
    }

    /// Fails for some arguments, or uses up all gas, after what was done before.
    fn fail(&mut self) {
        let word = 32 * self.random.below(3);
        let mask = self.random.pick(&[1, 2, 4]);
        self.code.push(mask).push(word).ops(&[CALLDATALOAD, AND]);
        if self.random.chance(80) {
            return self.revert_if();
        }
        let key = self.key();
        self.code
            .when(|code| code.forever(|code| code.push(key).ops(&[DUP1, SLOAD]).push(1).ops(&[ADD, SWAP1, SSTORE])));
    }

    fn transient(&mut self) {
        if self.parts.fork < Fork::Cancun {
            return self.add();
        }
        let key = self.key();
        self.code.push(1).push(key).ops(&[TLOAD, ADD]).push(key).ops(&[TSTORE]);
        self.code.push(key).ops(&[TLOAD]).push(key).ops(&[SLOAD, ADD]).push(key).ops(&[SSTORE]);
    }

    /// Hands a slot's value to a precompile and stores what comes back.
    fn precompile(&mut self) {
        let key = self.key();
        let number = 1 + self.random.below(4);
        self.code.push(key).ops(&[SLOAD]).push(0).ops(&[MSTORE]);
        self.code.push(32).push(ANSWER).push(32).push(0).push(0).push(number).push(20_000u64);
        self.code.ops(&[CALL, POP]).push(ANSWER).ops(&[MLOAD]).push(key).ops(&[SSTORE]);
    }

    /// Makes what is left of the gas visible.
    fn gas(&mut self) {
        let key = self.key();
        self.code.ops(&[GAS]).push(key).ops(&[SSTORE]);
    }

    fn environment(&mut self) {
        let mut sources = vec![COINBASE, GASPRICE, ORIGIN, CALLER, NUMBER, TIMESTAMP, GASLIMIT, DIFFICULTY, CODESIZE];
        if self.parts.fork >= Fork::London {
            sources.push(BASEFEE);
        }
        let source = self.random.pick(&sources);
        let key = self.key();
        self.code.ops(&[source]);
        if self.random.chance(30) {
            self.code.ops(&[POP]).push(1).ops(&[NUMBER, SUB, BLOCKHASH]);
        }
        self.code.push(key).ops(&[SSTORE]);
    }

    /// Reads a slot that another slot names.
    fn pointer(&mut self) {
        let key = self.key();
        self.code.push(key).ops(&[DUP1, SLOAD]).push(7).ops(&[AND]).push(8).ops(&[OR, SLOAD]);
        self.code.push(1).ops(&[ADD]);
        self.store();
    }

    /// A statement that may not be entered again while it runs.
    fn guard(&mut self) {
        self.code.push(2).push(5).ops(&[SLOAD, EQ]);
        self.revert_if();
        self.code.push(2).push(5).ops(&[SSTORE]);
        self.nested();
        self.code.push(1).push(5).ops(&[SSTORE]);
    }

    fn branch_on_slot(&mut self) {
        self.slot();
        self.code.ops(&[SLOAD]);
        if self.random.chance(40) {
            self.code.push(1).ops(&[AND]);
        } else {
            let limit = self.random.pick(&[1, 2, 10, 50]);
            let opcode = self.random.pick(&[LT, GT, EQ, SLT, SGT]);
            self.code.push(limit).ops(&[opcode]);
        }
        self.branch();
    }

    /// Keeps what the last call returned.
    fn answer(&mut self) {
        let key = self.key();
        self.code.push(ANSWER).ops(&[MLOAD]).push(key).ops(&[SSTORE]);
    }

    /// A slot whose key is the hash of another's value.
    fn hash(&mut self) {
        let key = self.key();
        self.code.push(key).ops(&[SLOAD]).push(0).ops(&[MSTORE]).push(32).push(0).ops(&[KECCAK256]);
        self.code.ops(&[DUP1, SLOAD]).push(1).ops(&[ADD]);
        self.store();
    }
}
