// JSON-RPC as bytes: what no client library would send, and what none would check.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { concat, encodeAbiParameters, encodeDeployData, encodeFunctionData, fromRlp, keccak256, toHex, toRlp } from 'viem';
import { privateKeyToAccount, sign as signHash } from 'viem/accounts';
import WebSocket from 'ws';

import { ERC20 } from './artefacts.mjs';
import { ALICE, ALICE_KEY, AS_GETH, BOB, BRAID_ONLY, CAROL, CHAIN_ID, RpcError, post, receiptOf, rpc, startNode, until } from './harness.mjs';
import { verifyAccountProof } from './proof.mjs';

let node, token;
const call = (...args) => node.rpc(...args);
const alice = privateKeyToAccount(ALICE_KEY);

async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof RpcError, String(error));
    return error;
  }
  assert.fail('an error was expected');
}

/** Signs and sends as Alice; returns the hash. */
async function send(fields) {
  const nonce = Number(await call('eth_getTransactionCount', ALICE, 'pending'));
  const raw = await alice.signTransaction({
    type: 'eip1559', chainId: CHAIN_ID, nonce, gas: 2_000_000n, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 10n ** 9n, ...fields,
  });
  return call('eth_sendRawTransaction', raw);
}

before(async () => {
  node = await startNode();
  const data = encodeDeployData({ ...ERC20, args: ['Raw', 'RAW', 1000n, ALICE] });
  token = (await receiptOf(node, await send({ data }))).contractAddress;
});
after(() => node?.stop());

describe('requests', () => {
  test('an answer has the request\'s id, of whatever kind', async () => {
    for (const id of [7, 'seven', 0]) {
      const { json } = await post(node.url, JSON.stringify({ jsonrpc: '2.0', id, method: 'eth_chainId' }));
      assert.deepEqual(json, { jsonrpc: '2.0', id, result: '0x7a69' });
    }
  });

  test('a batch is answered in full, errors among results', async () => {
    const batch = [
      { jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] },
      { jsonrpc: '2.0', id: 2, method: 'eth_noSuchMethod', params: [] },
      { jsonrpc: '2.0', id: 3, method: 'eth_getBalance', params: ['nonsense', 'latest'] },
      { jsonrpc: '2.0', id: 4, method: 'net_version', params: [] },
    ];
    const { json } = await post(node.url, JSON.stringify(batch));
    const byId = new Map(json.map((answer) => [answer.id, answer]));
    assert.equal(byId.size, 4);
    assert.equal(byId.get(1).result, '0x7a69');
    assert.equal(byId.get(2).error.code, -32601);
    assert.equal(byId.get(3).error.code, -32602);
    assert.equal(byId.get(4).result, '31337');
  });

  test('an empty batch is an invalid request', { skip: BRAID_ONLY }, async () => {
    const { json } = await post(node.url, '[]');
    assert.equal(json.error.code, -32600);
  });

  test('a batch longer than the limit is refused', { skip: BRAID_ONLY }, async () => {
    const request = (id) => ({ jsonrpc: '2.0', id, method: 'eth_chainId', params: [] });
    const { json } = await post(node.url, JSON.stringify(Array.from({ length: 1001 }, (_, id) => request(id))));
    const error = Array.isArray(json) ? json[0].error : json.error;
    assert.ok(error.code < 0 && error.message.length > 0);
    const full = await post(node.url, JSON.stringify(Array.from({ length: 1000 }, (_, id) => request(id))));
    assert.equal(full.json.length, 1000);
  });

  test('what is not JSON is a parse error, and the node lives on', { skip: AS_GETH }, async () => {
    for (const body of ['', '{', 'null,', '\0\0\0', '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"', '"'.repeat(1000)]) {
      const { json, status } = await post(node.url, body);
      assert.ok(json?.error?.code === -32700 || status >= 400, `answer to ${JSON.stringify(body).slice(0, 40)}`);
    }
    assert.equal(await call('eth_chainId'), '0x7a69');
  });

  test('JSON that is not a request is an invalid request', { skip: BRAID_ONLY }, async () => {
    for (const body of ['{}', '[1,2]', '"eth_chainId"', '17', '{"jsonrpc":"2.0","id":1}', '{"jsonrpc":"2.0","id":1,"method":5}']) {
      const { json, status } = await post(node.url, body);
      const error = Array.isArray(json) ? json[0].error : json?.error;
      assert.ok([-32600, -32700].includes(error?.code) || status >= 400, `answer to ${body}: ${JSON.stringify(json)}`);
    }
    // An id that is no id: geth refuses; here it counts as none, and a request without one gets no result.
    const odd = await post(node.url, '{"id":[],"jsonrpc":"2.0","method":"eth_chainId"}');
    assert.equal(odd.json?.result, undefined);
    const deep = `{"jsonrpc":"2.0","id":1,"method":"eth_call","params":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    const { json } = await post(node.url, deep);
    assert.ok(json.error);
    assert.equal(await call('eth_chainId'), '0x7a69');
  });

  test('a body over the limit is refused without being read to memory', { skip: BRAID_ONLY }, async () => {
    const body = `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":["${'a'.repeat(26 << 20)}"]}`;
    const answer = await post(node.url, body).catch((error) => ({ status: 413, error }));
    assert.ok(answer.status === 413 || answer.json?.error, `HTTP ${answer.status}`);
    assert.equal(await call('eth_chainId'), '0x7a69');
  });

  test('a half-sent request does not hold up the others', async () => {
    const socket = connect(node.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"jsonrpc"');
    assert.equal(await call('eth_chainId'), '0x7a69');
    socket.destroy();
  });

  test('wrong parameters are named, not guessed', async () => {
    const wrong = [
      ['eth_getBalance', 'not an address', 'latest'],
      ['eth_getBalance', ALICE, 'yesterday'],
      ['eth_getBlockByNumber', '0xzz', false],
      ['eth_getTransactionByHash', '0x12'],
      ['eth_sendRawTransaction', 'raw'],
      ['eth_getStorageAt', ALICE],
      ['eth_call', 5],
      ['eth_getLogs', { fromBlock: [] }],
    ];
    for (const [method, ...params] of wrong) {
      const error = await rejection(call(method, ...params));
      assert.equal(error.code, -32602, `${method} ${JSON.stringify(params)}: ${error.message}`);
    }
  });

  test('a page from anywhere may call (CORS preflight)', async () => {
    const preflight = await fetch(node.url, {
      method: 'OPTIONS',
      headers: { origin: 'http://localhost:3000', 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
    });
    assert.ok(preflight.status < 300);
    assert.ok(['*', 'http://localhost:3000'].includes(preflight.headers.get('access-control-allow-origin')));
    assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /\*|content-type/i);
    const answer = await post(node.url, '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}', { 'content-type': 'application/json', origin: 'http://localhost:3000' });
    assert.ok(answer.headers.get('access-control-allow-origin'));
  });
});

describe('reading the chain', () => {
  test('unknown blocks, transactions and receipts are null', async () => {
    const nothing = `0x${'11'.repeat(32)}`;
    assert.equal(await call('eth_getBlockByNumber', '0xffffff', false), null);
    assert.equal(await call('eth_getBlockByHash', nothing, false), null);
    assert.equal(await call('eth_getTransactionByHash', nothing), null);
    assert.equal(await call('eth_getTransactionReceipt', nothing), null);
    if (!AS_GETH) assert.equal(await call('eth_getBlockTransactionCountByNumber', '0xffffff'), null);
  });

  test('state of a block that is not there is an error', async () => {
    const error = await rejection(call('eth_getBalance', ALICE, '0xffffff'));
    assert.ok(error.code < 0);
    await rejection(call('eth_getBalance', ALICE, { blockHash: `0x${'11'.repeat(32)}` }));
  });

  test('every tag, number and hash names a block', async () => {
    const head = await call('eth_getBlockByNumber', 'latest', false);
    for (const tag of ['latest', 'safe', 'finalized', 'pending', 'earliest', '0x0', head.number, { blockHash: head.hash }, { blockNumber: head.number }]) {
      assert.match(await call('eth_getBalance', ALICE, tag), /^0x[1-9a-f]/);
    }
    assert.deepEqual(await call('eth_getBlockByHash', head.hash, false), head);
  });

  test('a block has the fields of its fork, and its receipts add up', async () => {
    const hash = await send({ to: BOB, value: 3n });
    const receipt = await receiptOf(node, hash);
    const block = await call('eth_getBlockByHash', receipt.blockHash, true);
    for (const field of ['baseFeePerGas', 'withdrawalsRoot', 'blobGasUsed', 'excessBlobGas', 'parentBeaconBlockRoot', 'requestsHash', 'mixHash', 'size', 'logsBloom', 'receiptsRoot', 'transactionsRoot', 'stateRoot']) {
      assert.ok(field in block, field);
    }
    assert.deepEqual(block.withdrawals, []);
    assert.deepEqual(block.uncles, []);
    assert.equal(block.difficulty, '0x0');
    assert.equal(block.nonce, '0x0000000000000000');
    const receipts = await call('eth_getBlockReceipts', receipt.blockHash);
    assert.equal(receipts.length, block.transactions.length);
    assert.equal(receipts.at(-1).cumulativeGasUsed, block.gasUsed);
    assert.deepEqual(receipts.find((r) => r.transactionHash === hash), receipt);
    const byIndex = await call('eth_getTransactionByBlockHashAndIndex', receipt.blockHash, '0x0');
    assert.deepEqual(byIndex, block.transactions[0]);
    assert.equal(await call('eth_getBlockTransactionCountByHash', receipt.blockHash), `0x${block.transactions.length.toString(16)}`);
    const parent = await call('eth_getBlockByHash', block.parentHash, false);
    assert.equal(Number(parent.number) + 1, Number(block.number));
    if (!AS_GETH) assert.ok(Number(block.timestamp) > Number(parent.timestamp));
  });

  test('a raw transaction is what was sent, byte for byte', { skip: BRAID_ONLY }, async () => {
    const nonce = Number(await call('eth_getTransactionCount', ALICE, 'pending'));
    const raw = await alice.signTransaction({ type: 'eip1559', chainId: CHAIN_ID, nonce, to: BOB, gas: 21_000n, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 1n });
    const hash = await call('eth_sendRawTransaction', raw);
    assert.equal(hash, keccak256(raw));
    const receipt = await receiptOf(node, hash);
    assert.equal(await call('debug_getRawTransaction', hash), raw);
    const header = await call('debug_getRawHeader', receipt.blockHash);
    assert.equal(keccak256(header), receipt.blockHash);
    assert.ok((await call('debug_getRawBlock', receipt.blockHash)).includes(raw.slice(2)));
    assert.equal((await call('debug_getRawReceipts', receipt.blockHash)).length, 1);
  });

  test('proofs lead from the state root to the account and its slots', async () => {
    await receiptOf(node, await send({ to: token, data: encodeFunctionData({ abi: ERC20.abi, functionName: 'transfer', args: [BOB, 77n] }) }));
    const slot = keccak256(encodeAbiParameters([{ type: 'address' }, { type: 'uint256' }], [BOB, 0n]));
    const absent = `0x${'ab'.repeat(32)}`;
    const block = await call('eth_getBlockByNumber', 'latest', false);
    for (const address of [token, ALICE, '0x00000000000000000000000000000000deadbeef']) {
      const proof = await call('eth_getProof', address, [slot, absent], block.number);
      verifyAccountProof(block.stateRoot, proof);
    }
    const proof = await call('eth_getProof', token, [slot, absent], block.number);
    assert.equal(BigInt(proof.storageProof[0].value), 77n);
    assert.equal(BigInt(proof.storageProof[1].value), 0n);
    proof.balance = '0x1';
    assert.throws(() => verifyAccountProof(block.stateRoot, proof), 'the check can fail');
  });

  test('a revert has code 3 and the data the contract gave', async () => {
    const data = encodeFunctionData({ abi: ERC20.abi, functionName: 'transfer', args: [BOB, 10n ** 9n] });
    for (const method of ['eth_call', 'eth_estimateGas']) {
      const error = await rejection(call(method, { from: CAROL, to: token, data }, 'latest'));
      assert.equal(error.code, 3);
      assert.match(error.rpcMessage, /^execution reverted: ERC20: transfer amount exceeds balance$|^execution reverted.*exceeds balance/);
      assert.match(error.data, /^0x08c379a0/);
    }
  });

  test('logs are limited by address lists, topic lists and ranges', async () => {
    const transfer = keccak256(new TextEncoder().encode('Transfer(address,address,uint256)'));
    const all = await call('eth_getLogs', { fromBlock: '0x0', address: [token], topics: [[transfer, `0x${'00'.repeat(32)}`]] });
    assert.ok(all.length >= 2);
    assert.ok(all.every((log) => log.removed === false && log.address === token));
    assert.deepEqual(await call('eth_getLogs', { fromBlock: '0x0', address: CAROL }), []);
    const { blockHash } = all[0];
    const one = await call('eth_getLogs', { blockHash });
    assert.deepEqual(one, all.filter((log) => log.blockHash === blockHash));
    await rejection(call('eth_getLogs', { blockHash, fromBlock: '0x0' }));
  });

  test('an inverted log range is refused', { skip: BRAID_ONLY }, async () => {
    const error = await rejection(call('eth_getLogs', { fromBlock: '0x3', toBlock: '0x1' }));
    assert.equal(error.code, -32602);
  });

  test('a transaction is traced', async () => {
    const data = encodeFunctionData({ abi: ERC20.abi, functionName: 'transfer', args: [CAROL, 1n] });
    const hash = await send({ to: token, data });
    const receipt = await receiptOf(node, hash);
    const calls = await call('debug_traceTransaction', hash, { tracer: 'callTracer', tracerConfig: { withLog: true } });
    assert.equal(calls.to, token);
    assert.equal(calls.gasUsed, receipt.gasUsed);
    assert.equal(calls.logs.length, 1);
    const steps = await call('debug_traceTransaction', hash, {});
    assert.equal(BigInt(steps.gas), BigInt(receipt.gasUsed));
    assert.equal(steps.failed, false);
    if (!AS_GETH) assert.ok(steps.structLogs.length > 100);
    const prestate = await call('debug_traceTransaction', hash, { tracer: 'prestateTracer' });
    assert.ok(Object.keys(prestate).includes(token));
    const traced = await call('debug_traceCall', { from: ALICE, to: token, data }, 'latest', { tracer: 'callTracer' });
    assert.equal(traced.type, 'CALL');
  });

  test('net, web3 and the rest of the small ones', async () => {
    assert.equal(await call('net_version'), '31337');
    assert.equal(await call('net_listening'), true);
    assert.match(await call('web3_clientVersion'), /\//);
    assert.equal(await call('web3_sha3', '0x'), keccak256('0x'));
    assert.equal(await call('eth_syncing'), false);
  });

  test('what it calls itself, and what it can say of its fork and pool', { skip: BRAID_ONLY }, async () => {
    assert.match(await call('web3_clientVersion'), /^braid\/v?\d+\.\d+\.\d+/i);
    assert.equal(Number(await call('net_peerCount')), 0);
    const config = await call('eth_config');
    assert.equal(BigInt(config.current.chainId), BigInt(CHAIN_ID));
    assert.deepEqual(Object.keys(await call('txpool_status')).sort(), ['pending', 'queued']);
    const modules = await call('rpc_modules');
    assert.ok('eth' in modules);
  });
});

describe('transactions that cannot be', () => {
  const sign = (fields) => alice.signTransaction({
    type: 'eip1559', chainId: CHAIN_ID, to: BOB, gas: 21_000n, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 1n, value: 0n, ...fields,
  });
  const nonce = async () => Number(await call('eth_getTransactionCount', ALICE, 'latest'));

  test('are refused with the reason in geth\'s words', async () => {
    const cases = [
      [{ nonce: 0 }, /nonce too low/],
      [{ value: 10n ** 30n }, /insufficient funds/i],
      [{ gas: 20_999n }, /intrinsic gas too low/],
      [{ chainId: 1 }, /chain ?id/i],
      [{ gas: 10n ** 12n }, /gas.?limit/i],
    ];
    for (const [fields, pattern] of cases) {
      const raw = await sign({ nonce: await nonce(), ...fields });
      const error = await rejection(call('eth_sendRawTransaction', raw));
      assert.match(error.rpcMessage, pattern, JSON.stringify(fields, (_, v) => (typeof v === 'bigint' ? String(v) : v)));
      assert.ok([-32000, -32003].includes(error.code), `${error.code} for ${error.rpcMessage}`);
    }
  });

  test('a tip above the whole fee is refused', async () => {
    // viem refuses to sign this, so its fields are changed and signed by hand.
    const fields = fromRlp(`0x${(await sign({ nonce: await nonce() })).slice(4)}`, 'hex').slice(0, 9);
    [fields[2], fields[3]] = [toHex(2n * 10n ** 11n), toHex(10n ** 11n)];
    const { r, s, yParity } = await signHash({ hash: keccak256(concat(['0x02', toRlp(fields)])), privateKey: ALICE_KEY });
    const raw = concat(['0x02', toRlp([...fields, yParity ? toHex(yParity) : '0x', trim(r), trim(s)])]);
    const error = await rejection(call('eth_sendRawTransaction', raw));
    assert.match(error.rpcMessage, /priority fee/i);
  });

  test('sent twice, a transaction is known already', async () => {
    const raw = await sign({ nonce: (await nonce()) + 50 });
    const hash = await call('eth_sendRawTransaction', raw);
    const error = await rejection(call('eth_sendRawTransaction', raw));
    assert.match(error.rpcMessage, /already (known|imported)/);
    const waiting = await call('eth_getTransactionByHash', hash);
    assert.equal(waiting.blockNumber, null);
  });

  test('a replacement must pay a tenth more', async () => {
    const far = (await nonce()) + 60;
    await call('eth_sendRawTransaction', await sign({ nonce: far, maxPriorityFeePerGas: 10n ** 9n, maxFeePerGas: 10n ** 10n }));
    const cheap = await sign({ nonce: far, value: 1n, maxPriorityFeePerGas: 10n ** 9n, maxFeePerGas: 10n ** 10n });
    const error = await rejection(call('eth_sendRawTransaction', cheap));
    assert.match(error.rpcMessage, /underpriced/);
    await call('eth_sendRawTransaction', await sign({ nonce: far, value: 1n, maxPriorityFeePerGas: 2n * 10n ** 9n, maxFeePerGas: 2n * 10n ** 10n }));
  });

  test('bytes that are no transaction are refused', async () => {
    const good = await sign({ nonce: await nonce() });
    for (const raw of ['0x', '0x00', '0x02', '0x02c0', '0xc0', '0x05c0', '0x7f01', good.slice(0, -2), ...(AS_GETH ? [] : [`${good}00`]), good.replace(/^0x02f8/, '0x02f9')]) {
      const error = await rejection(call('eth_sendRawTransaction', raw));
      assert.ok(error.code < 0, `${raw.slice(0, 12)}: ${error.message}`);
    }
  });
});

const trim = (hex) => `0x${hex.slice(2).replace(/^(00)+/, '')}`;

describe('WebSocket', () => {
  /** A connection that numbers its requests and keeps its notifications. */
  async function open() {
    const socket = new WebSocket(node.wsUrl);
    await once(socket, 'open');
    const waiting = new Map();
    const notifications = [];
    const unnumbered = [];
    let id = 0;
    socket.on('message', (data) => {
      const message = JSON.parse(data);
      if (message.method === 'eth_subscription') notifications.push(message.params);
      else if (waiting.has(message.id)) waiting.get(message.id)(message);
      else unnumbered.push(message);
    });
    const ask = (method, ...params) => new Promise((resolve) => {
      id += 1;
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
    const close = async () => {
      socket.close();
      await once(socket, 'close');
    };
    return { socket, ask, notifications, unnumbered, close };
  }

  test('subscriptions of every kind, until they are ended', async () => {
    const { ask, notifications, close } = await open();
    const of = (subscription) => notifications.filter((n) => n.subscription === subscription).map((n) => n.result);
    const heads = (await ask('eth_subscribe', 'newHeads')).result;
    const logs = (await ask('eth_subscribe', 'logs', { address: token })).result;
    const pending = (await ask('eth_subscribe', 'newPendingTransactions')).result;
    assert.equal(new Set([heads, logs, pending]).size, 3);
    const data = encodeFunctionData({ abi: ERC20.abi, functionName: 'transfer', args: [CAROL, 2n] });
    const hash = await send({ to: token, data });
    const receipt = await receiptOf(node, hash);
    await until(() => of(heads).length > 0 && of(logs).length > 0 && of(pending).length > 0, 'one of each');
    const header = of(heads).at(-1);
    assert.equal(header.hash, receipt.blockHash);
    for (const field of ['parentHash', 'stateRoot', 'number', 'timestamp', 'logsBloom', 'gasUsed', 'baseFeePerGas']) assert.ok(field in header, field);
    assert.deepEqual(of(logs), receipt.logs);
    assert.deepEqual(of(pending), [hash]);
    assert.equal((await ask('eth_unsubscribe', heads)).result, true);
    const before = of(heads).length;
    await receiptOf(node, await send({ to: token, data }));
    await until(() => of(logs).length === 2, 'the second log');
    assert.equal(of(heads).length, before);
    await close();
  });

  test('a subscriber gets every block once, in order', async () => {
    const { ask, notifications, close } = await open();
    await ask('eth_subscribe', 'newHeads');
    const start = Number(await call('eth_blockNumber'));
    for (let i = 0; i < 25; i++) await call('evm_mine');
    await until(() => notifications.length >= 25, '25 heads');
    assert.deepEqual(notifications.map(({ result }) => Number(result.number)), Array.from({ length: 25 }, (_, i) => start + 1 + i));
    for (let i = 1; i < 25; i++) assert.equal(notifications[i].result.parentHash, notifications[i - 1].result.hash);
    await close();
  });

  test('an unknown subscription is an error', async () => {
    const { ask, close } = await open();
    assert.ok((await ask('eth_subscribe', 'weather')).error);
    await close();
  });

  test('calls and batches work as over HTTP', async () => {
    const { ask, socket, close, unnumbered } = await open();
    assert.equal((await ask('eth_chainId')).result, '0x7a69');
    if (!AS_GETH) assert.equal((await ask('eth_noSuchMethod')).error.code, -32601);
    socket.send(JSON.stringify([{ jsonrpc: '2.0', id: 'a', method: 'eth_chainId' }, { jsonrpc: '2.0', id: 'b', method: 'net_version' }]));
    await until(() => unnumbered.length > 0, 'the batch');
    assert.deepEqual(unnumbered[0].map((answer) => answer.result), ['0x7a69', '31337']);
    await close();
  });

  test('rubbish does not end the node', async () => {
    const { socket, close, ask } = await open();
    for (const text of ['{', '[]', '17', '"x"', '\u0000']) socket.send(text);
    assert.equal((await ask('eth_chainId')).result, '0x7a69');
    await close();
    const abrupt = await open();
    await abrupt.ask('eth_subscribe', 'newHeads');
    abrupt.socket.terminate();
    await receiptOf(node, await send({ to: BOB }));
    assert.equal(await rpc(node.url, 'eth_chainId'), '0x7a69');
  });
});
