// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title What a European option is worth (Black 1976), and how that moves
/// @notice With forward F, strike K, volatility s, T years and rate r:
///
///     d1 = (ln(F/K) + s² T / 2) / (s √T)      d2 = d1 - s √T
///     call = e^(-rT) (F N(d1) - K N(d2))      put = e^(-rT) (K N(-d2) - F N(-d1))
///
/// Prices are in any unit, the result in the same. Volatility, rate, N and ratios are times 10^18. The normal distribution is Hart's
/// rational approximation (Computer Approximations, 1968, 5666) as given by West (Better Approximations to Cumulative Normal
/// Functions, 2005), which is exact to the fifteenth digit or so. The Rust crate `braid-risk` gives the same numbers to the last unit.
/// @dev Fischer Black, The pricing of commodity contracts, 1976.
library BlackModel {
    uint256 internal constant WAD = 1e18;
    uint256 internal constant YEAR = 365 days;
    /// @dev With these no product here overflows.
    uint256 internal constant MAX_PRICE = 1 << 136;
    uint256 internal constant MAX_DURATION = 10 * YEAR;
    uint256 internal constant MAX_VOLATILITY = 100 * WAD;
    int256 internal constant MAX_RATE = 1e18;
    /// @dev Beyond this a tail of the normal distribution is less than one in 10^18.
    uint256 internal constant TAIL = 9e18;
    /// @dev 5 √2, where Hart's approximation changes.
    uint256 internal constant SPLIT = 7_071_067_811_865_475_244;
    /// @dev √(2π).
    uint256 internal constant ROOT_TWO_PI = 2_506_628_274_631_000_502;

    /// @param forward What the underlying is sold for at expiry.
    /// @param volatility In a year, times 10^18.
    /// @param duration Until expiry, in seconds.
    /// @param rate The continuous rate in a year, times 10^18.
    struct Option {
        bool isCall;
        uint256 forward;
        uint256 strike;
        uint256 volatility;
        uint256 duration;
        int256 rate;
    }

    /// @param delta What the price moves by with the forward, times 10^18.
    /// @param gamma What delta moves by while the forward moves by all of itself, times 10^18.
    /// @param vega What the price moves by for a volatility that is higher by one.
    /// @param theta What the price moves by in a year that passes.
    /// @param rho What the price moves by for a rate that is higher by one, at the same forward.
    struct Greeks {
        uint256 price;
        int256 delta;
        uint256 gamma;
        uint256 vega;
        int256 theta;
        int256 rho;
    }

    /// @dev What both computations begin with. `deviation` is s √T; without it there is no d1.
    struct Setting {
        uint256 time;
        uint256 root;
        uint256 deviation;
        uint256 discount;
        int256 d1;
    }

    /// @notice The terms are outside of what is calculated with.
    error InvalidOption();

    function price(Option memory option) internal pure returns (uint256) {
        return _price(option, _setting(option));
    }

    function greeks(Option memory option) internal pure returns (Greeks memory moves) {
        Setting memory setting = _setting(option);
        moves.price = _price(option, setting);
        moves.rho = -int256(setting.time * moves.price / WAD);
        moves.theta = option.rate * int256(moves.price) / int256(WAD);
        if (setting.deviation == 0) {
            if (_intrinsic(option) > 0) moves.delta = int256(setting.discount);
        } else {
            uint256 weight = density(setting.d1);
            uint256 scaled = option.forward * weight / WAD;
            moves.delta = int256(setting.discount * cumulative(option.isCall ? setting.d1 : -setting.d1) / WAD);
            moves.gamma = setting.discount * weight / setting.deviation;
            moves.vega = (scaled * setting.root / WAD) * setting.discount / WAD;
            moves.theta -= int256((scaled * option.volatility / (2 * setting.root)) * setting.discount / WAD);
        }
        if (!option.isCall) moves.delta = -moves.delta;
    }

    /// @notice How likely a standard normal variable is at most `x`; both times 10^18.
    function cumulative(int256 x) internal pure returns (uint256) {
        uint256 beyond = _tail(FixedPointMathLib.abs(x));
        return x > 0 ? WAD - beyond : beyond;
    }

    /// @notice The density of a standard normal variable at `x`; both times 10^18.
    function density(int256 x) internal pure returns (uint256) {
        uint256 distance = FixedPointMathLib.abs(x);
        if (distance >= TAIL) return 0;
        return _bell(distance) * WAD / ROOT_TWO_PI;
    }

    function _setting(Option memory option) private pure returns (Setting memory setting) {
        bool isPriced =
            option.forward > 0 && option.forward < MAX_PRICE && option.strike > 0 && option.strike < MAX_PRICE;
        bool isBounded = option.volatility <= MAX_VOLATILITY && option.duration <= MAX_DURATION;
        if (!isPriced || !isBounded || option.rate > MAX_RATE || option.rate < -MAX_RATE) revert InvalidOption();
        setting.time = option.duration * WAD / YEAR;
        setting.root = FixedPointMathLib.sqrt(setting.time * WAD);
        setting.deviation = option.volatility * setting.root / WAD;
        setting.discount = uint256(FixedPointMathLib.expWad(-option.rate * int256(setting.time) / int256(WAD)));
        if (setting.deviation == 0) return setting;
        // A forward that is nothing beside the strike counts as one in 10^18 of it.
        uint256 ratio = FixedPointMathLib.max(option.forward * WAD / option.strike, 1);
        int256 deviation = int256(setting.deviation);
        setting.d1 = FixedPointMathLib.lnWad(int256(ratio)) * int256(WAD) / deviation + deviation / 2;
    }

    /// @dev Not below what exercising would give, which the rounding of the two terms could make it.
    function _price(Option memory option, Setting memory setting) private pure returns (uint256) {
        uint256 undiscounted = _intrinsic(option);
        if (setting.deviation != 0) {
            int256 d2 = setting.d1 - int256(setting.deviation);
            (uint256 gets, uint256 gives) = option.isCall
                ? (option.forward * cumulative(setting.d1), option.strike * cumulative(d2))
                : (option.strike * cumulative(-d2), option.forward * cumulative(-setting.d1));
            if (gets > gives) undiscounted = FixedPointMathLib.max(undiscounted, (gets - gives) / WAD);
        }
        return undiscounted * setting.discount / WAD;
    }

    function _intrinsic(Option memory option) private pure returns (uint256) {
        (uint256 gets, uint256 gives) =
            option.isCall ? (option.forward, option.strike) : (option.strike, option.forward);
        return FixedPointMathLib.zeroFloorSub(gets, gives);
    }

    /// @dev e^(-x²/2).
    function _bell(uint256 x) private pure returns (uint256) {
        return uint256(FixedPointMathLib.expWad(-int256(x * x / (2 * WAD))));
    }

    /// @dev How likely a standard normal variable is beyond `x`, which is not negative.
    function _tail(uint256 x) private pure returns (uint256) {
        if (x >= TAIL) return 0;
        uint256 bell = _bell(x);
        if (x >= SPLIT) {
            uint256 fraction = x + 0.65e18;
            fraction = x + 4 * WAD * WAD / fraction;
            fraction = x + 3 * WAD * WAD / fraction;
            fraction = x + 2 * WAD * WAD / fraction;
            fraction = x + WAD * WAD / fraction;
            return bell * WAD / fraction * WAD / ROOT_TWO_PI;
        }
        uint256 over = 0.0352624965998911e18;
        over = over * x / WAD + 0.700383064443688e18;
        over = over * x / WAD + 6.37396220353165e18;
        over = over * x / WAD + 33.912866078383e18;
        over = over * x / WAD + 112.079291497871e18;
        over = over * x / WAD + 221.213596169931e18;
        over = over * x / WAD + 220.206867912376e18;
        uint256 under = 0.0883883476483184e18;
        under = under * x / WAD + 1.75566716318264e18;
        under = under * x / WAD + 16.064177579207e18;
        under = under * x / WAD + 86.7807322029461e18;
        under = under * x / WAD + 296.564248779674e18;
        under = under * x / WAD + 637.333633378831e18;
        under = under * x / WAD + 793.826512519948e18;
        under = under * x / WAD + 440.413735824752e18;
        return bell * over / under;
    }
}
