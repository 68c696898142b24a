// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {HookedPool} from "./HookedPool.sol";
import {IPoolHooks} from "./IPoolHooks.sol";
import {IVault} from "./IVault.sol";

/// @title Makes pools with hooks, one for two tokens, a fee and a hook, and finds them again
/// @notice Anyone may make a pool with any hook. A router does not ask these pools by itself, because a hook may promise in a quote what
/// it does not hold in a trade: who trades in one names it ({Router.swapExactTokensThrough}).
contract HookFactory {
    IVault public immutable vault;
    mapping(bytes32 key => HookedPool) private pools;

    error PoolExists(address pool);

    event HookedPoolCreated(
        address indexed token0, address indexed token1, IPoolHooks indexed hooks, uint256 fee, address pool
    );

    constructor(IVault vault_) {
        vault = vault_;
    }

    /// @notice Makes a pool. The order of the tokens does not matter.
    /// @param fee In millionths, for hooks that set none.
    function createPool(address tokenA, address tokenB, uint256 fee, IPoolHooks hooks)
        external
        returns (HookedPool pool)
    {
        (address token0, address token1) = _sorted(tokenA, tokenB);
        bytes32 key = keccak256(abi.encode(token0, token1, fee, hooks));
        if (address(pools[key]) != address(0)) revert PoolExists(address(pools[key]));
        pool = new HookedPool{salt: 0}(vault, token0, token1, fee, hooks);
        pools[key] = pool;
        emit HookedPoolCreated(token0, token1, hooks, fee, address(pool));
    }

    /// @notice The pool, or zero.
    function getPool(address tokenA, address tokenB, uint256 fee, IPoolHooks hooks) external view returns (HookedPool) {
        (address token0, address token1) = _sorted(tokenA, tokenB);
        return pools[keccak256(abi.encode(token0, token1, fee, hooks))];
    }

    function _sorted(address tokenA, address tokenB) private pure returns (address, address) {
        return tokenA < tokenB ? (tokenA, tokenB) : (tokenB, tokenA);
    }
}
