// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPerpetualExchange} from "./IPerpetualExchange.sol";
import {PerpetualMath} from "./PerpetualMath.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title The markets of a {PerpetualExchange}: their terms, totals, prices and funding
/// @dev {Totals} are the slots that all traders of a market write: added to, and taken from, under a bound. The accrual alone, once a block,
/// computes with them. It goes by the height and not by the time, because blocks may share a second.
abstract contract PerpetualMarkets is IPerpetualExchange, Ownable {
    /// @notice How many markets there may be: a pool's worth goes through all of them.
    uint256 public constant MAX_MARKETS = 16;
    /// @notice How long an oracle has to be silent before its market may be ended.
    uint256 public constant WIND_DOWN_AFTER = 3 days;

    uint256 public marketCount;
    /// @notice Whether a market has ended. Its positions are closed at the last price.
    mapping(uint256 market => bool) public hasEnded;
    mapping(uint256 market => Terms) private _terms;
    mapping(uint256 market => Totals) private _totals;
    mapping(uint256 market => Snapshot) private _snapshots;

    /// @notice Adds a market, whose terms never change.
    /// @dev Its oracle has to have a price already.
    function addMarket(Terms calldata terms) external onlyOwner returns (uint256 market) {
        market = marketCount;
        if (market == MAX_MARKETS) revert TooManyMarkets();
        _check(terms);
        marketCount = market + 1;
        _terms[market] = terms;
        Snapshot storage snapshot = _snapshots[market];
        (snapshot.price, snapshot.pricedAt) = _priceOf(market);
        snapshot.accruedAt = block.timestamp;
        emit MarketAdded(market, terms);
        accrue(market);
    }

    /// @inheritdoc IPerpetualExchange
    function accrue(uint256 market) public {
        Snapshot storage snapshot = _snapshots[market];
        if (snapshot.height == block.number) return;
        if (market >= marketCount) revert UnknownMarket(market);
        Terms storage terms = _terms[market];
        int256 skew = _skew(market);
        snapshot.funding = _fundingNow(market, skew);
        snapshot.height = block.number;
        snapshot.accruedAt = block.timestamp;
        snapshot.skew = skew;
        (uint256 price, uint256 updatedAt, bool usable) = _read(market);
        if (usable && !hasEnded[market]) (snapshot.price, snapshot.pricedAt) = (price, updatedAt);
        snapshot.cap = _cap(terms, snapshot.price);
        emit Accrued(market, skew, snapshot.funding, snapshot.price);
    }

    /// @inheritdoc IPerpetualExchange
    function windDown(uint256 market) external {
        accrue(market);
        if (hasEnded[market]) revert MarketEnded(market);
        Snapshot storage snapshot = _snapshots[market];
        (uint256 price, uint256 updatedAt, bool usable) = _read(market);
        // What is out of range counts as nothing told, however often.
        bool isTold = price > 0 && price < PerpetualMath.MAX_PRICE && updatedAt <= block.timestamp;
        uint256 last = isTold ? FixedPointMathLib.max(updatedAt, snapshot.pricedAt) : snapshot.pricedAt;
        if (usable || block.timestamp < last + WIND_DOWN_AFTER) revert StillPriced(market);
        hasEnded[market] = true;
        emit Ended(market, snapshot.price);
    }

    // Questions

    function termsOf(uint256 market) external view returns (Terms memory) {
        return _terms[market];
    }

    function totalsOf(uint256 market) public view returns (Totals memory) {
        return _totals[market];
    }

    function snapshotOf(uint256 market) external view returns (Snapshot memory) {
        return _snapshots[market];
    }

    /// @notice The price that a market goes by now. Reverts where there is none.
    function priceOf(uint256 market) external view returns (uint256 price) {
        if (market >= marketCount) revert UnknownMarket(market);
        (price,) = _priceOf(market);
    }

    /// @notice What a unit that is long has paid since the beginning, as of now, in units of a price.
    function fundingOf(uint256 market) public view returns (int256) {
        if (_snapshots[market].accruedAt == block.timestamp) return _snapshots[market].funding;
        return _fundingNow(market, _skew(market));
    }

    /// @notice What a trade of `delta` would be filled at as the first of the next block, at the present price.
    function quote(uint256 market, int256 delta) external view returns (uint256) {
        (uint256 price,) = _priceOf(market);
        return _fillAt(market, price, _skew(market), delta);
    }

    /// @dev The price to rely on, and when it was so.
    function _priceOf(uint256 market) internal view returns (uint256, uint256) {
        Snapshot storage snapshot = _snapshots[market];
        if (hasEnded[market]) return (snapshot.price, snapshot.pricedAt);
        (uint256 price, uint256 updatedAt, bool usable) = _read(market);
        if (usable) return (price, updatedAt);
        if (price >= PerpetualMath.MAX_PRICE) revert PriceOutOfRange(market, price);
        revert StalePrice(market, updatedAt);
    }

    /// @dev What a trade is filled at in this block. To be called after {accrue}.
    function _fill(uint256 market, uint256 price, int256 delta) internal view returns (uint256) {
        if (hasEnded[market]) return price;
        return _fillAt(market, price, _snapshots[market].skew, delta);
    }

    /// @dev Adds to the totals what a position has become. `isCapped` where the trade may not go beyond the cap.
    function _changeTotals(uint256 market, int256 before, int256 later, int256 cost, bool isCapped) internal {
        Totals storage totals = _totals[market];
        uint256 cap = isCapped ? _snapshots[market].cap : type(uint256).max;
        if (before > 0 || later > 0) {
            totals.longOpen = _changed(market, totals.longOpen, _positive(before), _positive(later), cap);
        }
        if (before < 0 || later < 0) {
            totals.shortOpen = _changed(market, totals.shortOpen, _positive(-before), _positive(-later), cap);
        }
        // No overflow: a side is at most MAX_OPEN, and a cost below 2^147 a unit. A check would ask for the sign of the sum, which is
        // another trade's to change.
        unchecked {
            totals.cost = int256(uint256(totals.cost) + uint256(cost));
        }
    }

    /// @dev What all traders of a market have gained together, rounded up, and what has to back it.
    function _exposure(uint256 market) internal view returns (int256 gain, uint256 backing) {
        Totals memory totals = _totals[market];
        if (totals.longOpen == 0 && totals.shortOpen == 0) return (0, 0);
        (uint256 price,) = _priceOf(market);
        int256 skew = int256(totals.longOpen) - int256(totals.shortOpen);
        gain = -PerpetualMath.settleDown(totals.cost - PerpetualMath.worth(skew, price, fundingOf(market)));
        uint256 larger = FixedPointMathLib.max(totals.longOpen, totals.shortOpen);
        uint256 open = PerpetualMath.shareUp(int256(larger), price, PerpetualMath.BASIS);
        backing = FixedPointMathLib.fullMulDivUp(open, PerpetualMath.BASIS, _terms[market].backingBasis);
    }

    function _termsOf(uint256 market) internal view returns (Terms storage) {
        return _terms[market];
    }

    /// @dev The cash that backs what is open.
    function _backing() internal view virtual returns (uint256);

    function _changed(uint256 market, uint256 total, uint256 before, uint256 later, uint256 cap)
        private
        pure
        returns (uint256)
    {
        if (later <= before) return total - (before - later);
        total += later - before;
        if (total > cap) revert OpenInterestCapped(market, cap);
        return total;
    }

    function _fillAt(uint256 market, uint256 price, int256 skew, int256 delta) private view returns (uint256) {
        Terms storage terms = _terms[market];
        return PerpetualMath.fillPrice(price, skew, delta, terms.skewScale, terms.spreadBasis);
    }

    function _skew(uint256 market) internal view returns (int256) {
        return int256(_totals[market].longOpen) - int256(_totals[market].shortOpen);
    }

    function _fundingNow(uint256 market, int256 skew) private view returns (int256) {
        Snapshot storage snapshot = _snapshots[market];
        if (hasEnded[market]) return snapshot.funding;
        Terms storage terms = _terms[market];
        uint256 elapsed = block.timestamp - snapshot.accruedAt;
        int256 growth =
            PerpetualMath.fundingGrowth(snapshot.price, skew, terms.skewScale, terms.maxFundingRate, elapsed);
        return snapshot.funding + growth;
    }

    function _cap(Terms storage terms, uint256 price) private view returns (uint256) {
        uint256 backed = _backing() * terms.backingBasis / PerpetualMath.BASIS;
        // Shifted where it might not fit; the cap of the terms is lower than that.
        if (backed >= PerpetualMath.MAX_PRICE) return terms.openCap;
        return FixedPointMathLib.min(terms.openCap, backed * PerpetualMath.PRICE / price);
    }

    /// @dev Asks the oracle, which may fail. A price of zero is none.
    function _read(uint256 market) private view returns (uint256 price, uint256 updatedAt, bool usable) {
        Terms storage terms = _terms[market];
        try terms.oracle.latestPrice() returns (uint256 told, uint256 at) {
            (price, updatedAt) = (told, at);
        } catch {
            return (0, 0, false);
        }
        bool isYoung = updatedAt <= block.timestamp && block.timestamp - updatedAt <= terms.maxPriceAge;
        usable = isYoung && price > 0 && price < PerpetualMath.MAX_PRICE;
    }

    /// @dev Margins exceed penalties, or liquidating would not help; with the cap in the skew's scale nothing is sold for nothing.
    function _check(Terms calldata terms) private pure {
        bool isOrdered = terms.penaltyBasis < terms.maintenanceBasis && terms.maintenanceBasis < terms.initialBasis
            && terms.initialBasis <= PerpetualMath.BASIS;
        bool isCheap = terms.spreadBasis <= 1000 && terms.feeBasis <= 1000;
        bool isBounded = terms.openCap > 0 && terms.openCap <= PerpetualMath.MAX_OPEN
            && terms.openCap <= terms.skewScale / 4 && terms.maxFundingRate <= PerpetualMath.MAX_FUNDING;
        bool isBacked = terms.backingBasis > 0 && terms.backingBasis <= 100 * PerpetualMath.BASIS;
        if (!isOrdered || !isCheap || !isBounded || !isBacked) revert InvalidTerms();
    }

    function _positive(int256 value) private pure returns (uint256) {
        return value > 0 ? uint256(value) : 0;
    }
}
