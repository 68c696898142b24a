// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Denial} from "../compliance/Denial.sol";
import {IPolicyRegistry} from "../compliance/IPolicyRegistry.sol";
import {PolicyToken} from "./PolicyToken.sol";
import {ERC20} from "@openzeppelin/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/token/ERC20/extensions/draft-ERC3009.sol";

/// @title Money of one currency, issued by minters with allowances under a cap
/// @notice Amounts are in millionths of the currency's unit (6 decimals). EIP-2612 and EIP-3009, both for keys and for
/// contracts (ERC-1271): 3009's nonces are any 32 bytes, so that one account's authorisations do not wait for each other.
/// @dev A mint adds to the supply and takes from the minter's allowance; both are sums with a bound, each in its own slot.
/// OpenZeppelin's 3009 takes times with bit 47 set in both ends for block heights.
contract Stablecoin is PolicyToken, ERC3009 {
    bytes32 public constant MINTER_ADMIN_ROLE = keccak256("MINTER_ADMIN_ROLE");
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");

    /// @notice The ISO 4217 code of the currency.
    string public currency;
    /// @notice What the supply may not exceed.
    uint256 public supplyCap;
    /// @notice What a minter may still mint. Burning does not restore it.
    mapping(address minter => uint256) public minterAllowance;

    /// @notice The minter may mint `allowance` more, which is less than `amount`.
    error MinterAllowanceExceeded(address minter, uint256 allowance, uint256 amount);

    event MinterConfigured(address indexed minter, uint256 allowance);
    event MinterRemoved(address indexed minter);
    event SupplyCapChanged(uint256 cap);
    event Mint(address indexed minter, address indexed to, uint256 amount);
    event Burn(address indexed burner, uint256 amount);

    /// @param currencyCode The ISO 4217 code, such as `KES`.
    /// @param admin Holds every role but the minters' at first.
    constructor(
        string memory tokenName,
        string memory tokenSymbol,
        string memory currencyCode,
        IPolicyRegistry registry,
        uint64 policy,
        address admin,
        uint256 cap
    ) ERC20(tokenName, tokenSymbol) ERC20Permit(tokenName) PolicyToken(registry, policy, admin) {
        currency = currencyCode;
        _setSupplyCap(cap);
        _grantRole(PAUSER_ROLE, admin);
        _grantRole(POLICY_ROLE, admin);
        _grantRole(MINTER_ADMIN_ROLE, admin);
        _setRoleAdmin(MINTER_ROLE, MINTER_ADMIN_ROLE);
    }

    /// @notice Mints to `to`, out of the caller's allowance.
    function mint(address to, uint256 amount) external onlyRole(MINTER_ROLE) returns (bool) {
        uint256 allowed = minterAllowance[msg.sender];
        if (allowed < amount) revert MinterAllowanceExceeded(msg.sender, allowed, amount);
        minterAllowance[msg.sender] = allowed - amount;
        _mint(to, amount);
        emit Mint(msg.sender, to, amount);
        return true;
    }

    /// @notice Burns what a minter holds: money that was paid out elsewhere.
    function burn(uint256 amount) external onlyRole(MINTER_ROLE) {
        _burn(msg.sender, amount);
        emit Burn(msg.sender, amount);
    }

    /// @notice Makes `minter` one, or sets what it may still mint.
    function configureMinter(address minter, uint256 allowance_) external onlyRole(MINTER_ADMIN_ROLE) {
        _grantRole(MINTER_ROLE, minter);
        minterAllowance[minter] = allowance_;
        emit MinterConfigured(minter, allowance_);
        _audit("MINTER", minter, allowance_);
    }

    function removeMinter(address minter) external onlyRole(MINTER_ADMIN_ROLE) {
        _revokeRole(MINTER_ROLE, minter);
        minterAllowance[minter] = 0;
        emit MinterRemoved(minter);
        _audit("MINTER_REMOVED", minter, 0);
    }

    /// @notice A cap below the supply stops minting and takes nothing from anybody.
    function setSupplyCap(uint256 cap) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setSupplyCap(cap);
        _audit("SUPPLY_CAP", address(0), cap);
    }

    /// @notice EIP-3009 with a signature of any length, from a key or from a contract (ERC-1271).
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        _requireAuthorized(
            TRANSFER_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce, signature
        );
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    /// @notice The same, to be sent by the recipient alone.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        if (to != msg.sender) revert ERC20InvalidReceiver(to);
        _requireAuthorized(
            RECEIVE_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce, signature
        );
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    /// @notice Makes an authorisation that was not used worthless.
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external {
        bytes32 message = keccak256(abi.encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce));
        _requireSigned(authorizer, _hashTypedDataV4(message), signature);
        _cancelAuthorization(authorizer, nonce);
    }

    /// @notice Six, for every currency.
    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function _denial(address from, address to, uint256 amount) internal view override returns (Denial, address) {
        // Compared with what is left, for the sum could overflow.
        if (from == address(0) && (amount > supplyCap || totalSupply() > supplyCap - amount)) {
            return (Denial.SupplyCap, address(this));
        }
        return super._denial(from, to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override(ERC20, PolicyToken) {
        PolicyToken._update(from, to, amount);
    }

    function _requireAuthorized(
        bytes32 typeHash,
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) private view {
        bytes32 message = keccak256(abi.encode(typeHash, from, to, value, validAfter, validBefore, nonce));
        _requireSigned(from, _hashTypedDataV4(message), signature);
    }

    function _setSupplyCap(uint256 cap) private {
        supplyCap = cap;
        emit SupplyCapChanged(cap);
    }
}
