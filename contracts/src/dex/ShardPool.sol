// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {CurveMath} from "./CurveMath.sol";
import {IVault} from "./IVault.sol";
import {InstantPool} from "./InstantPool.sol";

/// @title One of several constant-product pools for the same two tokens
/// @notice Trades in different pools do not wait for each other, if every trade goes to one pool as a whole. The fee sees to
/// that, as in SAMM (Chen, Vaisman and Eyal, 2024): it falls with what comes in, relative to the reserve,
///
///   fee(a) = max(minFee, fee - a / reserveIn)
///
/// so that a trade costs less in the pool with the smaller reserves, and less as a whole than in parts. For a trade that
/// brings u of the reserve and pays f = fee - u, what comes out for one is g / (1 + u g) with g = 1 - f, at the price of the
/// reserves. Its slope in u has the sign of 1 - g^2, which is positive: out to u = fee - minFee, a larger part of a pool
/// trades better. (SAMM's fee falls with 1.05 a / reserve; 1 is enough, and leaves more room.) Beyond that a trade is
/// better off in parts. New liquidity earns most in the smallest pool, which evens the pools out; prices are evened out
/// by arbitrage, which a session of the vault makes possible without capital.
/// @dev The product of the reserves never falls by a trade, because the fee is at least `minFee`.
contract ShardPool is InstantPool {
    uint256 private constant WAD = 1e18;

    /// @notice The lowest fee, in millionths of what comes in.
    uint256 public immutable minFee;

    error InvalidMinFee(uint256 minFee);

    constructor(IVault vault_, address token0_, address token1_, uint256 fee_, uint256 minFee_)
        InstantPool(vault_, token0_, token1_, fee_)
    {
        if (minFee_ > fee_) revert InvalidMinFee(minFee_);
        minFee = minFee_;
    }

    /// @notice The fee on `amountIn` of `tokenIn` now, times 10^18.
    function feeOn(address tokenIn, uint256 amountIn) external view returns (uint256) {
        (uint256 reserveIn,) = _reserves(_isFirst(tokenIn));
        return _fee(amountIn, reserveIn);
    }

    /// @dev Nothing to do: the curve has no memory.
    function _accrue() internal override {}

    function _amountOutDown(bool first, uint256 amountIn) internal view override returns (uint256) {
        (uint256 reserveIn, uint256 reserveOut) = _reserves(first);
        return _outDown(amountIn, reserveIn, reserveOut);
    }

    /// @dev What comes out rises with what comes in, so the least that suffices lies between what the lowest and what the
    /// highest fee ask for, and is found by halving.
    function _amountInUp(bool first, uint256 amountOut) internal view override returns (uint256) {
        (uint256 reserveIn, uint256 reserveOut) = _reserves(first);
        uint256 low = CurveMath.amountInUp(amountOut, reserveIn, reserveOut, minFee);
        // Two more, because the fee is taken before the trade is rounded.
        uint256 high = CurveMath.amountInUp(amountOut, reserveIn, reserveOut, fee) + 2;
        CurveMath.requireCountable(high);
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (_outDown(middle, reserveIn, reserveOut) >= amountOut) high = middle;
            else low = middle + 1;
        }
        return low;
    }

    function _outDown(uint256 amountIn, uint256 reserveIn, uint256 reserveOut) private view returns (uint256) {
        CurveMath.requireCountable(amountIn);
        uint256 taken = amountIn * (WAD - _fee(amountIn, reserveIn)) / WAD;
        if (taken == 0) return 0;
        return taken * reserveOut / (reserveIn + taken);
    }

    /// @dev Times 10^18: in millionths the fee would fall in steps, and small trades would be cheaper in larger pools.
    function _fee(uint256 amountIn, uint256 reserveIn) private view returns (uint256) {
        if (reserveIn == 0) return fee * WAD / CurveMath.UNIT;
        uint256 less = amountIn * WAD / reserveIn;
        uint256 most = (fee - minFee) * WAD / CurveMath.UNIT;
        return (less < most ? most - less : 0) + minFee * WAD / CurveMath.UNIT;
    }
}
