// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {WrappedEther} from "../tokens/WrappedEther.sol";
import {BatchPool} from "./BatchPool.sol";
import {IPool} from "./IPool.sol";
import {IUnlockCallback, IVault} from "./IVault.sol";
import {PoolFactory} from "./PoolFactory.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";

/// @title Trades tokens held in wallets, by whichever pool is best, at once or in the next batch
/// @notice The functions for trading at once are those of Uniswap v2's router: who trades approves the router for the token
/// and needs to know nothing of the vault. For each step the router asks the constant-product pools of every fee and takes the best;
/// {WideRouter} asks pools of other kinds too.
/// @dev The router holds nothing between calls: a trade is one session of the vault, which ends only if everything is
/// settled. Tokens that deliver less than was sent are not supported and make the trade fail.
contract Router is IUnlockCallback {
    using SafeERC20 for IERC20;

    /// @dev What a session is opened for. An order names a pool, a trade does not.
    struct Job {
        uint256 amountIn;
        address[] path;
        address to;
        address trader;
        BatchPool pool;
        uint256 minAmountOut;
    }

    /// @dev Pools that may trade two tokens at once: one of each fee, and room for other kinds ({WideRouter}).
    uint256 internal constant KINDS = 7;

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

    /// @notice What the trade does not need of the ether sent goes back.
    function swapETHForExactTokens(uint256 amountOut, address[] calldata path, address to, uint256 deadline)
        external
        payable
        before(deadline)
        returns (uint256[] memory amounts)
    {
        uint256 amountIn = getAmountsIn(amountOut, path)[0];
        if (path[0] != address(weth)) revert InvalidPath();
        if (amountIn > msg.value) revert ExcessiveInput(amountIn, msg.value);
        weth.deposit{value: amountIn}();
        amounts = _trade(amountIn, path, to);
        _requireOutput(amounts, amountOut);
        if (msg.value != amountIn) _sendEther(msg.sender, msg.value - amountIn);
    }

    function swapExactTokensForETH(
        uint256 amountIn,
        uint256 amountOutMin,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external before(deadline) returns (uint256[] memory amounts) {
        _requirePath(path);
        amounts = _tradeForEther(amountIn, amountOutMin, path, to);
    }

    /// @dev Rounding may leave the trader a little more than `amountOut`.
    function swapTokensForExactETH(
        uint256 amountOut,
        uint256 amountInMax,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external before(deadline) returns (uint256[] memory amounts) {
        uint256 amountIn = getAmountsIn(amountOut, path)[0];
        if (amountIn > amountInMax) revert ExcessiveInput(amountIn, amountInMax);
        amounts = _tradeForEther(amountIn, amountOut, path, to);
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
            (, amounts[i + 1]) = _best(path[i], path[i + 1], amounts[i], msg.sender);
        }
    }

    /// @notice What each step of `path` needs to give what the next step needs, by the best pool.
    function getAmountsIn(uint256 amountOut, address[] calldata path) public view returns (uint256[] memory amounts) {
        _requirePath(path);
        amounts = new uint256[](path.length);
        amounts[path.length - 1] = amountOut;
        for (uint256 i = path.length - 1; i > 0; i--) {
            amounts[i - 1] = _leastIn(path[i - 1], path[i], amounts[i], msg.sender);
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
        Job memory job = Job(amountIn, path, msg.sender, msg.sender, pool, minAmountOut);
        batch = abi.decode(vault.unlock(abi.encode(job)), (uint256));
    }

    /// @notice What `amountIn` gets at once and what it would get in a batch that ended now, each by the best pool; a pool is
    /// zero where there is none. The difference is what waiting for the batch would give, if nothing else came.
    function quote(address tokenIn, address tokenOut, uint256 amountIn)
        external
        view
        returns (IPool pool, uint256 amountOut, BatchPool batchPool, uint256 batchAmountOut)
    {
        (pool, amountOut) = _bestOrNone(tokenIn, tokenOut, amountIn, msg.sender);
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
            (IPool pool,) = _best(job.path[i], job.path[i + 1], amounts[i], job.trader);
            vault.approveTransient(address(pool), _id(job.path[i]), amounts[i]);
            amounts[i + 1] = pool.swap(job.path[i], amounts[i], 0, address(this));
        }
        vault.withdraw(job.path[steps], amounts[steps], job.to);
        return abi.encode(amounts);
    }

    function _trade(uint256 amountIn, address[] calldata path, address to) private returns (uint256[] memory) {
        Job memory job = Job(amountIn, path, to, msg.sender, BatchPool(address(0)), 0);
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

    function _tradeForEther(uint256 amountIn, uint256 amountOutMin, address[] calldata path, address to)
        private
        returns (uint256[] memory amounts)
    {
        if (path[path.length - 1] != address(weth)) revert InvalidPath();
        IERC20(path[0]).safeTransferFrom(msg.sender, address(this), amountIn);
        amounts = _trade(amountIn, path, address(this));
        _requireOutput(amounts, amountOutMin);
        uint256 amountOut = amounts[amounts.length - 1];
        weth.withdraw(amountOut);
        _sendEther(to, amountOut);
    }

    function _sendEther(address to, uint256 amount) private {
        (bool taken,) = to.call{value: amount}("");
        if (!taken) revert EtherRefused(to);
    }

    function _best(address tokenIn, address tokenOut, uint256 amountIn, address trader)
        private
        view
        returns (IPool pool, uint256 amountOut)
    {
        (pool, amountOut) = _bestOrNone(tokenIn, tokenOut, amountIn, trader);
        if (address(pool) == address(0)) revert NoPool(tokenIn, tokenOut);
    }

    function _bestOrNone(address tokenIn, address tokenOut, uint256 amountIn, address trader)
        private
        view
        returns (IPool pool, uint256 amountOut)
    {
        IPool[KINDS] memory pools = _pools(tokenIn, tokenOut, trader);
        for (uint256 i = 0; i < KINDS; i++) {
            if (address(pools[i]) == address(0)) continue;
            // A pool that cannot count the amount is none to trade it in.
            try pools[i].quote(tokenIn, amountIn) returns (uint256 given) {
                if (given > amountOut) (pool, amountOut) = (pools[i], given);
            } catch {}
        }
    }

    function _leastIn(address tokenIn, address tokenOut, uint256 amountOut, address trader)
        private
        view
        returns (uint256 least)
    {
        least = type(uint256).max;
        IPool[KINDS] memory pools = _pools(tokenIn, tokenOut, trader);
        for (uint256 i = 0; i < KINDS; i++) {
            if (address(pools[i]) == address(0)) continue;
            // A pool that has less says so by reverting.
            try pools[i].quoteExact(tokenIn, amountOut) returns (uint256 needed) {
                if (needed < least) least = needed;
            } catch {}
        }
        if (least == type(uint256).max) revert NoPool(tokenIn, tokenOut);
    }

    /// @dev The pools that there are; the others are zero.
    function _pools(address tokenIn, address tokenOut, address)
        internal
        view
        virtual
        returns (IPool[KINDS] memory pools)
    {
        uint256[4] memory fees = factory.fees();
        for (uint256 i = 0; i < fees.length; i++) {
            pools[i] = factory.getPool(tokenIn, tokenOut, fees[i]);
        }
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
