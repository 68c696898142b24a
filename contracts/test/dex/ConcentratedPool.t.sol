// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {Market} from "./Market.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";
import {BinMap} from "src/dex/BinMap.sol";
import {ConcentratedPool} from "src/dex/ConcentratedPool.sol";
import {CurveMath} from "src/dex/CurveMath.sol";

contract BinMapTest is Suite {
    using BinMap for BinMap.Map;

    BinMap.Map private map;

    /// @dev Beside a plain search through all members.
    function testFuzz_NeighboursAreTheNearest(uint256[20] calldata seeds, uint256 id) external {
        id = bound(id, 0, 65_535);
        (uint256 low, uint256 high) = (0, type(uint256).max);
        for (uint256 i = 0; i < 20; i++) {
            // Half of them near, so that words are shared.
            uint256 member = i % 2 == 0 ? seeds[i] % 65_536 : (id + seeds[i] % 300) % 65_536;
            map.add(member);
            if (member < id && member + 1 > low) low = member + 1;
            if (member > id && member < high) high = member;
        }
        (bool found, uint256 near) = map.below(id);
        assertTrue(found == (low != 0) && (!found || near == low - 1), "below");
        (found, near) = map.above(id);
        assertTrue(found == (high != type(uint256).max) && (!found || near == high), "above");
    }

    function test_TheEndsHaveOneNeighbour() external {
        map.add(0);
        map.add(65_535);
        (bool found,) = map.below(0);
        assertFalse(found, "none below the first");
        (found,) = map.above(65_535);
        assertFalse(found, "none above the last");
        (, uint256 last) = map.above(0);
        (, uint256 first) = map.below(65_535);
        assertTrue(last == 65_535 && first == 0, "each other");
    }
}

contract ConcentratedPoolTest is Market {
    uint256 constant CENTRE = 1 << 15;
    uint256 constant ONE = 1 << 128;
    uint256 constant STEP = 25;

    ConcentratedPool pool;
    address lp = account("lp");
    address alice = account("alice");
    address bob = account("bob");

    function setUp() public {
        pool = new ConcentratedPool(vault, token0, token1, FEE, STEP, CENTRE);
        _fund(lp, address(pool), 1e30);
        _fund(alice, address(pool), 1e30);
        _fund(bob, address(pool), 1e30);
        // Five bins on each side, and both tokens in the middle.
        _add(lp, CENTRE, 1e21, 1e21);
        for (uint256 i = 1; i <= 5; i++) {
            _add(lp, CENTRE + i, 1e21, 0);
            _add(lp, CENTRE - i, 0, 1e21);
        }
    }

    function _add(address who, uint256 id, uint256 max0, uint256 max1) private returns (uint256 shares) {
        vm.prank(who);
        (shares,,) = pool.addLiquidity(id, max0, max1, 0, who);
    }

    function _swap(address who, address tokenIn, uint256 amount) private returns (uint256) {
        vm.prank(who);
        return pool.swap(tokenIn, amount, 0, who);
    }

    function _worth(uint256 id) private view returns (uint256) {
        (uint128 r0, uint128 r1) = pool.bins(id);
        return Math.mulDiv(r0, pool.priceOf(id), 1 << 128) + r1;
    }

    function test_RevertWhen_APoolMakesNoSense() external {
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.UnsortedTokens.selector, token1, token0));
        new ConcentratedPool(vault, token1, token0, FEE, STEP, CENTRE);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.FeeTooHigh.selector, 100_001));
        new ConcentratedPool(vault, token0, token1, 100_001, STEP, CENTRE);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InvalidStep.selector, 0));
        new ConcentratedPool(vault, token0, token1, FEE, 0, CENTRE);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InvalidStep.selector, 501));
        new ConcentratedPool(vault, token0, token1, FEE, 501, CENTRE);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InvalidBin.selector, 0));
        new ConcentratedPool(vault, token0, token1, FEE, STEP, 0);
    }

    // Prices

    function test_PricesAreAStepApart() external view {
        vm.assertEq(pool.priceOf(CENTRE), ONE, "one");
        vm.assertEq(pool.priceOf(CENTRE + 1), ONE * 10_025 / 10_000, "a step more");
        vm.assertEq(pool.priceOf(CENTRE - 1), ONE * 10_000 / 10_025, "a step less");
        uint256 far = pool.farthest();
        assertTrue(pool.priceOf(CENTRE + far) <= 1 << 192, "no more than 2^64");
        assertTrue(pool.priceOf(CENTRE - far) >= 1 << 64, "no less than 2^-64");
    }

    function testFuzz_PricesRise(uint256 id) external view {
        id = bound(id, CENTRE - pool.farthest(), CENTRE + pool.farthest() - 1);
        (uint256 low, uint256 high) = (pool.priceOf(id), pool.priceOf(id + 1));
        assertTrue(high > low, "rise");
        // Squaring cuts a few of at least 64 digits.
        vm.assertApproxEqAbs(high * 1e9 / low, 1_002_500_000, 2, "by a step");
    }

    function test_RevertWhen_ABinIsTooFar() external {
        uint256 over = CENTRE + pool.farthest() + 1;
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InvalidBin.selector, over));
        pool.priceOf(over);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InvalidBin.selector, 0));
        pool.addLiquidity(0, 1, 1, 0, alice);
    }

    // Liquidity

    function test_OneSideOfThePriceTakesOneToken() external {
        vm.startPrank(alice);
        (, uint256 amount0, uint256 amount1) = pool.addLiquidity(CENTRE + 6, 1e18, 1e18, 0, alice);
        assertTrue(amount0 == 1e18 && amount1 == 0, "above");
        (, amount0, amount1) = pool.addLiquidity(CENTRE - 6, 1e18, 1e18, 0, alice);
        assertTrue(amount0 == 0 && amount1 == 1e18, "below");
        (, amount0, amount1) = pool.addLiquidity(CENTRE + 6, 1e18, 1e18, 0, alice);
        assertTrue(amount0 == 1e18 && amount1 == 0, "again");
        (, amount0, amount1) = pool.addLiquidity(CENTRE, 5e18, 1e18, 0, alice);
        vm.assertApproxEqAbs(amount0, amount1, 1, "as the bin has them");
    }

    function testFuzz_AddingAndRemovingGivesNothing(uint256 id, uint256 max0, uint256 max1, uint256 traded) external {
        id = bound(id, CENTRE - 5, CENTRE + 5);
        _swap(bob, token0, bound(traded, 1e6, 5e21));
        max0 = bound(max0, 1e6, 1e27);
        max1 = bound(max1, 1e6, 1e27);
        vm.startPrank(alice);
        (uint256 shares, uint256 in0, uint256 in1) = pool.addLiquidity(id, max0, max1, 1, alice);
        assertTrue(in0 <= max0 && in1 <= max1, "within the bounds");
        (uint256 out0, uint256 out1) = pool.removeLiquidity(id, shares, 0, 0, alice);
        assertTrue(out0 <= in0 && out1 <= in1, "rounded for the bin");
        vm.assertApproxEqAbs(out0, in0, 1, "by one at most");
        vm.assertApproxEqAbs(out1, in1, 1, "by one at most");
    }

    function test_RevertWhen_SharesAreTooFew() external {
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InsufficientShares.selector, 1000, 1001));
        pool.addLiquidity(CENTRE - 7, 1e18, 1000, 0, alice);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InsufficientShares.selector, 0, 1));
        pool.addLiquidity(CENTRE, 1e18, 0, 0, alice);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InsufficientShares.selector, 9000, 9001));
        pool.addLiquidity(CENTRE - 7, 0, 10_000, 9001, alice);
        uint256 over = 1 << 112;
        vm.expectRevert(abi.encodeWithSelector(CurveMath.AmountTooLarge.selector, over));
        pool.addLiquidity(CENTRE, over, 0, 0, alice);
        vm.expectRevert(abi.encodeWithSelector(CurveMath.AmountTooLarge.selector, over));
        pool.addLiquidity(CENTRE, 0, over, 0, alice);
    }

    function test_RevertWhen_RemovingGivesTooLittle() external {
        vm.startPrank(lp);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InsufficientOutput.selector, 500, 501));
        pool.removeLiquidity(CENTRE, 1000, 501, 0, lp);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InsufficientOutput.selector, 500, 501));
        pool.removeLiquidity(CENTRE, 1000, 0, 501, lp);
    }

    // Trades

    /// @dev Within a bin one price holds, to the last of it.
    function test_ABinGivesWhatItHasAtOnePrice() external {
        vm.assertEq(pool.quote(token0, 1e18), 1e18 * (UNIT - FEE) / UNIT, "a little");
        uint256 all = pool.quoteExact(token0, 1e21);
        vm.assertEq(_swap(alice, token0, all), 1e21, "all of it");
        vm.assertEq(pool.activeBin(), CENTRE, "still the bin");
        uint256 less = 1e18 * (UNIT - FEE) / UNIT;
        vm.assertApproxEqAbs(_swap(alice, token0, 1e18), less * 10_000 / 10_025, 2, "then a step lower");
        vm.assertEq(pool.activeBin(), CENTRE - 1, "the next");
    }

    function test_EmptyBinsArePassedOver() external {
        _add(lp, CENTRE - 700, 0, 1e21);
        uint256 all = pool.quoteExact(token0, 6e21);
        _swap(alice, token0, all);
        uint256 out = _swap(alice, token0, 1e18);
        vm.assertEq(pool.activeBin(), CENTRE - 700, "far down");
        assertTrue(out < 1e18 / 5, "and dear");
        // And back: bins between have token 0 now.
        _swap(alice, token1, 1e19);
        assertTrue(pool.activeBin() > CENTRE - 700, "up again");
    }

    function testFuzz_NoBinLosesByATrade(uint256 amount, uint256 before, bool first) external {
        _swap(bob, token1, bound(before, 1e6, 5e21));
        uint256[11] memory worth;
        for (uint256 i = 0; i < 11; i++) {
            worth[i] = _worth(CENTRE - 5 + i);
        }
        address tokenIn = first ? token0 : token1;
        amount = bound(amount, 1e3, 1e22);
        uint256 quoted = pool.quote(tokenIn, amount);
        if (quoted == 0) return;
        vm.assertEq(_swap(alice, tokenIn, amount), quoted, "as quoted");
        for (uint256 i = 0; i < 11; i++) {
            // The measure cuts a unit of its own.
            assertTrue(_worth(CENTRE - 5 + i) + 1 >= worth[i], "worth");
        }
        _assertThere();
    }

    function testFuzz_ThereAndBackLoses(uint256 amount) external {
        amount = bound(amount, 1e3, 5e21);
        uint256 out = _swap(alice, token0, amount);
        assertTrue(_swap(alice, token1, out) < amount, "less than before");
    }

    function testFuzz_AnExactOutputIsReached(uint256 wanted, bool first) external {
        wanted = bound(wanted, 1, 6e21);
        address tokenIn = first ? token0 : token1;
        uint256 needed = pool.quoteExact(tokenIn, wanted);
        assertTrue(_swap(alice, tokenIn, needed) >= wanted, "enough");
    }

    function test_RevertWhen_BinsHaveTooLittle() external {
        vm.assertEq(pool.quote(token0, 1e23), 0, "no quote");
        vm.expectRevert();
        _swap(alice, token0, 1e23);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InsufficientLiquidity.selector, 1));
        pool.quoteExact(token0, 6e21 + 1);
        ConcentratedPool empty = new ConcentratedPool(vault, token0, token1, FEE, STEP, CENTRE);
        vm.assertEq(empty.quote(token0, 1), 0, "an empty pool");
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InsufficientLiquidity.selector, 1));
        empty.swap(token0, 1, 0, alice);
    }

    function test_RevertWhen_ATradeGivesTooLittle() external {
        uint256 quoted = pool.quote(token0, 1e15);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InsufficientOutput.selector, quoted, quoted + 1));
        pool.swap(token0, 1e15, quoted + 1, alice);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.InsufficientOutput.selector, 0, 0));
        pool.swap(token0, 0, 0, alice);
        vm.expectRevert(abi.encodeWithSelector(ConcentratedPool.UnknownToken.selector, bob));
        pool.swap(bob, 1, 0, alice);
    }

    /// @dev Whoever makes a pool at a wrong price is put right by a little liquidity and a trade.
    function test_AWrongStartIsPutRight() external {
        ConcentratedPool wrong = new ConcentratedPool(vault, token0, token1, FEE, STEP, CENTRE + 9000);
        vm.startPrank(alice);
        vault.setOperator(address(wrong), true);
        wrong.addLiquidity(CENTRE, 0, 2000, 0, alice);
        wrong.swap(token0, 10, 0, alice);
        vm.assertEq(wrong.activeBin(), CENTRE, "where it belongs");
        (, uint256 amount0,) = wrong.addLiquidity(CENTRE + 1, 1e18, 0, 0, alice);
        vm.assertEq(amount0, 1e18, "and bins above take token 0");
    }

    /// @dev A bin keeps what nobody's shares are worth, so nobody makes a share dear by gifts or rounding.
    function testFuzz_GiftsChangeNothing(uint256 gift) external {
        gift = bound(gift, 1, 1e29);
        _add(bob, CENTRE - 8, 0, 1001);
        vm.prank(bob);
        vault.transfer(address(pool), id1, gift);
        vm.assertEq(_add(alice, CENTRE - 8, 0, 1e18), 1e18, "a share is a unit");
    }

    function _assertThere() private view {
        uint256 sum0;
        uint256 sum1;
        for (uint256 i = 0; i < 11; i++) {
            (uint128 r0, uint128 r1) = pool.bins(CENTRE - 5 + i);
            sum0 += r0;
            sum1 += r1;
        }
        vm.assertEq(vault.balanceOf(address(pool), id0), sum0, "token 0");
        vm.assertEq(vault.balanceOf(address(pool), id1), sum1, "token 1");
    }
}

/// @dev Providers and traders at random over thirty bins.
contract ConcentratedHandler is Market {
    uint256 constant CENTRE = 1 << 15;

    ConcentratedPool public immutable pool;
    address[3] public accounts = [address(501), address(502), address(503)];
    uint256[31] private best;
    /// @dev The prices of the bins, which never change.
    uint256[31] private prices;

    constructor() {
        pool = new ConcentratedPool(vault, token0, token1, 500, 10, CENTRE);
        for (uint256 i = 0; i < 3; i++) {
            _fund(accounts[i], address(pool), 1e27);
        }
        for (uint256 i = 0; i < 31; i++) {
            prices[i] = pool.priceOf(CENTRE - 15 + i);
        }
        provide(0, 15, 1e24, 1e24);
    }

    /// @dev What a bin's shares are worth never falls but for rounding.
    modifier watched() {
        _;
        for (uint256 i = 0; i < 31; i++) {
            uint256 supply = pool.totalSupply(CENTRE - 15 + i);
            if (supply == 0) continue;
            uint256 worth = binWorth(CENTRE - 15 + i) * 1e18 / supply;
            // A unit in a bin of few shares is a part of them.
            assertTrue(worth + 2e18 / supply + 1 >= best[i], "a share is never worth less");
            if (worth > best[i]) best[i] = worth;
        }
    }

    function provide(uint256 who, uint256 which, uint256 max0, uint256 max1) public watched {
        address provider = accounts[who % 3];
        max0 = bound(max0, 0, vault.balanceOf(provider, id0) / 20);
        max1 = bound(max1, 0, vault.balanceOf(provider, id1) / 20);
        vm.prank(provider);
        try pool.addLiquidity(CENTRE - 15 + which % 31, max0, max1, 0, provider) {}
        catch (bytes memory reason) {
            assertTrue(bytes4(reason) == ConcentratedPool.InsufficientShares.selector, "only too little");
        }
    }

    function remove(uint256 who, uint256 which, uint256 shares) external watched {
        address provider = accounts[who % 3];
        uint256 id = CENTRE - 15 + which % 31;
        shares = bound(shares, 0, pool.balanceOf(provider, id));
        vm.prank(provider);
        pool.removeLiquidity(id, shares, 0, 0, provider);
    }

    function swap(uint256 who, bool first, uint256 amount) external watched {
        address trader = accounts[who % 3];
        address tokenIn = first ? token0 : token1;
        amount = bound(amount, 0, vault.balanceOf(trader, uint160(tokenIn)) / 20);
        uint256 quoted = pool.quote(tokenIn, amount);
        if (quoted == 0) return;
        vm.prank(trader);
        vm.assertEq(pool.swap(tokenIn, amount, quoted, trader), quoted, "as quoted");
    }

    /// @dev Reserves sum up to what the pool has; one side of the active bin has one token.
    function check() external view {
        uint256 sum0;
        uint256 sum1;
        for (uint256 id = CENTRE - 15; id <= CENTRE + 15; id++) {
            (uint128 r0, uint128 r1) = pool.bins(id);
            sum0 += r0;
            sum1 += r1;
            assertTrue(id <= pool.activeBin() || r1 == 0, "no token 1 above");
            assertTrue(id >= pool.activeBin() || r0 == 0, "no token 0 below");
        }
        vm.assertEq(vault.balanceOf(address(pool), id0), sum0, "token 0");
        vm.assertEq(vault.balanceOf(address(pool), id1), sum1, "token 1");
    }

    function binWorth(uint256 id) public view returns (uint256) {
        (uint128 r0, uint128 r1) = pool.bins(id);
        return Math.mulDiv(r0, prices[id + 15 - CENTRE], 1 << 128) + r1;
    }
}

contract ConcentratedInvariants is Suite {
    ConcentratedHandler handler;

    function setUp() public {
        handler = new ConcentratedHandler();
        target(address(handler));
    }

    function invariant_ReservesAreThereAndInOrder() external view {
        handler.check();
    }
}
