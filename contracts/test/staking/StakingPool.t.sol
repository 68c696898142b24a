// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {StakingPool} from "src/staking/StakingPool.sol";

contract StakingPoolTest is Suite {
    FreeToken staked = new FreeToken("STK");
    FreeToken reward = new FreeToken("RWD");
    StakingPool pool = new StakingPool(staked, reward, address(this), address(this));
    address alice = account("alice");
    address bob = account("bob");

    function setUp() public {
        vm.warp(1_000_000);
        reward.mint(address(this), 1e40);
        reward.approve(address(pool), type(uint256).max);
        address[2] memory stakers = [alice, bob];
        for (uint256 i = 0; i < 2; i++) {
            staked.mint(stakers[i], 1e30);
            vm.prank(stakers[i]);
            staked.approve(address(pool), type(uint256).max);
        }
    }

    function _stake(address staker, uint256 amount) private {
        vm.prank(staker);
        pool.stake(amount);
    }

    function testFuzz_RewardsAreInProportion(uint256 a, uint256 b, uint256 given, uint256 elapsed) external {
        a = bound(a, 1, 1e30);
        b = bound(b, 1, 1e30);
        given = bound(given, 1e12, 1e30);
        elapsed = bound(elapsed, 0, 14 days);
        _stake(alice, a);
        _stake(bob, b);
        pool.notifyRewardAmount(given);
        vm.warp(block.timestamp + elapsed);
        uint256 due = given * (elapsed > 7 days ? 7 days : elapsed) / 7 days;
        uint256 fairA = due * a / (a + b);
        assertTrue(pool.earned(alice) + pool.earned(bob) <= due, "no more than was given out");
        // The rate is cut at the 36th digit, and each account's reward at its unit.
        uint256 tolerance = 2;
        vm.assertApproxEqAbs(pool.earned(alice), fairA, tolerance, "alice");
        vm.assertApproxEqAbs(pool.earned(bob), due - fairA, tolerance + 1, "bob");
    }

    /// @dev Who comes later in a block earns no less than who comes first, and the total is read by the first alone.
    function test_WithinABlockNobodyIsBetterOff() external {
        _stake(alice, 100);
        pool.notifyRewardAmount(7 days * 1e18);
        vm.warp(block.timestamp + 100);
        _stake(bob, 50);
        uint256 perToken = pool.rewardPerTokenStored();
        _stake(alice, 50);
        _stake(bob, 100);
        vm.assertEq(pool.rewardPerTokenStored(), perToken, "once a block");
        vm.assertEq(pool.earned(alice), 100e18, "alice alone so far");
        vm.assertEq(pool.earned(bob), 0, "bob not yet");
        vm.warp(block.timestamp + 2);
        vm.assertApproxEqAbs(pool.earned(alice), 101e18, 1, "and then half");
        vm.assertApproxEqAbs(pool.earned(bob), 1e18, 1, "each");
    }

    function test_ExitGivesEverythingBack() external {
        _stake(alice, 100);
        pool.notifyRewardAmount(7 days * 1e6);
        vm.warp(block.timestamp + 8 days);
        vm.prank(alice);
        pool.exit();
        vm.assertEq(staked.balanceOf(alice), 1e30, "stake");
        vm.assertEq(reward.balanceOf(alice), 7 days * 1e6, "reward");
        vm.assertEq(pool.totalSupply(), 0, "total");
        vm.prank(alice);
        pool.getReward();
        vm.assertEq(reward.balanceOf(alice), 7 days * 1e6, "once");
    }

    function test_WhatNobodyEarnedGoesIntoTheNextReward() external {
        pool.notifyRewardAmount(7 days * 1e6);
        vm.warp(block.timestamp + 1 days);
        _stake(alice, 1);
        vm.warp(block.timestamp + 6 days);
        vm.assertEq(pool.earned(alice), 6 days * 1e6, "for six days");
        pool.notifyRewardAmount(0);
        vm.warp(block.timestamp + 7 days);
        vm.assertApproxEqAbs(pool.earned(alice), 7 days * 1e6, 1, "and the first, later");
    }

    function test_ANewRewardIsAddedToWhatIsLeft() external {
        _stake(alice, 1);
        pool.notifyRewardAmount(7 days * 1e6);
        vm.assertEq(pool.rewardRate(), 1e6, "rate");
        vm.warp(block.timestamp + 3.5 days);
        pool.notifyRewardAmount(3.5 days * 1e6);
        vm.assertEq(pool.rewardRate(), 1e6, "half and half");
        vm.assertEq(pool.getRewardForDuration(), 7 days * 1e6, "for a period");
        vm.assertEq(pool.periodFinish(), block.timestamp + 7 days, "anew");
        vm.assertEq(pool.lastTimeRewardApplicable(), block.timestamp, "now");
    }

    /// @dev A small reward among large stakes, brought up to date every second by somebody, arrives nevertheless.
    function test_ASmallRewardIsNotLostByAccruing() external {
        _stake(alice, 1e30);
        pool.notifyRewardAmount(100);
        for (uint256 i = 0; i < 100; i++) {
            vm.warp(block.timestamp + 6048);
            _stake(bob, 1);
        }
        assertTrue(pool.earned(alice) >= 99, "all but a unit");
    }

    /// @dev Stake and reward may be one token: gifts and stakes are no rewards.
    function test_OneTokenForBoth() external {
        StakingPool same = new StakingPool(staked, staked, address(this), address(this));
        staked.mint(address(this), 7 days);
        staked.approve(address(same), 7 days);
        vm.startPrank(alice);
        staked.approve(address(same), 1e30);
        same.stake(1e6);
        staked.transfer(address(same), 12_345);
        vm.stopPrank();
        same.notifyRewardAmount(7 days);
        vm.warp(block.timestamp + 7 days);
        vm.prank(alice);
        same.exit();
        vm.assertEq(staked.balanceOf(alice), 1e30 - 12_345 + 7 days, "stake and reward");
    }

    function test_RevertWhen_NothingIsStaked() external {
        vm.expectRevert(StakingPool.NothingStaked.selector);
        pool.stake(0);
        vm.expectRevert(StakingPool.NothingStaked.selector);
        pool.withdraw(0);
        vm.expectRevert(abi.encodeWithSelector(StakingPool.InsufficientStake.selector, alice, 0, 1));
        vm.prank(alice);
        pool.withdraw(1);
    }

    function test_RevertWhen_OthersFund() external {
        vm.expectRevert(abi.encodeWithSelector(StakingPool.NotDistributor.selector, alice));
        vm.prank(alice);
        pool.notifyRewardAmount(1);
        pool.setRewardsDistribution(alice);
        vm.assertEq(pool.rewardsDistribution(), alice, "another");
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, bob));
        vm.prank(bob);
        pool.setRewardsDistribution(bob);
    }

    function test_RevertWhen_ARewardIsTooLarge() external {
        uint256 most = type(uint112).max;
        vm.expectRevert(abi.encodeWithSelector(StakingPool.RewardTooLarge.selector, most + 1));
        pool.notifyRewardAmount(most + 1);
        pool.notifyRewardAmount(most);
        vm.expectRevert(abi.encodeWithSelector(StakingPool.RewardTooLarge.selector, most));
        pool.notifyRewardAmount(most);
    }

    function test_RevertWhen_ThePeriodCannotChange() external {
        pool.setRewardsDuration(1 days);
        vm.assertEq(pool.rewardsDuration(), 1 days, "length");
        vm.expectRevert(StakingPool.InvalidDuration.selector);
        pool.setRewardsDuration(0);
        pool.notifyRewardAmount(1e18);
        vm.expectRevert(abi.encodeWithSelector(StakingPool.PeriodNotOver.selector, block.timestamp + 1 days));
        pool.setRewardsDuration(1);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, bob));
        vm.prank(bob);
        pool.setRewardsDuration(1);
    }
}

/// @dev Stakers who come and go while rewards are funded at random times.
contract StakingHandler is Suite {
    FreeToken public immutable token = new FreeToken("TKN");
    StakingPool public immutable pool;
    address[3] public accounts = [address(101), address(102), address(103)];
    uint256 public clock = 1_000_000;
    uint256 public funded;
    uint256 public paid;
    uint256 public lastPerToken;

    constructor() {
        pool = new StakingPool(token, token, address(this), address(this));
        token.mint(address(this), 1e30);
        token.approve(address(pool), type(uint256).max);
        for (uint256 i = 0; i < 3; i++) {
            token.mint(accounts[i], 1e24);
            vm.prank(accounts[i]);
            token.approve(address(pool), type(uint256).max);
        }
    }

    modifier watched() {
        vm.warp(clock);
        _;
        assertTrue(pool.rewardPerTokenStored() >= lastPerToken, "never falls");
        lastPerToken = pool.rewardPerTokenStored();
    }

    function pass(uint256 elapsed) external {
        clock += bound(elapsed, 1, 5 days);
    }

    function stake(uint256 who, uint256 amount) external watched {
        address staker = accounts[who % 3];
        uint256 balance = token.balanceOf(staker);
        if (balance == 0) return;
        vm.prank(staker);
        pool.stake(bound(amount, 1, balance));
    }

    function withdraw(uint256 who, uint256 amount) external watched {
        address staker = accounts[who % 3];
        uint256 balance = pool.balanceOf(staker);
        if (balance == 0) return;
        vm.prank(staker);
        pool.withdraw(bound(amount, 1, balance));
    }

    function take(uint256 who) external watched {
        address staker = accounts[who % 3];
        uint256 before = token.balanceOf(staker);
        vm.prank(staker);
        pool.getReward();
        paid += token.balanceOf(staker) - before;
    }

    function fund(uint256 amount) external watched {
        amount = bound(amount, 0, 1e24);
        pool.notifyRewardAmount(amount);
        funded += amount;
    }

    function due() external returns (uint256 sum) {
        vm.warp(clock);
        for (uint256 i = 0; i < 3; i++) {
            sum += pool.earned(accounts[i]);
        }
    }
}

contract StakingInvariants is Suite {
    StakingHandler handler;

    function setUp() public {
        handler = new StakingHandler();
        target(address(handler));
    }

    function invariant_WhatIsOwedIsThere() external {
        StakingPool pool = handler.pool();
        uint256 due = handler.due();
        assertTrue(due + handler.paid() <= handler.funded(), "rewards");
        assertTrue(handler.token().balanceOf(address(pool)) >= pool.totalSupply() + due, "stakes and rewards");
    }
}
