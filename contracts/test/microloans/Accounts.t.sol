// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {LoanSuite} from "./LoanSuite.sol";
import {IAccessManaged} from "@openzeppelin/access/manager/IAccessManaged.sol";
import {IAccessManager} from "@openzeppelin/access/manager/IAccessManager.sol";
import {ERC2771Forwarder} from "@openzeppelin/metatx/ERC2771Forwarder.sol";
import {Base64} from "@openzeppelin/utils/Base64.sol";
import {Parts} from "src/microloans/ILenderPool.sol";
import {LoanState} from "src/microloans/LoanState.sol";
import {PasskeyAccount} from "src/microloans/PasskeyAccount.sol";
import {PasskeyAccounts} from "src/microloans/PasskeyAccounts.sol";
import {RoleGate} from "src/microloans/RoleGate.sol";
import {SponsoredForwarder} from "src/microloans/SponsoredForwarder.sol";

/// @dev Cheat codes for P-256.
interface Authenticator {
    function signP256(uint256 key, bytes32 digest) external pure returns (bytes32 r, bytes32 s);
    function publicKeyP256(uint256 key) external pure returns (uint256 x, uint256 y);
}

contract AccountsTest is LoanSuite {
    uint256 constant ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551;
    uint256 constant KEY = 0xa11ce;
    uint128 constant PRINCIPAL = 100e6;

    PasskeyAccounts accounts = new PasskeyAccounts();
    PasskeyAccount wallet;
    address[] guardians;
    bytes32 x;
    bytes32 y;

    function setUp() public {
        _openBook();
        _lend(junior, bob, 500 * USD);
        for (uint256 i = 0; i < 3; i++) {
            guardians.push(address(uint160(3000 + i)));
        }
        (x, y) = _publicKey(KEY);
        wallet = accounts.make(x, y, guardians, 2, "salt");
    }

    function _publicKey(uint256 key) private pure returns (bytes32, bytes32) {
        (uint256 x_, uint256 y_) = Authenticator(address(vm)).publicKeyP256(key);
        return (bytes32(x_), bytes32(y_));
    }

    /// @dev What an authenticator makes of a challenge.
    function _assertion(uint256 key, bytes32 challenge) private pure returns (bytes memory) {
        string memory client = string.concat(
            '{"type":"webauthn.get","challenge":"',
            Base64.encodeURL(abi.encodePacked(challenge)),
            '","origin":"https://loans.example","crossOrigin":false}'
        );
        // Hash of the site, user present and verified, counter.
        bytes memory data = abi.encodePacked(sha256("loans.example"), bytes1(0x05), uint32(1));
        bytes32 digest = sha256(abi.encodePacked(data, sha256(bytes(client))));
        (bytes32 r, bytes32 s) = Authenticator(address(vm)).signP256(key, digest);
        if (uint256(s) > ORDER / 2) s = bytes32(ORDER - uint256(s));
        // Where the challenge and the type stand in what the client says.
        return abi.encode(r, s, uint256(23), uint256(1), data, client);
    }

    function _call(address to, bytes memory data) private pure returns (PasskeyAccount.Call[] memory calls) {
        calls = new PasskeyAccount.Call[](1);
        calls[0] = PasskeyAccount.Call(to, 0, data);
    }

    function _execute(uint256 key, PasskeyAccount.Call[] memory calls) private {
        (uint256 nonce, uint256 deadline) = (wallet.nonce(), clock() + 60);
        bytes memory signature = _assertion(key, wallet.digestOf(calls, nonce, deadline));
        wallet.execute(calls, nonce, deadline, signature);
    }

    // Passkeys

    /// @dev A borrower with a passkey and no coin: accepts, is paid, approves and repays, and somebody else sends it all.
    function test_ABorrowerNeedsNoCoin() external {
        _offer(LOAN, PRINCIPAL, address(wallet));
        _execute(KEY, _call(address(book), abi.encodeCall(book.accept, (LOAN, KEY_FACTS, "hi"))));
        _assertState(LOAN, LoanState.Accepted);
        vm.startPrank(treasurer);
        book.fund(LOAN, 2);
        book.disburse(LOAN, 3);
        vm.stopPrank();
        vm.assertEq(usd.balanceOf(address(wallet)), PRINCIPAL, "paid out");
        PasskeyAccount.Call[] memory calls = new PasskeyAccount.Call[](2);
        calls[0] = PasskeyAccount.Call(address(usd), 0, abi.encodeCall(usd.approve, (address(pool), 30e6)));
        calls[1] = PasskeyAccount.Call(address(book), 0, abi.encodeCall(book.payIn, (LOAN, 30e6)));
        _execute(KEY, calls);
        vm.assertEq(book.suspenseOf(LOAN, address(wallet)), 30e6, "paid in");
        vm.assertEq(wallet.nonce(), 2, "two calls");
    }

    function test_OnlyTheKeyExecutesAndOnce() external {
        PasskeyAccount.Call[] memory calls = _call(address(usd), abi.encodeCall(usd.approve, (alice, 1)));
        (uint256 nonce, uint256 deadline) = (wallet.nonce(), clock() + 60);
        bytes32 digest = wallet.digestOf(calls, nonce, deadline);
        bytes memory good = _assertion(KEY, digest);
        bytes memory other = _assertion(KEY + 1, digest);
        vm.expectRevert(PasskeyAccount.InvalidSignature.selector);
        wallet.execute(calls, nonce, deadline, other);
        vm.expectRevert(PasskeyAccount.InvalidSignature.selector);
        wallet.execute(calls, nonce, deadline + 1, good);
        vm.expectRevert(PasskeyAccount.InvalidSignature.selector);
        wallet.execute(calls, nonce, deadline, "");
        wallet.execute(calls, nonce, deadline, good);
        vm.expectRevert(abi.encodeWithSelector(PasskeyAccount.WrongNonce.selector, uint256(1), uint256(0)));
        wallet.execute(calls, nonce, deadline, good);
        _pass(61);
        vm.expectRevert(abi.encodeWithSelector(PasskeyAccount.Expired.selector, deadline));
        wallet.execute(calls, nonce, deadline, good);
    }

    function test_AllCallsOrNone() external {
        PasskeyAccount.Call[] memory calls = new PasskeyAccount.Call[](2);
        calls[0] = PasskeyAccount.Call(address(usd), 0, abi.encodeCall(usd.approve, (alice, 1)));
        calls[1] = PasskeyAccount.Call(address(book), 0, abi.encodeCall(book.payIn, (LOAN, 0)));
        (uint256 nonce, uint256 deadline) = (wallet.nonce(), clock() + 60);
        bytes memory signature = _assertion(KEY, wallet.digestOf(calls, nonce, deadline));
        bytes memory reason = abi.encodeWithSignature("NothingGiven()");
        vm.expectRevert(abi.encodeWithSelector(PasskeyAccount.CallFailed.selector, uint256(1), reason));
        wallet.execute(calls, nonce, deadline, signature);
        vm.assertEq(usd.allowance(address(wallet), alice), 0, "none");
    }

    function test_AMessageOfOneAccountIsNoneOfAnother() external {
        PasskeyAccount twin = accounts.make(x, y, guardians, 2, "other salt");
        bytes32 hash = keccak256("message");
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Braid passkey account"),
                keccak256("1"),
                block.chainid,
                address(wallet)
            )
        );
        bytes32 inner = keccak256(abi.encode(keccak256("PasskeyMessage(bytes32 hash)"), hash));
        bytes memory signature = _assertion(KEY, keccak256(abi.encodePacked(hex"1901", domain, inner)));
        assertTrue(wallet.isValidSignature(hash, signature) == 0x1626ba7e, "its own");
        assertTrue(twin.isValidSignature(hash, signature) == 0xffffffff, "not another's");
    }

    function test_AccountsAreMadeOnceWhereTheyWereExpected() external {
        address expected = accounts.addressOf(x, y, guardians, 2, "third");
        vm.assertEq(address(accounts.make(x, y, guardians, 2, "third")), expected, "address");
        vm.assertEq(address(accounts.make(x, y, guardians, 2, "third")), expected, "again");
        vm.expectRevert(PasskeyAccount.AlreadyInitialised.selector);
        wallet.initialise(x, y, guardians, 2);
        PasskeyAccount code = accounts.code();
        vm.expectRevert(PasskeyAccount.AlreadyInitialised.selector);
        code.initialise(x, y, guardians, 2);
        vm.expectRevert(PasskeyAccount.InvalidGuardians.selector);
        accounts.make(x, y, guardians, 4, "third");
        vm.expectRevert(PasskeyAccount.InvalidGuardians.selector);
        accounts.make(x, y, guardians, 0, "third");
        guardians[1] = guardians[0];
        vm.expectRevert(PasskeyAccount.InvalidGuardians.selector);
        accounts.make(x, y, guardians, 2, "third");
    }

    // Recovery

    function _agree(uint256 who, uint256 key) private {
        (bytes32 newX, bytes32 newY) = _publicKey(key);
        vm.prank(guardians[who]);
        wallet.agree(newX, newY);
    }

    function test_GuardiansGiveALostAccountANewKey() external {
        uint256 other = KEY + 1;
        _agree(0, other);
        (bytes32 newX, bytes32 newY) = _publicKey(other);
        vm.expectRevert(abi.encodeWithSelector(PasskeyAccount.AlreadyAgreed.selector, guardians[0]));
        vm.prank(guardians[0]);
        wallet.agree(newX, newY);
        vm.expectRevert(abi.encodeWithSelector(PasskeyAccount.NotGuardian.selector, address(this)));
        wallet.agree(newX, newY);
        vm.expectRevert(PasskeyAccount.NotRecovering.selector);
        wallet.finishRecovery();
        // One who wants another key does not undo it.
        _agree(1, KEY + 2);
        _agree(2, other);
        uint256 at = clock() + 3 days;
        vm.expectRevert(abi.encodeWithSelector(PasskeyAccount.NotReady.selector, at));
        wallet.finishRecovery();
        vm.prank(guardians[1]);
        vm.expectRevert(abi.encodeWithSelector(PasskeyAccount.NotReady.selector, at));
        wallet.agree(newX, newY);
        vm.warp(at);
        wallet.finishRecovery();
        _execute(other, _call(address(usd), abi.encodeCall(usd.approve, (alice, 7))));
        vm.assertEq(usd.allowance(address(wallet), alice), 7, "the new key signs");
    }

    function test_TheOwnerStopsARecoveryThatNobodyNeeds() external {
        _agree(0, KEY + 1);
        _agree(1, KEY + 1);
        _execute(KEY, _call(address(wallet), abi.encodeCall(wallet.cancelRecovery, ())));
        _pass(3 days);
        vm.expectRevert(PasskeyAccount.NotRecovering.selector);
        wallet.finishRecovery();
        // What was agreed before is void.
        _agree(2, KEY + 1);
        vm.expectRevert(PasskeyAccount.NotRecovering.selector);
        wallet.finishRecovery();
    }

    function test_WhatIsTheOwnersIsNobodyElses() external {
        bytes memory notSelf = abi.encodeWithSelector(PasskeyAccount.NotSelf.selector, address(this));
        vm.expectRevert(notSelf);
        wallet.setKey(x, y);
        vm.expectRevert(notSelf);
        wallet.setDelegate(alice, usd, 1);
        vm.expectRevert(notSelf);
        wallet.setGuardians(guardians, guardians, 1);
        vm.expectRevert(notSelf);
        wallet.cancelRecovery();
        (bytes32 newX, bytes32 newY) = _publicKey(KEY + 5);
        _execute(KEY, _call(address(wallet), abi.encodeCall(wallet.setKey, (newX, newY))));
        address[] memory none = new address[](0);
        _execute(KEY + 5, _call(address(wallet), abi.encodeCall(wallet.setGuardians, (guardians, none, 0))));
        assertFalse(wallet.isGuardian(guardians[0]), "no guardians");
    }

    function test_ADelegateSpendsSoMuchADay() external {
        usd.mint(address(wallet), 100e6);
        vm.expectRevert(abi.encodeWithSelector(PasskeyAccount.NotDelegate.selector, alice));
        vm.prank(alice);
        wallet.spend(bob, 1);
        _execute(KEY, _call(address(wallet), abi.encodeCall(wallet.setDelegate, (alice, usd, 10e6))));
        vm.startPrank(alice);
        wallet.spend(bob, 6e6);
        vm.expectRevert(abi.encodeWithSelector(PasskeyAccount.LimitExceeded.selector, uint256(4e6), uint256(5e6)));
        wallet.spend(bob, 5e6);
        _pass(1 days);
        wallet.spend(bob, 10e6);
        vm.stopPrank();
        vm.assertEq(usd.balanceOf(bob), 16e6, "spent");
        vm.deal(address(this), 1);
        (bool taken,) = address(wallet).call{value: 1}("");
        assertTrue(taken, "takes coin");
    }

    // Sponsored calls

    function _request(uint256 key, address from, bytes memory data, uint256 gas_)
        private
        view
        returns (ERC2771Forwarder.ForwardRequestData memory request)
    {
        request = ERC2771Forwarder.ForwardRequestData(from, address(book), 0, gas_, uint48(clock() + 60), data, "");
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Braid sponsor"),
                keccak256("1"),
                block.chainid,
                address(forwarder)
            )
        );
        bytes32 message = keccak256(
            abi.encode(
                keccak256(
                    "ForwardRequest(address from,address to,uint256 value,uint256 gas,uint256 nonce,uint48 deadline,bytes data)"
                ),
                from,
                address(book),
                uint256(0),
                gas_,
                forwarder.nonces(from),
                request.deadline,
                keccak256(data)
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, message)));
        request.signature = abi.encodePacked(r, s, v);
    }

    function test_ASponsorSendsWhatABorrowerHasSigned() external {
        (address owner, uint256 key) = signer("borrower");
        _offer(LOAN, PRINCIPAL, owner);
        bytes memory data = abi.encodeCall(book.accept, (LOAN, KEY_FACTS, "ha"));
        ERC2771Forwarder.ForwardRequestData memory request = _request(key, owner, data, 300_000);
        vm.expectRevert(abi.encodeWithSelector(SponsoredForwarder.NotSponsored.selector, address(book)));
        forwarder.execute(request);
        vm.prank(parameters);
        forwarder.setQuota(address(book), 2, 300_000);
        forwarder.execute(request);
        _assertState(LOAN, LoanState.Accepted);
        request = _request(key, owner, data, 300_001);
        vm.expectRevert(
            abi.encodeWithSelector(SponsoredForwarder.TooMuchGas.selector, uint256(300_000), uint256(300_001))
        );
        forwarder.execute(request);
        request = _request(key, owner, data, 1);
        request.value = 1;
        vm.deal(address(this), 1);
        vm.expectRevert(SponsoredForwarder.NoValue.selector);
        forwarder.execute{value: 1}(request);
    }

    function test_ASignerHasAQuota() external {
        (address owner, uint256 key) = signer("borrower");
        _offer(LOAN, PRINCIPAL, owner);
        vm.prank(parameters);
        forwarder.setQuota(address(book), 2, 300_000);
        bytes memory data = abi.encodeCall(book.consent, (LOAN, KEY_FACTS));
        forwarder.execute(_request(key, owner, data, 300_000));
        forwarder.execute(_request(key, owner, data, 300_000));
        ERC2771Forwarder.ForwardRequestData memory third = _request(key, owner, data, 300_000);
        vm.expectRevert(abi.encodeWithSelector(SponsoredForwarder.QuotaExceeded.selector, owner, uint256(2)));
        forwarder.execute(third);
        // Somebody else's signature counts against nobody.
        ERC2771Forwarder.ForwardRequestData memory forged = _request(key + 1, owner, data, 300_000);
        _pass(1 days);
        forged.deadline = uint48(clock() + 60);
        vm.expectRevert();
        forwarder.execute(forged);
        vm.assertEq(forwarder.callsOn(address(book), owner, clock() / 1 days), 0, "not counted");
        forwarder.execute(_request(key, owner, data, 300_000));
    }

    // Roles under a timelock, and I15

    function test_AnAdministratorWaits() external {
        gate.grantRole(gate.ADMIN_ROLE(), alice, 2 days);
        gate.renounceRole(gate.ADMIN_ROLE(), address(this));
        uint64 role = gate.CREDIT();
        bytes memory grant = abi.encodeCall(gate.grantRole, (role, alice, 0));
        bytes32 operation = gate.hashOperation(alice, address(gate), grant);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IAccessManager.AccessManagerNotScheduled.selector, operation));
        gate.grantRole(role, alice, 0);
        gate.schedule(address(gate), grant, 0);
        _pass(2 days);
        gate.execute(address(gate), grant);
        vm.stopPrank();
        (bool isMember,) = gate.hasRole(role, alice);
        assertTrue(isMember, "two days later, for all to see");
    }

    function test_ALossIsAnnouncedWhereItsRoleWaits() external {
        _phoneLoan(LOAN, PRINCIPAL);
        gate.grantRole(gate.CREDIT(), alice, 1 days);
        bytes memory data = abi.encodeCall(book.chargeOff, (LOAN, 6, 0));
        vm.startPrank(alice);
        (bool done,) = address(book).call(data);
        assertFalse(done, "not at once");
        gate.schedule(address(book), data, 0);
        _pass(1 days);
        book.chargeOff(LOAN, 6, 0);
        vm.stopPrank();
        _assertState(LOAN, LoanState.ChargedOff);
    }

    function test_OnlyAGuardianThrowsTheSwitch() external {
        vm.expectRevert(abi.encodeWithSelector(RoleGate.NotGuardian.selector, address(this)));
        gate.setPaused(true);
        gate.grantRole(gate.GUARDIAN(), alice, 1 days);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(RoleGate.NotGuardian.selector, alice));
        gate.setPaused(true);
    }

    /// @dev I15: an administrator who is hostile, with every contract closed, every role revoked and the switch thrown, keeps nobody from
    /// repaying, taking back or leaving, and gets nothing.
    function test_AHostileAdministratorKeepsNobodysMoney() external {
        _lend(senior, alice, 400 * USD);
        _walletLoan(LOAN, PRINCIPAL);
        _walletLoan("lost", PRINCIPAL);
        _chargeOff("lost");
        _hold(borrower, 100 * USD);
        vm.prank(borrower);
        book.payIn(LOAN, 5e6);
        _ask(senior, alice, senior.balanceOf(alice));
        gate.grantRole(gate.GUARDIAN(), guardian, 0);
        vm.prank(guardian);
        gate.setPaused(true);
        address[6] memory all =
            [address(book), address(pool), address(escrow), address(hub), address(forwarder), address(firstLoss)];
        for (uint256 i = 0; i < all.length; i++) {
            gate.setTargetClosed(all[i], true);
        }
        gate.revokeRole(gate.SERVICER(), servicer);
        vm.prank(servicer);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, servicer));
        book.repay(LOAN, 4, Parts(1, 0, 0, 0), 0);
        _payNext(LOAN, PRINCIPAL, 0, borrower);
        vm.startPrank(borrower);
        book.takeBack(LOAN, 5e6);
        book.payIn(LOAN, 1e6);
        book.recover("lost", 1e6);
        vm.stopPrank();
        _closeEpoch();
        uint256 due = senior.maxWithdraw(alice);
        assertTrue(due > 399 * USD, "all that senior has");
        vm.prank(alice);
        senior.withdraw(due, alice, alice);
        vm.assertEq(usd.balanceOf(alice), due, "and it is fetched");
        vm.assertEq(usd.balanceOf(address(this)), 0, "the administrator has nothing");
        _assertBalanced();
    }
}
