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

/// @notice Lends with the accounting that is usual: lenders and borrowers have shares of totals, which grow with interest. Every
/// transaction multiplies and divides by them, whoever came before. Collateral is ether, at a price that does not change.
contract LendingByShares {
    /// @dev A smallest unit of collateral in smallest units of the token, times 10^36: 3,000 tokens of six digits for an ether.
    uint256 public constant PRICE = 3_000 * 1e24;
    /// @dev What a debt may be of its collateral's worth, in basis points.
    uint256 public constant LIMIT = 8_000;
    /// @dev Interest in a second, times 10^18: 4 % in a year.
    uint256 public constant RATE = 1_268_391_679;
    /// @dev Shares and tokens of nobody, against making a share dear.
    uint256 private constant VIRTUAL_SHARES = 1e6;
    uint256 private constant VIRTUAL_ASSETS = 1;

    IERC20 public immutable token;
    uint256 public suppliedAssets;
    uint256 public suppliedShares;
    uint256 public borrowedAssets;
    uint256 public borrowedShares;
    uint256 public accruedAt;
    mapping(address account => uint256) public supplySharesOf;
    mapping(address account => uint256) public borrowSharesOf;
    mapping(address account => uint256) public collateralOf;

    error InsufficientLiquidity();
    error Unhealthy(address account);

    event Supplied(address indexed account, uint256 amount, uint256 shares);
    event Borrowed(address indexed account, uint256 amount, uint256 shares);

    constructor(IERC20 token_) {
        token = token_;
        accruedAt = block.timestamp;
    }

    function supplyCollateral() external payable {
        collateralOf[msg.sender] += msg.value;
    }

    function supply(uint256 amount) external {
        _accrue();
        uint256 shares = amount * (suppliedShares + VIRTUAL_SHARES) / (suppliedAssets + VIRTUAL_ASSETS);
        supplySharesOf[msg.sender] += shares;
        suppliedShares += shares;
        suppliedAssets += amount;
        emit Supplied(msg.sender, amount, shares);
        token.transferFrom(msg.sender, address(this), amount);
    }

    function borrow(uint256 amount) external {
        _accrue();
        uint256 assets = borrowedAssets + VIRTUAL_ASSETS;
        uint256 shares = (amount * (borrowedShares + VIRTUAL_SHARES) + assets - 1) / assets;
        borrowSharesOf[msg.sender] += shares;
        borrowedShares += shares;
        borrowedAssets += amount;
        if (borrowedAssets > suppliedAssets) revert InsufficientLiquidity();
        uint256 all = borrowedShares + VIRTUAL_SHARES;
        uint256 debt = (borrowSharesOf[msg.sender] * (borrowedAssets + VIRTUAL_ASSETS) + all - 1) / all;
        if (debt > collateralOf[msg.sender] * PRICE / 1e36 * LIMIT / 10_000) revert Unhealthy(msg.sender);
        emit Borrowed(msg.sender, amount, shares);
        token.transfer(msg.sender, amount);
    }

    function _accrue() private {
        uint256 elapsed = block.timestamp - accruedAt;
        if (elapsed == 0) return;
        uint256 interest = borrowedAssets * RATE * elapsed / 1e18;
        borrowedAssets += interest;
        suppliedAssets += interest;
        accruedAt = block.timestamp;
    }
}

/// @notice Perpetual futures with the accounting that is usual: every trade is filled by the skew that it finds and leaves, and brings
/// funding up to date with it. The price of what is traded does not change.
contract PerpetualPerTransaction {
    struct Position {
        int256 size;
        uint256 fill;
        int256 funding;
    }

    /// @dev A smallest unit in smallest units of the token, times 10^36: 3,000 tokens of six digits for an ether.
    uint256 public constant PRICE = 3_000 * 1e24;
    /// @dev The skew at which price and funding move by all.
    int256 public constant SKEW_SCALE = 4_000 ether;
    /// @dev What may be open.
    uint256 public constant CAP = 1_000 ether;
    /// @dev Highest funding in a second, times 10^18: the price in a year.
    int256 public constant MAX_FUNDING = 31_709_791_983;
    /// @dev In basis points of a position's worth.
    uint256 public constant FEE = 5;
    uint256 public constant INITIAL_MARGIN = 1_000;

    IERC20 public immutable token;
    int256 public skew;
    uint256 public open;
    int256 public funding;
    uint256 public fundedAt;
    uint256 public fees;
    mapping(address account => uint256) public marginOf;
    mapping(address account => Position) public positionOf;

    error LimitExceeded(uint256 fill, uint256 limit);
    error Capped(uint256 open);
    error InsufficientMargin(address account);

    event Traded(address indexed account, int256 delta, uint256 fill, uint256 fee, int256 skew);

    constructor(IERC20 token_) {
        token = token_;
        fundedAt = block.timestamp;
    }

    function depositMargin(uint256 amount) external {
        marginOf[msg.sender] += amount;
        token.transferFrom(msg.sender, address(this), amount);
    }

    /// @notice Opens a position, or enlarges one.
    function trade(int256 delta, uint256 limit) external {
        int256 before = skew;
        funding += int256(block.timestamp - fundedAt) * MAX_FUNDING * before / SKEW_SCALE * int256(PRICE) / 1e18;
        fundedAt = block.timestamp;
        // The mean of the prices before and after.
        uint256 fill = uint256(int256(PRICE) + int256(PRICE) * (2 * before + delta) / (2 * SKEW_SCALE));
        if (fill > limit) revert LimitExceeded(fill, limit);
        skew = before + delta;
        open += uint256(delta < 0 ? -delta : delta);
        if (open > CAP) revert Capped(open);
        Position storage position = positionOf[msg.sender];
        int256 size = position.size + delta;
        position.fill = uint256((position.size * int256(position.fill) + delta * int256(fill)) / size);
        (position.size, position.funding) = (size, funding);
        uint256 worth = uint256(size < 0 ? -size : size) * PRICE / 1e36;
        uint256 fee = worth * FEE / 10_000;
        uint256 margin = marginOf[msg.sender] - fee;
        if (margin < worth * INITIAL_MARGIN / 10_000) revert InsufficientMargin(msg.sender);
        marginOf[msg.sender] = margin;
        fees += fee;
        emit Traded(msg.sender, delta, fill, fee, skew);
    }
}
