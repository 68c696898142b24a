// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Suite.sol";
import {Market} from "./Market.sol";
import {FreeToken} from "./Tokens.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/utils/ReentrancyGuardTransient.sol";
import {IPolicyRegistry} from "src/compliance/IPolicyRegistry.sol";
import {PolicyRegistry} from "src/compliance/PolicyRegistry.sol";
import {ConstantProductPool} from "src/dex/ConstantProductPool.sol";
import {HookFactory} from "src/dex/HookFactory.sol";
import {HookedPool} from "src/dex/HookedPool.sol";
import {IPool} from "src/dex/IPool.sol";
import {HookCalls, IPoolHooks} from "src/dex/IPoolHooks.sol";
import {IVault} from "src/dex/IVault.sol";
import {MembersHook} from "src/dex/MembersHook.sol";
import {PoolFactory} from "src/dex/PoolFactory.sol";
import {Router} from "src/dex/Router.sol";
import {RouterBase} from "src/dex/RouterBase.sol";
import {SurgeFee} from "src/dex/SurgeFee.sol";
import {WrappedEther} from "src/tokens/WrappedEther.sol";

/// @dev Counts what it is called for, and can be told to refuse, to burn its gas, to call something, and what fee to ask.
contract ScriptedHook is IPoolHooks {
    error Refused();

    uint256 public immutable calls;
    mapping(uint256 call => uint256) public heard;
    bytes32 public last;
    uint256 public fee;
    bool private refuses;
    bool private burns;
    address private callee;
    bytes private data;

    constructor(uint256 calls_) {
        calls = calls_;
    }

    function refuse() external {
        refuses = true;
    }

    function burn() external {
        burns = true;
    }

    function onCall(address callee_, bytes calldata data_) external {
        (callee, data) = (callee_, data_);
    }

    function setFee(uint256 fee_) external {
        fee = fee_;
    }

    function beforeSwap(address sender, address tokenIn, uint256 amountIn, address to) external {
        _hear(HookCalls.BEFORE_SWAP, abi.encode(sender, tokenIn, amountIn, to));
    }

    function afterSwap(address sender, address tokenIn, uint256 amountIn, uint256 amountOut, address to) external {
        _hear(HookCalls.AFTER_SWAP, abi.encode(sender, tokenIn, amountIn, amountOut, to));
    }

    function beforeAdd(address sender, uint256 max0, uint256 max1, address to) external {
        _hear(HookCalls.BEFORE_ADD, abi.encode(sender, max0, max1, to));
    }

    function afterAdd(address sender, uint256 amount0, uint256 amount1, uint256 shares, address to) external {
        _hear(HookCalls.AFTER_ADD, abi.encode(sender, amount0, amount1, shares, to));
    }

    function afterRemove(address sender, uint256 amount0, uint256 amount1, uint256 shares, address to) external {
        _hear(HookCalls.AFTER_REMOVE, abi.encode(sender, amount0, amount1, shares, to));
    }

    function swapFee(address, uint256) external view returns (uint256) {
        return fee;
    }

    function _hear(uint256 call, bytes memory arguments) private {
        if (refuses) revert Refused();
        while (burns) {}
        heard[call] += 1;
        last = keccak256(arguments);
        if (callee == address(0)) return;
        (bool done, bytes memory reason) = callee.call(data);
        if (done) return;
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }
}

/// @dev A pool that promises more than it gives, or gives without taking.
contract LyingPool is IPool {
    IVault private immutable vault;
    bool private immutable takes;

    constructor(IVault vault_, bool takes_) {
        (vault, takes) = (vault_, takes_);
    }

    function swap(address tokenIn, uint256 amountIn, uint256, address) external returns (uint256 amountOut) {
        if (takes) vault.transferFrom(msg.sender, address(this), uint160(tokenIn), amountIn);
        return amountIn;
    }

    function quote(address, uint256 amountIn) external pure returns (uint256) {
        return amountIn;
    }

    function quoteExact(address, uint256 amountOut) external pure returns (uint256) {
        return amountOut;
    }
}

contract HookedPoolTest is Market {
    HookFactory factory = new HookFactory(vault);
    ScriptedHook hook = new ScriptedHook(HookCalls.ALL);
    HookedPool pool;
    address lp = account("lp");
    address alice = account("alice");

    function setUp() public {
        hook.setFee(FEE);
        pool = _pool(hook);
    }

    function _pool(IPoolHooks hooks) private returns (HookedPool made) {
        made = factory.createPool(token0, token1, FEE, hooks);
        _fund(lp, address(made), 1e27);
        _fund(alice, address(made), 1e27);
        _provide(made, lp, 1e21, 2e21);
    }

    function test_RevertWhen_HooksMakeNoSense() external {
        _expectInvalid(IPoolHooks(address(0x1234)));
        _expectInvalid(new ScriptedHook(0));
        _expectInvalid(new ScriptedHook(HookCalls.ALL + 1));
    }

    function _expectInvalid(IPoolHooks hooks) private {
        vm.expectRevert(abi.encodeWithSelector(HookedPool.InvalidHooks.selector, hooks));
        new HookedPool(vault, token0, token1, FEE, hooks);
    }

    function test_TheFactoryKnowsItsPools() external {
        vm.assertEq(address(factory.getPool(token1, token0, FEE, hook)), address(pool), "either way round");
        vm.assertEq(address(factory.getPool(token0, token1, 1, hook)), address(0), "of another fee");
        vm.expectRevert(abi.encodeWithSelector(HookFactory.PoolExists.selector, pool));
        factory.createPool(token1, token0, FEE, hook);
    }

    function test_AHookHearsOfEverything() external {
        vm.startPrank(alice);
        uint256 out = pool.swap(token0, 1e18, 0, lp);
        vm.assertEq(hook.last(), keccak256(abi.encode(alice, token0, 1e18, out, lp)), "after a swap");
        (uint256 shares, uint256 in0, uint256 in1) = pool.addLiquidity(1e18, 1e18, 0, alice);
        vm.assertEq(hook.last(), keccak256(abi.encode(alice, in0, in1, shares, alice)), "after adding");
        (uint256 out0, uint256 out1) = pool.removeLiquidity(shares, 0, 0, lp);
        vm.assertEq(hook.last(), keccak256(abi.encode(alice, out0, out1, shares, lp)), "after removing");
        uint256[5] memory counts = [uint256(1), 1, 2, 2, 1];
        for (uint256 i = 0; i < 5; i++) {
            vm.assertEq(hook.heard(1 << i), counts[i], "so often");
        }
    }

    function test_AHookIsCalledForWhatItNames() external {
        for (uint256 i = 0; i < 5; i++) {
            ScriptedHook one = new ScriptedHook(1 << i);
            HookedPool made = _pool(one);
            vm.startPrank(alice);
            made.swap(token0, 1e18, 0, alice);
            (uint256 shares,,) = made.addLiquidity(1e18, 1e18, 0, alice);
            made.removeLiquidity(shares, 0, 0, alice);
            vm.stopPrank();
            for (uint256 j = 0; j < 5; j++) {
                assertTrue((one.heard(1 << j) != 0) == (i == j), "for this and nothing else");
            }
            vm.assertEq(made.feeOn(token0, 1), FEE, "the pool's own fee");
        }
    }

    function test_AHookRefusesWhatComesInOnly() external {
        hook.refuse();
        vm.startPrank(alice);
        vm.expectRevert(ScriptedHook.Refused.selector);
        pool.swap(token0, 1e18, 0, alice);
        vm.expectRevert(ScriptedHook.Refused.selector);
        pool.addLiquidity(1e18, 1e18, 0, alice);
        vm.stopPrank();
        uint256 shares = pool.balanceOf(lp);
        vm.expectEmit();
        emit HookedPool.NoticeFailed(lp, shares);
        vm.prank(lp);
        (uint256 out0,) = pool.removeLiquidity(shares, 0, 0, lp);
        vm.assertApproxEqAbs(out0, 1e21, 1e6, "all of it");
    }

    function test_AHookThatBurnsItsGasDoesNotHoldAnybody() external {
        hook.burn();
        uint256 shares = pool.balanceOf(lp);
        vm.prank(lp);
        (bool done,) = address(pool).call{gas: 700_000}(
            abi.encodeWithSignature("removeLiquidity(uint256,uint256,uint256,address)", shares, 0, 0, lp)
        );
        assertTrue(done, "gone");
        vm.assertEq(pool.balanceOf(lp), 0, "with all of it");
    }

    function test_RevertWhen_AHookUsesThePool() external {
        bytes[3] memory tries = [
            abi.encodeCall(pool.swap, (token0, 1e18, 0, address(hook))),
            abi.encodeCall(pool.addLiquidity, (1e18, 1e18, 0, address(hook))),
            abi.encodeCall(pool.removeLiquidity, (1, 0, 0, address(hook)))
        ];
        _fund(address(hook), address(pool), 1e24);
        for (uint256 i = 0; i < 3; i++) {
            hook.onCall(address(pool), tries[i]);
            vm.startPrank(alice);
            vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
            pool.swap(token0, 1e18, 0, alice);
            vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
            pool.addLiquidity(1e18, 1e18, 0, alice);
            vm.stopPrank();
        }
        // What a hook asks is answered.
        hook.onCall(address(pool), abi.encodeCall(pool.quote, (token0, 1e18)));
        vm.prank(alice);
        pool.swap(token0, 1e18, 0, alice);
    }

    function testFuzz_TheProductNeverFalls(uint256 amount, uint256 fee, bool first) external {
        hook.setFee(fee);
        amount = bound(amount, 1e6, 1e26);
        address tokenIn = first ? token0 : token1;
        uint256 product = pool.reserve0() * pool.reserve1();
        uint256 quoted = pool.quote(tokenIn, amount);
        assertTrue(pool.feeOn(tokenIn, amount) <= pool.MAX_FEE(), "no more than the highest");
        vm.prank(alice);
        vm.assertEq(pool.swap(tokenIn, amount, 0, alice), quoted, "as quoted");
        assertTrue(pool.reserve0() * pool.reserve1() >= product, "product");
        _assertBacked(pool);
    }

    function testFuzz_AnExactOutputIsReached(uint256 wanted, uint256 fee, bool first) external {
        hook.setFee(bound(fee, 0, 2 * pool.MAX_FEE()));
        wanted = bound(wanted, 1, 1e20);
        address tokenIn = first ? token0 : token1;
        uint256 needed = pool.quoteExact(tokenIn, wanted);
        assertTrue(pool.quote(tokenIn, needed) >= wanted, "enough");
        assertTrue(needed < 2 || pool.quote(tokenIn, needed - 1) < wanted, "and no more than enough");
    }

    // Fees that rise with the price's movement

    function _surging() private returns (HookedPool made, SurgeFee fees) {
        fees = new SurgeFee(500, 500_000, 50_000);
        made = _pool(fees);
    }

    function test_RevertWhen_FeesMakeNoSense() external {
        vm.expectRevert(abi.encodeWithSelector(SurgeFee.InvalidFees.selector, 2, 1));
        new SurgeFee(2, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(SurgeFee.InvalidFees.selector, 0, 1_000_001));
        new SurgeFee(0, 0, 1_000_001);
        vm.expectRevert(abi.encodeWithSelector(SurgeFee.InvalidFees.selector, 0, 1));
        new SurgeFee(0, 1_000_000_001, 1);
    }

    function test_TheFeeRisesWithinABlock() external {
        (HookedPool made, SurgeFee fees) = _surging();
        vm.assertEq(made.feeOn(token0, 1e15), 501, "the base, and a little for a little");
        vm.assertEq(made.feeOn(token0, 1e19), 10_500, "a hundredth of the reserve moves the price by two");
        vm.assertEq(made.feeOn(token0, 1e21), 50_000, "no more than the cap");
        vm.prank(alice);
        made.swap(token0, 1e19, 0, alice);
        uint256 moved = made.feeOn(token0, 1e15);
        assertTrue(moved > 10_000 && moved < 10_700, "the price has moved by nearly two in a hundred");
        assertTrue(made.feeOn(token1, 1e15) == moved, "either way");
        (uint256 price, uint256 height) = fees.anchorOf(address(made));
        vm.assertEq(price, uint256(2) << 112, "from the block's first price");
        vm.assertEq(height, block.number, "of this block");
        vm.roll(block.number + 1);
        vm.assertEq(made.feeOn(token0, 1e15), 500, "a new block begins where it is");
    }

    function test_AnEmptyPoolHasTheHighestFee() external {
        HookedPool made = new HookedPool(vault, token0, token1, FEE, new SurgeFee(500, 500_000, 50_000));
        vm.assertEq(made.feeOn(token0, 1), 50_000, "cap");
        vm.assertEq(made.quote(token0, 1e18), 0, "and trades nothing");
    }

    /// @dev Both pools have the same reserves, the victim loses the same, and the attacker gains in the plain one alone.
    function test_ASandwichPaysForItself() external {
        (HookedPool made,) = _surging();
        ConstantProductPool plain = new ConstantProductPool(vault, token0, token1, 500);
        _fund(lp, address(plain), 1e27);
        _fund(alice, address(plain), 1e27);
        _provide(plain, lp, 1e21, 2e21);
        assertTrue(_sandwich(plain) > 0, "the plain pool is sandwiched");
        assertTrue(_sandwich(made) < 0, "the other pays its providers");
    }

    function _sandwich(ConstantProductPool attacked) private returns (int256 gain) {
        uint256 before = vault.balanceOf(alice, id0);
        vm.prank(alice);
        uint256 bought = attacked.swap(token0, 2e19, 0, alice);
        vm.prank(lp);
        attacked.swap(token0, 1e19, 0, lp);
        vm.prank(alice);
        attacked.swap(token1, bought, 0, alice);
        return int256(vault.balanceOf(alice, id0)) - int256(before);
    }
}

/// @dev Pools for members, and trades in pools that the trader names.
contract NamedPoolsTest is Market {
    HookFactory hookFactory = new HookFactory(vault);
    PoolFactory factory = new PoolFactory(vault);
    WrappedEther weth = new WrappedEther();
    Router router = new Router(factory, weth);
    PolicyRegistry registry = new PolicyRegistry();
    uint64 policy;
    MembersHook hook;
    HookedPool pool;
    address lp = account("lp");
    address alice = account("alice");
    address mallory = account("mallory");
    uint256 later = block.timestamp + 1;

    function setUp() public {
        policy = registry.createPolicy(address(this), IPolicyRegistry.PolicyType.WHITELIST);
        registry.modifyPolicyWhitelist(policy, lp, true);
        registry.modifyPolicyWhitelist(policy, alice, true);
        hook = new MembersHook(registry, policy, router);
        pool = hookFactory.createPool(token0, token1, FEE, hook);
        address[3] memory all = [lp, alice, mallory];
        for (uint256 i = 0; i < 3; i++) {
            _fund(all[i], address(pool), 1e24);
            FreeToken(token0).mint(all[i], 1e24);
            vm.prank(all[i]);
            FreeToken(token0).approve(address(router), type(uint256).max);
        }
        _provide(pool, lp, 1e21, 1e21);
    }

    function _through(IPool named) private view returns (address[] memory path, IPool[] memory pools) {
        path = new address[](2);
        (path[0], path[1]) = (token0, token1);
        pools = new IPool[](1);
        pools[0] = named;
    }

    function test_MembersTradeAndProvide() external {
        vm.startPrank(alice);
        pool.swap(token0, 1e18, 0, alice);
        pool.addLiquidity(1e18, 1e18, 0, alice);
        (address[] memory path, IPool[] memory pools) = _through(pool);
        uint256 quoted = pool.quote(token0, 1e18);
        vm.expectEmit();
        emit Router.Traded(alice, address(pool), token0, token1, 1e18, quoted, 0);
        uint256[] memory got = router.swapExactTokensThrough(1e18, quoted, path, pools, alice, later);
        vm.assertEq(FreeToken(token1).balanceOf(alice), got[1], "in the wallet");
        vm.assertEq(router.trader(), address(0), "over");
    }

    function test_RevertWhen_SomebodyElseTrades() external {
        bytes memory refusal = abi.encodeWithSelector(MembersHook.NotAdmitted.selector, mallory, policy);
        (address[] memory path, IPool[] memory pools) = _through(pool);
        vm.startPrank(mallory);
        vm.expectRevert(refusal);
        pool.swap(token0, 1e18, 0, mallory);
        vm.expectRevert(refusal);
        pool.swap(token0, 1e18, 0, alice);
        vm.expectRevert(refusal);
        pool.addLiquidity(1e18, 1e18, 0, alice);
        vm.expectRevert(refusal);
        router.swapExactTokensThrough(1e18, 0, path, pools, alice, later);
        vm.stopPrank();
        vm.prank(alice);
        vm.expectRevert(refusal);
        pool.swap(token0, 1e18, 0, mallory);
        vm.expectRevert(abi.encodeWithSelector(MembersHook.UnknownPolicy.selector, 99));
        new MembersHook(registry, 99, router);
    }

    /// @dev The hook is called for what it names; the rest does nothing.
    function test_AHookForMembersHearsNothingElse() external view {
        hook.afterSwap(lp, token0, 1, 1, lp);
        hook.afterAdd(lp, 1, 1, 1, lp);
        hook.afterRemove(lp, 1, 1, 1, lp);
        vm.assertEq(hook.swapFee(token0, 1), 0, "no fee of its own");
        vm.assertEq(pool.feeOn(token0, 1), FEE, "the pool's");
    }

    function test_WhoIsNoMemberAnyMoreLeaves() external {
        registry.modifyPolicyWhitelist(policy, lp, false);
        uint256 shares = pool.balanceOf(lp);
        vm.prank(lp);
        (uint256 out0,) = pool.removeLiquidity(shares, 0, 0, lp);
        assertTrue(out0 > 9e20, "with all of it");
    }

    function test_RevertWhen_ANamedPoolLies() external {
        (address[] memory path, IPool[] memory pools) = _through(new LyingPool(vault, true));
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IVault.Unsettled.selector, 1));
        router.swapExactTokensThrough(1e18, 0, path, pools, alice, later);
        (path, pools) = _through(new LyingPool(vault, false));
        vm.expectRevert(abi.encodeWithSelector(IVault.Unsettled.selector, 2));
        router.swapExactTokensThrough(1e18, 0, path, pools, alice, later);
    }

    function test_RevertWhen_PoolsDoNotFitThePath() external {
        (address[] memory path, IPool[] memory pools) = _through(pool);
        vm.startPrank(alice);
        vm.expectRevert(RouterBase.InvalidPath.selector);
        router.swapExactTokensThrough(1e18, 0, path, new IPool[](2), alice, later);
        vm.expectRevert(RouterBase.InvalidPath.selector);
        router.swapExactTokensThrough(1e18, 0, new address[](1), pools, alice, later);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.Expired.selector, later - 2));
        router.swapExactTokensThrough(1e18, 0, path, pools, alice, later - 2);
        uint256 quoted = pool.quote(token0, 1e18);
        vm.expectRevert(abi.encodeWithSelector(RouterBase.InsufficientOutput.selector, quoted, quoted + 1));
        router.swapExactTokensThrough(1e18, quoted + 1, path, pools, alice, later);
    }
}
