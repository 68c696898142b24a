// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {CurveMath} from "./CurveMath.sol";
import {IVault} from "./IVault.sol";
import {InstantPool} from "./InstantPool.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title A pool in which the two tokens make up fixed parts of what it is worth, such as 80 to 20
/// @notice The curve is x^w0 * y^w1 = k (Martinelli and Mushegian: Balancer, 2019). With reserves R, weights w and g = 1 - fee a trade gives
///
///   out = R_out (1 - (R_in / (R_in + g in)) ^ (w_in / w_out))
///
/// A provider keeps the weights, whatever the price does, and loses less to its moves than with equal parts. A trade brings at most
/// {MAX_PART} of the reserve; {quoteExact} answers for at most that part of the other.
///
/// @dev Powers are computed with solady's `powWad`, which is right to about one in 10^16 for the ratios here; {MARGIN} of the result is
/// added to it, and every other rounding is for the pool too, so x^w0 * y^w1 never falls by a trade. The price of that: trades
/// pay one in 10^14 of the reserve, and one that brings less than that gives nothing.
contract WeightedPool is InstantPool {
    uint256 internal constant WAD = 1e18;
    /// @notice What a trade may bring of the reserve: three tenths, times 10^18.
    uint256 public constant MAX_PART = 3e17;
    /// @notice The least part of a token, times 10^18.
    uint256 public constant MIN_WEIGHT = 1e16;
    /// @dev What is added to a power, of 10^18 of it.
    uint256 internal constant MARGIN = 1e4;

    /// @notice The part of token 0 of what the pool is worth, times 10^18; token 1 is the rest.
    uint256 public immutable weight0;

    error InvalidWeight(uint256 weight);
    /// @notice The amount is more of the reserve than a trade may be.
    error TradeTooLarge(uint256 amount, uint256 most);

    constructor(IVault vault_, address token0_, address token1_, uint256 fee_, uint256 weight0_)
        InstantPool(vault_, token0_, token1_, fee_)
    {
        if (weight0_ < MIN_WEIGHT || weight0_ > WAD - MIN_WEIGHT) revert InvalidWeight(weight0_);
        weight0 = weight0_;
    }

    /// @dev Nothing to do: the curve has no memory.
    function _accrue() internal override {}

    function _amountOutDown(bool first, uint256 amountIn) internal view override returns (uint256) {
        CurveMath.requireCountable(amountIn);
        (uint256 reserveIn, uint256 reserveOut) = _reserves(first);
        uint256 most = Math.mulDiv(reserveIn, MAX_PART, WAD);
        if (amountIn > most) revert TradeTooLarge(amountIn, most);
        uint256 taken = amountIn * (CurveMath.UNIT - fee) / CurveMath.UNIT;
        if (taken == 0) return 0;
        // A ratio below one: the smaller its exponent, the larger the power.
        uint256 ratio = Math.mulDiv(reserveIn, WAD, reserveIn + taken, Math.Rounding.Ceil);
        (uint256 weightIn, uint256 weightOut) = _weights(first);
        uint256 left = _powUp(ratio, Math.mulDiv(weightIn, WAD, weightOut));
        return left >= WAD ? 0 : Math.mulDiv(reserveOut, WAD - left, WAD);
    }

    function _amountInUp(bool first, uint256 amountOut) internal view override returns (uint256 amountIn) {
        (uint256 reserveIn, uint256 reserveOut) = _reserves(first);
        uint256 most = Math.mulDiv(reserveOut, MAX_PART, WAD);
        if (amountOut > most) revert TradeTooLarge(amountOut, most);
        if (amountOut == 0) return 0;
        uint256 ratio = Math.mulDiv(reserveOut, WAD, reserveOut - amountOut, Math.Rounding.Ceil);
        (uint256 weightIn, uint256 weightOut) = _weights(first);
        uint256 grown = _powUp(ratio, Math.mulDiv(weightOut, WAD, weightIn, Math.Rounding.Ceil));
        uint256 taken = Math.mulDiv(reserveIn, grown - WAD, WAD, Math.Rounding.Ceil);
        // What the margin of the other direction takes off: at most twice as much, times the slope of the curve.
        taken += Math.mulDiv(reserveIn + taken, 4 * MARGIN * (weightOut / weightIn + 1), WAD, Math.Rounding.Ceil) + 2;
        amountIn = Math.mulDiv(taken, CurveMath.UNIT, CurveMath.UNIT - fee, Math.Rounding.Ceil);
        most = Math.mulDiv(reserveIn, MAX_PART, WAD);
        if (amountIn > most) revert TradeTooLarge(amountIn, most);
    }

    function _weights(bool first) private view returns (uint256 weightIn, uint256 weightOut) {
        return first ? (weight0, WAD - weight0) : (WAD - weight0, weight0);
    }

    function _powUp(uint256 base, uint256 exponent) private pure returns (uint256) {
        uint256 power = uint256(FixedPointMathLib.powWad(int256(base), int256(exponent)));
        return power + Math.mulDiv(power, MARGIN, WAD, Math.Rounding.Ceil) + 1;
    }
}
