// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPriceOracle} from "../lending/ILendingMarket.sol";
import {Gated, RoleGate} from "./RoleGate.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title Exchange of one currency into another at quotes that somebody stands for, within bounds
/// @notice A maker of the list signs a quote: how much of one token for another, for whom, for two minutes at most. It is filled once,
/// if its rate is near the median of three sources that are fresh and agree, and the day's volume has room for it.
///
/// A pair is halted while a source is stale or the sources disagree, and while the guardian says so. What depends on its rate and is new
/// waits then; repayments are in the loan's own currency and ask nobody.
///
/// Rounding: what is bought down, and of what is sold only what that costs, rounded up; the rest stays with who sells.
contract FxHub is Gated, EIP712("Braid FX", "1") {
    using SafeERC20 for IERC20;

    /// @param sources Prices of one smallest unit of what is sold, in smallest units of what is bought, times 10^36.
    /// @param maxAge Of a price, in seconds.
    /// @param maxDeviationBasis Most that a quote may differ from the median, in basis points.
    /// @param maxSpreadBasis Most that the highest source may exceed the lowest, in basis points.
    /// @param dailyCap Most that is sold in a day (UTC).
    struct Pair {
        IERC20 sold;
        IERC20 bought;
        IPriceOracle[3] sources;
        uint256 maxAge;
        uint256 maxDeviationBasis;
        uint256 maxSpreadBasis;
        uint256 dailyCap;
    }

    /// @param rate As the sources tell it.
    /// @param amount What is sold at most.
    /// @param until Last second in which it can be filled.
    /// @param salt A number that makes quotes different.
    struct Quote {
        bytes32 pair;
        address maker;
        address taker;
        uint256 rate;
        uint256 amount;
        uint256 until;
        bytes32 salt;
    }

    /// @notice Longest that a quote may have to run, in seconds.
    uint256 public constant MAX_TERM = 120;
    uint256 internal constant BASIS = 10_000;
    uint256 internal constant PRICE = 1e36;
    bytes32 private constant QUOTE_TYPEHASH = keccak256(
        "Quote(bytes32 pair,address maker,address taker,uint256 rate,uint256 amount,uint256 until,bytes32 salt)"
    );

    mapping(bytes32 pair => Pair) private _pairs;
    mapping(bytes32 pair => bool) public isStopped;
    mapping(address maker => bool) public isMaker;
    mapping(bytes32 digest => bool) public isFilled;
    /// @notice What was sold on a day, counted from 1970.
    mapping(bytes32 pair => mapping(uint256 day => uint256)) public soldOn;

    error UnknownPair(bytes32 pair);
    error InvalidPair();
    error UnknownMaker(address maker);
    error NotTaker(address caller);
    error AlreadyFilled(bytes32 digest);
    error QuoteEnded(uint256 until);
    error QuoteTooLong(uint256 until);
    error InvalidSignature(address maker);
    error Halted(bytes32 pair);
    error TooFarFromMedian(uint256 median, uint256 rate);
    error DailyCapExceeded(uint256 cap, uint256 sold);
    error NothingGiven();

    event PairSet(bytes32 indexed pair, IERC20 sold, IERC20 bought);
    event MakerSet(address indexed maker, bool isMaker);
    event StoppedSet(bytes32 indexed pair, bool isStopped);
    event Filled(
        bytes32 indexed pair, address indexed maker, address indexed taker, uint256 sold, uint256 bought, uint256 rate
    );

    constructor(RoleGate gate) Gated(gate) {}

    /// @notice Adds a pair or changes its bounds.
    function setPair(Pair calldata terms) external restricted returns (bytes32 pair) {
        if (terms.sold == terms.bought || terms.maxAge == 0 || terms.dailyCap == 0) revert InvalidPair();
        if (terms.maxDeviationBasis >= BASIS || terms.maxSpreadBasis >= BASIS) revert InvalidPair();
        (IPriceOracle a, IPriceOracle b, IPriceOracle c) = (terms.sources[0], terms.sources[1], terms.sources[2]);
        // One source three times is no median.
        if (a == b || b == c || a == c || address(a) == address(0)) revert InvalidPair();
        pair = pairOf(terms.sold, terms.bought);
        _pairs[pair] = terms;
        emit PairSet(pair, terms.sold, terms.bought);
    }

    function setMaker(address maker, bool isListed) external restricted {
        isMaker[maker] = isListed;
        emit MakerSet(maker, isListed);
    }

    /// @notice Stops a pair, or lets it go on.
    function setStopped(bytes32 pair, bool stop) external restricted {
        isStopped[pair] = stop;
        emit StoppedSet(pair, stop);
    }

    /// @notice Fills a quote for the caller, its taker.
    /// @return sold What was taken from the caller.
    /// @return bought What the caller got.
    function fill(Quote calldata quote, bytes calldata signature) external returns (uint256 sold, uint256 bought) {
        bytes32 digest = digestOf(quote);
        if (msg.sender != quote.taker) revert NotTaker(msg.sender);
        if (!isMaker[quote.maker]) revert UnknownMaker(quote.maker);
        if (block.timestamp > quote.until) revert QuoteEnded(quote.until);
        if (quote.until > block.timestamp + MAX_TERM) revert QuoteTooLong(quote.until);
        if (isFilled[digest]) revert AlreadyFilled(digest);
        if (!SignatureChecker.isValidSignatureNow(quote.maker, digest, signature)) {
            revert InvalidSignature(quote.maker);
        }
        Pair storage pair = _known(quote.pair);
        _requireNearMedian(quote.pair, pair, quote.rate);
        bought = Math.mulDiv(quote.amount, quote.rate, PRICE);
        if (bought == 0) revert NothingGiven();
        sold = Math.mulDiv(bought, PRICE, quote.rate, Math.Rounding.Ceil);
        isFilled[digest] = true;
        uint256 today = soldOn[quote.pair][block.timestamp / 1 days] + sold;
        if (today > pair.dailyCap) revert DailyCapExceeded(pair.dailyCap, today);
        soldOn[quote.pair][block.timestamp / 1 days] = today;
        emit Filled(quote.pair, quote.maker, quote.taker, sold, bought, quote.rate);
        pair.sold.safeTransferFrom(quote.taker, quote.maker, sold);
        pair.bought.safeTransferFrom(quote.maker, quote.taker, bought);
    }

    // Questions

    function pairOf(IERC20 sold, IERC20 bought) public pure returns (bytes32) {
        return keccak256(abi.encode(sold, bought));
    }

    function termsOf(bytes32 pair) external view returns (Pair memory) {
        return _pairs[pair];
    }

    /// @notice What a maker signs.
    function digestOf(Quote calldata quote) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(QUOTE_TYPEHASH, quote)));
    }

    /// @notice Whether what depends on this rate has to wait. So it is for a pair that is not known.
    function isHalted(bytes32 pair) external view returns (bool) {
        Pair storage terms = _pairs[pair];
        if (address(terms.sold) == address(0) || isStopped[pair]) return true;
        (, bool isSound) = _median(terms);
        return !isSound;
    }

    /// @notice The median of the sources, and whether they are fresh and agree.
    function medianOf(bytes32 pair) external view returns (uint256 median, bool isSound) {
        return _median(_known(pair));
    }

    function _requireNearMedian(bytes32 pair, Pair storage terms, uint256 rate) private view {
        (uint256 median, bool isSound) = _median(terms);
        if (isStopped[pair] || !isSound) revert Halted(pair);
        uint256 apart = rate > median ? rate - median : median - rate;
        // Divided first, so that no rate overflows.
        if (apart > median / BASIS * terms.maxDeviationBasis) revert TooFarFromMedian(median, rate);
    }

    /// @dev A source that fails is as good as stale.
    function _median(Pair storage terms) private view returns (uint256 median, bool isSound) {
        uint256[3] memory prices;
        for (uint256 i = 0; i < 3; i++) {
            try terms.sources[i].latestPrice() returns (uint256 price, uint256 updatedAt) {
                bool isFresh = updatedAt <= block.timestamp && block.timestamp - updatedAt <= terms.maxAge;
                if (price == 0 || !isFresh) return (0, false);
                prices[i] = price;
            } catch {
                return (0, false);
            }
        }
        uint256 lowest = Math.min(prices[0], Math.min(prices[1], prices[2]));
        uint256 highest = Math.max(prices[0], Math.max(prices[1], prices[2]));
        median = Math.max(Math.min(prices[0], prices[1]), Math.min(Math.max(prices[0], prices[1]), prices[2]));
        isSound = highest - lowest <= lowest / BASIS * terms.maxSpreadBasis;
    }

    function _known(bytes32 pair) private view returns (Pair storage terms) {
        terms = _pairs[pair];
        if (address(terms.sold) == address(0)) revert UnknownPair(pair);
    }
}
