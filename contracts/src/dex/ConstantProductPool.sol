// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {CurveMath} from "./CurveMath.sol";
import {IVault} from "./IVault.sol";
import {LiquidityPool} from "./LiquidityPool.sol";

/// @title A pool that trades at once, along x * y = k
/// @notice The product of the reserves never falls by a trade. Each trade moves the price for the next, so trades in one
/// pool are a chain; {BatchPool} is for markets that many use at once.
/// @dev The price is accumulated once a block, as it was before the block's first trade, for averages over time:
/// (second accumulated value - first) / seconds between is the average price, times 2^112. The difference is what
/// counts: the sum itself may wrap.
contract ConstantProductPool is LiquidityPool {
    /// @notice The price of token 0 in token 1, times 2^112, summed over seconds.
    uint256 public price0Cumulative;
    /// @notice The price of token 1 in token 0, times 2^112, summed over seconds.
    uint256 public price1Cumulative;
    /// @notice Up to when the prices are summed, in seconds since 1970.
    uint256 public accruedAt;

    event Swap(
        address indexed sender, address indexed to, address indexed tokenIn, uint256 amountIn, uint256 amountOut
    );

    constructor(IVault vault_, address token0_, address token1_, uint256 fee_)
        LiquidityPool(vault_, token0_, token1_, fee_)
    {
        accruedAt = block.timestamp;
    }

    /// @notice Takes `amountIn` of `tokenIn` from the caller's internal balance and credits `to` with the other token.
    /// @dev The caller has to have let the pool take it, as operator or by allowance.
    function swap(address tokenIn, uint256 amountIn, uint256 minAmountOut, address to)
        external
        returns (uint256 amountOut)
    {
        _accrue();
        bool first = _isFirst(tokenIn);
        (uint256 reserveIn, uint256 reserveOut) = first ? (reserve0, reserve1) : (reserve1, reserve0);
        amountOut = CurveMath.amountOutDown(amountIn, reserveIn, reserveOut, fee);
        if (amountOut == 0 || amountOut < minAmountOut) revert InsufficientOutput(amountOut, minAmountOut);
        (uint256 newIn, uint256 newOut) = (reserveIn + amountIn, reserveOut - amountOut);
        if (first) _setReserves(newIn, newOut);
        else _setReserves(newOut, newIn);
        vault.transferFrom(msg.sender, address(this), _id(tokenIn), amountIn);
        vault.transfer(to, _id(first ? token1 : token0), amountOut);
        emit Swap(msg.sender, to, tokenIn, amountIn, amountOut);
    }

    /// @notice What {swap} would give now; zero if the pool is empty.
    function quote(address tokenIn, uint256 amountIn) external view returns (uint256 amountOut) {
        bool first = _isFirst(tokenIn);
        if (totalSupply() == 0) return 0;
        (uint256 reserveIn, uint256 reserveOut) = first ? (reserve0, reserve1) : (reserve1, reserve0);
        return CurveMath.amountOutDown(amountIn, reserveIn, reserveOut, fee);
    }

    /// @notice The least of `tokenIn` for which {swap} gives `amountOut`.
    function quoteExact(address tokenIn, uint256 amountOut) external view returns (uint256 amountIn) {
        bool first = _isFirst(tokenIn);
        (uint256 reserveIn, uint256 reserveOut) = first ? (reserve0, reserve1) : (reserve1, reserve0);
        return CurveMath.amountInUp(amountOut, reserveIn, reserveOut, fee);
    }

    /// @notice The sums as they would be if the pool were touched now.
    function observe() external view returns (uint256 sum0, uint256 sum1, uint256 at) {
        (sum0, sum1) = (price0Cumulative, price1Cumulative);
        at = block.timestamp;
        if (at == accruedAt || totalSupply() == 0) return (sum0, sum1, at);
        unchecked {
            sum0 += (reserve1 << 112) / reserve0 * (at - accruedAt);
            sum1 += (reserve0 << 112) / reserve1 * (at - accruedAt);
        }
    }

    function _accrue() internal override {
        uint256 elapsed = block.timestamp - accruedAt;
        if (elapsed == 0) return;
        accruedAt = block.timestamp;
        if (totalSupply() == 0) return;
        unchecked {
            price0Cumulative += (reserve1 << 112) / reserve0 * elapsed;
            price1Cumulative += (reserve0 << 112) / reserve1 * elapsed;
        }
    }
}
