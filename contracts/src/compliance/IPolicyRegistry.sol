// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title Policies that tokens share: who may send, who may receive, who may be minted to
/// @notice The functions are those of TIP-403, with its compound policies (TIP-1015). A token names a policy and asks on
/// every transfer. Questions only read, so that transfers which ask the same policy do not wait for each other.
///
/// Policy 0 refuses everybody, policy 1 admits everybody; others have numbers from 2 in order of creation.
interface IPolicyRegistry {
    enum PolicyType {
        WHITELIST,
        BLACKLIST,
        COMPOUND
    }

    /// @notice There is no policy of this number.
    error PolicyNotFound(uint64 policyId);
    /// @notice Only the policy's administrator may change it.
    error Unauthorized(uint64 policyId, address caller);
    /// @notice The function does not apply to policies of this type.
    error IncompatiblePolicyType(uint64 policyId);

    event PolicyCreated(uint64 indexed policyId, address indexed updater, PolicyType policyType);
    event CompoundPolicyCreated(
        uint64 indexed policyId,
        address indexed creator,
        uint64 senderPolicyId,
        uint64 recipientPolicyId,
        uint64 mintRecipientPolicyId
    );
    event PolicyAdminUpdated(uint64 indexed policyId, address indexed updater, address indexed admin);
    event WhitelistUpdated(uint64 indexed policyId, address indexed updater, address indexed account, bool allowed);
    event BlacklistUpdated(uint64 indexed policyId, address indexed updater, address indexed account, bool restricted);

    /// @notice Makes an empty list: a whitelist admits nobody yet, a blacklist everybody.
    /// @param admin Who may change it. Zero makes it final.
    /// @param policyType `WHITELIST` or `BLACKLIST`.
    function createPolicy(address admin, PolicyType policyType) external returns (uint64 policyId);

    /// @notice The same with its first members.
    function createPolicyWithAccounts(address admin, PolicyType policyType, address[] calldata accounts)
        external
        returns (uint64 policyId);

    /// @notice Makes a policy with a list for each direction. It never changes; its lists may.
    /// @dev The three must exist and be lists or built in, so that a question reads at most three slots.
    function createCompoundPolicy(uint64 senderPolicyId, uint64 recipientPolicyId, uint64 mintRecipientPolicyId)
        external
        returns (uint64 policyId);

    /// @notice Hands a list to somebody else. Zero makes it final.
    function setPolicyAdmin(uint64 policyId, address admin) external;

    function modifyPolicyWhitelist(uint64 policyId, address account, bool allowed) external;

    function modifyPolicyBlacklist(uint64 policyId, address account, bool restricted) external;

    /// @notice The number that the next policy gets.
    function policyIdCounter() external view returns (uint64);

    function policyExists(uint64 policyId) external view returns (bool);

    /// @notice A list's type and administrator, or `COMPOUND` and zero.
    function policyData(uint64 policyId) external view returns (PolicyType policyType, address admin);

    function compoundPolicyData(uint64 policyId)
        external
        view
        returns (uint64 senderPolicyId, uint64 recipientPolicyId, uint64 mintRecipientPolicyId);

    /// @notice Whether `user` may both send and receive.
    function isAuthorized(uint64 policyId, address user) external view returns (bool);

    function isAuthorizedSender(uint64 policyId, address user) external view returns (bool);

    function isAuthorizedRecipient(uint64 policyId, address user) external view returns (bool);

    function isAuthorizedMintRecipient(uint64 policyId, address user) external view returns (bool);
}
