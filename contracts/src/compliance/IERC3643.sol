// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/token/ERC20/IERC20.sol";

/// @notice What a token asks about investors: the part of ERC-3643's identity registry that names no claims.
interface IIdentityRegistry {
    event IdentityRegistered(address indexed investorAddress, address indexed identity);
    event IdentityRemoved(address indexed investorAddress, address indexed identity);
    event IdentityUpdated(address indexed oldIdentity, address indexed newIdentity);
    event CountryUpdated(address indexed investorAddress, uint16 indexed country);

    function registerIdentity(address investor, address identity_, uint16 country) external;
    function deleteIdentity(address investor) external;
    function updateCountry(address investor, uint16 country) external;
    function updateIdentity(address investor, address identity_) external;
    function batchRegisterIdentity(
        address[] calldata investors,
        address[] calldata identities,
        uint16[] calldata countries
    ) external;

    function contains(address investor) external view returns (bool);
    function isVerified(address investor) external view returns (bool);
    function identity(address investor) external view returns (address);
    /// @notice The country's number in ISO 3166-1.
    function investorCountry(address investor) external view returns (uint16);
}

/// @notice What a token asks about a transfer, and tells afterwards: ERC-3643's compliance contract, bound to one token.
interface ICompliance {
    event TokenBound(address token);
    event TokenUnbound(address token);

    function bindToken(address token) external;
    function unbindToken(address token) external;

    /// @notice Told by the token after a transfer.
    function transferred(address from, address to, uint256 amount) external;
    /// @notice Told by the token after a mint.
    function created(address to, uint256 amount) external;
    /// @notice Told by the token after a burn.
    function destroyed(address from, uint256 amount) external;

    function isTokenBound(address token) external view returns (bool);
    function canTransfer(address from, address to, uint256 amount) external view returns (bool);
}

/// @notice ERC-3643's token, without the functions that ERC-20 and ERC-7943 have too.
interface IERC3643 is IERC20 {
    event UpdatedTokenInformation(
        string indexed newName,
        string indexed newSymbol,
        uint8 newDecimals,
        string newVersion,
        address indexed newOnchainID
    );
    event IdentityRegistryAdded(address indexed identityRegistry);
    event ComplianceAdded(address indexed compliance);
    event RecoverySuccess(address indexed lostWallet, address indexed newWallet, address indexed investorOnchainID);
    event AddressFrozen(address indexed userAddress, bool indexed isFrozen, address indexed owner);
    event TokensFrozen(address indexed userAddress, uint256 amount);
    event TokensUnfrozen(address indexed userAddress, uint256 amount);

    function setName(string calldata newName) external;
    function setSymbol(string calldata newSymbol) external;
    function setOnchainID(address newOnchainID) external;
    function setAddressFrozen(address userAddress, bool freeze) external;
    function freezePartialTokens(address userAddress, uint256 amount) external;
    function unfreezePartialTokens(address userAddress, uint256 amount) external;
    function setIdentityRegistry(address newRegistry) external;
    function setCompliance(address newCompliance) external;
    function mint(address to, uint256 amount) external;
    function burn(address userAddress, uint256 amount) external;
    function recoveryAddress(address lostWallet, address newWallet, address investorOnchainID) external returns (bool);
    function batchTransfer(address[] calldata toList, uint256[] calldata amounts) external;
    function batchForcedTransfer(address[] calldata fromList, address[] calldata toList, uint256[] calldata amounts)
        external;
    function batchMint(address[] calldata toList, uint256[] calldata amounts) external;
    function batchBurn(address[] calldata userAddresses, uint256[] calldata amounts) external;
    function batchSetAddressFrozen(address[] calldata userAddresses, bool[] calldata freeze) external;
    function batchFreezePartialTokens(address[] calldata userAddresses, uint256[] calldata amounts) external;
    function batchUnfreezePartialTokens(address[] calldata userAddresses, uint256[] calldata amounts) external;

    function onchainID() external view returns (address);
    function version() external view returns (string memory);
    function identityRegistry() external view returns (IIdentityRegistry);
    function compliance() external view returns (ICompliance);
    function isFrozen(address userAddress) external view returns (bool);
}
