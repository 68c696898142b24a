// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "solady/src/tokens/ERC20.sol";

/// @notice Solady's ERC-20, with minting open to everybody.
contract SoladyToken is ERC20 {
    function name() public pure override returns (string memory) {
        return "Benchmark token";
    }

    function symbol() public pure override returns (string memory) {
        return "BENCH";
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
