// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ConcentratedPool} from "./ConcentratedPool.sol";
import {IVault} from "./IVault.sol";

/// @title Makes concentrated pools, one for two tokens, and finds them again
/// @notice Anyone may make a pool, and chooses the bin in which its price starts. A wrong start harms nobody: while there is no
/// liquidity, a little of it put where the price belongs, and a trade against it, moves the active bin there.
contract BinFactory {
    /// @notice In millionths: 0.05 %.
    uint256 public constant FEE = 500;
    /// @notice How far bins are apart, in basis points.
    uint256 public constant STEP = 10;

    IVault public immutable vault;
    mapping(address token0 => mapping(address token1 => ConcentratedPool)) private pools;

    error PoolExists(address pool);

    event ConcentratedPoolCreated(address indexed token0, address indexed token1, uint256 startBin, address pool);

    constructor(IVault vault_) {
        vault = vault_;
    }

    /// @notice Makes a pool. The order of the tokens does not matter, but the bin is that of the lower address's price.
    function createPool(address tokenA, address tokenB, uint256 startBin) external returns (ConcentratedPool pool) {
        (address token0, address token1) = tokenA < tokenB ? (tokenA, tokenB) : (tokenB, tokenA);
        pool = pools[token0][token1];
        if (address(pool) != address(0)) revert PoolExists(address(pool));
        pool = new ConcentratedPool{salt: 0}(vault, token0, token1, FEE, STEP, startBin);
        pools[token0][token1] = pool;
        emit ConcentratedPoolCreated(token0, token1, startBin, address(pool));
    }

    /// @notice The pool, or zero.
    function getPool(address tokenA, address tokenB) external view returns (ConcentratedPool) {
        return tokenA < tokenB ? pools[tokenA][tokenB] : pools[tokenB][tokenA];
    }
}
