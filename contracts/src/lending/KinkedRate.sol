// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IRateModel} from "./ILendingMarket.sol";

/// @title Interest that rises slowly up to a utilisation, and steeply beyond it
/// @notice Rates are in a second, times 10^27; utilisation is times 10^18.
contract KinkedRate is IRateModel {
    uint256 internal constant WAD = 1e18;

    /// @notice The rate of a market that lends nothing.
    uint256 public immutable base;
    /// @notice What the rate has risen by at the kink.
    uint256 public immutable toKink;
    /// @notice What it rises by from the kink to where everything is lent.
    uint256 public immutable fromKink;
    uint256 public immutable kink;

    /// @notice The kink lies between nothing and everything.
    error InvalidKink(uint256 kink);

    constructor(uint256 base_, uint256 toKink_, uint256 fromKink_, uint256 kink_) {
        if (kink_ == 0 || kink_ >= WAD) revert InvalidKink(kink_);
        base = base_;
        toKink = toKink_;
        fromKink = fromKink_;
        kink = kink_;
    }

    /// @inheritdoc IRateModel
    function borrowRate(uint256 utilisation) external view returns (uint256) {
        if (utilisation <= kink) return base + toKink * utilisation / kink;
        return base + toKink + fromKink * (utilisation - kink) / (WAD - kink);
    }
}
