// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IUnlockCallback, IVault} from "./IVault.sol";
import {IERC3156FlashBorrower, IERC3156FlashLender} from "@openzeppelin/interfaces/IERC3156.sol";
import {IERC6909, IERC6909Metadata, IERC6909TokenSupply} from "@openzeppelin/interfaces/IERC6909.sol";
import {IERC20Metadata} from "@openzeppelin/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/utils/ReentrancyGuardTransient.sol";
import {IERC165} from "@openzeppelin/utils/introspection/IERC165.sol";

/// @notice See {IVault}.
/// @dev Every balance and every total is a slot of its own that is only added to and taken from under a bound, so that
/// transfers do not wait for each other, not even those to one pool.
///
/// The guard is held while a token is called and while a deposit is measured: a token that calls back can move internal
/// balances, which are in order at that time, but neither deposit nor withdraw nor borrow.
contract Vault is IVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    bytes32 private constant BORROWED = keccak256("ERC3156FlashBorrower.onFlashLoan");

    /// @inheritdoc IERC6909
    mapping(address owner => mapping(uint256 id => uint256)) public balanceOf;
    /// @inheritdoc IERC6909
    mapping(address owner => mapping(address spender => mapping(uint256 id => uint256))) public allowance;
    /// @inheritdoc IERC6909
    mapping(address owner => mapping(address spender => bool)) public isOperator;
    /// @inheritdoc IERC6909TokenSupply
    mapping(uint256 id => uint256) public totalSupply;

    /// @inheritdoc IVault
    address public transient sessionHolder;
    /// @dev How many running accounts are not zero.
    uint256 private transient unsettled;

    // Custody

    /// @inheritdoc IVault
    function deposit(address token, uint256 amount, address to) external {
        _pull(token, msg.sender, amount);
        _issue(token, to, amount);
    }

    /// @inheritdoc IVault
    function depositMeasured(address token, uint256 amount, address to)
        external
        nonReentrant
        returns (uint256 received)
    {
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        received = IERC20(token).balanceOf(address(this)) - before;
        _issue(token, to, received);
    }

    /// @inheritdoc IVault
    function withdraw(address token, uint256 amount, address to) external {
        if (to == address(0)) revert InvalidReceiver();
        uint256 id = _id(token);
        _debit(msg.sender, id, amount);
        _lower(token, amount);
        emit Transfer(msg.sender, msg.sender, address(0), id, amount);
        _push(token, to, amount);
    }

    // Internal balances

    /// @inheritdoc IERC6909
    function transfer(address receiver, uint256 id, uint256 amount) external returns (bool) {
        _transfer(msg.sender, receiver, id, amount);
        return true;
    }

    /// @inheritdoc IERC6909
    function transferFrom(address sender, address receiver, uint256 id, uint256 amount) external returns (bool) {
        if (sender != msg.sender && !isOperator[sender][msg.sender]) _spend(sender, msg.sender, id, amount);
        _transfer(sender, receiver, id, amount);
        return true;
    }

    /// @inheritdoc IERC6909
    function approve(address spender, uint256 id, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender][id] = amount;
        emit Approval(msg.sender, spender, id, amount);
        return true;
    }

    /// @inheritdoc IVault
    function approveTransient(address spender, uint256 id, uint256 amount) external {
        _store(_allowanceSlot(msg.sender, spender, id), amount);
    }

    /// @inheritdoc IERC6909
    function setOperator(address spender, bool approved) external returns (bool) {
        isOperator[msg.sender][spender] = approved;
        emit OperatorSet(msg.sender, spender, approved);
        return true;
    }

    // Sessions and loans

    /// @inheritdoc IVault
    function unlock(bytes calldata data) external returns (bytes memory result) {
        if (sessionHolder != address(0)) revert AlreadyUnlocked(sessionHolder);
        sessionHolder = msg.sender;
        result = IUnlockCallback(msg.sender).onUnlock(data);
        if (unsettled != 0) revert Unsettled(unsettled);
        sessionHolder = address(0);
    }

    /// @inheritdoc IERC3156FlashLender
    /// @dev A loan is not taken off the totals, so that nobody's balance looks unbacked meanwhile.
    function flashLoan(IERC3156FlashBorrower receiver, address token, uint256 amount, bytes calldata data)
        external
        returns (bool)
    {
        uint256 held = totalSupply[_id(token)];
        if (amount > held) revert InsufficientHoldings(token, held, amount);
        _push(token, address(receiver), amount);
        emit FlashLoan(address(receiver), token, amount);
        if (receiver.onFlashLoan(msg.sender, token, amount, 0, data) != BORROWED) {
            revert LoanRefused(address(receiver));
        }
        _pull(token, address(receiver), amount);
        return true;
    }

    /// @inheritdoc IERC3156FlashLender
    function maxFlashLoan(address token) external view returns (uint256) {
        return totalSupply[_id(token)];
    }

    /// @inheritdoc IERC3156FlashLender
    function flashFee(address token, uint256) external view returns (uint256) {
        if (totalSupply[_id(token)] == 0) revert TokenNotLent(token);
        return 0;
    }

    // Questions

    /// @inheritdoc IVault
    function runningAccount(uint256 id) external view returns (int256) {
        return int256(_load(_accountSlot(id)));
    }

    /// @inheritdoc IERC6909Metadata
    function name(uint256 id) external view returns (string memory) {
        return _token(id).name();
    }

    /// @inheritdoc IERC6909Metadata
    function symbol(uint256 id) external view returns (string memory) {
        return _token(id).symbol();
    }

    /// @inheritdoc IERC6909Metadata
    function decimals(uint256 id) external view returns (uint8) {
        return _token(id).decimals();
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IERC6909).interfaceId;
    }

    function _issue(address token, address to, uint256 amount) private {
        if (to == address(0)) revert InvalidReceiver();
        uint256 id = _id(token);
        totalSupply[id] += amount;
        _credit(to, id, amount);
        emit Transfer(msg.sender, address(0), to, id, amount);
    }

    function _transfer(address sender, address receiver, uint256 id, uint256 amount) private {
        if (receiver == address(0)) revert InvalidReceiver();
        _debit(sender, id, amount);
        _credit(receiver, id, amount);
        emit Transfer(msg.sender, sender, receiver, id, amount);
    }

    function _debit(address owner, uint256 id, uint256 amount) private {
        if (owner == sessionHolder) return _run(id, -_signed(amount));
        uint256 balance = balanceOf[owner][id];
        if (balance < amount) revert InsufficientBalance(owner, balance, amount, id);
        balanceOf[owner][id] = balance - amount;
    }

    function _credit(address owner, uint256 id, uint256 amount) private {
        if (owner == sessionHolder) return _run(id, _signed(amount));
        balanceOf[owner][id] += amount;
    }

    function _lower(address token, uint256 amount) private {
        uint256 held = totalSupply[_id(token)];
        if (held < amount) revert InsufficientHoldings(token, held, amount);
        totalSupply[_id(token)] = held - amount;
    }

    /// @dev Adds to the running account of the session and keeps count of those that are not zero.
    function _run(uint256 id, int256 change) private {
        bytes32 slot = _accountSlot(id);
        int256 before = int256(_load(slot));
        int256 after_ = before + change;
        if (before == 0 && after_ != 0) unsettled += 1;
        if (before != 0 && after_ == 0) unsettled -= 1;
        _store(slot, uint256(after_));
    }

    function _spend(address owner, address spender, uint256 id, uint256 amount) private {
        bytes32 slot = _allowanceSlot(owner, spender, id);
        uint256 passing = _load(slot);
        if (passing >= amount) return _store(slot, passing - amount);
        uint256 allowed = allowance[owner][spender][id];
        if (allowed == type(uint256).max) return;
        if (allowed < amount) revert InsufficientAllowance(spender, allowed, amount, id);
        allowance[owner][spender][id] = allowed - amount;
    }

    function _pull(address token, address from, uint256 amount) private nonReentrant {
        IERC20(token).safeTransferFrom(from, address(this), amount);
    }

    function _push(address token, address to, uint256 amount) private nonReentrant {
        IERC20(token).safeTransfer(to, amount);
    }

    function _load(bytes32 slot) private view returns (uint256 value) {
        assembly ("memory-safe") {
            value := tload(slot)
        }
    }

    function _store(bytes32 slot, uint256 value) private {
        assembly ("memory-safe") {
            tstore(slot, value)
        }
    }

    function _token(uint256 id) private pure returns (IERC20Metadata) {
        if (id > type(uint160).max) revert InvalidId(id);
        return IERC20Metadata(address(uint160(id)));
    }

    function _id(address token) private pure returns (uint256) {
        return uint256(uint160(token));
    }

    function _signed(uint256 amount) private pure returns (int256) {
        if (amount > uint256(type(int256).max)) revert AmountTooLarge(amount);
        return int256(amount);
    }

    function _accountSlot(uint256 id) private pure returns (bytes32) {
        return keccak256(abi.encode("vault.account", id));
    }

    function _allowanceSlot(address owner, address spender, uint256 id) private pure returns (bytes32) {
        return keccak256(abi.encode("vault.allowance", owner, spender, id));
    }
}
