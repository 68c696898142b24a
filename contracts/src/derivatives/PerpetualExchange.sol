// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPerpetualExchange} from "./IPerpetualExchange.sol";
import {PerpetualMarkets} from "./PerpetualMarkets.sol";
import {PerpetualMath} from "./PerpetualMath.sol";
import {PerpetualPool} from "./PerpetualPool.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {LibBit} from "solady/utils/LibBit.sol";

/// @notice See {IPerpetualExchange}. This part keeps accounts: margin, positions, trades and liquidations.
contract PerpetualExchange is PerpetualPool {
    using SafeERC20 for IERC20;

    /// @notice How many positions an account may have: its health goes through all of them.
    uint256 public constant MAX_POSITIONS = 8;

    /// @notice The markets that an account has a position in, a bit each.
    mapping(uint256 account => uint256) public openMarketsOf;
    mapping(uint256 account => bool) public isIsolated;
    /// @notice Who may trade for an owner's accounts. Nobody else takes margin out.
    mapping(address owner => mapping(address delegate => bool)) public isDelegate;
    mapping(uint256 account => mapping(uint256 market => Position)) private _positions;

    modifier onlyOwnerOf(uint256 account) {
        if (msg.sender != ownerOf(account)) revert NotAllowed(account, msg.sender);
        _;
    }

    modifier tradingFor(uint256 account) {
        address owner = ownerOf(account);
        if (msg.sender != owner && !isDelegate[owner][msg.sender]) revert NotAllowed(account, msg.sender);
        _;
    }

    constructor(IERC20 token, address owner, address guardian_) Ownable(owner) {
        marginToken = token;
        guardian = guardian_;
    }

    // Margin

    /// @notice Adds `amount` of the caller's to the margin of an account.
    function deposit(uint256 account, uint256 amount) external {
        if (amount == 0) revert NothingGiven();
        _receive(account, amount);
        emit Deposited(msg.sender, account, amount);
        marginToken.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Sends `amount` of an account's margin to `to`. What is left has to be the initial margin of its positions.
    function withdraw(uint256 account, uint256 amount, address to) external onlyOwnerOf(account) {
        _takeOut(account, amount);
        emit Withdrawn(msg.sender, account, to, amount);
        marginToken.safeTransfer(to, amount);
    }

    /// @notice Moves margin from one account of the caller to another.
    function move(uint256 from, uint256 to, uint256 amount) external onlyOwnerOf(from) {
        if (ownerOf(to) != msg.sender) revert NotAllowed(to, msg.sender);
        _takeOut(from, amount);
        _receive(to, amount);
        emit Moved(from, to, amount);
    }

    /// @notice Lets an account hold one position at most, or several again.
    function setIsolated(uint256 account, bool isolated) external onlyOwnerOf(account) {
        uint256 open = openMarketsOf[account];
        if (isolated && open != _lowest(open)) revert Isolated(account);
        isIsolated[account] = isolated;
        emit IsolatedSet(account, isolated);
    }

    /// @notice Lets `delegate` trade for all accounts of the caller.
    function setDelegate(address delegate, bool allowed) external {
        isDelegate[msg.sender][delegate] = allowed;
        emit DelegateSet(msg.sender, delegate, allowed);
    }

    // Trades

    /// @inheritdoc IPerpetualExchange
    function trade(uint256 account, uint256 market, int256 delta, uint256 limit)
        external
        tradingFor(account)
        returns (uint256 fill)
    {
        if (delta == 0) revert NothingGiven();
        if (FixedPointMathLib.abs(delta) > PerpetualMath.MAX_OPEN) revert SizeTooLarge(delta);
        bool isSmaller = _makesSmaller(_positions[account][market].size, delta);
        if (!isSmaller) _admit(account, market);
        _accrueOf(openMarketsOf[account] | 1 << market);
        (uint256 price,) = _priceOf(market);
        fill = _fill(market, price, delta);
        if (delta > 0 ? fill > limit : fill < limit) revert LimitExceeded(fill, limit);
        _apply(account, market, delta, fill, !isSmaller);
        uint256 fee = _chargeFee(account, market, delta, price, isSmaller);
        emit Traded(msg.sender, account, market, delta, fill, fee);
        if (!isSmaller) _requireMargin(account);
        else if (openMarketsOf[account] == 0) _writeOff(account);
    }

    /// @inheritdoc IPerpetualExchange
    function liquidate(uint256 account, uint256 market, uint256 size) external returns (uint256 closed) {
        int256 held = _positions[account][market].size;
        if (held == 0) revert NoPosition(account, market);
        _accrueOf(openMarketsOf[account]);
        (int256 equity, uint256 initial, uint256 maintenance) = healthOf(account);
        if (equity >= int256(maintenance)) revert Healthy(account, equity, maintenance);
        (uint256 price,) = _priceOf(market);
        closed = FixedPointMathLib.min(size, _closable(market, held, price, equity, initial));
        if (closed == 0) revert NothingGiven();
        int256 delta = held > 0 ? -int256(closed) : int256(closed);
        _apply(account, market, delta, price, false);
        uint256 penalty = _penalise(account, market, delta, price);
        emit Liquidated(msg.sender, account, market, delta, price, penalty);
        if (openMarketsOf[account] == 0) _writeOff(account);
    }

    /// @inheritdoc IPerpetualExchange
    function deleverage(uint256 account, uint256 market, uint256 size) external returns (uint256 closed) {
        int256 held = _positions[account][market].size;
        if (held == 0) revert NoPosition(account, market);
        _accrueOf(openMarketsOf[account]);
        (uint256 price,) = _priceOf(market);
        uint256 missing = _uncovered();
        int256 gain = _gainOf(account, market, price);
        int256 skew = _skew(market);
        if (gain <= 0 || (held > 0 ? skew <= 0 : skew >= 0)) revert NotDeleveraged(account, market, gain, skew);
        _requireRank(account, market);
        uint256 all = FixedPointMathLib.abs(held);
        uint256 enough = missing < uint256(gain) ? FixedPointMathLib.fullMulDivUp(all, missing, uint256(gain)) : all;
        closed = FixedPointMathLib.min(FixedPointMathLib.min(size, enough), FixedPointMathLib.abs(skew));
        if (closed == 0) revert NothingGiven();
        int256 delta = held > 0 ? -int256(closed) : int256(closed);
        _apply(account, market, delta, price, false);
        emit Deleveraged(msg.sender, account, market, delta, price);
        if (openMarketsOf[account] == 0) _writeOff(account);
        noteCoverage();
    }

    // Questions

    /// @notice The account of `owner` with this number, which is below 2^96.
    function accountOf(address owner, uint96 index) public pure returns (uint256) {
        return uint256(uint160(owner)) << 96 | index;
    }

    function ownerOf(uint256 account) public pure returns (address) {
        return address(uint160(account >> 96));
    }

    function positionOf(uint256 account, uint256 market) external view returns (Position memory) {
        return _positions[account][market];
    }

    /// @notice What an account would have if its positions were closed at the present prices, and what it needs: to open more, and not to
    /// be liquidated.
    function healthOf(uint256 account) public view returns (int256 equity, uint256 initial, uint256 maintenance) {
        equity = int256(collateralOf[account] + owedTo[account]) - int256(debtOf[account]);
        for (uint256 open = openMarketsOf[account]; open != 0;) {
            uint256 lowest = _lowest(open);
            uint256 market = FixedPointMathLib.log2(lowest);
            open ^= lowest;
            (uint256 price,) = _priceOf(market);
            int256 size = _positions[account][market].size;
            Terms storage terms = _termsOf(market);
            equity += _gainOf(account, market, price);
            initial += PerpetualMath.shareUp(size, price, terms.initialBasis);
            maintenance += PerpetualMath.shareUp(size, price, terms.maintenanceBasis);
        }
    }

    /// @notice The price of a market from which on the account can be liquidated, if nothing else moves; zero if there is none.
    function liquidationPrice(uint256 account, uint256 market) external view returns (uint256) {
        int256 size = _positions[account][market].size;
        if (size == 0) revert NoPosition(account, market);
        (int256 equity,, uint256 maintenance) = healthOf(account);
        (uint256 price,) = _priceOf(market);
        uint256 basis = _termsOf(market).maintenanceBasis;
        return PerpetualMath.liquidationPrice(size, price, equity - int256(maintenance), basis);
    }

    /// @inheritdoc IPerpetualExchange
    function rankOf(uint256 account, uint256 market) public view returns (uint256) {
        int256 size = _positions[account][market].size;
        if (size == 0) revert NoPosition(account, market);
        (uint256 price,) = _priceOf(market);
        int256 gain = _gainOf(account, market, price);
        if (gain <= 0) return 0;
        (int256 equity,,) = healthOf(account);
        return PerpetualMath.deleverageRank(size, price, uint256(gain), equity);
    }

    /// @dev What a position would settle at if it were closed at `price`.
    function _gainOf(uint256 account, uint256 market, uint256 price) private view returns (int256) {
        Position storage position = _positions[account][market];
        return PerpetualMath.settleDown(PerpetualMath.worth(position.size, price, fundingOf(market)) - position.cost);
    }

    function _takeOut(uint256 account, uint256 amount) private {
        if (amount == 0) revert NothingGiven();
        uint256 collateral = collateralOf[account];
        if (collateral < amount) revert InsufficientCollateral(account, collateral, amount);
        collateralOf[account] = collateral - amount;
        if (openMarketsOf[account] == 0) return;
        _accrueOf(openMarketsOf[account]);
        _requireMargin(account);
    }

    /// @dev Whether anything stands against a larger position.
    function _admit(uint256 account, uint256 market) private view notStopped {
        if (market >= marketCount) revert UnknownMarket(market);
        if (hasEnded[market]) revert MarketEnded(market);
        uint256 open = openMarketsOf[account];
        if (open & 1 << market != 0 || open == 0) return;
        if (isIsolated[account]) revert Isolated(account);
        if (LibBit.popCount(open) == MAX_POSITIONS) revert TooManyPositions(account);
    }

    /// @dev Changes a position by `delta` at `fill`: what is closed of it is settled, the rest becomes cost.
    function _apply(uint256 account, uint256 market, int256 delta, uint256 fill, bool isCapped) private {
        Position memory before = _positions[account][market];
        Position memory later = Position(before.size + delta, before.cost);
        int256 funding = fundingOf(market);
        int256 closed = _closedOf(before.size, delta);
        if (closed != 0) {
            int256 cost = PerpetualMath.closedCost(before.cost, closed, before.size);
            later.cost -= cost;
            _settle(account, market, PerpetualMath.worth(closed, fill, funding) - cost);
        }
        later.cost += PerpetualMath.worth(delta + closed, fill, funding);
        _positions[account][market] = later;
        if (before.size == 0 || later.size == 0) openMarketsOf[account] ^= 1 << market;
        _changeTotals(market, before.size, later.size, later.cost - before.cost, isCapped);
    }

    function _settle(uint256 account, uint256 market, int256 exact) private {
        int256 gain = PerpetualMath.settleDown(exact);
        if (gain > 0) _gain(account, uint256(gain));
        if (gain < 0) _lose(account, uint256(-gain));
        emit Settled(account, market, gain);
    }

    /// @dev A trade that makes a position smaller pays what it has; any other has to have the fee.
    function _chargeFee(uint256 account, uint256 market, int256 delta, uint256 price, bool isSmaller)
        private
        returns (uint256 fee)
    {
        if (hasEnded[market]) return 0;
        fee = PerpetualMath.shareUp(delta, price, _termsOf(market).feeBasis);
        uint256 paid = _insureFrom(account, fee);
        if (paid < fee && !isSmaller) revert InsufficientCollateral(account, paid, fee);
        return paid;
    }

    function _penalise(uint256 account, uint256 market, int256 delta, uint256 price) private returns (uint256 penalty) {
        penalty = _insureFrom(account, PerpetualMath.shareUp(delta, price, _termsOf(market).penaltyBasis));
        uint256 reward = penalty / 2;
        insurance -= reward;
        _receive(accountOf(msg.sender, 0), reward);
    }

    function _accrueOf(uint256 open) private {
        while (open != 0) {
            uint256 lowest = _lowest(open);
            open ^= lowest;
            accrue(FixedPointMathLib.log2(lowest));
        }
    }

    function _requireRank(uint256 account, uint256 market) private view {
        (uint256 rank, uint256 needed) = (rankOf(account, market), rankNeeded());
        if (rank < needed) revert RankTooLow(account, market, rank, needed);
    }

    function _requireMargin(uint256 account) private view {
        (int256 equity, uint256 initial,) = healthOf(account);
        if (equity < int256(initial)) revert InsufficientMargin(account, equity, initial);
    }

    function _closable(uint256 market, int256 held, uint256 price, int256 equity, uint256 initial)
        private
        view
        returns (uint256)
    {
        Terms storage terms = _termsOf(market);
        return PerpetualMath.liquidationSize(held, price, equity, initial, terms.initialBasis, terms.penaltyBasis);
    }

    function _makesSmaller(int256 size, int256 delta) private pure returns (bool) {
        return size > 0 ? delta < 0 && delta >= -size : size < 0 && delta > 0 && delta <= -size;
    }

    /// @dev The part of a position that a trade closes, with the position's sign.
    function _closedOf(int256 size, int256 delta) private pure returns (int256) {
        if (size > 0 && delta < 0) return FixedPointMathLib.min(size, -delta);
        if (size < 0 && delta > 0) return FixedPointMathLib.max(size, -delta);
        return 0;
    }

    function _lowest(uint256 bits) private pure returns (uint256) {
        unchecked {
            return bits & (0 - bits);
        }
    }
}
