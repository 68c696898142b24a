// Payments that go on whatever happens to the nodes: each sender sends a few to some node and waits until they are in the chain,
// sending them again elsewhere if they are not.

import { setTimeout as sleep } from 'node:timers/promises';
import { mnemonicToAccount } from 'viem/accounts';

import { CHAIN_ID, MNEMONIC, post } from '../e2e/harness.mjs';
import { seeded } from '../crash/random.mjs';

const SENDERS = 8;
const IN_FLIGHT = 8;
const RESEND_MS = 3_000;
const POLL_MS = 100;
const FEE = 10n ** 11n;
/** What an honest node may answer to a transaction that it has seen before. */
const SEEN_BEFORE = /already known|nonce too low|underpriced/;

/** Sends payments to whichever of `nodes` run, until it is stopped. */
export class Load {
  included = 0;
  sums = new Map();
  #over = false;
  #senders;
  #error;

  constructor(nodes, seed) {
    this.nodes = nodes;
    this.random = seeded(seed);
    const accounts = Array.from({ length: SENDERS }, (_, addressIndex) => mnemonicToAccount(MNEMONIC, { addressIndex }));
    this.#senders = accounts.map((account) => this.#send(account).catch((error) => {
      this.#error ??= error;
    }));
  }

  /** Ends the load once what was sent is in the chain; fails if a node has answered what it should not. */
  async stop() {
    this.#over = true;
    await Promise.all(this.#senders);
    this.check();
    return this.included;
  }

  check() {
    if (this.#error) throw this.#error;
  }

  async #send(account) {
    let nonce = await this.#nonce(account);
    while (!this.#over) {
      const payments = Array.from({ length: IN_FLIGHT }, (_, i) => this.#payment(nonce + i));
      const raws = await Promise.all(payments.map((payment) => account.signTransaction(payment)));
      nonce += raws.length;
      await this.#deliver(account, raws, nonce);
      this.included += raws.length;
      for (const { to, value } of payments) this.sums.set(to, (this.sums.get(to) ?? 0n) + value);
    }
  }

  #payment(nonce) {
    // Recipients that nobody else pays, so that their balances are known.
    const to = `0xbeef${String(this.random.between(0, 99)).padStart(36, '0')}`;
    const value = BigInt(this.random.between(1, 1_000_000));
    return { type: 'eip1559', chainId: CHAIN_ID, nonce, to, value, gas: 21_000n, maxFeePerGas: FEE, maxPriorityFeePerGas: 10n ** 9n };
  }

  /** Sends until the account's nonce says that all are in the chain. */
  async #deliver(account, raws, nonce) {
    for (;;) {
      const node = this.#pick();
      if (node) await this.#submit(node, raws);
      const again = Date.now() + RESEND_MS;
      while (Date.now() < again) {
        if (await this.#nonce(account) >= nonce) return;
        await sleep(POLL_MS);
      }
    }
  }

  async #submit(node, raws) {
    const body = raws.map((raw, id) => ({ jsonrpc: '2.0', id, method: 'eth_sendRawTransaction', params: [raw] }));
    let answers;
    try {
      ({ json: answers } = await post(node.url, JSON.stringify(body)));
    } catch {
      return; // The node is gone; another one gets them.
    }
    for (const { error } of Array.isArray(answers) ? answers : []) {
      if (error && !SEEN_BEFORE.test(error.message)) throw new Error(`${node.name}: ${error.message}`);
    }
  }

  /** The highest nonce that a running node has for the account. */
  async #nonce(account) {
    for (;;) {
      const node = this.#pick();
      try {
        if (node) return Number(await node.rpc('eth_getTransactionCount', account.address, 'latest'));
      } catch {
        // Gone in between.
      }
      await sleep(POLL_MS);
    }
  }

  #pick() {
    const alive = this.nodes.filter((node) => node.isRunning);
    return alive.length > 0 ? this.random.pick(alive) : undefined;
  }

  /** Fails unless `node` has paid out exactly what was included. */
  async verify(node) {
    for (const [to, sum] of this.sums) {
      const balance = BigInt(await node.rpc('eth_getBalance', to, 'latest'));
      if (balance !== sum) throw new Error(`${node.name}: ${to} has ${balance}, but was paid ${sum}`);
    }
  }
}

