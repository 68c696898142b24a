// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {CurveMath} from "./CurveMath.sol";
import {IVault} from "./IVault.sol";
import {LiquidityPool} from "./LiquidityPool.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title A pool in which everyone who trades in the same batch gets the same price
/// @notice A batch is {interval} blocks. Orders only add to sums; whoever touches the pool first in a later batch clears
/// the earlier one, and traders claim what they got whenever they like. Nobody gains from being first in a batch, and both
/// legs of a sandwich in the victim's batch have the victim's price. Against an attack over several batches an order has
/// its limit.
///
/// Clearing. Let X of token 0 and Y of token 1 be offered, R0 and R1 be the reserves, and g = 1 - fee. The two sides trade
/// with each other, and only what one of them has in excess meets the curve. All of it at one price p (token 1 for one
/// of token 0), for which there is a closed form:
///
///   if g * X * R1 > R0 * Y, token 0 is in excess:  p = g (R1 + Y) / (R0 + g X)
///   if g * Y * R0 > R1 * X, token 1 is in excess:  the mirror image
///   otherwise the two sides match exactly:         p = Y / X
///
/// To see the first: the curve takes dx and gives dy with dy (R0 + g dx) = g dx R1. Everyone's price is (Y + dy) / X, so the
/// other side takes X Y / (Y + dy) and dx = X dy / (Y + dy). Both together give dy = (g X R1 - R0 Y) / (R0 + g X).
/// The fee is taken on the excess alone.
///
/// Limits. An order names the least it wants. The pool turns that into one of {CLASSES} tolerances against the price at
/// which the batch opened, which is known when the order comes, rounded so that the order's own limit holds. Where the
/// uniform price is outside a class, the class is left out as a whole and gets its tokens back; the tightest goes first.
///
/// @dev An order adds to one sum, to the trader's own slot, and to the pool's balance in the vault; opening price and number
/// of the batch are only read. So orders of different traders do not wait for each other. The outcome depends on sums
/// alone, not on their order. All roundings are for the pool: outputs down, what the pool takes up.
/// Liquidity can be added and removed within a batch; the opening price stays what it was, and limits hold against it.
contract BatchPool is LiquidityPool {
    struct Opening {
        uint128 reserve0;
        uint128 reserve1;
    }

    /// @dev What one side of a batch brought and got. `from` is the tightest class that took part. What a side gets is less
    /// than a reserve and the other side together, so 120 bits hold it.
    struct Side {
        uint120 amountIn;
        uint120 amountOut;
        uint8 from;
    }

    struct Outcome {
        Side first;
        Side second;
    }

    /// @notice How many tolerances there are.
    uint256 public constant CLASSES = 6;

    uint256 private constant BASIS = 10_000;
    /// @dev What a class may sum up to, so that the classes of a side together can be counted.
    uint256 private constant MAX_CLASS_SUM = CurveMath.MAX / CLASSES;

    /// @notice Blocks in a batch.
    uint256 public immutable interval;
    /// @notice The batch that was opened last. It is cleared when a later one is opened.
    uint256 public openBatch;
    /// @notice The reserves at which a batch opened.
    mapping(uint256 batch => Opening) public openings;
    mapping(uint256 batch => Outcome) private outcomes;
    mapping(uint256 batch => mapping(address tokenIn => mapping(uint256 class => uint256))) private sums;
    mapping(
        uint256 batch => mapping(address tokenIn => mapping(address trader => mapping(uint256 class => uint256)))
    ) private orders;

    /// @notice A batch has one block at least.
    error NoInterval();
    error NothingOrdered();
    /// @notice The pool has no liquidity yet.
    error NoLiquidity();
    /// @notice Not even the opening price, less the tightest tolerance, gives this much.
    error LimitBeyondOpening(uint256 minAmountOut, uint256 possible);
    /// @notice The batch takes orders still.
    error BatchNotOver(uint256 batch);

    event BatchOpened(uint256 indexed batch, uint256 reserve0, uint256 reserve1);
    /// @notice Side 0 brought `in0` and got `out1`; side 1 brought `in1` and got `out0`.
    event BatchCleared(uint256 indexed batch, uint256 in0, uint256 out1, uint256 in1, uint256 out0);
    event OrderPlaced(
        uint256 indexed batch, address indexed trader, address tokenIn, uint256 amountIn, uint256 toleranceBasisPoints
    );
    /// @notice `filled` of the order was traded for `amountOut`, `refunded` was not. The improvement is against what the
    /// curve alone would have given for `filled` when the batch opened, in the token that came out.
    event Claimed(
        uint256 indexed batch,
        address indexed trader,
        address tokenIn,
        uint256 filled,
        uint256 amountOut,
        uint256 refunded,
        int256 improvement
    );

    constructor(IVault vault_, address token0_, address token1_, uint256 fee_, uint256 interval_)
        LiquidityPool(vault_, token0_, token1_, fee_)
    {
        if (interval_ == 0) revert NoInterval();
        interval = interval_;
        openBatch = block.number / interval_;
    }

    /// @notice Takes `amountIn` of `tokenIn` from the caller's internal balance and adds it to the current batch, for
    /// `trader`. It is traded for `minAmountOut` at least, or not at all and given back. An order is final.
    /// @param minAmountOut Zero for an order without limit.
    /// @return batch The batch in which the order is.
    function placeOrder(address tokenIn, uint256 amountIn, uint256 minAmountOut, address trader)
        external
        returns (uint256 batch)
    {
        bool first = _isFirst(tokenIn);
        if (amountIn == 0) revert NothingOrdered();
        if (totalSupply() == 0) revert NoLiquidity();
        _accrue();
        batch = openBatch;
        uint256 class = _classOf(batch, first, amountIn, minAmountOut);
        uint256 sum = sums[batch][tokenIn][class] + amountIn;
        if (sum > MAX_CLASS_SUM) revert CurveMath.AmountTooLarge(sum);
        sums[batch][tokenIn][class] = sum;
        orders[batch][tokenIn][trader][class] += amountIn;
        vault.transferFrom(msg.sender, address(this), _id(tokenIn), amountIn);
        emit OrderPlaced(batch, trader, tokenIn, amountIn, tolerance(class));
    }

    /// @notice Credits `trader` with what its orders for `tokenIn` in `batch` got, and with what was not traded. Anyone may
    /// ask for it. Asking again gives nothing.
    function claim(uint256 batch, address tokenIn, address trader)
        external
        returns (uint256 amountOut, uint256 refunded)
    {
        bool first = _isFirst(tokenIn);
        _accrue();
        if (batch >= openBatch) revert BatchNotOver(batch);
        uint256 filled;
        (filled, amountOut, refunded) = _shareOf(batch, tokenIn, trader);
        for (uint256 class = 0; class < CLASSES; class++) {
            delete orders[batch][tokenIn][trader][class];
        }
        address tokenOut = first ? token1 : token0;
        if (amountOut != 0) vault.transfer(trader, _id(tokenOut), amountOut);
        if (refunded != 0) vault.transfer(trader, _id(tokenIn), refunded);
        int256 improvement = int256(amountOut) - int256(_aloneOut(batch, first, filled));
        emit Claimed(batch, trader, tokenIn, filled, amountOut, refunded, improvement);
    }

    /// @notice Opens the current batch and clears the one before, if nobody has.
    function accrue() external {
        _accrue();
    }

    /// @notice The batch that an order of this block would be in.
    function currentBatch() public view returns (uint256) {
        return block.number / interval;
    }

    /// @notice What {claim} would give once the batch is over; for the open batch, what it would give if it ended now.
    function claimable(uint256 batch, address tokenIn, address trader)
        external
        view
        returns (uint256 amountOut, uint256 refunded)
    {
        _isFirst(tokenIn);
        if (batch < openBatch) {
            (, amountOut, refunded) = _shareOf(batch, tokenIn, trader);
        } else if (batch == openBatch) {
            (, amountOut, refunded) = _split(batch, tokenIn, trader, _solve(batch, tokenIn, 0));
        }
    }

    /// @notice What an order without limit would get if its batch ended with it.
    /// @dev More orders can move the price either way until the batch ends.
    function quote(address tokenIn, uint256 amountIn) external view returns (uint256 amountOut) {
        bool first = _isFirst(tokenIn);
        if (totalSupply() == 0 || amountIn == 0) return 0;
        CurveMath.requireCountable(amountIn);
        Outcome memory outcome = _solve(openBatch, tokenIn, currentBatch() == openBatch ? amountIn : 0);
        if (currentBatch() != openBatch) {
            // The order comes after the open batch has been cleared, and alone.
            (uint256 left0, uint256 left1) = _reservesAfter(outcome);
            if (first) return CurveMath.amountOutDown(amountIn, left0, left1, fee);
            return CurveMath.amountOutDown(amountIn, left1, left0, fee);
        }
        Side memory side = first ? outcome.first : outcome.second;
        return side.from == CLASSES ? 0 : amountIn * side.amountOut / side.amountIn;
    }

    /// @notice What both sides of a cleared batch brought and got, without those who were left out.
    function outcomeOf(uint256 batch) external view returns (uint256 in0, uint256 out1, uint256 in1, uint256 out0) {
        Outcome storage outcome = outcomes[batch];
        return (outcome.first.amountIn, outcome.first.amountOut, outcome.second.amountIn, outcome.second.amountOut);
    }

    /// @notice How far from the opening price a class lets the price go, in basis points; the last has no limit.
    function tolerance(uint256 class) public pure returns (uint256) {
        if (class == 0) return 10;
        if (class == 1) return 30;
        if (class == 2) return 100;
        if (class == 3) return 300;
        if (class == 4) return 1000;
        return BASIS;
    }

    function _accrue() internal override {
        uint256 batch = currentBatch();
        uint256 previous = openBatch;
        if (batch == previous && openings[batch].reserve0 != 0) return;
        if (batch != previous) _clear(previous);
        openBatch = batch;
        openings[batch] = Opening(uint128(reserve0), uint128(reserve1));
        emit BatchOpened(batch, reserve0, reserve1);
    }

    function _clear(uint256 batch) private {
        Outcome memory outcome = _solve(batch, token0, 0);
        outcomes[batch] = outcome;
        (uint256 left0, uint256 left1) = _reservesAfter(outcome);
        _setReserves(left0, left1);
        emit BatchCleared(
            batch, outcome.first.amountIn, outcome.first.amountOut, outcome.second.amountIn, outcome.second.amountOut
        );
    }

    /// @dev The outcome of a batch at the present reserves, with `extra` of `tokenIn` more without limit. Classes are left
    /// out until the price suits all who remain, at most twice {CLASSES} times.
    function _solve(uint256 batch, address tokenIn, uint256 extra) private view returns (Outcome memory outcome) {
        (uint256[CLASSES] memory offered0, uint256 x) = _offered(batch, token0, tokenIn == token0 ? extra : 0);
        (uint256[CLASSES] memory offered1, uint256 y) = _offered(batch, token1, tokenIn == token1 ? extra : 0);
        Opening memory opening = openings[batch];
        if (opening.reserve0 == 0) opening = Opening(uint128(reserve0), uint128(reserve1));
        uint256 from0 = _nextClass(offered0, 0);
        uint256 from1 = _nextClass(offered1, 0);
        while (x != 0 || y != 0) {
            (uint256 outX, uint256 outY) = _price(x, y);
            if (x != 0 && outX < _leastOutUp(x, from0, opening.reserve0, opening.reserve1)) {
                x -= offered0[from0];
                from0 = _nextClass(offered0, from0 + 1);
            } else if (y != 0 && outY < _leastOutUp(y, from1, opening.reserve1, opening.reserve0)) {
                y -= offered1[from1];
                from1 = _nextClass(offered1, from1 + 1);
            } else {
                outcome.first = Side(uint120(x), uint120(outX), uint8(from0));
                outcome.second = Side(uint120(y), uint120(outY), uint8(from1));
                (uint256 left0, uint256 left1) = _reservesAfter(outcome);
                // A pool that cannot count its reserves gives everything back, rather than standing still for ever.
                if (left0 <= CurveMath.MAX && left1 <= CurveMath.MAX) return outcome;
                (x, y) = (0, 0);
            }
        }
        outcome.first = Side(0, 0, uint8(CLASSES));
        outcome.second = Side(0, 0, uint8(CLASSES));
    }

    function _offered(uint256 batch, address tokenIn, uint256 extra)
        private
        view
        returns (uint256[CLASSES] memory offered, uint256 total)
    {
        for (uint256 class = 0; class < CLASSES; class++) {
            offered[class] = sums[batch][tokenIn][class];
            total += offered[class];
        }
        offered[CLASSES - 1] += extra;
        total += extra;
        // Orders are bounded where they are placed; this is for questions with too much.
        CurveMath.requireCountable(total);
    }

    /// @dev What the sides get for `x` of token 0 and `y` of token 1 at the uniform price.
    function _price(uint256 x, uint256 y) private view returns (uint256 outX, uint256 outY) {
        uint256 keep = CurveMath.UNIT - fee;
        (uint256 r0, uint256 r1) = (reserve0, reserve1);
        if (keep * x * r1 > CurveMath.UNIT * r0 * y) return _excess(x, y, r0, r1, keep);
        if (keep * y * r0 > CurveMath.UNIT * r1 * x) {
            (outY, outX) = _excess(y, x, r1, r0, keep);
            return (outX, outY);
        }
        return (y, x);
    }

    /// @dev The same where `x` is in excess. `outX` is rounded down; the excess that the curve takes is so rounded up.
    function _excess(uint256 x, uint256 y, uint256 rIn, uint256 rOut, uint256 keep)
        private
        pure
        returns (uint256 outX, uint256 outY)
    {
        uint256 given = (keep * x * rOut - CurveMath.UNIT * rIn * y) / (CurveMath.UNIT * rIn + keep * x);
        outX = y + given;
        if (outX != 0) outY = x * y / outX;
    }

    function _reservesAfter(Outcome memory outcome) private view returns (uint256 left0, uint256 left1) {
        left0 = reserve0 + outcome.first.amountIn - outcome.second.amountOut;
        left1 = reserve1 + outcome.second.amountIn - outcome.first.amountOut;
    }

    /// @dev What `amountIn` has to get for a class to take part: at least something.
    function _leastOutUp(uint256 amountIn, uint256 class, uint256 openIn, uint256 openOut)
        private
        pure
        returns (uint256)
    {
        uint256 kept = BASIS - tolerance(class);
        return Math.max(1, Math.mulDiv(amountIn * kept, openOut, openIn * BASIS, Math.Rounding.Ceil));
    }

    /// @dev The widest class whose limit gives `minAmountOut`.
    function _classOf(uint256 batch, bool first, uint256 amountIn, uint256 minAmountOut)
        private
        view
        returns (uint256)
    {
        CurveMath.requireCountable(amountIn);
        Opening memory opening = openings[batch];
        (uint256 openIn, uint256 openOut) =
            first ? (opening.reserve0, opening.reserve1) : (opening.reserve1, opening.reserve0);
        uint256 least;
        for (uint256 class = CLASSES; class > 0; class--) {
            least = Math.mulDiv(amountIn * (BASIS - tolerance(class - 1)), openOut, openIn * BASIS);
            if (least >= minAmountOut) return class - 1;
        }
        revert LimitBeyondOpening(minAmountOut, least);
    }

    function _nextClass(uint256[CLASSES] memory offered, uint256 from) private pure returns (uint256) {
        while (from < CLASSES && offered[from] == 0) from++;
        return from;
    }

    function _shareOf(uint256 batch, address tokenIn, address trader)
        private
        view
        returns (uint256 filled, uint256 amountOut, uint256 refunded)
    {
        return _split(batch, tokenIn, trader, outcomes[batch]);
    }

    /// @dev A trader's part of an outcome, rounded down.
    function _split(uint256 batch, address tokenIn, address trader, Outcome memory outcome)
        private
        view
        returns (uint256 filled, uint256 amountOut, uint256 refunded)
    {
        Side memory side = tokenIn == token0 ? outcome.first : outcome.second;
        for (uint256 class = 0; class < CLASSES; class++) {
            uint256 amount = orders[batch][tokenIn][trader][class];
            if (amount == 0) continue;
            if (class < side.from) {
                refunded += amount;
            } else {
                filled += amount;
                amountOut += amount * side.amountOut / side.amountIn;
            }
        }
    }

    function _aloneOut(uint256 batch, bool first, uint256 amountIn) private view returns (uint256) {
        if (amountIn == 0) return 0;
        Opening memory opening = openings[batch];
        if (first) return CurveMath.amountOutDown(amountIn, opening.reserve0, opening.reserve1, fee);
        return CurveMath.amountOutDown(amountIn, opening.reserve1, opening.reserve0, fee);
    }
}
