//! Logs of a call, with a pseudo-log for every transfer of ether if asked.
//!
//! A pseudo-log has the form of an ERC-20 `Transfer` and comes from [`TRANSFER_EMITTER`]. It is shown to the client only:
//! receipts, and so the block's hash, do not have it. Logs of a frame that fails are dropped, but keep their numbers, as
//! in geth.

use alloy_primitives::{Address, B256, Log, LogData, U256, address, b256};
use revm::{
    Inspector,
    context::{ContextTr, JournalTr},
    interpreter::{CallInputs, CallOutcome, CallScheme, CreateInputs, CreateOutcome},
};

/// Where pseudo-logs come from.
const TRANSFER_EMITTER: Address = address!("0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
/// `keccak256("Transfer(address,address,uint256)")`.
const TRANSFER_TOPIC: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// Collects logs frame by frame.
#[derive(Clone, Debug)]
pub(super) struct LogCollector {
    traces_transfers: bool,
    /// Number of the next log in the block.
    next: usize,
    /// Logs of the frames that run, the outermost first.
    frames: Vec<Vec<(usize, Log)>>,
    /// Logs of the call, once it succeeded.
    finished: Vec<(usize, Log)>,
}

impl LogCollector {
    /// For one block; the numbers of logs run through it.
    pub(super) const fn new(traces_transfers: bool) -> Self {
        Self { traces_transfers, next: 0, frames: Vec::new(), finished: Vec::new() }
    }

    /// The logs of the call that ended, with their numbers in the block.
    pub(super) fn take(&mut self) -> Vec<(usize, Log)> {
        self.frames.clear();
        std::mem::take(&mut self.finished)
    }

    fn push(&mut self, log: Log) {
        let numbered = (self.next, log);
        self.next += 1;
        match self.frames.last_mut() {
            Some(frame) => frame.push(numbered),
            None => self.finished.push(numbered),
        }
    }

    fn transfer(&mut self, from: Address, to: Address, value: U256) {
        if !self.traces_transfers || value.is_zero() {
            return;
        }
        let topics = vec![TRANSFER_TOPIC, from.into_word(), to.into_word()];
        let data = LogData::new_unchecked(topics, value.to_be_bytes::<32>().into());
        self.push(Log { address: TRANSFER_EMITTER, data });
    }

    fn leave(&mut self, succeeded: bool) {
        let logs = self.frames.pop().unwrap_or_default();
        if succeeded {
            self.frames.last_mut().unwrap_or(&mut self.finished).extend(logs);
        }
    }
}

impl<CTX: ContextTr> Inspector<CTX> for LogCollector {
    fn log(&mut self, _: &mut CTX, log: Log) {
        self.push(log);
    }

    fn call(&mut self, _: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.frames.push(Vec::new());
        if inputs.scheme != CallScheme::DelegateCall {
            let (to, value) = (inputs.bytecode_address, inputs.value.transfer().unwrap_or_default());
            let to = if inputs.scheme == CallScheme::CallCode { to } else { inputs.target_address };
            self.transfer(inputs.caller, to, value);
        }
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        self.leave(outcome.result.result.is_ok());
    }

    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.frames.push(Vec::new());
        let nonce = context.journal_mut().load_account(inputs.caller()).ok()?.data.info.nonce;
        self.transfer(inputs.caller(), inputs.created_address(nonce), inputs.value());
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.leave(outcome.result.result.is_ok());
    }

    fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        self.transfer(contract, target, value);
    }
}
