// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken, PermitToken} from "../dex/Tokens.sol";
import {Wallet} from "../tokens/Wallet.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {IERC3156FlashBorrower} from "@openzeppelin/interfaces/IERC3156FlashBorrower.sol";
import {ILendingMarket} from "src/lending/ILendingMarket.sol";
import {KinkedRate} from "src/lending/KinkedRate.sol";
import {LendingMarket} from "src/lending/LendingMarket.sol";
import {PriceFeed} from "src/lending/PriceFeed.sol";

abstract contract LendingSuite is Suite {
    uint256 constant RAY = 1e27;
    uint256 constant ONE = 1e36;
    uint256 constant CAP = 1e30;

    FreeToken loan = new FreeToken("LOAN");
    FreeToken collateral = new FreeToken("COLL");
    PriceFeed feed = new PriceFeed(address(this), address(this), 5000, ONE);
    /// @dev Two in a hundred a year at the kink, a hundred where everything is lent.
    KinkedRate rate = new KinkedRate(0, 2 * RAY / 100 / uint256(365 days), 98 * RAY / 100 / uint256(365 days), 8e17);
    LendingMarket market = _market(8000, 1000, CAP, CAP);

    function _market(uint256 limit, uint256 reserve, uint256 supplyCap, uint256 borrowCap)
        internal
        returns (LendingMarket)
    {
        return _market(limit, 1500, reserve, supplyCap, borrowCap);
    }

    function _market(uint256 limit, uint256 bonus, uint256 reserve, uint256 supplyCap, uint256 borrowCap)
        internal
        returns (LendingMarket)
    {
        return new LendingMarket(
            LendingMarket.Terms({
                loanToken: loan,
                collateralToken: collateral,
                oracle: feed,
                rateModel: rate,
                limitBasis: limit,
                maxBonusBasis: bonus,
                reserveBasis: reserve,
                maxPriceAge: 1 hours,
                supplyCap: supplyCap,
                borrowCap: borrowCap,
                guardian: address(this),
                reserveOwner: address(this)
            })
        );
    }

    function _fund(address who) internal {
        loan.mint(who, 1e36);
        collateral.mint(who, 1e36);
        vm.startPrank(who);
        loan.approve(address(market), type(uint256).max);
        collateral.approve(address(market), type(uint256).max);
        vm.stopPrank();
    }

    /// @dev Lenders and reserve have at most what is there and owed; the market holds what it says.
    function _assertSolvent() internal view {
        uint256 promised = market.scaledSupply() * market.supplyIndex() / RAY;
        uint256 owned = market.cash() + (market.scaledDebt() * market.borrowIndex() + RAY - 1) / RAY;
        assertTrue(promised <= owned, "solvent");
        assertTrue(loan.balanceOf(address(market)) >= market.cash(), "cash");
    }
}

contract LendingMarketTest is LendingSuite {
    address lender = account("lender");
    address borrower = account("borrower");
    address liquidator = account("liquidator");

    function setUp() public {
        vm.warp(1_000_000);
        feed.set(ONE);
        _fund(lender);
        _fund(borrower);
        _fund(liquidator);
        vm.prank(lender);
        market.supply(1000e18, lender);
        vm.prank(borrower);
        market.supplyCollateral(1000e18, borrower);
    }

    function _borrow(uint256 amount) private {
        vm.prank(borrower);
        market.borrow(amount, borrower, borrower);
    }

    function _pass(uint256 elapsed) private {
        vm.warp(block.timestamp + elapsed);
        (uint256 price,) = feed.latestPrice();
        feed.set(price);
    }

    // Interest

    function test_InterestIsAccruedOnceABlock() external {
        _borrow(800e18);
        _pass(365 days);
        market.accrue();
        uint256 index = market.borrowIndex();
        vm.assertApproxEqAbs(index, RAY * 102 / 100, RAY / 1e9, "two in a hundred at the kink");
        vm.assertApproxEqAbs(market.debtOf(borrower), 816e18, 1e12, "debt");
        // A tenth for the reserve.
        vm.assertApproxEqAbs(market.supplyOf(lender), 1014.4e18, 1e12, "supply");
        vm.assertApproxEqAbs(market.reserve(), 1.6e18, 1e12, "reserve");
        market.accrue();
        vm.prank(lender);
        market.supply(1e18, lender);
        vm.assertEq(market.borrowIndex(), index, "nothing more in the block");
        _assertSolvent();
    }

    function testFuzz_NothingIsGainedByComingAndGoing(uint256 amount, uint256 elapsed) external {
        _borrow(800e18);
        _pass(bound(elapsed, 0, 3650 days));
        amount = bound(amount, 1e9, 1e29);
        vm.startPrank(liquidator);
        market.supply(amount, liquidator);
        uint256 back = market.withdraw(type(uint256).max, liquidator, liquidator);
        assertTrue(back <= amount, "rounded for the market");
        assertTrue(amount - back <= market.supplyIndex() / RAY + 1, "and by no more than an index");
        vm.stopPrank();
        _assertSolvent();
    }

    function testFuzz_ALoanCostsAtLeastWhatItWas(uint256 amount, uint256 elapsed) external {
        amount = bound(amount, 1, 800e18);
        _borrow(amount);
        _pass(bound(elapsed, 0, 365 days));
        vm.prank(borrower);
        uint256 repaid = market.repay(type(uint256).max, borrower);
        assertTrue(repaid >= amount, "no less");
        vm.assertEq(market.debtOf(borrower), 0, "nothing left");
        vm.assertEq(market.scaledDebt(), 0, "in total");
        vm.prank(borrower);
        market.withdrawCollateral(1000e18, borrower, borrower);
        _assertSolvent();
    }

    function test_TheReserveIsPaidOut() external {
        _borrow(800e18);
        _pass(365 days);
        vm.prank(borrower);
        market.repay(type(uint256).max, borrower);
        uint256 reserve = market.reserve();
        market.withdrawReserve(reserve, address(this));
        vm.assertEq(loan.balanceOf(address(this)), reserve, "paid");
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.InsufficientSupply.selector, market, 0, 1));
        market.withdrawReserve(1, address(this));
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.NotReserveOwner.selector, lender));
        vm.prank(lender);
        market.withdrawReserve(1, lender);
    }

    function testFuzz_TheRateRises(uint256 lower, uint256 higher) external view {
        higher = bound(higher, 0, 1e18);
        lower = bound(lower, 0, higher);
        assertTrue(rate.borrowRate(lower) <= rate.borrowRate(higher), "with utilisation");
    }

    function test_RevertWhen_TheKinkIsNowhere() external {
        vm.expectRevert(abi.encodeWithSelector(KinkedRate.InvalidKink.selector, 0));
        new KinkedRate(0, 0, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(KinkedRate.InvalidKink.selector, 1e18));
        new KinkedRate(0, 0, 0, 1e18);
    }

    // Limits

    function testFuzz_NobodyBorrowsBeyondTheLimit(uint256 amount) external {
        amount = bound(amount, 1, 1000e18);
        if (amount > 800e18) {
            vm.expectRevert(abi.encodeWithSelector(ILendingMarket.Unhealthy.selector, borrower, amount, 800e18));
        }
        _borrow(amount);
    }

    function test_RevertWhen_CollateralIsNeeded() external {
        _borrow(400e18);
        vm.startPrank(borrower);
        market.withdrawCollateral(500e18, borrower, borrower);
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.Unhealthy.selector, borrower, 400e18, 400e18 - 1));
        market.withdrawCollateral(1, borrower, borrower);
        vm.expectRevert(
            abi.encodeWithSelector(ILendingMarket.InsufficientCollateral.selector, borrower, 500e18, 501e18)
        );
        market.withdrawCollateral(501e18, borrower, borrower);
    }

    function test_RevertWhen_NothingIsGiven() external {
        vm.startPrank(borrower);
        bytes4 nothing = ILendingMarket.NothingGiven.selector;
        vm.expectRevert(nothing);
        market.supply(0, borrower);
        vm.expectRevert(nothing);
        market.withdraw(0, borrower, borrower);
        vm.expectRevert(nothing);
        market.withdraw(type(uint256).max, borrower, borrower);
        vm.expectRevert(nothing);
        market.borrow(0, borrower, borrower);
        vm.expectRevert(nothing);
        market.repay(1, borrower);
        vm.expectRevert(nothing);
        market.supplyCollateral(0, borrower);
        vm.expectRevert(nothing);
        market.withdrawCollateral(0, borrower, borrower);
    }

    function test_RevertWhen_MoreIsWithdrawnThanSupplied() external {
        vm.expectRevert(
            abi.encodeWithSelector(ILendingMarket.InsufficientSupply.selector, lender, 1000e18, 1000e18 + 1)
        );
        vm.prank(lender);
        market.withdraw(1000e18 + 1, lender, lender);
    }

    function test_RevertWhen_ACapIsReached() external {
        LendingMarket small = _market(8000, 0, 100, 50);
        vm.startPrank(lender);
        loan.approve(address(small), 1000);
        small.supply(100, lender);
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.CapExceeded.selector, 100));
        small.supply(1, lender);
        collateral.approve(address(small), 1000);
        small.supplyCollateral(1000, lender);
        small.borrow(50, lender, lender);
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.CapExceeded.selector, 50));
        small.borrow(1, lender, lender);
    }

    function test_RevertWhen_TermsMakeNoSense() external {
        vm.expectRevert(ILendingMarket.InvalidTerms.selector);
        _market(0, 0, 1, 1);
        vm.expectRevert(ILendingMarket.InvalidTerms.selector);
        _market(8696, 0, 1, 1);
        // A lower bonus lets more be lent, and no more than it covers.
        _market(9900, 100, 0, 1, 1);
        vm.expectRevert(ILendingMarket.InvalidTerms.selector);
        _market(9901, 100, 0, 1, 1);
        vm.expectRevert(ILendingMarket.InvalidTerms.selector);
        _market(8000, 99, 0, 1, 1);
        vm.expectRevert(ILendingMarket.InvalidTerms.selector);
        _market(8000, 1501, 0, 1, 1);
        vm.expectRevert(ILendingMarket.InvalidTerms.selector);
        _market(8000, 10_001, 1, 1);
        vm.expectRevert(ILendingMarket.InvalidTerms.selector);
        _market(8000, 0, 1 << 112, 1);
        vm.expectRevert(ILendingMarket.InvalidTerms.selector);
        _market(8000, 0, 1, 1 << 112);
        collateral = loan;
        vm.expectRevert(ILendingMarket.InvalidTerms.selector);
        _market(8000, 0, 1, 1);
    }

    // Two tokens whose prices move together

    /// @dev Ninety-seven in a hundred may be lent where the bonus is two at most.
    function _close() private returns (LendingMarket close) {
        close = market = _market(9700, 200, 1000, CAP, CAP);
        _fund(lender);
        _fund(borrower);
        _fund(liquidator);
        vm.prank(lender);
        close.supply(1000e18, lender);
        vm.prank(borrower);
        close.supplyCollateral(1000e18, borrower);
    }

    function test_TokensThatMoveTogetherAreLentNearlyInFull() external {
        LendingMarket close = _close();
        _borrow(970e18);
        vm.expectRevert(
            abi.encodeWithSelector(ILendingMarket.Unhealthy.selector, borrower, uint256(970e18 + 1), uint256(970e18))
        );
        vm.prank(borrower);
        close.borrow(1, borrower, borrower);
        feed.set(ONE * 98 / 100);
        vm.prank(liquidator);
        (uint256 repaid, uint256 seized) = close.liquidate(borrower, 100e18);
        vm.assertEq(repaid, 100e18, "repaid");
        // Worth 980, owed 970: a bonus of a hundredth, at a price of 0.98.
        vm.assertApproxEqAbs(seized * 98 / 100, 101.03e18, 5e15, "little is enough");
        _assertSolvent();
    }

    /// @dev Whatever the terms, a liquidation takes no more than their bonus, nor makes a loan bad that was not.
    function testFuzz_NoBonusIsMoreThanItsMarkets(uint256 bonus, uint256 price, uint256 amount) external {
        // With less there is no price at which a loan can be liquidated and is covered by a hundredth more than it is.
        bonus = bound(bonus, 250, 1500);
        uint256 limit = 1e8 / (10_000 + bonus);
        market = _market(limit, bonus, 1000, CAP, CAP);
        _fund(lender);
        _fund(borrower);
        _fund(liquidator);
        vm.prank(lender);
        market.supply(1000e18, lender);
        vm.prank(borrower);
        market.supplyCollateral(1000e18, borrower);
        uint256 debt = 1000e18 * limit / 10_000;
        _borrow(debt);
        price = bound(price, ONE * limit / 10_000 * 1011 / 1000, ONE * 999 / 1000);
        feed.set(price);
        amount = bound(amount, 1e6, debt);
        vm.prank(liquidator);
        (uint256 repaid, uint256 seized) = market.liquidate(borrower, amount);
        assertTrue(seized * price / ONE <= repaid * (10_000 + bonus) / 10_000 + 1, "no more than the bonus");
        uint256 worth = (1000e18 - seized) * price / ONE;
        assertTrue(worth + 2 >= market.debtOf(borrower), "covered still");
        _assertSolvent();
    }

    // Permits

    /// @dev Collateral by permit, put down and borrowed against in one transaction.
    function test_APermitAndALoanAreOneTransaction() external {
        PermitToken token = new PermitToken();
        collateral = token;
        LendingMarket other = _market(8000, 1000, CAP, CAP);
        (address carol, uint256 key) = signer("carol");
        token.mint(carol, 10e18);
        vm.startPrank(lender);
        loan.approve(address(other), 100e18);
        other.supply(100e18, lender);
        vm.stopPrank();
        uint256 deadline = block.timestamp;
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 message = keccak256(abi.encode(kind, carol, address(other), 10e18, 0, deadline));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), message)));
        bytes[] memory calls = new bytes[](3);
        calls[0] = abi.encodeCall(other.selfPermit, (token, 10e18, deadline, v, r, s));
        calls[1] = abi.encodeCall(other.supplyCollateral, (10e18, carol));
        calls[2] = abi.encodeCall(other.borrow, (8e18, carol, carol));
        vm.prank(carol);
        other.multicall(calls);
        vm.assertEq(other.debtOf(carol), 8e18, "owed");
        vm.assertEq(loan.balanceOf(carol), 8e18, "had");
        vm.assertEq(other.collateralOf(carol), 10e18, "put down");
        // All or nothing.
        calls[0] = abi.encodeCall(other.repay, (1e18, carol));
        calls[1] = abi.encodeCall(other.withdrawCollateral, (10e18, carol, carol));
        vm.startPrank(carol);
        loan.approve(address(other), 1e18);
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.Unhealthy.selector, carol, uint256(7e18), uint256(0)));
        other.multicall(calls);
        vm.assertEq(other.debtOf(carol), 8e18, "as before");
    }

    function test_OnlyDelegatesActForOthers() external {
        bytes memory notAllowed = abi.encodeWithSelector(ILendingMarket.NotAllowed.selector, borrower, lender);
        vm.startPrank(lender);
        vm.expectRevert(notAllowed);
        market.borrow(1, borrower, lender);
        vm.expectRevert(notAllowed);
        market.withdrawCollateral(1, borrower, lender);
        vm.expectRevert(notAllowed);
        market.withdraw(1, borrower, lender);
        vm.stopPrank();
        vm.prank(borrower);
        market.setDelegate(lender, true);
        vm.prank(lender);
        market.borrow(5, borrower, lender);
        vm.assertEq(market.debtOf(borrower), 5, "the borrower owes");
    }

    /// @dev What a wallet signs, as EIP-712 has it.
    function _delegation(address who, address delegate, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Braid Lending Market"),
                keccak256("1"),
                block.chainid,
                address(market)
            )
        );
        bytes32 kind =
            keccak256("Delegation(address account,address delegate,bool allowed,uint256 nonce,uint256 deadline)");
        bytes32 message = keccak256(abi.encode(kind, who, delegate, true, nonce, deadline));
        return keccak256(abi.encodePacked("\x19\x01", domain, message));
    }

    function _signed(uint256 key, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function test_ADelegateIsLetInBySignature() external {
        (address carol, uint256 key) = signer("carol");
        uint256 deadline = block.timestamp + 100;
        bytes memory signature = _signed(key, _delegation(carol, lender, 0, deadline));
        vm.prank(borrower);
        market.supplyCollateral(10e18, carol);
        market.setDelegateWithSignature(carol, lender, true, deadline, signature);
        assertTrue(market.isDelegate(carol, lender), "let in");
        vm.prank(lender);
        market.borrow(5e18, carol, lender);
        vm.assertEq(market.debtOf(carol), 5e18, "carol owes");
        bytes memory invalid = abi.encodeWithSelector(ILendingMarket.InvalidSignature.selector, carol);
        vm.expectRevert(invalid);
        market.setDelegateWithSignature(carol, lender, true, deadline, signature);
        signature = _signed(key, _delegation(carol, lender, 1, deadline));
        vm.expectRevert(invalid);
        market.setDelegateWithSignature(carol, lender, false, deadline, signature);
        vm.expectRevert(invalid);
        market.setDelegateWithSignature(carol, borrower, true, deadline, signature);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.SignatureExpired.selector, deadline));
        market.setDelegateWithSignature(carol, lender, true, deadline, signature);
    }

    function test_AContractLetsADelegateIn() external {
        (address carol, uint256 key) = signer("carol");
        address wallet = address(new Wallet(carol));
        uint256 deadline = block.timestamp;
        bytes memory signature = _signed(key, _delegation(wallet, lender, 0, deadline));
        market.setDelegateWithSignature(wallet, lender, true, deadline, signature);
        assertTrue(market.isDelegate(wallet, lender), "let in");
    }

    function test_TheGuardianStopsWhatComesInOnly() external {
        _borrow(100e18);
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.NotGuardian.selector, lender));
        vm.prank(lender);
        market.setStopped(true);
        market.setStopped(true);
        vm.expectRevert(ILendingMarket.Stopped.selector);
        vm.prank(lender);
        market.supply(1, lender);
        vm.expectRevert(ILendingMarket.Stopped.selector);
        _borrow(1);
        vm.prank(lender);
        market.withdraw(900e18, lender, lender);
        vm.prank(borrower);
        market.repay(type(uint256).max, borrower);
        vm.prank(borrower);
        market.withdrawCollateral(1000e18, borrower, borrower);
        market.setStopped(false);
        vm.prank(lender);
        market.supply(1, lender);
    }

    // Liquidation

    function test_RevertWhen_ALoanIsHealthy() external {
        _borrow(800e18);
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.Healthy.selector, borrower, 800e18, 800e18));
        vm.prank(liquidator);
        market.liquidate(borrower, 1);
    }

    function test_TheBonusGrowsWithTheExcess() external {
        _borrow(800e18);
        vm.assertEq(market.liquidationPrice(borrower), ONE, "at the limit");
        vm.assertEq(market.liquidationPrice(lender), 0, "no debt");
        feed.set(ONE * 100 / 101);
        vm.prank(liquidator);
        (uint256 repaid, uint256 seized) = market.liquidate(borrower, 100e18);
        vm.assertEq(repaid, 100e18, "repaid");
        // One in a hundred beyond the limit is a bonus of one in a hundred, at a price of 1 / 1.01.
        vm.assertApproxEqAbs(seized, 102.01e18, 1e15, "little");
        feed.set(ONE * 85 / 100);
        vm.prank(liquidator);
        (repaid, seized) = market.liquidate(borrower, 100e18);
        assertTrue(seized > 102.01e18 * 115 / 100, "more");
        _assertSolvent();
    }

    /// @dev However far the price falls, what a liquidation pays is worth less than what it takes, by the bonus.
    function testFuzz_ALiquidationGivesNoMoreThanTheBonus(uint256 price, uint256 amount) external {
        _borrow(800e18);
        price = bound(price, ONE / 1e6, ONE - 1e18);
        amount = bound(amount, 1, 1000e18);
        feed.set(price);
        vm.prank(liquidator);
        (uint256 repaid, uint256 seized) = market.liquidate(borrower, amount);
        assertTrue(repaid <= amount, "no more than offered");
        assertTrue(seized * price / ONE <= repaid * 115 / 100 + 1, "no more than the bonus");
        vm.assertEq(market.collateralOf(borrower), 1000e18 - seized, "the rest stays");
        _assertSolvent();
    }

    /// @dev While a loan is covered by a hundredth more than it is, no liquidation takes so much that the rest is not, or is less so.
    function testFuzz_ALiquidationNeverUncoversALoan(uint256 borrowed, uint256 price, uint256 amount) external {
        borrowed = bound(borrowed, 1e18, 800e18);
        _borrow(borrowed);
        price = bound(price, borrowed * ONE * 1011 / 1_000_000e18, ONE * 99 * borrowed / 80_000e18);
        feed.set(price);
        vm.prank(liquidator);
        market.liquidate(borrower, bound(amount, 1, borrowed));
        uint256 debt = market.debtOf(borrower);
        uint256 left = market.collateralOf(borrower);
        // Collateral for a unit of debt, left / debt, is no less than it was, but for a unit of rounding each; one of debt
        // is ONE / price of collateral.
        assertTrue((left + 2 + 2 * ONE / price) * borrowed >= debt * 1000e18, "no worse");
        assertTrue((left * price / ONE) + 2 >= debt, "covered still");
        _assertSolvent();
    }

    /// @dev A debt that its collateral does not cover pays a hundredth to whoever ends it.
    function test_ABadDebtPaysTheLeastBonus() external {
        _borrow(800e18);
        feed.set(ONE / 2);
        vm.prank(liquidator);
        (uint256 repaid, uint256 seized) = market.liquidate(borrower, 101e18);
        vm.assertEq(repaid, 101e18, "repaid");
        vm.assertApproxEqAbs(seized, 204.02e18, 1e6, "and a hundredth");
    }

    function test_TheWorthlessAreLiquidatedForNothing() external {
        _borrow(800e18);
        feed.set(1);
        vm.prank(liquidator);
        (uint256 repaid,) = market.liquidate(borrower, 1);
        vm.assertEq(repaid, 1, "one unit");
        vm.assertEq(market.debtOf(borrower), 0, "nothing owed");
        _assertSolvent();
    }

    /// @dev After a loss of everything indexes would count too coarsely, and newcomers would share what the old lost.
    function test_RevertWhen_LendersHaveLostEverything() external {
        _borrow(800e18);
        vm.prank(lender);
        market.withdraw(200e18, lender, lender);
        feed.set(1);
        vm.prank(liquidator);
        market.liquidate(borrower, 1);
        vm.expectRevert(ILendingMarket.Ruined.selector);
        vm.prank(liquidator);
        market.supply(1e18, liquidator);
        vm.assertEq(market.supplyOf(lender), 1, "all is lost but what the liquidator paid");
        _assertSolvent();
    }

    function test_BadDebtIsTheReservesFirstAndThenTheLenders() external {
        _borrow(800e18);
        _pass(365 days);
        feed.set(ONE / 2);
        market.accrue();
        uint256 supplied = market.supplyOf(lender);
        uint256 reserve = market.reserve();
        uint256 debt = market.debtOf(borrower);
        vm.prank(liquidator);
        (uint256 repaid, uint256 seized) = market.liquidate(borrower, type(uint256).max);
        vm.assertEq(seized, 1000e18, "all collateral");
        vm.assertEq(market.debtOf(borrower), 0, "nothing is owed any more");
        vm.assertEq(market.reserve(), 0, "the reserve bears");
        vm.assertApproxEqAbs(
            market.supplyOf(lender), supplied - (debt - repaid - reserve), 1e4, "and the lenders the rest"
        );
        _assertSolvent();
        uint256 all = market.supplyOf(lender);
        vm.prank(lender);
        market.withdraw(all, lender, lender);
    }

    function test_ACascadeLeavesTheMarketSolvent() external {
        address[5] memory borrowers;
        for (uint256 i = 0; i < 5; i++) {
            borrowers[i] = address(uint160(i + 200));
            _fund(borrowers[i]);
            vm.startPrank(borrowers[i]);
            market.supplyCollateral(100e18, borrowers[i]);
            market.borrow((60 + 5 * i) * 1e18, borrowers[i], borrowers[i]);
            vm.stopPrank();
        }
        for (uint256 price = 95; price >= 40; price -= 5) {
            feed.set(ONE * price / 100);
            for (uint256 i = 0; i < 5; i++) {
                vm.prank(liquidator);
                try market.liquidate(borrowers[i], 25e18) {} catch {}
                _assertSolvent();
            }
        }
        for (uint256 i = 0; i < 5; i++) {
            (uint256 debt, uint256 left) = (market.debtOf(borrowers[i]), market.collateralOf(borrowers[i]));
            assertTrue(debt == 0 || left > 0, "no debt without collateral");
        }
    }

    function test_ABankRunLeavesWhatIsLent() external {
        _borrow(800e18);
        vm.startPrank(lender);
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.InsufficientCash.selector, 200e18, 1000e18));
        market.withdraw(1000e18, lender, lender);
        market.withdraw(200e18, lender, lender);
        vm.stopPrank();
        // What is lent now costs the most, and lenders earn it.
        _pass(30 days);
        vm.prank(borrower);
        market.repay(type(uint256).max, borrower);
        vm.prank(lender);
        assertTrue(market.withdraw(type(uint256).max, lender, lender) > 850e18, "paid for waiting");
    }

    function test_AStuckOracleLetsPeopleLeave() external {
        _borrow(400e18);
        (, uint256 updatedAt) = feed.latestPrice();
        vm.warp(block.timestamp + 1 hours + 1);
        bytes memory stale = abi.encodeWithSelector(ILendingMarket.StalePrice.selector, updatedAt);
        vm.expectRevert(stale);
        _borrow(1);
        vm.expectRevert(stale);
        vm.prank(borrower);
        market.withdrawCollateral(1, borrower, borrower);
        vm.expectRevert(stale);
        market.liquidate(borrower, 1);
        vm.prank(lender);
        market.withdraw(600e18, lender, lender);
        vm.prank(borrower);
        market.repay(type(uint256).max, borrower);
        vm.prank(borrower);
        market.withdrawCollateral(1000e18, borrower, borrower);
    }

    /// @dev Gifts are nobody's: indexes do not move, and a first deposit cannot be made worthless.
    function testFuzz_GiftsChangeNothing(uint256 gift) external {
        gift = bound(gift, 1, 1e35);
        LendingMarket fresh = _market(8000, 0, CAP, CAP);
        vm.startPrank(liquidator);
        loan.approve(address(fresh), type(uint256).max);
        fresh.supply(1, liquidator);
        loan.transfer(address(fresh), gift);
        vm.stopPrank();
        vm.startPrank(lender);
        loan.approve(address(fresh), type(uint256).max);
        fresh.supply(1e18, lender);
        vm.assertEq(fresh.supplyOf(lender), 1e18, "all of it");
        vm.assertEq(fresh.supplyOf(liquidator), 1, "and no more");
    }

    /// @dev The reserve is a lender like others: whoever supplies a unit beside it earns a unit's interest, and cannot make a
    /// unit so dear that others lose by rounding.
    function test_AUnitBesideTheReserveStaysAUnit() external {
        _borrow(800e18);
        _pass(3650 days);
        vm.prank(borrower);
        market.repay(type(uint256).max, borrower);
        vm.prank(lender);
        market.withdraw(type(uint256).max, lender, lender);
        uint256 reserve = market.reserve();
        assertTrue(reserve > 1e18, "the reserve has something to lend");
        vm.startPrank(liquidator);
        market.supply(2, liquidator);
        market.supplyCollateral(1000e18, liquidator);
        uint256 dust = market.cash() - market.reserve();
        market.borrow(market.cash(), liquidator, liquidator);
        vm.stopPrank();
        uint256 before = market.supplyIndex();
        _pass(365 days);
        market.accrue();
        assertTrue(market.supplyIndex() <= before * 3, "no more than the highest rate");
        vm.prank(lender);
        market.supply(1e18, lender);
        vm.assertApproxEqAbs(market.supplyOf(lender), 1e18, 10, "nobody loses a deposit");
        assertTrue(dust < 1e6, "what rounding left is little");
        _assertSolvent();
    }

    // Loans within a transaction

    function test_LendsItsCashWithinATransaction() external {
        Borrower flash = new Borrower(market, loan, true);
        vm.assertEq(market.maxFlashLoan(address(loan)), 1000e18, "most");
        vm.assertEq(market.maxFlashLoan(address(collateral)), 0, "no collateral");
        vm.assertEq(market.flashFee(address(loan), 1), 0, "free");
        market.flashLoan(flash, address(loan), 1000e18, "");
        vm.assertEq(loan.balanceOf(address(market)), 1000e18, "all back");
        _assertSolvent();
    }

    function test_RevertWhen_AFlashLoanIsRefused() external {
        Borrower flash = new Borrower(market, loan, false);
        bytes memory notLent = abi.encodeWithSelector(ILendingMarket.TokenNotLent.selector, collateral);
        vm.expectRevert(notLent);
        market.flashLoan(flash, address(collateral), 1, "");
        vm.expectRevert(notLent);
        market.flashFee(address(collateral), 1);
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.InsufficientCash.selector, 1000e18, 1000e18 + 1));
        market.flashLoan(flash, address(loan), 1000e18 + 1, "");
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.LoanRefused.selector, flash));
        market.flashLoan(flash, address(loan), 1, "");
    }

    /// @dev What was borrowed for a transaction, supplied within it, still has to come back.
    function test_SuppliedLoansGainNothing() external {
        Borrower flash = new Borrower(market, loan, true);
        flash.supplyWhatComes();
        loan.mint(address(flash), 1000e18);
        market.flashLoan(flash, address(loan), 1000e18, "");
        vm.assertEq(loan.balanceOf(address(market)), 2000e18, "paid for");
        vm.assertEq(market.cash(), 2000e18, "and counted");
        _assertSolvent();
    }

    // The feed

    function test_AReportStaysWithinBounds() external {
        feed.report(ONE * 3 / 2);
        (uint256 price, uint256 at) = feed.latestPrice();
        vm.assertEq(price, ONE * 3 / 2, "price");
        vm.assertEq(at, block.timestamp, "at");
        vm.expectRevert(abi.encodeWithSelector(PriceFeed.DeviationTooLarge.selector, price, ONE / 2));
        feed.report(ONE / 2);
        feed.set(ONE / 2);
        vm.expectRevert(PriceFeed.ZeroPrice.selector);
        feed.set(0);
        feed.setReporter(lender);
        vm.assertEq(feed.reporter(), lender, "reporter");
        vm.expectRevert(abi.encodeWithSelector(PriceFeed.NotReporter.selector, address(this)));
        feed.report(ONE / 2);
        vm.startPrank(lender);
        feed.report(ONE / 2 + 1);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, lender));
        feed.set(1);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, lender));
        feed.setReporter(lender);
    }
}

/// @dev Borrows within a transaction, and answers or does not.
contract Borrower is IERC3156FlashBorrower {
    LendingMarket private immutable market;
    bool private immutable answers;
    bool private supplies;

    constructor(LendingMarket market_, FreeToken loan, bool answers_) {
        market = market_;
        answers = answers_;
        loan.approve(address(market_), type(uint256).max);
    }

    function supplyWhatComes() external {
        supplies = true;
    }

    function onFlashLoan(address, address, uint256 amount, uint256, bytes calldata) external returns (bytes32) {
        if (supplies) market.supply(amount, address(this));
        return answers ? keccak256("ERC3156FlashBorrower.onFlashLoan") : bytes32(0);
    }
}

/// @dev Four accounts that lend, borrow, repay and liquidate while time and price move.
contract LendingHandler is LendingSuite {
    address[4] public accounts = [address(101), address(102), address(103), address(104)];
    uint256 public clock = 1_000_000;
    uint256 public price = ONE;
    uint256 public lastBorrowIndex = RAY;

    constructor() {
        for (uint256 i = 0; i < 4; i++) {
            _fund(accounts[i]);
        }
    }

    modifier watched() {
        vm.warp(clock);
        feed.set(price);
        _;
        assertTrue(market.borrowIndex() >= lastBorrowIndex, "never falls");
        lastBorrowIndex = market.borrowIndex();
        check();
    }

    function pass(uint256 elapsed) external {
        clock += bound(elapsed, 1, 60 days);
    }

    function move(uint256 to) external {
        price = bound(to, ONE / 10, ONE * 10);
    }

    function supply(uint256 who, uint256 amount) external watched {
        vm.prank(accounts[who % 4]);
        market.supply(bound(amount, 1e6, 1e24), accounts[who % 4]);
    }

    function withdraw(uint256 who, uint256 amount) external watched {
        market.accrue();
        address lender = accounts[who % 4];
        uint256 held = market.supplyOf(lender);
        uint256 cash = market.cash();
        amount = bound(amount, 0, held < cash ? held : cash);
        if (amount == 0) return;
        vm.prank(lender);
        market.withdraw(amount, lender, lender);
    }

    function borrow(uint256 who, uint256 put, uint256 amount) external watched {
        address borrower = accounts[who % 4];
        vm.startPrank(borrower);
        market.supplyCollateral(bound(put, 1, 1e24), borrower);
        try market.borrow(bound(amount, 1, 1e24), borrower, borrower) {}
        catch (bytes memory reason) {
            bytes4 kind = bytes4(reason);
            assertTrue(
                kind == ILendingMarket.Unhealthy.selector || kind == ILendingMarket.InsufficientCash.selector,
                "only beyond limit or cash"
            );
        }
        vm.stopPrank();
    }

    function repay(uint256 who, uint256 amount) external watched {
        address borrower = accounts[who % 4];
        if (market.debtOf(borrower) == 0) return;
        vm.prank(borrower);
        market.repay(bound(amount, 1, 1e25), borrower);
    }

    function takeCollateral(uint256 who, uint256 amount) external watched {
        address borrower = accounts[who % 4];
        amount = bound(amount, 0, market.collateralOf(borrower));
        if (amount == 0) return;
        vm.prank(borrower);
        try market.withdrawCollateral(amount, borrower, borrower) {}
        catch (bytes memory reason) {
            assertTrue(bytes4(reason) == ILendingMarket.Unhealthy.selector, "only beyond the limit");
        }
    }

    function liquidate(uint256 who, uint256 amount) external watched {
        vm.prank(accounts[(who % 4 + 1) % 4]);
        try market.liquidate(accounts[who % 4], bound(amount, 1, 1e25)) {}
        catch (bytes memory reason) {
            assertTrue(bytes4(reason) == ILendingMarket.Healthy.selector, "only the healthy");
        }
    }

    function takeReserve(uint256 amount) external watched {
        market.accrue();
        uint256 reserve = market.reserve();
        uint256 cash = market.cash();
        market.withdrawReserve(bound(amount, 0, reserve < cash ? reserve : cash), address(this));
    }

    function check() public view {
        _assertSolvent();
        uint256 put;
        uint256 scaledSupply = market.scaledReserve();
        uint256 scaledDebt;
        for (uint256 i = 0; i < 4; i++) {
            put += market.collateralOf(accounts[i]);
            scaledSupply += market.scaledSupplyOf(accounts[i]);
            scaledDebt += market.scaledDebtOf(accounts[i]);
        }
        vm.assertEq(collateral.balanceOf(address(market)), put, "collateral");
        vm.assertEq(scaledSupply, market.scaledSupply(), "supply");
        vm.assertEq(scaledDebt, market.scaledDebt(), "debt");
    }
}

contract LendingInvariants is Suite {
    LendingHandler handler;

    function setUp() public {
        handler = new LendingHandler();
        target(address(handler));
    }

    function invariant_TheMarketIsSolvent() external view {
        handler.check();
    }
}
