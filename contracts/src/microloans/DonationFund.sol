// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Gated, RoleGate} from "./RoleGate.sol";
import {IERC20, SafeERC20} from "@openzeppelin/token/ERC20/utils/SafeERC20.sol";

/// @title Donated money, from its purpose to the merchant who was paid
/// @notice A donor earmarks money for a purpose. A programme gives it out as vouchers, each for one merchant of its list and for a
/// beneficiary who is a random word here. The beneficiary shows the voucher's secret in the shop, and the merchant is paid. What is not
/// spent when a voucher ends is the donation's again, and what of a donation is not given out by its day the donor takes back.
///
/// That money went to its purpose is said here of what merchants were paid, and of nothing else.
contract DonationFund is Gated {
    using SafeERC20 for IERC20;

    /// @notice Longest that a donation may be bound, in seconds.
    uint256 public constant MAX_TERM = 3 * 365 days;

    /// @param left What is not given out.
    /// @param inVouchers What is, and not spent.
    /// @param spent What merchants were paid.
    /// @param until From then on the donor may have back what is left.
    struct Donation {
        IERC20 token;
        address donor;
        uint64 until;
        bytes32 purpose;
        uint256 left;
        uint256 inVouchers;
        uint256 spent;
    }

    struct Voucher {
        bytes32 donation;
        bytes32 beneficiary;
        address merchant;
        uint64 until;
        uint256 amount;
    }

    mapping(bytes32 donation => Donation) public donationOf;
    mapping(bytes32 lock => Voucher) public voucherOf;
    /// @notice Merchants that a programme has looked at.
    mapping(address merchant => bool) public isMerchant;

    error InvalidDonation();
    error InvalidVoucher();
    error AlreadyThere(bytes32 id);
    error UnknownDonation(bytes32 donation);
    error UnknownVoucher(bytes32 lock);
    error NotDonor(address caller);
    error NotMerchant(address account);
    error NotEnough(bytes32 donation, uint256 left, uint256 wanted);
    error Ended(uint256 at);
    error Stands(uint256 until);

    event DonationEarmarked(
        bytes32 indexed donation, address indexed donor, bytes32 indexed purpose, IERC20 token, uint256 amount
    );
    event VoucherIssued(
        bytes32 indexed lock, bytes32 indexed donation, address indexed merchant, bytes32 beneficiary, uint256 amount
    );
    event DonationReleased(bytes32 indexed lock, bytes32 indexed donation, address indexed merchant, uint256 amount);
    event VoucherEnded(bytes32 indexed lock, bytes32 indexed donation, uint256 amount);
    event DonationReturned(bytes32 indexed donation, address indexed donor, uint256 amount);
    event MerchantSet(address indexed merchant, bool isMerchant);

    constructor(RoleGate gate) Gated(gate) {}

    /// @notice Gives `amount` for a purpose, a hash of its public description.
    function earmark(IERC20 token, uint256 amount, bytes32 purpose, uint64 until, bytes32 salt)
        external
        notPaused
        returns (bytes32 donation)
    {
        bool isSensible = until > block.timestamp && until <= block.timestamp + MAX_TERM;
        if (amount == 0 || purpose == 0 || !isSensible) revert InvalidDonation();
        donation = keccak256(abi.encode(msg.sender, salt));
        if (donationOf[donation].donor != address(0)) revert AlreadyThere(donation);
        donationOf[donation] = Donation(token, msg.sender, until, purpose, amount, 0, 0);
        emit DonationEarmarked(donation, msg.sender, purpose, token, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Gives out part of a donation as a voucher.
    function issue(bytes32 donation, bytes32 lock, bytes32 beneficiary, address merchant, uint256 amount, uint64 until)
        external
        restricted
        notPaused
    {
        Donation storage money = _known(donation);
        if (lock == 0 || beneficiary == 0 || amount == 0 || until <= block.timestamp) revert InvalidVoucher();
        // No voucher keeps a donor waiting.
        if (until > money.until) revert InvalidVoucher();
        if (!isMerchant[merchant]) revert NotMerchant(merchant);
        if (voucherOf[lock].donation != 0) revert AlreadyThere(lock);
        if (amount > money.left) revert NotEnough(donation, money.left, amount);
        money.left -= amount;
        money.inVouchers += amount;
        voucherOf[lock] = Voucher(donation, beneficiary, merchant, until, amount);
        emit VoucherIssued(lock, donation, merchant, beneficiary, amount);
    }

    /// @notice Pays the voucher's merchant, the caller, who was shown its secret.
    function redeem(bytes32 secret) external {
        bytes32 lock = lockOf(secret);
        Voucher storage voucher = _standing(lock);
        if (msg.sender != voucher.merchant) revert NotMerchant(msg.sender);
        if (block.timestamp > voucher.until) revert Ended(voucher.until);
        (bytes32 donation, uint256 amount) = (voucher.donation, voucher.amount);
        voucher.amount = 0;
        Donation storage money = donationOf[donation];
        money.inVouchers -= amount;
        money.spent += amount;
        emit DonationReleased(lock, donation, msg.sender, amount);
        money.token.safeTransfer(msg.sender, amount);
    }

    /// @notice Gives a voucher that ended back to its donation. Anybody's to call.
    function end(bytes32 lock) external {
        Voucher storage voucher = _standing(lock);
        if (block.timestamp <= voucher.until) revert Stands(voucher.until);
        (bytes32 donation, uint256 amount) = (voucher.donation, voucher.amount);
        voucher.amount = 0;
        donationOf[donation].inVouchers -= amount;
        donationOf[donation].left += amount;
        emit VoucherEnded(lock, donation, amount);
    }

    /// @notice Sends the donor, the caller, what is left after the donation's day.
    function takeBack(bytes32 donation) external returns (uint256 amount) {
        Donation storage money = _known(donation);
        if (msg.sender != money.donor) revert NotDonor(msg.sender);
        if (block.timestamp <= money.until) revert Stands(money.until);
        amount = money.left;
        if (amount == 0) revert NotEnough(donation, 0, 0);
        money.left = 0;
        emit DonationReturned(donation, msg.sender, amount);
        money.token.safeTransfer(msg.sender, amount);
    }

    function setMerchant(address merchant, bool isListed) external restricted {
        isMerchant[merchant] = isListed;
        emit MerchantSet(merchant, isListed);
    }

    /// @notice The lock that a secret opens.
    function lockOf(bytes32 secret) public pure returns (bytes32) {
        return keccak256(abi.encode(secret));
    }

    function _known(bytes32 donation) private view returns (Donation storage money) {
        money = donationOf[donation];
        if (money.donor == address(0)) revert UnknownDonation(donation);
    }

    function _standing(bytes32 lock) private view returns (Voucher storage voucher) {
        voucher = voucherOf[lock];
        if (voucher.amount == 0) revert UnknownVoucher(lock);
    }
}
