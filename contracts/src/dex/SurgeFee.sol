// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {HookCalls, IPoolHooks} from "./IPoolHooks.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @notice What the hook looks at in a pool.
interface IReserves {
    function token0() external view returns (address);
    function reserve0() external view returns (uint256);
    function reserve1() external view returns (uint256);
}

/// @title A fee that rises with how far the price has moved within the block
/// @notice With `a` the price before the block's first trade, `p` the price now, and `u` what a trade brings of the reserve, the fee is
///
///   base + surge * (|p - a| / a + 2 u)       at most {cap}
///
/// since a trade of u moves the price by about 2 u. So small trades in a quiet block pay the base, and who moves the price a
/// long way pays those with shares for it: the legs of a sandwich pay for their own move and for that of their victim. A new block
/// begins from the price that it finds.
/// @dev Anchors are kept for each pool that calls. Fees are in millionths, `surge` is times {UNIT}. The trades of one pool are a chain
/// in any case, so the anchor, written once a block, makes nobody wait.
contract SurgeFee is IPoolHooks {
    struct Anchor {
        uint256 price;
        uint256 height;
    }

    uint256 private constant UNIT = 1e6;

    uint256 public immutable base;
    uint256 public immutable surge;
    uint256 public immutable cap;
    /// @notice The price of token 0 before the first trade of the block at {Anchor.height}, times 2^112.
    mapping(address pool => Anchor) public anchorOf;

    error InvalidFees(uint256 base, uint256 cap);

    constructor(uint256 base_, uint256 surge_, uint256 cap_) {
        if (base_ > cap_ || cap_ > UNIT || surge_ > 1000 * UNIT) revert InvalidFees(base_, cap_);
        base = base_;
        surge = surge_;
        cap = cap_;
    }

    /// @inheritdoc IPoolHooks
    function calls() external pure returns (uint256) {
        return HookCalls.BEFORE_SWAP | HookCalls.SWAP_FEE;
    }

    /// @inheritdoc IPoolHooks
    function beforeSwap(address, address, uint256, address) external {
        if (anchorOf[msg.sender].height == block.number) return;
        anchorOf[msg.sender] = Anchor(_price(IReserves(msg.sender)), block.number);
    }

    /// @inheritdoc IPoolHooks
    function swapFee(address tokenIn, uint256 amountIn) external view returns (uint256) {
        IReserves pool = IReserves(msg.sender);
        uint256 reserveIn = tokenIn == pool.token0() ? pool.reserve0() : pool.reserve1();
        uint256 price = _price(pool);
        if (price == 0 || amountIn >= reserveIn) return cap;
        Anchor memory anchor = anchorOf[msg.sender];
        uint256 from = anchor.height == block.number ? anchor.price : price;
        uint256 apart = from > price ? from - price : price - from;
        // No more than all of the price: beyond that the cap holds anyway, and nothing overflows.
        uint256 moved = from == 0 ? UNIT : Math.min(Math.mulDiv(apart, UNIT, from), UNIT);
        moved += 2 * amountIn * UNIT / reserveIn;
        return Math.min(base + surge * moved / UNIT, cap);
    }

    /// @inheritdoc IPoolHooks
    function afterSwap(address, address, uint256, uint256, address) external pure {}

    /// @inheritdoc IPoolHooks
    function beforeAdd(address, uint256, uint256, address) external pure {}

    /// @inheritdoc IPoolHooks
    function afterAdd(address, uint256, uint256, uint256, address) external pure {}

    /// @inheritdoc IPoolHooks
    function afterRemove(address, uint256, uint256, uint256, address) external pure {}

    function _price(IReserves pool) private view returns (uint256) {
        uint256 reserve0 = pool.reserve0();
        return reserve0 == 0 ? 0 : (pool.reserve1() << 112) / reserve0;
    }
}
