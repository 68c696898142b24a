// A network of four validators behind ordinary clients: `braid localnet`, its tags, certificates, receipts, and its ends.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createPublicClient, createWalletClient, defineChain, http, parseEther } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import WebSocket from 'ws';

import { freePorts, writeNetwork } from '../network/net.mjs';
import { ERC20 } from './artefacts.mjs';
import { ALICE, ALICE_KEY, BOB, BOB_KEY, BRAID, BRAID_ONLY, CHAIN_ID, MNEMONIC, OWN_NODE, RpcError, braid, rpc, temporaryDirectory, until } from './harness.mjs';

const options = { skip: BRAID_ONLY || OWN_NODE };
const START_TIMEOUT_MS = 90_000;
const COUNT = 4;

/** Runs `braid localnet` and waits until every validator makes blocks. */
async function startLocalnet({ dir, port, args = [] }) {
  const child = spawn(BRAID, ['localnet', '--dir', dir, '--port', String(port), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  process.on('exit', () => child.kill('SIGKILL'));
  let output = '';
  const collect = (chunk) => {
    output += chunk;
  };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  const urls = Array.from({ length: COUNT }, (_, i) => `http://127.0.0.1:${port + i}`);
  const height = (url) => rpc(url, 'eth_blockNumber').then(Number, () => 0);
  try {
    const ready = async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
      return (await Promise.all(urls.map(height))).every((at) => at >= 2);
    };
    await until(ready, 'the network', START_TIMEOUT_MS);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${error.message}\n${output}`);
  }
  const stop = async (signal = 'SIGTERM') => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exit = once(child, 'exit');
    child.kill(signal);
    return (await exit)[0];
  };
  return { child, urls, output: () => output, stop };
}

/** Process ids of the children of a process. */
function childrenOf(pid) {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((name) => {
    const path = join('/proc', name, 'stat');
    if (!existsSync(path)) return false;
    const stat = readFileSync(path, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
  }).map(Number);
}

describe('a network of validators', options, () => {
  const dir = join(temporaryDirectory(), 'net');
  const chain = defineChain({ id: CHAIN_ID, name: 'braid', nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 }, rpcUrls: { default: { http: [] } } });
  let port;
  let net;
  let clients;
  const wallet = (key, i) => createWalletClient({ account: privateKeyToAccount(key), chain, transport: http(net.urls[i]) });

  before(async () => {
    if (options.skip) return;
    port = await freePorts(COUNT);
    net = await startLocalnet({ dir, port });
    clients = net.urls.map((url) => createPublicClient({ chain, transport: http(url), pollingInterval: 50 }));
  });
  after(() => net?.stop());

  test('the first screen has every URL, the accounts and their keys; log lines have names', async () => {
    for (const url of net.urls) assert.ok(net.output().includes(url), url);
    for (const part of [MNEMONIC, ALICE, ALICE_KEY, 'Tolerates    1 of 4']) assert.ok(net.output().includes(part), part);
    for (let i = 0; i < COUNT; i++) await until(() => net.output().includes(`validator-${i}  | `), `a line of validator ${i}`);
  });

  test('a payment sent to any validator has one receipt on all four', async () => {
    for (let i = 0; i < COUNT; i++) {
      const hash = await wallet(ALICE_KEY, i).sendTransaction({ to: BOB, value: parseEther('1') });
      const receipts = await Promise.all(clients.map((client) => client.waitForTransactionReceipt({ hash })));
      for (const receipt of receipts) assert.deepEqual(receipt, receipts[0]);
      assert.equal(receipts[0].status, 'success');
    }
    const balances = await Promise.all(clients.map((client) => client.getBalance({ address: BOB })));
    for (const balance of balances) assert.equal(balance, parseEther('10004'));
  });

  test('a token deployed at one validator is paid at another and read at a third', async () => {
    const owner = wallet(BOB_KEY, 0);
    const deployment = await owner.deployContract({ ...ERC20, args: ['Braid', 'BRD', 10n ** 24n, BOB] });
    const { contractAddress } = await clients[1].waitForTransactionReceipt({ hash: deployment });
    await clients[2].waitForTransactionReceipt({ hash: deployment });
    const payment = await wallet(BOB_KEY, 2).writeContract({ ...ERC20, address: contractAddress, functionName: 'transfer', args: [ALICE, 5n] });
    const { logs, blockNumber } = await clients[3].waitForTransactionReceipt({ hash: payment });
    assert.equal(logs.length, 1);
    const held = await clients[3].readContract({ ...ERC20, address: contractAddress, functionName: 'balanceOf', args: [ALICE] });
    assert.equal(held, 5n);
    const found = await clients[3].getLogs({ address: contractAddress, fromBlock: blockNumber });
    assert.equal(found.length, 1);
  });

  test('braid deploy puts the contracts there, at the addresses of a development chain', async () => {
    const report = JSON.parse(await braid(['deploy', '--rpc', net.urls[1], '--json'], { timeoutMs: 170_000 }));
    assert.ok(report.transactions >= report.contracts.length);
    const listed = JSON.parse(await braid(['contracts', '--json']));
    for (const { name, address } of listed) assert.notEqual(await rpc(net.urls[1], 'eth_getCode', [address, 'latest']), '0x', name);
    const again = JSON.parse(await braid(['deploy', '--rpc', net.urls[1], '--json']));
    assert.equal(again.transactions, 0);
  });

  test('latest is final: safe and finalized are the same block or a newer one', async () => {
    for (const client of clients) {
      const latest = await client.getBlock({ blockTag: 'latest' });
      const safe = await client.getBlock({ blockTag: 'safe' });
      const finalized = await client.getBlock({ blockTag: 'finalized' });
      assert.ok(safe.number >= latest.number && finalized.number >= safe.number);
      const again = await client.getBlock({ blockNumber: latest.number });
      assert.equal(again.hash, latest.hash);
    }
  });

  test('blocks come several a second, time stamps do not go back', async () => {
    const head = await clients[0].getBlockNumber();
    await until(async () => (await clients[0].getBlockNumber({ cacheTime: 0 })) >= head + 3n, 'three blocks', 30_000);
    let before;
    for (let number = head; number < head + 3n; number++) {
      const block = await clients[0].getBlock({ blockNumber: number });
      if (before) {
        assert.equal(block.parentHash, before.hash);
        assert.ok(block.timestamp >= before.timestamp);
      }
      before = block;
    }
  });

  test('every block has a certificate, which vouches for an earlier execution', async () => {
    const { executionLag } = await rpc(net.urls[0], 'braid_consensusStatus');
    const lag = Number(executionLag);
    const head = Number(await rpc(net.urls[0], 'eth_blockNumber'));
    for (const height of [1, lag + 1, head]) {
      const certificates = await Promise.all(net.urls.map((url) => rpc(url, 'braid_getCertificate', [`0x${height.toString(16)}`])));
      for (const certificate of certificates) {
        assert.equal(certificate.digest, certificates[0].digest);
        assert.equal(certificate.headers[0], certificates[0].headers[0]);
        assert.equal(Number(certificate.height), height);
        assert.equal(certificate.scheme, 'ed25519');
        assert.ok(certificate.signers.length >= 3);
        assert.match(certificate.certificate, /^0x[0-9a-f]{100,}$/);
      }
      const block = await rpc(net.urls[0], 'eth_getBlockByNumber', [`0x${height.toString(16)}`, false]);
      assert.equal(block.extraData, certificates[0].digest);
      const { execution } = certificates[0];
      assert.equal(Number(execution.height), Math.max(0, height - lag));
      const executed = await rpc(net.urls[0], 'eth_getBlockByNumber', [execution.height, false]);
      assert.equal(executed.hash, execution.hash);
    }
    assert.equal(await rpc(net.urls[0], 'braid_getCertificate', [`0x${(head + 100_000).toString(16)}`]), null);
  });

  test('nodes know their peers, their committee and where they stand', async () => {
    const keys = new Set();
    for (const url of net.urls) {
      await until(async () => Number(await rpc(url, 'net_peerCount')) === COUNT - 1, 'three peers', 30_000);
      const peers = await rpc(url, 'braid_peers');
      assert.equal(peers.filter((peer) => peer.connected).length, COUNT - 1);
      assert.equal(await rpc(url, 'eth_syncing'), false);
      const status = await rpc(url, 'braid_consensusStatus');
      keys.add(status.publicKey);
      assert.equal(status.role, 'validator');
      assert.equal(status.committee.length, COUNT);
      assert.ok(status.committee.some((member) => member.publicKey === status.publicKey));
      assert.ok(status.committee.some((member) => member.publicKey === status.leader));
      assert.ok(Number(status.view) > 0 && Number(status.height) > 0);
    }
    assert.equal(keys.size, COUNT);
  });

  test('nobody can change the chain but by transactions', async () => {
    for (const method of ['evm_mine', 'anvil_setBalance', 'hardhat_reset', 'evm_snapshot', 'personal_sign', 'admin_nodeInfo']) {
      await assert.rejects(rpc(net.urls[0], method, []), (error) => error instanceof RpcError && error.code === -32601, method);
    }
    assert.deepEqual(await rpc(net.urls[0], 'eth_accounts'), []);
    await assert.rejects(rpc(net.urls[0], 'eth_sendTransaction', [{ from: ALICE, to: BOB, value: '0x1' }]));
  });

  test('heads are pushed, and metrics tell of consensus', async () => {
    const socket = new WebSocket(net.urls[1].replace('http', 'ws'));
    const heads = [];
    socket.on('open', () => socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'));
    socket.on('message', (data) => {
      const { params } = JSON.parse(data);
      if (params) heads.push(Number(params.result.number));
    });
    await until(() => heads.length >= 3, 'three heads', 30_000);
    socket.terminate();
    assert.equal(heads[2], heads[0] + 2);
    const text = await (await fetch(`${net.urls[1]}/metrics`)).text();
    for (const name of ['braid_consensus_view', 'braid_consensus_finalized_height', 'braid_consensus_execution_lag_blocks', 'braid_consensus_round_seconds', 'braid_consensus_finality_seconds', 'braid_consensus_peers']) {
      assert.match(text, new RegExp(`^${name}`, 'm'), name);
    }
    assert.equal((await fetch(`${net.urls[1]}/ready`)).status, 200);
  });

  test('metrics say what peers and status say, and how much goes in and out', async () => {
    const read = async () => (await fetch(`${net.urls[2]}/metrics`)).text();
    const value = (text, series) => {
      const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
      assert.ok(line, `${series} is missing`);
      return Number(line.slice(series.length + 1));
    };
    const before = await rpc(net.urls[2], 'braid_consensusStatus');
    const text = await read();
    const after = await rpc(net.urls[2], 'braid_consensusStatus');
    const between = (name, key) => {
      const found = value(text, name);
      assert.ok(found >= Number(before[key]) && found <= Number(after[key]), `${name}: ${found}`);
    };
    between('braid_consensus_view', 'view');
    between('braid_consensus_finalized_height', 'finalizedHeight');
    between('braid_block_height', 'height');
    assert.equal(value(text, 'braid_consensus_voting'), 1);
    assert.equal(before.voting, true);
    assert.equal(before.votesAgain, null);
    const connected = (await rpc(net.urls[2], 'braid_peers')).filter((peer) => peer.connected).length;
    assert.equal(connected, COUNT - 1);
    assert.equal(value(text, 'braid_consensus_peers'), connected);
    assert.equal(Number(await rpc(net.urls[2], 'net_peerCount')), connected);
    for (const name of ['votes_sent', 'votes_received']) assert.ok(value(text, `braid_consensus_${name}_total`) > 0, name);
    for (const channel of ['votes', 'certificates', 'resolver', 'backfill', 'blocks', 'transactions']) {
      const series = (name) => value(text, `braid_network_${name}_total{channel="${channel}"}`);
      for (const direction of ['sent', 'received']) {
        const [messages, bytes] = [series(`messages_${direction}`), series(`${direction}_bytes`)];
        assert.ok(bytes >= messages, `${channel} ${direction}`);
        if (['votes', 'blocks', 'transactions'].includes(channel)) assert.ok(messages > 0, `${channel} ${direction}`);
      }
    }
    assert.ok(value(text, 'braid_consensus_round_seconds_count') > 0);
    const again = await read();
    assert.ok(value(again, 'braid_network_received_bytes_total{channel="votes"}') >= value(text, 'braid_network_received_bytes_total{channel="votes"}'));
    const names = ['braid_consensus_view', 'braid_consensus_finalized_height', 'braid_consensus_voting', 'braid_consensus_peers', 'braid_consensus_round_seconds', 'braid_consensus_votes_sent_total', 'braid_consensus_votes_received_total', 'braid_network_messages_sent_total', 'braid_network_messages_received_total', 'braid_network_sent_bytes_total', 'braid_network_received_bytes_total'];
    for (const name of names) assert.match(text, new RegExp(`^# HELP ${name} \\S`, 'm'), name);
  });

  test('a validator that dies is reported, and the others go on', async () => {
    const children = childrenOf(net.child.pid);
    assert.equal(children.length, COUNT);
    const victim = children.find((pid) => readFileSync(join('/proc', String(pid), 'cmdline'), 'utf8').includes('validator-3'));
    process.kill(victim, 'SIGKILL');
    await until(() => net.output().includes('validator-3 ended'), 'the report');
    const hash = await wallet(ALICE_KEY, 0).sendTransaction({ to: BOB, value: 1n });
    const { status } = await clients[1].waitForTransactionReceipt({ hash, timeout: 60_000 });
    assert.equal(status, 'success');
  });

  test('SIGTERM stops all of them; a second start goes on; another shape is refused', async () => {
    const height = Number(await rpc(net.urls[0], 'eth_blockNumber'));
    const { hash } = await rpc(net.urls[0], 'eth_getBlockByNumber', [`0x${height.toString(16)}`, false]);
    assert.equal(await net.stop(), 0, net.output());
    await assert.rejects(braid(['localnet', '--dir', dir, '--validators', '7']), /holds another network: validators = 7/);
    net = await startLocalnet({ dir, port });
    for (const url of net.urls) {
      const block = await until(() => rpc(url, 'eth_getBlockByNumber', [`0x${height.toString(16)}`, false]), `block ${height} at ${url}`, 60_000);
      assert.equal(block.hash, hash);
    }
    await until(async () => Number(await rpc(net.urls[3], 'eth_blockNumber')) > height + 3, 'more blocks', 60_000);
    assert.equal(await net.stop('SIGINT'), 0, net.output());
  });

  test('nodes whose parent is gone stop by themselves', async () => {
    net = await startLocalnet({ dir, port });
    const children = childrenOf(net.child.pid);
    net.child.kill('SIGKILL');
    await until(() => children.every((pid) => !existsSync(join('/proc', String(pid)))), 'the end of all nodes', 60_000);
  });
});

describe('a node that cannot start says why', options, () => {
  let net;
  before(async () => {
    if (!options.skip) net = await writeNetwork({ followers: 1 });
  });

  const refused = async (args, pattern, code) => {
    const [node] = net.validators;
    const child = spawn(BRAID, ['node', '--config', node.config, ...args], { stdio: ['ignore', 'ignore', 'pipe'], env: {} });
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      output += chunk;
    });
    const [actual] = await once(child, 'exit');
    assert.match(output, pattern);
    assert.doesNotMatch(output, /panicked/);
    assert.equal(actual, code, output);
  };

  test('wrong password, wrong key, wrong share', async () => {
    const wrong = join(net.dir, 'wrong');
    writeFileSync(wrong, 'wrong\n');
    await refused(['--password-file', wrong], /the password is wrong/, 1);
    await refused(['--key', join(net.dir, 'genesis.json')], /is not the identity of a node/, 1);
    await refused(['--key', join(net.dir, 'nowhere.json')], /nowhere\.json/, 1);
    await refused(['--role', 'follower'], /is a validator of the genesis/, 1);
  });

  test('a genesis without validators, another genesis, a bad one', async () => {
    const genesis = JSON.parse(readFileSync(join(net.dir, 'genesis.json'), 'utf8'));
    const file = (change) => {
      const path = join(net.dir, 'other.json');
      const copy = structuredClone(genesis);
      change(copy);
      writeFileSync(path, JSON.stringify(copy));
      return path;
    };
    const plain = file((copy) => delete copy.config.braid);
    await refused(['--genesis', plain], /names no validators/, 2);
    const bad = file((copy) => {
      copy.config.braid.scheme = 'rsa';
    });
    await refused(['--genesis', bad], /rsa/, 2);
    const [node] = net.validators;
    await node.start();
    await node.stop();
    const other = file((copy) => {
      copy.config.braid.executionLag = 4;
    });
    await refused(['--genesis', other], /made with another genesis/, 1);
  });

  test('a key that another process uses, and one of which it is not known what it has voted in', async () => {
    const [node, second] = net.validators;
    await node.start();
    const elsewhere = ['--datadir', join(net.dir, 'elsewhere'), '--listen', '127.0.0.1:0', '--port', '0'];
    await refused(elsewhere, /the key .*key\.json is in use by another process/, 1);
    await node.stop();
    const files = readdirSync(node.folder).filter((name) => name.startsWith('key.json.votes-'));
    assert.equal(files.length, 1);
    const votes = join(node.folder, files[0]);
    const text = readFileSync(votes, 'utf8');
    assert.match(text, /^epoch 0$/m);
    writeFileSync(votes, text.replace('epoch 0', 'epoch 1'));
    await refused([], /is damaged: .* it must not vote/, 1);
    writeFileSync(votes, text);
    await node.start();
    assert.equal((await node.status()).voting, true);
    await node.stop();
    assert.ok(!existsSync(join(second.folder, files[0])), 'a key that has not voted has no such file');
  });

  test('taken ports and directories, unknown and wrong settings', async () => {
    const [node, second] = net.validators;
    await node.start();
    const rpcPort = new URL(node.url).port;
    await refused([], /is in use by another process/, 1);
    await assert.rejects(braid(['node', '--config', second.config, '--port', rpcPort]), /is in use by another program/);
    const listen = readFileSync(node.config, 'utf8').match(/listen = "(.*)"/)[1];
    await assert.rejects(braid(['node', '--config', second.config, '--listen', listen]), /in use/);
    await node.stop();
    await refused(['--block-interval', '0'], /block-interval/, 2);
    const config = join(net.dir, 'unknown.toml');
    writeFileSync(config, 'datdir = "x"\n');
    await assert.rejects(braid(['node', '--config', config]), /unknown setting datdir/);
    writeFileSync(config, 'port = 1\n');
    await assert.rejects(braid(['node', '--config', config]), /--datadir/);
    rmSync(config);
  });

  test('paths in a file are relative to its folder, and the whole configuration can be printed', async () => {
    const [node] = net.validators;
    const printed = await braid(['node', '--config', node.config, '--print-config']);
    assert.ok(printed.includes(`datadir = "${join(node.folder, 'data')}"`), printed);
    assert.match(printed, /^role = "validator" # file /m);
    const [follower] = net.followers;
    assert.match(printed, new RegExp(`^peers = \\["${follower.publicKey}@127`, 'm'));
  });
});
