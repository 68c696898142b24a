// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "./Suite.sol";
import {PolicyRegistry} from "src/compliance/PolicyRegistry.sol";
import {Stablecoin} from "src/tokens/Stablecoin.sol";
import {WrappedEther} from "src/tokens/WrappedEther.sol";

/// @dev What users do often, each measured as a whole test: gas-snapshot has the figures, and a change of more than two in
/// a hundred fails. Everything is warm and set up beforehand, so the figures compare versions, not networks.
contract GasTest is Suite {
    PolicyRegistry registry = new PolicyRegistry();
    Stablecoin usd = new Stablecoin("US dollar", "USD", "USD", registry, 1, address(this), 1e18);
    WrappedEther weth = new WrappedEther();
    address alice = account("alice");
    address bob = account("bob");

    function setUp() public {
        usd.configureMinter(address(this), 1e18);
        usd.mint(alice, 1e12);
        usd.mint(bob, 1e12);
        vm.deal(alice, 2 ether);
        vm.startPrank(alice);
        weth.deposit{value: 1 ether}();
    }

    function test_Gas_StablecoinTransfer() external {
        usd.transfer(bob, 1e6);
    }

    function test_Gas_StablecoinApprove() external {
        usd.approve(bob, 1e6);
    }

    function test_Gas_WrapEther() external {
        weth.deposit{value: 1 ether}();
    }

    function test_Gas_UnwrapEther() external {
        weth.withdraw(1 ether);
    }
}
