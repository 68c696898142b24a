//! revm as a worker runs it: instructions that notice what balances are used for, and a fee that is paid later.

use std::{cell::Cell, marker::PhantomData};

use alloy_primitives::{Address, U256, map::HashSet};
use braid_types::Fork;
use revm::{
    Database, DatabaseRef, MainnetEvm,
    bytecode::opcode,
    context::{
        Block, ContextTr, Transaction,
        result::{EVMError, HaltReason},
    },
    handler::{EvmTr, FrameResult, Handler, MainnetContext},
    interpreter::{
        Instruction, InstructionContext, InstructionExecResult,
        instructions::{contract, host},
        interpreter::EthInterpreter,
        interpreter_action::FrameInit,
        interpreter_types::InputsTr,
    },
    primitives::hardfork::SpecId,
};

use super::{keccak::keccak256, view::View};
use crate::{
    eip7610::CreationHandler,
    evm::new_evm,
    outcome::{BlockContext, Config},
    symbolic::{Tracker, TrackingHandler},
};

/// Slots that are tracked.
pub(crate) type HotSlots = HashSet<(Address, U256)>;

pub(crate) type WorkerEvm<'a, S> = MainnetEvm<MainnetContext<View<'a, S>>>;

type Ictx<'c, 'a, S> = InstructionContext<'c, MainnetContext<View<'a, S>>, EthInterpreter>;

/// An EVM that notes, in its view, which balances and nonces a transaction looks at.
pub(crate) fn worker_evm<'a, S: DatabaseRef>(
    block: &BlockContext,
    config: &Config,
    view: View<'a, S>,
) -> WorkerEvm<'a, S> {
    let mut evm = new_evm(block, view);
    evm.ctx.cfg.disable_eip3607 = config.allow_contract_senders;
    let table = evm.instruction.instruction_table_mut();
    table[opcode::BALANCE as usize] = Instruction::new(balance);
    if block.fork >= Fork::Istanbul {
        table[opcode::SELFBALANCE as usize] = Instruction::new(selfbalance);
    }
    table[opcode::KECCAK256 as usize] = Instruction::new(keccak256);
    table[opcode::CALL as usize] = Instruction::new(call::<{ opcode::CALL }, S>);
    table[opcode::CALLCODE as usize] = Instruction::new(call::<{ opcode::CALLCODE }, S>);
    table[opcode::CREATE as usize] = Instruction::new(create::<false, S>);
    if block.fork >= Fork::Constantinople {
        table[opcode::CREATE2 as usize] = Instruction::new(create::<true, S>);
    }
    table[opcode::SELFDESTRUCT as usize] = Instruction::new(selfdestruct);
    evm
}

/// The `n`-th word from the top of the stack.
fn peek<S: DatabaseRef>(context: &Ictx<'_, '_, S>, n: usize) -> Option<U256> {
    let words = context.interpreter.stack.data();
    words.len().checked_sub(n + 1).map(|at| words[at])
}

fn view<'c, 'a, S: DatabaseRef>(context: &'c mut Ictx<'_, 'a, S>) -> &'c mut View<'a, S> {
    &mut context.host.journaled_state.database
}

fn balance<S: DatabaseRef>(mut context: Ictx<'_, '_, S>) -> InstructionExecResult {
    if let Some(word) = peek(&context, 0) {
        view(&mut context).observe(Address::from_word(word.into()));
    }
    host::balance(context)
}

fn selfbalance<S: DatabaseRef>(mut context: Ictx<'_, '_, S>) -> InstructionExecResult {
    let address = context.interpreter.input.target_address();
    view(&mut context).observe(address);
    host::selfbalance(context)
}

fn selfdestruct<S: DatabaseRef>(mut context: Ictx<'_, '_, S>) -> InstructionExecResult {
    let address = context.interpreter.input.target_address();
    view(&mut context).observe(address);
    host::selfdestruct(context)
}

fn call<const KIND: u8, S: DatabaseRef>(mut context: Ictx<'_, '_, S>) -> InstructionExecResult {
    if let Some(value) = peek(&context, 2) {
        spend(&mut context, value);
    }
    contract::call::<KIND, _, _>(context)
}

fn create<const IS_CREATE2: bool, S: DatabaseRef>(mut context: Ictx<'_, '_, S>) -> InstructionExecResult {
    let address = context.interpreter.input.target_address();
    view(&mut context).observe_creation(address, IS_CREATE2);
    if let Some(value) = peek(&context, 0) {
        spend(&mut context, value);
    }
    contract::create::<IS_CREATE2, _, _>(context)
}

/// Notes that the running contract's balance is compared with `value`.
fn spend<S: DatabaseRef>(context: &mut Ictx<'_, '_, S>, value: U256) {
    if value.is_zero() {
        return;
    }
    let address = context.interpreter.input.target_address();
    let journal = &mut context.host.journaled_state;
    let Some(account) = journal.inner.state.get(&address) else { return };
    let (before, now) = (account.original_info().balance, account.info.balance);
    if now < value {
        journal.database.observe(address);
    } else if now >= before {
        journal.database.observe_at_least(address, value.saturating_sub(now - before));
    } else {
        journal.database.observe_at_least(address, value + (before - now));
    }
}

/// Ethereum's handler, but that the fee recipient is not paid: whoever commits does that. Tracks hot slots.
#[derive(Debug)]
pub(crate) struct WorkerHandler<'t, D> {
    tracker: &'t mut Tracker,
    hot: &'t HotSlots,
    /// What the fee recipient earns, once a transaction has run.
    pub(crate) fee: Cell<U256>,
    database: PhantomData<D>,
}

impl<'t, D> WorkerHandler<'t, D> {
    /// A handler for one transaction. Slots in `hot` are tracked.
    pub(crate) fn new(tracker: &'t mut Tracker, hot: &'t HotSlots) -> Self {
        tracker.begin();
        Self { tracker, hot, fee: Cell::default(), database: PhantomData }
    }
}

impl<D: Database> Handler for WorkerHandler<'_, D> {
    type Evm = MainnetEvm<MainnetContext<D>>;
    type Error = EVMError<D::Error>;
    type HaltReason = HaltReason;

    fn run_exec_loop(&mut self, evm: &mut Self::Evm, first: FrameInit) -> Result<FrameResult, Self::Error> {
        if self.hot.is_empty() {
            return CreationHandler::default().run_exec_loop(evm, first);
        }
        let hot = self.hot;
        let is_hot = |address, slot| hot.contains(&(address, slot));
        TrackingHandler::new(self.tracker, is_hot).run_exec_loop(evm, first)
    }

    fn reward_beneficiary(&self, evm: &mut Self::Evm, result: &mut FrameResult) -> Result<(), Self::Error> {
        let context = evm.ctx();
        let base_fee = u128::from(context.block().basefee());
        let price = context.tx().effective_gas_price(base_fee);
        let is_london = context.cfg.spec.is_enabled_in(SpecId::LONDON);
        let tip = if is_london { price.saturating_sub(base_fee) } else { price };
        self.fee.set(U256::from(tip * u128::from(result.gas().used())));
        Ok(())
    }
}
