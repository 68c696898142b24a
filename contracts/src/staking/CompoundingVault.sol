// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IndexedVault} from "../tokens/IndexedVault.sol";
import {StakingPool} from "./StakingPool.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {IERC20Metadata} from "@openzeppelin/token/ERC20/extensions/IERC20Metadata.sol";

/// @title Stakes whose rewards are staked again
/// @notice An ERC-4626 share ({IndexedVault}) in all that the vault has staked in a pool that pays in the token staked. Once a
/// block, whoever comes first takes the reward and stakes it. The owner may take a part of the gains as a fee, and nothing
/// else. Nobody can stake in the vault's name, so there are no gifts to count.
/// @dev Assumes of the pool what {StakingPool} does: it pays what {StakingPool.earned} says, and rounds no stake.
contract CompoundingVault is IndexedVault, Ownable {
    StakingPool public immutable pool;

    /// @notice The pool pays in another token than is staked.
    error DifferentTokens();

    event Compounded(uint256 reward);

    constructor(StakingPool pool_, string memory name_, string memory symbol_, address owner_)
        IndexedVault(IERC20Metadata(address(pool_.stakingToken())), name_, symbol_)
        Ownable(owner_)
    {
        if (pool_.stakingToken() != pool_.rewardsToken()) revert DifferentTokens();
        pool = pool_;
        token.approve(address(pool_), type(uint256).max);
    }

    /// @notice Sets what the recipient gets of the gains from now on.
    function setFee(uint256 basis, address recipient) external onlyOwner {
        _setFee(basis, recipient);
    }

    /// @inheritdoc IndexedVault
    function totalAssets() public view override returns (uint256) {
        return pool.balanceOf(address(this)) + pool.earned(address(this));
    }

    /// @inheritdoc IndexedVault
    function liquidity() public view override returns (uint256) {
        return totalAssets();
    }

    function _collect() internal override {
        uint256 reward = pool.earned(address(this));
        if (reward == 0) return;
        pool.getReward();
        pool.stake(reward);
        emit Compounded(reward);
    }

    function _store(uint256 assets) internal override {
        pool.stake(assets);
    }

    function _release(uint256 assets) internal override returns (bool) {
        pool.withdraw(assets);
        return false;
    }
}
