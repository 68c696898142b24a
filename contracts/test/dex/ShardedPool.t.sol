// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {Market} from "./Market.sol";
import {CurveFactory} from "src/dex/CurveFactory.sol";
import {CurveMath} from "src/dex/CurveMath.sol";
import {ShardPool} from "src/dex/ShardPool.sol";
import {ShardedPool} from "src/dex/ShardedPool.sol";
import {StablePool} from "src/dex/StablePool.sol";

contract ShardedPoolTest is Market {
    uint256 constant MOST = 10_000;
    uint256 constant LEAST = 500;

    CurveFactory factory = new CurveFactory(vault);
    ShardedPool sharded;
    address alice = account("alice");
    address bob = account("bob");

    function setUp() public {
        sharded = factory.createShardedPool(token1, token0);
        for (uint256 i = 0; i < 4; i++) {
            _fund(alice, address(sharded.shard(i)), 1e27);
            _fund(bob, address(sharded.shard(i)), 1e27);
            // The first is the smallest.
            _provide(sharded.shard(i), alice, (4 + i) * 1e23, (4 + i) * 4e23);
        }
    }

    function test_RevertWhen_ShardsMakeNoSense() external {
        vm.expectRevert(abi.encodeWithSelector(ShardedPool.InvalidCount.selector, 1));
        new ShardedPool(vault, token0, token1, MOST, LEAST, 1);
        vm.expectRevert(abi.encodeWithSelector(ShardedPool.InvalidCount.selector, 17));
        new ShardedPool(vault, token0, token1, MOST, LEAST, 17);
        vm.expectRevert(abi.encodeWithSelector(ShardPool.InvalidMinFee.selector, MOST + 1));
        new ShardPool(vault, token0, token1, MOST, MOST + 1);
    }

    function test_TheFactoryKnowsItsPools() external {
        vm.assertEq(address(factory.getShardedPool(token0, token1)), address(sharded), "either way round");
        vm.assertEq(address(factory.getStablePool(token0, token1)), address(0), "none yet");
        StablePool stable = factory.createStablePool(token1, token0);
        vm.assertEq(address(factory.getStablePool(token0, token1)), address(stable), "stable");
        vm.expectRevert(abi.encodeWithSelector(CurveFactory.PoolExists.selector, stable));
        factory.createStablePool(token0, token1);
        vm.expectRevert(abi.encodeWithSelector(CurveFactory.PoolExists.selector, sharded));
        factory.createShardedPool(token0, token1);
    }

    function test_TradersAreSpreadOverTheShards() external view {
        uint256[4] memory traders;
        for (uint256 i = 0; i < 400; i++) {
            ShardPool mine = sharded.shardOf(address(uint160(i + 1000)));
            for (uint256 j = 0; j < 4; j++) {
                if (mine == sharded.shard(j)) traders[j] += 1;
            }
        }
        for (uint256 j = 0; j < 4; j++) {
            assertTrue(traders[j] > 60 && traders[j] < 140, "about a quarter each");
        }
        vm.assertEq(address(sharded.smallest()), address(sharded.shard(0)), "the smallest");
    }

    /// @dev Two trades in two shards touch no pool's reserves in common.
    function test_AShardKnowsNothingOfTheOthers() external {
        uint256 before = sharded.shard(1).quote(token0, 1e20);
        ShardPool first = sharded.shard(0);
        vm.prank(bob);
        first.swap(token0, 1e22, 0, bob);
        vm.assertEq(sharded.shard(1).quote(token0, 1e20), before, "untouched");
    }

    // The fee

    function test_TheFeeFallsWithTheSize() external view {
        ShardPool pool = sharded.shard(0);
        vm.assertEq(pool.feeOn(token0, 1), 1e16, "a little");
        vm.assertEq(pool.feeOn(token0, 2e21), 5e15, "a two hundredth of the reserve");
        vm.assertEq(pool.feeOn(token0, 1e23), 5e14, "a lot");
        vm.assertEq(pool.feeOn(token1, 8e21), 5e15, "either way");
    }

    /// @dev A unit that comes in is four that go out, and the fee has 18 digits: so much is within rounding. Out to fee - minFee of the smaller reserve, a trade is better off in the smaller pool.
    function testFuzz_SmallerIsCheaper(uint256 amount) external view {
        amount = bound(amount, 1e12, 4e23 * (MOST - LEAST) / UNIT);
        uint256 best = sharded.shard(0).quote(token0, amount);
        for (uint256 i = 1; i < 4; i++) {
            assertTrue(sharded.shard(i).quote(token0, amount) <= best + 5 + amount / 1e17, "no better in a larger one");
        }
    }

    /// @dev In parts over two equal pools it is not better off either.
    function testFuzz_PartsAreNotCheaper(uint256 amount, uint256 part) external {
        amount = bound(amount, 1e12, 4e23 * (MOST - LEAST) / UNIT);
        part = bound(part, 1, amount - 1);
        ShardPool pool = sharded.shard(0);
        ShardPool equal = new ShardPool(vault, token0, token1, MOST, LEAST);
        _fund(alice, address(equal), 1e27);
        _provide(equal, alice, pool.reserve0(), pool.reserve1());
        uint256 inParts = pool.quote(token0, part) + equal.quote(token0, amount - part);
        assertTrue(inParts <= pool.quote(token0, amount) + 10 + amount / 1e17, "the whole is better");
    }

    function testFuzz_TheProductNeverFalls(uint256 amount, bool first) external {
        amount = bound(amount, 1e3, 1e26);
        ShardPool pool = sharded.shard(0);
        uint256 product = pool.reserve0() * pool.reserve1();
        address tokenIn = first ? token0 : token1;
        uint256 quoted = pool.quote(tokenIn, amount);
        vm.prank(bob);
        vm.assertEq(pool.swap(tokenIn, amount, 0, bob), quoted, "as quoted");
        assertTrue(pool.reserve0() * pool.reserve1() >= product, "product");
        _assertBacked(pool);
    }

    function testFuzz_AnExactOutputIsReached(uint256 wanted, bool first) external view {
        wanted = bound(wanted, 1, 3e23);
        ShardPool pool = sharded.shard(0);
        address tokenIn = first ? token0 : token1;
        uint256 needed = pool.quoteExact(tokenIn, wanted);
        assertTrue(pool.quote(tokenIn, needed) >= wanted, "enough");
        assertTrue(pool.quote(tokenIn, needed - 1) < wanted, "and no more than enough");
    }

    function test_AnEmptyShardTradesNothing() external {
        ShardPool empty = new ShardPool(vault, token0, token1, MOST, LEAST);
        vm.assertEq(empty.quote(token0, 1), 0, "quote");
        vm.assertEq(empty.feeOn(token0, 1), 1e16, "fee");
        vm.expectRevert(abi.encodeWithSelector(CurveMath.InsufficientReserves.selector, 0, 1));
        empty.quoteExact(token0, 1);
    }
}
