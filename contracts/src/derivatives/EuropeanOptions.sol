// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPriceOracle} from "../lending/ILendingMarket.sol";
import {BlackModel} from "./BlackModel.sol";
import {IEuropeanOptions} from "./IEuropeanOptions.sol";
import {OptionMath} from "./OptionMath.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {ERC6909TokenSupply} from "@openzeppelin/token/ERC6909/extensions/ERC6909TokenSupply.sol";

/// @notice See {IEuropeanOptions}.
/// @dev Balances and supplies are sums in slots of their own, and nothing else changes before expiry: writers of one series do not wait for
/// each other. Ids are hashes, so making markets and series does not either.
contract EuropeanOptions is IEuropeanOptions, ERC6909TokenSupply {
    using SafeERC20 for IERC20;

    /// @notice If an oracle tells nothing after an expiry for so long, its last price settles.
    uint256 public constant LAPSE_AFTER = 7 days;

    mapping(uint256 market => Market) private _markets;
    mapping(uint256 series => Series) private _series;
    /// @notice The price that a market was settled at for an expiry; zero if it was not.
    mapping(uint256 market => mapping(uint256 expiry => uint256)) public settledAt;

    // Markets and series

    function createMarket(address underlying, address quote, IPriceOracle oracle) external returns (uint256 market) {
        if (underlying == address(0) || quote == address(0) || underlying == quote) revert InvalidMarket();
        if (address(oracle).code.length == 0) revert InvalidMarket();
        market = uint256(keccak256(abi.encode(underlying, quote, oracle)));
        if (_markets[market].underlying != address(0)) revert MarketExists(market);
        _markets[market] = Market(underlying, quote, oracle);
        emit MarketCreated(market, underlying, quote, oracle);
    }

    function createSeries(uint256 market, uint256 strike, uint256 expiry, bool isCall)
        external
        returns (uint256 series)
    {
        _marketOf(market);
        if (strike == 0 || strike >= BlackModel.MAX_PRICE) revert InvalidSeries();
        if (expiry <= block.timestamp || expiry > block.timestamp + BlackModel.MAX_DURATION) revert InvalidSeries();
        series = seriesId(market, strike, expiry, isCall);
        if (_series[series].expiry != 0) revert SeriesExists(series);
        _series[series] = Series(market, strike, expiry, isCall);
        emit SeriesCreated(series, market, strike, expiry, isCall);
    }

    // Until expiry

    /// @inheritdoc IEuropeanOptions
    function write(uint256 series, uint256 amount, address longTo, address shortTo)
        external
        returns (uint256 collateral)
    {
        Series memory terms = _written(series, amount);
        collateral = OptionMath.collateralUp(terms.isCall, terms.strike, amount);
        _issue(series, shortId(series), amount, collateral, longTo, shortTo);
        _tokenOf(terms).safeTransferFrom(msg.sender, address(this), collateral);
    }

    /// @inheritdoc IEuropeanOptions
    function writeSpread(uint256 series, uint256 held, uint256 amount, address longTo, address shortTo)
        external
        returns (uint256 collateral)
    {
        Series memory terms = _written(series, amount);
        uint256 other = _heldStrike(series, terms, held);
        collateral = OptionMath.spreadCollateralUp(terms.isCall, terms.strike, other, amount);
        _transfer(msg.sender, address(this), held, amount);
        _issue(series, spreadId(series, held), amount, collateral, longTo, shortTo);
        if (collateral > 0) _tokenOf(terms).safeTransferFrom(msg.sender, address(this), collateral);
    }

    /// @inheritdoc IEuropeanOptions
    function unwind(uint256 series, uint256 amount, address to) external returns (uint256 collateral) {
        Series memory terms = _terms(series, amount);
        collateral = OptionMath.collateralDown(terms.isCall, terms.strike, amount);
        _retire(series, shortId(series), amount, collateral);
        _pay(terms, to, collateral);
    }

    /// @inheritdoc IEuropeanOptions
    function unwindSpread(uint256 series, uint256 held, uint256 amount, address to)
        external
        returns (uint256 collateral)
    {
        Series memory terms = _terms(series, amount);
        uint256 other = _heldStrike(series, terms, held);
        collateral = OptionMath.spreadCollateralDown(terms.isCall, terms.strike, other, amount);
        _retire(series, spreadId(series, held), amount, collateral);
        _transfer(address(this), to, held, amount);
        _pay(terms, to, collateral);
    }

    // After it

    /// @inheritdoc IEuropeanOptions
    function settle(uint256 market, uint256 expiry) external returns (uint256 price) {
        if (block.timestamp < expiry) revert NotExpired(expiry);
        if (settledAt[market][expiry] != 0) revert AlreadySettled(market, expiry);
        uint256 updatedAt;
        (price, updatedAt) = _marketOf(market).oracle.latestPrice();
        bool isTold = updatedAt >= expiry || block.timestamp >= expiry + LAPSE_AFTER;
        if (price == 0 || price >= BlackModel.MAX_PRICE || !isTold) revert NotPriced(market, price, updatedAt);
        settledAt[market][expiry] = price;
        emit Settled(market, expiry, price);
    }

    /// @inheritdoc IEuropeanOptions
    function redeem(uint256 series, uint256 amount, address to) external returns (uint256 paid) {
        (Series memory terms, uint256 price) = _settled(series, amount);
        paid = OptionMath.payoffDown(terms.isCall, terms.strike, amount, price);
        _redeem(terms, series, amount, to, paid);
    }

    /// @inheritdoc IEuropeanOptions
    function redeemShort(uint256 series, uint256 amount, address to) external returns (uint256 paid) {
        (Series memory terms, uint256 price) = _settled(series, amount);
        paid = OptionMath.restDown(terms.isCall, terms.strike, amount, price);
        _redeem(terms, shortId(series), amount, to, paid);
    }

    /// @inheritdoc IEuropeanOptions
    function redeemSpread(uint256 series, uint256 held, uint256 amount, address to) external returns (uint256 paid) {
        (Series memory terms, uint256 price) = _settled(series, amount);
        uint256 other = _heldStrike(series, terms, held);
        paid = OptionMath.spreadRestDown(terms.isCall, terms.strike, other, amount, price);
        _redeem(terms, spreadId(series, held), amount, to, paid);
    }

    // Questions

    function marketOf(uint256 market) external view returns (Market memory) {
        return _markets[market];
    }

    function seriesOf(uint256 series) external view returns (Series memory) {
        return _series[series];
    }

    /// @notice The id of a series, which is that of its long.
    function seriesId(uint256 market, uint256 strike, uint256 expiry, bool isCall) public pure returns (uint256) {
        return uint256(keccak256(abi.encode("series", market, strike, expiry, isCall)));
    }

    function shortId(uint256 series) public pure returns (uint256) {
        return uint256(keccak256(abi.encode("short", series)));
    }

    function spreadId(uint256 series, uint256 held) public pure returns (uint256) {
        return uint256(keccak256(abi.encode("spread", series, held)));
    }

    /// @notice What a unit of a series is worth by Black's formula, times 10^36 in the quote token, and how that moves, with the oracle's price
    /// as forward. Nothing here depends on it.
    /// @param volatility In a year, times 10^18.
    /// @param rate The continuous rate in a year, times 10^18.
    function markOf(uint256 series, uint256 volatility, int256 rate) external view returns (BlackModel.Greeks memory) {
        Series memory terms = _terms(series, 1);
        (uint256 price,) = _marketOf(terms.market).oracle.latestPrice();
        uint256 duration = terms.expiry > block.timestamp ? terms.expiry - block.timestamp : 0;
        return BlackModel.greeks(BlackModel.Option(terms.isCall, price, terms.strike, volatility, duration, rate));
    }

    function _issue(uint256 series, uint256 short, uint256 amount, uint256 collateral, address longTo, address shortTo)
        private
    {
        _mint(longTo, series, amount);
        _mint(shortTo, short, amount);
        emit Written(msg.sender, series, short, amount, collateral);
    }

    function _retire(uint256 series, uint256 short, uint256 amount, uint256 collateral) private {
        _burn(msg.sender, series, amount);
        _burn(msg.sender, short, amount);
        emit Unwound(msg.sender, series, short, amount, collateral);
    }

    function _redeem(Series memory terms, uint256 id, uint256 amount, address to, uint256 paid) private {
        _burn(msg.sender, id, amount);
        emit Redeemed(msg.sender, id, to, amount, paid);
        _pay(terms, to, paid);
    }

    function _pay(Series memory terms, address to, uint256 amount) private {
        if (amount > 0) _tokenOf(terms).safeTransfer(to, amount);
    }

    function _written(uint256 series, uint256 amount) private view returns (Series memory terms) {
        terms = _terms(series, amount);
        if (block.timestamp >= terms.expiry) revert Expired(terms.expiry);
    }

    function _settled(uint256 series, uint256 amount) private view returns (Series memory terms, uint256 price) {
        terms = _terms(series, amount);
        price = settledAt[terms.market][terms.expiry];
        if (price == 0) revert NotSettled(terms.market, terms.expiry);
    }

    function _terms(uint256 series, uint256 amount) private view returns (Series memory terms) {
        if (amount == 0) revert NothingGiven();
        terms = _series[series];
        if (terms.expiry == 0) revert UnknownSeries(series);
    }

    function _heldStrike(uint256 series, Series memory terms, uint256 held) private view returns (uint256) {
        Series memory other = _series[held];
        bool isAlike = other.market == terms.market && other.expiry == terms.expiry && other.isCall == terms.isCall;
        if (!isAlike || series == held) revert NoSpread(series, held);
        return other.strike;
    }

    function _marketOf(uint256 market) private view returns (Market storage found) {
        found = _markets[market];
        if (found.underlying == address(0)) revert UnknownMarket(market);
    }

    /// @dev What collateral and payments of a series are in.
    function _tokenOf(Series memory terms) private view returns (IERC20) {
        Market storage market = _markets[terms.market];
        return IERC20(terms.isCall ? market.underlying : market.quote);
    }
}
