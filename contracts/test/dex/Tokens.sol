// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/token/ERC20/extensions/ERC20Permit.sol";

/// @dev A token that anyone mints.
contract FreeToken is ERC20 {
    constructor(string memory symbol_) ERC20(symbol_, symbol_) {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @dev The same with permits (EIP-2612).
contract PermitToken is FreeToken("PERMIT"), ERC20Permit("Permit") {}

/// @dev A token that keeps one in a hundred of what is sent.
contract FeeToken is ERC20("Fee", "FEE") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from == address(0) || to == address(0)) return super._update(from, to, amount);
        super._update(from, address(0xfee), amount / 100);
        super._update(from, to, amount - amount / 100);
    }
}

/// @dev A token that makes a call in the middle of a transfer.
contract CallingToken is ERC20("Calling", "CALL") {
    address private callee;
    bytes private data;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function onTransfer(address callee_, bytes calldata data_) external {
        callee = callee_;
        data = data_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (callee == address(0)) return;
        (bool done, bytes memory reason) = callee.call(data);
        if (done) return;
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }
}
