//! A place where calls run: a block as the EVM sees it, the state after it, and what the client overrides in both.

use std::sync::Arc;

use alloy_eips::BlockId;
use alloy_primitives::U256;
use alloy_rpc_types_eth::{BlockOverrides, state::StateOverride};
use braid_chain::{
    BlockView,
    exec::{self, BlockContext},
};
use braid_types::{ExecutedBlock, Fork};
use revm::{
    Database, DatabaseRef, ExecuteEvm, InspectEvm, Inspector,
    context::{BlockEnv, Evm, result::ResultAndState},
    database::CacheDB,
    handler::{EthFrame, MainnetContext, instructions::EthInstructions},
    interpreter::interpreter::EthInterpreter,
    state::AccountInfo,
};

use super::{
    message::{Fault, Message, Strictness},
    overrides,
    precompiles::CallPrecompiles,
};
use crate::{context::RpcContext, error::RpcError, resolve};

/// The EVM of calls: revm's, with precompiles that may be moved.
pub(crate) type CallEvm<D, I> = Evm<
    MainnetContext<D>,
    I,
    EthInstructions<EthInterpreter, MainnetContext<D>>,
    CallPrecompiles,
    EthFrame<EthInterpreter>,
>;

/// State as calls see it: what a block left, with changes on top.
pub(crate) type CallState = CacheDB<BlockView>;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Site {
    /// Its rules.
    pub(crate) context: BlockContext,
    /// What the EVM is told about the block.
    pub(crate) env: BlockEnv,
    /// What the EVM reads.
    pub(crate) state: CallState,
    /// Which precompiles answer where.
    pub(crate) precompiles: CallPrecompiles,
    /// Most gas a call may use.
    pub(crate) gas_cap: u64,
}

impl Site {
    /// The block that `id` names, and the state after it, with overrides applied.
    pub(crate) fn open(
        rpc: &RpcContext,
        id: BlockId,
        state: Option<&StateOverride>,
        block: Option<&BlockOverrides>,
    ) -> Result<Self, RpcError> {
        let found = resolve::block_and_state(rpc, id)?;
        let context = rpc.chain.context_of(&found.block);
        Self::new(rpc, found.block, context, CacheDB::new(found.view), state, block)
    }

    /// A place in `context` on top of `state`, with overrides applied.
    pub(crate) fn new(
        rpc: &RpcContext,
        block: Arc<ExecutedBlock>,
        mut context: BlockContext,
        mut state: CallState,
        accounts: Option<&StateOverride>,
        fields: Option<&BlockOverrides>,
    ) -> Result<Self, RpcError> {
        let mut env = exec::block_env(&context);
        if let Some(fields) = fields {
            overrides::apply_block(fields, &mut env)?;
            context.fork = overridden_fork(rpc, &block, &context, fields);
            let hashes = fields.block_hash.iter().flatten();
            state.cache.block_hashes.extend(hashes.map(|(height, hash)| (U256::from(*height), *hash)));
        }
        let mut precompiles = CallPrecompiles::new(context.fork.spec_id());
        if let Some(accounts) = accounts {
            let changes = overrides::state_changes(accounts, &state, &mut precompiles)?;
            overrides::apply(&changes, &mut state).map_err(|error| RpcError::internal(error.to_string()))?;
        }
        Ok(Self { context, env, state, precompiles, gas_cap: rpc.options.gas_cap })
    }

    /// A request as a complete call here.
    pub(crate) fn message(&self, request: alloy_rpc_types_eth::TransactionRequest) -> Result<Message, RpcError> {
        Message::new(request, self.gas_cap, self.base_fee(), self.context.chain_id)
    }

    /// The base fee, if there is one.
    pub(crate) fn base_fee(&self) -> Option<u64> {
        (self.context.fork >= Fork::London).then_some(self.env.basefee)
    }

    /// An account, absent ones as empty.
    pub(crate) fn account(&self, address: alloy_primitives::Address) -> Result<AccountInfo, RpcError> {
        let found = self.state.basic_ref(address).map_err(|error| RpcError::internal(error.to_string()))?;
        Ok(found.unwrap_or_default())
    }

    /// Runs a call and forgets what it changed.
    pub(crate) fn run(&mut self, message: &Message) -> Result<ResultAndState, Fault> {
        let tx = message.tx_env(self.context.chain_id);
        Ok(self.evm(message)?.transact(tx)?)
    }

    /// Runs a call under an inspector and forgets what it changed.
    pub(crate) fn inspect<I>(&mut self, message: &Message, inspector: I) -> Result<ResultAndState, Fault>
    where
        I: for<'a> Inspector<MainnetContext<&'a mut CallState>>,
    {
        let tx = message.tx_env(self.context.chain_id);
        Ok(self.evm(message)?.with_inspector(inspector).inspect_tx(tx)?)
    }

    /// An EVM for a call that passes geth's checks.
    fn evm(&mut self, message: &Message) -> Result<CallEvm<&mut CallState, ()>, Fault> {
        let env = call_block(self.env.clone(), message);
        check(message, &mut self.state, &env, self.context.fork, Strictness::Call)?;
        Ok(call_evm(&self.context, env, self.precompiles.clone(), &mut self.state))
    }
}

/// The fork that rules at an overridden height or time.
fn overridden_fork(rpc: &RpcContext, block: &ExecutedBlock, context: &BlockContext, fields: &BlockOverrides) -> Fork {
    if fields.number.is_none() && fields.time.is_none() {
        return context.fork;
    }
    let height = fields.number.map_or(context.height, |number| u64::try_from(number).unwrap_or(u64::MAX));
    let fork = rpc.chain.spec().fork_at(height, fields.time.unwrap_or(context.timestamp), block.total_difficulty);
    // What the block lacks (blob fees, randomness) a later fork would ask for.
    fork.min(context.fork)
}

/// The block as a call sees it: who pays nothing sees no base fee, or the EVM's own arithmetic would not hold.
fn call_block(mut env: BlockEnv, message: &Message) -> BlockEnv {
    if message.is_free() {
        env.basefee = 0;
    }
    if message.blob_hashes.is_some() && message.blob_fee_cap == 0 {
        overrides::set_blob_base_fee(&mut env, 0);
    }
    env
}

/// geth's checks of a call against its sender's account.
pub(crate) fn check<D: DatabaseRef<Error: std::fmt::Display>>(
    message: &Message,
    state: &mut CacheDB<D>,
    env: &BlockEnv,
    fork: Fork,
    strictness: Strictness,
) -> Result<(), Fault> {
    let sender = state.basic(message.from).map_err(|error| Fault::Node(error.to_string()))?.unwrap_or_default();
    message.check(sender.nonce, sender.balance, env, fork >= Fork::London, strictness)
}

/// An EVM that takes what [`check`] let through: contracts may send, nonces and block gas are the caller's business.
pub(crate) fn call_evm<D: Database>(
    context: &BlockContext,
    env: BlockEnv,
    precompiles: CallPrecompiles,
    db: D,
) -> CallEvm<D, ()> {
    let mut evm = exec::new_evm(context, db).with_precompiles(precompiles);
    evm.ctx.block = env;
    let config = &mut evm.ctx.cfg;
    config.tx_chain_id_check = false;
    config.disable_nonce_check = true;
    config.disable_eip3607 = true;
    config.disable_block_gas_limit = true;
    config.disable_base_fee = true;
    config.tx_gas_limit_cap = Some(u64::MAX);
    config.max_blobs_per_tx = None;
    evm
}
