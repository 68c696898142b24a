// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {Market} from "./Market.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {CurveMath} from "src/dex/CurveMath.sol";
import {IVault} from "src/dex/IVault.sol";
import {LiquidityPool} from "src/dex/LiquidityPool.sol";

contract ConstantProductPoolTest is Market {
    ConstantProductPool pool;
    address alice = account("alice");
    address bob = account("bob");

    function setUp() public {
        pool = new ConstantProductPool(vault, token0, token1, FEE);
        _fund(alice, address(pool), 1e30);
        _fund(bob, address(pool), 1e30);
        _provide(pool, alice, 1e18, 4e18);
    }

    function test_RevertWhen_APoolMakesNoSense() external {
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.UnsortedTokens.selector, token1, token0));
        new ConstantProductPool(vault, token1, token0, FEE);
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.UnsortedTokens.selector, token0, token0));
        new ConstantProductPool(vault, token0, token0, FEE);
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.FeeTooHigh.selector, 100_001));
        new ConstantProductPool(vault, token0, token1, 100_001);
    }

    // Liquidity

    function test_TheFirstGetsTheGeometricMean() external view {
        vm.assertEq(pool.balanceOf(alice), 2e18 - 1000, "shares");
        vm.assertEq(pool.totalSupply(), 2e18, "supply");
    }

    function testFuzz_AddingAndRemovingGivesNothing(uint256 max0, uint256 max1) external {
        max0 = bound(max0, 1e6, 1e29);
        max1 = bound(max1, 1e6, 1e29);
        vm.startPrank(bob);
        (uint256 shares, uint256 in0, uint256 in1) = pool.addLiquidity(max0, max1, 1, bob);
        assertTrue(in0 <= max0 && in1 <= max1, "within the bounds");
        (uint256 out0, uint256 out1) = pool.removeLiquidity(shares, 0, 0, bob);
        assertTrue(out0 <= in0 && out1 <= in1, "rounded for the pool");
        vm.assertApproxEqAbs(out0, in0, 1, "and by no more than one");
        vm.assertApproxEqAbs(out1, in1, 2, "and by no more than two");
    }

    function test_RevertWhen_SharesAreTooFew() external {
        vm.startPrank(bob);
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.InsufficientShares.selector, 2e9, 2e9 + 1));
        pool.addLiquidity(1e9, 4e9, 2e9 + 1, bob);
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.InsufficientShares.selector, 0, 1));
        pool.addLiquidity(1, 0, 0, bob);
        ConstantProductPool fresh = new ConstantProductPool(vault, token0, token1, FEE);
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.InsufficientShares.selector, 1000, 1001));
        fresh.addLiquidity(1000, 1000, 0, bob);
    }

    function test_RevertWhen_RemovingGivesTooLittle() external {
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.InsufficientOutput.selector, 5e8, 5e8 + 1));
        pool.removeLiquidity(1e9, 5e8 + 1, 0, alice);
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.InsufficientOutput.selector, 2e9, 2e9 + 1));
        pool.removeLiquidity(1e9, 0, 2e9 + 1, alice);
    }

    function test_RevertWhen_AmountsAreBeyondCounting() external {
        vm.startPrank(bob);
        vm.expectRevert(abi.encodeWithSelector(CurveMath.AmountTooLarge.selector, uint256(1) << 112));
        pool.addLiquidity(1 << 112, 1, 0, bob);
        vm.expectRevert(abi.encodeWithSelector(CurveMath.AmountTooLarge.selector, uint256(1) << 112));
        pool.swap(token0, 1 << 112, 0, bob);
    }

    /// @dev Who gives tokens to an empty or a new pool makes no share dear: they count for nothing.
    function testFuzz_GiftsChangeNoPrice(uint256 gift) external {
        gift = bound(gift, 1, 1e29);
        uint256 before = pool.quote(token0, 1e15);
        vm.prank(bob);
        vault.transfer(address(pool), id0, gift);
        vm.assertEq(pool.quote(token0, 1e15), before, "price");
        vm.prank(bob);
        (uint256 shares,,) = pool.addLiquidity(1e9, 4e9, 0, bob);
        vm.assertEq(shares, 2e9, "shares");
    }

    // Trades

    function testFuzz_TheProductNeverFalls(uint256 amount, bool first) external {
        amount = bound(amount, 10, 1e29);
        address tokenIn = first ? token0 : token1;
        uint256 product = pool.reserve0() * pool.reserve1();
        uint256 quoted = pool.quote(tokenIn, amount);
        vm.assume(quoted != 0);
        vm.prank(bob);
        vm.assertEq(pool.swap(tokenIn, amount, quoted, bob), quoted, "as quoted");
        assertTrue(pool.reserve0() * pool.reserve1() >= product, "product");
        _assertBacked(pool);
    }

    function testFuzz_ThereAndBackLoses(uint256 amount) external {
        amount = bound(amount, 1e6, 1e29);
        vm.startPrank(bob);
        uint256 out = pool.swap(token0, amount, 0, bob);
        assertTrue(pool.swap(token1, out, 0, bob) < amount, "less than before");
    }

    function testFuzz_AnExactOutputIsReached(uint256 wanted, bool first) external view {
        wanted = bound(wanted, 1, 9e17);
        address tokenIn = first ? token0 : token1;
        uint256 needed = pool.quoteExact(tokenIn, wanted);
        assertTrue(pool.quote(tokenIn, needed) >= wanted, "enough");
        assertTrue(pool.quote(tokenIn, needed - 1) < wanted, "and no more than enough");
    }

    function test_RevertWhen_ATradeGivesTooLittle() external {
        uint256 quoted = pool.quote(token0, 1e15);
        vm.startPrank(bob);
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.InsufficientOutput.selector, quoted, quoted + 1));
        pool.swap(token0, 1e15, quoted + 1, bob);
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.InsufficientOutput.selector, 0, 0));
        pool.swap(token0, 0, 0, bob);
    }

    function test_RevertWhen_TheTokenIsUnknown() external {
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.UnknownToken.selector, bob));
        pool.swap(bob, 1, 0, bob);
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.UnknownToken.selector, bob));
        pool.quote(bob, 1);
    }

    function test_RevertWhen_TheReservesAreTooSmall() external {
        vm.expectRevert(abi.encodeWithSelector(CurveMath.InsufficientReserves.selector, 4e18, 4e18));
        pool.quoteExact(token0, 4e18);
    }

    function test_RevertWhen_ThePoolMayNotTake() external {
        address carol = account("carol");
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientAllowance.selector, pool, 0, 1e9, id0));
        vm.prank(carol);
        pool.swap(token0, 1e9, 0, carol);
    }

    function test_AnEmptyPoolQuotesNothing() external {
        ConstantProductPool fresh = new ConstantProductPool(vault, token0, token1, FEE);
        vm.assertEq(fresh.quote(token0, 1e9), 0, "quote");
        vm.warp(block.timestamp + 10);
        (uint256 sum0,,) = fresh.observe();
        vm.assertEq(sum0, 0, "sum");
        vm.startPrank(bob);
        vault.setOperator(address(fresh), true);
        fresh.addLiquidity(1e9, 1e9, 0, bob);
        vm.assertEq(fresh.price0Cumulative(), 0, "nothing before there was a price");
    }

    // The price over time

    function test_ThePriceOfABlockIsThatBeforeItsTrades() external {
        (uint256 from,,) = pool.observe();
        vm.warp(block.timestamp + 100);
        vm.startPrank(bob);
        pool.swap(token0, 1e18, 0, bob);
        pool.swap(token0, 1e18, 0, bob);
        (uint256 to0, uint256 to1,) = pool.observe();
        vm.assertEq((to0 - from) / 100, 4 << 112, "four of token 1 for one of token 0");
        vm.assertEq(to1 / 100, uint256(1) << 110, "and a quarter the other way");
        vm.assertEq(pool.price0Cumulative(), to0, "written once");
        vm.warp(block.timestamp + 10);
        (uint256 later,, uint256 at) = pool.observe();
        assertTrue(later > to0 && later - to0 < 10 * (uint256(4) << 112), "the new price since");
        vm.assertEq(at, block.timestamp, "at");
    }
}
