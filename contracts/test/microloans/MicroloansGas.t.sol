// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {LoanSuite} from "./LoanSuite.sol";
import {Parts} from "src/microloans/ILenderPool.sol";
import {ILoanBook} from "src/microloans/ILoanBook.sol";

/// @dev What borrowers, lenders and the service do often; see `GasTest`.
contract MicroloansGasTest is LoanSuite {
    uint128 constant PRINCIPAL = 100e6;

    bytes32[] proof;
    ILoanBook.Instalment instalment;
    ILoanBook.Terms terms;

    function setUp() public {
        _openBook();
        _lend(junior, bob, 500 * USD);
        _lend(senior, alice, 500 * USD);
        _hold(servicer, 1000 * USD);
        usd.mint(bob, 1000 * USD);
        vm.prank(bob);
        usd.approve(address(junior), 1000 * USD);
        // Another loan before, so that no total is zero.
        _walletLoan("another", PRINCIPAL);
        _payNext("another", PRINCIPAL, 0, borrower);
        _walletLoan(LOAN, PRINCIPAL);
        _hold(borrower, PRINCIPAL);
        (, bytes32 beside) = _leaves(PRINCIPAL);
        proof.push(beside);
        instalment = _instalments(PRINCIPAL)[0];
        terms = _terms(PRINCIPAL, borrower);
    }

    function test_Gas_RepayInstalment() external {
        vm.prank(borrower);
        book.repayInstalment(LOAN, instalment, proof);
    }

    function test_Gas_TellARepayment() external {
        vm.prank(servicer);
        book.repay(LOAN, 4, Parts(50e6, 1e6, 1e4, 0), 1);
    }

    function test_Gas_TellAnOffer() external {
        vm.prank(originator);
        book.offer("third", 1, terms);
    }

    function test_Gas_DepositAfterRepayments() external {
        vm.prank(bob);
        junior.deposit(10 * USD, bob);
    }
}
