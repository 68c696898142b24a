// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Governor} from "openzeppelin-contracts-5/governance/Governor.sol";
import {GovernorCountingSimple} from "openzeppelin-contracts-5/governance/extensions/GovernorCountingSimple.sol";
import {GovernorVotes} from "openzeppelin-contracts-5/governance/extensions/GovernorVotes.sol";
import {IVotes} from "openzeppelin-contracts-5/governance/utils/IVotes.sol";
import {ERC20} from "openzeppelin-contracts-5/token/ERC20/ERC20.sol";
import {ERC20Votes} from "openzeppelin-contracts-5/token/ERC20/extensions/ERC20Votes.sol";
import {EIP712} from "openzeppelin-contracts-5/utils/cryptography/EIP712.sol";

/// @notice OpenZeppelin's voting token, with minting open to everybody.
contract OzVotes is ERC20Votes {
    constructor() ERC20("Benchmark votes", "VOTES") EIP712("Benchmark votes", "1") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice OpenZeppelin's Governor with simple counting: one block of delay, then a long vote.
contract OzGovernor is Governor("Benchmark governor"), GovernorCountingSimple, GovernorVotes {
    constructor(IVotes token) GovernorVotes(token) {}

    function votingDelay() public pure override returns (uint256) {
        return 1;
    }

    function votingPeriod() public pure override returns (uint256) {
        return 1_000_000;
    }

    function quorum(uint256) public pure override returns (uint256) {
        return 1;
    }
}
