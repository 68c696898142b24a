// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Governor} from "@openzeppelin/governance/Governor.sol";
import {TimelockController} from "@openzeppelin/governance/TimelockController.sol";
import {GovernorCountingFractional} from "@openzeppelin/governance/extensions/GovernorCountingFractional.sol";
import {GovernorProposalGuardian} from "@openzeppelin/governance/extensions/GovernorProposalGuardian.sol";
import {GovernorSettings} from "@openzeppelin/governance/extensions/GovernorSettings.sol";
import {GovernorTimelockControl} from "@openzeppelin/governance/extensions/GovernorTimelockControl.sol";
import {GovernorVotes} from "@openzeppelin/governance/extensions/GovernorVotes.sol";
import {GovernorVotesQuorumFraction} from "@openzeppelin/governance/extensions/GovernorVotesQuorumFraction.sol";
import {IERC5805} from "@openzeppelin/interfaces/IERC5805.sol";

/// @title OpenZeppelin's Governor over staked votes, with a timelock and a guardian
/// @notice A proposal is a list of calls. It is voted on with the votes of {VotingStake} at its snapshot, succeeds with more votes for than
/// against and a quorum of all votes, waits in the timelock, and is then executed by anybody. A vote may be split (support 255). The
/// guardian can cancel a proposal until it is executed, and nothing else; a proposal can replace him.
/// @dev Votes commute: each adds to one of three tallies and writes a slot of the voter's. The extension that prolongs a vote whose
/// quorum comes late is left out, because it would have every vote compute with all tallies.
contract DaoGovernor is
    GovernorSettings,
    GovernorCountingFractional,
    GovernorVotes,
    GovernorVotesQuorumFraction,
    GovernorTimelockControl,
    GovernorProposalGuardian
{
    /// @param delay From the proposal to its snapshot, in seconds.
    /// @param period How long is voted, in seconds.
    /// @param threshold The votes that it takes to propose.
    /// @param quorumPercent Of all votes.
    struct Rules {
        uint48 delay;
        uint32 period;
        uint256 threshold;
        uint256 quorumPercent;
        address guardian;
    }

    constructor(string memory name, IERC5805 votes, TimelockController timelock_, Rules memory rules)
        Governor(name)
        GovernorSettings(rules.delay, rules.period, rules.threshold)
        GovernorVotes(votes)
        GovernorVotesQuorumFraction(rules.quorumPercent)
        GovernorTimelockControl(timelock_)
    {
        _setProposalGuardian(rules.guardian);
    }

    function state(uint256 proposal) public view override(Governor, GovernorTimelockControl) returns (ProposalState) {
        return super.state(proposal);
    }

    function proposalNeedsQueuing(uint256 proposal)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (bool)
    {
        return super.proposalNeedsQueuing(proposal);
    }

    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    function _queueOperations(
        uint256 proposal,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 description
    ) internal override(Governor, GovernorTimelockControl) returns (uint48) {
        return super._queueOperations(proposal, targets, values, calldatas, description);
    }

    function _executeOperations(
        uint256 proposal,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 description
    ) internal override(Governor, GovernorTimelockControl) {
        super._executeOperations(proposal, targets, values, calldatas, description);
    }

    function _cancel(address[] memory targets, uint256[] memory values, bytes[] memory calldatas, bytes32 description)
        internal
        override(Governor, GovernorTimelockControl)
        returns (uint256)
    {
        return super._cancel(targets, values, calldatas, description);
    }

    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }

    function _validateCancel(uint256 proposal, address caller)
        internal
        view
        override(Governor, GovernorProposalGuardian)
        returns (bool)
    {
        return super._validateCancel(proposal, caller);
    }
}
