// Development methods, by the names Foundry, Hardhat and Ganache gave them: time, mining, state, impersonation.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { encodeDeployData, encodeFunctionData, keccak256, numberToHex, pad } from 'viem';

import { ERC20 } from './artefacts.mjs';
import { ALICE, AS_GETH, BOB, BRAID_ONLY, CAROL, receiptOf, startNode, until } from './harness.mjs';

const WHALE = '0xbe0eb53f46cd790cd13851d5eff43d12404d33e8';
const ETHER = 10n ** 18n;
let node;
const call = (...args) => node.rpc(...args);
const hex = (value) => numberToHex(value);
const head = () => call('eth_getBlockByNumber', 'latest', false);
const balance = async (address) => BigInt(await call('eth_getBalance', address, 'latest'));
const sent = async (transaction) => receiptOf(node, await call('eth_sendTransaction', transaction));

before(async () => {
  node = await startNode();
});
after(() => node?.stop());

describe('state', () => {
  for (const prefix of ['anvil', 'hardhat']) {
    test(`${prefix}_ sets balance, nonce, code and storage`, async () => {
      const address = prefix === 'anvil' ? '0x00000000000000000000000000000000000a0001' : '0x00000000000000000000000000000000000a0002';
      await call(`${prefix}_setBalance`, address, hex(5n * ETHER));
      assert.equal(await balance(address), 5n * ETHER);
      await call(`${prefix}_setNonce`, address, '0x9');
      assert.equal(await call('eth_getTransactionCount', address, 'latest'), '0x9');
      // PUSH0 SLOAD PUSH0 MSTORE PUSH1 32 PUSH0 RETURN: gives what slot 0 holds.
      await call(`${prefix}_setCode`, address, '0x5f545f5260205ff3');
      assert.equal(await call('eth_getCode', address, 'latest'), '0x5f545f5260205ff3');
      await call(`${prefix}_setStorageAt`, address, '0x0', pad('0x2a'));
      assert.equal(await call('eth_getStorageAt', address, '0x0', 'latest'), pad('0x2a'));
      assert.equal(BigInt(await call('eth_call', { to: address, data: '0x' }, 'latest')), 42n);
    });

    test(`${prefix}_ impersonates an account whose key nobody has`, async () => {
      await call(`${prefix}_setBalance`, WHALE, hex(10n * ETHER));
      await call(`${prefix}_impersonateAccount`, WHALE);
      const receipt = await sent({ from: WHALE, to: CAROL, value: hex(ETHER) });
      assert.equal(receipt.status, '0x1');
      assert.equal(receipt.from, WHALE);
      const transaction = await call('eth_getTransactionByHash', receipt.transactionHash);
      assert.equal(transaction.from, WHALE);
      await call(`${prefix}_stopImpersonatingAccount`, WHALE);
      await assert.rejects(call('eth_sendTransaction', { from: WHALE, to: CAROL, value: '0x1' }));
    });
  }

  test('a snapshot brings back the whole chain, once', async () => {
    const before = await head();
    const [alice, carol] = [await balance(ALICE), await balance(CAROL)];
    const id = await call('evm_snapshot');
    await sent({ from: ALICE, to: CAROL, value: hex(ETHER) });
    const lost = await sent({ from: ALICE, to: CAROL, value: hex(ETHER) });
    await call('anvil_setBalance', BOB, '0x1');
    assert.equal(await call('evm_revert', id), true);
    assert.equal((await head()).hash, before.hash);
    assert.equal(await balance(ALICE), alice);
    assert.equal(await balance(CAROL), carol);
    assert.ok(await balance(BOB) > 1n);
    assert.equal(await call('eth_getTransactionReceipt', lost.transactionHash), null);
    assert.equal(await call('eth_getBlockByNumber', lost.blockNumber, false), null);
    // Life goes on from there, on another branch.
    const receipt = await sent({ from: ALICE, to: CAROL, value: hex(2n * ETHER) });
    assert.equal(Number(receipt.blockNumber), Number(before.number) + 1);
    assert.notEqual(receipt.blockHash, lost.blockHash);
  });

  test('a spent snapshot cannot be used again', { skip: BRAID_ONLY }, async () => {
    const id = await call('evm_snapshot');
    assert.equal(await call('evm_revert', id), true);
    assert.equal(await call('evm_revert', id).catch(() => false), false);
    assert.equal(await call('evm_revert', '0x7777').catch(() => false), false);
  });
});

describe('time', () => {
  test('evm_increaseTime moves the clock', async () => {
    const before = Number((await head()).timestamp);
    await call('evm_increaseTime', 3600);
    await call('evm_mine');
    const after = Number((await head()).timestamp);
    assert.ok(after - before >= 3600 && after - before < 3700, `${after - before} s`);
    await call('evm_mine');
    assert.ok(Number((await head()).timestamp) - after < 100, 'the clock stays moved, not more');
  });

  test('evm_setNextBlockTimestamp holds for one block', async () => {
    const next = Number((await head()).timestamp) + 5000;
    await call('evm_setNextBlockTimestamp', next);
    const receipt = await sent({ from: ALICE, to: BOB, value: '0x1' });
    const block = await call('eth_getBlockByHash', receipt.blockHash, false);
    assert.equal(Number(block.timestamp), next);
    await assert.rejects(call('evm_setNextBlockTimestamp', next - 10), 'not into the past');
  });

  test('a contract sees the moved time', async () => {
    // TIMESTAMP PUSH0 MSTORE PUSH1 32 PUSH0 RETURN
    const clock = '0x00000000000000000000000000000000000c10c0';
    await call('anvil_setCode', clock, '0x425f5260205ff3');
    const next = Number((await head()).timestamp) + 777;
    await call('evm_setNextBlockTimestamp', next);
    await call('evm_mine');
    assert.equal(Number(await call('eth_call', { to: clock }, await call('eth_blockNumber'))), next);
  });
});

describe('mining', () => {
  test('anvil_mine and hardhat_mine make many blocks, spaced as asked', async () => {
    for (const method of ['anvil_mine', 'hardhat_mine']) {
      const before = await head();
      await call(method, '0x5', '0xa');
      const after = await head();
      assert.equal(Number(after.number) - Number(before.number), 5);
      const earlier = await call('eth_getBlockByNumber', hex(Number(after.number) - 1), false);
      // The clock may tick on between two blocks.
      assert.ok([10, 11].includes(Number(after.timestamp) - Number(earlier.timestamp)));
    }
  });

  test('without automine, transactions wait for evm_mine and share its block', async () => {
    await call('evm_setAutomine', false);
    try {
      const number = Number(await call('eth_blockNumber'));
      const hashes = [];
      for (const from of [ALICE, BOB, CAROL]) {
        hashes.push(await call('eth_sendTransaction', { from, to: WHALE, value: '0x1' }));
      }
      assert.equal(await call('eth_getTransactionReceipt', hashes[0]), null);
      const { pending } = await call('txpool_status');
      assert.equal(Number(pending), 3);
      assert.equal(Number(await call('eth_getTransactionCount', ALICE, 'pending')), Number(await call('eth_getTransactionCount', ALICE, 'latest')) + 1);
      await call('evm_mine');
      assert.equal(Number(await call('eth_blockNumber')), number + 1);
      const receipts = await Promise.all(hashes.map((hash) => call('eth_getTransactionReceipt', hash)));
      assert.equal(new Set(receipts.map((receipt) => receipt.blockHash)).size, 1);
    } finally {
      await call('evm_setAutomine', true);
    }
  });

  test('the better paid goes first', { skip: AS_GETH }, async () => {
    await call('evm_setAutomine', false);
    try {
      const send = (from, tip) => call('eth_sendTransaction', { from, to: WHALE, value: '0x1', gas: '0x5208', maxFeePerGas: hex(10n ** 11n), maxPriorityFeePerGas: hex(tip) });
      const cheap = await send(ALICE, 10n ** 9n);
      const dear = await send(BOB, 5n * 10n ** 9n);
      await call('evm_mine');
      const [first, second] = await Promise.all([dear, cheap].map((hash) => call('eth_getTransactionReceipt', hash)));
      assert.equal(first.blockHash, second.blockHash);
      assert.equal(Number(first.transactionIndex), 0);
      assert.equal(Number(second.transactionIndex), 1);
    } finally {
      await call('evm_setAutomine', true);
    }
  });

  test('a waiting transaction can be dropped', async () => {
    await call('evm_setAutomine', false);
    try {
      const hash = await call('eth_sendTransaction', { from: BOB, to: WHALE, value: '0x1' });
      await call('anvil_dropTransaction', hash);
      await call('evm_mine');
      assert.equal(await call('eth_getTransactionReceipt', hash), null);
    } finally {
      await call('evm_setAutomine', true);
    }
  });

  test('evm_setIntervalMining makes blocks by itself', async () => {
    await call('evm_setIntervalMining', 1);
    try {
      const before = Number(await call('eth_blockNumber'));
      await until(async () => Number(await call('eth_blockNumber')) >= before + 2, 'two blocks', 8_000);
    } finally {
      await call('evm_setIntervalMining', 0);
      await call('evm_setAutomine', true);
    }
  });

  test('base fee and coinbase of the next block can be set', async () => {
    await call('anvil_setNextBlockBaseFeePerGas', hex(7n * 10n ** 9n));
    await call('anvil_setCoinbase', WHALE);
    await call('evm_mine');
    const block = await head();
    assert.equal(BigInt(block.baseFeePerGas), 7n * 10n ** 9n);
    assert.equal(block.miner, WHALE);
  });
});

test('the state can be dumped and loaded again', async () => {
  const data = encodeDeployData({ ...ERC20, args: ['Dump', 'DMP', 31n, ALICE] });
  const { contractAddress } = await sent({ from: ALICE, data, gas: hex(3_000_000n) });
  const read = { to: contractAddress, data: encodeFunctionData({ abi: ERC20.abi, functionName: 'balanceOf', args: [ALICE] }) };
  const dump = await call('anvil_dumpState');
  const id = await call('evm_snapshot');
  const slot = keccak256(`${pad(ALICE)}${'00'.repeat(32)}`);
  await call('anvil_setStorageAt', contractAddress, slot, pad('0x01'));
  assert.equal(BigInt(await call('eth_call', read, 'latest')), 1n);
  await call('evm_revert', id);
  const other = await startNode();
  try {
    assert.equal(await other.rpc('anvil_loadState', dump), true);
    assert.equal(BigInt(await other.rpc('eth_call', read, 'latest')), 31n);
  } finally {
    await other.stop();
  }
});

test('who the node is, for development tools', async () => {
  const info = await call('anvil_nodeInfo');
  assert.equal(Number(info.environment.chainId), 31337);
  assert.equal(Number(info.currentBlockNumber), Number(await call('eth_blockNumber')));
  const metadata = await call('hardhat_metadata');
  assert.equal(Number(metadata.chainId), 31337);
});
