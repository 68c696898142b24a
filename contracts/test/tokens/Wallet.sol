// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/utils/cryptography/ECDSA.sol";

/// @dev A contract that holds tokens and for which one key signs (ERC-1271).
contract Wallet is IERC1271 {
    address private immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        (address signedBy,,) = ECDSA.tryRecover(digest, signature);
        return signedBy == owner ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
