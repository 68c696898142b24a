// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @dev The cheat codes of forge that the suites use. The whole of forge-std takes npm's compiler longer than the project.
interface Vm {
    function addr(uint256 key) external pure returns (address);
    function assume(bool condition) external pure;
    function deal(address account, uint256 balance) external;
    function etch(address account, bytes calldata code) external;
    function expectEmit() external;
    function expectRevert() external;
    function expectRevert(bytes4 selector) external;
    function expectRevert(bytes calldata data) external;
    function label(address account, string calldata name) external;
    function prank(address sender) external;
    function roll(uint256 height) external;
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function startPrank(address sender) external;
    function stopPrank() external;
    function warp(uint256 timestamp) external;

    function assertApproxEqAbs(uint256 left, uint256 right, uint256 tolerance, string calldata why) external pure;
    function assertEq(address left, address right, string calldata why) external pure;
    function assertEq(bool left, bool right, string calldata why) external pure;
    function assertEq(bytes32 left, bytes32 right, string calldata why) external pure;
    function assertEq(int256 left, int256 right, string calldata why) external pure;
    function assertEq(string calldata left, string calldata right, string calldata why) external pure;
    function assertEq(uint256 left, uint256 right, string calldata why) external pure;
    function assertGe(uint256 left, uint256 right, string calldata why) external pure;
    function assertGt(uint256 left, uint256 right, string calldata why) external pure;
    function assertLe(uint256 left, uint256 right, string calldata why) external pure;
    function assertLt(uint256 left, uint256 right, string calldata why) external pure;
}

Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

/// @notice What every suite stands on: named accounts, assertions, and what an invariant suite calls.
abstract contract Suite {
    /// @dev Read by forge: the functions of a handler that an invariant suite calls.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev Read by forge, which takes a contract with this flag for a suite.
    bool public constant IS_TEST = true;

    address[] private targets;

    /// @dev Read by forge: the contracts that an invariant suite calls.
    function targetContracts() external view returns (address[] memory) {
        return targets;
    }

    function target(address handler) internal {
        targets.push(handler);
    }

    /// @dev An account with a label that traces show.
    function account(string memory name) internal returns (address made) {
        (made,) = signer(name);
    }

    /// @dev An account and its key.
    function signer(string memory name) internal returns (address made, uint256 key) {
        key = uint256(keccak256(bytes(name)));
        made = vm.addr(key);
        vm.label(made, name);
    }

    /// @dev Maps what a fuzzer gives into [low, high]. Values near the ends of the type come out near the ends.
    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        if (value >= low && value <= high) return value;
        uint256 size = high - low + 1;
        if (size == 0) return value;
        if (value > type(uint256).max - size) return high - (type(uint256).max - value);
        return low + value % size;
    }

    function assertTrue(bool value, string memory why) internal pure {
        vm.assertEq(value, true, why);
    }

    function assertFalse(bool value, string memory why) internal pure {
        vm.assertEq(value, false, why);
    }
}
