// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title What pools have in common that trade at once
interface IPool {
    /// @notice Takes `amountIn` of `tokenIn` from the caller's internal balance and credits `to` with the other token.
    /// @dev The caller has to have let the pool take it, as operator or by allowance in the vault.
    function swap(address tokenIn, uint256 amountIn, uint256 minAmountOut, address to)
        external
        returns (uint256 amountOut);

    /// @notice What {swap} would give now; zero if the pool is empty.
    function quote(address tokenIn, uint256 amountIn) external view returns (uint256 amountOut);

    /// @notice The least of `tokenIn` for which {swap} gives `amountOut`, or a unit or two more.
    function quoteExact(address tokenIn, uint256 amountOut) external view returns (uint256 amountIn);
}
