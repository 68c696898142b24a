// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {Market} from "./Market.sol";
import {FeeToken, FreeToken, PermitToken} from "./Tokens.sol";
import {IERC20Errors} from "@openzeppelin/interfaces/draft-IERC6093.sol";
import {IERC20Permit} from "@openzeppelin/token/ERC20/extensions/IERC20Permit.sol";
import {BatchPool} from "src/dex/BatchPool.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {CurveMath} from "src/dex/CurveMath.sol";
import {PoolFactory} from "src/dex/PoolFactory.sol";
import {Router} from "src/dex/Router.sol";
import {RouterBase} from "src/dex/RouterBase.sol";
import {WrappedEther} from "src/tokens/WrappedEther.sol";

contract LiquidityRouterTest is Market {
    PoolFactory factory = new PoolFactory(vault);
    WrappedEther weth = new WrappedEther();
    Router router = new Router(factory, weth);
    address alice = account("alice");
    address bob = account("bob");
    uint256 later = block.timestamp + 1;

    function setUp() public {
        address[2] memory both = [alice, bob];
        for (uint256 i = 0; i < 2; i++) {
            FreeToken(token0).mint(both[i], 1e30);
            FreeToken(token1).mint(both[i], 1e30);
            vm.deal(both[i], 1e24);
            vm.startPrank(both[i]);
            FreeToken(token0).approve(address(router), type(uint256).max);
            FreeToken(token1).approve(address(router), type(uint256).max);
            vm.stopPrank();
        }
    }

    function _begin() private returns (ConstantProductPool pool) {
        vm.prank(alice);
        router.addLiquidity(token1, token0, 4e21, 1e21, 0, 0, alice, later);
        pool = factory.getPair(token0, token1);
        vm.prank(bob);
        pool.approve(address(router), type(uint256).max);
        vm.prank(alice);
        pool.approve(address(router), type(uint256).max);
    }

    function test_TheFirstMakesThePool() external {
        vm.assertEq(address(factory.getPair(token0, token1)), address(0), "none yet");
        ConstantProductPool pool = _begin();
        vm.assertEq(address(pool), address(factory.getPool(token1, token0, 3000)), "of 0.3 %");
        (uint112 reserve0, uint112 reserve1, uint32 at) = pool.getReserves();
        vm.assertEq(reserve0, 1e21, "reserve 0");
        vm.assertEq(reserve1, 4e21, "reserve 1");
        vm.assertEq(at, block.timestamp, "at");
        assertTrue(pool.balanceOf(alice) > 1.99e21, "shares");
        _assertNothingLeft();
    }

    function testFuzz_AddingAndRemovingGivesNothing(uint256 wanted0, uint256 wanted1) external {
        ConstantProductPool pool = _begin();
        wanted0 = bound(wanted0, 1e6, 1e29);
        wanted1 = bound(wanted1, 1e6, 1e29);
        uint256 before0 = FreeToken(token0).balanceOf(bob);
        vm.startPrank(bob);
        (uint256 in0, uint256 in1, uint256 shares) =
            router.addLiquidity(token0, token1, wanted0, wanted1, 0, 0, bob, later);
        assertTrue(in0 <= wanted0 && in1 <= wanted1, "no more than wanted");
        assertTrue(in0 + 2 >= wanted0 || in1 + 2 >= wanted1, "and all of one of them");
        vm.assertEq(before0 - FreeToken(token0).balanceOf(bob), in0, "paid");
        vm.assertEq(pool.balanceOf(bob), shares, "shares");
        _assertNothingLeft();
        (uint256 out0, uint256 out1) = router.removeLiquidity(token0, token1, shares, 0, 0, bob, later);
        assertTrue(out0 <= in0 && out1 <= in1, "rounded for the pool");
        vm.assertApproxEqAbs(out0, in0, 1, "by a unit");
        vm.assertApproxEqAbs(out1, in1, 2, "or two");
        vm.assertEq(FreeToken(token0).balanceOf(bob), before0 - in0 + out0, "in the wallet");
        _assertNothingLeft();
    }

    function test_EtherGoesInAndOut() external {
        vm.startPrank(alice);
        (uint256 tokens, uint256 ether_, uint256 shares) =
            router.addLiquidityETH{value: 4e21}(token0, 1e21, 1e21, 4e21, alice, later);
        assertTrue(tokens == 1e21 && ether_ == 4e21, "all of both");
        uint256 before = alice.balance;
        (tokens, ether_, shares) = router.addLiquidityETH{value: 1e21}(token0, 1e20, 0, 0, alice, later);
        vm.assertApproxEqAbs(ether_, 4e20, 2, "in proportion");
        vm.assertEq(alice.balance, before - ether_, "the rest goes back");
        ConstantProductPool pool = factory.getPair(token0, address(weth));
        pool.approve(address(router), shares);
        before = alice.balance;
        (tokens, ether_) = router.removeLiquidityETH(token0, shares, 1e20 - 2, 4e20 - 4, alice, later);
        vm.assertEq(alice.balance, before + ether_, "ether");
        assertTrue(ether_ <= 4e20, "no more than came");
        vm.stopPrank();
        _assertNothingLeft();
        vm.assertEq(weth.balanceOf(address(router)) + address(router).balance, 0, "no ether stays");
    }

    function _permit(IERC20Permit pool, uint256 key, address owner, uint256 amount)
        private
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        bytes32 message = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                owner,
                address(router),
                amount,
                pool.nonces(owner),
                later
            )
        );
        return vm.sign(key, keccak256(abi.encodePacked("\x19\x01", pool.DOMAIN_SEPARATOR(), message)));
    }

    function test_SharesAreRemovedByPermit() external {
        ConstantProductPool pool = _begin();
        (address carol, uint256 key) = signer("carol");
        vm.prank(alice);
        pool.transfer(carol, 4e18);
        (uint8 v, bytes32 r, bytes32 s) = _permit(IERC20Permit(address(pool)), key, carol, 2e18);
        vm.prank(carol);
        (uint256 out0, uint256 out1) =
            router.removeLiquidityWithPermit(token0, token1, 2e18, 0, 0, carol, later, false, v, r, s);
        vm.assertEq(FreeToken(token0).balanceOf(carol), out0, "token 0");
        vm.assertEq(FreeToken(token1).balanceOf(carol), out1, "token 1");
        (v, r, s) = _permit(IERC20Permit(address(pool)), key, carol, type(uint256).max);
        // Somebody else sends the permit first; it does its work nevertheless.
        pool.permit(carol, address(router), type(uint256).max, later, v, r, s);
        vm.prank(carol);
        router.removeLiquidityWithPermit(token0, token1, 2e18, 0, 0, carol, later, true, v, r, s);
        vm.assertEq(pool.balanceOf(carol), 0, "gone");
        vm.expectRevert(abi.encodeWithSelector(RouterBase.NoPool.selector, token0, address(weth)));
        router.removeLiquidityWithPermit(token0, address(weth), 1, 0, 0, carol, later, true, v, r, s);
    }

    function test_EtherComesOutByPermit() external {
        (address carol, uint256 key) = signer("carol");
        vm.prank(alice);
        router.addLiquidityETH{value: 1e21}(token0, 1e21, 0, 0, carol, later);
        ConstantProductPool pool = factory.getPair(token0, address(weth));
        (uint8 v, bytes32 r, bytes32 s) = _permit(IERC20Permit(address(pool)), key, carol, 2e18);
        vm.prank(carol);
        (, uint256 ether_) = router.removeLiquidityETHWithPermit(token0, 2e18, 0, 0, carol, later, false, v, r, s);
        vm.assertEq(carol.balance, ether_, "ether");
        vm.assertEq(ether_, 2e18, "its part");
    }

    function test_RevertWhen_APermitIsSomebodyElses() external {
        ConstantProductPool pool = _begin();
        (, uint256 key) = signer("carol");
        address dave = account("dave");
        vm.prank(alice);
        pool.transfer(dave, 4e18);
        (uint8 v, bytes32 r, bytes32 s) = _permit(IERC20Permit(address(pool)), key, dave, 2e18);
        vm.prank(dave);
        vm.expectRevert();
        router.removeLiquidityWithPermit(token0, token1, 2e18, 0, 0, dave, later, false, v, r, s);
    }

    /// @dev Liquidity of wrapped ether and a token that keeps one in a hundred of what is sent.
    function _taxed(address owner) private returns (FeeToken taxed, ConstantProductPool pool, uint256 shares) {
        taxed = new FeeToken();
        pool = factory.createPool(address(taxed), address(weth), 3000);
        taxed.mint(alice, 2e21);
        vm.startPrank(alice);
        weth.deposit{value: 1e21}();
        weth.approve(address(vault), 1e21);
        taxed.approve(address(vault), 2e21);
        vault.deposit(address(weth), 1e21, alice);
        vault.depositMeasured(address(taxed), 2e21, alice);
        vault.setOperator(address(pool), true);
        (shares,,) = pool.addLiquidity(1e21, 1e21, 0, owner);
        vm.stopPrank();
    }

    function test_WhatDeliversLessIsMeasuredOnItsWayOut() external {
        (FeeToken taxed, ConstantProductPool pool, uint256 shares) = _taxed(bob);
        vm.startPrank(bob);
        pool.approve(address(router), shares);
        uint256 before = bob.balance;
        bytes memory short = abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, 99e18, 99e18 + 1);
        vm.expectRevert(short);
        router.removeLiquidityETHSupportingFeeOnTransferTokens(address(taxed), 1e20, 99e18 + 1, 0, bob, later);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, 1e20, 1e20 + 1));
        router.removeLiquidityETHSupportingFeeOnTransferTokens(address(taxed), 1e20, 0, 1e20 + 1, bob, later);
        uint256 ether_ =
            router.removeLiquidityETHSupportingFeeOnTransferTokens(address(taxed), 1e20, 99e18, 1e20, bob, later);
        vm.assertEq(taxed.balanceOf(bob), 99e18, "what arrived");
        vm.assertEq(bob.balance - before, ether_, "ether");
        vm.warp(later + 1);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.Expired.selector, later));
        router.removeLiquidityETHSupportingFeeOnTransferTokens(address(taxed), 1, 0, 0, bob, later);
        vm.stopPrank();
        vm.assertEq(taxed.balanceOf(address(router)), 0, "nothing stays");
    }

    function test_WhatDeliversLessComesOutByPermit() external {
        (address carol, uint256 key) = signer("carol");
        (FeeToken taxed, ConstantProductPool pool,) = _taxed(carol);
        (uint8 v, bytes32 r, bytes32 s) = _permit(IERC20Permit(address(pool)), key, carol, 1e20);
        vm.prank(carol);
        uint256 ether_ = router.removeLiquidityETHWithPermitSupportingFeeOnTransferTokens(
            address(taxed), 1e20, 99e18, 1e20, carol, later, false, v, r, s
        );
        vm.assertEq(taxed.balanceOf(carol), 99e18, "tokens");
        vm.assertEq(carol.balance, ether_, "ether");
        vm.expectRevert(abi.encodeWithSelector(RouterBase.NoPool.selector, token0, address(weth)));
        router.removeLiquidityETHWithPermitSupportingFeeOnTransferTokens(token0, 1, 0, 0, carol, later, true, v, r, s);
    }

    // Permits

    /// @dev A token with permits against token 0, a pool of both, and an account that has approved nothing.
    function _permitted() private returns (PermitToken token, address carol, uint256 key) {
        token = new PermitToken();
        (carol, key) = signer("carol");
        token.mint(alice, 1e21);
        token.mint(carol, 1e18);
        vm.startPrank(alice);
        token.approve(address(router), 1e21);
        router.addLiquidity(address(token), token0, 1e21, 1e21, 0, 0, alice, later);
        vm.stopPrank();
    }

    function _swap(address token, address to) private view returns (bytes memory) {
        address[] memory path = new address[](2);
        (path[0], path[1]) = (token, token0);
        return abi.encodeCall(router.swapExactTokensForTokens, (1e18, 0, path, to, later));
    }

    function test_APermitAndATradeAreOneTransaction() external {
        (PermitToken token, address carol, uint256 key) = _permitted();
        (uint8 v, bytes32 r, bytes32 s) = _permit(token, key, carol, 1e18);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(router.selfPermit, (token, 1e18, later, v, r, s));
        calls[1] = _swap(address(token), carol);
        vm.prank(carol);
        bytes[] memory results = router.multicall(calls);
        uint256[] memory amounts = abi.decode(results[1], (uint256[]));
        vm.assertEq(FreeToken(token0).balanceOf(carol), amounts[1], "traded");
        vm.assertEq(token.allowance(carol, address(router)), 0, "used up");
        _assertNothingLeft();
    }

    function test_APermitThatSomebodySentFirstIsPassedOver() external {
        (PermitToken token, address carol, uint256 key) = _permitted();
        (uint8 v, bytes32 r, bytes32 s) = _permit(token, key, carol, 1e18);
        token.permit(carol, address(router), 1e18, later, v, r, s);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(router.selfPermit, (token, 1e18, later, v, r, s));
        calls[1] = _swap(address(token), carol);
        vm.prank(carol);
        router.multicall(calls);
        vm.assertEq(token.balanceOf(carol), 0, "traded");
    }

    /// @dev Who sends somebody else's permit has no use of it: it is for the caller's tokens.
    function test_RevertWhen_ThePermitIsNotTheCallers() external {
        (PermitToken token, address carol, uint256 key) = _permitted();
        (uint8 v, bytes32 r, bytes32 s) = _permit(token, key, carol, 1e18);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(router.selfPermit, (token, 1e18, later, v, r, s));
        calls[1] = _swap(address(token), bob);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(router), 0, 1e18)
        );
        vm.prank(bob);
        router.multicall(calls);
        vm.assertEq(token.balanceOf(carol), 1e18, "untouched");
    }

    /// @dev Several calls bring no ether, so none is spent twice.
    function test_RevertWhen_SeveralCallsSpendEther() external {
        _begin();
        address[] memory path = new address[](2);
        (path[0], path[1]) = (address(weth), token0);
        vm.prank(alice);
        router.addLiquidityETH{value: 1e21}(token0, 1e21, 0, 0, alice, later);
        bytes[] memory calls = new bytes[](2);
        calls[0] = calls[1] = abi.encodeCall(router.swapExactETHForTokens, (1, path, alice, later));
        vm.startPrank(alice);
        (bool done,) = address(router).call{value: 1e18}(abi.encodeCall(router.multicall, (calls)));
        assertFalse(done, "takes no ether");
        vm.expectRevert();
        router.multicall(calls);
    }

    function test_RevertWhen_ItIsLessThanWanted() external {
        ConstantProductPool pool = _begin();
        vm.startPrank(bob);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, 1e18, 1e18 + 1));
        router.addLiquidity(token0, token1, 2e18, 4e18, 1e18 + 1, 0, bob, later);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, 4e18, 4e18 + 1));
        router.addLiquidity(token0, token1, 2e18, 4e18, 0, 4e18 + 1, bob, later);
        (,, uint256 shares) = router.addLiquidity(token0, token1, 1e18, 4e18, 0, 0, bob, later);
        (uint256 out0, uint256 out1) = (shares * pool.reserve0() / pool.totalSupply(), 0);
        out1 = shares * pool.reserve1() / pool.totalSupply();
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, out0, out0 + 1));
        router.removeLiquidity(token0, token1, shares, out0 + 1, 0, bob, later);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, out1, out1 + 1));
        router.removeLiquidity(token0, token1, shares, out0, out1 + 1, bob, later);
        vm.expectRevert(abi.encodeWithSelector(CurveMath.AmountTooLarge.selector, uint256(1) << 112));
        router.addLiquidity(token0, token1, 1 << 112, 1, 0, 0, bob, later);
        vm.expectRevert(abi.encodeWithSelector(CurveMath.AmountTooLarge.selector, uint256(1) << 112));
        router.addLiquidity(token0, token1, 1, 1 << 112, 0, 0, bob, later);
    }

    function test_RevertWhen_EtherIsLessThanWanted() external {
        vm.startPrank(alice);
        (,, uint256 shares) = router.addLiquidityETH{value: 1e21}(token0, 1e21, 0, 0, alice, later);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, 1e18, 1e18 + 1));
        router.addLiquidityETH{value: 1e18}(token0, 1e19, 1e18 + 1, 0, alice, later);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, 1e18, 1e18 + 1));
        router.addLiquidityETH{value: 1e19}(token0, 1e18, 0, 1e18 + 1, alice, later);
        factory.getPair(token0, address(weth)).approve(address(router), shares);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, 1e18, 1e18 + 1));
        router.removeLiquidityETH(token0, 1e18, 1e18 + 1, 0, alice, later);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, 1e18, 1e18 + 1));
        router.removeLiquidityETH(token0, 1e18, 0, 1e18 + 1, alice, later);
    }

    function test_RevertWhen_ItIsLateOrNowhere() external {
        vm.expectRevert(abi.encodeWithSelector(RouterBase.NoPool.selector, token0, token1));
        router.removeLiquidity(token0, token1, 1, 0, 0, alice, later);
        vm.warp(later + 1);
        bytes memory expired = abi.encodeWithSelector(RouterBase.Expired.selector, later);
        vm.expectRevert(expired);
        router.addLiquidity(token0, token1, 1, 1, 0, 0, alice, later);
        vm.expectRevert(expired);
        router.addLiquidityETH(token0, 1, 0, 0, alice, later);
        vm.expectRevert(expired);
        router.removeLiquidity(token0, token1, 1, 0, 0, alice, later);
        vm.expectRevert(expired);
        router.removeLiquidityETH(token0, 1, 0, 0, alice, later);
    }

    function testFuzz_TheArithmeticIsThePools(uint256 amount) external {
        ConstantProductPool pool = _begin();
        amount = bound(amount, 1, 9e20);
        vm.assertEq(router.getAmountOut(amount, 1e21, 4e21), pool.quote(token0, amount), "out");
        vm.assertEq(router.getAmountIn(amount, 1e21, 4e21), pool.quoteExact(token0, amount), "in");
        vm.assertEq(router.quote(amount, 1e21, 4e21), 4 * amount, "price");
    }

    function test_RevertWhen_ReservesAreBeyondCounting() external {
        bytes memory tooLarge = abi.encodeWithSelector(CurveMath.AmountTooLarge.selector, uint256(1) << 112);
        for (uint256 i = 0; i < 2; i++) {
            (uint256 reserveIn, uint256 reserveOut) = (uint256(1), uint256(1) << 112);
            if (i == 0) (reserveIn, reserveOut) = (reserveOut, reserveIn);
            vm.expectRevert(tooLarge);
            router.getAmountOut(1, reserveIn, reserveOut);
            vm.expectRevert(tooLarge);
            router.getAmountIn(1, reserveIn, reserveOut);
        }
    }

    // What choosing the pool is worth

    function test_EveryPoolIsAskedAndTheImprovementTold() external {
        ConstantProductPool pool = _begin();
        (Router.Quote[] memory quotes, uint256 best, uint256 improvement) = router.quoteAll(token0, token1, 1e18);
        vm.assertEq(quotes.length, 1, "one pool");
        vm.assertEq(quotes[0].amountOut, pool.quote(token0, 1e18), "its quote");
        assertTrue(best == 0 && improvement == 0, "nothing better");
        (quotes, best, improvement) = router.quoteAll(token0, address(weth), 1e18);
        assertTrue(quotes.length == 0 && best == 0 && improvement == 0, "no pool");

        ConstantProductPool cheap = factory.createPool(token0, token1, 500);
        BatchPool batch = factory.createBatchPool(token0, token1, 100);
        _fund(alice, address(cheap), 1e27);
        _provide(cheap, alice, 1e21, 4e21);
        _fund(alice, address(batch), 1e27);
        _provide(batch, alice, 1e21, 4e21);
        (quotes, best, improvement) = router.quoteAll(token0, token1, 1e18);
        vm.assertEq(quotes.length, 3, "three pools");
        assertTrue(quotes[2].isBatch && quotes[2].pool == address(batch), "the batch pool last");
        vm.assertEq(best, 2, "and best");
        vm.assertEq(improvement, batch.quote(token0, 1e18) - pool.quote(token0, 1e18), "by so much");
        (quotes,,) = router.quoteAll(token0, token1, 1 << 112);
        vm.assertEq(quotes.length, 0, "nobody can count that");

        address[] memory path = new address[](2);
        (path[0], path[1]) = (token0, token1);
        uint256 out = cheap.quote(token0, 1e18);
        vm.expectEmit();
        emit Router.Traded(
            bob, address(cheap), token0, token1, 1e18, out, int256(out) - int256(pool.quote(token0, 1e18))
        );
        vm.prank(bob);
        router.swapExactTokensForTokens(1e18, 0, path, bob, later);
    }

    function _assertNothingLeft() private view {
        vm.assertEq(FreeToken(token0).balanceOf(address(router)), 0, "token 0");
        vm.assertEq(FreeToken(token1).balanceOf(address(router)), 0, "token 1");
        vm.assertEq(vault.balanceOf(address(router), id0), 0, "internal 0");
        vm.assertEq(vault.balanceOf(address(router), id1), 0, "internal 1");
        vm.assertEq(vault.balanceOf(address(router), uint160(address(weth))), 0, "internal ether");
    }
}
