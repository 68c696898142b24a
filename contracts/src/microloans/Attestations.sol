// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Gated, RoleGate} from "./RoleGate.sol";

/// @title What an issuer says about somebody, as a commitment
/// @notice A subject is a random word, and what is said is the hash of it with a salt of 32 random bytes: nothing is read from here by who
/// has not been given statement and salt. An attestation ends on its day or when its issuer revokes it.
///
/// A nullifier is a word that a person gives once for each purpose, such as one loan at a time with all lenders: it is the keyed
/// hash of the person by a key that no lender has. Taken a second time it is refused, whoever asks.
contract Attestations is Gated {
    struct Attestation {
        address issuer;
        uint64 expires;
        bool isRevoked;
        bytes32 schema;
        bytes32 subject;
        bytes32 commitment;
    }

    mapping(bytes32 id => Attestation) private _attestations;
    mapping(bytes32 purpose => mapping(bytes32 nullifier => address)) public takenBy;

    error AlreadyIssued(bytes32 id);
    error UnknownAttestation(bytes32 id);
    error NotIssuer(bytes32 id, address caller);
    error InvalidAttestation();
    error Taken(bytes32 purpose, bytes32 nullifier);
    error NotTaken(bytes32 purpose, bytes32 nullifier, address caller);

    event AttestationIssued(
        bytes32 indexed id, address indexed issuer, bytes32 indexed subject, bytes32 schema, uint64 expires
    );
    event AttestationRevoked(bytes32 indexed id);
    event NullifierTaken(bytes32 indexed purpose, bytes32 indexed nullifier, address by);
    event NullifierFreed(bytes32 indexed purpose, bytes32 indexed nullifier);

    constructor(RoleGate gate) Gated(gate) {}

    /// @notice Says something about a subject until `expires`.
    function issue(bytes32 schema, bytes32 subject, bytes32 commitment, uint64 expires)
        external
        restricted
        returns (bytes32 id)
    {
        if (subject == 0 || commitment == 0 || expires <= block.timestamp) revert InvalidAttestation();
        id = idOf(msg.sender, schema, subject, commitment);
        if (_attestations[id].issuer != address(0)) revert AlreadyIssued(id);
        _attestations[id] = Attestation(msg.sender, expires, false, schema, subject, commitment);
        emit AttestationIssued(id, msg.sender, subject, schema, expires);
    }

    /// @notice Takes back what the caller has said, with or without a role by now.
    function revoke(bytes32 id) external {
        Attestation storage told = _known(id);
        if (told.issuer != msg.sender) revert NotIssuer(id, msg.sender);
        told.isRevoked = true;
        emit AttestationRevoked(id);
    }

    /// @notice Takes a nullifier for a purpose.
    function take(bytes32 purpose, bytes32 nullifier) external restricted {
        if (takenBy[purpose][nullifier] != address(0)) revert Taken(purpose, nullifier);
        takenBy[purpose][nullifier] = msg.sender;
        emit NullifierTaken(purpose, nullifier, msg.sender);
    }

    /// @notice Gives back what the caller has taken.
    function free(bytes32 purpose, bytes32 nullifier) external {
        if (takenBy[purpose][nullifier] != msg.sender) revert NotTaken(purpose, nullifier, msg.sender);
        takenBy[purpose][nullifier] = address(0);
        emit NullifierFreed(purpose, nullifier);
    }

    function attestationOf(bytes32 id) external view returns (Attestation memory) {
        return _known(id);
    }

    /// @notice Whether it stands now.
    function isValid(bytes32 id) public view returns (bool) {
        Attestation storage told = _attestations[id];
        return told.issuer != address(0) && !told.isRevoked && block.timestamp <= told.expires;
    }

    /// @notice Whether it stands now and says this.
    function says(bytes32 id, bytes calldata statement, bytes32 salt) external view returns (bool) {
        return isValid(id) && _attestations[id].commitment == commitmentOf(statement, salt);
    }

    function commitmentOf(bytes calldata statement, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(salt, keccak256(statement)));
    }

    function idOf(address issuer, bytes32 schema, bytes32 subject, bytes32 commitment) public pure returns (bytes32) {
        return keccak256(abi.encode(issuer, schema, subject, commitment));
    }

    function _known(bytes32 id) private view returns (Attestation storage told) {
        told = _attestations[id];
        if (told.issuer == address(0)) revert UnknownAttestation(id);
    }
}
