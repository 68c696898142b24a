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
