// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPerpetualExchange} from "./IPerpetualExchange.sol";
import {PerpetualMarkets} from "./PerpetualMarkets.sol";
import {PerpetualMath} from "./PerpetualMath.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title What stands behind a {PerpetualExchange}: its pool, its insurance fund, and what is owed either way
/// @notice Who provides liquidity has shares in what the pool is worth: its cash and what accounts owe it, less what it owes and what
/// traders have gained and not settled. The pool is valued once a block, by the first who comes or leaves. Leaving takes a request
/// and a wait, so that nobody leaves because of a price that the oracle has yet to tell.
///
/// Shares are not tokens: they stay with who provided the liquidity.
abstract contract PerpetualPool is PerpetualMarkets {
    using SafeERC20 for IERC20;

    /// @notice From the request until shares may leave, in seconds.
    uint256 public constant LEAVE_AFTER = 1 days;
    /// @notice How long they may then, before it takes another request.
    uint256 public constant LEAVE_WITHIN = 2 days;
    /// @notice What traders may have gained before their positions are closed for them, in basis points of the pool's cash; see {coverage}.
    uint256 public constant DELEVERAGE_BASIS = 6000;
    /// @notice How long what {noteCoverage} has found is relied on, in seconds: then the ranks begin anew.
    uint256 public constant RANKING_LASTS = 15 minutes;
    /// @dev Shares of nobody, for one unit of nobody's: who comes first cannot make a share dear.
    uint256 internal constant VIRTUAL_SHARES = 1e6;

    struct Leaving {
        uint256 shares;
        uint256 from;
    }

    /// @dev What the pool and its shares were at the first look of a block. `free` is what may still leave in the block.
    struct Valuation {
        uint256 height;
        uint256 value;
        uint256 shares;
        uint256 free;
    }

    IERC20 public immutable marginToken;
    /// @notice Who may stop what comes in.
    address public immutable guardian;

    /// @notice The pool's cash.
    uint256 public pool;
    /// @notice The insurance fund's cash.
    uint256 public insurance;
    /// @notice What accounts owe the pool beyond their collateral, while they have positions.
    uint256 public totalDebt;
    /// @notice What the pool owes to accounts because it had no cash.
    uint256 public totalOwed;
    uint256 public totalShares;
    /// @notice When gains were found not to be covered; zero where they were, or nobody has looked. Positions are closed by rank from then on.
    uint256 public uncoveredSince;
    bool public stopped;
    mapping(uint256 account => uint256) public collateralOf;
    mapping(uint256 account => uint256) public debtOf;
    mapping(uint256 account => uint256) public owedTo;
    mapping(address provider => uint256) public sharesOf;
    mapping(address provider => Leaving) public leavingOf;
    Valuation private _valuation;

    modifier notStopped() {
        if (stopped) revert Stopped();
        _;
    }

    /// @notice Stops new positions and liquidity, or lets them go on. Closing and leaving is always possible.
    function setStopped(bool stop) external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        stopped = stop;
        emit StoppedSet(stop);
    }

    /// @notice Gives `amount` to the insurance fund, for good.
    function insure(uint256 amount) external {
        if (amount == 0) revert NothingGiven();
        insurance += amount;
        emit Insured(msg.sender, amount);
        marginToken.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Puts `amount` of the caller's into the pool, for shares of `provider`.
    function addLiquidity(uint256 amount, address provider) external notStopped returns (uint256 shares) {
        if (amount == 0) revert NothingGiven();
        Valuation storage valuation = _value();
        if (valuation.value == 0 && valuation.shares > 0) revert PoolExhausted();
        shares = Math.mulDiv(amount, valuation.shares + VIRTUAL_SHARES, valuation.value + 1);
        if (shares == 0) revert NothingGiven();
        pool += amount;
        totalShares += shares;
        sharesOf[provider] += shares;
        emit LiquidityAdded(msg.sender, provider, amount, shares);
        marginToken.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Asks for `shares` of the caller's to leave; takes the place of an earlier request.
    function requestLeave(uint256 shares) external {
        if (shares > sharesOf[msg.sender]) revert InsufficientShares(msg.sender, sharesOf[msg.sender], shares);
        uint256 from = block.timestamp + LEAVE_AFTER;
        leavingOf[msg.sender] = Leaving(shares, from);
        emit LeaveRequested(msg.sender, shares, from, from + LEAVE_WITHIN);
    }

    /// @notice Takes `shares` of those that the caller has asked for out of the pool, at what they are worth now.
    function removeLiquidity(uint256 shares, address to) external returns (uint256 amount) {
        Leaving storage leaving = leavingOf[msg.sender];
        (uint256 from, uint256 until) = (leaving.from, leaving.from + LEAVE_WITHIN);
        if (shares == 0) revert NothingGiven();
        if (shares > leaving.shares) revert InsufficientShares(msg.sender, leaving.shares, shares);
        if (block.timestamp < from || block.timestamp > until) revert NotLeaving(from, until);
        Valuation storage valuation = _value();
        amount = Math.mulDiv(shares, valuation.value + 1, valuation.shares + VIRTUAL_SHARES);
        uint256 free = valuation.free;
        if (amount > free) revert LiquidityBacksPositions(free, amount);
        // Less than was counted on, if traders have been paid since.
        uint256 cash = pool;
        if (amount > cash) revert LiquidityBacksPositions(cash, amount);
        valuation.free = free - amount;
        leaving.shares -= shares;
        sharesOf[msg.sender] -= shares;
        totalShares -= shares;
        pool = cash - amount;
        emit LiquidityRemoved(msg.sender, to, amount, shares);
        marginToken.safeTransfer(to, amount);
    }

    /// @notice Pays an account what the pool owes it, as far as it can.
    function collectOwed(uint256 account) external returns (uint256 amount) {
        amount = Math.min(owedTo[account], pool);
        if (amount == 0) revert NothingGiven();
        owedTo[account] -= amount;
        totalOwed -= amount;
        pool -= amount;
        _receive(account, amount);
        emit OwedPaid(account, amount);
    }

    /// @notice What the pool is worth now, and what of it backs no position. Reverts where an open market has no price.
    function poolValue() public view returns (uint256 value, uint256 free) {
        int256 worth = int256(pool + totalDebt) - int256(totalOwed);
        uint256 backing = 0;
        for (uint256 market = 0; market < marketCount; market++) {
            (int256 gain, uint256 needed) = _exposure(market);
            worth -= gain;
            backing += needed;
        }
        if (worth <= 0) return (0, 0);
        value = uint256(worth);
        uint256 least = Math.min(value, pool);
        free = least > backing ? least - backing : 0;
    }

    /// @notice What traders have gained and not settled, and what of that is covered: {DELEVERAGE_BASIS} of the pool's cash, and the insurance
    /// fund. Gains beyond it are closed by {deleverage}. Reverts where an open market has no price.
    function coverage() public view returns (int256 gained, uint256 covered) {
        for (uint256 market = 0; market < marketCount; market++) {
            (int256 gain,) = _exposure(market);
            gained += gain;
        }
        covered = Math.mulDiv(pool, DELEVERAGE_BASIS, PerpetualMath.BASIS) + insurance;
    }

    /// @inheritdoc IPerpetualExchange
    function noteCoverage() public returns (bool isCovered) {
        (int256 gained, uint256 covered) = coverage();
        isCovered = gained <= int256(covered);
        uint256 since = uncoveredSince;
        bool isRunning = since != 0 && block.timestamp <= since + RANKING_LASTS;
        if (isCovered ? since == 0 : isRunning) return isCovered;
        uncoveredSince = isCovered ? 0 : block.timestamp;
        emit CoverageNoted(gained, covered);
    }

    /// @inheritdoc IPerpetualExchange
    function rankNeeded() public view returns (uint256) {
        uint256 since = uncoveredSince;
        if (since == 0 || block.timestamp > since + RANKING_LASTS) revert NotRanked(since);
        return PerpetualMath.rankNeeded(block.timestamp - since);
    }

    /// @dev What has to be settled until the gains are covered again: each unit takes one off the gains and one off the pool's cash.
    function _uncovered() internal view returns (uint256) {
        (int256 gained, uint256 covered) = coverage();
        if (gained <= int256(covered)) revert Covered(gained, covered);
        uint256 excess = uint256(gained) - covered;
        return Math.mulDiv(excess, PerpetualMath.BASIS, PerpetualMath.BASIS - DELEVERAGE_BASIS, Math.Rounding.Ceil);
    }

    /// @dev What a position has gained goes to its account: first against its debt, then from the pool's cash and the insurance fund's, and the
    /// rest is owed.
    function _gain(uint256 account, uint256 amount) internal {
        amount -= _cancelDebt(account, amount);
        if (amount == 0) return;
        uint256 cash = pool;
        if (cash < amount) {
            uint256 insured = _takeInsurance(account, amount - cash);
            uint256 owed = amount - cash - insured;
            collateralOf[account] += insured;
            if (owed > 0) _owe(account, owed);
            amount = cash;
        }
        pool = cash - amount;
        collateralOf[account] += amount;
    }

    /// @dev The insurance fund's part of what the pool has no cash for.
    function _takeInsurance(uint256 account, uint256 missing) private returns (uint256 insured) {
        insured = Math.min(insurance, missing);
        if (insured == 0) return 0;
        insurance -= insured;
        emit GainInsured(account, insured);
    }

    function _owe(uint256 account, uint256 amount) private {
        owedTo[account] += amount;
        totalOwed += amount;
        emit Owed(account, amount);
    }

    /// @dev What a position has lost goes to the pool: from the account's collateral, then off what it is owed, and the rest is its debt.
    function _lose(uint256 account, uint256 amount) internal {
        uint256 collateral = collateralOf[account];
        uint256 paid = Math.min(collateral, amount);
        collateralOf[account] = collateral - paid;
        pool += paid;
        if (paid == amount) return;
        amount -= paid;
        uint256 owed = Math.min(owedTo[account], amount);
        if (owed > 0) {
            owedTo[account] -= owed;
            totalOwed -= owed;
        }
        debtOf[account] += amount - owed;
        totalDebt += amount - owed;
    }

    /// @dev Takes a fee of at most `amount` from an account's collateral for the insurance fund.
    function _insureFrom(uint256 account, uint256 amount) internal returns (uint256 paid) {
        uint256 collateral = collateralOf[account];
        paid = Math.min(collateral, amount);
        collateralOf[account] = collateral - paid;
        insurance += paid;
    }

    /// @dev Cash for an account: against its debt to the pool first.
    function _receive(uint256 account, uint256 amount) internal {
        uint256 cancelled = _cancelDebt(account, amount);
        if (cancelled > 0) pool += cancelled;
        collateralOf[account] += amount - cancelled;
    }

    /// @dev The debt of an account without positions is nobody's any more: the insurance fund pays what it can, the pool bears the rest.
    function _writeOff(uint256 account) internal {
        uint256 debt = debtOf[account];
        if (debt == 0) return;
        debtOf[account] = 0;
        totalDebt -= debt;
        uint256 insured = Math.min(insurance, debt);
        insurance -= insured;
        pool += insured;
        emit BadDebt(account, debt, insured);
    }

    function _backing() internal view override returns (uint256) {
        return pool;
    }

    function _cancelDebt(uint256 account, uint256 amount) private returns (uint256 cancelled) {
        uint256 debt = debtOf[account];
        if (debt == 0) return 0;
        cancelled = Math.min(debt, amount);
        debtOf[account] = debt - cancelled;
        totalDebt -= cancelled;
    }

    /// @dev Values the pool, once a block.
    function _value() private returns (Valuation storage valuation) {
        valuation = _valuation;
        if (valuation.height == block.number) return valuation;
        for (uint256 market = 0; market < marketCount; market++) {
            accrue(market);
        }
        (uint256 value, uint256 free) = poolValue();
        valuation.height = block.number;
        valuation.value = value;
        valuation.free = free;
        valuation.shares = totalShares;
    }
}
