// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {LoanSuite} from "./LoanSuite.sol";
import {IAccessManaged} from "@openzeppelin/access/manager/IAccessManaged.sol";
import {Escrow} from "src/microloans/Escrow.sol";
import {ILenderPool, Parts} from "src/microloans/ILenderPool.sol";
import {ILoanBook} from "src/microloans/ILoanBook.sol";
import {LoanState} from "src/microloans/LoanState.sol";
import {Gated} from "src/microloans/RoleGate.sol";

contract LoanBookTest is LoanSuite {
    uint128 constant PRINCIPAL = 100e6;

    function setUp() public {
        _openBook();
        _lend(junior, bob, 500 * USD);
        _lend(senior, alice, 500 * USD);
        _hold(servicer, 1000 * USD);
    }

    // Offer and consent

    function test_ALoanToATelephoneFromOfferToEnd() external {
        _phoneLoan(LOAN, PRINCIPAL);
        _assertState(LOAN, LoanState.Active);
        vm.assertEq(usd.balanceOf(agent), PRINCIPAL, "who paid it out is reimbursed");
        vm.startPrank(servicer);
        book.repay(LOAN, 6, Parts(40e6, 1e6, 2e4, 3e4), 1);
        book.repay(LOAN, 7, Parts(60e6, 5e5, 0, 0), 2);
        book.step(LOAN, 8, LoanState.Closed, 0);
        vm.stopPrank();
        ILoanBook.Loan memory loan = book.loanOf(LOAN);
        vm.assertEq(loan.outstanding, 0, "nothing is owed");
        vm.assertEq(loan.paid.principal, PRINCIPAL, "principal");
        vm.assertEq(loan.paid.interest, 15e5, "interest");
        vm.assertEq(loan.paid.fees, 2e4, "fees");
        vm.assertEq(loan.paid.penalties, 3e4, "penalties");
        vm.assertEq(loan.nextInstalment, 2, "instalments");
        _assertBalanced();
    }

    function test_ALoanToAWalletBySchedule() external {
        _walletLoan(LOAN, PRINCIPAL);
        vm.assertEq(usd.balanceOf(borrower), PRINCIPAL, "the borrower has it at once");
        _payNext(LOAN, PRINCIPAL, 0, borrower);
        // Anybody may pay for somebody.
        _payNext(LOAN, PRINCIPAL, 1, alice);
        ILoanBook.Loan memory loan = book.loanOf(LOAN);
        vm.assertEq(loan.outstanding, 0, "nothing is owed");
        vm.assertEq(loan.paid.interest, 75e4, "interest as scheduled");
        vm.assertEq(loan.nextInstalment, 2, "instalments");
        _assertBalanced();
    }

    function test_OnlyWhatWasAgreedIsAccepted() external {
        _offer(LOAN, PRINCIPAL, borrower);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.NotBorrower.selector, LOAN, alice));
        vm.prank(alice);
        book.accept(LOAN, KEY_FACTS, "en");
        vm.startPrank(borrower);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.WrongKeyFacts.selector, LOAN, KEY_FACTS, bytes32(uint256(1))));
        book.accept(LOAN, bytes32(uint256(1)), "en");
        _pass(3 days + 1);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.OfferEnded.selector, LOAN, START + 2 + 3 days));
        book.accept(LOAN, KEY_FACTS, "en");
        vm.stopPrank();
    }

    function test_WhoHasAWalletSpeaksForThemselves() external {
        _offer(LOAN, PRINCIPAL, borrower);
        vm.startPrank(gateway);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.NotBorrower.selector, LOAN, gateway));
        book.recordAcceptance(LOAN, 2, KEY_FACTS, "en", 1, 0);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.NotBorrower.selector, LOAN, gateway));
        book.recordConsent(LOAN, 2, KEY_FACTS, 1, 0);
        vm.stopPrank();
        _offer(keccak256("other"), PRINCIPAL, address(0));
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.NotBorrower.selector, keccak256("other"), address(0)));
        vm.prank(address(0));
        book.accept(keccak256("other"), KEY_FACTS, "en");
    }

    function test_AnOfferIsDeclinedOrExpires() external {
        _offer(LOAN, PRINCIPAL, borrower);
        vm.prank(servicer);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.OfferStands.selector, LOAN, START + 2 + 3 days));
        book.step(LOAN, 2, LoanState.OfferExpired, 0);
        vm.prank(borrower);
        book.decline(LOAN);
        _assertState(LOAN, LoanState.Declined);
        bytes32 other = keccak256("other");
        _offer(other, PRINCIPAL, address(0));
        _pass(3 days + 1);
        vm.prank(servicer);
        book.step(other, 2, LoanState.OfferExpired, 0);
        _assertState(other, LoanState.OfferExpired);
    }

    function test_OffersNeedTerms() external {
        ILoanBook.Terms memory good = _terms(PRINCIPAL, borrower);
        ILoanBook.Terms[9] memory bad;
        for (uint256 i = 0; i < 9; i++) {
            bad[i] = _terms(PRINCIPAL, borrower);
        }
        bad[0].borrower = 0;
        bad[1].schedule = 0;
        bad[2].keyFacts = 0;
        bad[3].principal = 0;
        bad[4].principal = 1;
        bad[5].currency = "KES";
        bad[6].offerUntil = uint64(clock() - 1);
        bad[7].payee = alice;
        (bad[8].payee, bad[8].account) = (address(0), address(0));
        vm.startPrank(originator);
        for (uint256 i = 0; i < 9; i++) {
            vm.expectRevert(ILoanBook.InvalidTerms.selector);
            book.offer(LOAN, 1, bad[i]);
        }
        good.pool = ILenderPool(address(1));
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.UnknownPool.selector, address(1)));
        book.offer(LOAN, 1, good);
        vm.stopPrank();
    }

    // Numbers

    function test_ToldAgainNothingHappens() external {
        _phoneLoan(LOAN, PRINCIPAL);
        ILoanBook.Terms memory terms = _terms(PRINCIPAL, address(0));
        vm.startPrank(servicer);
        book.repay(LOAN, 6, Parts(40e6, 1e6, 0, 0), 1);
        uint256 before = usd.balanceOf(servicer);
        book.repay(LOAN, 6, Parts(40e6, 1e6, 0, 0), 1);
        vm.assertEq(usd.balanceOf(servicer), before, "paid once");
        vm.assertEq(book.loanOf(LOAN).outstanding, 60e6, "booked once");
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.Contradiction.selector, LOAN, uint64(6)));
        book.repay(LOAN, 6, Parts(41e6, 1e6, 0, 0), 1);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.SequenceGap.selector, LOAN, uint64(6), uint64(8)));
        book.repay(LOAN, 8, Parts(1e6, 0, 0, 0), 1);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.SequenceGap.selector, LOAN, uint64(6), uint64(0)));
        book.repay(LOAN, 0, Parts(1e6, 0, 0, 0), 1);
        vm.stopPrank();
        vm.warp(START + 2);
        vm.prank(originator);
        book.offer(LOAN, 1, terms);
        _assertState(LOAN, LoanState.Active);
        vm.startPrank(treasurer);
        book.fund(LOAN, 3);
        book.disburse(LOAN, 4);
        book.confirm(LOAN, 5, keccak256("receipt"));
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.Contradiction.selector, LOAN, uint64(5)));
        book.confirm(LOAN, 5, keccak256("another receipt"));
        vm.stopPrank();
        vm.prank(gateway);
        book.recordAcceptance(LOAN, 2, KEY_FACTS, "sw", 1, keccak256("evidence"));
        vm.assertEq(book.loanOf(LOAN).sequence, 6, "the last number");
        vm.assertEq(usd.balanceOf(agent), PRINCIPAL, "paid out once");
        vm.assertEq(
            book.factOf(LOAN, 6),
            keccak256(abi.encodeCall(book.repay, (LOAN, 6, Parts(40e6, 1e6, 0, 0), 1))),
            "whoever has the journal can compare"
        );
    }

    // Payout

    function test_AnUnknownPayoutIsNotAFailedOne() external {
        _offer(LOAN, PRINCIPAL, address(0));
        vm.prank(gateway);
        book.recordAcceptance(LOAN, 2, KEY_FACTS, "sw", 1, 0);
        vm.startPrank(treasurer);
        book.fund(LOAN, 3);
        book.disburse(LOAN, 4);
        vm.stopPrank();
        vm.assertEq(usd.balanceOf(address(escrow)), PRINCIPAL, "it waits");
        vm.startPrank(servicer);
        book.step(LOAN, 5, LoanState.DisbursementUnknown, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILoanBook.IllegalStep.selector, LOAN, LoanState.DisbursementUnknown, LoanState.DisbursementFailed
            )
        );
        book.step(LOAN, 6, LoanState.DisbursementFailed, 0);
        book.step(LOAN, 6, LoanState.Disbursing, "status query");
        book.step(LOAN, 7, LoanState.DisbursementFailed, 0);
        book.step(LOAN, 8, LoanState.Funded, 0);
        vm.stopPrank();
        vm.startPrank(treasurer);
        book.disburse(LOAN, 9);
        book.confirm(LOAN, 10, 0);
        vm.stopPrank();
        vm.assertEq(usd.balanceOf(agent), PRINCIPAL, "once");
        _assertBalanced();
    }

    function test_MoneyThatNobodyPaysOutGoesBack() external {
        _offer(LOAN, PRINCIPAL, address(0));
        vm.prank(gateway);
        book.recordAcceptance(LOAN, 2, KEY_FACTS, "sw", 1, 0);
        vm.startPrank(treasurer);
        book.fund(LOAN, 3);
        book.disburse(LOAN, 4);
        vm.stopPrank();
        vm.expectRevert(
            abi.encodeWithSelector(
                ILoanBook.IllegalStep.selector, LOAN, LoanState.Disbursing, LoanState.CoolingOffCancelled
            )
        );
        book.lapse(LOAN);
        vm.prank(servicer);
        book.step(LOAN, 5, LoanState.DisbursementFailed, 0);
        uint256 at = book.loanOf(LOAN).fundedAt + book.LAPSE_AFTER();
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.NotLapsed.selector, LOAN, at));
        book.lapse(LOAN);
        vm.warp(at);
        book.lapse(LOAN);
        _assertState(LOAN, LoanState.CoolingOffCancelled);
        vm.assertEq(usd.balanceOf(address(escrow)), 0, "nothing is left");
        vm.assertEq(pool.outstanding(), 0, "nothing is owed");
        _assertBalanced();
    }

    function test_AHeldLoanIsNotPaidOut() external {
        _offer(LOAN, PRINCIPAL, borrower);
        vm.prank(borrower);
        book.accept(LOAN, KEY_FACTS, "en");
        vm.prank(servicer);
        book.setHold(LOAN, 2, true, "fraud");
        vm.prank(treasurer);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.Held.selector, LOAN));
        book.fund(LOAN, 3);
        vm.prank(servicer);
        book.setHold(LOAN, 3, false, 0);
        vm.prank(treasurer);
        book.fund(LOAN, 4);
        vm.prank(servicer);
        book.setHold(LOAN, 5, true, "dispute");
        vm.prank(treasurer);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.Held.selector, LOAN));
        book.disburse(LOAN, 6);
    }

    function test_AnAgentStruckOffTheListGetsNothing() external {
        _offer(LOAN, PRINCIPAL, address(0));
        vm.prank(gateway);
        book.recordAcceptance(LOAN, 2, KEY_FACTS, "sw", 1, 0);
        vm.startPrank(treasurer);
        book.fund(LOAN, 3);
        book.disburse(LOAN, 4);
        vm.stopPrank();
        vm.prank(parameters);
        escrow.setAgent(agent, false);
        vm.prank(treasurer);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotAgent.selector, agent));
        book.confirm(LOAN, 5, 0);
    }

    function test_TheEscrowListensToTheBookAlone() external {
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotBook.selector, address(this)));
        escrow.pay(LOAN, usd, 1, alice, false);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotBook.selector, address(this)));
        escrow.giveBack(LOAN, usd, 1, alice);
    }

    function test_ALoanAtAHaltedRateWaits() external {
        ILoanBook.Terms memory terms = _terms(PRINCIPAL, borrower);
        terms.pair = keccak256("no such pair");
        vm.prank(originator);
        book.offer(LOAN, 1, terms);
        vm.prank(borrower);
        book.accept(LOAN, KEY_FACTS, "en");
        vm.prank(treasurer);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.RateHalted.selector, terms.pair));
        book.fund(LOAN, 2);
    }

    // Repayment

    function test_OnlyTheNextInstalmentOfTheScheduleIsPaid() external {
        _walletLoan(LOAN, PRINCIPAL);
        ILoanBook.Instalment memory second = _instalments(PRINCIPAL)[1];
        bytes32[] memory proof = new bytes32[](1);
        (proof[0],) = _leaves(PRINCIPAL);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.NotScheduled.selector, LOAN, uint16(1)));
        book.repayInstalment(LOAN, second, proof);
        ILoanBook.Instalment memory first = _instalments(PRINCIPAL)[0];
        first.interest -= 1;
        (, proof[0]) = _leaves(PRINCIPAL);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.NotScheduled.selector, LOAN, uint16(0)));
        book.repayInstalment(LOAN, first, proof);
        _payNext(LOAN, PRINCIPAL, 0, borrower);
        first.interest += 1;
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.NotScheduled.selector, LOAN, uint16(0)));
        book.repayInstalment(LOAN, first, proof);
    }

    function test_MoneyWithoutAnAllocationWaitsAndBelongsToThePayer() external {
        _phoneLoan(LOAN, PRINCIPAL);
        _hold(alice, 50 * USD);
        vm.startPrank(alice);
        vm.expectRevert(ILoanBook.NothingGiven.selector);
        book.payIn(LOAN, 0);
        book.payIn(LOAN, 50e6);
        vm.stopPrank();
        vm.startPrank(servicer);
        vm.expectRevert(
            abi.encodeWithSelector(ILoanBook.InsufficientSuspense.selector, LOAN, bob, uint256(0), uint256(1e6))
        );
        book.allocate(LOAN, 6, bob, Parts(1e6, 0, 0, 0), 0);
        book.allocate(LOAN, 6, alice, Parts(20e6, 1e6, 1e4, 1e4), 0);
        book.refund(LOAN, 7, alice, 1e6);
        vm.stopPrank();
        _assertBalanced();
        vm.startPrank(alice);
        vm.expectRevert(ILoanBook.NothingGiven.selector);
        book.takeBack(LOAN, 0);
        book.takeBack(LOAN, 27_980_000);
        vm.expectRevert(
            abi.encodeWithSelector(ILoanBook.InsufficientSuspense.selector, LOAN, alice, uint256(0), uint256(1))
        );
        book.takeBack(LOAN, 1);
        vm.stopPrank();
        vm.assertEq(usd.balanceOf(alice), 28_980_000, "what was not allocated");
        vm.assertEq(book.loanOf(LOAN).outstanding, 80e6, "what was");
        _assertBalanced();
    }

    function test_NoMoreThanOwed() external {
        _phoneLoan(LOAN, PRINCIPAL);
        vm.startPrank(servicer);
        vm.expectRevert(
            abi.encodeWithSelector(ILoanBook.MoreThanOwed.selector, LOAN, uint256(PRINCIPAL), uint256(PRINCIPAL) + 1)
        );
        book.repay(LOAN, 6, Parts(PRINCIPAL + 1, 0, 0, 0), 2);
        vm.expectRevert(ILoanBook.NothingGiven.selector);
        book.repay(LOAN, 6, Parts(0, 0, 0, 0), 0);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.StillOwed.selector, LOAN, uint256(PRINCIPAL)));
        book.step(LOAN, 6, LoanState.Closed, 0);
        book.repay(LOAN, 6, Parts(PRINCIPAL, 0, 0, 0), 2);
        book.step(LOAN, 7, LoanState.Overpaid, 0);
        book.step(LOAN, 8, LoanState.RefundPending, 0);
        book.step(LOAN, 9, LoanState.Closed, 0);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.NotRunning.selector, LOAN, LoanState.Closed));
        book.repay(LOAN, 10, Parts(0, 1, 0, 0), 2);
        vm.stopPrank();
    }

    function test_GivenBackWithinTheDaysForThat() external {
        _phoneLoan(LOAN, PRINCIPAL);
        vm.prank(servicer);
        book.cancel(LOAN, 6, 5e4);
        _assertState(LOAN, LoanState.CoolingOffCancelled);
        vm.assertEq(pool.outstanding(), 0, "all of it");
        vm.assertEq(pool.earned(), 5e4, "and what accrued");
        _assertBalanced();
    }

    function test_OtherTermsNeedConsent() external {
        _walletLoan(LOAN, PRINCIPAL);
        bytes32 facts = keccak256("other facts");
        vm.startPrank(credit);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.WrongKeyFacts.selector, LOAN, bytes32(0), bytes32(0)));
        book.restructure(LOAN, 4, keccak256("schedule"), 0);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.WrongKeyFacts.selector, LOAN, bytes32(0), facts));
        book.restructure(LOAN, 4, keccak256("schedule"), facts);
        vm.stopPrank();
        vm.prank(borrower);
        book.consent(LOAN, facts);
        vm.prank(credit);
        book.restructure(LOAN, 4, keccak256("schedule"), facts);
        _assertState(LOAN, LoanState.Restructured);
        vm.prank(servicer);
        book.repay(LOAN, 5, Parts(PRINCIPAL, 0, 0, 0), 1);
        vm.prank(servicer);
        book.step(LOAN, 6, LoanState.Closed, 0);
        bytes32 other = keccak256("other");
        _phoneLoan(other, PRINCIPAL);
        vm.prank(gateway);
        book.recordConsent(other, 6, facts, 2, keccak256("evidence"));
        vm.prank(credit);
        book.restructure(other, 7, keccak256("schedule"), facts);
        vm.assertEq(book.loanOf(other).terms.keyFacts, facts, "the new facts");
    }

    function test_ADonorEndsALoan() external {
        _phoneLoan(LOAN, PRINCIPAL);
        _hold(credit, PRINCIPAL);
        vm.prank(credit);
        book.forgive(LOAN, 6);
        _assertState(LOAN, LoanState.Forgiven);
        vm.assertEq(pool.outstanding(), 0, "paid");
        _assertBalanced();
    }

    function test_WhatComesInAfterwardsIsBounded() external {
        _phoneLoan(LOAN, PRINCIPAL);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.NotRunning.selector, LOAN, LoanState.Active));
        book.recover(LOAN, 1);
        _chargeOff(LOAN);
        _hold(alice, PRINCIPAL);
        vm.startPrank(alice);
        vm.expectRevert(ILoanBook.NothingGiven.selector);
        book.recover(LOAN, 0);
        book.recover(LOAN, 60e6);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.MoreThanOwed.selector, LOAN, uint256(40e6), uint256(40e6 + 1)));
        book.recover(LOAN, 40e6 + 1);
        book.recover(LOAN, 40e6);
        vm.stopPrank();
        vm.prank(servicer);
        book.step(LOAN, 7, LoanState.WrittenOffClosed, 0);
        _assertBalanced();
    }

    // Steps

    /// @dev What no table has, no function does: from every state, every step.
    function test_StepsAreThoseOfTheTable() external {
        uint256 count = uint256(type(LoanState).max) + 1;
        uint256 steps = 0;
        for (uint256 from = 0; from < count; from++) {
            for (uint256 to = 0; to < count; to++) {
                if (book.allows(LoanState(from), LoanState(to))) steps += 1;
            }
            assertFalse(book.allows(LoanState(from), LoanState(from)), "a step leads somewhere else");
            assertFalse(book.allows(LoanState(from), LoanState.None), "nothing is forgotten");
        }
        vm.assertEq(steps, 30, "steps");
    }

    function testFuzz_AStepOutsideTheTableIsRefused(uint256 seed, uint8 to) external {
        LoanState wanted = LoanState(bound(to, 0, uint256(type(LoanState).max)));
        LoanState from = _somewhere(seed);
        uint64 next = book.loanOf(LOAN).sequence + 1;
        vm.prank(servicer);
        try book.step(LOAN, next, wanted, 0) {
            assertTrue(book.allows(from, wanted), "not in the table");
            _assertState(LOAN, wanted);
            assertTrue(
                wanted != LoanState.Active && wanted != LoanState.Accepted, "consent and money have their own ways"
            );
        } catch {
            _assertState(LOAN, from);
        }
        _assertBalanced();
    }

    function _somewhere(uint256 seed) private returns (LoanState) {
        if (seed % 6 == 0) _offer(LOAN, PRINCIPAL, address(0));
        if (seed % 6 >= 1) _phoneLoan(LOAN, PRINCIPAL);
        if (seed % 6 == 2) _chargeOff(LOAN);
        vm.startPrank(servicer);
        if (seed % 6 >= 3) book.repay(LOAN, 6, Parts(PRINCIPAL, 0, 0, 0), 2);
        if (seed % 6 >= 4) book.step(LOAN, 7, LoanState.Overpaid, 0);
        if (seed % 6 == 5) book.step(LOAN, 8, LoanState.RefundPending, 0);
        vm.stopPrank();
        return book.stateOf(LOAN);
    }

    function test_NothingHappensToALoanThatIsNotThere() external {
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.UnknownLoan.selector, LOAN));
        book.payIn(LOAN, 1);
        vm.prank(treasurer);
        vm.expectRevert(abi.encodeWithSelector(ILoanBook.UnknownLoan.selector, LOAN));
        book.fund(LOAN, 1);
    }

    // Roles and the switch

    function test_EveryRoleDoesItsOwnAlone() external {
        _phoneLoan(LOAN, PRINCIPAL);
        bytes[16] memory calls = [
            abi.encodeCall(book.offer, (LOAN, 6, _terms(PRINCIPAL, borrower))),
            abi.encodeCall(book.recordAcceptance, (LOAN, 6, KEY_FACTS, "sw", 1, 0)),
            abi.encodeCall(book.recordConsent, (LOAN, 6, KEY_FACTS, 1, 0)),
            abi.encodeCall(book.fund, (LOAN, 6)),
            abi.encodeCall(book.disburse, (LOAN, 6)),
            abi.encodeCall(book.confirm, (LOAN, 6, 0)),
            abi.encodeCall(book.repay, (LOAN, 6, Parts(1, 0, 0, 0), 0)),
            abi.encodeCall(book.allocate, (LOAN, 6, alice, Parts(1, 0, 0, 0), 0)),
            abi.encodeCall(book.refund, (LOAN, 6, alice, 1)),
            abi.encodeCall(book.step, (LOAN, 6, LoanState.Closed, 0)),
            abi.encodeCall(book.cancel, (LOAN, 6, 0)),
            abi.encodeCall(book.setHold, (LOAN, 6, true, 0)),
            abi.encodeCall(book.restructure, (LOAN, 6, 0, 0)),
            abi.encodeCall(book.chargeOff, (LOAN, 6, 0)),
            abi.encodeCall(book.forgive, (LOAN, 6)),
            abi.encodeCall(book.setPool, (pool, false))
        ];
        for (uint256 i = 0; i < calls.length; i++) {
            vm.prank(alice);
            (bool done, bytes memory reason) = address(book).call(calls[i]);
            assertFalse(done, "a stranger's call");
            vm.assertEq(
                keccak256(reason),
                keccak256(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, alice)),
                "for want of a role"
            );
        }
    }

    function test_TheSwitchStopsWhatIsNew() external {
        _offer(LOAN, PRINCIPAL, borrower);
        ILoanBook.Terms memory terms = _terms(PRINCIPAL, borrower);
        gate.grantRole(gate.GUARDIAN(), guardian, 0);
        vm.prank(guardian);
        gate.setPaused(true);
        vm.prank(originator);
        vm.expectRevert(Gated.Paused.selector);
        book.offer(keccak256("other"), 1, terms);
        vm.prank(borrower);
        vm.expectRevert(Gated.Paused.selector);
        book.accept(LOAN, KEY_FACTS, "en");
        vm.startPrank(treasurer);
        vm.expectRevert(Gated.Paused.selector);
        book.fund(LOAN, 2);
        vm.expectRevert(Gated.Paused.selector);
        book.disburse(LOAN, 2);
        vm.stopPrank();
        vm.prank(gateway);
        vm.expectRevert(Gated.Paused.selector);
        book.recordAcceptance(LOAN, 2, KEY_FACTS, "sw", 1, 0);
    }
}
