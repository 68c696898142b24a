// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {PerpetualSuite} from "../derivatives/PerpetualSuite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {Liquidator} from "../lending/Scenarios.t.sol";
import {BatchPool} from "src/dex/BatchPool.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {Vault} from "src/dex/Vault.sol";
import {KinkedRate} from "src/lending/KinkedRate.sol";
import {LendingMarket} from "src/lending/LendingMarket.sol";

/// @dev The price of ether falls by half while a lending market, perpetual futures, a pool and a batch pool are in use, and one oracle
/// serves them all. The same people have positions in several of them.
contract CrashScenario is PerpetualSuite {
    uint256 constant PEOPLE = 6;

    FreeToken weth = new FreeToken("WETH");
    Vault vault = new Vault();
    ConstantProductPool pool;
    BatchPool batches;
    LendingMarket market;
    Liquidator liquidator;
    address arbitrageur = account("arbitrageur");

    function setUp() public {
        _open();
        exchange.insure(50_000 * USD);
        (address a, address b) = (address(weth), address(usd));
        (a, b) = a < b ? (a, b) : (b, a);
        pool = new ConstantProductPool(vault, a, b, 3000);
        batches = new BatchPool(vault, a, b, 3000, 1);
        market = _lending();
        liquidator = new Liquidator(vault, pool, market, usd, weth);
        _deposit(provider, 20_000e18, 40_000_000 * USD);
        _deposit(arbitrageur, 100_000e18, 200_000_000 * USD);
        vm.startPrank(provider);
        usd.approve(address(market), type(uint256).max);
        market.supply(10_000_000 * USD, provider);
        uint256[2] memory amounts =
            a == address(weth) ? [uint256(5000e18), 10_000_000 * USD] : [10_000_000 * USD, uint256(5000e18)];
        pool.addLiquidity(amounts[0], amounts[1], 0, provider);
        batches.addLiquidity(amounts[0], amounts[1], 0, provider);
        vm.stopPrank();
        for (uint256 i = 0; i < PEOPLE; i++) {
            _join(_person(i), i);
        }
    }

    function _lending() private returns (LendingMarket) {
        return new LendingMarket(
            LendingMarket.Terms({
                loanToken: usd,
                collateralToken: weth,
                oracle: feed,
                rateModel: new KinkedRate(0, RAY / uint256(3650 days), RAY / uint256(365 days), 8e17),
                limitBasis: 8000,
                maxBonusBasis: 1500,
                reserveBasis: 1000,
                maxPriceAge: 1 hours,
                supplyCap: 1e18,
                borrowCap: 1e18,
                guardian: address(this),
                reserveOwner: address(this)
            })
        );
    }

    function _person(uint256 i) private pure returns (address) {
        return address(uint160(900 + i));
    }

    function _deposit(address who, uint256 ethers, uint256 dollars) private {
        weth.mint(who, ethers);
        usd.mint(who, dollars);
        vm.startPrank(who);
        weth.approve(address(vault), type(uint256).max);
        usd.approve(address(vault), type(uint256).max);
        vault.deposit(address(weth), ethers, who);
        vault.deposit(address(usd), dollars, who);
        vault.setOperator(address(pool), true);
        vault.setOperator(address(batches), true);
        vm.stopPrank();
    }

    /// @dev Borrows a half to four fifths of a hundred ethers, and is long with the loan.
    function _join(address who, uint256 i) private {
        weth.mint(who, 100e18);
        vm.startPrank(who);
        weth.approve(address(market), type(uint256).max);
        market.supplyCollateral(100e18, who);
        market.borrow((100_000 + 11_000 * i) * USD, who, who);
        usd.approve(address(exchange), type(uint256).max);
        exchange.deposit(exchange.accountOf(who, 0), 50_000 * USD);
        vm.stopPrank();
        _trade(exchange.accountOf(who, 0), int256(60 + 20 * i) * ETHER);
    }

    function test_ACrashGoesThroughEverything() external {
        uint256 dollars = usd.totalSupply();
        uint256 liquidations = 0;
        for (uint256 price = 1950; price >= 1000; price -= 50) {
            _passTo(price);
            _followThe(price);
            liquidations += _liquidate();
            // Somebody wants out in a batch, whatever goes on.
            vm.prank(arbitrageur);
            uint256 batch = batches.placeOrder(address(weth), 1e18, 0, arbitrageur);
            _passTo(price);
            (uint256 got,) = batches.claim(batch, address(weth), arbitrageur);
            assertTrue(got > 0, "a batch clears");
            _assertSound();
        }
        assertTrue(liquidations > PEOPLE, "most are liquidated, and some twice");
        assertTrue(usd.balanceOf(address(liquidator)) > 0, "liquidators have earned without money of their own");
        vm.assertEq(usd.totalSupply(), dollars, "no dollar is made");
        vm.assertEq(market.stopped() || exchange.stopped(), false, "and nothing had to be stopped");
        // Lenders get out: what was lent comes back, or lies there.
        for (uint256 i = 0; i < PEOPLE; i++) {
            uint256 debt = market.debtOf(_person(i));
            if (debt == 0) continue;
            usd.mint(address(this), debt);
            usd.approve(address(market), debt);
            market.repay(debt, _person(i));
        }
        uint256 worth = market.supplyOf(provider);
        assertTrue(worth >= 10_000_000 * USD, "lenders have lost nothing");
        vm.prank(provider);
        market.withdraw(worth, provider, provider);
    }

    /// @dev Sells ether into the pool until it pays what the oracle says.
    function _followThe(uint256 price) private {
        (uint256 ethers, uint256 dollars) =
            address(weth) < address(usd) ? (pool.reserve0(), pool.reserve1()) : (pool.reserve1(), pool.reserve0());
        // A hundredth of the reserve moves the price by two.
        uint256 part = ethers / 200;
        vm.startPrank(arbitrageur);
        while (dollars * 1e18 > ethers * price * USD) {
            dollars -= pool.swap(address(weth), part, 0, arbitrageur);
            ethers += part;
        }
        vm.stopPrank();
    }

    function _liquidate() private returns (uint256 count) {
        (uint256 price,) = feed.latestPrice();
        for (uint256 i = 0; i < PEOPLE; i++) {
            address who = _person(i);
            if (market.liquidationPrice(who) > price) {
                // What the pool takes without paying less than the bonus.
                uint256 debt = market.debtOf(who);
                uint256 part = 20_000 * USD;
                try liquidator.run(who, debt < part ? debt : part) {
                    count++;
                } catch {}
            }
            uint256 account = exchange.accountOf(who, 0);
            (int256 equity,, uint256 maintenance) = exchange.healthOf(account);
            if (equity >= int256(maintenance)) continue;
            exchange.liquidate(account, ether_, type(uint256).max);
            count++;
        }
    }

    /// @dev Each part has what it owes.
    function _assertSound() private view {
        uint256 promised = market.scaledSupply() * market.supplyIndex() / RAY;
        uint256 owned = market.cash() + (market.scaledDebt() * market.borrowIndex() + RAY - 1) / RAY;
        assertTrue(promised <= owned && usd.balanceOf(address(market)) >= market.cash(), "lending");
        uint256[] memory accounts = new uint256[](PEOPLE + 1);
        for (uint256 i = 0; i < PEOPLE; i++) {
            accounts[i] = exchange.accountOf(_person(i), 0);
        }
        accounts[PEOPLE] = exchange.accountOf(address(this), 0);
        _assertBacked(accounts);
        (uint256 id0, uint256 id1) = (uint160(pool.token0()), uint160(pool.token1()));
        assertTrue(vault.balanceOf(address(pool), id0) >= pool.reserve0(), "pool, token 0");
        assertTrue(vault.balanceOf(address(pool), id1) >= pool.reserve1(), "pool, token 1");
        assertTrue(usd.balanceOf(address(vault)) >= vault.totalSupply(uint160(address(usd))), "vault");
    }
}
