//! Ethereum's handler with a tracker.

use std::marker::PhantomData;

use alloy_primitives::{Address, U256};
use revm::{
    Database, MainnetEvm,
    context::result::{EVMError, HaltReason},
    handler::{
        EthFrame, EvmTr, FrameInitOrResult, FrameResult, Handler, ItemOrResult, MainnetContext, evm::ContextDbError,
    },
    interpreter::{FrameInput, interpreter::EthInterpreter, interpreter_action::FrameInit},
    primitives::hardfork::SpecId,
};

use super::{
    machine::{self, Machine},
    tracker::Tracker,
};
use crate::eip7610::begin_frame;

/// Runs transactions with the rule of EIP-7610, as every transaction here, and tracks the slots that `is_hot` names.
///
/// Before Istanbul, whose store costs are those the tracker knows, nothing is tracked.
#[derive(Debug)]
pub struct TrackingHandler<'t, D, F> {
    tracker: &'t mut Tracker,
    is_hot: F,
    database: PhantomData<D>,
}

impl<'t, D, F: Fn(Address, U256) -> bool> TrackingHandler<'t, D, F> {
    /// A handler for one transaction; forgets what the tracker knew of the last.
    pub fn new(tracker: &'t mut Tracker, is_hot: F) -> Self {
        tracker.begin();
        Self { tracker, is_hot, database: PhantomData }
    }
}

impl<D: Database, F: Fn(Address, U256) -> bool> Handler for TrackingHandler<'_, D, F> {
    type Evm = MainnetEvm<MainnetContext<D>>;
    type Error = EVMError<D::Error>;
    type HaltReason = HaltReason;

    fn run_exec_loop(&mut self, evm: &mut Self::Evm, first: FrameInit) -> Result<FrameResult, Self::Error> {
        let is_call = matches!(first.frame_input, FrameInput::Call(_));
        let is_tracking = evm.ctx.cfg.spec >= SpecId::ISTANBUL;
        if let Some(result) = begin_frame(evm, first)? {
            return Ok(result);
        }
        self.tracker.enter_outermost(is_call);
        loop {
            let action = if is_tracking { self.run_frame(evm)? } else { evm.frame_run()? };
            let result = match action {
                ItemOrResult::Item(next) => {
                    let result = begin_frame(evm, next)?;
                    if result.is_none() {
                        self.tracker.enter_frame();
                    }
                    result
                }
                ItemOrResult::Result(result) => {
                    self.tracker.leave_frame(result.interpreter_result().is_ok());
                    Some(result)
                }
            };
            let Some(result) = result else { continue };
            if let Some(result) = evm.frame_return_result(result)? {
                self.tracker.leave_outermost(result.interpreter_result().result.is_ok_or_revert());
                self.pin_replaced_accounts(evm);
                return Ok(result);
            }
        }
    }
}

impl<D: Database, F: Fn(Address, U256) -> bool> TrackingHandler<'_, D, F> {
    /// Runs the topmost frame, as `EvmTr::frame_run` does, with tags.
    fn run_frame(
        &mut self,
        evm: &mut MainnetEvm<MainnetContext<D>>,
    ) -> Result<FrameInitOrResult<EthFrame<EthInterpreter>>, ContextDbError<MainnetContext<D>>> {
        let frame = evm.frame_stack.get();
        let mut machine = Machine {
            interpreter: &mut frame.interpreter,
            instructions: evm.instruction.instruction_table(),
            gas: evm.instruction.gas_table(),
            context: &mut evm.ctx,
        };
        let action = machine::run(self.tracker, &mut machine, &self.is_hot);
        let next = frame.process_next_action::<_, ContextDbError<MainnetContext<D>>>(&mut evm.ctx, action)?;
        if next.is_result() {
            frame.set_finished(true);
        }
        Ok(next)
    }

    /// Slots of accounts that were destroyed or created are not patched.
    fn pin_replaced_accounts(&mut self, evm: &MainnetEvm<MainnetContext<D>>) {
        let accounts = &evm.ctx.journaled_state.inner.state;
        self.tracker.pin_slots(|address| {
            accounts.get(&address).is_none_or(|account| account.is_selfdestructed() || account.is_created())
        });
    }
}
