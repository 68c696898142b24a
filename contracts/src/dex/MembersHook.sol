// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IPolicyRegistry} from "../compliance/IPolicyRegistry.sol";
import {HookCalls, IPoolHooks, IRouterTrader} from "./IPoolHooks.sol";

/// @title Lets those trade and provide whom a policy admits
/// @notice The hook asks {IPolicyRegistry} for who gives (as sender) and for who gets (as recipient). A trade that comes by the
/// router is that of whom the router trades for; where it goes then is for the tokens' own policies to say. Leaving is always
/// possible.
/// @dev It keeps nothing of its own, so one hook serves any number of pools. Assumes that the router tells the truth.
contract MembersHook is IPoolHooks {
    IPolicyRegistry public immutable registry;
    uint64 public immutable policy;
    IRouterTrader public immutable router;

    /// @notice The policy does not admit the account.
    error NotAdmitted(address account, uint64 policy);
    /// @notice A policy of this number does not exist in the registry.
    error UnknownPolicy(uint64 policy);

    constructor(IPolicyRegistry registry_, uint64 policy_, IRouterTrader router_) {
        if (!registry_.policyExists(policy_)) revert UnknownPolicy(policy_);
        registry = registry_;
        policy = policy_;
        router = router_;
    }

    /// @inheritdoc IPoolHooks
    function calls() external pure returns (uint256) {
        return HookCalls.BEFORE_SWAP | HookCalls.BEFORE_ADD;
    }

    /// @inheritdoc IPoolHooks
    function beforeSwap(address sender, address, uint256, address to) external view {
        _requireAdmitted(sender, to);
    }

    /// @inheritdoc IPoolHooks
    function beforeAdd(address sender, uint256, uint256, address to) external view {
        _requireAdmitted(sender, to);
    }

    /// @inheritdoc IPoolHooks
    function afterSwap(address, address, uint256, uint256, address) external pure {}

    /// @inheritdoc IPoolHooks
    function afterAdd(address, uint256, uint256, uint256, address) external pure {}

    /// @inheritdoc IPoolHooks
    function afterRemove(address, uint256, uint256, uint256, address) external pure {}

    /// @inheritdoc IPoolHooks
    function swapFee(address, uint256) external pure returns (uint256) {
        return 0;
    }

    function _requireAdmitted(address sender, address to) private view {
        address from = sender == address(router) ? router.trader() : sender;
        if (!registry.isAuthorizedSender(policy, from)) revert NotAdmitted(from, policy);
        // The router takes what comes out on behalf of the trader.
        if (to == address(router)) return;
        if (!registry.isAuthorizedRecipient(policy, to)) revert NotAdmitted(to, policy);
    }
}
