// A data directory keeps the chain: across stops, across kills, and not for two nodes at a time.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeDeployData, encodeFunctionData } from 'viem';

import { ERC20 } from './artefacts.mjs';
import { ALICE, BOB, CAROL, OWN_NODE, braid, receiptOf, startNode, temporaryDirectory } from './harness.mjs';

const options = { skip: OWN_NODE };
const send = async (node, transaction) => receiptOf(node, await node.rpc('eth_sendTransaction', transaction));
const transfer = (token, to, amount) => ({ to: token, data: encodeFunctionData({ abi: ERC20.abi, functionName: 'transfer', args: [to, amount] }) });

/** A token and some transfers; returns its address. */
async function populate(node, blocks = 12) {
  const data = encodeDeployData({ ...ERC20, args: ['Kept', 'KPT', 10n ** 9n, ALICE] });
  const { contractAddress } = await send(node, { from: ALICE, data, gas: '0x2dc6c0' });
  for (let i = 1; i <= blocks; i++) {
    await send(node, { from: ALICE, ...transfer(contractAddress, i % 2 ? BOB : CAROL, BigInt(i)) });
    await send(node, { from: BOB, to: CAROL, value: `0x${i.toString(16)}` });
  }
  return contractAddress;
}

/** Everything a client can see of the chain: blocks with transactions, receipts, and state at every height. */
async function observe(node, token) {
  const height = Number(await node.rpc('eth_blockNumber'));
  const seen = { height, blocks: [], receipts: [], balances: [], tokens: [] };
  for (let number = 0; number <= height; number++) {
    const tag = `0x${number.toString(16)}`;
    seen.blocks.push(await node.rpc('eth_getBlockByNumber', tag, true));
    seen.receipts.push(await node.rpc('eth_getBlockReceipts', tag));
    for (const address of [ALICE, BOB, CAROL]) {
      seen.balances.push(await node.rpc('eth_getBalance', address, tag));
      seen.tokens.push(await node.rpc('eth_call', { to: token, data: encodeFunctionData({ abi: ERC20.abi, functionName: 'balanceOf', args: [address] }) }, tag));
    }
  }
  seen.proof = await node.rpc('eth_getProof', token, ['0x0'], 'latest');
  seen.logs = await node.rpc('eth_getLogs', { fromBlock: '0x0', address: token });
  return seen;
}

for (const [how, end] of [['SIGTERM', (node) => node.stop()], ['SIGKILL', (node) => node.kill()]]) {
  test(`after ${how} and a restart, every answer is the same`, options, async () => {
    const datadir = temporaryDirectory();
    const args = ['--datadir', datadir];
    const first = await startNode({ args });
    const token = await populate(first);
    const before = await observe(first, token);
    const ended = await end(first);
    if (how === 'SIGTERM') assert.deepEqual(ended, { code: 0, signal: null }, first.output());
    const second = await startNode({ args });
    assert.deepEqual(await observe(second, token), before);
    const receipt = await send(second, { from: CAROL, to: ALICE, value: '0x1' });
    assert.equal(Number(receipt.blockNumber), before.height + 1, 'the chain goes on');
    const block = await second.rpc('eth_getBlockByNumber', receipt.blockNumber, false);
    assert.equal(block.parentHash, before.blocks.at(-1).hash);
    await second.stop();
  });
}

test('state set by development methods, and reverts, are kept too', options, async () => {
  const args = ['--datadir', temporaryDirectory()];
  const first = await startNode({ args });
  await send(first, { from: ALICE, to: BOB, value: '0x1' });
  await first.rpc('anvil_setBalance', CAROL, '0x4d2');
  const snapshot = await first.rpc('evm_snapshot');
  const head = await first.rpc('eth_getBlockByNumber', 'latest', false);
  await send(first, { from: ALICE, to: BOB, value: '0x1' });
  assert.equal(await first.rpc('evm_revert', snapshot), true);
  await first.kill();
  const second = await startNode({ args });
  assert.equal((await second.rpc('eth_getBlockByNumber', 'latest', false)).hash, head.hash);
  assert.equal(await second.rpc('eth_getBalance', CAROL, 'latest'), '0x4d2');
  await second.stop();
});

test('a directory serves one node at a time', options, async () => {
  const args = ['--datadir', temporaryDirectory()];
  const first = await startNode({ args });
  await assert.rejects(startNode({ args }), /in use/);
  await assert.rejects(braid(['db', 'stats', '--datadir', args[1]]), /in use/);
  assert.equal(await first.rpc('eth_chainId'), '0x7a69');
  await first.stop();
});

test('a directory belongs to its genesis', options, async () => {
  const datadir = temporaryDirectory();
  await (await startNode({ args: ['--datadir', datadir] })).stop();
  await assert.rejects(startNode({ args: ['--datadir', datadir, '--chain-id', '4242'] }), /exited with [12]/);
  await (await startNode({ args: ['--datadir', datadir] })).stop();
});

test('a file in the directory\'s place is refused', options, async () => {
  const file = join(temporaryDirectory(), 'file');
  writeFileSync(file, 'not a directory');
  await assert.rejects(startNode({ args: ['--datadir', file] }), /exited with [12]/);
});

test('without a directory nothing is left behind', options, async () => {
  const TMPDIR = temporaryDirectory();
  const node = await startNode({ env: { TMPDIR } });
  assert.equal(readdirSync(TMPDIR).length, 1);
  await send(node, { from: ALICE, to: BOB, value: '0x1' });
  await node.stop();
  assert.deepEqual(readdirSync(TMPDIR), []);
});

test('an exported chain is imported to the same head', options, async () => {
  const datadir = temporaryDirectory();
  const node = await startNode({ args: ['--datadir', datadir] });
  const token = await populate(node, 3);
  const head = await node.rpc('eth_getBlockByNumber', 'latest', false);
  await node.stop();
  const stats = JSON.parse(await braid(['db', 'stats', '--datadir', datadir, '--json']));
  assert.equal(stats.head, Number(head.number));
  const file = join(temporaryDirectory(), 'chain.rlp');
  await braid(['export', file, '--datadir', datadir]);
  const copy = join(temporaryDirectory(), 'copy');
  const genesis = join(datadir, 'genesis.json');
  await braid(['import', file, '--genesis', genesis, '--datadir', copy]);
  const second = await startNode({ args: ['--genesis', genesis, '--datadir', copy] });
  assert.deepEqual(await second.rpc('eth_getBlockByNumber', 'latest', false), head);
  const read = { to: token, data: encodeFunctionData({ abi: ERC20.abi, functionName: 'balanceOf', args: [BOB] }) };
  assert.equal(BigInt(await second.rpc('eth_call', read, 'latest')), 4n);
  await second.stop();
});

test('a snapshot makes a directory that goes on where the chain was', options, async () => {
  const datadir = temporaryDirectory();
  const first = await startNode({ args: ['--datadir', datadir] });
  const token = await populate(first, 4);
  const before = await observe(first, token);
  await first.stop();
  const folder = temporaryDirectory();
  const [plain, packed, restored] = ['state.snap', 'state.snap.gz', 'chain'].map((name) => join(folder, name));
  const head = before.blocks.at(-1).hash;
  for (const file of [plain, packed]) {
    assert.match(await braid(['snapshot', 'create', file, '--datadir', datadir]), new RegExp(`block ${before.height} ${head}`));
  }
  const from = ['--genesis', join(datadir, 'genesis.json')];
  const restore = (file, directory, ...more) => braid(['snapshot', 'restore', file, '--datadir', directory, ...from, ...more]);
  await assert.rejects(restore(plain, restored, '--hash', `0x${'11'.repeat(32)}`), /has the state of block/);

  // A byte in the middle of the state: nothing becomes a chain, and the good file does afterwards.
  const bytes = readFileSync(plain);
  bytes[bytes.length - 100] ^= 1;
  const altered = join(folder, 'altered.snap');
  writeFileSync(altered, bytes);
  await assert.rejects(restore(altered, restored), /is not a snapshot of that block/);
  writeFileSync(altered, readFileSync(plain).subarray(0, bytes.length - 50));
  await assert.rejects(restore(altered, restored), /it ends before its end/);

  assert.match(await restore(packed, restored, '--hash', head), new RegExp(`restored the state of block ${before.height} ${head}`));
  await assert.rejects(restore(packed, restored), /holds a chain already/);
  const second = await startNode({ args: ['--datadir', restored] });
  assert.equal(Number(await second.rpc('eth_blockNumber')), before.height);
  assert.deepEqual(await second.rpc('eth_getProof', token, ['0x0'], 'latest'), before.proof);
  const receipt = await send(second, { from: ALICE, ...transfer(token, BOB, 1n) });
  assert.equal(receipt.status, '0x1');
  assert.equal((await second.rpc('eth_getBlockByNumber', receipt.blockNumber, false)).parentHash, head);
  await second.stop();
});
