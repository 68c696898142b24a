// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {Wallet} from "../tokens/Wallet.sol";
import {Market} from "./Market.sol";
import {FreeToken} from "./Tokens.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {PoolFactory} from "src/dex/PoolFactory.sol";
import {Router} from "src/dex/Router.sol";
import {RouterBase} from "src/dex/RouterBase.sol";
import {SignedTrades} from "src/dex/SignedTrades.sol";
import {ISignatureTransfer} from "src/tokens/ISignatureTransfer.sol";
import {SignatureTransfer} from "src/tokens/SignatureTransfer.sol";
import {WrappedEther} from "src/tokens/WrappedEther.sol";

/// @dev Types and hashes are written out here as Permit2's documents have them, and not taken from the contracts.
contract SignedTradesTest is Market {
    string constant PERMISSIONS = "TokenPermissions(address token,uint256 amount)";
    string constant TRADE = "Trade(uint256 amountOutMin,address[] path,address to,uint256 tip)";

    PoolFactory factory = new PoolFactory(vault);
    Router router = new Router(factory, new WrappedEther());
    SignatureTransfer transfers = new SignatureTransfer();
    SignedTrades trades = new SignedTrades(transfers, router);
    ConstantProductPool pool;
    address lp = account("lp");
    address spender = account("spender");
    address bob = account("bob");
    address alice;
    uint256 key;

    function setUp() public {
        vm.warp(1_000_000);
        (alice, key) = signer("alice");
        pool = factory.createPool(token0, token1, 3000);
        _fund(lp, address(pool), 1e27);
        _provide(pool, lp, 1e24, 1e24);
        _give(alice);
    }

    function _give(address who) private {
        FreeToken(token0).mint(who, 1e21);
        FreeToken(token1).mint(who, 1e21);
        vm.startPrank(who);
        FreeToken(token0).approve(address(transfers), type(uint256).max);
        FreeToken(token1).approve(address(transfers), type(uint256).max);
        vm.stopPrank();
    }

    function _permit(uint256 amount, uint256 nonce)
        private
        view
        returns (ISignatureTransfer.PermitTransferFrom memory)
    {
        ISignatureTransfer.TokenPermissions memory permitted = ISignatureTransfer.TokenPermissions(token0, amount);
        return ISignatureTransfer.PermitTransferFrom(permitted, nonce, block.timestamp + 100);
    }

    function _to(address to, uint256 amount) private pure returns (ISignatureTransfer.SignatureTransferDetails memory) {
        return ISignatureTransfer.SignatureTransferDetails(to, amount);
    }

    function _hashOf(ISignatureTransfer.TokenPermissions memory permitted) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(bytes(PERMISSIONS)), permitted.token, permitted.amount));
    }

    function _digest(bytes32 struct_) private view returns (bytes32) {
        bytes32 domain = keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)");
        domain = keccak256(abi.encode(domain, keccak256("Permit2"), block.chainid, address(transfers)));
        return keccak256(abi.encodePacked(hex"1901", domain, struct_));
    }

    function _single(ISignatureTransfer.PermitTransferFrom memory permit, address who) private view returns (bytes32) {
        string memory kind =
            "PermitTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline)";
        bytes32 hash = keccak256(abi.encodePacked(kind, PERMISSIONS));
        return _digest(keccak256(abi.encode(hash, _hashOf(permit.permitted), who, permit.nonce, permit.deadline)));
    }

    function _sign(bytes32 digest) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _take(ISignatureTransfer.PermitTransferFrom memory permit, uint256 amount, bytes memory signature)
        private
    {
        vm.prank(spender);
        transfers.permitTransferFrom(permit, _to(bob, amount), alice, signature);
    }

    // Transfers

    function testFuzz_ASpenderTakesWhatWasSigned(uint256 amount, uint256 asked, uint256 nonce) external {
        amount = bound(amount, 0, 1e21);
        asked = bound(asked, 0, amount);
        ISignatureTransfer.PermitTransferFrom memory permit = _permit(amount, nonce);
        bytes memory signature = _sign(_single(permit, spender));
        _take(permit, asked, signature);
        vm.assertEq(FreeToken(token0).balanceOf(bob), asked, "taken");
        vm.assertEq(transfers.nonceBitmap(alice, nonce >> 8), 1 << (nonce & 0xff), "one bit");
        vm.expectRevert(ISignatureTransfer.InvalidNonce.selector);
        _take(permit, asked, signature);
    }

    function test_ACompactSignatureIsOneToo() external {
        ISignatureTransfer.PermitTransferFrom memory permit = _permit(7, 3);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _single(permit, spender));
        _take(permit, 7, abi.encodePacked(r, bytes32(uint256(s) | uint256(v - 27) << 255)));
        vm.assertEq(FreeToken(token0).balanceOf(bob), 7, "taken");
    }

    function test_AContractSignsAsItLikes() external {
        address wallet = address(new Wallet(alice));
        _give(wallet);
        ISignatureTransfer.PermitTransferFrom memory permit = _permit(7, 3);
        bytes memory signature = _sign(_single(permit, spender));
        vm.prank(spender);
        transfers.permitTransferFrom(permit, _to(bob, 7), wallet, signature);
        vm.assertEq(FreeToken(token0).balanceOf(wallet), 1e21 - 7, "taken");
    }

    function test_SeveralTokensGoByOneSignature() external {
        ISignatureTransfer.PermitBatchTransferFrom memory permit = _batch();
        bytes32 both = keccak256(abi.encodePacked(_hashOf(permit.permitted[0]), _hashOf(permit.permitted[1])));
        string memory kind =
            "PermitBatchTransferFrom(TokenPermissions[] permitted,address spender,uint256 nonce,uint256 deadline)";
        bytes32 hash = keccak256(abi.encodePacked(kind, PERMISSIONS));
        bytes memory signature =
            _sign(_digest(keccak256(abi.encode(hash, both, spender, permit.nonce, permit.deadline))));
        ISignatureTransfer.SignatureTransferDetails[] memory details =
            new ISignatureTransfer.SignatureTransferDetails[](1);
        details[0] = _to(bob, 5);
        vm.expectRevert(ISignatureTransfer.LengthMismatch.selector);
        vm.prank(spender);
        transfers.permitTransferFrom(permit, details, alice, signature);
        details = new ISignatureTransfer.SignatureTransferDetails[](2);
        (details[0], details[1]) = (_to(bob, 5), _to(bob, 0));
        vm.prank(spender);
        transfers.permitTransferFrom(permit, details, alice, signature);
        vm.assertEq(FreeToken(token0).balanceOf(bob), 5, "of the one");
        vm.assertEq(FreeToken(token1).balanceOf(bob), 0, "and nothing of the other");
    }

    function test_SeveralTokensGoWithAWitness() external {
        ISignatureTransfer.PermitBatchTransferFrom memory permit = _batch();
        bytes32 both = keccak256(abi.encodePacked(_hashOf(permit.permitted[0]), _hashOf(permit.permitted[1])));
        string memory rest = string.concat("Note note)Note(uint256 number)", PERMISSIONS);
        string memory kind = string.concat(
            "PermitBatchWitnessTransferFrom(TokenPermissions[] permitted,address spender,uint256 nonce,uint256 deadline,",
            rest
        );
        bytes32 witness = keccak256(abi.encode(keccak256("Note(uint256 number)"), 42));
        bytes memory signature = _sign(
            _digest(
                keccak256(abi.encode(keccak256(bytes(kind)), both, spender, permit.nonce, permit.deadline, witness))
            )
        );
        ISignatureTransfer.SignatureTransferDetails[] memory details =
            new ISignatureTransfer.SignatureTransferDetails[](2);
        (details[0], details[1]) = (_to(bob, 5), _to(lp, 6));
        vm.startPrank(spender);
        vm.expectRevert(ISignatureTransfer.InvalidSigner.selector);
        transfers.permitWitnessTransferFrom(permit, details, alice, keccak256("other"), rest, signature);
        transfers.permitWitnessTransferFrom(permit, details, alice, witness, rest, signature);
        vm.stopPrank();
        vm.assertEq(FreeToken(token0).balanceOf(bob), 5, "of the one");
        vm.assertEq(FreeToken(token1).balanceOf(lp), 6, "and of the other");
    }

    function _batch() private view returns (ISignatureTransfer.PermitBatchTransferFrom memory) {
        ISignatureTransfer.TokenPermissions[] memory permitted = new ISignatureTransfer.TokenPermissions[](2);
        permitted[0] = ISignatureTransfer.TokenPermissions(token0, 10);
        permitted[1] = ISignatureTransfer.TokenPermissions(token1, 10);
        return ISignatureTransfer.PermitBatchTransferFrom(permitted, 9, block.timestamp + 100);
    }

    function test_RevertWhen_ATransferWasNotSigned() external {
        ISignatureTransfer.PermitTransferFrom memory permit = _permit(10, 0);
        bytes memory signature = _sign(_single(permit, spender));
        vm.expectRevert(abi.encodeWithSelector(ISignatureTransfer.InvalidAmount.selector, 10));
        _take(permit, 11, signature);
        vm.expectRevert(ISignatureTransfer.InvalidSigner.selector);
        vm.prank(bob);
        transfers.permitTransferFrom(permit, _to(bob, 1), alice, signature);
        permit.permitted.amount = 11;
        vm.expectRevert(ISignatureTransfer.InvalidSigner.selector);
        _take(permit, 11, signature);
        permit.permitted.amount = 10;
        vm.expectRevert(ISignatureTransfer.InvalidSigner.selector);
        _take(permit, 1, hex"00");
        vm.expectRevert(ISignatureTransfer.InvalidSigner.selector);
        transfers.permitTransferFrom(permit, _to(bob, 0), address(0), signature);
        vm.prank(alice);
        transfers.invalidateUnorderedNonces(0, 1);
        vm.expectRevert(ISignatureTransfer.InvalidNonce.selector);
        _take(permit, 1, signature);
        permit.nonce = 1;
        signature = _sign(_single(permit, spender));
        vm.warp(permit.deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(ISignatureTransfer.SignatureExpired.selector, permit.deadline));
        _take(permit, 1, signature);
    }

    // Trades

    function _trade(uint256 tip, uint256 least) private view returns (SignedTrades.Trade memory trade) {
        address[] memory path = new address[](2);
        (path[0], path[1]) = (token0, token1);
        return SignedTrades.Trade(least, path, bob, tip);
    }

    function _signed(ISignatureTransfer.PermitTransferFrom memory permit, SignedTrades.Trade memory trade)
        private
        view
        returns (bytes memory)
    {
        bytes32 witness = keccak256(
            abi.encode(
                keccak256(bytes(TRADE)),
                trade.amountOutMin,
                keccak256(abi.encodePacked(trade.path)),
                trade.to,
                trade.tip
            )
        );
        string memory kind = string.concat(
            "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,",
            "Trade witness)",
            PERMISSIONS,
            TRADE
        );
        bytes32 hash = keccak256(bytes(kind));
        return _sign(
            _digest(
                keccak256(
                    abi.encode(hash, _hashOf(permit.permitted), address(trades), permit.nonce, permit.deadline, witness)
                )
            )
        );
    }

    function testFuzz_WhoeverSendsATradeGetsTheTip(uint256 amount, uint256 tip) external {
        amount = bound(amount, 1e6, 1e21);
        tip = bound(tip, 0, amount / 2);
        ISignatureTransfer.PermitTransferFrom memory permit = _permit(amount, 5);
        SignedTrades.Trade memory trade = _trade(tip, 1);
        uint256 quoted = router.getAmountsOut(amount - tip, trade.path)[1];
        bytes memory signature = _signed(permit, trade);
        vm.prank(spender);
        vm.assertEq(trades.trade(permit, trade, alice, signature), quoted, "as quoted");
        vm.assertEq(FreeToken(token1).balanceOf(bob), quoted, "all of it is the trader's");
        vm.assertEq(FreeToken(token0).balanceOf(spender), tip, "the tip");
        vm.assertEq(FreeToken(token0).balanceOf(alice), 1e21 - amount, "the trader's");
        vm.assertEq(FreeToken(token0).balanceOf(address(trades)), 0, "nothing is left");
        vm.expectRevert(ISignatureTransfer.InvalidNonce.selector);
        trades.trade(permit, trade, alice, signature);
    }

    function test_RevertWhen_ATradeIsNotTheOneThatWasSigned() external {
        ISignatureTransfer.PermitTransferFrom memory permit = _permit(1e18, 5);
        SignedTrades.Trade memory trade = _trade(1e15, 9e17);
        bytes memory signature = _signed(permit, trade);
        trade.to = spender;
        vm.expectRevert(ISignatureTransfer.InvalidSigner.selector);
        trades.trade(permit, trade, alice, signature);
        (trade.to, trade.tip) = (bob, 2e15);
        vm.expectRevert(ISignatureTransfer.InvalidSigner.selector);
        trades.trade(permit, trade, alice, signature);
        (trade.tip, trade.amountOutMin) = (1e15, 1);
        vm.expectRevert(ISignatureTransfer.InvalidSigner.selector);
        trades.trade(permit, trade, alice, signature);
        trade.amountOutMin = 9e17;
        trade.path[1] = address(vault);
        vm.expectRevert(ISignatureTransfer.InvalidSigner.selector);
        trades.trade(permit, trade, alice, signature);
        trade.path[0] = token1;
        vm.expectRevert(abi.encodeWithSelector(SignedTrades.OtherToken.selector, token0));
        trades.trade(permit, trade, alice, signature);
        trade.path = new address[](0);
        vm.expectRevert(abi.encodeWithSelector(SignedTrades.OtherToken.selector, token0));
        trades.trade(permit, trade, alice, signature);
        trade = _trade(1e18, 1);
        vm.expectRevert(abi.encodeWithSelector(SignedTrades.TipTooLarge.selector, 1e18, 1e18));
        trades.trade(permit, trade, alice, signature);
    }

    function test_RevertWhen_TheMarketGivesLessThanWasSigned() external {
        ISignatureTransfer.PermitTransferFrom memory permit = _permit(1e18, 5);
        SignedTrades.Trade memory trade = _trade(0, 2e18);
        bytes memory signature = _signed(permit, trade);
        uint256 quoted = router.getAmountsOut(1e18, trade.path)[1];
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, quoted, 2e18));
        trades.trade(permit, trade, alice, signature);
        vm.assertEq(transfers.nonceBitmap(alice, 0), 0, "and the signature is good still");
    }
}
