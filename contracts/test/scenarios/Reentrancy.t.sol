// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {CallingToken} from "../dex/Tokens.sol";
import {IERC20Errors} from "@openzeppelin/interfaces/draft-IERC6093.sol";
import {IPerpetualExchange} from "src/derivatives/IPerpetualExchange.sol";
import {PerpetualExchange} from "src/derivatives/PerpetualExchange.sol";
import {Treasury} from "src/governance/Treasury.sol";
import {VotingStake} from "src/governance/VotingStake.sol";
import {CuratedVault} from "src/lending/CuratedVault.sol";
import {BoostedStaking} from "src/staking/BoostedStaking.sol";
import {CompoundingVault} from "src/staking/CompoundingVault.sol";
import {StakingPool} from "src/staking/StakingPool.sol";
import {Vesting} from "src/staking/Vesting.sol";

/// @dev Has something in a contract, and asks for it again in the middle of getting it.
contract Thief {
    address private callee;
    bytes private data;
    bool private wasCalled;

    function call(address callee_, bytes memory data_) public returns (bytes memory) {
        (bool done, bytes memory answer) = callee_.call(data_);
        if (done) return answer;
        assembly ("memory-safe") {
            revert(add(answer, 32), mload(answer))
        }
    }

    /// @dev Asks twice: now, and when the token calls.
    function callTwice(address callee_, bytes memory data_) external {
        (callee, data) = (callee_, data_);
        wasCalled = false;
        call(callee_, data_);
        require(wasCalled, "the token called");
    }

    function again() external {
        if (wasCalled) return;
        wasCalled = true;
        call(callee, data);
    }
}

/// @dev Tokens that call back are not supported. What they could do with one is nothing but harm to whoever uses it: books are
/// written before tokens move, so who asks twice gets once.
contract ReentrancyScenario is Suite {
    uint256 constant SHARE = 1e20;

    CallingToken token = new CallingToken();
    Thief thief = new Thief();
    address other = account("other");

    function setUp() public {
        vm.warp(1_000_000);
        vm.roll(100);
        token.mint(address(thief), SHARE);
        token.mint(address(this), 100 * SHARE);
        token.mint(other, 100 * SHARE);
    }

    function _let(address where) private {
        token.approve(where, type(uint256).max);
        vm.prank(other);
        token.approve(where, type(uint256).max);
        thief.call(address(token), abi.encodeCall(token.approve, (where, type(uint256).max)));
    }

    function _arm() private {
        token.onTransfer(address(thief), abi.encodeCall(Thief.again, ()));
    }

    function _has(uint256 amount) private view {
        vm.assertEq(token.balanceOf(address(thief)), amount, "once");
    }

    function _pool() private returns (StakingPool pool) {
        pool = new StakingPool(token, token, address(this), address(this));
        _let(address(pool));
        vm.prank(other);
        pool.stake(SHARE);
    }

    function test_AStakeIsGivenBackOnce() external {
        StakingPool pool = _pool();
        thief.call(address(pool), abi.encodeCall(pool.stake, (SHARE)));
        _arm();
        vm.expectRevert(abi.encodeWithSelector(StakingPool.InsufficientStake.selector, address(thief), 0, SHARE));
        thief.callTwice(address(pool), abi.encodeCall(pool.withdraw, (SHARE)));
    }

    function test_ARewardIsPaidOnce() external {
        StakingPool pool = _pool();
        thief.call(address(pool), abi.encodeCall(pool.stake, (SHARE)));
        pool.notifyRewardAmount(7 days * 1e6);
        vm.warp(block.timestamp + 7 days);
        uint256 earned = pool.earned(address(thief));
        _arm();
        thief.callTwice(address(pool), abi.encodeCall(pool.getReward, ()));
        _has(earned);
    }

    function test_ABoostedStakeAndItsRewardAreGivenOnce() external {
        BoostedStaking staking = new BoostedStaking(token, new Vesting(), address(this));
        staking.addReward(token, address(this), 7 days, 0);
        _let(address(staking));
        vm.prank(other);
        staking.stake(SHARE, 0);
        thief.call(address(staking), abi.encodeCall(staking.stake, (SHARE, 0)));
        staking.fund(0, 7 days * 1e6);
        vm.warp(block.timestamp + 7 days);
        uint256 earned = staking.earned(address(thief), 0);
        _arm();
        thief.callTwice(address(staking), abi.encodeCall(staking.claim, (0)));
        _has(earned);
        vm.expectRevert(abi.encodeWithSelector(BoostedStaking.InsufficientStake.selector, address(thief), 0, SHARE));
        thief.callTwice(address(staking), abi.encodeCall(staking.withdraw, (SHARE)));
    }

    function test_AScheduleIsReleasedOnce() external {
        Vesting vesting = new Vesting();
        _let(address(vesting));
        uint64 now_ = uint64(block.timestamp);
        vesting.create(token, other, SHARE, now_, now_, now_ + 100, false);
        bytes32 id = vesting.create(token, address(thief), SHARE, now_, now_, now_ + 100, false);
        vm.warp(now_ + 50);
        _arm();
        thief.callTwice(address(vesting), abi.encodeCall(vesting.release, (id)));
        _has(SHARE + SHARE / 2);
    }

    function test_ASharesWorthIsPaidOnce() external {
        CuratedVault vault = new CuratedVault(token, "Vault", "V", address(this), 1 days);
        _let(address(vault));
        vm.prank(other);
        vault.deposit(SHARE, other);
        thief.call(address(vault), abi.encodeCall(vault.deposit, (SHARE, address(thief))));
        uint256 shares = vault.balanceOf(address(thief));
        _arm();
        bytes memory redemption = abi.encodeCall(vault.redeem, (shares, address(thief), address(thief)));
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, address(thief), 0, shares)
        );
        thief.callTwice(address(vault), redemption);
    }

    /// @dev The pool's token is called for the deposit, the stake and the reward: whatever comes in between has the block's index.
    function test_ACompoundingShareIsPaidOnce() external {
        StakingPool pool = _pool();
        CompoundingVault vault = new CompoundingVault(pool, "Vault", "V", address(this));
        _let(address(vault));
        vm.prank(other);
        vault.deposit(SHARE, other);
        thief.call(address(vault), abi.encodeCall(vault.deposit, (SHARE, address(thief))));
        pool.notifyRewardAmount(7 days * 1e6);
        vm.warp(block.timestamp + 3 days);
        vm.roll(block.number + 1);
        uint256 shares = vault.balanceOf(address(thief));
        uint256 worth = vault.previewRedeem(shares / 2);
        _arm();
        thief.callTwice(address(vault), abi.encodeCall(vault.redeem, (shares / 2, address(thief), address(thief))));
        assertTrue(token.balanceOf(address(thief)) <= 2 * worth, "both halves, and no more");
        token.onTransfer(address(0), "");
        uint256 rest = vault.balanceOf(other);
        vm.prank(other);
        assertTrue(vault.redeem(rest, other, other) >= SHARE, "the other has lost nothing");
    }

    function test_AStreamIsPaidOnce() external {
        Treasury treasury = new Treasury(address(this));
        _let(address(treasury));
        treasury.fund(token, 2 * SHARE);
        uint256 stream = treasury.openStream(token, address(thief), SHARE, block.timestamp, 100);
        vm.warp(block.timestamp + 50);
        _arm();
        vm.expectRevert(abi.encodeWithSelector(Treasury.NothingDue.selector, stream));
        thief.callTwice(address(treasury), abi.encodeCall(treasury.withdraw, (stream, address(thief))));
    }

    function test_AVotingStakeLeavesOnce() external {
        VotingStake votes = new VotingStake(token, 1 days, 10 days);
        _let(address(votes));
        vm.prank(other);
        votes.stake(SHARE);
        thief.call(address(votes), abi.encodeCall(votes.stake, (SHARE)));
        thief.call(address(votes), abi.encodeCall(votes.requestUnstake, (SHARE)));
        vm.warp(block.timestamp + 10 days);
        _arm();
        vm.expectRevert(VotingStake.NothingStaked.selector);
        thief.callTwice(address(votes), abi.encodeCall(votes.withdraw, (address(thief))));
    }

    function test_MarginAndLiquidityAreTakenOutOnce() external {
        PerpetualExchange exchange = new PerpetualExchange(token, address(this), address(this));
        _let(address(exchange));
        vm.prank(other);
        exchange.addLiquidity(SHARE, other);
        uint256 account_ = exchange.accountOf(address(thief), 0);
        thief.call(address(exchange), abi.encodeCall(exchange.deposit, (account_, SHARE / 2)));
        thief.call(address(exchange), abi.encodeCall(exchange.addLiquidity, (SHARE / 2, address(thief))));
        uint256 shares = exchange.sharesOf(address(thief));
        thief.call(address(exchange), abi.encodeCall(exchange.requestLeave, (shares)));
        vm.warp(block.timestamp + 1 days);
        vm.roll(block.number + 1);
        _arm();
        vm.expectRevert(
            abi.encodeWithSelector(IPerpetualExchange.InsufficientCollateral.selector, account_, 0, SHARE / 2)
        );
        thief.callTwice(address(exchange), abi.encodeCall(exchange.withdraw, (account_, SHARE / 2, address(thief))));
        vm.expectRevert(
            abi.encodeWithSelector(IPerpetualExchange.InsufficientShares.selector, address(thief), 0, shares)
        );
        thief.callTwice(address(exchange), abi.encodeCall(exchange.removeLiquidity, (shares, address(thief))));
    }
}
