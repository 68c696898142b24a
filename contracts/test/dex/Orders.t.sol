// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {Market} from "./Market.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {CurveMath} from "src/dex/CurveMath.sol";
import {IVault} from "src/dex/IVault.sol";
import {LiquidityPool} from "src/dex/LiquidityPool.sol";
import {Orders} from "src/dex/Orders.sol";
import {PoolFactory} from "src/dex/PoolFactory.sol";
import {Router} from "src/dex/Router.sol";
import {WrappedEther} from "src/tokens/WrappedEther.sol";

contract OrdersTest is Market {
    PoolFactory factory = new PoolFactory(vault);
    Router router = new Router(factory, new WrappedEther());
    Orders orders = new Orders(router);
    ConstantProductPool pool;
    address lp = account("lp");
    address alice = account("alice");
    address keeper = account("keeper");

    function setUp() public {
        vm.warp(1_000_000);
        pool = factory.createPool(token0, token1, 3000);
        _fund(lp, address(pool), 1e27);
        _provide(pool, lp, 1e24, 1e24);
        _fund(alice, address(orders), 1e24);
    }

    function _place(uint256 amount, uint256 least, uint32 slices, uint256 tip) private returns (bytes32 id) {
        vm.prank(alice);
        id = orders.place(token0, token1, amount, least, slices, 1 hours, uint64(block.timestamp + 1 days), tip);
    }

    function _execute(bytes32 id) private returns (uint256) {
        vm.prank(keeper);
        return orders.execute(id);
    }

    function test_ALimitOrderWaitsForItsPrice() external {
        bytes32 id = _place(1e20, 1.02e20, 1, 5);
        vm.assertEq(id, orders.idOf(alice, 0), "the trader's first");
        vm.assertEq(orders.countOf(alice), 1, "one");
        vm.assertEq(vault.balanceOf(alice, id0), 1e24 - 1e20 - 5, "kept here");
        (bool due, uint256 amountIn, uint256 least, uint256 amountOut) = orders.next(id);
        assertFalse(due, "not yet");
        assertTrue(amountIn == 1e20 && least == 1.02e20 && amountOut < 1e20, "the price is lower");
        vm.expectRevert(abi.encodeWithSelector(LiquidityPool.InsufficientOutput.selector, amountOut, 1.02e20));
        _execute(id);
        vm.prank(lp);
        pool.swap(token1, 2e22, 0, lp);
        (due,,, amountOut) = orders.next(id);
        assertTrue(due, "now");
        vm.assertEq(_execute(id), amountOut, "as foreseen");
        vm.assertEq(vault.balanceOf(alice, id1), 1e24 + amountOut, "all of it is the trader's");
        vm.assertEq(vault.balanceOf(keeper, id0), 5, "the tip");
        _assertNothingLeft();
        vm.expectRevert(abi.encodeWithSelector(Orders.UnknownOrder.selector, id));
        _execute(id);
    }

    function testFuzz_SlicesAreTradedOverTime(uint256 amount, uint256 slices, uint256 tip) external {
        amount = bound(amount, 1e6, 1e22);
        slices = bound(slices, 1, 24);
        tip = bound(tip, 0, 1e18);
        uint256 traded;
        bytes32 id = _place(amount, amount * 9 / 10, uint32(slices), tip);
        for (uint256 i = 0; i < slices; i++) {
            if (i != 0) {
                vm.expectRevert(abi.encodeWithSelector(Orders.NotYet.selector, block.timestamp + 1));
                orders.execute(id);
                vm.warp(block.timestamp + 1);
            }
            (, uint256 amountIn,,) = orders.next(id);
            vm.assertApproxEqAbs(amountIn, amount / slices, 1, "equal slices");
            traded += amountIn;
            assertTrue(_execute(id) >= amountIn * 9 / 10, "at the limit or better");
            vm.warp(block.timestamp + 1 hours - 1);
        }
        vm.assertEq(traded, amount, "all of it");
        vm.assertEq(vault.balanceOf(keeper, id0), tip * slices, "a tip each");
        _assertNothingLeft();
    }

    function testFuzz_CancellingGivesBackTheRest(uint256 amount, uint256 done) external {
        amount = bound(amount, 1e6, 1e22);
        bytes32 id = _place(amount, 0, 4, 3);
        done = bound(done, 0, 3);
        uint256 traded;
        for (uint256 i = 0; i < done; i++) {
            (, uint256 amountIn,,) = orders.next(id);
            traded += amountIn;
            _execute(id);
            vm.warp(block.timestamp + 1 hours);
        }
        vm.expectRevert(abi.encodeWithSelector(Orders.NotTrader.selector, keeper));
        vm.prank(keeper);
        orders.cancel(id);
        vm.prank(alice);
        vm.assertEq(orders.cancel(id), amount - traded + 3 * (4 - done), "the rest and its tips");
        vm.assertEq(vault.balanceOf(alice, id0), 1e24 - traded - 3 * done, "back");
        _assertNothingLeft();
    }

    function test_AnExpiredOrderGoesBack() external {
        bytes32 id = _place(1e20, 2e20, 1, 0);
        vm.warp(block.timestamp + 1 days + 1);
        vm.expectRevert(abi.encodeWithSelector(Orders.Expired.selector, block.timestamp - 1));
        _execute(id);
        (bool due,,,) = orders.next(id);
        assertFalse(due, "too late");
        vm.prank(keeper);
        orders.cancel(id);
        vm.assertEq(vault.balanceOf(alice, id0), 1e24, "whoever asks, to the trader");
    }

    function test_AnOrderIsTold() external {
        bytes32 id = _place(100, 90, 3, 2);
        Orders.Order memory order = orders.orderOf(id);
        assertTrue(order.trader == alice && order.left == 100 && order.slicesLeft == 3 && order.tip == 2, "as placed");
        vm.assertEq(order.nextAt, block.timestamp, "the first is due at once");
    }

    function test_RevertWhen_AnOrderMakesNoSense() external {
        vm.expectRevert(Orders.NothingOrdered.selector);
        _place(0, 0, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(Orders.InvalidSlices.selector, 0));
        _place(1, 0, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(Orders.InvalidSlices.selector, 2));
        _place(1, 0, 2, 0);
        vm.expectRevert(abi.encodeWithSelector(Orders.InvalidSlices.selector, 2201));
        _place(1e20, 0, 2201, 0);
        vm.expectRevert(abi.encodeWithSelector(Orders.Expired.selector, block.timestamp));
        vm.prank(alice);
        orders.place(token0, token1, 1, 0, 1, 0, uint64(block.timestamp), 0);
        vm.expectRevert(abi.encodeWithSelector(Orders.InvalidInterval.selector, 365 days + 1));
        orders.place(token0, token1, 1, 0, 1, 365 days + 1, uint64(block.timestamp + 1), 0);
        vm.expectRevert(abi.encodeWithSelector(CurveMath.AmountTooLarge.selector, uint256(1) << 112));
        _place(1 << 112, 0, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(CurveMath.AmountTooLarge.selector, uint256(1) << 112));
        _place(1, 0, 1, 1 << 112);
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientBalance.selector, alice, 1e24, 1e24 + 1, id0));
        _place(1e24, 0, 1, 1);
        bytes32 unknown = bytes32(0);
        vm.expectRevert(abi.encodeWithSelector(Orders.UnknownOrder.selector, unknown));
        orders.cancel(unknown);
        vm.prank(alice);
        bytes32 id = orders.place(token0, alice, 1, 0, 1, 0, uint64(block.timestamp + 1), 0);
        vm.expectRevert(abi.encodeWithSelector(Orders.NoPool.selector, token0, alice));
        _execute(id);
    }

    function _assertNothingLeft() private view {
        vm.assertEq(vault.balanceOf(address(orders), id0), 0, "token 0");
        vm.assertEq(vault.balanceOf(address(orders), id1), 0, "token 1");
    }
}
