// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title What a {HookedPool} calls before and after what is done with it, and asks for its fee
/// @notice The pool is the caller. It calls what {calls} named when the pool was made, and nothing else; it does so while it is
/// locked, so a hook can look at it and not use it. A hook that reverts refuses what is going on: trading and adding liquidity.
/// Removing liquidity cannot be refused: the pool tells of it afterwards, and goes on whatever comes of that.
///
/// A hook is chosen by whoever makes the pool and is never changed. It gets no tokens and moves none; the worst it does is to
/// refuse trades, and to take the highest fee ({LiquidityPool.MAX_FEE}) for those with shares.
/// @dev `sender` is who called the pool: where that is the router, {IRouterTrader} tells whom it trades for.
interface IPoolHooks {
    /// @notice What the pool calls: the sum of {HookCalls}. Asked once, when the pool is made.
    function calls() external view returns (uint256);

    function beforeSwap(address sender, address tokenIn, uint256 amountIn, address to) external;

    function afterSwap(address sender, address tokenIn, uint256 amountIn, uint256 amountOut, address to) external;

    /// @param max0 What the sender is ready to give of token 0.
    function beforeAdd(address sender, uint256 max0, uint256 max1, address to) external;

    function afterAdd(address sender, uint256 amount0, uint256 amount1, uint256 shares, address to) external;

    /// @notice Told with at most {HookedPool.NOTICE_GAS}, or not at all: nothing may depend on hearing of it.
    function afterRemove(address sender, uint256 amount0, uint256 amount1, uint256 shares, address to) external;

    /// @notice The fee on `amountIn` of `tokenIn` as things stand, in millionths of it. The pool takes no more than its highest.
    /// @dev Asked for quotes too, and asked again in the trade, after {beforeSwap}.
    function swapFee(address tokenIn, uint256 amountIn) external view returns (uint256);
}

/// @notice Tells a hook whom a trade is for that it sees come from a router.
interface IRouterTrader {
    /// @notice Whose trade is going on; zero if none is.
    function trader() external view returns (address);
}

/// @notice The bits of {IPoolHooks.calls}.
library HookCalls {
    uint256 internal constant BEFORE_SWAP = 1;
    uint256 internal constant AFTER_SWAP = 2;
    uint256 internal constant BEFORE_ADD = 4;
    uint256 internal constant AFTER_ADD = 8;
    uint256 internal constant AFTER_REMOVE = 16;
    uint256 internal constant SWAP_FEE = 32;
    uint256 internal constant ALL = 63;
}
