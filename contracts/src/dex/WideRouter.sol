// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {WrappedEther} from "../tokens/WrappedEther.sol";
import {BinFactory} from "./BinFactory.sol";
import {CurveFactory} from "./CurveFactory.sol";
import {IPool} from "./IPool.sol";
import {PoolFactory} from "./PoolFactory.sol";
import {Router} from "./Router.sol";
import {ShardedPool} from "./ShardedPool.sol";

/// @title The router that asks pools of every kind
/// @notice Besides the pools of {Router} it asks the stable pool, the concentrated pool, and of the sharded pool the caller's shard
/// alone, so that traders of different shards do not wait for each other. Quotes are so for who asks.
contract WideRouter is Router {
    CurveFactory public immutable curves;
    BinFactory public immutable bins;

    /// @notice The factories make pools of different vaults.
    error DifferentVaults();

    constructor(PoolFactory factory_, CurveFactory curves_, BinFactory bins_, WrappedEther weth_)
        Router(factory_, weth_)
    {
        if (factory_.vault() != curves_.vault() || factory_.vault() != bins_.vault()) revert DifferentVaults();
        curves = curves_;
        bins = bins_;
    }

    /// @inheritdoc Router
    function _pools(address tokenIn, address tokenOut, address who)
        internal
        view
        override
        returns (IPool[KINDS] memory pools)
    {
        pools = super._pools(tokenIn, tokenOut, who);
        pools[4] = curves.getStablePool(tokenIn, tokenOut);
        ShardedPool sharded = curves.getShardedPool(tokenIn, tokenOut);
        if (address(sharded) != address(0)) pools[5] = sharded.shardOf(who);
        pools[6] = bins.getPool(tokenIn, tokenOut);
    }
}
