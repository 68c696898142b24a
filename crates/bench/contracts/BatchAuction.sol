// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @notice Collects the orders of a batch, which clears later at one price. An order adds to the sums of its side and of
/// its price, and is remembered for its trader.
contract BatchAuction {
    struct Batch {
        uint128 bought;
        uint128 sold;
        uint64 orders;
    }

    struct Order {
        uint128 amount;
        uint64 tick;
        bool isBuy;
    }

    error InsufficientDeposit(uint256 deposit, uint256 amount);

    event Placed(uint256 indexed batch, address indexed trader, uint64 tick, uint128 amount, bool isBuy);

    mapping(address trader => uint256) public deposits;
    mapping(uint256 batch => Batch) public batches;
    mapping(uint256 batch => mapping(uint64 tick => uint256)) public amountAt;
    mapping(uint256 batch => mapping(address trader => Order)) public orders;

    function deposit() external payable {
        deposits[msg.sender] += msg.value;
    }

    function place(uint256 batch, uint64 tick, uint128 amount, bool isBuy) external {
        uint256 available = deposits[msg.sender];
        if (available < amount) revert InsufficientDeposit(available, amount);
        deposits[msg.sender] = available - amount;
        Batch storage sums = batches[batch];
        if (isBuy) sums.bought += amount;
        else sums.sold += amount;
        sums.orders += 1;
        amountAt[batch][tick] += amount;
        orders[batch][msg.sender] = Order({amount: amount, tick: tick, isBuy: isBuy});
        emit Placed(batch, msg.sender, tick, amount, isBuy);
    }
}
