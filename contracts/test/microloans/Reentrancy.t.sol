// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {CallingToken} from "../dex/Tokens.sol";
import {LoanSuite} from "./LoanSuite.sol";
import {IERC20Metadata} from "@openzeppelin/token/ERC20/extensions/IERC20Metadata.sol";
import {ILoanBook} from "src/microloans/ILoanBook.sol";
import {LenderPool} from "src/microloans/LenderPool.sol";

/// @dev Does something, and when a token calls back does it again.
contract Reenterer {
    address private target;
    bytes private data;
    uint256 public tries;
    uint256 public successes;

    function act(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
        (bool done, bytes memory reason) = target_.call(data_);
        if (done) return;
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }

    function again() external {
        if (tries == 1) return;
        tries += 1;
        (bool done,) = target.call(data);
        if (done) successes += 1;
    }
}

/// @dev A token that calls back is none for a pool. Should one come to be one, nobody gets anything twice by it.
contract ReentrancyTest is LoanSuite {
    CallingToken token = new CallingToken();
    Reenterer thief = new Reenterer();
    uint128 constant PRINCIPAL = 100 ether;

    function setUp() public {
        _openBook();
        LenderPool.Conditions memory terms = _conditions();
        (terms.token, terms.cap) = (IERC20Metadata(address(token)), 1e6 ether);
        pool = _newPool(terms);
        (senior, junior, firstLoss) = (pool.senior(), pool.junior(), pool.firstLoss());
        vm.prank(parameters);
        book.setPool(pool, true);
        token.mint(address(this), 10_000 ether);
        token.mint(address(thief), 1000 ether);
        token.approve(address(pool), type(uint256).max);
        token.approve(address(junior), type(uint256).max);
        pool.open(1 ether);
        junior.deposit(1000 ether, address(this));
        thief.act(address(token), abi.encodeCall(token.approve, (address(pool), type(uint256).max)));
        thief.act(address(token), abi.encodeCall(token.approve, (address(junior), type(uint256).max)));
        _pass(1);
    }

    function _listen() private {
        token.onTransfer(address(thief), abi.encodeCall(thief.again, ()));
    }

    function _assertHeld() private view {
        vm.assertEq(token.balanceOf(address(pool)), pool.cash(), "cash");
        uint256 lent = pool.lendable() + pool.outstanding();
        vm.assertEq(lent, senior.worth() + junior.worth() + pool.surplus(), "claims");
    }

    function test_APaymentIsTakenBackOnce() external {
        _offer(LOAN, PRINCIPAL, borrower);
        thief.act(address(book), abi.encodeCall(book.payIn, (LOAN, 10 ether)));
        book.payIn(LOAN, 10 ether);
        _listen();
        thief.act(address(book), abi.encodeCall(book.takeBack, (LOAN, 10 ether)));
        vm.assertEq(thief.tries(), 1, "it was tried");
        vm.assertEq(thief.successes(), 0, "and refused");
        vm.assertEq(token.balanceOf(address(thief)), 1000 ether, "its own, once");
        _assertHeld();
    }

    function test_AClaimIsFetchedOnce() external {
        thief.act(address(junior), abi.encodeCall(junior.deposit, (10 ether, address(thief))));
        uint256 shares = junior.balanceOf(address(thief));
        thief.act(address(junior), abi.encodeCall(junior.requestRedeem, (shares, address(thief), address(thief))));
        _closeEpoch();
        _listen();
        thief.act(address(junior), abi.encodeCall(junior.withdraw, (10 ether, address(thief), address(thief))));
        vm.assertEq(thief.tries(), 1, "it was tried");
        vm.assertEq(thief.successes(), 0, "and refused");
        vm.assertEq(token.balanceOf(address(thief)), 1000 ether, "its own, once");
        _assertHeld();
    }

    function test_ADepositWithinADepositPaysForItself() external {
        _listen();
        thief.act(address(junior), abi.encodeCall(junior.deposit, (10 ether, address(thief))));
        vm.assertEq(thief.successes(), 1, "it may");
        vm.assertEq(token.balanceOf(address(thief)), 980 ether, "and pays twice");
        vm.assertEq(junior.convertToAssets(junior.balanceOf(address(thief))), 20 ether, "for two deposits");
        _assertHeld();
    }

    function test_AnInstalmentWithinAnInstalmentIsTheNext() external {
        _offer(LOAN, PRINCIPAL, borrower);
        vm.prank(borrower);
        book.accept(LOAN, KEY_FACTS, "en");
        vm.startPrank(treasurer);
        book.fund(LOAN, 2);
        book.disburse(LOAN, 3);
        vm.stopPrank();
        _listen();
        ILoanBook.Instalment memory first = _instalments(PRINCIPAL)[0];
        bytes32[] memory proof = new bytes32[](1);
        (, proof[0]) = _leaves(PRINCIPAL);
        thief.act(address(book), abi.encodeCall(book.repayInstalment, (LOAN, first, proof)));
        vm.assertEq(thief.tries(), 1, "it was tried");
        vm.assertEq(thief.successes(), 0, "an instalment is paid once");
        vm.assertEq(book.loanOf(LOAN).outstanding, PRINCIPAL / 2, "half is owed");
        _assertHeld();
    }
}
