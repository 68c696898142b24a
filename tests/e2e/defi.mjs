// A development chain with its DeFi contracts, and viem clients that know them by name.

import assert from 'node:assert/strict';
import { createPublicClient, createTestClient, createWalletClient, erc20Abi, getAddress, http, parseUnits } from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { foundry } from 'viem/chains';

import { MNEMONIC, braid, startNode } from './harness.mjs';

/** The first three accounts; the first owns what has an owner. */
export const [alice, bob, carol] = [0, 1, 2].map((addressIndex) => mnemonicToAccount(MNEMONIC, { addressIndex }));
/** A deadline that does not come. */
export const DEADLINE = 2n ** 40n;
/** So many units of a currency, in its millionths. */
export const units = (amount) => parseUnits(String(amount), 6);
export const DAY = 86_400;

/** Starts a node; `all` are its contracts by name, each with address and interface. */
export async function startMarkets() {
  const node = await startNode();
  const transport = http(node.url);
  const client = createPublicClient({ chain: foundry, transport, pollingInterval: 20, cacheTime: 0 });
  const wallet = createWalletClient({ chain: foundry, transport });
  const clock = createTestClient({ chain: foundry, transport, mode: 'anvil' });
  const listed = JSON.parse(await braid(['contracts', '--json']));
  const all = new Map(listed.map((contract) => [contract.name, { ...contract, address: getAddress(contract.address) }]));
  const at = (name) => all.get(name).address;
  const read = (address, abi, functionName, ...args) => client.readContract({ address, abi, functionName, args });
  const own = (name, functionName, ...args) => read(at(name), all.get(name).abi, functionName, ...args);
  const balance = (token, account) => read(at(token), erc20Abi, 'balanceOf', account.address);

  async function write(account, address, abi, functionName, args, value) {
    // An estimate is made on the newest block, in which somebody may have accrued what the first of the next has to accrue.
    const hash = await wallet.writeContract({ account, address, abi, functionName, args, value, gas: 1_000_000n });
    const receipt = await client.waitForTransactionReceipt({ hash });
    assert.equal(receipt.status, 'success', `${functionName} succeeds`);
    return receipt;
  }
  /** Sends to a contract of the suite, by its own interface. */
  const send = (account, name, functionName, ...args) => write(account, at(name), all.get(name).abi, functionName, args);
  /** Asserts that a transaction would revert, and why. */
  const refused = (account, address, abi, functionName, args, reason) =>
    assert.rejects(client.simulateContract({ account, address, abi, functionName, args }), reason);
  const approve = (account, token, spender, amount) => write(account, at(token), erc20Abi, 'approve', [spender, amount]);

  async function pass(seconds) {
    await clock.increaseTime({ seconds });
    await clock.mine({ blocks: 1 });
  }
  return { node, client, wallet, clock, all, at, read, own, balance, write, send, refused, approve, pass };
}
