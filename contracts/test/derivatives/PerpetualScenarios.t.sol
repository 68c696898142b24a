// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {PerpetualSuite} from "./PerpetualSuite.sol";

/// @dev What happens around an exchange as a whole: a crash, a run, and somebody who tries to take money out of it.
contract PerpetualScenarios is PerpetualSuite {
    uint256[] private traders;

    function setUp() public {
        _open();
        exchange.insure(50_000 * USD);
        for (uint256 i = 0; i < 6; i++) {
            traders.push(_fund(address(uint160(900 + i)), 20_000 * USD));
        }
    }

    function _margin() private view returns (uint256 sum) {
        for (uint256 i = 0; i < traders.length; i++) {
            sum += exchange.collateralOf(traders[i]);
        }
    }

    /// @dev The price falls by a third in steps; whoever falls below the maintenance margin is liquidated, from the highest leverage on.
    function test_ACrashLiquidatesOneAfterTheOther() external {
        for (uint256 i = 0; i < 6; i++) {
            _trade(traders[i], int256(15 + 12 * i) * ETHER);
        }
        (uint256 before,) = exchange.poolValue();
        uint256 rewards = 0;
        for (uint256 dollars = 1980; dollars >= 1340; dollars -= 20) {
            _passTo(dollars);
            for (uint256 i = 0; i < 6; i++) {
                _liquidate(traders[i]);
                (int256 equity,, uint256 maintenance) = exchange.healthOf(traders[i]);
                assertTrue(equity >= int256(maintenance), "healthy, or gone");
            }
        }
        rewards = exchange.collateralOf(exchange.accountOf(address(this), 0));
        assertTrue(rewards > 0 && exchange.insurance() > 50_000 * USD, "penalties are paid");
        vm.assertEq(exchange.totalDebt(), 0, "nobody is left with a debt");
        (uint256 later,) = exchange.poolValue();
        assertTrue(later > before, "the pool, which was short, has gained");
        uint256 held = _margin() + rewards + exchange.pool() + exchange.insurance();
        vm.assertEq(usd.balanceOf(address(exchange)), held, "all money is somebody's");
    }

    function _liquidate(uint256 account) private {
        (int256 equity,, uint256 maintenance) = exchange.healthOf(account);
        if (equity < int256(maintenance)) exchange.liquidate(account, ether_, type(uint256).max);
    }

    /// @dev Everybody leaves at once: what backs positions stays until they are closed, and nobody loses by being late.
    function test_ARunLeavesWhatBacksPositions() external {
        uint256 other = exchange.addLiquidity(10_000_000 * USD, address(this));
        usd.mint(address(this), 1e7 * USD);
        exchange.deposit(traders[0], 1e7 * USD);
        _trade(traders[0], 900 * ETHER);
        uint256 first = exchange.sharesOf(provider);
        vm.prank(provider);
        exchange.requestLeave(first);
        exchange.requestLeave(other);
        _pass(1 days);
        vm.prank(provider);
        uint256 early = exchange.removeLiquidity(first, provider);
        vm.expectRevert();
        exchange.removeLiquidity(other, address(this));
        _pass(2);
        _trade(traders[0], -900 * ETHER);
        _pass(2);
        uint256 late = exchange.removeLiquidity(other, address(this));
        vm.assertApproxEqAbs(late, early * other / first, 10_000 * USD, "as much for a share, and the spread");
        assertTrue(late * first >= early * other, "no less for who is late");
    }

    /// @dev At one price and without time passing, nobody with however many accounts and blocks takes anything out of the pool.
    function testFuzz_NothingIsToBeHadAtOnePrice(int256[8] memory deltas, uint256 blocks) external {
        uint256 before = _margin();
        for (uint256 i = 0; i < deltas.length; i++) {
            if (blocks >> i & 1 == 1) _pass(0);
            _try(traders[i % 3], deltas[i] % (60 * ETHER));
        }
        for (uint256 i = 0; i < 3; i++) {
            if (blocks >> (8 + i) & 1 == 1) _pass(0);
            int256 size = exchange.positionOf(traders[i], ether_).size;
            if (size != 0) _trade(traders[i], -size);
        }
        assertTrue(_margin() <= before, "no more than before");
        (uint256 value,) = exchange.poolValue();
        assertTrue(value >= 10_000_000 * USD, "nor less in the pool");
        vm.assertEq(exchange.totalsOf(ether_).cost, int256(0), "nothing is left");
    }

    function _try(uint256 account, int256 delta) private {
        vm.prank(address(uint160(account >> 96)));
        try exchange.trade(account, ether_, delta, delta > 0 ? type(uint256).max : 0) {} catch {}
    }
}
