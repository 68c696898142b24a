// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {Market} from "./Market.sol";
import {FeeToken, FreeToken} from "./Tokens.sol";
import {BatchPool} from "src/dex/BatchPool.sol";
import {BinFactory} from "src/dex/BinFactory.sol";
import {ConcentratedPool} from "src/dex/ConcentratedPool.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {CurveFactory} from "src/dex/CurveFactory.sol";
import {IPool} from "src/dex/IPool.sol";
import {PoolFactory} from "src/dex/PoolFactory.sol";
import {Router} from "src/dex/Router.sol";
import {RouterBase} from "src/dex/RouterBase.sol";
import {ShardPool} from "src/dex/ShardPool.sol";
import {ShardedPool} from "src/dex/ShardedPool.sol";
import {StablePool} from "src/dex/StablePool.sol";
import {Vault} from "src/dex/Vault.sol";
import {WideRouter} from "src/dex/WideRouter.sol";
import {WrappedEther} from "src/tokens/WrappedEther.sol";

contract RouterTest is Market {
    PoolFactory factory = new PoolFactory(vault);
    CurveFactory curves = new CurveFactory(vault);
    BinFactory bins = new BinFactory(vault);
    WrappedEther weth = new WrappedEther();
    Router router = new WideRouter(factory, curves, bins, weth);
    ConstantProductPool cheap;
    ConstantProductPool deep;
    ConstantProductPool ether_;
    BatchPool batch;
    address lp = account("lp");
    address alice = account("alice");
    uint256 later = block.timestamp + 1;

    function setUp() public {
        cheap = factory.createPool(token0, token1, 500);
        deep = factory.createPool(token1, token0, 3000);
        batch = factory.createBatchPool(token0, token1, 3000);
        ether_ = factory.createPool(token1, address(weth), 3000);
        _fund(lp, address(cheap), 1e24);
        _provide(cheap, lp, 1e18, 1e18);
        _fund(lp, address(deep), 1e24);
        _provide(deep, lp, 1e21, 1e21);
        _fund(lp, address(batch), 1e24);
        _provide(batch, lp, 1e21, 1e21);
        vm.deal(lp, 1e21);
        vm.startPrank(lp);
        weth.deposit{value: 1e21}();
        weth.approve(address(vault), 1e21);
        vault.deposit(address(weth), 1e21, lp);
        vault.setOperator(address(ether_), true);
        ether_.addLiquidity(1e21, 1e21, 0, lp);
        vm.stopPrank();
        FreeToken(token0).mint(alice, 1e21);
        FreeToken(token1).mint(alice, 1e21);
        vm.startPrank(alice);
        FreeToken(token0).approve(address(router), type(uint256).max);
        FreeToken(token1).approve(address(router), type(uint256).max);
    }

    function test_TheFactoryKnowsItsPools() external {
        vm.assertEq(address(factory.getPool(token1, token0, 500)), address(cheap), "either way round");
        vm.assertEq(address(factory.getBatchPool(token0, token1, 3000)), address(batch), "batch");
        vm.assertEq(address(factory.getPool(token0, token1, 100)), address(0), "none");
        vm.expectRevert(abi.encodeWithSelector(PoolFactory.PoolExists.selector, cheap));
        factory.createPool(token0, token1, 500);
        vm.expectRevert(abi.encodeWithSelector(PoolFactory.PoolExists.selector, batch));
        factory.createBatchPool(token0, token1, 3000);
        vm.expectRevert(abi.encodeWithSelector(PoolFactory.UnknownFee.selector, 501));
        factory.createPool(token0, token1, 501);
        vm.expectRevert(abi.encodeWithSelector(PoolFactory.UnknownFee.selector, 501));
        factory.createBatchPool(token0, token1, 501);
    }

    // At once

    function test_TakesTheBestPool() external {
        uint256[] memory little = router.getAmountsOut(1e12, _path(token0, token1));
        vm.assertEq(little[1], cheap.quote(token0, 1e12), "little goes where the fee is low");
        uint256[] memory much = router.getAmountsOut(1e20, _path(token0, token1));
        vm.assertEq(much[1], deep.quote(token0, 1e20), "much goes where the reserves are");
        uint256[] memory got = router.swapExactTokensForTokens(1e20, much[1], _path(token0, token1), alice, later);
        vm.assertEq(got[0], 1e20, "in");
        vm.assertEq(got[1], much[1], "out");
        vm.assertEq(FreeToken(token1).balanceOf(alice), 1e21 + got[1], "paid");
        _assertNothingLeft();
    }

    function testFuzz_PathsOfSeveralSteps(uint256 amount) external {
        amount = bound(amount, 1e6, 1e20);
        address[] memory path = _path(token0, token1, address(weth));
        uint256[] memory quoted = router.getAmountsOut(amount, path);
        uint256[] memory got = router.swapExactTokensForTokens(amount, 0, path, alice, later);
        for (uint256 i = 0; i < 3; i++) {
            vm.assertEq(got[i], quoted[i], "as quoted");
        }
        vm.assertEq(weth.balanceOf(alice), got[2], "paid");
        _assertNothingLeft();
    }

    function testFuzz_AnExactOutputIsReached(uint256 wanted) external {
        wanted = bound(wanted, 1, 1e20);
        address[] memory path = _path(token0, token1, address(weth));
        uint256[] memory needed = router.getAmountsIn(wanted, path);
        uint256[] memory got = router.swapTokensForExactTokens(wanted, needed[0], path, alice, later);
        assertTrue(got[2] >= wanted, "reached");
        vm.assertEq(weth.balanceOf(alice), got[2], "all of it is the trader's");
        vm.assertEq(FreeToken(token0).balanceOf(alice), 1e21 - needed[0], "for what was needed");
        _assertNothingLeft();
    }

    function test_EtherGoesInAndOut() external {
        vm.deal(alice, 1 ether);
        vm.assertEq(router.WETH(), address(weth), "WETH");
        uint256[] memory got =
            router.swapExactETHForTokens{value: 1 ether}(1, _path(address(weth), token1), alice, later);
        vm.assertEq(FreeToken(token1).balanceOf(alice), 1e21 + got[1], "tokens");
        got = router.swapExactTokensForETH(got[1], 1, _path(token1, address(weth)), alice, later);
        vm.assertEq(alice.balance, got[1], "ether");
        assertTrue(got[1] < 1 ether, "less the fees");
        _assertNothingLeft();
    }

    function test_ExactEtherGoesInAndOut() external {
        vm.deal(alice, 1 ether);
        uint256[] memory got =
            router.swapETHForExactTokens{value: 1 ether}(1e17, _path(address(weth), token1), alice, later);
        assertTrue(got[1] >= 1e17, "tokens");
        vm.assertEq(alice.balance, 1 ether - got[0], "the rest goes back");
        uint256 left = alice.balance;
        got = router.swapTokensForExactETH(1e16, 1e18, _path(token1, address(weth)), alice, later);
        vm.assertEq(alice.balance, left + got[1], "ether");
        assertTrue(got[1] >= 1e16, "as wanted");
        got = router.getAmountsIn(1e16, _path(address(weth), token1));
        router.swapETHForExactTokens{value: got[0]}(1e16, _path(address(weth), token1), alice, later);
        _assertNothingLeft();
    }

    /// @dev One in a hundred is kept of each of the transfers from wallet to router, from router to vault, and from vault to wallet.
    function test_TokensThatDeliverLessAreTraded() external {
        vm.stopPrank();
        FeeToken taxed = new FeeToken();
        ConstantProductPool pool = factory.createPool(address(taxed), address(weth), 3000);
        taxed.mint(lp, 1e22);
        taxed.mint(alice, 1e20);
        vm.deal(lp, 1e21);
        vm.startPrank(lp);
        weth.deposit{value: 1e21}();
        weth.approve(address(vault), 1e21);
        taxed.approve(address(vault), 1e22);
        vault.deposit(address(weth), 1e21, lp);
        vault.depositMeasured(address(taxed), 1e22, lp);
        vault.setOperator(address(pool), true);
        pool.addLiquidity(1e21, 1e21, 0, lp);
        vm.stopPrank();
        vm.startPrank(alice);
        taxed.approve(address(router), type(uint256).max);
        address[] memory path = _path(address(taxed), address(weth));
        uint256 expected = pool.quote(address(taxed), 1e18 * 99 / 100 * 99 / 100);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, expected, expected + 1));
        router.swapExactTokensForTokensSupportingFeeOnTransferTokens(1e18, expected + 1, path, alice, later);
        router.swapExactTokensForTokensSupportingFeeOnTransferTokens(1e18, expected, path, alice, later);
        vm.assertEq(weth.balanceOf(alice), expected, "tokens");
        router.swapExactTokensForETHSupportingFeeOnTransferTokens(1e18, 1, path, alice, later);
        assertTrue(alice.balance > 9e17, "ether");
        uint256 before = taxed.balanceOf(alice);
        path = _path(address(weth), address(taxed));
        expected = pool.quote(address(weth), 1e17);
        expected -= expected / 100;
        router.swapExactETHForTokensSupportingFeeOnTransferTokens{value: 1e17}(expected, path, alice, later);
        vm.assertEq(taxed.balanceOf(alice) - before, expected, "what arrived");
        vm.assertEq(taxed.balanceOf(address(router)) + weth.balanceOf(address(router)), 0, "nothing stays");
        bytes memory invalid = abi.encodeWithSelector(RouterBase.InvalidPath.selector);
        vm.expectRevert(invalid);
        router.swapExactETHForTokensSupportingFeeOnTransferTokens(0, _path(token0, token1), alice, later);
        vm.expectRevert(invalid);
        router.swapExactTokensForETHSupportingFeeOnTransferTokens(1, 0, path, alice, later);
        vm.expectRevert(invalid);
        router.swapExactTokensForTokensSupportingFeeOnTransferTokens(1, 0, new address[](1), alice, later);
    }

    function test_RevertWhen_TooLittleIsOffered() external {
        vm.deal(alice, 1 ether);
        uint256 needed = router.getAmountsIn(1e17, _path(address(weth), token1))[0];
        vm.expectRevert(abi.encodeWithSelector(RouterBase.ExcessiveInput.selector, needed, needed - 1));
        router.swapETHForExactTokens{value: needed - 1}(1e17, _path(address(weth), token1), alice, later);
        needed = router.getAmountsIn(1e17, _path(token1, address(weth)))[0];
        vm.expectRevert(abi.encodeWithSelector(RouterBase.ExcessiveInput.selector, needed, needed - 1));
        router.swapTokensForExactETH(1e17, needed - 1, _path(token1, address(weth)), alice, later);
        vm.expectRevert(RouterBase.InvalidPath.selector);
        router.swapETHForExactTokens{value: 1}(1e10, _path(token1, address(weth)), alice, later);
        vm.expectRevert(RouterBase.InvalidPath.selector);
        router.swapTokensForExactETH(1e10, 1e18, _path(token0, token1), alice, later);
    }

    function test_RevertWhen_FactoriesHaveDifferentVaults() external {
        CurveFactory foreign = new CurveFactory(new Vault());
        vm.expectRevert(WideRouter.DifferentVaults.selector);
        new WideRouter(factory, foreign, bins, weth);
        BinFactory others = new BinFactory(new Vault());
        vm.expectRevert(WideRouter.DifferentVaults.selector);
        new WideRouter(factory, curves, others, weth);
    }

    /// @dev Stable pools and the trader's shard take part like any other.
    function test_PoolsOfOtherKindsAreAsked() external {
        vm.stopPrank();
        StablePool stable = curves.createStablePool(token0, token1);
        _fund(lp, address(stable), 1e24);
        _provide(stable, lp, 1e21, 1e21);
        ShardedPool sharded = curves.createShardedPool(token0, token1);
        ShardPool shard = sharded.shardOf(alice);
        (IPool pool,,,) = router.quote(token0, token1, 1e18);
        vm.assertEq(address(pool), address(stable), "the stable pool is best");
        // A shard that is far deeper is better, and for its traders alone.
        _fund(lp, address(shard), 1e28);
        _provide(shard, lp, 2e26, 4e26);
        vm.prank(alice);
        (pool,,,) = router.quote(token0, token1, 1e18);
        vm.assertEq(address(pool), address(shard), "the shard is better");
        uint256 wanted = 1e18;
        vm.startPrank(alice);
        uint256 needed = router.getAmountsIn(wanted, _path(token0, token1))[0];
        uint256[] memory got = router.swapTokensForExactTokens(wanted, needed, _path(token0, token1), alice, later);
        assertTrue(got[1] >= wanted && needed < 6e17, "by the shard");
        vm.stopPrank();
        // And a bin at three for one is better than that.
        uint256 centre = 1 << 15;
        ConcentratedPool concentrated = bins.createPool(token0, token1, centre + 1099);
        _fund(lp, address(concentrated), 1e24);
        vm.prank(lp);
        concentrated.addLiquidity(centre + 1099, 0, 1e21, 0, lp);
        vm.startPrank(alice);
        (pool,,,) = router.quote(token0, token1, 1e18);
        vm.assertEq(address(pool), address(concentrated), "the bin is best");
        got = router.swapExactTokensForTokens(1e18, 2.99e18, _path(token0, token1), alice, later);
        vm.expectRevert(abi.encodeWithSelector(BinFactory.PoolExists.selector, concentrated));
        bins.createPool(token1, token0, centre);
        _assertNothingLeft();
    }

    function test_RevertWhen_ATradeIsLate() external {
        vm.warp(later + 1);
        bytes memory expired = abi.encodeWithSelector(RouterBase.Expired.selector, later);
        vm.expectRevert(expired);
        router.swapExactTokensForTokens(1, 0, _path(token0, token1), alice, later);
        vm.expectRevert(expired);
        router.swapTokensForExactTokens(1, 1, _path(token0, token1), alice, later);
        vm.expectRevert(expired);
        router.swapExactETHForTokens(0, _path(token0, token1), alice, later);
        vm.expectRevert(expired);
        router.swapExactTokensForETH(1, 0, _path(token0, token1), alice, later);
        vm.expectRevert(expired);
        router.swapETHForExactTokens(0, _path(token0, token1), alice, later);
        vm.expectRevert(expired);
        router.swapTokensForExactETH(1, 0, _path(token0, token1), alice, later);
        vm.expectRevert(expired);
        router.placeOrder(token0, token1, 3000, 1, 0, later);
        vm.expectRevert(expired);
        router.swapExactTokensForTokensSupportingFeeOnTransferTokens(1, 0, _path(token0, token1), alice, later);
        vm.expectRevert(expired);
        router.swapExactETHForTokensSupportingFeeOnTransferTokens(0, _path(token0, token1), alice, later);
        vm.expectRevert(expired);
        router.swapExactTokensForETHSupportingFeeOnTransferTokens(1, 0, _path(token0, token1), alice, later);
    }

    function test_RevertWhen_TheTradeIsWorseThanAsked() external {
        uint256 quoted = router.getAmountsOut(1e18, _path(token0, token1))[1];
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, quoted, quoted + 1));
        router.swapExactTokensForTokens(1e18, quoted + 1, _path(token0, token1), alice, later);
        uint256 needed = router.getAmountsIn(1e18, _path(token0, token1))[0];
        vm.expectRevert(abi.encodeWithSelector(RouterBase.ExcessiveInput.selector, needed, needed - 1));
        router.swapTokensForExactTokens(1e18, needed - 1, _path(token0, token1), alice, later);
    }

    function test_RevertWhen_ThePathLeadsNowhere() external {
        address[] memory one = new address[](1);
        vm.expectRevert(RouterBase.InvalidPath.selector);
        router.swapExactTokensForTokens(1, 0, one, alice, later);
        vm.expectRevert(RouterBase.InvalidPath.selector);
        router.getAmountsIn(1, one);
        vm.expectRevert(RouterBase.InvalidPath.selector);
        router.swapExactETHForTokens(0, _path(token0, token1), alice, later);
        vm.expectRevert(RouterBase.InvalidPath.selector);
        router.swapExactTokensForETH(1, 0, _path(token0, token1), alice, later);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.NoPool.selector, token0, weth));
        router.getAmountsOut(1, _path(token0, address(weth)));
        vm.expectRevert(abi.encodeWithSelector(RouterBase.NoPool.selector, token0, token1));
        router.getAmountsIn(1e21, _path(token0, token1));
        vm.expectRevert(abi.encodeWithSelector(RouterBase.NoPool.selector, token0, token1));
        router.placeOrder(token0, token1, 500, 1, 0, later);
    }

    function test_RevertWhen_OthersCallTheRouterAsVault() external {
        vm.expectRevert(abi.encodeWithSelector(RouterBase.NotVault.selector, alice));
        router.onUnlock("");
    }

    function test_RevertWhen_EtherIsRefused() external {
        vm.deal(alice, 1);
        (bool taken,) = address(router).call{value: 1}("");
        assertFalse(taken, "the router takes none from others");
        vm.expectRevert(abi.encodeWithSelector(RouterBase.EtherRefused.selector, address(this)));
        router.swapExactTokensForETH(1e18, 0, _path(token1, address(weth)), address(this), later);
    }

    // In the next batch

    function test_AnOrderGoesFromTheWalletIntoTheBatch() external {
        (BatchPool pool, uint256 number) = router.placeOrder(token0, token1, 3000, 1e18, 9e17, later);
        vm.assertEq(address(pool), address(batch), "pool");
        vm.roll(block.number + 1);
        (uint256 out, uint256 refunded) = pool.claim(number, token0, alice);
        assertTrue(out >= 9e17 && refunded == 0, "traded");
        vault.withdraw(token1, out, alice);
        vm.assertEq(FreeToken(token1).balanceOf(alice), 1e21 + out, "in the wallet");
        _assertNothingLeft();
    }

    function test_QuotesNowAndNext() external {
        (IPool pool, uint256 now_, BatchPool next, uint256 then_) = router.quote(token0, token1, 1e19);
        vm.assertEq(address(pool), address(deep), "pool");
        vm.assertEq(now_, deep.quote(token0, 1e19), "now");
        vm.assertEq(address(next), address(batch), "batch pool");
        vm.assertEq(then_, now_, "as deep, and alone");
        // With somebody on the other side the batch is better.
        router.placeOrder(token1, token0, 3000, 1e19, 0, later);
        (, now_,, then_) = router.quote(token0, token1, 1e19);
        vm.assertEq(then_, 1e19, "without fee");
        assertTrue(then_ > now_, "better");
        (pool, now_, next, then_) = router.quote(token0, address(weth), 1);
        assertTrue(address(pool) == address(0) && address(next) == address(0), "none");
    }

    function _assertNothingLeft() private view {
        vm.assertEq(FreeToken(token0).balanceOf(address(router)), 0, "token 0");
        vm.assertEq(FreeToken(token1).balanceOf(address(router)), 0, "token 1");
        vm.assertEq(weth.balanceOf(address(router)), 0, "wrapped ether");
        vm.assertEq(vault.balanceOf(address(router), id0), 0, "internal 0");
        vm.assertEq(vault.balanceOf(address(router), id1), 0, "internal 1");
        vm.assertEq(address(router).balance, 0, "ether");
    }

    function _path(address a, address b) private pure returns (address[] memory path) {
        path = new address[](2);
        (path[0], path[1]) = (a, b);
    }

    function _path(address a, address b, address c) private pure returns (address[] memory path) {
        path = new address[](3);
        (path[0], path[1], path[2]) = (a, b, c);
    }
}
