//! Byte code as one worker keeps it.
//!
//! Clones of one code are counted in one place; two workers that call the same contract would send that place back and
//! forth. A worker that uses a code often therefore makes a copy of its own.

use alloy_primitives::{
    B256, Bytes,
    map::{B256Map, hash_map},
};
use revm::bytecode::{Bytecode, JumpTable};

/// Uses of a code after which it is copied.
const USES_BEFORE_COPY: u32 = 8;

/// Codes by their hashes.
#[derive(Debug, Default)]
pub(crate) struct Codes(B256Map<Used>);

#[derive(Debug)]
struct Used {
    code: Bytecode,
    uses: u32,
}

impl Codes {
    /// The code with a hash; `find` gives it the first time.
    pub(crate) fn get<E>(&mut self, hash: B256, find: impl FnOnce() -> Result<Bytecode, E>) -> Result<Bytecode, E> {
        let used = match self.0.entry(hash) {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(unknown) => unknown.insert(Used { code: find()?, uses: 0 }),
        };
        used.uses = used.uses.saturating_add(1);
        if used.uses == USES_BEFORE_COPY {
            used.code = private_copy(&used.code);
        }
        Ok(used.code.clone())
    }
}

/// The same code with a reference count of its own.
pub(crate) fn private_copy(code: &Bytecode) -> Bytecode {
    let Some(table) = code.legacy_jump_table() else { return code.clone() };
    let table = JumpTable::from_slice(table.as_slice(), table.len());
    // SAFETY: the bytes, padding included, and the table are those of a code that was analysed.
    unsafe { Bytecode::new_analyzed(Bytes::copy_from_slice(code.bytes_slice()), code.len(), table) }
}
