// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/access/manager/AccessManaged.sol";
import {AccessManager} from "@openzeppelin/access/manager/AccessManager.sol";

/// @title Who may do what to micro-loans, after which delay, and the switch that stops what is new
/// @notice An {AccessManager}: a function of a contract belongs to a role, a member of a role waits its delay between announcing and
/// doing. The administrator is meant to be a member with a delay (a timelock); a function without a role is the administrator's.
///
/// The switch stops offers, acceptances, funding, payouts and deposits. Paying back, withdrawing and refunds do not ask it.
contract RoleGate is AccessManager {
    /// @notice Offers loans.
    uint64 public constant ORIGINATOR = 1;
    /// @notice Tells what a borrower without a wallet has agreed to.
    uint64 public constant GATEWAY = 2;
    /// @notice Has loans funded and paid out.
    uint64 public constant TREASURER = 3;
    /// @notice Books repayments and steps.
    uint64 public constant SERVICER = 4;
    /// @notice Charges off, forgives and restructures; a role to give with a delay.
    uint64 public constant CREDIT = 5;
    /// @notice Anchors the journal.
    uint64 public constant ANCHOR = 6;
    /// @notice Stops what is new.
    uint64 public constant GUARDIAN = 7;
    /// @notice Sets limits and lists; a role to give with a delay.
    uint64 public constant PARAMETERS = 8;
    /// @notice Issues attestations.
    uint64 public constant ISSUER = 9;
    /// @notice Gives out donated money as vouchers.
    uint64 public constant PROGRAMME = 10;

    /// @notice Whether what is new is stopped.
    bool public paused;

    error NotGuardian(address caller);

    event PausedSet(bool paused, address indexed by);

    constructor(address administrator) AccessManager(administrator) {}

    /// @notice Stops what is new, or lets it go on. A guardian has no delay: stopping takes nothing from anybody.
    function setPaused(bool stop) external {
        (bool isMember, uint32 delay) = hasRole(GUARDIAN, msg.sender);
        if (!isMember || delay != 0) revert NotGuardian(msg.sender);
        paused = stop;
        emit PausedSet(stop, msg.sender);
    }
}

/// @dev A contract under a {RoleGate}.
abstract contract Gated is AccessManaged {
    /// @notice New business is stopped.
    error Paused();

    modifier notPaused() {
        if (RoleGate(authority()).paused()) revert Paused();
        _;
    }

    constructor(RoleGate gate) AccessManaged(address(gate)) {}
}
