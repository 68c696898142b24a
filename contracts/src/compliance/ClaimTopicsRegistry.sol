// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IClaimTopicsRegistry} from "./IClaims.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";

/// @notice See {IClaimTopicsRegistry}.
contract ClaimTopicsRegistry is IClaimTopicsRegistry, Ownable {
    /// @notice Most topics: a transfer asks for all of them.
    uint256 public constant MAX_TOPICS = 15;

    uint256[] private topics;

    error TooManyTopics();
    error TopicPresent(uint256 topic);
    error TopicMissing(uint256 topic);

    constructor(address owner) Ownable(owner) {}

    /// @inheritdoc IClaimTopicsRegistry
    function addClaimTopic(uint256 topic) external onlyOwner {
        if (_placeOf(topic) != topics.length) revert TopicPresent(topic);
        if (topics.length == MAX_TOPICS) revert TooManyTopics();
        topics.push(topic);
        emit ClaimTopicAdded(topic);
    }

    /// @inheritdoc IClaimTopicsRegistry
    function removeClaimTopic(uint256 topic) external onlyOwner {
        uint256 place = _placeOf(topic);
        if (place == topics.length) revert TopicMissing(topic);
        topics[place] = topics[topics.length - 1];
        topics.pop();
        emit ClaimTopicRemoved(topic);
    }

    /// @inheritdoc IClaimTopicsRegistry
    function getClaimTopics() external view returns (uint256[] memory) {
        return topics;
    }

    /// @dev The number of topics where it is none of them.
    function _placeOf(uint256 topic) private view returns (uint256 place) {
        while (place < topics.length && topics[place] != topic) place += 1;
    }
}
