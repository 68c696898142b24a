// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {Market} from "./Market.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";
import {BatchPool} from "src/dex/BatchPool.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {CurveMath} from "src/dex/CurveMath.sol";
import {LiquidityPool} from "src/dex/LiquidityPool.sol";

contract BatchPoolTest is Market {
    uint256 constant R0 = 1e24;
    uint256 constant R1 = 4e24;

    BatchPool pool;
    address lp = account("lp");
    address alice = account("alice");
    address bob = account("bob");
    address carol = account("carol");

    function setUp() public {
        vm.roll(100);
        pool = _pool();
    }

    function _pool() private returns (BatchPool made) {
        made = new BatchPool(vault, token0, token1, FEE, 1);
        _fund(lp, address(made), 1e30);
        _fund(alice, address(made), 1e30);
        _fund(bob, address(made), 1e30);
        _fund(carol, address(made), 1e30);
        _provide(made, lp, R0, R1);
    }

    function _order(BatchPool at, address trader, address tokenIn, uint256 amount, uint256 least)
        private
        returns (uint256)
    {
        vm.prank(trader);
        return at.placeOrder(tokenIn, amount, least, trader);
    }

    function _order(address trader, address tokenIn, uint256 amount, uint256 least) private returns (uint256) {
        return _order(pool, trader, tokenIn, amount, least);
    }

    function _nextBatch() private {
        vm.roll(block.number + 1);
    }

    // One price

    function test_AloneAnOrderGetsWhatTheCurveGives() external {
        uint256 expected = CurveMath.amountOutDown(1e21, R0, R1, FEE);
        vm.assertEq(pool.quote(token0, 1e21), expected, "quote");
        uint256 batch = _order(alice, token0, 1e21, 0);
        _nextBatch();
        (uint256 out, uint256 refunded) = pool.claim(batch, token0, alice);
        vm.assertEq(out, expected, "out");
        vm.assertEq(refunded, 0, "refunded");
    }

    function test_EqualSidesMatchWithoutFee() external {
        uint256 batch = _order(alice, token0, 1e21, 0);
        _order(bob, token1, 4e21, 0);
        _nextBatch();
        (uint256 outA,) = pool.claim(batch, token0, alice);
        (uint256 outB,) = pool.claim(batch, token1, bob);
        vm.assertEq(outA, 4e21, "alice");
        vm.assertEq(outB, 1e21, "bob");
        vm.assertEq(pool.reserve0(), R0, "the curve was not needed");
        vm.assertEq(pool.reserve1(), R1, "nor here");
    }

    /// @dev The excess alone meets the curve, at the price that everyone gets.
    function testFuzz_EveryoneGetsOnePrice(uint256 x, uint256 y, uint256 part) external {
        x = bound(x, 1e6, 1e26);
        y = bound(y, 1e6, 1e26);
        part = bound(part, 1, x - 1);
        uint256 batch = _order(alice, token0, part, 0);
        _order(bob, token0, x - part, 0);
        _order(carol, token1, y, 0);
        uint256 product = pool.reserve0() * pool.reserve1();
        _nextBatch();
        pool.accrue();
        (uint256 in0, uint256 out1, uint256 in1, uint256 out0) = pool.outcomeOf(batch);
        vm.assume(in0 == x && in1 == y);
        assertTrue(pool.reserve0() * pool.reserve1() >= product, "product");
        vm.assertEq(pool.reserve0(), R0 + x - out0, "reserve 0");
        vm.assertEq(pool.reserve1(), R1 + y - out1, "reserve 1");
        // x * y = out1 * out0 but for rounding: both sides have the same price.
        assertTrue(out1 * out0 <= x * y, "not more than the price");
        assertTrue((out1 + 1) * (out0 + 1) > x * y, "nor less");
        (uint256 outA,) = pool.claim(batch, token0, alice);
        (uint256 outB,) = pool.claim(batch, token0, bob);
        vm.assertEq(outA, part * out1 / x, "alice's part");
        vm.assertApproxEqAbs(outA + outB, out1, 1, "all of it, but for rounding");
        _assertBacked(pool);
    }

    /// @dev The formula of the clearing against the curve: what the curve gives for the excess at its own rules.
    function testFuzz_TheExcessMeetsTheCurve(uint256 x, uint256 y) external {
        x = bound(x, 1e18, 1e24);
        y = bound(y, 0, x * 39 / 10);
        uint256 batch = _order(alice, token0, x, 0);
        if (y != 0) _order(bob, token1, y, 0);
        _nextBatch();
        pool.accrue();
        (, uint256 out1,, uint256 out0) = pool.outcomeOf(batch);
        if (y != 0 && out0 == 0) return; // too little to match
        uint256 taken = x - out0;
        uint256 given = out1 - y;
        uint256 byCurve = CurveMath.amountOutDown(taken, R0, R1, FEE);
        assertTrue(given <= byCurve, "the curve gives no more than it would");
        vm.assertApproxEqAbs(given, byCurve, 10, "and no less but for rounding");
    }

    function testFuzz_TheOrderOfOrdersDoesNotMatter(uint256[5] calldata seeds) external {
        BatchPool other = _pool();
        address[3] memory traders = [alice, bob, carol];
        for (uint256 i = 0; i < 5; i++) {
            _orderBySeed(pool, traders[seeds[i] % 3], seeds[i]);
        }
        for (uint256 i = 5; i > 0; i--) {
            _orderBySeed(other, traders[seeds[i - 1] % 3], seeds[i - 1]);
        }
        uint256 batch = pool.currentBatch();
        _nextBatch();
        for (uint256 i = 0; i < 3; i++) {
            (uint256 out, uint256 back) = pool.claim(batch, token0, traders[i]);
            (uint256 otherOut, uint256 otherBack) = other.claim(batch, token0, traders[i]);
            assertTrue(out == otherOut && back == otherBack, "token 0");
            (out, back) = pool.claim(batch, token1, traders[i]);
            (otherOut, otherBack) = other.claim(batch, token1, traders[i]);
            assertTrue(out == otherOut && back == otherBack, "token 1");
        }
        vm.assertEq(pool.reserve0(), other.reserve0(), "reserve 0");
        vm.assertEq(pool.reserve1(), other.reserve1(), "reserve 1");
    }

    function _orderBySeed(BatchPool at, address trader, uint256 seed) private {
        bool first = (seed >> 8) & 1 == 0;
        uint256 amount = bound(seed >> 16, 1e6, 1e25);
        uint256 fair = first ? amount * R1 / R0 : amount * R0 / R1;
        uint256 least = fair * (10_000 - bound((seed >> 9) & 0xff, 1, 250) * 10) / 10_000;
        _order(at, trader, first ? token0 : token1, amount, least);
    }

    // Limits

    /// @dev Whatever others do, an order gets its limit or its tokens back.
    function testFuzz_ALimitHolds(uint256 amount, uint256 slack, uint256 against, uint256 with) external {
        amount = bound(amount, 1, 1e25);
        uint256 fair = amount * R1 / R0;
        uint256 least = fair * (10_000 - bound(slack, 10, 10_000)) / 10_000;
        uint256 batch = _order(alice, token0, amount, least);
        _order(bob, token0, bound(against, 1, 1e26), 0);
        _order(carol, token1, bound(with, 1, 1e26), 0);
        (uint256 promised, uint256 promisedBack) = pool.claimable(batch, token0, alice);
        _nextBatch();
        (uint256 out, uint256 refunded) = pool.claim(batch, token0, alice);
        assertTrue((refunded == amount && out == 0) || (refunded == 0 && out >= least), "limit or refund");
        assertTrue(out == promised && refunded == promisedBack, "as foreseen");
    }

    function test_WhoseLimitIsTooTightIsLeftOutAndTheRestTrades() external {
        uint256 batch = _order(alice, token0, 1e22, 4e22 * 999 / 1000);
        _order(bob, token0, 1e23, 0);
        _nextBatch();
        (uint256 out, uint256 refunded) = pool.claim(batch, token0, alice);
        vm.assertEq(out, 0, "alice waits");
        vm.assertEq(refunded, 1e22, "and has her tokens");
        (out, refunded) = pool.claim(batch, token0, bob);
        vm.assertEq(out, CurveMath.amountOutDown(1e23, R0, R1, FEE), "bob trades as if she was not there");
        vm.assertEq(refunded, 0, "all of it");
    }

    function test_RevertWhen_TheLimitIsBeyondTheOpeningPrice() external {
        // The tightest tolerance is a thousandth: 3.996 for one.
        vm.expectRevert(abi.encodeWithSelector(BatchPool.LimitBeyondOpening.selector, 3.9961e18, 3.996e18));
        _order(alice, token0, 1e18, 3.9961e18);
        vm.expectRevert(abi.encodeWithSelector(BatchPool.LimitBeyondOpening.selector, 0.2498e18, 0.24975e18));
        _order(alice, token1, 1e18, 0.2498e18);
    }

    function test_ThePriceOfABatchIsThatAtWhichItOpened() external {
        _order(alice, token0, 1e23, 0);
        _nextBatch();
        // The first toucher clears and opens; the limit is against the new price.
        uint256 batch = _order(bob, token0, 1e18, 0);
        (uint128 open0, uint128 open1) = pool.openings(batch);
        vm.assertEq(open0, pool.reserve0(), "reserve 0");
        vm.assertEq(open1, pool.reserve1(), "reserve 1");
        assertTrue(open0 == R0 + 1e23, "after the batch before");
    }

    function test_TolerancesAreTold() external view {
        uint256 last;
        for (uint256 class = 0; class < pool.CLASSES(); class++) {
            assertTrue(pool.tolerance(class) > last, "wider and wider");
            last = pool.tolerance(class);
        }
        vm.assertEq(last, 10_000, "the last has no limit");
    }

    // Sandwiches

    /// @dev Against a pool that trades at once the attack pays, so the attack is one. Against batches it loses.
    function test_ASandwichPaysAtOnceAndLosesInBatches() external {
        ConstantProductPool instant = new ConstantProductPool(vault, token0, token1, FEE);
        _fund(lp, address(instant), 1e30);
        _fund(alice, address(instant), 1e30);
        _fund(bob, address(instant), 1e30);
        _provide(instant, lp, R0, R1);
        vm.prank(bob);
        uint256 bought = instant.swap(token0, 1e23, 0, bob);
        vm.prank(alice);
        instant.swap(token0, 1e23, 0, alice);
        vm.prank(bob);
        assertTrue(instant.swap(token1, bought, 0, bob) > 1e23, "it pays");

        uint256 batch = _order(bob, token0, 1e23, 0);
        _order(alice, token0, 1e23, 0);
        // In the same batch both legs have one price.
        _order(bob, token1, 3e23, 0);
        _nextBatch();
        (uint256 out1,) = pool.claim(batch, token0, bob);
        (uint256 out0,) = pool.claim(batch, token1, bob);
        (uint256 victim,) = pool.claim(batch, token0, alice);
        vm.assertApproxEqAbs(out1, victim, 1, "the attacker buys at the victim's price");
        // At that price, out1 / 1e23, the other leg brings no more than it cost.
        assertTrue(out0 * out1 <= 1e23 * 3e23, "and gains nothing");
    }

    /// @dev Who buys in the victim's batch and sells in the next gains still, if nobody else sells then: half of what a pool
    /// that trades at once would have given. Batches do not hide orders; they take the advantage of being first.
    function test_ASandwichOverTwoBatchesGainsHalf() external {
        // Without a fee, so that the two can be compared.
        ConstantProductPool instant = new ConstantProductPool(vault, token0, token1, 0);
        BatchPool free = new BatchPool(vault, token0, token1, 0, 1);
        address[3] memory all = [lp, alice, bob];
        for (uint256 i = 0; i < 3; i++) {
            _fund(all[i], address(instant), 1e27);
            _fund(all[i], address(free), 1e27);
        }
        _provide(instant, lp, R0, R1);
        _provide(free, lp, R0, R1);
        vm.prank(bob);
        uint256 bought = instant.swap(token0, 1e22, 0, bob);
        vm.prank(alice);
        instant.swap(token0, 1e22, 0, alice);
        vm.prank(bob);
        uint256 atOnce = instant.swap(token1, bought, 0, bob) - 1e22;

        uint256 batch = _order(free, bob, token0, 1e22, 0);
        _order(free, alice, token0, 1e22, 0);
        _nextBatch();
        (bought,) = free.claim(batch, token0, bob);
        batch = _order(free, bob, token1, bought, 0);
        _nextBatch();
        (uint256 back,) = free.claim(batch, token1, bob);
        assertTrue(back - 1e22 < atOnce * 52 / 100, "half");
    }

    /// @dev Who gets into an earlier batch than the victim moves the price; the victim's limit, made before, is not met
    /// then, and the order is refused or given back.
    function testFuzz_AnAttackFromAnEarlierBatchMeetsTheLimit(uint256 attack) external {
        attack = bound(attack, 1e22, 1e26);
        uint256 least = pool.quote(token0, 1e20) * 999 / 1000;
        uint256 batch = _order(bob, token0, attack, 0);
        _nextBatch();
        vm.prank(alice);
        try pool.placeOrder(token0, 1e20, least, alice) returns (uint256 placed) {
            _nextBatch();
            (uint256 out, uint256 refunded) = pool.claim(placed, token0, alice);
            assertTrue(out >= least || refunded == 1e20, "limit or refund");
        } catch (bytes memory reason) {
            assertTrue(bytes4(reason) == BatchPool.LimitBeyondOpening.selector, "refused");
        }
        _nextBatch();
        pool.claim(batch, token0, bob);
    }

    function testFuzz_BothLegsInOneBatchGainNothing(uint256 in0, uint256 in1, uint256 victim) external {
        in0 = bound(in0, 1e12, 1e25);
        in1 = bound(in1, 1e12, 1e25);
        uint256 batch = _order(bob, token0, in0, 0);
        _order(bob, token1, in1, 0);
        _order(alice, token0, bound(victim, 1e12, 1e25), 0);
        _nextBatch();
        (uint256 out1, uint256 back0) = pool.claim(batch, token0, bob);
        (uint256 out0, uint256 back1) = pool.claim(batch, token1, bob);
        vm.assume(back0 == 0 && back1 == 0);
        // At the one price p the legs are worth what they bring: out1 = in0 p and out0 = in1 / p.
        assertTrue(out1 * out0 <= in0 * in1, "no gain");
    }

    // Claims

    function test_AClaimIsPaidOnce() external {
        uint256 batch = _order(alice, token0, 1e21, 0);
        _nextBatch();
        vm.prank(bob);
        (uint256 out,) = pool.claim(batch, token0, alice);
        vm.assertEq(vault.balanceOf(alice, id1), 1e30 + out, "credited, whoever asks");
        (uint256 again, uint256 refunded) = pool.claim(batch, token0, alice);
        vm.assertEq(again + refunded, 0, "once");
    }

    function test_OrdersOfOneTraderAddUp() external {
        uint256 batch = _order(alice, token0, 1e21, 0);
        _order(alice, token0, 2e21, 0);
        _nextBatch();
        (uint256 out,) = pool.claim(batch, token0, alice);
        vm.assertEq(out, CurveMath.amountOutDown(3e21, R0, R1, FEE), "as one");
    }

    function test_AnOrderMayBeForSomebodyElse() external {
        vm.prank(bob);
        uint256 batch = pool.placeOrder(token0, 1e21, 0, alice);
        _nextBatch();
        (uint256 none,) = pool.claim(batch, token0, bob);
        (uint256 out,) = pool.claim(batch, token0, alice);
        vm.assertEq(none, 0, "bob");
        assertTrue(out > 0, "alice");
    }

    function test_AClaimTellsOfTheImprovement() external {
        uint256 batch = _order(alice, token0, 1e22, 0);
        _order(bob, token1, 4e22, 0);
        uint256 alone = CurveMath.amountOutDown(1e22, R0, R1, FEE);
        _nextBatch();
        pool.accrue();
        vm.expectEmit();
        emit BatchPool.Claimed(batch, alice, token0, 1e22, 4e22, 0, int256(4e22 - alone));
        pool.claim(batch, token0, alice);
    }

    function test_RevertWhen_TheBatchIsNotOver() external {
        uint256 batch = _order(alice, token0, 1e21, 0);
        vm.expectRevert(abi.encodeWithSelector(BatchPool.BatchNotOver.selector, batch));
        pool.claim(batch, token0, alice);
    }

    function test_BatchesMayBeSkipped() external {
        uint256 batch = _order(alice, token0, 1e21, 0);
        vm.roll(200);
        (uint256 nothing,) = pool.claim(150, token0, alice);
        (uint256 out,) = pool.claim(batch, token0, alice);
        vm.assertEq(nothing, 0, "nothing in between");
        assertTrue(out > 0, "cleared late");
        (nothing,) = pool.claimable(300, token0, alice);
        vm.assertEq(nothing, 0, "nor in time to come");
    }

    // Questions

    function testFuzz_AQuoteIsWhatTheLastOrderGets(uint256 x, uint256 y, uint256 amount) external {
        amount = bound(amount, 1e9, 1e25);
        _order(bob, token0, bound(x, 1e9, 1e25), 0);
        _order(carol, token1, bound(y, 1e9, 1e25), 0);
        uint256 quoted = pool.quote(token0, amount);
        uint256 batch = _order(alice, token0, amount, 0);
        _nextBatch();
        (uint256 out,) = pool.claim(batch, token0, alice);
        vm.assertEq(out, quoted, "as quoted");
    }

    function testFuzz_AQuoteSeesThroughABatchThatIsNotCleared(uint256 x, uint256 amount, bool first) external {
        amount = bound(amount, 1e9, 1e25);
        _order(bob, token0, bound(x, 1e9, 1e25), 0);
        _nextBatch();
        address tokenIn = first ? token0 : token1;
        uint256 quoted = pool.quote(tokenIn, amount);
        uint256 batch = _order(alice, tokenIn, amount, 0);
        _nextBatch();
        (uint256 out,) = pool.claim(batch, tokenIn, alice);
        vm.assertEq(out, quoted, "as quoted");
    }

    // Liquidity and bounds

    function test_LiquidityComesAfterTheBatchBefore() external {
        _order(alice, token0, 1e23, 0);
        _nextBatch();
        _provide(pool, lp, 1e23, 1e30 / 10);
        assertTrue(pool.reserve0() > R0 + 1e23, "the order first");
    }

    function test_RevertWhen_AnOrderMakesNoSense() external {
        vm.expectRevert(BatchPool.NothingOrdered.selector);
        _order(alice, token0, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.UnknownToken.selector, alice));
        _order(alice, alice, 1, 0);
        uint256 most = uint256(type(uint112).max) / 6;
        vm.expectRevert(abi.encodeWithSelector(CurveMath.AmountTooLarge.selector, most + 1));
        _order(alice, token0, most + 1, 0);
        vm.expectRevert(abi.encodeWithSelector(CurveMath.AmountTooLarge.selector, uint256(1) << 112));
        _order(alice, token0, 1 << 112, 0);
        BatchPool empty = new BatchPool(vault, token0, token1, FEE, 7);
        vm.assertEq(empty.quote(token0, 1), 0, "no quote");
        vm.expectRevert(BatchPool.NoLiquidity.selector);
        _order(empty, alice, token0, 1, 0);
        vm.expectRevert(BatchPool.NoInterval.selector);
        new BatchPool(vault, token0, token1, FEE, 0);
    }

    /// @dev A batch that would bring more than the pool can count goes back whole, and the pool goes on.
    function test_APoolThatIsFullGivesBack() external {
        BatchPool full = new BatchPool(vault, token0, token1, FEE, 1);
        uint256 most = type(uint112).max;
        _fund(lp, address(full), most);
        _provide(full, lp, most, 1e24);
        _fund(alice, address(full), 1e30);
        uint256 batch = _order(full, alice, token0, 1e30, 0);
        vm.roll(101);
        (uint256 out, uint256 refunded) = full.claim(batch, token0, alice);
        vm.assertEq(out, 0, "nothing");
        vm.assertEq(refunded, 1e30, "all back");
    }

    function test_DustThatGetsNothingIsGivenBack() external {
        uint256 batch = _order(alice, token1, 1, 0);
        _nextBatch();
        (uint256 out, uint256 refunded) = pool.claim(batch, token1, alice);
        vm.assertEq(out, 0, "nothing");
        vm.assertEq(refunded, 1, "back");
    }
}

/// @dev Traders and a provider who use one batch pool at random over many batches.
contract BatchPoolHandler is Market {
    BatchPool public immutable pool;
    address[4] public accounts;
    uint256 public height = 1000;
    /// @dev The best that a share was ever worth.
    uint256 public worth;
    uint256[] public batches;
    /// @dev How many of them everybody has claimed.
    uint256 private settled;
    uint256 public orders;

    constructor() {
        vm.roll(height);
        pool = new BatchPool(vault, token0, token1, FEE, 3);
        for (uint160 i = 0; i < 4; i++) {
            accounts[i] = address(i + 100);
            _fund(accounts[i], address(pool), 1e27);
        }
        _provide(pool, accounts[3], 1e24, 1e22);
        worth = shareWorth();
    }

    modifier watched() {
        vm.roll(height);
        _;
        worth = Math.max(worth, shareWorth());
    }

    function order(uint256 who, bool first, uint256 amount, uint256 slack) external watched {
        address trader = accounts[who % 3];
        address tokenIn = first ? token0 : token1;
        amount = bound(amount, 1, vault.balanceOf(trader, uint160(tokenIn)) / 4);
        (uint256 rIn, uint256 rOut) = first ? (pool.reserve0(), pool.reserve1()) : (pool.reserve1(), pool.reserve0());
        uint256 least = amount * rOut / rIn * (10_000 - bound(slack, 10, 10_000)) / 10_000;
        vm.prank(trader);
        try pool.placeOrder(tokenIn, amount, least, trader) returns (uint256 batch) {
            orders += 1;
            if (batches.length == 0 || batches[batches.length - 1] != batch) batches.push(batch);
        } catch (bytes memory reason) {
            // The price may be another once the batch before is cleared.
            assertTrue(bytes4(reason) == BatchPool.LimitBeyondOpening.selector, "only beyond the opening price");
        }
    }

    function pass(uint256 blocks) external {
        height += bound(blocks, 1, 5);
    }

    function claim(uint256 who, uint256 which, bool first) external watched {
        if (batches.length == 0) return;
        uint256 batch = batches[which % batches.length];
        if (batch == pool.currentBatch()) return;
        pool.claim(batch, first ? token0 : token1, accounts[who % 3]);
    }

    function provide(uint256 max0, uint256 max1) external watched {
        address provider = accounts[3];
        max0 = bound(max0, 0, vault.balanceOf(provider, id0) / 4);
        max1 = bound(max1, 0, vault.balanceOf(provider, id1) / 4);
        vm.prank(provider);
        try pool.addLiquidity(max0, max1, 0, provider) {} catch {}
    }

    function remove(uint256 shares) external watched {
        address provider = accounts[3];
        shares = bound(shares, 0, pool.balanceOf(provider) / 2);
        vm.prank(provider);
        pool.removeLiquidity(shares, 0, 0, provider);
    }

    /// @dev All that traders may still claim, after every batch is over.
    function settleAll() external returns (uint256 left0, uint256 left1) {
        height += 10;
        vm.roll(height);
        pool.accrue();
        for (; settled < batches.length; settled++) {
            for (uint256 j = 0; j < 3; j++) {
                pool.claim(batches[settled], token0, accounts[j]);
                pool.claim(batches[settled], token1, accounts[j]);
            }
        }
        left0 = vault.balanceOf(address(pool), id0) - pool.reserve0();
        left1 = vault.balanceOf(address(pool), id1) - pool.reserve1();
    }

    function held() external view returns (uint256 sum0, uint256 sum1) {
        for (uint256 i = 0; i < 4; i++) {
            sum0 += vault.balanceOf(accounts[i], id0);
            sum1 += vault.balanceOf(accounts[i], id1);
        }
        sum0 += vault.balanceOf(address(pool), id0);
        sum1 += vault.balanceOf(address(pool), id1);
    }

    /// @dev The geometric mean of what 10^18 shares own.
    function shareWorth() public view returns (uint256) {
        return Math.sqrt(pool.reserve0() * pool.reserve1()) * 1e18 / pool.totalSupply();
    }
}

contract BatchPoolInvariants is Market {
    BatchPoolHandler handler;

    function setUp() public {
        handler = new BatchPoolHandler();
        target(address(handler));
    }

    /// @dev Nothing is made or lost. Neither trades nor liquidity that comes and goes take anything from a share, but for rounding. After
    /// all claims the pool has its reserves, and dust of at most one for each claim.
    function invariant_EveryClaimIsCoveredAndNoShareWorthLess() external {
        (uint256 sum0, uint256 sum1) = handler.held();
        vm.assertEq(sum0, 4e27, "token 0");
        vm.assertEq(sum1, 4e27, "token 1");
        assertTrue(handler.shareWorth() + 1 >= handler.worth(), "worth");
        (uint256 left0, uint256 left1) = handler.settleAll();
        assertTrue(left0 <= 6 * handler.orders() + 6, "dust 0");
        assertTrue(left1 <= 6 * handler.orders() + 6, "dust 1");
    }
}
