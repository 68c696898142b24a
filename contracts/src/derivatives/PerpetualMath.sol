// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title The arithmetic of perpetual futures
/// @notice Sizes are in the smallest unit of what is traded, positive for who is long. Prices are what one such unit is worth in
/// the smallest unit of the margin token, times 10^36; amounts are in that smallest unit. The Rust crate `braid-risk` has the
/// same functions and gives the same numbers to the last unit.
///
/// Funding is kept as a running sum `funding`, in units of a price: who is long pays what it has grown by, who is short is paid
/// that. A position therefore gains `size * (price - funding)` less its cost, which is the sum over its trades of
/// `size * (fill - funding then)`. Costs are exact: they are not divided by 10^36 before they are settled.
/// @dev Within {MAX_PRICE}, {MAX_OPEN} and {MAX_FUNDING} no product here overflows.
library PerpetualMath {
    uint256 internal constant BASIS = 10_000;
    uint256 internal constant PRICE = 1e36;
    uint256 internal constant RAY = 1e27;
    /// @dev A price is below this: 8.7 million dollars of six digits for a hundred-millionth.
    uint256 internal constant MAX_PRICE = 1 << 136;
    /// @dev The most of one side of a market.
    uint256 internal constant MAX_OPEN = 1 << 104;
    /// @dev Funding in a second, times 10^27, at most: ten times the price in a year. It takes a century to sum up to 2^10 times
    /// the highest price, so that a size times a price less funding stays below 2^251.
    uint256 internal constant MAX_FUNDING = 10 * RAY / uint256(365 days);
    uint256 internal constant WAD = 1e18;
    /// @dev The rank from which on positions are closed at once when gains are not covered: a gain of ten times what was paid, at a leverage of ten.
    uint256 internal constant FIRST_RANK = 100 * WAD;
    /// @dev In this many seconds the rank falls by half. A rank of one is reached after a minute and six seconds.
    uint256 internal constant RANK_HALF_LIFE = 10;
    /// @dev After this many seconds whatever has gained may be closed. Thirty halves of the first rank are a ten-millionth.
    uint256 internal constant ALL_RANKS_AFTER = 300;

    /// @notice What a trade of `delta` is filled at: the price and, against the trader, the spread and an impact. The impact is the
    /// mean of the skew before and after, relative to `skewScale`, where the trade makes the skew larger; else there is none, so
    /// that coming and going never pays. Rounded against the trader.
    /// @param skew What is long less what is short, as the block found it.
    function fillPrice(uint256 price, int256 skew, int256 delta, uint256 skewScale, uint256 spreadBasis)
        internal
        pure
        returns (uint256)
    {
        uint256 before = FixedPointMathLib.abs(skew);
        uint256 later = FixedPointMathLib.abs(skew + delta);
        uint256 surcharge = divUp(price * spreadBasis, BASIS);
        if (later > before) surcharge += divUp(price * (before + later), 2 * skewScale);
        if (delta > 0) return price + surcharge;
        return price > surcharge ? price - surcharge : 0;
    }

    /// @notice What the funding sum grows by in `elapsed` seconds: the highest rate for a skew of `skewScale`, and in proportion
    /// below. Positive while more is long, so that the many pay the few and, for the rest, who backs them.
    /// @param maxRate In a second, times 10^27.
    function fundingGrowth(uint256 price, int256 skew, uint256 skewScale, uint256 maxRate, uint256 elapsed)
        internal
        pure
        returns (int256)
    {
        uint256 share = FixedPointMathLib.min(FixedPointMathLib.abs(skew), skewScale);
        uint256 growth = FixedPointMathLib.fullMulDiv(price * share / skewScale, maxRate * elapsed, RAY);
        return skew < 0 ? -int256(growth) : int256(growth);
    }

    /// @notice The cost of a trade or the worth of a position, times 10^36.
    function worth(int256 size, uint256 price, int256 funding) internal pure returns (int256) {
        return size * (int256(price) - funding);
    }

    /// @notice The part of a position's cost that goes with `closed` of its `size`, rounded towards zero.
    function closedCost(int256 cost, int256 closed, int256 size) internal pure returns (int256) {
        if (closed == size) return cost;
        uint256 part = FixedPointMathLib.fullMulDiv(
            FixedPointMathLib.abs(cost), FixedPointMathLib.abs(closed), FixedPointMathLib.abs(size)
        );
        return cost < 0 ? -int256(part) : int256(part);
    }

    /// @notice An exact amount in whole units, rounded down: for who gets it.
    function settleDown(int256 exact) internal pure returns (int256 amount) {
        amount = exact / int256(PRICE);
        if (exact % int256(PRICE) < 0) amount -= 1;
    }

    /// @notice `basis` of what `size` is worth, rounded up: margins, fees and penalties.
    function shareUp(int256 size, uint256 price, uint256 basis) internal pure returns (uint256) {
        return divUp(FixedPointMathLib.abs(size) * price * basis, PRICE * BASIS);
    }

    /// @notice How much of a position has to be closed at `price` until the account has the margin `initial` again, with the
    /// penalty paid; at most all of it.
    /// @param equity What the account has, less than `initial`.
    /// @param initialBasis What the position needs of its worth; more than `penaltyBasis`.
    function liquidationSize(
        int256 size,
        uint256 price,
        int256 equity,
        uint256 initial,
        uint256 initialBasis,
        uint256 penaltyBasis
    ) internal pure returns (uint256) {
        uint256 all = FixedPointMathLib.abs(size);
        if (equity <= 0) return all;
        uint256 missing = initial - uint256(equity);
        uint256 perUnit = price * (initialBasis - penaltyBasis);
        // What closing all of it does. Beyond that the quotient below might not fit.
        if (all * perUnit / (BASIS * PRICE) <= missing) return all;
        return FixedPointMathLib.fullMulDivUp(missing * BASIS, PRICE, perUnit);
    }

    /// @notice The price of a market at which an account has no more than its maintenance margin, if nothing else moves: rounded
    /// to the side where it comes earlier. Zero if no price does that to a long position.
    /// @param excess What the account has beyond its maintenance margin at `price`.
    /// @param maintenanceBasis What this position needs of its worth; less than {BASIS}.
    function liquidationPrice(int256 size, uint256 price, int256 excess, uint256 maintenanceBasis)
        internal
        pure
        returns (uint256)
    {
        uint256 amount = FixedPointMathLib.abs(size);
        uint256 perUnit = amount * (size > 0 ? BASIS - maintenanceBasis : BASIS + maintenanceBasis);
        // Down for what is there: the way to the price is a little shorter.
        uint256 distance = FixedPointMathLib.abs(excess);
        bool up = (excess < 0) == (size > 0);
        distance = (excess < 0)
            ? FixedPointMathLib.fullMulDivUp(distance * BASIS, PRICE, perUnit)
            : FixedPointMathLib.fullMulDiv(distance * BASIS, PRICE, perUnit);
        if (up) return price + distance;
        return price > distance ? price - distance : 0;
    }

    /// @notice Where a position that has gained stands when positions are closed because gains are not covered: its gain in proportion to what it was
    /// entered at, times the account's leverage on it, times 10^18. Highest first.
    /// @param gain What it has gained, in whole units; more than zero.
    /// @param equity What the account has. A position that carries others whose losses leave nothing ranks before all.
    function deleverageRank(int256 size, uint256 price, uint256 gain, int256 equity) internal pure returns (uint256) {
        uint256 now_ = FixedPointMathLib.abs(size) * price / PRICE;
        if (equity <= 0) return type(uint256).max;
        uint256 entered = size < 0 ? now_ + gain : now_ > gain ? now_ - gain : 1;
        // Bounded, so that the product below fits: a gain of 2^68 times the entry is before all others anyway.
        uint256 profit = FixedPointMathLib.min(FixedPointMathLib.fullMulDiv(gain, WAD, entered), 1 << 128);
        return profit * now_ / uint256(equity);
    }

    /// @notice The rank that a position has to have to be closed `elapsed` seconds after gains were found not to be covered: it falls by half
    /// every {RANK_HALF_LIFE}, in a straight line between halves, and is zero after {ALL_RANKS_AFTER}.
    function rankNeeded(uint256 elapsed) internal pure returns (uint256) {
        if (elapsed >= ALL_RANKS_AFTER) return 0;
        uint256 rank = FIRST_RANK >> elapsed / RANK_HALF_LIFE;
        return rank - rank * (elapsed % RANK_HALF_LIFE) / (2 * RANK_HALF_LIFE);
    }

    function divUp(uint256 value, uint256 divisor) internal pure returns (uint256) {
        return value == 0 ? 0 : (value - 1) / divisor + 1;
    }
}
