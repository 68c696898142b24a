//! A staking pool: wrapped ether earns dollars.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{ArtefactError, STAKING_POOL},
    plan::{Condition, Step, Suite},
    tokens::{Sum, Tokens},
};

sol! {
    function notifyRewardAmount(uint256 reward);
    function periodFinish() returns (uint256);
}

/// Dollars given out in the first period.
const REWARD_USD: u64 = 70_000;

pub(crate) fn add(suite: &mut Suite, tokens: &Tokens) -> Result<(), ArtefactError> {
    let (owner, reward) = (suite.owner, Sum::money(tokens.money[0], REWARD_USD));
    let arguments = (tokens.weth, reward.token, owner, owner).abi_encode_params();
    let pool = suite.contract("Stake-WETH", "stake WETH, earn bUSD", STAKING_POOL, &arguments)?;
    suite.steps.push(funded(owner, pool, reward));
    Ok(())
}

/// A period has begun in which `reward` is given out.
fn funded(owner: Address, pool: Address, reward: Sum) -> Step {
    let done = Condition::at_least(pool, &periodFinishCall {}, U256::ONE);
    let call = notifyRewardAmountCall { reward: reward.amount };
    let notify = Step::call("reward", pool, &call, done.clone());
    Step::all("rewards of Stake-WETH", done, vec![reward.had_by(owner), reward.allowed(owner, pool), notify])
}
