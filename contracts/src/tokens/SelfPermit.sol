// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20Permit} from "@openzeppelin/token/ERC20/extensions/IERC20Permit.sol";
import {Multicall} from "@openzeppelin/utils/Multicall.sol";

/// @title Permits and several calls in one transaction
/// @notice {multicall} makes calls to this contract one after the other, all or none, each in the caller's name: such as a permit, collateral
/// put down, and a loan. It brings no ether, so no ether is spent twice.
abstract contract SelfPermit is Multicall {
    /// @notice Lets this contract take `amount` of the caller's tokens, by the caller's permit (EIP-2612).
    /// @dev Whoever sees a permit may send it first; then the allowance is there already, and the permit is passed over. What a permit does not
    /// allow fails where it is needed.
    function selfPermit(IERC20Permit token, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        try token.permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
    }
}
