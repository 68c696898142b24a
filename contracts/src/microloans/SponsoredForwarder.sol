// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Gated, RoleGate} from "./RoleGate.sol";
import {ERC2771Forwarder} from "@openzeppelin/metatx/ERC2771Forwarder.sol";

/// @title Calls that a sponsor pays for
/// @notice Who has a key and no coin signs a call (ERC-2771), and a sponsor sends it. A signer has so many calls and so much gas a day for each
/// target, by the target's quota; a target without a quota is not sponsored. The quota protects the sponsor: it is counted here, so that
/// several servers of a sponsor share it.
contract SponsoredForwarder is ERC2771Forwarder, Gated {
    /// @param calls In a day (UTC), for each signer.
    /// @param gas In a call, at most.
    struct Quota {
        uint64 calls;
        uint64 gas;
    }

    mapping(address target => Quota) public quotaOf;
    mapping(address target => mapping(address signer => mapping(uint256 day => uint256))) public callsOn;

    error NotSponsored(address target);
    error TooMuchGas(uint256 most, uint256 asked);
    error QuotaExceeded(address signer, uint256 calls);
    error NoValue();

    event QuotaSet(address indexed target, uint64 calls, uint64 gas);

    constructor(RoleGate gate) ERC2771Forwarder("Braid sponsor") Gated(gate) {}

    function setQuota(address target, uint64 calls, uint64 gas_) external restricted {
        quotaOf[target] = Quota(calls, gas_);
        emit QuotaSet(target, calls, gas_);
    }

    function _execute(ForwardRequestData calldata request, bool requireValidRequest) internal override returns (bool) {
        Quota memory quota = quotaOf[request.to];
        if (quota.calls == 0) revert NotSponsored(request.to);
        if (request.gas > quota.gas) revert TooMuchGas(quota.gas, request.gas);
        // Borrowers send no coin.
        if (request.value != 0) revert NoValue();
        (bool isTrusting, bool isActive, bool isSigned, address signer) = _validate(request);
        // What is not valid is refused or passed over below, and counts against nobody.
        if (isTrusting && isActive && isSigned) {
            uint256 today = block.timestamp / 1 days;
            uint256 calls = callsOn[request.to][signer][today] + 1;
            if (calls > quota.calls) revert QuotaExceeded(signer, quota.calls);
            callsOn[request.to][signer][today] = calls;
        }
        return super._execute(request, requireValidRequest);
    }
}
