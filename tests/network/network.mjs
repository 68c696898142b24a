// A network of validators as real processes on loopback, under load, through what operators fear: SIGKILL of one node and of
// the leader, a disk that is gone, restarts one after the other, and nodes that join late, by every block and by the state. In the end
// every node has the same blocks and state roots, and every payment has been made exactly once.
//
//   node tests/network/network.mjs [--short] [--scheme ed25519|bls12381-threshold] [--dissemination whole|coded]
//                                  [--seed N] [--rounds N] [--keep]

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { seeded } from '../crash/random.mjs';
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

console.log(`seed ${seed}; replay: node tests/network/network.mjs --seed ${seed} --rounds ${rounds} ${flags.join(' ')}`);
/** Blocks between snapshots: even a short run has some. */
const SNAPSHOT_INTERVAL = 16;
const net = await writeNetwork({ followers: 2, args: flags, settings: { 'snapshot-interval': SNAPSHOT_INTERVAL }, keep: values.keep });
const { validators } = net;
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
  async 'a wiped disk: the node fetches everything again'() {
    const victim = random.pick(validators);
    await victim.stop();
    victim.wipe();
    await progress(others(victim));
    await victim.start();
    await progress(validators);
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

async function run(name, scenario) {
  const started = Date.now();
  await scenario();
  load?.check();
  for (const node of net.nodes) {
    if (/panicked/.test(node.output())) throw new Error(`${node.name} panicked:\n${node.output()}`);
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
  for (const [name, scenario] of Object.entries(once)) await run(name, scenario);
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
