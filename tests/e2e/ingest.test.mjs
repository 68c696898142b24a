// Signed transactions over plain TCP: a client written from docs/binary-ingest.md alone, and `braid load --ingest`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';

import { privateKeyToAccount } from 'viem/accounts';
import { keccak256 } from 'viem';

import { ALICE_KEY, BOB, BRAID, BRAID_ONLY, CHAIN_ID, IS_BRAID, OWN_NODE, freePort, launch, ready, receiptOf, run, startNode } from './harness.mjs';

/** Sends bytes, ends its side, and returns all that comes back. */
async function exchange(port, ...parts) {
  const socket = connect(port, '127.0.0.1');
  const chunks = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'connect');
  socket.end(Buffer.concat(parts));
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

const HELLO = Buffer.from('BRDI\x01', 'latin1');

function request(envelope) {
  const bytes = Buffer.from(envelope.slice(2), 'hex');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Chain id and answers of everything a server has sent. */
function read(bytes) {
  assert.equal(bytes.subarray(0, 5).toString('latin1'), 'BRDI\x01');
  const chainId = Number(bytes.readBigUInt64BE(5));
  const answers = [];
  for (let at = 13; at < bytes.length; ) {
    const kind = bytes[at++];
    if (kind === 0) {
      answers.push({ hash: `0x${bytes.subarray(at, at + 32).toString('hex')}` });
      at += 32;
      continue;
    }
    const answer = {};
    if (kind === 1) {
      answer.code = bytes.readInt32BE(at);
      at += 4;
    }
    const length = bytes.readUInt16BE(at);
    answer.reason = bytes.subarray(at + 2, at + 2 + length).toString('utf8');
    at += 2 + length;
    answers.push(answer);
  }
  return { chainId, answers };
}

describe('binary ingest', { skip: BRAID_ONLY || OWN_NODE }, () => {
  const account = privateKeyToAccount(ALICE_KEY);
  const sign = (nonce, more = {}) =>
    account.signTransaction({ chainId: CHAIN_ID, nonce, to: BOB, value: 1n, gas: 21_000n, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n, ...more });
  let node;
  let port;
  before(async () => {
    if (!IS_BRAID) return;
    port = await freePort();
    node = await startNode({ args: ['--ingest', `127.0.0.1:${port}`] });
  });
  after(() => node?.stop());

  test('payments come in and are mined; what is refused is refused in the words of JSON-RPC', async () => {
    const good = [await sign(0), await sign(1)];
    const bad = [await sign(0, { chainId: 5 }), '0x02c0', await sign(2, { gas: 20_000n })];
    const words = await Promise.all(bad.map((raw) => node.rpc('eth_sendRawTransaction', raw).catch((error) => ({ code: error.code, reason: error.rpcMessage }))));
    const { chainId, answers } = read(await exchange(port, HELLO, ...[good[0], ...bad, good[1]].map(request)));
    assert.equal(chainId, CHAIN_ID);
    assert.deepEqual(answers, [{ hash: keccak256(good[0]) }, ...words, { hash: keccak256(good[1]) }]);
    for (const { reason } of words) assert.ok(reason.length > 5, reason);
    assert.equal((await receiptOf(node, answers[4].hash)).status, '0x1');
  });

  test('what is no client is told so and the node lives on', async () => {
    assert.deepEqual(read(await exchange(port, Buffer.from('GET / HTTP/1.1\r\n\r\n'))).answers, [{ reason: 'the other side does not speak this protocol' }]);
    const { answers } = read(await exchange(port, HELLO, Buffer.from([0xff, 0xff, 0xff, 0xff])));
    assert.match(answers[0].reason, /limit/);
    assert.deepEqual(read(await exchange(port, HELLO)).answers, []);
    const metrics = await (await fetch(`${node.url}/metrics`)).text();
    assert.match(metrics, /^braid_ingest_transactions_total\{outcome="accepted"\} 2$/m);
  });

  test('braid load sends through it', async () => {
    const args = ['load', '--rpc', node.url, '--ingest', `127.0.0.1:${port}`, '--txs', '400', '--accounts', '20', '--json'];
    const report = JSON.parse(await run(BRAID, args));
    assert.equal(report.included, 400);
    await assert.rejects(run(BRAID, ['load', '--rpc', `${node.url},${node.url}`, '--ingest', `127.0.0.1:${port}`]), /--ingest names 1 addresses, but --rpc 2 nodes/);
  });

  test('a port that is taken is named', async () => {
    const second = await launch({ args: ['--ingest', `127.0.0.1:${port}`] });
    await assert.rejects(ready(second), /exited with 1/);
    assert.match(second.output(), /is in use by another program; choose another address with --ingest/);
  });
});
