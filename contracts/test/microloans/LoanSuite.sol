// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {FreeToken} from "../dex/Tokens.sol";
import {IERC20Metadata} from "@openzeppelin/token/ERC20/extensions/IERC20Metadata.sol";
import {IPriceOracle} from "src/lending/ILendingMarket.sol";
import {PriceFeed} from "src/lending/PriceFeed.sol";
import {Escrow} from "src/microloans/Escrow.sol";
import {FirstLoss} from "src/microloans/FirstLoss.sol";
import {FxHub} from "src/microloans/FxHub.sol";
import {ILenderPool, Parts} from "src/microloans/ILenderPool.sol";
import {ILoanBook} from "src/microloans/ILoanBook.sol";
import {LenderPool} from "src/microloans/LenderPool.sol";
import {IRateGuard, LoanBook} from "src/microloans/LoanBook.sol";
import {LoanState} from "src/microloans/LoanState.sol";
import {RoleGate} from "src/microloans/RoleGate.sol";
import {SponsoredForwarder} from "src/microloans/SponsoredForwarder.sol";
import {Tranche} from "src/microloans/Tranche.sol";

/// @dev A cheat code besides those of the suite.
interface Clock {
    function getBlockTimestamp() external view returns (uint256);
}

/// @dev A dollar with six decimals that anyone mints.
contract Dollar is FreeToken("USD") {
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

/// @dev A loan book with one pool of dollars, lenders in both tranches, and everybody in their role.
abstract contract LoanSuite is Suite {
    uint256 constant USD = 1e6;
    uint256 constant CENT = 1e4;
    uint256 constant START = 1_700_000_000;
    uint256 constant EPOCH = 7 days;
    bytes32 constant KEY_FACTS = keccak256("key facts");
    bytes32 constant LOAN = keccak256("a random word");

    Dollar usd = new Dollar();
    RoleGate gate = new RoleGate(address(this));
    FxHub hub = new FxHub(gate);
    SponsoredForwarder forwarder = new SponsoredForwarder(gate);
    LoanBook book;
    Escrow escrow;
    LenderPool pool;
    Tranche senior;
    Tranche junior;
    FirstLoss firstLoss;

    address originator = account("originator");
    address gateway = account("gateway");
    address treasurer = account("treasurer");
    address servicer = account("servicer");
    address credit = account("credit");
    address guardian = account("guardian");
    address parameters = account("parameters");
    address agent = account("agent");
    address sponsor = account("sponsor");
    address alice = account("alice");
    address bob = account("bob");
    address borrower = account("borrower");

    function _openBook() internal {
        vm.warp(START);
        book = new LoanBook(gate, address(forwarder), IRateGuard(address(hub)));
        escrow = book.escrow();
        _assign();
        pool = _newPool(_conditions());
        (senior, junior, firstLoss) = (pool.senior(), pool.junior(), pool.firstLoss());
        vm.startPrank(parameters);
        book.setPool(pool, true);
        escrow.setAgent(agent, true);
        vm.stopPrank();
        usd.mint(address(this), USD);
        usd.approve(address(pool), USD);
        pool.open(USD);
    }

    function _conditions() internal view returns (LenderPool.Conditions memory) {
        return LenderPool.Conditions({
            token: usd,
            currency: "USD",
            minorDecimals: 2,
            seniorRate: 8_000_000,
            feeBasis: 1000,
            minJuniorBasis: 2000,
            cap: 1e9 * USD,
            epoch: EPOCH,
            firstLossBasis: 1000,
            sponsor: sponsor
        });
    }

    function _newPool(LenderPool.Conditions memory terms) internal returns (LenderPool) {
        return new LenderPool(gate, address(book), terms, "Loans USD");
    }

    /// @dev Which role a function belongs to, and who has it.
    function _assign() private {
        _role(gate.ORIGINATOR(), originator, address(book), LoanBook.offer.selector);
        _role(gate.GATEWAY(), gateway, address(book), LoanBook.recordAcceptance.selector);
        _role(gate.GATEWAY(), gateway, address(book), LoanBook.recordConsent.selector);
        _role(gate.TREASURER(), treasurer, address(book), LoanBook.fund.selector);
        _role(gate.TREASURER(), treasurer, address(book), LoanBook.disburse.selector);
        _role(gate.TREASURER(), treasurer, address(book), LoanBook.confirm.selector);
        _role(gate.SERVICER(), servicer, address(book), LoanBook.repay.selector);
        _role(gate.SERVICER(), servicer, address(book), LoanBook.allocate.selector);
        _role(gate.SERVICER(), servicer, address(book), LoanBook.refund.selector);
        _role(gate.SERVICER(), servicer, address(book), LoanBook.step.selector);
        _role(gate.SERVICER(), servicer, address(book), LoanBook.cancel.selector);
        _role(gate.SERVICER(), servicer, address(book), LoanBook.setHold.selector);
        _role(gate.CREDIT(), credit, address(book), LoanBook.restructure.selector);
        _role(gate.CREDIT(), credit, address(book), LoanBook.chargeOff.selector);
        _role(gate.CREDIT(), credit, address(book), LoanBook.forgive.selector);
        _role(gate.PARAMETERS(), parameters, address(book), LoanBook.setPool.selector);
        _role(gate.PARAMETERS(), parameters, address(escrow), Escrow.setAgent.selector);
        _role(gate.PARAMETERS(), parameters, address(hub), FxHub.setPair.selector);
        _role(gate.PARAMETERS(), parameters, address(hub), FxHub.setMaker.selector);
        _role(gate.PARAMETERS(), parameters, address(forwarder), SponsoredForwarder.setQuota.selector);
        _role(gate.GUARDIAN(), guardian, address(hub), FxHub.setStopped.selector);
    }

    function _role(uint64 role, address member, address target_, bytes4 selector) internal {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        gate.setTargetFunctionRole(target_, selectors, role);
        gate.grantRole(role, member, 0);
    }

    // Lenders

    function _lend(Tranche tranche, address who, uint256 amount) internal returns (uint256 shares) {
        usd.mint(who, amount);
        vm.startPrank(who);
        usd.approve(address(tranche), amount);
        shares = tranche.deposit(amount, who);
        vm.stopPrank();
        _pass(1);
    }

    function _contribute(uint256 amount) internal {
        usd.mint(sponsor, amount);
        vm.startPrank(sponsor);
        usd.approve(address(firstLoss), amount);
        firstLoss.contribute(amount);
        vm.stopPrank();
    }

    function _ask(Tranche tranche, address who, uint256 shares) internal {
        vm.prank(who);
        tranche.requestRedeem(shares, who, who);
    }

    function _pass(uint256 elapsed) internal {
        vm.warp(clock() + elapsed);
    }

    /// @dev The time, read anew: the optimiser takes the timestamp for a constant of the call.
    function clock() internal view returns (uint256) {
        return Clock(address(vm)).getBlockTimestamp();
    }

    function _closeEpoch() internal {
        vm.warp(pool.epochUntil());
        pool.closeEpoch();
    }

    // Borrowers

    /// @dev Two instalments; the tree's root and the proofs are each other's leaf.
    function _instalments(uint128 principal) internal pure returns (ILoanBook.Instalment[2] memory) {
        uint128 half = principal / 2;
        return [
            ILoanBook.Instalment(0, 19_700, half, half / 100, uint128(CENT)),
            ILoanBook.Instalment(1, 19_730, principal - half, half / 200, 0)
        ];
    }

    function _leaves(uint128 principal) internal view returns (bytes32 first, bytes32 second) {
        ILoanBook.Instalment[2] memory both = _instalments(principal);
        return (book.instalmentLeaf(both[0]), book.instalmentLeaf(both[1]));
    }

    function _root(uint128 principal) internal view returns (bytes32) {
        (bytes32 a, bytes32 b) = _leaves(principal);
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    function _terms(uint128 principal, address wallet) internal view returns (ILoanBook.Terms memory) {
        return ILoanBook.Terms({
            borrower: keccak256("another random word"),
            product: keccak256("product"),
            schedule: _root(principal),
            keyFacts: KEY_FACTS,
            pair: 0,
            pool: pool,
            currency: "USD",
            account: wallet,
            offerUntil: uint64(clock() + 3 days),
            payee: wallet == address(0) ? agent : wallet,
            principal: principal
        });
    }

    function _offer(bytes32 loan, uint128 principal, address wallet) internal {
        // The terms are made first: their making asks, and a prank is for the next call.
        ILoanBook.Terms memory terms = _terms(principal, wallet);
        vm.prank(originator);
        book.offer(loan, 1, terms);
    }

    /// @dev A loan to somebody with a telephone, paid out; the next number is 6.
    function _phoneLoan(bytes32 loan, uint128 principal) internal {
        _offer(loan, principal, address(0));
        vm.prank(gateway);
        book.recordAcceptance(loan, 2, KEY_FACTS, "sw", 1, keccak256("evidence"));
        vm.startPrank(treasurer);
        book.fund(loan, 3);
        book.disburse(loan, 4);
        book.confirm(loan, 5, keccak256("receipt"));
        vm.stopPrank();
    }

    /// @dev A loan to a wallet, paid out; the next number is 4.
    function _walletLoan(bytes32 loan, uint128 principal) internal {
        _offer(loan, principal, borrower);
        vm.prank(borrower);
        book.accept(loan, KEY_FACTS, "en");
        vm.startPrank(treasurer);
        book.fund(loan, 2);
        book.disburse(loan, 3);
        vm.stopPrank();
    }

    function _hold(address who, uint256 amount) internal {
        usd.mint(who, amount);
        vm.prank(who);
        usd.approve(address(pool), type(uint256).max);
    }

    function _payNext(bytes32 loan, uint128 principal, uint16 number, address payer) internal {
        ILoanBook.Instalment memory instalment = _instalments(principal)[number];
        bytes32[] memory proof = new bytes32[](1);
        (bytes32 first, bytes32 second) = _leaves(principal);
        proof[0] = number == 0 ? second : first;
        _hold(payer, instalment.principal + instalment.interest + instalment.fees);
        vm.prank(payer);
        book.repayInstalment(loan, instalment, proof);
    }

    function _chargeOff(bytes32 loan) internal {
        uint64 next = book.loanOf(loan).sequence + 1;
        vm.prank(credit);
        book.chargeOff(loan, next, "90 days");
    }

    function _assertState(bytes32 loan, LoanState expected) internal view {
        vm.assertEq(uint256(book.stateOf(loan)), uint256(expected), "state");
    }

    /// @dev The two equations of the pool.
    function _assertBalanced() internal view {
        uint256 lent = pool.lendable() + pool.outstanding();
        vm.assertEq(lent, senior.worth() + junior.worth() + pool.surplus(), "claims are what is lent and to be lent");
        vm.assertEq(usd.balanceOf(address(pool)), pool.cash(), "cash");
        vm.assertEq(usd.balanceOf(address(firstLoss)), firstLoss.capital(), "first loss");
    }
}
