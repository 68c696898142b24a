// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IndexedVault} from "../tokens/IndexedVault.sol";
import {LendingMarket} from "./LendingMarket.sol";
import {MarketList} from "./MarketList.sol";
import {IERC20Metadata} from "@openzeppelin/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @notice See {ICuratedVault}.
/// @dev {idle} and the number of shares are the slots that everyone writes: only added to, and taken from under a bound.
contract CuratedVault is IndexedVault, MarketList {
    using SafeERC20 for IERC20;

    /// @notice Loan tokens that are in no market.
    uint256 public idle;

    constructor(IERC20Metadata asset_, string memory name_, string memory symbol_, address owner_, uint256 delay_)
        IndexedVault(asset_, name_, symbol_)
        MarketList(owner_, delay_)
    {}

    /// @notice Puts `assets` of the idle tokens into a market, up to its cap.
    function allocate(LendingMarket market, uint256 assets) external {
        _requireAllocator();
        if (!_isListed(market)) revert UnknownMarket(market);
        accrue();
        if (assets > idle) revert InsufficientIdle(idle, assets);
        idle -= assets;
        token.forceApprove(address(market), assets);
        uint256 before = market.scaledSupplyOf(address(this));
        market.supply(assets, address(this));
        scaledIn[market] += market.scaledSupplyOf(address(this)) - before;
        if (_worthIn(market) > capOf[market]) revert CapExceeded(market, capOf[market]);
        emit Allocated(market, assets);
        _accrueNow();
    }

    /// @notice Takes `assets` out of a market.
    function deallocate(LendingMarket market, uint256 assets) external {
        _requireAllocator();
        accrue();
        _takeFrom(market, assets);
        emit Deallocated(market, assets);
        _accrueNow();
    }

    /// @notice Sets what the recipient gets of the gains from now on.
    function setFee(uint256 basis, address recipient) external onlyOwner {
        _setFee(basis, recipient);
    }

    /// @inheritdoc IndexedVault
    function totalAssets() public view override returns (uint256 total) {
        total = idle;
        for (uint256 i = 0; i < markets.length; i++) {
            total += _worthIn(markets[i]);
        }
    }

    /// @inheritdoc IndexedVault
    function liquidity() public view override returns (uint256 available) {
        available = idle;
        for (uint256 i = 0; i < markets.length; i++) {
            available += _availableIn(markets[i]);
        }
    }

    function _store(uint256 assets) internal override {
        idle += assets;
    }

    /// @dev What is missing comes out of the markets, in the order of the queue.
    function _release(uint256 assets) internal override returns (bool rounded) {
        if (idle >= assets) {
            idle -= assets;
            return false;
        }
        uint256 missing = assets - idle;
        for (uint256 i = 0; i < markets.length && missing != 0; i++) {
            uint256 taken = Math.min(missing, _availableIn(markets[i]));
            if (taken == 0) continue;
            _takeFrom(markets[i], taken);
            missing -= taken;
        }
        if (missing != 0) revert InsufficientLiquidity(missing);
        idle -= assets;
        return true;
    }

    function _takeFrom(LendingMarket market, uint256 assets) private {
        uint256 worth = _worthIn(market);
        if (worth < assets) revert InsufficientInMarket(market, worth, assets);
        uint256 before = market.scaledSupplyOf(address(this));
        market.withdraw(assets, address(this), address(this));
        scaledIn[market] -= before - market.scaledSupplyOf(address(this));
        idle += assets;
    }

    function _worthIn(LendingMarket market) private view returns (uint256) {
        uint256 scaled = scaledIn[market];
        if (scaled == 0) return 0;
        (, uint256 supplying) = market.currentIndexes();
        return Math.mulDiv(scaled, supplying, RAY);
    }

    function _availableIn(LendingMarket market) private view returns (uint256) {
        return Math.min(_worthIn(market), market.cash());
    }

    function _loanToken() internal view override returns (address) {
        return address(token);
    }
}
