// A network whose validators live in network namespaces, joined by a bridge: cut in two halves of two, then healed.
// While it is cut no half has a quorum, so nothing may become final, and no two nodes may differ. After healing it must go on
// within seconds. Also a single validator cut off, which has to catch up.
//
// Needs the right to make namespaces (root); where that is not given it says so and does nothing.
//
//   node tests/network/partition.mjs [--rounds 2] [--seconds 8] [--keep]

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Load } from './load.mjs';
import { agree, writeNetwork } from './net.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '8' },
    keep: { type: 'boolean', default: false },
  },
});
const cutMs = Number(values.seconds) * 1_000;
const HEAL_MS = 30_000;
const tag = `br${process.pid % 10_000}`;
const subnet = `10.${100 + (process.pid % 100)}.${Math.floor(process.pid / 100) % 250}`;
const address = (i) => `${subnet}.${i + 1}`;
const namespace = (i) => `${tag}-${i}`;

const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
const inside = (i, ...args) => ip('netns', 'exec', namespace(i), 'ip', ...args);

function quietly(action) {
  try {
    action();
  } catch {
    // It is gone already, or never was.
  }
}

function removeNamespaces(count) {
  for (let i = 0; i < count; i++) quietly(() => ip('netns', 'del', namespace(i)));
  quietly(() => ip('link', 'del', tag));
}

/** A bridge, and for each node a namespace with one end of a pair of virtual cables in it. */
function makeNamespaces(count) {
  ip('link', 'add', tag, 'type', 'bridge');
  ip('addr', 'add', `${address(count)}/24`, 'dev', tag);
  ip('link', 'set', tag, 'up');
  for (let i = 0; i < count; i++) {
    ip('netns', 'add', namespace(i));
    ip('link', 'add', `${tag}v${i}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace(i));
    ip('link', 'set', `${tag}v${i}`, 'master', tag);
    ip('link', 'set', `${tag}v${i}`, 'up');
    inside(i, 'addr', 'add', `${address(i)}/24`, 'dev', 'eth0');
    inside(i, 'link', 'set', 'eth0', 'up');
    inside(i, 'link', 'set', 'lo', 'up');
  }
}

/** Lets node `i` reach none of `others` any more: packets to them disappear, as they do in a cut network. */
const cut = (i, others) => others.forEach((other) => inside(i, 'route', 'add', 'blackhole', `${address(other)}/32`));
const heal = (i, others) => others.forEach((other) => inside(i, 'route', 'del', 'blackhole', `${address(other)}/32`));

/** Moves a written network from loopback to the namespaces' addresses. */
function relocate(net) {
  const genesis = join(net.dir, 'genesis.json');
  let text = readFileSync(genesis, 'utf8');
  net.validators.forEach((node, i) => {
    const config = readFileSync(node.config, 'utf8');
    const [, port] = config.match(/listen = "127\.0\.0\.1:(\d+)"/);
    text = text.replace(`127.0.0.1:${port}`, `${address(i)}:${port}`);
    writeFileSync(node.config, `${config.replace('listen = "127.0.0.1:', `listen = "${address(i)}:`)}host = "${address(i)}"\n`);
    node.url = node.url.replace('127.0.0.1', address(i));
    node.prefix = ['ip', 'netns', 'exec', namespace(i)];
  });
  writeFileSync(genesis, text);
}

const count = 4;
try {
  makeNamespaces(count);
} catch (error) {
  removeNamespaces(count);
  console.log(`skipped: network namespaces cannot be made here (${String(error.stderr ?? error.message).trim()})`);
  console.log('0 passed, 0 failed, 2 skipped');
  process.exit(0);
}
process.on('exit', () => removeNamespaces(count));

const net = await writeNetwork({ validators: count, keep: values.keep });
const { nodes } = net;
const heights = () => Promise.all(nodes.map((node) => node.height()));
let passed = 0;

async function progress(blocks, timeoutMs) {
  const from = Math.max(...(await heights()));
  await Promise.all(nodes.map((node) => node.reach(from + blocks, timeoutMs)));
}

async function halves() {
  const sides = [[0, 1], [2, 3]];
  for (const i of sides[0]) cut(i, sides[1]);
  for (const i of sides[1]) cut(i, sides[0]);
  // What was final before may still be executed or fetched within a half.
  await sleep(2_000);
  const before = await heights();
  await sleep(cutMs);
  const after = await heights();
  assert.ok(Math.max(...after) <= Math.max(...before), `a half made blocks: ${before} became ${after}`);
  await agree(nodes);
  for (const i of sides[0]) heal(i, sides[1]);
  for (const i of sides[1]) heal(i, sides[0]);
  const healed = Date.now();
  await progress(3, HEAL_MS);
  await agree(nodes);
  return `no block in ${cutMs / 1000} s while cut, three blocks on all nodes ${((Date.now() - healed) / 1000).toFixed(1)} s after healing`;
}

async function one() {
  const rest = [0, 1, 2];
  for (const i of rest) cut(i, [3]);
  cut(3, rest);
  await sleep(2_000);
  const before = await heights();
  const since = Date.now();
  // Each of the three is needed, and two of them may still be finding each other again after the cut before.
  await Promise.all(rest.map((i) => nodes[i].reach(before[0] + 4, HEAL_MS)));
  const took = ((Date.now() - since) / 1000).toFixed(1);
  await sleep(Math.max(0, since + cutMs - Date.now()));
  const after = await heights();
  assert.equal(after[3], before[3], 'the one cut off made blocks');
  for (const i of rest) heal(i, [3]);
  heal(3, rest);
  const healed = Date.now();
  await nodes[3].reach(await nodes[0].height(), HEAL_MS);
  await progress(3, HEAL_MS);
  await agree(nodes);
  return `three made four blocks in ${took} s, ${after[0] - before[0]} in all, the fourth had them ${((Date.now() - healed) / 1000).toFixed(1)} s after healing`;
}

try {
  relocate(net);
  await Promise.all(nodes.map((node) => node.start()));
  await progress(5);
  const load = new Load(nodes, 1);
  for (let round = 0; round < Number(values.rounds); round++) {
    console.log(`two and two: ${await halves()}`);
    passed += 1;
    console.log(`three and one: ${await one()}`);
    passed += 1;
    load.check();
  }
  const paid = await load.stop();
  await progress(3);
  for (const node of nodes) await load.verify(node);
  console.log(`${paid} payments, ${await agree(nodes)} blocks`);
  await Promise.all(nodes.map((node) => node.stop()));
} catch (error) {
  console.error(error);
  for (const node of nodes) console.error(`--- ${node.name}\n${node.output().slice(-3_000)}`);
  console.log(`${passed} passed, 1 failed`);
  process.exit(1);
}
console.log(`${passed} passed, 0 failed`);
process.exit(0);
