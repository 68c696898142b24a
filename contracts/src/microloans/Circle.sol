// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";

/// @title Circles that save together
/// @notice The members of a circle pay the same amount each round, and each round one of them gets the pot, in the order in which they
/// stand (a ROSCA). Before the first round each puts down a pledge of some contributions. Who does not pay a round pays it out of their
/// pledge; where that is used up, the pledges of the others pay in turn, from the first member on (solidarity), and who caused it owes it
/// to them. After the last round everybody gets their pledge back.
///
/// A round ends on its day or when all have paid. Nobody administers a circle; whoever calls, calls for all.
///
/// Every token here is a pledge, a contribution to the running round, or money that a member has not fetched.
contract Circle {
    using SafeERC20 for IERC20;

    /// @notice Most members: ending a round goes through them.
    uint256 public constant MAX_MEMBERS = 20;

    /// @param contribution What each pays each round.
    /// @param pledges Contributions that each puts down.
    /// @param period Between rounds, in seconds.
    /// @param round The running one, from 0; as many as members when the circle is done.
    /// @param endsAt When it ends, in seconds since 1970; 0 before all have joined.
    struct Terms {
        IERC20 token;
        uint128 contribution;
        uint32 pledges;
        uint32 period;
        uint32 round;
        uint64 endsAt;
    }

    mapping(bytes32 circle => Terms) public termsOf;
    mapping(bytes32 circle => address[]) private _members;
    mapping(bytes32 circle => mapping(address member => bool)) public isMember;
    mapping(bytes32 circle => mapping(address member => bool)) public hasJoined;
    mapping(bytes32 circle => uint256) public joined;
    mapping(bytes32 circle => mapping(address member => uint256)) public pledgeOf;
    mapping(bytes32 circle => mapping(uint32 round => mapping(address member => bool))) public hasPaid;
    mapping(bytes32 circle => mapping(uint32 round => uint256)) public paidIn;
    /// @notice What somebody can fetch.
    mapping(bytes32 circle => mapping(address member => uint256)) public dueTo;
    /// @notice What a member's missing contributions cost the others.
    mapping(bytes32 circle => mapping(address member => uint256)) public owedBy;
    mapping(bytes32 circle => mapping(address creditor => mapping(address debtor => uint256))) public owedTo;

    error InvalidCircle();
    error AlreadyOpen(bytes32 circle);
    error UnknownCircle(bytes32 circle);
    error NotMember(bytes32 circle, address caller);
    error AlreadyJoined(bytes32 circle, address member);
    error NotComplete(bytes32 circle, uint256 joined);
    error AlreadyPaid(bytes32 circle, uint32 round, address member);
    error RoundRuns(bytes32 circle, uint256 until);
    error Over(bytes32 circle);
    error HasBegun(bytes32 circle);
    error NothingDue(bytes32 circle, address member);
    error MoreThanOwed(bytes32 circle, uint256 owed, uint256 given);

    event CircleOpened(bytes32 indexed circle, IERC20 indexed token, uint256 contribution, address[] members);
    event Joined(bytes32 indexed circle, address indexed member, uint256 pledge);
    event Left(bytes32 indexed circle, address indexed member, uint256 pledge);
    event Contributed(bytes32 indexed circle, uint32 indexed round, address indexed member);
    event Missed(
        bytes32 indexed circle, uint32 indexed round, address indexed member, uint256 byPledge, uint256 byOthers
    );
    event RoundEnded(bytes32 indexed circle, uint32 indexed round, address indexed recipient, uint256 pot);
    event Fetched(bytes32 indexed circle, address indexed member, uint256 amount);
    event DebtPaid(bytes32 indexed circle, address indexed debtor, address indexed creditor, uint256 amount);

    /// @notice Opens a circle of these members, who then join. Its name follows from who opens it and a salt.
    function open(
        IERC20 token,
        uint128 contribution,
        uint32 pledges,
        uint32 period,
        address[] calldata members,
        bytes32 salt
    ) external returns (bytes32 circle) {
        circle = keccak256(abi.encode(msg.sender, salt));
        if (address(termsOf[circle].token) != address(0)) revert AlreadyOpen(circle);
        bool isSensible = members.length > 1 && members.length <= MAX_MEMBERS && pledges <= members.length;
        if (!isSensible || contribution == 0 || period == 0 || address(token) == address(0)) revert InvalidCircle();
        termsOf[circle] = Terms(token, contribution, pledges, period, 0, 0);
        for (uint256 i = 0; i < members.length; i++) {
            if (members[i] == address(0) || isMember[circle][members[i]]) revert InvalidCircle();
            isMember[circle][members[i]] = true;
        }
        _members[circle] = members;
        emit CircleOpened(circle, token, contribution, members);
    }

    /// @notice Joins, with the pledge. With the last one the first round begins.
    function join(bytes32 circle) external {
        Terms storage terms = _known(circle);
        if (!isMember[circle][msg.sender]) revert NotMember(circle, msg.sender);
        if (hasJoined[circle][msg.sender]) revert AlreadyJoined(circle, msg.sender);
        uint256 pledge = uint256(terms.contribution) * terms.pledges;
        hasJoined[circle][msg.sender] = true;
        joined[circle] += 1;
        pledgeOf[circle][msg.sender] = pledge;
        if (joined[circle] == _members[circle].length) terms.endsAt = uint64(block.timestamp + terms.period);
        emit Joined(circle, msg.sender, pledge);
        if (pledge != 0) terms.token.safeTransferFrom(msg.sender, address(this), pledge);
    }

    /// @notice Leaves a circle that has not begun, with the pledge.
    function leave(bytes32 circle) external {
        Terms storage terms = _known(circle);
        if (terms.endsAt != 0) revert HasBegun(circle);
        if (!hasJoined[circle][msg.sender]) revert NotMember(circle, msg.sender);
        uint256 pledge = pledgeOf[circle][msg.sender];
        hasJoined[circle][msg.sender] = false;
        joined[circle] -= 1;
        pledgeOf[circle][msg.sender] = 0;
        emit Left(circle, msg.sender, pledge);
        if (pledge != 0) terms.token.safeTransfer(msg.sender, pledge);
    }

    /// @notice Pays the running round for `member`, from the caller.
    function contribute(bytes32 circle, address member) external {
        Terms storage terms = _begun(circle);
        uint32 round = terms.round;
        if (!isMember[circle][member]) revert NotMember(circle, member);
        if (hasPaid[circle][round][member]) revert AlreadyPaid(circle, round, member);
        hasPaid[circle][round][member] = true;
        paidIn[circle][round] += 1;
        emit Contributed(circle, round, member);
        terms.token.safeTransferFrom(msg.sender, address(this), terms.contribution);
    }

    /// @notice Ends the running round: what is missing comes out of pledges, and the pot is the recipient's to fetch.
    function endRound(bytes32 circle) external {
        Terms storage terms = _begun(circle);
        (uint32 round, uint256 contribution) = (terms.round, terms.contribution);
        address[] memory members = _members[circle];
        bool areAllPaid = paidIn[circle][round] == members.length;
        if (!areAllPaid && block.timestamp < terms.endsAt) revert RoundRuns(circle, terms.endsAt);
        uint256 pot = contribution * paidIn[circle][round];
        for (uint256 i = 0; i < members.length; i++) {
            if (!hasPaid[circle][round][members[i]]) pot += _coverMissing(circle, round, members, members[i]);
        }
        address recipient = members[round];
        dueTo[circle][recipient] += pot;
        terms.round = round + 1;
        terms.endsAt = uint64(block.timestamp + terms.period);
        emit RoundEnded(circle, round, recipient, pot);
        if (terms.round < members.length) return;
        for (uint256 i = 0; i < members.length; i++) {
            dueTo[circle][members[i]] += pledgeOf[circle][members[i]];
            pledgeOf[circle][members[i]] = 0;
        }
    }

    /// @notice Sends a member what is theirs.
    function fetch(bytes32 circle, address member) external returns (uint256 amount) {
        amount = dueTo[circle][member];
        if (amount == 0) revert NothingDue(circle, member);
        dueTo[circle][member] = 0;
        emit Fetched(circle, member, amount);
        termsOf[circle].token.safeTransfer(member, amount);
    }

    /// @notice Pays a member what the caller's missing contributions have cost them.
    function payDebt(bytes32 circle, address creditor, uint256 amount) external {
        uint256 owed = owedTo[circle][creditor][msg.sender];
        if (amount == 0 || amount > owed) revert MoreThanOwed(circle, owed, amount);
        owedTo[circle][creditor][msg.sender] = owed - amount;
        owedBy[circle][msg.sender] -= amount;
        emit DebtPaid(circle, msg.sender, creditor, amount);
        termsOf[circle].token.safeTransferFrom(msg.sender, creditor, amount);
    }

    function membersOf(bytes32 circle) external view returns (address[] memory) {
        return _members[circle];
    }

    /// @dev A contribution of who has not paid: from their pledge, then from what they have not fetched, then from the others' pledges.
    function _coverMissing(bytes32 circle, uint32 round, address[] memory members, address debtor)
        private
        returns (uint256 covered)
    {
        uint256 wanted = termsOf[circle].contribution;
        covered = _takeDown(pledgeOf[circle], debtor, wanted);
        covered += _takeDown(dueTo[circle], debtor, wanted - covered);
        uint256 own = covered;
        for (uint256 i = 0; i < members.length && covered < wanted; i++) {
            if (members[i] == debtor) continue;
            uint256 taken = _takeDown(pledgeOf[circle], members[i], wanted - covered);
            if (taken == 0) continue;
            covered += taken;
            owedBy[circle][debtor] += taken;
            owedTo[circle][members[i]][debtor] += taken;
        }
        emit Missed(circle, round, debtor, own, covered - own);
    }

    function _takeDown(mapping(address => uint256) storage from, address member, uint256 wanted)
        private
        returns (uint256 taken)
    {
        uint256 held = from[member];
        taken = held < wanted ? held : wanted;
        if (taken != 0) from[member] = held - taken;
    }

    function _known(bytes32 circle) private view returns (Terms storage terms) {
        terms = termsOf[circle];
        if (address(terms.token) == address(0)) revert UnknownCircle(circle);
    }

    function _begun(bytes32 circle) private view returns (Terms storage terms) {
        terms = _known(circle);
        if (terms.endsAt == 0) revert NotComplete(circle, joined[circle]);
        if (terms.round == _members[circle].length) revert Over(circle);
    }
}
