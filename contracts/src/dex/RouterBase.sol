// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {SelfPermit} from "../tokens/SelfPermit.sol";
import {WrappedEther} from "../tokens/WrappedEther.sol";
import {IVault} from "./IVault.sol";
import {PoolFactory} from "./PoolFactory.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";

/// @title What a router has between wallets and the vault
/// @dev It holds nothing between calls.
abstract contract RouterBase is SelfPermit {
    using SafeERC20 for IERC20;

    /// @notice The fee of the pools that trade as Uniswap v2's, in millionths.
    uint256 public constant V2_FEE = 3000;

    IVault public immutable vault;
    /// @notice Knows the pools of every fee, and makes them.
    PoolFactory public immutable factory;
    WrappedEther internal immutable weth;

    /// @notice It is later than the trader wants.
    error Expired(uint256 deadline);
    /// @notice A path is two tokens or more; with ether, one end is wrapped ether.
    error InvalidPath();
    /// @notice No pool trades the two tokens, or none has enough.
    error NoPool(address tokenIn, address tokenOut);
    error InsufficientOutput(uint256 amount, uint256 wanted);
    error ExcessiveInput(uint256 amount, uint256 wanted);
    error NotVault(address caller);
    /// @notice The account takes no ether, or only wrapped ether's contract may send some.
    error EtherRefused(address account);

    modifier before(uint256 deadline) {
        if (block.timestamp > deadline) revert Expired(deadline);
        _;
    }

    constructor(PoolFactory factory_, WrappedEther weth_) {
        factory = factory_;
        vault = factory_.vault();
        weth = weth_;
    }

    receive() external payable {
        if (msg.sender != address(weth)) revert EtherRefused(address(this));
    }

    /// @notice Wrapped ether's contract, by the name that Uniswap v2's router gives it.
    function WETH() external view returns (address) {
        return address(weth);
    }

    /// @dev The vault takes tokens from those alone who call it, and the router holds none between calls: so it may take
    /// any amount, and the approval is written once.
    function _deposit(address token, uint256 amount) internal {
        _approveVault(token, amount);
        vault.deposit(token, amount, address(this));
    }

    /// @dev The same for a token that delivers less than is sent.
    function _depositMeasured(address token, uint256 amount) internal returns (uint256 received) {
        _approveVault(token, amount);
        return vault.depositMeasured(token, amount, address(this));
    }

    /// @dev Takes `amount` from the caller.
    function _pull(address token, uint256 amount) internal {
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @dev Takes `amount` from the caller; tells what arrives.
    function _pullMeasured(address token, uint256 amount) internal returns (uint256 received) {
        uint256 held = IERC20(token).balanceOf(address(this));
        _pull(token, amount);
        return IERC20(token).balanceOf(address(this)) - held;
    }

    function _approveVault(address token, uint256 amount) private {
        if (IERC20(token).allowance(address(this), address(vault)) >= amount) return;
        IERC20(token).forceApprove(address(vault), type(uint256).max);
    }

    function _sendEther(address to, uint256 amount) internal {
        (bool taken,) = to.call{value: amount}("");
        if (!taken) revert EtherRefused(to);
    }

    function _id(address token) internal pure returns (uint256) {
        return uint256(uint160(token));
    }
}
