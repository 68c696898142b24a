// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ILoanBook} from "./ILoanBook.sol";
import {LoanState} from "./LoanState.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title Money that somebody puts behind a loan of somebody else
/// @notice Who vouches stakes the pool's token before the loan is paid out. If the loan is given up, what is owed is taken from its
/// stakes in proportion and goes to the lenders; if it ends well, each takes their stake back. Anybody may call either.
///
/// Against rings: a loan has few vouchers, a voucher few loans at a time, and who lost a stake vouches for one less, for good.
contract Vouch {
    using SafeERC20 for IERC20;

    uint256 public constant MAX_VOUCHERS = 8;
    uint256 public constant MAX_LOANS = 5;

    /// @param staked By all of a loan's vouchers.
    /// @param claimed Of that, what was taken.
    /// @param isClaimed Whether it was decided what is taken.
    struct Stakes {
        uint256 staked;
        uint256 claimed;
        uint256 vouchers;
        bool isClaimed;
    }

    ILoanBook public immutable book;
    mapping(bytes32 loan => Stakes) public stakesOf;
    mapping(bytes32 loan => mapping(address voucher => uint256)) public stakeOf;
    /// @notice Loans that somebody vouches for now, and stakes they have lost.
    mapping(address voucher => uint256) public loansOf;
    mapping(address voucher => uint256) public lostBy;

    error NothingGiven();
    error TooLate(bytes32 loan, LoanState state);
    error TooManyVouchers(bytes32 loan);
    error TooManyLoans(address voucher, uint256 most);
    error NotGivenUp(bytes32 loan, LoanState state);
    error NotOver(bytes32 loan, LoanState state);
    error AlreadyClaimed(bytes32 loan);

    event Vouched(bytes32 indexed loan, address indexed voucher, uint256 amount);
    event Claimed(bytes32 indexed loan, uint256 amount);
    event Returned(bytes32 indexed loan, address indexed voucher, uint256 amount, uint256 lost);

    constructor(ILoanBook book_) {
        book = book_;
    }

    /// @notice Stakes `amount` for a loan that is offered, accepted or funded.
    function vouch(bytes32 loan, uint256 amount) external {
        if (amount == 0) revert NothingGiven();
        LoanState state = book.stateOf(loan);
        bool isEarly = state == LoanState.Offered || state == LoanState.Accepted || state == LoanState.Funded;
        if (!isEarly) revert TooLate(loan, state);
        Stakes storage stakes = stakesOf[loan];
        if (stakeOf[loan][msg.sender] == 0) {
            if (stakes.vouchers == MAX_VOUCHERS) revert TooManyVouchers(loan);
            if (loansOf[msg.sender] >= limitOf(msg.sender)) revert TooManyLoans(msg.sender, limitOf(msg.sender));
            stakes.vouchers += 1;
            loansOf[msg.sender] += 1;
        }
        stakes.staked += amount;
        stakeOf[loan][msg.sender] += amount;
        emit Vouched(loan, msg.sender, amount);
        _token(loan).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Takes what is owed on a loan that was given up from its stakes, once.
    function claim(bytes32 loan) external returns (uint256 amount) {
        LoanState state = book.stateOf(loan);
        if (state != LoanState.ChargedOff && state != LoanState.Recovered) revert NotGivenUp(loan, state);
        Stakes storage stakes = stakesOf[loan];
        if (stakes.isClaimed) revert AlreadyClaimed(loan);
        ILoanBook.Loan memory told = book.loanOf(loan);
        amount = Math.min(stakes.staked, told.writtenOff - told.recovered);
        (stakes.claimed, stakes.isClaimed) = (amount, true);
        emit Claimed(loan, amount);
        if (amount == 0) return 0;
        _token(loan).forceApprove(address(told.terms.pool), amount);
        book.recover(loan, uint128(amount));
    }

    /// @notice Sends a voucher what is left of their stake in a loan that is over.
    function giveBack(bytes32 loan, address voucher) external returns (uint256 amount) {
        uint256 stake = stakeOf[loan][voucher];
        if (stake == 0) revert NothingGiven();
        Stakes storage stakes = stakesOf[loan];
        LoanState state = book.stateOf(loan);
        if (!stakes.isClaimed && !_isOver(state)) revert NotOver(loan, state);
        // Rounded up against the voucher: the stakes of all together pay what was called.
        uint256 lost = Math.mulDiv(stake, stakes.claimed, stakes.staked, Math.Rounding.Ceil);
        amount = stake - lost;
        stakeOf[loan][voucher] = 0;
        loansOf[voucher] -= 1;
        if (lost != 0) lostBy[voucher] += 1;
        emit Returned(loan, voucher, amount, lost);
        if (amount != 0) _token(loan).safeTransfer(voucher, amount);
    }

    /// @notice Loans that somebody may vouch for at a time.
    function limitOf(address voucher) public view returns (uint256) {
        uint256 lost = lostBy[voucher];
        return lost < MAX_LOANS ? MAX_LOANS - lost : 0;
    }

    /// @dev Written off for good counts as over where nobody has called.
    function _isOver(LoanState state) private pure returns (bool) {
        return state == LoanState.OfferExpired || state == LoanState.Declined || state == LoanState.FundingFailed
            || state == LoanState.CoolingOffCancelled || state == LoanState.Closed || state == LoanState.Overpaid
            || state == LoanState.RefundPending || state == LoanState.Forgiven || state == LoanState.WrittenOffClosed;
    }

    function _token(bytes32 loan) private view returns (IERC20) {
        return book.poolOf(loan).token();
    }
}
