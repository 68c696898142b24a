// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IVault} from "./IVault.sol";
import {WeightedPool} from "./WeightedPool.sol";

/// @title Makes weighted pools, one for two tokens, a fee and weights, and finds them again
/// @notice Anyone may make a pool. There are more of them for two tokens than a router can ask, so who trades in one names it
/// ({Router.swapExactTokensThrough}).
contract WeightedFactory {
    uint256 private constant WAD = 1e18;

    IVault public immutable vault;
    mapping(bytes32 key => WeightedPool) private pools;

    error PoolExists(address pool);

    event WeightedPoolCreated(
        address indexed token0, address indexed token1, uint256 fee, uint256 weight0, address pool
    );

    constructor(IVault vault_) {
        vault = vault_;
    }

    /// @notice Makes a pool. The order of the tokens does not matter.
    /// @param fee In millionths.
    /// @param weightA The part of `tokenA`, times 10^18.
    function createPool(address tokenA, address tokenB, uint256 fee, uint256 weightA)
        external
        returns (WeightedPool pool)
    {
        (address token0, address token1, uint256 weight0) = _sorted(tokenA, tokenB, weightA);
        bytes32 key = keccak256(abi.encode(token0, token1, fee, weight0));
        if (address(pools[key]) != address(0)) revert PoolExists(address(pools[key]));
        pool = new WeightedPool{salt: 0}(vault, token0, token1, fee, weight0);
        pools[key] = pool;
        emit WeightedPoolCreated(token0, token1, fee, weight0, address(pool));
    }

    /// @notice The pool, or zero.
    function getPool(address tokenA, address tokenB, uint256 fee, uint256 weightA)
        external
        view
        returns (WeightedPool)
    {
        if (weightA > WAD) return WeightedPool(address(0));
        (address token0, address token1, uint256 weight0) = _sorted(tokenA, tokenB, weightA);
        return pools[keccak256(abi.encode(token0, token1, fee, weight0))];
    }

    function _sorted(address tokenA, address tokenB, uint256 weightA) private pure returns (address, address, uint256) {
        if (weightA > WAD) revert WeightedPool.InvalidWeight(weightA);
        return tokenA < tokenB ? (tokenA, tokenB, weightA) : (tokenB, tokenA, WAD - weightA);
    }
}
