// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {PerpetualExchange} from "./PerpetualExchange.sol";
import {PerpetualMath} from "./PerpetualMath.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title Orders of perpetual futures that wait for a price: stops, stop-limits, take-profits
/// @notice An order trades `delta` of a market for an account once the market's price has reached a trigger, from below or from above. With a
/// limit that any fill meets it is a stop (or a take-profit) at the market; with another it is a stop-limit. One that only reduces closes as
/// much as there still is, and never opens or turns a position. Of a bracket's two orders the one that is executed ends the other.
///
/// | | `delta` | fires |
/// |---|---|---|
/// | stop-loss of a long | sells | at or below the trigger |
/// | take-profit of a long | sells | at or above |
/// | stop-loss of a short | buys | at or above |
/// | take-profit of a short | buys | at or below |
/// | stop that opens | buys, or sells | at or above, or at or below |
///
/// Anyone may execute what is due, and gets the order's tip; all else goes as if the account's owner had traded at that moment, at the exchange's fill. The trigger
/// looks at the price that the fill is made from, in the same transaction. A price that passed the trigger and came back before anybody executed has fired nothing.
///
/// The owner of an account lets this contract trade for it once, as {PerpetualExchange.setDelegate} allows; a delegate takes no margin out. Tips lie here until they
/// are earned or go back. The owner may cancel at any time, and anyone after the order has expired. Times are in seconds since 1970, prices as in {PerpetualMath}.
/// @dev Assumes of the margin token what {IPerpetualExchange} does. An order's id depends on the trader and the trader's own count, so orders of different traders
/// have no slot in common but the tips' balance, which is added to and taken from.
contract PerpetualOrders {
    using SafeERC20 for IERC20;

    /// @notice What is ordered.
    /// @param delta What is bought if positive, sold if negative.
    /// @param trigger The price that fires it.
    /// @param isAbove Whether it fires at the trigger or above; else at the trigger or below.
    /// @param limit The highest price to buy at, or the lowest to sell at.
    /// @param reduces Whether it may only make a position smaller.
    /// @param tip What the executor gets, in the margin token.
    struct Request {
        uint256 account;
        uint256 market;
        int256 delta;
        uint256 trigger;
        bool isAbove;
        uint256 limit;
        bool reduces;
        uint64 expiry;
        uint256 tip;
    }

    /// @param other The other order of a bracket; zero if there is none.
    struct Order {
        address trader;
        Request request;
        bytes32 other;
    }

    /// @notice Highest tip: no count of them overflows.
    uint256 public constant MAX_TIP = type(uint128).max;

    PerpetualExchange public immutable exchange;
    IERC20 public immutable marginToken;
    mapping(bytes32 id => Order) private _orders;
    /// @notice How many orders an account has placed.
    mapping(address trader => uint256) public countOf;

    error NothingOrdered();
    error SizeTooLarge(int256 delta);
    error TipTooLarge(uint256 tip);
    /// @notice No price is at or below zero, or above what a price may be.
    error InvalidTrigger(uint256 trigger);
    error UnknownMarket(uint256 market);
    error NotOwner(uint256 account, address caller);
    /// @notice The owner has not let this contract trade.
    error NotDelegate(address owner);
    error Expired(uint256 expiry);
    error UnknownOrder(bytes32 id);
    error NotTrader(address caller);
    /// @notice The market's price has not reached the trigger.
    error NotTriggered(uint256 price, uint256 trigger);
    /// @notice There is no position that the order makes smaller.
    error NothingToReduce(uint256 account, uint256 market, int256 size);
    /// @notice Both orders of a bracket reduce the same position.
    error InvalidBracket();

    event Placed(bytes32 indexed id, address indexed trader, Request request, bytes32 other);
    event Executed(bytes32 indexed id, address indexed executor, int256 delta, uint256 price, uint256 fill);
    event Closed(bytes32 indexed id, uint256 returned);

    constructor(PerpetualExchange exchange_) {
        exchange = exchange_;
        marginToken = exchange_.marginToken();
    }

    /// @notice Places an order and takes its tip from the caller, who owns the account.
    function place(Request calldata request) external returns (bytes32 id) {
        _check(request);
        id = _place(request, 0);
        _take(request.tip);
    }

    /// @notice Places two orders that close the same position, of which one at most is executed: a stop-loss and a take-profit.
    function placeBracket(Request calldata one, Request calldata other) external returns (bytes32 id, bytes32 otherId) {
        _check(one);
        _check(other);
        bool isSame = one.account == other.account && one.market == other.market;
        bool isClosing = one.reduces && other.reduces && one.delta > 0 == other.delta > 0;
        if (!isSame || !isClosing || one.isAbove == other.isAbove) revert InvalidBracket();
        uint256 count = countOf[msg.sender];
        (id, otherId) = (idOf(msg.sender, count), idOf(msg.sender, count + 1));
        _place(one, otherId);
        _place(other, id);
        _take(one.tip + other.tip);
    }

    /// @notice Trades an order that is due, pays the caller its tip, and gives back the tip of the bracket's other order.
    /// @return fill The price that it was filled at.
    function execute(bytes32 id) external returns (uint256 fill) {
        Order memory order = _open(id);
        Request memory request = order.request;
        if (block.timestamp > request.expiry) revert Expired(request.expiry);
        uint256 price = exchange.priceOf(request.market);
        if (!_isReached(request, price)) revert NotTriggered(price, request.trigger);
        int256 delta = _tradable(request);
        delete _orders[id];
        uint256 back = order.other == 0 ? 0 : _remove(order.other);
        fill = exchange.trade(request.account, request.market, delta, request.limit);
        emit Executed(id, msg.sender, delta, price, fill);
        if (request.tip > 0) marginToken.safeTransfer(msg.sender, request.tip);
        if (back > 0) marginToken.safeTransfer(order.trader, back);
    }

    /// @notice Ends an order, and gives its tip back. The other one of a bracket stays.
    function cancel(bytes32 id) external returns (uint256 returned) {
        Order memory order = _open(id);
        if (msg.sender != order.trader && block.timestamp <= order.request.expiry) revert NotTrader(msg.sender);
        returned = _remove(id);
        if (order.other != 0) _orders[order.other].other = 0;
        if (returned > 0) marginToken.safeTransfer(order.trader, returned);
    }

    /// @notice The id of the order that `trader` placed after `number` others.
    function idOf(address trader, uint256 number) public pure returns (bytes32) {
        return keccak256(abi.encode(trader, number));
    }

    function orderOf(bytes32 id) external view returns (Order memory) {
        return _open(id);
    }

    /// @notice Whether an order has fired, and what it would trade. It can be executed if the exchange takes the trade.
    /// @dev The exchange has the last word: limits, margins and what may be open are looked at when it trades.
    function next(bytes32 id) external view returns (bool due, int256 delta, uint256 price) {
        Request memory request = _open(id).request;
        price = exchange.priceOf(request.market);
        delta = request.reduces ? _reducing(request) : request.delta;
        due = block.timestamp <= request.expiry && delta != 0 && _isReached(request, price);
    }

    function _check(Request calldata request) private view {
        if (request.delta == 0) revert NothingOrdered();
        if (FixedPointMathLib.abs(request.delta) > PerpetualMath.MAX_OPEN) revert SizeTooLarge(request.delta);
        if (request.tip > MAX_TIP) revert TipTooLarge(request.tip);
        if (request.trigger == 0 || request.trigger >= PerpetualMath.MAX_PRICE) revert InvalidTrigger(request.trigger);
        if (request.market >= exchange.marketCount()) revert UnknownMarket(request.market);
        if (request.expiry <= block.timestamp) revert Expired(request.expiry);
        if (exchange.ownerOf(request.account) != msg.sender) revert NotOwner(request.account, msg.sender);
        if (!exchange.isDelegate(msg.sender, address(this))) revert NotDelegate(msg.sender);
    }

    function _place(Request calldata request, bytes32 other) private returns (bytes32 id) {
        id = idOf(msg.sender, countOf[msg.sender]++);
        _orders[id] = Order(msg.sender, request, other);
        emit Placed(id, msg.sender, request, other);
    }

    function _take(uint256 tips) private {
        if (tips > 0) marginToken.safeTransferFrom(msg.sender, address(this), tips);
    }

    /// @dev Ends an order that is not executed; what is left of it goes back.
    function _remove(bytes32 id) private returns (uint256 back) {
        back = _orders[id].request.tip;
        delete _orders[id];
        emit Closed(id, back);
    }

    function _isReached(Request memory request, uint256 price) private pure returns (bool) {
        return request.isAbove ? price >= request.trigger : price <= request.trigger;
    }

    function _tradable(Request memory request) private view returns (int256 delta) {
        if (!request.reduces) return request.delta;
        delta = _reducing(request);
        if (delta == 0) {
            int256 size = exchange.positionOf(request.account, request.market).size;
            revert NothingToReduce(request.account, request.market, size);
        }
    }

    /// @dev As much of the order as makes the position smaller; zero if none of it does.
    function _reducing(Request memory request) private view returns (int256) {
        int256 size = exchange.positionOf(request.account, request.market).size;
        if (size > 0 && request.delta < 0) return FixedPointMathLib.max(request.delta, -size);
        if (size < 0 && request.delta > 0) return FixedPointMathLib.min(request.delta, -size);
        return 0;
    }

    function _open(bytes32 id) private view returns (Order memory order) {
        order = _orders[id];
        if (order.trader == address(0)) revert UnknownOrder(id);
    }
}
