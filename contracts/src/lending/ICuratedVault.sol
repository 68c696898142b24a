// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {LendingMarket} from "./LendingMarket.sol";

/// @title Many lending markets behind one ERC-4626 share
/// @notice Deposits of a loan token are spread over markets that a curator has chosen. Amounts are in the token's smallest
/// units. {IndexedVault} says how shares are counted; deposits lie idle until they are put into a market. So deposits of
/// different people do not wait for each other, nor do withdrawals that the idle tokens cover. A withdrawal of more takes the
/// rest from the markets, in the order of the queue.
///
/// Who may do what: the owner chooses markets and how much may go into each, fee, allocator and guardian; more risk (a
/// market's cap raised, a market written off) waits for {delay} seconds, in which the guardian may stop it; less
/// risk does not wait. The allocator moves tokens between idle and markets, within the caps. Nobody can send them elsewhere.
///
/// What is given to the vault, or supplied to a market in its name, is not counted and nobody's.
///
/// Assumptions: the token delivers what is sent and calls nobody back. The markets are {LendingMarket}s; one that reverts
/// stops the vault until it is written off. Within a block that has accrued, a loss in a market is not seen
/// until the next: who could use that could as well have withdrawn before.
interface ICuratedVault {
    /// @notice A cap that waits, and from when it may be accepted, in seconds since 1970; zero if none waits.
    struct PendingCap {
        uint256 cap;
        uint256 validAt;
    }

    error InvalidDelay(uint256 delay);
    error NotAllocator(address caller);
    error NotGuardian(address caller);
    /// @notice The market lends another token.
    error WrongToken(LendingMarket market);
    error UnknownMarket(LendingMarket market);
    /// @notice The vault would have more in the market than it may.
    error CapExceeded(LendingMarket market, uint256 cap);
    error TooManyMarkets();
    /// @notice The vault has, or may have, something in the market.
    error MarketInUse(LendingMarket market);
    error NothingPending(LendingMarket market);
    error NotYet(uint256 validAt);
    /// @notice The new queue is not the old one in another order.
    error InvalidQueue();
    /// @notice The rest is idle nowhere and lent in every market.
    error InsufficientLiquidity(uint256 missing);
    /// @notice What the vault has in the market is worth less.
    error InsufficientInMarket(LendingMarket market, uint256 worth, uint256 assets);
    error InsufficientIdle(uint256 idle, uint256 assets);
    error InsufficientShares(address owner, uint256 balance, uint256 shares);

    event CapSubmitted(LendingMarket indexed market, uint256 cap, uint256 validAt);
    event CapRevoked(LendingMarket indexed market);
    event CapSet(LendingMarket indexed market, uint256 cap);
    event AbandonSubmitted(LendingMarket indexed market, uint256 validAt);
    event AbandonRevoked(LendingMarket indexed market);
    /// @notice What the vault had in the market, in its scaled units, is written off.
    event Abandoned(LendingMarket indexed market, uint256 scaled);
    event MarketRemoved(LendingMarket indexed market);
    event QueueSet(LendingMarket[] queue);
    event Allocated(LendingMarket indexed market, uint256 assets);
    event Deallocated(LendingMarket indexed market, uint256 assets);
    event AllocatorSet(address indexed allocator);
    event GuardianSet(address indexed guardian);
}
