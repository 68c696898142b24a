// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {CallingToken, FreeToken} from "../dex/Tokens.sol";
import {LendingSuite} from "./LendingMarket.t.sol";
import {IERC3156FlashBorrower} from "@openzeppelin/interfaces/IERC3156FlashBorrower.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {Vault} from "src/dex/Vault.sol";
import {CuratedVault} from "src/lending/CuratedVault.sol";
import {ICuratedVault} from "src/lending/ICuratedVault.sol";
import {ILendingMarket} from "src/lending/ILendingMarket.sol";
import {KinkedRate} from "src/lending/KinkedRate.sol";
import {LendingMarket} from "src/lending/LendingMarket.sol";
import {PriceFeed} from "src/lending/PriceFeed.sol";

/// @dev Liquidates without money of its own: borrows the debt from the vault for a transaction, sells the collateral in the pool.
contract Liquidator is IERC3156FlashBorrower {
    Vault private immutable vault;
    ConstantProductPool private immutable pool;
    LendingMarket private immutable market;
    FreeToken private immutable loan;
    FreeToken private immutable collateral;

    constructor(
        Vault vault_,
        ConstantProductPool pool_,
        LendingMarket market_,
        FreeToken loan_,
        FreeToken collateral_
    ) {
        (vault, pool, market, loan, collateral) = (vault_, pool_, market_, loan_, collateral_);
        loan_.approve(address(market_), type(uint256).max);
        loan_.approve(address(vault_), type(uint256).max);
        collateral_.approve(address(vault_), type(uint256).max);
        vault_.setOperator(address(pool_), true);
    }

    function run(address borrower, uint256 amount) external {
        vault.flashLoan(this, address(loan), amount, abi.encode(borrower));
    }

    function onFlashLoan(address, address, uint256 amount, uint256, bytes calldata data) external returns (bytes32) {
        (uint256 repaid, uint256 seized) = market.liquidate(abi.decode(data, (address)), amount);
        vault.deposit(address(collateral), seized, address(this));
        uint256 out = pool.swap(address(collateral), seized, 0, address(this));
        require(out >= repaid, "at a loss");
        vault.withdraw(address(loan), out, address(this));
        return keccak256("ERC3156FlashBorrower.onFlashLoan");
    }
}

/// @dev What happens to lenders, borrowers and liquidators when things go wrong, with a pool as the place where collateral is sold.
contract ScenariosTest is LendingSuite {
    uint256 constant BORROWERS = 12;

    Vault vault = new Vault();
    ConstantProductPool pool;
    address lender = account("lender");
    address other = account("other");

    function setUp() public {
        vm.warp(1_000_000);
        feed.set(ONE);
        (address a, address b) = (address(loan), address(collateral));
        pool = a < b ? new ConstantProductPool(vault, a, b, 3000) : new ConstantProductPool(vault, b, a, 3000);
        _fund(lender);
        _fund(other);
        _deposit(lender, 2e24);
        vm.startPrank(lender);
        pool.addLiquidity(1e24, 1e24, 0, lender);
        market.supply(1e24, lender);
        vm.stopPrank();
    }

    function _deposit(address who, uint256 amount) private {
        vm.startPrank(who);
        loan.approve(address(vault), type(uint256).max);
        collateral.approve(address(vault), type(uint256).max);
        vault.deposit(address(loan), amount, who);
        vault.deposit(address(collateral), amount, who);
        vault.setOperator(address(pool), true);
        vm.stopPrank();
    }

    function _borrower(uint256 i) private pure returns (address) {
        return address(uint160(1000 + i));
    }

    /// @dev Borrowers at a half to four fifths of their collateral's worth.
    function _lend() private {
        for (uint256 i = 0; i < BORROWERS; i++) {
            address who = _borrower(i);
            _fund(who);
            vm.startPrank(who);
            market.supplyCollateral(2e22, who);
            market.borrow(1e22 + 5e20 * i, who, who);
            vm.stopPrank();
        }
    }

    /// @dev The feed tells what the pool pays at the margin.
    function _report() private returns (uint256 price) {
        (uint256 loans, uint256 collaterals) = address(loan) < address(collateral)
            ? (pool.reserve0(), pool.reserve1())
            : (pool.reserve1(), pool.reserve0());
        price = loans * ONE / collaterals;
        feed.set(price);
    }

    /// @dev Somebody sells; the price falls; loans are liquidated; what they give is sold; the price falls further. The cascade
    /// ends, everybody who had to be is liquidated, whoever did it has earned, and lenders lose nothing.
    function test_ACrashCascadesAndEnds() external {
        _lend();
        Liquidator liquidator = new Liquidator(vault, pool, market, loan, collateral);
        _deposit(other, 1e24);
        vm.prank(other);
        pool.swap(address(collateral), 7e22, 0, other);
        uint256 start = _report();
        uint256 liquidated;
        bool again = true;
        for (uint256 round = 0; again; round++) {
            assertTrue(round < 50, "it ends");
            again = false;
            uint256 price = _report();
            for (uint256 i = 0; i < BORROWERS; i++) {
                if (market.debtOf(_borrower(i)) == 0 || market.liquidationPrice(_borrower(i)) <= price) continue;
                uint256 earned = loan.balanceOf(address(liquidator));
                // A little at a time: a large sale would pay less than it costs.
                uint256 debt = market.debtOf(_borrower(i));
                try liquidator.run(_borrower(i), debt < 2e21 ? debt : 2e21) {
                    again = true;
                    liquidated++;
                    assertTrue(loan.balanceOf(address(liquidator)) >= earned, "who liquidates earns");
                } catch {}
                _assertSolvent();
            }
            vm.warp(block.timestamp + 12);
        }
        assertTrue(_report() < start * 99 / 100, "the liquidations moved the price further");
        assertTrue(liquidated > 10, "a cascade");
        assertTrue(loan.balanceOf(address(liquidator)) > 0, "liquidators have earned");
        assertTrue(market.supplyOf(lender) >= 1e24, "lenders lost nothing");
        uint256 price_ = _report();
        for (uint256 i = 0; i < BORROWERS; i++) {
            uint256 debt = market.debtOf(_borrower(i));
            assertTrue(debt <= market.collateralOf(_borrower(i)) * price_ / ONE, "every loan is covered");
        }
    }

    /// @dev A fall without warning, beyond what collateral covers: reserve and lenders bear exactly what is missing.
    function test_ACrashOverNightIsBorneByTheLenders() external {
        _lend();
        vm.warp(block.timestamp + 30 days);
        feed.set(ONE * 45 / 100);
        market.accrue();
        uint256 before = market.supplyOf(lender) + market.reserve();
        uint256 paid;
        uint256 owed;
        for (uint256 i = 0; i < BORROWERS; i++) {
            owed += market.debtOf(_borrower(i));
            vm.prank(other);
            (uint256 repaid,) = market.liquidate(_borrower(i), type(uint256).max);
            paid += repaid;
            _assertSolvent();
        }
        vm.assertEq(market.scaledDebt(), 0, "no debts left");
        vm.assertEq(market.reserve(), 0, "the reserve went first");
        vm.assertApproxEqAbs(market.supplyOf(lender), before - (owed - paid), 1e6, "and lenders bear the rest");
        uint256 all = market.supplyOf(lender);
        vm.prank(lender);
        market.withdraw(all, lender, lender);
    }

    /// @dev Everybody wants out while nearly all is lent: who comes gets what there is, borrowing becomes dear, and
    /// once borrowers have paid everybody gets more than they brought.
    function test_ABankRun() external {
        CuratedVault curated = new CuratedVault(loan, "Curated", "CUR", address(this), 1 days);
        curated.submitCap(market, 1e24);
        vm.warp(block.timestamp + 1 days);
        curated.acceptCap(market);
        feed.set(ONE);
        address[3] memory savers = [account("first"), account("second"), account("third")];
        for (uint256 i = 0; i < 3; i++) {
            _fund(savers[i]);
            vm.startPrank(savers[i]);
            loan.approve(address(curated), type(uint256).max);
            curated.deposit(1e23, savers[i]);
            vm.stopPrank();
        }
        curated.allocate(market, 3e23);
        vm.prank(lender);
        market.withdraw(1e24, lender, lender);
        _lend();
        // 300,000 were there, 153,000 are lent.
        uint256[3] memory got;
        for (uint256 i = 0; i < 3; i++) {
            uint256 most = curated.maxWithdraw(savers[i]);
            if (most == 0) continue;
            vm.prank(savers[i]);
            curated.withdraw(most, savers[i], savers[i]);
            got[i] = most;
        }
        assertTrue(got[0] == 1e23 && got[1] < 1e23 && got[2] == 0, "first come, first served");
        vm.expectRevert(abi.encodeWithSelector(ICuratedVault.InsufficientLiquidity.selector, 1e22));
        vm.prank(savers[2]);
        curated.withdraw(1e22, savers[2], savers[2]);
        (uint256 before,) = market.currentIndexes();
        vm.warp(block.timestamp + 30 days);
        feed.set(ONE);
        (uint256 afterwards,) = market.currentIndexes();
        assertTrue(afterwards > before * 107 / 100, "a month costs seven in a hundred");
        for (uint256 i = 0; i < BORROWERS; i++) {
            vm.prank(_borrower(i));
            market.repay(type(uint256).max, _borrower(i));
        }
        for (uint256 i = 1; i < 3; i++) {
            uint256 shares = curated.balanceOf(savers[i]);
            vm.prank(savers[i]);
            got[i] += curated.redeem(shares, savers[i], savers[i]);
            assertTrue(got[i] > 1e23, "paid for waiting");
        }
        _assertSolvent();
    }

    /// @dev While the oracle stands still nobody is liquidated, and nobody borrows more; when it goes on, the loss is everybody's
    /// who stayed, in proportion.
    function test_AStuckOracleAndWhatComesAfter() external {
        _lend();
        vm.prank(other);
        market.supply(1e24, other);
        vm.warp(block.timestamp + 2 hours);
        for (uint256 i = 0; i < BORROWERS; i++) {
            vm.expectRevert();
            market.liquidate(_borrower(i), 1);
            vm.expectRevert();
            vm.prank(_borrower(i));
            market.borrow(1, _borrower(i), _borrower(i));
        }
        feed.set(ONE * 3 / 10);
        for (uint256 i = 0; i < BORROWERS; i++) {
            vm.prank(other);
            market.liquidate(_borrower(i), type(uint256).max);
        }
        uint256 first = market.supplyOf(lender);
        assertTrue(first < 1e24, "a loss");
        vm.assertApproxEqAbs(first, market.supplyOf(other), 1e20, "the same for both, but for two hours' interest");
        _assertSolvent();
    }

    /// @dev Tokens sent to the market move neither index nor health nor what may be borrowed.
    function testFuzz_DonationsMoveNothing(uint256 gift) external {
        _lend();
        gift = bound(gift, 1, 1e35);
        uint256 supplied = market.supplyOf(lender);
        vm.startPrank(other);
        loan.transfer(address(market), gift);
        collateral.transfer(address(market), gift);
        vm.stopPrank();
        vm.assertEq(market.supplyOf(lender), supplied, "supply");
        vm.assertEq(market.maxFlashLoan(address(loan)), market.cash(), "loans");
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.InsufficientCollateral.selector, other, 0, 1));
        vm.prank(other);
        market.withdrawCollateral(1, other, other);
        _assertSolvent();
    }
}

/// @dev Tokens that call back in the middle of a transfer, against the market's assumption: books are written before tokens move,
/// so what comes in between meets the rules as they stand.
contract ReentrancyTest is Suite {
    CallingToken loan = new CallingToken();
    CallingToken collateral = new CallingToken();
    PriceFeed feed = new PriceFeed(address(this), address(this), 5000, 1e36);
    LendingMarket market = new LendingMarket(
        LendingMarket.Terms({
            loanToken: loan,
            collateralToken: collateral,
            oracle: feed,
            rateModel: new KinkedRate(0, 1e18, 1e19, 8e17),
            limitBasis: 8000,
            maxBonusBasis: 1500,
            reserveBasis: 0,
            maxPriceAge: 1 hours,
            supplyCap: 1e30,
            borrowCap: 1e30,
            guardian: address(this),
            reserveOwner: address(this)
        })
    );
    address thief = account("thief");

    function setUp() public {
        loan.mint(address(this), 1e24);
        loan.approve(address(market), type(uint256).max);
        market.supply(1e24, address(this));
        loan.mint(thief, 1e24);
        collateral.mint(thief, 1e24);
        vm.startPrank(thief);
        loan.approve(address(market), type(uint256).max);
        collateral.approve(address(market), type(uint256).max);
        market.supplyCollateral(1e21, thief);
        // The tokens act for the thief when they call.
        market.setDelegate(address(loan), true);
        market.setDelegate(address(collateral), true);
        vm.stopPrank();
    }

    function test_CollateralOnItsWayOutBacksNothing() external {
        collateral.onTransfer(address(market), abi.encodeCall(market.borrow, (1, thief, thief)));
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.Unhealthy.selector, thief, 1, 0));
        vm.prank(thief);
        market.withdrawCollateral(1e21, thief, thief);
    }

    function test_ALoanOnItsWayOutIsOwedAlready() external {
        loan.onTransfer(address(market), abi.encodeCall(market.withdrawCollateral, (1e21, thief, thief)));
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.Unhealthy.selector, thief, 8e20, 0));
        vm.prank(thief);
        market.borrow(8e20, thief, thief);
    }

    function test_ASupplyOnItsWayOutIsGoneAlready() external {
        vm.startPrank(thief);
        market.supply(1e20, thief);
        loan.onTransfer(address(market), abi.encodeCall(market.withdraw, (1e20, thief, thief)));
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.InsufficientSupply.selector, thief, 0, 1e20));
        market.withdraw(1e20, thief, thief);
    }

    function test_ALiquidationOnItsWayIsCountedAlready() external {
        vm.prank(thief);
        market.borrow(8e20, thief, thief);
        feed.set(1e36 / 2);
        collateral.onTransfer(address(market), abi.encodeCall(market.liquidate, (thief, 1)));
        vm.expectRevert(abi.encodeWithSelector(ILendingMarket.Healthy.selector, thief, 0, 0));
        vm.prank(thief);
        market.liquidate(thief, type(uint256).max);
    }

    /// @dev Supplying, and withdrawing in the middle of it, is supplying and withdrawing.
    function test_ASupplyWithdrawnOnItsWayGainsNothing() external {
        Once once = new Once();
        vm.startPrank(thief);
        market.setDelegate(address(once), true);
        uint256 before = loan.balanceOf(thief);
        bytes memory withdrawal = abi.encodeCall(market.withdraw, (1e20, thief, thief));
        loan.onTransfer(address(once), abi.encodeCall(once.forward, (address(market), withdrawal)));
        market.supply(1e20, thief);
        vm.assertEq(loan.balanceOf(thief), before, "back");
        vm.assertEq(market.supplyOf(thief), 0, "nothing left");
        vm.assertEq(market.cash(), 1e24, "cash");
        vm.assertEq(loan.balanceOf(address(market)), 1e24, "tokens");
    }
}

/// @dev Passes the first call on, and no other.
contract Once {
    bool private done;

    function forward(address callee, bytes calldata data) external {
        if (done) return;
        done = true;
        (bool success,) = callee.call(data);
        require(success, "forwarded");
    }
}
