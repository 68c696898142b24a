// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IIdentityRegistry} from "./IERC3643.sol";
import {AccessControl} from "@openzeppelin/access/AccessControl.sol";

/// @title Who the holders of regulated tokens are
/// @notice Agents vouch for an investor's accounts: which identity they belong to and in which country it lives. One
/// identity may have several accounts. There are no claims to be checked on chain: whoever is registered is verified.
/// {ClaimedIdentityRegistry} checks claims too.
contract IdentityRegistry is IIdentityRegistry, AccessControl {
    struct Investor {
        address identity;
        uint16 country;
    }

    bytes32 public constant AGENT_ROLE = keccak256("AGENT_ROLE");

    mapping(address account => Investor) private investors;

    /// @notice An identity is an address other than zero.
    error NoIdentity(address investor);
    error AlreadyRegistered(address investor);
    error NotRegistered(address investor);
    error LengthMismatch();

    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(AGENT_ROLE, admin);
    }

    /// @inheritdoc IIdentityRegistry
    function registerIdentity(address investor, address identity_, uint16 country) external onlyRole(AGENT_ROLE) {
        _register(investor, identity_, country);
    }

    /// @inheritdoc IIdentityRegistry
    function batchRegisterIdentity(
        address[] calldata accounts,
        address[] calldata identities,
        uint16[] calldata countries
    ) external onlyRole(AGENT_ROLE) {
        if (accounts.length != identities.length || accounts.length != countries.length) {
            revert LengthMismatch();
        }
        for (uint256 i = 0; i < accounts.length; i++) {
            _register(accounts[i], identities[i], countries[i]);
        }
    }

    /// @inheritdoc IIdentityRegistry
    function deleteIdentity(address investor) external onlyRole(AGENT_ROLE) {
        address removed = _registered(investor).identity;
        delete investors[investor];
        emit IdentityRemoved(investor, removed);
    }

    /// @inheritdoc IIdentityRegistry
    function updateCountry(address investor, uint16 country) external onlyRole(AGENT_ROLE) {
        _registered(investor).country = country;
        emit CountryUpdated(investor, country);
    }

    /// @inheritdoc IIdentityRegistry
    function updateIdentity(address investor, address identity_) external onlyRole(AGENT_ROLE) {
        if (identity_ == address(0)) revert NoIdentity(investor);
        Investor storage record = _registered(investor);
        emit IdentityUpdated(record.identity, identity_);
        record.identity = identity_;
    }

    /// @inheritdoc IIdentityRegistry
    function contains(address investor) public view returns (bool) {
        return investors[investor].identity != address(0);
    }

    /// @inheritdoc IIdentityRegistry
    function isVerified(address investor) external view virtual returns (bool) {
        return contains(investor);
    }

    /// @inheritdoc IIdentityRegistry
    function identity(address investor) public view returns (address) {
        return investors[investor].identity;
    }

    /// @inheritdoc IIdentityRegistry
    function investorCountry(address investor) external view returns (uint16) {
        return investors[investor].country;
    }

    function _register(address investor, address identity_, uint16 country) private {
        if (identity_ == address(0)) revert NoIdentity(investor);
        if (contains(investor)) revert AlreadyRegistered(investor);
        investors[investor] = Investor(identity_, country);
        emit IdentityRegistered(investor, identity_);
        emit CountryUpdated(investor, country);
    }

    function _registered(address investor) private view returns (Investor storage) {
        if (!contains(investor)) revert NotRegistered(investor);
        return investors[investor];
    }
}
