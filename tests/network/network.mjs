// A network of validators as real processes on loopback, under load, through what operators fear: SIGKILL of one node and of
// the leader, a disk that is gone, restarts one after the other, nodes that join late, by every block and by the state, and a committee
// that changes. In the end every node has the same blocks and state roots, every payment has been made exactly once, and nobody has
// contradicted itself.
//
//   node tests/network/network.mjs [--short] [--scheme ed25519|bls12381-threshold] [--dissemination whole|coded]
//                                  [--seed N] [--rounds N] [--keep]

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { mnemonicToAccount } from 'viem/accounts';

import { seeded } from '../crash/random.mjs';
import { CHAIN_ID, MNEMONIC, until } from '../e2e/harness.mjs';
import { Load } from './load.mjs';
import { agree, writeNetwork } from './net.mjs';

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    scheme: { type: 'string', default: 'ed25519' },
    dissemination: { type: 'string', default: 'whole' },
    seed: { type: 'string' },
    rounds: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
const rounds = values.rounds === undefined ? (values.short ? 1 : 5) : Number(values.rounds);
const random = seeded(seed);
const flags = ['--scheme', values.scheme, '--dissemination', values.dissemination];
/** Blocks that must be made for "the network goes on" to be true. */
const PROGRESS = values.short ? 5 : 20;
/** Blocks of an epoch: who has lost its votes waits for the end of one, and so does a change of the committee. */
const EPOCH_LENGTH = 50;
/** Blocks behind the head whose certificates one of the validators keeps. */
const KEPT = 20;

console.log(`seed ${seed}; replay: node tests/network/network.mjs --seed ${seed} --rounds ${rounds} ${flags.join(' ')}`);
/** Blocks between snapshots: even a short run has some. */
const SNAPSHOT_INTERVAL = 16;
const net = await writeNetwork({ followers: 2, args: flags, epochLength: EPOCH_LENGTH, settings: { 'snapshot-interval': SNAPSHOT_INTERVAL }, keep: values.keep });
const { validators } = net;
validators[3].configure(`keep-blocks = ${KEPT}`);
/** One executes every block; the other begins with the state. */
const [follower, late] = net.followers;
const complete = [...validators, follower];
let passed = 0;
let load;

/** Waits until all of `nodes` have made PROGRESS more blocks than the highest of them has now. */
async function progress(nodes) {
  const heights = await Promise.all(nodes.map((node) => node.height()));
  await Promise.all(nodes.map((node) => node.reach(Math.max(...heights) + PROGRESS)));
}

const others = (node) => validators.filter((other) => other !== node);

/** The running node that leads now, as one of them says. */
async function leader() {
  for (;;) {
    const { leader } = await random.pick(validators.filter((node) => node.isRunning)).status();
    const found = validators.find((node) => node.publicKey === leader);
    if (found?.isRunning) return found;
    await sleep(5);
  }
}

const hex = (number) => `0x${number.toString(16)}`;

/** The lowest block above the genesis that a node has; it says of those below that they are not there. */
async function begins(node) {
  let [absent, there] = [0, await node.height()];
  while (there - absent > 1) {
    const middle = Math.floor((absent + there) / 2);
    const found = await node.rpc('eth_getBlockByNumber', hex(middle), false).catch((error) => {
      assert.match(error.message, /Pruned history unavailable/);
      return null;
    });
    if (found) there = middle;
    else absent = middle;
  }
  return there;
}

const scenarios = {
  async 'four validators begin'() {
    await Promise.all(validators.map((node) => node.start()));
    await progress(validators);
    load = new Load(complete, seed);
  },
  async 'SIGKILL of one: three go on, it comes back'() {
    const victim = random.pick(validators);
    await victim.kill();
    await progress(others(victim));
    await victim.start();
    await progress(validators);
  },
  async 'SIGKILL of the leader: another one leads'() {
    const victim = await leader();
    await victim.kill();
    await progress(others(victim));
    await victim.start();
    await progress(validators);
  },
  async 'SIGKILL of two: nothing is final, then it goes on'() {
    const [one, two] = [validators[random.below(2)], validators[2 + random.below(2)]];
    await Promise.all([one.kill(), two.kill()]);
    const rest = validators.filter((node) => node.isRunning);
    // What was final already may still arrive.
    await sleep(2_000);
    const before = await Promise.all(rest.map((node) => node.height()));
    await sleep(values.short ? 2_000 : 5_000);
    const after = await Promise.all(rest.map((node) => node.height()));
    assert.ok(Math.max(...after) <= Math.max(...before), `two of four made blocks: ${before} became ${after}`);
    await Promise.all([one.start(), two.start()]);
    await progress(validators);
  },
  async 'a wiped disk: the node fetches everything again, and votes from the next epoch on'() {
    const victim = random.pick(validators);
    await victim.stop();
    victim.wipe();
    await progress(others(victim));
    await victim.start();
    await until(() => /following without a vote/.test(victim.output()), `${victim.name} to follow without a vote`, 60_000);
    await progress(validators);
    await until(async () => (await victim.status()).voting, `${victim.name} to vote again`, 60_000);
    assert.equal((await victim.status()).votesAgain, null);
    await agree(validators);
  },
  async 'restarts one after the other'() {
    for (const node of validators) {
      await node.stop();
      await progress(others(node));
      await node.start();
      await progress(validators);
    }
  },
  async 'SIGKILL of all at once: everything that was final is still there'() {
    const height = await agree(validators);
    const { hash } = await validators[0].rpc('eth_getBlockByNumber', `0x${height.toString(16)}`, false);
    await Promise.all(validators.map((node) => node.kill()));
    await Promise.all(validators.map((node) => node.start()));
    for (const node of validators) {
      const block = await node.rpc('eth_getBlockByNumber', `0x${height.toString(16)}`, false);
      assert.equal(block?.hash, hash, `${node.name} has lost block ${height}`);
    }
    await progress(validators);
  },
};

const once = {
  async 'a follower that joins late has every block'() {
    await follower.start();
    await follower.reach(await validators[0].height());
    await agree([...validators, follower]);
    await progress([...validators, follower]);
    const status = await follower.status();
    assert.equal(status.role, 'follower');
    assert.equal(status.voting, false);
  },
  async 'payments given to a follower are made, the leader being killed or not'() {
    await pay(follower, 0);
    const victim = await leader();
    await victim.kill();
    await pay(follower, 1);
    await victim.start();
    await progress(validators);
  },
  async 'another one begins with the state, killed on its way'() {
    // Somewhere between its first question and its first block.
    for (let attempt = 0; attempt < (values.short ? 2 : 8); attempt++) {
      late.launch({ BRAID_SYNC: 'state' });
      await sleep(random.between(100, 2_500));
      await late.kill();
    }
    await late.start({ BRAID_SYNC: 'state' });
    await late.reach(await validators[0].height());
    await progress([...validators, late]);
    const first = await begins(late);
    assert.ok(first > 1, 'it has executed every block');
    assert.ok((await late.rpc('braid_getCertificate', hex(first + 1))).certificate);
    await agree([validators[0], late], first);
    await late.kill();
    await progress(validators);
    await late.start();
    await progress([...validators, late]);
    assert.equal(await begins(late), first, 'a restart begins where it began');
    assert.equal(await late.rpc('eth_syncing'), false);
  },
  async 'every node agrees on every block and payment'() {
    const paid = await load.stop();
    assert.ok(paid > 0, 'the load was real');
    await progress(net.nodes);
    const height = await agree(complete);
    await agree([validators[0], late], await begins(late));
    for (const node of net.nodes) await load.verify(node);
    console.log(`  ${paid} payments, ${height} blocks, ${net.nodes.length} nodes`);
  },
};

/** The one that keeps few certificates has removed the first, and says so; the others have it. */
async function gone() {
  await validators[3].reach(2 * 256);
  await assert.rejects(validators[3].rpc('braid_getCertificate', '0x1'), /block 1 is no longer kept: this node has those from block \d+ on/);
  const { height } = await validators[0].rpc('braid_getCertificate', '0x1');
  assert.equal(Number(height), 1);
  const head = await validators[3].height();
  assert.ok(await validators[3].rpc('braid_getCertificate', `0x${(head - KEPT / 2).toString(16)}`));
}

/** What only ed25519 allows: validators vote a fifth one in and out again. */
const elections = {
  async 'the committee takes the follower in'() {
    const { publicKey } = follower;
    const [, listen] = readFileSync(follower.config, 'utf8').match(/listen = "(.*)"/);
    await follower.stop();
    await ask(`add:${publicKey}:0x${'ab'.repeat(20)}@${listen}`);
    await follower.start({ BRAID_ROLE: 'validator' });
    const isIn = async () => {
      const { committee, voting } = await follower.status();
      return committee.length === 5 && voting;
    };
    await until(isIn, 'the fifth validator to vote', 60_000);
    await progress(net.nodes);
  },
  async 'the committee lets it go'() {
    await ask(`remove:${follower.publicKey}`);
    await until(async () => (await validators[0].status()).committee.length === 4, 'a committee of four', 60_000);
    await until(async () => !(await follower.status()).voting, 'the fifth validator to follow', 60_000);
    await progress(net.nodes);
  },
};

/** Restarts the validators, one after the other, asking for a change of the committee. */
async function ask(vote) {
  for (const node of validators) {
    await node.stop();
    await node.start({ BRAID_VOTE: vote });
    await node.reach(await others(node)[0].height());
  }
}

/** Gives a node a payment and waits until it has made it; the payer is one that the load does not use. */
async function pay(node, nonce) {
  const account = mnemonicToAccount(MNEMONIC, { addressIndex: 9 });
  const fees = { gas: 21_000n, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 10n ** 9n };
  const raw = await account.signTransaction({ type: 'eip1559', chainId: CHAIN_ID, nonce, to: account.address, value: 1n, ...fees });
  const hash = await node.rpc('eth_sendRawTransaction', raw);
  const started = Date.now();
  const receipt = await until(() => node.rpc('eth_getTransactionReceipt', hash), `the payment given to ${node.name}`, 30_000);
  assert.equal(receipt.status, '0x1');
  console.log(`  payment to ${node.name}: ${Date.now() - started} ms`);
}

async function run(name, scenario) {
  const started = Date.now();
  await scenario();
  load?.check();
  for (const node of net.nodes) {
    if (/panicked/.test(node.output())) throw new Error(`${node.name} panicked:\n${node.output()}`);
    if (/is at fault/.test(node.output())) throw new Error(`${node.name} accuses another:\n${node.output()}`);
  }
  passed += 1;
  console.log(`${name}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

try {
  const { 'four validators begin': begin, ...faults } = scenarios;
  await run('four validators begin', begin);
  for (let round = 0; round < rounds; round++) {
    for (const [name, scenario] of Object.entries(faults)) await run(name, scenario);
  }
  const { 'every node agrees on every block and payment': end, ...joining } = once;
  for (const [name, scenario] of Object.entries(joining)) await run(name, scenario);
  if (values.scheme === 'ed25519') {
    for (const [name, scenario] of Object.entries(elections)) await run(name, scenario);
  }
  await run('what is no longer kept is said to be gone', gone);
  await run('every node agrees on every block and payment', end);
  await Promise.all(net.nodes.map((node) => node.stop()));
} catch (error) {
  console.error(error);
  for (const node of net.nodes) console.error(`--- ${node.name}\n${node.output().slice(-3_000)}`);
  console.error(`folder: ${values.keep ? net.dir : 'removed (use --keep)'}; replay: node tests/network/network.mjs --seed ${seed} --rounds ${rounds} ${flags.join(' ')}`);
  console.log(`${passed} passed, 1 failed`);
  process.exit(1);
}
console.log(`${passed} passed, 0 failed`);
process.exit(0);
