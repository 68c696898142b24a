// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {Market} from "./Market.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {HookedPool} from "src/dex/HookedPool.sol";
import {InstantPool} from "src/dex/InstantPool.sol";
import {ShardPool} from "src/dex/ShardPool.sol";
import {StablePool} from "src/dex/StablePool.sol";
import {SurgeFee} from "src/dex/SurgeFee.sol";

/// @dev Traders and a provider who use a pool of each kind at random.
contract PoolsHandler is Market {
    uint256 private constant POOLS = 4;

    InstantPool[POOLS] public pools;
    address[3] public accounts = [address(301), address(302), address(303)];
    uint256[POOLS] public worth;
    uint256 private clock = 1000;

    constructor() {
        vm.warp(clock);
        pools[0] = new ConstantProductPool(vault, token0, token1, 3000);
        pools[1] = new StablePool(vault, token0, token1, 100, 200);
        pools[2] = new ShardPool(vault, token0, token1, 10_000, 500);
        pools[3] = new HookedPool(vault, token0, token1, 3000, new SurgeFee(500, 500_000, 50_000));
        for (uint256 i = 0; i < 3; i++) {
            for (uint256 j = 0; j < POOLS; j++) {
                _fund(accounts[i], address(pools[j]), 1e26);
            }
        }
        for (uint256 j = 0; j < POOLS; j++) {
            _provide(pools[j], accounts[0], 1e24, 1e24);
            worth[j] = shareWorth(j);
        }
    }

    /// @dev Neither trades nor liquidity that comes and goes take anything from a share, but for rounding.
    modifier watched(uint256 which) {
        clock += which % 7;
        vm.warp(clock);
        vm.roll(clock);
        _;
        for (uint256 j = 0; j < POOLS; j++) {
            uint256 now_ = shareWorth(j);
            // A unit or two of the measure, in a pool of few shares.
            assertTrue(now_ + 4e18 / pools[j].totalSupply() + 10 >= worth[j], "a share is never worth less");
            // In a pool of few shares the measure is coarse.
            if (pools[j].totalSupply() > 1e18) worth[j] = Math.max(worth[j], now_);
            _assertBacked(pools[j]);
        }
    }

    function swap(uint256 who, uint256 which, bool first, uint256 amount) external watched(which) {
        InstantPool pool = pools[which % POOLS];
        address trader = accounts[who % 3];
        address tokenIn = first ? token0 : token1;
        amount = bound(amount, 0, vault.balanceOf(trader, uint160(tokenIn)) / 10);
        uint256 quoted = pool.quote(tokenIn, amount);
        if (quoted == 0) return;
        vm.prank(trader);
        vm.assertEq(pool.swap(tokenIn, amount, quoted, trader), quoted, "as quoted");
    }

    function provide(uint256 who, uint256 which, uint256 max0, uint256 max1) external watched(which) {
        address provider = accounts[who % 3];
        InstantPool pool = pools[which % POOLS];
        max0 = bound(max0, 0, vault.balanceOf(provider, id0) / 10);
        max1 = bound(max1, 0, vault.balanceOf(provider, id1) / 10);
        vm.prank(provider);
        try pool.addLiquidity(max0, max1, 0, provider) {} catch {}
    }

    function remove(uint256 who, uint256 which, uint256 shares) external watched(which) {
        address provider = accounts[who % 3];
        InstantPool pool = pools[which % POOLS];
        shares = bound(shares, 0, pool.balanceOf(provider));
        vm.prank(provider);
        pool.removeLiquidity(shares, 0, 0, provider);
    }

    function held() external view returns (uint256 sum0, uint256 sum1) {
        for (uint256 i = 0; i < accounts.length; i++) {
            sum0 += vault.balanceOf(accounts[i], id0);
            sum1 += vault.balanceOf(accounts[i], id1);
        }
        for (uint256 j = 0; j < POOLS; j++) {
            sum0 += vault.balanceOf(address(pools[j]), id0);
            sum1 += vault.balanceOf(address(pools[j]), id1);
        }
    }

    /// @dev What 10^18 shares own, by the pool's own measure: the geometric mean, or the stable curve's D.
    function shareWorth(uint256 which) public view returns (uint256) {
        InstantPool pool = pools[which];
        uint256 measure = Math.sqrt(pool.reserve0() * pool.reserve1());
        if (which == 1) measure = StablePool(address(pool)).invariant();
        return measure * 1e18 / pool.totalSupply();
    }
}

contract PoolsInvariants is Suite {
    PoolsHandler handler;

    function setUp() public {
        handler = new PoolsHandler();
        target(address(handler));
    }

    function invariant_NothingIsMadeOrLost() external view {
        (uint256 sum0, uint256 sum1) = handler.held();
        vm.assertEq(sum0, 12e26, "token 0");
        vm.assertEq(sum1, 12e26, "token 1");
    }
}
