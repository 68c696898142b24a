// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ISignatureTransfer} from "../tokens/ISignatureTransfer.sol";
import {Router} from "./Router.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";

/// @title Trades by signature: the trader signs, and whoever likes sends it
/// @notice A trader signs a transfer by {ISignatureTransfer} with the trade as its witness: what it wants at least, along which path, to whom, and what it pays
/// whoever sends it. Anyone may send it, pays the gas, and gets the tip, in the token that the trader gives; the rest is traded through the router.
/// The trader needs no ether, and no approval but that of {ISignatureTransfer}.
///
/// Who sends it can do nothing but what was signed: the amount, the path, the least and the recipient are in the signature, and the price is that of the router at that moment.
/// @dev Here are no balances between calls; the router may take any amount. Tokens that deliver less than was sent make a trade fail.
contract SignedTrades {
    using SafeERC20 for IERC20;

    /// @notice What a trader signs besides tokens, nonce and deadline.
    /// @param path From the token that was signed for to the one that is wanted.
    /// @param tip What the sender gets of the signed amount.
    struct Trade {
        uint256 amountOutMin;
        address[] path;
        address to;
        uint256 tip;
    }

    /// @notice The type of a trade (EIP-712).
    bytes32 public constant TRADE = keccak256("Trade(uint256 amountOutMin,address[] path,address to,uint256 tip)");
    /// @notice The rest of the type that is signed.
    string public constant WITNESS_TYPE =
        "Trade witness)TokenPermissions(address token,uint256 amount)Trade(uint256 amountOutMin,address[] path,address to,uint256 tip)";

    ISignatureTransfer public immutable transfers;
    Router public immutable router;

    /// @notice The path begins with another token than was signed for.
    error OtherToken(address token);
    /// @notice The tip leaves nothing to be traded.
    error TipTooLarge(uint256 tip, uint256 amount);

    event SignedTrade(
        address indexed owner, address indexed sender, uint256 nonce, uint256 amountIn, uint256 amountOut, uint256 tip
    );

    constructor(ISignatureTransfer transfers_, Router router_) {
        transfers = transfers_;
        router = router_;
    }

    /// @notice Trades all that the owner has signed for, less the tip, which the caller gets.
    function trade(
        ISignatureTransfer.PermitTransferFrom calldata permit,
        Trade calldata trade_,
        address owner,
        bytes calldata signature
    ) external returns (uint256 amountOut) {
        ISignatureTransfer.TokenPermissions calldata given = permit.permitted;
        if (trade_.path.length == 0 || trade_.path[0] != given.token) revert OtherToken(given.token);
        if (trade_.tip >= given.amount) revert TipTooLarge(trade_.tip, given.amount);
        _take(permit, trade_, owner, signature);
        uint256 amountIn = given.amount - trade_.tip;
        amountOut = _swap(amountIn, trade_, permit.deadline);
        emit SignedTrade(owner, msg.sender, permit.nonce, amountIn, amountOut, trade_.tip);
        if (trade_.tip != 0) IERC20(given.token).safeTransfer(msg.sender, trade_.tip);
    }

    /// @notice The witness of a trade.
    function hashOf(Trade calldata trade_) public pure returns (bytes32) {
        bytes32 path = keccak256(abi.encodePacked(trade_.path));
        return keccak256(abi.encode(TRADE, trade_.amountOutMin, path, trade_.to, trade_.tip));
    }

    function _take(
        ISignatureTransfer.PermitTransferFrom calldata permit,
        Trade calldata trade_,
        address owner,
        bytes calldata signature
    ) private {
        ISignatureTransfer.SignatureTransferDetails memory all =
            ISignatureTransfer.SignatureTransferDetails(address(this), permit.permitted.amount);
        transfers.permitWitnessTransferFrom(permit, all, owner, hashOf(trade_), WITNESS_TYPE, signature);
    }

    function _swap(uint256 amountIn, Trade calldata trade_, uint256 deadline) private returns (uint256) {
        IERC20(trade_.path[0]).forceApprove(address(router), amountIn);
        uint256[] memory amounts =
            router.swapExactTokensForTokens(amountIn, trade_.amountOutMin, trade_.path, trade_.to, deadline);
        return amounts[amounts.length - 1];
    }
}
