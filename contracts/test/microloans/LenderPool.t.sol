// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {FeeToken} from "../dex/Tokens.sol";
import {LoanSuite} from "./LoanSuite.sol";
import {IAccessManaged} from "@openzeppelin/access/manager/IAccessManaged.sol";
import {IERC20Metadata} from "@openzeppelin/token/ERC20/extensions/IERC20Metadata.sol";
import {FirstLoss} from "src/microloans/FirstLoss.sol";
import {ILenderPool, Parts} from "src/microloans/ILenderPool.sol";
import {LenderPool} from "src/microloans/LenderPool.sol";
import {Gated} from "src/microloans/RoleGate.sol";
import {Tranche} from "src/microloans/Tranche.sol";

contract LenderPoolTest is LoanSuite {
    uint128 constant PRINCIPAL = 100e6;

    function setUp() public {
        _openBook();
        _lend(junior, bob, 250 * USD);
        _lend(senior, alice, 1000 * USD);
        _hold(servicer, 1000 * USD);
    }

    function _worth(Tranche tranche, address who) private view returns (uint256) {
        return tranche.convertToAssets(tranche.balanceOf(who));
    }

    // Sharing out

    function test_InterestPaysFeesThenSeniorThenJunior() external {
        _phoneLoan(LOAN, PRINCIPAL);
        _pass(73 days);
        vm.prank(servicer);
        book.repay(LOAN, 6, Parts(0, 40e6, 3e6, 0), 1);
        _pass(1);
        pool.accrue();
        // 8 % of 1000 dollars for a fifth of a year, and a tenth of the interest in fees.
        vm.assertApproxEqAbs(_worth(senior, alice), 1016 * USD, 20, "senior has what it was promised");
        vm.assertApproxEqAbs(_worth(junior, bob), 270 * USD, 20, "junior has the rest");
        vm.assertEq(pool.feesEarned(), 4e6 + 3e6, "fees");
        vm.assertEq(pool.seniorDue(), 0, "nothing is due");
        _assertBalanced();
    }

    function test_WhatSeniorIsStillDueComesLater() external {
        _phoneLoan(LOAN, PRINCIPAL);
        _pass(73 days);
        vm.prank(servicer);
        book.repay(LOAN, 6, Parts(0, 10e6, 0, 0), 1);
        _pass(1);
        pool.accrue();
        vm.assertApproxEqAbs(_worth(senior, alice), 1009 * USD, 10, "what there was");
        vm.assertEq(_worth(junior, bob), 250 * USD, "junior waits");
        vm.assertApproxEqAbs(pool.seniorDue(), 7e6, 20, "the rest is due");
    }

    function test_LimitsSeeDepositsOfTheBlockWhenAskedTo() external {
        uint256 before = pool.seniorLimit();
        usd.mint(bob, 100 * USD);
        vm.startPrank(bob);
        usd.approve(address(junior), 100 * USD);
        junior.deposit(100 * USD, bob);
        vm.stopPrank();
        vm.assertEq(pool.seniorLimit(), before, "as of the last accrual");
        vm.prank(borrower);
        pool.refreshLimits();
        vm.assertEq(pool.seniorLimit(), 4 * junior.worth(), "a fifth of junior covers the rest");
        _assertBalanced();
    }

    function test_WithoutATrancheTheOtherHasAll() external {
        LenderPool.Conditions memory terms = _conditions();
        terms.minJuniorBasis = 0;
        pool = _newPool(terms);
        (senior, junior) = (pool.senior(), pool.junior());
        vm.prank(parameters);
        book.setPool(pool, true);
        usd.mint(address(this), 1000 * USD);
        usd.approve(address(pool), 1000 * USD);
        pool.open(1000 * USD);
        _hold(servicer, 100 * USD);
        vm.prank(servicer);
        usd.approve(address(pool), type(uint256).max);
        _phoneLoan(LOAN, PRINCIPAL);
        vm.prank(servicer);
        book.repay(LOAN, 6, Parts(0, 10e6, 0, 0), 1);
        _pass(1);
        pool.accrue();
        vm.assertEq(pool.surplus(), 1009 * USD, "without lenders it is nobody's");
        _lend(senior, alice, 100 * USD);
        vm.prank(servicer);
        book.repay(LOAN, 7, Parts(0, 10e6, 0, 0), 1);
        _pass(1);
        pool.accrue();
        vm.assertApproxEqAbs(_worth(senior, alice), 109 * USD, 10, "all of it");
    }

    function test_FeesGoWhereTheyAreSent() external {
        _role(gate.PARAMETERS(), parameters, address(pool), LenderPool.withdrawFees.selector);
        _phoneLoan(LOAN, PRINCIPAL);
        vm.prank(servicer);
        book.repay(LOAN, 6, Parts(0, 0, 3e6, 0), 1);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, alice));
        vm.prank(alice);
        pool.withdrawFees(alice, 1);
        vm.startPrank(parameters);
        vm.expectRevert(abi.encodeWithSelector(ILenderPool.InsufficientCash.selector, uint256(3e6), uint256(3e6 + 1)));
        pool.withdrawFees(sponsor, 3e6 + 1);
        pool.withdrawFees(sponsor, 3e6);
        vm.stopPrank();
        vm.assertEq(usd.balanceOf(sponsor), 3e6, "fees");
        _assertBalanced();
    }

    // Losses

    function test_LossesGoUpwardsAndRecoveriesDownwards() external {
        _contribute(40 * USD);
        _lossOf(LOAN, 500e6);
        // 40 of first loss, 1 of nobody's, 250 of junior, 209 of senior.
        vm.assertEq(firstLoss.capital(), 0, "first loss");
        vm.assertEq(pool.surplus(), 0, "nobody's");
        vm.assertEq(junior.worth(), 0, "junior");
        vm.assertEq(senior.worth(), 791 * USD, "senior");
        _assertBalanced();
        _hold(borrower, 500 * USD);
        vm.prank(borrower);
        book.recover(LOAN, 220e6);
        _pass(1);
        pool.accrue();
        vm.assertEq(senior.worth(), 1000 * USD, "senior first");
        vm.assertEq(junior.worth(), 11 * USD, "then junior");
        vm.prank(borrower);
        book.recover(LOAN, 280e6);
        _pass(1);
        pool.accrue();
        vm.assertEq(junior.worth(), 250 * USD, "all of junior");
        vm.assertEq(firstLoss.capital(), 40 * USD, "then first loss");
        vm.assertEq(pool.surplus(), 1 * USD, "then nobody");
        _assertBalanced();
    }

    /// @dev I10: whatever is lost, senior loses nothing while junior has something, junior nothing while first loss has.
    function testFuzz_SeniorLosesLast(uint256 capital, uint256 lost) external {
        capital = bound(capital, 1, 300 * USD);
        lost = bound(lost, 1, 120_000) * CENT;
        _contribute(capital);
        _lossOf(LOAN, uint128(lost));
        assertTrue(firstLoss.capital() == 0 || junior.worth() == 250 * USD, "junior before first loss");
        assertTrue(junior.worth() == 0 || senior.worth() == 1000 * USD, "senior before junior");
        uint256 borne =
            capital - firstLoss.capital() + USD - pool.surplus() + 1250 * USD - senior.worth() - junior.worth();
        vm.assertEq(borne, lost, "all of the loss, and no more");
        _assertBalanced();
    }

    function _lossOf(bytes32 loan, uint128 amount) private {
        _phoneLoan(loan, amount);
        _chargeOff(loan);
    }

    function test_WhoIsRuinedTakesNoDeposits() external {
        _lossOf(LOAN, 400e6);
        usd.mint(bob, USD);
        vm.startPrank(bob);
        usd.approve(address(junior), USD);
        _pass(1);
        vm.assertEq(junior.maxDeposit(bob), 0, "says so");
        vm.expectRevert(Tranche.Ruined.selector);
        junior.deposit(USD, bob);
        vm.stopPrank();
        // Nor do its shares vanish for nothing.
        _ask(junior, bob, 1e12);
        _closeEpoch();
        junior.settle(bob);
        vm.assertEq(junior.balanceOf(bob), 250e12, "they come back");
    }

    // First loss

    function test_FirstLossLeavesAfterNoticeAndBeyondWhatIsRequired() external {
        _contribute(100 * USD);
        _phoneLoan(LOAN, 900e6);
        vm.expectRevert(abi.encodeWithSelector(FirstLoss.NotSponsor.selector, address(this)));
        firstLoss.ask(1);
        vm.startPrank(sponsor);
        vm.expectRevert(FirstLoss.NothingGiven.selector);
        firstLoss.contribute(0);
        firstLoss.ask(20 * USD);
        uint256 from = clock() + firstLoss.NOTICE();
        bytes memory early = abi.encodeWithSelector(FirstLoss.NotNow.selector, from, from + firstLoss.WITHIN());
        vm.expectRevert(early);
        firstLoss.withdraw(1, sponsor);
        vm.warp(from);
        vm.expectRevert(FirstLoss.NothingGiven.selector);
        firstLoss.withdraw(0, sponsor);
        vm.expectRevert(early);
        firstLoss.withdraw(20 * USD + 1, sponsor);
        vm.expectRevert(abi.encodeWithSelector(FirstLoss.Required.selector, 100 * USD, 90 * USD, 20 * USD));
        firstLoss.withdraw(20 * USD, sponsor);
        firstLoss.withdraw(10 * USD, sponsor);
        vm.warp(from + firstLoss.WITHIN() + 1);
        vm.expectRevert(early);
        firstLoss.withdraw(1, sponsor);
        vm.stopPrank();
        vm.assertEq(usd.balanceOf(sponsor), 10 * USD, "what was spare");
        _assertBalanced();
    }

    function test_FirstLossListensToItsPoolAlone() external {
        vm.expectRevert(abi.encodeWithSelector(FirstLoss.NotPool.selector, address(this)));
        firstLoss.cover(1);
        vm.expectRevert(abi.encodeWithSelector(FirstLoss.NotPool.selector, address(this)));
        firstLoss.restore(1);
        vm.expectRevert(abi.encodeWithSelector(FirstLoss.InvalidRequirement.selector, uint256(10_001)));
        new FirstLoss(usd, sponsor, 10_001);
    }

    // Epochs

    /// @dev I11: who asks first gets no more than who asks last.
    function testFuzz_AnEpochServesAllInProportion(uint256 a, uint256 b, uint256 lent) external {
        uint256 shares = senior.balanceOf(alice);
        vm.prank(alice);
        senior.transfer(bob, shares / 2);
        a = bound(a, 1e6, shares / 2);
        b = bound(b, 1e6, shares / 2);
        _phoneLoan(LOAN, uint128(bound(lent, 1, 125_000) * CENT));
        (uint256 claims, uint256 cash) = (senior.convertToAssets(a + b), pool.lendable());
        _ask(senior, alice, a);
        _ask(senior, bob, b);
        _closeEpoch();
        uint256 filled = claims < cash ? claims : cash;
        (uint256 ofAlice, uint256 ofBob) = (senior.maxWithdraw(alice), senior.maxWithdraw(bob));
        vm.assertApproxEqAbs(ofAlice, filled * a / (a + b), 1, "in proportion");
        vm.assertApproxEqAbs(ofBob, filled * b / (a + b), 1, "whoever came first");
        if (ofAlice != 0) _fetch(alice, ofAlice);
        if (ofBob != 0) _fetch(bob, ofBob);
        senior.settle(alice);
        senior.settle(bob);
        vm.assertEq(pool.owed(), 0, "I5: all of it is distributed, or left over");
        vm.assertEq(senior.balanceOf(address(senior)), 0, "and every share is back or burnt");
        _assertBalanced();
    }

    function _fetch(address who, uint256 assets) private {
        uint256 before = usd.balanceOf(who);
        vm.prank(who);
        senior.withdraw(assets, who, who);
        vm.assertEq(usd.balanceOf(who) - before, assets, "fetched");
    }

    function test_RequestsBearLossesUntilTheEpochEnds() external {
        uint256 shares = senior.balanceOf(alice);
        _ask(senior, alice, shares);
        _lossOf(LOAN, 451e6);
        _closeEpoch();
        vm.assertEq(senior.maxWithdraw(alice), 800 * USD, "no running away");
    }

    function test_JuniorLeavesAsFarAsSeniorStaysCovered() external {
        _ask(junior, bob, junior.balanceOf(bob));
        _closeEpoch();
        junior.settle(bob);
        vm.assertEq(junior.maxWithdraw(bob), 0, "a fifth has to stay");
        _ask(senior, alice, senior.balanceOf(alice) / 2);
        _ask(junior, bob, junior.balanceOf(bob));
        _closeEpoch();
        vm.assertApproxEqAbs(junior.maxWithdraw(bob), 125 * USD, 1, "when senior is less, so may junior be");
        _assertBalanced();
    }

    function test_RequestsAreTakenBackWhileTheEpochRuns() external {
        _ask(senior, alice, 5e12);
        vm.startPrank(alice);
        vm.expectRevert(Tranche.NothingGiven.selector);
        senior.cancelRequest(0, alice);
        vm.expectRevert(abi.encodeWithSelector(Tranche.InsufficientRequest.selector, alice, 5e12, 6e12));
        senior.cancelRequest(6e12, alice);
        senior.cancelRequest(2e12, alice);
        vm.stopPrank();
        vm.assertEq(senior.pendingRedeemRequest(0, alice), 3e12, "what is left of it");
        vm.assertEq(senior.claimableRedeemRequest(0, alice), 0, "not yet");
        _closeEpoch();
        vm.assertEq(senior.pendingRedeemRequest(0, alice), 0, "served");
        vm.assertEq(senior.claimableRedeemRequest(0, alice), 3e12, "all of it");
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(Tranche.InsufficientRequest.selector, alice, 0, 1));
        senior.cancelRequest(1, alice);
    }

    function test_MoneyIsFetchedByAssetsOrShares() external {
        _ask(senior, alice, 100e12);
        _closeEpoch();
        vm.assertEq(senior.maxRedeem(alice), 100e12, "shares");
        vm.assertEq(senior.maxWithdraw(alice), 100 * USD, "assets");
        vm.startPrank(alice);
        vm.expectRevert(Tranche.NothingGiven.selector);
        senior.withdraw(0, alice, alice);
        vm.expectRevert(Tranche.NothingGiven.selector);
        senior.redeem(0, alice, alice);
        vm.expectRevert(abi.encodeWithSelector(Tranche.InsufficientClaim.selector, alice, 100 * USD, 100 * USD + 1));
        senior.withdraw(100 * USD + 1, alice, alice);
        vm.expectRevert(abi.encodeWithSelector(Tranche.InsufficientClaim.selector, alice, 100e12, 100e12 + 1));
        senior.redeem(100e12 + 1, alice, alice);
        vm.assertEq(senior.withdraw(30 * USD, bob, alice), 30e12, "shares for assets");
        vm.assertEq(senior.redeem(70e12, alice, alice), 70 * USD, "assets for shares");
        vm.stopPrank();
        vm.assertEq(usd.balanceOf(bob), 30 * USD, "to whom it was sent");
        _assertBalanced();
    }

    function test_OperatorsAskAndFetch() external {
        vm.expectRevert(abi.encodeWithSelector(Tranche.NotAllowed.selector, alice, address(this)));
        senior.withdraw(1, bob, alice);
        vm.prank(alice);
        senior.setOperator(address(this), true);
        senior.requestRedeem(1e12, alice, alice);
        _closeEpoch();
        senior.redeem(1e12, alice, alice);
        vm.prank(alice);
        senior.setOperator(address(this), false);
        vm.prank(alice);
        senior.approve(bob, 1e12);
        vm.startPrank(bob);
        senior.requestRedeem(1e12, bob, alice);
        vm.expectRevert();
        senior.requestRedeem(1, bob, alice);
        vm.expectRevert(Tranche.NothingGiven.selector);
        senior.requestRedeem(0, bob, bob);
        vm.stopPrank();
        _closeEpoch();
        vm.assertEq(senior.maxRedeem(bob), 1e12, "an allowance is enough");
    }

    function test_ARequestInALaterEpochSettlesTheEarlier() external {
        _phoneLoan(LOAN, 1000e6);
        _ask(senior, alice, senior.balanceOf(alice));
        _closeEpoch();
        vm.assertApproxEqAbs(senior.maxWithdraw(alice), 251 * USD, 1, "what there was");
        _ask(senior, alice, 1);
        vm.assertApproxEqAbs(senior.balanceOf(alice), 749e12, 4e6, "the rest came back");
        vm.expectRevert(abi.encodeWithSelector(ILenderPool.EpochRuns.selector, pool.epochUntil()));
        pool.closeEpoch();
    }

    // Deposits

    function test_SeniorTakesWhatJuniorCovers() external {
        usd.mint(alice, 10 * USD);
        vm.startPrank(alice);
        usd.approve(address(senior), 10 * USD);
        uint256 most = senior.maxDeposit(alice);
        vm.assertEq(most, 0, "four fifths");
        vm.expectRevert(abi.encodeWithSelector(Tranche.NoRoom.selector, 1000 * USD, uint256(1)));
        senior.deposit(1, alice);
        vm.stopPrank();
        _lend(junior, bob, 1 * USD);
        vm.startPrank(alice);
        senior.deposit(4 * USD, alice);
        vm.stopPrank();
        _assertBalanced();
    }

    function test_PreviewsSayWhatHappens() external {
        _phoneLoan(LOAN, PRINCIPAL);
        _pass(10 days);
        vm.prank(servicer);
        book.repay(LOAN, 6, Parts(0, 33e6 + 1, 0, 0), 1);
        _pass(3);
        usd.mint(bob, 100 * USD);
        vm.startPrank(bob);
        usd.approve(address(junior), 100 * USD);
        uint256 shares = junior.previewDeposit(10 * USD);
        vm.assertEq(junior.deposit(10 * USD, bob), shares, "deposit");
        uint256 assets = junior.previewMint(7e12);
        vm.assertEq(junior.mint(7e12, bob), assets, "mint");
        vm.stopPrank();
        vm.expectRevert(Tranche.LeavesByEpochs.selector);
        junior.previewRedeem(1);
        vm.expectRevert(Tranche.LeavesByEpochs.selector);
        junior.previewWithdraw(1);
        vm.assertEq(junior.asset(), address(usd), "asset");
        vm.assertEq(uint256(junior.decimals()), 12, "decimals");
        vm.assertEq(junior.totalAssets(), junior.worth(), "assets");
        assertTrue(junior.supportsInterface(0x620ee8e4), "asynchronous redemption");
        assertTrue(junior.maxMint(bob) > junior.convertToShares(1e6 * USD), "room");
        _assertBalanced();
    }

    function testFuzz_ComingAndGoingGainsNothing(uint256 amount, uint256 earned) external {
        _phoneLoan(LOAN, PRINCIPAL);
        usd.mint(servicer, 1e30);
        vm.prank(servicer);
        // The pool takes 1e15 at most: enough of it is left for what is deposited below.
        book.repay(LOAN, 6, Parts(0, uint128(bound(earned, 1, 8e14)), 0, 0), 1);
        _pass(1);
        amount = bound(amount, 1000, 1e8 * USD);
        uint256 shares = _lend(junior, account("carol"), amount);
        _ask(junior, account("carol"), shares);
        _closeEpoch();
        assertTrue(junior.maxWithdraw(account("carol")) <= amount, "no gain");
        // Shares are whole, and one may be worth some units by then.
        uint256 ofShare = junior.index() / 1e27 + 2;
        vm.assertApproxEqAbs(junior.maxWithdraw(account("carol")), amount, ofShare, "and no loss");
    }

    function test_DepositsBySignature() external {
        // The dollar here has no permits: what a signature would allow is allowed already.
        usd.mint(bob, USD);
        vm.startPrank(bob);
        usd.approve(address(junior), USD);
        junior.depositWithPermit(USD, bob, 0, 0, 0, 0);
        vm.stopPrank();
        vm.assertEq(junior.worth(), 251 * USD, "deposited");
    }

    function test_TheSwitchStopsDepositsAndNothingElse() external {
        gate.grantRole(gate.GUARDIAN(), guardian, 0);
        _phoneLoan(LOAN, PRINCIPAL);
        vm.prank(guardian);
        gate.setPaused(true);
        usd.mint(bob, USD);
        vm.startPrank(bob);
        usd.approve(address(junior), USD);
        vm.assertEq(junior.maxDeposit(bob), 0, "says so");
        vm.expectRevert(abi.encodeWithSelector(Tranche.NoRoom.selector, uint256(0), USD));
        junior.deposit(USD, bob);
        vm.stopPrank();
        _ask(senior, alice, 1e12);
        _closeEpoch();
        _fetch(alice, USD);
        vm.prank(servicer);
        book.repay(LOAN, 6, Parts(PRINCIPAL, 0, 0, 0), 2);
        _assertBalanced();
    }

    // Who and what

    function test_ThePoolListensToItsBookAndTranches() external {
        bytes memory notBook = abi.encodeWithSelector(ILenderPool.NotBook.selector, address(this));
        bytes memory notTranche = abi.encodeWithSelector(ILenderPool.NotTranche.selector, address(this));
        vm.expectRevert(notBook);
        pool.lend(LOAN, 1, address(this));
        vm.expectRevert(notBook);
        pool.takeBack(LOAN, 1);
        vm.expectRevert(notBook);
        pool.repay(LOAN, alice, Parts(1, 0, 0, 0));
        vm.expectRevert(notBook);
        pool.suspend(LOAN, alice, 1);
        vm.expectRevert(notBook);
        pool.allocate(LOAN, alice, Parts(1, 0, 0, 0));
        vm.expectRevert(notBook);
        pool.refund(LOAN, alice, 1);
        vm.expectRevert(notBook);
        pool.recover(LOAN, alice, 1);
        vm.expectRevert(notBook);
        pool.writeOff(LOAN, 1);
        vm.expectRevert(notTranche);
        pool.deposited(1);
        vm.expectRevert(notTranche);
        pool.payOut(alice, 1);
        vm.expectRevert(notTranche);
        pool.leaveOver(1);
        bytes memory notPool = abi.encodeWithSelector(Tranche.NotPool.selector, address(this));
        vm.expectRevert(notPool);
        senior.gain(1);
        vm.expectRevert(notPool);
        senior.lose(1);
        vm.expectRevert(notPool);
        senior.closeEpoch(0, 1);
    }

    function test_NoMoreIsLentThanThereIs() external {
        _offer(LOAN, 2000e6, borrower);
        vm.prank(borrower);
        book.accept(LOAN, KEY_FACTS, "en");
        vm.prank(treasurer);
        vm.expectRevert(abi.encodeWithSelector(ILenderPool.InsufficientCash.selector, 1251 * USD, 2000 * USD));
        book.fund(LOAN, 2);
    }

    function test_TermsHaveBounds() external {
        for (uint256 i = 0; i < 7; i++) {
            LenderPool.Conditions memory terms = _conditions();
            if (i == 0) terms.minorDecimals = 7;
            if (i == 1) terms.seniorRate = 1e8 + 1;
            if (i == 2) terms.feeBasis = 5001;
            if (i == 3) terms.minJuniorBasis = 10_000;
            if (i == 4) terms.cap = uint256(type(uint112).max) + 1;
            if (i == 5) terms.epoch = 59 minutes;
            if (i == 6) terms.epoch = 91 days;
            vm.expectRevert(ILenderPool.InvalidTerms.selector);
            this.newPool(terms);
        }
        LenderPool.Conditions memory last = _conditions();
        last.firstLossBasis = 10_001;
        vm.expectRevert(abi.encodeWithSelector(FirstLoss.InvalidRequirement.selector, uint256(10_001)));
        this.newPool(last);
    }

    function newPool(LenderPool.Conditions memory terms) external returns (LenderPool) {
        return _newPool(terms);
    }

    // Tokens

    function test_ATokenThatTakesAFeeOpensNoPool() external {
        FeeToken fee = new FeeToken();
        LenderPool.Conditions memory terms = _conditions();
        terms.token = fee;
        LenderPool taken = _newPool(terms);
        fee.mint(address(this), 100 * USD);
        fee.approve(address(taken), 100 * USD);
        vm.expectRevert(abi.encodeWithSelector(ILenderPool.TokenTakesFee.selector, 100 * USD, 99 * USD));
        taken.open(100 * USD);
        Tranche closed = taken.junior();
        fee.approve(address(closed), USD);
        vm.expectRevert(abi.encodeWithSelector(Tranche.NoRoom.selector, uint256(0), USD));
        closed.deposit(USD, address(this));
    }

    function test_APoolOpensOnce() external {
        vm.expectRevert(ILenderPool.AlreadyOpen.selector);
        pool.open(1);
        LenderPool other = _newPool(_conditions());
        vm.expectRevert(ILenderPool.NothingGiven.selector);
        other.open(0);
    }

    // Attacks on the first depositor

    /// @dev A gift is counted by nobody; and the worth of a share moves by interest alone, of which the giver gets nothing back.
    function testFuzz_SharesAreNotMadeDear(uint256 gift, uint256 amount) external {
        LenderPool.Conditions memory terms = _conditions();
        terms.minJuniorBasis = 0;
        pool = _newPool(terms);
        junior = pool.junior();
        usd.mint(address(this), 1e30);
        usd.approve(address(pool), type(uint256).max);
        usd.approve(address(junior), type(uint256).max);
        pool.open(USD);
        _pass(1);
        junior.deposit(1, address(this));
        gift = bound(gift, 1, 1e12 * USD);
        usd.transfer(address(pool), gift);
        usd.transfer(address(junior), gift);
        amount = bound(amount, 1, 1e6 * USD);
        uint256 shares = _lend(junior, alice, amount);
        vm.assertEq(junior.convertToAssets(shares), amount, "the victim loses nothing");
    }
}
