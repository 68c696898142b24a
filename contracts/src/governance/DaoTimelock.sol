// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {TimelockController} from "@openzeppelin/governance/TimelockController.sol";

/// @title OpenZeppelin's timelock, open to everybody for executing
/// @notice Owns what the DAO rules. The governor has to be made its proposer and canceller by `admin`, who then renounces.
contract DaoTimelock is TimelockController {
    constructor(uint256 minDelay, address admin) TimelockController(minDelay, new address[](0), _everybody(), admin) {}

    function _everybody() private pure returns (address[] memory executors) {
        executors = new address[](1);
    }
}
