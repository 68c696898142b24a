// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ConstantProductPool} from "./ConstantProductPool.sol";
import {CurveMath} from "./CurveMath.sol";
import {RouterBase} from "./RouterBase.sol";
import {IERC20} from "@openzeppelin/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title Liquidity from wallets and back, by the functions of Uniswap v2's router
/// @notice They are about the constant-product pool of {V2_FEE}, which is made if there is none. Shares are the pool's own ERC-20 tokens:
/// who removes liquidity approves the router for them, or signs a permit. The pool takes both tokens in the proportion of its reserves, up to a unit
/// more than that; the router takes no more from the caller than the pool does. Other pools are provided for in the vault.
abstract contract LiquidityRouter is RouterBase {
    /// @dev What goes into a pool: amounts in the order in which the caller names the tokens.
    struct Pair {
        ConstantProductPool pool;
        address tokenA;
        address tokenB;
        uint256 amountA;
        uint256 amountB;
    }

    /// @dev A permit of the caller's for the router.
    struct Permit {
        ConstantProductPool pool;
        uint256 amount;
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    function addLiquidity(
        address tokenA,
        address tokenB,
        uint256 amountADesired,
        uint256 amountBDesired,
        uint256 amountAMin,
        uint256 amountBMin,
        address to,
        uint256 deadline
    ) external before(deadline) returns (uint256 amountA, uint256 amountB, uint256 liquidity) {
        Pair memory pair = _proportion(tokenA, tokenB, amountADesired, amountBDesired);
        (amountA, amountB) = (pair.amountA, pair.amountB);
        _requireLeast(amountA, amountAMin);
        _requireLeast(amountB, amountBMin);
        _pull(pair.tokenA, pair.amountA);
        _pull(pair.tokenB, pair.amountB);
        liquidity = _join(pair, to);
    }

    /// @notice What the pool does not take of the ether sent goes back.
    function addLiquidityETH(
        address token,
        uint256 amountTokenDesired,
        uint256 amountTokenMin,
        uint256 amountETHMin,
        address to,
        uint256 deadline
    ) external payable before(deadline) returns (uint256 amountToken, uint256 amountETH, uint256 liquidity) {
        Pair memory pair = _proportion(token, address(weth), amountTokenDesired, msg.value);
        (amountToken, amountETH) = (pair.amountA, pair.amountB);
        _requireLeast(amountToken, amountTokenMin);
        _requireLeast(amountETH, amountETHMin);
        _pull(pair.tokenA, pair.amountA);
        weth.deposit{value: amountETH}();
        liquidity = _join(pair, to);
        if (msg.value != amountETH) _sendEther(msg.sender, msg.value - amountETH);
    }

    function removeLiquidity(
        address tokenA,
        address tokenB,
        uint256 liquidity,
        uint256 amountAMin,
        uint256 amountBMin,
        address to,
        uint256 deadline
    ) public before(deadline) returns (uint256 amountA, uint256 amountB) {
        (amountA, amountB) = _leave(tokenA, tokenB, liquidity);
        _requireLeast(amountA, amountAMin);
        _requireLeast(amountB, amountBMin);
        vault.withdraw(tokenA, amountA, to);
        vault.withdraw(tokenB, amountB, to);
    }

    function removeLiquidityETH(
        address token,
        uint256 liquidity,
        uint256 amountTokenMin,
        uint256 amountETHMin,
        address to,
        uint256 deadline
    ) public before(deadline) returns (uint256 amountToken, uint256 amountETH) {
        (amountToken, amountETH) = _leave(token, address(weth), liquidity);
        _requireLeast(amountToken, amountTokenMin);
        _requireLeast(amountETH, amountETHMin);
        vault.withdraw(token, amountToken, to);
        vault.withdraw(address(weth), amountETH, address(this));
        weth.withdraw(amountETH);
        _sendEther(to, amountETH);
    }

    /// @notice The same with a permit (EIP-2612) for the shares instead of an approval.
    /// @dev Whoever sees a permit may send it first; then the allowance is there already, and the permit is passed over.
    function removeLiquidityWithPermit(
        address tokenA,
        address tokenB,
        uint256 liquidity,
        uint256 amountAMin,
        uint256 amountBMin,
        address to,
        uint256 deadline,
        bool approveMax,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256 amountA, uint256 amountB) {
        Permit memory permit;
        permit.pool = _pairOf(tokenA, tokenB);
        permit.amount = approveMax ? type(uint256).max : liquidity;
        (permit.deadline, permit.v, permit.r, permit.s) = (deadline, v, r, s);
        _permit(permit);
        return removeLiquidity(tokenA, tokenB, liquidity, amountAMin, amountBMin, to, deadline);
    }

    /// @notice The same with a permit (EIP-2612) for the shares instead of an approval.
    function removeLiquidityETHWithPermit(
        address token,
        uint256 liquidity,
        uint256 amountTokenMin,
        uint256 amountETHMin,
        address to,
        uint256 deadline,
        bool approveMax,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256 amountToken, uint256 amountETH) {
        Permit memory permit;
        permit.pool = _pairOf(token, address(weth));
        permit.amount = approveMax ? type(uint256).max : liquidity;
        (permit.deadline, permit.v, permit.r, permit.s) = (deadline, v, r, s);
        _permit(permit);
        return removeLiquidityETH(token, liquidity, amountTokenMin, amountETHMin, to, deadline);
    }

    /// @notice {removeLiquidityETH} for a token that delivers less than is sent: `amountTokenMin` is what has to arrive.
    function removeLiquidityETHSupportingFeeOnTransferTokens(
        address token,
        uint256 liquidity,
        uint256 amountTokenMin,
        uint256 amountETHMin,
        address to,
        uint256 deadline
    ) public returns (uint256 amountETH) {
        uint256 held = IERC20(token).balanceOf(to);
        (, amountETH) = removeLiquidityETH(token, liquidity, 0, amountETHMin, to, deadline);
        _requireLeast(IERC20(token).balanceOf(to) - held, amountTokenMin);
    }

    /// @notice The same with a permit (EIP-2612) for the shares instead of an approval.
    function removeLiquidityETHWithPermitSupportingFeeOnTransferTokens(
        address token,
        uint256 liquidity,
        uint256 amountTokenMin,
        uint256 amountETHMin,
        address to,
        uint256 deadline,
        bool approveMax,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256 amountETH) {
        Permit memory permit;
        permit.pool = _pairOf(token, address(weth));
        permit.amount = approveMax ? type(uint256).max : liquidity;
        (permit.deadline, permit.v, permit.r, permit.s) = (deadline, v, r, s);
        _permit(permit);
        return
            removeLiquidityETHSupportingFeeOnTransferTokens(
                token, liquidity, amountTokenMin, amountETHMin, to, deadline
            );
    }

    /// @notice What a pool with these reserves and {V2_FEE} gives for `amountIn`.
    function getAmountOut(uint256 amountIn, uint256 reserveIn, uint256 reserveOut) external pure returns (uint256) {
        CurveMath.requireCountable(reserveIn);
        CurveMath.requireCountable(reserveOut);
        return CurveMath.amountOutDown(amountIn, reserveIn, reserveOut, V2_FEE);
    }

    /// @notice The least for which a pool with these reserves and {V2_FEE} gives `amountOut`.
    function getAmountIn(uint256 amountOut, uint256 reserveIn, uint256 reserveOut) external pure returns (uint256) {
        CurveMath.requireCountable(reserveIn);
        CurveMath.requireCountable(reserveOut);
        return CurveMath.amountInUp(amountOut, reserveIn, reserveOut, V2_FEE);
    }

    /// @notice What of token B is worth `amountA` at the price of these reserves, rounded down.
    function quote(uint256 amountA, uint256 reserveA, uint256 reserveB) external pure returns (uint256) {
        return Math.mulDiv(amountA, reserveB, reserveA);
    }

    /// @dev The most of both, up to what is wanted, that the pool takes for whole shares. The first to provide gives what it likes.
    function _proportion(address tokenA, address tokenB, uint256 wantedA, uint256 wantedB)
        private
        returns (Pair memory pair)
    {
        ConstantProductPool pool = factory.getPool(tokenA, tokenB, V2_FEE);
        if (address(pool) == address(0)) pool = factory.createPool(tokenA, tokenB, V2_FEE);
        pair = Pair(pool, tokenA, tokenB, wantedA, wantedB);
        uint256 supply = pool.totalSupply();
        if (supply == 0) return pair;
        CurveMath.requireCountable(wantedA);
        CurveMath.requireCountable(wantedB);
        (uint256 reserveA, uint256 reserveB) = (pool.reserve0(), pool.reserve1());
        if (tokenA > tokenB) (reserveA, reserveB) = (reserveB, reserveA);
        uint256 shares = Math.min(wantedA * supply / reserveA, wantedB * supply / reserveB);
        pair.amountA = Math.ceilDiv(shares * reserveA, supply);
        pair.amountB = Math.ceilDiv(shares * reserveB, supply);
    }

    /// @dev Puts what the router holds into the pool.
    function _join(Pair memory pair, address to) private returns (uint256 shares) {
        _deposit(pair.tokenA, pair.amountA);
        _deposit(pair.tokenB, pair.amountB);
        vault.approveTransient(address(pair.pool), _id(pair.tokenA), pair.amountA);
        vault.approveTransient(address(pair.pool), _id(pair.tokenB), pair.amountB);
        bool inOrder = pair.tokenA < pair.tokenB;
        (uint256 amount0, uint256 amount1) = inOrder ? (pair.amountA, pair.amountB) : (pair.amountB, pair.amountA);
        (shares,,) = pair.pool.addLiquidity(amount0, amount1, 0, to);
    }

    /// @dev Takes the caller's shares; the router has both tokens in the vault then.
    function _leave(address tokenA, address tokenB, uint256 shares) private returns (uint256 amountA, uint256 amountB) {
        ConstantProductPool pool = _pairOf(tokenA, tokenB);
        _pull(address(pool), shares);
        (amountA, amountB) = pool.removeLiquidity(shares, 0, 0, address(this));
        if (tokenA > tokenB) (amountA, amountB) = (amountB, amountA);
    }

    function _permit(Permit memory permit) private {
        try permit.pool
        .permit(msg.sender, address(this), permit.amount, permit.deadline, permit.v, permit.r, permit.s) {}
            catch {}
    }

    function _pairOf(address tokenA, address tokenB) private view returns (ConstantProductPool pool) {
        pool = factory.getPool(tokenA, tokenB, V2_FEE);
        if (address(pool) == address(0)) revert NoPool(tokenA, tokenB);
    }

    function _requireLeast(uint256 amount, uint256 wanted) private pure {
        if (amount < wanted) revert InsufficientOutput(amount, wanted);
    }
}
