// Starts the node under test, talks raw JSON-RPC to it, and makes sure that nothing is left behind.
//
// What is started is chosen by the environment, so the same tests cross-check another node:
//   BRAID_E2E_NODE=braid|anvil   which program (default braid)
//   BRAID_BIN=PATH               the braid binary (default target/release/braid)
//   BRAID_E2E_URL=http://…       a node that already runs; tests that need their own are skipped

import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(fileURLToPath(new URL('../..', import.meta.url)));
export const KIND = process.env.BRAID_E2E_NODE ?? 'braid';
export const IS_BRAID = KIND === 'braid';
const FIXED_URL = process.env.BRAID_E2E_URL;
/** The program under test. */
export const BRAID = resolve(ROOT, process.env.BRAID_BIN ?? 'target/release/braid');
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 20_000;
const OUTPUT_LIMIT = 1 << 20;

/** Reason to skip a test that only Braid's own surface can pass, or false. */
export const BRAID_ONLY = IS_BRAID ? false : 'about Braid itself';
/** Reason to skip a test of behaviour that Braid shares with geth and anvil does not, or false. */
export const AS_GETH = IS_BRAID ? false : 'anvil answers otherwise than geth';
/** Reason to skip a test that stops and starts its own node, or false. */
export const OWN_NODE = IS_BRAID && !FIXED_URL ? false : 'needs a Braid of its own';

export const MNEMONIC = 'test test test test test test test test test test test junk';
export const CHAIN_ID = 31337;
/** First three of the ten development accounts. */
export const ALICE = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266';
export const BOB = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
export const CAROL = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC';
export const ALICE_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
export const BOB_KEY = '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d';
export const CAROL_KEY = '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a';

const running = new Set();
const scratch = new Set();
let nodeScratch;
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  // A process that was killed just now may still be writing.
  for (const dir of scratch) rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** A directory that is gone when this process is. */
export function temporaryDirectory({ keep = false } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'braid-e2e-'));
  if (!keep) scratch.add(dir);
  return dir;
}

/** A loopback port that was free a moment ago. */
export async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function commandFor(port, args) {
  if (IS_BRAID) return [BRAID, ['dev', '--host', '127.0.0.1', '--port', String(port), ...args]];
  const bin = join(ROOT, 'node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil');
  return [bin, ['--host', '127.0.0.1', '--port', String(port), ...args]];
}

/**
 * Starts a node and waits until it answers. `args` go to the program as they are.
 * Returns { url, wsUrl, port, child, rpc, output(), stop(), kill() }.
 */
export async function startNode(options = {}) {
  if (FIXED_URL) return attach(FIXED_URL);
  const node = await launch(options);
  try {
    await ready(node);
  } catch (error) {
    node.child.kill('SIGKILL');
    throw new Error(`${node.child.spawnargs.join(' ')}: ${error.message}\n${node.output()}`);
  }
  return node;
}

/** Starts a node and does not wait for it. */
export async function launch({ args = [], env = {}, port } = {}) {
  port ??= await freePort();
  const [program, argv] = commandFor(port, args);
  if (!existsSync(program)) throw new Error(`${program} is not there; build it first (make build)`);
  const child = spawn(program, argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A killed node cannot remove its temporary directory; ours goes with this process.
    env: { ...process.env, TMPDIR: (nodeScratch ??= temporaryDirectory()), ...env },
    cwd: tmpdir(),
  });
  running.add(child);
  let output = '';
  const collect = (chunk) => {
    output = (output + chunk).slice(-OUTPUT_LIMIT);
  };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  child.on('exit', () => running.delete(child));
  const node = attach(`http://127.0.0.1:${port}`);
  return Object.assign(node, {
    child,
    output: () => output,
    stop: () => end(child, 'SIGTERM', () => output),
    kill: () => end(child, 'SIGKILL', () => output),
  });
}

function attach(url) {
  const nothing = async () => ({ code: 0, signal: null });
  return {
    url,
    wsUrl: url.replace(/^http/, 'ws'),
    port: Number(new URL(url).port),
    child: null,
    output: () => '',
    stop: nothing,
    kill: nothing,
    rpc: (method, ...params) => rpc(url, method, params),
  };
}

/** Waits until a launched node answers. */
export async function ready(node) {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    const { exitCode, signalCode } = node.child;
    if (exitCode !== null || signalCode !== null) throw new Error(`exited with ${exitCode ?? signalCode} before it was ready`);
    try {
      await node.rpc('eth_chainId');
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`not ready after ${READY_TIMEOUT_MS} ms: ${error.message}`);
    }
    await sleep(20);
  }
}

async function end(child, signal, output) {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill(signal);
    const late = Symbol('late');
    const timeout = new AbortController();
    const first = await Promise.race([exit, sleep(STOP_TIMEOUT_MS, late, { signal: timeout.signal }).catch(() => late)]);
    timeout.abort();
    if (first === late) {
      child.kill('SIGKILL');
      await exit;
      throw new Error(`did not stop within ${STOP_TIMEOUT_MS} ms of ${signal}\n${output()}`);
    }
  }
  return { code: child.exitCode, signal: child.signalCode };
}

/** An error that the node answered with. */
export class RpcError extends Error {
  constructor({ code, message, data }, method) {
    super(`${method}: ${message} (${code})`);
    Object.assign(this, { code, data, rpcMessage: message });
  }
}

let nextId = 1;

/** One JSON-RPC call; throws RpcError for an error answer. */
export async function rpc(url, method, params = []) {
  const id = nextId++;
  const response = await post(url, JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  if (response.json === undefined) throw new Error(`${method}: HTTP ${response.status}: ${response.text}`);
  if (response.json.error) throw new RpcError(response.json.error, method);
  if (response.json.id !== id) throw new Error(`${method}: answer has id ${response.json.id}, not ${id}`);
  return response.json.result;
}

/** Posts a body as it is. */
export async function post(url, body, headers = { 'content-type': 'application/json' }) {
  const response = await fetch(url, { method: 'POST', body, headers });
  const text = await response.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    // Not JSON: the caller sees `json` undefined and has the text.
  }
  return { status: response.status, headers: response.headers, text, json };
}

/** Polls until `probe` returns something other than undefined, null or false. */
export async function until(probe, what, timeoutMs = 15_000) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await sleep(20);
  }
}

/** The receipt of a transaction, once it has one. */
export function receiptOf(node, hash) {
  return until(() => node.rpc('eth_getTransactionReceipt', hash), `the receipt of ${hash}`);
}

/** Runs a program to its end; rejects with its output if it fails. */
export function run(program, args, { env = {}, timeoutMs = 120_000 } = {}) {
  return new Promise((resolvePromise, reject) => {
    const options = { env: { ...process.env, ...env }, timeout: timeoutMs, maxBuffer: 64 << 20, killSignal: 'SIGKILL' };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${program} ${args.join(' ')}: ${error.message}\n${stdout}\n${stderr}`));
      else resolvePromise(stdout.trim());
    });
  });
}

/** Runs the node's program as a command (`braid db stats …`), not as a node. */
export function braid(args, options) {
  return run(BRAID, args, options);
}
