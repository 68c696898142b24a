// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {IERC20Errors} from "@openzeppelin/interfaces/draft-IERC6093.sol";
import {WrappedEther} from "src/tokens/WrappedEther.sol";

contract WrappedEtherTest is Suite {
    WrappedEther weth = new WrappedEther();
    address alice = account("alice");

    function testFuzz_WrapsAndUnwraps(uint96 amount, uint96 back) external {
        vm.deal(alice, amount);
        vm.startPrank(alice);
        vm.expectEmit();
        emit WrappedEther.Deposit(alice, amount);
        weth.deposit{value: amount}();
        vm.assertEq(weth.balanceOf(alice), amount, "wrapped");
        uint256 taken = bound(back, 0, amount);
        vm.expectEmit();
        emit WrappedEther.Withdrawal(alice, taken);
        weth.withdraw(taken);
        vm.assertEq(alice.balance, taken, "unwrapped");
        vm.assertEq(weth.totalSupply(), address(weth).balance, "backing");
    }

    function test_EtherSentIsWrapped() external {
        vm.deal(alice, 3);
        vm.startPrank(alice);
        (bool sent,) = address(weth).call{value: 1}("");
        (bool called,) = address(weth).call{value: 2}("anything");
        assertTrue(sent && called, "taken");
        vm.assertEq(weth.balanceOf(alice), 3, "wrapped");
    }

    function test_RevertWhen_MoreIsWithdrawnThanHeld() external {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, 0, 1));
        vm.prank(alice);
        weth.withdraw(1);
    }

    /// @dev This contract takes no ether.
    function test_RevertWhen_EtherIsRefused() external {
        vm.deal(address(this), 1);
        weth.deposit{value: 1}();
        vm.expectRevert(abi.encodeWithSelector(WrappedEther.EtherRefused.selector, address(this)));
        weth.withdraw(1);
    }
}
