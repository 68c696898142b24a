// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IVault} from "./IVault.sol";
import {ShardPool} from "./ShardPool.sol";

/// @title Several pools for the same two tokens, so that several trades happen at once
/// @notice Each trader has a pool by address ({shardOf}), which spreads traders evenly; anyone may use any pool. Liquidity is
/// added to a pool of one's choice, best to {smallest}.
/// @dev Nothing is kept here: whoever trades reads and writes one pool alone.
contract ShardedPool {
    uint256 public constant MAX_SHARDS = 16;

    IVault public immutable vault;
    address public immutable token0;
    address public immutable token1;
    uint256 public immutable count;
    ShardPool[] private shards;

    error InvalidCount(uint256 count);

    constructor(IVault vault_, address token0_, address token1_, uint256 fee_, uint256 minFee_, uint256 count_) {
        if (count_ < 2 || count_ > MAX_SHARDS) revert InvalidCount(count_);
        (vault, token0, token1, count) = (vault_, token0_, token1_, count_);
        for (uint256 i = 0; i < count_; i++) {
            shards.push(new ShardPool(vault_, token0_, token1_, fee_, minFee_));
        }
    }

    function shard(uint256 i) external view returns (ShardPool) {
        return shards[i];
    }

    /// @notice The pool in which `trader` trades, if it has no reason for another.
    function shardOf(address trader) external view returns (ShardPool) {
        return shards[uint256(keccak256(abi.encode(trader))) % count];
    }

    /// @notice The pool with the lowest product of reserves, where new liquidity earns most.
    function smallest() external view returns (ShardPool least) {
        uint256 product = type(uint256).max;
        for (uint256 i = 0; i < count; i++) {
            uint256 candidate = shards[i].reserve0() * shards[i].reserve1();
            if (candidate < product) (least, product) = (shards[i], candidate);
        }
    }
}
