// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {LendingSuite} from "./LendingMarket.t.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {IERC20Errors} from "@openzeppelin/interfaces/draft-IERC6093.sol";
import {CuratedVault} from "src/lending/CuratedVault.sol";
import {ICuratedVault} from "src/lending/ICuratedVault.sol";
import {ILendingMarket} from "src/lending/ILendingMarket.sol";
import {LendingMarket} from "src/lending/LendingMarket.sol";
import {IndexedVault} from "src/tokens/IndexedVault.sol";

/// @dev A vault over two markets, with caps in force.
abstract contract VaultSuite is LendingSuite {
    LendingMarket other = _market(8000, 1000, CAP, CAP);
    CuratedVault vault = new CuratedVault(loan, "Curated", "CUR", address(this), 1 days);

    function _list() internal {
        vault.submitCap(market, 1e24);
        vault.submitCap(other, 1e24);
        vm.warp(block.timestamp + 1 days);
        vault.acceptCap(market);
        vault.acceptCap(other);
        feed.set(ONE);
    }

    function _open(address who) internal {
        _fund(who);
        vm.startPrank(who);
        loan.approve(address(vault), type(uint256).max);
        loan.approve(address(other), type(uint256).max);
        collateral.approve(address(other), type(uint256).max);
        vm.stopPrank();
    }

    /// @dev What shares are worth is there, in the vault and in its name in the markets.
    function _assertCovered(address[4] memory holders) internal view {
        uint256 promised;
        for (uint256 i = 0; i < holders.length; i++) {
            promised += vault.convertToAssets(vault.balanceOf(holders[i]));
        }
        assertTrue(promised <= vault.totalAssets(), "covered");
        assertTrue(loan.balanceOf(address(vault)) >= vault.idle(), "idle");
        assertTrue(vault.scaledIn(market) <= market.scaledSupplyOf(address(vault)), "in the first");
        assertTrue(vault.scaledIn(other) <= other.scaledSupplyOf(address(vault)), "in the other");
    }
}

contract CuratedVaultTest is VaultSuite {
    address alice = account("alice");
    address bob = account("bob");
    address borrower = account("borrower");
    address[4] holders = [alice, bob, borrower, address(this)];

    function setUp() public {
        vm.warp(1_000_000);
        _list();
        _open(alice);
        _open(bob);
        _open(borrower);
        vm.startPrank(borrower);
        market.supplyCollateral(1e24, borrower);
        other.supplyCollateral(1e24, borrower);
        vm.stopPrank();
    }

    function _deposit(address who, uint256 amount) private returns (uint256 shares) {
        vm.prank(who);
        shares = vault.deposit(amount, who);
    }

    function _pass(uint256 elapsed) private {
        vm.warp(block.timestamp + elapsed);
        feed.set(ONE);
    }

    /// @dev A year at the kink in both markets: two in a hundred, less the reserve's tenth.
    function _earn() private {
        _deposit(alice, 2000e18);
        vault.allocate(market, 1000e18);
        vault.allocate(other, 1000e18);
        vm.startPrank(borrower);
        market.borrow(800e18, borrower, borrower);
        other.borrow(800e18, borrower, borrower);
        vm.stopPrank();
        _pass(365 days);
    }

    // Shares

    function test_AShareIsAMillionthOfAUnitAtFirst() external {
        vm.assertEq(vault.asset(), address(loan), "asset");
        vm.assertEq(vault.decimals(), 24, "decimals");
        vm.assertEq(_deposit(alice, 5), 5e6, "shares");
        vm.assertEq(vault.totalAssets(), 5, "assets");
        vm.assertEq(vault.idle(), 5, "idle");
        vm.assertEq(vault.maxDeposit(alice), type(uint256).max, "no bound");
        vm.assertEq(vault.maxMint(alice), type(uint256).max, "no bound");
    }

    function test_InterestGoesToShares() external {
        _earn();
        vm.assertApproxEqAbs(vault.totalAssets(), 2028.8e18, 1e12, "1.44 in a hundred on all");
        vm.assertApproxEqAbs(vault.convertToAssets(vault.balanceOf(alice)), 2028.8e18, 1e12, "alice's");
        _deposit(bob, 1000e18);
        vm.assertApproxEqAbs(vault.convertToAssets(vault.balanceOf(bob)), 1000e18, 1, "bob has what he brought");
        _assertCovered(holders);
    }

    /// @dev Everybody after the first of a block meets the same index.
    function test_TheIndexMovesOnceABlock() external {
        _earn();
        vault.accrue();
        uint256 index = vault.index();
        _deposit(bob, 7e18);
        vm.prank(alice);
        vault.redeem(1e24, alice, alice);
        vault.accrue();
        vm.assertEq(vault.index(), index, "once");
    }

    function testFuzz_PreviewsAreWhatHappens(uint256 amount, uint256 which) external {
        _earn();
        amount = bound(amount, 1e6, 1e20);
        which = bound(which, 0, 3);
        vm.startPrank(alice);
        if (which == 0) vm.assertEq(vault.previewDeposit(amount), vault.deposit(amount, bob), "deposit");
        if (which == 1) vm.assertEq(vault.previewMint(amount), vault.mint(amount, bob), "mint");
        if (which == 2) vm.assertEq(vault.previewWithdraw(amount), vault.withdraw(amount, bob, alice), "withdraw");
        if (which == 3) vm.assertEq(vault.previewRedeem(amount), vault.redeem(amount, bob, alice), "redeem");
        vm.stopPrank();
        _assertCovered(holders);
    }

    function testFuzz_NothingIsGainedByComingAndGoing(uint256 amount, uint256 shares) external {
        _earn();
        amount = bound(amount, 2, 1e30);
        uint256 got = _deposit(bob, amount);
        vm.prank(bob);
        assertTrue(vault.redeem(got, bob, bob) <= amount, "deposit and redeem");
        shares = bound(shares, 1, 1e36);
        vm.prank(bob);
        uint256 paid = vault.mint(shares, bob);
        assertTrue(vault.convertToAssets(shares) <= paid, "mint");
        uint256 worth = vault.convertToAssets(shares);
        if (worth != 0) {
            vm.prank(bob);
            assertTrue(vault.withdraw(worth, bob, bob) <= shares, "withdraw");
        }
        _assertCovered(holders);
    }

    function test_RevertWhen_NothingIsGiven() external {
        bytes4 nothing = IndexedVault.NothingGiven.selector;
        vm.startPrank(alice);
        vm.expectRevert(nothing);
        vault.deposit(0, alice);
        vm.expectRevert(nothing);
        vault.mint(0, alice);
        vm.expectRevert(nothing);
        vault.withdraw(0, alice, alice);
        vm.expectRevert(nothing);
        vault.redeem(0, alice, alice);
    }

    function test_RevertWhen_SharesAreMissing() external {
        _deposit(alice, 10);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, 10e6, 11e6));
        vm.prank(alice);
        vault.redeem(11e6, alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, bob, 0, 1e6));
        vm.prank(bob);
        vault.redeem(1e6, bob, alice);
        vm.prank(alice);
        vault.approve(bob, 1e6);
        vm.prank(bob);
        vm.assertEq(vault.redeem(1e6, bob, alice), 1, "allowed");
    }

    // Withdrawals beyond what is idle

    function test_TheMarketsAreAskedInTheOrderOfTheQueue() external {
        _deposit(alice, 300);
        vault.allocate(market, 100);
        vault.allocate(other, 100);
        vm.prank(alice);
        vault.withdraw(150, alice, alice);
        vm.assertEq(vault.scaledIn(market), 50, "the first gives");
        vm.assertEq(vault.scaledIn(other), 100, "the other does not yet");
        LendingMarket[] memory order = new LendingMarket[](2);
        (order[0], order[1]) = (other, market);
        vault.setQueue(order);
        vm.prank(alice);
        vault.withdraw(120, alice, alice);
        vm.assertEq(vault.scaledIn(other), 0, "now the other");
        vm.assertEq(vault.scaledIn(market), 30, "and what is missing");
    }

    function test_ARunIsPaidWhatIsNotLent() external {
        _earn();
        uint256 most = vault.maxWithdraw(alice);
        vm.assertApproxEqAbs(most, 400e18, 2, "what is not lent");
        uint256 all = vault.balanceOf(alice);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICuratedVault.InsufficientLiquidity.selector, vault.convertToAssets(all) - vault.liquidity()
            )
        );
        vm.prank(alice);
        vault.redeem(all, alice, alice);
        uint256 shares = vault.maxRedeem(alice);
        assertTrue(shares < all, "not all");
        vm.prank(alice);
        vault.redeem(shares, alice, alice);
        assertTrue(vault.maxWithdraw(alice) <= 2, "no more for now, but for what rounding left");
        vm.startPrank(borrower);
        market.repay(type(uint256).max, borrower);
        other.repay(type(uint256).max, borrower);
        vm.stopPrank();
        vm.assertEq(vault.maxRedeem(alice), vault.balanceOf(alice), "all again");
        uint256 left = vault.balanceOf(alice);
        vm.prank(alice);
        vault.redeem(left, alice, alice);
        assertTrue(vault.totalAssets() < 10, "nothing but what rounding left");
    }

    // Losses

    function test_ALossIsEverybodys() external {
        _earn();
        _deposit(bob, 2000e18);
        feed.set(ONE / 10_000);
        // All collateral of the loan in one market is worth a hundred.
        vm.prank(bob);
        market.liquidate(borrower, type(uint256).max);
        vm.warp(block.timestamp + 1);
        uint256 worth = vault.convertToAssets(vault.balanceOf(alice));
        assertTrue(worth < 2028e18 && worth > 1600e18, "alice bears a part");
        uint256 index = vault.index();
        vault.accrue();
        assertTrue(vault.index() < index, "the index falls");
        _assertCovered(holders);
    }

    function test_RevertWhen_EverythingIsLost() external {
        _deposit(alice, 1e24);
        vault.allocate(market, 1e24);
        vault.submitAbandon(market);
        vm.warp(block.timestamp + 1 days);
        vault.abandon(market);
        vm.assertEq(vault.totalAssets(), 0, "nothing");
        vm.warp(block.timestamp + 1);
        vm.assertEq(vault.maxDeposit(bob) + vault.maxMint(bob), 0, "no more deposits");
        vm.expectRevert(IndexedVault.Ruined.selector);
        _deposit(bob, 1e18);
        vm.expectRevert(IndexedVault.Ruined.selector);
        vm.prank(bob);
        vault.mint(1e18, bob);
    }

    // Attacks

    /// @dev Gifts to the vault, and supply in its name, are not its own: a share cannot be made dear by them.
    function testFuzz_GiftsChangeNothing(uint256 gift) external {
        gift = bound(gift, 1, 1e24);
        _deposit(bob, 1);
        vm.startPrank(bob);
        loan.transfer(address(vault), gift);
        market.supply(gift, address(vault));
        vm.stopPrank();
        vm.warp(block.timestamp + 1);
        _deposit(alice, 1e18);
        vm.assertEq(vault.convertToAssets(vault.balanceOf(alice)), 1e18, "alice has hers");
        vm.assertEq(vault.totalAssets(), 1e18 + 1, "and no more");
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.InsufficientInMarket.selector, market, 0, gift));
        vault.deallocate(market, gift);
    }

    /// @dev The attack by rounding: deposits that are cut raise what the attacker's own shares are worth. Every block it may
    /// grow; what it does to others stays a millionth of it.
    function test_SharesCannotBeMadeDearByRounding() external {
        _deposit(bob, 1);
        for (uint256 i = 0; i < 50; i++) {
            vm.warp(block.timestamp + 1);
            uint256 price = vault.convertToAssets(1e6) + 1;
            vm.startPrank(bob);
            vault.deposit(2 * price - 1, bob);
            vault.withdraw(price, bob, bob);
            vm.stopPrank();
        }
        vm.warp(block.timestamp + 1);
        _deposit(alice, 1e12);
        vm.assertApproxEqAbs(vault.convertToAssets(vault.balanceOf(alice)), 1e12, 1, "alice has hers");
    }

    // Fee

    function test_TheFeeIsOnGainsBeyondTheHighest() external {
        vault.setFee(1000, bob);
        _earn();
        vault.accrue();
        vm.assertApproxEqAbs(vault.convertToAssets(vault.balanceOf(bob)), 2.88e18, 1e12, "a tenth of the gain");
        vm.assertApproxEqAbs(vault.convertToAssets(vault.balanceOf(alice)), 2025.92e18, 1e12, "the rest");
        uint256 shares = vault.balanceOf(bob);
        vm.warp(block.timestamp + 1);
        feed.set(ONE / 10_000);
        vm.prank(bob);
        market.liquidate(borrower, type(uint256).max);
        _pass(365 days);
        vault.accrue();
        vm.assertEq(vault.balanceOf(bob), shares, "nothing while the loss is not made good");
        _assertCovered(holders);
    }

    function test_RevertWhen_TheFeeMakesNoSense() external {
        vm.expectRevert(abi.encodeWithSelector(IndexedVault.InvalidFee.selector, 5001, bob));
        vault.setFee(5001, bob);
        vm.expectRevert(abi.encodeWithSelector(IndexedVault.InvalidFee.selector, 1, address(0)));
        vault.setFee(1, address(0));
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, bob));
        vm.prank(bob);
        vault.setFee(1, bob);
    }

    // Curation

    function test_RevertWhen_AllocationsBreakTheRules() external {
        _deposit(alice, 2e24);
        bytes memory notAllocator = abi.encodeWithSelector(ICuratedVault.NotAllocator.selector, alice);
        vm.startPrank(alice);
        vm.expectRevert(notAllocator);
        vault.allocate(market, 1);
        vm.expectRevert(notAllocator);
        vault.deallocate(market, 1);
        vm.expectRevert(notAllocator);
        vault.setQueue(new LendingMarket[](0));
        vm.stopPrank();
        LendingMarket unknown = _market(8000, 0, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.UnknownMarket.selector, unknown));
        vault.allocate(unknown, 1);
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.CapExceeded.selector, market, 1e24));
        vault.allocate(market, 1e24 + 1);
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.InsufficientIdle.selector, 2e24, 2e24 + 1));
        vault.allocate(market, 2e24 + 1);
        vault.setAllocator(alice);
        vm.startPrank(alice);
        vault.allocate(market, 1e24);
        vault.deallocate(market, 1e24);
        vm.assertEq(vault.idle(), 2e24, "and back");
    }

    function test_MoreRiskWaitsAndLessDoesNot() external {
        vault.submitCap(market, 2e24);
        vm.assertEq(vault.capOf(market), 1e24, "not yet");
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.NotYet.selector, block.timestamp + 1 days));
        vault.acceptCap(market);
        vault.setGuardian(bob);
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.NotGuardian.selector, alice));
        vm.prank(alice);
        vault.revokeCap(market);
        vm.startPrank(bob);
        vault.revokeCap(market);
        bytes memory nothing = abi.encodeWithSelector(ICuratedVault.NothingPending.selector, market);
        vm.expectRevert(nothing);
        vault.revokeCap(market);
        vm.stopPrank();
        vm.expectRevert(nothing);
        vault.acceptCap(market);
        vault.submitCap(market, 5);
        vm.assertEq(vault.capOf(market), 5, "at once");
    }

    function test_MarketsComeAndGo() external {
        LendingMarket foreign = _foreign();
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.WrongToken.selector, foreign));
        vault.submitCap(foreign, 1);
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.MarketInUse.selector, market));
        vault.removeMarket(market);
        vault.submitCap(market, 0);
        vault.removeMarket(market);
        vm.assertEq(vault.queue().length, 1, "one left");
        vm.assertEq(address(vault.queue()[0]), address(other), "the other");
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.UnknownMarket.selector, market));
        vault.removeMarket(market);
        for (uint256 i = 0; i < 8; i++) {
            LendingMarket more = _market(8000, 0, 1, 1);
            vault.submitCap(more, 1);
            vm.warp(block.timestamp + 1 days);
            if (i == 7) vm.expectRevert(ICuratedVault.TooManyMarkets.selector);
            vault.acceptCap(more);
        }
    }

    function _foreign() private returns (LendingMarket made) {
        FreeToken before = loan;
        loan = new FreeToken("OTHER");
        made = _market(8000, 0, 1, 1);
        loan = before;
    }

    function test_RevertWhen_AQueueIsNoOrder() external {
        LendingMarket[] memory order = new LendingMarket[](1);
        order[0] = market;
        vm.expectRevert(ICuratedVault.InvalidQueue.selector);
        vault.setQueue(order);
        order = new LendingMarket[](2);
        (order[0], order[1]) = (market, market);
        vm.expectRevert(ICuratedVault.InvalidQueue.selector);
        vault.setQueue(order);
        order[1] = _market(8000, 0, 1, 1);
        vm.expectRevert(ICuratedVault.InvalidQueue.selector);
        vault.setQueue(order);
    }

    function test_WritingOffWaitsAndCanBeStopped() external {
        _deposit(alice, 100);
        vault.allocate(market, 40);
        LendingMarket unknown = _market(8000, 0, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.UnknownMarket.selector, unknown));
        vault.submitAbandon(unknown);
        vault.submitAbandon(market);
        vm.assertEq(vault.capOf(market), 0, "no more goes in");
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.NotYet.selector, block.timestamp + 1 days));
        vault.abandon(market);
        vault.revokeAbandon(market);
        bytes memory nothing = abi.encodeWithSelector(ICuratedVault.NothingPending.selector, market);
        vm.expectRevert(nothing);
        vault.revokeAbandon(market);
        vm.expectRevert(nothing);
        vault.abandon(market);
        vault.submitAbandon(market);
        vm.warp(block.timestamp + 1 days);
        vault.abandon(market);
        vm.assertEq(vault.totalAssets(), 60, "the rest");
        vm.assertEq(vault.queue().length, 1, "off the list");
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.NotGuardian.selector, bob));
        vm.prank(bob);
        vault.revokeAbandon(other);
    }

    function test_RevertWhen_OthersCurate() external {
        vm.startPrank(alice);
        bytes memory refused = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, alice);
        vm.expectRevert(refused);
        vault.submitCap(market, 0);
        vm.expectRevert(refused);
        vault.setAllocator(alice);
        vm.expectRevert(refused);
        vault.setGuardian(alice);
        vm.expectRevert(refused);
        vault.removeMarket(market);
        vm.expectRevert(refused);
        vault.submitAbandon(market);
        vm.expectRevert(refused);
        vault.abandon(market);
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.InvalidDelay.selector, 1 days - 1));
        new CuratedVault(loan, "", "", alice, 1 days - 1);
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.InvalidDelay.selector, 14 days + 1));
        new CuratedVault(loan, "", "", alice, 14 days + 1);
    }
}

/// @dev Depositors, an allocator and borrowers at random, with losses.
contract CuratedVaultHandler is VaultSuite {
    address[4] public accounts = [address(201), address(202), address(203), address(204)];
    uint256 public clock = 1_000_000;

    constructor() {
        vm.warp(clock);
        _list();
        clock = block.timestamp;
        vault.setFee(1000, accounts[3]);
        for (uint256 i = 0; i < 4; i++) {
            _open(accounts[i]);
        }
    }

    /// @dev Within a block the index stands, but for a unit that a move out of a market may cost.
    modifier watched() {
        vm.warp(clock);
        feed.set(ONE);
        vault.accrue();
        uint256 index = vault.index();
        _;
        uint256 unit = 2 * RAY / (vault.totalSupply() + 1e6) + 1;
        assertTrue(vault.index() + 2 * unit >= index, "nobody else loses");
        _assertCovered(accounts);
    }

    function pass(uint256 elapsed) external {
        clock += bound(elapsed, 1, 30 days);
    }

    function deposit(uint256 who, uint256 amount) external watched {
        vm.prank(accounts[who % 3]);
        vault.deposit(bound(amount, 1e6, 1e22), accounts[who % 3]);
    }

    function mint(uint256 who, uint256 shares) external watched {
        vm.prank(accounts[who % 3]);
        vault.mint(bound(shares, 1, 1e28), accounts[who % 3]);
    }

    function withdraw(uint256 who, uint256 amount) external watched {
        address holder = accounts[who % 4];
        amount = bound(amount, 0, vault.maxWithdraw(holder));
        if (amount == 0) return;
        vm.prank(holder);
        vault.withdraw(amount, holder, holder);
    }

    function redeem(uint256 who, uint256 shares) external watched {
        address holder = accounts[who % 4];
        shares = bound(shares, 0, vault.maxRedeem(holder));
        if (vault.convertToAssets(shares) == 0) return;
        vm.prank(holder);
        vault.redeem(shares, holder, holder);
    }

    function allocate(bool first, uint256 amount) external watched {
        LendingMarket to = first ? market : other;
        // A unit may be worth less than one of the index that the market will have.
        to.accrue();
        uint256 room = vault.capOf(to) - vault.scaledIn(to) * to.supplyIndex() / RAY;
        uint256 idle = vault.idle();
        amount = bound(amount, 0, room < idle ? room : idle);
        if (amount * RAY / to.supplyIndex() == 0) return;
        try vault.allocate(to, amount) {}
        catch (bytes memory reason) {
            // A market whose lenders have lost nearly all takes nothing more.
            bool isRuined = bytes4(reason) == ILendingMarket.Ruined.selector && to.supplyIndex() < RAY / 1e6;
            assertTrue(isRuined || bytes4(reason) == ICuratedVault.CapExceeded.selector, "only beyond the cap");
        }
    }

    function deallocate(bool first, uint256 amount) external watched {
        LendingMarket from = first ? market : other;
        from.accrue();
        uint256 worth = vault.scaledIn(from) * from.supplyIndex() / RAY;
        uint256 cash = from.cash();
        amount = bound(amount, 0, worth < cash ? worth : cash);
        if (amount != 0) vault.deallocate(from, amount);
    }

    function borrow(bool first, uint256 amount) external watched {
        LendingMarket from = first ? market : other;
        amount = bound(amount, 0, from.cash());
        if (amount == 0) return;
        vm.startPrank(accounts[3]);
        from.supplyCollateral(amount * 2, accounts[3]);
        // Interest may have brought the loan beyond its limit by now.
        try from.borrow(amount, accounts[3], accounts[3]) {}
        catch (bytes memory reason) {
            assertTrue(bytes4(reason) == ILendingMarket.Unhealthy.selector, "only beyond the limit");
        }
        vm.stopPrank();
    }

    function repay(bool first, uint256 amount) external watched {
        LendingMarket to = first ? market : other;
        if (to.debtOf(accounts[3]) == 0) return;
        vm.prank(accounts[3]);
        to.repay(bound(amount, 1, 1e30), accounts[3]);
    }

    /// @dev A crash in one market: all loans there are liquidated, at a loss or not.
    function crash(bool first, uint256 price) external {
        LendingMarket in_ = first ? market : other;
        vm.warp(clock);
        vault.accrue();
        feed.set(bound(price, ONE / 100, ONE));
        vm.prank(accounts[0]);
        try in_.liquidate(accounts[3], 1e30) {} catch {}
        clock += 1;
        vm.warp(clock);
        feed.set(ONE);
        vault.accrue();
        _assertCovered(accounts);
    }

    function check() external {
        vm.warp(clock);
        _assertCovered(accounts);
    }
}

contract CuratedVaultInvariants is Suite {
    CuratedVaultHandler handler;

    function setUp() public {
        handler = new CuratedVaultHandler();
        target(address(handler));
    }

    function invariant_SharesAreCovered() external {
        handler.check();
    }
}
