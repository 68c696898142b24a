// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {IVotes} from "@openzeppelin/governance/utils/IVotes.sol";
import {Nonces} from "@openzeppelin/utils/Nonces.sol";
import {VotingStake} from "src/governance/VotingStake.sol";

contract VotingStakeTest is Suite {
    uint256 constant EPOCH = 1 days;
    uint256 constant START = 1000 days;

    FreeToken token = new FreeToken("GOV");
    VotingStake votes = new VotingStake(token, EPOCH, 14 days);
    address alice = account("alice");
    address bob = account("bob");

    event DelegateVotesChanged(address indexed delegate, uint256 previousVotes, uint256 newVotes);

    function setUp() public {
        vm.warp(START);
        _fund(alice);
        _fund(bob);
    }

    function _fund(address who) private {
        token.mint(who, 1e30);
        vm.prank(who);
        token.approve(address(votes), type(uint256).max);
    }

    function _stake(address who, uint256 amount) private {
        vm.prank(who);
        votes.stake(amount);
    }

    function test_AStakeVotesFromTheNextEpochOn() external {
        vm.expectEmit();
        emit DelegateVotesChanged(alice, 0, 100);
        _stake(alice, 100);
        vm.assertEq(votes.getVotes(alice), 0, "not yet");
        vm.assertEq(votes.nextVotes(alice), 100, "but then");
        vm.warp(START + EPOCH - 1);
        vm.assertEq(votes.getVotes(alice), 0, "not in this epoch");
        vm.warp(START + EPOCH);
        vm.assertEq(votes.getVotes(alice), 100, "in the next");
        _stake(alice, 50);
        vm.assertEq(votes.getVotes(alice), 100, "the rest later");
        vm.warp(START + 5 * EPOCH);
        vm.assertEq(votes.getVotes(alice), 150, "all");
        vm.assertEq(votes.getPastVotes(alice, START + EPOCH), 100, "as it was");
        vm.assertEq(votes.getPastVotes(alice, START + EPOCH - 1), 0, "before");
        vm.assertEq(votes.getPastTotalSupply(START + 2 * EPOCH), 150, "in all");
        vm.assertEq(votes.totalStaked(), 150, "now");
    }

    /// @dev Who comes and goes within an epoch never votes: what a loan buys.
    function test_AStakeOfAMomentNeverVotes() external {
        _stake(bob, 7);
        vm.warp(START + EPOCH);
        _stake(alice, 1e30);
        vm.prank(alice);
        votes.requestUnstake(1e30);
        vm.warp(START + 3 * EPOCH);
        for (uint256 i = 0; i < 3; i++) {
            vm.assertEq(votes.getPastVotes(alice, START + i * EPOCH + 1), 0, "never");
        }
        vm.assertEq(votes.getPastTotalSupply(START + 2 * EPOCH), 7, "nor counts");
    }

    function test_LeavingTakesTime() external {
        _stake(alice, 100);
        vm.startPrank(alice);
        votes.requestUnstake(40);
        vm.warp(START + 7 days);
        votes.requestUnstake(10);
        vm.warp(START + 14 days);
        vm.expectRevert(abi.encodeWithSelector(VotingStake.NotYet.selector, START + 21 days));
        votes.withdraw(alice);
        vm.warp(START + 21 days);
        vm.assertEq(votes.withdraw(bob), 50, "both");
        vm.stopPrank();
        vm.assertEq(token.balanceOf(bob), 1e30 + 50, "to whom she wants");
        vm.assertEq(votes.stakeOf(alice), 50, "the rest");
        vm.assertEq(votes.getVotes(alice), 50, "votes");
    }

    function test_VotesAreDelegated() external {
        _stake(alice, 100);
        _stake(bob, 10);
        vm.assertEq(votes.delegates(alice), alice, "herself");
        vm.prank(alice);
        votes.delegate(bob);
        _stake(alice, 5);
        vm.warp(START + EPOCH);
        vm.assertEq(votes.getVotes(bob), 115, "hers and his");
        vm.assertEq(votes.getVotes(alice), 0, "none left");
        vm.prank(alice);
        votes.requestUnstake(20);
        vm.prank(alice);
        votes.delegate(address(0));
        vm.warp(START + 2 * EPOCH);
        vm.assertEq(votes.getVotes(alice), 85, "back");
        vm.assertEq(votes.getVotes(bob), 10, "his");
        vm.assertEq(votes.getPastTotalSupply(START + 2 * EPOCH - 1), 115, "in all");
    }

    function test_ADelegationIsSigned() external {
        (address carol, uint256 key) = signer("carol");
        _fund(carol);
        _stake(carol, 100);
        bytes32 message = keccak256(
            abi.encode(keccak256("Delegation(address delegatee,uint256 nonce,uint256 expiry)"), bob, 0, START)
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, keccak256(abi.encodePacked("\x19\x01", votes.DOMAIN_SEPARATOR(), message)));
        vm.warp(START + 1);
        vm.expectRevert(abi.encodeWithSelector(IVotes.VotesExpiredSignature.selector, START));
        votes.delegateBySig(bob, 0, START, v, r, s);
        vm.warp(START);
        votes.delegateBySig(bob, 0, START, v, r, s);
        vm.assertEq(votes.nextVotes(bob), 100, "delegated");
        vm.expectRevert(abi.encodeWithSelector(Nonces.InvalidAccountNonce.selector, carol, 1));
        votes.delegateBySig(bob, 0, START, v, r, s);
    }

    function test_RevertWhen_NothingIsStaked() external {
        vm.startPrank(alice);
        vm.expectRevert(VotingStake.NothingStaked.selector);
        votes.stake(0);
        vm.expectRevert(VotingStake.NothingStaked.selector);
        votes.requestUnstake(0);
        vm.expectRevert(VotingStake.NothingStaked.selector);
        votes.withdraw(alice);
        vm.expectRevert(abi.encodeWithSelector(VotingStake.InsufficientStake.selector, alice, 0, 1));
        votes.requestUnstake(1);
        vm.stopPrank();
        vm.expectRevert(VotingStake.InvalidEpoch.selector);
        new VotingStake(token, 0, 0);
    }

    function test_RevertWhen_VotesAreNotKnownYet() external {
        vm.assertEq(votes.CLOCK_MODE(), "mode=timestamp", "the clock");
        bytes memory future =
            abi.encodeWithSelector(VotingStake.ERC5805FutureLookup.selector, START, uint48(block.timestamp));
        vm.expectRevert(future);
        votes.getPastVotes(alice, START);
        vm.expectRevert(future);
        votes.getPastTotalSupply(START);
    }

    function test_RevertWhen_VotesDoNotFit() external {
        _stake(bob, 1);
        token.mint(alice, type(uint256).max - token.totalSupply());
        vm.startPrank(alice);
        vm.expectRevert(VotingStake.TooManyVotes.selector);
        votes.stake(type(uint208).max);
        vm.expectRevert(VotingStake.TooManyVotes.selector);
        votes.stake(uint256(type(uint208).max) + 1);
        votes.stake(type(uint208).max - 1);
        vm.stopPrank();
    }
}

/// @dev Stakers who come, go and delegate over many epochs. What each epoch ended with is kept here, to be compared.
contract StakeHandler is Suite {
    uint256 constant EPOCH = 1 days;

    FreeToken public token = new FreeToken("GOV");
    VotingStake public votes = new VotingStake(token, EPOCH, 3 days);
    address[3] public accounts = [address(601), address(602), address(603)];
    uint256 public clock = 1000 days;
    uint256[] private moments;
    mapping(uint256 moment => uint256[4]) private ended;

    constructor() {
        for (uint256 i = 0; i < 3; i++) {
            token.mint(accounts[i], 1e24);
            vm.prank(accounts[i]);
            token.approve(address(votes), type(uint256).max);
        }
    }

    modifier now_() {
        vm.warp(clock);
        _;
    }

    function pass(uint256 elapsed) external now_ {
        uint256 later = clock + bound(elapsed, 1, 3 * EPOCH);
        if (later / EPOCH != clock / EPOCH) {
            moments.push(later);
            for (uint256 i = 0; i < 3; i++) {
                ended[later][i] = votes.nextVotes(accounts[i]);
            }
            ended[later][3] = votes.totalStaked();
        }
        clock = later;
    }

    function stake(uint256 who, uint256 amount) external now_ {
        address staker = accounts[who % 3];
        uint256 held = token.balanceOf(staker);
        if (held == 0) return;
        vm.prank(staker);
        votes.stake(bound(amount, 1, held));
    }

    function unstake(uint256 who, uint256 amount) external now_ {
        address staker = accounts[who % 3];
        uint256 held = votes.stakeOf(staker);
        if (held == 0) return;
        vm.prank(staker);
        votes.requestUnstake(bound(amount, 1, held));
    }

    function withdraw(uint256 who) external now_ {
        address staker = accounts[who % 3];
        (uint256 amount, uint256 from) = votes.leavingOf(staker);
        if (amount == 0 || from > clock) return;
        vm.prank(staker);
        votes.withdraw(staker);
    }

    function delegate(uint256 who, uint256 to) external now_ {
        vm.prank(accounts[who % 3]);
        votes.delegate(accounts[to % 3]);
    }

    function check() external {
        vm.warp(clock + 1);
        (uint256 held, uint256 sum) = (0, 0);
        for (uint256 i = 0; i < 3; i++) {
            (uint256 leaving,) = votes.leavingOf(accounts[i]);
            held += votes.stakeOf(accounts[i]) + leaving;
            sum += votes.nextVotes(accounts[i]);
        }
        vm.assertEq(token.balanceOf(address(votes)), held, "stakes are there");
        vm.assertEq(votes.totalStaked(), sum, "votes are stakes");
        for (uint256 m = 0; m < moments.length; m++) {
            for (uint256 i = 0; i < 3; i++) {
                vm.assertEq(votes.getPastVotes(accounts[i], moments[m]), ended[moments[m]][i], "as it was");
            }
            vm.assertEq(votes.getPastTotalSupply(moments[m]), ended[moments[m]][3], "in all");
        }
    }
}

contract StakeInvariants is Suite {
    StakeHandler handler;

    function setUp() public {
        handler = new StakeHandler();
        target(address(handler));
    }

    function invariant_ThePastDoesNotChange() external {
        handler.check();
    }
}
