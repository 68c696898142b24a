// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title Transfers by signature, of any ERC-20 token: the functions, types and errors of Permit2's `ISignatureTransfer`
/// @notice An owner approves the contract for a token once. After that a signature lets the account that it names, the *spender*, take up to an
/// amount once, until a deadline. Nonces have no order: each is a bit of the owner's own, so signatures need not wait for one another.
///
/// A signature can name a *witness* too, the hash of anything that the spender promises to do for it; the spender's contract checks that it does.
interface ISignatureTransfer {
    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    /// @param deadline The last second in which it can be used, since 1970.
    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    struct SignatureTransferDetails {
        address to;
        uint256 requestedAmount;
    }

    struct PermitBatchTransferFrom {
        TokenPermissions[] permitted;
        uint256 nonce;
        uint256 deadline;
    }

    /// @notice More is asked for than was signed.
    error InvalidAmount(uint256 maxAmount);
    /// @notice As many transfers as permissions have to be asked for.
    error LengthMismatch();
    error SignatureExpired(uint256 signatureDeadline);
    /// @notice The nonce has been used, or its owner has given it up.
    error InvalidNonce();
    /// @notice The owner has not signed this, for this spender.
    error InvalidSigner();

    event UnorderedNonceInvalidation(address indexed owner, uint256 word, uint256 mask);

    /// @notice The nonces of a word that are used: nonce `256 * word + bit`.
    function nonceBitmap(address owner, uint256 word) external view returns (uint256);

    /// @notice Takes what the owner has signed for the caller: as much as is asked for, to whom it is asked for.
    function permitTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes calldata signature
    ) external;

    /// @param witnessTypeString What follows the deadline in the type that was signed, and the types that it refers to in the order of their names:
    /// `Witness witness)TokenPermissions(address token,uint256 amount)Witness(…)`.
    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external;

    /// @notice Several tokens by one signature. A transfer of nothing is left out.
    function permitTransferFrom(
        PermitBatchTransferFrom calldata permit,
        SignatureTransferDetails[] calldata transferDetails,
        address owner,
        bytes calldata signature
    ) external;

    function permitWitnessTransferFrom(
        PermitBatchTransferFrom calldata permit,
        SignatureTransferDetails[] calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external;

    /// @notice Gives up nonces of the caller's: what is signed with them is worth nothing.
    function invalidateUnorderedNonces(uint256 wordPos, uint256 mask) external;
}
