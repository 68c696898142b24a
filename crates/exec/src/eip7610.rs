//! Creation at an address that has storage fails (EIP-7610), which revm leaves to its user.
//!
//! Such accounts have neither nonce nor code. Before Spurious Dragon a contract could come into being like that; since
//! then none can, and Ethereum's mainnet has 28 of them, at addresses that no creation will ever hit. Other chains and
//! the test suites may do as they like, so the rule is kept: an occupied address behaves like one with a nonce.
//!
//! revm's view of an account does not tell whether it has storage, and the frames check nonce and code alone. Whoever
//! reads accounts from state therefore marks those in question ([`mark_storage`]), and the handler here lends a marked
//! account a nonce while a creation at its address is checked.

use std::marker::PhantomData;

use alloy_primitives::Address;
use revm::{
    Database, MainnetEvm,
    context::{
        ContextTr, JournalTr,
        result::{EVMError, HaltReason},
    },
    handler::{EvmTr, FrameResult, Handler, ItemOrResult, MainnetContext},
    interpreter::{
        FrameInput,
        interpreter_action::{CreateInputs, FrameInit},
    },
    state::{AccountId, AccountInfo},
};

/// Deepest frame that is run; a creation below it fails whatever its address.
const MAX_DEPTH: usize = 1_024;

/// Notes that an account has storage. To be called by those who read accounts from state, for accounts without nonce
/// and code; for others it makes no difference.
pub fn mark_storage(account: &mut AccountInfo) {
    // revm hands this number back with reads of the account's storage, and makes nothing else of it.
    account.account_id = AccountId::new(1);
}

fn is_occupied(account: &AccountInfo) -> bool {
    account.account_id.is_some() && account.nonce == 0 && account.is_empty_code_hash()
}

/// Ethereum's handler with the rule of EIP-7610.
#[derive(Debug)]
pub(crate) struct CreationHandler<D>(PhantomData<D>);

impl<D> Default for CreationHandler<D> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<D: Database> Handler for CreationHandler<D> {
    type Evm = MainnetEvm<MainnetContext<D>>;
    type Error = EVMError<D::Error>;
    type HaltReason = HaltReason;

    fn run_exec_loop(&mut self, evm: &mut Self::Evm, first: FrameInit) -> Result<FrameResult, Self::Error> {
        if let Some(result) = begin_frame(evm, first)? {
            return Ok(result);
        }
        loop {
            let result = match evm.frame_run()? {
                ItemOrResult::Item(next) => begin_frame(evm, next)?,
                ItemOrResult::Result(result) => Some(result),
            };
            let Some(result) = result else { continue };
            if let Some(result) = evm.frame_return_result(result)? {
                return Ok(result);
            }
        }
    }
}

/// Begins a frame; returns its result if it ends at once.
pub(crate) fn begin_frame<D: Database>(
    evm: &mut MainnetEvm<MainnetContext<D>>,
    init: FrameInit,
) -> Result<Option<FrameResult>, EVMError<D::Error>> {
    let occupied = match &init.frame_input {
        FrameInput::Create(inputs) if init.depth <= MAX_DEPTH => occupied_target(evm, inputs)?,
        _ => None,
    };
    if let Some(target) = occupied {
        set_nonce(evm, target, 1);
    }
    let result = match evm.frame_init(init)? {
        ItemOrResult::Item(_) => None,
        ItemOrResult::Result(result) => Some(result),
    };
    if let Some(target) = occupied {
        set_nonce(evm, target, 0);
    }
    Ok(result)
}

/// The address a creation aims at, loaded, if it is occupied and the creation will get as far as to look at it.
fn occupied_target<D: Database>(
    evm: &mut MainnetEvm<MainnetContext<D>>,
    inputs: &CreateInputs,
) -> Result<Option<Address>, EVMError<D::Error>> {
    let journal = evm.ctx().journal_mut();
    let caller = &journal.load_account(inputs.caller())?.info;
    if caller.balance < inputs.value() || caller.nonce == u64::MAX {
        return Ok(None);
    }
    let target = inputs.created_address(caller.nonce);
    let known = journal.inner.state.get(&target).map(|account| is_occupied(&account.info));
    let is_target_occupied = match known {
        Some(known) => known,
        None => journal.database.basic(target)?.is_some_and(|account| is_occupied(&account)),
    };
    if is_target_occupied {
        journal.load_account(target)?;
    }
    Ok(is_target_occupied.then_some(target))
}

fn set_nonce<D: Database>(evm: &mut MainnetEvm<MainnetContext<D>>, address: Address, nonce: u64) {
    if let Some(account) = evm.ctx().journal_mut().inner.state.get_mut(&address) {
        account.info.nonce = nonce;
    }
}
