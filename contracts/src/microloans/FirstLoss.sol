// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @dev What is asked of the pool that made this.
interface ILentOut {
    function outstanding() external view returns (uint256);
}

/// @title Capital that bears a pool's losses before its lenders do
/// @notice Anybody adds to it, for good or as the sponsor. The sponsor takes out what exceeds a part of what is lent, a notice
/// period after asking, so that a loss that is foreseen is still borne.
contract FirstLoss {
    using SafeERC20 for IERC20;

    /// @notice Between asking and taking out, in seconds, and how long it may then take.
    uint256 public constant NOTICE = 14 days;
    uint256 public constant WITHIN = 7 days;
    uint256 internal constant BASIS = 10_000;

    IERC20 public immutable token;
    address public immutable pool;
    address public immutable sponsor;
    /// @notice What has to stay, in basis points of what is lent.
    uint256 public immutable requiredBasis;

    uint256 public capital;
    /// @notice What the sponsor has asked for, and from when on it may be taken.
    uint256 public asked;
    uint256 public askedFrom;

    error NotPool(address caller);
    error NotSponsor(address caller);
    error NothingGiven();
    error InvalidRequirement(uint256 basis);
    error NotNow(uint256 from, uint256 until);
    error Required(uint256 capital, uint256 required, uint256 wanted);

    event Contributed(address indexed from, uint256 amount);
    event Covered(uint256 amount);
    event Restored(uint256 amount);
    event WithdrawalAsked(uint256 amount, uint256 from);
    event Withdrawn(address indexed to, uint256 amount);

    modifier onlyPool() {
        if (msg.sender != pool) revert NotPool(msg.sender);
        _;
    }

    modifier onlySponsor() {
        if (msg.sender != sponsor) revert NotSponsor(msg.sender);
        _;
    }

    constructor(IERC20 token_, address sponsor_, uint256 basis) {
        if (basis > BASIS) revert InvalidRequirement(basis);
        (token, pool, sponsor, requiredBasis) = (token_, msg.sender, sponsor_, basis);
    }

    function contribute(uint256 amount) external {
        if (amount == 0) revert NothingGiven();
        capital += amount;
        emit Contributed(msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Sends `amount` to the pool, which has asked for no more than there is.
    function cover(uint256 amount) external onlyPool {
        capital -= amount;
        emit Covered(amount);
        token.safeTransfer(pool, amount);
    }

    /// @notice Counts what the pool has sent back.
    function restore(uint256 amount) external onlyPool {
        capital += amount;
        emit Restored(amount);
    }

    /// @notice Asks for `amount`, in the place of what was asked before.
    function ask(uint256 amount) external onlySponsor {
        (asked, askedFrom) = (amount, block.timestamp + NOTICE);
        emit WithdrawalAsked(amount, askedFrom);
    }

    function withdraw(uint256 amount, address to) external onlySponsor {
        if (amount == 0) revert NothingGiven();
        uint256 until = askedFrom + WITHIN;
        if (block.timestamp < askedFrom || block.timestamp > until || amount > asked) revert NotNow(askedFrom, until);
        uint256 least = required();
        if (capital < least + amount) revert Required(capital, least, amount);
        asked -= amount;
        capital -= amount;
        emit Withdrawn(to, amount);
        token.safeTransfer(to, amount);
    }

    /// @notice What has to stay now.
    function required() public view returns (uint256) {
        return Math.mulDiv(ILentOut(pool).outstanding(), requiredBasis, BASIS, Math.Rounding.Ceil);
    }
}
