// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IClaimIssuer} from "./IClaims.sol";
import {Identity} from "./Identity.sol";
import {ECDSA} from "@openzeppelin/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/utils/cryptography/MessageHashUtils.sol";

/// @title An identity that makes claims about others
/// @notice A claim is the signature (EIP-191) of one of the issuer's claim keys under identity, topic and data. It holds until the issuer takes it
/// back, or the key: whatever a removed key has signed is valid no more.
/// @dev A claim names no chain: an issuer with the same keys on two chains vouches for the same address on both.
contract ClaimIssuer is Identity, IClaimIssuer {
    mapping(bytes32 signature => bool) private revoked;

    error AlreadyRevoked();

    constructor(address manager) Identity(manager) {}

    /// @inheritdoc IClaimIssuer
    function revokeClaimBySignature(bytes calldata signature) external onlyManager {
        if (isClaimRevoked(signature)) revert AlreadyRevoked();
        revoked[keccak256(signature)] = true;
        emit ClaimRevoked(signature);
    }

    /// @inheritdoc IClaimIssuer
    function isClaimValid(address identity, uint256 topic, bytes calldata signature, bytes calldata data)
        external
        view
        returns (bool)
    {
        bytes32 claim = MessageHashUtils.toEthSignedMessageHash(keccak256(abi.encode(identity, topic, data)));
        // One signature has one form: those of other lengths, or with a high `s`, are none.
        (address signer, ECDSA.RecoverError error_,) = ECDSA.tryRecover(claim, signature);
        if (error_ != ECDSA.RecoverError.NoError) return false;
        return keyHasPurpose(_keyOf(signer), CLAIM_SIGNER) && !isClaimRevoked(signature);
    }

    /// @inheritdoc IClaimIssuer
    function isClaimRevoked(bytes calldata signature) public view returns (bool) {
        return revoked[keccak256(signature)];
    }
}
