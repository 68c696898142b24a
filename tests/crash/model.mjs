// What every balance must be, computed from blocks and receipts alone.
//
// The model follows the chain block by block and knows three rules: a transaction moves its value if it succeeded; its sender
// pays gasUsed × effectiveGasPrice, of which the base fee is burned and the rest is the miner's; a Transfer event moves tokens.

import assert from 'node:assert/strict';

const TRANSFER = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef';
const ZERO = '0x0000000000000000000000000000000000000000';

export class Model {
  /** `genesis` is the block; `balances` a Map from lower-case address to wei. */
  constructor(genesis, balances) {
    this.hashes = [genesis.hash];
    this.ether = balances;
    this.initial = [...balances.values()].reduce((a, b) => a + b, 0n);
    this.burned = 0n;
    this.tokens = new Map();
    this.nonces = new Map();
    this.transactions = new Map();
  }

  get height() {
    return this.hashes.length - 1;
  }

  /** Follows one more block. */
  apply(block, receipts) {
    assert.equal(Number(block.number), this.height + 1, 'blocks are without gaps');
    assert.equal(block.parentHash, this.hashes.at(-1), `block ${Number(block.number)} stands on its parent`);
    assert.equal(receipts.length, block.transactions.length, 'one receipt a transaction');
    block.transactions.forEach((transaction, index) => this.#applyTransaction(block, transaction, receipts[index]));
    const gas = receipts.reduce((sum, receipt) => sum + BigInt(receipt.gasUsed), 0n);
    assert.equal(gas, BigInt(block.gasUsed), 'gas adds up');
    this.hashes.push(block.hash);
  }

  #applyTransaction(block, transaction, receipt) {
    assert.equal(receipt.transactionHash, transaction.hash);
    assert.equal(receipt.blockHash, block.hash);
    assert.ok(!this.transactions.has(transaction.hash), `${transaction.hash} is included once`);
    this.transactions.set(transaction.hash, block.hash);
    const nonce = this.nonces.get(transaction.from) ?? 0;
    assert.equal(Number(transaction.nonce), nonce, `nonces of ${transaction.from} are without gaps`);
    this.nonces.set(transaction.from, nonce + 1);
    const gasUsed = BigInt(receipt.gasUsed);
    const fee = gasUsed * BigInt(receipt.effectiveGasPrice);
    const burned = gasUsed * BigInt(block.baseFeePerGas);
    this.burned += burned;
    add(this.ether, transaction.from, -fee);
    add(this.ether, block.miner, fee - burned);
    if (receipt.status === '0x1') {
      add(this.ether, transaction.from, -BigInt(transaction.value));
      add(this.ether, transaction.to ?? receipt.contractAddress, BigInt(transaction.value));
    }
    for (const log of receipt.logs) {
      if (log.topics[0] !== TRANSFER) continue;
      const [from, to] = log.topics.slice(1).map((topic) => `0x${topic.slice(26)}`);
      const value = BigInt(log.data);
      if (from !== ZERO) add(this.tokens, from, -value);
      add(this.tokens, to, value);
    }
  }

  /** Ether is neither made nor lost. */
  checkSupply() {
    const sum = [...this.ether.values()].reduce((a, b) => a + b, 0n);
    assert.equal(sum + this.burned, this.initial, 'ether in accounts and burned equals the genesis supply');
  }

  /** A copy of all balances, to compare with the node's answers at this height later. */
  snapshot() {
    return { height: this.height, ether: new Map(this.ether), tokens: new Map(this.tokens) };
  }
}

function add(balances, address, amount) {
  const key = address.toLowerCase();
  balances.set(key, (balances.get(key) ?? 0n) + amount);
}
