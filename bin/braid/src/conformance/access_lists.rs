//! What `braid replay --access-lists` checks: that a block can be executed from its access list (EIP-7928).
//!
//! The list is encoded and decoded first. Then the block is executed with it, which must produce the same list and the
//! same outcome. Since Cancun, each transaction is also executed alone, the last one first, on the state that the list tells:
//! it must do what it did in the block.

use braid_exec::{
    AccessListUse, BlockContext, BlockOutcome, Config,
    access_list::{BlockAccessList, GivenState, StateBefore, decode, encode, index_after},
    execute, execute_alone,
};
use braid_types::{Fork, Receipt, RecoveredTx};
use revm::DatabaseRef;

/// A block with the state before it.
pub(super) struct Block<'a, S> {
    pub(super) context: &'a BlockContext,
    pub(super) transactions: &'a [RecoveredTx],
    pub(super) state: &'a S,
    pub(super) config: &'a Config,
}

/// Checks the list that a block's execution produced.
pub(super) fn check<S: DatabaseRef + Sync>(
    block: &Block<'_, S>,
    outcome: &BlockOutcome,
    list: &BlockAccessList,
) -> Result<(), String> {
    let bytes = encode(list);
    // Before Berlin accesses cost less than EIP-7928 counts on.
    let gas_limit = if block.context.fork >= Fork::Berlin { block.context.gas_limit } else { u64::MAX };
    let decoded = decode(&bytes, block.transactions.len(), gas_limit).map_err(|error| error.to_string())?;
    if &decoded != list {
        return Err("differs after its encoding".to_owned());
    }
    let config = Config { access_list: AccessListUse::Given(decoded.into()), ..block.config.clone() };
    let again = execute(block.context, block.transactions, block.state, &config).map_err(|error| error.to_string())?;
    if again.statistics.fallbacks > 0 {
        return Err("threads did not accept it".to_owned());
    }
    let changes = |outcome: &BlockOutcome| outcome.changes.clone().into_state_changes();
    if again.receipts != outcome.receipts || changes(&again) != changes(outcome) {
        return Err("executed from it, the block does something else".to_owned());
    }
    if block.context.fork < Fork::Cancun {
        return Ok(());
    }
    check_transactions(block, outcome, list)
}

fn check_transactions<S: DatabaseRef + Sync>(
    block: &Block<'_, S>,
    outcome: &BlockOutcome,
    list: &BlockAccessList,
) -> Result<(), String> {
    let given = GivenState::new(list);
    for (position, transaction) in block.transactions.iter().enumerate().rev() {
        let before = StateBefore { base: block.state, given: &given, index: index_after(position) };
        let (alone, _) = execute_alone(block.context, transaction, &before)
            .map_err(|error| format!("transaction {position} alone: {error}"))?;
        let gas_before = position.checked_sub(1).map_or(0, |before| outcome.receipts[before].cumulative_gas_used());
        if !is_same(&alone, &outcome.receipts[position], gas_before) {
            return Err(format!("transaction {position} alone does something else than in the block"));
        }
    }
    Ok(())
}

fn is_same(alone: &Receipt, in_block: &Receipt, gas_before: u64) -> bool {
    alone.status() == in_block.status()
        && alone.logs() == in_block.logs()
        && alone.cumulative_gas_used() + gas_before == in_block.cumulative_gas_used()
}
