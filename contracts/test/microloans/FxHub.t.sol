// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {LoanSuite} from "./LoanSuite.sol";
import {IPriceOracle} from "src/lending/ILendingMarket.sol";
import {PriceFeed} from "src/lending/PriceFeed.sol";
import {FxHub} from "src/microloans/FxHub.sol";
import {Parts} from "src/microloans/ILenderPool.sol";
import {ILoanBook} from "src/microloans/ILoanBook.sol";

/// @dev Dollars for shillings at about 130.
contract FxHubTest is LoanSuite {
    uint256 constant RATE = 130e36;
    uint256 constant AMOUNT = 1000e6;

    FreeToken kes = new FreeToken("KES");
    PriceFeed[3] feeds;
    bytes32 pair;
    address maker;
    uint256 key;

    function setUp() public {
        _openBook();
        (maker, key) = signer("maker");
        for (uint256 i = 0; i < 3; i++) {
            feeds[i] = new PriceFeed(address(this), address(this), 9000, RATE);
        }
        vm.startPrank(parameters);
        pair = hub.setPair(_pair());
        hub.setMaker(maker, true);
        vm.stopPrank();
        kes.mint(maker, 1e18);
        vm.prank(maker);
        kes.approve(address(hub), type(uint256).max);
        usd.mint(alice, 1e18);
        vm.prank(alice);
        usd.approve(address(hub), type(uint256).max);
    }

    function _pair() private view returns (FxHub.Pair memory) {
        IPriceOracle[3] memory sources = [IPriceOracle(feeds[0]), IPriceOracle(feeds[1]), IPriceOracle(feeds[2])];
        return FxHub.Pair(usd, kes, sources, 1 hours, 200, 300, 5 * AMOUNT);
    }

    function _quote() private view returns (FxHub.Quote memory) {
        return FxHub.Quote(pair, maker, alice, RATE, AMOUNT, clock() + 60, "1");
    }

    function _sign(FxHub.Quote memory quote) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hub.digestOf(quote));
        return abi.encodePacked(r, s, v);
    }

    function _refused(FxHub.Quote memory quote, bytes memory reason) private {
        bytes memory signature = _sign(quote);
        vm.expectRevert(reason);
        vm.prank(alice);
        hub.fill(quote, signature);
    }

    function test_AQuoteIsFilledOnce() external {
        FxHub.Quote memory quote = _quote();
        bytes memory signature = _sign(quote);
        vm.expectRevert(abi.encodeWithSelector(FxHub.NotTaker.selector, address(this)));
        hub.fill(quote, signature);
        vm.prank(alice);
        (uint256 sold, uint256 bought) = hub.fill(quote, signature);
        vm.assertEq(sold, AMOUNT, "sold");
        vm.assertEq(bought, 130 * AMOUNT, "bought");
        vm.assertEq(kes.balanceOf(alice), 130 * AMOUNT, "is there");
        _refused(quote, abi.encodeWithSelector(FxHub.AlreadyFilled.selector, hub.digestOf(quote)));
    }

    function test_QuotesAreShortSignedAndOfTheList() external {
        FxHub.Quote memory quote = _quote();
        quote.until = clock() + 121;
        _refused(quote, abi.encodeWithSelector(FxHub.QuoteTooLong.selector, quote.until));
        quote.until = clock() - 1;
        _refused(quote, abi.encodeWithSelector(FxHub.QuoteEnded.selector, quote.until));
        quote = _quote();
        bytes memory signature = _sign(quote);
        quote.amount += 1;
        vm.expectRevert(abi.encodeWithSelector(FxHub.InvalidSignature.selector, maker));
        vm.prank(alice);
        hub.fill(quote, signature);
        quote.maker = bob;
        _refused(quote, abi.encodeWithSelector(FxHub.UnknownMaker.selector, bob));
        quote = _quote();
        quote.pair = "other";
        _refused(quote, abi.encodeWithSelector(FxHub.UnknownPair.selector, bytes32("other")));
        quote = _quote();
        quote.amount = 0;
        _refused(quote, abi.encodeWithSelector(FxHub.NothingGiven.selector));
    }

    function test_RatesAreNearTheMedian() external {
        FxHub.Quote memory quote = _quote();
        feeds[0].set(RATE * 101 / 100);
        feeds[1].set(RATE * 102 / 100);
        (uint256 median, bool isSound) = hub.medianOf(pair);
        vm.assertEq(median, RATE * 101 / 100, "the one in the middle");
        assertTrue(isSound, "they agree");
        quote.rate = median * 98 / 100 - 1e20;
        _refused(quote, abi.encodeWithSelector(FxHub.TooFarFromMedian.selector, median, quote.rate));
        quote.rate = median * 102 / 100 + 1e20;
        _refused(quote, abi.encodeWithSelector(FxHub.TooFarFromMedian.selector, median, quote.rate));
    }

    /// @dev A spike, a feed that stands still, and one that fails.
    function test_SourcesThatDisagreeOrSleepHaltThePair() external {
        assertFalse(hub.isHalted(pair), "all is well");
        feeds[2].set(RATE * 150 / 100);
        assertTrue(hub.isHalted(pair), "a spike up");
        _refused(_quote(), abi.encodeWithSelector(FxHub.Halted.selector, pair));
        feeds[2].set(RATE * 50 / 100);
        assertTrue(hub.isHalted(pair), "a spike down");
        feeds[2].set(RATE);
        assertFalse(hub.isHalted(pair), "over");
        _pass(1 hours + 1);
        feeds[0].set(RATE);
        feeds[1].set(RATE);
        assertTrue(hub.isHalted(pair), "one sleeps");
        feeds[2].set(RATE);
        assertFalse(hub.isHalted(pair), "it woke");
        vm.etch(address(feeds[2]), hex"fe");
        assertTrue(hub.isHalted(pair), "one fails");
        assertTrue(hub.isHalted("other"), "and nobody knows others");
        vm.prank(guardian);
        hub.setStopped(pair, true);
        _refused(_quote(), abi.encodeWithSelector(FxHub.Halted.selector, pair));
    }

    function test_ADayHasACap() external {
        FxHub.Quote memory quote = _quote();
        for (uint256 i = 0; i < 5; i++) {
            quote.salt = bytes32(i);
            bytes memory signature = _sign(quote);
            vm.prank(alice);
            hub.fill(quote, signature);
        }
        quote.salt = "last";
        _refused(quote, abi.encodeWithSelector(FxHub.DailyCapExceeded.selector, 5 * AMOUNT, 6 * AMOUNT));
        _pass(1 days);
        for (uint256 i = 0; i < 3; i++) {
            feeds[i].set(RATE);
        }
        quote.until = clock() + 60;
        bytes memory again = _sign(quote);
        vm.prank(alice);
        hub.fill(quote, again);
    }

    /// @dev R5: bought is rounded down, and of what is sold no more is taken than that costs.
    function testFuzz_ThePayerKeepsTheRest(uint256 amount, uint256 rate) external {
        rate = bound(rate, RATE * 99 / 100, RATE * 101 / 100);
        FxHub.Quote memory quote = _quote();
        (quote.rate, quote.amount) = (rate, bound(amount, 1, AMOUNT));
        bytes memory signature = _sign(quote);
        vm.prank(alice);
        (uint256 sold, uint256 bought) = hub.fill(quote, signature);
        assertTrue(sold <= quote.amount, "no more than quoted");
        assertTrue(bought * 1e36 <= sold * rate, "the maker loses nothing");
        assertTrue((bought + 1) * 1e36 > (quote.amount) * rate, "and gives what there is");
    }

    /// @dev Halting stops new loans and no repayment.
    function test_ALoanAtAHaltedRateIsStillRepaid() external {
        _lend(junior, bob, 500 * USD);
        ILoanBook.Terms memory terms = _terms(100e6, borrower);
        terms.pair = pair;
        for (uint256 i = 0; i < 2; i++) {
            vm.prank(originator);
            book.offer(bytes32(i + 1), 1, terms);
            vm.prank(borrower);
            book.accept(bytes32(i + 1), KEY_FACTS, "en");
        }
        vm.startPrank(treasurer);
        book.fund(bytes32(uint256(1)), 2);
        book.disburse(bytes32(uint256(1)), 3);
        vm.stopPrank();
        vm.prank(guardian);
        hub.setStopped(pair, true);
        vm.prank(treasurer);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.RateHalted.selector, pair));
        book.fund(bytes32(uint256(2)), 2);
        _payNext(bytes32(uint256(1)), 100e6, 0, borrower);
        _assertBalanced();
    }

    function test_PairsHaveBounds() external {
        vm.startPrank(parameters);
        for (uint256 i = 0; i < 7; i++) {
            FxHub.Pair memory terms = _pair();
            if (i == 0) terms.bought = usd;
            if (i == 1) terms.maxAge = 0;
            if (i == 2) terms.dailyCap = 0;
            if (i == 3) terms.maxDeviationBasis = 10_000;
            if (i == 4) terms.maxSpreadBasis = 10_000;
            if (i == 5) terms.sources[1] = terms.sources[2];
            if (i == 6) terms.sources[0] = IPriceOracle(address(0));
            vm.expectRevert(FxHub.InvalidPair.selector);
            hub.setPair(terms);
        }
        vm.stopPrank();
        vm.assertEq(hub.termsOf(pair).maxAge, 1 hours, "terms");
    }
}
