// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/token/ERC20/ERC20.sol";

/// @title Ether as an ERC-20 token, one for one, with the interface of WETH9
/// @notice Everyone's tokens can be withdrawn at any time: the contract holds at least as much ether as there are tokens.
/// @dev Differs from WETH9 in telling of deposits and withdrawals by `Transfer` as well, in refusing transfers to the zero
/// address, and in counting the supply itself, which ether forced upon the contract does not change.
contract WrappedEther is ERC20("Wrapped Ether", "WETH") {
    /// @notice The account takes no ether.
    error EtherRefused(address account);

    event Deposit(address indexed dst, uint256 wad);
    event Withdrawal(address indexed src, uint256 wad);

    receive() external payable {
        deposit();
    }

    fallback() external payable {
        deposit();
    }

    function deposit() public payable {
        _mint(msg.sender, msg.value);
        emit Deposit(msg.sender, msg.value);
    }

    function withdraw(uint256 wad) external {
        _burn(msg.sender, wad);
        emit Withdrawal(msg.sender, wad);
        (bool taken,) = msg.sender.call{value: wad}("");
        if (!taken) revert EtherRefused(msg.sender);
    }
}
