// A group key without a dealer, as real processes on loopback: four validators make it together, begin a chain with it, and hand it
// on to each other in every epoch, while some of them are killed. In the end a light client that knows nothing but the first
// genesis checks a block that was signed with shares which nobody had then.
//
//   node tests/network/group.mjs [--epoch N] [--keep]

import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { braid, until } from '../e2e/harness.mjs';
import { agree, writeNetwork } from './net.mjs';

const { values } = parseArgs({
  options: { epoch: { type: 'string', default: '30' }, keep: { type: 'boolean', default: false } },
});
const epoch = Number(values.epoch);
const net = await writeNetwork({ args: ['--scheme', 'bls12381-threshold'], keep: values.keep });
const { validators } = net;
const genesis = join(net.dir, 'genesis.json');
const draft = join(net.dir, 'draft.json');

/** The genesis without a key, and shares forgotten. */
function forget() {
  const parsed = JSON.parse(readFileSync(genesis, 'utf8'));
  delete parsed.config.braid.groupPolynomial;
  parsed.config.braid.epochLength = epoch;
  writeFileSync(draft, JSON.stringify(parsed));
  rmSync(genesis);
  for (const { folder } of validators) rmSync(join(folder, 'share.json'));
  return parsed.config.braid.validators.map(({ address }) => address);
}

function generate(node, listen, ...more) {
  const files = ['--genesis', draft, '--key', join(node.folder, 'key.json'), '--share', join(node.folder, 'share.json')];
  const password = ['--password-file', join(net.dir, 'password'), '--light'];
  const output = ['--output', join(node.folder, 'genesis.json')];
  return braid(['keys', 'generate-group', ...files, ...output, ...password, '--listen', listen, ...more]);
}

async function metric(node, name) {
  const text = await (await fetch(`${node.url}/metrics`)).text();
  const line = text.split('\n').find((line) => !line.startsWith('#') && line.includes(name));
  return line === undefined ? 0 : Number(line.split(' ').at(-1));
}

/** Waits until a node has seen the group's key handed on `count` times since it was started. */
const reshared = (node, count) =>
  until(async () => (await metric(node, 'reshare_successful')) >= count, `${node.name} to see ${count} resharings`, 120_000);

try {
  const addresses = forget();
  // On a busy machine one of the three may come late; what each of them must name is the one that never comes.
  const three = validators.slice(0, 3).map((node, i) => generate(node, addresses[i], '--patience', '10'));
  for (const { status, reason } of await Promise.allSettled(three)) {
    assert.equal(status, 'rejected', 'three of four make no key');
    assert.match(String(reason), new RegExp(`failed to make a group key: no part from [0-9a-f, ]*\\b${validators[3].publicKey.slice(2)}\\b`));
  }
  console.log('three of four: no key, and the fourth is named');
  await Promise.all(validators.map((node, i) => generate(node, addresses[i], '--attempt', '1')));
  const made = validators.map(({ folder }) => readFileSync(join(folder, 'genesis.json'), 'utf8'));
  assert.ok(made.every((text) => text === made[0]), 'all have the same genesis');
  renameSync(join(validators[0].folder, 'genesis.json'), genesis);
  console.log('four of four: one key');

  await Promise.all(validators.map((node) => node.start()));
  await validators[0].reach(epoch);
  await Promise.all(validators.map((node) => reshared(node, 1)));
  console.log('the key is handed on');

  const [first, second, third] = validators;
  const height = await first.height();
  await first.kill();
  await second.reach(height + 5);
  await first.start();
  await reshared(first, 1);
  await second.kill();
  // Three of four are left, the first among them, whose share is one that it was given after it was killed.
  const before = await third.height();
  await Promise.all([first, third].map((node) => node.reach(before + epoch + 5)));
  await second.start();
  await Promise.all(validators.map((node) => node.reach(before + 2 * epoch)));
  await agree(validators);
  console.log('one after the other is killed, and signs with new shares');

  const proof = join(net.dir, 'proof.json');
  await braid(['proof', 'account', '0x000000000000000000000000000000000000dEaD', '--rpc', third.url, '--out', proof]);
  const proved = await braid(['verify-proof', proof, '--genesis', genesis]);
  assert.match(proved, /block/i);
  console.log('the key of the genesis proves the newest blocks');
  await Promise.all(validators.map((node) => node.stop()));
} catch (error) {
  console.error(error);
  for (const node of net.nodes) console.error(`--- ${node.name}\n${node.output().slice(-3_000)}`);
  console.log('failed');
  process.exit(1);
}
console.log('passed');
process.exit(0);
