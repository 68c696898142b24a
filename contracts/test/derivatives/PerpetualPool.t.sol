// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {PerpetualSuite} from "./PerpetualSuite.sol";
import {IPerpetualExchange} from "src/derivatives/IPerpetualExchange.sol";

contract PerpetualPoolTest is PerpetualSuite {
    uint256 alice;

    function setUp() public {
        _open();
        alice = _fund(account("alice"), 100_000 * USD);
    }

    function _leave(address who, uint256 shares) private returns (uint256) {
        vm.prank(who);
        exchange.requestLeave(shares);
        _pass(1 days);
        vm.prank(who);
        return exchange.removeLiquidity(shares, who);
    }

    function testFuzz_ComingAndGoingGainsNothing(uint256 amount) external {
        amount = bound(amount, 1, 1e24);
        uint256 shares = exchange.addLiquidity(amount, address(this));
        uint256 back = _leave(address(this), shares);
        assertTrue(back <= amount && amount - back <= 1, "rounded for those who stay");
    }

    function test_ProvidersHaveWhatTradersLose() external {
        uint256 shares = exchange.addLiquidity(10_000_000 * USD, address(this));
        _trade(alice, 40 * ETHER);
        _passTo(1900);
        // Forty times a hundred, and what she bought above the price.
        (uint256 value,) = exchange.poolValue();
        vm.assertApproxEqAbs(value, 20_000_000 * USD + 4000 * USD + 480 * USD, 1000, "not settled yet");
        _trade(alice, -40 * ETHER);
        vm.assertApproxEqAbs(_leave(address(this), shares), 10_002_278 * USD, 10_000, "half of it");
    }

    function test_APoolIsValuedOnceABlock() external {
        _trade(alice, 40 * ETHER);
        _pass(2);
        uint256 shares = exchange.addLiquidity(1e6 * USD, address(this));
        vm.assertApproxEqAbs(exchange.addLiquidity(1e6 * USD, address(this)), shares, 0, "the same for all");
        _trade(alice, 40 * ETHER);
        vm.assertEq(exchange.addLiquidity(1e6 * USD, address(this)), shares, "whatever is traded");
        vm.assertEq(exchange.totalShares(), exchange.sharesOf(address(this)) + exchange.sharesOf(provider), "sum");
    }

    /// @dev Who comes first and makes a share dear, by losing to the pool, loses more than those who come later.
    function testFuzz_AFirstShareIsNotMadeDear(uint256 loss, uint256 amount) external {
        uint256 shares = exchange.sharesOf(provider);
        _leave(provider, shares);
        vm.assertApproxEqAbs(exchange.pool(), 0, 1, "empty");
        exchange.addLiquidity(1, address(this));
        loss = bound(loss, 1, 1e12);
        // A gift to the pool, as a loss would be.
        vm.prank(account("alice"));
        usd.transfer(address(exchange), loss);
        amount = bound(amount, 2, 1e12);
        _pass(2);
        vm.prank(provider);
        shares = exchange.addLiquidity(amount, provider);
        uint256 back = _leave(provider, shares);
        assertTrue(amount - back <= 1, "gifts are nobody's");
    }

    function test_RevertWhen_SharesAreNotThereOrNotLeaving() external {
        uint256 shares = exchange.sharesOf(provider);
        vm.startPrank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(IPerpetualExchange.InsufficientShares.selector, provider, shares, shares + 1)
        );
        exchange.requestLeave(shares + 1);
        exchange.requestLeave(100);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.InsufficientShares.selector, provider, 100, 101));
        exchange.removeLiquidity(101, provider);
        (uint256 from, uint256 until) = (block.timestamp + 1 days, block.timestamp + 3 days);
        bytes memory early = abi.encodeWithSelector(IPerpetualExchange.NotLeaving.selector, from, until);
        vm.expectRevert(early);
        exchange.removeLiquidity(100, provider);
        vm.warp(until + 1);
        vm.expectRevert(early);
        exchange.removeLiquidity(100, provider);
        vm.stopPrank();
        vm.warp(until);
        feed.set(2000 * PER_ETHER);
        vm.startPrank(provider);
        exchange.removeLiquidity(100, provider);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.InsufficientShares.selector, provider, 0, 1));
        exchange.removeLiquidity(1, provider);
        vm.stopPrank();
    }

    function test_RevertWhen_LiquidityBacksPositions() external {
        usd.mint(address(this), 1e6 * USD);
        exchange.deposit(alice, 1e6 * USD);
        _trade(alice, 400 * ETHER);
        uint256 shares = exchange.sharesOf(provider);
        vm.prank(provider);
        exchange.requestLeave(shares);
        _pass(1 days);
        (uint256 value, uint256 free) = exchange.poolValue();
        vm.assertApproxEqAbs(exchange.pool() - free, 800_000 * USD, 1, "four hundred at 2000");
        uint256 most = shares * free / value;
        vm.startPrank(provider);
        vm.expectRevert();
        exchange.removeLiquidity(shares, provider);
        exchange.removeLiquidity(most - 1e9, provider);
        uint256 left = shares - most;
        vm.expectRevert();
        exchange.removeLiquidity(left, provider);
        vm.stopPrank();
        _pass(2);
        _trade(alice, -400 * ETHER);
        vm.prank(provider);
        vm.expectRevert();
        exchange.removeLiquidity(shares, provider);
        _pass(2);
        vm.prank(provider);
        exchange.removeLiquidity(left, provider);
    }

    /// @dev Traders who are paid within a block may leave less than the pool was counted to have.
    function test_RevertWhen_TheCashIsGone() external {
        uint256 rich = _fund(account("rich"), 1e7 * USD);
        _trade(rich, 900 * ETHER);
        uint256 shares = exchange.sharesOf(provider);
        vm.prank(provider);
        exchange.requestLeave(shares);
        _pass(1 days);
        for (uint256 dollars = 3000; dollars <= 6000; dollars *= 2) {
            _passTo(dollars);
        }
        (uint256 value, uint256 free) = exchange.poolValue();
        uint256 some = shares * free / value / 2;
        vm.prank(provider);
        exchange.removeLiquidity(some, provider);
        _trade(rich, -900 * ETHER);
        vm.assertApproxEqAbs(exchange.pool(), value / 2 + (value - free) / 2, value / 100, "paid");
    }

    function test_TheInsuranceTakesGifts() external {
        exchange.insure(5 * USD);
        vm.assertEq(exchange.insurance(), 5 * USD, "fund");
    }
}
