// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {CurveMath} from "./CurveMath.sol";
import {IPool} from "./IPool.sol";
import {IVault} from "./IVault.sol";
import {Router} from "./Router.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title Orders that wait: for a price, or to be traded in slices over time
/// @notice An order gives up to `amountIn` of one token for another at a price of `minAmountOut / amountIn` or better. With one
/// slice it is a limit order; with several it is traded slice by slice, `interval` seconds apart at least (TWAP). Anyone may
/// execute what is due, in the pool that the router finds best, and gets the order's tip for each slice. What comes out is
/// the trader's at once, all of it: who executes gains nothing but the tip.
///
/// What an order has not traded lies here as an internal balance of the vault. The trader may cancel at any time, and anyone
/// after the order has expired; the rest goes back to the trader. Times are in seconds since 1970. The least that a slice has
/// to get is rounded up.
/// @dev Assumes what {IVault} does of tokens. An order's id depends on the trader and the trader's own count, so orders of
/// different traders have no slot in common but the balances, which are added to and taken from.
contract Orders {
    struct Order {
        address trader;
        address tokenIn;
        address tokenOut;
        uint256 amountIn;
        uint256 minAmountOut;
        /// What is not traded yet.
        uint256 left;
        /// Paid for each slice, in `tokenIn`.
        uint256 tip;
        uint32 slicesLeft;
        uint64 interval;
        uint64 nextAt;
        uint64 expiry;
    }

    /// @notice Most slices of an order: one an hour for three months.
    uint256 public constant MAX_SLICES = 2200;
    uint256 public constant MAX_INTERVAL = 365 days;

    IVault public immutable vault;
    Router public immutable router;
    mapping(bytes32 id => Order) private orders;
    /// @notice How many orders an account has placed.
    mapping(address trader => uint256) public countOf;

    error NothingOrdered();
    /// @notice The slices are none or too many, or more than the smallest units of the amount.
    error InvalidSlices(uint256 slices);
    error InvalidInterval(uint256 interval);
    error Expired(uint256 expiry);
    error UnknownOrder(bytes32 id);
    error NotYet(uint256 nextAt);
    error NotTrader(address caller);
    error NoPool(address tokenIn, address tokenOut);

    event Placed(
        bytes32 indexed id,
        address indexed trader,
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 minAmountOut,
        uint256 slices,
        uint256 interval,
        uint256 expiry,
        uint256 tip
    );
    event Executed(bytes32 indexed id, address indexed executor, address pool, uint256 amountIn, uint256 amountOut);
    event Closed(bytes32 indexed id, uint256 returned);

    constructor(Router router_) {
        router = router_;
        vault = router_.vault();
    }

    /// @notice Takes `amountIn`, and `tip` for each slice, from the caller's internal balance and places an order.
    /// @dev The caller has to have let this contract take it, as operator or by allowance in the vault.
    function place(
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 minAmountOut,
        uint32 slices,
        uint64 interval,
        uint64 expiry,
        uint256 tip
    ) external returns (bytes32 id) {
        if (amountIn == 0) revert NothingOrdered();
        if (slices == 0 || slices > MAX_SLICES || slices > amountIn) revert InvalidSlices(slices);
        if (interval > MAX_INTERVAL) revert InvalidInterval(interval);
        if (expiry <= block.timestamp) revert Expired(expiry);
        CurveMath.requireCountable(amountIn);
        CurveMath.requireCountable(tip);
        id = idOf(msg.sender, countOf[msg.sender]++);
        uint64 now_ = uint64(block.timestamp);
        orders[id] =
            Order(msg.sender, tokenIn, tokenOut, amountIn, minAmountOut, amountIn, tip, slices, interval, now_, expiry);
        emit Placed(id, msg.sender, tokenIn, tokenOut, amountIn, minAmountOut, slices, interval, expiry, tip);
        vault.transferFrom(msg.sender, address(this), _id(tokenIn), amountIn + tip * slices);
    }

    /// @notice Trades the slice of an order that is due, and pays the caller the tip.
    function execute(bytes32 id) external returns (uint256 amountOut) {
        Order memory order = _open(id);
        if (block.timestamp > order.expiry) revert Expired(order.expiry);
        if (block.timestamp < order.nextAt) revert NotYet(order.nextAt);
        (uint256 amountIn, uint256 least) = _slice(order);
        (IPool pool,,,) = router.quote(order.tokenIn, order.tokenOut, amountIn);
        if (address(pool) == address(0)) revert NoPool(order.tokenIn, order.tokenOut);
        if (order.slicesLeft == 1) {
            delete orders[id];
        } else {
            orders[id].left = order.left - amountIn;
            orders[id].slicesLeft = order.slicesLeft - 1;
            orders[id].nextAt = uint64(block.timestamp) + order.interval;
        }
        vault.approveTransient(address(pool), _id(order.tokenIn), amountIn);
        amountOut = pool.swap(order.tokenIn, amountIn, least, order.trader);
        if (order.tip != 0) vault.transfer(msg.sender, _id(order.tokenIn), order.tip);
        emit Executed(id, msg.sender, address(pool), amountIn, amountOut);
        if (order.slicesLeft == 1) emit Closed(id, 0);
    }

    /// @notice Gives the trader back what an order has not traded.
    function cancel(bytes32 id) external returns (uint256 returned) {
        Order memory order = _open(id);
        if (msg.sender != order.trader && block.timestamp <= order.expiry) revert NotTrader(msg.sender);
        delete orders[id];
        returned = order.left + order.tip * order.slicesLeft;
        emit Closed(id, returned);
        vault.transfer(order.trader, _id(order.tokenIn), returned);
    }

    /// @notice The id of the order that `trader` placed after `number` others.
    function idOf(address trader, uint256 number) public pure returns (bytes32) {
        return keccak256(abi.encode(trader, number));
    }

    function orderOf(bytes32 id) external view returns (Order memory) {
        return _open(id);
    }

    /// @notice What is due of an order, the least that it has to get, and what it would get now. It can be executed if `due`.
    function next(bytes32 id) external view returns (bool due, uint256 amountIn, uint256 least, uint256 amountOut) {
        Order memory order = _open(id);
        (amountIn, least) = _slice(order);
        (, amountOut,,) = router.quote(order.tokenIn, order.tokenOut, amountIn);
        due = block.timestamp >= order.nextAt && block.timestamp <= order.expiry && amountOut != 0 && amountOut >= least;
    }

    /// @dev The slices are equal but for rounding, of which the last has the rest.
    function _slice(Order memory order) private pure returns (uint256 amountIn, uint256 least) {
        amountIn = order.left / order.slicesLeft;
        least = Math.mulDiv(amountIn, order.minAmountOut, order.amountIn, Math.Rounding.Ceil);
    }

    function _open(bytes32 id) private view returns (Order memory order) {
        order = orders[id];
        if (order.trader == address(0)) revert UnknownOrder(id);
    }

    function _id(address token) private pure returns (uint256) {
        return uint256(uint160(token));
    }
}
