//! Byte code put together from pieces; jumps only where a piece has an end.

use alloy_primitives::U256;
use revm::bytecode::opcode::{CODECOPY, ISZERO, JUMP, JUMPDEST, JUMPI, MSTORE, PUSH1, PUSH2, RETURN};

/// Byte code in the making.
#[derive(Clone, Debug, Default)]
pub struct Code(pub Vec<u8>);

impl Code {
    pub fn ops(&mut self, opcodes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(opcodes);
        self
    }

    pub fn push(&mut self, number: u64) -> &mut Self {
        self.word(U256::from(number))
    }

    /// Without PUSH0, which came with Shanghai.
    pub fn word(&mut self, word: U256) -> &mut Self {
        let bytes = word.to_be_bytes_trimmed_vec();
        let bytes = if bytes.is_empty() { vec![0] } else { bytes };
        self.0.push(PUSH1 - 1 + u8::try_from(bytes.len()).unwrap());
        self.0.extend(bytes);
        self
    }

    /// Pops a condition; if it is not zero, does what `body` writes.
    pub fn when(&mut self, body: impl FnOnce(&mut Self) -> &mut Self) -> &mut Self {
        let branch = self.open();
        body(self);
        self.close(branch)
    }

    /// Pops a condition; what is written until [`Code::close`] is skipped if it is zero.
    pub fn open(&mut self) -> usize {
        self.ops(&[ISZERO, PUSH2, 0, 0, JUMPI]);
        self.0.len() - 3
    }

    pub fn close(&mut self, branch: usize) -> &mut Self {
        let end = u16::try_from(self.0.len()).unwrap();
        self.0[branch..branch + 2].copy_from_slice(&end.to_be_bytes());
        self.ops(&[JUMPDEST])
    }

    /// Does what `body` writes until the gas is used up.
    pub fn forever(&mut self, body: impl FnOnce(&mut Self) -> &mut Self) -> &mut Self {
        let start = self.0.len();
        self.ops(&[JUMPDEST]);
        body(self);
        self.push(start as u64).ops(&[JUMP])
    }

    /// Writes bytes to memory, from its start on.
    pub fn store(&mut self, bytes: &[u8]) -> &mut Self {
        for (number, chunk) in bytes.chunks(32).enumerate() {
            let mut word = [0; 32];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(U256::from_be_bytes(word)).push(32 * number as u64).ops(&[MSTORE]);
        }
        self
    }

    pub fn done(&self) -> Vec<u8> {
        self.0.clone()
    }
}

/// Creation code: `constructor`, which leaves the stack as it is, then deploys `runtime`.
pub fn creation(constructor: &Code, runtime: &[u8]) -> Vec<u8> {
    let mut code = constructor.clone();
    let length = u16::try_from(runtime.len()).unwrap().to_be_bytes();
    // PUSH2 length, PUSH2 offset, PUSH1 0, CODECOPY, PUSH2 length, PUSH1 0, RETURN: 15 bytes.
    let offset = u16::try_from(code.0.len() + 15).unwrap().to_be_bytes();
    code.ops(&[PUSH2, length[0], length[1], PUSH2, offset[0], offset[1], PUSH1, 0, CODECOPY]);
    code.ops(&[PUSH2, length[0], length[1], PUSH1, 0, RETURN]);
    code.0.extend_from_slice(runtime);
    code.0
}
