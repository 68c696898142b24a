// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {BatchPool} from "./BatchPool.sol";
import {ConstantProductPool} from "./ConstantProductPool.sol";
import {IVault} from "./IVault.sol";

/// @title Makes pools, one of a kind for two tokens and a fee, and finds them again
/// @notice Anyone may make a pool. The fees are fixed, so that a router can ask all pools for two tokens.
/// @dev A pool's address follows from the factory, the tokens and the fee.
contract PoolFactory {
    /// @notice Blocks in a batch of the batch pools made here.
    uint256 public constant BATCH_INTERVAL = 1;
    /// @notice The fee of the pools that trade as Uniswap v2's, in millionths.
    uint256 public constant V2_FEE = 3000;

    IVault public immutable vault;
    mapping(address token0 => mapping(address token1 => mapping(uint256 fee => ConstantProductPool))) private instant;
    mapping(address token0 => mapping(address token1 => mapping(uint256 fee => BatchPool))) private batched;

    error UnknownFee(uint256 fee);
    error PoolExists(address pool);

    event PoolCreated(address indexed token0, address indexed token1, uint256 fee, address pool);
    event BatchPoolCreated(address indexed token0, address indexed token1, uint256 fee, address pool);

    constructor(IVault vault_) {
        vault = vault_;
    }

    /// @notice Makes a pool that trades at once. The order of the tokens does not matter.
    function createPool(address tokenA, address tokenB, uint256 fee) external returns (ConstantProductPool pool) {
        (address token0, address token1) = _sorted(tokenA, tokenB);
        _requireFee(fee);
        pool = instant[token0][token1][fee];
        if (address(pool) != address(0)) revert PoolExists(address(pool));
        pool = new ConstantProductPool{salt: 0}(vault, token0, token1, fee);
        instant[token0][token1][fee] = pool;
        emit PoolCreated(token0, token1, fee, address(pool));
    }

    /// @notice Makes a pool that trades in batches.
    function createBatchPool(address tokenA, address tokenB, uint256 fee) external returns (BatchPool pool) {
        (address token0, address token1) = _sorted(tokenA, tokenB);
        _requireFee(fee);
        pool = batched[token0][token1][fee];
        if (address(pool) != address(0)) revert PoolExists(address(pool));
        pool = new BatchPool{salt: 0}(vault, token0, token1, fee, BATCH_INTERVAL);
        batched[token0][token1][fee] = pool;
        emit BatchPoolCreated(token0, token1, fee, address(pool));
    }

    /// @notice The pool, or zero.
    function getPool(address tokenA, address tokenB, uint256 fee) public view returns (ConstantProductPool) {
        (address token0, address token1) = _sorted(tokenA, tokenB);
        return instant[token0][token1][fee];
    }

    /// @notice The pool that trades as Uniswap v2's, or zero: {getPool} of {V2_FEE}, by the name that Uniswap's factory gives it.
    function getPair(address tokenA, address tokenB) external view returns (ConstantProductPool) {
        return getPool(tokenA, tokenB, V2_FEE);
    }

    /// @notice The pool, or zero.
    function getBatchPool(address tokenA, address tokenB, uint256 fee) external view returns (BatchPool) {
        (address token0, address token1) = _sorted(tokenA, tokenB);
        return batched[token0][token1][fee];
    }

    /// @notice The fees with which pools can be made, in millionths: 0.01 %, 0.05 %, 0.3 % and 1 %.
    function fees() public pure returns (uint256[4] memory) {
        return [uint256(100), 500, 3000, 10_000];
    }

    function _requireFee(uint256 fee) private pure {
        uint256[4] memory known = fees();
        for (uint256 i = 0; i < known.length; i++) {
            if (fee == known[i]) return;
        }
        revert UnknownFee(fee);
    }

    function _sorted(address tokenA, address tokenB) private pure returns (address, address) {
        return tokenA < tokenB ? (tokenA, tokenB) : (tokenB, tokenA);
    }
}
