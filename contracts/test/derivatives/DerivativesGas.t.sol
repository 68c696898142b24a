// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {PerpetualSuite} from "./PerpetualSuite.sol";

/// @dev As {GasTest}, for trades.
contract DerivativesGasTest is PerpetualSuite {
    uint256 alice;
    address owner = account("alice");

    function setUp() public {
        _open();
        alice = _fund(owner, 100_000 * USD);
        _trade(alice, 10 * ETHER);
        vm.startPrank(owner);
    }

    function test_Gas_PerpetualTrade() external {
        exchange.trade(alice, ether_, ETHER, type(uint256).max);
    }

    function test_Gas_PerpetualAccrueAndClose() external {
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + 2);
        exchange.trade(alice, ether_, -10 * ETHER, 0);
    }
}
