//! Votes on one proposal of an OpenZeppelin Governor.

use alloy_primitives::{Address, Bytes, U256, keccak256};
use alloy_sol_types::{SolValue, sol};
use braid_types::RecoveredTx;

use super::{Workload, users};
use crate::{
    artifacts::{OZ_GOVERNOR, OZ_VOTES},
    world::{Action, SetUpError, World},
};

sol! {
    function mint(address to, uint256 amount);
    function delegate(address delegatee);
    function castVote(uint256 proposal, uint8 support) returns (uint256 weight);
    function propose(
        address[] targets,
        uint256[] values,
        bytes[] calldatas,
        string description
    ) returns (uint256 proposal);
}

const TRANSACTIONS: usize = 5_000;

/// Gas limit of a vote, about what wallets add to an estimate.
const GAS_LIMIT: u64 = 150_000;

/// A vote in favour, as `GovernorCountingSimple` numbers them.
const FOR: u8 = 1;

pub(super) const WORKLOADS: &[Workload] = &[Workload::new(
    "governor-votes",
    "votes in favour of one proposal of an OpenZeppelin Governor",
    TRANSACTIONS,
    votes,
)];

fn votes(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let voters = users(world, "voter", transactions);
    let first = world.user("first voter", 0);
    let token = world.deploy(&OZ_VOTES, &[])?;
    let governor = world.deploy(&OZ_GOVERNOR, &token.abi_encode())?;
    world.seal()?;
    for &voter in voters.iter().chain([&first]) {
        world.call(voter, token, &mintCall { to: voter, amount: U256::from(100) })?;
        world.call(voter, token, &delegateCall { delegatee: voter })?;
    }
    world.seal()?;
    let proposal = propose(world, first, governor)?;
    world.call(first, governor, &in_favour(proposal))?;
    world.seal()?;
    let vote = in_favour(proposal);
    Ok(voters.into_iter().map(|voter| world.transaction(voter, Action::call(governor, &vote, GAS_LIMIT))).collect())
}

/// A vote in favour of a proposal.
pub(super) const fn in_favour(proposal: U256) -> castVoteCall {
    castVoteCall { proposal, support: FOR }
}

/// Proposes something; returns the proposal's number. Votes are open then, if the delay is a block.
pub(super) fn propose(world: &mut World, proposer: Address, governor: Address) -> Result<U256, SetUpError> {
    let (targets, values, calldatas) = (vec![governor], vec![U256::ZERO], vec![Bytes::new()]);
    let description = "something".to_owned();
    let hash = keccak256(&description);
    let number = keccak256((targets.clone(), values.clone(), calldatas.clone(), hash).abi_encode_params());
    world.call(proposer, governor, &proposeCall { targets, values, calldatas, description })?;
    // The proposal's own block and one of delay.
    world.seal()?;
    world.seal()?;
    Ok(number.into())
}
