// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {PerpetualSuite} from "./PerpetualSuite.sol";
import {PerpetualOrders} from "src/derivatives/PerpetualOrders.sol";

/// @dev As {GasTest}, for trades.
contract DerivativesGasTest is PerpetualSuite {
    uint256 alice;
    address owner = account("alice");
    PerpetualOrders orders;
    bytes32 stop;

    function setUp() public {
        _open();
        alice = _fund(owner, 100_000 * USD);
        _trade(alice, 10 * ETHER);
        vm.startPrank(owner);
        orders = new PerpetualOrders(exchange);
        usd.approve(address(orders), type(uint256).max);
        exchange.setDelegate(address(orders), true);
        stop = orders.place(
            PerpetualOrders.Request(
                alice, ether_, -ETHER, 2000 * PER_ETHER, false, 0, true, uint64(block.timestamp + 1 days), USD
            )
        );
    }

    function test_Gas_PerpetualTrade() external {
        exchange.trade(alice, ether_, ETHER, type(uint256).max);
    }

    function test_Gas_PerpetualStopOrder() external {
        orders.place(
            PerpetualOrders.Request(
                alice, ether_, -10 * ETHER, 1900 * PER_ETHER, false, 0, true, uint64(block.timestamp + 1 days), USD
            )
        );
    }

    function test_Gas_PerpetualStopExecuted() external {
        orders.execute(stop);
    }

    function test_Gas_PerpetualAccrueAndClose() external {
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + 2);
        exchange.trade(alice, ether_, -10 * ETHER, 0);
    }
}
