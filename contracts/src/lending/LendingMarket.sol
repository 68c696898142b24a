// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {SelfPermit} from "../tokens/SelfPermit.sol";
import {ILendingMarket, IPriceOracle, IRateModel} from "./ILendingMarket.sol";
import {IERC3156FlashBorrower, IERC3156FlashLender} from "@openzeppelin/interfaces/IERC3156.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Nonces} from "@openzeppelin/utils/Nonces.sol";
import {EIP712} from "@openzeppelin/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @notice See {ILendingMarket}.
/// @dev {cash}, {scaledSupply} and {scaledDebt} are the slots that everyone writes: only added to, and taken from under a
/// bound. The accrual alone multiplies and divides them.
contract LendingMarket is ILendingMarket, SelfPermit, EIP712, Nonces {
    using SafeERC20 for IERC20;

    /// @notice The terms, which never change.
    /// @param limitBasis What a debt may be of its collateral's worth, in basis points.
    /// @param maxBonusBasis Most collateral that a liquidator gets beyond what was repaid, in basis points: the wider two tokens' prices move
    /// against each other, the more it takes to have somebody come, and the less may be lent. Of {MIN_BONUS} to {MAX_BONUS}.
    /// @param reserveBasis What the reserve gets of the interest, in basis points.
    /// @param maxPriceAge In seconds.
    /// @param supplyCap What lenders may have, in the loan token.
    /// @param borrowCap What borrowers may owe, in the loan token.
    struct Terms {
        IERC20 loanToken;
        IERC20 collateralToken;
        IPriceOracle oracle;
        IRateModel rateModel;
        uint256 limitBasis;
        uint256 maxBonusBasis;
        uint256 reserveBasis;
        uint256 maxPriceAge;
        uint256 supplyCap;
        uint256 borrowCap;
        address guardian;
        address reserveOwner;
    }

    uint256 internal constant BASIS = 10_000;
    /// @dev What indexes and rates are multiplied with.
    uint256 internal constant RAY = 1e27;
    uint256 internal constant WAD = 1e18;
    uint256 internal constant PRICE = 1e36;
    /// @dev The highest interest in a second: 200 % in a year. Compounded at that for fifty years, an index grows by 10^44,
    /// and a whole cap in debt still fits its word.
    uint256 internal constant MAX_RATE = 2 * RAY / uint256(365 days);
    /// @dev Most that {maxBonusBasis} may be.
    uint256 internal constant MAX_BONUS = 1500;
    /// @dev What a liquidator gets of a loan that its collateral does not cover, in basis points: something, or nobody comes.
    uint256 internal constant MIN_BONUS = 100;
    /// @dev Where lenders have lost all but a millionth, an index counts too coarsely to go on.
    uint256 internal constant MIN_INDEX = RAY / 1e6;
    bytes32 private constant DELEGATION =
        keccak256("Delegation(address account,address delegate,bool allowed,uint256 nonce,uint256 deadline)");
    bytes32 private constant BORROWED = keccak256("ERC3156FlashBorrower.onFlashLoan");

    IERC20 public immutable loanToken;
    IERC20 public immutable collateralToken;
    IPriceOracle public immutable oracle;
    IRateModel public immutable rateModel;
    uint256 public immutable limitBasis;
    uint256 public immutable maxBonusBasis;
    uint256 public immutable reserveBasis;
    uint256 public immutable maxPriceAge;
    uint256 public immutable supplyCap;
    uint256 public immutable borrowCap;
    address public immutable guardian;
    address public immutable reserveOwner;

    /// @notice What a lender has for one scaled unit, times 10^27, as of the last accrual.
    uint256 public supplyIndex = RAY;
    /// @notice What a borrower owes for one scaled unit, times 10^27, as of the last accrual.
    uint256 public borrowIndex = RAY;
    /// @notice Up to when interest is accrued, in seconds since 1970.
    uint256 public accruedAt;
    /// @notice Loan tokens that are not lent.
    uint256 public cash;
    /// @notice What lenders and reserve have, in scaled units.
    uint256 public scaledSupply;
    uint256 public scaledDebt;
    /// @notice What of {scaledSupply} is the reserve's, which earns as lenders do. Were it not among them, interest on the
    /// reserve would go to whoever else had supplied, and a few units could be made worth a fortune.
    uint256 public scaledReserve;
    /// @notice Whether new supply and loans are stopped.
    bool public stopped;
    mapping(address account => uint256) public scaledSupplyOf;
    mapping(address account => uint256) public scaledDebtOf;
    mapping(address account => uint256) public collateralOf;
    /// @notice Who may borrow and withdraw for an account.
    mapping(address account => mapping(address delegate => bool)) public isDelegate;

    modifier actingFor(address account) {
        if (msg.sender != account && !isDelegate[account][msg.sender]) revert NotAllowed(account, msg.sender);
        _;
    }

    modifier notStopped() {
        if (stopped) revert Stopped();
        _;
    }

    constructor(Terms memory terms) EIP712("Braid Lending Market", "1") {
        if (terms.maxBonusBasis < MIN_BONUS || terms.maxBonusBasis > MAX_BONUS) revert InvalidTerms();
        // With the highest bonus a loan at its limit is still covered.
        uint256 maxLimit = BASIS * BASIS / (BASIS + terms.maxBonusBasis);
        if (terms.limitBasis == 0 || terms.limitBasis > maxLimit || terms.reserveBasis > BASIS) revert InvalidTerms();
        if (terms.loanToken == terms.collateralToken) revert InvalidTerms();
        // No product of a cap and an index overflows then.
        if (terms.supplyCap > type(uint112).max || terms.borrowCap > type(uint112).max) revert InvalidTerms();
        loanToken = terms.loanToken;
        collateralToken = terms.collateralToken;
        oracle = terms.oracle;
        rateModel = terms.rateModel;
        limitBasis = terms.limitBasis;
        maxBonusBasis = terms.maxBonusBasis;
        reserveBasis = terms.reserveBasis;
        maxPriceAge = terms.maxPriceAge;
        supplyCap = terms.supplyCap;
        borrowCap = terms.borrowCap;
        guardian = terms.guardian;
        reserveOwner = terms.reserveOwner;
        accruedAt = block.timestamp;
    }

    // Lending

    /// @notice Supplies `amount` of the caller's loan tokens for `onBehalf`.
    function supply(uint256 amount, address onBehalf) external notStopped {
        if (amount == 0) revert NothingGiven();
        accrue();
        if (supplyIndex < MIN_INDEX) revert Ruined();
        uint256 scaled = _scaledDown(amount, supplyIndex);
        if (scaled == 0) revert NothingGiven();
        uint256 total = scaledSupply + scaled;
        // The cap in scaled units is the same for everyone in a block; the total is compared with it and nothing else.
        if (total > _scaledDown(supplyCap, supplyIndex)) revert CapExceeded(supplyCap);
        scaledSupply = total;
        scaledSupplyOf[onBehalf] += scaled;
        cash += amount;
        emit Supplied(msg.sender, onBehalf, amount);
        loanToken.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Sends `amount` of what `onBehalf` has supplied to `to`. The highest number stands for all of it.
    /// @return sent What was sent.
    function withdraw(uint256 amount, address onBehalf, address to)
        external
        actingFor(onBehalf)
        returns (uint256 sent)
    {
        accrue();
        uint256 held = scaledSupplyOf[onBehalf];
        uint256 scaled = held;
        sent = amount;
        if (amount == type(uint256).max) sent = _worthDown(held, supplyIndex);
        else scaled = _scaledUp(amount, supplyIndex);
        if (sent == 0) revert NothingGiven();
        if (scaled > held) revert InsufficientSupply(onBehalf, _worthDown(held, supplyIndex), amount);
        scaledSupplyOf[onBehalf] = held - scaled;
        scaledSupply -= scaled;
        _payOut(sent);
        emit Withdrawn(msg.sender, onBehalf, to, sent);
        loanToken.safeTransfer(to, sent);
    }

    // Borrowing

    function supplyCollateral(uint256 amount, address onBehalf) external {
        if (amount == 0) revert NothingGiven();
        collateralOf[onBehalf] += amount;
        emit CollateralSupplied(msg.sender, onBehalf, amount);
        collateralToken.safeTransferFrom(msg.sender, address(this), amount);
    }

    function withdrawCollateral(uint256 amount, address onBehalf, address to) external actingFor(onBehalf) {
        if (amount == 0) revert NothingGiven();
        accrue();
        uint256 held = collateralOf[onBehalf];
        if (held < amount) revert InsufficientCollateral(onBehalf, held, amount);
        collateralOf[onBehalf] = held - amount;
        _requireHealthy(onBehalf);
        emit CollateralWithdrawn(msg.sender, onBehalf, to, amount);
        collateralToken.safeTransfer(to, amount);
    }

    /// @notice Lends `amount` to `onBehalf` and sends it to `to`.
    function borrow(uint256 amount, address onBehalf, address to) external notStopped actingFor(onBehalf) {
        if (amount == 0) revert NothingGiven();
        accrue();
        uint256 scaled = _scaledUp(amount, borrowIndex);
        uint256 total = scaledDebt + scaled;
        if (total > _scaledDown(borrowCap, borrowIndex)) revert CapExceeded(borrowCap);
        scaledDebt = total;
        scaledDebtOf[onBehalf] += scaled;
        _payOut(amount);
        _requireHealthy(onBehalf);
        emit Borrowed(msg.sender, onBehalf, to, amount);
        loanToken.safeTransfer(to, amount);
    }

    /// @notice Repays `amount` of what `onBehalf` owes, at most all of it.
    /// @return repaid What was taken from the caller.
    function repay(uint256 amount, address onBehalf) external returns (uint256 repaid) {
        accrue();
        repaid = _cancelDebt(onBehalf, amount);
        emit Repaid(msg.sender, onBehalf, repaid);
        loanToken.safeTransferFrom(msg.sender, address(this), repaid);
    }

    // Liquidation

    /// @notice Repays up to `amount` of a debt beyond its limit and takes collateral worth that and a bonus: what the debt
    /// exceeds its limit by, in basis points of the limit, and {maxBonusBasis} at most. So it grows from nothing while nobody
    /// comes. It is no more than what the collateral is worth beyond the debt, lest it make the debt bad; but {MIN_BONUS}
    /// at least where less is left than that, or nobody comes. If no collateral is left, what is still owed is nobody's: the
    /// reserve bears it first, then the lenders.
    function liquidate(address borrower, uint256 amount) external returns (uint256 repaid, uint256 seized) {
        accrue();
        uint256 price = _price();
        uint256 debt = debtOf(borrower);
        uint256 limit = _limit(borrower, price);
        if (debt <= limit) revert Healthy(borrower, debt, limit);
        uint256 collateral = collateralOf[borrower];
        uint256 worth = Math.mulDiv(collateral, price, PRICE, Math.Rounding.Ceil);
        uint256 perRepaid = BASIS + _bonus(debt, limit, Math.mulDiv(collateral, price, PRICE));
        // What the collateral pays for, rounded up: who takes the last of it pays for all of it.
        uint256 covered = Math.mulDiv(worth, BASIS, perRepaid, Math.Rounding.Ceil);
        repaid = _cancelDebt(borrower, Math.min(amount, Math.max(covered, 1)));
        seized = repaid >= covered
            ? collateral
            : Math.min(collateral, Math.mulDiv(Math.mulDiv(repaid, perRepaid, BASIS), PRICE, price));
        collateralOf[borrower] = collateral - seized;
        emit Liquidated(msg.sender, borrower, repaid, seized);
        if (seized == collateral) _writeOff(borrower);
        loanToken.safeTransferFrom(msg.sender, address(this), repaid);
        collateralToken.safeTransfer(msg.sender, seized);
    }

    // Settings

    /// @notice Lets `delegate` borrow and withdraw for the caller.
    function setDelegate(address delegate, bool allowed) external {
        _setDelegate(msg.sender, delegate, allowed);
    }

    /// @notice The same for `account`, which has signed it (EIP-712), as a key or as a contract (ERC-1271): so that one transaction
    /// of somebody else's may put collateral down, be let in, and borrow. Each signature counts once, in the order of {nonces}.
    /// @param deadline In seconds since 1970.
    function setDelegateWithSignature(
        address account,
        address delegate,
        bool allowed,
        uint256 deadline,
        bytes calldata signature
    ) external {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        bytes32 message = keccak256(abi.encode(DELEGATION, account, delegate, allowed, _useNonce(account), deadline));
        if (!SignatureChecker.isValidSignatureNow(account, _hashTypedDataV4(message), signature)) {
            revert InvalidSignature(account);
        }
        _setDelegate(account, delegate, allowed);
    }

    /// @notice Stops new supply and loans, or lets them go on. Leaving is always possible.
    function setStopped(bool stop) external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        stopped = stop;
        emit StoppedSet(stop);
    }

    function withdrawReserve(uint256 amount, address to) external {
        if (msg.sender != reserveOwner) revert NotReserveOwner(msg.sender);
        accrue();
        uint256 held = scaledReserve;
        uint256 scaled = _scaledUp(amount, supplyIndex);
        if (scaled > held) revert InsufficientSupply(address(this), _worthDown(held, supplyIndex), amount);
        scaledReserve = held - scaled;
        scaledSupply -= scaled;
        _payOut(amount);
        emit ReserveWithdrawn(to, amount);
        loanToken.safeTransfer(to, amount);
    }

    // Questions

    /// @notice What the account could withdraw now, if there were cash.
    function supplyOf(address account) external view returns (uint256) {
        (, uint256 index,) = _pending();
        return _worthDown(scaledSupplyOf[account], index);
    }

    /// @notice What belongs to the reserve now, in the loan token; part of it may be lent.
    function reserve() external view returns (uint256) {
        (, uint256 index, uint256 more) = _pending();
        return _worthDown(scaledReserve + more, index);
    }

    /// @notice What the account owes now.
    function debtOf(address account) public view returns (uint256) {
        (uint256 index,,) = _pending();
        return _worthUp(scaledDebtOf[account], index);
    }

    /// @notice What {accrue} would make the indexes now.
    function currentIndexes() external view returns (uint256 borrowing, uint256 supplying) {
        (borrowing, supplying,) = _pending();
    }

    /// @notice The price of collateral under which the account can be liquidated, times 10^36; zero without debt.
    function liquidationPrice(address account) external view returns (uint256) {
        uint256 debt = debtOf(account);
        if (debt == 0) return 0;
        if (collateralOf[account] == 0) return type(uint256).max;
        return Math.mulDiv(debt * BASIS, PRICE, collateralOf[account] * limitBasis, Math.Rounding.Ceil);
    }

    /// @notice Accrues interest up to now, once a block.
    function accrue() public {
        if (block.timestamp == accruedAt) return;
        (uint256 borrowing, uint256 supplying, uint256 forReserve) = _pending();
        accruedAt = block.timestamp;
        if (borrowing == borrowIndex) return;
        borrowIndex = borrowing;
        supplyIndex = supplying;
        scaledReserve += forReserve;
        scaledSupply += forReserve;
        emit Accrued(borrowing, supplying);
    }

    // Loans within a transaction, free of charge

    /// @inheritdoc IERC3156FlashLender
    function flashLoan(IERC3156FlashBorrower receiver, address token, uint256 amount, bytes calldata data)
        external
        returns (bool)
    {
        if (token != address(loanToken)) revert TokenNotLent(token);
        if (amount > cash) revert InsufficientCash(cash, amount);
        emit FlashLoan(address(receiver), amount);
        loanToken.safeTransfer(address(receiver), amount);
        if (receiver.onFlashLoan(msg.sender, token, amount, 0, data) != BORROWED) {
            revert LoanRefused(address(receiver));
        }
        loanToken.safeTransferFrom(address(receiver), address(this), amount);
        return true;
    }

    /// @inheritdoc IERC3156FlashLender
    function maxFlashLoan(address token) external view returns (uint256) {
        return token == address(loanToken) ? cash : 0;
    }

    /// @inheritdoc IERC3156FlashLender
    function flashFee(address token, uint256) external view returns (uint256) {
        if (token != address(loanToken)) revert TokenNotLent(token);
        return 0;
    }

    /// @dev The indexes as accruing now would leave them, and what it would give the reserve, in scaled units. Within a block
    /// that has accrued, the totals are not looked at.
    function _pending() private view returns (uint256 borrowing, uint256 supplying, uint256 forReserve) {
        (borrowing, supplying) = (borrowIndex, supplyIndex);
        uint256 elapsed = block.timestamp - accruedAt;
        if (elapsed == 0 || scaledDebt == 0) return (borrowing, supplying, 0);
        uint256 debt = _worthUp(scaledDebt, borrowing);
        uint256 utilisation = Math.mulDiv(debt, WAD, debt + cash);
        uint256 rate = Math.min(rateModel.borrowRate(utilisation), MAX_RATE);
        borrowing += Math.mulDiv(borrowing, rate * elapsed, RAY, Math.Rounding.Ceil);
        // From the debts rounded down, so that lenders are promised no more than borrowers owe.
        uint256 interest = Math.saturatingSub(_worthDown(scaledDebt, borrowing), debt);
        uint256 reserved = Math.mulDiv(interest, reserveBasis, BASIS, Math.Rounding.Ceil);
        if (scaledSupply == 0) reserved = interest;
        else supplying += Math.mulDiv(interest - reserved, RAY, scaledSupply);
        forReserve = _scaledDown(reserved, supplying);
    }

    function _setDelegate(address account, address delegate, bool allowed) private {
        isDelegate[account][delegate] = allowed;
        emit DelegateSet(account, delegate, allowed);
    }

    function _payOut(uint256 amount) private {
        uint256 available = cash;
        if (available < amount) revert InsufficientCash(available, amount);
        cash = available - amount;
    }

    /// @dev Takes a payment off a debt, at most all of it; the tokens are still to come.
    function _cancelDebt(address account, uint256 amount) private returns (uint256 repaid) {
        uint256 owed = scaledDebtOf[account];
        uint256 debt = _worthUp(owed, borrowIndex);
        repaid = Math.min(amount, debt);
        if (repaid == 0) revert NothingGiven();
        uint256 scaled = repaid == debt ? owed : _scaledDown(repaid, borrowIndex);
        scaledDebtOf[account] = owed - scaled;
        scaledDebt -= scaled;
        cash += repaid;
    }

    function _writeOff(address borrower) private {
        uint256 owed = scaledDebtOf[borrower];
        if (owed == 0) return;
        uint256 lost = _worthUp(owed, borrowIndex);
        scaledDebtOf[borrower] = 0;
        scaledDebt -= owed;
        uint256 byReserve = Math.min(_worthDown(scaledReserve, supplyIndex), lost);
        uint256 burnt = _scaledUp(byReserve, supplyIndex);
        scaledReserve -= burnt;
        scaledSupply -= burnt;
        if (scaledSupply != 0) {
            uint256 perScaled = Math.mulDiv(lost - byReserve, RAY, scaledSupply, Math.Rounding.Ceil);
            supplyIndex = supplyIndex > perScaled ? supplyIndex - perScaled : 1;
        }
        emit BadDebt(borrower, lost, byReserve);
    }

    function _requireHealthy(address account) private view {
        uint256 debt = debtOf(account);
        if (debt == 0) return;
        uint256 limit = _limit(account, _price());
        if (debt > limit) revert Unhealthy(account, debt, limit);
    }

    function _limit(address account, uint256 price) private view returns (uint256) {
        return Math.mulDiv(collateralOf[account], price, PRICE) * limitBasis / BASIS;
    }

    function _bonus(uint256 debt, uint256 limit, uint256 worth) private view returns (uint256) {
        if (limit == 0) return MIN_BONUS;
        uint256 excess = Math.min(maxBonusBasis, Math.mulDiv(debt - limit, BASIS, limit));
        uint256 spare = Math.mulDiv(Math.saturatingSub(worth, debt), BASIS, debt);
        return Math.min(excess, Math.max(spare, MIN_BONUS));
    }

    function _price() private view returns (uint256 price) {
        uint256 updatedAt;
        (price, updatedAt) = oracle.latestPrice();
        if (price == 0) revert NoPrice();
        if (updatedAt > block.timestamp || block.timestamp - updatedAt > maxPriceAge) revert StalePrice(updatedAt);
    }

    function _scaledDown(uint256 amount, uint256 index) private pure returns (uint256) {
        return Math.mulDiv(amount, RAY, index);
    }

    function _scaledUp(uint256 amount, uint256 index) private pure returns (uint256) {
        return Math.mulDiv(amount, RAY, index, Math.Rounding.Ceil);
    }

    function _worthDown(uint256 scaled, uint256 index) private pure returns (uint256) {
        return Math.mulDiv(scaled, index, RAY);
    }

    function _worthUp(uint256 scaled, uint256 index) private pure returns (uint256) {
        return Math.mulDiv(scaled, index, RAY, Math.Rounding.Ceil);
    }
}
