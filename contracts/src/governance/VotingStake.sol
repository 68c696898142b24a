// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC5805} from "@openzeppelin/interfaces/IERC5805.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Nonces} from "@openzeppelin/utils/Nonces.sol";
import {ECDSA} from "@openzeppelin/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/utils/math/SafeCast.sol";

/// @title Stakes that vote, an epoch later
/// @notice Who stakes a token has as many votes from the beginning of the next epoch on, and so has whom he delegates them to. Votes at a
/// moment are those that the stakes had at the end of the epoch before it (ERC-5805, clock in seconds). They are therefore settled before
/// anybody votes with them: a vote reads nothing that others are writing, and a stake that comes and goes within an epoch votes never.
///
/// Leaving takes {unbonding} seconds, so who has voted stays for what follows.
///
/// Amounts are in the token's smallest unit; one of them is one vote. Nothing is rounded.
/// @dev Assumes that the token delivers what is sent and calls nobody back. {Trace-current} is added to and taken from only; the epoch of its
/// last change is written once an epoch. {DelegateVotesChanged} tells a delegate's votes before and after, as ERC-5805 demands; they are
/// words of a log and computed with by nobody.
contract VotingStake is IERC5805, EIP712, Nonces {
    using SafeERC20 for IERC20;

    /// @notice Votes that held from the end of an epoch on.
    struct Checkpoint {
        uint48 epoch;
        uint208 votes;
    }

    /// @dev `current` is what holds since `changedIn`; `past` is what held after epochs before that.
    struct Trace {
        uint256 current;
        uint256 changedIn;
        Checkpoint[] past;
    }

    struct Leaving {
        uint256 amount;
        uint256 from;
    }

    bytes32 private constant DELEGATION = keccak256("Delegation(address delegatee,uint256 nonce,uint256 expiry)");

    IERC20 public immutable token;
    /// @notice The length of an epoch, in seconds.
    uint256 public immutable epochLength;
    /// @notice From the request until a stake may be taken out, in seconds.
    uint256 public immutable unbonding;

    mapping(address account => uint256) public stakeOf;
    mapping(address account => Leaving) public leavingOf;
    mapping(address account => address) private _delegateOf;
    mapping(address delegate => Trace) private _votes;
    Trace private _total;

    error NothingStaked();
    error InvalidEpoch();
    error InsufficientStake(address account, uint256 stake, uint256 amount);
    error NotYet(uint256 from);
    /// @notice Votes are known up to now.
    error ERC5805FutureLookup(uint256 timepoint, uint48 clock);
    error TooManyVotes();

    event Staked(address indexed account, uint256 amount);
    event UnstakeRequested(address indexed account, uint256 amount, uint256 from);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    constructor(IERC20 token_, uint256 epochLength_, uint256 unbonding_) EIP712("Braid voting stake", "1") {
        if (epochLength_ == 0) revert InvalidEpoch();
        token = token_;
        epochLength = epochLength_;
        unbonding = unbonding_;
    }

    /// @notice Stakes `amount` of the caller's.
    function stake(uint256 amount) external {
        if (amount == 0) revert NothingStaked();
        stakeOf[msg.sender] += amount;
        _add(_total, amount);
        _raise(delegates(msg.sender), amount);
        emit Staked(msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Takes the votes of `amount` away at the next epoch; the tokens can be withdrawn after {unbonding}. An earlier request that was not
    /// withdrawn waits along.
    function requestUnstake(uint256 amount) external {
        if (amount == 0) revert NothingStaked();
        uint256 held = stakeOf[msg.sender];
        if (held < amount) revert InsufficientStake(msg.sender, held, amount);
        stakeOf[msg.sender] = held - amount;
        _take(_total, amount);
        _lower(delegates(msg.sender), amount);
        uint256 from = block.timestamp + unbonding;
        leavingOf[msg.sender] = Leaving(leavingOf[msg.sender].amount + amount, from);
        emit UnstakeRequested(msg.sender, amount, from);
    }

    /// @notice Sends what the caller has requested to `to`.
    function withdraw(address to) external returns (uint256 amount) {
        Leaving memory leaving = leavingOf[msg.sender];
        amount = leaving.amount;
        if (amount == 0) revert NothingStaked();
        if (block.timestamp < leaving.from) revert NotYet(leaving.from);
        delete leavingOf[msg.sender];
        emit Withdrawn(msg.sender, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @notice Gives the votes of the caller's stake, now and later, to `delegatee`. Zero stands for the caller.
    function delegate(address delegatee) external {
        _delegate(msg.sender, delegatee);
    }

    /// @notice The same for who has signed it (EIP-712).
    function delegateBySig(address delegatee, uint256 nonce, uint256 expiry, uint8 v, bytes32 r, bytes32 s) external {
        if (block.timestamp > expiry) revert VotesExpiredSignature(expiry);
        bytes32 message = _hashTypedDataV4(keccak256(abi.encode(DELEGATION, delegatee, nonce, expiry)));
        address signer = ECDSA.recover(message, v, r, s);
        _useCheckedNonce(signer, nonce);
        _delegate(signer, delegatee);
    }

    // Questions

    function clock() public view returns (uint48) {
        return SafeCast.toUint48(block.timestamp);
    }

    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() external pure returns (string memory) {
        return "mode=timestamp";
    }

    function delegates(address account) public view returns (address) {
        address chosen = _delegateOf[account];
        return chosen == address(0) ? account : chosen;
    }

    /// @notice The votes of an account in this epoch.
    function getVotes(address account) external view returns (uint256) {
        return _at(_votes[account], block.timestamp);
    }

    function getPastVotes(address account, uint256 timepoint) external view returns (uint256) {
        return _at(_votes[account], _known(timepoint));
    }

    function getPastTotalSupply(uint256 timepoint) external view returns (uint256) {
        return _at(_total, _known(timepoint));
    }

    /// @notice All stakes.
    function totalStaked() external view returns (uint256) {
        return _total.current;
    }

    /// @notice The votes that an account has from the next epoch on, if nothing changes.
    function nextVotes(address account) external view returns (uint256) {
        return _votes[account].current;
    }

    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function _delegate(address account, address delegatee) private {
        address before = delegates(account);
        _delegateOf[account] = delegatee;
        address later = delegates(account);
        emit DelegateChanged(account, before, later);
        uint256 amount = stakeOf[account];
        if (before == later || amount == 0) return;
        _lower(before, amount);
        _raise(later, amount);
    }

    function _raise(address account, uint256 amount) private {
        uint256 before = _add(_votes[account], amount);
        emit DelegateVotesChanged(account, before, before + amount);
    }

    function _lower(address account, uint256 amount) private {
        uint256 before = _take(_votes[account], amount);
        emit DelegateVotesChanged(account, before, before - amount);
    }

    function _add(Trace storage trace, uint256 amount) private returns (uint256 before) {
        before = _closeEpoch(trace);
        if (amount > type(uint208).max || before > type(uint208).max - amount) revert TooManyVotes();
        trace.current = before + amount;
    }

    function _take(Trace storage trace, uint256 amount) private returns (uint256 before) {
        before = _closeEpoch(trace);
        trace.current = before - amount;
    }

    /// @dev The first change of an epoch keeps what the last epoch with a change has ended with.
    function _closeEpoch(Trace storage trace) private returns (uint256 current) {
        current = trace.current;
        uint256 epoch = block.timestamp / epochLength;
        uint256 changedIn = trace.changedIn;
        if (changedIn == epoch) return current;
        if (changedIn != 0) trace.past.push(Checkpoint(uint48(changedIn), uint208(current)));
        trace.changedIn = epoch;
    }

    /// @dev What the epoch before that of `timepoint` has ended with.
    function _at(Trace storage trace, uint256 timepoint) private view returns (uint256) {
        uint256 epoch = timepoint / epochLength;
        if (epoch > trace.changedIn) return trace.current;
        Checkpoint[] storage past = trace.past;
        (uint256 low, uint256 high) = (0, past.length);
        while (low < high) {
            uint256 middle = Math.average(low, high);
            if (past[middle].epoch < epoch) low = middle + 1;
            else high = middle;
        }
        return low == 0 ? 0 : past[low - 1].votes;
    }

    function _known(uint256 timepoint) private view returns (uint256) {
        if (timepoint >= block.timestamp) revert ERC5805FutureLookup(timepoint, clock());
        return timepoint;
    }
}
