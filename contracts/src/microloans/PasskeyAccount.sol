// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/interfaces/IERC1271.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/utils/cryptography/EIP712.sol";
import {P256} from "@openzeppelin/utils/cryptography/P256.sol";
import {SignerP256} from "@openzeppelin/utils/cryptography/signers/SignerP256.sol";
import {SignerWebAuthn} from "@openzeppelin/utils/cryptography/signers/SignerWebAuthn.sol";

/// @title An account whose key is a passkey
/// @notice A telephone's or computer's authenticator signs what the account does (WebAuthn over P-256); anybody may send it, so that a
/// sponsor pays and the owner needs no coin. There is no seed phrase: guardians whom the owner has named can give the account a new key,
/// some days after enough of them agree, and the old key can stop them until then. A delegate, such as a service that a telephone
/// without an authenticator calls, may send so much of one token a day.
///
/// P-256 signatures are verified by the precompiled contract of EIP-7951 where the chain has it, and by Solidity elsewhere.
/// @dev Made by {PasskeyAccounts} as a clone, which initialises it in the same transaction.
contract PasskeyAccount is SignerWebAuthn, EIP712, IERC1271 {
    using SafeERC20 for IERC20;

    /// @notice From enough guardians' agreement to the new key, in seconds.
    uint256 public constant RECOVERY_DELAY = 3 days;
    uint256 public constant MAX_GUARDIANS = 7;

    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    /// @param threshold Guardians that have to agree.
    /// @param round Counts guardians' decisions, so that agreement to an earlier one is void.
    struct Recovery {
        bytes32 x;
        bytes32 y;
        uint64 readyAt;
        uint32 threshold;
        uint32 round;
    }

    /// @param day On which `spent` was, in days since 1970.
    struct Delegate {
        address account;
        IERC20 token;
        uint128 dailyLimit;
        uint128 spent;
        uint64 day;
    }

    bytes32 private constant CALL_TYPEHASH = keccak256("Call(address to,uint256 value,bytes data)");
    bytes32 private constant EXECUTE_TYPEHASH =
        keccak256("Execute(Call[] calls,uint256 nonce,uint256 deadline)Call(address to,uint256 value,bytes data)");
    bytes32 private constant MESSAGE_TYPEHASH = keccak256("PasskeyMessage(bytes32 hash)");

    bool private initialised;
    /// @notice Number of the next {execute}.
    uint256 public nonce;
    Recovery public recovery;
    Delegate public delegate;
    mapping(address guardian => bool) public isGuardian;
    /// @dev A ballot is a round and a key: guardians who want different keys do not undo each other's agreement.
    mapping(bytes32 ballot => uint32) private agreedTo;
    mapping(bytes32 ballot => mapping(address guardian => bool)) private hasAgreed;

    error AlreadyInitialised();
    error InvalidGuardians();
    error NotSelf(address caller);
    error NotGuardian(address caller);
    error NotDelegate(address caller);
    error InvalidSignature();
    error Expired(uint256 deadline);
    error WrongNonce(uint256 expected, uint256 given);
    error CallFailed(uint256 index, bytes reason);
    error NotRecovering();
    error NotReady(uint256 readyAt);
    error AlreadyAgreed(address guardian);
    error LimitExceeded(uint256 left, uint256 wanted);

    event Executed(uint256 indexed nonce, uint256 calls);
    event RecoveryAgreed(address indexed guardian, bytes32 x, bytes32 y, uint256 agreed);
    event RecoveryReadyAt(uint256 at);
    event RecoveryCancelled();
    event KeyChanged(bytes32 x, bytes32 y);
    event GuardiansSet(address[] guardians, uint256 threshold);
    event DelegateSet(address indexed account, IERC20 indexed token, uint256 dailyLimit);
    event Spent(IERC20 indexed token, address indexed to, uint256 amount);

    modifier onlySelf() {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        _;
    }

    /// @dev The code that clones share; its own key is the curve's generator, which anybody can sign for: it is nobody's account.
    constructor() SignerP256(bytes32(P256.GX), bytes32(P256.GY)) EIP712("Braid passkey account", "1") {
        initialised = true;
    }

    receive() external payable {}

    function initialise(bytes32 x, bytes32 y, address[] calldata guardians, uint32 threshold) external {
        if (initialised) revert AlreadyInitialised();
        initialised = true;
        _setSigner(x, y);
        _setGuardians(new address[](0), guardians, threshold);
        emit KeyChanged(x, y);
    }

    /// @notice Does `calls`, in their order and all or none, if the key has signed them.
    function execute(Call[] calldata calls, uint256 nonce_, uint256 deadline, bytes calldata signature) external {
        if (block.timestamp > deadline) revert Expired(deadline);
        if (nonce_ != nonce) revert WrongNonce(nonce, nonce_);
        if (!_rawSignatureValidation(digestOf(calls, nonce_, deadline), signature)) revert InvalidSignature();
        nonce = nonce_ + 1;
        emit Executed(nonce_, calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            (bool done, bytes memory reason) = calls[i].to.call{value: calls[i].value}(calls[i].data);
            if (!done) revert CallFailed(i, reason);
        }
    }

    /// @notice Sends so much of the delegate's token; the delegate's to call.
    function spend(address to, uint128 amount) external {
        Delegate storage limits = delegate;
        if (msg.sender != limits.account || msg.sender == address(0)) revert NotDelegate(msg.sender);
        uint64 today = uint64(block.timestamp / 1 days);
        if (limits.day != today) (limits.day, limits.spent) = (today, 0);
        uint128 left = limits.dailyLimit - limits.spent;
        if (amount > left) revert LimitExceeded(left, amount);
        limits.spent += amount;
        emit Spent(limits.token, to, amount);
        limits.token.safeTransfer(to, amount);
    }

    // The owner's, by {execute}

    function setDelegate(address account, IERC20 token, uint128 dailyLimit) external onlySelf {
        delegate = Delegate(account, token, dailyLimit, 0, uint64(block.timestamp / 1 days));
        emit DelegateSet(account, token, dailyLimit);
    }

    /// @notice Changes the guardians; `before` are all of those until now.
    function setGuardians(address[] calldata before, address[] calldata guardians, uint32 threshold) external onlySelf {
        _setGuardians(before, guardians, threshold);
    }

    function setKey(bytes32 x, bytes32 y) external onlySelf {
        _changeKey(x, y);
    }

    function cancelRecovery() external onlySelf {
        _forgetRecovery();
        emit RecoveryCancelled();
    }

    // The guardians'

    /// @notice Agrees to a new key. When enough agree to the same one, the delay begins.
    function agree(bytes32 x, bytes32 y) external {
        if (!isGuardian[msg.sender]) revert NotGuardian(msg.sender);
        Recovery storage now_ = recovery;
        // What is agreed has to be cancelled or finished first.
        if (now_.readyAt != 0) revert NotReady(now_.readyAt);
        bytes32 ballot = keccak256(abi.encode(now_.round, x, y));
        if (hasAgreed[ballot][msg.sender]) revert AlreadyAgreed(msg.sender);
        hasAgreed[ballot][msg.sender] = true;
        uint32 agreed = agreedTo[ballot] + 1;
        agreedTo[ballot] = agreed;
        emit RecoveryAgreed(msg.sender, x, y, agreed);
        if (agreed < now_.threshold) return;
        (now_.x, now_.y, now_.readyAt) = (x, y, uint64(block.timestamp + RECOVERY_DELAY));
        emit RecoveryReadyAt(now_.readyAt);
    }

    /// @notice Gives the account the key that the guardians have agreed to. Anybody's to call.
    function finishRecovery() external {
        Recovery memory now_ = recovery;
        if (now_.readyAt == 0) revert NotRecovering();
        if (block.timestamp < now_.readyAt) revert NotReady(now_.readyAt);
        _forgetRecovery();
        _changeKey(now_.x, now_.y);
    }

    // Questions

    /// @notice ERC-1271. What is signed names the account, so that a signature is not good for another one of the same key.
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(MESSAGE_TYPEHASH, hash)));
        return _rawSignatureValidation(digest, signature) ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    /// @notice What the key signs for {execute}: the challenge of the assertion.
    function digestOf(Call[] calldata calls, uint256 nonce_, uint256 deadline) public view returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            hashes[i] = keccak256(abi.encode(CALL_TYPEHASH, calls[i].to, calls[i].value, keccak256(calls[i].data)));
        }
        bytes32 all = keccak256(abi.encodePacked(hashes));
        return _hashTypedDataV4(keccak256(abi.encode(EXECUTE_TYPEHASH, all, nonce_, deadline)));
    }

    function _changeKey(bytes32 x, bytes32 y) private {
        _setSigner(x, y);
        emit KeyChanged(x, y);
    }

    function _forgetRecovery() private {
        (recovery.x, recovery.y, recovery.readyAt) = (0, 0, 0);
        recovery.round += 1;
    }

    function _setGuardians(address[] memory before, address[] calldata guardians, uint32 threshold) private {
        bool isSensible = guardians.length <= MAX_GUARDIANS && threshold <= guardians.length;
        if (!isSensible || (threshold == 0 && guardians.length != 0)) revert InvalidGuardians();
        for (uint256 i = 0; i < before.length; i++) {
            isGuardian[before[i]] = false;
        }
        for (uint256 i = 0; i < guardians.length; i++) {
            if (guardians[i] == address(0) || isGuardian[guardians[i]]) revert InvalidGuardians();
            isGuardian[guardians[i]] = true;
        }
        recovery.threshold = threshold;
        _forgetRecovery();
        emit GuardiansSet(guardians, threshold);
    }
}
