// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Vesting} from "./Vesting.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title Stakes of one token that earn several, and more the longer they are locked
/// @notice A stake that is locked for t seconds weighs `amount * (1 + 1.5 t / MAX_LOCK)`, up to two and a half times the
/// amount. Each reward is given out evenly over its period, to each in proportion to weight. The weight is that of the lock
/// that was left when the stake last changed; once the lock is over anybody may have it set back to the amount
/// ({expire}). Some rewards are paid as a schedule of {Vesting}.
///
/// Rewards are brought up to date once a block, by whoever comes first; everybody after that only adds to the total weight.
/// Rounded down for the staker; what a division leaves goes into the next, and what nobody earned into the next period.
/// @dev Assumes that all tokens deliver what is sent. Stakes and rewards are counted, and balances never asked for, so tokens
/// may be the same.
contract BoostedStaking is Ownable {
    using SafeERC20 for IERC20;

    /// @dev How one reward is given out. Rates and sums are times {PRECISION}.
    struct Reward {
        IERC20 token;
        address distributor;
        uint256 duration;
        /// Over how many seconds a payment vests; zero if it is paid at once.
        uint256 vestFor;
        uint256 finish;
        uint256 updatedAt;
        uint256 rate;
        uint256 perWeight;
        uint256 unearned;
        uint256 remainder;
    }

    struct Stake {
        uint256 amount;
        uint256 weight;
        uint256 unlockAt;
    }

    /// @notice Most rewards: everybody's account is brought up to date for each of them.
    uint256 public constant MAX_REWARDS = 4;
    /// @notice The longest lock, in seconds: four years.
    uint256 public constant MAX_LOCK = 4 * 365 days;
    /// @notice See {StakingPool}: a weight is at most 2.5 times an amount, so two bits more are needed.
    uint256 public constant PRECISION = 1e36;
    uint256 public constant MAX_REWARD = type(uint112).max;

    IERC20 public immutable stakingToken;
    Vesting public immutable vesting;
    Reward[] private rewards;
    uint256 public totalWeight;
    mapping(address account => Stake) public stakeOf;
    mapping(address account => mapping(uint256 reward => uint256)) private settledPerWeight;
    mapping(address account => mapping(uint256 reward => uint256)) private settled;

    error NothingStaked();
    error LockTooLong(uint256 lock);
    error Locked(uint256 unlockAt);
    error InsufficientStake(address account, uint256 amount, uint256 wanted);
    error NotDistributor(address caller);
    error TooManyRewards();
    error InvalidPeriod();
    error UnknownReward(uint256 reward);
    error RewardTooLarge(uint256 amount);

    event RewardAdded(uint256 indexed reward, IERC20 token, address distributor, uint256 duration, uint256 vestFor);
    event Funded(uint256 indexed reward, uint256 amount);
    event Staked(address indexed account, uint256 amount, uint256 weight, uint256 unlockAt);
    event Withdrawn(address indexed account, uint256 amount, uint256 weight);
    event Expired(address indexed account, uint256 weight);
    event Paid(address indexed account, uint256 indexed reward, uint256 amount);

    constructor(IERC20 stakingToken_, Vesting vesting_, address owner) Ownable(owner) {
        stakingToken = stakingToken_;
        vesting = vesting_;
    }

    // Staking

    /// @notice Adds `amount` of the caller's to its stake, and locks all of it for `lock` seconds, or as long as it is locked
    /// already. Either may be zero.
    function stake(uint256 amount, uint256 lock) external {
        if (lock > MAX_LOCK) revert LockTooLong(lock);
        Stake memory held = stakeOf[msg.sender];
        if (amount + held.amount == 0) revert NothingStaked();
        uint256 unlockAt = Math.max(held.unlockAt, block.timestamp + lock);
        uint256 weight = _reweigh(msg.sender, held.amount + amount, unlockAt);
        emit Staked(msg.sender, amount, weight, unlockAt);
        if (amount != 0) stakingToken.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Gives back `amount` of the caller's stake, once the lock is over. Rewards stay to be taken.
    function withdraw(uint256 amount) external {
        Stake memory held = stakeOf[msg.sender];
        if (amount == 0) revert NothingStaked();
        if (block.timestamp < held.unlockAt) revert Locked(held.unlockAt);
        if (amount > held.amount) revert InsufficientStake(msg.sender, held.amount, amount);
        uint256 weight = _reweigh(msg.sender, held.amount - amount, held.unlockAt);
        emit Withdrawn(msg.sender, amount, weight);
        stakingToken.safeTransfer(msg.sender, amount);
    }

    /// @notice Takes the boost off a stake of which the lock is over. Anyone may ask for it.
    function expire(address account) external {
        Stake memory held = stakeOf[account];
        if (block.timestamp < held.unlockAt) revert Locked(held.unlockAt);
        uint256 weight = _reweigh(account, held.amount, held.unlockAt);
        emit Expired(account, weight);
    }

    /// @notice Pays the caller what it has earned of a reward, or starts its vesting.
    function claim(uint256 reward) external returns (uint256 amount) {
        _requireReward(reward);
        _settle(msg.sender);
        amount = settled[msg.sender][reward];
        if (amount == 0) return 0;
        settled[msg.sender][reward] = 0;
        emit Paid(msg.sender, reward, amount);
        IERC20 token = rewards[reward].token;
        uint256 vestFor = rewards[reward].vestFor;
        if (vestFor == 0) {
            token.safeTransfer(msg.sender, amount);
        } else {
            token.forceApprove(address(vesting), amount);
            uint64 start = uint64(block.timestamp);
            vesting.create(token, msg.sender, amount, start, start, uint64(block.timestamp + vestFor), false);
        }
    }

    // Rewards

    /// @notice Adds a reward that `distributor` funds for periods of `duration` seconds.
    function addReward(IERC20 token, address distributor, uint256 duration, uint256 vestFor)
        external
        onlyOwner
        returns (uint256 reward)
    {
        reward = rewards.length;
        if (reward == MAX_REWARDS) revert TooManyRewards();
        if (duration == 0 || duration > MAX_LOCK || vestFor > MAX_LOCK) revert InvalidPeriod();
        rewards.push(Reward(token, distributor, duration, vestFor, 0, block.timestamp, 0, 0, 0, 0));
        emit RewardAdded(reward, token, distributor, duration, vestFor);
    }

    /// @notice Takes `amount` from the distributor and gives it out over a period that begins now, with what is left of the
    /// present one and what nobody earned.
    function fund(uint256 reward, uint256 amount) external {
        _requireReward(reward);
        Reward storage given = rewards[reward];
        if (msg.sender != given.distributor) revert NotDistributor(msg.sender);
        if (amount > MAX_REWARD) revert RewardTooLarge(amount);
        _accrue(given);
        uint256 left = block.timestamp < given.finish ? (given.finish - block.timestamp) * given.rate : 0;
        uint256 total = amount * PRECISION + left + given.unearned;
        if (total > MAX_REWARD * PRECISION) revert RewardTooLarge(amount);
        given.rate = total / given.duration;
        given.unearned = total % given.duration;
        given.finish = block.timestamp + given.duration;
        given.updatedAt = block.timestamp;
        emit Funded(reward, amount);
        given.token.safeTransferFrom(msg.sender, address(this), amount);
    }

    // Questions

    /// @notice What {claim} would pay the account now.
    function earned(address account, uint256 reward) external view returns (uint256) {
        _requireReward(reward);
        (uint256 perWeight,) = _perWeight(rewards[reward]);
        return _earned(account, reward, perWeight);
    }

    /// @notice How many rewards there are.
    function rewardCount() external view returns (uint256) {
        return rewards.length;
    }

    function rewardOf(uint256 reward) external view returns (Reward memory) {
        _requireReward(reward);
        return rewards[reward];
    }

    /// @notice What `amount` weighs, locked until `unlockAt`.
    function weightOf(uint256 amount, uint256 unlockAt) public view returns (uint256) {
        uint256 lock = Math.saturatingSub(unlockAt, block.timestamp);
        return amount + Math.mulDiv(amount * 3, lock, 2 * MAX_LOCK);
    }

    /// @dev Settles an account and gives it another weight.
    function _reweigh(address account, uint256 amount, uint256 unlockAt) private returns (uint256 weight) {
        _settle(account);
        Stake storage held = stakeOf[account];
        weight = weightOf(amount, unlockAt);
        totalWeight = totalWeight + weight - held.weight;
        (held.amount, held.weight, held.unlockAt) = (amount, weight, unlockAt);
    }

    /// @dev Brings an account's rewards up to date. The total weight is read by the first of a block alone.
    function _settle(address account) private {
        for (uint256 i = 0; i < rewards.length; i++) {
            _accrue(rewards[i]);
            uint256 perWeight = rewards[i].perWeight;
            settled[account][i] = _earned(account, i, perWeight);
            settledPerWeight[account][i] = perWeight;
        }
    }

    function _accrue(Reward storage reward) private {
        uint256 until = Math.min(block.timestamp, reward.finish);
        if (until <= reward.updatedAt) return;
        if (totalWeight == 0) {
            reward.unearned += (until - reward.updatedAt) * reward.rate + reward.remainder;
            reward.remainder = 0;
        } else {
            (reward.perWeight, reward.remainder) = _perWeight(reward);
        }
        reward.updatedAt = until;
    }

    /// @dev What a unit of weight has earned by now, and what dividing leaves.
    function _perWeight(Reward storage reward) private view returns (uint256 perWeight, uint256 left) {
        uint256 until = Math.min(block.timestamp, reward.finish);
        if (until <= reward.updatedAt || totalWeight == 0) return (reward.perWeight, reward.remainder);
        uint256 given = (until - reward.updatedAt) * reward.rate + reward.remainder;
        return (reward.perWeight + given / totalWeight, given % totalWeight);
    }

    function _earned(address account, uint256 reward, uint256 perWeight) private view returns (uint256) {
        uint256 since = perWeight - settledPerWeight[account][reward];
        if (since == 0) return settled[account][reward];
        return settled[account][reward] + Math.mulDiv(stakeOf[account].weight, since, PRECISION);
    }

    function _requireReward(uint256 reward) private view {
        if (reward >= rewards.length) revert UnknownReward(reward);
    }
}
