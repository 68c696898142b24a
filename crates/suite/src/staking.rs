//! Stakes: wrapped ether earns dollars, and more of them the longer it is locked; dollars earn dollars, and a vault stakes those again.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{ArtefactError, BOOSTED_STAKING, COMPOUNDING_VAULT, STAKING_POOL, VESTING},
    governance::ruled,
    lending::deposited,
    plan::{Condition, Step, Suite},
    tokens::{Sum, Tokens},
};

sol! {
    function addReward(address token, address distributor, uint256 duration, uint256 vestFor) returns (uint256 reward);
    function fund(uint256 reward, uint256 amount);
    function notifyRewardAmount(uint256 reward);
    function periodFinish() returns (uint256);
    function rewardCount() returns (uint256);
    function rewardOf(uint256 reward);
}

/// Dollars given out in a period, for staked ether and for staked dollars.
const REWARD_USD: [u64; 2] = [70_000, 7_000];

/// Dollars given out for locked ether.
const BOOSTED_USD: u64 = 90_000;

/// Over how long, and over how long a payment vests, in seconds: 90 and 30 days.
const BOOSTED_TIMES: (U256, U256) = (U256::from_limbs([7_776_000, 0, 0, 0]), U256::from_limbs([2_592_000, 0, 0, 0]));

/// Where `rewardOf` tells when a reward's period ends; zero before it is funded.
const FINISH: usize = 4;

/// Dollars that the owner puts into the vault.
const VAULT_USD: u64 = 10_000;

pub(crate) fn add(suite: &mut Suite, tokens: &Tokens, timelock: Address) -> Result<(), ArtefactError> {
    let (usd, weth) = (tokens.money[0], tokens.weth);
    let [for_ether, for_dollars] = REWARD_USD.map(|number| Sum::money(usd, number));
    pool(suite, "WETH", weth, for_ether, timelock)?;
    let dollars = pool(suite, "bUSD", usd, for_dollars, timelock)?;

    let (name, symbol) = ("Dollars that compound".to_owned(), "sbUSD".to_owned());
    let arguments = (dollars, name, symbol, timelock).abi_encode_params();
    let about = "bUSD staked with its rewards (ERC-4626)";
    let vault = suite.contract("Savings-bUSD", about, COMPOUNDING_VAULT, &arguments)?;
    suite.steps.push(deposited("deposit in Savings-bUSD", suite.owner, vault, Sum::money(usd, VAULT_USD)));
    boosted(suite, weth, Sum::money(usd, BOOSTED_USD), timelock)
}

/// A pool of Synthetix' interface, in which a period has begun.
fn pool(
    suite: &mut Suite,
    symbol: &str,
    staked: Address,
    reward: Sum,
    timelock: Address,
) -> Result<Address, ArtefactError> {
    let (owner, name) = (suite.owner, format!("Stake-{symbol}"));
    let arguments = (staked, reward.token, timelock, owner).abi_encode_params();
    let pool = suite.contract(&name, format!("stake {symbol}, earn bUSD"), STAKING_POOL, &arguments)?;
    let done = Condition::not_zero(pool, &periodFinishCall {});
    let call = notifyRewardAmountCall { reward: reward.amount };
    let notify = Step::call("reward", pool, &call, done.clone());
    let steps = vec![reward.had_by(owner), reward.allowed(owner, pool), notify];
    suite.steps.push(Step::all(format!("rewards of {name}"), done, steps));
    Ok(pool)
}

/// Locked stakes, whose reward vests.
fn boosted(suite: &mut Suite, staked: Address, reward: Sum, timelock: Address) -> Result<(), ArtefactError> {
    let owner = suite.owner;
    let vesting = suite.contract("Vesting", "tokens that become somebody's over time", VESTING, &[])?;
    let arguments = (staked, vesting, owner).abi_encode_params();
    let about = "lock WETH, earn bUSD that vests";
    let pool = suite.contract("Boost-WETH", about, BOOSTED_STAKING, &arguments)?;
    let (duration, vest_for) = BOOSTED_TIMES;
    let call = addRewardCall { token: reward.token, distributor: owner, duration, vestFor: vest_for };
    let done = Condition::not_zero(pool, &rewardCountCall {});
    suite.steps.push(Step::call("reward of Boost-WETH", pool, &call, done).wiring());
    suite.steps.push(ruled("Boost-WETH", pool, owner, timelock));

    let done = Condition::not_zero(pool, &rewardOfCall { reward: U256::ZERO }).of_word(FINISH);
    let fund = fundCall { reward: U256::ZERO, amount: reward.amount };
    let fund = Step::call("fund", pool, &fund, done.clone());
    let steps = vec![reward.had_by(owner), reward.allowed(owner, pool), fund];
    suite.steps.push(Step::all("rewards of Boost-WETH", done, steps));
    Ok(())
}
