// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {CallingToken, FeeToken, FreeToken} from "./Tokens.sol";
import {IERC3156FlashBorrower} from "@openzeppelin/interfaces/IERC3156.sol";
import {IERC6909} from "@openzeppelin/interfaces/IERC6909.sol";
import {IERC20} from "@openzeppelin/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/utils/ReentrancyGuardTransient.sol";
import {IERC165} from "@openzeppelin/utils/introspection/IERC165.sol";
import {IUnlockCallback, IVault} from "src/dex/IVault.sol";
import {Vault} from "src/dex/Vault.sol";

/// @dev Does in a session, or during a loan, what it was told to.
contract Borrower is IUnlockCallback, IERC3156FlashBorrower {
    struct Call {
        address to;
        bytes data;
    }

    bool public refuses;

    function refuse() external {
        refuses = true;
    }

    function inSession(IVault vault, Call[] calldata calls) external returns (bytes memory) {
        return vault.unlock(abi.encode(calls));
    }

    function inLoan(IVault vault, address token, uint256 amount, Call[] calldata calls) external {
        vault.flashLoan(this, token, amount, abi.encode(calls));
    }

    function onUnlock(bytes calldata data) external returns (bytes memory) {
        _perform(data);
        return "done";
    }

    function onFlashLoan(address, address, uint256, uint256, bytes calldata data) external returns (bytes32) {
        _perform(data);
        return refuses ? bytes32(0) : keccak256("ERC3156FlashBorrower.onFlashLoan");
    }

    function perform(Call[] calldata calls) external {
        _perform(abi.encode(calls));
    }

    function _perform(bytes memory data) private {
        Call[] memory calls = abi.decode(data, (Call[]));
        for (uint256 i = 0; i < calls.length; i++) {
            (bool done, bytes memory reason) = calls[i].to.call(calls[i].data);
            if (done) continue;
            assembly ("memory-safe") {
                revert(add(reason, 32), mload(reason))
            }
        }
    }
}

contract VaultTest is Suite {
    Vault vault = new Vault();
    FreeToken token = new FreeToken("TKN");
    uint256 id = uint256(uint160(address(token)));
    address alice = account("alice");
    address bob = account("bob");
    Borrower borrower = new Borrower();
    Borrower.Call[] calls;

    function setUp() public {
        token.mint(alice, 1000);
        vm.startPrank(alice);
        token.approve(address(vault), type(uint256).max);
        vault.deposit(address(token), 600, alice);
        vm.stopPrank();
    }

    // Custody

    function testFuzz_WhatIsDepositedCanBeWithdrawn(uint256 amount, uint256 back) external {
        amount = bound(amount, 0, 400);
        back = bound(back, 0, amount);
        vm.prank(alice);
        vault.deposit(address(token), amount, bob);
        vm.assertEq(vault.balanceOf(bob, id), amount, "credited");
        vm.prank(bob);
        vault.withdraw(address(token), back, bob);
        vm.assertEq(vault.balanceOf(bob, id), amount - back, "debited");
        vm.assertEq(token.balanceOf(bob), back, "sent");
        vm.assertEq(vault.totalSupply(id), 600 + amount - back, "total");
        vm.assertEq(vault.totalSupply(id), token.balanceOf(address(vault)), "backing");
    }

    function test_RevertWhen_MoreIsWithdrawnThanHeld() external {
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientBalance.selector, alice, 600, 601, id));
        vm.prank(alice);
        vault.withdraw(address(token), 601, alice);
    }

    function test_RevertWhen_TheReceiverIsZero() external {
        vm.startPrank(alice);
        vm.expectRevert(IVault.InvalidReceiver.selector);
        vault.withdraw(address(token), 1, address(0));
        vm.expectRevert(IVault.InvalidReceiver.selector);
        vault.deposit(address(token), 1, address(0));
        vm.expectRevert(IVault.InvalidReceiver.selector);
        vault.transfer(address(0), id, 1);
    }

    function test_TokensGivenToTheVaultAreNobodys() external {
        vm.prank(alice);
        token.transfer(address(vault), 100);
        vm.assertEq(vault.totalSupply(id), 600, "total");
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientBalance.selector, bob, 0, 1, id));
        vm.prank(bob);
        vault.withdraw(address(token), 1, bob);
    }

    function test_AMeasuredDepositCreditsWhatArrived() external {
        FeeToken fee = new FeeToken();
        fee.mint(alice, 1000);
        vm.startPrank(alice);
        fee.approve(address(vault), 1000);
        vm.assertEq(vault.depositMeasured(address(fee), 1000, alice), 990, "received");
        vm.assertEq(vault.balanceOf(alice, uint160(address(fee))), 990, "credited");
        vault.withdraw(address(fee), 990, alice);
    }

    function test_RevertWhen_ATokenCallsBack() external {
        CallingToken calling = new CallingToken();
        calling.mint(alice, 10);
        address[1] memory callee = [address(vault)];
        bytes[3] memory inner = [
            abi.encodeCall(vault.deposit, (address(calling), 0, bob)),
            abi.encodeCall(vault.depositMeasured, (address(calling), 0, bob)),
            abi.encodeCall(vault.withdraw, (address(calling), 0, bob))
        ];
        vm.startPrank(alice);
        calling.approve(address(vault), 10);
        for (uint256 i = 0; i < inner.length; i++) {
            calling.onTransfer(callee[0], inner[i]);
            vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
            vault.depositMeasured(address(calling), 10, alice);
            vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
            vault.deposit(address(calling), 10, alice);
        }
    }

    // ERC-6909

    function testFuzz_BalancesMove(uint256 amount) external {
        amount = bound(amount, 0, 600);
        vm.prank(alice);
        vault.transfer(bob, id, amount);
        vm.assertEq(vault.balanceOf(alice, id), 600 - amount, "alice");
        vm.assertEq(vault.balanceOf(bob, id), amount, "bob");
    }

    function test_AllowancesAreSpent() external {
        vm.prank(alice);
        vault.approve(bob, id, 5);
        vm.startPrank(bob);
        vault.transferFrom(alice, bob, id, 3);
        vm.assertEq(vault.allowance(alice, bob, id), 2, "left");
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientAllowance.selector, bob, 2, 3, id));
        vault.transferFrom(alice, bob, id, 3);
    }

    function test_AnEndlessAllowanceIsNotSpent() external {
        vm.prank(alice);
        vault.approve(bob, id, type(uint256).max);
        vm.prank(bob);
        vault.transferFrom(alice, bob, id, 3);
        vm.assertEq(vault.allowance(alice, bob, id), type(uint256).max, "left");
    }

    function test_OperatorsNeedNoAllowance() external {
        vm.prank(alice);
        vault.setOperator(bob, true);
        vm.prank(bob);
        vault.transferFrom(alice, bob, id, 600);
        vm.prank(alice);
        vault.setOperator(bob, false);
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientAllowance.selector, bob, 0, 1, id));
        vm.prank(bob);
        vault.transferFrom(alice, bob, id, 1);
    }

    function test_TransientAllowancesGoFirst() external {
        vm.startPrank(alice);
        vault.approveTransient(bob, id, 4);
        vault.approve(bob, id, 5);
        vm.stopPrank();
        vm.startPrank(bob);
        vault.transferFrom(alice, bob, id, 4);
        vm.assertEq(vault.allowance(alice, bob, id), 5, "untouched");
        vault.transferFrom(alice, bob, id, 5);
        vm.assertEq(vault.allowance(alice, bob, id), 0, "spent");
    }

    function test_TellsWhatTokensTellOfThemselves() external {
        vm.assertEq(vault.name(id), "TKN", "name");
        vm.assertEq(vault.symbol(id), "TKN", "symbol");
        vm.assertEq(vault.decimals(id), 18, "decimals");
        assertTrue(vault.supportsInterface(type(IERC6909).interfaceId), "ERC-6909");
        assertTrue(vault.supportsInterface(type(IERC165).interfaceId), "ERC-165");
        assertFalse(vault.supportsInterface(0xffffffff), "others");
        vm.expectRevert(abi.encodeWithSelector(IVault.InvalidId.selector, type(uint256).max));
        vault.name(type(uint256).max);
    }

    // Sessions

    function test_ASessionPaysLater() external {
        _add(address(vault), abi.encodeCall(vault.withdraw, (address(token), 600, address(borrower))));
        _add(address(token), abi.encodeCall(IERC20.approve, (address(vault), 600)));
        _add(address(vault), abi.encodeCall(vault.deposit, (address(token), 600, address(borrower))));
        vm.assertEq(bytes32(borrower.inSession(vault, calls)), bytes32("done"), "result");
        vm.assertEq(vault.sessionHolder(), address(0), "closed");
        vm.assertEq(vault.balanceOf(alice, id), 600, "untouched");
        vm.assertEq(vault.totalSupply(id), 600, "total");
    }

    function test_RevertWhen_ASessionOwes() external {
        _add(address(vault), abi.encodeCall(vault.transfer, (bob, id, 1)));
        vm.expectRevert(abi.encodeWithSelector(IVault.Unsettled.selector, 1));
        borrower.inSession(vault, calls);
    }

    function test_RevertWhen_ASessionLeavesSomething() external {
        vm.prank(alice);
        vault.setOperator(address(borrower), true);
        _add(address(vault), abi.encodeCall(vault.transferFrom, (alice, address(borrower), id, 1)));
        vm.expectRevert(abi.encodeWithSelector(IVault.Unsettled.selector, 1));
        borrower.inSession(vault, calls);
    }

    function test_ASessionMayBeSettledByOthers() external {
        vm.prank(alice);
        vault.setOperator(address(borrower), true);
        _add(address(vault), abi.encodeCall(vault.transfer, (bob, id, 7)));
        _add(address(vault), abi.encodeCall(vault.transferFrom, (alice, address(borrower), id, 7)));
        borrower.inSession(vault, calls);
        vm.assertEq(vault.balanceOf(bob, id), 7, "bob");
        vm.assertEq(vault.balanceOf(alice, id), 593, "alice");
    }

    function test_WhatTheHolderHadBeforeStays() external {
        vm.prank(alice);
        vault.transfer(address(borrower), id, 50);
        _add(address(vault), abi.encodeCall(vault.transfer, (bob, id, 1)));
        vm.expectRevert(abi.encodeWithSelector(IVault.Unsettled.selector, 1));
        borrower.inSession(vault, calls);
        vm.assertEq(vault.balanceOf(address(borrower), id), 50, "untouched");
    }

    function test_RevertWhen_ASessionIsOpen() external {
        _add(address(vault), abi.encodeCall(vault.unlock, ("")));
        vm.expectRevert(abi.encodeWithSelector(IVault.AlreadyUnlocked.selector, address(borrower)));
        borrower.inSession(vault, calls);
    }

    function test_RevertWhen_ASessionWithdrawsMoreThanThereIs() external {
        _add(address(vault), abi.encodeCall(vault.withdraw, (address(token), 601, address(borrower))));
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientHoldings.selector, address(token), 600, 601));
        borrower.inSession(vault, calls);
    }

    function test_RevertWhen_AnAmountDoesNotFitARunningAccount() external {
        _add(address(vault), abi.encodeCall(vault.transfer, (bob, id, 1 << 255)));
        vm.expectRevert(abi.encodeWithSelector(IVault.AmountTooLarge.selector, 1 << 255));
        borrower.inSession(vault, calls);
    }

    function test_RunningAccountsCanBeAsked() external {
        vm.assertEq(vault.runningAccount(id), 0, "none");
    }

    /// @dev What is credited beyond the tokens in a session cannot leave it.
    function testFuzz_NoSessionMakesValue(uint256 lent, uint256 given) external {
        lent = bound(lent, 1, 600);
        given = bound(given, 0, 1200);
        vm.assume(lent != given);
        token.mint(address(borrower), 1200);
        _add(address(token), abi.encodeCall(IERC20.approve, (address(vault), 1200)));
        _add(address(vault), abi.encodeCall(vault.withdraw, (address(token), lent, address(borrower))));
        _add(address(vault), abi.encodeCall(vault.deposit, (address(token), given, address(borrower))));
        vm.expectRevert(abi.encodeWithSelector(IVault.Unsettled.selector, 1));
        borrower.inSession(vault, calls);
    }

    // Loans

    function test_LendsByERC3156() external {
        vm.assertEq(vault.maxFlashLoan(address(token)), 600, "most");
        vm.assertEq(vault.flashFee(address(token), 600), 0, "fee");
        _add(address(token), abi.encodeCall(IERC20.approve, (address(vault), 600)));
        vm.expectEmit();
        emit IVault.FlashLoan(address(borrower), address(token), 600);
        borrower.inLoan(vault, address(token), 600, calls);
        vm.assertEq(token.balanceOf(address(vault)), 600, "back");
    }

    function test_RevertWhen_ALoanIsNotReturned() external {
        _add(address(token), abi.encodeCall(IERC20.approve, (address(vault), 600)));
        _add(address(token), abi.encodeCall(IERC20.transfer, (bob, 1)));
        vm.expectRevert();
        borrower.inLoan(vault, address(token), 600, calls);
    }

    /// @dev A loan put into the vault is a balance, but the loan has to come back all the same.
    function test_RevertWhen_ALoanIsDeposited() external {
        _add(address(token), abi.encodeCall(IERC20.approve, (address(vault), 1200)));
        _add(address(vault), abi.encodeCall(vault.deposit, (address(token), 600, address(borrower))));
        vm.expectRevert();
        borrower.inLoan(vault, address(token), 600, calls);
    }

    function test_RevertWhen_TheBorrowerRefuses() external {
        borrower.refuse();
        vm.expectRevert(abi.encodeWithSelector(IVault.LoanRefused.selector, address(borrower)));
        borrower.inLoan(vault, address(token), 600, calls);
    }

    function test_RevertWhen_ThereIsNotSoMuchToLend() external {
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientHoldings.selector, address(token), 600, 601));
        borrower.inLoan(vault, address(token), 601, calls);
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenNotLent.selector, address(1)));
        vault.flashFee(address(1), 1);
    }

    function _add(address to, bytes memory data) private {
        calls.push(Borrower.Call(to, data));
    }
}

/// @dev Three accounts and a borrower who use two tokens at random.
contract VaultHandler is Suite {
    Vault public immutable vault = new Vault();
    FreeToken[2] public tokens = [new FreeToken("A"), new FreeToken("B")];
    address[4] public accounts;
    Borrower private immutable borrower = new Borrower();

    constructor() {
        for (uint160 i = 0; i < 3; i++) {
            accounts[i] = address(i + 100);
        }
        accounts[3] = address(borrower);
        for (uint256 i = 0; i < 8; i++) {
            tokens[i % 2].mint(accounts[i / 2], 1e24);
            vm.prank(accounts[i / 2]);
            tokens[i % 2].approve(address(vault), type(uint256).max);
        }
    }

    function deposit(uint256 who, uint256 to, uint256 which, uint256 amount) external {
        FreeToken token = tokens[which % 2];
        address depositor = accounts[who % 4];
        amount = bound(amount, 0, token.balanceOf(depositor));
        vm.prank(depositor);
        vault.deposit(address(token), amount, accounts[to % 4]);
    }

    function withdraw(uint256 who, uint256 to, uint256 which, uint256 amount) external {
        FreeToken token = tokens[which % 2];
        address owner = accounts[who % 4];
        amount = bound(amount, 0, vault.balanceOf(owner, uint160(address(token))));
        vm.prank(owner);
        vault.withdraw(address(token), amount, accounts[to % 4]);
    }

    function transfer(uint256 who, uint256 to, uint256 which, uint256 amount) external {
        uint256 id = uint160(address(tokens[which % 2]));
        address owner = accounts[who % 4];
        amount = bound(amount, 0, vault.balanceOf(owner, id));
        vm.prank(owner);
        vault.transfer(accounts[to % 4], id, amount);
    }

    /// @dev A session that may or may not settle.
    function session(uint256 which, uint256 taken, uint256 paid) external {
        FreeToken token = tokens[which % 2];
        taken = bound(taken, 0, vault.totalSupply(uint160(address(token))));
        paid = which % 3 == 0 ? bound(paid, 0, token.balanceOf(address(borrower))) : taken;
        Borrower.Call[] memory calls = new Borrower.Call[](2);
        calls[0].to = address(vault);
        calls[0].data = abi.encodeCall(vault.withdraw, (address(token), taken, address(borrower)));
        calls[1].to = address(vault);
        calls[1].data = abi.encodeCall(vault.deposit, (address(token), paid, address(borrower)));
        try borrower.inSession(vault, calls) {
            vm.assertEq(taken, paid, "settled");
        } catch {
            assertTrue(taken != paid, "not settled");
        }
    }

    function lend(uint256 which, uint256 amount) external {
        FreeToken token = tokens[which % 2];
        amount = bound(amount, 0, vault.totalSupply(uint160(address(token))));
        borrower.inLoan(vault, address(token), amount, new Borrower.Call[](0));
    }

    function give(uint256 who, uint256 which, uint256 amount) external {
        FreeToken token = tokens[which % 2];
        address giver = accounts[who % 3];
        amount = bound(amount, 0, token.balanceOf(giver) / 10);
        vm.prank(giver);
        token.transfer(address(vault), amount);
    }
}

contract VaultInvariants is Suite {
    VaultHandler handler;

    function setUp() public {
        handler = new VaultHandler();
        target(address(handler));
    }

    function invariant_EveryBalanceIsBacked() external view {
        Vault vault = handler.vault();
        for (uint256 i = 0; i < 2; i++) {
            FreeToken token = handler.tokens(i);
            uint256 id = uint160(address(token));
            uint256 held;
            for (uint256 j = 0; j < 4; j++) {
                held += vault.balanceOf(handler.accounts(j), id);
            }
            vm.assertEq(held, vault.totalSupply(id), "total");
            assertTrue(token.balanceOf(address(vault)) >= held, "backing");
        }
    }
}
