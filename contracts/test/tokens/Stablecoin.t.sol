// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {Wallet} from "./Wallet.sol";
import {IAccessControl} from "@openzeppelin/access/IAccessControl.sol";
import {IERC20Errors} from "@openzeppelin/interfaces/draft-IERC6093.sol";
import {ERC20Permit} from "@openzeppelin/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/token/ERC20/extensions/draft-ERC3009.sol";
import {Denial, ITransferCheck} from "src/compliance/Denial.sol";
import {IPolicyRegistry, PolicyRegistry} from "src/compliance/PolicyRegistry.sol";
import {PolicyToken} from "src/tokens/PolicyToken.sol";
import {Stablecoin} from "src/tokens/Stablecoin.sol";

contract StablecoinTest is Suite {
    bytes32 constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    bytes32 constant TRANSFER = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 constant RECEIVE = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 constant CANCEL = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");
    uint256 constant CAP = 1e18;
    uint64 constant ALLOW_ALL = 1;

    PolicyRegistry registry = new PolicyRegistry();
    address admin = account("admin");
    address minter = account("minter");
    address bob = account("bob");
    address alice;
    uint256 aliceKey;
    Stablecoin token;

    function setUp() public {
        (alice, aliceKey) = signer("alice");
        token = new Stablecoin("Kenyan shilling", "KES", "KES", registry, ALLOW_ALL, admin, CAP);
        vm.prank(admin);
        token.configureMinter(minter, CAP);
        vm.prank(minter);
        token.mint(alice, 1000e6);
        vm.warp(1000);
    }

    function test_TellsWhatItIs() external view {
        vm.assertEq(token.name(), "Kenyan shilling", "name");
        vm.assertEq(token.symbol(), "KES", "symbol");
        vm.assertEq(token.currency(), "KES", "currency");
        vm.assertEq(token.decimals(), 6, "decimals");
        vm.assertEq(address(token.policyRegistry()), address(registry), "registry");
    }

    // Issue

    function testFuzz_MintTakesFromTheAllowance(uint256 allowed, uint256 amount) external {
        allowed = bound(allowed, 0, CAP - token.totalSupply());
        amount = bound(amount, 0, allowed);
        vm.prank(admin);
        token.configureMinter(minter, allowed);
        uint256 supply = token.totalSupply();
        vm.prank(minter);
        token.mint(bob, amount);
        vm.assertEq(token.minterAllowance(minter), allowed - amount, "allowance");
        vm.assertEq(token.balanceOf(bob), amount, "balance");
        vm.assertEq(token.totalSupply(), supply + amount, "supply");
    }

    function test_RevertWhen_AMinterExceedsItsAllowance() external {
        vm.prank(admin);
        token.configureMinter(minter, 5);
        vm.expectRevert(abi.encodeWithSelector(Stablecoin.MinterAllowanceExceeded.selector, minter, 5, 6));
        vm.prank(minter);
        token.mint(bob, 6);
    }

    function testFuzz_RevertWhen_TheSupplyWouldExceedItsCap(uint256 amount) external {
        amount = bound(amount, CAP - token.totalSupply() + 1, type(uint256).max);
        vm.prank(admin);
        token.configureMinter(minter, type(uint256).max);
        _assertDenied(address(0), bob, amount, Denial.SupplyCap, address(token));
        vm.prank(minter);
        token.mint(bob, amount);
    }

    function test_ACapUnderTheSupplyStopsMintingOnly() external {
        vm.prank(admin);
        token.setSupplyCap(1);
        vm.assertEq(token.supplyCap(), 1, "cap");
        vm.prank(alice);
        token.transfer(bob, 1);
        _assertDenied(address(0), bob, 1, Denial.SupplyCap, address(token));
        vm.prank(minter);
        token.mint(bob, 1);
    }

    function test_RevertWhen_OthersMint() external {
        _expectUnauthorized(alice, token.MINTER_ROLE());
        vm.prank(alice);
        token.mint(alice, 1);
    }

    function test_ARemovedMinterMintsNoMore() external {
        vm.prank(admin);
        token.removeMinter(minter);
        vm.assertEq(token.minterAllowance(minter), 0, "allowance");
        _expectUnauthorized(minter, token.MINTER_ROLE());
        vm.prank(minter);
        token.mint(alice, 1);
    }

    function test_AMinterBurnsItsOwn() external {
        vm.prank(alice);
        token.transfer(minter, 10e6);
        vm.prank(minter);
        token.burn(10e6);
        vm.assertEq(token.totalSupply(), 990e6, "supply");
        vm.assertEq(token.minterAllowance(minter), CAP - 1000e6, "allowance stays");
    }

    function test_RevertWhen_OthersBurn() external {
        _expectUnauthorized(alice, token.MINTER_ROLE());
        vm.prank(alice);
        token.burn(1);
    }

    function test_RevertWhen_OthersAdminister() external {
        bytes32 minterAdmin = token.MINTER_ADMIN_ROLE();
        bytes32 pauser = token.PAUSER_ROLE();
        bytes32 policy = token.POLICY_ROLE();
        vm.startPrank(alice);
        _expectUnauthorized(alice, minterAdmin);
        token.configureMinter(alice, 1);
        _expectUnauthorized(alice, minterAdmin);
        token.removeMinter(minter);
        _expectUnauthorized(alice, bytes32(0));
        token.setSupplyCap(1);
        _expectUnauthorized(alice, pauser);
        token.pause();
        _expectUnauthorized(alice, pauser);
        token.unpause();
        _expectUnauthorized(alice, policy);
        token.setPolicy(0);
    }

    // Policy and pause

    function test_RevertWhen_Paused() external {
        vm.prank(admin);
        token.pause();
        _assertDenied(alice, bob, 1, Denial.Paused, address(token));
        vm.prank(alice);
        token.transfer(bob, 1);
        vm.prank(admin);
        token.unpause();
        vm.prank(alice);
        token.transfer(bob, 1);
        vm.assertEq(token.balanceOf(bob), 1, "after the pause");
    }

    function test_APolicyHasDirections() external {
        uint64 denied = registry.createPolicy(address(this), IPolicyRegistry.PolicyType.BLACKLIST);
        registry.modifyPolicyBlacklist(denied, bob, true);
        uint64 sendersOnly = registry.createCompoundPolicy(denied, 1, 1);
        uint64 recipientsOnly = registry.createCompoundPolicy(1, denied, 1);
        uint64 mintOnly = registry.createCompoundPolicy(1, 1, denied);

        _setPolicy(sendersOnly);
        vm.prank(alice);
        token.transfer(bob, 5);
        _assertDenied(bob, alice, 1, Denial.SenderPolicy, address(registry));
        vm.prank(bob);
        token.transfer(alice, 1);

        _setPolicy(recipientsOnly);
        vm.prank(bob);
        token.transfer(alice, 1);
        _assertDenied(alice, bob, 1, Denial.RecipientPolicy, address(registry));
        vm.prank(alice);
        token.transfer(bob, 1);

        _setPolicy(mintOnly);
        vm.prank(alice);
        token.transfer(bob, 1);
        _assertDenied(address(0), bob, 1, Denial.MintRecipientPolicy, address(registry));
        vm.prank(minter);
        token.mint(bob, 1);
    }

    function test_RevertWhen_ThePolicyIsUnknown() external {
        vm.expectRevert(abi.encodeWithSelector(PolicyToken.UnknownPolicy.selector, 99));
        vm.prank(admin);
        token.setPolicy(99);
        vm.expectRevert(abi.encodeWithSelector(PolicyToken.UnknownPolicy.selector, 99));
        new Stablecoin("", "", "", registry, 99, admin, 0);
    }

    function test_TheDryRunSeesTheBalance() external {
        (Denial code, address deniedBy) = token.checkTransfer(alice, bob, 1001e6);
        vm.assertEq(uint256(code), uint256(Denial.InsufficientBalance), "code");
        vm.assertEq(deniedBy, address(token), "denied by");
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, 1000e6, 1001e6));
        vm.prank(alice);
        token.transfer(bob, 1001e6);
    }

    function testFuzz_TheDryRunTellsTheTruth(bool pause, uint256 lists, uint256 amount) external {
        amount = bound(amount, 0, 2000e6);
        uint64 list = registry.createPolicy(address(this), IPolicyRegistry.PolicyType(lists & 1));
        bool member = lists & 2 != 0;
        for (uint256 i = 0; i < 2; i++) {
            address who = i == 0 ? alice : bob;
            if ((lists >> (2 + i)) & 1 == 0) continue;
            if (lists & 1 == 0) registry.modifyPolicyWhitelist(list, who, member);
            else registry.modifyPolicyBlacklist(list, who, member);
        }
        _setPolicy(list);
        if (pause) {
            vm.prank(admin);
            token.pause();
        }
        (Denial code,) = token.checkTransfer(alice, bob, amount);
        vm.prank(alice);
        try token.transfer(bob, amount) {
            vm.assertEq(uint256(code), uint256(Denial.None), "it happened");
        } catch {
            assertTrue(code != Denial.None, "it was refused");
        }
    }

    // Memos

    function test_ATransferCarriesAMemo() external {
        vm.expectEmit();
        emit PolicyToken.TransferWithMemo(alice, bob, 7, "travel rule");
        vm.prank(alice);
        token.transferWithMemo(bob, 7, "travel rule");
        vm.prank(alice);
        token.approve(bob, 3);
        vm.expectEmit();
        emit PolicyToken.TransferWithMemo(alice, bob, 3, "invoice");
        vm.prank(bob);
        token.transferFromWithMemo(alice, bob, 3, "invoice");
        vm.assertEq(token.balanceOf(bob), 10, "balance");
    }

    // EIP-2612

    function test_APermitApproves() external {
        bytes32 digest = _digest(abi.encode(PERMIT, alice, bob, 5, 0, 2000));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(aliceKey, digest);
        token.permit(alice, bob, 5, 2000, v, r, s);
        vm.assertEq(token.allowance(alice, bob), 5, "allowance");
        vm.assertEq(token.nonces(alice), 1, "nonce");
        vm.expectRevert();
        token.permit(alice, bob, 5, 2000, v, r, s);
    }

    function test_AContractSignsPermits() external {
        Wallet wallet = new Wallet(alice);
        bytes memory signature = _sign(aliceKey, abi.encode(PERMIT, wallet, bob, 5, 0, 2000));
        token.permit(address(wallet), bob, 5, 2000, signature);
        vm.assertEq(token.allowance(address(wallet), bob), 5, "allowance");
        vm.expectRevert(abi.encodeWithSelector(PolicyToken.InvalidSignature.selector, address(wallet)));
        token.permit(address(wallet), bob, 5, 2000, signature);
    }

    function test_RevertWhen_APermitIsLate() external {
        bytes memory signature = _sign(aliceKey, abi.encode(PERMIT, alice, bob, 5, 0, 999));
        vm.expectRevert(abi.encodeWithSelector(ERC20Permit.ERC2612ExpiredSignature.selector, 999));
        token.permit(alice, bob, 5, 999, signature);
    }

    function test_RevertWhen_SomebodyElseSignsAPermit() external {
        (, uint256 otherKey) = signer("other");
        bytes memory signature = _sign(otherKey, abi.encode(PERMIT, alice, bob, 5, 0, 2000));
        vm.expectRevert(abi.encodeWithSelector(PolicyToken.InvalidSignature.selector, alice));
        token.permit(alice, bob, 5, 2000, signature);
    }

    // EIP-3009

    function testFuzz_AnAuthorisationTransfersOnce(bytes32 nonce, uint256 amount) external {
        amount = bound(amount, 0, 1000e6);
        bytes memory message = abi.encode(TRANSFER, alice, bob, amount, 999, 1001, nonce);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(aliceKey, _digest(message));
        token.transferWithAuthorization(alice, bob, amount, 999, 1001, nonce, v, r, s);
        vm.assertEq(token.balanceOf(bob), amount, "balance");
        assertTrue(token.authorizationState(alice, nonce), "used");
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, alice, nonce));
        token.transferWithAuthorization(alice, bob, amount, 999, 1001, nonce, abi.encodePacked(r, s, v));
    }

    function test_AContractAuthorises() external {
        Wallet wallet = new Wallet(alice);
        vm.prank(alice);
        token.transfer(address(wallet), 10);
        bytes memory signature = _sign(aliceKey, abi.encode(TRANSFER, wallet, bob, 4, 999, 1001, bytes32("a")));
        token.transferWithAuthorization(address(wallet), bob, 4, 999, 1001, "a", signature);
        signature = _sign(aliceKey, abi.encode(RECEIVE, wallet, bob, 6, 999, 1001, bytes32("b")));
        vm.prank(bob);
        token.receiveWithAuthorization(address(wallet), bob, 6, 999, 1001, "b", signature);
        vm.assertEq(token.balanceOf(bob), 10, "balance");
    }

    function test_OnlyTheRecipientReceives() external {
        bytes memory signature = _sign(aliceKey, abi.encode(RECEIVE, alice, bob, 6, 999, 1001, bytes32("a")));
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, bob));
        token.receiveWithAuthorization(alice, bob, 6, 999, 1001, "a", signature);
        // Nor does it pass for a transfer, which anyone may send.
        vm.expectRevert(abi.encodeWithSelector(PolicyToken.InvalidSignature.selector, alice));
        token.transferWithAuthorization(alice, bob, 6, 999, 1001, "a", signature);
    }

    function test_RevertWhen_AnAuthorisationIsNotYetOrNoMoreValid() external {
        bytes memory early = _sign(aliceKey, abi.encode(TRANSFER, alice, bob, 1, 1000, 1001, bytes32("a")));
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, 1000, 1001));
        token.transferWithAuthorization(alice, bob, 1, 1000, 1001, "a", early);
        bytes memory late = _sign(aliceKey, abi.encode(TRANSFER, alice, bob, 1, 0, 1000, bytes32("a")));
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, 0, 1000));
        token.transferWithAuthorization(alice, bob, 1, 0, 1000, "a", late);
    }

    function test_ACancelledAuthorisationIsWorthless() external {
        bytes memory cancellation = _sign(aliceKey, abi.encode(CANCEL, alice, bytes32("a")));
        token.cancelAuthorization(alice, "a", cancellation);
        bytes memory signature = _sign(aliceKey, abi.encode(TRANSFER, alice, bob, 1, 0, 2000, bytes32("a")));
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, alice, bytes32("a")));
        token.transferWithAuthorization(alice, bob, 1, 0, 2000, "a", signature);
        vm.expectRevert(abi.encodeWithSelector(PolicyToken.InvalidSignature.selector, bob));
        token.cancelAuthorization(bob, "a", cancellation);
    }

    function test_AnAuthorisationAsksThePolicyToo() external {
        _setPolicy(0);
        bytes memory signature = _sign(aliceKey, abi.encode(TRANSFER, alice, bob, 1, 0, 2000, bytes32("a")));
        _assertDenied(alice, bob, 1, Denial.SenderPolicy, address(registry));
        token.transferWithAuthorization(alice, bob, 1, 0, 2000, "a", signature);
    }

    function _setPolicy(uint64 policy) private {
        vm.prank(admin);
        token.setPolicy(policy);
    }

    /// @dev The dry run names the reason; the next call has to revert with it.
    function _assertDenied(address from, address to, uint256 amount, Denial expected, address by) private {
        (Denial code, address deniedBy) = token.checkTransfer(from, to, amount);
        vm.assertEq(uint256(code), uint256(expected), "code");
        vm.assertEq(deniedBy, by, "denied by");
        vm.expectRevert(abi.encodeWithSelector(ITransferCheck.TransferDenied.selector, expected, by, from, to, amount));
    }

    function _expectUnauthorized(address caller, bytes32 role) private {
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role));
    }

    function _digest(bytes memory message) private view returns (bytes32) {
        return keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), keccak256(message)));
    }

    function _sign(uint256 key, bytes memory message) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _digest(message));
        return abi.encodePacked(r, s, v);
    }
}

/// @dev Four accounts that mint, burn and transfer at random.
contract StablecoinHandler is Suite {
    Stablecoin public immutable token;
    address[4] public accounts;
    uint256 public minted;
    uint256 public burned;

    constructor() {
        token = new Stablecoin("", "", "", new PolicyRegistry(), 1, address(this), 1e18);
        for (uint160 i = 0; i < 4; i++) {
            accounts[i] = address(i + 100);
            token.configureMinter(accounts[i], 1e17);
        }
    }

    function mint(uint256 by, uint256 to, uint256 amount) external {
        address minter = accounts[by % 4];
        amount = bound(amount, 0, token.minterAllowance(minter));
        vm.prank(minter);
        token.mint(accounts[to % 4], amount);
        minted += amount;
    }

    function burn(uint256 by, uint256 amount) external {
        address burner = accounts[by % 4];
        amount = bound(amount, 0, token.balanceOf(burner));
        vm.prank(burner);
        token.burn(amount);
        burned += amount;
    }

    function transfer(uint256 from, uint256 to, uint256 amount) external {
        address sender = accounts[from % 4];
        amount = bound(amount, 0, token.balanceOf(sender));
        vm.prank(sender);
        token.transfer(accounts[to % 4], amount);
    }
}

contract StablecoinInvariants is Suite {
    StablecoinHandler handler;

    function setUp() public {
        handler = new StablecoinHandler();
        target(address(handler));
    }

    function invariant_NothingIsMadeOrLost() external view {
        Stablecoin token = handler.token();
        uint256 held;
        for (uint256 i = 0; i < 4; i++) {
            held += token.balanceOf(handler.accounts(i));
        }
        vm.assertEq(held, token.totalSupply(), "held");
        vm.assertEq(token.totalSupply(), handler.minted() - handler.burned(), "supply");
        assertTrue(token.totalSupply() <= token.supplyCap(), "cap");
    }
}
