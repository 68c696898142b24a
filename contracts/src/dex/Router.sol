// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {WrappedEther} from "../tokens/WrappedEther.sol";
import {BatchPool} from "./BatchPool.sol";
import {ConstantProductPool} from "./ConstantProductPool.sol";
import {IUnlockCallback, IVault} from "./IVault.sol";
import {PoolFactory} from "./PoolFactory.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";

/// @title Trades tokens held in wallets, by whichever pool is best, at once or in the next batch
/// @notice The functions for trading at once are those of Uniswap v2's router: who trades approves the router for the token
/// and needs to know nothing of the vault. For each step the router asks the pools of every fee and takes the best.
/// @dev The router holds nothing between calls: a trade is one session of the vault, which ends only if everything is
/// settled. Tokens that deliver less than was sent are not supported and make the trade fail.
contract Router is IUnlockCallback {
    using SafeERC20 for IERC20;

    /// @dev What a session is opened for. An order names a pool, a trade does not.
    struct Job {
        uint256 amountIn;
        address[] path;
        address to;
        BatchPool pool;
        uint256 minAmountOut;
    }

    IVault public immutable vault;
    PoolFactory public immutable factory;
    WrappedEther private immutable weth;

    /// @notice It is later than the trader wants.
    error Expired(uint256 deadline);
    /// @notice A path is two tokens or more; with ether, one end is wrapped ether.
    error InvalidPath();
    /// @notice No pool trades the two tokens, or none has enough.
    error NoPool(address tokenIn, address tokenOut);
    error InsufficientOutput(uint256 amount, uint256 wanted);
    error ExcessiveInput(uint256 amount, uint256 wanted);
    error NotVault(address caller);
    /// @notice The account takes no ether, or only wrapped ether's contract may send some.
    error EtherRefused(address account);

    modifier before(uint256 deadline) {
        if (block.timestamp > deadline) revert Expired(deadline);
        _;
    }

    constructor(PoolFactory factory_, WrappedEther weth_) {
        factory = factory_;
        vault = factory_.vault();
        weth = weth_;
    }

    receive() external payable {
        if (msg.sender != address(weth)) revert EtherRefused(address(this));
    }

    // At once

    function swapExactTokensForTokens(
        uint256 amountIn,
        uint256 amountOutMin,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external before(deadline) returns (uint256[] memory amounts) {
        _requirePath(path);
        IERC20(path[0]).safeTransferFrom(msg.sender, address(this), amountIn);
        amounts = _trade(amountIn, path, to);
        _requireOutput(amounts, amountOutMin);
    }

    /// @dev Rounding may leave the trader a little more than `amountOut`.
    function swapTokensForExactTokens(
        uint256 amountOut,
        uint256 amountInMax,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external before(deadline) returns (uint256[] memory amounts) {
        uint256 amountIn = getAmountsIn(amountOut, path)[0];
        if (amountIn > amountInMax) revert ExcessiveInput(amountIn, amountInMax);
        IERC20(path[0]).safeTransferFrom(msg.sender, address(this), amountIn);
        amounts = _trade(amountIn, path, to);
        _requireOutput(amounts, amountOut);
    }

    function swapExactETHForTokens(uint256 amountOutMin, address[] calldata path, address to, uint256 deadline)
        external
        payable
        before(deadline)
        returns (uint256[] memory amounts)
    {
        _requirePath(path);
        if (path[0] != address(weth)) revert InvalidPath();
        weth.deposit{value: msg.value}();
        amounts = _trade(msg.value, path, to);
        _requireOutput(amounts, amountOutMin);
    }

    function swapExactTokensForETH(
        uint256 amountIn,
        uint256 amountOutMin,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external before(deadline) returns (uint256[] memory amounts) {
        _requirePath(path);
        if (path[path.length - 1] != address(weth)) revert InvalidPath();
        IERC20(path[0]).safeTransferFrom(msg.sender, address(this), amountIn);
        amounts = _trade(amountIn, path, address(this));
        _requireOutput(amounts, amountOutMin);
        uint256 amountOut = amounts[amounts.length - 1];
        weth.withdraw(amountOut);
        (bool taken,) = to.call{value: amountOut}("");
        if (!taken) revert EtherRefused(to);
    }

    /// @notice Wrapped ether's contract, by the name that Uniswap v2's router gives it.
    function WETH() external view returns (address) {
        return address(weth);
    }

    /// @notice What each step of `path` gives for what the step before gave, by the best pool.
    function getAmountsOut(uint256 amountIn, address[] calldata path) public view returns (uint256[] memory amounts) {
        _requirePath(path);
        amounts = new uint256[](path.length);
        amounts[0] = amountIn;
        for (uint256 i = 0; i + 1 < path.length; i++) {
            (, amounts[i + 1]) = _best(path[i], path[i + 1], amounts[i]);
        }
    }

    /// @notice What each step of `path` needs to give what the next step needs, by the best pool.
    function getAmountsIn(uint256 amountOut, address[] calldata path) public view returns (uint256[] memory amounts) {
        _requirePath(path);
        amounts = new uint256[](path.length);
        amounts[path.length - 1] = amountOut;
        for (uint256 i = path.length - 1; i > 0; i--) {
            amounts[i - 1] = _leastIn(path[i - 1], path[i], amounts[i]);
        }
    }

    // In the next batch

    /// @notice Puts `amountIn` of the caller's tokens into the current batch of the pool of `fee`. What it gets, or gets back,
    /// is credited in the vault by {BatchPool.claim}, which anyone may call, and withdrawn there by the trader.
    function placeOrder(
        address tokenIn,
        address tokenOut,
        uint256 fee,
        uint256 amountIn,
        uint256 minAmountOut,
        uint256 deadline
    ) external before(deadline) returns (BatchPool pool, uint256 batch) {
        pool = factory.getBatchPool(tokenIn, tokenOut, fee);
        if (address(pool) == address(0)) revert NoPool(tokenIn, tokenOut);
        IERC20(tokenIn).safeTransferFrom(msg.sender, address(this), amountIn);
        address[] memory path = new address[](1);
        path[0] = tokenIn;
        Job memory job = Job(amountIn, path, msg.sender, pool, minAmountOut);
        batch = abi.decode(vault.unlock(abi.encode(job)), (uint256));
    }

    /// @notice What `amountIn` gets at once and what it would get in a batch that ended now, each by the best pool; a pool is
    /// zero where there is none. The difference is what waiting for the batch would give, if nothing else came.
    function quote(address tokenIn, address tokenOut, uint256 amountIn)
        external
        view
        returns (ConstantProductPool pool, uint256 amountOut, BatchPool batchPool, uint256 batchAmountOut)
    {
        (pool, amountOut) = _bestOrNone(tokenIn, tokenOut, amountIn);
        uint256[4] memory fees = factory.fees();
        for (uint256 i = 0; i < fees.length; i++) {
            BatchPool candidate = factory.getBatchPool(tokenIn, tokenOut, fees[i]);
            if (address(candidate) == address(0)) continue;
            uint256 given = candidate.quote(tokenIn, amountIn);
            if (given > batchAmountOut) (batchPool, batchAmountOut) = (candidate, given);
        }
    }

    /// @inheritdoc IUnlockCallback
    function onUnlock(bytes calldata data) external returns (bytes memory) {
        if (msg.sender != address(vault)) revert NotVault(msg.sender);
        Job memory job = abi.decode(data, (Job));
        _deposit(job.path[0], job.amountIn);
        if (address(job.pool) != address(0)) {
            vault.approveTransient(address(job.pool), _id(job.path[0]), job.amountIn);
            return abi.encode(job.pool.placeOrder(job.path[0], job.amountIn, job.minAmountOut, job.to));
        }
        uint256 steps = job.path.length - 1;
        uint256[] memory amounts = new uint256[](steps + 1);
        amounts[0] = job.amountIn;
        for (uint256 i = 0; i < steps; i++) {
            (ConstantProductPool pool,) = _best(job.path[i], job.path[i + 1], amounts[i]);
            vault.approveTransient(address(pool), _id(job.path[i]), amounts[i]);
            amounts[i + 1] = pool.swap(job.path[i], amounts[i], 0, address(this));
        }
        vault.withdraw(job.path[steps], amounts[steps], job.to);
        return abi.encode(amounts);
    }

    function _trade(uint256 amountIn, address[] calldata path, address to) private returns (uint256[] memory) {
        Job memory job = Job(amountIn, path, to, BatchPool(address(0)), 0);
        return abi.decode(vault.unlock(abi.encode(job)), (uint256[]));
    }

    /// @dev The vault takes tokens from those alone who call it, and the router holds none between calls: so it may take
    /// any amount, and the approval is written once.
    function _deposit(address token, uint256 amount) private {
        if (IERC20(token).allowance(address(this), address(vault)) < amount) {
            IERC20(token).forceApprove(address(vault), type(uint256).max);
        }
        vault.deposit(token, amount, address(this));
    }

    function _best(address tokenIn, address tokenOut, uint256 amountIn)
        private
        view
        returns (ConstantProductPool pool, uint256 amountOut)
    {
        (pool, amountOut) = _bestOrNone(tokenIn, tokenOut, amountIn);
        if (address(pool) == address(0)) revert NoPool(tokenIn, tokenOut);
    }

    function _bestOrNone(address tokenIn, address tokenOut, uint256 amountIn)
        private
        view
        returns (ConstantProductPool pool, uint256 amountOut)
    {
        uint256[4] memory fees = factory.fees();
        for (uint256 i = 0; i < fees.length; i++) {
            ConstantProductPool candidate = factory.getPool(tokenIn, tokenOut, fees[i]);
            if (address(candidate) == address(0)) continue;
            uint256 given = candidate.quote(tokenIn, amountIn);
            if (given > amountOut) (pool, amountOut) = (candidate, given);
        }
    }

    function _leastIn(address tokenIn, address tokenOut, uint256 amountOut) private view returns (uint256 least) {
        least = type(uint256).max;
        uint256[4] memory fees = factory.fees();
        for (uint256 i = 0; i < fees.length; i++) {
            ConstantProductPool candidate = factory.getPool(tokenIn, tokenOut, fees[i]);
            if (address(candidate) == address(0)) continue;
            uint256 reserveOut = tokenIn < tokenOut ? candidate.reserve1() : candidate.reserve0();
            if (reserveOut <= amountOut) continue;
            uint256 needed = candidate.quoteExact(tokenIn, amountOut);
            if (needed < least) least = needed;
        }
        if (least == type(uint256).max) revert NoPool(tokenIn, tokenOut);
    }

    function _requirePath(address[] calldata path) private pure {
        if (path.length < 2) revert InvalidPath();
    }

    function _requireOutput(uint256[] memory amounts, uint256 wanted) private pure {
        uint256 amountOut = amounts[amounts.length - 1];
        if (amountOut < wanted) revert InsufficientOutput(amountOut, wanted);
    }

    function _id(address token) private pure returns (uint256) {
        return uint256(uint160(token));
    }
}
