// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IVault} from "./IVault.sol";
import {ShardedPool} from "./ShardedPool.sol";
import {StablePool} from "./StablePool.sol";

/// @title Makes stable and sharded pools, one of a kind for two tokens, and finds them again
/// @notice Anyone may make a pool. Its terms are fixed, so that a router finds it and nobody makes a worse one first.
/// {PoolFactory} has the other kinds: all together are more code than a contract may have.
contract CurveFactory {
    /// @notice The fee of stable pools, in millionths: 0.01 %.
    uint256 public constant STABLE_FEE = 100;
    uint256 public constant AMPLIFICATION = 200;
    /// @notice The highest and the lowest fee of sharded pools, in millionths: 1 % and 0.05 %.
    uint256 public constant SHARD_FEE = 10_000;
    uint256 public constant SHARD_MIN_FEE = 500;
    uint256 public constant SHARDS = 4;

    IVault public immutable vault;
    mapping(address token0 => mapping(address token1 => StablePool)) private stable;
    mapping(address token0 => mapping(address token1 => ShardedPool)) private sharded;

    error PoolExists(address pool);

    event StablePoolCreated(address indexed token0, address indexed token1, address pool);
    event ShardedPoolCreated(address indexed token0, address indexed token1, address pool);

    constructor(IVault vault_) {
        vault = vault_;
    }

    /// @notice Makes a pool for two tokens that should be worth the same. Their order does not matter.
    function createStablePool(address tokenA, address tokenB) external returns (StablePool pool) {
        (address token0, address token1) = _sorted(tokenA, tokenB);
        pool = stable[token0][token1];
        if (address(pool) != address(0)) revert PoolExists(address(pool));
        pool = new StablePool{salt: 0}(vault, token0, token1, STABLE_FEE, AMPLIFICATION);
        stable[token0][token1] = pool;
        emit StablePoolCreated(token0, token1, address(pool));
    }

    /// @notice Makes several pools for the same two tokens.
    function createShardedPool(address tokenA, address tokenB) external returns (ShardedPool pool) {
        (address token0, address token1) = _sorted(tokenA, tokenB);
        pool = sharded[token0][token1];
        if (address(pool) != address(0)) revert PoolExists(address(pool));
        pool = new ShardedPool{salt: 0}(vault, token0, token1, SHARD_FEE, SHARD_MIN_FEE, SHARDS);
        sharded[token0][token1] = pool;
        emit ShardedPoolCreated(token0, token1, address(pool));
    }

    /// @notice The pool, or zero.
    function getStablePool(address tokenA, address tokenB) external view returns (StablePool) {
        (address token0, address token1) = _sorted(tokenA, tokenB);
        return stable[token0][token1];
    }

    /// @notice The pool, or zero.
    function getShardedPool(address tokenA, address tokenB) external view returns (ShardedPool) {
        (address token0, address token1) = _sorted(tokenA, tokenB);
        return sharded[token0][token1];
    }

    function _sorted(address tokenA, address tokenB) private pure returns (address, address) {
        return tokenA < tokenB ? (tokenA, tokenB) : (tokenB, tokenA);
    }
}
