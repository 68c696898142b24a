// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPool} from "./IPool.sol";
import {IVault} from "./IVault.sol";
import {LiquidityPool} from "./LiquidityPool.sol";

/// @title A pool that trades at once, along a curve
/// @notice Each trade moves the price for the next, so trades in one pool are a chain; {BatchPool} and {ShardedPool} are for
/// markets that many use at once.
abstract contract InstantPool is IPool, LiquidityPool {
    event Swap(
        address indexed sender, address indexed to, address indexed tokenIn, uint256 amountIn, uint256 amountOut
    );

    constructor(IVault vault_, address token0_, address token1_, uint256 fee_)
        LiquidityPool(vault_, token0_, token1_, fee_)
    {}

    /// @inheritdoc IPool
    function swap(address tokenIn, uint256 amountIn, uint256 minAmountOut, address to)
        public
        virtual
        returns (uint256 amountOut)
    {
        _accrue();
        bool first = _isFirst(tokenIn);
        amountOut = _amountOutDown(first, amountIn);
        if (amountOut == 0 || amountOut < minAmountOut) revert InsufficientOutput(amountOut, minAmountOut);
        if (first) _setReserves(reserve0 + amountIn, reserve1 - amountOut);
        else _setReserves(reserve0 - amountOut, reserve1 + amountIn);
        vault.transferFrom(msg.sender, address(this), _id(tokenIn), amountIn);
        vault.transfer(to, _id(first ? token1 : token0), amountOut);
        emit Swap(msg.sender, to, tokenIn, amountIn, amountOut);
    }

    /// @inheritdoc IPool
    function quote(address tokenIn, uint256 amountIn) external view returns (uint256 amountOut) {
        bool first = _isFirst(tokenIn);
        return totalSupply() == 0 ? 0 : _amountOutDown(first, amountIn);
    }

    /// @inheritdoc IPool
    function quoteExact(address tokenIn, uint256 amountOut) external view returns (uint256 amountIn) {
        return _amountInUp(_isFirst(tokenIn), amountOut);
    }

    /// @dev What the curve gives for `amountIn` of token 0 (`first`) or 1, rounded down.
    function _amountOutDown(bool first, uint256 amountIn) internal view virtual returns (uint256);

    /// @dev The least of token 0 (`first`) or 1 that makes the curve give `amountOut`, rounded up.
    function _amountInUp(bool first, uint256 amountOut) internal view virtual returns (uint256);

    /// @dev The reserves of what comes in and of what goes out.
    function _reserves(bool first) internal view returns (uint256 reserveIn, uint256 reserveOut) {
        return first ? (reserve0, reserve1) : (reserve1, reserve0);
    }
}
