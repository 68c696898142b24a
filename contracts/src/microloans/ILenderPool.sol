// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/token/ERC20/IERC20.sol";

/// @notice What a payment consists of, in the token's smallest units.
struct Parts {
    uint128 principal;
    uint128 interest;
    uint128 fees;
    uint128 penalties;
}

/// @title Lenders' money, as the loan book sees it
/// @notice Assumes a token that moves exactly what it is told and does not call back: {open} measures the first once, the list of
/// pools of the loan book is where the token is chosen.
interface ILenderPool {
    error NotBook(address caller);
    error NotTranche(address caller);
    error NotOpen();
    error AlreadyOpen();
    error InvalidTerms();
    error NothingGiven();
    /// @notice What was sent is not what arrived.
    error TokenTakesFee(uint256 sent, uint256 arrived);
    error InsufficientCash(uint256 available, uint256 wanted);
    error EpochRuns(uint256 until);

    event Opened(uint256 amount);
    event Lent(bytes32 indexed loan, uint256 amount);
    event Returned(bytes32 indexed loan, uint256 amount);
    event Repaid(bytes32 indexed loan, address indexed payer, Parts parts);
    event Suspended(bytes32 indexed loan, address indexed payer, uint256 amount);
    event Refunded(bytes32 indexed loan, address indexed payer, uint256 amount);
    event LossAllocated(bytes32 indexed loan, uint256 firstLoss, uint256 surplus, uint256 junior, uint256 senior);
    event RecoveredFrom(bytes32 indexed loan, address indexed payer, uint256 amount);
    event Accrued(uint256 toFees, uint256 toSenior, uint256 toJunior);
    event LossRestored(uint256 senior, uint256 junior, uint256 firstLoss);
    event EpochClosed(uint256 indexed epoch, uint256 senior, uint256 junior);
    event FeesWithdrawn(address indexed to, uint256 amount);

    function token() external view returns (IERC20);
    /// @notice The currency, in ASCII.
    function currency() external view returns (bytes8);
    /// @notice Smallest units of the token that are a minor unit of the currency; loans are multiples of it.
    function minorUnit() external view returns (uint256);

    /// @notice Sends `amount` to `to`, for a loan.
    function lend(bytes32 loan, uint256 amount, address to) external;
    /// @notice Counts what was lent and never paid out as cash again; the caller has it sent.
    function takeBack(bytes32 loan, uint256 amount) external;
    /// @notice Takes a repayment from `payer`.
    function repay(bytes32 loan, address payer, Parts calldata parts) external;
    /// @notice Takes money from `payer` that nobody has allocated yet.
    function suspend(bytes32 loan, address payer, uint256 amount) external;
    /// @notice Makes money that was taken by {suspend} a repayment.
    function allocate(bytes32 loan, address payer, Parts calldata parts) external;
    /// @notice Sends money that was taken by {suspend} back.
    function refund(bytes32 loan, address payer, uint256 amount) external;
    /// @notice Gives up `amount` of what is lent.
    function writeOff(bytes32 loan, uint256 amount) external;
    /// @notice Takes what comes in for a loan that was given up.
    function recover(bytes32 loan, address payer, uint256 amount) external;
}
