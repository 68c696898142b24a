// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "openzeppelin-contracts-5/token/ERC20/ERC20.sol";

/// @notice OpenZeppelin's ERC-20, with minting open to everybody.
contract OzToken is ERC20("Benchmark token", "BENCH") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
