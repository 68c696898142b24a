//! Governance: whoever stakes wrapped ether decides over a treasury and over what is everybody's, with a delay in which everybody can
//! see it come. The owner stakes some, so that there are votes from the second day on, and is the guardian who may cancel.

use alloy_primitives::{Address, B256, U256, keccak256, uint};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{ArtefactError, DAO_GOVERNOR, DAO_TIMELOCK, TREASURY, VOTING_STAKE},
    plan::{Condition, Step, Suite},
    tokens::{Sum, Tokens},
};

sol! {
    function free(address token) returns (uint256);
    function fund(address token, uint256 amount);
    function grantRole(bytes32 role, address account);
    function hasRole(bytes32 role, address account) returns (bool);
    function owner() returns (address);
    function renounceRole(bytes32 role, address account);
    function stake(uint256 amount);
    function totalStaked() returns (uint256);
    function transferOwnership(address newOwner);
}

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Length of an epoch of votes, in seconds.
const EPOCH: U256 = U256::from_limbs([DAY, 0, 0, 0]);

/// How long stakes stay when they are asked back, in seconds: longer than a proposal takes, so that who has voted bears what follows.
const UNBONDING: U256 = U256::from_limbs([14 * DAY, 0, 0, 0]);

/// From a decision to its execution, in seconds.
const DELAY: U256 = U256::from_limbs([2 * DAY, 0, 0, 0]);

/// From a proposal to its snapshot, in seconds.
const VOTING_DELAY: u64 = DAY;

/// How long is voted, in seconds.
const VOTING_PERIOD: u64 = 5 * DAY;

/// Votes that it takes to propose: an ether.
const THRESHOLD: U256 = uint!(1_000_000_000_000_000_000_U256);

/// Votes that it takes to decide, in percent of all.
const QUORUM: U256 = U256::from_limbs([10, 0, 0, 0]);

/// Ether that the owner stakes.
const STAKED_ETHER: u64 = 10;

/// Dollars in the treasury.
const TREASURY_USD: u64 = 100_000;

/// Adds the contracts; returns the timelock, which owns what the governor rules.
pub(crate) fn add(suite: &mut Suite, tokens: &Tokens) -> Result<Address, ArtefactError> {
    let owner = suite.owner;
    let votes = (tokens.weth, EPOCH, UNBONDING).abi_encode_params();
    let votes = suite.contract("VotingStake", "stake WETH, vote", VOTING_STAKE, &votes)?;
    let about = "waits before it does what the governor decides";
    let timelock = suite.contract("Timelock", about, DAO_TIMELOCK, &(DELAY, owner).abi_encode_params())?;
    let rules = (VOTING_DELAY, VOTING_PERIOD, THRESHOLD, QUORUM, owner);
    let governor = ("Braid DAO".to_owned(), votes, timelock, rules).abi_encode_params();
    let governor = suite.contract("Governor", "proposals and votes", DAO_GOVERNOR, &governor)?;
    let about = "pays and streams what the governor decides";
    let treasury = suite.contract("Treasury", about, TREASURY, &timelock.abi_encode())?;
    suite.steps.extend(handed_over(owner, timelock, governor));
    suite.steps.push(staked(owner, votes, Sum::ether(tokens.weth, STAKED_ETHER)));
    suite.steps.push(funded(owner, treasury, Sum::money(tokens.money[0], TREASURY_USD)));
    Ok(timelock)
}

/// The governor proposes to the timelock, and nobody else administers it.
fn handed_over(owner: Address, timelock: Address, governor: Address) -> [Step; 3] {
    let grant = |name: &str| {
        let role: B256 = keccak256(name);
        let done = Condition::not_zero(timelock, &hasRoleCall { role, account: governor });
        let call = grantRoleCall { role, account: governor };
        Step::call(format!("the governor's {name}"), timelock, &call, done).wiring()
    };
    // OpenZeppelin's DEFAULT_ADMIN_ROLE.
    let role = B256::ZERO;
    let done = Condition::zero(timelock, &hasRoleCall { role, account: owner });
    let call = renounceRoleCall { role, account: owner };
    let renounce = Step::call("end of the owner's rule over the timelock", timelock, &call, done).wiring();
    [grant("PROPOSER_ROLE"), grant("CANCELLER_ROLE"), renounce]
}

/// The owner has votes, from the next epoch on.
fn staked(owner: Address, votes: Address, sum: Sum) -> Step {
    let done = Condition::not_zero(votes, &totalStakedCall {});
    let stake = Step::call("stake", votes, &stakeCall { amount: sum.amount }, done.clone());
    Step::all("votes of the owner", done, vec![sum.had_by(owner), sum.allowed(owner, votes), stake])
}

fn funded(owner: Address, treasury: Address, sum: Sum) -> Step {
    let Sum { token, amount, .. } = sum;
    let done = Condition::not_zero(treasury, &freeCall { token });
    let fund = Step::call("fund", treasury, &fundCall { token, amount }, done.clone());
    Step::all("money of the treasury", done, vec![sum.had_by(owner), sum.allowed(owner, treasury), fund])
}

/// The timelock owns `contract`, which the suite's owner has set up.
pub(crate) fn ruled(name: &str, contract: Address, owner: Address, timelock: Address) -> Step {
    let done = Condition::not_address(contract, &ownerCall {}, owner);
    let call = transferOwnershipCall { newOwner: timelock };
    Step::call(format!("{name} to the timelock"), contract, &call, done).wiring()
}
