//! The interpreter's loop with tags.
//!
//! Instructions that touch no tagged word run as they always do; to know that, the loop compares the height of the stack
//! with that of the highest tag. The others are looked at before they run: their tagged operands give conditions, and a
//! tag of the result, which is set once the instruction succeeded. An instruction that nothing is known about pins
//! its tagged operands.

use alloy_primitives::{Address, U256};
use revm::{
    Database,
    bytecode::opcode::{self, OpCode},
    handler::MainnetContext,
    interpreter::{
        GasTable, InstructionExecResult, InstructionResult, InstructionTable, Interpreter, InterpreterAction,
        interpreter::EthInterpreter,
        interpreter_types::{InputsTr, Jumps, LoopControl},
    },
};

use super::{
    linear::Linear,
    memory,
    tracker::{LogPlace, Operand, Tag, Tracker},
};

/// Reach of instructions that are looked at whatever the stack holds.
const ALWAYS: u16 = 2_048;

/// How many words from the top of the stack an instruction looks at.
type Reach = [u16; 256];

/// Without tags in memory.
static REACH: Reach = reach(false);

/// With tags in memory.
static REACH_WITH_MEMORY: Reach = reach(true);

const fn reach(with_memory: bool) -> Reach {
    let mut table = [0; 256];
    let mut opcode = 0;
    while opcode < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let byte = opcode as u8;
        table[opcode] = match (byte, OpCode::info_by_op(byte)) {
            (opcode::SLOAD | opcode::SSTORE | opcode::DUPN | opcode::SWAPN | opcode::EXCHANGE, _) => ALWAYS,
            (_, Some(_)) if with_memory && memory::is_access(byte) => ALWAYS,
            (_, Some(info)) => info.inputs() as u16,
            (_, None) => 0,
        };
        opcode += 1;
    }
    table
}

/// A frame's interpreter with what it needs to take a step.
pub(super) struct Machine<'a, D: Database> {
    pub(super) interpreter: &'a mut Interpreter,
    pub(super) instructions: &'a InstructionTable<EthInterpreter, MainnetContext<D>>,
    pub(super) gas: &'a GasTable,
    pub(super) context: &'a mut MainnetContext<D>,
}

impl<D: Database> Machine<'_, D> {
    #[inline(always)]
    fn step(&mut self) -> InstructionExecResult {
        self.interpreter.step(self.instructions, self.gas, self.context)
    }

    fn height(&self) -> usize {
        self.interpreter.stack.len()
    }

    /// The word that lies `depth` below the top; the caller has made sure that there is one.
    fn peek(&self, depth: usize) -> U256 {
        self.interpreter.stack.peek(depth).unwrap_or_default()
    }

    /// The account whose storage the frame uses.
    fn account(&self) -> Address {
        self.interpreter.input.target_address()
    }

    /// The original value of a slot of an account that the transaction did not create, if it has been read.
    #[inline]
    fn original(&self, address: Address, slot: U256) -> Option<U256> {
        let account = self.context.journaled_state.inner.state.get(&address)?;
        let is_new = account.is_created() || account.is_created_locally();
        account.storage.get(&slot).filter(|_| !is_new).map(|slot| slot.original_value)
    }

    /// Logs so far.
    fn logs(&self) -> usize {
        self.context.journaled_state.inner.logs.len()
    }
}

/// Runs a frame until it calls, creates or ends.
pub(super) fn run<D: Database, F: Fn(Address, U256) -> bool>(
    tracker: &mut Tracker,
    machine: &mut Machine<'_, D>,
    is_hot: &F,
) -> InterpreterAction {
    let error = loop {
        let stop = if tracker.has_tags() { plain_steps(tracker, machine) } else { untagged_steps(machine) };
        if let Err(error) = stop.and_then(|opcode| tracked_step(tracker, machine, opcode, is_hot)) {
            break error;
        }
    };
    if machine.interpreter.bytecode.action().is_none() {
        machine.interpreter.halt(error);
    }
    machine.interpreter.take_next_action()
}

/// Takes steps up to the next access to storage.
#[inline(always)]
fn untagged_steps<D: Database>(machine: &mut Machine<'_, D>) -> Result<u8, InstructionResult> {
    loop {
        let opcode = machine.interpreter.bytecode.opcode();
        if matches!(opcode, opcode::SLOAD | opcode::SSTORE) {
            return Ok(opcode);
        }
        machine.step()?;
    }
}

/// Takes steps up to one that may touch a tagged word.
#[inline(always)]
fn plain_steps<D: Database>(tracker: &Tracker, machine: &mut Machine<'_, D>) -> Result<u8, InstructionResult> {
    let top = tracker.top();
    let reach = if tracker.has_memory_tags() { &REACH_WITH_MEMORY } else { &REACH };
    loop {
        let opcode = machine.interpreter.bytecode.opcode();
        if machine.interpreter.stack.len() < top + usize::from(reach[usize::from(opcode)]) {
            return Ok(opcode);
        }
        machine.step()?;
    }
}

/// Takes a step that may touch a tagged word.
#[inline(never)]
fn tracked_step<D: Database, F: Fn(Address, U256) -> bool>(
    tracker: &mut Tracker,
    machine: &mut Machine<'_, D>,
    opcode: u8,
    is_hot: &F,
) -> InstructionExecResult {
    let info = OpCode::info_by_op(opcode);
    let (inputs, outputs) = info.map_or((0, 0), |info| (usize::from(info.inputs()), usize::from(info.outputs())));
    let height = machine.height();
    if height < inputs {
        return machine.step();
    }
    match opcode {
        opcode::SLOAD => load(tracker, machine, is_hot),
        opcode::SSTORE => store(tracker, machine, is_hot),
        opcode::POP => {
            tracker.take_tag(height - 1);
            machine.step()
        }
        opcode::DUP1..=opcode::DUP16 => {
            machine.step()?;
            tracker.set_tag(height, tracker.tag(height - inputs));
            Ok(())
        }
        opcode::SWAP1..=opcode::SWAP16 => {
            machine.step()?;
            tracker.swap_tags(height - 1, height - inputs);
            Ok(())
        }
        opcode::DUPN | opcode::SWAPN | opcode::EXCHANGE => {
            tracker.pin_stack();
            machine.step()
        }
        opcode::JUMPI => {
            pin(tracker, height - 1);
            let condition = take(tracker, machine, 1);
            tracker.unary(opcode::ISZERO, condition);
            machine.step()
        }
        opcode::ISZERO | opcode::NOT => {
            let operand = take(tracker, machine, 0);
            let tag = tracker.unary(opcode, operand);
            machine.step()?;
            tracker.set_tag(height - 1, tag);
            Ok(())
        }
        opcode::ADD..=opcode::SMOD
        | opcode::EXP..=opcode::EQ
        | opcode::AND..=opcode::XOR
        | opcode::BYTE..=opcode::SAR => {
            let (first, second) = (take(tracker, machine, 0), take(tracker, machine, 1));
            let tag = tracker.binary(opcode, first, second);
            machine.step()?;
            tracker.set_tag(height - 2, tag);
            Ok(())
        }
        opcode::MLOAD => {
            pin(tracker, height - 1);
            let tag = memory::loaded(tracker, machine.peek(0));
            machine.step()?;
            tracker.set_tag(height - 1, tag);
            Ok(())
        }
        opcode::MSTORE => {
            pin(tracker, height - 1);
            let stored = take(tracker, machine, 1);
            let offset = machine.peek(0);
            machine.step()?;
            memory::stored(tracker, offset, stored);
            Ok(())
        }
        opcode::LOG0..=opcode::LOG4 => log(tracker, machine, inputs),
        _ => {
            for index in height - inputs..height {
                pin(tracker, index);
            }
            if tracker.has_memory_tags() {
                let operands: [U256; 7] =
                    std::array::from_fn(|depth| if depth < inputs { machine.peek(depth) } else { U256::ZERO });
                memory::access(tracker, opcode, &operands);
            }
            debug_assert!(outputs <= 1, "the stack's tags would be out of place");
            machine.step()
        }
    }
}

/// Pins the word at a stack index if it is tagged; it is about to be taken off the stack.
fn pin(tracker: &mut Tracker, index: usize) {
    let tag = tracker.take_tag(index);
    tracker.pin(tag);
}

/// The operand that lies `depth` below the top, about to be taken off the stack.
fn take<D: Database>(tracker: &mut Tracker, machine: &Machine<'_, D>, depth: usize) -> Operand {
    let tag = tracker.take_tag(machine.height() - 1 - depth);
    Operand { value: machine.peek(depth), tag }
}

/// SLOAD: the slot's content, tagged if the slot is hot.
fn load<D: Database, F: Fn(Address, U256) -> bool>(
    tracker: &mut Tracker,
    machine: &mut Machine<'_, D>,
    is_hot: &F,
) -> InstructionExecResult {
    let index = machine.height() - 1;
    pin(tracker, index);
    let (address, slot) = (machine.account(), machine.peek(0));
    let known = tracker.find_slot(address, slot);
    machine.step()?;
    let Some(slot) = known.or_else(|| discover(tracker, machine, address, slot, is_hot)) else { return Ok(()) };
    let word = tracker.slot_mut(slot).current;
    if !tracker.slot_mut(slot).is_fixed(&word) {
        tracker.set_tag(index, Some(Tag { slot, word }));
    }
    Ok(())
}

/// Begins to track a slot that has just been read for the first time, if it is hot.
fn discover<D: Database, F: Fn(Address, U256) -> bool>(
    tracker: &mut Tracker,
    machine: &Machine<'_, D>,
    address: Address,
    slot: U256,
    is_hot: &F,
) -> Option<usize> {
    if !tracker.has_room() || !is_hot(address, slot) {
        return None;
    }
    let guess = machine.original(address, slot)?;
    Some(tracker.add_slot(address, slot, guess))
}

/// SSTORE: the slot's new content. Its gas and refund depend on the old.
fn store<D: Database, F: Fn(Address, U256) -> bool>(
    tracker: &mut Tracker,
    machine: &mut Machine<'_, D>,
    is_hot: &F,
) -> InstructionExecResult {
    pin(tracker, machine.height() - 1);
    let new = take(tracker, machine, 1);
    let (address, slot) = (machine.account(), machine.peek(0));
    let known = tracker.find_slot(address, slot);
    let result = machine.step();
    // Also if there was too little gas, for that may be due to what the slot held.
    let Some(slot) = known.or_else(|| discover(tracker, machine, address, slot, is_hot)) else {
        tracker.pin(new.tag);
        return result;
    };
    let word = match new.tag {
        Some(tag) if tag.slot == slot => tag.word,
        other => {
            tracker.pin(other);
            Linear::default()
        }
    };
    tracker.slot_mut(slot).keep_store_gas((word, new.value));
    if result.is_ok() {
        tracker.write_slot(slot, word, new.value);
    }
    result
}

/// LOG: tagged topics and words of data are patched later.
fn log<D: Database>(tracker: &mut Tracker, machine: &mut Machine<'_, D>, inputs: usize) -> InstructionExecResult {
    let height = machine.height();
    pin(tracker, height - 1);
    pin(tracker, height - 2);
    let index = machine.logs();
    for topic in 0..inputs - 2 {
        let Operand { value, tag } = take(tracker, machine, topic + 2);
        if let Some(tag) = tag {
            tracker.patch_log(index, LogPlace::Topic(topic), value, tag);
        }
    }
    memory::logged(tracker, index, machine.peek(0), machine.peek(1));
    // Should the step fail, the frame fails, and takes the patches with it.
    machine.step()
}
