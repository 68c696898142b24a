// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "./Tokens.sol";
import {LiquidityPool} from "src/dex/LiquidityPool.sol";
import {Vault} from "src/dex/Vault.sol";

/// @dev A vault, two tokens in order, and traders with internal balances of both.
abstract contract Market is Suite {
    uint256 constant FEE = 3000;
    uint256 constant UNIT = 1e6;

    Vault vault = new Vault();
    address token0;
    address token1;
    uint256 id0;
    uint256 id1;

    constructor() {
        (address a, address b) = (address(new FreeToken("A")), address(new FreeToken("B")));
        (token0, token1) = a < b ? (a, b) : (b, a);
        (id0, id1) = (uint160(token0), uint160(token1));
    }

    /// @dev Gives an account internal balances, which the pool may take.
    function _fund(address trader, address pool, uint256 amount) internal {
        FreeToken(token0).mint(trader, amount);
        FreeToken(token1).mint(trader, amount);
        vm.startPrank(trader);
        FreeToken(token0).approve(address(vault), amount);
        FreeToken(token1).approve(address(vault), amount);
        vault.deposit(token0, amount, trader);
        vault.deposit(token1, amount, trader);
        vault.setOperator(pool, true);
        vm.stopPrank();
    }

    function _provide(LiquidityPool pool, address provider, uint256 amount0, uint256 amount1) internal {
        vm.prank(provider);
        pool.addLiquidity(amount0, amount1, 0, provider);
    }

    /// @dev What the pool owes to its shares is there.
    function _assertBacked(LiquidityPool pool) internal view {
        assertTrue(pool.reserve0() <= vault.balanceOf(address(pool), id0), "reserve 0");
        assertTrue(pool.reserve1() <= vault.balanceOf(address(pool), id1), "reserve 1");
    }
}
