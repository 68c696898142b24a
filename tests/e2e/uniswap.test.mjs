// Uniswap v2 as published: factory, WETH9, router and two OpenZeppelin tokens; liquidity and swaps against its formula.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Contract, ContractFactory, JsonRpcProvider, Wallet, ZeroAddress, getCreate2Address, keccak256, parseEther, solidityPackedKeccak256 } from 'ethers';

import { ERC20, UNISWAP_FACTORY, UNISWAP_PAIR, UNISWAP_ROUTER, WETH9 } from './artefacts.mjs';
import { ALICE, ALICE_KEY, BOB, BOB_KEY, startNode } from './harness.mjs';

const DEADLINE = 2n ** 32n;
const SUPPLY = parseEther('1000000');
let node, provider, alice, bob, factory, weth, router, tokenA, tokenB;

const done = async (sending) => {
  const receipt = await (await sending).wait();
  assert.equal(receipt.status, 1);
  return receipt;
};

async function deploy({ abi, bytecode }, ...args) {
  const contract = await new ContractFactory(abi, bytecode, alice).deploy(...args);
  await contract.waitForDeployment();
  return contract;
}

/** What UniswapV2Library.getAmountOut pays: 0.3 % fee, constant product, rounded down. */
const amountOut = (amountIn, reserveIn, reserveOut) =>
  (amountIn * 997n * reserveOut) / (reserveIn * 1000n + amountIn * 997n);

async function pairOf(one, other) {
  const pair = new Contract(await factory.getPair(one.target, other.target), UNISWAP_PAIR.abi, provider);
  const [reserve0, reserve1] = await pair.getReserves();
  const isFirst = BigInt(one.target) < BigInt(other.target);
  return { pair, reserves: isFirst ? [reserve0, reserve1] : [reserve1, reserve0] };
}

before(async () => {
  node = await startNode();
  provider = new JsonRpcProvider(node.url, undefined, { polling: true, pollingInterval: 20, cacheTimeout: -1 });
  alice = new Wallet(ALICE_KEY, provider);
  bob = new Wallet(BOB_KEY, provider);
  factory = await deploy(UNISWAP_FACTORY, ALICE);
  weth = await deploy(WETH9);
  router = await deploy(UNISWAP_ROUTER, factory.target, weth.target);
  tokenA = await deploy(ERC20, 'Alpha', 'A', SUPPLY, ALICE);
  tokenB = await deploy(ERC20, 'Beta', 'B', SUPPLY, ALICE);
  await done(tokenA.approve(router.target, SUPPLY));
  await done(tokenB.approve(router.target, SUPPLY));
});
after(async () => {
  provider?.destroy();
  await node?.stop();
});

test('the router deploys the pair where CREATE2 says, and mints the first shares', async () => {
  const [a, b] = [parseEther('1000'), parseEther('4000')];
  await done(router.addLiquidity(tokenA.target, tokenB.target, a, b, 0n, 0n, ALICE, DEADLINE));
  const { pair, reserves } = await pairOf(tokenA, tokenB);
  const [first, second] = [tokenA.target, tokenB.target].sort((x, y) => (BigInt(x) < BigInt(y) ? -1 : 1));
  const salt = solidityPackedKeccak256(['address', 'address'], [first, second]);
  assert.equal(pair.target, getCreate2Address(factory.target, salt, keccak256(UNISWAP_PAIR.bytecode)));
  assert.deepEqual(reserves, [a, b]);
  // sqrt(1000 * 4000) = 2000 shares, of which 1000 units are locked for ever.
  assert.equal(await pair.totalSupply(), parseEther('2000'));
  assert.equal(await pair.balanceOf(ALICE), parseEther('2000') - 1000n);
  assert.equal(await pair.balanceOf(ZeroAddress), 1000n);
  assert.equal(await factory.allPairsLength(), 1n);
});

test('a swap pays what the formula says, to the unit', async () => {
  await done(tokenA.transfer(BOB, parseEther('50')));
  await done(tokenA.connect(bob).approve(router.target, parseEther('50')));
  const { reserves: [reserveA, reserveB] } = await pairOf(tokenA, tokenB);
  const amountIn = parseEther('10');
  const expected = amountOut(amountIn, reserveA, reserveB);
  const path = [tokenA.target, tokenB.target];
  assert.equal(await router.getAmountOut(amountIn, reserveA, reserveB), expected);
  assert.deepEqual([...await router.getAmountsOut(amountIn, path)], [amountIn, expected]);
  const receipt = await done(router.connect(bob).swapExactTokensForTokens(amountIn, expected, path, BOB, DEADLINE));
  assert.equal(await tokenB.balanceOf(BOB), expected);
  const after = await pairOf(tokenA, tokenB);
  assert.deepEqual(after.reserves, [reserveA + amountIn, reserveB - expected]);
  assert.ok(after.reserves[0] * after.reserves[1] > reserveA * reserveB, 'the fee stays in the pool');
  const names = receipt.logs.map((log) => after.pair.interface.parseLog(log)?.name);
  assert.deepEqual(names, ['Approval', 'Transfer', 'Transfer', 'Sync', 'Swap']);
});

test('a swap below its minimum is refused and changes nothing', async () => {
  const before = await pairOf(tokenA, tokenB);
  const amountIn = parseEther('1');
  const expected = amountOut(amountIn, ...before.reserves);
  const swap = router.connect(bob).swapExactTokensForTokens;
  const path = [tokenA.target, tokenB.target];
  await assert.rejects(swap.staticCall(amountIn, expected + 1n, path, BOB, DEADLINE), { reason: 'UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT' });
  await assert.rejects(swap.staticCall(amountIn, 0n, path, BOB, 1n), { reason: 'UniswapV2Router: EXPIRED' });
  const sent = await swap(amountIn, expected + 1n, path, BOB, DEADLINE, { gasLimit: 500_000n });
  await assert.rejects(sent.wait(), { code: 'CALL_EXCEPTION' });
  assert.deepEqual((await pairOf(tokenA, tokenB)).reserves, before.reserves);
});

test('ether is wrapped on the way, over two pools', async () => {
  await done(router.addLiquidityETH(tokenB.target, parseEther('500'), 0n, 0n, ALICE, DEADLINE, { value: parseEther('100') }));
  const direct = await pairOf(tokenB, tokenA);
  const wrapped = await pairOf(weth, tokenB);
  assert.deepEqual(wrapped.reserves, [parseEther('100'), parseEther('500')]);
  const amountIn = parseEther('1');
  const middle = amountOut(amountIn, ...wrapped.reserves);
  const expected = amountOut(middle, ...direct.reserves);
  const before = await tokenA.balanceOf(BOB);
  await done(router.connect(bob).swapExactETHForTokens(expected, [weth.target, tokenB.target, tokenA.target], BOB, DEADLINE, { value: amountIn }));
  assert.equal(await tokenA.balanceOf(BOB) - before, expected);
  assert.equal(await weth.totalSupply(), parseEther('101'));
});

test('liquidity comes back with its share of the fees', async () => {
  const { pair, reserves: [reserveA, reserveB] } = await pairOf(tokenA, tokenB);
  const shares = await pair.balanceOf(ALICE);
  const supply = await pair.totalSupply();
  await done(pair.connect(alice).approve(router.target, shares));
  const [beforeA, beforeB] = [await tokenA.balanceOf(ALICE), await tokenB.balanceOf(ALICE)];
  await done(router.removeLiquidity(tokenA.target, tokenB.target, shares, 0n, 0n, ALICE, DEADLINE));
  assert.equal(await tokenA.balanceOf(ALICE) - beforeA, (shares * reserveA) / supply);
  assert.equal(await tokenB.balanceOf(ALICE) - beforeB, (shares * reserveB) / supply);
});

test('twenty swaps sent at once are all executed, in the order of their nonces', async () => {
  await done(router.addLiquidity(tokenA.target, tokenB.target, parseEther('1000'), parseEther('1000'), 0n, 0n, ALICE, DEADLINE));
  let { reserves: [reserveA, reserveB] } = await pairOf(tokenA, tokenB);
  const path = [tokenA.target, tokenB.target];
  const nonce = await alice.getNonce();
  const amounts = Array.from({ length: 20 }, (_, i) => parseEther('1') + BigInt(i));
  const sent = await Promise.all(amounts.map((amount, i) =>
    router.swapExactTokensForTokens(amount, 0n, path, ALICE, DEADLINE, { nonce: nonce + i, gasLimit: 200_000n })));
  await Promise.all(sent.map((transaction) => done(Promise.resolve(transaction))));
  for (const amount of amounts) {
    const out = amountOut(amount, reserveA, reserveB);
    [reserveA, reserveB] = [reserveA + amount, reserveB - out];
  }
  assert.deepEqual((await pairOf(tokenA, tokenB)).reserves, [reserveA, reserveB]);
});
