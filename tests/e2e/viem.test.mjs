// viem, unmodified: what a web application built on it does.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  BaseError, ContractFunctionRevertedError, createPublicClient, createTestClient, createWalletClient, decodeEventLog,
  getAddress, hexToSignature, http, maxUint256, parseEther, parseGwei, recoverTypedDataAddress, verifyMessage, webSocket,
  zeroAddress,
} from 'viem';
import { generatePrivateKey, mnemonicToAccount, privateKeyToAccount } from 'viem/accounts';
import { foundry } from 'viem/chains';

import { ERC20, ERC20_MINTER, ERC721 } from './artefacts.mjs';
import { ALICE, BOB, CAROL, CHAIN_ID, MNEMONIC, startNode, until } from './harness.mjs';

const alice = mnemonicToAccount(MNEMONIC, { addressIndex: 0 });
const bob = mnemonicToAccount(MNEMONIC, { addressIndex: 1 });
const pollingInterval = 20;
let node, client, wallet, bobWallet, socketClient;

before(async () => {
  node = await startNode();
  const transport = http(node.url);
  client = createPublicClient({ chain: foundry, transport, pollingInterval, cacheTime: 0 });
  wallet = createWalletClient({ account: alice, chain: foundry, transport, pollingInterval });
  bobWallet = createWalletClient({ account: bob, chain: foundry, transport, pollingInterval });
  socketClient = createPublicClient({ chain: foundry, transport: webSocket(node.wsUrl, { reconnect: false }), cacheTime: 0 });
});
after(async () => {
  const socket = await socketClient?.transport.getRpcClient();
  await socket?.close();
  await node?.stop();
});

const mined = async (hash) => {
  const receipt = await client.waitForTransactionReceipt({ hash });
  assert.equal(receipt.status, 'success', `transaction ${hash} succeeded`);
  return receipt;
};

async function deploy({ abi, bytecode }, args) {
  const receipt = await mined(await wallet.deployContract({ abi, bytecode, args }));
  return getAddress(receipt.contractAddress);
}

test('a fresh chain has the id and the ten funded accounts', async () => {
  assert.equal(await client.getChainId(), CHAIN_ID);
  const accounts = await wallet.getAddresses();
  assert.equal(accounts[0], ALICE);
  const listed = await client.request({ method: 'eth_accounts' });
  assert.equal(listed.length, 10);
  assert.equal(await client.getBalance({ address: mnemonicToAccount(MNEMONIC, { addressIndex: 9 }).address }), parseEther('10000'));
  const genesis = await client.getBlock({ blockNumber: 0n });
  assert.equal(genesis.number, 0n);
});

test('a transfer moves value and costs its fee', async () => {
  const target = privateKeyToAccount(generatePrivateKey()).address;
  const before = await client.getBalance({ address: alice.address });
  const hash = await wallet.sendTransaction({ to: target, value: parseEther('1.5') });
  const receipt = await mined(hash);
  assert.equal(receipt.gasUsed, 21000n);
  assert.equal(receipt.type, 'eip1559');
  assert.equal(receipt.from, alice.address.toLowerCase());
  assert.equal(await client.getBalance({ address: target }), parseEther('1.5'));
  const cost = receipt.gasUsed * receipt.effectiveGasPrice + parseEther('1.5');
  assert.equal(await client.getBalance({ address: alice.address }), before - cost);
  const transaction = await client.getTransaction({ hash });
  assert.equal(transaction.blockHash, receipt.blockHash);
  assert.equal(transaction.transactionIndex, receipt.transactionIndex);
  const block = await client.getBlock({ blockHash: receipt.blockHash, includeTransactions: true });
  assert.deepEqual(block.transactions.map((t) => t.hash), [hash]);
  assert.equal(await client.getTransactionConfirmations({ transactionReceipt: receipt }), 1n);
});

describe('an ERC-20 from OpenZeppelin', () => {
  let token, deployment;
  const supply = 10n ** 24n;
  const read = (functionName, args = []) => client.readContract({ address: token, abi: ERC20.abi, functionName, args });

  before(async () => {
    const hash = await wallet.deployContract({ ...ERC20, args: ['Thread', 'THR', supply, alice.address] });
    deployment = await mined(hash);
    token = getAddress(deployment.contractAddress);
  });

  test('is deployed with its constructor run', async () => {
    assert.ok((await client.getCode({ address: token })).length > 2000);
    assert.equal(await read('name'), 'Thread');
    assert.equal(await read('totalSupply'), supply);
    assert.equal(await read('balanceOf', [alice.address]), supply);
    assert.equal(deployment.logs.length, 1);
    assert.notEqual(BigInt(deployment.logsBloom), 0n);
  });

  test('transfers, and says so in a log', async () => {
    const hash = await wallet.writeContract({ address: token, abi: ERC20.abi, functionName: 'transfer', args: [BOB, 250n] });
    const receipt = await mined(hash);
    const [log] = receipt.logs;
    const event = decodeEventLog({ abi: ERC20.abi, ...log });
    assert.deepEqual(event, { eventName: 'Transfer', args: { from: ALICE, to: BOB, value: 250n } });
    assert.equal(log.logIndex, 0);
    assert.equal(log.blockHash, receipt.blockHash);
    assert.equal(await read('balanceOf', [BOB]), 250n);
  });

  test('finds its logs by range, topic and block hash', async () => {
    const hash = await wallet.writeContract({ address: token, abi: ERC20.abi, functionName: 'transfer', args: [CAROL, 9n] });
    const receipt = await mined(hash);
    const filter = { address: token, abi: ERC20.abi, eventName: 'Transfer' };
    const all = await client.getContractEvents({ ...filter, fromBlock: deployment.blockNumber });
    assert.ok(all.length >= 2);
    const toCarol = await client.getContractEvents({ ...filter, args: { to: CAROL }, fromBlock: 0n });
    assert.deepEqual(toCarol.map((log) => log.args.value), [9n]);
    const here = await client.getLogs({ address: token, blockHash: receipt.blockHash });
    assert.equal(here.length, 1);
    assert.equal(here[0].transactionHash, hash);
    const none = await client.getContractEvents({ ...filter, args: { to: zeroAddress }, fromBlock: 0n });
    assert.deepEqual(none, []);
  });

  test('refuses what its code refuses, with the reason', async () => {
    const attempt = client.simulateContract({
      account: bob.address, address: token, abi: ERC20.abi, functionName: 'transfer', args: [ALICE, supply],
    });
    await assert.rejects(attempt, (error) => {
      assert.ok(error instanceof BaseError);
      const revert = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
      assert.equal(revert.reason, 'ERC20: transfer amount exceeds balance');
      return true;
    });
  });

  test('a transaction that reverts is in a block with status reverted', async () => {
    const hash = await bobWallet.writeContract({
      address: token, abi: ERC20.abi, functionName: 'transfer', args: [ALICE, supply], gas: 100_000n,
    });
    const receipt = await client.waitForTransactionReceipt({ hash });
    assert.equal(receipt.status, 'reverted');
    assert.deepEqual(receipt.logs, []);
    assert.ok(receipt.gasUsed < 100_000n);
  });

  test('an estimate suffices, and one gas less than needed does not', async () => {
    const request = { account: alice, address: token, abi: ERC20.abi, functionName: 'approve', args: [CAROL, maxUint256] };
    const gas = await client.estimateContractGas(request);
    await mined(await wallet.writeContract({ ...request, gas }));
    assert.equal(await read('allowance', [ALICE, CAROL]), maxUint256);
    const tight = await wallet.writeContract({ ...request, args: [BOB, 1n], gas: 22_500n });
    const receipt = await client.waitForTransactionReceipt({ hash: tight });
    assert.equal(receipt.status, 'reverted');
    assert.equal(receipt.gasUsed, 22_500n);
  });

  test('state overrides change what a call sees, and nothing else', async () => {
    const code = await client.getCode({ address: token });
    const elsewhere = '0x00000000000000000000000000000000deadbeef';
    const symbol = await client.readContract({
      address: elsewhere, abi: ERC20.abi, functionName: 'totalSupply', stateOverride: [{ address: elsewhere, code }],
    });
    assert.equal(symbol, 0n);
    assert.equal(await client.getCode({ address: elsewhere }), undefined);
  });

  test('reads at an older block see the older state', async () => {
    const { blockNumber } = deployment;
    const then = await client.readContract({ address: token, abi: ERC20.abi, functionName: 'balanceOf', args: [BOB], blockNumber });
    assert.equal(then, 0n);
    assert.equal(await client.getCode({ address: token, blockNumber: blockNumber - 1n }), undefined);
    assert.equal(await client.getTransactionCount({ address: ALICE, blockNumber: 0n }), 0);
  });

  test('filters give what is new since they were last asked', async () => {
    const filter = await client.createContractEventFilter({ address: token, abi: ERC20.abi, eventName: 'Transfer' });
    const blocks = await client.createBlockFilter();
    const receipt = await mined(await wallet.writeContract({ address: token, abi: ERC20.abi, functionName: 'transfer', args: [BOB, 3n] }));
    assert.deepEqual((await client.getFilterChanges({ filter })).map((log) => log.args.value), [3n]);
    assert.deepEqual(await client.getFilterChanges({ filter }), []);
    assert.deepEqual(await client.getFilterChanges({ filter: blocks }), [receipt.blockHash]);
    assert.equal(await client.uninstallFilter({ filter }), true);
    assert.equal(await client.uninstallFilter({ filter }), false);
  });
});

test('many transactions of one sender at once keep their order', async () => {
  const target = privateKeyToAccount(generatePrivateKey()).address;
  const first = await client.getTransactionCount({ address: bob.address });
  const hashes = await Promise.all(Array.from({ length: 40 }, (_, i) => bobWallet.sendTransaction({
    to: target, value: BigInt(i + 1), nonce: first + i, gas: 21_000n, maxFeePerGas: parseGwei('20'), maxPriorityFeePerGas: parseGwei('1'),
  })));
  const receipts = await Promise.all(hashes.map(mined));
  const positions = receipts.map((r) => [r.blockNumber, r.transactionIndex]);
  for (let i = 1; i < positions.length; i++) {
    const [[b0, i0], [b1, i1]] = [positions[i - 1], positions[i]];
    assert.ok(b1 > b0 || (b1 === b0 && i1 > i0), `nonce ${first + i} comes after nonce ${first + i - 1}`);
  }
  assert.equal(await client.getBalance({ address: target }), 820n);
});

test('fees: history, price and the next block agree', async () => {
  await mined(await wallet.sendTransaction({ to: BOB, value: 1n }));
  const history = await client.getFeeHistory({ blockCount: 3, rewardPercentiles: [25, 75] });
  assert.equal(history.baseFeePerGas.length, history.gasUsedRatio.length + 1);
  assert.equal(history.reward.length, history.gasUsedRatio.length);
  const head = await client.getBlock();
  assert.equal(history.baseFeePerGas.at(-2), head.baseFeePerGas);
  const { maxFeePerGas, maxPriorityFeePerGas } = await client.estimateFeesPerGas();
  assert.ok(maxFeePerGas >= head.baseFeePerGas && maxPriorityFeePerGas > 0n);
  assert.ok((await client.getGasPrice()) >= history.baseFeePerGas.at(-1));
  assert.ok((await client.getBlobBaseFee()) >= 1n);
});

test('an access list is found, and helps', async () => {
  const token = await deploy(ERC20_MINTER, ['A', 'A']);
  const { accessList, gasUsed } = await client.createAccessList({
    account: alice.address, to: token, data: '0x18160ddd',
  });
  assert.ok(gasUsed > 21000n);
  assert.ok(accessList.every((entry) => entry.storageKeys.length > 0));
});

test('typed data and messages are signed by the account that says so', async () => {
  const typed = {
    domain: { name: 'Loan', version: '1', chainId: CHAIN_ID, verifyingContract: BOB },
    types: { Offer: [{ name: 'borrower', type: 'address' }, { name: 'amount', type: 'uint256' }] },
    primaryType: 'Offer',
    message: { borrower: CAROL, amount: 1000n },
  };
  // The node signs: eth_signTypedData_v4 and personal_sign with a development key, compared with the local signer.
  const remote = createWalletClient({ account: ALICE, chain: foundry, transport: http(node.url) });
  const signature = await remote.signTypedData(typed);
  assert.equal(await recoverTypedDataAddress({ ...typed, signature }), ALICE);
  assert.equal(signature, await alice.signTypedData(typed));
  assert.ok(hexToSignature(signature).yParity <= 1);
  const message = 'pay back on time';
  const signed = await remote.signMessage({ message });
  assert.ok(await verifyMessage({ address: ALICE, message, signature: signed }));
});

test('the node signs for its own accounts (eth_sendTransaction)', async () => {
  const remote = createWalletClient({ account: CAROL, chain: foundry, transport: http(node.url) });
  const receipt = await mined(await remote.sendTransaction({ to: ALICE, value: 7n }));
  assert.equal(receipt.from, CAROL.toLowerCase());
  const nft = await remote.deployContract({ ...ERC721, args: ['N', 'N', 'ipfs://x/'] });
  await mined(nft);
});

test('an account lends its address some code (EIP-7702)', async () => {
  const implementation = await deploy(ERC20, ['Code', 'COD', 5n, ALICE]);
  const user = privateKeyToAccount(generatePrivateKey());
  const authorization = await client.request({ method: 'eth_chainId' }).then(() => user.signAuthorization({
    contractAddress: implementation, chainId: CHAIN_ID, nonce: 0,
  }));
  // Alice pays; the user never held any ether.
  const hash = await wallet.sendTransaction({ to: user.address, data: '0x18160ddd', authorizationList: [authorization] });
  const receipt = await mined(hash);
  assert.equal(receipt.type, 'eip7702');
  const code = await client.getCode({ address: user.address });
  assert.equal(code, `0xef0100${implementation.slice(2).toLowerCase()}`);
  assert.equal(await client.getTransactionCount({ address: user.address }), 1);
  const supply = await client.readContract({ address: user.address, abi: ERC20.abi, functionName: 'totalSupply' });
  assert.equal(supply, 0n, 'the code runs over the user\'s own storage');
  const transaction = await client.getTransaction({ hash });
  assert.equal(getAddress(transaction.authorizationList[0].address), implementation);
});

test('proofs match the state root', async () => {
  const block = await client.getBlock();
  const proof = await client.getProof({ address: ALICE, storageKeys: [], blockNumber: block.number });
  assert.equal(proof.balance, await client.getBalance({ address: ALICE, blockNumber: block.number }));
  assert.ok(proof.accountProof.length > 0);
});

test('several calls in one (eth_simulateV1)', async () => {
  const { results } = await client.simulateCalls({
    account: ALICE,
    calls: [{ to: BOB, value: parseEther('1') }, { to: CAROL, value: parseEther('2') }],
  });
  assert.deepEqual(results.map((r) => r.status), ['success', 'success']);
});

test('calls are batched where the application asks for it', async () => {
  const batching = createPublicClient({ chain: foundry, transport: http(node.url, { batch: true }), cacheTime: 0 });
  const [number, chain, price, balance] = await Promise.all([
    batching.getBlockNumber(), batching.getChainId(), batching.getGasPrice(), batching.getBalance({ address: zeroAddress }),
  ]);
  assert.ok(number > 0n && price > 0n);
  assert.equal(chain, CHAIN_ID);
  assert.equal(typeof balance, 'bigint');
});

describe('over a WebSocket', () => {
  test('new blocks arrive as they are made', async () => {
    const seen = [];
    const failed = [];
    const stop = socketClient.watchBlocks({ onBlock: (block) => seen.push(block), onError: (e) => failed.push(e), emitOnBegin: false });
    // The subscription is confirmed when a first block arrives; blocks are made until then.
    await until(async () => {
      await mined(await wallet.sendTransaction({ to: BOB, value: 1n }));
      return seen.length > 0;
    }, 'a first block');
    const { blockHash } = await mined(await wallet.sendTransaction({ to: BOB, value: 1n }));
    await until(() => seen.some((block) => block.hash === blockHash), 'the block in the subscription');
    stop();
    assert.deepEqual(failed, []);
    const numbers = seen.map((block) => block.number);
    assert.equal(new Set(numbers).size, numbers.length, 'each once');
  });

  test('a contract\'s events arrive as they happen', async () => {
    const token = await deploy(ERC20, ['Live', 'LIV', 1000n, ALICE]);
    const seen = [];
    const stop = socketClient.watchContractEvent({
      address: token, abi: ERC20.abi, eventName: 'Transfer', args: { to: BOB }, onLogs: (logs) => seen.push(...logs),
    });
    await until(async () => {
      await mined(await wallet.writeContract({ address: token, abi: ERC20.abi, functionName: 'transfer', args: [CAROL, 1n] }));
      await mined(await wallet.writeContract({ address: token, abi: ERC20.abi, functionName: 'transfer', args: [BOB, 2n] }));
      return seen.length > 0;
    }, 'a first log');
    stop();
    assert.ok(seen.every((log) => log.args.to === BOB && log.args.value === 2n));
  });

  test('ordinary calls work on the same connection', async () => {
    assert.equal(await socketClient.getChainId(), CHAIN_ID);
    assert.ok((await socketClient.getBlock()).number > 0n);
  });
});

test('time and state can be moved on a development node', async () => {
  const dev = createTestClient({ chain: foundry, mode: 'anvil', transport: http(node.url), pollingInterval });
  const id = await dev.snapshot();
  const start = await client.getBlock();
  await dev.setBalance({ address: zeroAddress, value: 77n });
  assert.equal(await client.getBalance({ address: zeroAddress }), 77n);
  await dev.increaseTime({ seconds: 1000 });
  await dev.mine({ blocks: 3 });
  const later = await client.getBlock();
  assert.equal(later.number, start.number + 3n);
  assert.ok(later.timestamp >= start.timestamp + 1000n);
  await dev.revert({ id });
  assert.equal((await client.getBlock()).hash, start.hash);
});
