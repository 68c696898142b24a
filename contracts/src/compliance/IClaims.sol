// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @notice An identity: keys that act for it (ERC-734, without {execute}), and claims that others have made about it (ERC-735).
/// Functions and events are ONCHAINID's, so that its tools read these.
interface IIdentity {
    event KeyAdded(bytes32 indexed key, uint256 indexed purpose, uint256 indexed keyType);
    event KeyRemoved(bytes32 indexed key, uint256 indexed purpose, uint256 indexed keyType);
    event ClaimAdded(
        bytes32 indexed claimId,
        uint256 indexed topic,
        uint256 scheme,
        address indexed issuer,
        bytes signature,
        bytes data,
        string uri
    );
    event ClaimRemoved(
        bytes32 indexed claimId,
        uint256 indexed topic,
        uint256 scheme,
        address indexed issuer,
        bytes signature,
        bytes data,
        string uri
    );
    event ClaimChanged(
        bytes32 indexed claimId,
        uint256 indexed topic,
        uint256 scheme,
        address indexed issuer,
        bytes signature,
        bytes data,
        string uri
    );

    /// @param key The hash of the ABI-encoded address of an account.
    /// @param purpose 1: manages the identity and may do all; 2: acts; 3: signs claims, and adds and removes those of the identity.
    /// @param keyType 1: ECDSA.
    function addKey(bytes32 key, uint256 purpose, uint256 keyType) external returns (bool);
    function removeKey(bytes32 key, uint256 purpose) external returns (bool);
    function keyHasPurpose(bytes32 key, uint256 purpose) external view returns (bool);

    /// @notice Keeps a claim that its issuer has signed; takes the place of the issuer's earlier one on this topic.
    /// @param scheme 1: ECDSA.
    /// @return claimId The hash of the ABI-encoded issuer and topic.
    function addClaim(
        uint256 topic,
        uint256 scheme,
        address issuer,
        bytes calldata signature,
        bytes calldata data,
        string calldata uri
    ) external returns (bytes32 claimId);
    function removeClaim(bytes32 claimId) external returns (bool);
    function getClaim(bytes32 claimId)
        external
        view
        returns (
            uint256 topic,
            uint256 scheme,
            address issuer,
            bytes memory signature,
            bytes memory data,
            string memory uri
        );
    function getClaimIdsByTopic(uint256 topic) external view returns (bytes32[] memory);
}

/// @notice Who makes claims about identities, and takes them back.
interface IClaimIssuer {
    event ClaimRevoked(bytes indexed signature);

    function revokeClaimBySignature(bytes calldata signature) external;
    function isClaimRevoked(bytes calldata signature) external view returns (bool);
    /// @notice Whether one of the issuer's claim keys has signed this of `identity`, and the issuer has not taken it back.
    function isClaimValid(address identity, uint256 topic, bytes calldata signature, bytes calldata data)
        external
        view
        returns (bool);
}

/// @notice What has to be claimed of an investor: ERC-3643's registry of claim topics.
interface IClaimTopicsRegistry {
    event ClaimTopicAdded(uint256 indexed claimTopic);
    event ClaimTopicRemoved(uint256 indexed claimTopic);

    function addClaimTopic(uint256 topic) external;
    function removeClaimTopic(uint256 topic) external;
    function getClaimTopics() external view returns (uint256[] memory);
}

/// @notice Whose claims count: ERC-3643's registry of trusted issuers.
interface ITrustedIssuersRegistry {
    event TrustedIssuerAdded(address indexed trustedIssuer, uint256[] claimTopics);
    event TrustedIssuerRemoved(address indexed trustedIssuer);
    event ClaimTopicsUpdated(address indexed trustedIssuer, uint256[] claimTopics);

    function addTrustedIssuer(address issuer, uint256[] calldata topics) external;
    function removeTrustedIssuer(address issuer) external;
    function updateIssuerClaimTopics(address issuer, uint256[] calldata topics) external;
    function getTrustedIssuers() external view returns (address[] memory);
    function getTrustedIssuersForClaimTopic(uint256 topic) external view returns (address[] memory);
    function isTrustedIssuer(address issuer) external view returns (bool);
    function getTrustedIssuerClaimTopics(address issuer) external view returns (uint256[] memory);
    function hasClaimTopic(address issuer, uint256 topic) external view returns (bool);
}
