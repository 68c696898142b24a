// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ITrustedIssuersRegistry} from "./IClaims.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";

/// @notice See {ITrustedIssuersRegistry}.
contract TrustedIssuersRegistry is ITrustedIssuersRegistry, Ownable {
    /// @notice Most issuers, and most topics of one: a transfer asks the issuers of a topic one after the other.
    uint256 public constant MAX_ISSUERS = 50;
    uint256 public constant MAX_TOPICS = 15;

    address[] private issuers;
    mapping(address issuer => uint256[]) private topicsOf;
    mapping(uint256 topic => address[]) private issuersFor;

    error InvalidIssuer();
    error TooManyIssuers();
    error IssuerPresent(address issuer);
    error IssuerMissing(address issuer);
    /// @notice An issuer is trusted for one topic at least, for {MAX_TOPICS} at most, and for none twice.
    error InvalidTopics();

    constructor(address owner) Ownable(owner) {}

    /// @inheritdoc ITrustedIssuersRegistry
    function addTrustedIssuer(address issuer, uint256[] calldata topics) external onlyOwner {
        if (issuer == address(0)) revert InvalidIssuer();
        if (isTrustedIssuer(issuer)) revert IssuerPresent(issuer);
        if (issuers.length == MAX_ISSUERS) revert TooManyIssuers();
        issuers.push(issuer);
        _trust(issuer, topics);
        emit TrustedIssuerAdded(issuer, topics);
    }

    /// @inheritdoc ITrustedIssuersRegistry
    function removeTrustedIssuer(address issuer) external onlyOwner {
        _distrust(issuer);
        _remove(issuers, issuer);
        emit TrustedIssuerRemoved(issuer);
    }

    /// @inheritdoc ITrustedIssuersRegistry
    function updateIssuerClaimTopics(address issuer, uint256[] calldata topics) external onlyOwner {
        _distrust(issuer);
        _trust(issuer, topics);
        emit ClaimTopicsUpdated(issuer, topics);
    }

    /// @inheritdoc ITrustedIssuersRegistry
    function getTrustedIssuers() external view returns (address[] memory) {
        return issuers;
    }

    /// @inheritdoc ITrustedIssuersRegistry
    function getTrustedIssuersForClaimTopic(uint256 topic) external view returns (address[] memory) {
        return issuersFor[topic];
    }

    /// @inheritdoc ITrustedIssuersRegistry
    function getTrustedIssuerClaimTopics(address issuer) external view returns (uint256[] memory) {
        if (!isTrustedIssuer(issuer)) revert IssuerMissing(issuer);
        return topicsOf[issuer];
    }

    /// @inheritdoc ITrustedIssuersRegistry
    function hasClaimTopic(address issuer, uint256 topic) public view returns (bool) {
        uint256[] storage topics = topicsOf[issuer];
        for (uint256 i = 0; i < topics.length; i++) {
            if (topics[i] == topic) return true;
        }
        return false;
    }

    /// @inheritdoc ITrustedIssuersRegistry
    function isTrustedIssuer(address issuer) public view returns (bool) {
        return topicsOf[issuer].length != 0;
    }

    function _trust(address issuer, uint256[] calldata topics) private {
        if (topics.length == 0 || topics.length > MAX_TOPICS) revert InvalidTopics();
        for (uint256 i = 0; i < topics.length; i++) {
            if (hasClaimTopic(issuer, topics[i])) revert InvalidTopics();
            topicsOf[issuer].push(topics[i]);
            issuersFor[topics[i]].push(issuer);
        }
    }

    function _distrust(address issuer) private {
        if (!isTrustedIssuer(issuer)) revert IssuerMissing(issuer);
        uint256[] storage topics = topicsOf[issuer];
        for (uint256 i = 0; i < topics.length; i++) {
            _remove(issuersFor[topics[i]], issuer);
        }
        delete topicsOf[issuer];
    }

    /// @dev It is in the list.
    function _remove(address[] storage list, address issuer) private {
        uint256 last = list.length - 1;
        for (uint256 i = 0; i < last; i++) {
            if (list[i] != issuer) continue;
            list[i] = list[last];
            break;
        }
        list.pop();
    }
}
