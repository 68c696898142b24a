// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {BoostedStaking} from "src/staking/BoostedStaking.sol";
import {Vesting} from "src/staking/Vesting.sol";

contract BoostedStakingTest is Suite {
    uint256 constant YEAR = 365 days;

    FreeToken token = new FreeToken("STK");
    FreeToken first = new FreeToken("ONE");
    FreeToken second = new FreeToken("TWO");
    Vesting vesting = new Vesting();
    BoostedStaking staking = new BoostedStaking(token, vesting, address(this));
    address alice = account("alice");
    address bob = account("bob");

    function setUp() public {
        vm.warp(1_000_000);
        staking.addReward(first, address(this), 7 days, 0);
        staking.addReward(second, address(this), 70 days, 30 days);
        first.mint(address(this), 1e36);
        second.mint(address(this), 1e36);
        first.approve(address(staking), type(uint256).max);
        second.approve(address(staking), type(uint256).max);
        address[2] memory stakers = [alice, bob];
        for (uint256 i = 0; i < 2; i++) {
            token.mint(stakers[i], 1e30);
            vm.prank(stakers[i]);
            token.approve(address(staking), type(uint256).max);
        }
    }

    function _stake(address who, uint256 amount, uint256 lock) private {
        vm.prank(who);
        staking.stake(amount, lock);
    }

    function _weight(address who) private view returns (uint256 weight) {
        (, weight,) = staking.stakeOf(who);
    }

    function _pass(uint256 elapsed) private {
        vm.warp(block.timestamp + elapsed);
    }

    // Weights

    function test_ALongerLockWeighsMore() external {
        vm.assertEq(staking.weightOf(1000, block.timestamp), 1000, "none");
        vm.assertEq(staking.weightOf(1000, block.timestamp + 2 * YEAR), 1750, "half");
        vm.assertEq(staking.weightOf(1000, block.timestamp + 4 * YEAR), 2500, "all");
        _stake(alice, 1000, 4 * YEAR);
        _stake(bob, 2500, 0);
        staking.fund(0, 7 days * 1e6);
        _pass(7 days);
        vm.assertApproxEqAbs(staking.earned(alice, 0), 3.5 days * 1e6, 1, "as much as");
        vm.assertApproxEqAbs(staking.earned(bob, 0), 3.5 days * 1e6, 1, "two and a half times the stake");
    }

    function test_AStakeIsLockedAndThenFree() external {
        _stake(alice, 1000, YEAR);
        uint256 end = block.timestamp + YEAR;
        vm.expectRevert(abi.encodeWithSelector(BoostedStaking.Locked.selector, end));
        vm.prank(alice);
        staking.withdraw(1);
        vm.expectRevert(abi.encodeWithSelector(BoostedStaking.Locked.selector, end));
        staking.expire(alice);
        // A shorter lock does not shorten it.
        _stake(alice, 10, 0);
        (,, uint256 unlockAt) = staking.stakeOf(alice);
        vm.assertEq(unlockAt, end, "still");
        _pass(YEAR);
        assertTrue(_weight(alice) > 1010, "boosted until somebody says otherwise");
        vm.prank(bob);
        staking.expire(alice);
        vm.assertEq(_weight(alice), 1010, "the amount alone");
        vm.assertEq(staking.totalWeight(), 1010, "in total");
        vm.prank(alice);
        staking.withdraw(1010);
        vm.assertEq(token.balanceOf(alice), 1e30, "all back");
        vm.assertEq(staking.totalWeight(), 0, "nothing left");
    }

    function test_ALockCanBeMadeLonger() external {
        _stake(alice, 1000, 0);
        _stake(alice, 0, 4 * YEAR);
        vm.assertEq(_weight(alice), 2500, "without staking more");
    }

    // Rewards

    function testFuzz_RewardsAreByWeight(uint256 a, uint256 b, uint256 lock, uint256 given) external {
        a = bound(a, 1, 1e30);
        b = bound(b, 1, 1e30);
        given = bound(given, 0, 1e30);
        _stake(alice, a, bound(lock, 0, 4 * YEAR));
        _stake(bob, b, 0);
        staking.fund(0, given);
        staking.fund(1, given);
        _pass(7 days);
        uint256 fair = given * _weight(alice) / staking.totalWeight();
        vm.assertApproxEqAbs(staking.earned(alice, 0), fair, 2, "alice");
        vm.assertApproxEqAbs(staking.earned(bob, 0), given - fair, 2, "bob");
        assertTrue(staking.earned(alice, 0) + staking.earned(bob, 0) <= given, "no more than was given");
        vm.assertApproxEqAbs(staking.earned(alice, 1), fair / 10, 2, "the other reward lasts ten times as long");
    }

    function test_WithinABlockTheTotalIsReadOnce() external {
        _stake(alice, 100, 0);
        staking.fund(0, 7 days);
        _pass(100);
        _stake(bob, 100, 0);
        uint256 perWeight = staking.rewardOf(0).perWeight;
        _stake(alice, 100, 0);
        vm.assertEq(staking.rewardOf(0).perWeight, perWeight, "once");
        vm.assertEq(staking.earned(alice, 0), 100, "alice alone so far");
        vm.assertEq(staking.earned(bob, 0), 0, "bob not yet");
    }

    function test_WhatNobodyEarnedGoesIntoTheNextPeriod() external {
        staking.fund(0, 7 days * 1e6);
        _pass(1 days);
        _stake(alice, 1, 0);
        _pass(6 days);
        vm.assertEq(staking.earned(alice, 0), 6 days * 1e6, "six days");
        staking.fund(0, 0);
        _pass(7 days);
        vm.assertApproxEqAbs(staking.earned(alice, 0), 7 days * 1e6, 1, "and the first, later");
    }

    function test_ARewardIsPaidOrVests() external {
        _stake(alice, 1, 0);
        staking.fund(0, 7 days);
        staking.fund(1, 70 days);
        _pass(70 days);
        vm.startPrank(alice);
        vm.assertEq(staking.claim(0), 7 days, "paid");
        vm.assertEq(first.balanceOf(alice), 7 days, "at once");
        vm.assertEq(staking.claim(0), 0, "once");
        vm.assertEq(staking.claim(1), 70 days, "vests");
        vm.stopPrank();
        vm.assertEq(second.balanceOf(alice), 0, "nothing yet");
        bytes32 id = vesting.idOf(address(staking), alice, 0);
        _pass(15 days);
        vesting.release(id);
        vm.assertEq(second.balanceOf(alice), 35 days, "half");
        _pass(15 days);
        vesting.release(id);
        vm.assertEq(second.balanceOf(alice), 70 days, "all");
    }

    function test_ARewardAddedLaterStartsThen() external {
        _stake(alice, 1, 0);
        _pass(1 days);
        uint256 third = staking.addReward(token, bob, 1 days, 0);
        vm.prank(bob);
        staking.fund(third, 1 days);
        _pass(1 days);
        vm.assertEq(staking.earned(alice, third), 1 days, "all of it");
        vm.assertEq(staking.rewardCount(), 3, "three");
    }

    // Refusals

    function test_RevertWhen_AStakeMakesNoSense() external {
        vm.expectRevert(BoostedStaking.NothingStaked.selector);
        staking.stake(0, 0);
        vm.expectRevert(abi.encodeWithSelector(BoostedStaking.LockTooLong.selector, 4 * YEAR + 1));
        staking.stake(1, 4 * YEAR + 1);
        vm.expectRevert(BoostedStaking.NothingStaked.selector);
        staking.withdraw(0);
        vm.expectRevert(abi.encodeWithSelector(BoostedStaking.InsufficientStake.selector, address(this), 0, 1));
        staking.withdraw(1);
    }

    function test_RevertWhen_ARewardMakesNoSense() external {
        vm.expectRevert(BoostedStaking.InvalidPeriod.selector);
        staking.addReward(first, alice, 0, 0);
        vm.expectRevert(BoostedStaking.InvalidPeriod.selector);
        staking.addReward(first, alice, 4 * YEAR + 1, 0);
        vm.expectRevert(BoostedStaking.InvalidPeriod.selector);
        staking.addReward(first, alice, 1, 4 * YEAR + 1);
        staking.addReward(first, alice, 1, 0);
        staking.addReward(first, alice, 1, 0);
        vm.expectRevert(BoostedStaking.TooManyRewards.selector);
        staking.addReward(first, alice, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, alice));
        vm.prank(alice);
        staking.addReward(first, alice, 1, 0);
        bytes memory unknown = abi.encodeWithSelector(BoostedStaking.UnknownReward.selector, 4);
        vm.expectRevert(unknown);
        staking.fund(4, 1);
        vm.expectRevert(unknown);
        staking.claim(4);
        vm.expectRevert(unknown);
        staking.earned(alice, 4);
        vm.expectRevert(unknown);
        staking.rewardOf(4);
        vm.expectRevert(abi.encodeWithSelector(BoostedStaking.NotDistributor.selector, alice));
        vm.prank(alice);
        staking.fund(0, 1);
        uint256 most = type(uint112).max;
        vm.expectRevert(abi.encodeWithSelector(BoostedStaking.RewardTooLarge.selector, most + 1));
        staking.fund(0, most + 1);
        staking.fund(0, most);
        vm.expectRevert(abi.encodeWithSelector(BoostedStaking.RewardTooLarge.selector, most));
        staking.fund(0, most);
    }
}

/// @dev Stakers with locks who come and go while two rewards are funded, one of them in the token staked.
contract BoostedHandler is Suite {
    FreeToken public immutable token = new FreeToken("TKN");
    FreeToken public immutable other = new FreeToken("OTH");
    BoostedStaking public immutable staking;
    address[3] public accounts = [address(401), address(402), address(403)];
    uint256 public clock = 1_000_000;
    uint256[2] public funded;
    uint256[2] public paid;

    constructor() {
        vm.warp(clock);
        staking = new BoostedStaking(token, new Vesting(), address(this));
        staking.addReward(token, address(this), 7 days, 0);
        staking.addReward(other, address(this), 3 days, 0);
        token.mint(address(this), 1e30);
        other.mint(address(this), 1e30);
        token.approve(address(staking), type(uint256).max);
        other.approve(address(staking), type(uint256).max);
        for (uint256 i = 0; i < 3; i++) {
            token.mint(accounts[i], 1e24);
            vm.prank(accounts[i]);
            token.approve(address(staking), type(uint256).max);
        }
    }

    modifier now_() {
        vm.warp(clock);
        _;
    }

    function pass(uint256 elapsed) external {
        clock += bound(elapsed, 1, 5 days);
    }

    function stake(uint256 who, uint256 amount, uint256 lock) external now_ {
        address staker = accounts[who % 3];
        amount = bound(amount, 0, token.balanceOf(staker));
        (uint256 held,,) = staking.stakeOf(staker);
        if (held + amount == 0) return;
        vm.prank(staker);
        staking.stake(amount, bound(lock, 0, 10 days));
    }

    function withdraw(uint256 who, uint256 amount) external now_ {
        address staker = accounts[who % 3];
        (uint256 held,, uint256 unlockAt) = staking.stakeOf(staker);
        if (held == 0 || clock < unlockAt) return;
        vm.prank(staker);
        staking.withdraw(bound(amount, 1, held));
    }

    function expire(uint256 who) external now_ {
        (,, uint256 unlockAt) = staking.stakeOf(accounts[who % 3]);
        if (clock >= unlockAt) staking.expire(accounts[who % 3]);
    }

    function claim(uint256 who, uint256 which) external now_ {
        vm.prank(accounts[who % 3]);
        paid[which % 2] += staking.claim(which % 2);
    }

    function fund(uint256 which, uint256 amount) external now_ {
        amount = bound(amount, 0, 1e24);
        staking.fund(which % 2, amount);
        funded[which % 2] += amount;
    }

    function check() external now_ {
        uint256 stakes;
        uint256 weights;
        uint256[2] memory due;
        for (uint256 i = 0; i < 3; i++) {
            (uint256 amount, uint256 weight,) = staking.stakeOf(accounts[i]);
            stakes += amount;
            weights += weight;
            due[0] += staking.earned(accounts[i], 0);
            due[1] += staking.earned(accounts[i], 1);
        }
        vm.assertEq(weights, staking.totalWeight(), "weights");
        assertTrue(due[0] + paid[0] <= funded[0] && due[1] + paid[1] <= funded[1], "owed and paid is what was funded");
        assertTrue(token.balanceOf(address(staking)) >= stakes + due[0], "stakes and the first reward are there");
        assertTrue(other.balanceOf(address(staking)) >= due[1], "the second too");
    }
}

contract BoostedInvariants is Suite {
    BoostedHandler handler;

    function setUp() public {
        handler = new BoostedHandler();
        target(address(handler));
    }

    function invariant_WhatIsOwedIsThere() external {
        handler.check();
    }
}
