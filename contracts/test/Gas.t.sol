// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "./Suite.sol";
import {Market} from "./dex/Market.sol";
import {FreeToken} from "./dex/Tokens.sol";
import {PolicyRegistry} from "src/compliance/PolicyRegistry.sol";
import {BatchPool} from "src/dex/BatchPool.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {PoolFactory} from "src/dex/PoolFactory.sol";
import {Router} from "src/dex/Router.sol";
import {KinkedRate} from "src/lending/KinkedRate.sol";
import {LendingMarket} from "src/lending/LendingMarket.sol";
import {PriceFeed} from "src/lending/PriceFeed.sol";
import {StakingPool} from "src/staking/StakingPool.sol";
import {Stablecoin} from "src/tokens/Stablecoin.sol";
import {WrappedEther} from "src/tokens/WrappedEther.sol";

/// @dev What users do often, each measured as a whole test: gas-snapshot has the figures, and a change of more than two in
/// a hundred fails. Everything is warm and set up beforehand, so the figures compare versions, not networks.
contract GasTest is Market {
    PolicyRegistry registry = new PolicyRegistry();
    Stablecoin usd = new Stablecoin("US dollar", "USD", "USD", registry, 1, address(this), 1e18);
    WrappedEther weth = new WrappedEther();
    PoolFactory factory = new PoolFactory(vault);
    Router router = new Router(factory, weth);
    ConstantProductPool pool;
    BatchPool batchPool;
    LendingMarket market;
    StakingPool staking;
    uint256 batch;
    address[] path;
    address alice = account("alice");
    address bob = account("bob");

    function setUp() public {
        usd.configureMinter(address(this), 1e18);
        usd.mint(alice, 1e12);
        usd.mint(bob, 1e12);
        vm.deal(alice, 2 ether);
        pool = factory.createPool(token0, token1, 3000);
        batchPool = factory.createBatchPool(token0, token1, 3000);
        for (uint256 i = 0; i < 2; i++) {
            address trader = i == 0 ? alice : bob;
            _fund(trader, address(pool), 1e24);
            _fund(trader, address(batchPool), 1e24);
            _provide(pool, trader, 1e21, 1e21);
            _provide(batchPool, trader, 1e21, 1e21);
            vm.prank(trader);
            batch = batchPool.placeOrder(token0, 1e18, 0, trader);
        }
        path.push(token0);
        path.push(token1);
        market = _lending();
        staking = new StakingPool(FreeToken(token0), FreeToken(token1), address(this), address(this));
        FreeToken(token1).mint(address(this), 1e18);
        FreeToken(token1).approve(address(staking), 1e18);
        staking.notifyRewardAmount(1e18);
        _join(bob);
        _join(alice);
        vm.startPrank(alice);
        weth.deposit{value: 1 ether}();
        FreeToken(token0).approve(address(vault), type(uint256).max);
        FreeToken(token0).approve(address(router), type(uint256).max);
    }

    function _lending() private returns (LendingMarket) {
        return new LendingMarket(
            LendingMarket.Terms({
                loanToken: FreeToken(token0),
                collateralToken: FreeToken(token1),
                oracle: new PriceFeed(address(this), address(this), 1000, 1e36),
                rateModel: new KinkedRate(0, 1e18, 1e19, 8e17),
                limitBasis: 8000,
                maxBonusBasis: 1500,
                reserveBasis: 1000,
                maxPriceAge: 1 hours,
                supplyCap: 1e30,
                borrowCap: 1e30,
                guardian: address(this),
                reserveOwner: address(this)
            })
        );
    }

    /// @dev Lets an account lend, borrow and stake, so that its slots and the totals are not zero.
    function _join(address who) private {
        FreeToken(token0).mint(who, 1e24);
        FreeToken(token1).mint(who, 1e24);
        vm.startPrank(who);
        FreeToken(token0).approve(address(market), type(uint256).max);
        FreeToken(token1).approve(address(market), type(uint256).max);
        FreeToken(token0).approve(address(staking), type(uint256).max);
        market.supply(1e20, who);
        market.supplyCollateral(1e20, who);
        market.borrow(1e19, who, who);
        staking.stake(1e18);
        vm.stopPrank();
    }

    function test_Gas_StablecoinTransfer() external {
        usd.transfer(bob, 1e6);
    }

    function test_Gas_StablecoinApprove() external {
        usd.approve(bob, 1e6);
    }

    function test_Gas_WrapEther() external {
        weth.deposit{value: 1 ether}();
    }

    function test_Gas_UnwrapEther() external {
        weth.withdraw(1 ether);
    }

    function test_Gas_VaultDeposit() external {
        vault.deposit(token0, 1e18, alice);
    }

    function test_Gas_VaultTransfer() external {
        vault.transfer(bob, id0, 1e18);
    }

    function test_Gas_PoolSwap() external {
        pool.swap(token0, 1e18, 0, alice);
    }

    function test_Gas_BatchOrder() external {
        batchPool.placeOrder(token0, 1e18, 9e17, alice);
    }

    function test_Gas_BatchClearAndClaim() external {
        vm.roll(block.number + 1);
        batchPool.claim(batch, token0, alice);
    }

    function test_Gas_RouterSwap() external {
        router.swapExactTokensForTokens(1e18, 0, path, alice, block.timestamp);
    }

    function test_Gas_RouterOrder() external {
        router.placeOrder(token0, token1, 3000, 1e18, 0, block.timestamp);
    }

    function test_Gas_LendingSupply() external {
        market.supply(1e18, alice);
    }

    function test_Gas_LendingBorrow() external {
        market.borrow(1e18, alice, alice);
    }

    function test_Gas_LendingAccrueAndRepay() external {
        vm.warp(block.timestamp + 1);
        market.repay(1e18, alice);
    }

    function test_Gas_Stake() external {
        staking.stake(1e18);
    }

    function test_Gas_AccrueAndTakeReward() external {
        vm.warp(block.timestamp + 1);
        staking.getReward();
    }
}
