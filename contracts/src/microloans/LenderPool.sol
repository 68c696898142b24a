// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {FirstLoss} from "./FirstLoss.sol";
import {ILenderPool, Parts} from "./ILenderPool.sol";
import {Gated, RoleGate} from "./RoleGate.sol";
import {Tranche} from "./Tranche.sol";
import {IERC20Metadata} from "@openzeppelin/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @notice See {ILenderPool}. Two tranches ({Tranche}, each an ERC-4626 vault whose shares leave by epochs) lend one currency.
/// Interest counts when it is paid: the pool's fee first, then what senior has been promised, then junior. A loss is
/// borne by first-loss capital, then by what nobody owns (rounding), then by junior, then by senior; what is recovered goes back the other way.
///
/// Two equations hold after every call, to the last unit:
///   {lendable} + {outstanding} = what senior has + what junior has + {surplus}
///   tokens here >= {lendable} + interest and recoveries not shared out + fees not withdrawn + suspense + {owed}
/// where more is there only if somebody sent it as a gift, which no account counts.
///
/// @dev A repayment adds to {lendable}, {earned} and {feesEarned}, takes from {outstanding} under a bound, and reads nothing else
/// that others write: repayments commute. Interest is shared out once a block at most, by the first who comes or leaves. What is
/// counted up ({earned} and the like) never falls back to zero, as the price of writing a slot depends on its being zero.
contract LenderPool is ILenderPool, Gated {
    using SafeERC20 for IERC20;

    /// @notice The terms, which never change.
    /// @param currency In ASCII, as loans name it.
    /// @param minorDecimals Decimals of the currency; the token has as many or more.
    /// @param seniorRate What senior is promised in a year, in millionths of a percent.
    /// @param feeBasis What the operator gets of interest, in basis points.
    /// @param minJuniorBasis Least part of junior in what lenders have, in basis points.
    /// @param cap What lenders may have in all.
    /// @param epoch Between redemptions, in seconds.
    /// @param firstLossBasis What first-loss capital has to be of what is lent before any may leave, in basis points.
    /// @param sponsor Who provides it.
    struct Conditions {
        IERC20Metadata token;
        bytes8 currency;
        uint8 minorDecimals;
        uint256 seniorRate;
        uint256 feeBasis;
        uint256 minJuniorBasis;
        uint256 cap;
        uint256 epoch;
        uint256 firstLossBasis;
        address sponsor;
    }

    uint256 internal constant BASIS = 10_000;
    /// @dev What a rate of 100 % is, in millionths of a percent.
    uint256 internal constant WHOLE = 1e8;
    uint256 internal constant YEAR = 365 days;
    /// @dev 100 % in a year.
    uint256 internal constant MAX_SENIOR_RATE = WHOLE;
    /// @dev Half of the interest.
    uint256 internal constant MAX_FEE = 5000;
    uint256 internal constant MIN_EPOCH = 1 hours;
    uint256 internal constant MAX_EPOCH = 90 days;

    IERC20 public immutable token;
    bytes8 public immutable currency;
    uint256 public immutable minorUnit;
    address public immutable book;
    Tranche public immutable senior;
    Tranche public immutable junior;
    FirstLoss public immutable firstLoss;
    uint256 public immutable seniorRate;
    uint256 public immutable feeBasis;
    uint256 public immutable minJuniorBasis;
    uint256 public immutable cap;
    uint256 public immutable epochLength;

    bool public isOpen;
    /// @notice The epoch that runs, from 0, and when it may be closed.
    uint256 public epoch;
    uint256 public epochUntil;
    uint256 public accruedAt;
    /// @notice What senior has been promised and not got.
    uint256 public seniorDue;
    /// @notice Most that each tranche may have, as of the last accrual; deposits of one block see no others.
    uint256 public seniorLimit;
    uint256 public juniorLimit;

    /// @notice Cash that can be lent or paid to who leaves.
    uint256 public lendable;
    /// @notice Principal that borrowers owe.
    uint256 public outstanding;
    /// @notice All interest and penalties ever paid, and what of it has been shared out.
    uint256 public earned;
    uint256 public earnedShared;
    /// @notice All that ever came in for loans that were given up, and what of it has been shared out.
    uint256 public recovered;
    uint256 public recoveredShared;
    /// @notice All fees ever, and what of them has been withdrawn.
    uint256 public feesEarned;
    uint256 public feesWithdrawn;
    /// @notice All that was ever paid in without an allocation, and what of it has been allocated or refunded.
    uint256 public suspended;
    uint256 public suspendedSettled;
    /// @notice Cash of those who have left and not fetched it.
    uint256 public owed;
    /// @notice What is nobody's: the opening deposit and what roundings have left.
    uint256 public surplus;
    /// @notice Losses that recoveries restore.
    uint256 public seniorLost;
    uint256 public juniorLost;
    uint256 public firstLossLost;

    modifier onlyBook() {
        if (msg.sender != book) revert NotBook(msg.sender);
        _;
    }

    modifier onlyTranche() {
        if (msg.sender != address(senior) && msg.sender != address(junior)) revert NotTranche(msg.sender);
        _;
    }

    constructor(RoleGate gate, address book_, Conditions memory terms, string memory name) Gated(gate) {
        if (terms.token.decimals() < terms.minorDecimals || terms.token.decimals() > 18) revert InvalidTerms();
        if (terms.seniorRate > MAX_SENIOR_RATE || terms.feeBasis > MAX_FEE) revert InvalidTerms();
        if (terms.minJuniorBasis >= BASIS || terms.cap > type(uint112).max) revert InvalidTerms();
        if (terms.epoch < MIN_EPOCH || terms.epoch > MAX_EPOCH) revert InvalidTerms();
        token = terms.token;
        currency = terms.currency;
        minorUnit = 10 ** (terms.token.decimals() - terms.minorDecimals);
        book = book_;
        (seniorRate, feeBasis, minJuniorBasis) = (terms.seniorRate, terms.feeBasis, terms.minJuniorBasis);
        (cap, epochLength) = (terms.cap, terms.epoch);
        senior = new Tranche(terms.token, string.concat(name, " senior"), string.concat(name, "-S"));
        junior = new Tranche(terms.token, string.concat(name, " junior"), string.concat(name, "-J"));
        firstLoss = new FirstLoss(terms.token, terms.sponsor, terms.firstLossBasis);
        (accruedAt, epochUntil) = (block.timestamp, block.timestamp + terms.epoch);
    }

    /// @notice Opens the pool with a deposit of nobody's, and sees by it that the token moves what it is told.
    function open(uint256 amount) external {
        if (isOpen) revert AlreadyOpen();
        if (amount == 0) revert NothingGiven();
        isOpen = true;
        (lendable, surplus) = (amount, amount);
        _setLimits();
        emit Opened(amount);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 arrived = token.balanceOf(address(this)) - before;
        if (arrived != amount) revert TokenTakesFee(amount, arrived);
    }

    // Loans

    /// @inheritdoc ILenderPool
    function lend(bytes32 loan, uint256 amount, address to) external onlyBook notPaused {
        uint256 held = lendable;
        if (amount > held) revert InsufficientCash(held, amount);
        lendable = held - amount;
        outstanding += amount;
        emit Lent(loan, amount);
        token.safeTransfer(to, amount);
    }

    /// @inheritdoc ILenderPool
    function takeBack(bytes32 loan, uint256 amount) external onlyBook {
        lendable += amount;
        outstanding -= amount;
        emit Returned(loan, amount);
    }

    /// @inheritdoc ILenderPool
    function repay(bytes32 loan, address payer, Parts calldata parts) external onlyBook {
        uint256 amount = _credit(parts);
        emit Repaid(loan, payer, parts);
        token.safeTransferFrom(payer, address(this), amount);
    }

    /// @inheritdoc ILenderPool
    function suspend(bytes32 loan, address payer, uint256 amount) external onlyBook {
        suspended += amount;
        emit Suspended(loan, payer, amount);
        token.safeTransferFrom(payer, address(this), amount);
    }

    /// @inheritdoc ILenderPool
    function allocate(bytes32 loan, address payer, Parts calldata parts) external onlyBook {
        suspendedSettled += _credit(parts);
        emit Repaid(loan, payer, parts);
    }

    /// @inheritdoc ILenderPool
    function refund(bytes32 loan, address payer, uint256 amount) external onlyBook {
        suspendedSettled += amount;
        emit Refunded(loan, payer, amount);
        token.safeTransfer(payer, amount);
    }

    /// @inheritdoc ILenderPool
    function recover(bytes32 loan, address payer, uint256 amount) external onlyBook {
        recovered += amount;
        emit RecoveredFrom(loan, payer, amount);
        token.safeTransferFrom(payer, address(this), amount);
    }

    /// @inheritdoc ILenderPool
    function writeOff(bytes32 loan, uint256 amount) external onlyBook {
        _accrueNow();
        outstanding -= amount;
        uint256 covered = Math.min(amount, firstLoss.capital());
        uint256 left = amount - covered;
        lendable += covered;
        firstLossLost += covered;
        uint256 bySurplus = Math.min(left, surplus);
        surplus -= bySurplus;
        left -= bySurplus;
        uint256 byJunior = Math.min(left, junior.worth());
        left -= byJunior;
        (juniorLost, seniorLost) = (juniorLost + byJunior, seniorLost + left);
        emit LossAllocated(loan, covered, bySurplus, byJunior, left);
        if (byJunior != 0) junior.lose(byJunior);
        if (left != 0) senior.lose(left);
        _setLimits();
        if (covered != 0) firstLoss.cover(covered);
    }

    // Lenders

    /// @notice Counts a deposit of a tranche; the tranche has it sent.
    function deposited(uint256 amount) external onlyTranche notPaused {
        if (!isOpen) revert NotOpen();
        lendable += amount;
    }

    /// @notice Sends what a tranche owes to somebody who has left.
    function payOut(address to, uint256 amount) external onlyTranche {
        owed -= amount;
        token.safeTransfer(to, amount);
    }

    /// @notice What rounding left of an epoch that everybody has settled is nobody's.
    function leaveOver(uint256 amount) external onlyTranche {
        owed -= amount;
        lendable += amount;
        surplus += amount;
    }

    /// @notice Ends the epoch: who asked to leave is served from what cash there is, senior first, each tranche in proportion to what was
    /// asked for, whoever came first. Junior leaves only as far as senior stays covered. Anybody's to call.
    function closeEpoch() external {
        if (block.timestamp < epochUntil) revert EpochRuns(epochUntil);
        _accrueNow();
        uint256 held = lendable;
        uint256 bySenior = senior.closeEpoch(epoch, held);
        uint256 needed = Math.mulDiv(senior.worth(), minJuniorBasis, BASIS - minJuniorBasis, Math.Rounding.Ceil);
        uint256 spare = junior.worth() > needed ? junior.worth() - needed : 0;
        uint256 byJunior = junior.closeEpoch(epoch, Math.min(held - bySenior, spare));
        lendable = held - bySenior - byJunior;
        owed += bySenior + byJunior;
        _setLimits();
        emit EpochClosed(epoch, bySenior, byJunior);
        (epoch, epochUntil) = (epoch + 1, block.timestamp + epochLength);
    }

    /// @notice Shares out what was earned and recovered, once a block.
    function accrue() external {
        if (block.timestamp != accruedAt) _accrueNow();
    }

    /// @notice Lets deposits of this block see those that came before them. Anybody's to call.
    function refreshLimits() external {
        _setLimits();
    }

    function withdrawFees(address to, uint256 amount) external restricted {
        uint256 held = feesEarned - feesWithdrawn;
        if (amount > held) revert InsufficientCash(held, amount);
        feesWithdrawn += amount;
        emit FeesWithdrawn(to, amount);
        token.safeTransfer(to, amount);
    }

    // Questions

    /// @notice What the tranches will have when all that came in is shared out now.
    function pendingWorth() external view returns (uint256 ofSenior, uint256 ofJunior) {
        Shares memory shares = _shares();
        return (
            senior.worth() + shares.toSenior + shares.seniorRestored,
            junior.worth() + shares.toJunior + shares.juniorRestored
        );
    }

    /// @notice What all accounts say is here.
    function cash() external view returns (uint256) {
        return lendable + (earned - earnedShared) + (recovered - recoveredShared) + (feesEarned - feesWithdrawn)
            + (suspended - suspendedSettled) + owed;
    }

    /// @notice Most that a tranche may have, as of the last accrual; nothing while deposits are stopped.
    function limitOf(Tranche tranche) external view returns (uint256) {
        if (!isOpen || RoleGate(authority()).paused()) return 0;
        return tranche == senior ? seniorLimit : juniorLimit;
    }

    // Sharing out

    struct Shares {
        uint256 gain;
        uint256 restored;
        uint256 due;
        uint256 toFees;
        uint256 toSenior;
        uint256 toJunior;
        uint256 toSurplus;
        uint256 seniorRestored;
        uint256 juniorRestored;
        uint256 firstLossRestored;
    }

    function _credit(Parts calldata parts) private returns (uint256 amount) {
        (uint256 principal, uint256 interest) = (parts.principal, uint256(parts.interest) + parts.penalties);
        if (principal != 0) {
            lendable += principal;
            outstanding -= principal;
        }
        if (interest != 0) earned += interest;
        if (parts.fees != 0) feesEarned += parts.fees;
        return principal + interest + parts.fees;
    }

    function _accrueNow() private {
        Shares memory shares = _shares();
        (accruedAt, seniorDue) = (block.timestamp, shares.due);
        if (shares.gain != 0) {
            earnedShared += shares.gain;
            if (shares.toFees != 0) feesEarned += shares.toFees;
            emit Accrued(shares.toFees, shares.toSenior, shares.toJunior);
        }
        if (shares.restored != 0) {
            recoveredShared += shares.restored;
            seniorLost -= shares.seniorRestored;
            juniorLost -= shares.juniorRestored;
            firstLossLost -= shares.firstLossRestored;
            emit LossRestored(shares.seniorRestored, shares.juniorRestored, shares.firstLossRestored);
        }
        surplus += shares.toSurplus;
        lendable += shares.gain - shares.toFees + shares.restored - shares.firstLossRestored;
        senior.gain(shares.toSenior + shares.seniorRestored);
        junior.gain(shares.toJunior + shares.juniorRestored);
        _setLimits();
        if (shares.firstLossRestored == 0) return;
        token.safeTransfer(address(firstLoss), shares.firstLossRestored);
        firstLoss.restore(shares.firstLossRestored);
    }

    /// @dev Who gets what of what came in since the last time. All of it is somebody's.
    function _shares() private view returns (Shares memory shares) {
        uint256 elapsed = block.timestamp - accruedAt;
        shares.due = seniorDue + senior.worth() * seniorRate * elapsed / (WHOLE * YEAR);
        shares.gain = earned - earnedShared;
        shares.toFees = Math.mulDiv(shares.gain, feeBasis, BASIS);
        uint256 left = shares.gain - shares.toFees;
        (bool hasSenior, bool hasJunior) = (senior.totalSupply() != 0, junior.totalSupply() != 0);
        if (hasSenior) shares.toSenior = hasJunior ? Math.min(left, shares.due) : left;
        left -= shares.toSenior;
        shares.due -= Math.min(shares.due, shares.toSenior);
        if (hasJunior) shares.toJunior = left;
        else shares.toSurplus = left;
        shares.restored = recovered - recoveredShared;
        shares.seniorRestored = Math.min(shares.restored, seniorLost);
        shares.juniorRestored = Math.min(shares.restored - shares.seniorRestored, juniorLost);
        left = shares.restored - shares.seniorRestored - shares.juniorRestored;
        shares.firstLossRestored = Math.min(left, firstLossLost);
        // What the surplus bore.
        shares.toSurplus += left - shares.firstLossRestored;
    }

    /// @dev Senior may have what junior covers, and both together no more than the cap.
    function _setLimits() private {
        (uint256 ofSenior, uint256 ofJunior) = (senior.worth(), junior.worth());
        juniorLimit = ofSenior < cap ? cap - ofSenior : 0;
        uint256 most = ofJunior < cap ? cap - ofJunior : 0;
        if (minJuniorBasis != 0) most = Math.min(most, Math.mulDiv(ofJunior, BASIS - minJuniorBasis, minJuniorBasis));
        seniorLimit = most;
    }
}
