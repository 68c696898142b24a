// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPolicyRegistry} from "./IPolicyRegistry.sol";

/// @notice See {IPolicyRegistry}.
/// @dev The counter of policies is the one slot that creations share; nothing that users do often touches it.
contract PolicyRegistry is IPolicyRegistry {
    struct Policy {
        PolicyType policyType;
        address admin;
        uint64 senderPolicyId;
        uint64 recipientPolicyId;
        uint64 mintRecipientPolicyId;
    }

    uint64 internal constant REJECT_ALL = 0;
    uint64 internal constant ALLOW_ALL = 1;
    uint64 internal constant FIRST = 2;

    /// @inheritdoc IPolicyRegistry
    uint64 public policyIdCounter = FIRST;
    mapping(uint64 policyId => Policy) private policies;
    mapping(uint64 policyId => mapping(address account => bool)) private members;

    /// @inheritdoc IPolicyRegistry
    function createPolicy(address admin, PolicyType policyType) external returns (uint64 policyId) {
        return _create(admin, policyType);
    }

    /// @inheritdoc IPolicyRegistry
    function createPolicyWithAccounts(address admin, PolicyType policyType, address[] calldata accounts)
        external
        returns (uint64 policyId)
    {
        policyId = _create(admin, policyType);
        for (uint256 i = 0; i < accounts.length; i++) {
            _setMember(policyId, policyType, accounts[i], true);
        }
    }

    /// @inheritdoc IPolicyRegistry
    function createCompoundPolicy(uint64 senderPolicyId, uint64 recipientPolicyId, uint64 mintRecipientPolicyId)
        external
        returns (uint64 policyId)
    {
        _requireSimple(senderPolicyId);
        _requireSimple(recipientPolicyId);
        _requireSimple(mintRecipientPolicyId);
        policyId = policyIdCounter++;
        policies[policyId] = Policy({
            policyType: PolicyType.COMPOUND,
            admin: address(0),
            senderPolicyId: senderPolicyId,
            recipientPolicyId: recipientPolicyId,
            mintRecipientPolicyId: mintRecipientPolicyId
        });
        emit CompoundPolicyCreated(policyId, msg.sender, senderPolicyId, recipientPolicyId, mintRecipientPolicyId);
    }

    /// @inheritdoc IPolicyRegistry
    function setPolicyAdmin(uint64 policyId, address admin) external {
        _requireAdmin(policyId);
        policies[policyId].admin = admin;
        emit PolicyAdminUpdated(policyId, msg.sender, admin);
    }

    /// @inheritdoc IPolicyRegistry
    function modifyPolicyWhitelist(uint64 policyId, address account, bool allowed) external {
        _modify(policyId, PolicyType.WHITELIST, account, allowed);
    }

    /// @inheritdoc IPolicyRegistry
    function modifyPolicyBlacklist(uint64 policyId, address account, bool restricted) external {
        _modify(policyId, PolicyType.BLACKLIST, account, restricted);
    }

    /// @inheritdoc IPolicyRegistry
    function policyExists(uint64 policyId) public view returns (bool) {
        return policyId < policyIdCounter;
    }

    /// @inheritdoc IPolicyRegistry
    function policyData(uint64 policyId) external view returns (PolicyType policyType, address admin) {
        _requireExists(policyId);
        // The empty whitelist admits nobody and the empty blacklist everybody, as policies 0 and 1 do.
        if (policyId < FIRST) {
            return (policyId == REJECT_ALL ? PolicyType.WHITELIST : PolicyType.BLACKLIST, address(0));
        }
        return (policies[policyId].policyType, policies[policyId].admin);
    }

    /// @inheritdoc IPolicyRegistry
    function compoundPolicyData(uint64 policyId)
        external
        view
        returns (uint64 senderPolicyId, uint64 recipientPolicyId, uint64 mintRecipientPolicyId)
    {
        _requireExists(policyId);
        Policy storage policy = policies[policyId];
        if (policyId < FIRST || policy.policyType != PolicyType.COMPOUND) revert IncompatiblePolicyType(policyId);
        return (policy.senderPolicyId, policy.recipientPolicyId, policy.mintRecipientPolicyId);
    }

    /// @inheritdoc IPolicyRegistry
    function isAuthorized(uint64 policyId, address user) external view returns (bool) {
        return isAuthorizedSender(policyId, user) && isAuthorizedRecipient(policyId, user);
    }

    /// @inheritdoc IPolicyRegistry
    function isAuthorizedSender(uint64 policyId, address user) public view returns (bool) {
        if (_isCompound(policyId)) return _admits(policies[policyId].senderPolicyId, user);
        return _admits(policyId, user);
    }

    /// @inheritdoc IPolicyRegistry
    function isAuthorizedRecipient(uint64 policyId, address user) public view returns (bool) {
        if (_isCompound(policyId)) return _admits(policies[policyId].recipientPolicyId, user);
        return _admits(policyId, user);
    }

    /// @inheritdoc IPolicyRegistry
    function isAuthorizedMintRecipient(uint64 policyId, address user) external view returns (bool) {
        if (_isCompound(policyId)) return _admits(policies[policyId].mintRecipientPolicyId, user);
        return _admits(policyId, user);
    }

    function _create(address admin, PolicyType policyType) private returns (uint64 policyId) {
        policyId = policyIdCounter++;
        if (policyType == PolicyType.COMPOUND) revert IncompatiblePolicyType(policyId);
        policies[policyId].policyType = policyType;
        policies[policyId].admin = admin;
        emit PolicyCreated(policyId, msg.sender, policyType);
        emit PolicyAdminUpdated(policyId, msg.sender, admin);
    }

    function _modify(uint64 policyId, PolicyType policyType, address account, bool member) private {
        _requireAdmin(policyId);
        if (policies[policyId].policyType != policyType) revert IncompatiblePolicyType(policyId);
        _setMember(policyId, policyType, account, member);
    }

    function _setMember(uint64 policyId, PolicyType policyType, address account, bool member) private {
        members[policyId][account] = member;
        if (policyType == PolicyType.WHITELIST) emit WhitelistUpdated(policyId, msg.sender, account, member);
        else emit BlacklistUpdated(policyId, msg.sender, account, member);
    }

    function _requireExists(uint64 policyId) private view {
        if (!policyExists(policyId)) revert PolicyNotFound(policyId);
    }

    function _requireSimple(uint64 policyId) private view {
        _requireExists(policyId);
        if (_isCompound(policyId)) revert IncompatiblePolicyType(policyId);
    }

    /// @dev A final list has no administrator, and neither have the built-in and the compound ones.
    function _requireAdmin(uint64 policyId) private view {
        _requireExists(policyId);
        if (policies[policyId].admin != msg.sender) revert Unauthorized(policyId, msg.sender);
    }

    function _isCompound(uint64 policyId) private view returns (bool) {
        return policies[policyId].policyType == PolicyType.COMPOUND;
    }

    function _admits(uint64 policyId, address user) private view returns (bool) {
        if (policyId == REJECT_ALL) return false;
        if (policyId == ALLOW_ALL) return true;
        Policy storage policy = policies[policyId];
        // A list that was never made has no administrator and no members: it would read as an empty whitelist.
        return members[policyId][user] == (policy.policyType == PolicyType.WHITELIST);
    }
}
