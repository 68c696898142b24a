//! The bound on what a trace may record. It runs beside a tracer and stops the execution once too much was recorded, for a
//! call with the gas cap of a block can take gigabytes to describe.

use braid_types::limits;
use revm::{
    Inspector,
    context::ContextTr,
    context_interface::context::ContextError,
    interpreter::{
        CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter, interpreter_types::MemoryTr as _,
    },
};

/// Words that a step or a frame takes beside what it copies.
const OVERHEAD_WORDS: usize = 8;

/// What a tracer keeps of each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Steps {
    /// Nothing: calls alone are recorded.
    Unrecorded,
    /// The stack.
    Stack,
    /// Stack and memory.
    StackAndMemory,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Bound {
    left: usize,
    steps: Steps,
}

impl Bound {
    /// The bound of one request.
    pub(super) const fn new(steps: Steps) -> Self {
        Self { left: limits::MAX_TRACE_WORDS, steps }
    }

    const fn take(&mut self, words: usize) {
        self.left = self.left.saturating_sub(words.saturating_add(OVERHEAD_WORDS));
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Bound {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        match self.steps {
            Steps::Unrecorded => {}
            Steps::Stack => self.take(interpreter.stack.len()),
            Steps::StackAndMemory => self.take(interpreter.stack.len() + interpreter.memory.size() / 32),
        }
        if self.left == 0 {
            *context.error() = Err(ContextError::Custom("the trace is too large".to_owned()));
            interpreter.halt_fatal();
        }
    }

    fn call(&mut self, _: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.take(inputs.input.len() / 32);
        None
    }

    fn create(&mut self, _: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.take(inputs.init_code().len() / 32);
        None
    }
}
