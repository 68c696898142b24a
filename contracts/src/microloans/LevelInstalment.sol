// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title The level instalment: paid at the end of every period, it brings the balance to nothing
/// @notice With growth factors g of the periods, B and S are carried from one to the next:
///
///   B <- B * g          what would be owed if nothing were paid
///   S <- S * g + 1      what one unit paid at the end of every period has grown to
///
/// and the instalment is B / S after the last one, rounded once, to a multiple (rounding point R1). Both are kept as integers over one
/// common denominator, in as many words as that takes, so that the quotient is exact until it is rounded.
/// @dev Numbers are lists of 128 bits each, the lowest first, all of the length of the longest.
library LevelInstalment {
    uint256 private constant LIMB = 128;
    uint256 private constant MASK = type(uint128).max;
    /// @dev Above any instalment: fifty bits of principal, thirty of growth in one period.
    uint256 private constant MOST = 1 << 96;

    /// @param owed B, times the common denominator.
    /// @param paid S, times the same.
    struct Sums {
        uint256[] owed;
        uint256[] paid;
        uint256[] common;
    }

    /// @notice Room for so many periods, and the principal.
    function begin(uint256 principal, uint256 periods) internal pure returns (Sums memory sums) {
        // A factor has seventy bits at most, so that three limbs are enough for five periods; and some for principal and quotient.
        uint256 length = periods * 3 / 5 + 4;
        sums = Sums(new uint256[](length), new uint256[](length), new uint256[](length));
        (sums.owed[0], sums.common[0]) = (principal, 1);
    }

    /// @notice Lets a period pass in which the balance grows by `numerator / denominator` and an instalment is paid.
    function pass(Sums memory sums, uint256 numerator, uint256 denominator) internal pure {
        _multiply(sums.owed, numerator);
        _multiply(sums.paid, numerator);
        _multiply(sums.common, denominator);
        _add(sums.paid, sums.common);
    }

    /// @notice B / S to a multiple, half to even or up.
    function rounded(Sums memory sums, uint256 multiple, bool isUp) internal pure returns (uint256) {
        _multiply(sums.paid, multiple);
        (uint256 low, uint256 high) = (0, MOST);
        while (high - low > 1) {
            uint256 middle = (low + high) / 2;
            if (_isBelow(sums.owed, sums.paid, middle)) high = middle;
            else low = middle;
        }
        if (isUp) return (_isBelow(_copy(sums.paid), low, sums.owed) ? low + 1 : low) * multiple;
        // Twice the rest is compared with the divisor: 2B with (2q + 1)S.
        _multiply(sums.owed, 2);
        bool isUnder = _isBelow(sums.owed, sums.paid, 2 * low + 1);
        bool isOver = _isBelow(_copy(sums.paid), 2 * low + 1, sums.owed);
        if (isOver || (!isUnder && low % 2 == 1)) low += 1;
        return low * multiple;
    }

    /// @dev left < right * factor
    function _isBelow(uint256[] memory left, uint256[] memory right, uint256 factor) private pure returns (bool) {
        uint256[] memory product = _copy(right);
        _multiply(product, factor);
        return _less(left, product);
    }

    /// @dev left * factor < right; `left` is used up.
    function _isBelow(uint256[] memory left, uint256 factor, uint256[] memory right) private pure returns (bool) {
        _multiply(left, factor);
        return _less(left, right);
    }

    function _less(uint256[] memory left, uint256[] memory right) private pure returns (bool) {
        for (uint256 i = left.length; i > 0; i--) {
            if (left[i - 1] != right[i - 1]) return left[i - 1] < right[i - 1];
        }
        return false;
    }

    /// @dev By a factor below 2^128.
    function _multiply(uint256[] memory number, uint256 factor) private pure {
        uint256 carry = 0;
        for (uint256 i = 0; i < number.length; i++) {
            uint256 limb = number[i];
            if (limb | carry == 0) continue;
            unchecked {
                // Below (2^128 - 1)^2 + 2^128, which fits.
                limb = limb * factor + carry;
            }
            (number[i], carry) = (limb & MASK, limb >> LIMB);
        }
        // The room was chosen so that nothing is lost.
        assert(carry == 0);
    }

    function _add(uint256[] memory number, uint256[] memory other) private pure {
        uint256 carry = 0;
        for (uint256 i = 0; i < number.length; i++) {
            uint256 limb = number[i] + other[i] + carry;
            (number[i], carry) = (limb & MASK, limb >> LIMB);
        }
        assert(carry == 0);
    }

    function _copy(uint256[] memory number) private pure returns (uint256[] memory copied) {
        copied = new uint256[](number.length);
        for (uint256 i = 0; i < number.length; i++) {
            copied[i] = number[i];
        }
    }
}
