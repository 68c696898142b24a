// A node that joins late, by the state that others have: what it says on its way, and what it knows afterwards.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseGwei } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import { writeNetwork } from '../network/net.mjs';
import { ALICE_KEY, BRAID_ONLY, CHAIN_ID, OWN_NODE, RpcError, until } from './harness.mjs';

const options = { skip: BRAID_ONLY || OWN_NODE };
const INTERVAL = 20;
const RECIPIENT = `0x${'ab'.repeat(20)}`;

describe('a node that joins late', options, () => {
  let validators;
  let late;
  let begins;
  const account = privateKeyToAccount(ALICE_KEY);
  const payment = (nonce) => account.signTransaction({ type: 'eip1559', chainId: CHAIN_ID, nonce, to: RECIPIENT, value: 7n, gas: 21_000n, maxFeePerGas: parseGwei('100'), maxPriorityFeePerGas: 1n });
  const pruned = (error) => error instanceof RpcError && error.code === 4444;

  before(async () => {
    if (options.skip) return;
    const net = await writeNetwork({ validators: 1, followers: 1, settings: { 'snapshot-interval': INTERVAL } });
    [validators, [late]] = [net.validators, net.followers];
  });

  after(async () => {
    if (options.skip) return;
    await Promise.all([...validators, late].map((node) => node.kill()));
  });

  test('it answers while nobody has a state for it, and stops when it is told to', async () => {
    late.launch({ BRAID_SYNC: 'state' });
    await until(() => late.rpc('eth_chainId').catch(() => null), 'an answer');
    assert.equal(await late.rpc('eth_blockNumber'), '0x0');
    const ready = await fetch(`${late.url}/ready`);
    assert.equal(ready.status, 503);
    assert.match(await ready.text(), /looking for a snapshot/);
    assert.equal((await late.status()).role, 'follower');
    await assert.rejects(payment(0).then((raw) => late.rpc('eth_sendRawTransaction', raw)), /full/);
    await late.stop();
    assert.ok(!existsSync(join(late.folder, 'data', 'joining')), 'it leaves nothing behind');
  });

  test('it begins with the state', async () => {
    const [validator] = validators;
    await validator.start();
    await validator.rpc('eth_sendRawTransaction', await payment(0));
    await validator.reach(3 * INTERVAL);
    await late.start({ BRAID_SYNC: 'state' });
    await late.reach(await validator.height());
    const { blocks, state } = await late.rpc('eth_capabilities');
    begins = Number(blocks.oldestBlock);
    assert.ok(begins >= INTERVAL, `${begins}`);
    assert.equal(Number(state.oldestBlock), begins);
    assert.equal(await late.rpc('eth_getBalance', RECIPIENT, 'latest'), '0x7');
    assert.ok(await late.rpc('eth_gasPrice'));
    assert.equal(await late.rpc('eth_syncing'), false);
  });

  test('it says that blocks from before are not there', async () => {
    const before = `0x${(begins - 1).toString(16)}`;
    for (const [method, ...params] of [
      ['eth_getBlockByNumber', before, false],
      ['eth_getBlockReceipts', before],
      ['eth_getTransactionByBlockNumberAndIndex', before, '0x0'],
      ['eth_getLogs', { fromBlock: '0x1', toBlock: 'latest' }],
      ['trace_filter', { fromBlock: '0x1', toBlock: before }],
    ]) await assert.rejects(late.rpc(method, ...params), pruned, method);
    assert.equal((await late.rpc('eth_getBlockByNumber', '0x0', false)).number, '0x0');
    assert.equal(await late.rpc('braid_getCertificate', before), null);
    const first = `0x${begins.toString(16)}`;
    const [own, others] = await Promise.all([late, validators[0]].map((node) => node.rpc('eth_getBlockByNumber', first, false)));
    assert.deepEqual(own, others);
    assert.ok(await late.rpc('braid_getCertificate', first));
  });

  test('it forwards payments, and goes on after a restart', async () => {
    await late.stop();
    await late.start();
    const hash = await late.rpc('eth_sendRawTransaction', await payment(1));
    const receipt = await until(() => late.rpc('eth_getTransactionReceipt', hash), 'the receipt');
    assert.equal(receipt.status, '0x1');
    assert.equal(await late.rpc('eth_getBalance', RECIPIENT, 'latest'), '0xe');
    await sleep(200);
    assert.equal(Number((await late.rpc('eth_capabilities')).blocks.oldestBlock), begins);
  });
});
