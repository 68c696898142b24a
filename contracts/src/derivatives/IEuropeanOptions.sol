// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPriceOracle} from "../lending/ILendingMarket.sol";

/// @title European options, fully collateralised and settled in cash
/// @notice Who writes an option puts down what it can ever pay, and gets two tokens (ERC-6909): the *long*, which pays after expiry, and the
/// *short*, which gets the rest of what was put down. Either can be sold; who has both can take the collateral back at any time. A
/// put is collateralised by its strike in the quote token, a call by the underlying itself.
///
/// Who holds a long with the same expiry may put it down instead: a *spread* needs what the two can lose together, and nothing if the one that is
/// held is the better one. Its token gets the rest of both.
///
/// Amounts are in the underlying's smallest unit; strikes and prices are what one such unit is worth in the quote token's smallest, times
/// 10^36. After expiry anybody settles a market at the oracle's price; then tokens are redeemed. Payments at a price S:
///
///     long put  amount · max(K - S, 0)        long call  amount · max(S - K, 0) / S, in the underlying
///
/// Roundings: collateral is rounded up, whatever is paid is rounded down.
///
/// Markets and series can be made by anybody. Nobody rules this contract. What a series pays comes out of its own collateral, so a
/// market with a bad oracle or a bad token harms those who use it.
///
/// Assumptions: tokens deliver what is sent, and their balances do not change by themselves. The oracle's first report after an expiry is
/// right, and somebody settles at it: the price is that of the report that is the latest when {settle} is called.
///
/// Invariant: what the tokens of a series can be redeemed for is no more than its collateral.
interface IEuropeanOptions {
    struct Market {
        address underlying;
        address quote;
        IPriceOracle oracle;
    }

    /// @param expiry In seconds since 1970.
    struct Series {
        uint256 market;
        uint256 strike;
        uint256 expiry;
        bool isCall;
    }

    error NothingGiven();
    error InvalidMarket();
    error MarketExists(uint256 market);
    error UnknownMarket(uint256 market);
    /// @notice A strike is above zero and below 2^136, an expiry within ten years.
    error InvalidSeries();
    error SeriesExists(uint256 series);
    error UnknownSeries(uint256 series);
    /// @notice A spread is between two strikes of one market, expiry and kind.
    error NoSpread(uint256 series, uint256 held);
    /// @notice The series can no longer be written.
    error Expired(uint256 expiry);
    error NotExpired(uint256 expiry);
    error NotSettled(uint256 market, uint256 expiry);
    error AlreadySettled(uint256 market, uint256 expiry);
    /// @notice The oracle has told nothing usable since the expiry.
    error NotPriced(uint256 market, uint256 price, uint256 updatedAt);

    event MarketCreated(uint256 indexed market, address indexed underlying, address indexed quote, IPriceOracle oracle);
    event SeriesCreated(
        uint256 indexed series, uint256 indexed market, uint256 strike, uint256 indexed expiry, bool isCall
    );
    event Written(
        address indexed writer, uint256 indexed series, uint256 indexed short, uint256 amount, uint256 collateral
    );
    event Unwound(
        address indexed holder, uint256 indexed series, uint256 indexed short, uint256 amount, uint256 collateral
    );
    event Settled(uint256 indexed market, uint256 indexed expiry, uint256 price);
    event Redeemed(address indexed holder, uint256 indexed id, address indexed to, uint256 amount, uint256 paid);

    /// @notice Writes `amount` of a series: takes the collateral from the caller, the long goes to `longTo`, the short to `shortTo`.
    function write(uint256 series, uint256 amount, address longTo, address shortTo)
        external
        returns (uint256 collateral);

    /// @notice The same against `amount` of the long `held` that the caller has.
    function writeSpread(uint256 series, uint256 held, uint256 amount, address longTo, address shortTo)
        external
        returns (uint256 collateral);

    /// @notice Takes `amount` of long and short of the caller, and gives the collateral back.
    function unwind(uint256 series, uint256 amount, address to) external returns (uint256 collateral);

    /// @notice Takes `amount` of a long and of its spread, and gives collateral and what was held back.
    function unwindSpread(uint256 series, uint256 held, uint256 amount, address to)
        external
        returns (uint256 collateral);

    /// @notice Notes the oracle's price for everything of a market that has this expiry.
    function settle(uint256 market, uint256 expiry) external returns (uint256 price);

    /// @notice Pays what `amount` of the caller's longs is worth.
    function redeem(uint256 series, uint256 amount, address to) external returns (uint256 paid);

    /// @notice Pays what the short leaves of its collateral.
    function redeemShort(uint256 series, uint256 amount, address to) external returns (uint256 paid);

    /// @notice Pays what the spread leaves.
    function redeemSpread(uint256 series, uint256 held, uint256 amount, address to) external returns (uint256 paid);
}
