// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {Market} from "../dex/Market.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {PriceFeed} from "src/lending/PriceFeed.sol";
import {AveragePrice} from "src/oracles/AveragePrice.sol";
import {CheckedPrice} from "src/oracles/CheckedPrice.sol";

contract PricesTest is Market {
    uint256 constant ONE = 1e36;

    ConstantProductPool pool;
    AveragePrice average;
    address alice = account("alice");

    function setUp() public {
        vm.warp(1_000_000);
        pool = new ConstantProductPool(vault, token0, token1, FEE);
        _fund(alice, address(pool), 1e30);
        _provide(pool, alice, 1e24, 4e24);
        average = new AveragePrice(pool, token0, 10 minutes);
    }

    function _pass(uint256 elapsed) private {
        vm.warp(block.timestamp + elapsed);
    }

    function test_RevertWhen_AnAverageMakesNoSense() external {
        vm.expectRevert(abi.encodeWithSelector(AveragePrice.WindowTooShort.selector, 59));
        new AveragePrice(pool, token0, 59);
        vm.expectRevert(abi.encodeWithSelector(AveragePrice.UnknownToken.selector, alice));
        new AveragePrice(pool, alice, 60);
    }

    function test_ThereIsNoPriceBeforeAWindowHasPassed() external {
        _pass(599);
        (uint256 price, uint256 at) = average.latestPrice();
        assertTrue(price == 0 && at == 0, "none yet");
        _pass(1);
        (price, at) = average.latestPrice();
        vm.assertEq(at, block.timestamp, "now");
        vm.assertApproxEqAbs(price, 4 * ONE, 1e20, "four for one");
        AveragePrice other = new AveragePrice(pool, token1, 10 minutes);
        _pass(600);
        (price,) = other.latestPrice();
        vm.assertApproxEqAbs(price, ONE / 4, 1e20, "a quarter the other way");
    }

    /// @dev A trade and its way back in one block leave no trace; held for a second, it counts for a second of the window.
    function test_AManipulatedPriceCountsForAsLongAsItIsHeld() external {
        _pass(600);
        average.poke();
        _pass(300);
        vm.startPrank(alice);
        uint256 out = pool.swap(token1, 4e24, 0, alice);
        (uint256 price,) = average.latestPrice();
        vm.assertApproxEqAbs(price, 4 * ONE, 1e20, "not in the block");
        _pass(1);
        (price,) = average.latestPrice();
        // The price is nearly four times as high for one of 901 seconds.
        assertTrue(price > 4 * ONE && price < 4 * ONE * 1004 / 1000, "a little");
        pool.swap(token0, out, 0, alice);
    }

    function test_CheckpointsAreAWindowApart() external {
        (, uint256 first) = average.newer();
        _pass(599);
        average.poke();
        (, uint256 at) = average.newer();
        vm.assertEq(at, first, "too early");
        _pass(1);
        average.poke();
        (, at) = average.newer();
        vm.assertEq(at, block.timestamp, "a window later");
        (, at) = average.older();
        vm.assertEq(at, first, "the one before");
    }

    /// @dev Where nobody pokes the average reaches further and further back, and says so.
    function test_AnAverageThatIsNotPokedGrowsOld() external {
        (, uint256 from) = average.newer();
        _pass(1500);
        (, uint256 at) = average.latestPrice();
        vm.assertEq(at, block.timestamp, "two windows and a half");
        _pass(1);
        (, at) = average.latestPrice();
        vm.assertEq(at, from, "older");
    }

    function test_APriceNeedsToBeConfirmed() external {
        _pass(600);
        PriceFeed feed = new PriceFeed(address(this), address(this), 1000, 4 * ONE);
        CheckedPrice checked = new CheckedPrice(feed, average, 500);
        (uint256 price, uint256 at) = checked.latestPrice();
        vm.assertEq(price, 4 * ONE, "the feed's");
        vm.assertEq(at, block.timestamp, "now");
        feed.set(4 * ONE * 1049 / 1000);
        (price,) = checked.latestPrice();
        vm.assertEq(price, 4 * ONE * 1049 / 1000, "near enough");
        feed.set(4 * ONE * 1051 / 1000);
        (price,) = checked.latestPrice();
        vm.assertEq(price, 0, "too high");
        feed.set(4 * ONE * 949 / 1000);
        (price,) = checked.latestPrice();
        vm.assertEq(price, 0, "too low");
        // As old as the older: first the feed, then the average.
        uint256 reported = block.timestamp;
        _pass(100);
        (, at) = checked.latestPrice();
        vm.assertEq(at, reported, "the feed's age");
        _pass(10_000);
        feed.set(4 * ONE);
        (, at) = checked.latestPrice();
        vm.assertEq(at, 1_000_000, "the average's age");
    }

    function test_RevertWhen_TheDeviationMakesNoSense() external {
        vm.expectRevert(abi.encodeWithSelector(CheckedPrice.InvalidDeviation.selector, 0));
        new CheckedPrice(average, average, 0);
        vm.expectRevert(abi.encodeWithSelector(CheckedPrice.InvalidDeviation.selector, 10_000));
        new CheckedPrice(average, average, 10_000);
    }
}
