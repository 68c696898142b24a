// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {PolicyToken} from "../tokens/PolicyToken.sol";
import {Denial} from "./Denial.sol";
import {ICompliance, IERC3643, IIdentityRegistry} from "./IERC3643.sol";
import {IERC7943Fungible} from "./IERC7943.sol";
import {IPolicyRegistry} from "./IPolicyRegistry.sol";
import {AccessControl} from "@openzeppelin/access/AccessControl.sol";
import {TimelockController} from "@openzeppelin/governance/TimelockController.sol";
import {ERC20} from "@openzeppelin/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/token/ERC20/extensions/ERC20Permit.sol";
import {IERC165} from "@openzeppelin/utils/introspection/IERC165.sol";

/// @title A token for securities and other assets of the real world: ERC-7943 and ERC-3643 over a policy
/// @notice A transfer needs the policy's consent, a verified recipient, the compliance contract's consent, and tokens
/// that are not frozen. {checkTransfer} says beforehand which of them is missing.
///
/// Freezing acts at once. Whatever takes tokens from somebody (a forced transfer, a recovery, a burn) is done by a
/// timelock alone, whose delay was {MIN_ENFORCEMENT_DELAY} at least when the token was made, so that holders and courts
/// see it coming. No administrator can give that role to anybody else; the timelock can, after its delay.
///
/// @dev Amounts are in units of 10^-18 of a share unless the issuer says otherwise. The domain of EIP-2612 keeps the
/// token's first name. Assumes that registry and compliance contract are the issuer's own: they are trusted code.
contract RegulatedToken is PolicyToken, IERC7943Fungible, IERC3643 {
    bytes32 public constant AGENT_ROLE = keccak256("AGENT_ROLE");
    bytes32 public constant FREEZER_ROLE = keccak256("FREEZER_ROLE");
    bytes32 public constant ENFORCER_ROLE = keccak256("ENFORCER_ROLE");

    /// @notice The shortest delay with which a token can be made.
    uint256 public constant MIN_ENFORCEMENT_DELAY = 1 days;

    /// @inheritdoc IERC3643
    IIdentityRegistry public identityRegistry;
    /// @inheritdoc IERC3643
    ICompliance public compliance;
    /// @inheritdoc IERC3643
    address public onchainID;
    string private currentName;
    string private currentSymbol;
    mapping(address account => uint256) private frozenTokens;
    mapping(address account => bool) private frozenAccounts;
    /// @dev Set while an enforcement goes on: the rules are then those of {forcedTransfer}.
    bool private transient enforcing;

    /// @notice The timelock's delay is too short.
    error EnforcementDelayTooShort(uint256 delay);
    /// @notice The account is not one of the investor's in the identity registry.
    error NotInvestorsAccount(address account, address investorOnchainID);
    /// @notice Less is frozen.
    error InsufficientFrozen(address account, uint256 amount, uint256 frozen);
    error LengthMismatch();

    constructor(
        string memory tokenName,
        string memory tokenSymbol,
        IPolicyRegistry registry,
        uint64 policy,
        address admin,
        TimelockController enforcer,
        IIdentityRegistry identities,
        ICompliance rules
    ) ERC20("", "") ERC20Permit(tokenName) PolicyToken(registry, policy, admin) {
        uint256 delay = enforcer.getMinDelay();
        if (delay < MIN_ENFORCEMENT_DELAY) revert EnforcementDelayTooShort(delay);
        currentName = tokenName;
        currentSymbol = tokenSymbol;
        _setIdentityRegistry(identities);
        _setCompliance(rules);
        _grantRole(PAUSER_ROLE, admin);
        _grantRole(POLICY_ROLE, admin);
        _grantRole(AGENT_ROLE, admin);
        _grantRole(FREEZER_ROLE, admin);
        _grantRole(ENFORCER_ROLE, address(enforcer));
        _setRoleAdmin(ENFORCER_ROLE, ENFORCER_ROLE);
    }

    // Issue

    /// @inheritdoc IERC3643
    function mint(address to, uint256 amount) external onlyRole(AGENT_ROLE) {
        _mint(to, amount);
    }

    /// @inheritdoc IERC3643
    function batchMint(address[] calldata toList, uint256[] calldata amounts) external onlyRole(AGENT_ROLE) {
        _requireSameLength(toList.length, amounts.length);
        for (uint256 i = 0; i < toList.length; i++) {
            _mint(toList[i], amounts[i]);
        }
    }

    /// @notice Gives the caller's own tokens up, against whatever the issuer pays for them.
    function redeem(uint256 amount) external {
        _burn(msg.sender, amount);
    }

    /// @inheritdoc IERC3643
    function batchTransfer(address[] calldata toList, uint256[] calldata amounts) external {
        _requireSameLength(toList.length, amounts.length);
        for (uint256 i = 0; i < toList.length; i++) {
            _transfer(msg.sender, toList[i], amounts[i]);
        }
    }

    // Freezing: at once

    /// @inheritdoc IERC7943Fungible
    function setFrozenTokens(address account, uint256 amount) external onlyRole(FREEZER_ROLE) returns (bool) {
        _setFrozen(account, amount);
        _audit("FREEZE", account, amount);
        return true;
    }

    /// @inheritdoc IERC3643
    function freezePartialTokens(address account, uint256 amount) external onlyRole(FREEZER_ROLE) {
        _freezePartial(account, amount);
    }

    /// @inheritdoc IERC3643
    function unfreezePartialTokens(address account, uint256 amount) external onlyRole(FREEZER_ROLE) {
        _unfreezePartial(account, amount);
    }

    /// @inheritdoc IERC3643
    function setAddressFrozen(address account, bool freeze) external onlyRole(FREEZER_ROLE) {
        _setAddressFrozen(account, freeze);
    }

    /// @inheritdoc IERC3643
    function batchFreezePartialTokens(address[] calldata accounts, uint256[] calldata amounts)
        external
        onlyRole(FREEZER_ROLE)
    {
        _requireSameLength(accounts.length, amounts.length);
        for (uint256 i = 0; i < accounts.length; i++) {
            _freezePartial(accounts[i], amounts[i]);
        }
    }

    /// @inheritdoc IERC3643
    function batchUnfreezePartialTokens(address[] calldata accounts, uint256[] calldata amounts)
        external
        onlyRole(FREEZER_ROLE)
    {
        _requireSameLength(accounts.length, amounts.length);
        for (uint256 i = 0; i < accounts.length; i++) {
            _unfreezePartial(accounts[i], amounts[i]);
        }
    }

    /// @inheritdoc IERC3643
    function batchSetAddressFrozen(address[] calldata accounts, bool[] calldata freeze)
        external
        onlyRole(FREEZER_ROLE)
    {
        _requireSameLength(accounts.length, freeze.length);
        for (uint256 i = 0; i < accounts.length; i++) {
            _setAddressFrozen(accounts[i], freeze[i]);
        }
    }

    // Enforcement: after the timelock's delay

    /// @inheritdoc IERC7943Fungible
    /// @dev The recipient has to be one who may receive; pause and compliance do not apply.
    function forcedTransfer(address from, address to, uint256 amount) external onlyRole(ENFORCER_ROLE) returns (bool) {
        _forceTransfer(from, to, amount);
        return true;
    }

    /// @inheritdoc IERC3643
    function batchForcedTransfer(address[] calldata fromList, address[] calldata toList, uint256[] calldata amounts)
        external
        onlyRole(ENFORCER_ROLE)
    {
        _requireSameLength(fromList.length, toList.length);
        _requireSameLength(fromList.length, amounts.length);
        for (uint256 i = 0; i < fromList.length; i++) {
            _forceTransfer(fromList[i], toList[i], amounts[i]);
        }
    }

    /// @inheritdoc IERC3643
    function burn(address account, uint256 amount) external onlyRole(ENFORCER_ROLE) {
        _forceBurn(account, amount);
    }

    /// @inheritdoc IERC3643
    function batchBurn(address[] calldata accounts, uint256[] calldata amounts) external onlyRole(ENFORCER_ROLE) {
        _requireSameLength(accounts.length, amounts.length);
        for (uint256 i = 0; i < accounts.length; i++) {
            _forceBurn(accounts[i], amounts[i]);
        }
    }

    /// @inheritdoc IERC3643
    /// @dev Both accounts have to be the investor's in the identity registry. What was frozen stays frozen.
    function recoveryAddress(address lostWallet, address newWallet, address investorOnchainID)
        external
        onlyRole(ENFORCER_ROLE)
        returns (bool)
    {
        _requireInvestors(lostWallet, investorOnchainID);
        _requireInvestors(newWallet, investorOnchainID);
        uint256 frozen = frozenTokens[lostWallet];
        bool frozenAccount = frozenAccounts[lostWallet];
        uint256 amount = balanceOf(lostWallet);
        _forceTransfer(lostWallet, newWallet, amount);
        _setFrozen(lostWallet, 0);
        if (frozen != 0) _setFrozen(newWallet, frozenTokens[newWallet] + frozen);
        if (frozenAccount) _setAddressFrozen(newWallet, true);
        emit RecoverySuccess(lostWallet, newWallet, investorOnchainID);
        _audit("RECOVERY", lostWallet, amount);
        return true;
    }

    // Settings

    /// @inheritdoc IERC3643
    function setName(string calldata newName) external onlyRole(DEFAULT_ADMIN_ROLE) {
        currentName = newName;
        _tellInformation();
    }

    /// @inheritdoc IERC3643
    function setSymbol(string calldata newSymbol) external onlyRole(DEFAULT_ADMIN_ROLE) {
        currentSymbol = newSymbol;
        _tellInformation();
    }

    /// @inheritdoc IERC3643
    function setOnchainID(address newOnchainID) external onlyRole(DEFAULT_ADMIN_ROLE) {
        onchainID = newOnchainID;
        _tellInformation();
    }

    /// @inheritdoc IERC3643
    function setIdentityRegistry(address newRegistry) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setIdentityRegistry(IIdentityRegistry(newRegistry));
    }

    /// @inheritdoc IERC3643
    function setCompliance(address newCompliance) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setCompliance(ICompliance(newCompliance));
    }

    // Questions

    /// @inheritdoc IERC7943Fungible
    function canTransfer(address from, address to, uint256 amount) external view returns (bool) {
        (Denial code,) = _denial(from, to, amount);
        return code == Denial.None && balanceOf(from) >= amount;
    }

    /// @inheritdoc IERC7943Fungible
    function canSend(address account) public view returns (bool) {
        return !frozenAccounts[account] && policyRegistry.isAuthorizedSender(policyId, account);
    }

    /// @inheritdoc IERC7943Fungible
    function canReceive(address account) public view returns (bool) {
        return !frozenAccounts[account] && identityRegistry.isVerified(account)
            && policyRegistry.isAuthorizedRecipient(policyId, account);
    }

    /// @inheritdoc IERC7943Fungible
    function getFrozenTokens(address account) external view returns (uint256) {
        return frozenTokens[account];
    }

    /// @inheritdoc IERC3643
    function isFrozen(address account) external view returns (bool) {
        return frozenAccounts[account];
    }

    /// @inheritdoc IERC3643
    function version() public pure returns (string memory) {
        return "1";
    }

    function name() public view override returns (string memory) {
        return currentName;
    }

    function symbol() public view override returns (string memory) {
        return currentSymbol;
    }

    /// @dev The identifier of ERC-3643's interface is not standardised; ERC-7943's is.
    function supportsInterface(bytes4 interfaceId) public view override(AccessControl, IERC165) returns (bool) {
        return interfaceId == type(IERC7943Fungible).interfaceId || super.supportsInterface(interfaceId);
    }

    function _denial(address from, address to, uint256 amount) internal view override returns (Denial, address) {
        (Denial code, address deniedBy) = super._denial(from, to, amount);
        if (code != Denial.None) return (code, deniedBy);
        if (from != address(0)) {
            if (frozenAccounts[from]) return (Denial.SenderFrozen, address(this));
            if (amount > _unfrozen(from) && amount <= balanceOf(from)) {
                return (Denial.InsufficientUnfrozen, address(this));
            }
        }
        if (to != address(0)) {
            if (frozenAccounts[to]) return (Denial.RecipientFrozen, address(this));
            if (!identityRegistry.isVerified(to)) return (Denial.RecipientUnverified, address(identityRegistry));
            if (!compliance.canTransfer(from, to, amount)) return (Denial.Compliance, address(compliance));
        }
        return (Denial.None, address(0));
    }

    /// @dev ERC-7943 names an error of its own for tokens that are frozen; every other denial carries its reason.
    function _refuse(Denial code, address deniedBy, address from, address to, uint256 amount) internal view override {
        if (code == Denial.InsufficientUnfrozen) {
            revert ERC7943InsufficientUnfrozenBalance(from, amount, _unfrozen(from));
        }
        super._refuse(code, deniedBy, from, to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (enforcing) ERC20._update(from, to, amount);
        else PolicyToken._update(from, to, amount);
        if (from == address(0)) compliance.created(to, amount);
        else if (to == address(0)) compliance.destroyed(from, amount);
        else compliance.transferred(from, to, amount);
    }

    function _forceTransfer(address from, address to, uint256 amount) private {
        if (!canReceive(to)) revert ERC7943CannotReceive(to);
        _thaw(from, amount);
        enforcing = true;
        _transfer(from, to, amount);
        enforcing = false;
        emit ForcedTransfer(from, to, amount);
        _audit("FORCED_TRANSFER", from, amount);
    }

    function _forceBurn(address account, uint256 amount) private {
        _thaw(account, amount);
        enforcing = true;
        _burn(account, amount);
        enforcing = false;
        _audit("FORCED_BURN", account, amount);
    }

    /// @dev Thaws what has to be taken beyond the tokens that are not frozen.
    function _thaw(address account, uint256 amount) private {
        uint256 unfrozen = _unfrozen(account);
        if (amount <= unfrozen || amount > balanceOf(account)) return;
        // More may be frozen than there is: what stays frozen is what stays.
        _setFrozen(account, balanceOf(account) - amount);
    }

    function _freezePartial(address account, uint256 amount) private {
        uint256 unfrozen = _unfrozen(account);
        if (amount > unfrozen) revert ERC7943InsufficientUnfrozenBalance(account, amount, unfrozen);
        _setFrozen(account, frozenTokens[account] + amount);
        emit TokensFrozen(account, amount);
        _audit("FREEZE", account, amount);
    }

    function _unfreezePartial(address account, uint256 amount) private {
        uint256 frozen = frozenTokens[account];
        if (amount > frozen) revert InsufficientFrozen(account, amount, frozen);
        _setFrozen(account, frozen - amount);
        emit TokensUnfrozen(account, amount);
        _audit("UNFREEZE", account, amount);
    }

    function _setFrozen(address account, uint256 amount) private {
        frozenTokens[account] = amount;
        emit Frozen(account, amount);
    }

    function _setAddressFrozen(address account, bool freeze) private {
        frozenAccounts[account] = freeze;
        emit AddressFrozen(account, freeze, msg.sender);
        if (freeze) _audit("FREEZE_ACCOUNT", account, balanceOf(account));
        else _audit("UNFREEZE_ACCOUNT", account, balanceOf(account));
    }

    function _setIdentityRegistry(IIdentityRegistry registry) private {
        identityRegistry = registry;
        emit IdentityRegistryAdded(address(registry));
        _audit("IDENTITY_REGISTRY", address(registry), 0);
    }

    function _setCompliance(ICompliance rules) private {
        compliance = rules;
        emit ComplianceAdded(address(rules));
        _audit("COMPLIANCE", address(rules), 0);
    }

    function _tellInformation() private {
        emit UpdatedTokenInformation(currentName, currentSymbol, decimals(), version(), onchainID);
        _audit("INFORMATION", onchainID, 0);
    }

    function _unfrozen(address account) private view returns (uint256) {
        uint256 balance = balanceOf(account);
        uint256 frozen = frozenTokens[account];
        return balance > frozen ? balance - frozen : 0;
    }

    function _requireInvestors(address account, address investorOnchainID) private view {
        if (investorOnchainID == address(0) || identityRegistry.identity(account) != investorOnchainID) {
            revert NotInvestorsAccount(account, investorOnchainID);
        }
    }

    function _requireSameLength(uint256 left, uint256 right) private pure {
        if (left != right) revert LengthMismatch();
    }
}
