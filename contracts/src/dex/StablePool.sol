// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {CurveMath} from "./CurveMath.sol";
import {IVault} from "./IVault.sol";
import {InstantPool} from "./InstantPool.sol";
import {StableMath} from "./StableMath.sol";
import {IERC20Metadata} from "@openzeppelin/token/ERC20/extensions/IERC20Metadata.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title A pool of two tokens that should be worth the same, such as two dollars
/// @notice See {StableMath} for the curve. One whole token is worth one whole token, whatever their decimals. The invariant
/// never falls by a trade; the fee is on what comes in.
/// @dev Assumes that a token's decimals, at most 18, do not change.
contract StablePool is InstantPool {
    /// @notice How long the price stays near one.
    uint256 public immutable amplification;
    /// @dev What a smallest unit of each token counts as.
    uint256 private immutable scale0;
    uint256 private immutable scale1;

    error InvalidAmplification(uint256 amplification);
    error TooManyDecimals(address token);

    constructor(IVault vault_, address token0_, address token1_, uint256 fee_, uint256 amplification_)
        InstantPool(vault_, token0_, token1_, fee_)
    {
        if (amplification_ == 0 || amplification_ > StableMath.MAX_AMPLIFICATION) {
            revert InvalidAmplification(amplification_);
        }
        amplification = amplification_;
        scale0 = _scale(token0_);
        scale1 = _scale(token1_);
    }

    /// @notice What the reserves would sum up to at a price of one, in 10^-18 of a whole token, rounded up.
    function invariant() public view returns (uint256) {
        return StableMath.invariantUp(reserve0 * scale0, reserve1 * scale1, amplification);
    }

    /// @dev Nothing to do: the curve has no memory.
    function _accrue() internal override {}

    function _amountOutDown(bool first, uint256 amountIn) internal view override returns (uint256) {
        CurveMath.requireCountable(amountIn);
        (uint256 reserveIn, uint256 reserveOut) = _reserves(first);
        if (reserveOut == 0) return 0;
        (uint256 scaleIn, uint256 scaleOut) = first ? (scale0, scale1) : (scale1, scale0);
        uint256 taken = amountIn * (CurveMath.UNIT - fee) / CurveMath.UNIT;
        uint256 left = StableMath.balanceUp((reserveIn + taken) * scaleIn, invariant(), amplification);
        return Math.saturatingSub(reserveOut, Math.ceilDiv(left, scaleOut));
    }

    function _amountInUp(bool first, uint256 amountOut) internal view override returns (uint256) {
        (uint256 reserveIn, uint256 reserveOut) = _reserves(first);
        if (amountOut >= reserveOut) revert CurveMath.InsufficientReserves(reserveOut, amountOut);
        (uint256 scaleIn, uint256 scaleOut) = first ? (scale0, scale1) : (scale1, scale0);
        uint256 d = invariant();
        uint256 rest = (reserveOut - amountOut) * scaleOut;
        // A million millionth of all: beyond that the curve asks for more than can be counted.
        if (rest < d >> 40) revert CurveMath.InsufficientReserves(reserveOut, amountOut);
        uint256 wanted = StableMath.balanceUp(rest, d, amplification);
        // The roundings of both directions are for the pool: one may ask for a unit or two more than the other.
        uint256 taken = Math.saturatingSub(Math.ceilDiv(wanted, scaleIn), reserveIn) + 2;
        return Math.ceilDiv(taken * CurveMath.UNIT, CurveMath.UNIT - fee);
    }

    function _scale(address token) private view returns (uint256) {
        uint256 decimals_ = IERC20Metadata(token).decimals();
        if (decimals_ > 18) revert TooManyDecimals(token);
        return 10 ** (18 - decimals_);
    }
}
