// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ICuratedVault} from "./ICuratedVault.sol";
import {LendingMarket} from "./LendingMarket.sol";
import {Ownable, Ownable2Step} from "@openzeppelin/access/Ownable2Step.sol";

/// @title Which markets a curated vault uses, and how much may go into each
/// @notice See {ICuratedVault} for who may do what.
abstract contract MarketList is Ownable2Step, ICuratedVault {
    /// @notice Most markets of a vault: the first transaction of a block asks each of them.
    uint256 public constant MAX_MARKETS = 8;
    /// @notice The shortest and the longest that more risk may have to wait, in seconds.
    uint256 public constant MIN_DELAY = 1 days;
    uint256 public constant MAX_DELAY = 14 days;

    /// @notice How long more risk waits, in seconds.
    uint256 public immutable delay;
    address public allocator;
    address public guardian;
    /// @notice What the vault may have in a market, in the loan token.
    mapping(LendingMarket market => uint256) public capOf;
    /// @notice What the vault has put into a market, in the market's scaled units. Supply in the vault's name by others is
    /// not counted.
    mapping(LendingMarket market => uint256) public scaledIn;
    mapping(LendingMarket market => PendingCap) public pendingCap;
    /// @notice From when a market may be written off, in seconds since 1970; zero if it may not.
    mapping(LendingMarket market => uint256) public abandonableAt;
    LendingMarket[] internal markets;

    constructor(address owner, uint256 delay_) Ownable(owner) {
        if (delay_ < MIN_DELAY || delay_ > MAX_DELAY) revert InvalidDelay(delay_);
        delay = delay_;
        allocator = owner;
        guardian = owner;
        emit AllocatorSet(owner);
        emit GuardianSet(owner);
    }

    /// @notice The markets, in the order in which withdrawals ask them.
    function queue() external view returns (LendingMarket[] memory) {
        return markets;
    }

    function setAllocator(address allocator_) external onlyOwner {
        allocator = allocator_;
        emit AllocatorSet(allocator_);
    }

    function setGuardian(address guardian_) external onlyOwner {
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }

    // Caps

    /// @notice Lowers a market's cap at once, or lets a higher one wait. A market is listed with its first cap.
    function submitCap(LendingMarket market, uint256 cap) external onlyOwner {
        if (address(market.loanToken()) != _loanToken()) revert WrongToken(market);
        if (cap <= capOf[market]) {
            delete pendingCap[market];
            _setCap(market, cap);
        } else {
            uint256 validAt = block.timestamp + delay;
            pendingCap[market] = PendingCap(cap, validAt);
            emit CapSubmitted(market, cap, validAt);
        }
    }

    /// @notice Puts a cap that has waited into force.
    function acceptCap(LendingMarket market) external {
        PendingCap memory pending = pendingCap[market];
        if (pending.validAt == 0) revert NothingPending(market);
        if (block.timestamp < pending.validAt) revert NotYet(pending.validAt);
        delete pendingCap[market];
        if (!_isListed(market)) {
            if (markets.length == MAX_MARKETS) revert TooManyMarkets();
            markets.push(market);
        }
        _setCap(market, pending.cap);
    }

    /// @notice Stops a cap that waits.
    function revokeCap(LendingMarket market) external {
        _requireGuardian();
        if (pendingCap[market].validAt == 0) revert NothingPending(market);
        delete pendingCap[market];
        emit CapRevoked(market);
    }

    // The queue

    /// @notice Orders the markets anew.
    function setQueue(LendingMarket[] calldata order) external {
        _requireAllocator();
        if (order.length != markets.length) revert InvalidQueue();
        for (uint256 i = 0; i < order.length; i++) {
            if (!_isListed(order[i])) revert InvalidQueue();
            for (uint256 j = 0; j < i; j++) {
                if (order[i] == order[j]) revert InvalidQueue();
            }
        }
        markets = order;
        emit QueueSet(order);
    }

    /// @notice Takes a market off the list that the vault has nothing in, and may have nothing in.
    function removeMarket(LendingMarket market) external onlyOwner {
        if (capOf[market] != 0 || scaledIn[market] != 0) revert MarketInUse(market);
        _unlist(market);
        emit MarketRemoved(market);
    }

    /// @notice Lets it wait that a market which gives nothing back, or does not answer, is written off. No more goes into it.
    function submitAbandon(LendingMarket market) external onlyOwner {
        if (!_isListed(market)) revert UnknownMarket(market);
        delete pendingCap[market];
        _setCap(market, 0);
        abandonableAt[market] = block.timestamp + delay;
        emit AbandonSubmitted(market, block.timestamp + delay);
    }

    /// @notice Stops the writing off.
    function revokeAbandon(LendingMarket market) external {
        _requireGuardian();
        if (abandonableAt[market] == 0) revert NothingPending(market);
        delete abandonableAt[market];
        emit AbandonRevoked(market);
    }

    /// @notice Writes a market off: what the vault has there counts for nothing, whatever it does later.
    function abandon(LendingMarket market) external onlyOwner {
        uint256 validAt = abandonableAt[market];
        if (validAt == 0) revert NothingPending(market);
        if (block.timestamp < validAt) revert NotYet(validAt);
        delete abandonableAt[market];
        delete pendingCap[market];
        emit Abandoned(market, scaledIn[market]);
        delete scaledIn[market];
        _setCap(market, 0);
        _unlist(market);
    }

    function _requireAllocator() internal view {
        if (msg.sender != allocator && msg.sender != owner()) revert NotAllocator(msg.sender);
    }

    function _requireGuardian() internal view {
        if (msg.sender != guardian && msg.sender != owner()) revert NotGuardian(msg.sender);
    }

    function _setCap(LendingMarket market, uint256 cap) private {
        capOf[market] = cap;
        emit CapSet(market, cap);
    }

    function _isListed(LendingMarket market) internal view returns (bool) {
        for (uint256 i = 0; i < markets.length; i++) {
            if (markets[i] == market) return true;
        }
        return false;
    }

    function _unlist(LendingMarket market) private {
        uint256 last = markets.length;
        for (uint256 i = 0; i < last; i++) {
            if (markets[i] != market) continue;
            // The order of the others stays.
            for (uint256 j = i + 1; j < last; j++) {
                markets[j - 1] = markets[j];
            }
            markets.pop();
            return;
        }
        revert UnknownMarket(market);
    }

    function _loanToken() internal view virtual returns (address);
}
