// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IClaimIssuer, IIdentity} from "./IClaims.sol";

/// @title An identity: keys, and what is claimed of it
/// @notice See {IIdentity}. Who it is made for has the first key, which manages. A claim is kept only if its issuer says that it is valid; of itself
/// an identity may claim what it likes. Claims are public: what they are about belongs in a hash, and the rest to be shown by its owner.
contract Identity is IIdentity {
    struct Claim {
        uint256 topic;
        uint256 scheme;
        address issuer;
        bytes signature;
        bytes data;
        string uri;
    }

    uint256 internal constant MANAGEMENT = 1;
    uint256 internal constant CLAIM_SIGNER = 3;
    uint256 internal constant ECDSA_KEY = 1;
    /// @notice The highest purpose that a key may have: purposes are bits of a word.
    uint256 public constant MAX_PURPOSE = 255;
    /// @notice Most claims of one topic: who reads a topic gets all of them.
    uint256 public constant MAX_CLAIMS = 32;

    /// @dev Its purposes, a bit each.
    mapping(bytes32 key => uint256) private purposes;
    mapping(bytes32 claimId => Claim) private claims;
    mapping(uint256 topic => bytes32[]) private claimsAbout;
    /// @dev Management keys, of which one has to stay.
    uint256 private managers;

    error NotManager(address caller);
    error NotClaimKey(address caller);
    error InvalidKey(uint256 purpose, uint256 keyType);
    error KeyPresent(bytes32 key, uint256 purpose);
    error KeyMissing(bytes32 key, uint256 purpose);
    /// @notice Nobody would manage the identity any more.
    error LastManager();
    /// @notice The issuer does not stand by it.
    error InvalidClaim(address issuer, uint256 topic);
    error ClaimMissing(bytes32 claimId);
    error TooManyClaims(uint256 topic);

    modifier onlyManager() {
        if (!keyHasPurpose(_keyOf(msg.sender), MANAGEMENT)) revert NotManager(msg.sender);
        _;
    }

    modifier onlyClaimKey() {
        if (!keyHasPurpose(_keyOf(msg.sender), CLAIM_SIGNER)) revert NotClaimKey(msg.sender);
        _;
    }

    constructor(address manager) {
        _addKey(_keyOf(manager), MANAGEMENT, ECDSA_KEY);
    }

    /// @inheritdoc IIdentity
    function addKey(bytes32 key, uint256 purpose, uint256 keyType) external onlyManager returns (bool) {
        _addKey(key, purpose, keyType);
        return true;
    }

    /// @inheritdoc IIdentity
    function removeKey(bytes32 key, uint256 purpose) external onlyManager returns (bool) {
        if (purpose > MAX_PURPOSE || purposes[key] & 1 << purpose == 0) revert KeyMissing(key, purpose);
        if (purpose == MANAGEMENT) {
            if (managers == 1) revert LastManager();
            managers -= 1;
        }
        purposes[key] ^= 1 << purpose;
        emit KeyRemoved(key, purpose, ECDSA_KEY);
        return true;
    }

    /// @inheritdoc IIdentity
    function addClaim(
        uint256 topic,
        uint256 scheme,
        address issuer,
        bytes calldata signature,
        bytes calldata data,
        string calldata uri
    ) external onlyClaimKey returns (bytes32 claimId) {
        if (issuer != address(this) && !IClaimIssuer(issuer).isClaimValid(address(this), topic, signature, data)) {
            revert InvalidClaim(issuer, topic);
        }
        claimId = keccak256(abi.encode(issuer, topic));
        bool isNew = claims[claimId].issuer == address(0);
        if (isNew) {
            if (claimsAbout[topic].length == MAX_CLAIMS) revert TooManyClaims(topic);
            claimsAbout[topic].push(claimId);
        }
        claims[claimId] = Claim(topic, scheme, issuer, signature, data, uri);
        if (isNew) emit ClaimAdded(claimId, topic, scheme, issuer, signature, data, uri);
        else emit ClaimChanged(claimId, topic, scheme, issuer, signature, data, uri);
    }

    /// @inheritdoc IIdentity
    function removeClaim(bytes32 claimId) external onlyClaimKey returns (bool) {
        Claim memory claim = claims[claimId];
        if (claim.issuer == address(0)) revert ClaimMissing(claimId);
        delete claims[claimId];
        bytes32[] storage about = claimsAbout[claim.topic];
        uint256 last = about.length - 1;
        for (uint256 i = 0; i < last; i++) {
            if (about[i] != claimId) continue;
            about[i] = about[last];
            break;
        }
        about.pop();
        emit ClaimRemoved(claimId, claim.topic, claim.scheme, claim.issuer, claim.signature, claim.data, claim.uri);
        return true;
    }

    /// @inheritdoc IIdentity
    function getClaim(bytes32 claimId)
        external
        view
        returns (uint256, uint256, address, bytes memory, bytes memory, string memory)
    {
        Claim memory claim = claims[claimId];
        return (claim.topic, claim.scheme, claim.issuer, claim.signature, claim.data, claim.uri);
    }

    /// @inheritdoc IIdentity
    function getClaimIdsByTopic(uint256 topic) external view returns (bytes32[] memory) {
        return claimsAbout[topic];
    }

    /// @inheritdoc IIdentity
    function keyHasPurpose(bytes32 key, uint256 purpose) public view returns (bool) {
        if (purpose > MAX_PURPOSE) return false;
        return purposes[key] & (1 << purpose | 1 << MANAGEMENT) != 0;
    }

    function _addKey(bytes32 key, uint256 purpose, uint256 keyType) private {
        if (purpose == 0 || purpose > MAX_PURPOSE || keyType != ECDSA_KEY) revert InvalidKey(purpose, keyType);
        if (purposes[key] & 1 << purpose != 0) revert KeyPresent(key, purpose);
        purposes[key] |= 1 << purpose;
        if (purpose == MANAGEMENT) managers += 1;
        emit KeyAdded(key, purpose, keyType);
    }

    function _keyOf(address account) internal pure returns (bytes32) {
        return keccak256(abi.encode(account));
    }
}
