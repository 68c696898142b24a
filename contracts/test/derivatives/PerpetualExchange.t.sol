// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {PerpetualSuite} from "./PerpetualSuite.sol";
import {IPerpetualExchange} from "src/derivatives/IPerpetualExchange.sol";
import {PerpetualExchange} from "src/derivatives/PerpetualExchange.sol";
import {PerpetualMath} from "src/derivatives/PerpetualMath.sol";
import {PriceFeed} from "src/lending/PriceFeed.sol";

contract PerpetualExchangeTest is PerpetualSuite {
    uint256 alice;
    uint256 bob;

    function setUp() public {
        _open();
        alice = _fund(account("alice"), 10_000 * USD);
        bob = _fund(account("bob"), 10_000 * USD);
    }

    function _accounts() private view returns (uint256[] memory accounts) {
        accounts = new uint256[](3);
        (accounts[0], accounts[1]) = (alice, bob);
        accounts[2] = exchange.accountOf(address(this), 0);
    }

    // Fills

    function test_AFillHasTheSpreadAndTheImpactOfTheSkew() external {
        // Half of ten in four thousand, and ten basis points.
        vm.assertEq(exchange.quote(ether_, 10 * ETHER), 2000 * PER_ETHER + 2 * PER_ETHER + 2.5 * 1e24, "told");
        vm.assertEq(_trade(alice, 10 * ETHER), 2004.5e24, "first");
        vm.assertEq(_trade(bob, 10 * ETHER), 2004.5e24, "the same for all of the block");
        _pass(2);
        // Now the skew is twenty before and thirty after.
        vm.assertEq(_trade(alice, 10 * ETHER), 2000e24 + 2e24 + 12.5e24, "and more in the next");
        vm.assertEq(_trade(bob, -10 * ETHER), 1998e24, "no impact where it makes the skew smaller");
    }

    function testFuzz_ComingAndGoingCosts(int256 size, uint256 parts, uint256 skew) external {
        uint256 carol = _fund(account("carol"), 1e12 * USD);
        _trade(carol, int256(bound(skew, 1, 400e18)));
        _pass(0);
        size = int256(bound(uint256(size), 1e12, 5e18)) * (size % 2 == 0 ? int256(1) : -1);
        parts = bound(parts, 1, 5);
        for (uint256 i = 0; i < parts; i++) {
            _trade(alice, size / int256(parts));
        }
        _pass(0);
        _trade(alice, -(size / int256(parts)) * int256(parts));
        vm.assertEq(exchange.openMarketsOf(alice), 0, "closed");
        assertTrue(exchange.collateralOf(alice) < 10_000 * USD, "for less than there was");
    }

    function test_RevertWhen_TheFillIsWorseThanTheLimit() external {
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.LimitExceeded.selector, 2004.5e24, 2004e24));
        vm.prank(account("alice"));
        exchange.trade(alice, ether_, 10 * ETHER, 2004e24);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.LimitExceeded.selector, 1995.5e24, 1996e24));
        vm.prank(account("alice"));
        exchange.trade(alice, ether_, -10 * ETHER, 1996e24);
    }

    function test_RevertWhen_TooMuchIsOpen() external {
        uint256 carol = _fund(account("carol"), 1e12 * USD);
        _trade(carol, 999 * ETHER);
        vm.expectRevert(
            abi.encodeWithSelector(IPerpetualExchange.OpenInterestCapped.selector, ether_, uint256(1000e18))
        );
        _trade(alice, 2 * ETHER);
        _trade(alice, -2 * ETHER);
        vm.assertEq(exchange.totalsOf(ether_).longOpen, 999e18, "long");
        vm.assertEq(exchange.totalsOf(ether_).shortOpen, 2e18, "short");
    }

    /// @dev Ten million of cash back five thousand ether at 2000; at 20000 they back half a thousand.
    function test_TheCapFollowsThePool() external {
        for (uint256 dollars = 4000; dollars <= 32_000; dollars *= 2) {
            _passTo(dollars);
        }
        _pass(2);
        exchange.accrue(ether_);
        vm.assertEq(exchange.snapshotOf(ether_).cap, 312.5e18, "ten million at 32000");
    }

    // Gains and losses

    function test_WhatATraderGainsThePoolLoses() external {
        uint256 pool = exchange.pool();
        _trade(alice, 10 * ETHER);
        // Spread, impact, and a fee of five basis points.
        vm.assertEq(_equity(alice), int256(10_000 * USD - 45 * USD - 10 * USD), "at once");
        _passTo(2100);
        _trade(alice, -10 * ETHER);
        // Bought at 2004.5, sold at 2100 less ten basis points, with two seconds of funding.
        uint256 gain = exchange.collateralOf(alice) - 10_000 * USD;
        vm.assertApproxEqAbs(gain, (20_979 - 20_045) * USD - 10 * USD - 10.5e6, 1000, "gain");
        vm.assertApproxEqAbs(pool - exchange.pool(), gain + 20.5e6, 0, "the pool's loss, and fees to the insurance");
        vm.assertEq(exchange.insurance(), 20.5e6, "fees");
        vm.assertEq(exchange.totalsOf(ether_).cost, int256(0), "nothing is left");
        _assertBacked(_accounts());
    }

    function test_APositionTurnsRound() external {
        _trade(alice, 5 * ETHER);
        _passTo(2010);
        _trade(alice, -8 * ETHER);
        IPerpetualExchange.Position memory position = exchange.positionOf(alice, ether_);
        vm.assertEq(position.size, -3 * ETHER, "short");
        vm.assertEq(exchange.totalsOf(ether_).longOpen, 0, "no long");
        vm.assertEq(exchange.totalsOf(ether_).shortOpen, 3e18, "a short");
        vm.assertEq(exchange.totalsOf(ether_).cost, position.cost, "its cost");
        _assertBacked(_accounts());
    }

    function testFuzz_EverythingIsConserved(int256 a, int256 b, uint256 price, uint256 elapsed) external {
        _trade(alice, _size(a));
        _trade(bob, _size(b));
        _pass(bound(elapsed, 0, 30 days));
        price = bound(price, 1800e24, 2200e24);
        feed.set(price);
        exchange.accrue(ether_);
        (uint256 value,) = exchange.poolValue();
        int256 sum = int256(value + exchange.insurance()) + _equity(alice) + _equity(bob);
        vm.assertApproxEqAbs(uint256(sum), usd.balanceOf(address(exchange)), 4, "worths sum up to the money");
        assertTrue(sum <= int256(usd.balanceOf(address(exchange))), "and to no more");
        _assertBacked(_accounts());
    }

    function _size(int256 seed) private pure returns (int256) {
        uint256 size = bound(seed < 0 ? uint256(-(seed / 2)) : uint256(seed), 1e12, 20e18);
        return seed < 0 ? -int256(size) : int256(size);
    }

    /// @dev What makes trades run at once: whoever comes first in a block, everybody gets the same fills, and the same is left.
    function testFuzz_TheOrderWithinABlockDoesNotMatter(int256[4] memory sizes, uint256 price) external {
        price = bound(price, 1900, 2100);
        bytes32 oneWay = _traded(sizes, price, true);
        exchange = new PerpetualExchange(usd, address(this), address(this));
        setUp();
        assertTrue(_traded(sizes, price, false) == oneWay, "the same state");
    }

    function _traded(int256[4] memory sizes, uint256 price, bool aliceFirst) private returns (bytes32) {
        _trade(alice, _size(sizes[0]) / 3);
        _trade(bob, _size(sizes[1]) / 3);
        _passTo(price);
        (uint256 first, uint256 second) = aliceFirst ? (alice, bob) : (bob, alice);
        uint256 fill = _trade(first, _size(sizes[aliceFirst ? 2 : 3]) / 3);
        uint256 other = _trade(second, _size(sizes[aliceFirst ? 3 : 2]) / 3);
        (fill, other) = aliceFirst ? (fill, other) : (other, fill);
        bytes32 accounts = keccak256(
            abi.encode(
                exchange.positionOf(alice, ether_),
                exchange.positionOf(bob, ether_),
                exchange.collateralOf(alice),
                exchange.collateralOf(bob)
            )
        );
        bytes32 totals = keccak256(
            abi.encode(exchange.totalsOf(ether_), exchange.snapshotOf(ether_), exchange.pool(), exchange.insurance())
        );
        return keccak256(abi.encode(fill, other, accounts, totals));
    }

    // Funding

    function test_TheManyPayTheFew() external {
        uint256 carol = _fund(account("carol"), 1_000_000 * USD);
        _trade(carol, 405 * ETHER);
        _trade(bob, -5 * ETHER);
        (int256 long, int256 short) = (_equity(carol), _equity(bob));
        (uint256 value,) = exchange.poolValue();
        _pass(365 days);
        exchange.accrue(ether_);
        // A tenth of the scale: a tenth of the price in a year.
        vm.assertApproxEqAbs(uint256(exchange.fundingOf(ether_)), 200e24, 1e16, "funding");
        vm.assertApproxEqAbs(uint256(long - _equity(carol)), 81_000 * USD, 10, "paid");
        vm.assertApproxEqAbs(uint256(_equity(bob) - short), 1000 * USD, 10, "got");
        (uint256 later,) = exchange.poolValue();
        vm.assertApproxEqAbs(later - value, 80_000 * USD, 10, "the pool gets the rest");
    }

    function test_FundingIsAccruedOnceABlock() external {
        _trade(alice, 10 * ETHER);
        _pass(1000);
        exchange.accrue(ether_);
        int256 funding = exchange.fundingOf(ether_);
        int256 skew = exchange.snapshotOf(ether_).skew;
        _trade(bob, 10 * ETHER);
        exchange.accrue(ether_);
        vm.assertEq(exchange.snapshotOf(ether_).skew, skew, "as the block found it");
        vm.assertEq(exchange.fundingOf(ether_), funding, "nothing more");
        // Another block in the same second: a new skew, and no funding.
        vm.roll(block.number + 1);
        exchange.accrue(ether_);
        vm.assertEq(exchange.snapshotOf(ether_).skew, 20 * ETHER, "both");
        vm.assertEq(exchange.fundingOf(ether_), funding, "no time has passed");
    }

    // Accounts

    function test_CrossMarginIsSharedAndIsolatedIsNot() external {
        PriceFeed other = new PriceFeed(address(this), address(this), 5000, 2000 * PER_ETHER);
        uint256 second = exchange.addMarket(_terms(other));
        _trade(alice, 20 * ETHER);
        _passTo(1700);
        other.set(2000 * PER_ETHER);
        (int256 equity,, uint256 maintenance) = exchange.healthOf(alice);
        assertTrue(equity > int256(maintenance), "holds out");
        vm.expectRevert();
        _tradeIn(second, alice, -20 * ETHER);
        uint256 apart = exchange.accountOf(account("alice"), 1);
        vm.startPrank(account("alice"));
        exchange.deposit(apart, 5000 * USD);
        exchange.setIsolated(apart, true);
        vm.stopPrank();
        _tradeIn(second, apart, -20 * ETHER);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.Isolated.selector, apart));
        _tradeIn(ether_, apart, ETHER);
        _tradeIn(second, apart, -ETHER);
        other.set(3000 * PER_ETHER);
        assertTrue(_equity(apart) < 0, "lost");
        vm.assertEq(_equity(alice), equity, "and nothing of the other account");
    }

    function test_RevertWhen_AnAccountWithSeveralPositionsIsIsolated() external {
        uint256 second = exchange.addMarket(_terms(feed));
        _trade(alice, ETHER);
        vm.startPrank(account("alice"));
        exchange.setIsolated(alice, true);
        exchange.setIsolated(alice, false);
        exchange.trade(alice, second, ETHER, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.Isolated.selector, alice));
        exchange.setIsolated(alice, true);
        vm.stopPrank();
    }

    function test_RevertWhen_AnAccountHasTooManyPositions() external {
        for (uint256 i = 0; i < 8; i++) {
            uint256 market = exchange.addMarket(_terms(feed));
            if (i < 7) _tradeIn(market, alice, ETHER / 10);
        }
        _trade(alice, ETHER / 10);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.TooManyPositions.selector, alice));
        _tradeIn(8, alice, ETHER / 10);
        _trade(alice, -ETHER / 10);
        _tradeIn(8, alice, ETHER / 10);
    }

    function test_MarginMovesBetweenAccountsOfOneOwner() external {
        uint256 second = exchange.accountOf(account("alice"), 7);
        vm.startPrank(account("alice"));
        exchange.move(alice, second, 4000 * USD);
        vm.assertEq(exchange.collateralOf(second), 4000 * USD, "moved");
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NotAllowed.selector, bob, account("alice")));
        exchange.move(alice, bob, 1);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NotAllowed.selector, bob, account("alice")));
        exchange.move(bob, alice, 1);
        vm.stopPrank();
    }

    function test_DelegatesTradeAndTakeNothingOut() external {
        bytes memory notAllowed = abi.encodeWithSelector(IPerpetualExchange.NotAllowed.selector, alice, account("bob"));
        address delegate = account("bob");
        vm.expectRevert(notAllowed);
        vm.prank(delegate);
        exchange.trade(alice, ether_, ETHER, type(uint256).max);
        vm.prank(account("alice"));
        exchange.setDelegate(delegate, true);
        vm.prank(delegate);
        exchange.trade(alice, ether_, ETHER, type(uint256).max);
        vm.expectRevert(notAllowed);
        vm.prank(delegate);
        exchange.withdraw(alice, 1, delegate);
        vm.expectRevert(notAllowed);
        vm.prank(delegate);
        exchange.setIsolated(alice, true);
    }

    function test_RevertWhen_MarginIsNeeded() external {
        address owner = account("alice");
        uint256 before = usd.balanceOf(owner);
        vm.startPrank(owner);
        exchange.withdraw(alice, 1000 * USD, owner);
        vm.assertEq(usd.balanceOf(owner), before + 1000 * USD, "nothing is open");
        vm.expectRevert(
            abi.encodeWithSelector(IPerpetualExchange.InsufficientCollateral.selector, alice, 9000 * USD, 9001 * USD)
        );
        exchange.withdraw(alice, 9001 * USD, owner);
        exchange.trade(alice, ether_, 10 * ETHER, type(uint256).max);
        int256 left = int256(9000 * USD - 55 * USD - 7000 * USD);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.InsufficientMargin.selector, alice, left, 2000 * USD));
        exchange.withdraw(alice, 7000 * USD, owner);
        exchange.withdraw(alice, 6945 * USD, owner);
        vm.expectRevert();
        exchange.trade(alice, ether_, ETHER, type(uint256).max);
        vm.stopPrank();
    }

    function test_RevertWhen_TheFeeIsNotThere() external {
        uint256 poor = _fund(account("poor"), 1 * USD);
        vm.expectRevert(
            abi.encodeWithSelector(IPerpetualExchange.InsufficientCollateral.selector, poor, 1 * USD, 10 * USD)
        );
        _trade(poor, 10 * ETHER);
    }

    function test_RevertWhen_NothingIsGiven() external {
        bytes4 nothing = IPerpetualExchange.NothingGiven.selector;
        vm.startPrank(account("alice"));
        vm.expectRevert(nothing);
        exchange.deposit(alice, 0);
        vm.expectRevert(nothing);
        exchange.withdraw(alice, 0, address(this));
        vm.expectRevert(nothing);
        exchange.trade(alice, ether_, 0, 0);
        vm.expectRevert(nothing);
        exchange.insure(0);
        vm.expectRevert(nothing);
        exchange.addLiquidity(0, address(this));
        vm.expectRevert(nothing);
        exchange.removeLiquidity(0, address(this));
        vm.expectRevert(nothing);
        exchange.collectOwed(alice);
        vm.stopPrank();
    }

    function test_RevertWhen_ASizeIsTooLarge() external {
        int256 size = int256(1 << 104) + 1;
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.SizeTooLarge.selector, size));
        _trade(alice, size);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.SizeTooLarge.selector, -size));
        _trade(alice, -size);
    }

    // Liquidation

    function test_RevertWhen_AnAccountIsHealthy() external {
        _trade(alice, 40 * ETHER);
        (int256 equity,, uint256 maintenance) = exchange.healthOf(alice);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.Healthy.selector, alice, equity, maintenance));
        exchange.liquidate(alice, ether_, 1);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NoPosition.selector, bob, ether_));
        exchange.liquidate(bob, ether_, 1);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NoPosition.selector, bob, ether_));
        exchange.liquidationPrice(bob, ether_);
    }

    function test_ALiquidationClosesWhatItTakesAndNoMore() external {
        _trade(alice, 40 * ETHER);
        _passTo(1840);
        vm.expectRevert(IPerpetualExchange.NothingGiven.selector);
        exchange.liquidate(alice, ether_, 0);
        uint256 closed = exchange.liquidate(alice, ether_, type(uint256).max);
        (int256 equity, uint256 initial,) = exchange.healthOf(alice);
        vm.assertApproxEqAbs(uint256(equity), initial, 3, "has its margin again, and no more was closed");
        assertTrue(closed > 10e18 && closed < 40e18, "a part");
        uint256 reward = exchange.collateralOf(exchange.accountOf(address(this), 0));
        vm.assertApproxEqAbs(reward, closed * 1840 * USD / 1e18 / 100, 1, "a hundredth");
        _assertBacked(_accounts());
    }

    function testFuzz_ALiquidationLeavesNobodyWorse(uint256 price, uint256 size, bool isLong) external {
        _trade(alice, isLong ? 40 * ETHER : -40 * ETHER);
        _pass(2);
        feed.set(bound(price, 1000e24, 3000e24));
        (int256 before, uint256 initial, uint256 maintenance) = exchange.healthOf(alice);
        if (before >= int256(maintenance)) return;
        uint256 closed = exchange.liquidate(alice, ether_, bound(size, 1e12, 100e18));
        (int256 later, uint256 less, uint256 least) = exchange.healthOf(alice);
        assertTrue(closed <= 40e18 && less <= initial && least <= maintenance, "smaller");
        uint256 penalty = closed * exchange.priceOf(ether_) / 1e36 * 2 / 100;
        if (exchange.openMarketsOf(alice) == 0) assertTrue(later >= 0, "no debt is left");
        else assertTrue(later >= before - int256(penalty) - 3, "loses the penalty alone");
        _assertBacked(_accounts());
    }

    function test_TheLiquidationPriceIsWhereItBegins() external {
        _trade(alice, 40 * ETHER);
        _trade(bob, -40 * ETHER);
        _pass(0);
        uint256 long = exchange.liquidationPrice(alice, ether_);
        uint256 short = exchange.liquidationPrice(bob, ether_);
        feed.set(long + 1e18);
        (int256 equity,, uint256 maintenance) = exchange.healthOf(alice);
        assertTrue(equity >= int256(maintenance), "not yet");
        feed.set(long - 1e18);
        (equity,, maintenance) = exchange.healthOf(alice);
        assertTrue(equity < int256(maintenance), "long");
        feed.set(short - 1e18);
        (equity,, maintenance) = exchange.healthOf(bob);
        assertTrue(equity >= int256(maintenance), "not yet");
        feed.set(short + 1e18);
        (equity,, maintenance) = exchange.healthOf(bob);
        assertTrue(equity < int256(maintenance), "short");
    }

    function test_BadDebtIsTheInsurancesFirstAndThenThePools() external {
        exchange.insure(1000 * USD);
        _trade(alice, 40 * ETHER);
        _passTo(1500);
        int256 equity = _equity(alice);
        assertTrue(equity < 0, "has lost more than there was");
        uint256 insured = exchange.insurance();
        (uint256 before,) = exchange.poolValue();
        vm.assertEq(exchange.liquidate(alice, ether_, type(uint256).max), 40e18, "all of it");
        vm.assertEq(exchange.insurance(), 0, "the insurance bears");
        vm.assertEq(exchange.totalDebt(), 0, "written off");
        (uint256 later,) = exchange.poolValue();
        vm.assertApproxEqAbs(before + insured - later, uint256(-equity), 2, "and the pool the rest");
        _assertBacked(_accounts());
    }

    /// @dev A loss that one position owes and another has gained is no bad debt.
    function test_ADebtIsPaidByWhatAnotherPositionGains() external {
        PriceFeed other = new PriceFeed(address(this), address(this), 5000, 2000 * PER_ETHER);
        uint256 second = exchange.addMarket(_terms(other));
        _trade(alice, 20 * ETHER);
        _tradeIn(second, alice, -20 * ETHER);
        _passTo(1400);
        other.set(1450 * PER_ETHER);
        int256 equity = _equity(alice);
        _trade(alice, -20 * ETHER);
        assertTrue(exchange.debtOf(alice) > 0 && exchange.collateralOf(alice) == 0, "owes");
        vm.assertEq(exchange.totalDebt(), exchange.debtOf(alice), "in total");
        _assertBacked(_accounts());
        _tradeIn(second, alice, 20 * ETHER);
        vm.assertEq(exchange.totalDebt(), 0, "paid");
        assertTrue(int256(exchange.collateralOf(alice)) < equity, "spread and fees");
        assertTrue(int256(exchange.collateralOf(alice)) > equity - int256(200 * USD), "nothing else");
        _assertBacked(_accounts());
    }

    function test_ADepositPaysADebtFirst() external {
        PriceFeed other = new PriceFeed(address(this), address(this), 5000, 2000 * PER_ETHER);
        uint256 second = exchange.addMarket(_terms(other));
        _trade(alice, 20 * ETHER);
        _tradeIn(second, alice, -20 * ETHER);
        _passTo(1400);
        other.set(1450 * PER_ETHER);
        _trade(alice, -20 * ETHER);
        (uint256 debt, uint256 pool) = (exchange.debtOf(alice), exchange.pool());
        vm.prank(account("alice"));
        exchange.deposit(alice, debt + 1);
        vm.assertEq(exchange.debtOf(alice), 0, "paid");
        vm.assertEq(exchange.collateralOf(alice), 1, "the rest");
        vm.assertEq(exchange.pool(), pool + debt, "to the pool");
        _assertBacked(_accounts());
    }

    function test_WhatThePoolCannotPayItOwes() external {
        uint256 rich = _fund(account("rich"), 1e7 * USD);
        _trade(rich, 900 * ETHER);
        // Thirty million of gain against ten million.
        for (uint256 dollars = 4000; dollars <= 32_000; dollars *= 2) {
            _passTo(dollars);
        }
        (uint256 value,) = exchange.poolValue();
        vm.assertEq(value, 0, "worth nothing");
        vm.expectRevert(IPerpetualExchange.PoolExhausted.selector);
        exchange.addLiquidity(1e6 * USD, address(this));
        _trade(rich, -900 * ETHER);
        vm.assertEq(exchange.pool(), 0, "everything is paid out");
        uint256 owed = exchange.owedTo(rich);
        assertTrue(owed > 15e6 * USD, "and the rest owed");
        vm.assertEq(exchange.totalOwed(), owed, "in total");
        // Somebody loses, and what is owed is paid.
        _pass(2);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.OpenInterestCapped.selector, ether_, 0));
        _trade(bob, ETHER / 10);
        vm.expectRevert(IPerpetualExchange.NothingGiven.selector);
        exchange.collectOwed(rich);
    }

    function test_WhatIsOwedIsPaidLater() external {
        uint256 rich = _fund(account("rich"), 1e7 * USD);
        _trade(rich, 900 * ETHER);
        _trade(bob, -2 * ETHER);
        for (uint256 dollars = 4000; dollars <= 16_000; dollars *= 2) {
            _passTo(dollars);
        }
        _trade(rich, -900 * ETHER);
        uint256 owed = exchange.owedTo(rich);
        exchange.liquidate(bob, ether_, type(uint256).max);
        uint256 cash = exchange.pool();
        assertTrue(cash > 0 && cash < owed, "a loser's margin");
        vm.assertEq(exchange.collectOwed(rich), cash, "paid");
        vm.assertEq(exchange.owedTo(rich), owed - cash, "the rest later");
        vm.assertEq(exchange.totalOwed(), owed - cash, "in total");
    }

    /// @dev What the pool owes an account counts for it, and pays what it loses.
    function test_WhatIsOwedCoversALoss() external {
        uint256 rich = _fund(account("rich"), 1e7 * USD);
        uint256 second = exchange.addMarket(_terms(feed));
        _trade(rich, 900 * ETHER);
        _tradeIn(second, rich, -800 * ETHER);
        for (uint256 dollars = 4000; dollars <= 32_000; dollars *= 2) {
            _passTo(dollars);
        }
        (int256 equity,,) = exchange.healthOf(rich);
        _trade(rich, -900 * ETHER);
        uint256 owed = exchange.totalOwed();
        assertTrue(owed > 0, "owed");
        _tradeIn(second, rich, 800 * ETHER);
        assertTrue(exchange.totalOwed() < owed, "used");
        (int256 later,,) = exchange.healthOf(rich);
        assertTrue(later <= equity && later > equity - 1e6 * 1e6, "the same but for spreads");
        vm.assertEq(exchange.totalDebt(), 0, "no debt");
    }

    // What traders have gained beyond what stands for it

    /// @dev A long of 900 ether at `dollars`, which went up from 2000.
    function _rise(uint256 dollars) private returns (uint256 rich) {
        rich = _fund(account("rich"), 1e7 * USD);
        _trade(rich, 900 * ETHER);
        for (uint256 now_ = 3000; now_ < dollars; now_ += now_ / 3) {
            _passTo(now_);
        }
        _passTo(dollars);
    }

    /// @dev It is noted that gains are not covered, and the time of every rank comes.
    function _waitForRanks() private {
        assertFalse(exchange.noteCoverage(), "not covered");
        _pass(PerpetualMath.ALL_RANKS_AFTER);
        vm.assertEq(exchange.rankNeeded(), 0, "all ranks");
    }

    function test_AGainBeyondWhatIsCoveredIsClosed() external {
        uint256 rich = _rise(10_000);
        _waitForRanks();
        (int256 gained, uint256 covered) = exchange.coverage();
        vm.assertEq(covered, exchange.pool() * 6 / 10 + exchange.insurance(), "six tenths and the insurance");
        assertTrue(gained > int256(covered), "more than that");
        (int256 equity,,) = exchange.healthOf(rich);
        uint256 fund = exchange.insurance();
        vm.prank(account("keeper"));
        uint256 closed = exchange.deleverage(rich, ether_, type(uint256).max);
        assertTrue(closed > 0 && closed < 900e18, "a part");
        vm.assertEq(exchange.positionOf(rich, ether_).size, int256(900e18 - closed), "of it");
        (int256 later,,) = exchange.healthOf(rich);
        assertTrue(later <= equity && later >= equity - 1, "nothing is taken");
        vm.assertEq(exchange.insurance(), fund, "no fee");
        vm.assertEq(exchange.collateralOf(exchange.accountOf(account("keeper"), 0)), 0, "nor a reward");
        (gained, covered) = exchange.coverage();
        assertTrue(gained <= int256(covered), "covered");
        vm.assertApproxEqAbs(uint256(gained), covered, 1e6, "and no more was closed than that takes");
        vm.assertEq(exchange.uncoveredSince(), 0, "and noted");
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.Covered.selector, gained, covered));
        exchange.deleverage(rich, ether_, 1);
    }

    /// @dev A little at a time comes to the same, whoever does it.
    function testFuzz_DeleveragingEndsWhereGainsAreCovered(uint256 dollars, uint256 other, uint256 part) external {
        uint256 rich = _fund(account("rich"), 1e7 * USD);
        uint256 poor = _fund(account("poor"), 1e8 * USD);
        _trade(rich, 900 * ETHER);
        _trade(poor, -int256(bound(other, 1e15, 800e18)));
        for (uint256 now_ = 3000; now_ < 25_000; now_ += now_ / 3) {
            _passTo(now_);
        }
        _passTo(bound(dollars, 25_000, 36_000));
        exchange.noteCoverage();
        _pass(PerpetualMath.ALL_RANKS_AFTER);
        part = bound(part, 50e18, 900e18);
        int256 before = _equity(rich);
        for (uint256 i = 0; i < 20; i++) {
            (int256 gained, uint256 covered) = exchange.coverage();
            IPerpetualExchange.Totals memory totals = exchange.totalsOf(ether_);
            if (gained <= int256(covered) || totals.longOpen <= totals.shortOpen) break;
            exchange.deleverage(rich, ether_, part);
        }
        (int256 left, uint256 cover) = exchange.coverage();
        IPerpetualExchange.Totals memory now2 = exchange.totalsOf(ether_);
        assertTrue(left <= int256(cover) || now2.longOpen == now2.shortOpen, "covered, or nothing more to win");
        assertTrue(now2.longOpen >= now2.shortOpen, "no further than the other side");
        int256 equity = _equity(rich);
        assertTrue(equity <= before && equity >= before - 20, "nothing is taken but roundings");
        uint256[] memory accounts = new uint256[](2);
        (accounts[0], accounts[1]) = (rich, poor);
        uint256 held = exchange.pool() + exchange.insurance() + exchange.collateralOf(rich)
            + exchange.collateralOf(poor) + exchange.collateralOf(alice) + exchange.collateralOf(bob);
        vm.assertEq(usd.balanceOf(address(exchange)), held, "all money is somebody's");
    }

    function test_RevertWhen_ClosingWouldNotHelp() external {
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NoPosition.selector, alice, ether_));
        exchange.deleverage(alice, ether_, 1);
        uint256 poor = _fund(account("poor"), 1e8 * USD);
        _trade(poor, -10 * ETHER);
        uint256 rich = _rise(10_000);
        // A short has lost, and a long that came late too.
        int256 skew = 890 * ETHER;
        vm.expectRevert(
            abi.encodeWithSelector(
                IPerpetualExchange.NotDeleveraged.selector, poor, ether_, _gainOf(poor, -10 * ETHER), skew
            )
        );
        exchange.deleverage(poor, ether_, 1);
        _trade(poor, 9 * ETHER);
        uint256 late = _fund(account("late"), 1e8 * USD);
        _passTo(10_000);
        _waitForRanks();
        vm.expectRevert(IPerpetualExchange.NothingGiven.selector);
        exchange.deleverage(rich, ether_, 0);
        int256 size = -2 * ETHER;
        _trade(late, size);
        _passTo(9900);
        int256 gain = _gainOf(late, size);
        assertTrue(gain > 0, "a short that gains");
        skew = 897 * ETHER;
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NotDeleveraged.selector, late, ether_, gain, skew));
        exchange.deleverage(late, ether_, 1);
    }

    // Whose turn it is

    /// @dev Longs of different leverage, entered at different prices, and the price at which they are more than what covers them.
    function _crowd() private returns (uint256[] memory crowd) {
        crowd = new uint256[](4);
        uint24[4] memory margins = [1_000_000, 150_000, 2_500_000, 300_000];
        for (uint256 i = 0; i < 4; i++) {
            crowd[i] = _fund(address(uint160(7000 + i)), margins[i] * USD);
            _trade(crowd[i], 230 * ETHER);
            if (i % 2 == 1) _passTo(2000 + 500 * i);
        }
        _passTo(6000);
        _passTo(10_500);
    }

    /// @dev Somebody tries to close everybody, in any order, every second: the highest rank comes first, and each only once those above it were not enough.
    function test_TheHighestRankIsClosedFirst() external {
        uint256[] memory crowd = _crowd();
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NotRanked.selector, 0));
        exchange.deleverage(crowd[0], ether_, 1);
        assertFalse(exchange.noteCoverage(), "not covered");
        uint256 last = type(uint256).max;
        uint256 closings = 0;
        for (uint256 second = 0; second < 300 && exchange.uncoveredSince() != 0; second++) {
            for (uint256 i = 0; i < crowd.length; i++) {
                if (exchange.positionOf(crowd[i], ether_).size == 0 || exchange.uncoveredSince() == 0) continue;
                (uint256 rank, uint256 needed) = (exchange.rankOf(crowd[i], ether_), exchange.rankNeeded());
                if (rank < needed) {
                    vm.expectRevert(
                        abi.encodeWithSelector(IPerpetualExchange.RankTooLow.selector, crowd[i], ether_, rank, needed)
                    );
                    exchange.deleverage(crowd[i], ether_, type(uint256).max);
                    continue;
                }
                for (uint256 j = 0; j < crowd.length; j++) {
                    if (exchange.positionOf(crowd[j], ether_).size == 0) continue;
                    assertTrue(exchange.rankOf(crowd[j], ether_) <= rank, "nobody above it is left");
                }
                assertTrue(rank <= last, "in order");
                exchange.deleverage(crowd[i], ether_, type(uint256).max);
                (last, closings) = (rank, closings + 1);
            }
            vm.warp(block.timestamp + 1);
        }
        assertTrue(closings >= 2, "several");
        (int256 gained, uint256 covered) = exchange.coverage();
        assertTrue(gained <= int256(covered), "covered");
        assertTrue(exchange.positionOf(crowd[2], ether_).size == 230 * ETHER, "the lowest has not been touched");
    }

    function test_TheRanksBeginAnewAfterAWhile() external {
        uint256 rich = _rise(10_000);
        assertFalse(exchange.noteCoverage(), "not covered");
        uint256 since = block.timestamp;
        vm.assertEq(exchange.rankNeeded(), 100e18, "the first");
        _pass(10);
        vm.assertEq(exchange.rankNeeded(), 50e18, "half");
        _pass(5);
        vm.assertEq(exchange.rankNeeded(), 37.5e18, "between the halves");
        assertFalse(exchange.noteCoverage(), "no other beginning");
        vm.assertEq(exchange.uncoveredSince(), since, "the same");
        _pass(15 minutes - 15);
        vm.assertEq(exchange.rankNeeded(), 0, "everybody");
        _pass(1);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NotRanked.selector, since));
        exchange.rankNeeded();
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NotRanked.selector, since));
        exchange.deleverage(rich, ether_, 1);
        assertFalse(exchange.noteCoverage(), "anew");
        vm.assertEq(exchange.uncoveredSince(), block.timestamp, "now");
        exchange.insure(1e9 * USD);
        assertTrue(exchange.noteCoverage(), "covered by a gift");
        vm.assertEq(exchange.uncoveredSince(), 0, "ended");
        assertTrue(exchange.noteCoverage(), "and still");
    }

    /// @dev Bought at 2000 and at 10,000 now: a gain of four times the entry, at a leverage of nine million by what the account has.
    function test_ARankIsProfitTimesLeverage() external {
        uint256 rich = _rise(10_000);
        uint256 expected = uint256(_gainOf(rich, 0)) * 1e18 / (9e6 * USD - uint256(_gainOf(rich, 0)));
        expected = expected * 9e6 * USD / uint256(_equity(rich));
        vm.assertApproxEqAbs(exchange.rankOf(rich, ether_), expected, 1e6, "four times a half");
        assertTrue(expected > 1.5e18 && expected < 3e18, "about two");
        uint256 poor = _fund(account("poor"), 1e8 * USD);
        _trade(poor, -10 * ETHER);
        vm.assertEq(exchange.rankOf(poor, ether_), 0, "nothing gained");
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NoPosition.selector, alice, ether_));
        exchange.rankOf(alice, ether_);
    }

    /// @dev What a position would settle at: what the account has beyond its collateral.
    function _gainOf(uint256 account, int256) private view returns (int256) {
        return _equity(account) - int256(exchange.collateralOf(account));
    }

    /// @dev The insurance fund pays what the pool has no cash for; then it is owed.
    function test_TheInsurancePaysGainsThatThePoolCannot() external {
        exchange.insure(1e6 * USD);
        uint256 rich = _rise(20_000);
        (int256 equity,,) = exchange.healthOf(rich);
        _trade(rich, -900 * ETHER);
        vm.assertEq(exchange.pool(), 0, "no cash");
        // The fee of the closing trade comes after its gain.
        uint256 fee = 900 * 20_000 * USD * 5 / 10_000;
        vm.assertEq(exchange.insurance(), fee, "nor insurance but that");
        assertTrue(exchange.owedTo(rich) > 0, "the rest is owed");
        uint256 got = exchange.collateralOf(rich) + exchange.owedTo(rich);
        assertTrue(int256(got) <= equity && int256(got) > equity * 97 / 100, "spread and impact");
        uint256 held = exchange.insurance() + exchange.collateralOf(rich) + exchange.collateralOf(alice)
            + exchange.collateralOf(bob);
        vm.assertEq(usd.balanceOf(address(exchange)), held, "all money is somebody's");
    }

    // What may go wrong around it

    function test_TheGuardianStopsWhatComesInOnly() external {
        _trade(alice, 10 * ETHER);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.NotGuardian.selector, account("bob")));
        vm.prank(account("bob"));
        exchange.setStopped(true);
        exchange.setStopped(true);
        vm.expectRevert(IPerpetualExchange.Stopped.selector);
        _trade(alice, ETHER);
        vm.expectRevert(IPerpetualExchange.Stopped.selector);
        _trade(alice, -11 * ETHER);
        vm.expectRevert(IPerpetualExchange.Stopped.selector);
        exchange.addLiquidity(1, address(this));
        _trade(alice, -4 * ETHER);
        _trade(alice, -6 * ETHER);
        uint256 left = exchange.collateralOf(alice);
        vm.prank(account("alice"));
        exchange.withdraw(alice, left, account("alice"));
        exchange.setStopped(false);
        _trade(bob, ETHER);
    }

    function test_RevertWhen_ThePriceIsOld() external {
        _trade(alice, 10 * ETHER);
        (, uint256 updatedAt) = feed.latestPrice();
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + 1 hours + 1);
        bytes memory stale = abi.encodeWithSelector(IPerpetualExchange.StalePrice.selector, ether_, updatedAt);
        vm.expectRevert(stale);
        _trade(alice, -1 * ETHER);
        vm.expectRevert(stale);
        exchange.liquidate(alice, ether_, 1);
        vm.expectRevert(stale);
        vm.prank(account("alice"));
        exchange.withdraw(alice, 1, account("alice"));
        vm.expectRevert(stale);
        exchange.addLiquidity(1, address(this));
        // Who has no position is not concerned.
        vm.prank(account("bob"));
        exchange.withdraw(bob, 10_000 * USD, account("bob"));
    }

    function test_AMarketWithoutAPriceIsWoundDown() external {
        _trade(alice, 10 * ETHER);
        _pass(10);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.StillPriced.selector, ether_));
        exchange.windDown(ether_);
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + 3 days - 1);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.StillPriced.selector, ether_));
        exchange.windDown(ether_);
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + 1);
        exchange.windDown(ether_);
        int256 funding = exchange.fundingOf(ether_);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.MarketEnded.selector, ether_));
        exchange.windDown(ether_);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.MarketEnded.selector, ether_));
        _trade(bob, 1 * ETHER);
        // A price that comes back changes nothing any more.
        _passTo(5000);
        uint256 insured = exchange.insurance();
        vm.assertEq(_trade(alice, -10 * ETHER), 2000 * PER_ETHER, "the last price");
        vm.assertEq(exchange.insurance(), insured, "no fee");
        vm.assertEq(exchange.fundingOf(ether_), funding, "no funding");
        _assertBacked(_accounts());
    }

    function test_AnOracleThatFailsIsOneWithoutAPrice() external {
        _trade(alice, ETHER);
        _pass(2);
        vm.etch(address(feed), hex"60006000fd");
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.StalePrice.selector, ether_, 0));
        exchange.priceOf(ether_);
        vm.warp(block.timestamp + 3 days);
        exchange.windDown(ether_);
        _trade(alice, -ETHER);
    }

    function test_APriceOutOfRangeIsNone() external {
        _trade(alice, ETHER);
        _pass(2);
        exchange.accrue(ether_);
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + 3 days);
        feed.set(1 << 136);
        exchange.windDown(ether_);
        vm.assertEq(_trade(alice, -ETHER), 2000 * PER_ETHER, "the last in range");
    }

    function test_RevertWhen_APriceIsOutOfRange() external {
        feed.set(1 << 136);
        vm.expectRevert(abi.encodeWithSelector(IPerpetualExchange.PriceOutOfRange.selector, ether_, 1 << 136));
        exchange.priceOf(ether_);
        feed.set((1 << 136) - 1);
        vm.assertEq(exchange.priceOf(ether_), (1 << 136) - 1, "the highest");
    }

    // Markets

    function test_RevertWhen_AMarketIsUnknown() external {
        bytes memory unknown = abi.encodeWithSelector(IPerpetualExchange.UnknownMarket.selector, 1);
        vm.expectRevert(unknown);
        exchange.accrue(1);
        vm.expectRevert(unknown);
        exchange.priceOf(1);
        vm.expectRevert(unknown);
        _tradeIn(1, alice, ETHER);
    }

    function test_RevertWhen_OthersAddMarkets() external {
        vm.expectRevert(abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", account("bob")));
        vm.prank(account("bob"));
        exchange.addMarket(_terms(feed));
        for (uint256 i = 1; i < 16; i++) {
            exchange.addMarket(_terms(feed));
        }
        vm.expectRevert(IPerpetualExchange.TooManyMarkets.selector);
        exchange.addMarket(_terms(feed));
    }

    function test_RevertWhen_TermsMakeNoSense() external {
        IPerpetualExchange.Terms[13] memory wrong;
        for (uint256 i = 0; i < 13; i++) {
            wrong[i] = _terms(feed);
        }
        wrong[0].penaltyBasis = 500;
        wrong[1].maintenanceBasis = 1000;
        wrong[2].initialBasis = 10_001;
        wrong[3].spreadBasis = 1001;
        wrong[4].feeBasis = 1001;
        wrong[5].openCap = 0;
        wrong[6].openCap = 1000e18 + 1;
        (wrong[7].openCap, wrong[7].skewScale) = ((1 << 104) + 1, type(uint112).max);
        wrong[8].maxFundingRate = uint96(10 * RAY / uint256(365 days) + 1);
        wrong[9].backingBasis = 0;
        wrong[10].backingBasis = 1_000_001;
        wrong[11].skewScale = 0;
        wrong[12].maintenanceBasis = 200;
        for (uint256 i = 0; i < 13; i++) {
            vm.expectRevert(IPerpetualExchange.InvalidTerms.selector);
            exchange.addMarket(wrong[i]);
        }
        vm.assertEq(exchange.termsOf(ether_).openCap, 1000e18, "those of the first stay");
        vm.assertEq(exchange.marketCount(), 1, "none was added");
    }
}
