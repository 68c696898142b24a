// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Gated, RoleGate} from "./RoleGate.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";

/// @title Where money waits between the lenders and a borrower
/// @notice It leaves to the borrower's wallet, to an agent of the list who has paid the borrower elsewhere, or back to its pool. Who is on
/// the list is a decision under delay; nobody can send it anywhere else.
contract Escrow is Gated {
    using SafeERC20 for IERC20;

    address public immutable book;
    /// @notice Accounts that pay out by mobile money and are reimbursed.
    mapping(address agent => bool) public isAgent;

    error NotBook(address caller);
    error NotAgent(address payee);

    event AgentSet(address indexed agent, bool isAgent);
    event Released(bytes32 indexed loan, address indexed to, uint256 amount);

    constructor(RoleGate gate, address book_) Gated(gate) {
        book = book_;
    }

    function setAgent(address agent, bool isListed) external restricted {
        isAgent[agent] = isListed;
        emit AgentSet(agent, isListed);
    }

    /// @notice Pays out what a loan's pool has sent here.
    function pay(bytes32 loan, IERC20 token, uint256 amount, address payee, bool isElsewhere) external {
        if (msg.sender != book) revert NotBook(msg.sender);
        // Who was struck off the list since the offer gets nothing.
        if (isElsewhere && !isAgent[payee]) revert NotAgent(payee);
        emit Released(loan, payee, amount);
        token.safeTransfer(payee, amount);
    }

    /// @notice Sends it back.
    function giveBack(bytes32 loan, IERC20 token, uint256 amount, address pool) external {
        if (msg.sender != book) revert NotBook(msg.sender);
        emit Released(loan, pool, amount);
        token.safeTransfer(pool, amount);
    }
}
