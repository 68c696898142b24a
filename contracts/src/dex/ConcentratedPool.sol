// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {BinMap} from "./BinMap.sol";
import {CurveMath} from "./CurveMath.sol";
import {IPool} from "./IPool.sol";
import {IVault} from "./IVault.sol";
import {ERC6909TokenSupply} from "@openzeppelin/token/ERC6909/extensions/ERC6909TokenSupply.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title A pool whose liquidity lies where its providers put it
/// @notice Prices are divided into bins, each `step` basis points above the next lower. Within a bin one price holds, and the bin
/// gives what it has at that price, as in Trader Joe's Liquidity Book (2022), from which the fees differ: they stay in the bin
/// that earned them. A trade takes from the active bin, then from the next that has something.
/// Bins above the active one have token 0 alone, bins below it token 1 alone.
///
/// Shares are ERC-6909 tokens, one id for each bin, which is the bin's number; bin {CENTRE} has a price of one. What is put into
/// a bin that has liquidity is in the proportion of what it has, so that nobody trades by adding. Who adds to different
/// bins writes nothing in common but the pool's balance, which only adds up.
///
/// Prices are of one smallest unit of token 0 in smallest units of token 1, times 2^128, from 2^-64 to 2^64. Roundings are for
/// the bin: what its reserves are worth at its price never falls by a trade.
/// @dev Reserves are counted here and never asked of the vault. A bin keeps the worth of {LOCKED_SHARES} for ever, so that
/// a share cannot be made dear and no bin with shares is empty.
contract ConcentratedPool is IPool, ERC6909TokenSupply {
    using BinMap for BinMap.Map;

    struct Bin {
        uint128 reserve0;
        uint128 reserve1;
    }

    /// @dev What a trade takes from a bin, and leaves there.
    struct Step {
        uint256 id;
        uint256 amountIn;
        uint256 amountOut;
    }

    /// @notice The bin with a price of one.
    uint256 public constant CENTRE = 1 << 15;
    uint256 public constant MAX_STEP = 500;
    /// @notice The highest fee, in millionths: 10 %.
    uint256 public constant MAX_FEE = 100_000;
    /// @notice Shares of a bin that belong to nobody.
    uint256 public constant LOCKED_SHARES = 1000;
    /// @notice Most bins that a trade takes from, so that nobody makes trades too long to be executed.
    uint256 public constant MAX_CROSSED = 100;

    uint256 private constant BASIS = 10_000;
    uint256 private constant ONE = 1 << 128;
    /// @dev ln(2^64) in basis points: so many steps of a basis point each lead to no more than 2^64.
    uint256 private constant FARTHEST = 443_614;
    address private constant NOBODY = address(0xdead);

    IVault public immutable vault;
    address public immutable token0;
    address public immutable token1;
    /// @notice In millionths of what comes in.
    uint256 public immutable fee;
    /// @notice How far the bins' prices are apart, in basis points.
    uint256 public immutable step;
    /// @notice How far from {CENTRE} bins can be.
    uint256 public immutable farthest;
    /// @notice The bin that the last trade ended in.
    uint256 public activeBin;
    mapping(uint256 id => Bin) public bins;
    BinMap.Map private filled;

    error UnsortedTokens(address token0, address token1);
    error FeeTooHigh(uint256 fee);
    error InvalidStep(uint256 step);
    error InvalidBin(uint256 id);
    error UnknownToken(address token);
    error InsufficientShares(uint256 shares, uint256 wanted);
    error InsufficientOutput(uint256 amount, uint256 wanted);
    /// @notice All that can be reached is less, by this much.
    error InsufficientLiquidity(uint256 missing);

    event LiquidityAdded(
        address indexed provider,
        address indexed to,
        uint256 indexed id,
        uint256 amount0,
        uint256 amount1,
        uint256 shares
    );
    event LiquidityRemoved(
        address indexed provider,
        address indexed to,
        uint256 indexed id,
        uint256 amount0,
        uint256 amount1,
        uint256 shares
    );
    event Swap(
        address indexed sender,
        address indexed to,
        address indexed tokenIn,
        uint256 amountIn,
        uint256 amountOut,
        uint256 activeBin
    );

    constructor(IVault vault_, address token0_, address token1_, uint256 fee_, uint256 step_, uint256 startBin) {
        if (token0_ >= token1_) revert UnsortedTokens(token0_, token1_);
        if (fee_ > MAX_FEE) revert FeeTooHigh(fee_);
        if (step_ == 0 || step_ > MAX_STEP) revert InvalidStep(step_);
        (vault, token0, token1, fee, step) = (vault_, token0_, token1_, fee_, step_);
        farthest = Math.min(CENTRE - 1, FARTHEST / step_);
        activeBin = startBin;
        _requireBin(startBin);
    }

    // Liquidity

    /// @notice Puts up to the two amounts of the caller's internal balances into a bin and gives its shares to `to`. A bin above the
    /// active one takes token 0 alone, one below it token 1 alone.
    function addLiquidity(uint256 id, uint256 max0, uint256 max1, uint256 minShares, address to)
        external
        returns (uint256 shares, uint256 amount0, uint256 amount1)
    {
        _requireBin(id);
        CurveMath.requireCountable(max0);
        CurveMath.requireCountable(max1);
        uint256 supply = totalSupply(id);
        Bin memory bin = bins[id];
        if (supply == 0) {
            amount0 = id < activeBin ? 0 : max0;
            amount1 = id > activeBin ? 0 : max1;
            uint256 worth = _to1Down(amount0, priceOf(id)) + amount1;
            if (worth <= LOCKED_SHARES) revert InsufficientShares(worth, LOCKED_SHARES + 1);
            shares = worth - LOCKED_SHARES;
            _mint(NOBODY, id, LOCKED_SHARES);
            filled.add(id);
        } else {
            shares = type(uint256).max;
            if (bin.reserve0 != 0) shares = Math.mulDiv(max0, supply, bin.reserve0);
            if (bin.reserve1 != 0) shares = Math.min(shares, Math.mulDiv(max1, supply, bin.reserve1));
            amount0 = Math.mulDiv(shares, bin.reserve0, supply, Math.Rounding.Ceil);
            amount1 = Math.mulDiv(shares, bin.reserve1, supply, Math.Rounding.Ceil);
        }
        if (shares == 0 || shares < minShares) revert InsufficientShares(shares, Math.max(minShares, 1));
        _setBin(id, bin.reserve0 + amount0, bin.reserve1 + amount1);
        _mint(to, id, shares);
        if (amount0 != 0) vault.transferFrom(msg.sender, address(this), _id(token0), amount0);
        if (amount1 != 0) vault.transferFrom(msg.sender, address(this), _id(token1), amount1);
        emit LiquidityAdded(msg.sender, to, id, amount0, amount1, shares);
    }

    /// @notice Burns the caller's shares of a bin and credits `to` with what they were worth.
    function removeLiquidity(uint256 id, uint256 shares, uint256 min0, uint256 min1, address to)
        external
        returns (uint256 amount0, uint256 amount1)
    {
        uint256 supply = totalSupply(id);
        _burn(msg.sender, id, shares);
        Bin memory bin = bins[id];
        if (supply != 0) {
            amount0 = Math.mulDiv(shares, bin.reserve0, supply);
            amount1 = Math.mulDiv(shares, bin.reserve1, supply);
        }
        if (amount0 < min0) revert InsufficientOutput(amount0, min0);
        if (amount1 < min1) revert InsufficientOutput(amount1, min1);
        _setBin(id, bin.reserve0 - amount0, bin.reserve1 - amount1);
        if (amount0 != 0) vault.transfer(to, _id(token0), amount0);
        if (amount1 != 0) vault.transfer(to, _id(token1), amount1);
        emit LiquidityRemoved(msg.sender, to, id, amount0, amount1, shares);
    }

    // Trades

    /// @inheritdoc IPool
    function swap(address tokenIn, uint256 amountIn, uint256 minAmountOut, address to)
        external
        returns (uint256 amountOut)
    {
        bool first = _isFirst(tokenIn);
        (Step[] memory steps, uint256 count, uint256 left) = _walk(first, amountIn, false);
        if (left != 0) revert InsufficientLiquidity(left);
        for (uint256 i = 0; i < count; i++) {
            Step memory taken = steps[i];
            Bin memory bin = bins[taken.id];
            if (first) _setBin(taken.id, bin.reserve0 + taken.amountIn, bin.reserve1 - taken.amountOut);
            else _setBin(taken.id, bin.reserve0 - taken.amountOut, bin.reserve1 + taken.amountIn);
            amountOut += taken.amountOut;
        }
        if (amountOut == 0 || amountOut < minAmountOut) revert InsufficientOutput(amountOut, minAmountOut);
        activeBin = steps[count - 1].id;
        vault.transferFrom(msg.sender, address(this), _id(tokenIn), amountIn);
        vault.transfer(to, _id(first ? token1 : token0), amountOut);
        emit Swap(msg.sender, to, tokenIn, amountIn, amountOut, activeBin);
    }

    /// @inheritdoc IPool
    /// @dev Zero too where the bins that can be reached cannot take so much.
    function quote(address tokenIn, uint256 amountIn) external view returns (uint256 amountOut) {
        (Step[] memory steps, uint256 count, uint256 left) = _walk(_isFirst(tokenIn), amountIn, false);
        if (left != 0) return 0;
        for (uint256 i = 0; i < count; i++) {
            amountOut += steps[i].amountOut;
        }
    }

    /// @inheritdoc IPool
    function quoteExact(address tokenIn, uint256 amountOut) external view returns (uint256 amountIn) {
        (Step[] memory steps, uint256 count, uint256 left) = _walk(_isFirst(tokenIn), amountOut, true);
        if (left != 0) revert InsufficientLiquidity(left);
        for (uint256 i = 0; i < count; i++) {
            amountIn += steps[i].amountIn;
        }
    }

    /// @notice The price of a bin, times 2^128.
    function priceOf(uint256 id) public view returns (uint256 price) {
        _requireBin(id);
        uint256 away = id < CENTRE ? CENTRE - id : id - CENTRE;
        // By squaring; below the centre with the base's inverse, which is less than one, so that nothing overflows.
        uint256 base = id < CENTRE ? ONE * BASIS / (BASIS + step) : ONE * (BASIS + step) / BASIS;
        price = ONE;
        while (away != 0) {
            if (away & 1 == 1) price = Math.mulDiv(price, base, ONE);
            away >>= 1;
            if (away != 0) base = Math.mulDiv(base, base, ONE);
        }
    }

    /// @dev The bins that a trade takes from, until `amount` has come in, or gone out if `exactOut`. What is `left` found no bin.
    function _walk(bool first, uint256 amount, bool exactOut)
        private
        view
        returns (Step[] memory steps, uint256 count, uint256 left)
    {
        CurveMath.requireCountable(amount);
        steps = new Step[](MAX_CROSSED);
        left = amount;
        uint256 id = activeBin;
        bool found = true;
        while (found && left != 0 && count < MAX_CROSSED) {
            uint256 reserve = first ? bins[id].reserve1 : bins[id].reserve0;
            if (reserve != 0) {
                Step memory taken = _takeFrom(first, id, reserve, left, exactOut);
                left -= exactOut ? taken.amountOut : taken.amountIn;
                steps[count++] = taken;
            }
            if (left == 0) break;
            if (first) (found, id) = filled.below(id);
            else (found, id) = filled.above(id);
        }
    }

    function _takeFrom(bool first, uint256 id, uint256 reserve, uint256 left, bool exactOut)
        private
        view
        returns (Step memory)
    {
        uint256 price = priceOf(id);
        uint256 wanted = exactOut ? Math.min(left, reserve) : reserve;
        uint256 net = first ? _to0Up(wanted, price) : _to1Up(wanted, price);
        uint256 gross = Math.mulDiv(net, CurveMath.UNIT, CurveMath.UNIT - fee, Math.Rounding.Ceil);
        if (exactOut || left >= gross) return Step(id, gross, wanted);
        net = left * (CurveMath.UNIT - fee) / CurveMath.UNIT;
        return Step(id, left, Math.min(reserve, first ? _to1Down(net, price) : _to0Down(net, price)));
    }

    function _setBin(uint256 id, uint256 new0, uint256 new1) private {
        CurveMath.requireCountable(new0);
        CurveMath.requireCountable(new1);
        bins[id] = Bin(uint128(new0), uint128(new1));
    }

    function _requireBin(uint256 id) private view {
        if (id > CENTRE + farthest || id < CENTRE - farthest) revert InvalidBin(id);
    }

    /// @dev Whether the token is the first of the two.
    function _isFirst(address token) private view returns (bool) {
        if (token == token0) return true;
        if (token != token1) revert UnknownToken(token);
        return false;
    }

    function _to1Down(uint256 amount0, uint256 price) private pure returns (uint256) {
        return Math.mulDiv(amount0, price, ONE);
    }

    function _to1Up(uint256 amount0, uint256 price) private pure returns (uint256) {
        return Math.mulDiv(amount0, price, ONE, Math.Rounding.Ceil);
    }

    function _to0Down(uint256 amount1, uint256 price) private pure returns (uint256) {
        return Math.mulDiv(amount1, ONE, price);
    }

    function _to0Up(uint256 amount1, uint256 price) private pure returns (uint256) {
        return Math.mulDiv(amount1, ONE, price, Math.Rounding.Ceil);
    }

    function _id(address token) private pure returns (uint256) {
        return uint256(uint160(token));
    }
}
