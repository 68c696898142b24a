// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {IGovernor} from "@openzeppelin/governance/IGovernor.sol";
import {IERC20} from "@openzeppelin/token/ERC20/IERC20.sol";
import {DaoGovernor} from "src/governance/DaoGovernor.sol";
import {DaoTimelock} from "src/governance/DaoTimelock.sol";
import {Treasury} from "src/governance/Treasury.sol";
import {VotingStake} from "src/governance/VotingStake.sol";

/// @dev The whole of it: stakes, a proposal that opens a budget, votes, the timelock, and what flows.
contract DaoGovernorTest is Suite {
    uint256 constant START = 1000 days;

    FreeToken token = new FreeToken("GOV");
    FreeToken usd = new FreeToken("USD");
    VotingStake votes = new VotingStake(token, 1 days, 14 days);
    DaoTimelock timelock = new DaoTimelock(2 days, address(this));
    DaoGovernor governor;
    Treasury treasury = new Treasury(address(timelock));
    address guardian = account("guardian");
    address alice = account("alice");
    address bob = account("bob");
    address carol = account("carol");

    function setUp() public {
        vm.warp(START);
        governor = new DaoGovernor("Braid DAO", votes, timelock, DaoGovernor.Rules(1 days, 5 days, 10, 10, guardian));
        timelock.grantRole(timelock.PROPOSER_ROLE(), address(governor));
        timelock.grantRole(timelock.CANCELLER_ROLE(), address(governor));
        timelock.renounceRole(timelock.DEFAULT_ADMIN_ROLE(), address(this));
        address[3] memory stakers = [alice, bob, carol];
        for (uint256 i = 0; i < 3; i++) {
            token.mint(stakers[i], 1000);
            vm.startPrank(stakers[i]);
            token.approve(address(votes), 1000);
            votes.stake(100 * (i + 1));
            vm.stopPrank();
        }
        usd.mint(address(this), 1e12);
        usd.approve(address(treasury), 1e12);
        treasury.fund(usd, 1e12);
        // A second later: who proposes has to have had the votes a second before.
        vm.warp(START + 1 days + 1);
    }

    function _call(bytes memory data) private view returns (address[] memory, uint256[] memory, bytes[] memory) {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            (new address[](1), new uint256[](1), new bytes[](1));
        (targets[0], calls[0]) = (address(treasury), data);
        return (targets, values, calls);
    }

    function _budget() private view returns (bytes memory) {
        return abi.encodeCall(Treasury.openStream, (IERC20(address(usd)), bob, 1e9, START + 30 days, 100 days));
    }

    function _propose(bytes memory data) private returns (uint256) {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _call(data);
        vm.prank(alice);
        return governor.propose(targets, values, calls, "budget");
    }

    function _vote(address who, uint256 proposal, uint8 support) private {
        vm.prank(who);
        governor.castVote(proposal, support);
    }

    function _queue(bytes memory data) private {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _call(data);
        governor.queue(targets, values, calls, keccak256("budget"));
    }

    function _execute(bytes memory data) private {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _call(data);
        governor.execute(targets, values, calls, keccak256("budget"));
    }

    function test_AProposalBecomesABudget() external {
        uint256 proposal = _propose(_budget());
        assertTrue(governor.state(proposal) == IGovernor.ProposalState.Pending, "pending");
        vm.warp(block.timestamp + 1 days + 1);
        _vote(alice, proposal, 1);
        _vote(bob, proposal, 0);
        _vote(carol, proposal, 1);
        (uint256 against, uint256 inFavour, uint256 abstain) = governor.proposalVotes(proposal);
        vm.assertEq(against, 200, "against");
        vm.assertEq(inFavour, 400, "for");
        vm.assertEq(abstain, 0, "abstain");
        assertTrue(governor.state(proposal) == IGovernor.ProposalState.Active, "active");
        vm.warp(block.timestamp + 5 days);
        assertTrue(governor.state(proposal) == IGovernor.ProposalState.Succeeded, "succeeded");
        assertTrue(governor.proposalNeedsQueuing(proposal), "has to wait");
        _queue(_budget());
        vm.expectRevert();
        _execute(_budget());
        vm.warp(block.timestamp + 2 days);
        _execute(_budget());
        vm.assertEq(treasury.setAside(usd), 1e9, "set aside");
        vm.warp(START + 80 days);
        vm.prank(bob);
        vm.assertEq(treasury.withdraw(0, bob), 5e8, "half of it has flowed");
    }

    /// @dev As a proposal is tried out before it is voted on: its calls, made by the timelock.
    function test_AProposalCanBeSimulated() external {
        vm.prank(address(timelock));
        (bool done,) = address(treasury).call(_budget());
        assertTrue(done, "would work");
        vm.prank(address(timelock));
        (done,) = address(treasury).call(abi.encodeCall(Treasury.pay, (IERC20(address(usd)), bob, 1e13)));
        assertFalse(done, "would not");
    }

    function test_AVoteIsSplit() external {
        uint256 proposal = _propose(_budget());
        vm.warp(block.timestamp + 1 days + 1);
        vm.prank(carol);
        governor.castVoteWithReasonAndParams(
            proposal, 255, "", abi.encodePacked(uint128(50), uint128(150), uint128(60))
        );
        vm.assertEq(governor.usedVotes(proposal, carol), 260, "so many");
        _vote(carol, proposal, 2);
        (uint256 against, uint256 inFavour, uint256 abstain) = governor.proposalVotes(proposal);
        vm.assertEq(against, 50, "against");
        vm.assertEq(inFavour, 150, "for");
        vm.assertEq(abstain, 100, "the rest");
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorAlreadyCastVote.selector, carol));
        _vote(carol, proposal, 1);
    }

    /// @dev What is staked after the snapshot's epoch has begun does not vote; what leaves after it still does.
    function test_VotesAreThoseOfTheSnapshot() external {
        uint256 proposal = _propose(_budget());
        vm.warp(block.timestamp + 1 days);
        vm.prank(alice);
        votes.stake(900);
        vm.prank(bob);
        votes.requestUnstake(200);
        vm.warp(block.timestamp + 1 days + 1);
        _vote(alice, proposal, 1);
        _vote(bob, proposal, 1);
        (, uint256 inFavour,) = governor.proposalVotes(proposal);
        vm.assertEq(inFavour, 300, "as they were");
    }

    function test_WithoutAQuorumAProposalFails() external {
        vm.prank(carol);
        votes.stake(700);
        vm.warp(START + 2 days);
        uint256 proposal = _propose(_budget());
        vm.warp(block.timestamp + 1 days + 1);
        vm.assertEq(governor.quorum(block.timestamp - 1), 130, "a tenth of all");
        _vote(alice, proposal, 1);
        vm.warp(block.timestamp + 5 days);
        assertTrue(governor.state(proposal) == IGovernor.ProposalState.Defeated, "defeated");
        vm.expectRevert();
        _queue(_budget());
    }

    function test_TheGuardianCancelsWhatWaits() external {
        uint256 proposal = _propose(_budget());
        vm.warp(block.timestamp + 1 days + 1);
        _vote(carol, proposal, 1);
        vm.warp(block.timestamp + 5 days);
        _queue(_budget());
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _call(_budget());
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorUnableToCancel.selector, proposal, bob));
        vm.prank(bob);
        governor.cancel(targets, values, calls, keccak256("budget"));
        vm.prank(guardian);
        governor.cancel(targets, values, calls, keccak256("budget"));
        assertTrue(governor.state(proposal) == IGovernor.ProposalState.Canceled, "cancelled");
        vm.warp(block.timestamp + 2 days);
        vm.expectRevert();
        _execute(_budget());
    }

    function test_RevertWhen_TheProposerHasTooFewVotes() external {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _call(_budget());
        vm.expectRevert(
            abi.encodeWithSelector(IGovernor.GovernorInsufficientProposerVotes.selector, account("dan"), 0, 10)
        );
        vm.prank(account("dan"));
        governor.propose(targets, values, calls, "budget");
    }

    function test_NobodyButTheTimelockRules() external {
        vm.expectRevert(abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", address(this)));
        treasury.pay(usd, bob, 1);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, address(this)));
        governor.setProposalGuardian(bob);
        assertFalse(timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), address(this)), "renounced");
        assertTrue(timelock.hasRole(timelock.EXECUTOR_ROLE(), address(0)), "everybody executes");
    }
}
