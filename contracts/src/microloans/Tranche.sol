// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC4626} from "@openzeppelin/interfaces/IERC4626.sol";
import {ERC20} from "@openzeppelin/token/ERC20/ERC20.sol";
import {IERC20Metadata} from "@openzeppelin/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/token/ERC20/extensions/IERC20Permit.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @dev What is asked of the pool that made this.
interface ITranchePool {
    function accrue() external;
    function deposited(uint256 amount) external;
    function payOut(address to, uint256 amount) external;
    function leaveOver(uint256 amount) external;
    function epoch() external view returns (uint256);
    function limitOf(address tranche) external view returns (uint256);
    function pendingWorth() external view returns (uint256 ofSenior, uint256 ofJunior);
    function senior() external view returns (address);
}

/// @title Shares of one tranche of a pool of loans
/// @notice An ERC-4626 vault that is entered at once and left by epochs, in the way of ERC-7540: {requestRedeem} puts shares aside until
/// the pool's epoch ends; then all who asked are served in the same proportion, whoever came first, and {redeem} or {withdraw} fetch
/// the money. Shares that were not served come back with it. Until then they bear losses and gains as all do.
///
/// Roundings: shares given and tokens paid out down, shares burnt and asked for up.
///
/// @dev A share is worth `shares * index`; the index moves when the pool shares out, once a block, so that deposits of one block only
/// add to {worth} and to the supply. A million shares of one unit are nobody's (virtual shares): raising a share's worth costs a million
/// times what others lose by rounding. Tokens are with the pool.
contract Tranche is ERC20, IERC4626 {
    using SafeERC20 for IERC20;

    uint256 internal constant RAY = 1e27;
    uint256 internal constant VIRTUAL_SHARES = 1e6;
    /// @dev Where all but a millionth is lost, an index counts too coarsely to take deposits.
    uint256 internal constant MIN_INDEX = RAY / VIRTUAL_SHARES / 1e6;

    /// @param epoch In which the shares were put aside.
    struct Request {
        uint256 epoch;
        uint256 shares;
    }

    /// @notice How an epoch ended.
    /// @param requested Shares that were put aside.
    /// @param filled Tokens for them.
    /// @param kept Shares that come back.
    /// @param settled Shares whose owners have settled; `paid` and `returned` are what they got.
    struct Outcome {
        uint256 requested;
        uint256 filled;
        uint256 kept;
        uint256 settled;
        uint256 paid;
        uint256 returned;
    }

    struct Claim {
        uint256 assets;
        uint256 shares;
    }

    IERC20 private immutable token;
    ITranchePool public immutable pool;
    uint8 private immutable shareDecimals;

    /// @notice What all shares are worth, as of the last accrual and with deposits since.
    uint256 public worth;
    /// @notice What a share is worth, times 10^27, as of the last accrual.
    uint256 public index = RAY / VIRTUAL_SHARES;
    mapping(uint256 epoch => Outcome) public outcomeOf;
    mapping(address owner => Request) public requestOf;
    mapping(address owner => Claim) public claimOf;
    /// @notice Who may ask for and fetch an owner's money for them (ERC-7540).
    mapping(address owner => mapping(address operator => bool)) public isOperator;

    error NotPool(address caller);
    error NothingGiven();
    error NoRoom(uint256 limit, uint256 wanted);
    error Ruined();
    error NotAllowed(address owner, address caller);
    error InsufficientClaim(address owner, uint256 claimable, uint256 wanted);
    error InsufficientRequest(address owner, uint256 requested, uint256 wanted);
    /// @notice Leaving goes by epochs; what is paid is known at the end of one.
    error LeavesByEpochs();

    event RedeemRequest(
        address indexed controller, address indexed owner, uint256 indexed requestId, address sender, uint256 shares
    );
    event RequestCancelled(address indexed owner, uint256 indexed epoch, uint256 shares);
    event Settled(address indexed owner, uint256 indexed epoch, uint256 assets, uint256 sharesBack);
    event OperatorSet(address indexed controller, address indexed operator, bool approved);
    event IndexSet(uint256 index);

    modifier onlyPool() {
        if (msg.sender != address(pool)) revert NotPool(msg.sender);
        _;
    }

    modifier actingFor(address owner) {
        if (msg.sender != owner && !isOperator[owner][msg.sender]) revert NotAllowed(owner, msg.sender);
        _;
    }

    constructor(IERC20Metadata token_, string memory name_, string memory symbol_) ERC20(name_, symbol_) {
        (token, pool) = (token_, ITranchePool(msg.sender));
        shareDecimals = token_.decimals() + 6;
    }

    // Entering

    /// @inheritdoc IERC4626
    function deposit(uint256 assets, address receiver) public returns (uint256 shares) {
        pool.accrue();
        shares = Math.mulDiv(assets, RAY, index);
        _enter(assets, shares, receiver);
    }

    /// @inheritdoc IERC4626
    function mint(uint256 shares, address receiver) external returns (uint256 assets) {
        pool.accrue();
        assets = Math.mulDiv(shares, index, RAY, Math.Rounding.Ceil);
        _enter(assets, shares, receiver);
    }

    /// @notice A deposit with the allowance by signature (EIP-2612).
    function depositWithPermit(uint256 assets, address receiver, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (uint256)
    {
        // Whoever saw the signature may have used it before; then the allowance is there.
        try IERC20Permit(address(token)).permit(msg.sender, address(this), assets, deadline, v, r, s) {} catch {}
        return deposit(assets, receiver);
    }

    // Leaving

    /// @notice Puts `shares` of `owner` aside until the epoch ends; `controller` gets what comes of it.
    /// @return requestId The epoch.
    function requestRedeem(uint256 shares, address controller, address owner) external returns (uint256 requestId) {
        if (shares == 0) revert NothingGiven();
        if (msg.sender != owner && !isOperator[owner][msg.sender]) _spendAllowance(owner, msg.sender, shares);
        settle(controller);
        requestId = pool.epoch();
        Request storage request = requestOf[controller];
        request.epoch = requestId;
        request.shares += shares;
        outcomeOf[requestId].requested += shares;
        emit RedeemRequest(controller, owner, requestId, msg.sender, shares);
        _transfer(owner, address(this), shares);
    }

    /// @notice Takes shares out of the request again, while the epoch runs.
    function cancelRequest(uint256 shares, address owner) external actingFor(owner) {
        if (shares == 0) revert NothingGiven();
        settle(owner);
        Request storage request = requestOf[owner];
        if (shares > request.shares) revert InsufficientRequest(owner, request.shares, shares);
        request.shares -= shares;
        outcomeOf[request.epoch].requested -= shares;
        emit RequestCancelled(owner, request.epoch, shares);
        _transfer(address(this), owner, shares);
    }

    /// @notice Fetches `assets` of what has been served for `controller`.
    function withdraw(uint256 assets, address receiver, address controller)
        external
        actingFor(controller)
        returns (uint256 shares)
    {
        settle(controller);
        Claim storage claim = claimOf[controller];
        if (assets == 0) revert NothingGiven();
        if (assets > claim.assets) revert InsufficientClaim(controller, claim.assets, assets);
        shares = Math.mulDiv(assets, claim.shares, claim.assets, Math.Rounding.Ceil);
        _fetch(claim, assets, shares, receiver, controller);
    }

    /// @notice Fetches what `shares` of those that were served for `controller` have brought.
    function redeem(uint256 shares, address receiver, address controller)
        external
        actingFor(controller)
        returns (uint256 assets)
    {
        settle(controller);
        Claim storage claim = claimOf[controller];
        if (shares == 0) revert NothingGiven();
        if (shares > claim.shares) revert InsufficientClaim(controller, claim.shares, shares);
        assets = Math.mulDiv(claim.assets, shares, claim.shares);
        _fetch(claim, assets, shares, receiver, controller);
    }

    /// @notice Turns a request of an epoch that has ended into money to fetch and shares that come back. Anybody's to call; it also
    /// happens by itself.
    function settle(address owner) public {
        Request memory request = requestOf[owner];
        if (request.shares == 0 || request.epoch >= pool.epoch()) return;
        delete requestOf[owner];
        Outcome storage outcome = outcomeOf[request.epoch];
        (uint256 assets, uint256 back) = _part(outcome, request.shares);
        Claim storage claim = claimOf[owner];
        claim.assets += assets;
        claim.shares += request.shares - back;
        outcome.paid += assets;
        outcome.returned += back;
        outcome.settled += request.shares;
        emit Settled(owner, request.epoch, assets, back);
        if (back != 0) _transfer(address(this), owner, back);
        if (outcome.settled == outcome.requested) _leaveOver(outcome);
    }

    function setOperator(address operator, bool approved) external returns (bool) {
        isOperator[msg.sender][operator] = approved;
        emit OperatorSet(msg.sender, operator, approved);
        return true;
    }

    // The pool's

    function gain(uint256 amount) external onlyPool {
        worth += amount;
        _setIndex();
    }

    function lose(uint256 amount) external onlyPool {
        worth -= amount;
        _setIndex();
    }

    /// @notice Serves an epoch's requests from at most `available`.
    /// @return filled What was needed.
    function closeEpoch(uint256 epoch, uint256 available) external onlyPool returns (uint256 filled) {
        Outcome storage outcome = outcomeOf[epoch];
        uint256 requested = outcome.requested;
        if (requested == 0) return 0;
        uint256 claims = Math.min(Math.mulDiv(requested, index, RAY), worth);
        filled = Math.min(claims, available);
        if (filled == 0) {
            outcome.kept = requested;
            return 0;
        }
        // More is burnt than was paid for, by less than a share's unit: those who stay are the richer for it.
        uint256 burnt = filled == claims ? requested : Math.mulDiv(requested, filled, claims, Math.Rounding.Ceil);
        (outcome.filled, outcome.kept) = (filled, requested - burnt);
        worth -= filled;
        _burn(address(this), burnt);
        _setIndex();
    }

    // Questions

    /// @inheritdoc IERC4626
    function asset() external view returns (address) {
        return address(token);
    }

    /// @inheritdoc IERC4626
    function totalAssets() public view returns (uint256) {
        (uint256 ofSenior, uint256 ofJunior) = pool.pendingWorth();
        return pool.senior() == address(this) ? ofSenior : ofJunior;
    }

    /// @inheritdoc IERC4626
    function convertToShares(uint256 assets) public view returns (uint256) {
        return Math.mulDiv(assets, RAY, _currentIndex());
    }

    /// @inheritdoc IERC4626
    function convertToAssets(uint256 shares) public view returns (uint256) {
        return Math.mulDiv(shares, _currentIndex(), RAY);
    }

    /// @inheritdoc IERC4626
    function previewDeposit(uint256 assets) external view returns (uint256) {
        return convertToShares(assets);
    }

    /// @inheritdoc IERC4626
    function previewMint(uint256 shares) external view returns (uint256) {
        return Math.mulDiv(shares, _currentIndex(), RAY, Math.Rounding.Ceil);
    }

    /// @inheritdoc IERC4626
    function previewWithdraw(uint256) external pure returns (uint256) {
        revert LeavesByEpochs();
    }

    /// @inheritdoc IERC4626
    function previewRedeem(uint256) external pure returns (uint256) {
        revert LeavesByEpochs();
    }

    /// @inheritdoc IERC4626
    function maxDeposit(address) public view returns (uint256) {
        (uint256 limit, uint256 held) = (pool.limitOf(address(this)), totalAssets());
        return _currentIndex() < MIN_INDEX || held >= limit ? 0 : limit - held;
    }

    /// @inheritdoc IERC4626
    function maxMint(address receiver) external view returns (uint256) {
        return convertToShares(maxDeposit(receiver));
    }

    /// @inheritdoc IERC4626
    function maxWithdraw(address owner) external view returns (uint256 assets) {
        (assets,) = _claimable(owner);
    }

    /// @inheritdoc IERC4626
    function maxRedeem(address owner) external view returns (uint256 shares) {
        (, shares) = _claimable(owner);
    }

    /// @notice Shares that wait for the end of an epoch (ERC-7540).
    function pendingRedeemRequest(uint256 requestId, address controller) external view returns (uint256) {
        Request memory request = requestOf[controller];
        return request.epoch == requestId && requestId == pool.epoch() ? request.shares : 0;
    }

    /// @notice Shares of an epoch that have been served and not been settled (ERC-7540).
    function claimableRedeemRequest(uint256 requestId, address controller) external view returns (uint256) {
        Request memory request = requestOf[controller];
        if (request.epoch != requestId || requestId >= pool.epoch() || request.shares == 0) return 0;
        (, uint256 back) = _part(outcomeOf[requestId], request.shares);
        return request.shares - back;
    }

    /// @inheritdoc IERC20Metadata
    function decimals() public view override(ERC20, IERC20Metadata) returns (uint8) {
        return shareDecimals;
    }

    /// @notice ERC-165, for ERC-7540: operators and asynchronous redemption.
    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0xe3bc4e65 || id == 0x620ee8e4 || id == 0x01ffc9a7;
    }

    function _enter(uint256 assets, uint256 shares, address receiver) private {
        if (assets == 0 || shares == 0) revert NothingGiven();
        if (index < MIN_INDEX) revert Ruined();
        // Compared and nothing else: deposits of one block do not wait for each other.
        uint256 more = worth + assets;
        uint256 limit = pool.limitOf(address(this));
        if (more > limit) revert NoRoom(limit, assets);
        worth = more;
        _mint(receiver, shares);
        emit Deposit(msg.sender, receiver, assets, shares);
        pool.deposited(assets);
        token.safeTransferFrom(msg.sender, address(pool), assets);
    }

    function _fetch(Claim storage claim, uint256 assets, uint256 shares, address receiver, address controller) private {
        (claim.assets, claim.shares) = (claim.assets - assets, claim.shares - shares);
        emit Withdraw(msg.sender, receiver, controller, assets, shares);
        pool.payOut(receiver, assets);
    }

    /// @dev The last to settle leaves over what rounding down has left: money to the pool, shares to nobody.
    function _leaveOver(Outcome storage outcome) private {
        uint256 shares = outcome.kept - outcome.returned;
        if (shares != 0) _burn(address(this), shares);
        uint256 assets = outcome.filled - outcome.paid;
        if (assets != 0) pool.leaveOver(assets);
    }

    function _setIndex() private {
        uint256 current = _indexAt(worth);
        if (current == index) return;
        index = current;
        emit IndexSet(current);
    }

    function _claimable(address owner) private view returns (uint256 assets, uint256 shares) {
        (assets, shares) = (claimOf[owner].assets, claimOf[owner].shares);
        Request memory request = requestOf[owner];
        if (request.shares == 0 || request.epoch >= pool.epoch()) return (assets, shares);
        (uint256 more, uint256 back) = _part(outcomeOf[request.epoch], request.shares);
        return (assets + more, shares + request.shares - back);
    }

    function _part(Outcome storage outcome, uint256 shares) private view returns (uint256 assets, uint256 back) {
        uint256 requested = outcome.requested;
        assets = Math.mulDiv(outcome.filled, shares, requested);
        back = Math.mulDiv(outcome.kept, shares, requested);
    }

    function _currentIndex() private view returns (uint256) {
        return _indexAt(totalAssets());
    }

    function _indexAt(uint256 worth_) private view returns (uint256) {
        return Math.mulDiv(worth_ + 1, RAY, totalSupply() + VIRTUAL_SHARES);
    }
}
