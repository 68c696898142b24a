// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {Market} from "./Market.sol";
import {FreeToken} from "./Tokens.sol";
import {CurveMath} from "src/dex/CurveMath.sol";
import {LiquidityPool} from "src/dex/LiquidityPool.sol";
import {StableMath} from "src/dex/StableMath.sol";
import {StablePool} from "src/dex/StablePool.sol";

/// @dev A token with few decimals, or too many.
contract DecimalToken is FreeToken("DEC") {
    uint8 private immutable places;

    constructor(uint8 places_) {
        places = places_;
    }

    function decimals() public view override returns (uint8) {
        return places;
    }
}

/// @dev What a library reverts with, one call further down.
contract Curve {
    function solve(uint256 x, uint256 y, uint256 a) external pure returns (uint256) {
        return StableMath.invariantUp(x, y, a);
    }

    function balanceUp(uint256 x, uint256 d, uint256 a) external pure returns (uint256) {
        return StableMath.balanceUp(x, d, a);
    }
}

contract StablePoolTest is Market {
    uint256 constant A = 200;
    uint256 constant STABLE_FEE = 100;

    Curve curve = new Curve();
    StablePool pool;
    address alice = account("alice");
    address bob = account("bob");

    function setUp() public {
        pool = new StablePool(vault, token0, token1, STABLE_FEE, A);
        _fund(alice, address(pool), 1e30);
        _fund(bob, address(pool), 1e30);
        _provide(pool, alice, 1e24, 1e24);
    }

    function test_RevertWhen_APoolMakesNoSense() external {
        vm.expectRevert(abi.encodeWithSelector(StablePool.InvalidAmplification.selector, 0));
        new StablePool(vault, token0, token1, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(StablePool.InvalidAmplification.selector, 10_001));
        new StablePool(vault, token0, token1, 0, 10_001);
        (address a, address b) = (address(new DecimalToken(19)), address(new DecimalToken(19)));
        (a, b) = a < b ? (a, b) : (b, a);
        vm.expectRevert(abi.encodeWithSelector(StablePool.TooManyDecimals.selector, a));
        new StablePool(vault, a, b, 0, A);
    }

    // The curve

    /// @dev At a price of one D is the sum; far from it, it lies between the sum and what the constant product says.
    function test_TheInvariantLiesBetweenSumAndProduct() external view {
        vm.assertEq(curve.solve(1e24, 1e24, A), 2e24, "the sum");
        uint256 d = curve.solve(4e24, 1e24, A);
        assertTrue(d < 5e24 && d > 4e24, "between the sum and twice the mean");
        uint256 flat = curve.solve(4e24, 1e24, 10_000);
        assertTrue(flat > d && flat < 5e24, "more amplified is nearer to the sum");
    }

    /// @dev The number is right to the last digits: the equation changes its sign around it. For numbers of which the cubes fit.
    function testFuzz_TheInvariantSolvesTheEquation(uint256 x, uint256 y, uint256 a) external view {
        x = bound(x, 1, 1e20);
        y = bound(y, 1, 1e20);
        a = bound(a, 1, 10_000);
        uint256 d = curve.solve(x, y, a);
        assertTrue(_isAtLeast(d, x, y, a), "not below the root");
        uint256 slack = 4;
        assertTrue(d <= slack || !_isAtLeast(d - slack, x, y, a), "and hardly above");
    }

    /// @dev Whether D^3 + 4 x y (4 A - 1) D >= 16 A x y (x + y).
    function _isAtLeast(uint256 d, uint256 x, uint256 y, uint256 a) private pure returns (bool) {
        return d ** 3 + 4 * x * y * (4 * a - 1) * d >= 16 * a * x * y * (x + y);
    }

    function testFuzz_TheCurveComesBackToItsReserves(uint256 x, uint256 y, uint256 a) external view {
        x = bound(x, 1e6, 1e30);
        y = bound(y, x / 1000 + 1, x > 1e27 ? 1e30 : x * 1000);
        a = bound(a, 1, 10_000);
        uint256 d = curve.solve(x, y, a);
        uint256 back = curve.balanceUp(x, d, a);
        assertTrue(back >= y, "no less than there is");
        assertTrue(back - y <= y / 1e6 + 1e4, "and hardly more");
    }

    function testFuzz_NothingStopsTheCurve(uint256 x, uint256 y, uint256 a) external view {
        x = bound(x, 1, StableMath.MAX);
        y = bound(y, 1, StableMath.MAX);
        a = bound(a, 1, 10_000);
        uint256 d = curve.solve(x, y, a);
        assertTrue(d <= x + y, "no more than the sum");
    }

    function test_RevertWhen_ReservesAreBeyondCounting() external {
        uint256 over = StableMath.MAX + 1;
        vm.expectRevert(abi.encodeWithSelector(StableMath.ReserveTooLarge.selector, over));
        curve.solve(over, 1, A);
        vm.expectRevert(abi.encodeWithSelector(StableMath.ReserveTooLarge.selector, over));
        curve.solve(1, over, A);
        vm.expectRevert(abi.encodeWithSelector(StableMath.ReserveTooLarge.selector, over));
        curve.balanceUp(over, 1, A);
    }

    // Trades

    function test_NearOneATradeCostsLittleMoreThanTheFee() external view {
        uint256 out = pool.quote(token0, 1e22);
        // One in a hundred of a side, for less than a hundredth of a cent in price.
        assertTrue(out > 1e22 * 99_980 / 100_000 && out < 1e22 * 99_990 / 100_000, "price");
    }

    function testFuzz_TheInvariantNeverFalls(uint256 amount, uint256 before, bool first) external {
        before = bound(before, 1e6, 9e23);
        amount = bound(amount, 1e6, 1e28);
        vm.startPrank(bob);
        pool.swap(token1, before, 0, bob);
        uint256 d = pool.invariant();
        address tokenIn = first ? token0 : token1;
        uint256 quoted = pool.quote(tokenIn, amount);
        if (quoted == 0) return;
        vm.assertEq(pool.swap(tokenIn, amount, quoted, bob), quoted, "as quoted");
        // D is found to a few units.
        assertTrue(pool.invariant() + 3 >= d, "D");
        _assertBacked(pool);
    }

    function testFuzz_ThereAndBackLoses(uint256 amount, uint256 parts) external {
        amount = bound(amount, 1, 1e28);
        parts = bound(parts, 1, 5);
        vm.startPrank(bob);
        uint256 out;
        for (uint256 i = 0; i < parts; i++) {
            if (pool.quote(token0, amount / parts) == 0) return;
            out += pool.swap(token0, amount / parts, 0, bob);
        }
        if (pool.quote(token1, out) == 0) return;
        assertTrue(pool.swap(token1, out, 0, bob) <= amount, "no more than before");
    }

    function testFuzz_AnExactOutputIsReached(uint256 wanted, bool first) external view {
        wanted = bound(wanted, 1, 999e21);
        address tokenIn = first ? token0 : token1;
        uint256 needed = pool.quoteExact(tokenIn, wanted);
        assertTrue(pool.quote(tokenIn, needed) >= wanted, "enough");
        assertTrue(needed < 10 || pool.quote(tokenIn, needed - needed / 1e6 - 8) <= wanted, "and hardly more");
    }

    function test_RevertWhen_TheReservesAreTooSmall() external {
        vm.expectRevert(abi.encodeWithSelector(CurveMath.InsufficientReserves.selector, 1e24, 1e24));
        pool.quoteExact(token0, 1e24);
        vm.expectRevert(abi.encodeWithSelector(CurveMath.InsufficientReserves.selector, 1e24, 1e24 - 1));
        pool.quoteExact(token0, 1e24 - 1);
    }

    function test_AnEmptyPoolTradesNothing() external {
        StablePool empty = new StablePool(vault, token0, token1, STABLE_FEE, A);
        vm.assertEq(empty.quote(token0, 1e9), 0, "quote");
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.InsufficientOutput.selector, 0, 0));
        vm.prank(bob);
        empty.swap(token0, 1e9, 0, bob);
    }

    /// @dev One whole token for one whole token, whatever their decimals.
    function test_DecimalsDoNotMatter() external {
        (address a, address b) = (address(new DecimalToken(6)), address(new DecimalToken(18)));
        (token0, token1) = a < b ? (a, b) : (b, a);
        (id0, id1) = (uint160(token0), uint160(token1));
        (uint256 one0, uint256 one1) = a < b ? (uint256(1e6), uint256(1e18)) : (uint256(1e18), uint256(1e6));
        StablePool mixed = new StablePool(vault, token0, token1, STABLE_FEE, A);
        _fund(alice, address(mixed), 1e30);
        _provide(mixed, alice, 1e6 * one0, 1e6 * one1);
        vm.assertEq(mixed.invariant(), 2e24, "D");
        uint256 out = mixed.quote(token0, 1000 * one0);
        assertTrue(out > 999 * one1 && out < 1000 * one1, "one for one, less the fee");
        out = mixed.quote(token1, 1000 * one1);
        assertTrue(out > 999 * one0 && out < 1000 * one0, "either way");
    }
}
