//! The interfaces of the contracts, as far as they are called from here. Sources: `contracts/src/microloans`.

#![allow(missing_docs, clippy::too_many_arguments, reason = "the contracts document their functions")]

use alloy_sol_types::sol;

sol! {
    #[derive(Debug, PartialEq, Eq)]
    struct Parts {
        uint128 principal;
        uint128 interest;
        uint128 fees;
        uint128 penalties;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Terms {
        bytes32 borrower;
        bytes32 product;
        bytes32 schedule;
        bytes32 keyFacts;
        bytes32 pair;
        address pool;
        bytes8 currency;
        address account;
        uint64 offerUntil;
        address payee;
        uint128 principal;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Loan {
        Terms terms;
        uint8 state;
        uint64 sequence;
        uint16 nextInstalment;
        bool isHeld;
        uint64 fundedAt;
        uint128 outstanding;
        uint128 writtenOff;
        uint128 recovered;
        Parts paid;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Instalment {
        uint16 number;
        uint32 due;
        uint128 principal;
        uint128 interest;
        uint128 fees;
    }

    #[derive(Debug)]
    interface LoanBook {
        error IllegalStep(bytes32 loan, uint8 from, uint8 to);
        error InvalidTerms();
        error UnknownPool(address pool);
        error UnknownLoan(bytes32 loan);
        error SequenceGap(bytes32 loan, uint64 last, uint64 given);
        error Contradiction(bytes32 loan, uint64 sequence);
        error NotBorrower(bytes32 loan, address caller);
        error WrongKeyFacts(bytes32 loan, bytes32 expected, bytes32 given);
        error OfferEnded(bytes32 loan, uint256 at);
        error OfferStands(bytes32 loan, uint256 until);
        error Held(bytes32 loan);
        error RateHalted(bytes32 pair);
        error NotRunning(bytes32 loan, uint8 state);
        error MoreThanOwed(bytes32 loan, uint256 owed, uint256 given);
        error StillOwed(bytes32 loan, uint256 owed);
        error NotScheduled(bytes32 loan, uint16 number);
        error NothingGiven();
        error InsufficientSuspense(bytes32 loan, address payer, uint256 held, uint256 wanted);
        error NotLapsed(bytes32 loan, uint256 at);
        error Paused();
        error InsufficientCash(uint256 available, uint256 wanted);
        error AccessManagedUnauthorized(address caller);
        error AccessManagerNotScheduled(bytes32 operationId);
        error AccessManagerNotReady(bytes32 operationId);
        error AccessManagerExpired(bytes32 operationId);

        function authority() returns (address);

        function offer(bytes32 loan, uint64 sequence, Terms terms);
        function recordAcceptance(bytes32 loan, uint64 sequence, bytes32 keyFacts, bytes2 language, uint8 channel, bytes32 evidence);
        function recordConsent(bytes32 loan, uint64 sequence, bytes32 keyFacts, uint8 channel, bytes32 evidence);
        function fund(bytes32 loan, uint64 sequence);
        function disburse(bytes32 loan, uint64 sequence);
        function confirm(bytes32 loan, uint64 sequence, bytes32 evidence);
        function repay(bytes32 loan, uint64 sequence, Parts parts, uint16 next);
        function allocate(bytes32 loan, uint64 sequence, address payer, Parts parts, uint16 next);
        function refund(bytes32 loan, uint64 sequence, address payer, uint256 amount);
        function step(bytes32 loan, uint64 sequence, uint8 to, bytes32 reason);
        function cancel(bytes32 loan, uint64 sequence, uint128 interest);
        function restructure(bytes32 loan, uint64 sequence, bytes32 schedule, bytes32 keyFacts);
        function chargeOff(bytes32 loan, uint64 sequence, bytes32 reason);
        function forgive(bytes32 loan, uint64 sequence);
        function setHold(bytes32 loan, uint64 sequence, bool isHeld, bytes32 reason);
        function setPool(address pool, bool isKnown);

        function loanOf(bytes32 loan) returns (Loan);
        function factOf(bytes32 loan, uint64 sequence) returns (bytes32);
        function allows(uint8 from, uint8 to) returns (bool);
        function instalmentLeaf(Instalment instalment) returns (bytes32);
    }

    #[derive(Debug)]
    interface JournalAnchor {
        error InvalidSeal();
        error NotOver(uint32 day);
        error OutOfOrder(uint32 day, uint32 lastDay);
        error EntriesMissing(uint64 expected, uint64 given);
        error AccessManagedUnauthorized(address caller);

        function anchor(uint32 day, bytes32 root, uint64 firstEntry, uint64 lastEntry);
        function sealOf(uint32 day) returns (bytes32 root, uint64 firstEntry, uint64 lastEntry, uint64 anchoredAt);
        function isAnchored(uint32 day, uint64 entry, bytes32 hash, bytes32[] path) returns (bool);
    }
}

sol! {
    #[derive(Debug)]
    interface RoleGate {
        function schedule(address target, bytes data, uint48 when) returns (bytes32 operationId, uint32 nonce);
    }

    #[derive(Debug)]
    interface Token {
        function allowance(address owner, address spender) returns (uint256);
        function approve(address spender, uint256 amount) returns (bool);
        function balanceOf(address account) returns (uint256);
        function decimals() returns (uint8);
        function symbol() returns (string);
    }

    #[derive(Debug)]
    interface LenderPool {
        function token() returns (address);
        function currency() returns (bytes8);
        function minorUnit() returns (uint256);
        function senior() returns (address);
        function junior() returns (address);
        function firstLoss() returns (address);
        function seniorRate() returns (uint256);
        function isOpen() returns (bool);
        function epoch() returns (uint256);
        function epochUntil() returns (uint256);
        function lendable() returns (uint256);
        function outstanding() returns (uint256);
        function surplus() returns (uint256);
        function pendingWorth() returns (uint256 ofSenior, uint256 ofJunior);
        function limitOf(address tranche) returns (uint256);
        function seniorLost() returns (uint256);
        function juniorLost() returns (uint256);
        function firstLossLost() returns (uint256);
        function closeEpoch();
    }

    #[derive(Debug)]
    interface FirstLoss {
        function capital() returns (uint256);
    }

    #[derive(Debug)]
    interface Tranche {
        function balanceOf(address account) returns (uint256);
        function convertToAssets(uint256 shares) returns (uint256);
        function convertToShares(uint256 assets) returns (uint256);
        function decimals() returns (uint8);
        function deposit(uint256 assets, address receiver) returns (uint256 shares);
        function requestRedeem(uint256 shares, address controller, address owner) returns (uint256 requestId);
        function withdraw(uint256 assets, address receiver, address controller) returns (uint256 shares);
        function maxDeposit(address receiver) returns (uint256);
        function maxWithdraw(address owner) returns (uint256);
        function pendingRedeemRequest(uint256 requestId, address controller) returns (uint256);
        function outcomeOf(uint256 epoch)
            returns (uint256 requested, uint256 filled, uint256 kept, uint256 settled, uint256 paid, uint256 back);
    }

    #[derive(Debug)]
    interface DonationFund {
        event DonationEarmarked(
            bytes32 indexed donation, address indexed donor, bytes32 indexed purpose, address token, uint256 amount
        );
        event VoucherIssued(
            bytes32 indexed lock, bytes32 indexed donation, address indexed merchant, bytes32 beneficiary, uint256 amount
        );
        event DonationReleased(
            bytes32 indexed lock, bytes32 indexed donation, address indexed merchant, uint256 amount
        );
        event VoucherEnded(bytes32 indexed lock, bytes32 indexed donation, uint256 amount);
        event DonationReturned(bytes32 indexed donation, address indexed donor, uint256 amount);

        function earmark(address token, uint256 amount, bytes32 purpose, uint64 until, bytes32 salt)
            returns (bytes32 donation);
        function takeBack(bytes32 donation) returns (uint256 amount);
        function donationOf(bytes32 donation)
            returns (
                address token,
                address donor,
                uint64 until,
                bytes32 purpose,
                uint256 left,
                uint256 inVouchers,
                uint256 spent
            );
    }
}

/// States of a loan on chain, by their number there; named as in the service's table.
pub const STATES: [&str; 21] = [
    "none",
    "offered",
    "offer_expired",
    "declined",
    "accepted",
    "funding",
    "funding_failed",
    "funded",
    "disbursing",
    "disbursement_unknown",
    "disbursement_failed",
    "active",
    "cooling_off_cancelled",
    "restructured",
    "overpaid",
    "refund_pending",
    "closed",
    "charged_off",
    "recovered",
    "written_off_closed",
    "forgiven",
];

/// The number of a state.
#[must_use]
pub fn state_number(name: &str) -> Option<u8> {
    let at = STATES.iter().position(|state| *state == name)?;
    u8::try_from(at).ok()
}
