// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {PasskeyAccount} from "./PasskeyAccount.sol";
import {Clones} from "@openzeppelin/proxy/Clones.sol";

/// @title Where passkey accounts come from
/// @notice An account's address follows from its key, guardians and salt, so that money can be sent there before it is made.
contract PasskeyAccounts {
    /// @notice The code that accounts share.
    PasskeyAccount public immutable code = new PasskeyAccount();

    event AccountMade(address indexed account, bytes32 x, bytes32 y);

    /// @notice Makes an account, or finds it made. Anybody's to call.
    function make(bytes32 x, bytes32 y, address[] calldata guardians, uint32 threshold, bytes32 salt)
        external
        returns (PasskeyAccount account)
    {
        address at = addressOf(x, y, guardians, threshold, salt);
        account = PasskeyAccount(payable(at));
        if (at.code.length != 0) return account;
        Clones.cloneDeterministic(address(code), _saltOf(x, y, guardians, threshold, salt));
        emit AccountMade(at, x, y);
        account.initialise(x, y, guardians, threshold);
    }

    /// @notice Where the account is or will be.
    function addressOf(bytes32 x, bytes32 y, address[] calldata guardians, uint32 threshold, bytes32 salt)
        public
        view
        returns (address)
    {
        return Clones.predictDeterministicAddress(address(code), _saltOf(x, y, guardians, threshold, salt));
    }

    function _saltOf(bytes32 x, bytes32 y, address[] calldata guardians, uint32 threshold, bytes32 salt)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(x, y, guardians, threshold, salt));
    }
}
