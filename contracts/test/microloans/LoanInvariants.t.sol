// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {LoanSuite} from "./LoanSuite.sol";
import {Parts} from "src/microloans/ILenderPool.sol";
import {ILoanBook} from "src/microloans/ILoanBook.sol";
import {LoanState} from "src/microloans/LoanState.sol";
import {Tranche} from "src/microloans/Tranche.sol";

/// @dev Lenders, borrowers, payers and an operator at random, with the switch thrown at random too.
contract LoanHandler is LoanSuite {
    uint256 constant LENDERS = 3;

    bytes32[] private loans;
    uint256 private now_ = START;
    uint256 private paused;
    /// @dev What every loan's payments sum to, kept here beside the book.
    mapping(bytes32 loan => uint256) public paidIn;
    uint256 public redeemed;
    uint256 public losses;
    uint256 public repayments;

    constructor() {
        _openBook();
        gate.grantRole(gate.GUARDIAN(), guardian, 0);
        _contribute(100 * USD);
        _lend(junior, _lender(0), 400 * USD);
        _lend(senior, _lender(1), 800 * USD);
        _hold(servicer, 1e12 * USD);
        _hold(credit, 1e12 * USD);
        now_ = clock();
    }

    modifier atTime() {
        vm.warp(now_);
        _;
        now_ = clock();
    }

    function _lender(uint256 seed) private pure returns (address) {
        return address(uint160(1000 + seed % LENDERS));
    }

    function _tranche(uint256 seed) private view returns (Tranche) {
        return seed % 2 == 0 ? senior : junior;
    }

    function pass(uint256 elapsed) external atTime {
        _pass(bound(elapsed, 1, 10 days));
    }

    function throwSwitch() external atTime {
        paused = 1 - paused;
        vm.prank(guardian);
        gate.setPaused(paused == 1);
    }

    function deposit(uint256 who, uint256 which, uint256 amount) external atTime {
        Tranche tranche = _tranche(which);
        _pass(1);
        pool.accrue();
        uint256 most = tranche.maxDeposit(address(0));
        if (most < 1000 || paused == 1) return;
        _lend(tranche, _lender(who), bound(amount, 1000, most < 500 * USD ? most : 500 * USD));
    }

    function request(uint256 who, uint256 which, uint256 shares) external atTime {
        (Tranche tranche, address lender) = (_tranche(which), _lender(who));
        uint256 held = tranche.balanceOf(lender);
        if (held != 0) _ask(tranche, lender, bound(shares, 1, held));
    }

    function closeEpoch() external atTime {
        if (clock() < pool.epochUntil()) vm.warp(pool.epochUntil());
        pool.closeEpoch();
    }

    function fetch(uint256 who, uint256 which, uint256 amount) external atTime {
        (Tranche tranche, address lender) = (_tranche(which), _lender(who));
        uint256 most = tranche.maxWithdraw(lender);
        if (most == 0) return tranche.settle(lender);
        vm.prank(lender);
        tranche.withdraw(bound(amount, 1, most), lender, lender);
        redeemed += 1;
    }

    function lend(uint256 amount) external atTime {
        uint256 most = pool.lendable() / CENT;
        if (most < 2 || paused == 1) return;
        bytes32 loan = keccak256(abi.encode("loan", loans.length));
        loans.push(loan);
        _phoneLoan(loan, uint128(bound(amount, 2, most < 30_000 ? most : 30_000) * CENT));
    }

    function repay(uint256 which, uint256 principal, uint256 interest, uint256 fees) external atTime {
        (bytes32 loan, bool isRunning) = _running(which);
        if (!isRunning) return;
        Parts memory parts = Parts(
            uint128(bound(principal, 0, book.loanOf(loan).outstanding)),
            uint128(bound(interest, 1, 10 * USD)),
            uint128(bound(fees, 0, USD)),
            0
        );
        uint64 next = book.loanOf(loan).sequence + 1;
        vm.prank(servicer);
        book.repay(loan, next, parts, 0);
        paidIn[loan] += parts.principal;
        repayments += 1;
    }

    function payIn(uint256 which, uint256 who, uint256 amount) external atTime {
        if (loans.length == 0) return;
        amount = bound(amount, 1, 10 * USD);
        _hold(_lender(who), amount);
        vm.prank(_lender(who));
        book.payIn(loans[which % loans.length], amount);
    }

    function takeBack(uint256 which, uint256 who, uint256 amount) external atTime {
        if (loans.length == 0) return;
        bytes32 loan = loans[which % loans.length];
        uint256 held = book.suspenseOf(loan, _lender(who));
        if (held == 0) return;
        vm.prank(_lender(who));
        book.takeBack(loan, bound(amount, 1, held));
    }

    function allocate(uint256 which, uint256 who, uint256 amount) external atTime {
        (bytes32 loan, bool isRunning) = _running(which);
        uint256 held = book.suspenseOf(loan, _lender(who));
        if (!isRunning || held == 0) return;
        uint256 owed = book.loanOf(loan).outstanding;
        uint128 principal = uint128(bound(amount, 0, held < owed ? held : owed));
        uint64 next = book.loanOf(loan).sequence + 1;
        vm.prank(servicer);
        book.allocate(loan, next, _lender(who), Parts(principal, uint128(held - principal), 0, 0), 0);
        paidIn[loan] += principal;
    }

    function chargeOff(uint256 which) external atTime {
        (bytes32 loan, bool isRunning) = _running(which);
        if (!isRunning) return;
        // What was earned and recovered before is shared out first: a recovery may restore more first-loss capital than this loss takes.
        _pass(1);
        pool.accrue();
        (uint256 capital, uint256 ofJunior, uint256 ofSenior) = (firstLoss.capital(), junior.worth(), senior.worth());
        _chargeOff(loan);
        losses += 1;
        if (senior.worth() < ofSenior) vm.assertEq(junior.worth(), 0, "I10: senior loses after junior");
        if (junior.worth() < ofJunior) vm.assertEq(firstLoss.capital(), 0, "I10: junior after first loss");
        assertTrue(firstLoss.capital() <= capital, "first loss bears");
    }

    function recover(uint256 which, uint256 amount) external atTime {
        if (loans.length == 0) return;
        bytes32 loan = loans[which % loans.length];
        ILoanBook.Loan memory told = book.loanOf(loan);
        uint256 most = told.writtenOff - told.recovered;
        if (most == 0) return;
        _hold(borrower, most);
        vm.prank(borrower);
        book.recover(loan, uint128(bound(amount, 1, most)));
    }

    function _running(uint256 which) private view returns (bytes32 loan, bool isRunning) {
        if (loans.length == 0) return (0, false);
        loan = loans[which % loans.length];
        LoanState state = book.stateOf(loan);
        isRunning = state == LoanState.Active;
    }

    // What has to hold

    function checkBooks() external view {
        _assertBalanced();
        (uint256 outstanding, uint256 suspense) = (0, 0);
        for (uint256 i = 0; i < loans.length; i++) {
            ILoanBook.Loan memory loan = book.loanOf(loans[i]);
            outstanding += loan.outstanding;
            // I3, of principal.
            vm.assertEq(
                loan.paid.principal + loan.outstanding + loan.writtenOff,
                loan.terms.principal,
                "I3: all is accounted for"
            );
            vm.assertEq(loan.paid.principal, paidIn[loans[i]], "what was paid");
            for (uint256 j = 0; j < LENDERS; j++) {
                suspense += book.suspenseOf(loans[i], _lender(j));
            }
        }
        vm.assertEq(pool.outstanding(), outstanding, "I4: what is lent is the sum of loans");
        vm.assertEq(pool.suspended() - pool.suspendedSettled(), suspense, "I4: suspense is the sum of payers'");
    }

    function checkClaims() external view {
        Tranche[2] memory tranches = [senior, junior];
        uint256 claimable = 0;
        for (uint256 i = 0; i < 2; i++) {
            uint256 held = 0;
            for (uint256 j = 0; j < LENDERS; j++) {
                claimable += tranches[i].maxWithdraw(_lender(j));
                held += tranches[i].balanceOf(_lender(j));
            }
            uint256 promised = tranches[i].index() * (tranches[i].totalSupply()) / 1e27;
            assertTrue(promised <= tranches[i].worth() + 1, "shares promise no more than there is");
            vm.assertEq(held + tranches[i].balanceOf(address(tranches[i])), tranches[i].totalSupply(), "shares");
        }
        // Roundings of an epoch stay until its last lender has settled.
        assertTrue(claimable <= pool.owed(), "who has left is paid");
        assertTrue(pool.owed() - claimable <= LENDERS * 2 * (pool.epoch() + 1), "I5: but for a unit each");
    }

    /// @dev I15: at any moment, thrown switch or not, somebody can pay in and take back, a lender can fetch, a borrower can repay.
    function checkNobodyIsLockedOut() external {
        vm.warp(now_);
        for (uint256 i = 0; i < LENDERS; i++) {
            address lender = _lender(i);
            uint256 most = senior.maxWithdraw(lender);
            if (most == 0) continue;
            uint256 before = usd.balanceOf(lender);
            vm.prank(lender);
            senior.withdraw(most, lender, lender);
            vm.assertEq(usd.balanceOf(lender), before + most, "I15: fetched");
        }
        if (loans.length == 0) return;
        bytes32 loan = loans[loans.length - 1];
        _hold(borrower, 1);
        uint256 held = usd.balanceOf(borrower);
        vm.startPrank(borrower);
        book.payIn(loan, 1);
        vm.assertEq(usd.balanceOf(borrower), held - 1, "I15: paid in");
        book.takeBack(loan, 1);
        vm.stopPrank();
        vm.assertEq(usd.balanceOf(borrower), held, "I15: taken back");
    }
}

contract LoanInvariants is Suite {
    LoanHandler handler;

    function setUp() public {
        handler = new LoanHandler();
        target(address(handler));
        bytes4[] memory selectors = new bytes4[](13);
        selectors[0] = handler.pass.selector;
        selectors[1] = handler.throwSwitch.selector;
        selectors[2] = handler.deposit.selector;
        selectors[3] = handler.request.selector;
        selectors[4] = handler.closeEpoch.selector;
        selectors[5] = handler.fetch.selector;
        selectors[6] = handler.lend.selector;
        selectors[7] = handler.repay.selector;
        selectors[8] = handler.payIn.selector;
        selectors[9] = handler.takeBack.selector;
        selectors[10] = handler.allocate.selector;
        selectors[11] = handler.chargeOff.selector;
        selectors[12] = handler.recover.selector;
        chosen.push(FuzzSelector(address(handler), selectors));
    }

    FuzzSelector[] private chosen;

    function targetSelectors() external view returns (FuzzSelector[] memory) {
        return chosen;
    }

    function invariant_BooksBalance() external view {
        handler.checkBooks();
    }

    function invariant_ClaimsAreBacked() external view {
        handler.checkClaims();
    }

    function invariant_NobodyIsLockedOut() external {
        handler.checkNobodyIsLockedOut();
    }
}
