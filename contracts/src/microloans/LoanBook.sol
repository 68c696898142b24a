// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Escrow} from "./Escrow.sol";
import {ILenderPool, Parts} from "./ILenderPool.sol";
import {ILoanBook} from "./ILoanBook.sol";
import {LoanState, LoanStates} from "./LoanState.sol";
import {Gated, RoleGate} from "./RoleGate.sol";
import {ERC2771Context} from "@openzeppelin/metatx/ERC2771Context.sol";
import {Context} from "@openzeppelin/utils/Context.sol";
import {MerkleProof} from "@openzeppelin/utils/cryptography/MerkleProof.sol";

/// @notice Whether an exchange rate is halted; see {FxHub}.
interface IRateGuard {
    function isHalted(bytes32 pair) external view returns (bool);
}

/// @notice See {ILoanBook}.
/// @dev A loan's slots are its own. What many loans share is in their pool, and there a repayment only adds and takes off: repayments
/// of different loans commute.
contract LoanBook is ILoanBook, Gated, ERC2771Context {
    using LoanStates for LoanState;

    /// @notice From when on anybody can give money back to the pool that was set aside and not paid out, in seconds.
    uint256 public constant LAPSE_AFTER = 30 days;

    IRateGuard public immutable rates;
    Escrow public immutable escrow;

    mapping(bytes32 loan => Loan) private _loans;
    /// @notice Hash of the call by which the service told a fact.
    mapping(bytes32 loan => mapping(uint64 sequence => bytes32)) public factOf;
    /// @notice Other key facts that the borrower has agreed to since.
    mapping(bytes32 loan => bytes32) public consentOf;
    /// @notice What somebody has paid in for a loan and nobody has allocated.
    mapping(bytes32 loan => mapping(address payer => uint256)) public suspenseOf;
    /// @notice Pools that loans may be offered from.
    mapping(ILenderPool pool => bool) public isPool;

    constructor(RoleGate gate, address forwarder, IRateGuard rates_) Gated(gate) ERC2771Context(forwarder) {
        rates = rates_;
        escrow = new Escrow(gate, address(this));
    }

    // Offer and consent

    /// @notice Tells an offer.
    function offer(bytes32 loan, uint64 sequence, Terms calldata terms) external restricted notPaused {
        if (_isRepeated(loan, sequence)) return;
        _requireTerms(terms);
        Loan storage told = _loans[loan];
        told.terms = terms;
        _enter(loan, LoanState.Offered);
        emit Offered(loan, terms.borrower, terms);
    }

    /// @notice Accepts an offer, by the borrower's wallet.
    function accept(bytes32 loan, bytes32 keyFacts, bytes2 language) external notPaused {
        _requireBorrower(loan);
        _accept(loan, keyFacts, language, 0, 0);
    }

    /// @notice Tells the acceptance of a borrower without a wallet.
    function recordAcceptance(
        bytes32 loan,
        uint64 sequence,
        bytes32 keyFacts,
        bytes2 language,
        uint8 channel,
        bytes32 evidence
    ) external restricted notPaused {
        if (_isRepeated(loan, sequence)) return;
        address account = _known(loan).terms.account;
        // Who has a wallet speaks for themselves.
        if (account != address(0)) revert NotBorrower(loan, _msgSender());
        _accept(loan, keyFacts, language, channel, evidence);
    }

    /// @notice Refuses an offer, by the borrower's wallet.
    function decline(bytes32 loan) external {
        _requireBorrower(loan);
        _step(loan, LoanState.Declined, 0);
    }

    /// @notice Agrees to other key facts, by the borrower's wallet.
    function consent(bytes32 loan, bytes32 keyFacts) external {
        _requireBorrower(loan);
        consentOf[loan] = keyFacts;
        emit Consented(loan, keyFacts, 0, 0);
    }

    /// @notice Tells that a borrower without a wallet agrees to other key facts.
    function recordConsent(bytes32 loan, uint64 sequence, bytes32 keyFacts, uint8 channel, bytes32 evidence)
        external
        restricted
    {
        if (_isRepeated(loan, sequence)) return;
        if (_known(loan).terms.account != address(0)) revert NotBorrower(loan, _msgSender());
        consentOf[loan] = keyFacts;
        emit Consented(loan, keyFacts, channel, evidence);
    }

    // Money for the borrower

    /// @notice Sets lenders' money aside for an accepted loan.
    function fund(bytes32 loan, uint64 sequence) external restricted notPaused {
        if (_isRepeated(loan, sequence)) return;
        Loan storage loan_ = _known(loan);
        if (loan_.isHeld) revert Held(loan);
        bytes32 pair = loan_.terms.pair;
        if (pair != 0 && rates.isHalted(pair)) revert RateHalted(pair);
        _enter(loan, LoanState.Funding);
        _enter(loan, LoanState.Funded);
        uint128 amount = loan_.terms.principal;
        (loan_.outstanding, loan_.fundedAt) = (amount, uint64(block.timestamp));
        emit Funded(loan, amount);
        loan_.terms.pool.lend(loan, amount, address(escrow));
    }

    /// @notice Begins the payout. A wallet has the money at once; elsewhere it stays in escrow until {confirm}.
    function disburse(bytes32 loan, uint64 sequence) external restricted notPaused {
        if (_isRepeated(loan, sequence)) return;
        Loan storage loan_ = _known(loan);
        if (loan_.isHeld) revert Held(loan);
        _step(loan, LoanState.Disbursing, 0);
        Terms storage terms = loan_.terms;
        if (terms.payee == terms.account) _payOut(loan, terms, 0);
    }

    /// @notice Tells that the borrower has the money: the escrow reimburses who has paid it out.
    function confirm(bytes32 loan, uint64 sequence, bytes32 evidence) external restricted {
        if (_isRepeated(loan, sequence)) return;
        _payOut(loan, _known(loan).terms, evidence);
    }

    /// @notice Gives money back to the pool that was set aside long ago and never paid out. Anybody's to call.
    function lapse(bytes32 loan) external {
        Loan storage loan_ = _known(loan);
        if (loan_.state == LoanState.DisbursementFailed) _step(loan, LoanState.Funded, 0);
        if (loan_.state != LoanState.Funded) revert IllegalStep(loan, loan_.state, LoanState.CoolingOffCancelled);
        if (block.timestamp < loan_.fundedAt + LAPSE_AFTER) revert NotLapsed(loan, loan_.fundedAt + LAPSE_AFTER);
        // As if it had been paid out and given back.
        _enter(loan, LoanState.Disbursing);
        _enter(loan, LoanState.Active);
        _step(loan, LoanState.CoolingOffCancelled, "lapsed");
        uint128 amount = loan_.outstanding;
        loan_.outstanding = 0;
        ILenderPool pool = loan_.terms.pool;
        pool.takeBack(loan, amount);
        escrow.giveBack(loan, pool.token(), amount, address(pool));
    }

    // Money from the borrower. None of this asks the switch.

    /// @notice Pays the next instalment of the schedule, from the caller.
    function repayInstalment(bytes32 loan, Instalment calldata instalment, bytes32[] calldata proof) external {
        Loan storage loan_ = _running(loan);
        bytes32 leaf = instalmentLeaf(instalment);
        bool isNext = instalment.number == loan_.nextInstalment;
        if (!isNext || !MerkleProof.verifyCalldata(proof, loan_.terms.schedule, leaf)) {
            revert NotScheduled(loan, instalment.number);
        }
        Parts memory parts = Parts(instalment.principal, instalment.interest, instalment.fees, 0);
        _book(loan, loan_, _msgSender(), parts, instalment.number + 1);
        loan_.terms.pool.repay(loan, _msgSender(), parts);
    }

    /// @notice Takes money for a loan that the service allocates later; until then the payer can have it back.
    function payIn(bytes32 loan, uint256 amount) external {
        if (amount == 0) revert NothingGiven();
        ILenderPool pool = _known(loan).terms.pool;
        suspenseOf[loan][_msgSender()] += amount;
        emit PaymentSuspended(loan, _msgSender(), amount);
        pool.suspend(loan, _msgSender(), amount);
    }

    /// @notice Takes back what the caller has paid in and nobody has allocated.
    function takeBack(bytes32 loan, uint256 amount) external {
        _refund(loan, _msgSender(), amount);
    }

    /// @notice Tells a repayment that reached the caller, who hands it on.
    /// @param next The first instalment that is not paid now.
    function repay(bytes32 loan, uint64 sequence, Parts calldata parts, uint16 next) external restricted {
        if (_isRepeated(loan, sequence)) return;
        Loan storage loan_ = _running(loan);
        _book(loan, loan_, _msgSender(), parts, next);
        loan_.terms.pool.repay(loan, _msgSender(), parts);
    }

    /// @notice Tells what money that `payer` has paid in was for.
    function allocate(bytes32 loan, uint64 sequence, address payer, Parts calldata parts, uint16 next)
        external
        restricted
    {
        if (_isRepeated(loan, sequence)) return;
        Loan storage loan_ = _running(loan);
        _takeSuspense(loan, payer, _total(parts));
        _book(loan, loan_, payer, parts, next);
        loan_.terms.pool.allocate(loan, payer, parts);
    }

    /// @notice Sends back to a payer what was too much.
    function refund(bytes32 loan, uint64 sequence, address payer, uint256 amount) external restricted {
        if (_isRepeated(loan, sequence)) return;
        _refund(loan, payer, amount);
    }

    /// @inheritdoc ILoanBook
    function recover(bytes32 loan, uint128 amount) external {
        Loan storage loan_ = _known(loan);
        if (amount == 0) revert NothingGiven();
        if (loan_.state == LoanState.ChargedOff) _step(loan, LoanState.Recovered, 0);
        if (loan_.state != LoanState.Recovered) revert NotRunning(loan, loan_.state);
        uint128 owed = loan_.writtenOff - loan_.recovered;
        if (amount > owed) revert MoreThanOwed(loan, owed, amount);
        loan_.recovered += amount;
        emit Recovered(loan, _msgSender(), amount);
        loan_.terms.pool.recover(loan, _msgSender(), amount);
    }

    // Ends

    /// @notice Tells a step that moves no money.
    function step(bytes32 loan, uint64 sequence, LoanState to, bytes32 reason) external restricted {
        if (_isRepeated(loan, sequence)) return;
        Loan storage loan_ = _known(loan);
        if (!LoanStates.isPlain(loan_.state, to)) revert IllegalStep(loan, loan_.state, to);
        if (to == LoanState.OfferExpired && block.timestamp <= loan_.terms.offerUntil) {
            revert OfferStands(loan, loan_.terms.offerUntil);
        }
        bool isSettling = to == LoanState.Closed || to == LoanState.Overpaid;
        if (isSettling && loan_.outstanding != 0) revert StillOwed(loan, loan_.outstanding);
        _step(loan, to, reason);
    }

    /// @notice Tells that the borrower gave everything back within the days for that; the caller hands it on.
    function cancel(bytes32 loan, uint64 sequence, uint128 interest) external restricted {
        if (_isRepeated(loan, sequence)) return;
        Loan storage loan_ = _running(loan);
        Parts memory parts = Parts(loan_.outstanding, interest, 0, 0);
        _book(loan, loan_, _msgSender(), parts, loan_.nextInstalment);
        _step(loan, LoanState.CoolingOffCancelled, 0);
        loan_.terms.pool.repay(loan, _msgSender(), parts);
    }

    /// @notice Puts a loan on other terms, which the borrower has agreed to.
    function restructure(bytes32 loan, uint64 sequence, bytes32 schedule, bytes32 keyFacts) external restricted {
        if (_isRepeated(loan, sequence)) return;
        Loan storage loan_ = _known(loan);
        bytes32 agreed = consentOf[loan];
        if (agreed == 0 || agreed != keyFacts) revert WrongKeyFacts(loan, agreed, keyFacts);
        _step(loan, LoanState.Restructured, 0);
        (loan_.terms.schedule, loan_.terms.keyFacts, loan_.nextInstalment) = (schedule, keyFacts, 0);
        emit Restructured(loan, schedule, keyFacts);
    }

    /// @notice Gives a loan up: first loss, junior and senior lenders bear what is owed, in this order.
    function chargeOff(bytes32 loan, uint64 sequence, bytes32 reason) external restricted {
        if (_isRepeated(loan, sequence)) return;
        Loan storage loan_ = _known(loan);
        _step(loan, LoanState.ChargedOff, reason);
        uint128 amount = loan_.outstanding;
        (loan_.outstanding, loan_.writtenOff) = (0, amount);
        emit ChargedOff(loan, amount);
        loan_.terms.pool.writeOff(loan, amount);
    }

    /// @notice Ends a loan by a donor, the caller, who pays its principal.
    function forgive(bytes32 loan, uint64 sequence) external restricted {
        if (_isRepeated(loan, sequence)) return;
        Loan storage loan_ = _running(loan);
        Parts memory parts = Parts(loan_.outstanding, 0, 0, 0);
        _book(loan, loan_, _msgSender(), parts, loan_.nextInstalment);
        _step(loan, LoanState.Forgiven, 0);
        emit Forgiven(loan, _msgSender(), parts.principal);
        loan_.terms.pool.repay(loan, _msgSender(), parts);
    }

    /// @notice Freezes a loan before its payout, or lets it go on.
    function setHold(bytes32 loan, uint64 sequence, bool isHeld, bytes32 reason) external restricted {
        if (_isRepeated(loan, sequence)) return;
        _known(loan).isHeld = isHeld;
        emit HoldSet(loan, isHeld, reason);
    }

    /// @notice Lets loans be offered from a pool, or no more.
    function setPool(ILenderPool pool, bool isKnown) external restricted {
        isPool[pool] = isKnown;
        emit PoolSet(pool, isKnown);
    }

    // Questions

    /// @inheritdoc ILoanBook
    function loanOf(bytes32 loan) external view returns (Loan memory) {
        return _loans[loan];
    }

    /// @inheritdoc ILoanBook
    function stateOf(bytes32 loan) external view returns (LoanState) {
        return _loans[loan].state;
    }

    /// @inheritdoc ILoanBook
    function poolOf(bytes32 loan) external view returns (ILenderPool) {
        return _loans[loan].terms.pool;
    }

    /// @notice Whether a step is in the table.
    function allows(LoanState from, LoanState to) external pure returns (bool) {
        return from.allows(to);
    }

    /// @notice The leaf of an instalment in the schedule's tree: hashed twice, so that no node is a leaf. The tree is that of
    /// OpenZeppelin's MerkleProof: pairs are sorted.
    function instalmentLeaf(Instalment calldata instalment) public pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(instalment))));
    }

    // Steps

    function _accept(bytes32 loan, bytes32 keyFacts, bytes2 language, uint8 channel, bytes32 evidence) private {
        Terms storage terms = _known(loan).terms;
        if (keyFacts != terms.keyFacts) revert WrongKeyFacts(loan, terms.keyFacts, keyFacts);
        if (block.timestamp > terms.offerUntil) revert OfferEnded(loan, terms.offerUntil);
        _enter(loan, LoanState.Accepted);
        emit KfsAccepted(loan, keyFacts, language, channel, evidence);
    }

    function _payOut(bytes32 loan, Terms storage terms, bytes32 evidence) private {
        _enter(loan, LoanState.Active);
        emit Disbursed(loan, terms.payee, terms.principal, evidence);
        escrow.pay(loan, terms.pool.token(), terms.principal, terms.payee, terms.payee != terms.account);
    }

    /// @dev Books a repayment; the money is for the caller to move, afterwards.
    function _book(bytes32 loan, Loan storage loan_, address payer, Parts memory parts, uint16 next) private {
        if (_total(parts) == 0) revert NothingGiven();
        uint128 owed = loan_.outstanding;
        if (parts.principal > owed) revert MoreThanOwed(loan, owed, parts.principal);
        loan_.outstanding = owed - parts.principal;
        Parts storage paid = loan_.paid;
        (paid.principal, paid.interest) = (paid.principal + parts.principal, paid.interest + parts.interest);
        if (parts.fees | parts.penalties != 0) {
            (paid.fees, paid.penalties) = (paid.fees + parts.fees, paid.penalties + parts.penalties);
        }
        loan_.nextInstalment = next;
        emit Repaid(loan, payer, parts, next);
    }

    function _refund(bytes32 loan, address payer, uint256 amount) private {
        if (amount == 0) revert NothingGiven();
        _takeSuspense(loan, payer, amount);
        emit PaymentRefunded(loan, payer, amount);
        _known(loan).terms.pool.refund(loan, payer, amount);
    }

    function _takeSuspense(bytes32 loan, address payer, uint256 amount) private {
        uint256 held = suspenseOf[loan][payer];
        if (amount > held) revert InsufficientSuspense(loan, payer, held, amount);
        suspenseOf[loan][payer] = held - amount;
    }

    function _step(bytes32 loan, LoanState to, bytes32 reason) private {
        LoanState from = _loans[loan].state;
        _enter(loan, to);
        emit Stepped(loan, from, to, reason);
    }

    function _enter(bytes32 loan, LoanState to) private {
        LoanState from = _loans[loan].state;
        if (!from.allows(to)) revert IllegalStep(loan, from, to);
        _loans[loan].state = to;
    }

    /// @dev Whether this was told before, word for word. The hash is over the whole call: function, loan, number and all else.
    function _isRepeated(bytes32 loan, uint64 sequence) private returns (bool) {
        uint64 last = _loans[loan].sequence;
        bytes32 fact = keccak256(_msgData());
        if (sequence == last + 1) {
            _loans[loan].sequence = sequence;
            factOf[loan][sequence] = fact;
            return false;
        }
        if (sequence == 0 || sequence > last) revert SequenceGap(loan, last, sequence);
        if (factOf[loan][sequence] != fact) revert Contradiction(loan, sequence);
        return true;
    }

    function _requireTerms(Terms calldata terms) private view {
        if (!isPool[terms.pool]) revert UnknownPool(terms.pool);
        if (terms.borrower == 0 || terms.schedule == 0 || terms.keyFacts == 0) revert InvalidTerms();
        if (terms.principal == 0 || terms.principal % terms.pool.minorUnit() != 0) revert InvalidTerms();
        if (terms.currency != terms.pool.currency() || terms.payee == address(0)) revert InvalidTerms();
        if (terms.offerUntil < block.timestamp) revert InvalidTerms();
        bool isElsewhere = terms.payee != terms.account;
        if (isElsewhere && !escrow.isAgent(terms.payee)) revert InvalidTerms();
    }

    function _requireBorrower(bytes32 loan) private view {
        address account = _known(loan).terms.account;
        if (account == address(0) || account != _msgSender()) revert NotBorrower(loan, _msgSender());
    }

    function _known(bytes32 loan) private view returns (Loan storage loan_) {
        loan_ = _loans[loan];
        if (loan_.state == LoanState.None) revert UnknownLoan(loan);
    }

    function _running(bytes32 loan) private view returns (Loan storage loan_) {
        loan_ = _known(loan);
        if (!loan_.state.isRunning()) revert NotRunning(loan, loan_.state);
    }

    function _total(Parts memory parts) private pure returns (uint256) {
        return uint256(parts.principal) + parts.interest + parts.fees + parts.penalties;
    }

    function _msgSender() internal view override(Context, ERC2771Context) returns (address) {
        return ERC2771Context._msgSender();
    }

    function _msgData() internal view override(Context, ERC2771Context) returns (bytes calldata) {
        return ERC2771Context._msgData();
    }

    function _contextSuffixLength() internal view override(Context, ERC2771Context) returns (uint256) {
        return ERC2771Context._contextSuffixLength();
    }
}
