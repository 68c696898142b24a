// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "openzeppelin-contracts-5/token/ERC20/ERC20.sol";
import {ERC4626} from "openzeppelin-contracts-5/token/ERC20/extensions/ERC4626.sol";
import {IERC20} from "openzeppelin-contracts-5/token/ERC20/IERC20.sol";

/// @notice OpenZeppelin's tokenised vault: shares of what it holds.
contract OzVault is ERC4626 {
    constructor(IERC20 asset) ERC20("Benchmark vault", "VAULT") ERC4626(asset) {}
}

/// @notice Stakes with the accounting that is usual: every transaction divides by the total of all stakes, whoever came before.
contract StakingPerTransaction {
    IERC20 public immutable stakingToken;
    uint256 public rewardRate = 1e18;
    uint256 public lastUpdateTime;
    uint256 public rewardPerTokenStored;
    uint256 public totalSupply;
    mapping(address account => uint256) public balanceOf;
    mapping(address account => uint256) public userRewardPerTokenPaid;
    mapping(address account => uint256) public rewards;

    event Staked(address indexed user, uint256 amount);

    constructor(IERC20 token) {
        stakingToken = token;
        lastUpdateTime = block.timestamp;
    }

    function stake(uint256 amount) external {
        rewardPerTokenStored = rewardPerToken();
        lastUpdateTime = block.timestamp;
        rewards[msg.sender] = earned(msg.sender);
        userRewardPerTokenPaid[msg.sender] = rewardPerTokenStored;
        totalSupply += amount;
        balanceOf[msg.sender] += amount;
        stakingToken.transferFrom(msg.sender, address(this), amount);
        emit Staked(msg.sender, amount);
    }

    function rewardPerToken() public view returns (uint256) {
        if (totalSupply == 0) return rewardPerTokenStored;
        return rewardPerTokenStored + (block.timestamp - lastUpdateTime) * rewardRate * 1e18 / totalSupply;
    }

    function earned(address account) public view returns (uint256) {
        uint256 since = rewardPerTokenStored - userRewardPerTokenPaid[account];
        return rewards[account] + balanceOf[account] * since / 1e18;
    }
}
