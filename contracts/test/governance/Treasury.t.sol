// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {Treasury} from "src/governance/Treasury.sol";

contract TreasuryTest is Suite {
    uint256 constant START = 1_000_000;

    FreeToken usd = new FreeToken("USD");
    Treasury treasury = new Treasury(address(this));
    address alice = account("alice");
    address bob = account("bob");

    function setUp() public {
        vm.warp(START);
        usd.mint(address(this), 1e36);
        usd.approve(address(treasury), type(uint256).max);
        treasury.fund(usd, 1e30);
    }

    function testFuzz_AStreamFlowsEvenly(uint256 amount, uint256 duration, uint256 first, uint256 second) external {
        amount = bound(amount, 1, 1e30);
        duration = bound(duration, 1, 1e10);
        first = bound(first, 0, duration);
        second = bound(second, first, 2 * duration);
        uint256 stream = treasury.openStream(usd, alice, amount, START, duration);
        uint256 paid = 0;
        uint256[2] memory moments = [first, second];
        for (uint256 i = 0; i < 2; i++) {
            vm.warp(START + moments[i]);
            uint256 flowed = moments[i] >= duration ? amount : amount * moments[i] / duration;
            vm.assertEq(treasury.flowedOf(stream), flowed, "evenly");
            if (flowed == paid) continue;
            vm.prank(alice);
            paid += treasury.withdraw(stream, alice);
            vm.assertEq(paid, flowed, "all of it");
        }
        vm.assertEq(usd.balanceOf(alice), paid, "paid");
        vm.assertEq(treasury.setAside(usd), amount - paid, "the rest is set aside");
    }

    function test_AClosedStreamLeavesWhatHasFlowed() external {
        uint256 stream = treasury.openStream(usd, alice, 1000, START, 100);
        vm.warp(START + 30);
        vm.prank(alice);
        treasury.withdraw(stream, alice);
        vm.warp(START + 50);
        treasury.closeStream(stream);
        vm.assertEq(treasury.free(usd), 1e30 - 500, "half is free again");
        vm.expectRevert(abi.encodeWithSelector(Treasury.NothingDue.selector, stream));
        treasury.closeStream(stream);
        vm.warp(START + 1000);
        vm.prank(alice);
        vm.assertEq(treasury.withdraw(stream, bob), 200, "what had flowed");
        vm.assertEq(treasury.setAside(usd), 0, "nothing is left");
        vm.expectRevert(abi.encodeWithSelector(Treasury.NothingDue.selector, stream));
        vm.prank(alice);
        treasury.withdraw(stream, alice);
    }

    function test_AStreamIsClosedBeforeItBegins() external {
        uint256 stream = treasury.openStream(usd, alice, 1000, START + 50, 100);
        treasury.closeStream(stream);
        vm.assertEq(treasury.free(usd), 1e30, "all of it");
        vm.assertEq(treasury.flowedOf(stream), 0, "nothing");
    }

    function test_AStreamIsHandedOn() external {
        uint256 stream = treasury.openStream(usd, alice, 1000, START - 100, 100);
        vm.expectRevert(abi.encodeWithSelector(Treasury.NotRecipient.selector, stream, bob));
        vm.prank(bob);
        treasury.changeRecipient(stream, bob);
        vm.prank(alice);
        vm.expectRevert(Treasury.InvalidStream.selector);
        treasury.changeRecipient(stream, address(0));
        vm.prank(alice);
        treasury.changeRecipient(stream, bob);
        vm.expectRevert(abi.encodeWithSelector(Treasury.NotRecipient.selector, stream, alice));
        vm.prank(alice);
        treasury.withdraw(stream, alice);
        vm.prank(bob);
        vm.assertEq(treasury.withdraw(stream, bob), 1000, "all of it");
        vm.assertEq(treasury.streamOf(stream).recipient, bob, "his");
    }

    function test_PaymentsComeOutOfWhatIsFree() external {
        treasury.openStream(usd, alice, 1e30 - 10, START, 100);
        vm.expectRevert(abi.encodeWithSelector(Treasury.InsufficientFunds.selector, usd, 10, 11));
        treasury.pay(usd, bob, 11);
        vm.expectRevert(abi.encodeWithSelector(Treasury.InsufficientFunds.selector, usd, 10, 11));
        treasury.openStream(usd, bob, 11, START, 100);
        treasury.pay(usd, bob, 10);
        vm.assertEq(usd.balanceOf(bob), 10, "paid");
    }

    function test_GiftsAreRecognised() external {
        usd.transfer(address(treasury), 77);
        vm.assertEq(treasury.recognise(usd), 77, "counted");
        vm.assertEq(treasury.free(usd), 1e30 + 77, "free");
        vm.expectRevert(Treasury.NothingGiven.selector);
        treasury.recognise(usd);
    }

    function test_RevertWhen_AStreamMakesNoSense() external {
        bytes4 invalid = Treasury.InvalidStream.selector;
        vm.expectRevert(invalid);
        treasury.openStream(usd, address(0), 1, START, 1);
        vm.expectRevert(invalid);
        treasury.openStream(usd, alice, 0, START, 1);
        vm.expectRevert(invalid);
        treasury.openStream(usd, alice, 1, START, 0);
        vm.expectRevert(invalid);
        treasury.openStream(usd, alice, 1, 1 << 64, 1);
        vm.expectRevert(invalid);
        treasury.openStream(usd, alice, 1, START, 1 << 64);
        bytes memory unknown = abi.encodeWithSelector(Treasury.UnknownStream.selector, 0);
        vm.expectRevert(unknown);
        treasury.flowedOf(0);
        vm.expectRevert(unknown);
        treasury.closeStream(0);
        vm.expectRevert(unknown);
        treasury.withdraw(0, alice);
        vm.expectRevert(unknown);
        treasury.changeRecipient(0, alice);
    }

    function test_RevertWhen_NothingIsGiven() external {
        vm.expectRevert(Treasury.NothingGiven.selector);
        treasury.fund(usd, 0);
        vm.expectRevert(Treasury.NothingGiven.selector);
        treasury.pay(usd, bob, 0);
    }

    function test_RevertWhen_OthersRule() external {
        bytes memory refused = abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", alice);
        vm.startPrank(alice);
        vm.expectRevert(refused);
        treasury.pay(usd, alice, 1);
        vm.expectRevert(refused);
        treasury.openStream(usd, alice, 1, START, 1);
        vm.expectRevert(refused);
        treasury.closeStream(0);
        vm.stopPrank();
    }
}

/// @dev An owner and recipients at random.
contract TreasuryHandler is Suite {
    FreeToken public usd = new FreeToken("USD");
    Treasury public treasury = new Treasury(address(this));
    uint256 public clock = 1_000_000;

    constructor() {
        usd.mint(address(this), 1e40);
        usd.approve(address(treasury), type(uint256).max);
    }

    function pass(uint256 elapsed) external {
        clock += bound(elapsed, 1, 30 days);
    }

    function fund(uint256 amount) external {
        treasury.fund(usd, bound(amount, 1, 1e24));
    }

    function gift(uint256 amount) external {
        usd.transfer(address(treasury), bound(amount, 1, 1e24));
        treasury.recognise(usd);
    }

    function pay(uint256 amount) external {
        uint256 free = treasury.free(usd);
        if (free > 0) treasury.pay(usd, address(1), bound(amount, 1, free));
    }

    function open(uint256 amount, uint256 start, uint256 duration) external {
        vm.warp(clock);
        uint256 free = treasury.free(usd);
        if (free == 0) return;
        start = bound(start, clock - 10 days, clock + 10 days);
        treasury.openStream(usd, address(701), bound(amount, 1, free), start, bound(duration, 1, 100 days));
    }

    function close(uint256 stream) external {
        vm.warp(clock);
        if (treasury.streamCount() == 0) return;
        stream %= treasury.streamCount();
        if (treasury.flowedOf(stream) < treasury.streamOf(stream).amount) treasury.closeStream(stream);
    }

    function take(uint256 stream) external {
        vm.warp(clock);
        if (treasury.streamCount() == 0) return;
        stream %= treasury.streamCount();
        if (treasury.flowedOf(stream) == treasury.streamOf(stream).paid) return;
        vm.prank(address(701));
        treasury.withdraw(stream, address(702));
    }
}

contract TreasuryInvariants is Suite {
    TreasuryHandler handler;

    function setUp() public {
        handler = new TreasuryHandler();
        target(address(handler));
    }

    function invariant_WhatIsFreeAndSetAsideIsThere() external view {
        (Treasury treasury, FreeToken usd) = (handler.treasury(), handler.usd());
        uint256 owed = 0;
        for (uint256 i = 0; i < treasury.streamCount(); i++) {
            owed += treasury.streamOf(i).amount - treasury.streamOf(i).paid;
        }
        vm.assertEq(treasury.setAside(usd), owed, "set aside");
        vm.assertEq(usd.balanceOf(address(treasury)), treasury.free(usd) + owed, "held");
    }
}
