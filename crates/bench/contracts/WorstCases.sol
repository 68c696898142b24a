// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @notice What a parallel executor likes least, one function each.
contract WorstCases {
    error Refused(uint256 counter);

    uint256 public word = 1;
    uint256 public counter = 1;
    mapping(uint256 index => uint256) public chain;
    mapping(address caller => bytes32) public results;

    /// @notice Every call changes one word in a way that depends on what it was.
    function multiply() external {
        unchecked {
            word = word * 3 + 1;
        }
    }

    /// @notice Every call adds one.
    function increment() external {
        counter += 1;
    }

    /// @notice Sets the first element, from which all others follow.
    function begin(uint256 value) external {
        chain[0] = value;
    }

    /// @notice Makes the element after `index` out of the one there.
    function extend(uint256 index) external {
        unchecked {
            chain[index + 1] = chain[index] * 3 + 1;
        }
    }

    /// @notice Writes, then reverts.
    function refuse() external {
        counter += 1;
        revert Refused(counter);
    }

    /// @notice Creates a contract that destroys itself before the call ends.
    function createAndDestroy(bytes32 salt) external {
        new Mortal{salt: salt}().destroy(payable(msg.sender));
    }

    /// @notice Calls a precompiled contract and keeps the hash of what it returns.
    function precompiled(address target, bytes calldata input) external {
        (bool success, bytes memory output) = target.staticcall(input);
        require(success && output.length > 0);
        results[msg.sender] = keccak256(output);
    }
}

/// @notice A contract that destroys itself when asked.
contract Mortal {
    uint256 public born = block.number;

    receive() external payable {}

    function destroy(address payable heir) external {
        selfdestruct(heir);
    }
}
