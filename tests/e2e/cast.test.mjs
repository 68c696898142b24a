// Foundry's `cast`, unmodified: what a person types.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ERC20 } from './artefacts.mjs';
import { ALICE, ALICE_KEY, BOB, BOB_KEY, CAROL, ROOT, run, startNode, temporaryDirectory } from './harness.mjs';

const CAST = join(ROOT, 'node_modules/@foundry-rs/cast-linux-amd64/bin/cast');
let node, token;

const cast = (...args) => run(CAST, args, { env: { ETH_RPC_URL: node.url, FOUNDRY_DISABLE_NIGHTLY_WARNING: '1', NO_COLOR: '1' } });
const castJson = async (...args) => JSON.parse(await cast(...args, '--json'));
const send = (...args) => castJson('send', '--private-key', ALICE_KEY, ...args);

before(async () => {
  node = await startNode();
  // string, string, uint256, address: the constructor's arguments behind the code, encoded by cast itself.
  const args = await cast('abi-encode', 'f(string,string,uint256,address)', 'Cast', 'CST', '1000000', ALICE);
  const receipt = await send('--create', ERC20.bytecode + args.slice(2));
  assert.equal(receipt.status, '0x1');
  token = receipt.contractAddress;
});
after(() => node?.stop());

test('chain-id, client, block-number and gas-price', async () => {
  assert.equal(await cast('chain-id'), '31337');
  assert.match(await cast('client'), /\S+\/\S+/);
  assert.ok(Number(await cast('block-number')) >= 1);
  assert.ok(BigInt(await cast('gas-price')) > 0n);
  assert.ok(BigInt(await cast('base-fee')) > 0n);
});

test('send, receipt, tx, balance and nonce', async () => {
  const before = BigInt(await cast('balance', CAROL));
  const receipt = await send(CAROL, '--value', '1ether');
  assert.equal(receipt.status, '0x1');
  assert.equal(BigInt(await cast('balance', CAROL)) - before, 10n ** 18n);
  const again = await castJson('receipt', receipt.transactionHash);
  assert.equal(again.blockHash, receipt.blockHash);
  const tx = await castJson('tx', receipt.transactionHash);
  assert.equal(tx.from.toLowerCase(), ALICE.toLowerCase());
  assert.equal(Number(await cast('nonce', ALICE)), Number(tx.nonce) + 1);
});

test('send of every type cast can make', async () => {
  assert.equal((await send(BOB, '--value', '1', '--legacy')).type, '0x0');
  assert.equal((await send(BOB, '--value', '1', '--access-list')).status, '0x1');
  assert.equal((await send(BOB, '--value', '1')).type, '0x2');
});

test('a blob transaction, with its real proofs', async () => {
  const path = join(temporaryDirectory(), 'data');
  writeFileSync(path, 'rates of the day '.repeat(100));
  const receipt = await send(BOB, '--blob', '--path', path, '--blob-gas-price', '1000000000');
  assert.equal(receipt.status, '0x1');
  assert.equal(receipt.type, '0x3');
  assert.equal(receipt.blobGasUsed, '0x20000');
  assert.ok(BigInt(receipt.blobGasPrice) >= 1n);
});

test('an authorization (EIP-7702)', async () => {
  const auth = await cast('wallet', 'sign-auth', token, '--private-key', BOB_KEY);
  const receipt = await send(ALICE, '--auth', auth);
  assert.equal(receipt.type, '0x4');
  assert.equal(await cast('code', BOB), `0xef0100${token.slice(2).toLowerCase()}`);
});

test('call, with and without a block', async () => {
  assert.equal(await cast('call', token, 'balanceOf(address)(uint256)', ALICE), '1000000 [1e6]');
  assert.equal(await cast('call', token, 'symbol()(string)', '--block', 'latest'), '"CST"');
  await assert.rejects(cast('call', token, 'transfer(address,uint256)', BOB, '1', '--from', CAROL), /transfer amount exceeds balance/);
});

test('a token transfer, its logs and its storage', async () => {
  const receipt = await send(token, 'transfer(address,uint256)', CAROL, '55');
  assert.equal(receipt.logs.length, 1);
  const logs = await castJson('logs', '--address', token, '--from-block', '0', 'Transfer(address indexed,address indexed,uint256)', ALICE, CAROL);
  assert.equal(logs.length, 1);
  assert.equal(logs[0].transactionHash, receipt.transactionHash);
  const slot = await cast('index', 'address', CAROL, '0');
  assert.equal(BigInt(await cast('storage', token, slot)), 55n);
});

test('estimate and access-list', async () => {
  assert.equal(await cast('estimate', CAROL, '--value', '1', '--from', BOB), '21000');
  const gas = Number(await cast('estimate', token, 'transfer(address,uint256)', BOB, '5', '--from', ALICE));
  assert.ok(gas > 30_000 && gas < 80_000);
  const list = await castJson('access-list', token, 'balanceOf(address)', ALICE);
  assert.equal(list.accessList[0].address.toLowerCase(), token.toLowerCase());
});

test('block, by number, tag and hash', async () => {
  const latest = await castJson('block', 'latest');
  assert.deepEqual(await castJson('block', latest.hash), latest);
  assert.equal((await castJson('block', '0')).number, '0x0');
  assert.match(await cast('block', 'latest', '--full'), /transactions:/);
  const found = await cast('find-block', String(Number(latest.timestamp)));
  assert.ok(Number(found) <= Number(latest.number));
});

test('a traced transaction executes as it did (cast run)', async () => {
  const receipt = await send(token, 'transfer(address,uint256)', BOB, '7');
  const trace = await cast('run', receipt.transactionHash, '--quick');
  assert.match(trace, /Transaction successfully executed/);
  assert.match(trace, /Transfer|transfer|emit/);
});

test('rpc, proof and publish', async () => {
  assert.equal(await cast('rpc', 'net_version'), '"31337"');
  assert.equal(await cast('rpc', 'web3_sha3', '0x68656c6c6f'), `"${await cast('keccak', 'hello')}"`);
  const proof = JSON.parse(await cast('proof', token));
  assert.ok(proof.accountProof.length > 0);
  assert.equal(proof.address.toLowerCase(), token.toLowerCase());
  const raw = await cast('mktx', '--private-key', ALICE_KEY, CAROL, '--value', '3');
  const published = await castJson('publish', raw);
  assert.equal(published.status ?? '0x1', '0x1');
});

test('what is refused says why', async () => {
  await assert.rejects(send(BOB, '--value', '99999999ether'), /[Ii]nsufficient (funds|balance)|OutOfFunds|not enough/);
  await assert.rejects(send(BOB, '--nonce', '0', '--gas-limit', '21000', '--gas-price', '3gwei'), /nonce too low/);
  await assert.rejects(cast('rpc', 'eth_noSuchMethod'), /-32601|[Mm]ethod not found|does not exist/);
});
