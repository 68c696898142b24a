// Clients of a node that may die at any moment: senders that sign for themselves, and observers that remember what they were shown.

import { encodeFunctionData } from 'viem';
import WebSocket from 'ws';

import { ERC20 } from '../e2e/artefacts.mjs';
import { CHAIN_ID, post } from '../e2e/harness.mjs';

const BATCH = 24;
const MAX_FEE = 10n ** 12n;

/** Calls in one batch; answers in order. Throws if the node is gone or an answer is an error. */
export async function batch(url, calls) {
  if (calls.length === 0) return [];
  const body = calls.map(([method, ...params], id) => ({ jsonrpc: '2.0', id, method, params }));
  const { json } = await post(url, JSON.stringify(body));
  if (!Array.isArray(json)) throw new Error(`a batch was answered with ${JSON.stringify(json)}`);
  const answers = new Array(calls.length);
  for (const answer of json) {
    if (answer.error) throw new Error(`${calls[answer.id]}: ${answer.error.message}`);
    answers[answer.id] = answer.result;
  }
  return answers;
}

/** Everything that clients were shown, over all lives of the node. */
export class Shown {
  blocks = new Map();
  receipts = new Map();
  conflicts = [];
  highest = 0;

  block(number, hash) {
    const known = this.blocks.get(number);
    if (known !== undefined && known !== hash) this.conflicts.push(`block ${number} was ${known}, then ${hash}`);
    this.blocks.set(number, hash);
    this.highest = Math.max(this.highest, number);
  }

  receipt({ transactionHash, blockHash, blockNumber }) {
    this.receipts.set(transactionHash, blockHash);
    this.block(Number(blockNumber), blockHash);
  }
}

/** Signs and sends from random accounts until the node is gone. `life.over` ends it too. Returns how many were accepted. */
export async function send(node, { accounts, token, random, life, sent }) {
  let accepted = 0;
  try {
    const counts = await batch(node.url, accounts.map(({ address }) => ['eth_getTransactionCount', address, 'latest']));
    const nonces = new Map(accounts.map((account, i) => [account, Number(counts[i])]));
    while (!life.over) {
      const raws = [];
      for (let i = 0; i < BATCH; i++) {
        const account = random.pick(accounts);
        const nonce = nonces.get(account);
        nonces.set(account, nonce + 1);
        raws.push(account.signTransaction(transaction(nonce, accounts, token, random)));
      }
      const hashes = await batch(node.url, (await Promise.all(raws)).map((raw) => ['eth_sendRawTransaction', raw]));
      accepted += hashes.length;
      for (const hash of hashes) if (random.chance(0.2)) sent.push(hash);
    }
  } catch (error) {
    // The connection breaks when the node is killed. Anything it said while alive is a failure of the test.
    if (!life.over && !isBroken(error)) life.error ??= error;
  }
  return accepted;
}

function transaction(nonce, accounts, token, random) {
  const common = { type: 'eip1559', chainId: CHAIN_ID, nonce, maxFeePerGas: MAX_FEE, maxPriorityFeePerGas: BigInt(random.between(1, 10 ** 9)) };
  const to = random.pick(accounts).address;
  if (random.chance(0.4)) return { ...common, to, value: BigInt(random.between(0, 10 ** 9)), gas: 21_000n };
  // One in twenty asks for more tokens than there are, and reverts.
  const amount = random.chance(0.05) ? 10n ** 40n : BigInt(random.between(0, 1000));
  return { ...common, to: token, gas: 80_000n, data: encodeFunctionData({ abi: ERC20.abi, functionName: 'transfer', args: [to, amount] }) };
}

/** Asks for the newest block, and for receipts of what was sent, until the node is gone. */
export async function observe(node, { shown, sent, random, life }) {
  try {
    while (!life.over) {
      const asked = Array.from({ length: Math.min(8, sent.length) }, () => random.pick(sent));
      const [block, ...receipts] = await batch(node.url, [['eth_getBlockByNumber', 'latest', false], ...asked.map((hash) => ['eth_getTransactionReceipt', hash])]);
      shown.block(Number(block.number), block.hash);
      for (const receipt of receipts) if (receipt) shown.receipt(receipt);
    }
  } catch (error) {
    if (!life.over && !isBroken(error)) life.error ??= error;
  }
}

/** Listens for heads until the node is gone. */
export function listen(node, { shown, life }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(node.wsUrl);
    socket.on('open', () => socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'));
    socket.on('message', (data) => {
      const { params } = JSON.parse(data);
      if (params) shown.block(Number(params.result.number), params.result.hash);
    });
    socket.on('error', () => {});
    socket.on('close', resolve);
    life.onOver(() => socket.terminate());
  });
}

const isBroken = (error) => error.message === 'fetch failed' || error.message === 'terminated' || error.cause !== undefined;
