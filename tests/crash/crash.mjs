// Kills the node with SIGKILL at random moments under load, restarts it, and holds it to what it said before.
//
//   node tests/crash/crash.mjs [--kills 100] [--seed N] [--keep]
//
// After every restart: each block and receipt that a client was ever shown is still there with the same hash, the head is not
// older than any of them, and all balances equal the model's (model.mjs), now and at earlier heights. In the end the chain is
// exported and imported elsewhere, which executes every block again. The seed fixes load and choices; when exactly the kill
// falls is the machine's.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { encodeDeployData, encodeFunctionData } from 'viem';
import { mnemonicToAccount } from 'viem/accounts';

import { ERC20 } from '../e2e/artefacts.mjs';
import { MNEMONIC, braid, freePort, launch, ready, receiptOf, startNode, temporaryDirectory } from '../e2e/harness.mjs';
import { verifyAccountProof } from '../e2e/proof.mjs';
import { Shown, batch, listen, observe, send } from './load.mjs';
import { Model } from './model.mjs';
import { seeded } from './random.mjs';

const ACCOUNTS = 40;
const SENDERS = 2;
const MAX_LIFE_MS = 1_500;
const FETCH = 40;

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '100' }, seed: { type: 'string' }, keep: { type: 'boolean', default: false } },
});
const kills = Number(values.kills);
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
const random = seeded(seed);
const datadir = temporaryDirectory({ keep: values.keep });
const accounts = Array.from({ length: ACCOUNTS }, (_, addressIndex) => mnemonicToAccount(MNEMONIC, { addressIndex }));
const port = await freePort();
const args = ['--datadir', datadir, '--accounts', String(ACCOUNTS), '--gas-limit', '1000000000', '--quiet'];
const shown = new Shown();
const sent = [];
const snapshots = [];
let model;
let token;

console.log(`${kills} kills, seed ${seed}; replay: node tests/crash/crash.mjs --kills ${kills} --seed ${seed}`);

/** Blocks are made at once, or at a short interval: the two ways a kill can meet them. */
const mining = () => random.pick([[], ['--block-time', '0.05'], ['--block-time', '0.3']]);

/** The whole state is in memory, or hardly anything of it. */
const memory = () => random.pick([[], ['--memory', '1']]);

async function prepare() {
  const node = await startNode({ args, port });
  const genesis = await node.rpc('eth_getBlockByNumber', '0x0', false);
  const balances = await batch(node.url, accounts.map(({ address }) => ['eth_getBalance', address, '0x0']));
  model = new Model(genesis, new Map(accounts.map(({ address }, i) => [address.toLowerCase(), BigInt(balances[i])])));
  const [owner, ...others] = accounts.map(({ address }) => address);
  const data = encodeDeployData({ ...ERC20, args: ['Crash', 'CRS', 10n ** 30n, owner] });
  const deployed = await receiptOf(node, await node.rpc('eth_sendTransaction', { from: owner, data, gas: '0x2dc6c0' }));
  token = deployed.contractAddress;
  for (const to of others) {
    const transfer = encodeFunctionData({ abi: ERC20.abi, functionName: 'transfer', args: [to, 10n ** 9n] });
    await receiptOf(node, await node.rpc('eth_sendTransaction', { from: owner, to: token, data: transfer, gas: '0x186a0' }));
  }
  await verify(node);
  assert.deepEqual(await node.stop(), { code: 0, signal: null });
}

/** One life of the node: load from the moment it answers, death at a random one. */
async function live() {
  const node = await launch({ args: [...args, ...mining(), ...memory()], port });
  // One in six dies while it starts, which is when it recovers from the death before.
  if (random.chance(1 / 6)) {
    await sleep(random.between(0, 150));
    await node.kill();
    return { accepted: 0, moment: 'while starting' };
  }
  await ready(node);
  const ends = [];
  const life = { over: false, error: undefined, onOver: (end) => ends.push(end) };
  const work = { accounts, token, random, life, sent, shown };
  // Two senders may not share an account: their nonces would collide.
  const share = (i) => accounts.filter((_, at) => at % SENDERS === i);
  const clients = [
    ...Array.from({ length: SENDERS }, (_, i) => send(node, { ...work, accounts: share(i) })),
    observe(node, work),
    listen(node, work),
  ];
  const ms = random.between(20, MAX_LIFE_MS);
  await sleep(ms);
  // One in eight is asked to stop first, and killed while it does.
  if (random.chance(1 / 8)) {
    node.child.kill('SIGTERM');
    await sleep(random.between(0, 30));
  }
  life.over = true;
  await node.kill();
  for (const end of ends) end();
  const results = await Promise.all(clients);
  if (life.error) throw life.error;
  if (/panicked|corrupt/i.test(node.output())) throw new Error(`the node complained:\n${node.output()}`);
  return { accepted: results.slice(0, SENDERS).reduce((a, b) => a + b, 0), moment: `after ${ms} ms` };
}

/** Restarts the node and compares everything; `node` is given where it runs already. */
async function verify(node) {
  const head = Number(await node.rpc('eth_blockNumber'));
  assert.ok(head >= shown.highest, `the head is ${head}, but block ${shown.highest} was shown`);
  assert.ok(head >= model.height, `the head is ${head}, but block ${model.height} was there before`);
  assert.deepEqual(shown.conflicts, []);
  const oldHead = await node.rpc('eth_getBlockByNumber', hex(model.height), false);
  assert.equal(oldHead.hash, model.hashes.at(-1), 'the block that was the head when last compared');
  for (let from = model.height + 1; from <= head; from += FETCH) {
    const numbers = Array.from({ length: Math.min(FETCH, head - from + 1) }, (_, i) => hex(from + i));
    const answers = await batch(node.url, numbers.flatMap((n) => [['eth_getBlockByNumber', n, true], ['eth_getBlockReceipts', n]]));
    for (let i = 0; i < answers.length; i += 2) model.apply(answers[i], answers[i + 1]);
  }
  for (const [number, hash] of shown.blocks) assert.equal(model.hashes[number], hash, `block ${number} is the one that was shown`);
  for (const [hash, block] of shown.receipts) assert.equal(model.transactions.get(hash), block, `${hash} is where it was shown`);
  model.checkSupply();
  await compareBalances(node, model.snapshot());
  if (snapshots.length > 0) await compareBalances(node, random.pick(snapshots));
  snapshots.push(model.snapshot());
  const block = await node.rpc('eth_getBlockByNumber', hex(model.height), false);
  verifyAccountProof(block.stateRoot, await node.rpc('eth_getProof', random.pick(accounts).address, [], hex(model.height)));
}

async function compareBalances(node, { height, ether, tokens }) {
  const tag = hex(height);
  const owners = [...ether.keys()];
  const balances = await batch(node.url, owners.map((address) => ['eth_getBalance', address, tag]));
  owners.forEach((address, i) => assert.equal(BigInt(balances[i]), ether.get(address), `ether of ${address} at ${height}`));
  const holders = [...tokens.keys()];
  const held = await batch(node.url, holders.map((address) => ['eth_call', {
    to: token, data: encodeFunctionData({ abi: ERC20.abi, functionName: 'balanceOf', args: [address] }),
  }, tag]));
  holders.forEach((address, i) => assert.equal(BigInt(held[i]), tokens.get(address), `tokens of ${address} at ${height}`));
}

/** Executes the whole chain again, in another directory. */
async function reexecute() {
  const file = join(temporaryDirectory(), 'chain.rlp');
  const copy = join(temporaryDirectory(), 'copy');
  const genesis = join(datadir, 'genesis.json');
  await braid(['export', file, '--datadir', datadir], { timeoutMs: 600_000 });
  await braid(['import', file, '--genesis', genesis, '--datadir', copy], { timeoutMs: 600_000 });
  const node = await startNode({ args: ['--datadir', copy, '--genesis', genesis, '--no-mining', '--quiet'] });
  const block = await node.rpc('eth_getBlockByNumber', 'latest', false);
  assert.equal(block.hash, model.hashes.at(-1), 'executing every block again leads to the same head');
  await node.stop();
}

let survived = 0;
let accepted = 0;
try {
  await prepare();
  for (let kill = 1; kill <= kills; kill++) {
    const life = await live();
    accepted += life.accepted;
    const node = await startNode({ args: [...args, '--no-mining'], port });
    await verify(node);
    // The comparing node dies as well, or stops, at random.
    await (random.chance(0.5) ? node.kill() : node.stop());
    survived += 1;
    console.log(`kill ${kill} ${life.moment}: height ${model.height}, ${model.transactions.size} transactions, ${shown.blocks.size} blocks and ${shown.receipts.size} receipts shown`);
  }
  assert.ok(kills < 5 || model.transactions.size > 10 * kills, 'the load was real');
  await reexecute();
} catch (error) {
  console.error(error);
  console.error(`data directory: ${values.keep ? datadir : 'removed (use --keep)'}; replay: node tests/crash/crash.mjs --kills ${kills} --seed ${seed}`);
  console.log(`${survived} passed, 1 failed`);
  process.exit(1);
}
console.log(`${accepted} transactions accepted, ${model.transactions.size} included in ${model.height} blocks, every one executed twice`);
console.log(`${survived} passed, 0 failed`);
process.exit(0);

function hex(number) {
  return `0x${number.toString(16)}`;
}
