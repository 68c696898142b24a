// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title The curve of two tokens that should be worth the same
/// @notice Egorov's invariant ("StableSwap", 2019, section 2) for two reserves x and y in units of equal worth, with
/// amplification A:
///
///   4 A (x + y) + D = 4 A D + D^3 / (4 x y)
///
/// D is what the reserves would sum up to at a price of one. The larger A, the longer the price stays near one; for A = 0 it is
/// the constant product. Reserves are at most {MAX}, A at most {MAX_AMPLIFICATION}.
///
/// {invariantUp} finds D by Newton's method. The function D^3 / (4 x y) + (4 A - 1) D - 4 A (x + y) is convex and rises, so every
/// step from the right of its root ends to the right of it; the products are rounded so that a step ends no further left. It
/// begins at x + y, which is not below the root, and stops when a step no longer falls. {balanceUp} solves for y, which
/// for two tokens is a quadratic equation, with every rounding up. So a balance is never below what the curve asks for.
library StableMath {
    /// @dev 2^100: a million million tokens of 18 decimals. D^2 and sums of it fit a word.
    uint256 internal constant MAX = 1 << 100;
    uint256 internal constant MAX_AMPLIFICATION = 10_000;
    /// @dev Convergence is quadratic once a step is near; far off, a step takes a third away at least. From 2^101 to a root of
    /// one or more there are fewer than 255.
    uint256 private constant MAX_STEPS = 255;

    /// @notice The reserve is more than the curve can count.
    error ReserveTooLarge(uint256 reserve);
    error NoConvergence(uint256 x, uint256 y);

    /// @notice D for reserves `x` and `y`, neither of them zero, rounded up.
    function invariantUp(uint256 x, uint256 y, uint256 amplification) internal pure returns (uint256 d) {
        if (x > MAX || y > MAX) revert ReserveTooLarge(Math.max(x, y));
        uint256 weighted = 4 * amplification * (x + y);
        d = x + y;
        (uint256 less, uint256 more) = x < y ? (x, y) : (y, x);
        for (uint256 i = 0; i < MAX_STEPS; i++) {
            // D^3 / (4 x y), down: a step falls with it. By the lesser first, so that what is cut off is not multiplied.
            uint256 product = Math.mulDiv(Math.mulDiv(d, d, 2 * less), d, 2 * more);
            uint256 next =
                Math.mulDiv(d, 2 * product + weighted, 3 * product + (4 * amplification - 1) * d, Math.Rounding.Ceil);
            if (next >= d) return d;
            d = next;
        }
        revert NoConvergence(x, y);
    }

    /// @notice The y that the curve asks for beside `x`, rounded up.
    function balanceUp(uint256 x, uint256 d, uint256 amplification) internal pure returns (uint256) {
        if (x > MAX) revert ReserveTooLarge(x);
        // y^2 + (b - D) y = c with b = x + D / (4 A) and c = D^3 / (16 A x).
        uint256 b = x + d / (4 * amplification);
        uint256 c = Math.mulDiv(Math.mulDiv(d, d, 4 * x, Math.Rounding.Ceil), d, 4 * amplification, Math.Rounding.Ceil);
        uint256 apart = b > d ? b - d : d - b;
        uint256 root = Math.sqrt(apart * apart + 4 * c, Math.Rounding.Ceil);
        return Math.ceilDiv(b > d ? root - apart : root + apart, 2);
    }
}
