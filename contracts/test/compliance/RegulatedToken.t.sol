// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {IAccessControl} from "@openzeppelin/access/IAccessControl.sol";
import {TimelockController} from "@openzeppelin/governance/TimelockController.sol";
import {CountryLimits} from "src/compliance/CountryLimits.sol";
import {Denial, ITransferCheck} from "src/compliance/Denial.sol";
import {IERC3643} from "src/compliance/IERC3643.sol";
import {IERC7943Fungible} from "src/compliance/IERC7943.sol";
import {IdentityRegistry} from "src/compliance/IdentityRegistry.sol";
import {IPolicyRegistry, PolicyRegistry} from "src/compliance/PolicyRegistry.sol";
import {RegulatedToken} from "src/compliance/RegulatedToken.sol";
import {PolicyToken} from "src/tokens/PolicyToken.sol";

abstract contract RegulatedSuite is Suite {
    uint16 constant KENYA = 404;
    uint16 constant GHANA = 288;

    PolicyRegistry policies = new PolicyRegistry();
    IdentityRegistry identities = new IdentityRegistry(address(this));
    CountryLimits limits = new CountryLimits(identities, address(this));
    TimelockController timelock = _timelock(1 days);
    RegulatedToken token = _token(timelock);
    address alice = account("alice");
    address bob = account("bob");
    address carol = account("carol");
    address stranger = account("stranger");

    function _deployed() internal {
        limits.bindToken(address(token));
        identities.registerIdentity(alice, address(0xa), KENYA);
        identities.registerIdentity(bob, address(0xb), KENYA);
        identities.registerIdentity(carol, address(0xc), GHANA);
    }

    function _timelock(uint256 delay) internal returns (TimelockController) {
        address[] memory one = new address[](1);
        one[0] = address(this);
        return new TimelockController(delay, one, one, address(0));
    }

    function _token(TimelockController enforcer) internal returns (RegulatedToken) {
        return new RegulatedToken("Bond", "BND", policies, 1, address(this), enforcer, identities, limits);
    }

    /// @dev Does something by the timelock, after its delay.
    function _enforce(bytes memory call) internal {
        bytes32 salt = keccak256(abi.encode(call, block.timestamp));
        timelock.schedule(address(token), 0, call, 0, salt, 1 days);
        vm.warp(block.timestamp + 1 days);
        timelock.execute(address(token), 0, call, 0, salt);
    }
}

contract RegulatedTokenTest is RegulatedSuite {
    function setUp() public {
        _deployed();
        token.mint(alice, 100);
    }

    function test_TellsWhatItIs() external {
        vm.assertEq(token.name(), "Bond", "name");
        vm.assertEq(token.symbol(), "BND", "symbol");
        vm.assertEq(token.version(), "1", "version");
        assertTrue(token.supportsInterface(type(IERC7943Fungible).interfaceId), "ERC-7943");
        assertTrue(token.supportsInterface(type(IAccessControl).interfaceId), "AccessControl");
        assertFalse(token.supportsInterface(0xffffffff), "ERC-165");
        token.setName("New");
        token.setSymbol("N");
        token.setOnchainID(address(7));
        vm.assertEq(token.name(), "New", "new name");
        vm.assertEq(token.symbol(), "N", "new symbol");
        vm.assertEq(token.onchainID(), address(7), "identity");
    }

    function test_RevertWhen_TheTimelockIsQuick() external {
        TimelockController quick = _timelock(1 days - 1);
        vm.expectRevert(abi.encodeWithSelector(RegulatedToken.EnforcementDelayTooShort.selector, 1 days - 1));
        _token(quick);
    }

    // Transfers and their denials

    function test_TransfersAmongTheVerified() external {
        vm.prank(alice);
        token.transfer(bob, 40);
        vm.assertEq(token.balanceOf(bob), 40, "balance");
        assertTrue(token.canTransfer(alice, bob, 60), "the rest");
        assertFalse(token.canTransfer(alice, bob, 61), "more than there is");
        assertTrue(token.canSend(alice) && token.canReceive(bob), "may");
    }

    function test_RevertWhen_TheRecipientIsUnknown() external {
        assertFalse(token.canReceive(stranger), "may not receive");
        _transferDenied(stranger, 1, Denial.RecipientUnverified, address(identities));
    }

    function test_RevertWhen_AnAccountIsFrozen() external {
        token.setAddressFrozen(bob, true);
        assertTrue(token.isFrozen(bob), "frozen");
        _transferDenied(bob, 1, Denial.RecipientFrozen, address(token));
        token.setAddressFrozen(alice, true);
        assertFalse(token.canSend(alice), "may not send");
        _transferDenied(bob, 1, Denial.SenderFrozen, address(token));
        token.setAddressFrozen(alice, false);
        token.setAddressFrozen(bob, false);
        vm.prank(alice);
        token.transfer(bob, 1);
    }

    function test_RevertWhen_ThePolicyRefuses() external {
        uint64 denied = policies.createPolicy(address(this), IPolicyRegistry.PolicyType.BLACKLIST);
        token.setPolicy(denied);
        policies.modifyPolicyBlacklist(denied, bob, true);
        assertFalse(token.canReceive(bob), "may not receive");
        _transferDenied(bob, 1, Denial.RecipientPolicy, address(policies));
    }

    function testFuzz_FrozenTokensStay(uint256 frozen, uint256 amount) external {
        frozen = bound(frozen, 0, 200);
        amount = bound(amount, 0, 100);
        token.setFrozenTokens(alice, frozen);
        vm.assertEq(token.getFrozenTokens(alice), frozen, "frozen");
        uint256 unfrozen = frozen > 100 ? 0 : 100 - frozen;
        vm.assertEq(token.canTransfer(alice, bob, amount), amount <= unfrozen, "dry run");
        if (amount > unfrozen) {
            (Denial code,) = token.checkTransfer(alice, bob, amount);
            vm.assertEq(uint256(code), uint256(Denial.InsufficientUnfrozen), "code");
            vm.expectRevert(
                abi.encodeWithSelector(
                    IERC7943Fungible.ERC7943InsufficientUnfrozenBalance.selector, alice, amount, unfrozen
                )
            );
        }
        vm.prank(alice);
        token.transfer(bob, amount);
    }

    function test_PartialFreezesAddUp() external {
        token.freezePartialTokens(alice, 60);
        token.freezePartialTokens(alice, 30);
        vm.assertEq(token.getFrozenTokens(alice), 90, "frozen");
        vm.expectRevert(
            abi.encodeWithSelector(IERC7943Fungible.ERC7943InsufficientUnfrozenBalance.selector, alice, 11, 10)
        );
        token.freezePartialTokens(alice, 11);
        token.unfreezePartialTokens(alice, 40);
        vm.assertEq(token.getFrozenTokens(alice), 50, "less");
        vm.expectRevert(abi.encodeWithSelector(RegulatedToken.InsufficientFrozen.selector, alice, 51, 50));
        token.unfreezePartialTokens(alice, 51);
    }

    function test_HoldersRedeem() external {
        vm.prank(alice);
        token.redeem(30);
        vm.assertEq(token.totalSupply(), 70, "supply");
        vm.assertEq(limits.held(KENYA), 70, "counted");
    }

    function test_Batches() external {
        token.batchMint(_two(alice, bob), _two(1, 2));
        vm.prank(alice);
        token.batchTransfer(_two(bob, carol), _two(3, 4));
        vm.assertEq(token.balanceOf(alice), 94, "alice");
        vm.assertEq(token.balanceOf(bob), 5, "bob");
        vm.assertEq(token.balanceOf(carol), 4, "carol");
        token.batchFreezePartialTokens(_two(alice, bob), _two(5, 5));
        token.batchUnfreezePartialTokens(_two(alice, bob), _two(1, 2));
        vm.assertEq(token.getFrozenTokens(alice), 4, "frozen");
        vm.assertEq(token.getFrozenTokens(bob), 3, "frozen");
        bool[] memory freeze = new bool[](2);
        freeze[1] = true;
        token.batchSetAddressFrozen(_two(alice, bob), freeze);
        assertTrue(!token.isFrozen(alice) && token.isFrozen(bob), "accounts");
        _enforce(abi.encodeCall(token.batchForcedTransfer, (_two(alice, bob), _two(carol, carol), _two(1, 5))));
        vm.assertEq(token.balanceOf(carol), 10, "taken");
        _enforce(abi.encodeCall(token.batchBurn, (_two(alice, carol), _two(93, 10))));
        vm.assertEq(token.totalSupply(), 0, "burnt");
    }

    function test_RevertWhen_ListsDiffer() external {
        address[] memory one = new address[](1);
        uint256[] memory two = new uint256[](2);
        bytes memory mismatch = abi.encodeWithSelector(RegulatedToken.LengthMismatch.selector);
        vm.expectRevert(mismatch);
        token.batchMint(one, two);
        vm.expectRevert(mismatch);
        token.batchTransfer(one, two);
        vm.expectRevert(mismatch);
        token.batchFreezePartialTokens(one, two);
        vm.expectRevert(mismatch);
        token.batchUnfreezePartialTokens(one, two);
        vm.expectRevert(mismatch);
        token.batchSetAddressFrozen(one, new bool[](2));
        vm.startPrank(address(timelock));
        vm.expectRevert(mismatch);
        token.batchBurn(one, two);
        vm.expectRevert(mismatch);
        token.batchForcedTransfer(one, one, two);
        vm.expectRevert(mismatch);
        token.batchForcedTransfer(one, new address[](2), two);
    }

    // Enforcement

    function test_OnlyTheTimelockTakesTokens() external {
        bytes32 role = token.ENFORCER_ROLE();
        bytes memory unauthorized =
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, address(this), role);
        vm.expectRevert(unauthorized);
        token.forcedTransfer(alice, bob, 1);
        vm.expectRevert(unauthorized);
        token.burn(alice, 1);
        vm.expectRevert(unauthorized);
        token.recoveryAddress(alice, bob, address(0xa));
        vm.expectRevert(unauthorized);
        token.batchBurn(_two(alice, bob), _two(1, 1));
        vm.expectRevert(unauthorized);
        token.batchForcedTransfer(_two(alice, bob), _two(bob, alice), _two(1, 1));
        // The administrator cannot make itself one.
        vm.expectRevert(unauthorized);
        token.grantRole(role, address(this));
    }

    function test_RevertWhen_TheDelayIsNotOver() external {
        bytes memory call = abi.encodeCall(token.forcedTransfer, (alice, bob, 1));
        timelock.schedule(address(token), 0, call, 0, 0, 1 days);
        vm.warp(block.timestamp + 1 days - 1);
        vm.expectRevert();
        timelock.execute(address(token), 0, call, 0, 0);
        vm.warp(block.timestamp + 1);
        timelock.execute(address(token), 0, call, 0, 0);
        vm.assertEq(token.balanceOf(bob), 1, "after the delay");
    }

    function testFuzz_AForcedTransferThawsWhatItTakes(uint256 frozen, uint256 amount) external {
        frozen = bound(frozen, 0, 150);
        amount = bound(amount, 0, 100);
        token.setFrozenTokens(alice, frozen);
        token.setAddressFrozen(alice, true);
        token.pause();
        vm.expectEmit();
        emit IERC7943Fungible.ForcedTransfer(alice, bob, amount);
        vm.prank(address(timelock));
        token.forcedTransfer(alice, bob, amount);
        uint256 left = 100 - amount;
        bool thaws = frozen > 100 ? amount > 0 : amount > 100 - frozen;
        vm.assertEq(token.getFrozenTokens(alice), thaws ? left : frozen, "frozen");
        vm.assertEq(token.balanceOf(bob), amount, "taken");
    }

    function test_RevertWhen_AForcedTransferHasNoEligibleRecipient() external {
        vm.expectRevert(abi.encodeWithSelector(IERC7943Fungible.ERC7943CannotReceive.selector, stranger));
        vm.prank(address(timelock));
        token.forcedTransfer(alice, stranger, 1);
    }

    function test_RulesApplyAgainAfterAnEnforcement() external {
        vm.prank(address(timelock));
        token.forcedTransfer(alice, bob, 1);
        _transferDenied(stranger, 1, Denial.RecipientUnverified, address(identities));
    }

    function test_RecoversALostAccount() external {
        address found = account("found");
        identities.registerIdentity(found, address(0xa), KENYA);
        token.setFrozenTokens(alice, 30);
        token.setAddressFrozen(alice, true);
        _enforce(abi.encodeCall(token.recoveryAddress, (alice, found, address(0xa))));
        vm.assertEq(token.balanceOf(found), 100, "balance");
        vm.assertEq(token.getFrozenTokens(found), 30, "what was frozen stays frozen");
        assertTrue(token.isFrozen(found), "the account too");
        vm.assertEq(token.balanceOf(alice), 0, "lost");
        vm.assertEq(token.getFrozenTokens(alice), 0, "nothing left to freeze");
    }

    function test_RevertWhen_RecoveringToSomebodyElse() external {
        vm.startPrank(address(timelock));
        vm.expectRevert(abi.encodeWithSelector(RegulatedToken.NotInvestorsAccount.selector, bob, address(0xa)));
        token.recoveryAddress(alice, bob, address(0xa));
        vm.expectRevert(abi.encodeWithSelector(RegulatedToken.NotInvestorsAccount.selector, alice, address(0xb)));
        token.recoveryAddress(alice, bob, address(0xb));
        vm.expectRevert(abi.encodeWithSelector(RegulatedToken.NotInvestorsAccount.selector, stranger, address(0)));
        token.recoveryAddress(stranger, bob, address(0));
    }

    function test_RevertWhen_OthersAdminister() external {
        bytes memory unauthorized = abi.encodePacked(IAccessControl.AccessControlUnauthorizedAccount.selector);
        bytes[11] memory calls = [
            abi.encodeCall(token.mint, (alice, 1)),
            abi.encodeCall(token.batchMint, (_two(alice, bob), _two(1, 1))),
            abi.encodeCall(token.setFrozenTokens, (alice, 1)),
            abi.encodeCall(token.freezePartialTokens, (alice, 1)),
            abi.encodeCall(token.unfreezePartialTokens, (alice, 1)),
            abi.encodeCall(token.setAddressFrozen, (alice, true)),
            abi.encodeCall(token.setName, ("")),
            abi.encodeCall(token.setSymbol, ("")),
            abi.encodeCall(token.setOnchainID, (alice)),
            abi.encodeCall(token.setIdentityRegistry, (alice)),
            abi.encodeCall(token.setCompliance, (alice))
        ];
        for (uint256 i = 0; i < calls.length; i++) {
            vm.prank(alice);
            (bool done, bytes memory reason) = address(token).call(calls[i]);
            assertFalse(done, "done");
            assertTrue(bytes4(reason) == bytes4(unauthorized), "reason");
        }
    }

    function test_WhateverIsAdministeredIsToldOf() external {
        vm.expectEmit();
        emit PolicyToken.AuditRecord("FREEZE", address(this), alice, 5);
        token.setFrozenTokens(alice, 5);
        vm.expectEmit();
        emit PolicyToken.AuditRecord("COMPLIANCE", address(this), address(limits), 0);
        token.setCompliance(address(limits));
        vm.expectEmit();
        emit PolicyToken.AuditRecord("IDENTITY_REGISTRY", address(this), address(identities), 0);
        token.setIdentityRegistry(address(identities));
        vm.expectEmit();
        emit PolicyToken.AuditRecord("FORCED_TRANSFER", address(timelock), alice, 5);
        vm.prank(address(timelock));
        token.forcedTransfer(alice, bob, 5);
    }

    // Countries

    function test_RevertWhen_ACountryIsFull() external {
        limits.setLimit(GHANA, 10, 5);
        vm.prank(alice);
        token.transfer(carol, 10);
        _transferDenied(carol, 1, Denial.Compliance, address(limits));
        limits.removeLimit(GHANA);
        vm.prank(alice);
        token.transfer(carol, 1);
        vm.assertEq(limits.held(GHANA), 11, "held");
    }

    function test_RevertWhen_ACountryHasEnoughHolders() external {
        limits.setLimit(KENYA, 1000, 1);
        _transferDenied(bob, 1, Denial.Compliance, address(limits));
        // Who gives everything makes room.
        vm.prank(alice);
        token.transfer(bob, 100);
        vm.assertEq(limits.holders(KENYA), 1, "holders");
    }

    function test_AnEnforcementIsCountedButNotStopped() external {
        limits.setLimit(GHANA, 10, 5);
        vm.prank(address(timelock));
        token.forcedTransfer(alice, carol, 50);
        vm.assertEq(limits.held(GHANA), 50, "held");
        vm.assertEq(limits.held(KENYA), 50, "left");
    }

    function test_AHolderWhoMovesIsCountedAnew() external {
        identities.updateCountry(alice, GHANA);
        vm.prank(alice);
        token.transfer(bob, 40);
        vm.assertEq(limits.held(KENYA), 100, "counted where she was");
        limits.recount(alice);
        vm.assertEq(limits.held(KENYA), 40, "kenya");
        vm.assertEq(limits.held(GHANA), 60, "ghana");
        vm.assertEq(limits.holders(GHANA), 1, "holders");
        limits.recount(alice);
        limits.recount(stranger);
        vm.assertEq(limits.held(GHANA), 60, "once");
    }

    function test_RevertWhen_OthersTellOfTransfers() external {
        bytes memory notToken = abi.encodeWithSelector(CountryLimits.NotToken.selector, address(this));
        vm.expectRevert(notToken);
        limits.transferred(alice, bob, 1);
        vm.expectRevert(notToken);
        limits.created(alice, 1);
        vm.expectRevert(notToken);
        limits.destroyed(alice, 1);
    }

    function test_ComplianceIsBoundToOneToken() external {
        assertTrue(limits.isTokenBound(address(token)), "bound");
        vm.expectRevert(abi.encodeWithSelector(CountryLimits.AlreadyBound.selector, address(token)));
        limits.bindToken(address(1));
        vm.expectRevert(abi.encodeWithSelector(CountryLimits.NotBound.selector, address(1)));
        limits.unbindToken(address(1));
        limits.unbindToken(address(token));
        assertFalse(limits.isTokenBound(address(token)), "unbound");
    }

    // Identities

    function test_AnAgentKeepsTheRegister() external {
        identities.updateIdentity(alice, address(0xd));
        identities.updateCountry(alice, GHANA);
        vm.assertEq(identities.identity(alice), address(0xd), "identity");
        vm.assertEq(identities.investorCountry(alice), GHANA, "country");
        identities.deleteIdentity(alice);
        assertFalse(identities.contains(alice), "deleted");
        uint16[] memory countries = new uint16[](2);
        identities.batchRegisterIdentity(_two(alice, stranger), _two(address(1), address(2)), countries);
        assertTrue(identities.isVerified(stranger), "registered");
    }

    function test_RevertWhen_TheRegisterCannotBeRight() external {
        vm.expectRevert(abi.encodeWithSelector(IdentityRegistry.AlreadyRegistered.selector, alice));
        identities.registerIdentity(alice, address(1), 1);
        vm.expectRevert(abi.encodeWithSelector(IdentityRegistry.NoIdentity.selector, stranger));
        identities.registerIdentity(stranger, address(0), 1);
        vm.expectRevert(abi.encodeWithSelector(IdentityRegistry.NoIdentity.selector, alice));
        identities.updateIdentity(alice, address(0));
        bytes memory notRegistered = abi.encodeWithSelector(IdentityRegistry.NotRegistered.selector, stranger);
        vm.expectRevert(notRegistered);
        identities.updateIdentity(stranger, address(1));
        vm.expectRevert(notRegistered);
        identities.updateCountry(stranger, 1);
        vm.expectRevert(notRegistered);
        identities.deleteIdentity(stranger);
        vm.expectRevert(abi.encodeWithSelector(IdentityRegistry.LengthMismatch.selector));
        identities.batchRegisterIdentity(_two(alice, bob), new address[](1), new uint16[](2));
        bytes32 role = identities.AGENT_ROLE();
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, bob, role));
        vm.prank(bob);
        identities.registerIdentity(stranger, address(1), 1);
    }

    /// @dev Alice's transfer is refused as the dry run says.
    function _transferDenied(address to, uint256 amount, Denial expected, address by) private {
        (Denial code, address deniedBy) = token.checkTransfer(alice, to, amount);
        vm.assertEq(uint256(code), uint256(expected), "code");
        vm.assertEq(deniedBy, by, "denied by");
        vm.expectRevert(abi.encodeWithSelector(ITransferCheck.TransferDenied.selector, expected, by, alice, to, amount));
        vm.prank(alice);
        token.transfer(to, amount);
    }

    function _two(address first, address second) private pure returns (address[] memory list) {
        list = new address[](2);
        list[0] = first;
        list[1] = second;
    }

    function _two(uint256 first, uint256 second) private pure returns (uint256[] memory list) {
        list = new uint256[](2);
        list[0] = first;
        list[1] = second;
    }
}

/// @dev Investors in three countries, under limits, who transfer, move, are frozen and lose tokens to the timelock.
contract RegulatedHandler is RegulatedSuite {
    uint16[3] public countries = [KENYA, GHANA, 566];
    address[6] public accounts;

    constructor() {
        limits.bindToken(address(token));
        for (uint160 i = 0; i < 6; i++) {
            accounts[i] = address(i + 100);
            identities.registerIdentity(accounts[i], accounts[i], countries[i % 3]);
            token.mint(accounts[i], 1000 * i);
        }
        limits.setLimit(KENYA, 4000, 2);
        limits.setLimit(GHANA, 6000, 1);
    }

    function parts() external view returns (RegulatedToken, CountryLimits) {
        return (token, limits);
    }

    /// @dev What the dry run refuses does not happen, and the rest does.
    function transfer(uint256 from, uint256 to, uint256 amount) external {
        address sender = accounts[from % 6];
        address recipient = accounts[to % 6];
        amount = bound(amount, 0, token.balanceOf(sender));
        bool allowed = token.canTransfer(sender, recipient, amount);
        vm.prank(sender);
        try token.transfer(recipient, amount) {
            assertTrue(allowed, "refused by the dry run");
        } catch {
            assertFalse(allowed, "allowed by the dry run");
        }
    }

    function force(uint256 from, uint256 to, uint256 amount) external {
        address sender = accounts[from % 6];
        amount = bound(amount, 0, token.balanceOf(sender));
        vm.prank(address(timelock));
        token.forcedTransfer(sender, accounts[to % 6], amount);
    }

    function freeze(uint256 who, uint256 amount) external {
        token.setFrozenTokens(accounts[who % 6], bound(amount, 0, 10_000));
    }

    function move(uint256 who, uint256 country, bool recount) external {
        identities.updateCountry(accounts[who % 6], countries[country % 3]);
        if (recount) limits.recount(accounts[who % 6]);
    }

    function redeem(uint256 who, uint256 amount) external {
        address holder = accounts[who % 6];
        uint256 balance = token.balanceOf(holder);
        uint256 frozen = token.getFrozenTokens(holder);
        amount = bound(amount, 0, balance > frozen ? balance - frozen : 0);
        vm.prank(holder);
        token.redeem(amount);
    }
}

contract RegulatedInvariants is Suite {
    RegulatedHandler handler;

    function setUp() public {
        handler = new RegulatedHandler();
        target(address(handler));
    }

    function invariant_CountriesAddUpToTheSupply() external view {
        (RegulatedToken token, CountryLimits limits) = handler.parts();
        uint256 held;
        uint256 holders;
        for (uint256 i = 0; i < 3; i++) {
            held += limits.held(handler.countries(i));
            holders += limits.holders(handler.countries(i));
        }
        uint256 balances;
        for (uint256 i = 0; i < 6; i++) {
            uint256 balance = token.balanceOf(handler.accounts(i));
            balances += balance;
            if (balance > 0) holders -= 1;
        }
        vm.assertEq(held, token.totalSupply(), "held");
        vm.assertEq(balances, token.totalSupply(), "balances");
        vm.assertEq(holders, 0, "holders");
    }
}
