// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Denial, ITransferCheck} from "../compliance/Denial.sol";
import {IPolicyRegistry} from "../compliance/IPolicyRegistry.sol";
import {AccessControl} from "@openzeppelin/access/AccessControl.sol";
import {ERC20} from "@openzeppelin/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/token/ERC20/extensions/ERC20Permit.sol";
import {SignatureChecker} from "@openzeppelin/utils/cryptography/SignatureChecker.sol";

/// @title An ERC-20 token whose transfers a policy of {IPolicyRegistry} has to admit, and which can be paused
/// @notice EIP-2612 permits are taken from keys and from contracts (ERC-1271). A transfer can carry a memo, such as the
/// hash of the message that the travel rule asks for. Whatever an administrator does is told by {AuditRecord} too, so
/// that one topic gives the whole export.
/// @dev Assumes that the registry answers without changing anything. A transfer writes the two balances and nothing
/// else: policy, switch and lists are only read, so transfers of different accounts do not wait for each other.
abstract contract PolicyToken is ERC20, ERC20Permit, AccessControl, ITransferCheck {
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    bytes32 public constant POLICY_ROLE = keccak256("POLICY_ROLE");

    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    /// @notice The registry that is asked on every transfer.
    IPolicyRegistry public immutable policyRegistry;
    /// @notice The policy that applies.
    uint64 public policyId;
    /// @notice Whether transfers, mints and burns rest.
    bool public paused;

    /// @notice A policy of this number does not exist in the registry.
    error UnknownPolicy(uint64 policyId);
    /// @notice Neither a key nor a contract of the owner's made this signature.
    error InvalidSignature(address owner);

    event PolicyChanged(uint64 indexed policyId);
    event Paused(address account);
    event Unpaused(address account);
    event TransferWithMemo(address indexed from, address indexed to, uint256 amount, bytes32 indexed memo);
    /// @notice `actor` did `action`, a word in ASCII, to `subject`. Amounts are in the token's smallest unit.
    event AuditRecord(bytes32 indexed action, address indexed actor, address indexed subject, uint256 amount);

    constructor(IPolicyRegistry registry, uint64 policy, address admin) {
        policyRegistry = registry;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _setPolicy(policy);
    }

    /// @inheritdoc ITransferCheck
    function checkTransfer(address from, address to, uint256 amount)
        external
        view
        returns (Denial code, address deniedBy)
    {
        (code, deniedBy) = _denial(from, to, amount);
        if (code == Denial.None && from != address(0) && balanceOf(from) < amount) {
            return (Denial.InsufficientBalance, address(this));
        }
    }

    /// @notice A transfer that carries `memo`.
    function transferWithMemo(address to, uint256 amount, bytes32 memo) external returns (bool) {
        transfer(to, amount);
        emit TransferWithMemo(msg.sender, to, amount, memo);
        return true;
    }

    /// @notice A transfer on an allowance that carries `memo`.
    function transferFromWithMemo(address from, address to, uint256 amount, bytes32 memo) external returns (bool) {
        transferFrom(from, to, amount);
        emit TransferWithMemo(from, to, amount, memo);
        return true;
    }

    /// @notice EIP-2612 with a signature of any length, from a key or from a contract (ERC-1271).
    function permit(address owner, address spender, uint256 value, uint256 deadline, bytes calldata signature)
        external
    {
        if (block.timestamp > deadline) revert ERC2612ExpiredSignature(deadline);
        bytes32 message = keccak256(abi.encode(PERMIT_TYPEHASH, owner, spender, value, _useNonce(owner), deadline));
        _requireSigned(owner, _hashTypedDataV4(message), signature);
        _approve(owner, spender, value);
    }

    function setPolicy(uint64 policy) external onlyRole(POLICY_ROLE) {
        _setPolicy(policy);
        _audit("POLICY", address(0), policy);
    }

    function pause() external onlyRole(PAUSER_ROLE) {
        paused = true;
        emit Paused(msg.sender);
        _audit("PAUSE", address(0), 0);
    }

    function unpause() external onlyRole(PAUSER_ROLE) {
        paused = false;
        emit Unpaused(msg.sender);
        _audit("UNPAUSE", address(0), 0);
    }

    /// @dev Every rule that may refuse a transfer, in the order in which they are reported. Reads only.
    function _denial(address from, address to, uint256 amount) internal view virtual returns (Denial, address) {
        amount;
        if (paused) return (Denial.Paused, address(this));
        uint64 policy = policyId;
        if (from != address(0) && !policyRegistry.isAuthorizedSender(policy, from)) {
            return (Denial.SenderPolicy, address(policyRegistry));
        }
        if (from == address(0)) {
            if (!policyRegistry.isAuthorizedMintRecipient(policy, to)) {
                return (Denial.MintRecipientPolicy, address(policyRegistry));
            }
        } else if (to != address(0) && !policyRegistry.isAuthorizedRecipient(policy, to)) {
            return (Denial.RecipientPolicy, address(policyRegistry));
        }
        return (Denial.None, address(0));
    }

    function _update(address from, address to, uint256 amount) internal virtual override {
        (Denial code, address deniedBy) = _denial(from, to, amount);
        if (code != Denial.None) _refuse(code, deniedBy, from, to, amount);
        super._update(from, to, amount);
    }

    function _refuse(Denial code, address deniedBy, address from, address to, uint256 amount) internal view virtual {
        revert TransferDenied(code, deniedBy, from, to, amount);
    }

    function _requireSigned(address owner, bytes32 digest, bytes memory signature) internal view {
        if (!SignatureChecker.isValidSignatureNow(owner, digest, signature)) revert InvalidSignature(owner);
    }

    function _audit(bytes32 action, address subject, uint256 amount) internal {
        emit AuditRecord(action, msg.sender, subject, amount);
    }

    function _setPolicy(uint64 policy) private {
        if (!policyRegistry.policyExists(policy)) revert UnknownPolicy(policy);
        policyId = policy;
        emit PolicyChanged(policy);
    }
}
