// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {RiskVectors} from "./RiskVectors.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {BlackModel} from "src/derivatives/BlackModel.sol";
import {PerpetualMath} from "src/derivatives/PerpetualMath.sol";
import {PortfolioMath} from "src/derivatives/PortfolioMath.sol";

/// @dev The arithmetic of the derivatives beside that of the Rust crate `braid-risk`, on the random cases of its test `vectors`.
contract RiskTest is Suite {
    uint256 constant WAD = 1e18;

    function test_Fills() external pure {
        _compare(0, _fill);
    }

    function test_Funding() external pure {
        _compare(1, _funding);
    }

    function test_Positions() external pure {
        _compare(2, _position);
    }

    function test_Margins() external pure {
        _compare(3, _margin);
    }

    function test_Functions() external pure {
        _compare(4, _functions);
    }

    function test_Normal() external pure {
        _compare(5, _normal);
    }

    function test_Options() external pure {
        _compare(6, _option);
    }

    function test_Ranks() external pure {
        _compare(7, _rank);
    }

    function test_Portfolios() external pure {
        _compare(8, _portfolio);
    }

    /// @dev Goes through the cases of a group; memory is given back after each.
    function _compare(uint256 group, function(uint256) internal pure returns (bytes memory) compute) private pure {
        for (uint256 chunk = 0; chunk < RiskVectors.CASES / RiskVectors.CHUNK; chunk++) {
            bytes32 digest = 0;
            for (uint256 i = 0; i < RiskVectors.CHUNK; i++) {
                uint256 free;
                assembly ("memory-safe") {
                    free := mload(0x40)
                }
                digest = keccak256(abi.encodePacked(digest, compute(chunk * RiskVectors.CHUNK + i)));
                assembly {
                    mstore(0x40, free)
                }
            }
            vm.assertEq(digest, RiskVectors.digest(group, chunk), "the same numbers");
        }
    }

    function _fill(uint256 i) private pure returns (bytes memory) {
        (uint256 price, uint256 scale) = (_positive(0, i, 0, 136), _positive(0, i, 3, 112));
        (int256 skew, int256 delta) = (_either(0, i, 1, 104), _nonzero(0, i, 2, 104));
        return abi.encode(PerpetualMath.fillPrice(price, skew, delta, scale, _word(0, i, 4) % 1001));
    }

    function _funding(uint256 i) private pure returns (bytes memory) {
        (uint256 price, uint256 scale) = (_positive(1, i, 0, 136), _positive(1, i, 2, 112));
        uint256 rate = _word(1, i, 3) % (PerpetualMath.MAX_FUNDING + 1);
        uint256 elapsed = _number(1, i, 4, 32);
        return abi.encode(PerpetualMath.fundingGrowth(price, _either(1, i, 1, 104), scale, rate, elapsed));
    }

    function _position(uint256 i) private pure returns (bytes memory) {
        int256 size = _nonzero(2, i, 0, 104);
        int256 cost = PerpetualMath.worth(size, _positive(2, i, 1, 136), _either(2, i, 2, 146));
        int256 part = int256(_word(2, i, 3) % FixedPointMathLib.abs(size) + 1);
        int256 closed = size < 0 ? -part : part;
        int256 gone = PerpetualMath.closedCost(cost, closed, size);
        int256 exact = PerpetualMath.worth(closed, _positive(2, i, 4, 136), _either(2, i, 5, 146)) - gone;
        return abi.encode(cost, gone, PerpetualMath.settleDown(exact));
    }

    /// @dev In memory, for there are more of them than the stack takes.
    struct Margin {
        int256 size;
        uint256 price;
        uint256 initialBasis;
        uint256 maintenanceBasis;
        uint256 penaltyBasis;
        uint256 initial;
        uint256 maintenance;
        int256 equity;
    }

    function _margin(uint256 i) private pure returns (bytes memory) {
        Margin memory m;
        (m.size, m.price) = (_nonzero(3, i, 0, 104), _positive(3, i, 1, 136));
        m.initialBasis = _word(3, i, 2) % 9999 + 2;
        m.maintenanceBasis = _word(3, i, 3) % (m.initialBasis - 1) + 1;
        m.penaltyBasis = _word(3, i, 4) % m.maintenanceBasis;
        m.initial = PerpetualMath.shareUp(m.size, m.price, m.initialBasis) + _number(3, i, 5, 96);
        m.maintenance = PerpetualMath.shareUp(m.size, m.price, m.maintenanceBasis);
        m.equity = int256(_word(3, i, 6) % (m.initial + 1));
        if (_word(3, i, 6) >> 255 == 1) m.equity = -m.equity;
        uint256 closed =
            PerpetualMath.liquidationSize(m.size, m.price, m.equity, m.initial, m.initialBasis, m.penaltyBasis);
        int256 excess = m.equity - int256(m.maintenance);
        uint256 at = PerpetualMath.liquidationPrice(m.size, m.price, excess, m.maintenanceBasis);
        return abi.encode(m.initial, m.maintenance, closed, at);
    }

    function _functions(uint256 i) private pure returns (bytes memory) {
        int256 exponent = int256(_word(4, i, 0) % (177 * WAD)) - int256(42 * WAD);
        int256 argument = int256(_positive(4, i, 1, 255));
        uint256 square = _word(4, i, 2) >> _word(4, i, 3) % 256;
        return abi.encode(
            FixedPointMathLib.expWad(exponent), FixedPointMathLib.lnWad(argument), FixedPointMathLib.sqrt(square)
        );
    }

    function _normal(uint256 i) private pure returns (bytes memory) {
        int256 x = int256(_word(5, i, 0) % (10 * WAD));
        if (_word(5, i, 1) & 1 == 1) x = -x;
        return abi.encode(BlackModel.cumulative(x), BlackModel.density(x));
    }

    function _option(uint256 i) private pure returns (bytes memory) {
        BlackModel.Option memory option;
        option.strike = _positive(6, i, 0, 136);
        uint256 near = option.strike * (_word(6, i, 1) % 400 + 25) / 100;
        option.forward = i % 4 == 0 ? _positive(6, i, 1, 136) : FixedPointMathLib.clamp(near, 1, (1 << 136) - 1);
        option.volatility = _word(6, i, 2) % (3 * WAD);
        if (i % 16 == 1) option.volatility = 0;
        if (i % 16 == 2) option.volatility = _word(6, i, 2) % (100 * WAD + 1);
        option.duration = _number(6, i, 3, 28);
        option.rate = int256(_word(6, i, 4) % (WAD + 1));
        if (_word(6, i, 5) >> 1 & 1 == 1) option.rate = -option.rate;
        option.isCall = _word(6, i, 5) & 1 == 1;
        return abi.encode(BlackModel.greeks(option));
    }

    function _rank(uint256 i) private pure returns (bytes memory) {
        (int256 size, uint256 price) = (_nonzero(7, i, 0, 104), _positive(7, i, 1, 136));
        uint256 rank = PerpetualMath.deleverageRank(size, price, _positive(7, i, 2, 131), _either(7, i, 3, 131));
        return abi.encode(rank, PerpetualMath.rankNeeded(_word(7, i, 4) % 400));
    }

    function _portfolio(uint256 i) private pure returns (bytes memory) {
        PortfolioMath.Portfolio memory portfolio;
        portfolio.price = FixedPointMathLib.max(_number(8, i, 0, 133), PerpetualMath.BASIS);
        portfolio.legs = new PortfolioMath.Leg[](i % 16 == 0 ? _word(8, i, 1) % 4 : 0);
        portfolio.future = _either(8, i, 2, 104);
        portfolio.rate = int256(_word(8, i, 3) % (WAD / 5));
        for (uint256 place = 0; place < portfolio.legs.length; place++) {
            portfolio.legs[place] = _leg(i, 10 + 5 * place, portfolio.price);
        }
        PortfolioMath.Grid memory grid =
            PortfolioMath.Grid(_word(8, i, 4) % 4901, _word(8, i, 5) % 10_001, _word(8, i, 6) % 10_001);
        return abi.encode(PortfolioMath.marginUp(portfolio, grid));
    }

    function _leg(uint256 i, uint256 field, uint256 price) private pure returns (PortfolioMath.Leg memory) {
        uint256 strike = FixedPointMathLib.max(price * (_word(8, i, field) % 400 + 25) / 100, 1);
        uint256 volatility = _word(8, i, field + 2) % (3 * WAD);
        bool isCall = _word(8, i, field + 1) & 1 == 1;
        uint256 duration = _number(8, i, field + 3, 28);
        return PortfolioMath.Leg(isCall, strike, volatility, duration, _either(8, i, field + 4, 104));
    }

    function _word(uint256 group, uint256 i, uint256 field) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(group, i, field)));
    }

    function _number(uint256 group, uint256 i, uint256 field, uint256 bits) private pure returns (uint256) {
        uint256 word = _word(group, i, field);
        uint256 kind = word >> 16 & 7;
        if (kind == 0) return (1 << bits) - 1;
        if (kind == 1) return 1;
        return word >> (256 - bits) >> (word & 0xff) % bits;
    }

    function _positive(uint256 group, uint256 i, uint256 field, uint256 bits) private pure returns (uint256) {
        return FixedPointMathLib.max(_number(group, i, field, bits), 1);
    }

    function _either(uint256 group, uint256 i, uint256 field, uint256 bits) private pure returns (int256) {
        int256 value = int256(_number(group, i, field, bits));
        return _word(group, i, field) >> 8 & 1 == 1 ? -value : value;
    }

    function _nonzero(uint256 group, uint256 i, uint256 field, uint256 bits) private pure returns (int256) {
        int256 value = _either(group, i, field, bits);
        return value == 0 ? int256(1) : value;
    }
}
