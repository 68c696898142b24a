// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {PerpetualSuite} from "./PerpetualSuite.sol";
import {IPerpetualExchange} from "src/derivatives/IPerpetualExchange.sol";
import {PerpetualMath} from "src/derivatives/PerpetualMath.sol";
import {PerpetualOrders} from "src/derivatives/PerpetualOrders.sol";

abstract contract OrdersSuite is PerpetualSuite {
    uint256 constant TIP = USD / 2;

    PerpetualOrders orders;

    function _openOrders() internal {
        _open();
        orders = new PerpetualOrders(exchange);
    }

    /// @dev Somebody with margin, who lets orders trade for him.
    function _trader(address who, uint256 margin) internal returns (uint256 account) {
        account = _fund(who, margin);
        vm.startPrank(who);
        usd.approve(address(orders), type(uint256).max);
        exchange.setDelegate(address(orders), true);
        vm.stopPrank();
    }

    /// @dev An order of any fill, for a day.
    function _order(uint256 account, int256 delta, uint256 trigger, bool isAbove)
        internal
        view
        returns (PerpetualOrders.Request memory)
    {
        return PerpetualOrders.Request({
            account: account,
            market: ether_,
            delta: delta,
            trigger: trigger,
            isAbove: isAbove,
            limit: delta > 0 ? type(uint256).max : 0,
            reduces: false,
            expiry: uint64(block.timestamp + 1 days),
            tip: TIP
        });
    }

    function _closing(uint256 account, int256 delta, uint256 trigger, bool isAbove)
        internal
        view
        returns (PerpetualOrders.Request memory request)
    {
        request = _order(account, delta, trigger, isAbove);
        request.reduces = true;
    }
}

contract PerpetualOrdersTest is OrdersSuite {
    address owner = account("alice");
    address keeper = account("keeper");
    uint256 alice;

    function setUp() public {
        _openOrders();
        alice = _trader(owner, 10_000 * USD);
    }

    function _place(PerpetualOrders.Request memory request) private returns (bytes32) {
        vm.prank(owner);
        return orders.place(request);
    }

    function _execute(bytes32 id) private returns (uint256) {
        vm.prank(keeper);
        return orders.execute(id);
    }

    function _size() private view returns (int256) {
        return exchange.positionOf(alice, ether_).size;
    }

    // What fires

    function test_AStopLossClosesALongWhenThePriceHasFallen() external {
        _trade(alice, 10 * ETHER);
        uint256 held = usd.balanceOf(owner);
        bytes32 id = _place(_closing(alice, -10 * ETHER, 1900 * PER_ETHER, false));
        vm.assertEq(id, orders.idOf(owner, 0), "the trader's first");
        vm.assertEq(held - usd.balanceOf(owner), TIP, "its tip");
        _passTo(1901);
        (bool due,, uint256 price) = orders.next(id);
        assertFalse(due, "not yet");
        vm.expectRevert(abi.encodeWithSelector(PerpetualOrders.NotTriggered.selector, price, 1900 * PER_ETHER));
        _execute(id);
        _passTo(1900);
        int256 delta;
        (due, delta,) = orders.next(id);
        assertTrue(due && delta == -10 * ETHER, "now");
        uint256 quoted = exchange.quote(ether_, -10 * ETHER);
        vm.assertEq(_execute(id), quoted, "as the trader would have been filled");
        vm.assertEq(_size(), 0, "closed");
        vm.assertEq(usd.balanceOf(keeper), TIP, "for the tip");
        vm.assertEq(usd.balanceOf(address(orders)), 0, "nothing is left");
        vm.expectRevert(abi.encodeWithSelector(PerpetualOrders.UnknownOrder.selector, id));
        _execute(id);
    }

    function test_ATakeProfitClosesALongWhenThePriceHasRisen() external {
        _trade(alice, 10 * ETHER);
        bytes32 id = _place(_closing(alice, -10 * ETHER, 2200 * PER_ETHER, true));
        _passTo(2199);
        vm.expectRevert(
            abi.encodeWithSelector(PerpetualOrders.NotTriggered.selector, 2199 * PER_ETHER, 2200 * PER_ETHER)
        );
        _execute(id);
        _passTo(2200);
        _execute(id);
        vm.assertEq(_size(), 0, "closed");
        assertTrue(exchange.collateralOf(alice) > 11_800 * USD, "with what it gained");
    }

    function test_AShortIsStoppedAboveAndTakesItsProfitBelow() external {
        _trade(alice, -10 * ETHER);
        bytes32 stop = _place(_closing(alice, 5 * ETHER, 2100 * PER_ETHER, true));
        bytes32 profit = _place(_closing(alice, 5 * ETHER, 1900 * PER_ETHER, false));
        _passTo(2100);
        _execute(stop);
        vm.assertEq(_size(), -5 * ETHER, "half of it");
        _passTo(1900);
        _execute(profit);
        vm.assertEq(_size(), 0, "and the rest");
    }

    function test_AStopThatOpensBuysWhatRises() external {
        bytes32 id = _place(_order(alice, 3 * ETHER, 2050 * PER_ETHER, true));
        _passTo(2060);
        _execute(id);
        vm.assertEq(_size(), 3 * ETHER, "opened");
    }

    /// @dev The price fell through the limit before anybody came.
    function test_AStopLimitWaitsForItsLimit() external {
        _trade(alice, 10 * ETHER);
        PerpetualOrders.Request memory request = _closing(alice, -10 * ETHER, 1900 * PER_ETHER, false);
        request.limit = 1890 * PER_ETHER;
        bytes32 id = _place(request);
        _passTo(1850);
        uint256 fill = exchange.quote(ether_, -10 * ETHER);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.LimitExceeded.selector, fill, 1890 * PER_ETHER));
        _execute(id);
        _passTo(1895);
        assertTrue(_execute(id) >= 1890 * PER_ETHER, "at the limit or better");
    }

    function testFuzz_AnOrderTradesAsItsOwnerWould(int256 delta, uint256 dollars) external {
        delta = int256(bound(uint256(delta), 1e12, 20e18)) * (delta % 2 == 0 ? int256(1) : -1);
        dollars = bound(dollars, 1800, 2200);
        uint256 bob = _fund(account("bob"), 10_000 * USD);
        bytes32 id = _place(_order(alice, delta, dollars * PER_ETHER, dollars >= 2000));
        _passTo(dollars);
        uint256 fill = _trade(bob, delta);
        vm.assertEq(_execute(id), fill, "the fill of the block");
        vm.assertEq(_equity(alice), _equity(bob), "and the same is left");
    }

    // What only reduces

    function test_WhatIsLeftIsClosedAndNoMore() external {
        _trade(alice, 4 * ETHER);
        bytes32 id = _place(_closing(alice, -10 * ETHER, 1900 * PER_ETHER, false));
        bytes32 later = _place(_closing(alice, -10 * ETHER, 1900 * PER_ETHER, false));
        _passTo(1900);
        (, int256 delta,) = orders.next(id);
        vm.assertEq(delta, -4 * ETHER, "all there is");
        _execute(id);
        vm.assertEq(_size(), 0, "closed, not turned");
        (bool due, int256 none,) = orders.next(later);
        assertTrue(!due && none == 0, "nothing for the other");
        vm.expectRevert(abi.encodeWithSelector(PerpetualOrders.NothingToReduce.selector, alice, ether_, int256(0)));
        _execute(later);
        _trade(alice, -2 * ETHER);
        vm.expectRevert(abi.encodeWithSelector(PerpetualOrders.NothingToReduce.selector, alice, ether_, -2 * ETHER));
        _execute(later);
    }

    // Brackets

    function _bracket() private returns (bytes32 stop, bytes32 profit) {
        _trade(alice, 10 * ETHER);
        vm.prank(owner);
        (stop, profit) = orders.placeBracket(
            _closing(alice, -10 * ETHER, 1900 * PER_ETHER, false), _closing(alice, -10 * ETHER, 2200 * PER_ETHER, true)
        );
    }

    function test_OneOrderOfABracketEndsTheOther() external {
        uint256 held = usd.balanceOf(owner);
        (bytes32 stop, bytes32 profit) = _bracket();
        vm.assertEq(orders.countOf(owner), 2, "two orders");
        vm.assertEq(orders.orderOf(stop).other, profit, "each names");
        vm.assertEq(orders.orderOf(profit).other, stop, "the other");
        _passTo(2200);
        _execute(profit);
        vm.expectRevert(abi.encodeWithSelector(PerpetualOrders.UnknownOrder.selector, stop));
        _execute(stop);
        vm.assertEq(held - usd.balanceOf(owner), TIP, "the tip of the other came back");
        vm.assertEq(usd.balanceOf(keeper), TIP, "that of the one is the keeper's");
        vm.assertEq(usd.balanceOf(address(orders)), 0, "nothing is left");
    }

    function test_CancellingOneOfABracketLeavesTheOther() external {
        (bytes32 stop, bytes32 profit) = _bracket();
        vm.prank(owner);
        vm.assertEq(orders.cancel(profit), TIP, "its tip");
        vm.assertEq(orders.orderOf(stop).other, bytes32(0), "alone");
        _passTo(1900);
        _execute(stop);
        vm.assertEq(_size(), 0, "closed");
    }

    function test_RevertWhen_ABracketIsNone() external {
        PerpetualOrders.Request memory stop = _closing(alice, -10 * ETHER, 1900 * PER_ETHER, false);
        PerpetualOrders.Request memory profit = _closing(alice, -10 * ETHER, 2200 * PER_ETHER, true);
        PerpetualOrders.Request[6] memory others;
        others[0] = _order(alice, -10 * ETHER, 2200 * PER_ETHER, true);
        others[1] = _closing(alice, 10 * ETHER, 2200 * PER_ETHER, true);
        others[2] = _closing(alice, -10 * ETHER, 1800 * PER_ETHER, false);
        others[3] = _closing(exchange.accountOf(owner, 1), -10 * ETHER, 2200 * PER_ETHER, true);
        others[4] = profit;
        others[4].market = exchange.addMarket(_terms(feed));
        others[5] = stop;
        vm.startPrank(owner);
        for (uint256 i = 0; i < others.length; i++) {
            vm.expectRevert(PerpetualOrders.InvalidBracket.selector);
            orders.placeBracket(stop, others[i]);
        }
        vm.stopPrank();
    }

    // What ends without a trade

    function test_TheOwnerCancelsAndAnybodyAfterTheEnd() external {
        uint256 held = usd.balanceOf(owner);
        bytes32 id = _place(_order(alice, ETHER, 2100 * PER_ETHER, true));
        bytes32 other = _place(_order(alice, ETHER, 2100 * PER_ETHER, true));
        vm.expectRevert(abi.encodeWithSelector(PerpetualOrders.NotTrader.selector, keeper));
        vm.prank(keeper);
        orders.cancel(id);
        vm.prank(owner);
        orders.cancel(id);
        uint256 end = block.timestamp + 1 days;
        _pass(1 days + 1);
        feed.set(2100 * PER_ETHER);
        (bool due,,) = orders.next(other);
        assertFalse(due, "too late");
        vm.expectRevert(abi.encodeWithSelector(PerpetualOrders.Expired.selector, end));
        _execute(other);
        vm.prank(keeper);
        orders.cancel(other);
        vm.assertEq(usd.balanceOf(owner), held, "both tips are back");
        vm.expectRevert(abi.encodeWithSelector(PerpetualOrders.UnknownOrder.selector, id));
        orders.cancel(id);
        vm.expectRevert(abi.encodeWithSelector(PerpetualOrders.UnknownOrder.selector, id));
        orders.orderOf(id);
    }

    function test_AnOrderWithoutATipMovesNoMoney() external {
        PerpetualOrders.Request memory request = _order(alice, ETHER, 2000 * PER_ETHER, true);
        request.tip = 0;
        uint256 held = usd.balanceOf(owner);
        _execute(_place(request));
        bytes32 id = _place(request);
        vm.prank(owner);
        vm.assertEq(orders.cancel(id), 0, "none");
        vm.assertEq(usd.balanceOf(owner), held, "nothing");
    }

    // What is refused

    function test_RevertWhen_AnOrderMakesNoSense() external {
        PerpetualOrders.Request memory good = _order(alice, ETHER, 2100 * PER_ETHER, true);
        PerpetualOrders.Request memory request = _order(alice, 0, 2100 * PER_ETHER, true);
        _refused(request, abi.encodeWithSelector(PerpetualOrders.NothingOrdered.selector));
        int256 size = int256(PerpetualMath.MAX_OPEN) + 1;
        request = _order(alice, -size, 2100 * PER_ETHER, true);
        _refused(request, abi.encodeWithSelector(PerpetualOrders.SizeTooLarge.selector, -size));
        request = _order(alice, ETHER, 2100 * PER_ETHER, true);
        request.tip = 1 << 128;
        _refused(request, abi.encodeWithSelector(PerpetualOrders.TipTooLarge.selector, 1 << 128));
        request = _order(alice, ETHER, 0, false);
        _refused(request, abi.encodeWithSelector(PerpetualOrders.InvalidTrigger.selector, 0));
        request = _order(alice, ETHER, PerpetualMath.MAX_PRICE, true);
        _refused(request, abi.encodeWithSelector(PerpetualOrders.InvalidTrigger.selector, PerpetualMath.MAX_PRICE));
        request = _order(alice, ETHER, 2100 * PER_ETHER, true);
        request.market = 1;
        _refused(request, abi.encodeWithSelector(PerpetualOrders.UnknownMarket.selector, 1));
        request = _order(alice, ETHER, 2100 * PER_ETHER, true);
        request.expiry = uint64(block.timestamp);
        _refused(request, abi.encodeWithSelector(PerpetualOrders.Expired.selector, block.timestamp));
        vm.expectRevert(abi.encodeWithSelector(PerpetualOrders.NotOwner.selector, alice, keeper));
        vm.prank(keeper);
        orders.place(good);
        vm.prank(owner);
        exchange.setDelegate(address(orders), false);
        _refused(good, abi.encodeWithSelector(PerpetualOrders.NotDelegate.selector, owner));
    }

    function _refused(PerpetualOrders.Request memory request, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(owner);
        orders.place(request);
    }

    /// @dev What the exchange refuses stays ordered.
    function test_RevertWhen_TheExchangeRefuses() external {
        bytes32 large = _place(_order(alice, 100 * ETHER, 2000 * PER_ETHER, true));
        vm.expectRevert();
        _execute(large);
        bytes32 id = _place(_order(alice, ETHER, 2000 * PER_ETHER, true));
        vm.warp(block.timestamp + 2 hours);
        uint256 told = block.timestamp - 2 hours;
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.StalePrice.selector, ether_, told));
        _execute(id);
        _pass(0);
        vm.prank(owner);
        exchange.setDelegate(address(orders), false);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NotAllowed.selector, alice, address(orders)));
        _execute(id);
        assertTrue(orders.orderOf(id).trader == owner && orders.orderOf(large).trader == owner, "still there");
        vm.assertEq(usd.balanceOf(address(orders)), 2 * TIP, "with their tips");
    }
}

/// @dev Traders, orders and a price at random.
contract OrdersHandler is OrdersSuite {
    uint256 constant TRADERS = 3;

    uint256[] private accounts;
    bytes32[] private placed;
    uint256 private height;
    uint256 private clock;
    uint256 public executions;

    constructor() {
        _openOrders();
        for (uint256 i = 0; i < TRADERS; i++) {
            accounts.push(_trader(address(uint160(1000 + i)), 50_000 * USD));
        }
        (height, clock) = (block.number, block.timestamp);
    }

    modifier now_() {
        vm.roll(height);
        vm.warp(clock);
        _;
    }

    function move(uint256 by) external now_ {
        (height, clock) = (height + 1, clock + 1 hours);
        vm.warp(clock);
        (uint256 price,) = feed.latestPrice();
        feed.set(bound(price * bound(by, 92, 109) / 100, 500 * PER_ETHER, 8000 * PER_ETHER));
    }

    function trade(uint256 who, int256 delta) external now_ {
        uint256 account = accounts[who % TRADERS];
        vm.prank(exchange.ownerOf(account));
        try exchange.trade(account, ether_, delta % (20 * ETHER), delta > 0 ? type(uint256).max : 0) {} catch {}
    }

    function place(uint256 who, int256 delta, uint256 trigger, bool isAbove, bool reduces, uint256 tip) external now_ {
        PerpetualOrders.Request memory request = _request(who, delta, trigger, isAbove, tip);
        request.reduces = reduces;
        vm.prank(exchange.ownerOf(request.account));
        placed.push(orders.place(request));
    }

    function bracket(uint256 who, int256 delta, uint256 trigger, uint256 tip) external now_ {
        PerpetualOrders.Request memory one = _request(who, delta, trigger, true, tip);
        one.reduces = true;
        PerpetualOrders.Request memory other = _request(who, delta, trigger / 2, false, tip / 2);
        other.reduces = true;
        vm.prank(exchange.ownerOf(one.account));
        (bytes32 id, bytes32 otherId) = orders.placeBracket(one, other);
        placed.push(id);
        placed.push(otherId);
    }

    function _request(uint256 who, int256 delta, uint256 trigger, bool isAbove, uint256 tip)
        private
        view
        returns (PerpetualOrders.Request memory request)
    {
        delta = delta % (20 * ETHER);
        trigger = bound(trigger, 1000 * PER_ETHER, 4000 * PER_ETHER);
        request = _order(accounts[who % TRADERS], delta == 0 ? ETHER : delta, trigger, isAbove);
        request.tip = bound(tip, 0, 5 * USD);
    }

    /// @dev What is due trades what was foretold, or the exchange refuses; what only reduces does.
    function execute(uint256 which) external now_ {
        if (placed.length == 0) return;
        bytes32 id = placed[which % placed.length];
        PerpetualOrders.Order memory order = _find(id);
        if (order.trader == address(0)) return;
        (bool due, int256 delta,) = orders.next(id);
        int256 before = exchange.positionOf(order.request.account, ether_).size;
        try orders.execute(id) {
            assertTrue(due, "what is executed was due");
            executions += 1;
            int256 later = exchange.positionOf(order.request.account, ether_).size;
            vm.assertEq(later, before + delta, "as foretold");
            if (order.request.reduces) {
                assertTrue(before > 0 ? later >= 0 && later < before : later <= 0 && later > before, "smaller");
            }
        } catch {
            assertTrue(!due || !order.request.reduces, "nothing refuses what is due and reduces");
        }
    }

    function cancel(uint256 which) external now_ {
        if (placed.length == 0) return;
        bytes32 id = placed[which % placed.length];
        PerpetualOrders.Order memory order = _find(id);
        if (order.trader == address(0)) return;
        vm.prank(order.trader);
        orders.cancel(id);
    }

    function _find(bytes32 id) private view returns (PerpetualOrders.Order memory order) {
        try orders.orderOf(id) returns (PerpetualOrders.Order memory found) {
            order = found;
        } catch {}
    }

    /// @dev What lies there, and the tips of all orders.
    function tips() external view returns (uint256 held, uint256 owed) {
        held = usd.balanceOf(address(orders));
        for (uint256 i = 0; i < placed.length; i++) {
            PerpetualOrders.Order memory order = _find(placed[i]);
            owed += order.request.tip;
            if (order.other != 0) vm.assertEq(_find(order.other).other, placed[i], "brackets name each other");
        }
    }
}

contract PerpetualOrdersInvariants is Suite {
    OrdersHandler handler;

    function setUp() public {
        handler = new OrdersHandler();
        target(address(handler));
    }

    function invariant_WhatLiesThereAreTheTipsOfOrders() external view {
        (uint256 held, uint256 owed) = handler.tips();
        vm.assertEq(held, owed, "tips");
    }

    /// @dev The handler gets to executions.
    function test_OrdersAreExecuted() external {
        handler.place(0, 5e18, 2000e24, true, false, 1);
        handler.execute(0);
        handler.bracket(0, -5e18, 2100e24, 1e6);
        handler.move(109);
        handler.execute(1);
        vm.assertEq(handler.executions(), 2, "executed");
        (uint256 held, uint256 owed) = handler.tips();
        vm.assertEq(held, 0, "no tip is left");
        vm.assertEq(owed, 0, "of no order");
    }
}
