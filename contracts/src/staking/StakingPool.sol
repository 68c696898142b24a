// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title Stakes of one token that earn another, with the functions of Synthetix' StakingRewards
/// @notice A reward is given out evenly over a period, to each in proportion to what it has staked. A new reward during a
/// period is added to what is left, and the period begins anew. Amounts are in the tokens' smallest units.
///
/// It differs from its model where that makes stakers wait for each other or loses tokens:
/// - the reward of a token staked is brought up to date once a block, by whoever comes first. The numbers are the same,
///   because no time passes within a block; but everybody after the first only adds to the total;
/// - a reward is taken from the distributor, so what is promised is there;
/// - what nobody earned, because nobody had staked, goes into the next reward.
///
/// Rounded down for the staker: the pool never owes more than it was given.
/// @dev Assumes that both tokens deliver what is sent. They may be one and the same: stakes and rewards are counted, and
/// the balance is never asked for.
contract StakingPool is Ownable {
    using SafeERC20 for IERC20;

    /// @notice What {rewardPerToken} and the rate are multiplied with.
    /// @dev 2^112 times 10^36 is below 2^232: one unit staked alone may earn the highest reward 2^24 times over.
    uint256 public constant PRECISION = 1e36;
    /// @notice What the rewards that are not given out may sum up to, so that nothing overflows.
    uint256 public constant MAX_REWARD = type(uint112).max;

    IERC20 public immutable stakingToken;
    IERC20 public immutable rewardsToken;
    /// @notice Who funds rewards.
    address public rewardsDistribution;
    /// @notice The length of a period, in seconds.
    uint256 public rewardsDuration = 7 days;
    /// @notice When the present period ends, in seconds since 1970.
    uint256 public periodFinish;
    /// @notice Up to when {rewardPerTokenStored} counts.
    uint256 public lastUpdateTime;
    /// @notice What a token staked from the beginning has earned, times {PRECISION}. It never falls.
    uint256 public rewardPerTokenStored;
    uint256 public totalSupply;
    mapping(address account => uint256) public balanceOf;
    /// @notice The reward of a token staked up to which an account's {rewards} count.
    mapping(address account => uint256) public userRewardPerTokenPaid;
    /// @notice What an account has earned up to then and not taken.
    mapping(address account => uint256) public rewards;
    /// @dev Given out in a second, times {PRECISION}.
    uint256 private rate;
    /// @dev Given out while nobody had staked, times {PRECISION}.
    uint256 private unearned;
    /// @dev What the last division of a reward by the stakes left, times {PRECISION}. The next takes it along: otherwise small
    /// rewards among many stakes, divided often, would be lost.
    uint256 private remainder;

    error NothingStaked();
    error InsufficientStake(address account, uint256 balance, uint256 amount);
    error NotDistributor(address caller);
    error RewardTooLarge(uint256 reward);
    /// @notice A period has a second at least, and its length is not changed while it lasts.
    error InvalidDuration();
    error PeriodNotOver(uint256 periodFinish);

    event RewardAdded(uint256 reward);
    event Staked(address indexed user, uint256 amount);
    event Withdrawn(address indexed user, uint256 amount);
    event RewardPaid(address indexed user, uint256 reward);
    event RewardsDurationUpdated(uint256 newDuration);
    event RewardsDistributionChanged(address indexed distributor);

    constructor(IERC20 staking, IERC20 reward, address owner, address distributor) Ownable(owner) {
        stakingToken = staking;
        rewardsToken = reward;
        _setRewardsDistribution(distributor);
    }

    /// @notice Stakes `amount` of the caller's, who has to have approved the pool.
    function stake(uint256 amount) external {
        if (amount == 0) revert NothingStaked();
        _settle(msg.sender);
        totalSupply += amount;
        balanceOf[msg.sender] += amount;
        emit Staked(msg.sender, amount);
        stakingToken.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Gives back `amount` of the caller's stake. Rewards stay to be taken.
    function withdraw(uint256 amount) public {
        if (amount == 0) revert NothingStaked();
        _settle(msg.sender);
        uint256 balance = balanceOf[msg.sender];
        if (balance < amount) revert InsufficientStake(msg.sender, balance, amount);
        balanceOf[msg.sender] = balance - amount;
        totalSupply -= amount;
        emit Withdrawn(msg.sender, amount);
        stakingToken.safeTransfer(msg.sender, amount);
    }

    /// @notice Pays what the caller has earned.
    function getReward() public {
        _settle(msg.sender);
        uint256 reward = rewards[msg.sender];
        if (reward == 0) return;
        rewards[msg.sender] = 0;
        emit RewardPaid(msg.sender, reward);
        rewardsToken.safeTransfer(msg.sender, reward);
    }

    /// @notice Gives back the whole stake and pays what it has earned.
    function exit() external {
        withdraw(balanceOf[msg.sender]);
        getReward();
    }

    /// @notice Takes `reward` from the distributor and gives it out over a period that begins now, with what is left of the
    /// present one and what nobody earned.
    function notifyRewardAmount(uint256 reward) external {
        if (msg.sender != rewardsDistribution) revert NotDistributor(msg.sender);
        if (reward > MAX_REWARD) revert RewardTooLarge(reward);
        _accrue();
        uint256 left = block.timestamp < periodFinish ? (periodFinish - block.timestamp) * rate : 0;
        uint256 total = reward * PRECISION + left + unearned;
        if (total > MAX_REWARD * PRECISION) revert RewardTooLarge(reward);
        rate = total / rewardsDuration;
        unearned = total % rewardsDuration;
        periodFinish = block.timestamp + rewardsDuration;
        lastUpdateTime = block.timestamp;
        emit RewardAdded(reward);
        rewardsToken.safeTransferFrom(msg.sender, address(this), reward);
    }

    function setRewardsDuration(uint256 duration) external onlyOwner {
        if (duration == 0) revert InvalidDuration();
        if (block.timestamp <= periodFinish) revert PeriodNotOver(periodFinish);
        rewardsDuration = duration;
        emit RewardsDurationUpdated(duration);
    }

    function setRewardsDistribution(address distributor) external onlyOwner {
        _setRewardsDistribution(distributor);
    }

    /// @notice What {getReward} would pay the account now.
    function earned(address account) public view returns (uint256) {
        return _earned(account, rewardPerToken());
    }

    /// @notice What a token staked from the beginning has earned by now, times {PRECISION}.
    function rewardPerToken() public view returns (uint256) {
        if (totalSupply == 0) return rewardPerTokenStored;
        return rewardPerTokenStored + _sinceUpdate() / totalSupply;
    }

    /// @notice Up to when there is something to earn.
    function lastTimeRewardApplicable() public view returns (uint256) {
        return Math.min(block.timestamp, periodFinish);
    }

    /// @notice Given out in a second, rounded down.
    function rewardRate() external view returns (uint256) {
        return rate / PRECISION;
    }

    /// @notice Given out in a period at the present rate, rounded down.
    function getRewardForDuration() external view returns (uint256) {
        return rate * rewardsDuration / PRECISION;
    }

    /// @dev Brings an account's reward up to date. The total of all stakes is read by the first of a block alone.
    function _settle(address account) private {
        _accrue();
        uint256 perToken = rewardPerTokenStored;
        rewards[account] = _earned(account, perToken);
        userRewardPerTokenPaid[account] = perToken;
    }

    function _accrue() private {
        uint256 until = lastTimeRewardApplicable();
        if (until <= lastUpdateTime) return;
        uint256 given = _sinceUpdate();
        uint256 staked = totalSupply;
        lastUpdateTime = until;
        if (staked == 0) {
            unearned += given;
            remainder = 0;
        } else {
            rewardPerTokenStored += given / staked;
            remainder = given % staked;
        }
    }

    function _setRewardsDistribution(address distributor) private {
        rewardsDistribution = distributor;
        emit RewardsDistributionChanged(distributor);
    }

    /// @dev What was given out since the last update, and what that left, times {PRECISION}.
    function _sinceUpdate() private view returns (uint256) {
        uint256 until = lastTimeRewardApplicable();
        return until > lastUpdateTime ? (until - lastUpdateTime) * rate + remainder : 0;
    }

    function _earned(address account, uint256 perToken) private view returns (uint256) {
        uint256 since = perToken - userRewardPerTokenPaid[account];
        // An account that many act through, such as a vault, is settled once a block: after that its stake is not looked at.
        if (since == 0) return rewards[account];
        return rewards[account] + Math.mulDiv(balanceOf[account], since, PRECISION);
    }
}
