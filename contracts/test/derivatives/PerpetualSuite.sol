// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {IPerpetualExchange} from "src/derivatives/IPerpetualExchange.sol";
import {PerpetualExchange} from "src/derivatives/PerpetualExchange.sol";
import {PriceFeed} from "src/lending/PriceFeed.sol";

/// @dev An exchange with a pool of ten million dollars of six digits and a market of ether at 2000.
abstract contract PerpetualSuite is Suite {
    /// @dev A dollar.
    uint256 constant USD = 1e6;
    /// @dev A dollar for an ether, as a price.
    uint256 constant PER_ETHER = 1e24;
    int256 constant ETHER = 1e18;
    uint256 constant RAY = 1e27;

    FreeToken usd = new FreeToken("USD");
    PriceFeed feed = new PriceFeed(address(this), address(this), 5000, 2000 * PER_ETHER);
    PerpetualExchange exchange = new PerpetualExchange(usd, address(this), address(this));
    address provider = account("provider");
    uint256 ether_;

    function _open() internal {
        vm.roll(100);
        vm.warp(1_000_000);
        feed.set(2000 * PER_ETHER);
        ether_ = exchange.addMarket(_terms(feed));
        _fund(address(this), 0);
        _fund(provider, 0);
        vm.prank(provider);
        exchange.addLiquidity(_liquidity(), provider);
        _pass(2);
    }

    /// @dev What the pool begins with.
    function _liquidity() internal pure virtual returns (uint256) {
        return 10_000_000 * USD;
    }

    function _terms(PriceFeed oracle) internal pure returns (IPerpetualExchange.Terms memory) {
        return IPerpetualExchange.Terms({
            oracle: oracle,
            maxPriceAge: 1 hours,
            spreadBasis: 10,
            feeBasis: 5,
            initialBasis: 1000,
            maintenanceBasis: 500,
            skewScale: 4000e18,
            openCap: 1000e18,
            penaltyBasis: 200,
            // The whole price in a year.
            maxFundingRate: uint96(RAY / uint256(365 days)),
            backingBasis: 10_000
        });
    }

    /// @dev Gives somebody money, and some of it as margin.
    function _fund(address who, uint256 margin) internal returns (uint256 account) {
        account = exchange.accountOf(who, 0);
        usd.mint(who, 1e30);
        vm.startPrank(who);
        usd.approve(address(exchange), type(uint256).max);
        if (margin > 0) exchange.deposit(account, margin);
        vm.stopPrank();
    }

    function _trade(uint256 account, int256 delta) internal returns (uint256) {
        return _tradeIn(ether_, account, delta);
    }

    function _tradeIn(uint256 market, uint256 account, int256 delta) internal returns (uint256) {
        vm.prank(address(uint160(account >> 96)));
        return exchange.trade(account, market, delta, delta > 0 ? type(uint256).max : 0);
    }

    /// @dev Another block, some seconds later, with the price told anew.
    function _pass(uint256 elapsed) internal {
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + elapsed);
        (uint256 price,) = feed.latestPrice();
        feed.set(price);
    }

    function _passTo(uint256 dollars) internal {
        _pass(2);
        feed.set(dollars * PER_ETHER);
    }

    function _equity(uint256 account) internal view returns (int256 equity) {
        (equity,,) = exchange.healthOf(account);
    }

    /// @dev The exchange has exactly the money that it says is somebody's.
    function _assertBacked(uint256[] memory accounts) internal view {
        uint256 held = exchange.pool() + exchange.insurance();
        for (uint256 i = 0; i < accounts.length; i++) {
            held += exchange.collateralOf(accounts[i]);
        }
        vm.assertEq(usd.balanceOf(address(exchange)), held, "all money is somebody's");
    }
}
