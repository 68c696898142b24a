// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title Money of a DAO, and budgets that flow out of it
/// @notice The owner, a timelock, pays out of what is free, or opens a stream: an amount that becomes the recipient's evenly over a time. What
/// a stream will ever pay is set aside when it is opened. The owner can close it; what has become the recipient's until then stays so.
///
/// Amounts are in the tokens' smallest units; what has flowed is rounded down.
/// @dev Assumes that tokens deliver what is sent. Balances are counted; {recognise} alone looks at the token's, for what came without {fund}.
/// Invariant: the treasury holds what is free and what is set aside, of every token.
contract Treasury is Ownable {
    using SafeERC20 for IERC20;

    /// @param amount What flows in all.
    /// @param start When it begins, in seconds since 1970.
    /// @param duration How long it lasts, in seconds.
    /// @param paid What the recipient has taken.
    struct Stream {
        IERC20 token;
        address recipient;
        uint256 amount;
        uint256 start;
        uint256 duration;
        uint256 paid;
    }

    /// @notice What is in no stream.
    mapping(IERC20 token => uint256) public free;
    /// @notice What streams will pay.
    mapping(IERC20 token => uint256) public setAside;
    uint256 public streamCount;
    mapping(uint256 stream => Stream) private _streams;

    error NothingGiven();
    error InvalidStream();
    error UnknownStream(uint256 stream);
    error InsufficientFunds(IERC20 token, uint256 free, uint256 amount);
    error NotRecipient(uint256 stream, address caller);
    /// @notice Nothing has flowed since the last payment, or nothing is left to flow.
    error NothingDue(uint256 stream);

    event Funded(IERC20 indexed token, address indexed from, uint256 amount);
    event Paid(IERC20 indexed token, address indexed to, uint256 amount);
    event StreamOpened(
        uint256 indexed stream,
        IERC20 indexed token,
        address indexed recipient,
        uint256 amount,
        uint256 start,
        uint256 duration
    );
    event StreamPaid(uint256 indexed stream, address indexed to, uint256 amount);
    event StreamClosed(uint256 indexed stream, uint256 returned);
    event RecipientChanged(uint256 indexed stream, address indexed recipient);

    constructor(address owner) Ownable(owner) {}

    /// @notice Takes `amount` of the caller's.
    function fund(IERC20 token, uint256 amount) external {
        if (amount == 0) revert NothingGiven();
        free[token] += amount;
        emit Funded(token, msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Counts what was sent here without {fund}.
    function recognise(IERC20 token) external returns (uint256 amount) {
        amount = token.balanceOf(address(this)) - free[token] - setAside[token];
        if (amount == 0) revert NothingGiven();
        free[token] += amount;
        emit Funded(token, address(this), amount);
    }

    function pay(IERC20 token, address to, uint256 amount) external onlyOwner {
        if (amount == 0) revert NothingGiven();
        _reserve(token, amount);
        emit Paid(token, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @notice Opens a stream of `amount` from `start` on for `duration` seconds. A start in the past makes that part due at once.
    function openStream(IERC20 token, address recipient, uint256 amount, uint256 start, uint256 duration)
        external
        onlyOwner
        returns (uint256 stream)
    {
        if (recipient == address(0) || amount == 0 || duration == 0) revert InvalidStream();
        if (start > type(uint64).max || duration > type(uint64).max) revert InvalidStream();
        _reserve(token, amount);
        setAside[token] += amount;
        stream = streamCount++;
        _streams[stream] = Stream(token, recipient, amount, start, duration, 0);
        emit StreamOpened(stream, token, recipient, amount, start, duration);
    }

    /// @notice Ends a stream now. What has flowed stays the recipient's to take, the rest is free again.
    function closeStream(uint256 stream) external onlyOwner {
        Stream storage flow = _stream(stream);
        uint256 flowed = flowedOf(stream);
        uint256 returned = flow.amount - flowed;
        if (returned == 0) revert NothingDue(stream);
        // All of what is left has flowed.
        (flow.amount, flow.start, flow.duration) = (flowed, block.timestamp, 0);
        setAside[flow.token] -= returned;
        free[flow.token] += returned;
        emit StreamClosed(stream, returned);
    }

    /// @notice Sends the recipient's due to `to`.
    function withdraw(uint256 stream, address to) external returns (uint256 amount) {
        Stream storage flow = _stream(stream);
        if (msg.sender != flow.recipient) revert NotRecipient(stream, msg.sender);
        amount = flowedOf(stream) - flow.paid;
        if (amount == 0) revert NothingDue(stream);
        flow.paid += amount;
        setAside[flow.token] -= amount;
        emit StreamPaid(stream, to, amount);
        flow.token.safeTransfer(to, amount);
    }

    /// @notice Hands a stream on.
    function changeRecipient(uint256 stream, address recipient) external {
        Stream storage flow = _stream(stream);
        if (msg.sender != flow.recipient) revert NotRecipient(stream, msg.sender);
        if (recipient == address(0)) revert InvalidStream();
        flow.recipient = recipient;
        emit RecipientChanged(stream, recipient);
    }

    function streamOf(uint256 stream) external view returns (Stream memory) {
        return _streams[stream];
    }

    /// @notice What of a stream has become the recipient's by now, taken or not.
    function flowedOf(uint256 stream) public view returns (uint256) {
        Stream storage flow = _stream(stream);
        if (block.timestamp >= flow.start + flow.duration) return flow.amount;
        if (block.timestamp <= flow.start) return 0;
        return Math.mulDiv(flow.amount, block.timestamp - flow.start, flow.duration);
    }

    function _reserve(IERC20 token, uint256 amount) private {
        uint256 available = free[token];
        if (available < amount) revert InsufficientFunds(token, available, amount);
        free[token] = available - amount;
    }

    function _stream(uint256 stream) private view returns (Stream storage flow) {
        flow = _streams[stream];
        if (flow.recipient == address(0)) revert UnknownStream(stream);
    }
}
