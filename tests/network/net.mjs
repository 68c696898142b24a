// A network of real processes: written by `braid localnet --write-only`, started, killed and wiped one by one from here.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { BRAID, braid, rpc, temporaryDirectory, until } from '../e2e/harness.mjs';

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;
const OUTPUT_LIMIT = 1 << 18;
/** Distance between a node's RPC port and the one for its peers, as `braid localnet` has it. */
const PEER_PORTS = 100;

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The first of a run of ports that were all free a moment ago, with those for peers above. */
export async function freePorts(count) {
  for (;;) {
    const base = 20_000 + Math.floor(Math.random() * 40_000);
    const wanted = Array.from({ length: count }, (_, i) => [base + i, base + PEER_PORTS + i]).flat();
    if ((await Promise.all(wanted.map(isFree))).every(Boolean)) return base;
  }
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** One node of a network, running or not. */
export class Node {
  #output = '';

  constructor({ name, config, url, prefix = [] }) {
    this.name = name;
    this.config = config;
    this.folder = dirname(config);
    this.url = url;
    this.wsUrl = url.replace(/^http/, 'ws');
    /** Program and arguments in front of the node's own, such as `ip netns exec NAME`. */
    this.prefix = prefix;
    this.child = null;
    this.publicKey = JSON.parse(readFileSync(join(this.folder, 'key.json'), 'utf8')).publicKey;
  }

  get isRunning() {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null;
  }

  rpc(method, ...params) {
    return rpc(this.url, method, params);
  }

  output() {
    return this.#output;
  }

  /** Starts the process without waiting for it. */
  launch(env = {}) {
    const [program, ...args] = [...this.prefix, BRAID, 'node', '--config', this.config];
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('BRAID_'));
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...Object.fromEntries(inherited), ...env } });
    const { child } = this;
    running.add(child);
    child.on('exit', () => running.delete(child));
    const collect = (chunk) => {
      this.#output = (this.#output + chunk).slice(-OUTPUT_LIMIT);
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
  }

  /** Starts the process and waits until it answers. */
  async start(env) {
    this.launch(env);
    await this.ready();
  }

  async ready() {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for (;;) {
      if (!this.isRunning) throw new Error(`${this.name} ended with ${this.child?.exitCode ?? this.child?.signalCode}\n${this.#output}`);
      try {
        const chain = await this.rpc('eth_chainId');
        if (!(await this.isJoining())) return chain;
      } catch (error) {
        if (Date.now() > deadline) throw new Error(`${this.name} is not ready after ${READY_TIMEOUT_MS} ms: ${error.message}\n${this.#output}`);
      }
      await sleep(50);
    }
  }

  /** Whether it still looks for a state to begin with; it serves its clients anew afterwards. */
  async isJoining() {
    const response = await fetch(`${this.url}/ready`);
    return /^(looking for a snapshot|fetching the state)/.test(await response.text());
  }

  /** SIGKILL, which nobody can prepare for. */
  async kill() {
    await this.#end('SIGKILL');
  }

  /** SIGTERM; fails if the node does not end in time and with success. */
  async stop() {
    await this.#end('SIGTERM');
    if (this.child.exitCode !== 0) throw new Error(`${this.name} ended with ${this.child.exitCode ?? this.child.signalCode}\n${this.#output}`);
  }

  async #end(signal) {
    if (!this.isRunning) return;
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    const timer = new AbortController();
    const late = sleep(STOP_TIMEOUT_MS, 'late', { signal: timer.signal }).catch(() => 'late');
    const first = await Promise.race([exit, late]);
    timer.abort();
    if (first === 'late') {
      this.child.kill('SIGKILL');
      await exit;
      throw new Error(`${this.name} did not stop within ${STOP_TIMEOUT_MS} ms of ${signal}\n${this.#output}`);
    }
  }

  /** Adds a line to its configuration. */
  configure(line) {
    appendFileSync(this.config, `${line}\n`);
  }

  /** Removes everything that it has learnt; its key and configuration stay. */
  wipe() {
    if (this.isRunning) throw new Error(`${this.name} is running`);
    rmSync(join(this.folder, 'data'), { recursive: true, force: true });
  }

  async height() {
    return Number(await this.rpc('eth_blockNumber'));
  }

  /** Waits until the node has the block at a height. */
  reach(height, timeoutMs = 60_000) {
    const probe = async () => {
      if (!this.isRunning) throw new Error(`${this.name} ended\n${this.#output}`);
      const now = await this.height();
      return now >= height && now;
    };
    return until(probe, `${this.name} to reach height ${height}`, timeoutMs).catch((error) => {
      throw new Error(`${error.message}\n${this.#output.slice(-4_000)}`);
    });
  }

  status() {
    return this.rpc('braid_consensusStatus');
  }
}

/** Writes a network and returns its nodes, none of them running. `settings` go into the configuration of each. */
export async function writeNetwork({ validators = 4, followers = 0, args = [], settings = {}, epochLength, keep = false, dir = join(temporaryDirectory({ keep }), 'net') } = {}) {
  const port = await freePorts(validators + followers);
  const counts = ['--validators', String(validators), '--followers', String(followers)];
  const printed = await braid(['localnet', '--write-only', '--dir', dir, '--port', String(port), ...counts, ...args]);
  const commands = printed.split('\n');
  const nodes = commands.map((line, i) => {
    const config = line.split(' --config ')[1];
    for (const [name, value] of Object.entries(settings)) appendFileSync(config, `${name} = ${JSON.stringify(value)}\n`);
    return new Node({ name: dirname(config).split('/').at(-1), config, url: `http://127.0.0.1:${port + i}` });
  });
  if (epochLength !== undefined) {
    const genesis = join(dir, 'genesis.json');
    const text = JSON.parse(readFileSync(genesis, 'utf8'));
    text.config.braid.epochLength = epochLength;
    writeFileSync(genesis, JSON.stringify(text));
  }
  return { dir, port, nodes, validators: nodes.slice(0, validators), followers: nodes.slice(validators) };
}

/** Fails unless all nodes have the same blocks up to the lowest head; returns that height. */
export async function agree(nodes, from = 0) {
  const heights = await Promise.all(nodes.map((node) => node.height()));
  const lowest = Math.min(...heights);
  const chains = await Promise.all(nodes.map((node) => headers(node, from, lowest)));
  for (let i = 0; i <= lowest - from; i++) {
    for (const [at, chain] of chains.entries()) {
      if (chain[i] !== chains[0][i]) {
        throw new Error(`fork at height ${from + i}: ${nodes[0].name} has ${chains[0][i]}, ${nodes[at].name} has ${chain[i]}`);
      }
    }
  }
  return lowest;
}

/** Hash and state root of the blocks `from` to `to`. */
async function headers(node, from, to) {
  const found = [];
  for (let start = from; start <= to; start += 200) {
    const numbers = Array.from({ length: Math.min(200, to - start + 1) }, (_, i) => start + i);
    const body = numbers.map((number) => ({ jsonrpc: '2.0', id: number, method: 'eth_getBlockByNumber', params: [`0x${number.toString(16)}`, false] }));
    const response = await fetch(node.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const answers = (await response.json()).sort((a, b) => a.id - b.id);
    for (const { result, error } of answers) {
      if (!result) throw new Error(`${node.name}: ${error?.message ?? 'a block is missing'}`);
      found.push(`${result.hash} with state ${result.stateRoot}`);
    }
  }
  return found;
}
