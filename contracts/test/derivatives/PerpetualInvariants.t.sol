// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {PerpetualSuite} from "./PerpetualSuite.sol";
import {IPerpetualExchange} from "src/derivatives/IPerpetualExchange.sol";
import {PerpetualExchange} from "src/derivatives/PerpetualExchange.sol";
import {PriceFeed} from "src/lending/PriceFeed.sol";

/// @dev Traders, providers, liquidators and two prices at random. Time is kept here, because forge forgets it between calls.
contract PerpetualHandler is PerpetualSuite {
    uint256 constant TRADERS = 4;

    PriceFeed second = new PriceFeed(address(this), address(this), 5000, 2000 * PER_ETHER);
    uint256[] private accounts;
    uint256 private height = 100;
    uint256 private clock = 1_000_000;
    uint256 public trades;
    uint256 public liquidations;
    uint256 public deleveragings;

    constructor() {
        _open();
        second.set(2000 * PER_ETHER);
        exchange.addMarket(_terms(second));
        for (uint256 i = 0; i < TRADERS; i++) {
            accounts.push(_fund(address(uint160(1000 + i)), 50_000 * USD));
        }
        accounts.push(exchange.accountOf(address(this), 0));
        (height, clock) = (block.number, block.timestamp);
    }

    modifier now_() {
        vm.roll(height);
        vm.warp(clock);
        _;
    }

    function all() external view returns (PerpetualExchange, FreeToken, uint256[] memory) {
        return (exchange, usd, accounts);
    }

    function pass(uint256 elapsed) external {
        height += 1;
        clock += bound(elapsed, 0, 1 days);
        vm.warp(clock);
        (uint256 first,) = feed.latestPrice();
        feed.set(first);
        (first,) = second.latestPrice();
        second.set(first);
    }

    /// @dev What a price may become in one move, in hundredths.
    function _steps() internal pure virtual returns (uint256 least, uint256 most) {
        return (90, 112);
    }

    /// @dev The price walks by up to a tenth, so that accounts are liquidated and some lose more than they have.
    function move(uint256 which, uint256 by) external now_ {
        PriceFeed moved = which % 2 == 0 ? feed : second;
        (uint256 price,) = moved.latestPrice();
        (uint256 least, uint256 most) = _steps();
        price = price * bound(by, least, most) / 100;
        moved.set(bound(price, 200 * PER_ETHER, 20_000 * PER_ETHER));
    }

    function trade(uint256 who, uint256 market, int256 delta) external now_ {
        uint256 account = accounts[who % TRADERS];
        delta = delta % (30 * ETHER);
        vm.prank(exchange.ownerOf(account));
        try exchange.trade(account, market % 2, delta, delta > 0 ? type(uint256).max : 0) {
            trades += 1;
        } catch (bytes memory reason) {
            bytes4 kind = bytes4(reason);
            bool isExpected = kind == IPerpetualExchange.InsufficientMargin.selector
                || kind == IPerpetualExchange.InsufficientCollateral.selector
                || kind == IPerpetualExchange.OpenInterestCapped.selector
                || kind == IPerpetualExchange.NothingGiven.selector;
            assertTrue(isExpected, "refused for no reason");
        }
    }

    /// @dev Nothing stands against closing.
    function close(uint256 who, uint256 market) external now_ {
        uint256 account = accounts[who % TRADERS];
        int256 size = exchange.positionOf(account, market % 2).size;
        if (size == 0) return;
        _tradeIn(market % 2, account, -size);
    }

    function liquidate(uint256 who, uint256 market, uint256 size) external now_ {
        uint256 account = accounts[who % TRADERS];
        if (exchange.positionOf(account, market % 2).size == 0) return;
        (int256 equity,, uint256 maintenance) = exchange.healthOf(account);
        if (equity >= int256(maintenance)) return;
        exchange.liquidate(account, market % 2, bound(size, 1e15, 100e18));
        liquidations += 1;
    }

    /// @dev Whatever is not covered can be closed, and closing it takes nothing from anybody.
    function deleverage(uint256 who, uint256 market, uint256 size, uint256 waited) external now_ {
        uint256 account = accounts[who % TRADERS];
        if (exchange.positionOf(account, market % 2).size == 0) return;
        exchange.noteCoverage();
        (height, clock) = (height + 1, clock + bound(waited, 0, 400));
        vm.roll(height);
        vm.warp(clock);
        (uint256 price,) = feed.latestPrice();
        feed.set(price);
        (price,) = second.latestPrice();
        second.set(price);
        uint256 rank = exchange.rankOf(account, market % 2);
        int256 before = _equity(account);
        try exchange.deleverage(account, market % 2, bound(size, 1e15, 100e18)) {
            deleveragings += 1;
            assertTrue(rank > 0, "it has gained");
            int256 later = _equity(account);
            assertTrue(later <= before + 1 && later >= before - 1, "nothing is taken");
        } catch (bytes memory reason) {
            bytes4 kind = bytes4(reason);
            bool isExpected = kind == IPerpetualExchange.Covered.selector
                || kind == IPerpetualExchange.NotDeleveraged.selector
                || (kind == IPerpetualExchange.RankTooLow.selector && rank < exchange.rankNeeded());
            assertTrue(isExpected, "refused for no reason");
        }
    }

    function deposit(uint256 who, uint256 amount) external now_ {
        uint256 account = accounts[who % TRADERS];
        vm.prank(exchange.ownerOf(account));
        exchange.deposit(account, bound(amount, 1, 20_000 * USD));
    }

    function withdraw(uint256 who, uint256 amount) external now_ {
        uint256 account = accounts[who % TRADERS];
        (int256 equity, uint256 initial,) = exchange.healthOf(account);
        uint256 most = exchange.collateralOf(account);
        if (exchange.openMarketsOf(account) != 0) {
            if (equity <= int256(initial)) return;
            uint256 spare = uint256(equity) - initial;
            most = spare < most ? spare : most;
        }
        if (most == 0) return;
        address owner = exchange.ownerOf(account);
        vm.prank(owner);
        exchange.withdraw(account, bound(amount, 1, most), owner);
    }

    function provide(uint256 amount) external now_ {
        // In a block of its own: what an earlier look in this one found may be nothing.
        height += 1;
        vm.roll(height);
        (uint256 value,) = exchange.poolValue();
        if (value == 0) return;
        exchange.addLiquidity(bound(amount, 1e6, 1e6 * USD), address(this));
    }

    function leave(uint256 shares) external now_ {
        uint256 held = exchange.sharesOf(address(this));
        if (held == 0) return;
        shares = bound(shares, 1, held);
        exchange.requestLeave(shares);
        this.pass(1 days);
        vm.roll(height);
        vm.warp(clock);
        try exchange.removeLiquidity(shares, address(this)) {} catch {}
    }

    function collect(uint256 who) external now_ {
        uint256 account = accounts[who % TRADERS];
        if (exchange.owedTo(account) == 0 || exchange.pool() == 0) return;
        exchange.collectOwed(account);
    }

    function worth() external now_ returns (int256 sum, uint256 value) {
        (value,) = exchange.poolValue();
        sum = int256(value + exchange.insurance());
        for (uint256 i = 0; i < accounts.length; i++) {
            sum += _equity(accounts[i]);
        }
    }
}

/// @dev A pool that a rise of the price empties.
contract ThinHandler is PerpetualHandler {
    function _liquidity() internal pure override returns (uint256) {
        return 150_000 * USD;
    }

    function _steps() internal pure override returns (uint256, uint256) {
        return (85, 150);
    }
}

contract PerpetualInvariants is Suite {
    PerpetualHandler handler;

    function setUp() public virtual {
        handler = new PerpetualHandler();
        target(address(handler));
    }

    function invariant_MoneyIsConservedAndTotalsAreSums() external {
        (PerpetualExchange exchange, FreeToken usd, uint256[] memory accounts) = handler.all();
        uint256 held = exchange.pool() + exchange.insurance();
        (uint256 debt, uint256 owed) = (0, 0);
        for (uint256 i = 0; i < accounts.length; i++) {
            uint256 account = accounts[i];
            held += exchange.collateralOf(account);
            debt += exchange.debtOf(account);
            owed += exchange.owedTo(account);
            assertTrue(exchange.debtOf(account) == 0 || exchange.collateralOf(account) == 0, "a debt is paid first");
            assertTrue(exchange.debtOf(account) == 0 || exchange.openMarketsOf(account) != 0, "or written off");
        }
        vm.assertEq(usd.balanceOf(address(exchange)), held, "money");
        vm.assertEq(exchange.totalDebt(), debt, "debt");
        vm.assertEq(exchange.totalOwed(), owed, "owed");
        for (uint256 market = 0; market < 2; market++) {
            _assertTotals(exchange, market, accounts);
        }
        (int256 sum, uint256 value) = handler.worth();
        if (value > 0) {
            assertTrue(sum <= int256(held), "worth no more than there is");
            vm.assertApproxEqAbs(uint256(sum), held, 16, "and no less");
        }
    }

    function _assertTotals(PerpetualExchange exchange, uint256 market, uint256[] memory accounts) private view {
        IPerpetualExchange.Totals memory totals = exchange.totalsOf(market);
        (int256 cost, uint256 long, uint256 short) = (0, 0, 0);
        for (uint256 i = 0; i < accounts.length; i++) {
            IPerpetualExchange.Position memory position = exchange.positionOf(accounts[i], market);
            cost += position.cost;
            if (position.size > 0) long += uint256(position.size);
            else short += uint256(-position.size);
            bool isOpen = exchange.openMarketsOf(accounts[i]) & 1 << market != 0;
            vm.assertEq(isOpen, position.size != 0, "open");
            assertTrue(position.size != 0 || position.cost == 0, "a closed position costs nothing");
        }
        vm.assertEq(totals.cost, cost, "cost");
        vm.assertEq(totals.longOpen, long, "long");
        vm.assertEq(totals.shortOpen, short, "short");
    }
}

contract ThinPoolInvariants is PerpetualInvariants {
    function setUp() public override {
        handler = new ThinHandler();
        target(address(handler));
    }

    /// @dev The handler gets where this suite is about.
    function test_AThinPoolIsSoonShort() external {
        handler.trade(0, 0, 29e18);
        for (uint256 i = 0; i < 3; i++) {
            handler.move(0, 150);
        }
        handler.deleverage(0, 0, 100e18, 300);
        vm.assertEq(handler.deleveragings(), 1, "closed");
    }
}
