// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ConstantProductPool} from "../dex/ConstantProductPool.sol";
import {IPriceOracle} from "../lending/ILendingMarket.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title The price that a pool has had on average over some time
/// @notice A constant-product pool sums up its price over the seconds. Two checkpoints of the sum, a window apart, give the
/// average over one to two windows up to now, as long as somebody calls {poke} once a window. Whoever wants to move it has to
/// hold the pool's price away from the market's for a good part of a window, against everybody who takes the difference.
///
/// The price is what one smallest unit of the base token is worth in smallest units of the other, times 10^36, rounded down.
/// It is zero (which markets refuse) until a window has passed, and told as old as its first checkpoint where that lies
/// further back than two windows and a half.
/// @dev A pool with few reserves has a price that is easily moved: use it for none but deep ones, or as a check on another
/// ({CheckedPrice}).
contract AveragePrice is IPriceOracle {
    struct Checkpoint {
        uint256 sum;
        uint256 at;
    }

    uint256 public constant MIN_WINDOW = 1 minutes;

    ConstantProductPool public immutable pool;
    /// @notice Whether the price is that of the pool's token 0.
    bool public immutable baseIsFirst;
    /// @notice In seconds.
    uint256 public immutable window;
    Checkpoint public older;
    Checkpoint public newer;

    error WindowTooShort(uint256 window);
    error UnknownToken(address token);

    event Poked(uint256 sum, uint256 at);

    constructor(ConstantProductPool pool_, address base, uint256 window_) {
        if (window_ < MIN_WINDOW) revert WindowTooShort(window_);
        if (base != pool_.token0() && base != pool_.token1()) revert UnknownToken(base);
        pool = pool_;
        baseIsFirst = base == pool_.token0();
        window = window_;
        newer = Checkpoint(_sum(), block.timestamp);
    }

    /// @notice Makes a checkpoint, if the last one is a window old. Anyone may call it.
    function poke() external {
        if (block.timestamp - newer.at < window) return;
        older = newer;
        newer = Checkpoint(_sum(), block.timestamp);
        emit Poked(newer.sum, newer.at);
    }

    /// @inheritdoc IPriceOracle
    function latestPrice() external view returns (uint256 price, uint256 updatedAt) {
        Checkpoint memory from = block.timestamp - newer.at >= window ? newer : older;
        if (from.at == 0) return (0, 0);
        uint256 elapsed = block.timestamp - from.at;
        uint256 difference;
        // The sum may wrap; the difference is right nevertheless.
        unchecked {
            difference = _sum() - from.sum;
        }
        price = Math.mulDiv(difference / elapsed, 1e36, 1 << 112);
        updatedAt = elapsed <= window * 5 / 2 ? block.timestamp : from.at;
    }

    function _sum() private view returns (uint256) {
        (uint256 sum0, uint256 sum1,) = pool.observe();
        return baseIsFirst ? sum0 : sum1;
    }
}
