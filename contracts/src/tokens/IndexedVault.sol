// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {SelfPermit} from "./SelfPermit.sol";
import {IERC4626} from "@openzeppelin/interfaces/IERC4626.sol";
import {ERC20} from "@openzeppelin/token/ERC20/ERC20.sol";
import {IERC20Metadata} from "@openzeppelin/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title An ERC-4626 vault whose shares are worth `shares * index`
/// @notice The index is brought up to date once a block, by whoever comes first, from all that the vault has; everybody after
/// that reads it and only adds to the number of shares. ERC-4626 as usually written divides two totals at every deposit, and
/// makes depositors wait for each other. Amounts are in the token's smallest units; a share has six decimals more.
///
/// Roundings: shares given and tokens paid out down, shares burnt and tokens asked for up.
///
/// Attacks on the first depositor: an implementation counts what it has itself, so that gifts change nothing; and a million shares of
/// one unit that nobody owns (virtual shares) make raising a share's worth cost a million times what others lose by rounding.
/// @dev The index never promises more than there is: `(supply + VIRTUAL_SHARES) * index <= assets + 1` at each accrual, and
/// deposits and withdrawals keep it so. What may cost a unit by other contracts' rounding has to be followed by
/// {_accrueNow}.
abstract contract IndexedVault is ERC20, IERC4626, SelfPermit {
    using SafeERC20 for IERC20;

    uint256 internal constant BASIS = 10_000;
    uint256 internal constant RAY = 1e27;
    /// @dev Shares that exist besides those of accounts, and are worth a unit of the token at the beginning.
    uint256 internal constant VIRTUAL_SHARES = 1e6;
    /// @dev Half of the gains.
    uint256 internal constant MAX_FEE = 5000;
    /// @dev Where all but a millionth is lost, an index counts too coarsely to go on.
    uint256 internal constant MIN_INDEX = RAY / VIRTUAL_SHARES / 1e6;

    IERC20 internal immutable token;
    uint8 private immutable shareDecimals;

    /// @notice What a share is worth in the token, times 10^27, as of the last accrual.
    uint256 public index = RAY / VIRTUAL_SHARES;
    /// @notice The highest that {index} has been; the fee is on what goes beyond.
    uint256 public highestIndex = RAY / VIRTUAL_SHARES;
    /// @notice Up to when the index counts, in seconds since 1970.
    uint256 public accruedAt;
    /// @notice What the recipient gets of the gains, in basis points, as shares.
    uint256 public feeBasis;
    address public feeRecipient;

    error NothingGiven();
    error InvalidFee(uint256 basis, address recipient);
    /// @notice Nearly everything is lost; the vault takes no more deposits.
    error Ruined();

    event Accrued(uint256 index, uint256 feeShares);
    event FeeSet(uint256 basis, address indexed recipient);

    constructor(IERC20Metadata asset_, string memory name_, string memory symbol_) ERC20(name_, symbol_) {
        token = asset_;
        shareDecimals = asset_.decimals() + 6;
        accruedAt = block.timestamp;
    }

    /// @inheritdoc IERC4626
    function deposit(uint256 assets, address receiver) external returns (uint256 shares) {
        accrue();
        if (index < MIN_INDEX) revert Ruined();
        shares = _sharesDown(assets, index);
        _take(assets, shares, receiver);
    }

    /// @inheritdoc IERC4626
    function mint(uint256 shares, address receiver) external returns (uint256 assets) {
        accrue();
        if (index < MIN_INDEX) revert Ruined();
        assets = _assetsUp(shares, index);
        _take(assets, shares, receiver);
    }

    /// @inheritdoc IERC4626
    function withdraw(uint256 assets, address receiver, address owner_) external returns (uint256 shares) {
        accrue();
        shares = _sharesUp(assets, index);
        _give(assets, shares, receiver, owner_);
    }

    /// @inheritdoc IERC4626
    function redeem(uint256 shares, address receiver, address owner_) external returns (uint256 assets) {
        accrue();
        assets = _assetsDown(shares, index);
        _give(assets, shares, receiver, owner_);
    }

    /// @notice Brings the index up to date, once a block.
    function accrue() public {
        if (block.timestamp != accruedAt) _accrueNow();
    }

    // Questions

    /// @inheritdoc IERC4626
    function asset() external view returns (address) {
        return address(token);
    }

    /// @inheritdoc IERC4626
    function totalAssets() public view virtual returns (uint256);

    /// @notice What could be withdrawn now in all.
    function liquidity() public view virtual returns (uint256);

    /// @inheritdoc IERC4626
    function convertToShares(uint256 assets) public view returns (uint256) {
        return _sharesDown(assets, _currentIndex());
    }

    /// @inheritdoc IERC4626
    function convertToAssets(uint256 shares) public view returns (uint256) {
        return _assetsDown(shares, _currentIndex());
    }

    /// @inheritdoc IERC4626
    function previewDeposit(uint256 assets) external view returns (uint256) {
        return convertToShares(assets);
    }

    /// @inheritdoc IERC4626
    function previewMint(uint256 shares) external view returns (uint256) {
        return _assetsUp(shares, _currentIndex());
    }

    /// @inheritdoc IERC4626
    function previewWithdraw(uint256 assets) external view returns (uint256) {
        return _sharesUp(assets, _currentIndex());
    }

    /// @inheritdoc IERC4626
    function previewRedeem(uint256 shares) external view returns (uint256) {
        return convertToAssets(shares);
    }

    /// @inheritdoc IERC4626
    function maxDeposit(address) external view returns (uint256) {
        return _currentIndex() < MIN_INDEX ? 0 : type(uint256).max;
    }

    /// @inheritdoc IERC4626
    function maxMint(address) external view returns (uint256) {
        return _currentIndex() < MIN_INDEX ? 0 : type(uint256).max;
    }

    /// @inheritdoc IERC4626
    function maxWithdraw(address owner_) external view returns (uint256) {
        return Math.min(convertToAssets(balanceOf(owner_)), liquidity());
    }

    /// @inheritdoc IERC4626
    function maxRedeem(address owner_) external view returns (uint256) {
        uint256 balance = balanceOf(owner_);
        uint256 available = liquidity();
        return convertToAssets(balance) <= available ? balance : convertToShares(available);
    }

    /// @inheritdoc IERC20Metadata
    function decimals() public view override(ERC20, IERC20Metadata) returns (uint8) {
        return shareDecimals;
    }

    // What an implementation does

    /// @dev Puts `assets`, which the vault has just received, where they belong.
    function _store(uint256 assets) internal virtual;

    /// @dev Sees to it that the vault has `assets` to send, and counts them off; says whether that may have cost a unit.
    function _release(uint256 assets) internal virtual returns (bool rounded);

    /// @dev Called before each accrual of the index.
    function _collect() internal virtual {}

    function _setFee(uint256 basis, address recipient) internal {
        if (basis > MAX_FEE || (basis != 0 && recipient == address(0))) revert InvalidFee(basis, recipient);
        accrue();
        feeBasis = basis;
        feeRecipient = recipient;
        emit FeeSet(basis, recipient);
    }

    function _accrueNow() internal {
        (uint256 current, uint256 feeShares) = _pending();
        accruedAt = block.timestamp;
        index = current;
        if (current > highestIndex) highestIndex = current;
        if (feeShares != 0) _mint(feeRecipient, feeShares);
        emit Accrued(current, feeShares);
        _collect();
    }

    /// @dev The tokens come first, because they have to be there to be stored: a token that calls back meets books in which the
    /// deposit has not happened.
    function _take(uint256 assets, uint256 shares, address receiver) private {
        if (assets == 0 || shares == 0) revert NothingGiven();
        token.safeTransferFrom(msg.sender, address(this), assets);
        _mint(receiver, shares);
        _store(assets);
        emit Deposit(msg.sender, receiver, assets, shares);
    }

    function _give(uint256 assets, uint256 shares, address receiver, address owner_) private {
        if (assets == 0 || shares == 0) revert NothingGiven();
        if (msg.sender != owner_) _spendAllowance(owner_, msg.sender, shares);
        _burn(owner_, shares);
        if (_release(assets)) _accrueNow();
        emit Withdraw(msg.sender, receiver, owner_, assets, shares);
        token.safeTransfer(receiver, assets);
    }

    function _currentIndex() private view returns (uint256 current) {
        if (block.timestamp == accruedAt) return index;
        (current,) = _pending();
    }

    /// @dev The index, rounded down, and the shares that the fee on new gains makes.
    function _pending() private view returns (uint256 current, uint256 feeShares) {
        uint256 total = totalAssets() + 1;
        uint256 supply = totalSupply() + VIRTUAL_SHARES;
        current = Math.mulDiv(total, RAY, supply);
        if (feeBasis == 0 || current <= highestIndex) return (current, 0);
        uint256 gain = _assetsDown(supply, current - highestIndex);
        uint256 fee = Math.mulDiv(gain, feeBasis, BASIS);
        if (fee == 0) return (current, 0);
        current = Math.mulDiv(total - fee, RAY, supply);
        feeShares = _sharesDown(fee, current);
    }

    function _sharesDown(uint256 assets, uint256 at) private pure returns (uint256) {
        if (at == 0) revert Ruined();
        return Math.mulDiv(assets, RAY, at);
    }

    function _sharesUp(uint256 assets, uint256 at) private pure returns (uint256) {
        if (at == 0) revert Ruined();
        return Math.mulDiv(assets, RAY, at, Math.Rounding.Ceil);
    }

    function _assetsDown(uint256 shares, uint256 at) private pure returns (uint256) {
        return Math.mulDiv(shares, at, RAY);
    }

    function _assetsUp(uint256 shares, uint256 at) private pure returns (uint256) {
        return Math.mulDiv(shares, at, RAY, Math.Rounding.Ceil);
    }
}
