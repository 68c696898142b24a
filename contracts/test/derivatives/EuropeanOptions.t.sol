// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {IERC6909} from "@openzeppelin/interfaces/IERC6909.sol";
import {BlackModel} from "src/derivatives/BlackModel.sol";
import {EuropeanOptions} from "src/derivatives/EuropeanOptions.sol";
import {IEuropeanOptions} from "src/derivatives/IEuropeanOptions.sol";
import {OptionMath} from "src/derivatives/OptionMath.sol";
import {IPriceOracle} from "src/lending/ILendingMarket.sol";
import {PriceFeed} from "src/lending/PriceFeed.sol";

/// @dev Ether against dollars of six digits, at 2000, with series that expire in thirty days.
abstract contract OptionsSuite is Suite {
    uint256 constant PER_ETHER = 1e24;
    uint256 constant EXPIRY = 1_000_000 + 30 days;

    FreeToken ether_ = new FreeToken("ETH");
    FreeToken usd = new FreeToken("USD");
    PriceFeed feed = new PriceFeed(address(this), address(this), 5000, 2000 * PER_ETHER);
    EuropeanOptions options = new EuropeanOptions();
    uint256 market;

    function _open() internal {
        vm.warp(1_000_000);
        feed.set(2000 * PER_ETHER);
        market = options.createMarket(address(ether_), address(usd), feed);
    }

    function _series(uint256 dollars, bool isCall) internal returns (uint256) {
        return options.createSeries(market, dollars * PER_ETHER, EXPIRY, isCall);
    }

    function _fund(address who) internal {
        ether_.mint(who, 1e30);
        usd.mint(who, 1e30);
        vm.startPrank(who);
        ether_.approve(address(options), type(uint256).max);
        usd.approve(address(options), type(uint256).max);
        vm.stopPrank();
    }

    function _settle(uint256 price) internal {
        vm.warp(EXPIRY);
        feed.set(price);
        options.settle(market, EXPIRY);
    }
}

contract EuropeanOptionsTest is OptionsSuite {
    address writer = account("writer");
    address buyer = account("buyer");
    uint256 put;
    uint256 lowPut;
    uint256 call;
    uint256 highCall;

    function setUp() public {
        _open();
        (lowPut, put) = (_series(1500, false), _series(2000, false));
        (call, highCall) = (_series(2000, true), _series(2500, true));
        _fund(writer);
        _fund(buyer);
    }

    function _write(uint256 series, uint256 amount) private returns (uint256) {
        vm.prank(writer);
        return options.write(series, amount, buyer, writer);
    }

    function _redeem(uint256 series, uint256 amount) private returns (uint256) {
        vm.prank(buyer);
        return options.redeem(series, amount, buyer);
    }

    // Payments

    function test_APutPaysWhatThePriceIsBelowTheStrike() external {
        vm.assertEq(_write(put, 10e18), 20_000e6, "the strike");
        _settle(1800 * PER_ETHER);
        vm.assertEq(_redeem(put, 10e18), 2000e6, "ten times two hundred");
        vm.prank(writer);
        vm.assertEq(options.redeemShort(put, 10e18, writer), 18_000e6, "the rest");
        vm.assertEq(usd.balanceOf(address(options)), 0, "nothing stays");
        vm.assertEq(options.totalSupply(put), 0, "no token stays");
    }

    function test_ACallPaysInTheUnderlying() external {
        vm.assertEq(_write(call, 10e18), 10e18, "the underlying");
        _settle(2500 * PER_ETHER);
        vm.assertEq(_redeem(call, 10e18), 2e18, "five hundred of 2500");
        vm.prank(writer);
        vm.assertEq(options.redeemShort(call, 10e18, writer), 8e18, "the rest");
    }

    function test_AnOptionOutOfTheMoneyPaysNothing() external {
        _write(put, 1e18);
        _write(call, 1e18);
        _settle(2000 * PER_ETHER);
        vm.assertEq(_redeem(put, 1e18), 0, "put");
        vm.assertEq(_redeem(call, 1e18), 0, "call");
        vm.startPrank(writer);
        vm.assertEq(options.redeemShort(put, 1e18, writer), 2000e6, "all of it");
        vm.assertEq(options.redeemShort(call, 1e18, writer), 1e18, "all of it");
        vm.stopPrank();
    }

    function test_ASpreadNeedsWhatBothLoseTogether() external {
        _write(lowPut, 10e18);
        _write(highCall, 10e18);
        vm.startPrank(buyer);
        vm.assertEq(options.writeSpread(put, lowPut, 10e18, writer, buyer), 5000e6, "ten times five hundred");
        vm.assertEq(options.writeSpread(call, highCall, 10e18, writer, buyer), 2e18, "a fifth of the underlying");
        vm.stopPrank();
        vm.assertEq(options.balanceOf(address(options), lowPut), 10e18, "put down");
        _settle(1000 * PER_ETHER);
        vm.startPrank(buyer);
        vm.assertEq(options.redeemSpread(put, lowPut, 10e18, buyer), 0, "loses all of it");
        vm.assertEq(options.redeemSpread(call, highCall, 10e18, buyer), 2e18, "keeps all of it");
        vm.stopPrank();
        vm.startPrank(writer);
        vm.assertEq(options.redeem(put, 10e18, writer), 10_000e6, "the long that was sold");
        vm.assertEq(options.redeemShort(lowPut, 10e18, writer), 10_000e6, "and the other's short");
        vm.stopPrank();
        vm.assertEq(usd.balanceOf(address(options)), 0, "nothing stays");
    }

    function test_ASpreadAgainstABetterOptionNeedsNothing() external {
        _write(put, 10e18);
        vm.startPrank(buyer);
        vm.assertEq(options.writeSpread(lowPut, put, 10e18, writer, buyer), 0, "nothing");
        vm.stopPrank();
        _settle(1600 * PER_ETHER);
        vm.prank(buyer);
        vm.assertEq(options.redeemSpread(lowPut, put, 10e18, buyer), 4000e6, "what it gains");
    }

    /// @dev However the price moves, what a put and its spread pay is what was put down.
    function testFuzz_EverythingIsPaidOutOfTheCollateral(uint256 price, uint256 amount, uint256 part, bool isCall)
        external
    {
        amount = bound(amount, 1, 1e24);
        part = bound(part, 0, amount);
        (uint256 sold, uint256 held) = isCall ? (call, highCall) : (put, lowPut);
        FreeToken token = isCall ? ether_ : usd;
        _write(held, amount);
        vm.prank(buyer);
        options.writeSpread(sold, held, amount, writer, buyer);
        _settle(bound(price, 1, 10_000 * PER_ETHER));
        uint256 locked = token.balanceOf(address(options));
        vm.startPrank(writer);
        uint256 paid = part == 0 ? 0 : options.redeem(sold, part, writer);
        paid += amount == part ? 0 : options.redeem(sold, amount - part, writer);
        paid += options.redeemShort(held, amount, writer);
        vm.stopPrank();
        vm.prank(buyer);
        paid += options.redeemSpread(sold, held, amount, buyer);
        assertTrue(paid <= locked && locked - paid <= 8, "all but the roundings");
        vm.assertEq(token.balanceOf(address(options)), locked - paid, "the rest stays");
    }

    function testFuzz_WritingAndUnwindingGainsNothing(uint256 amount, uint256 strike, bool isCall) external {
        amount = bound(amount, 1, 1e24);
        uint256 series = options.createSeries(market, bound(strike, 1, 1e33), EXPIRY + 1, isCall);
        vm.startPrank(writer);
        uint256 collateral = options.write(series, amount, writer, writer);
        uint256 back = options.unwind(series, amount, writer);
        assertTrue(back <= collateral && collateral - back <= 1, "rounded for the others");
        vm.stopPrank();
    }

    function test_ASpreadIsUnwound() external {
        _write(lowPut, 10e18);
        vm.startPrank(buyer);
        options.writeSpread(put, lowPut, 10e18, buyer, buyer);
        vm.assertEq(options.unwindSpread(put, lowPut, 4e18, buyer), 2000e6, "its part");
        vm.assertEq(options.balanceOf(buyer, lowPut), 4e18, "and what was held");
        vm.assertEq(options.balanceOf(buyer, put), 6e18, "the rest is left");
        vm.stopPrank();
    }

    function test_TokensAreTransferable() external {
        _write(put, 10e18);
        vm.prank(buyer);
        options.transfer(account("other"), put, 4e18);
        _settle(1000 * PER_ETHER);
        vm.prank(account("other"));
        vm.assertEq(options.redeem(put, 4e18, account("other")), 4000e6, "whoever has it");
        assertTrue(options.supportsInterface(type(IERC6909).interfaceId), "ERC-6909");
    }

    // Marks

    function test_AMarkIsBlacksPrice() external {
        BlackModel.Greeks memory moves = options.markOf(call, 0.5e18, 0);
        // Computed with double precision: F = K = 2000, s = 0.5, thirty days.
        vm.assertApproxEqAbs(moves.price, 114.275350182e24, 1e16, "price");
        vm.assertApproxEqAbs(uint256(moves.delta), 528_568_837_545_000_000, 1e9, "delta");
        assertTrue(moves.theta < 0 && moves.rho < 0, "time and rates cost");
        moves = options.markOf(put, 0.5e18, 0);
        vm.assertApproxEqAbs(moves.price, 114.275350182e24, 1e16, "the same at the money");
        assertTrue(moves.delta < 0, "falls as the price rises");
        vm.warp(EXPIRY + 1);
        feed.set(1900 * PER_ETHER);
        vm.assertEq(options.markOf(put, 0.5e18, 0).price, 100 * PER_ETHER, "what it pays");
        vm.assertEq(options.markOf(call, 0.5e18, 0).delta, int256(0), "nothing");
    }

    function test_RevertWhen_AMarkCannotBeCalculated() external {
        vm.expectRevert(BlackModel.InvalidOption.selector);
        options.markOf(call, 100e18 + 1, 0);
        vm.expectRevert(BlackModel.InvalidOption.selector);
        options.markOf(call, 1e18, 1e18 + 1);
        vm.expectRevert(BlackModel.InvalidOption.selector);
        options.markOf(call, 1e18, -1e18 - 1);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.UnknownSeries.selector, 1));
        options.markOf(1, 1e18, 0);
        feed.set(1 << 136);
        vm.expectRevert(BlackModel.InvalidOption.selector);
        options.markOf(call, 1e18, 0);
    }

    // Refusals

    function test_RevertWhen_AMarketCannotBe() external {
        bytes4 invalid = IEuropeanOptions.InvalidMarket.selector;
        vm.expectRevert(invalid);
        options.createMarket(address(0), address(usd), feed);
        vm.expectRevert(invalid);
        options.createMarket(address(usd), address(0), feed);
        vm.expectRevert(invalid);
        options.createMarket(address(usd), address(usd), feed);
        vm.expectRevert(invalid);
        options.createMarket(address(usd), address(ether_), IPriceOracle(address(1234)));
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.MarketExists.selector, market));
        options.createMarket(address(ether_), address(usd), feed);
        vm.assertEq(options.marketOf(market).quote, address(usd), "the first stays");
    }

    function test_RevertWhen_ASeriesCannotBe() external {
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.UnknownMarket.selector, 7));
        options.createSeries(7, 1, EXPIRY, true);
        bytes4 invalid = IEuropeanOptions.InvalidSeries.selector;
        vm.expectRevert(invalid);
        options.createSeries(market, 0, EXPIRY, true);
        vm.expectRevert(invalid);
        options.createSeries(market, 1 << 136, EXPIRY, true);
        vm.expectRevert(invalid);
        options.createSeries(market, 1, block.timestamp, true);
        vm.expectRevert(invalid);
        options.createSeries(market, 1, block.timestamp + 3650 days + 1, true);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.SeriesExists.selector, put));
        options.createSeries(market, 2000 * PER_ETHER, EXPIRY, false);
        vm.assertEq(options.seriesOf(put).strike, 2000 * PER_ETHER, "the first stays");
    }

    function test_RevertWhen_ASpreadIsNone() external {
        _write(lowPut, 1e18);
        vm.startPrank(buyer);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.NoSpread.selector, call, lowPut));
        options.writeSpread(call, lowPut, 1e18, buyer, buyer);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.NoSpread.selector, lowPut, lowPut));
        options.writeSpread(lowPut, lowPut, 1e18, buyer, buyer);
        uint256 later = options.createSeries(market, 2000 * PER_ETHER, EXPIRY + 1, false);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.NoSpread.selector, later, lowPut));
        options.writeSpread(later, lowPut, 1e18, buyer, buyer);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.NoSpread.selector, put, 5));
        options.writeSpread(put, 5, 1e18, buyer, buyer);
        vm.expectRevert();
        options.writeSpread(put, lowPut, 1e18 + 1, buyer, buyer);
        vm.stopPrank();
    }

    function test_RevertWhen_NothingIsGiven() external {
        bytes4 nothing = IEuropeanOptions.NothingGiven.selector;
        vm.expectRevert(nothing);
        options.write(put, 0, buyer, buyer);
        vm.expectRevert(nothing);
        options.writeSpread(put, lowPut, 0, buyer, buyer);
        vm.expectRevert(nothing);
        options.unwind(put, 0, buyer);
        vm.expectRevert(nothing);
        options.unwindSpread(put, lowPut, 0, buyer);
        vm.expectRevert(nothing);
        options.redeem(put, 0, buyer);
        vm.expectRevert(nothing);
        options.redeemShort(put, 0, buyer);
        vm.expectRevert(nothing);
        options.redeemSpread(put, lowPut, 0, buyer);
    }

    function test_RevertWhen_TheSeriesIsOver() external {
        _write(put, 1e18);
        bytes memory unsettled = abi.encodeWithSelector(IEuropeanOptions.NotSettled.selector, market, EXPIRY);
        vm.expectRevert(unsettled);
        options.redeem(put, 1, buyer);
        vm.expectRevert(unsettled);
        options.redeemShort(put, 1, buyer);
        vm.expectRevert(unsettled);
        options.redeemSpread(put, lowPut, 1, buyer);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.NotExpired.selector, EXPIRY));
        options.settle(market, EXPIRY);
        vm.warp(EXPIRY);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.Expired.selector, EXPIRY));
        options.write(put, 1, buyer, buyer);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.Expired.selector, EXPIRY));
        options.writeSpread(put, lowPut, 1, buyer, buyer);
        vm.expectRevert(
            abi.encodeWithSelector(IEuropeanOptions.NotPriced.selector, market, 2000 * PER_ETHER, 1_000_000)
        );
        options.settle(market, EXPIRY);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.UnknownMarket.selector, 5));
        options.settle(5, EXPIRY);
        feed.set(1 << 136);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.NotPriced.selector, market, 1 << 136, EXPIRY));
        options.settle(market, EXPIRY);
        _settle(1999 * PER_ETHER);
        vm.expectRevert(abi.encodeWithSelector(IEuropeanOptions.AlreadySettled.selector, market, EXPIRY));
        options.settle(market, EXPIRY);
    }

    function test_AnOracleThatFellSilentSettlesInTheEnd() external {
        _write(put, 1e18);
        feed.set(1500 * PER_ETHER);
        vm.warp(EXPIRY + 7 days - 1);
        vm.expectRevert();
        options.settle(market, EXPIRY);
        vm.warp(EXPIRY + 7 days);
        vm.assertEq(options.settle(market, EXPIRY), 1500 * PER_ETHER, "its last price");
        vm.assertEq(_redeem(put, 1e18), 500e6, "paid");
    }
}

/// @dev Writers, spreaders and holders at random, before and after expiry.
contract OptionsHandler is OptionsSuite {
    uint256[3] public series;
    address[3] public holders = [address(501), address(502), address(503)];
    bool public isCall;
    bool public isSettled;

    constructor(bool isCall_) {
        isCall = isCall_;
        _open();
        for (uint256 i = 0; i < 3; i++) {
            series[i] = _series(1500 + 500 * i, isCall);
            _fund(holders[i]);
        }
    }

    function all() external view returns (EuropeanOptions, FreeToken) {
        return (options, isCall ? ether_ : usd);
    }

    function write(uint256 who, uint256 which, uint256 amount) external {
        vm.warp(1_000_000);
        if (isSettled) return;
        vm.prank(holders[who % 3]);
        options.write(series[which % 3], bound(amount, 1, 1e20), holders[(who >> 8) % 3], holders[(who >> 16) % 3]);
    }

    function spread(uint256 who, uint256 which, uint256 other, uint256 amount) external {
        vm.warp(1_000_000);
        (which, other) = (which % 3, other % 3);
        uint256 held = options.balanceOf(holders[who % 3], series[other]);
        if (isSettled || held == 0 || which == other) return;
        vm.prank(holders[who % 3]);
        options.writeSpread(
            series[which], series[other], bound(amount, 1, held), holders[(who >> 8) % 3], holders[(who >> 16) % 3]
        );
    }

    function unwind(uint256 who, uint256 which, uint256 amount) external {
        address holder = holders[who % 3];
        uint256 id = series[which % 3];
        (uint256 long, uint256 short) = (options.balanceOf(holder, id), options.balanceOf(holder, options.shortId(id)));
        uint256 most = long < short ? long : short;
        if (most == 0) return;
        vm.prank(holder);
        options.unwind(id, bound(amount, 1, most), holder);
    }

    function unwindSpread(uint256 who, uint256 which, uint256 other, uint256 amount) external {
        address holder = holders[who % 3];
        (uint256 id, uint256 held) = (series[which % 3], series[other % 3]);
        (uint256 long, uint256 short) =
            (options.balanceOf(holder, id), options.balanceOf(holder, options.spreadId(id, held)));
        uint256 most = long < short ? long : short;
        if (most == 0) return;
        vm.prank(holder);
        options.unwindSpread(id, held, bound(amount, 1, most), holder);
    }

    /// @dev Rarely, for what comes before would hardly happen else.
    function settle(uint256 price) external {
        if (isSettled || price % 4 != 0) return;
        _settle(bound(price, 1, 10_000 * PER_ETHER));
        isSettled = true;
    }

    function redeem(uint256 who, uint256 which, uint256 amount) external {
        address holder = holders[who % 3];
        uint256 id = series[which % 3];
        uint256 held = options.balanceOf(holder, id);
        if (!isSettled || held == 0) return;
        vm.prank(holder);
        options.redeem(id, bound(amount, 1, held), holder);
    }

    /// @dev What all tokens could be redeemed for at a price.
    function claims(uint256 price) external view returns (uint256 sum) {
        for (uint256 i = 0; i < 3; i++) {
            (uint256 strike, uint256 id) = ((1500 + 500 * i) * PER_ETHER, series[i]);
            // What was put down for spreads is paid to nobody: it is in the spread's rest.
            uint256 long = options.totalSupply(id) - options.balanceOf(address(options), id);
            sum += OptionMath.payoffDown(isCall, strike, long, price);
            sum += OptionMath.restDown(isCall, strike, options.totalSupply(options.shortId(id)), price);
            for (uint256 j = 0; j < 3; j++) {
                uint256 held = (1500 + 500 * j) * PER_ETHER;
                if (i == j) continue;
                uint256 supply = options.totalSupply(options.spreadId(id, series[j]));
                sum += OptionMath.spreadRestDown(isCall, strike, held, supply, price);
            }
        }
    }
}

abstract contract OptionsInvariants is Suite {
    OptionsHandler handler;

    function invariant_WhateverThePriceThereIsEnough() external view {
        (EuropeanOptions options, FreeToken token) = handler.all();
        uint256 settled = options.settledAt(_market(options), 1_000_000 + 30 days);
        uint256 held = token.balanceOf(address(options));
        if (settled != 0) {
            assertTrue(handler.claims(settled) <= held, "at what it is settled at");
            return;
        }
        for (uint256 dollars = 500; dollars <= 5000; dollars += 500) {
            assertTrue(handler.claims(dollars * 1e24) <= held, "at any price");
        }
    }

    function _market(EuropeanOptions options) private view returns (uint256) {
        return options.seriesOf(handler.series(0)).market;
    }
}

contract PutInvariants is OptionsInvariants {
    function setUp() public {
        handler = new OptionsHandler(false);
        target(address(handler));
    }
}

contract CallInvariants is OptionsInvariants {
    function setUp() public {
        handler = new OptionsHandler(true);
        target(address(handler));
    }
}
