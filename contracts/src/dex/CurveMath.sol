// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title The constant-product curve with a fee on what comes in
/// @notice Fees are in millionths. Reserves and amounts are at most {MAX}, so that no product overflows: a fee has 20 bits
/// and two amounts 224.
library CurveMath {
    uint256 internal constant UNIT = 1e6;
    uint256 internal constant MAX = type(uint112).max;

    /// @notice The amount is more than a pool can count.
    error AmountTooLarge(uint256 amount);
    /// @notice The reserves cannot give this much.
    error InsufficientReserves(uint256 reserve, uint256 amount);

    function requireCountable(uint256 amount) internal pure {
        if (amount > MAX) revert AmountTooLarge(amount);
    }

    /// @notice What the curve gives for `amountIn`, rounded down, for the pool.
    function amountOutDown(uint256 amountIn, uint256 reserveIn, uint256 reserveOut, uint256 fee)
        internal
        pure
        returns (uint256)
    {
        requireCountable(amountIn);
        uint256 taken = amountIn * (UNIT - fee);
        return taken * reserveOut / (reserveIn * UNIT + taken);
    }

    /// @notice The least that makes the curve give `amountOut`, rounded up, for the pool.
    function amountInUp(uint256 amountOut, uint256 reserveIn, uint256 reserveOut, uint256 fee)
        internal
        pure
        returns (uint256)
    {
        if (amountOut >= reserveOut) revert InsufficientReserves(reserveOut, amountOut);
        uint256 numerator = reserveIn * amountOut * UNIT;
        uint256 denominator = (reserveOut - amountOut) * (UNIT - fee);
        return (numerator + denominator - 1) / denominator;
    }
}
