// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {CurveMath} from "./CurveMath.sol";
import {IVault} from "./IVault.sol";
import {InstantPool} from "./InstantPool.sol";

/// @title A pool that trades at once, along x * y = k
/// @notice The product of the reserves never falls by a trade.
/// @dev The price is accumulated once a block, as it was before the block's first trade, for averages over time:
/// (second accumulated value - first) / seconds between is the average price, times 2^112. The difference is what
/// counts: the sum itself may wrap.
contract ConstantProductPool is InstantPool {
    /// @notice The price of token 0 in token 1, times 2^112, summed over seconds.
    uint256 public price0Cumulative;
    /// @notice The price of token 1 in token 0, times 2^112, summed over seconds.
    uint256 public price1Cumulative;
    /// @notice Up to when the prices are summed, in seconds since 1970.
    uint256 public accruedAt;

    constructor(IVault vault_, address token0_, address token1_, uint256 fee_)
        InstantPool(vault_, token0_, token1_, fee_)
    {
        accruedAt = block.timestamp;
    }

    /// @notice The reserves as Uniswap v2's pairs tell them, and up to when the prices are summed.
    function getReserves() external view returns (uint112, uint112, uint32) {
        return (uint112(reserve0), uint112(reserve1), uint32(accruedAt));
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

    function _amountOutDown(bool first, uint256 amountIn) internal view virtual override returns (uint256) {
        (uint256 reserveIn, uint256 reserveOut) = _reserves(first);
        return CurveMath.amountOutDown(amountIn, reserveIn, reserveOut, fee);
    }

    function _amountInUp(bool first, uint256 amountOut) internal view virtual override returns (uint256) {
        (uint256 reserveIn, uint256 reserveOut) = _reserves(first);
        return CurveMath.amountInUp(amountOut, reserveIn, reserveOut, fee);
    }
}
