// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {WrappedEther} from "../tokens/WrappedEther.sol";
import {BatchPool} from "./BatchPool.sol";
import {IPool} from "./IPool.sol";
import {IRouterTrader} from "./IPoolHooks.sol";
import {IUnlockCallback} from "./IVault.sol";
import {LiquidityRouter} from "./LiquidityRouter.sol";
import {PoolFactory} from "./PoolFactory.sol";
import {RouterBase} from "./RouterBase.sol";
import {IERC20} from "@openzeppelin/token/ERC20/IERC20.sol";

/// @title Trades tokens held in wallets, by whichever pool is best, at once or in the next batch
/// @notice The functions for trading at once are those of Uniswap v2's router: who trades approves the router for the token
/// and needs to know nothing of the vault. For each step the router asks the constant-product pools of every fee and takes the best;
/// {WideRouter} asks pools of other kinds too. What a trade gained by that is in {Traded}, and before the trade in {quoteAll}.
/// @dev The router holds nothing between calls: a trade is one session of the vault, which ends only if everything is
/// settled. Tokens that deliver less than was sent make it fail, except by the functions that say so.
contract Router is LiquidityRouter, IUnlockCallback, IRouterTrader {
    /// @notice What a pool gives for what was asked.
    /// @param isBatch Whether it trades in batches: what it would give in a batch that ended now.
    struct Quote {
        address pool;
        bool isBatch;
        uint256 amountOut;
    }

    /// @dev What a session is opened for. An order names its batch pool. A trade may name the pools of its steps; where it does not, the
    /// best is taken. `isMeasured` if the first token may deliver less than is sent.
    struct Job {
        uint256 amountIn;
        bool isMeasured;
        address[] path;
        IPool[] pools;
        address to;
        BatchPool pool;
        uint256 minAmountOut;
    }

    /// @dev The best pool for a step, and what the one that trades as Uniswap v2's gives for it.
    struct Choice {
        IPool pool;
        uint256 amountOut;
        uint256 standard;
    }

    /// @dev Pools that may trade two tokens at once: one of each fee, and room for other kinds ({WideRouter}).
    uint256 internal constant KINDS = 7;
    /// @dev Where among them the pool is that trades as Uniswap v2's: that of {PoolFactory.fees}'s third.
    uint256 private constant V2_PLACE = 2;

    /// @inheritdoc IRouterTrader
    address public transient trader;

    /// @notice A step of a trade, by the pool that was best or named. The improvement is against what the pool that trades as Uniswap v2's
    /// (constant product, {V2_FEE}) would have given; zero where there is none.
    event Traded(
        address indexed trader,
        address indexed pool,
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 amountOut,
        int256 improvement
    );

    constructor(PoolFactory factory_, WrappedEther weth_) RouterBase(factory_, weth_) {}

    // At once

    function swapExactTokensForTokens(
        uint256 amountIn,
        uint256 amountOutMin,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external before(deadline) returns (uint256[] memory amounts) {
        _requirePath(path);
        _pull(path[0], amountIn);
        amounts = _trade(amountIn, path, to);
        _requireOutput(amounts, amountOutMin);
    }

    /// @notice The same by the pools that the caller names, one a step: those with hooks ({HookFactory}), or any other.
    /// @dev What a pool does is between the caller and the pool: the session makes sure that nobody else pays, and `amountOutMin` what
    /// comes out.
    function swapExactTokensThrough(
        uint256 amountIn,
        uint256 amountOutMin,
        address[] calldata path,
        IPool[] calldata pools,
        address to,
        uint256 deadline
    ) external before(deadline) returns (uint256[] memory amounts) {
        _requirePath(path);
        if (pools.length + 1 != path.length) revert InvalidPath();
        _pull(path[0], amountIn);
        amounts = _run(Job(amountIn, false, path, pools, to, BatchPool(address(0)), 0));
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
        _pull(path[0], amountIn);
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

    // For tokens that deliver less than is sent: what counts is what arrives

    function swapExactTokensForTokensSupportingFeeOnTransferTokens(
        uint256 amountIn,
        uint256 amountOutMin,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external before(deadline) {
        _requirePath(path);
        _tradeMeasured(_pullMeasured(path[0], amountIn), amountOutMin, path, to);
    }

    function swapExactETHForTokensSupportingFeeOnTransferTokens(
        uint256 amountOutMin,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external payable before(deadline) {
        _requirePath(path);
        if (path[0] != address(weth)) revert InvalidPath();
        weth.deposit{value: msg.value}();
        _tradeMeasured(msg.value, amountOutMin, path, to);
    }

    function swapExactTokensForETHSupportingFeeOnTransferTokens(
        uint256 amountIn,
        uint256 amountOutMin,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external before(deadline) {
        _requirePath(path);
        if (path[path.length - 1] != address(weth)) revert InvalidPath();
        uint256 amountOut = _tradeMeasured(_pullMeasured(path[0], amountIn), amountOutMin, path, address(this));
        weth.withdraw(amountOut);
        _sendEther(to, amountOut);
    }

    /// @notice What each step of `path` gives for what the step before gave, by the best pool.
    function getAmountsOut(uint256 amountIn, address[] calldata path) public view returns (uint256[] memory amounts) {
        _requirePath(path);
        amounts = new uint256[](path.length);
        amounts[0] = amountIn;
        for (uint256 i = 0; i + 1 < path.length; i++) {
            amounts[i + 1] = _best(path[i], path[i + 1], amounts[i], msg.sender).amountOut;
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
        _pull(tokenIn, amountIn);
        address[] memory path = new address[](1);
        path[0] = tokenIn;
        Job memory job = Job(amountIn, false, path, new IPool[](0), msg.sender, pool, minAmountOut);
        batch = abi.decode(vault.unlock(abi.encode(job)), (uint256));
    }

    /// @notice What `amountIn` gets at once and what it would get in a batch that ended now, each by the best pool; a pool is
    /// zero where there is none. The difference is what waiting for the batch would give, if nothing else came.
    function quote(address tokenIn, address tokenOut, uint256 amountIn)
        external
        view
        returns (IPool pool, uint256 amountOut, BatchPool batchPool, uint256 batchAmountOut)
    {
        Choice memory best = _bestOrNone(tokenIn, tokenOut, amountIn, msg.sender);
        (pool, amountOut) = (best.pool, best.amountOut);
        uint256[4] memory fees = factory.fees();
        for (uint256 i = 0; i < fees.length; i++) {
            BatchPool candidate = factory.getBatchPool(tokenIn, tokenOut, fees[i]);
            if (address(candidate) == address(0)) continue;
            uint256 given = candidate.quote(tokenIn, amountIn);
            if (given > batchAmountOut) (batchPool, batchAmountOut) = (candidate, given);
        }
    }

    /// @notice What every pool gives for `amountIn`, those that trade at once first. `best` is the place of the most among them;
    /// `improvement` is what that gives more than the pool that trades as Uniswap v2's, where there is one.
    function quoteAll(address tokenIn, address tokenOut, uint256 amountIn)
        external
        view
        returns (Quote[] memory quotes, uint256 best, uint256 improvement)
    {
        quotes = _quotes(tokenIn, tokenOut, amountIn);
        for (uint256 i = 1; i < quotes.length; i++) {
            if (quotes[i].amountOut > quotes[best].amountOut) best = i;
        }
        uint256 standard = _standard(tokenIn, tokenOut, amountIn);
        if (standard != 0) improvement = quotes[best].amountOut - standard;
    }

    /// @inheritdoc IUnlockCallback
    function onUnlock(bytes calldata data) external returns (bytes memory) {
        if (msg.sender != address(vault)) revert NotVault(msg.sender);
        Job memory job = abi.decode(data, (Job));
        uint256 amountIn = job.isMeasured ? _depositMeasured(job.path[0], job.amountIn) : job.amountIn;
        if (!job.isMeasured) _deposit(job.path[0], amountIn);
        if (address(job.pool) != address(0)) {
            vault.approveTransient(address(job.pool), _id(job.path[0]), job.amountIn);
            return abi.encode(job.pool.placeOrder(job.path[0], job.amountIn, job.minAmountOut, job.to));
        }
        uint256 steps = job.path.length - 1;
        uint256[] memory amounts = new uint256[](steps + 1);
        amounts[0] = amountIn;
        for (uint256 i = 0; i < steps; i++) {
            amounts[i + 1] = _step(job, i, amounts[i]);
        }
        vault.withdraw(job.path[steps], amounts[steps], job.to);
        return abi.encode(amounts);
    }

    function _trade(uint256 amountIn, address[] calldata path, address to) private returns (uint256[] memory) {
        return _run(Job(amountIn, false, path, new IPool[](0), to, BatchPool(address(0)), 0));
    }

    /// @dev What `to` got, by its balance.
    function _tradeMeasured(uint256 amountIn, uint256 amountOutMin, address[] calldata path, address to)
        private
        returns (uint256 got)
    {
        IERC20 token = IERC20(path[path.length - 1]);
        uint256 before_ = token.balanceOf(to);
        _run(Job(amountIn, true, path, new IPool[](0), to, BatchPool(address(0)), 0));
        got = token.balanceOf(to) - before_;
        if (got < amountOutMin) revert InsufficientOutput(got, amountOutMin);
    }

    /// @dev Trades in a session of the vault. There is one session at a time, so nobody else's trade begins meanwhile.
    function _run(Job memory job) private returns (uint256[] memory amounts) {
        trader = msg.sender;
        amounts = abi.decode(vault.unlock(abi.encode(job)), (uint256[]));
        trader = address(0);
    }

    function _step(Job memory job, uint256 i, uint256 amountIn) private returns (uint256 amountOut) {
        (address tokenIn, address tokenOut) = (job.path[i], job.path[i + 1]);
        bool isNamed = job.pools.length != 0;
        Choice memory choice;
        if (isNamed) choice = Choice(job.pools[i], 0, _standard(tokenIn, tokenOut, amountIn));
        else choice = _best(tokenIn, tokenOut, amountIn, trader);
        vault.approveTransient(address(choice.pool), _id(tokenIn), amountIn);
        amountOut = choice.pool.swap(tokenIn, amountIn, 0, address(this));
        // Whatever contract this is, it may take nothing later in the transaction.
        if (isNamed) vault.approveTransient(address(choice.pool), _id(tokenIn), 0);
        int256 improvement = choice.standard == 0 ? int256(0) : int256(amountOut) - int256(choice.standard);
        emit Traded(trader, address(choice.pool), tokenIn, tokenOut, amountIn, amountOut, improvement);
    }

    function _tradeForEther(uint256 amountIn, uint256 amountOutMin, address[] calldata path, address to)
        private
        returns (uint256[] memory amounts)
    {
        if (path[path.length - 1] != address(weth)) revert InvalidPath();
        _pull(path[0], amountIn);
        amounts = _trade(amountIn, path, address(this));
        _requireOutput(amounts, amountOutMin);
        uint256 amountOut = amounts[amounts.length - 1];
        weth.withdraw(amountOut);
        _sendEther(to, amountOut);
    }

    function _best(address tokenIn, address tokenOut, uint256 amountIn, address who)
        private
        view
        returns (Choice memory choice)
    {
        choice = _bestOrNone(tokenIn, tokenOut, amountIn, who);
        if (address(choice.pool) == address(0)) revert NoPool(tokenIn, tokenOut);
    }

    function _bestOrNone(address tokenIn, address tokenOut, uint256 amountIn, address who)
        private
        view
        returns (Choice memory choice)
    {
        IPool[KINDS] memory pools = _pools(tokenIn, tokenOut, who);
        for (uint256 i = 0; i < KINDS; i++) {
            uint256 given = _quoteOf(pools[i], tokenIn, amountIn);
            if (i == V2_PLACE) choice.standard = given;
            if (given > choice.amountOut) (choice.pool, choice.amountOut) = (pools[i], given);
        }
    }

    function _quotes(address tokenIn, address tokenOut, uint256 amountIn) private view returns (Quote[] memory quotes) {
        IPool[KINDS] memory pools = _pools(tokenIn, tokenOut, msg.sender);
        uint256[4] memory fees = factory.fees();
        quotes = new Quote[](KINDS + fees.length);
        uint256 count = 0;
        for (uint256 i = 0; i < quotes.length; i++) {
            bool isBatch = i >= KINDS;
            IPool pool = isBatch ? _batchPool(tokenIn, tokenOut, fees[i - KINDS]) : pools[i];
            uint256 given = _quoteOf(pool, tokenIn, amountIn);
            if (given != 0) quotes[count++] = Quote(address(pool), isBatch, given);
        }
        // The rest of the list was not needed.
        assembly ("memory-safe") {
            mstore(quotes, count)
        }
    }

    /// @dev A batch pool answers {IPool.quote} too, and trades otherwise.
    function _batchPool(address tokenIn, address tokenOut, uint256 fee) private view returns (IPool) {
        return IPool(address(factory.getBatchPool(tokenIn, tokenOut, fee)));
    }

    function _standard(address tokenIn, address tokenOut, uint256 amountIn) private view returns (uint256) {
        return _quoteOf(factory.getPool(tokenIn, tokenOut, V2_FEE), tokenIn, amountIn);
    }

    /// @dev Zero where there is no pool. A pool that cannot count the amount is none to trade it in.
    function _quoteOf(IPool pool, address tokenIn, uint256 amountIn) private view returns (uint256 given) {
        if (address(pool) == address(0)) return 0;
        try pool.quote(tokenIn, amountIn) returns (uint256 amountOut) {
            given = amountOut;
        } catch {}
    }

    function _leastIn(address tokenIn, address tokenOut, uint256 amountOut, address who)
        private
        view
        returns (uint256 least)
    {
        least = type(uint256).max;
        IPool[KINDS] memory pools = _pools(tokenIn, tokenOut, who);
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
}
