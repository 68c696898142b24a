// Running the node: settings, health, metrics, logs, signals.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { ALICE, BOB, BRAID, BRAID_ONLY, IS_BRAID, MNEMONIC, OWN_NODE, braid, freePort, receiptOf, startNode, temporaryDirectory, until } from './harness.mjs';

const options = { skip: OWN_NODE };

describe('HTTP beside JSON-RPC', { skip: BRAID_ONLY }, () => {
  let node;
  before(async () => {
    if (!IS_BRAID) return;
    node = await startNode();
    await receiptOf(node, await node.rpc('eth_sendTransaction', { from: ALICE, to: BOB, value: '0x1' }));
  });
  after(() => node?.stop());

  test('/health and /ready say yes', async () => {
    for (const path of ['/health', '/ready']) {
      const answer = await fetch(node.url + path);
      assert.equal(answer.status, 200, path);
    }
  });

  test('/metrics is Prometheus text that follows the chain', async () => {
    const read = async () => {
      const text = await (await fetch(`${node.url}/metrics`)).text();
      for (const line of text.split('\n')) assert.match(line, /^$|^# (HELP|TYPE) |^[a-z_]+(\{[^}]*\})? [-+0-9.eInfNa]+$/);
      const value = (name) => Number(text.match(new RegExp(`^${name} (.*)$`, 'm'))?.[1]);
      return { height: value('braid_block_height'), transactions: value('braid_transactions_total') };
    };
    const before = await read();
    assert.equal(before.height, Number(await node.rpc('eth_blockNumber')));
    await receiptOf(node, await node.rpc('eth_sendTransaction', { from: ALICE, to: BOB, value: '0x1' }));
    const after = await read();
    assert.equal(after.height, before.height + 1);
    assert.equal(after.transactions, before.transactions + 1);
  });

  test('other paths and methods are refused politely', async () => {
    const answer = await fetch(`${node.url}/no-such-page`);
    assert.ok(answer.status === 404 || answer.status === 405, String(answer.status));
    const put = await fetch(node.url, { method: 'PUT', body: '{}' });
    assert.ok(put.status >= 400 && put.status < 500, String(put.status));
  });
});

test('the first screen has the address, the accounts and their keys', options, async () => {
  const node = await startNode();
  await until(() => node.output().includes(MNEMONIC), 'the first screen');
  assert.match(node.output(), new RegExp(`http://127\\.0\\.0\\.1:${node.port}`));
  assert.ok(node.output().includes(ALICE));
  assert.ok(node.output().includes('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'));
  await node.stop();
});

test('flags before environment before file before default', options, async () => {
  const file = join(temporaryDirectory(), 'braid.toml');
  writeFileSync(file, 'chain-id = 1001\naccounts = 3\nbalance = "5"\n');
  const env = { BRAID_CHAIN_ID: '1002', BRAID_ACCOUNTS: '4' };
  const node = await startNode({ args: ['--config', file, '--chain-id', '1003'], env });
  assert.equal(await node.rpc('eth_chainId'), '0x3eb');
  assert.equal((await node.rpc('eth_accounts')).length, 4);
  assert.equal(await node.rpc('eth_getBalance', ALICE, 'latest'), `0x${(5n * 10n ** 18n).toString(16)}`);
  await node.stop();
  const printed = await braid(['dev', '--config', file, '--chain-id', '1003', '--print-config'], { env });
  assert.match(printed, /^chain-id = 1003/m);
  assert.match(printed, /^accounts = 4/m);
  assert.match(printed, /^gas-limit = /m);
});

test('settings that cannot be are refused with a word on which', options, async () => {
  const file = join(temporaryDirectory(), 'braid.toml');
  writeFileSync(file, 'chain-idd = 1\n');
  for (const [args, pattern] of [
    [['--port', '70000'], /port/],
    [['--chain-id', '0'], /chain-id/],
    [['--mnemonic', 'one two three'], /mnemonic/],
    [['--no-such-flag'], /no-such-flag/],
    [['--config', file], /chain-idd/],
    [['--genesis', file], /genesis|json/i],
  ]) {
    await assert.rejects(braid(['dev', ...args]), (error) => {
      assert.match(error.message, pattern);
      assert.doesNotMatch(error.message, /panicked/);
      return true;
    });
  }
});

test('a taken port is a clear error', options, async () => {
  const node = await startNode();
  await assert.rejects(braid(['dev', '--port', String(node.port)]), /in use/i);
  await node.stop();
});

test('the gas limit and the mnemonic are the ones asked for', options, async () => {
  const mnemonic = 'legal winner thank year wave sausage worth useful legal winner thank yellow';
  const node = await startNode({ args: ['--gas-limit', '12345678', '--mnemonic', mnemonic, '--accounts', '2'] });
  const [first] = await node.rpc('eth_accounts');
  assert.notEqual(first.toLowerCase(), ALICE.toLowerCase());
  await node.rpc('evm_mine');
  assert.equal(Number((await node.rpc('eth_getBlockByNumber', 'latest', false)).gasLimit), 12345678);
  await node.stop();
});

test('a block time makes blocks by the clock, empty or not', options, async () => {
  const node = await startNode({ args: ['--block-time', '0.3'] });
  const start = Number(await node.rpc('eth_blockNumber'));
  await until(async () => Number(await node.rpc('eth_blockNumber')) >= start + 3, 'three blocks', 5_000);
  const hash = await node.rpc('eth_sendTransaction', { from: ALICE, to: BOB, value: '0x1' });
  assert.equal(await node.rpc('eth_getTransactionReceipt', hash), null, 'it waits for its block');
  await receiptOf(node, hash);
  await node.stop();
});

test('a geth genesis is followed: accounts, code, storage, fork', options, async () => {
  const file = join(temporaryDirectory(), 'genesis.json');
  const contract = '0x00000000000000000000000000000000c0de0001';
  writeFileSync(file, JSON.stringify({
    config: {
      chainId: 777, homesteadBlock: 0, eip150Block: 0, eip155Block: 0, eip158Block: 0, byzantiumBlock: 0, constantinopleBlock: 0,
      petersburgBlock: 0, istanbulBlock: 0, berlinBlock: 0, londonBlock: 0, mergeNetsplitBlock: 0, terminalTotalDifficulty: 0,
      shanghaiTime: 0, cancunTime: 0, blobSchedule: { cancun: { target: 3, max: 6, baseFeeUpdateFraction: 3338477 } },
    },
    difficulty: '0x0', gasLimit: '0x1c9c380', timestamp: '0x6553f100', extraData: '0x6272616964', nonce: '0x0', baseFeePerGas: '0x3b9aca00',
    alloc: {
      [ALICE]: { balance: '0xde0b6b3a7640000' },
      [contract]: { balance: '0x0', code: '0x5f545f5260205ff3', storage: { [`0x${'00'.repeat(32)}`]: `0x${'00'.repeat(31)}2a` } },
    },
  }));
  const node = await startNode({ args: ['--genesis', file] });
  assert.equal(await node.rpc('eth_chainId'), '0x309');
  const genesis = await node.rpc('eth_getBlockByNumber', '0x0', false);
  assert.equal(genesis.extraData, '0x6272616964');
  assert.ok(!('requestsHash' in genesis), 'Cancun, not Prague');
  assert.equal(BigInt(await node.rpc('eth_call', { to: contract }, 'latest')), 42n);
  const receipt = await receiptOf(node, await node.rpc('eth_sendTransaction', { from: ALICE, to: BOB, value: '0x1' }));
  assert.equal(receipt.status, '0x1');
  await node.stop();
});

test('logs are JSON where asked for', options, async () => {
  const node = await startNode({ args: ['--log-format', 'json', '--quiet'] });
  await receiptOf(node, await node.rpc('eth_sendTransaction', { from: ALICE, to: BOB, value: '0x1' }));
  await node.stop();
  const lines = node.output().split('\n').filter((line) => line.trim() !== '');
  assert.ok(lines.length > 0);
  for (const line of lines) assert.equal(typeof JSON.parse(line).level, 'string');
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`${signal} stops the node cleanly, connections or not`, options, async () => {
    const node = await startNode();
    const { default: WebSocket } = await import('ws');
    const socket = new WebSocket(node.wsUrl);
    await once(socket, 'open');
    const exit = once(node.child, 'exit');
    node.child.kill(signal);
    const [code] = await exit;
    assert.equal(code, 0, node.output());
    socket.terminate();
  });
}

test('without a command it is a development node; help and version are there', options, async () => {
  assert.match(await braid(['--version']), /^braid \d+\.\d+\.\d+/);
  assert.match(await braid(['--help']), /statetest/);
  assert.match(await braid(['dev', '--help']), /--block-time/);
  const port = await freePort();
  const child = spawn(BRAID, ['--port', String(port)], { stdio: 'ignore' });
  try {
    await until(() => fetch(`http://127.0.0.1:${port}/health`).then((r) => r.ok, () => false), 'the node');
  } finally {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
  }
});
