// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @notice Why a transfer would not happen. The numbers are part of the interface: new reasons are added at the end.
enum Denial {
    None,
    Paused,
    SenderPolicy,
    RecipientPolicy,
    MintRecipientPolicy,
    InsufficientBalance,
    SenderFrozen,
    RecipientFrozen,
    InsufficientUnfrozen,
    RecipientUnverified,
    Compliance,
    SupplyCap
}

/// @notice A token that says, without a transaction, whether a transfer would happen and who would stand in its way.
interface ITransferCheck {
    /// @notice The transfer was refused for `code` by the contract `deniedBy`.
    error TransferDenied(Denial code, address deniedBy, address from, address to, uint256 amount);

    /// @notice What a transfer would meet now. Allowances are not looked at.
    /// @param from The sender; zero for a mint.
    /// @param to The recipient; zero for a burn.
    /// @param amount In the token's smallest unit.
    /// @return code `Denial.None` if the transfer would happen.
    /// @return deniedBy The contract whose rule refuses; zero if none does.
    function checkTransfer(address from, address to, uint256 amount)
        external
        view
        returns (Denial code, address deniedBy);
}
