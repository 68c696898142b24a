// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ISignatureTransfer} from "./ISignatureTransfer.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {SignatureCheckerLib} from "solady/utils/SignatureCheckerLib.sol";

/// @notice See {ISignatureTransfer}. What wallets sign is what they sign for Permit2 (EIP-712: its domain has a name and no version), so its libraries
/// make these signatures, given this address. Signatures have 65 or 64 bytes (EIP-2098), or are a contract's (ERC-1271).
/// @dev Its allowances over time (`AllowanceTransfer`) are not here: tokens of this chain have allowances and permits of their own. It holds nothing. Two
/// transfers have no slot in common but balances and a word of one owner's nonces.
contract SignatureTransfer is ISignatureTransfer {
    using SafeERC20 for IERC20;

    bytes32 private constant DOMAIN = keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("Permit2");
    bytes32 private constant TOKEN_PERMISSIONS = keccak256("TokenPermissions(address token,uint256 amount)");
    bytes32 private constant SINGLE = keccak256(
        "PermitTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline)TokenPermissions(address token,uint256 amount)"
    );
    bytes32 private constant BATCH = keccak256(
        "PermitBatchTransferFrom(TokenPermissions[] permitted,address spender,uint256 nonce,uint256 deadline)TokenPermissions(address token,uint256 amount)"
    );
    string private constant SINGLE_WITNESS =
        "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,";
    string private constant BATCH_WITNESS =
        "PermitBatchWitnessTransferFrom(TokenPermissions[] permitted,address spender,uint256 nonce,uint256 deadline,";

    /// @inheritdoc ISignatureTransfer
    mapping(address owner => mapping(uint256 word => uint256)) public nonceBitmap;

    /// @inheritdoc ISignatureTransfer
    function permitTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes calldata signature
    ) external {
        bytes32 tokens = _hashOf(permit.permitted);
        bytes32 struct_ = keccak256(abi.encode(SINGLE, tokens, msg.sender, permit.nonce, permit.deadline));
        _use(owner, permit.nonce, permit.deadline, struct_, signature);
        _transfer(permit.permitted, transferDetails, owner);
    }

    /// @inheritdoc ISignatureTransfer
    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external {
        bytes32 kind = keccak256(abi.encodePacked(SINGLE_WITNESS, witnessTypeString));
        bytes32 tokens = _hashOf(permit.permitted);
        bytes32 struct_ = keccak256(abi.encode(kind, tokens, msg.sender, permit.nonce, permit.deadline, witness));
        _use(owner, permit.nonce, permit.deadline, struct_, signature);
        _transfer(permit.permitted, transferDetails, owner);
    }

    /// @inheritdoc ISignatureTransfer
    function permitTransferFrom(
        PermitBatchTransferFrom calldata permit,
        SignatureTransferDetails[] calldata transferDetails,
        address owner,
        bytes calldata signature
    ) external {
        bytes32 tokens = _hashOfAll(permit.permitted);
        bytes32 struct_ = keccak256(abi.encode(BATCH, tokens, msg.sender, permit.nonce, permit.deadline));
        _use(owner, permit.nonce, permit.deadline, struct_, signature);
        _transferAll(permit.permitted, transferDetails, owner);
    }

    /// @inheritdoc ISignatureTransfer
    function permitWitnessTransferFrom(
        PermitBatchTransferFrom calldata permit,
        SignatureTransferDetails[] calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external {
        bytes32 kind = keccak256(abi.encodePacked(BATCH_WITNESS, witnessTypeString));
        bytes32 tokens = _hashOfAll(permit.permitted);
        bytes32 struct_ = keccak256(abi.encode(kind, tokens, msg.sender, permit.nonce, permit.deadline, witness));
        _use(owner, permit.nonce, permit.deadline, struct_, signature);
        _transferAll(permit.permitted, transferDetails, owner);
    }

    /// @inheritdoc ISignatureTransfer
    function invalidateUnorderedNonces(uint256 wordPos, uint256 mask) external {
        nonceBitmap[msg.sender][wordPos] |= mask;
        emit UnorderedNonceInvalidation(msg.sender, wordPos, mask);
    }

    /// @notice What every signature is made for: this contract on this chain (EIP-712).
    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN, NAME, block.chainid, address(this)));
    }

    /// @dev Uses a signature up.
    function _use(address owner, uint256 nonce, uint256 deadline, bytes32 struct_, bytes calldata signature) private {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        uint256 used = nonceBitmap[owner][nonce >> 8];
        uint256 bit = 1 << (nonce & 0xff);
        if (used & bit != 0) revert InvalidNonce();
        nonceBitmap[owner][nonce >> 8] = used | bit;
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", DOMAIN_SEPARATOR(), struct_));
        // Nobody's signature recovers to the zero address, which owns what was burnt.
        bool isSigned = owner != address(0) && SignatureCheckerLib.isValidSignatureNowCalldata(owner, digest, signature);
        if (!isSigned) revert InvalidSigner();
    }

    function _transferAll(
        TokenPermissions[] calldata permitted,
        SignatureTransferDetails[] calldata details,
        address owner
    ) private {
        if (permitted.length != details.length) revert LengthMismatch();
        for (uint256 i = 0; i < permitted.length; i++) {
            if (details[i].requestedAmount != 0) _transfer(permitted[i], details[i], owner);
        }
    }

    function _transfer(TokenPermissions calldata permitted, SignatureTransferDetails calldata details, address owner)
        private
    {
        if (details.requestedAmount > permitted.amount) revert InvalidAmount(permitted.amount);
        IERC20(permitted.token).safeTransferFrom(owner, details.to, details.requestedAmount);
    }

    function _hashOf(TokenPermissions calldata permitted) private pure returns (bytes32) {
        return keccak256(abi.encode(TOKEN_PERMISSIONS, permitted.token, permitted.amount));
    }

    function _hashOfAll(TokenPermissions[] calldata permitted) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](permitted.length);
        for (uint256 i = 0; i < permitted.length; i++) {
            hashes[i] = _hashOf(permitted[i]);
        }
        return keccak256(abi.encodePacked(hashes));
    }
}
