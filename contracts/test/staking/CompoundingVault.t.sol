// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {CompoundingVault} from "src/staking/CompoundingVault.sol";
import {StakingPool} from "src/staking/StakingPool.sol";
import {IndexedVault} from "src/tokens/IndexedVault.sol";

contract CompoundingVaultTest is Suite {
    FreeToken token = new FreeToken("TKN");
    StakingPool pool = new StakingPool(token, token, address(this), address(this));
    CompoundingVault vault = new CompoundingVault(pool, "Compounding", "CMP", address(this));
    address alice = account("alice");
    address bob = account("bob");

    function setUp() public {
        vm.warp(1_000_000);
        token.mint(address(this), 1e36);
        token.approve(address(pool), type(uint256).max);
        address[2] memory holders = [alice, bob];
        for (uint256 i = 0; i < 2; i++) {
            token.mint(holders[i], 1e30);
            vm.startPrank(holders[i]);
            token.approve(address(vault), type(uint256).max);
            token.approve(address(pool), type(uint256).max);
            vm.stopPrank();
        }
    }

    function _deposit(address who, uint256 amount) private {
        vm.prank(who);
        vault.deposit(amount, who);
    }

    function _worth(address who) private view returns (uint256) {
        return vault.convertToAssets(vault.balanceOf(who));
    }

    /// @dev Whose rewards are staked again earns more than who leaves them.
    function test_RewardsAreStakedAgain() external {
        _deposit(alice, 1e18);
        vm.prank(bob);
        pool.stake(1e18);
        pool.notifyRewardAmount(2e18);
        for (uint256 i = 0; i < 70; i++) {
            vm.warp(block.timestamp + 7 days / 70);
            vault.accrue();
        }
        uint256 simple = pool.earned(bob);
        assertTrue(_worth(alice) > 1e18 + simple, "more");
        vm.assertApproxEqAbs(_worth(alice) - 1e18 + simple, 2e18, 100, "and all of it is given out");
        vm.assertEq(vault.totalAssets(), pool.balanceOf(address(vault)), "all is staked");
    }

    function testFuzz_ComingAndGoingGainsNothing(uint256 amount, uint256 elapsed, uint256 reward) external {
        _deposit(alice, 1e24);
        pool.notifyRewardAmount(bound(reward, 0, 1e27));
        vm.warp(block.timestamp + bound(elapsed, 0, 10 days));
        amount = bound(amount, 1e6, 1e30);
        uint256 before = _worth(alice);
        _deposit(bob, amount);
        uint256 shares = vault.balanceOf(bob);
        vm.prank(bob);
        assertTrue(vault.redeem(shares, bob, bob) <= amount, "nothing");
        assertTrue(_worth(alice) + 1 >= before, "alice has what she had");
        uint256 all = vault.balanceOf(alice);
        vm.prank(alice);
        vault.redeem(all, alice, alice);
        // A million shares are nobody's, and have earned as others did; the index has 21 digits at least.
        assertTrue(vault.totalAssets() <= vault.index() / 1e21 + (amount + 1e24) / 1e21 + 3, "what rounding left");
    }

    /// @dev Within a block the vault's own stake in the pool is not read after the first.
    function test_TheIndexMovesOnceABlock() external {
        _deposit(alice, 1e18);
        pool.notifyRewardAmount(7 days * 1e12);
        vm.warp(block.timestamp + 100);
        _deposit(bob, 1e18);
        uint256 index = vault.index();
        _deposit(alice, 1e18);
        vm.prank(bob);
        vault.withdraw(5e17, bob, bob);
        vm.assertEq(vault.index(), index, "once");
        vm.assertApproxEqAbs(_worth(alice), 2e18 + 1e14, 10, "the reward so far is alice's");
        vm.assertApproxEqAbs(_worth(bob), 5e17, 1, "bob has what he brought");
        vm.assertEq(vault.liquidity(), vault.totalAssets(), "all of it can be withdrawn");
    }

    function test_TheFeeIsSharesOfTheGain() external {
        vault.setFee(2000, bob);
        _deposit(alice, 1e18);
        pool.notifyRewardAmount(7 days * 1e12);
        vm.warp(block.timestamp + 7 days);
        vault.accrue();
        vm.assertApproxEqAbs(_worth(bob), 7 days * 1e12 / 5, 1e6, "a fifth");
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, bob));
        vm.prank(bob);
        vault.setFee(0, bob);
        vm.expectRevert(abi.encodeWithSelector(IndexedVault.InvalidFee.selector, 5001, bob));
        vault.setFee(5001, bob);
    }

    function testFuzz_GiftsChangeNothing(uint256 gift) external {
        gift = bound(gift, 1, 1e29);
        _deposit(bob, 1);
        vm.startPrank(bob);
        token.transfer(address(vault), gift);
        token.transfer(address(pool), gift);
        vm.stopPrank();
        vm.warp(block.timestamp + 1);
        _deposit(alice, 1e18);
        vm.assertEq(_worth(alice), 1e18, "alice has hers");
        vm.assertEq(vault.totalAssets(), 1e18 + 1, "and no more");
    }

    function test_RevertWhen_ThePoolPaysInAnotherToken() external {
        StakingPool other = new StakingPool(token, new FreeToken("RWD"), address(this), address(this));
        vm.expectRevert(CompoundingVault.DifferentTokens.selector);
        new CompoundingVault(other, "", "", address(this));
    }
}
