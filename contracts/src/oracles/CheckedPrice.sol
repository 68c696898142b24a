// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPriceOracle} from "../lending/ILendingMarket.sol";

/// @title A price that another one confirms
/// @notice Tells the price of one oracle while a second one is near it and not too old; otherwise zero, which markets refuse:
/// nobody borrows or is liquidated at a price that two sources do not agree on. It is as old as the older of the two.
contract CheckedPrice is IPriceOracle {
    uint256 private constant BASIS = 10_000;

    IPriceOracle public immutable told;
    IPriceOracle public immutable confirming;
    /// @notice What the two may differ by, in basis points of the confirming one.
    uint256 public immutable maxDeviationBasis;

    error InvalidDeviation(uint256 basis);

    constructor(IPriceOracle told_, IPriceOracle confirming_, uint256 deviationBasis) {
        if (deviationBasis == 0 || deviationBasis >= BASIS) revert InvalidDeviation(deviationBasis);
        told = told_;
        confirming = confirming_;
        maxDeviationBasis = deviationBasis;
    }

    /// @inheritdoc IPriceOracle
    function latestPrice() external view returns (uint256 price, uint256 updatedAt) {
        uint256 other;
        uint256 otherAt;
        (price, updatedAt) = told.latestPrice();
        (other, otherAt) = confirming.latestPrice();
        if (otherAt < updatedAt) updatedAt = otherAt;
        uint256 apart = price > other ? price - other : other - price;
        // Divided first, so that no price overflows; prices are times 10^36.
        if (apart > other / BASIS * maxDeviationBasis) return (0, updatedAt);
    }
}
