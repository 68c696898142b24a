// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC3156FlashLender} from "@openzeppelin/interfaces/IERC3156FlashLender.sol";

/// @notice Says what collateral is worth. Trusted by the markets that were made with it.
interface IPriceOracle {
    /// @return price What one smallest unit of collateral is worth in smallest units of the loan token, times 10^36.
    /// @return updatedAt When this was so, in seconds since 1970.
    function latestPrice() external view returns (uint256 price, uint256 updatedAt);
}

/// @notice Says what borrowing costs.
interface IRateModel {
    /// @param utilisation Of what lenders have, the part that is lent, times 10^18.
    /// @return The interest in a second, times 10^27.
    function borrowRate(uint256 utilisation) external view returns (uint256);
}

/// @title One loan token against one collateral token, for ever under the same terms
/// @notice Lenders supply the loan token and earn interest; borrowers put collateral down and borrow up to a part of its
/// worth; whoever finds a loan that is worth too much of its collateral may repay it for collateral at a discount that
/// grows with the excess. Amounts are in the tokens' smallest units.
///
/// Accounts are kept by index, not by shares of a total: a lender has `scaled * supplyIndex`, a borrower owes
/// `scaled * borrowIndex`. Interest is accrued once a block, by whoever comes first, at the rate that the utilisation before
/// the block gives; everybody after that reads the indexes and only adds to the totals.
///
/// Roundings: what a lender gets and what a repayment cancels are rounded down, what a borrower owes and what a withdrawal
/// costs are rounded up.
///
/// Assumptions: both tokens deliver what is sent and call nobody back; their balances do not change by themselves. The oracle
/// tells a price that the market may rely on for {maxPriceAge}; while it is older, nobody can borrow, withdraw collateral under
/// a debt, or liquidate, but supplying, repaying and withdrawing go on. Oracle and rate model answer: a market whose rate model
/// reverts stands still for ever.
///
/// The market lends its cash within a transaction too, by ERC-3156, free of charge.
///
/// Invariant: what lenders and reserve have is at most the cash and what borrowers owe together; the market holds its cash
/// and all collateral. {borrowIndex} never falls; {supplyIndex} falls only by {BadDebt}.
interface ILendingMarket is IERC3156FlashLender {
    error NothingGiven();
    error InvalidTerms();
    /// @notice The market has lent the rest.
    error InsufficientCash(uint256 cash, uint256 amount);
    error InsufficientSupply(address account, uint256 supplied, uint256 amount);
    error InsufficientCollateral(address account, uint256 collateral, uint256 amount);
    /// @notice The debt would be worth more of the collateral than it may.
    error Unhealthy(address account, uint256 debt, uint256 limit);
    /// @notice The debt is within its limit.
    error Healthy(address account, uint256 debt, uint256 limit);
    error StalePrice(uint256 updatedAt);
    error NoPrice();
    /// @notice More is supplied, or lent, than the market takes.
    error CapExceeded(uint256 cap);
    /// @notice The caller may not act for the account.
    error NotAllowed(address account, address caller);
    /// @notice It is later than the signature is good for.
    error SignatureExpired(uint256 deadline);
    /// @notice Neither a key nor a contract of the account's made this signature for this market.
    error InvalidSignature(address account);
    error NotGuardian(address caller);
    error NotReserveOwner(address caller);
    /// @notice The guardian has stopped new supply and loans.
    error Stopped();
    /// @notice Lenders have lost nearly everything; the market takes no more supply.
    error Ruined();
    /// @notice The market lends its loan token within a transaction, and no other.
    error TokenNotLent(address token);
    /// @notice The borrower did not answer as ERC-3156 wants.
    error LoanRefused(address receiver);

    event Supplied(address indexed caller, address indexed onBehalf, uint256 amount);
    event Withdrawn(address indexed caller, address indexed onBehalf, address indexed to, uint256 amount);
    event Borrowed(address indexed caller, address indexed onBehalf, address indexed to, uint256 amount);
    event Repaid(address indexed caller, address indexed onBehalf, uint256 amount);
    event CollateralSupplied(address indexed caller, address indexed onBehalf, uint256 amount);
    event CollateralWithdrawn(address indexed caller, address indexed onBehalf, address indexed to, uint256 amount);
    event Liquidated(address indexed caller, address indexed borrower, uint256 repaid, uint256 seized);
    /// @notice `amount` was owed by somebody without collateral; `byReserve` of it was the reserve's, the rest the lenders'.
    event BadDebt(address indexed borrower, uint256 amount, uint256 byReserve);
    event Accrued(uint256 borrowIndex, uint256 supplyIndex);
    event DelegateSet(address indexed account, address indexed delegate, bool allowed);
    event StoppedSet(bool stopped);
    event ReserveWithdrawn(address indexed to, uint256 amount);
    event FlashLoan(address indexed receiver, uint256 amount);
}
