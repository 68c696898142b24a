// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPriceOracle} from "../lending/ILendingMarket.sol";

/// @title Perpetual futures against a pool, at an oracle's price
/// @notice Traders put margin into accounts, of which everybody has as many as he likes, and open positions that gain and lose with a
/// price. The pool is the other side of every trade: it pays what traders gain, keeps what they lose, and earns the spread, the impact
/// and the funding of what is not balanced. The insurance fund gets fees and penalties, bears what an account loses beyond its margin, and
/// pays gains that the pool has no cash for. Before both are empty, positions that have gained are closed; see {deleverage}.
///
/// An account is `owner * 2^96 + index`. Its positions share its margin (*cross*), and nothing of what else its owner has; an account
/// set *isolated* holds one position at most. Sizes are in the smallest unit of what is traded, prices times 10^36, amounts in the
/// margin token's smallest unit; see {PerpetualMath}.
///
/// The first transaction of a block that touches a market accrues its funding and notes its skew and what may be open; all trades of
/// the block are filled from that. So the totals that everybody changes are added to and taken from, and nobody needs their values.
/// The price is read anew by every trade, or somebody could trade at one that is known to be old.
///
/// Roundings: what a trader gains is rounded down, what he loses, needs and pays is rounded up.
///
/// Assumptions: the margin token delivers what is sent, calls nobody back, and its balances do not change by themselves. An oracle is
/// trusted for as long as its price is young enough for the market. While it is not, nobody can trade the market, be liquidated for it, or
/// take margin from under a position in it, and liquidity cannot come or go; see {windDown} for what happens if it never is again.
///
/// Invariants: the exchange holds all margin, the pool and the insurance fund; sizes and costs sum up to the totals of a market;
/// a trade that comes and goes within a price gains nothing.
interface IPerpetualExchange {
    /// @notice What holds for a market, for ever.
    /// @param maxPriceAge In seconds.
    /// @param spreadBasis Half the distance between what one buys and sells at, in basis points of the price.
    /// @param feeBasis What a trade pays to the insurance fund, in basis points of its worth.
    /// @param initialBasis What a position has to have as margin after it was opened or enlarged, in basis points of its worth.
    /// @param maintenanceBasis With less than this it may be liquidated.
    /// @param skewScale The skew at which funding is highest, and with which impact is measured.
    /// @param openCap What may be open on either side.
    /// @param penaltyBasis What a liquidated position pays, in basis points of its worth; half of it to the liquidator.
    /// @param maxFundingRate In a second, times 10^27.
    /// @param backingBasis What may be open on either side, in basis points of the pool's cash.
    struct Terms {
        IPriceOracle oracle;
        uint32 maxPriceAge;
        uint16 spreadBasis;
        uint16 feeBasis;
        uint16 initialBasis;
        uint16 maintenanceBasis;
        uint112 skewScale;
        uint112 openCap;
        uint16 penaltyBasis;
        uint96 maxFundingRate;
        uint32 backingBasis;
    }

    /// @notice What everybody changes, each in a slot of its own.
    /// @param cost The sum of all positions' costs, times 10^36.
    struct Totals {
        uint256 longOpen;
        uint256 shortOpen;
        int256 cost;
    }

    /// @notice What the first of a block leaves to the others.
    /// @param height The block.
    /// @param accruedAt Up to when funding counts, in seconds since 1970.
    /// @param skew What was long less what was short.
    /// @param cap What may be open on either side in this block.
    /// @param funding What a unit that is long has paid since the beginning, in units of a price.
    /// @param price The last price that was young enough.
    /// @param pricedAt When that was so.
    struct Snapshot {
        uint256 height;
        uint256 accruedAt;
        int256 skew;
        uint256 cap;
        int256 funding;
        uint256 price;
        uint256 pricedAt;
    }

    /// @param cost What it was bought for, less what it was sold for, times 10^36; see {PerpetualMath}.
    struct Position {
        int256 size;
        int256 cost;
    }

    error NothingGiven();
    error InvalidTerms();
    error TooManyMarkets();
    error UnknownMarket(uint256 market);
    /// @notice The market's price is too old to rely on, or the oracle does not answer.
    error StalePrice(uint256 market, uint256 updatedAt);
    error PriceOutOfRange(uint256 market, uint256 price);
    /// @notice The market's price is not that old.
    error StillPriced(uint256 market);
    /// @notice The market has ended; positions can be closed.
    error MarketEnded(uint256 market);
    /// @notice So much of one side may be open.
    error OpenInterestCapped(uint256 market, uint256 cap);
    /// @notice The fill is worse than what the trader takes.
    error LimitExceeded(uint256 fill, uint256 limit);
    error SizeTooLarge(int256 delta);
    error TooManyPositions(uint256 account);
    /// @notice An isolated account holds one position.
    error Isolated(uint256 account);
    /// @notice The account would have less than the margin that its positions need.
    error InsufficientMargin(uint256 account, int256 equity, uint256 margin);
    error InsufficientCollateral(uint256 account, uint256 collateral, uint256 amount);
    /// @notice The account has its maintenance margin.
    error Healthy(uint256 account, int256 equity, uint256 margin);
    /// @notice What traders have gained is covered; nobody's position is closed for it.
    error Covered(int256 gained, uint256 covered);
    /// @notice The position has gained nothing, or its side is not the larger one: closing it would not help.
    error NotDeleveraged(uint256 account, uint256 market, int256 gain, int256 skew);
    /// @notice Nobody has noted, or lately, that gains are not covered.
    error NotRanked(uint256 uncoveredSince);
    /// @notice Positions of a higher rank come first; this one's turn is later.
    error RankTooLow(uint256 account, uint256 market, uint256 rank, uint256 needed);
    error NoPosition(uint256 account, uint256 market);
    error NotAllowed(uint256 account, address caller);
    error NotGuardian(address caller);
    /// @notice The guardian has stopped what comes in.
    error Stopped();
    /// @notice Traders have gained all that the pool has.
    error PoolExhausted();
    error InsufficientShares(address provider, uint256 shares, uint256 wanted);
    /// @notice Shares leave between these times only.
    error NotLeaving(uint256 from, uint256 until);
    /// @notice The rest of the pool backs what is open.
    error LiquidityBacksPositions(uint256 free, uint256 amount);

    event MarketAdded(uint256 indexed market, Terms terms);
    event Accrued(uint256 indexed market, int256 skew, int256 funding, uint256 price);
    event Ended(uint256 indexed market, uint256 price);
    event Deposited(address indexed caller, uint256 indexed account, uint256 amount);
    event Withdrawn(address indexed caller, uint256 indexed account, address indexed to, uint256 amount);
    event Moved(uint256 indexed from, uint256 indexed to, uint256 amount);
    event IsolatedSet(uint256 indexed account, bool isolated);
    event DelegateSet(address indexed owner, address indexed delegate, bool allowed);
    event Traded(
        address indexed caller, uint256 indexed account, uint256 indexed market, int256 delta, uint256 fill, uint256 fee
    );
    /// @notice What a position has gained, funding included, when it was closed or reduced.
    event Settled(uint256 indexed account, uint256 indexed market, int256 gain);
    event Liquidated(
        address indexed caller,
        uint256 indexed account,
        uint256 indexed market,
        int256 delta,
        uint256 price,
        uint256 penalty
    );
    /// @notice A position that has gained was closed, or a part of it, because the pool and the insurance fund could not stand for more gains.
    event Deleveraged(
        address indexed caller, uint256 indexed account, uint256 indexed market, int256 delta, uint256 price
    );
    /// @notice Gains were found to be covered, or not to be.
    event CoverageNoted(int256 gained, uint256 covered);
    /// @notice The insurance fund has paid `amount` of a gain for which the pool had no cash.
    event GainInsured(uint256 indexed account, uint256 amount);
    /// @notice `amount` was lost beyond an account's margin; `insured` of it was the insurance fund's, the rest the pool's.
    event BadDebt(uint256 indexed account, uint256 amount, uint256 insured);
    /// @notice Neither pool nor insurance fund could pay `amount`; the pool owes it.
    event Owed(uint256 indexed account, uint256 amount);
    event OwedPaid(uint256 indexed account, uint256 amount);
    event StoppedSet(bool stopped);
    event Insured(address indexed caller, uint256 amount);
    event LiquidityAdded(address indexed caller, address indexed provider, uint256 amount, uint256 shares);
    event LeaveRequested(address indexed provider, uint256 shares, uint256 from, uint256 until);
    event LiquidityRemoved(address indexed provider, address indexed to, uint256 amount, uint256 shares);

    /// @notice Trades `delta` of a market for an account: buys if positive, sells if negative. What makes a position smaller needs no margin,
    /// and no guardian stops it.
    /// @param limit The highest price to buy at, or the lowest to sell at.
    /// @return fill The price that it was filled at.
    function trade(uint256 account, uint256 market, int256 delta, uint256 limit) external returns (uint256 fill);

    /// @notice Closes a part of a position of an account that has less than its maintenance margin: as much as it takes to have the initial
    /// margin again, and at most `size`. The position pays a penalty, half of it to the account 0 of the caller.
    /// @return closed How much was closed.
    function liquidate(uint256 account, uint256 market, uint256 size) external returns (uint256 closed);

    /// @notice Closes a part of a position that has gained, at the oracle's price and without a fee, because traders have gained more than is
    /// covered ({PerpetualPool.coverage}): at most `size`, as much as it takes until the rest is covered, and of the side alone that has more open,
    /// down to as much as the other has. Anyone may, and gets nothing for it. The account keeps what it has gained.
    ///
    /// Positions are closed by rank: from the moment that {noteCoverage} has told, the rank that a position needs falls ({rankNeeded}), so whoever has
    /// gained most with the highest leverage can be closed first, and those below only if that was not enough.
    /// @return closed How much was closed.
    function deleverage(uint256 account, uint256 market, uint256 size) external returns (uint256 closed);

    /// @notice Notes whether what traders have gained is covered. Where it is not, the ranks begin to fall, unless they do already; where it is,
    /// they end. Anyone may.
    function noteCoverage() external returns (bool isCovered);

    /// @notice The rank that a position has to have to be closed now. Reverts where nobody has noted, or lately, that gains are not covered.
    function rankNeeded() external view returns (uint256);

    /// @notice The rank of a position: its gain in proportion to what it was entered at, times the account's leverage on it, times 10^18
    /// ({PerpetualMath.deleverageRank}). Zero for what has not gained.
    function rankOf(uint256 account, uint256 market) external view returns (uint256);

    /// @notice Accrues a market, once a block.
    function accrue(uint256 market) external;

    /// @notice Ends a market whose oracle has told nothing usable for {WIND_DOWN_AFTER}: positions can be closed at the last price,
    /// without spread and fee, and nothing else.
    function windDown(uint256 market) external;
}
