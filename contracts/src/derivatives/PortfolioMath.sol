// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {BlackModel} from "./BlackModel.sol";
import {PerpetualMath} from "./PerpetualMath.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title What futures and options of one underlying may lose together: margin by scenarios
/// @notice A portfolio is valued at its present price and volatilities, and again in a grid of scenarios, as SPAN does: the price moved by none, one, two and three
/// thirds of a range to either side, each with volatilities as they are, higher and lower; and two extremes, the price moved by twice the range, of which a third counts.
/// What is lost most in any of them is the margin; so what one part loses another part's gain makes up for. An option that is short needs
/// a least margin besides, for what the grid does not see.
///
/// Sizes, prices and amounts are those of {PerpetualMath}, options are valued by {BlackModel} with the price as forward. The Rust crate `braid-risk` gives the same numbers to the
/// last unit. This is a calculation: no contract here asks for this margin.
/// @dev SPAN: Standard Portfolio Analysis of Risk, Chicago Mercantile Exchange, 1988, whose sixteen scenarios have two volatilities and these extremes.
library PortfolioMath {
    /// @notice Most options of a portfolio: each is valued in every scenario.
    uint256 internal constant MAX_LEGS = 16;
    /// @dev Twice the range leaves some of the price.
    uint256 internal constant MAX_RANGE = 4900;

    /// @param amount Units of the underlying, positive if held.
    /// @param volatility In a year, times 10^18.
    /// @param duration Until expiry, in seconds.
    struct Leg {
        bool isCall;
        uint256 strike;
        uint256 volatility;
        uint256 duration;
        int256 amount;
    }

    /// @param future Futures of the underlying, positive if long.
    /// @param rate Continuous, in a year, times 10^18.
    struct Portfolio {
        uint256 price;
        int256 future;
        int256 rate;
        Leg[] legs;
    }

    /// @param priceRange What the price may move by, in basis points of it.
    /// @param volatilityRange What volatilities may, in basis points of each.
    /// @param shortBasis The least margin of what is short of options, in basis points of the underlying's worth.
    struct Grid {
        uint256 priceRange;
        uint256 volatilityRange;
        uint256 shortBasis;
    }

    error InvalidGrid();
    error InvalidPrice(uint256 price);
    error TooManyLegs(uint256 legs);
    error AmountTooLarge(int256 amount);

    /// @notice The margin that a portfolio needs, rounded up.
    function marginUp(Portfolio memory portfolio, Grid memory grid) internal pure returns (uint256 margin) {
        _check(portfolio, grid);
        int256 now_ = worthOf(portfolio, grid, 0, 0);
        uint256 worst = 0;
        for (int256 price = -3; price <= 3; price++) {
            for (int256 volatility = -1; volatility <= 1; volatility++) {
                worst = FixedPointMathLib.max(worst, _lossUp(now_, worthOf(portfolio, grid, price, volatility)));
            }
        }
        for (int256 price = -6; price <= 6; price += 12) {
            worst =
                FixedPointMathLib.max(worst, PerpetualMath.divUp(_lossUp(now_, worthOf(portfolio, grid, price, 0)), 3));
        }
        return FixedPointMathLib.max(worst, _leastUp(portfolio, grid.shortBasis));
    }

    /// @notice What a portfolio is worth where the price has moved by `price` thirds of its range, and volatilities by `volatility` of theirs; times 10^36.
    function worthOf(Portfolio memory portfolio, Grid memory grid, int256 price, int256 volatility)
        internal
        pure
        returns (int256 worth)
    {
        uint256 moved = _moved(portfolio.price, price * int256(grid.priceRange), 3);
        worth = portfolio.future * int256(moved);
        for (uint256 i = 0; i < portfolio.legs.length; i++) {
            Leg memory leg = portfolio.legs[i];
            uint256 deviation = _moved(leg.volatility, volatility * int256(grid.volatilityRange), 1);
            deviation = FixedPointMathLib.min(deviation, BlackModel.MAX_VOLATILITY);
            uint256 value = BlackModel.price(
                BlackModel.Option(leg.isCall, moved, leg.strike, deviation, leg.duration, portfolio.rate)
            );
            worth += leg.amount * int256(value);
        }
    }

    /// @dev `value` and a part of it, in basis points and parts of them, rounded down.
    function _moved(uint256 value, int256 basis, uint256 parts) private pure returns (uint256) {
        uint256 whole = PerpetualMath.BASIS * parts;
        return value * uint256(int256(whole) + basis) / whole;
    }

    function _lossUp(int256 now_, int256 later) private pure returns (uint256) {
        return later < now_ ? PerpetualMath.divUp(uint256(now_ - later), PerpetualMath.PRICE) : 0;
    }

    function _leastUp(Portfolio memory portfolio, uint256 shortBasis) private pure returns (uint256 least) {
        for (uint256 i = 0; i < portfolio.legs.length; i++) {
            int256 amount = portfolio.legs[i].amount;
            if (amount < 0) least += PerpetualMath.shareUp(amount, portfolio.price, shortBasis);
        }
    }

    function _check(Portfolio memory portfolio, Grid memory grid) private pure {
        bool isBounded = grid.priceRange <= MAX_RANGE && grid.volatilityRange <= PerpetualMath.BASIS;
        if (!isBounded || grid.shortBasis > PerpetualMath.BASIS) revert InvalidGrid();
        // Twice as high at most, which options still have to be valued at.
        if (portfolio.price == 0 || portfolio.price >= PerpetualMath.MAX_PRICE / 2) {
            revert InvalidPrice(portfolio.price);
        }
        if (portfolio.legs.length > MAX_LEGS) revert TooManyLegs(portfolio.legs.length);
        _checkAmount(portfolio.future);
        for (uint256 i = 0; i < portfolio.legs.length; i++) {
            _checkAmount(portfolio.legs[i].amount);
        }
    }

    function _checkAmount(int256 amount) private pure {
        if (FixedPointMathLib.abs(amount) > PerpetualMath.MAX_OPEN) revert AmountTooLarge(amount);
    }
}
