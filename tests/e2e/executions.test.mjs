// What a block accessed (EIP-7928), and what the executor observed while it made it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { encodeDeployData, encodeFunctionData, fromRlp, keccak256 } from 'viem';

import { ERC20 } from './artefacts.mjs';
import { ALICE, BOB, BRAID_ONLY, CAROL, OWN_NODE, RpcError, receiptOf, startNode, until } from './harness.mjs';

const word = (value) => `0x${BigInt(value).toString(16).padStart(64, '0')}`;

describe('a node with two threads', { skip: BRAID_ONLY || OWN_NODE }, () => {
  let node, token;
  const call = (...args) => node.rpc(...args);
  const send = async (from, fields) => receiptOf(node, await call('eth_sendTransaction', { from, gas: '0x1e8480', ...fields }));
  const transfer = (to, amount) => encodeFunctionData({ abi: ERC20.abi, functionName: 'transfer', args: [to, amount] });

  before(async () => {
    node = await startNode({ env: { BRAID_THREADS: '2' } });
    const data = encodeDeployData({ ...ERC20, args: ['Listed', 'LST', 1000n, ALICE] });
    token = (await send(ALICE, { data })).contractAddress;
  });
  after(() => node?.stop());

  test('an access list has every account, slot and value that a block changed', async () => {
    const receipt = await send(ALICE, { to: token, data: transfer(BOB, 5n) });
    const list = await call('eth_getBlockAccessList', receipt.blockNumber);
    const of = (address) => list.find((entry) => entry.address === address.toLowerCase());
    assert.deepEqual(list.map((entry) => entry.address), list.map((entry) => entry.address).sort(), 'in order');
    assert.deepEqual(of(ALICE).nonceChanges, [{ index: '0x1', value: await call('eth_getTransactionCount', ALICE, 'latest') }]);
    assert.deepEqual(of(ALICE).balanceChanges, [{ index: '0x1', value: await call('eth_getBalance', ALICE, 'latest') }]);
    assert.equal(of(BOB), undefined, 'a holder of tokens is no accessed account');
    const slots = of(token).storageChanges;
    assert.equal(slots.length, 2);
    for (const { key, changes } of slots) {
      assert.match(key, /^0x[0-9a-f]{64}$/);
      assert.deepEqual(changes, [{ index: '0x1', value: await call('eth_getStorageAt', token, key, 'latest') }]);
    }
    assert.deepEqual(slots.map(({ changes }) => BigInt(changes[0].value)).sort((a, b) => Number(a - b)), [5n, 995n]);
    // The system contracts of Prague, before and after the transaction.
    const parent = await call('eth_getBlockByNumber', `0x${(BigInt(receipt.blockNumber) - 1n).toString(16)}`, false);
    const history = of('0x0000f90827f1c53a10cb7a02335b175320002935').storageChanges;
    assert.deepEqual(history, [{ key: word(parent.number), changes: [{ index: '0x0', value: parent.hash }] }]);
    assert.equal(of('0xfffffffffffffffffffffffffffffffffffffffe'), undefined, 'the system is no account');
    // By hash, and as bytes.
    assert.deepEqual(await call('eth_getBlockAccessList', receipt.blockHash), list);
    const raw = fromRlp(await call('debug_getRawBlockAccessList', receipt.blockNumber));
    assert.deepEqual(raw.map(([address]) => address), list.map((entry) => entry.address));
    assert.ok(raw.every((entry) => entry.length === 6));
    assert.match(keccak256(await call('debug_getRawBlockAccessList', receipt.blockNumber)), /^0x/);
  });

  test('a list can be had of old blocks and of no others', async () => {
    assert.deepEqual(await call('eth_getBlockAccessList', 'earliest'), []);
    const created = (await call('eth_getBlockAccessList', '0x1')).find((entry) => entry.address === token.toLowerCase());
    assert.deepEqual(created.codeChanges, [{ index: '0x1', code: await call('eth_getCode', token, 'latest') }]);
    assert.equal(await call('eth_getBlockAccessList', '0xffffff'), null);
    assert.equal(await call('eth_getBlockAccessList', word(1)), null);
    await assert.rejects(call('debug_getRawBlockAccessList', '0xffffff'), (error) => error.code === -32001);
  });

  test('the statistics of a block say how it was executed', async () => {
    await call('evm_setAutomine', false);
    for (const [from, to] of [[ALICE, BOB], [BOB, CAROL], [CAROL, ALICE]]) {
      await call('eth_sendTransaction', { from, to, value: '0x1' });
    }
    await call('eth_sendTransaction', { from: ALICE, to: token, gas: '0x1e8480', data: transfer(CAROL, 1n) });
    await call('evm_mine');
    await call('evm_setAutomine', true);
    const block = await call('eth_getBlockByNumber', 'latest', false);
    const stats = await call('braid_blockExecutionStats', 'latest');
    assert.deepEqual(await call('braid_blockExecutionStats', block.hash), stats);
    assert.equal(stats.hash, block.hash);
    assert.equal(stats.number, block.number);
    assert.equal(stats.gasUsed, block.gasUsed);
    assert.equal(Number(stats.transactions), 4);
    const count = (name) => {
      assert.match(stats[name], /^0x[0-9a-f]+$/, name);
      return Number(stats[name]);
    };
    assert.ok(count('executions') >= 4);
    assert.ok(count('threads') >= 1 && count('threads') <= 2);
    assert.ok(count('reExecutions') + count('deltas') <= count('executions') + count('speculations'));
    assert.equal(count('fallbacks'), 0);
    assert.ok(count('conflicts') <= count('speculations'));
    assert.ok(count('executionUs') > 0 && count('commitUs') > 0);
    assert.ok(Array.isArray(stats.contended) && stats.contended.length <= 32);
    for (const tag of ['earliest', 'pending', '0xffffff']) assert.equal(await call('braid_blockExecutionStats', tag), null, tag);
    const modules = await call('rpc_modules');
    assert.ok('braid' in modules);
  });

  test('the metrics follow the statistics', async () => {
    const read = async () => {
      const text = await (await fetch(`${node.url}/metrics`)).text();
      const value = (name) => Number(text.match(new RegExp(`^${name} (.*)$`, 'm'))?.[1]);
      const names = ['executions', 'speculations', 'conflicts', 're_executions', 'deltas', 'fallbacks'];
      return {
        ...Object.fromEntries(names.map((name) => [name, value(`braid_${name}_total`)])),
        blocks: value('braid_block_conflicts_count'),
        threads: value('braid_execution_threads'),
      };
    };
    const earlier = await read();
    await send(ALICE, { to: BOB, value: '0x1' });
    const later = await read();
    const stats = await call('braid_blockExecutionStats', 'latest');
    for (const [metric, name] of [['executions', 'executions'], ['speculations', 'speculations'], ['conflicts', 'conflicts'],
      ['re_executions', 'reExecutions'], ['deltas', 'deltas'], ['fallbacks', 'fallbacks']]) {
      assert.equal(later[metric] - earlier[metric], Number(stats[name]), metric);
    }
    assert.equal(later.blocks, earlier.blocks + 1);
    assert.equal(later.threads, Number(stats.threads));
  });
});

test('a list whose parent state was dropped is gone', { skip: BRAID_ONLY || OWN_NODE }, async () => {
  const node = await startNode({ args: ['--history', '1'] });
  await node.rpc('anvil_mine', '0x200');
  const refused = async () => {
    try {
      await node.rpc('eth_getBlockAccessList', '0x2');
    } catch (error) {
      assert.ok(error instanceof RpcError, String(error));
      return error;
    }
    return undefined;
  };
  await until(refused, 'a checkpoint that drops old states');
  const { code, rpcMessage } = await refused();
  assert.deepEqual([code, rpcMessage], [4444, 'Pruned history unavailable']);
  assert.equal((await node.rpc('eth_getBlockAccessList', 'latest')).length > 0, true);
  await node.stop();
});
