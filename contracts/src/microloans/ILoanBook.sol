// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ILenderPool, Parts} from "./ILenderPool.sol";
import {LoanState} from "./LoanState.sol";

/// @title The facts of micro-loans, and the money that follows them
/// @notice A loan is a random word; nothing that is told here names a person or can be turned into one. What a person is called,
/// where they are and what they earn stays with the lending service, and so do plain hashes of that.
///
/// What the service tells carries a number, from 1 on for each loan. Told again it changes nothing; told differently it is
/// refused; a gap is refused. So a service that was killed repeats what it is not sure of.
interface ILoanBook {
    /// @notice What an offer fixes.
    /// @param borrower A random word for the borrower of this loan, another one for every loan.
    /// @param product Hash of the product's terms.
    /// @param schedule Merkle root over the instalments, see {instalmentLeaf}.
    /// @param keyFacts Hash of the key facts statement, which has to be accepted.
    /// @param currency In ASCII; the pool's.
    /// @param pair Exchange rate that the loan depends on, as in {FxHub}, or zero. Funding waits while it is halted.
    /// @param principal In the pool's token.
    /// @param offerUntil Last second in which it can be accepted, since 1970.
    /// @param pool Whose money it is.
    /// @param account The borrower's wallet; zero for who has none.
    /// @param payee Who gets the money: the wallet, or an account of the escrow's list that pays it out elsewhere.
    struct Terms {
        bytes32 borrower;
        bytes32 product;
        bytes32 schedule;
        bytes32 keyFacts;
        bytes32 pair;
        ILenderPool pool;
        bytes8 currency;
        address account;
        uint64 offerUntil;
        address payee;
        uint128 principal;
    }

    /// @notice A loan. Amounts are in the pool's token.
    /// @param sequence Number of the last thing that the service has told.
    /// @param nextInstalment The first instalment that is not paid, from 0.
    /// @param isHeld Whether it is frozen or disputed: nothing is paid out.
    /// @param fundedAt When lenders' money was set aside, in seconds since 1970.
    /// @param outstanding Principal that is owed.
    /// @param writtenOff Principal that was given up.
    /// @param recovered What came in of that.
    struct Loan {
        Terms terms;
        LoanState state;
        uint64 sequence;
        uint16 nextInstalment;
        bool isHeld;
        uint64 fundedAt;
        uint128 outstanding;
        uint128 writtenOff;
        uint128 recovered;
        Parts paid;
    }

    /// @notice An instalment of the schedule that the borrower has accepted.
    /// @param due Day, in days since 1970.
    struct Instalment {
        uint16 number;
        uint32 due;
        uint128 principal;
        uint128 interest;
        uint128 fees;
    }

    error IllegalStep(bytes32 loan, LoanState from, LoanState to);
    error InvalidTerms();
    error UnknownPool(ILenderPool pool);
    error UnknownLoan(bytes32 loan);
    /// @notice After `last` comes its successor.
    error SequenceGap(bytes32 loan, uint64 last, uint64 given);
    /// @notice Something else was told under this number.
    error Contradiction(bytes32 loan, uint64 sequence);
    error NotBorrower(bytes32 loan, address caller);
    error WrongKeyFacts(bytes32 loan, bytes32 expected, bytes32 given);
    error OfferEnded(bytes32 loan, uint256 at);
    error OfferStands(bytes32 loan, uint256 until);
    error Held(bytes32 loan);
    error RateHalted(bytes32 pair);
    error NotRunning(bytes32 loan, LoanState state);
    error MoreThanOwed(bytes32 loan, uint256 owed, uint256 given);
    error StillOwed(bytes32 loan, uint256 owed);
    error NotScheduled(bytes32 loan, uint16 number);
    error NothingGiven();
    error InsufficientSuspense(bytes32 loan, address payer, uint256 held, uint256 wanted);
    error NotLapsed(bytes32 loan, uint256 at);

    event Offered(bytes32 indexed loan, bytes32 indexed borrower, Terms terms);
    /// @param channel How: 0 by the borrower's wallet, others as the service numbers them.
    /// @param evidence Keyed hash of what the service has to show for it, zero for a wallet.
    event KfsAccepted(bytes32 indexed loan, bytes32 keyFacts, bytes2 language, uint8 channel, bytes32 evidence);
    event Consented(bytes32 indexed loan, bytes32 keyFacts, uint8 channel, bytes32 evidence);
    event Stepped(bytes32 indexed loan, LoanState indexed from, LoanState indexed to, bytes32 reason);
    event Funded(bytes32 indexed loan, uint256 amount);
    event Disbursed(bytes32 indexed loan, address indexed payee, uint256 amount, bytes32 evidence);
    event Repaid(bytes32 indexed loan, address indexed payer, Parts parts, uint16 nextInstalment);
    event PaymentSuspended(bytes32 indexed loan, address indexed payer, uint256 amount);
    event PaymentRefunded(bytes32 indexed loan, address indexed payer, uint256 amount);
    event Restructured(bytes32 indexed loan, bytes32 schedule, bytes32 keyFacts);
    event ChargedOff(bytes32 indexed loan, uint256 amount);
    event Recovered(bytes32 indexed loan, address indexed payer, uint256 amount);
    event Forgiven(bytes32 indexed loan, address indexed donor, uint256 amount);
    event HoldSet(bytes32 indexed loan, bool isHeld, bytes32 reason);
    event PoolSet(ILenderPool indexed pool, bool isKnown);

    /// @notice The loan; its state is {LoanState.None} if there is none.
    function loanOf(bytes32 loan) external view returns (Loan memory);
    function stateOf(bytes32 loan) external view returns (LoanState);
    function poolOf(bytes32 loan) external view returns (ILenderPool);
    /// @notice Takes from the caller what comes in for a loan that was given up.
    function recover(bytes32 loan, uint128 amount) external;
}
