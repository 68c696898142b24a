// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {BlackModel} from "src/derivatives/BlackModel.sol";
import {PerpetualMath} from "src/derivatives/PerpetualMath.sol";
import {PortfolioMargin} from "src/derivatives/PortfolioMargin.sol";
import {PortfolioMath} from "src/derivatives/PortfolioMath.sol";

contract PortfolioMarginTest is Suite {
    uint256 constant PER_ETHER = 1e24;
    int256 constant ETHER = 1e18;
    uint256 constant USD = 1e6;

    PortfolioMargin margins = new PortfolioMargin();

    function _portfolio(int256 future, uint256 legs) private pure returns (PortfolioMath.Portfolio memory portfolio) {
        portfolio.price = 2000 * PER_ETHER;
        portfolio.future = future;
        portfolio.legs = new PortfolioMath.Leg[](legs);
    }

    function _leg(bool isCall, uint256 dollars, int256 amount) private pure returns (PortfolioMath.Leg memory) {
        return PortfolioMath.Leg(isCall, dollars * PER_ETHER, 0.8e18, 30 days, amount);
    }

    /// @dev Fifteen in a hundred of the price, a quarter of volatilities, and one in a hundred at least.
    function _margin(PortfolioMath.Portfolio memory portfolio) private view returns (uint256) {
        return margins.marginOf(portfolio, PortfolioMath.Grid(1500, 2500, 100));
    }

    function test_AFutureLosesTheRange() external view {
        vm.assertEq(_margin(_portfolio(10 * ETHER, 0)), 3000 * USD, "15 % of 20,000");
        vm.assertEq(_margin(_portfolio(-10 * ETHER, 0)), 3000 * USD, "on either side");
        vm.assertEq(_margin(_portfolio(0, 0)), 0, "nothing");
    }

    function test_AHeldOptionLosesWhatItIsWorthAtMost() external view {
        PortfolioMath.Portfolio memory portfolio = _portfolio(0, 1);
        portfolio.legs[0] = _leg(true, 2000, ETHER);
        uint256 price =
            BlackModel.price(BlackModel.Option(true, 2000 * PER_ETHER, 2000 * PER_ETHER, 0.8e18, 30 days, 0));
        uint256 worth = uint256(ETHER) * price / 1e36;
        uint256 margin = _margin(portfolio);
        assertTrue(margin > worth / 2 && margin < worth, "most of it");
    }

    /// @dev A call that is short is hedged by the underlying, and not by twice as much.
    function test_PartsMakeUpForEachOther() external view {
        PortfolioMath.Portfolio memory naked = _portfolio(0, 1);
        naked.legs[0] = _leg(true, 2000, -10 * ETHER);
        PortfolioMath.Portfolio memory hedged = _portfolio(5 * ETHER, 1);
        hedged.legs[0] = naked.legs[0];
        uint256 alone = _margin(_portfolio(5 * ETHER, 0));
        (uint256 short, uint256 both) = (_margin(naked), _margin(hedged));
        assertTrue(both < short / 2 && both < alone, "less than either part");
        PortfolioMath.Portfolio memory spread = _portfolio(0, 2);
        spread.legs[0] = naked.legs[0];
        spread.legs[1] = _leg(true, 2100, 10 * ETHER);
        assertTrue(_margin(spread) <= 1000 * USD, "a spread loses no more than its width");
    }

    /// @dev Far out of the money no scenario loses anything to speak of.
    function test_WhatIsShortNeedsSomethingAnyhow() external view {
        PortfolioMath.Portfolio memory portfolio = _portfolio(0, 1);
        portfolio.legs[0] = PortfolioMath.Leg(true, 20_000 * PER_ETHER, 0.3e18, 1 days, -10 * ETHER);
        vm.assertEq(_margin(portfolio), 200 * USD, "one in a hundred of 20,000");
    }

    /// @dev A third of what is lost at twice the range: more than at the range itself for what is short far from the price.
    function test_TheExtremesCount() external view {
        PortfolioMath.Portfolio memory portfolio = _portfolio(0, 1);
        portfolio.legs[0] = PortfolioMath.Leg(true, 2400 * PER_ETHER, 0.1e18, 1 days, -10 * ETHER);
        uint256 margin = margins.marginOf(portfolio, PortfolioMath.Grid(1500, 2500, 0));
        // At 2600 each is worth about 200, of which a third counts.
        vm.assertApproxEqAbs(margin, uint256(10 * 200 * USD) / 3, USD, "a third of 2,000");
    }

    function testFuzz_TogetherIsNoMoreThanApart(int256 future, int256 amount, uint256 strike, bool isCall)
        external
        view
    {
        future = int256(bound(uint256(future), 0, 200e18)) - 100 * ETHER;
        amount = int256(bound(uint256(amount), 0, 200e18)) - 100 * ETHER;
        PortfolioMath.Portfolio memory both = _portfolio(future, 1);
        both.legs[0] = _leg(isCall, bound(strike, 500, 8000), amount);
        PortfolioMath.Portfolio memory option = _portfolio(0, 1);
        option.legs[0] = both.legs[0];
        uint256 apart = _margin(_portfolio(future, 0)) + _margin(option);
        assertTrue(_margin(both) <= apart, "no more");
    }

    function test_RevertWhen_APortfolioIsOutOfRange() external {
        PortfolioMath.Portfolio memory portfolio = _portfolio(ETHER, 0);
        vm.expectRevert(PortfolioMath.InvalidGrid.selector);
        margins.marginOf(portfolio, PortfolioMath.Grid(4901, 0, 0));
        vm.expectRevert(PortfolioMath.InvalidGrid.selector);
        margins.marginOf(portfolio, PortfolioMath.Grid(0, 10_001, 0));
        vm.expectRevert(PortfolioMath.InvalidGrid.selector);
        margins.marginOf(portfolio, PortfolioMath.Grid(0, 0, 10_001));
        portfolio.price = 0;
        vm.expectRevert(abi.encodeWithSelector(PortfolioMath.InvalidPrice.selector, 0));
        _margin(portfolio);
        portfolio.price = PerpetualMath.MAX_PRICE / 2;
        vm.expectRevert(abi.encodeWithSelector(PortfolioMath.InvalidPrice.selector, PerpetualMath.MAX_PRICE / 2));
        _margin(portfolio);
        int256 large = int256(PerpetualMath.MAX_OPEN) + 1;
        vm.expectRevert(abi.encodeWithSelector(PortfolioMath.AmountTooLarge.selector, -large));
        _margin(_portfolio(-large, 0));
        portfolio = _portfolio(0, 1);
        portfolio.legs[0] = _leg(true, 2000, large);
        vm.expectRevert(abi.encodeWithSelector(PortfolioMath.AmountTooLarge.selector, large));
        _margin(portfolio);
        portfolio.legs[0] = _leg(true, 0, ETHER);
        vm.expectRevert(BlackModel.InvalidOption.selector);
        _margin(portfolio);
        vm.expectRevert(abi.encodeWithSelector(PortfolioMath.TooManyLegs.selector, 17));
        _margin(_portfolio(0, 17));
    }
}
