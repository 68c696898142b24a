// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {CurveMath} from "./CurveMath.sol";
import {IVault} from "./IVault.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";
import {ERC20} from "solady/tokens/ERC20.sol";

/// @title Two reserves and the shares in them
/// @notice A pool's tokens are internal balances of the vault. Shares are an ERC-20 token with permits (EIP-2612). The first to add liquidity gets
/// the geometric mean of the amounts, less {LOCKED_SHARES}, which nobody gets: a share can so not be made expensive.
/// @dev Reserves are counted here and never asked of the vault, so that what somebody gives to the pool changes no price.
/// Adding takes the amounts rounded up and removing gives them rounded down. The vault calls nobody back on transfers of
/// internal balances, so nothing can come in between.
abstract contract LiquidityPool is ERC20 {
    /// @notice Shares that exist and belong to nobody.
    uint256 public constant LOCKED_SHARES = 1000;
    /// @notice The highest fee, in millionths: 10 %.
    uint256 public constant MAX_FEE = 100_000;

    address private constant NOBODY = address(0xdead);

    IVault public immutable vault;
    address public immutable token0;
    address public immutable token1;
    /// @notice In millionths of what comes in.
    uint256 public immutable fee;
    uint256 public reserve0;
    uint256 public reserve1;

    error UnsortedTokens(address token0, address token1);
    error FeeTooHigh(uint256 fee);
    /// @notice The pool does not trade the token.
    error UnknownToken(address token);
    /// @notice Fewer shares than asked for, or too few to start a pool with.
    error InsufficientShares(uint256 shares, uint256 wanted);
    /// @notice Less than asked for.
    error InsufficientOutput(uint256 amount, uint256 wanted);

    event LiquidityAdded(
        address indexed provider, address indexed to, uint256 amount0, uint256 amount1, uint256 shares
    );
    event LiquidityRemoved(
        address indexed provider, address indexed to, uint256 amount0, uint256 amount1, uint256 shares
    );

    constructor(IVault vault_, address token0_, address token1_, uint256 fee_) {
        if (token0_ >= token1_) revert UnsortedTokens(token0_, token1_);
        if (fee_ > MAX_FEE) revert FeeTooHigh(fee_);
        vault = vault_;
        token0 = token0_;
        token1 = token1_;
        fee = fee_;
    }

    /// @notice Takes up to the two amounts from the caller's internal balances, in the proportion of the reserves, and gives
    /// shares to `to`.
    /// @dev The caller has to have let the pool take them, as operator or by allowance.
    function addLiquidity(uint256 max0, uint256 max1, uint256 minShares, address to)
        public
        virtual
        returns (uint256 shares, uint256 amount0, uint256 amount1)
    {
        CurveMath.requireCountable(max0);
        CurveMath.requireCountable(max1);
        _accrue();
        uint256 supply = totalSupply();
        if (supply == 0) {
            (amount0, amount1) = (max0, max1);
            uint256 mean = Math.sqrt(max0 * max1);
            if (mean <= LOCKED_SHARES) revert InsufficientShares(mean, LOCKED_SHARES + 1);
            shares = mean - LOCKED_SHARES;
            _mint(NOBODY, LOCKED_SHARES);
        } else {
            shares = Math.min(max0 * supply / reserve0, max1 * supply / reserve1);
            amount0 = Math.ceilDiv(shares * reserve0, supply);
            amount1 = Math.ceilDiv(shares * reserve1, supply);
        }
        if (shares == 0 || shares < minShares) revert InsufficientShares(shares, Math.max(minShares, 1));
        _setReserves(reserve0 + amount0, reserve1 + amount1);
        _mint(to, shares);
        vault.transferFrom(msg.sender, address(this), _id(token0), amount0);
        vault.transferFrom(msg.sender, address(this), _id(token1), amount1);
        emit LiquidityAdded(msg.sender, to, amount0, amount1, shares);
    }

    /// @notice Burns the caller's shares and credits `to` with what they were worth.
    function removeLiquidity(uint256 shares, uint256 min0, uint256 min1, address to)
        public
        virtual
        returns (uint256 amount0, uint256 amount1)
    {
        _accrue();
        uint256 supply = totalSupply();
        _burn(msg.sender, shares);
        amount0 = shares * reserve0 / supply;
        amount1 = shares * reserve1 / supply;
        if (amount0 < min0) revert InsufficientOutput(amount0, min0);
        if (amount1 < min1) revert InsufficientOutput(amount1, min1);
        _setReserves(reserve0 - amount0, reserve1 - amount1);
        vault.transfer(to, _id(token0), amount0);
        vault.transfer(to, _id(token1), amount1);
        emit LiquidityRemoved(msg.sender, to, amount0, amount1, shares);
    }

    function name() public pure override returns (string memory) {
        return "Braid Liquidity";
    }

    function symbol() public pure override returns (string memory) {
        return "BRAID-LP";
    }

    /// @dev What has to happen before the reserves are looked at; the first toucher of a block pays for it.
    function _accrue() internal virtual;

    function _setReserves(uint256 new0, uint256 new1) internal {
        CurveMath.requireCountable(new0);
        CurveMath.requireCountable(new1);
        reserve0 = new0;
        reserve1 = new1;
    }

    /// @dev Nobody has an allowance that was not given, whatever contract lies where Permit2 does.
    function _givePermit2InfiniteAllowance() internal pure override returns (bool) {
        return false;
    }

    function _constantNameHash() internal pure override returns (bytes32) {
        return keccak256("Braid Liquidity");
    }

    /// @dev Whether the token is the first of the two.
    function _isFirst(address token) internal view returns (bool) {
        if (token == token0) return true;
        if (token != token1) revert UnknownToken(token);
        return false;
    }

    function _id(address token) internal pure returns (uint256) {
        return uint256(uint160(token));
    }
}
