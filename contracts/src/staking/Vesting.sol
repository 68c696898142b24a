// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title Tokens that become somebody's over time
/// @notice A schedule gives `total` of a token to a beneficiary, evenly from `start` to `end`, and nothing before `cliff`. What
/// has become the beneficiary's can be paid out by anyone, to the beneficiary. Who funded a revocable schedule may end it: what
/// has become the beneficiary's is paid, the rest goes back. Times are in seconds since 1970; amounts are in smallest units,
/// rounded down for the beneficiary until the end, when all is paid.
/// @dev A schedule's id depends on its funder, its beneficiary and the count of these two, so a funder that pays many people has
/// no slot that all of them need. Assumes that the token delivers what is sent.
contract Vesting {
    using SafeERC20 for IERC20;

    struct Schedule {
        IERC20 token;
        address funder;
        address beneficiary;
        uint64 start;
        uint64 cliff;
        uint64 end;
        bool revocable;
        uint256 total;
        uint256 released;
    }

    mapping(bytes32 id => Schedule) private schedules;
    /// @notice How many schedules an account has funded for another.
    mapping(address funder => mapping(address beneficiary => uint256)) public countOf;

    error NothingVests();
    /// @notice A schedule begins, has its cliff, and ends, in this order.
    error InvalidTimes(uint256 start, uint256 cliff, uint256 end);
    error NoBeneficiary();
    error UnknownSchedule(bytes32 id);
    error NotRevocable(bytes32 id);
    error NotFunder(address caller);
    error NotBeneficiary(address caller);

    event Created(bytes32 indexed id, address indexed funder, address indexed beneficiary, IERC20 token, uint256 total);
    event Released(bytes32 indexed id, address indexed beneficiary, uint256 amount);
    event Revoked(bytes32 indexed id, uint256 returned);
    event BeneficiaryChanged(bytes32 indexed id, address indexed beneficiary);

    /// @notice Takes `total` of the caller's tokens, who has to have approved this contract, for `beneficiary`.
    function create(
        IERC20 token,
        address beneficiary,
        uint256 total,
        uint64 start,
        uint64 cliff,
        uint64 end,
        bool revocable
    ) external returns (bytes32 id) {
        if (total == 0) revert NothingVests();
        if (beneficiary == address(0)) revert NoBeneficiary();
        if (start > cliff || cliff > end || start == end) revert InvalidTimes(start, cliff, end);
        id = idOf(msg.sender, beneficiary, countOf[msg.sender][beneficiary]++);
        schedules[id] = Schedule(token, msg.sender, beneficiary, start, cliff, end, revocable, total, 0);
        emit Created(id, msg.sender, beneficiary, token, total);
        token.safeTransferFrom(msg.sender, address(this), total);
    }

    /// @notice Pays the beneficiary what has become its own and was not paid yet.
    function release(bytes32 id) public returns (uint256 amount) {
        Schedule storage schedule = _known(id);
        amount = vested(id) - schedule.released;
        if (amount == 0) return 0;
        schedule.released += amount;
        emit Released(id, schedule.beneficiary, amount);
        schedule.token.safeTransfer(schedule.beneficiary, amount);
    }

    /// @notice Ends a revocable schedule.
    function revoke(bytes32 id) external returns (uint256 returned) {
        Schedule storage schedule = _known(id);
        if (msg.sender != schedule.funder) revert NotFunder(msg.sender);
        if (!schedule.revocable) revert NotRevocable(id);
        uint256 kept = vested(id);
        returned = schedule.total - kept;
        schedule.total = kept;
        schedule.end = uint64(Math.min(block.timestamp, schedule.end));
        schedule.revocable = false;
        emit Revoked(id, returned);
        release(id);
        schedule.token.safeTransfer(schedule.funder, returned);
    }

    /// @notice Gives the rest of a schedule to another account.
    function setBeneficiary(bytes32 id, address beneficiary) external {
        Schedule storage schedule = _known(id);
        if (msg.sender != schedule.beneficiary) revert NotBeneficiary(msg.sender);
        if (beneficiary == address(0)) revert NoBeneficiary();
        schedule.beneficiary = beneficiary;
        emit BeneficiaryChanged(id, beneficiary);
    }

    /// @notice The id of the schedule that `funder` made for `beneficiary` after `number` others.
    function idOf(address funder, address beneficiary, uint256 number) public pure returns (bytes32) {
        return keccak256(abi.encode(funder, beneficiary, number));
    }

    function scheduleOf(bytes32 id) external view returns (Schedule memory) {
        return _known(id);
    }

    /// @notice What has become the beneficiary's by now, paid or not.
    function vested(bytes32 id) public view returns (uint256) {
        Schedule storage schedule = _known(id);
        if (block.timestamp >= schedule.end) return schedule.total;
        if (block.timestamp < schedule.cliff) return 0;
        return Math.mulDiv(schedule.total, block.timestamp - schedule.start, schedule.end - schedule.start);
    }

    function _known(bytes32 id) private view returns (Schedule storage schedule) {
        schedule = schedules[id];
        if (schedule.funder == address(0)) revert UnknownSchedule(id);
    }
}
