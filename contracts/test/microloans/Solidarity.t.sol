// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {LoanSuite} from "./LoanSuite.sol";
import {IAccessManaged} from "@openzeppelin/access/manager/IAccessManaged.sol";
import {Circle} from "src/microloans/Circle.sol";
import {DonationFund} from "src/microloans/DonationFund.sol";
import {LoanState} from "src/microloans/LoanState.sol";
import {Vouch} from "src/microloans/Vouch.sol";

/// @dev Four members who pay ten dollars a week.
contract CircleTest is Suite {
    uint256 constant USD = 1e6;
    uint128 constant CONTRIBUTION = 10e6;

    FreeToken usd = new FreeToken("USD");
    Circle circles = new Circle();
    address[] members;
    bytes32 circle;
    uint256 clock = 1_000_000;

    function setUp() public {
        vm.warp(clock);
        for (uint256 i = 0; i < 4; i++) {
            members.push(account(string(abi.encodePacked("member ", bytes1(uint8(65 + i))))));
            usd.mint(members[i], 1000 * USD);
            vm.prank(members[i]);
            usd.approve(address(circles), type(uint256).max);
        }
        circle = circles.open(usd, CONTRIBUTION, 2, 7 days, members, "salt");
    }

    function _join() private {
        for (uint256 i = 0; i < 4; i++) {
            vm.prank(members[i]);
            circles.join(circle);
        }
    }

    function _pay(uint256 who) private {
        vm.prank(members[who]);
        circles.contribute(circle, members[who]);
    }

    function _endRound() private {
        clock += 7 days;
        vm.warp(clock);
        circles.endRound(circle);
        _assertHeld();
    }

    /// @dev Every token here is somebody's.
    function _assertHeld() private view {
        (,,,, uint32 round,) = circles.termsOf(circle);
        uint256 held = round < 4 ? circles.paidIn(circle, round) * CONTRIBUTION : 0;
        for (uint256 i = 0; i < 4; i++) {
            held += circles.pledgeOf(circle, members[i]) + circles.dueTo(circle, members[i]);
        }
        vm.assertEq(usd.balanceOf(address(circles)), held, "held");
    }

    function test_EverybodyGetsThePotOnce() external {
        _join();
        for (uint256 round = 0; round < 4; round++) {
            for (uint256 i = 0; i < 4; i++) {
                _pay(i);
            }
            // All have paid: nobody waits for the day.
            circles.endRound(circle);
            vm.assertEq(circles.fetch(circle, members[round]), (round == 3 ? 60 : 40) * USD, "the pot");
        }
        for (uint256 i = 0; i < 3; i++) {
            circles.fetch(circle, members[i]);
        }
        for (uint256 i = 0; i < 4; i++) {
            vm.assertEq(usd.balanceOf(members[i]), 1000 * USD, "what was paid came back");
        }
        vm.expectRevert(abi.encodeWithSelector(Circle.Over.selector, circle));
        circles.endRound(circle);
        vm.expectRevert(abi.encodeWithSelector(Circle.NothingDue.selector, circle, members[0]));
        circles.fetch(circle, members[0]);
        _assertHeld();
    }

    /// @dev The first has the pot and never pays again: the pledge pays two rounds, the others the last.
    function test_WhoDoesNotPayPaysByPledgeAndThenOwes() external {
        _join();
        for (uint256 round = 0; round < 4; round++) {
            for (uint256 i = round == 0 ? 0 : 1; i < 4; i++) {
                _pay(i);
            }
            _endRound();
            if (round == 0) circles.fetch(circle, members[0]);
        }
        vm.assertEq(circles.dueTo(circle, members[3]), 60 * USD, "nobody's pot is smaller");
        vm.assertEq(circles.owedBy(circle, members[0]), 10 * USD, "what the others' pledges paid");
        vm.assertEq(circles.owedTo(circle, members[1], members[0]), 10 * USD, "to whom it is owed");
        vm.startPrank(members[0]);
        vm.expectRevert(abi.encodeWithSelector(Circle.MoreThanOwed.selector, circle, 10 * USD, 11 * USD));
        circles.payDebt(circle, members[1], 11 * USD);
        circles.payDebt(circle, members[1], 10 * USD);
        vm.stopPrank();
        vm.assertEq(circles.owedBy(circle, members[0]), 0, "paid");
        _assertHeld();
    }

    function testFuzz_NothingIsLostWhoeverPays(uint256 seed) external {
        _join();
        for (uint256 round = 0; round < 4; round++) {
            for (uint256 i = 0; i < 4; i++) {
                if (uint256(keccak256(abi.encode(seed, round, i))) % 3 != 0) _pay(i);
            }
            _endRound();
        }
        for (uint256 i = 0; i < 4; i++) {
            if (circles.dueTo(circle, members[i]) != 0) circles.fetch(circle, members[i]);
        }
        vm.assertEq(usd.balanceOf(address(circles)), 0, "all of it is somebody's");
    }

    function test_CirclesBeginWhenAllAreThere() external {
        vm.startPrank(members[0]);
        circles.join(circle);
        vm.expectRevert(abi.encodeWithSelector(Circle.AlreadyJoined.selector, circle, members[0]));
        circles.join(circle);
        vm.expectRevert(abi.encodeWithSelector(Circle.NotComplete.selector, circle, uint256(1)));
        circles.contribute(circle, members[0]);
        circles.leave(circle);
        vm.assertEq(usd.balanceOf(members[0]), 1000 * USD, "with the pledge");
        vm.expectRevert(abi.encodeWithSelector(Circle.NotMember.selector, circle, members[0]));
        circles.leave(circle);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(Circle.NotMember.selector, circle, address(this)));
        circles.join(circle);
        _join();
        vm.startPrank(members[0]);
        vm.expectRevert(abi.encodeWithSelector(Circle.HasBegun.selector, circle));
        circles.leave(circle);
        circles.contribute(circle, members[0]);
        vm.expectRevert(abi.encodeWithSelector(Circle.AlreadyPaid.selector, circle, uint32(0), members[0]));
        circles.contribute(circle, members[0]);
        vm.expectRevert(abi.encodeWithSelector(Circle.NotMember.selector, circle, address(this)));
        circles.contribute(circle, address(this));
        vm.expectRevert(abi.encodeWithSelector(Circle.RoundRuns.selector, circle, clock + 7 days));
        circles.endRound(circle);
        vm.stopPrank();
    }

    function test_CirclesHaveBounds() external {
        address[] memory one = new address[](1);
        one[0] = members[0];
        address[] memory twice = new address[](2);
        (twice[0], twice[1]) = (members[0], members[0]);
        address[] memory many = new address[](21);
        vm.expectRevert(Circle.InvalidCircle.selector);
        circles.open(usd, 1, 0, 1, one, "a");
        vm.expectRevert(Circle.InvalidCircle.selector);
        circles.open(usd, 1, 0, 1, twice, "a");
        vm.expectRevert(Circle.InvalidCircle.selector);
        circles.open(usd, 1, 0, 1, many, "a");
        vm.expectRevert(Circle.InvalidCircle.selector);
        circles.open(usd, 0, 0, 1, members, "a");
        vm.expectRevert(Circle.InvalidCircle.selector);
        circles.open(usd, 1, 5, 1, members, "a");
        vm.expectRevert(Circle.InvalidCircle.selector);
        circles.open(usd, 1, 0, 0, members, "a");
        vm.expectRevert(abi.encodeWithSelector(Circle.AlreadyOpen.selector, circle));
        circles.open(usd, 1, 0, 1, members, "salt");
        vm.expectRevert(abi.encodeWithSelector(Circle.UnknownCircle.selector, bytes32("x")));
        circles.join("x");
        vm.assertEq(circles.membersOf(circle).length, 4, "members");
    }
}

contract VouchTest is LoanSuite {
    uint128 constant PRINCIPAL = 100e6;

    Vouch vouches;

    function setUp() public {
        _openBook();
        vouches = new Vouch(book);
        _lend(junior, bob, 500 * USD);
        _hold(servicer, 1000 * USD);
    }

    function _vouch(bytes32 loan, address who, uint256 amount) private {
        usd.mint(who, amount);
        vm.startPrank(who);
        usd.approve(address(vouches), amount);
        vouches.vouch(loan, amount);
        vm.stopPrank();
    }

    function _payOut(bytes32 loan) private {
        vm.prank(gateway);
        book.recordAcceptance(loan, 2, KEY_FACTS, "sw", 1, 0);
        vm.startPrank(treasurer);
        book.fund(loan, 3);
        book.disburse(loan, 4);
        book.confirm(loan, 5, 0);
        vm.stopPrank();
    }

    function test_StakesPayForALoanThatWasGivenUp() external {
        _offer(LOAN, PRINCIPAL, address(0));
        _vouch(LOAN, alice, 90e6);
        _vouch(LOAN, bob, 30e6);
        _payOut(LOAN);
        vm.expectRevert(abi.encodeWithSelector(Vouch.NotGivenUp.selector, LOAN, LoanState.Active));
        vouches.claim(LOAN);
        vm.expectRevert(abi.encodeWithSelector(Vouch.NotOver.selector, LOAN, LoanState.Active));
        vouches.giveBack(LOAN, alice);
        _chargeOff(LOAN);
        vm.assertEq(vouches.claim(LOAN), 100e6, "all that is owed");
        vm.expectRevert(abi.encodeWithSelector(Vouch.AlreadyClaimed.selector, LOAN));
        vouches.claim(LOAN);
        vm.assertEq(vouches.giveBack(LOAN, alice), 15e6, "the rest, in proportion");
        vm.assertEq(vouches.giveBack(LOAN, bob), 5e6, "the rest, in proportion");
        vm.expectRevert(Vouch.NothingGiven.selector);
        vouches.giveBack(LOAN, bob);
        vm.assertEq(vouches.limitOf(alice), 4, "who lost vouches for one less");
        _pass(1);
        pool.accrue();
        vm.assertEq(junior.worth(), 500 * USD, "lenders lost nothing");
        _assertBalanced();
    }

    function testFuzz_StakesCoverAndComeBack(uint256 a, uint256 b) external {
        (a, b) = (bound(a, 1, 200e6), bound(b, 1, 200e6));
        _offer(LOAN, PRINCIPAL, address(0));
        _vouch(LOAN, alice, a);
        _vouch(LOAN, bob, b);
        _payOut(LOAN);
        _chargeOff(LOAN);
        uint256 claimed = vouches.claim(LOAN);
        vm.assertEq(claimed, a + b < PRINCIPAL ? a + b : PRINCIPAL, "as far as they go");
        uint256 back = vouches.giveBack(LOAN, alice) + vouches.giveBack(LOAN, bob);
        assertTrue(back + claimed <= a + b && back + claimed + 1 >= a + b, "but for a unit of rounding");
    }

    function test_StakesComeBackWhenALoanEndsWell() external {
        _offer(LOAN, PRINCIPAL, address(0));
        _vouch(LOAN, alice, 50e6);
        _payOut(LOAN);
        vm.expectRevert(abi.encodeWithSelector(Vouch.TooLate.selector, LOAN, LoanState.Active));
        vm.prank(bob);
        vouches.vouch(LOAN, 1);
        this.repayAll();
        vm.assertEq(vouches.giveBack(LOAN, alice), 50e6, "all of it");
        vm.assertEq(vouches.loansOf(alice), 0, "and no loan");
        _offer("declined", PRINCIPAL, borrower);
        _vouch("declined", alice, 1e6);
        vm.prank(borrower);
        book.decline("declined");
        vm.assertEq(vouches.giveBack("declined", alice), 1e6, "nothing came of it");
    }

    function repayAll() external {
        vm.startPrank(servicer);
        book.cancel(LOAN, 6, 0);
        vm.stopPrank();
    }

    function test_RingsAreBounded() external {
        _offer(LOAN, PRINCIPAL, address(0));
        vm.expectRevert(Vouch.NothingGiven.selector);
        vouches.vouch(LOAN, 0);
        for (uint256 i = 0; i < 8; i++) {
            _vouch(LOAN, address(uint160(2000 + i)), 1e6);
        }
        // Who stands there already may add.
        _vouch(LOAN, address(2000), 1e6);
        usd.mint(alice, 1e6);
        vm.startPrank(alice);
        usd.approve(address(vouches), 1e6);
        vm.expectRevert(abi.encodeWithSelector(Vouch.TooManyVouchers.selector, LOAN));
        vouches.vouch(LOAN, 1e6);
        vm.stopPrank();
        for (uint256 i = 0; i < 5; i++) {
            _offer(bytes32(i + 1), PRINCIPAL, address(0));
            _vouch(bytes32(i + 1), alice, 1e6);
        }
        _offer("sixth", PRINCIPAL, address(0));
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(Vouch.TooManyLoans.selector, alice, uint256(5)));
        vouches.vouch("sixth", 1e6);
    }
}

contract DonationFundTest is LoanSuite {
    DonationFund fund;
    address programme = account("programme");
    address merchant = account("merchant");
    bytes32 constant PURPOSE = keccak256("women tailors, Lagos");
    bytes32 constant SECRET = "sewing machine";
    bytes32 donation;
    bytes32 lock;

    function setUp() public {
        vm.warp(START);
        fund = new DonationFund(gate);
        _role(gate.PROGRAMME(), programme, address(fund), DonationFund.issue.selector);
        _role(gate.PARAMETERS(), parameters, address(fund), DonationFund.setMerchant.selector);
        vm.prank(parameters);
        fund.setMerchant(merchant, true);
        usd.mint(alice, 100 * USD);
        vm.startPrank(alice);
        usd.approve(address(fund), 100 * USD);
        donation = fund.earmark(usd, 100 * USD, PURPOSE, uint64(START + 365 days), "1");
        vm.stopPrank();
        lock = fund.lockOf(SECRET);
    }

    function _issue(bytes32 lock_, uint256 amount) private {
        vm.prank(programme);
        fund.issue(donation, lock_, "beneficiary", merchant, amount, uint64(START + 30 days));
    }

    function _assertHeld() private view {
        (,,,, uint256 left, uint256 inVouchers,) = fund.donationOf(donation);
        vm.assertEq(usd.balanceOf(address(fund)), left + inVouchers, "held");
    }

    function test_FromPurposeToMerchant() external {
        _issue(lock, 60 * USD);
        vm.expectRevert(abi.encodeWithSelector(DonationFund.NotMerchant.selector, address(this)));
        fund.redeem(SECRET);
        vm.prank(merchant);
        fund.redeem(SECRET);
        vm.assertEq(usd.balanceOf(merchant), 60 * USD, "paid");
        vm.prank(merchant);
        vm.expectRevert(abi.encodeWithSelector(DonationFund.UnknownVoucher.selector, lock));
        fund.redeem(SECRET);
        (,,,,,, uint256 spent) = fund.donationOf(donation);
        vm.assertEq(spent, 60 * USD, "what can be said of it");
        _assertHeld();
    }

    function test_WhatIsNotSpentGoesBack() external {
        _issue(lock, 60 * USD);
        vm.expectRevert(abi.encodeWithSelector(DonationFund.Stands.selector, START + 30 days));
        fund.end(lock);
        vm.warp(START + 30 days + 1);
        vm.prank(merchant);
        vm.expectRevert(abi.encodeWithSelector(DonationFund.Ended.selector, START + 30 days));
        fund.redeem(SECRET);
        fund.end(lock);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(DonationFund.Stands.selector, START + 365 days));
        fund.takeBack(donation);
        vm.warp(START + 365 days + 1);
        vm.assertEq(fund.takeBack(donation), 100 * USD, "all of it");
        vm.expectRevert(abi.encodeWithSelector(DonationFund.NotEnough.selector, donation, 0, 0));
        fund.takeBack(donation);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(DonationFund.NotDonor.selector, address(this)));
        fund.takeBack(donation);
        vm.expectRevert(abi.encodeWithSelector(DonationFund.UnknownDonation.selector, bytes32("x")));
        fund.takeBack("x");
        _assertHeld();
    }

    function test_DonationsAndVouchersHaveBounds() external {
        vm.startPrank(alice);
        vm.expectRevert(DonationFund.InvalidDonation.selector);
        fund.earmark(usd, 0, PURPOSE, uint64(START + 1), "2");
        vm.expectRevert(DonationFund.InvalidDonation.selector);
        fund.earmark(usd, 1, 0, uint64(START + 1), "2");
        vm.expectRevert(DonationFund.InvalidDonation.selector);
        fund.earmark(usd, 1, PURPOSE, uint64(START), "2");
        vm.expectRevert(DonationFund.InvalidDonation.selector);
        fund.earmark(usd, 1, PURPOSE, uint64(START + 4 * 365 days), "2");
        vm.expectRevert(abi.encodeWithSelector(DonationFund.AlreadyThere.selector, donation));
        fund.earmark(usd, 1, PURPOSE, uint64(START + 1), "1");
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, alice));
        fund.issue(donation, lock, "b", merchant, 1, uint64(START + 1));
        vm.stopPrank();
        _issue(lock, 60 * USD);
        vm.startPrank(programme);
        vm.expectRevert(abi.encodeWithSelector(DonationFund.AlreadyThere.selector, lock));
        fund.issue(donation, lock, "b", merchant, 1, uint64(START + 1));
        vm.expectRevert(abi.encodeWithSelector(DonationFund.NotEnough.selector, donation, 40 * USD, 41 * USD));
        fund.issue(donation, "l", "b", merchant, 41 * USD, uint64(START + 1));
        vm.expectRevert(abi.encodeWithSelector(DonationFund.NotMerchant.selector, bob));
        fund.issue(donation, "l", "b", bob, 1, uint64(START + 1));
        for (uint256 i = 0; i < 5; i++) {
            (bytes32 l, bytes32 b, uint256 amount) =
                (i == 0 ? bytes32(0) : bytes32("l"), i == 1 ? bytes32(0) : bytes32("b"), i == 2 ? 0 : 1);
            uint64 until = uint64(i == 3 ? START : i == 4 ? START + 366 days : START + 1);
            vm.expectRevert(DonationFund.InvalidVoucher.selector);
            fund.issue(donation, l, b, merchant, amount, until);
        }
        vm.stopPrank();
    }
}
