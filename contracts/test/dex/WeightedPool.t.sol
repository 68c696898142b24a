// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {Market} from "./Market.sol";
import {FreeToken} from "./Tokens.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {IPool} from "src/dex/IPool.sol";
import {LiquidityPool} from "src/dex/LiquidityPool.sol";
import {PoolFactory} from "src/dex/PoolFactory.sol";
import {Router} from "src/dex/Router.sol";
import {WeightedFactory} from "src/dex/WeightedFactory.sol";
import {WeightedPool} from "src/dex/WeightedPool.sol";
import {WrappedEther} from "src/tokens/WrappedEther.sol";

contract WeightedPoolTest is Market {
    uint256 constant WAD = 1e18;
    uint256 constant EIGHTY = 8e17;

    WeightedFactory factory = new WeightedFactory(vault);
    WeightedPool pool;
    address lp = account("lp");
    address alice = account("alice");

    function setUp() public {
        pool = _pool(FEE, EIGHTY, 8e20, 2e20);
    }

    function _pool(uint256 fee, uint256 weight0, uint256 amount0, uint256 amount1) private returns (WeightedPool made) {
        made = factory.createPool(token0, token1, fee, weight0);
        _fund(lp, address(made), 1e30);
        _fund(alice, address(made), 1e30);
        _provide(made, lp, amount0, amount1);
    }

    function test_RevertWhen_WeightsMakeNoSense() external {
        uint256[4] memory wrong = [uint256(0), 1e16 - 1, 99e16 + 1, WAD];
        for (uint256 i = 0; i < 4; i++) {
            vm.expectRevert(abi.encodeWithSelector(WeightedPool.InvalidWeight.selector, wrong[i]));
            new WeightedPool(vault, token0, token1, FEE, wrong[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(WeightedPool.InvalidWeight.selector, WAD + 1));
        factory.createPool(token0, token1, FEE, WAD + 1);
    }

    function test_TheFactoryKnowsItsPools() external {
        vm.assertEq(address(factory.getPool(token0, token1, FEE, EIGHTY)), address(pool), "as made");
        vm.assertEq(address(factory.getPool(token1, token0, FEE, WAD - EIGHTY)), address(pool), "and mirrored");
        vm.assertEq(address(factory.getPool(token1, token0, FEE, EIGHTY)), address(0), "of other weights");
        vm.assertEq(address(factory.getPool(token1, token0, FEE, WAD + 1)), address(0), "of none");
        vm.expectRevert(abi.encodeWithSelector(WeightedPool.InvalidWeight.selector, 0));
        factory.createPool(token1, token0, FEE, WAD);
        vm.expectRevert(abi.encodeWithSelector(WeightedFactory.PoolExists.selector, pool));
        factory.createPool(token1, token0, FEE, WAD - EIGHTY);
    }

    /// @dev 800 at 80 in a hundred against 200 at 20: one for one.
    function test_ThePriceIsThatOfTheWeights() external view {
        uint256 fair = 1e15 * (1e6 - FEE) / 1e6;
        vm.assertApproxEqAbs(pool.quote(token0, 1e15), fair, fair / 1e4, "one for one");
        vm.assertApproxEqAbs(pool.quote(token1, 1e15), fair, fair / 1e4, "and back");
    }

    function test_EqualWeightsAreAConstantProduct() external {
        WeightedPool equal = _pool(0, WAD / 2, 1e24, 3e24);
        uint256 out = equal.quote(token0, 1e23);
        uint256 exact = uint256(3e24) * 1e23 / 11e23;
        vm.assertApproxEqAbs(out, exact, 3e24 / 1e13, "x y = k");
        assertTrue(out <= exact, "rounded for the pool");
    }

    function testFuzz_TheInvariantNeverFalls(
        uint256 weight,
        uint256 amount,
        uint256 reserve0,
        uint256 reserve1,
        bool first
    ) external {
        WeightedPool made = _pool(0, bound(weight, 1e16, 99e16), bound(reserve0, 1e6, 1e29), bound(reserve1, 1e6, 1e29));
        (uint256 before0, uint256 before1) = (made.reserve0(), made.reserve1());
        amount = bound(amount, 0, (first ? before0 : before1) * 3 / 10);
        address tokenIn = first ? token0 : token1;
        uint256 quoted = made.quote(tokenIn, amount);
        if (quoted == 0) return;
        vm.prank(alice);
        vm.assertEq(made.swap(tokenIn, amount, 0, alice), quoted, "as quoted");
        // The logarithm of the invariant, by what each reserve has grown; rounded down by a few units.
        int256 grown = _growth(before0, made.reserve0(), made.weight0());
        grown += _growth(before1, made.reserve1(), WAD - made.weight0());
        assertTrue(grown >= -10, "x^w0 y^w1");
        _assertBacked(made);
    }

    function _growth(uint256 from, uint256 to, uint256 weight) private pure returns (int256) {
        int256 ratio = int256(FixedPointMathLib.fullMulDiv(to, WAD, from));
        return FixedPointMathLib.lnWad(ratio) * int256(weight) / int256(WAD);
    }

    function testFuzz_ThereAndBackLoses(uint256 amount, bool first) external {
        amount = bound(amount, 1e8, first ? 2e20 : 5e19);
        (address tokenIn, address tokenOut) = first ? (token0, token1) : (token1, token0);
        vm.startPrank(alice);
        uint256 out = pool.swap(tokenIn, amount, 0, alice);
        if (out > (first ? pool.reserve1() : pool.reserve0()) * 3 / 10 || pool.quote(tokenOut, out) == 0) return;
        assertTrue(pool.swap(tokenOut, out, 0, alice) < amount, "less than before");
    }

    function testFuzz_AnExactOutputIsReached(uint256 weight, uint256 wanted, bool first) external {
        // Another fee than that of the pool that is there already.
        WeightedPool made = _pool(FEE - 1, bound(weight, 1e16, 99e16), 1e24, 1e22);
        address tokenIn = first ? token0 : token1;
        (uint256 reserveIn, uint256 reserveOut) = (1e24, 1e22);
        if (!first) (reserveIn, reserveOut) = (reserveOut, reserveIn);
        wanted = bound(wanted, 1, reserveOut * 3 / 10);
        try made.quoteExact(tokenIn, wanted) returns (uint256 needed) {
            uint256 given = made.quote(tokenIn, needed);
            assertTrue(given >= wanted, "enough");
            assertTrue(given - wanted <= reserveOut / 1e9 + 10, "and little more");
        } catch {
            assertTrue(made.quote(tokenIn, reserveIn * 3 / 10) <= wanted + wanted / 1e6, "more than a trade may bring");
        }
    }

    function test_RevertWhen_ATradeIsTooLarge() external {
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(WeightedPool.TradeTooLarge.selector, 24e19 + 1, 24e19));
        pool.swap(token0, 24e19 + 1, 0, alice);
        vm.expectRevert(abi.encodeWithSelector(WeightedPool.TradeTooLarge.selector, 6e19 + 1, 6e19));
        pool.quoteExact(token0, 6e19 + 1);
        // A fifth of token 1 takes more than three tenths of token 0 at these weights the other way round.
        vm.expectRevert();
        pool.quoteExact(token1, 24e19);
        vm.assertEq(pool.quoteExact(token0, 0), 0, "nothing for nothing");
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.InsufficientOutput.selector, 0, 0));
        pool.swap(token0, 1, 0, alice);
    }

    function test_ATraderNamesThePool() external {
        Router router = new Router(new PoolFactory(vault), new WrappedEther());
        address[] memory path = new address[](2);
        (path[0], path[1]) = (token0, token1);
        IPool[] memory pools = new IPool[](1);
        pools[0] = pool;
        uint256 quoted = pool.quote(token0, 1e18);
        FreeToken(token0).mint(alice, 1e18);
        vm.startPrank(alice);
        FreeToken(token0).approve(address(router), 1e18);
        router.swapExactTokensThrough(1e18, quoted, path, pools, alice, block.timestamp);
        vm.assertEq(FreeToken(token1).balanceOf(alice), quoted, "in the wallet");
    }
}
