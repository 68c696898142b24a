// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IClaimIssuer, IClaimTopicsRegistry, IIdentity, ITrustedIssuersRegistry} from "./IClaims.sol";
import {IdentityRegistry} from "./IdentityRegistry.sol";

/// @title An identity registry that checks claims
/// @notice An account is verified if it is registered and its identity holds, for each topic that has to be claimed, a claim of an issuer who is
/// trusted for the topic and still stands by it. So an issuer who takes a claim back stops transfers to the account at once. With no topics whoever
/// is registered is verified, as in {IdentityRegistry}.
/// @dev Asking only reads. What it costs grows with topics and trusted issuers, which are bounded. An identity is a contract of the investor's, which
/// may refuse to answer, or ask for much gas: agents register identities that they know the code of. Whatever it does, it fails its own account.
contract ClaimedIdentityRegistry is IdentityRegistry {
    /// @notice Which topics have to be claimed.
    IClaimTopicsRegistry public topicsRegistry;
    /// @notice Whose claims count.
    ITrustedIssuersRegistry public issuersRegistry;

    event ClaimTopicsRegistrySet(address indexed claimTopicsRegistry);
    event TrustedIssuersRegistrySet(address indexed trustedIssuersRegistry);

    constructor(address admin, IClaimTopicsRegistry topics, ITrustedIssuersRegistry issuers) IdentityRegistry(admin) {
        _setTopics(topics);
        _setIssuers(issuers);
    }

    function setClaimTopicsRegistry(IClaimTopicsRegistry topics) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setTopics(topics);
    }

    function setTrustedIssuersRegistry(ITrustedIssuersRegistry issuers) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setIssuers(issuers);
    }

    /// @inheritdoc IdentityRegistry
    function isVerified(address investor) external view override returns (bool) {
        address holder = identity(investor);
        if (holder == address(0)) return false;
        uint256[] memory topics = topicsRegistry.getClaimTopics();
        for (uint256 i = 0; i < topics.length; i++) {
            if (!_isClaimed(holder, topics[i])) return false;
        }
        return true;
    }

    function _isClaimed(address holder, uint256 topic) private view returns (bool) {
        if (holder.code.length == 0) return false;
        address[] memory issuers = issuersRegistry.getTrustedIssuersForClaimTopic(topic);
        for (uint256 i = 0; i < issuers.length; i++) {
            if (_stands(holder, topic, issuers[i])) return true;
        }
        return false;
    }

    /// @dev Whether the identity has a claim of this issuer, by which the issuer stands. Of what the identity says only signature and data count.
    function _stands(address holder, uint256 topic, address issuer) private view returns (bool) {
        try IIdentity(holder).getClaim(keccak256(abi.encode(issuer, topic))) returns (
            uint256, uint256, address, bytes memory signature, bytes memory data, string memory
        ) {
            // Nothing is claimed without a signature.
            if (signature.length == 0 || issuer.code.length == 0) return false;
            return _isValid(issuer, holder, topic, signature, data);
        } catch {
            return false;
        }
    }

    /// @dev An issuer that fails stands by nothing.
    function _isValid(address issuer, address holder, uint256 topic, bytes memory signature, bytes memory data)
        private
        view
        returns (bool)
    {
        try IClaimIssuer(issuer).isClaimValid(holder, topic, signature, data) returns (bool valid) {
            return valid;
        } catch {
            return false;
        }
    }

    function _setTopics(IClaimTopicsRegistry topics) private {
        topicsRegistry = topics;
        emit ClaimTopicsRegistrySet(address(topics));
    }

    function _setIssuers(ITrustedIssuersRegistry issuers) private {
        issuersRegistry = issuers;
        emit TrustedIssuersRegistrySet(address(issuers));
    }
}
