// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPriceOracle} from "./ILendingMarket.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";

/// @title A price that a reporter tells, within bounds
/// @notice A report may differ from the last by a part of it and no more, so that one mistake does not empty a market. Where
/// the world has moved further, the owner sets the price; until then it grows old, and markets stop relying on it.
/// @dev One reporter is one party to trust: a feed is as honest as whoever runs it.
contract PriceFeed is IPriceOracle, Ownable {
    uint256 internal constant BASIS = 10_000;

    /// @notice What a report may differ by, in basis points of the last price.
    uint256 public immutable maxDeviationBasis;
    address public reporter;
    uint256 private price;
    uint256 private updatedAt;

    error NotReporter(address caller);
    error ZeroPrice();
    error DeviationTooLarge(uint256 last, uint256 reported);

    event Reported(address indexed by, uint256 price);
    event ReporterChanged(address indexed reporter);

    constructor(address owner, address reporter_, uint256 deviationBasis, uint256 first) Ownable(owner) {
        maxDeviationBasis = deviationBasis;
        _setReporter(reporter_);
        _set(first);
    }

    function report(uint256 reported) external {
        if (msg.sender != reporter) revert NotReporter(msg.sender);
        uint256 last = price;
        uint256 difference = reported > last ? reported - last : last - reported;
        // Divided first: the bound is a little tighter for tiny prices, and no price overflows.
        if (difference > last / BASIS * maxDeviationBasis) revert DeviationTooLarge(last, reported);
        _set(reported);
    }

    /// @notice Sets the price, however far it is from the last.
    function set(uint256 reported) external onlyOwner {
        _set(reported);
    }

    function setReporter(address reporter_) external onlyOwner {
        _setReporter(reporter_);
    }

    /// @inheritdoc IPriceOracle
    function latestPrice() external view returns (uint256, uint256) {
        return (price, updatedAt);
    }

    function _set(uint256 reported) private {
        if (reported == 0) revert ZeroPrice();
        price = reported;
        updatedAt = block.timestamp;
        emit Reported(msg.sender, reported);
    }

    function _setReporter(address reporter_) private {
        reporter = reporter_;
        emit ReporterChanged(reporter_);
    }
}
