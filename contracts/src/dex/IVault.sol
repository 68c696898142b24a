// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC3156FlashLender} from "@openzeppelin/interfaces/IERC3156FlashLender.sol";
import {IERC6909, IERC6909Metadata, IERC6909TokenSupply} from "@openzeppelin/interfaces/IERC6909.sol";

/// @title One place that holds the tokens of all pools and traders
/// @notice Who deposits a token gets an internal balance of it (ERC-6909; its id is the token's address). Pools and
/// traders pay each other in internal balances, which moves no token. Amounts are in the token's smallest unit.
///
/// A contract may open a session with {unlock}. While it is open, the contract's internal balance is a running account
/// in transient storage that starts at zero and may be negative: it withdraws and transfers what it does not have yet,
/// deposits and receives later, and the session ends only if every account is back at zero. What the contract held
/// before stays untouched. One session at a time.
///
/// The vault lends whatever it holds within a transaction, free of charge: by a session, or by ERC-3156.
///
/// Assumptions about tokens: a transfer of n that succeeds moves exactly n, unless the deposit is measured; balances do
/// not change by themselves. A token that breaks them harms those who hold it, and nobody else: there is no sum over
/// tokens anywhere. The vault never asks for its own balance, except in {depositMeasured}.
///
/// Invariant, for every token: {totalSupply} is the sum of all balances plus the running account, and the vault holds
/// at least as much, except while an ERC-3156 loan is out, which the totals do not count.
interface IVault is IERC6909, IERC6909Metadata, IERC6909TokenSupply, IERC3156FlashLender {
    /// @notice The balance is lower than the amount.
    error InsufficientBalance(address owner, uint256 balance, uint256 amount, uint256 id);
    /// @notice The allowance is lower than the amount.
    error InsufficientAllowance(address spender, uint256 allowance, uint256 amount, uint256 id);
    /// @notice The vault holds less of the token.
    error InsufficientHoldings(address token, uint256 held, uint256 amount);
    /// @notice Nothing goes to the zero address.
    error InvalidReceiver();
    /// @notice A session is open already.
    error AlreadyUnlocked(address holder);
    /// @notice This many running accounts are not zero at the end of the session.
    error Unsettled(uint256 accounts);
    /// @notice The amount does not fit into a running account.
    error AmountTooLarge(uint256 amount);
    /// @notice The id is no token's address.
    error InvalidId(uint256 id);
    /// @notice The borrower did not answer as ERC-3156 wants.
    error LoanRefused(address receiver);
    /// @notice The vault has none of the token to lend.
    error TokenNotLent(address token);

    event FlashLoan(address indexed receiver, address indexed token, uint256 amount);

    /// @notice Takes `amount` of `token` from the caller, who has to have approved the vault, and credits `to`.
    function deposit(address token, uint256 amount, address to) external;

    /// @notice The same for tokens that deliver less than was sent: credits what arrived.
    function depositMeasured(address token, uint256 amount, address to) external returns (uint256 received);

    /// @notice Debits the caller and sends `amount` of `token` to `to`.
    function withdraw(address token, uint256 amount, address to) external;

    /// @notice Allows `spender` to take `amount` in this transaction, before any other allowance.
    function approveTransient(address spender, uint256 id, uint256 amount) external;

    /// @notice Opens a session for the caller and calls its {IUnlockCallback.onUnlock} with `data`.
    /// @return result What the callback returned.
    function unlock(bytes calldata data) external returns (bytes memory result);

    /// @notice Whose session is open; zero if none is.
    function sessionHolder() external view returns (address);

    /// @notice The running account of the open session, in tokens of `id`.
    function runningAccount(uint256 id) external view returns (int256);
}

/// @notice What opens sessions.
interface IUnlockCallback {
    /// @notice Called by the vault within the session. The implementer checks that the vault calls.
    function onUnlock(bytes calldata data) external returns (bytes memory);
}
