// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ConstantProductPool} from "./ConstantProductPool.sol";
import {CurveMath} from "./CurveMath.sol";
import {HookCalls, IPoolHooks} from "./IPoolHooks.sol";
import {IVault} from "./IVault.sol";
import {InstantPool} from "./InstantPool.sol";
import {LiquidityPool} from "./LiquidityPool.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title A constant-product pool with hooks
/// @notice {IPoolHooks} says what hooks may do. The product of the reserves never falls by a trade, and providers may always
/// leave with their part, whatever the hook is.
/// @dev The pool is locked from before the first to after the last call of its hook. Nothing of the pool is between two states
/// while the hook runs, so what the hook reads is right.
contract HookedPool is ConstantProductPool, ReentrancyGuardTransient {
    /// @notice What a hook may spend on hearing that liquidity was removed.
    uint256 public constant NOTICE_GAS = 200_000;
    /// @dev How often a fee that depends on the amount is asked for to find the amount.
    uint256 private constant FEE_ROUNDS = 8;

    IPoolHooks public immutable hooks;
    /// @notice What the hook is called for: a sum of {HookCalls}.
    uint256 public immutable calls;

    /// @notice There is no such hook, or it wants to be called for what does not exist.
    error InvalidHooks(IPoolHooks hooks);

    /// @notice The hook did not take the news that liquidity was removed.
    event NoticeFailed(address indexed provider, uint256 shares);

    constructor(IVault vault_, address token0_, address token1_, uint256 fee_, IPoolHooks hooks_)
        ConstantProductPool(vault_, token0_, token1_, fee_)
    {
        if (address(hooks_).code.length == 0) revert InvalidHooks(hooks_);
        uint256 calls_ = hooks_.calls();
        if (calls_ == 0 || calls_ > HookCalls.ALL) revert InvalidHooks(hooks_);
        hooks = hooks_;
        calls = calls_;
    }

    /// @inheritdoc InstantPool
    function swap(address tokenIn, uint256 amountIn, uint256 minAmountOut, address to)
        public
        override
        nonReentrant
        returns (uint256 amountOut)
    {
        if (_wants(HookCalls.BEFORE_SWAP)) hooks.beforeSwap(msg.sender, tokenIn, amountIn, to);
        amountOut = super.swap(tokenIn, amountIn, minAmountOut, to);
        if (_wants(HookCalls.AFTER_SWAP)) hooks.afterSwap(msg.sender, tokenIn, amountIn, amountOut, to);
    }

    /// @inheritdoc LiquidityPool
    function addLiquidity(uint256 max0, uint256 max1, uint256 minShares, address to)
        public
        override
        nonReentrant
        returns (uint256 shares, uint256 amount0, uint256 amount1)
    {
        if (_wants(HookCalls.BEFORE_ADD)) hooks.beforeAdd(msg.sender, max0, max1, to);
        (shares, amount0, amount1) = super.addLiquidity(max0, max1, minShares, to);
        if (_wants(HookCalls.AFTER_ADD)) hooks.afterAdd(msg.sender, amount0, amount1, shares, to);
    }

    /// @inheritdoc LiquidityPool
    function removeLiquidity(uint256 shares, uint256 min0, uint256 min1, address to)
        public
        override
        nonReentrant
        returns (uint256 amount0, uint256 amount1)
    {
        (amount0, amount1) = super.removeLiquidity(shares, min0, min1, to);
        if (!_wants(HookCalls.AFTER_REMOVE)) return (amount0, amount1);
        try hooks.afterRemove{gas: NOTICE_GAS}(msg.sender, amount0, amount1, shares, to) {}
        catch {
            emit NoticeFailed(msg.sender, shares);
        }
    }

    /// @notice The fee on `amountIn` of `tokenIn` as things stand, in millionths.
    function feeOn(address tokenIn, uint256 amountIn) external view returns (uint256) {
        return _feeOn(_isFirst(tokenIn), amountIn);
    }

    function _amountOutDown(bool first, uint256 amountIn) internal view override returns (uint256) {
        (uint256 reserveIn, uint256 reserveOut) = _reserves(first);
        return CurveMath.amountOutDown(amountIn, reserveIn, reserveOut, _feeOn(first, amountIn));
    }

    /// @dev With the highest fee it suffices in any case. From there the fee on what is needed is asked for, and less is taken for
    /// as long as that suffices: the least for a fee that does not depend on the amount, near it for one that hardly does.
    function _amountInUp(bool first, uint256 amountOut) internal view override returns (uint256 amountIn) {
        (uint256 reserveIn, uint256 reserveOut) = _reserves(first);
        amountIn = CurveMath.amountInUp(amountOut, reserveIn, reserveOut, MAX_FEE);
        for (uint256 i = 0; i < FEE_ROUNDS; i++) {
            uint256 less = CurveMath.amountInUp(amountOut, reserveIn, reserveOut, _feeOn(first, amountIn));
            if (less >= amountIn) return amountIn;
            uint256 given = CurveMath.amountOutDown(less, reserveIn, reserveOut, _feeOn(first, less));
            if (given < amountOut) return amountIn;
            amountIn = less;
        }
    }

    function _feeOn(bool first, uint256 amountIn) private view returns (uint256) {
        if (!_wants(HookCalls.SWAP_FEE)) return fee;
        return Math.min(hooks.swapFee(first ? token0 : token1, amountIn), MAX_FEE);
    }

    function _wants(uint256 call) private view returns (bool) {
        return calls & call != 0;
    }
}
