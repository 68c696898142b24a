// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {Vesting} from "src/staking/Vesting.sol";

contract VestingTest is Suite {
    FreeToken token = new FreeToken("TKN");
    Vesting vesting = new Vesting();
    address alice = account("alice");
    address bob = account("bob");
    uint64 start;

    function setUp() public {
        vm.warp(1_000_000);
        start = 1_000_000;
        token.mint(address(this), 1e24);
        token.approve(address(vesting), type(uint256).max);
    }

    function _create(uint256 total, bool revocable) private returns (bytes32) {
        return vesting.create(token, alice, total, start, start + 100, start + 1000, revocable);
    }

    function test_ItVestsEvenlyAfterTheCliff() external {
        bytes32 id = _create(1e6, false);
        vm.assertEq(id, vesting.idOf(address(this), alice, 0), "the first of the two");
        vm.assertEq(vesting.countOf(address(this), alice), 1, "one");
        vm.assertEq(vesting.scheduleOf(id).total, 1e6, "kept");
        vm.warp(start + 99);
        vm.assertEq(vesting.release(id), 0, "nothing before the cliff");
        vm.warp(start + 100);
        vm.prank(bob);
        vm.assertEq(vesting.release(id), 1e5, "a tenth, whoever asks");
        vm.assertEq(token.balanceOf(alice), 1e5, "for the beneficiary");
        vm.assertEq(vesting.release(id), 0, "once");
        vm.warp(start + 5000);
        vesting.release(id);
        vm.assertEq(token.balanceOf(alice), 1e6, "all in the end");
        vm.assertEq(token.balanceOf(address(vesting)), 0, "nothing left");
    }

    function testFuzz_ReleasesSumUp(uint256 total, uint256[5] calldata steps) external {
        total = bound(total, 1, 1e24);
        bytes32 id = _create(total, false);
        uint256 sum;
        uint256 at = start;
        for (uint256 i = 0; i < 5; i++) {
            at += bound(steps[i], 0, 300);
            vm.warp(at);
            sum += vesting.release(id);
            vm.assertEq(sum, vesting.vested(id) < sum ? sum : vesting.vested(id), "what is vested");
            assertTrue(sum <= total, "no more than all");
        }
        vm.warp(start + 1000);
        sum += vesting.release(id);
        vm.assertEq(sum, total, "all");
    }

    function testFuzz_RevokingSplits(uint256 total, uint256 elapsed) external {
        total = bound(total, 1, 1e24);
        elapsed = bound(elapsed, 0, 2000);
        bytes32 id = _create(total, true);
        vm.warp(start + elapsed);
        uint256 vested = vesting.vested(id);
        uint256 before = token.balanceOf(address(this));
        vm.assertEq(vesting.revoke(id), total - vested, "the rest");
        vm.assertEq(token.balanceOf(address(this)), before + total - vested, "goes back");
        vm.assertEq(token.balanceOf(alice), vested, "and what was vested is paid");
        vm.expectRevert(abi.encodeWithSelector(Vesting.NotRevocable.selector, id));
        vesting.revoke(id);
        vm.warp(start + 5000);
        vm.assertEq(vesting.release(id), 0, "nothing more");
    }

    function test_ABeneficiaryMayGiveItOn() external {
        bytes32 id = _create(1000, false);
        vm.expectRevert(abi.encodeWithSelector(Vesting.NotBeneficiary.selector, address(this)));
        vesting.setBeneficiary(id, bob);
        vm.startPrank(alice);
        vm.expectRevert(Vesting.NoBeneficiary.selector);
        vesting.setBeneficiary(id, address(0));
        vesting.setBeneficiary(id, bob);
        vm.stopPrank();
        vm.warp(start + 1000);
        vesting.release(id);
        vm.assertEq(token.balanceOf(bob), 1000, "bob's");
    }

    function test_RevertWhen_AScheduleMakesNoSense() external {
        vm.expectRevert(Vesting.NothingVests.selector);
        _create(0, false);
        vm.expectRevert(Vesting.NoBeneficiary.selector);
        vesting.create(token, address(0), 1, start, start, start + 1, false);
        vm.expectRevert(abi.encodeWithSelector(Vesting.InvalidTimes.selector, 2, 1, 3));
        vesting.create(token, alice, 1, 2, 1, 3, false);
        vm.expectRevert(abi.encodeWithSelector(Vesting.InvalidTimes.selector, 1, 3, 2));
        vesting.create(token, alice, 1, 1, 3, 2, false);
        vm.expectRevert(abi.encodeWithSelector(Vesting.InvalidTimes.selector, 1, 1, 1));
        vesting.create(token, alice, 1, 1, 1, 1, false);
        bytes32 unknown = bytes32(uint256(1));
        vm.expectRevert(abi.encodeWithSelector(Vesting.UnknownSchedule.selector, unknown));
        vesting.release(unknown);
        bytes32 id = _create(1, true);
        vm.expectRevert(abi.encodeWithSelector(Vesting.NotFunder.selector, alice));
        vm.prank(alice);
        vesting.revoke(id);
    }
}
