// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title What options put down and pay
/// @notice Puts are reckoned in the quote token, calls in the underlying. Prices are times 10^36. See {IEuropeanOptions}.
library OptionMath {
    uint256 internal constant PRICE = 1e36;

    /// @notice The most that `amount` written at `strike` can pay, rounded up.
    function collateralUp(bool isCall, uint256 strike, uint256 amount) internal pure returns (uint256) {
        return isCall ? amount : FixedPointMathLib.fullMulDivUp(amount, strike, PRICE);
    }

    /// @notice The same, rounded down: what is given back.
    function collateralDown(bool isCall, uint256 strike, uint256 amount) internal pure returns (uint256) {
        return isCall ? amount : FixedPointMathLib.fullMulDiv(amount, strike, PRICE);
    }

    /// @notice The most that the short of `strike` can lose beyond what the long of `held` gains, rounded up. A call spread loses most where
    /// the held one begins to gain.
    function spreadCollateralUp(bool isCall, uint256 strike, uint256 held, uint256 amount)
        internal
        pure
        returns (uint256)
    {
        (uint256 gap, uint256 per) = _gap(isCall, strike, held);
        return FixedPointMathLib.fullMulDivUp(amount, gap, per);
    }

    function spreadCollateralDown(bool isCall, uint256 strike, uint256 held, uint256 amount)
        internal
        pure
        returns (uint256)
    {
        (uint256 gap, uint256 per) = _gap(isCall, strike, held);
        return FixedPointMathLib.fullMulDiv(amount, gap, per);
    }

    /// @notice What `amount` of the long pays at `price`, rounded down.
    function payoffDown(bool isCall, uint256 strike, uint256 amount, uint256 price) internal pure returns (uint256) {
        return FixedPointMathLib.fullMulDiv(amount, _gain(isCall, strike, price), isCall ? price : PRICE);
    }

    /// @notice What the short gets of its collateral, rounded down.
    function restDown(bool isCall, uint256 strike, uint256 amount, uint256 price) internal pure returns (uint256) {
        uint256 whole = isCall ? price : strike;
        return FixedPointMathLib.fullMulDiv(amount, whole - _gain(isCall, strike, price), isCall ? price : PRICE);
    }

    /// @notice What the spread gets: its collateral and what the held one pays, less what the short one does; rounded down.
    function spreadRestDown(bool isCall, uint256 strike, uint256 held, uint256 amount, uint256 price)
        internal
        pure
        returns (uint256)
    {
        uint256 per = isCall ? price : PRICE;
        (uint256 owes, uint256 gets) = (_gain(isCall, strike, price), _gain(isCall, held, price));
        if (gets >= owes) {
            uint256 gained = FixedPointMathLib.fullMulDiv(amount, gets - owes, per);
            return spreadCollateralDown(isCall, strike, held, amount) + gained;
        }
        uint256 lost = FixedPointMathLib.fullMulDivUp(amount, owes - gets, per);
        return FixedPointMathLib.zeroFloorSub(spreadCollateralDown(isCall, strike, held, amount), lost);
    }

    /// @dev What one unit of the long pays: in the quote token for a put; for a call in the same, to be divided by the price.
    function _gain(bool isCall, uint256 strike, uint256 price) private pure returns (uint256) {
        (uint256 gets, uint256 gives) = isCall ? (price, strike) : (strike, price);
        return FixedPointMathLib.zeroFloorSub(gets, gives);
    }

    function _gap(bool isCall, uint256 strike, uint256 held) private pure returns (uint256 gap, uint256 per) {
        if (isCall) return (FixedPointMathLib.zeroFloorSub(held, strike), held);
        return (FixedPointMathLib.zeroFloorSub(strike, held), PRICE);
    }
}
