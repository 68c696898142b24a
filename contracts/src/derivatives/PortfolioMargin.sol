// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {PortfolioMath} from "./PortfolioMath.sol";

/// @title The margin by scenarios of futures and options, as a question
/// @notice See {PortfolioMath}. Nobody holds anything here: wallets and contracts ask what a portfolio would need.
contract PortfolioMargin {
    /// @notice The margin that a portfolio needs, in the smallest unit that its price is told in, rounded up.
    function marginOf(PortfolioMath.Portfolio calldata portfolio, PortfolioMath.Grid calldata grid)
        external
        pure
        returns (uint256)
    {
        return PortfolioMath.marginUp(portfolio, grid);
    }
}
