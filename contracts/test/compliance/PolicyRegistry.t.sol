// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {IPolicyRegistry, PolicyRegistry} from "src/compliance/PolicyRegistry.sol";

contract PolicyRegistryTest is Suite {
    IPolicyRegistry.PolicyType constant WHITELIST = IPolicyRegistry.PolicyType.WHITELIST;
    IPolicyRegistry.PolicyType constant BLACKLIST = IPolicyRegistry.PolicyType.BLACKLIST;
    IPolicyRegistry.PolicyType constant COMPOUND = IPolicyRegistry.PolicyType.COMPOUND;

    PolicyRegistry registry = new PolicyRegistry();
    address admin = account("admin");
    address alice = account("alice");
    address bob = account("bob");

    function test_TwoPoliciesAreBuiltIn() external view {
        vm.assertEq(registry.policyIdCounter(), 2, "next");
        assertFalse(registry.isAuthorized(0, alice), "0 refuses");
        assertTrue(registry.isAuthorized(1, alice), "1 admits");
        (IPolicyRegistry.PolicyType kind, address owner) = registry.policyData(0);
        assertTrue(kind == WHITELIST && owner == address(0), "0 is the empty whitelist");
        (kind, owner) = registry.policyData(1);
        assertTrue(kind == BLACKLIST && owner == address(0), "1 is the empty blacklist");
    }

    function testFuzz_AListAdmitsItsMembersOrTheOthers(address member, address other, bool allow) external {
        vm.assume(member != other);
        address[] memory members = new address[](1);
        members[0] = member;
        uint64 id = registry.createPolicyWithAccounts(admin, allow ? WHITELIST : BLACKLIST, members);
        vm.assertEq(registry.isAuthorized(id, member), allow, "member");
        vm.assertEq(registry.isAuthorized(id, other), !allow, "other");
        vm.startPrank(admin);
        if (allow) registry.modifyPolicyWhitelist(id, member, false);
        else registry.modifyPolicyBlacklist(id, member, false);
        vm.assertEq(registry.isAuthorized(id, member), !allow, "removed");
    }

    function testFuzz_ACompoundPolicyIsItsThreeLists(address user, uint8 membership) external {
        uint64[3] memory lists;
        for (uint256 i = 0; i < 3; i++) {
            lists[i] = registry.createPolicy(address(this), WHITELIST);
            registry.modifyPolicyWhitelist(lists[i], user, (membership >> i) & 1 == 1);
        }
        uint64 id = registry.createCompoundPolicy(lists[0], lists[1], lists[2]);
        vm.assertEq(registry.isAuthorizedSender(id, user), membership & 1 != 0, "sender");
        vm.assertEq(registry.isAuthorizedRecipient(id, user), membership & 2 != 0, "recipient");
        vm.assertEq(registry.isAuthorizedMintRecipient(id, user), membership & 4 != 0, "mint recipient");
        vm.assertEq(registry.isAuthorized(id, user), membership & 3 == 3, "both");
        (uint64 sender, uint64 recipient, uint64 mintRecipient) = registry.compoundPolicyData(id);
        assertTrue(sender == lists[0] && recipient == lists[1] && mintRecipient == lists[2], "data");
        (IPolicyRegistry.PolicyType kind,) = registry.policyData(id);
        assertTrue(kind == COMPOUND, "type");
    }

    function test_AListChangesHands() external {
        uint64 id = registry.createPolicy(admin, WHITELIST);
        vm.prank(admin);
        registry.setPolicyAdmin(id, alice);
        vm.prank(alice);
        registry.modifyPolicyWhitelist(id, bob, true);
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.Unauthorized.selector, id, admin));
        vm.prank(admin);
        registry.modifyPolicyWhitelist(id, bob, false);
        // Nobody can change it any more.
        vm.prank(alice);
        registry.setPolicyAdmin(id, address(0));
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.Unauthorized.selector, id, alice));
        vm.prank(alice);
        registry.setPolicyAdmin(id, alice);
    }

    function test_RevertWhen_TheFunctionDoesNotFitTheType() external {
        uint64 white = registry.createPolicy(address(this), WHITELIST);
        uint64 black = registry.createPolicy(address(this), BLACKLIST);
        uint64 compound = registry.createCompoundPolicy(white, black, 1);
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.IncompatiblePolicyType.selector, white));
        registry.modifyPolicyBlacklist(white, alice, true);
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.IncompatiblePolicyType.selector, black));
        registry.modifyPolicyWhitelist(black, alice, true);
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.IncompatiblePolicyType.selector, compound));
        registry.createCompoundPolicy(compound, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.IncompatiblePolicyType.selector, white));
        registry.compoundPolicyData(white);
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.IncompatiblePolicyType.selector, compound + 1));
        registry.createPolicy(admin, COMPOUND);
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.Unauthorized.selector, compound, address(this)));
        registry.setPolicyAdmin(compound, alice);
    }

    function testFuzz_AnUnknownPolicyAdmitsNobody(uint64 id, address user) external {
        id = uint64(bound(id, 2, type(uint64).max));
        assertFalse(registry.policyExists(id), "exists");
        assertFalse(registry.isAuthorized(id, user), "authorised");
        assertFalse(registry.isAuthorizedMintRecipient(id, user), "mint recipient");
        bytes memory notFound = abi.encodeWithSelector(IPolicyRegistry.PolicyNotFound.selector, id);
        vm.expectRevert(notFound);
        registry.policyData(id);
        vm.expectRevert(notFound);
        registry.compoundPolicyData(id);
        vm.expectRevert(notFound);
        registry.createCompoundPolicy(1, id, 1);
        vm.expectRevert(notFound);
        registry.setPolicyAdmin(id, user);
    }
}
