// The tools beside the contracts, against a node: what a proposal would do, and what was administered of a token.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { createPublicClient, createWalletClient, encodeFunctionData, getAddress, http, keccak256, parseEventLogs, stringToHex } from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { foundry } from 'viem/chains';

import { ALICE, BOB, CAROL, IS_BRAID, MNEMONIC, ROOT, startNode } from './harness.mjs';

const alice = mnemonicToAccount(MNEMONIC);
const BLACKLIST = 1;
const artefact = (name) => JSON.parse(readFileSync(join(ROOT, 'contracts/artefacts', `${name}.json`), 'utf8'));

/** Runs a tool; a status other than zero is part of the answer. */
async function tool(name, ...args) {
  const script = join(ROOT, 'contracts/tools', `${name}.mjs`);
  const { stdout, stderr, code = 0 } = await promisify(execFile)(process.execPath, [script, ...args]).catch((error) => error);
  return { stdout, stderr, code };
}

describe('tools of the contracts', () => {
  let node, client, wallet, registry, token;

  async function deploy(name, ...args) {
    const { abi, bytecode } = artefact(name);
    const hash = await wallet.deployContract({ abi, bytecode, args });
    const { contractAddress } = await client.waitForTransactionReceipt({ hash });
    return { abi, address: getAddress(contractAddress) };
  }

  async function write({ abi, address }, functionName, ...args) {
    const hash = await wallet.writeContract({ abi, address, functionName, args });
    const receipt = await client.waitForTransactionReceipt({ hash });
    assert.equal(receipt.status, 'success', functionName);
    return receipt;
  }

  before(async () => {
    node = await startNode(IS_BRAID ? { args: ['--no-contracts'] } : {});
    const transport = http(node.url);
    client = createPublicClient({ chain: foundry, transport, pollingInterval: 20, cacheTime: 0 });
    wallet = createWalletClient({ account: alice, chain: foundry, transport });
    registry = await deploy('PolicyRegistry');
    token = await deploy('Stablecoin', 'Dollar', 'USD', 'USD', registry.address, 1n, ALICE, 10n ** 15n);
    await write(token, 'configureMinter', ALICE, 10n ** 12n);
    await write(token, 'mint', ALICE, 10n ** 12n);
  });
  after(() => node?.stop());

  test('whatever is administered of a token is in the export, in order', async () => {
    const memo = keccak256(stringToHex('message'));
    await write(token, 'transferWithMemo', BOB, 5n, memo);
    await write(registry, 'createPolicy', ALICE, BLACKLIST);
    await write(registry, 'modifyPolicyBlacklist', 2n, CAROL, true);
    const last = await write(token, 'setPolicy', 2n);
    const source = ['--rpc', node.url, '--token', token.address];
    const { stdout } = await tool('audit-export', ...source, '--format', 'jsonl');
    const rows = stdout.trim().split('\n').map((line) => JSON.parse(line));
    const actions = rows.map(({ action, actor, subject, amount }) => [action, actor, subject, amount]);
    const nobody = '0x0000000000000000000000000000000000000000';
    assert.deepEqual(actions.slice(actions.findIndex(([action]) => action === 'MINTER')), [
      ['MINTER', ALICE, ALICE, `${10n ** 12n}`],
      ['TRANSFER', ALICE, BOB, '5'],
      ['POLICY_2_MADE', ALICE, undefined, undefined],
      ['POLICY_2_ADMIN', ALICE, ALICE, undefined],
      ['POLICY_2_REFUSES', ALICE, CAROL, undefined],
      ['POLICY', ALICE, nobody, '2'],
    ]);
    assert.equal(rows.find(({ action }) => action === 'TRANSFER').memo, memo);
    assert.equal(rows.at(-1).transaction, last.transactionHash);
    const csv = (await tool('audit-export', ...source)).stdout.trim().split('\n');
    assert.equal(csv.length, rows.length + 1);
    assert.match(csv[0], /^block,time,transaction,/);
    assert.match(csv.at(-1), new RegExp(`,${token.address},AuditRecord,POLICY,${ALICE},${nobody},2,$`));
    const later = await tool('audit-export', ...source, '--from', `${last.blockNumber + 1n}`, '--to', `${last.blockNumber + 1n}`);
    assert.equal(later.stdout.trim().split('\n').length, 1, 'nothing since');
    assert.equal((await tool('audit-export', '--rpc', node.url)).code, 2, 'a token has to be named');
  });

  test('a proposal is tried out with the rights of the timelock', async () => {
    const DAVE = '0x90F79bf6EB2c4f870365E785982E1f101E93b906';
    const votes = await deploy('VotingStake', token.address, 86_400n, 864_000n);
    const timelock = await deploy('DaoTimelock', 86_400n, ALICE);
    const rules = { delay: 86_400, period: 432_000, threshold: 0n, quorumPercent: 10n, guardian: ALICE };
    const governor = await deploy('DaoGovernor', 'DAO', votes.address, timelock.address, rules);
    const treasury = await deploy('Treasury', timelock.address);
    await write(token, 'approve', treasury.address, 1000n);
    await write(treasury, 'fund', token.address, 1000n);
    const pay = (to, amount) => encodeFunctionData({ abi: treasury.abi, functionName: 'pay', args: [token.address, to, amount] });
    async function trial(...payloads) {
      const zeroes = payloads.map(() => 0n);
      const targets = payloads.map(() => treasury.address);
      const receipt = await write(governor, 'propose', targets, zeroes, payloads, 'payments');
      const [{ args }] = parseEventLogs({ abi: governor.abi, logs: receipt.logs, eventName: 'ProposalCreated' });
      return tool('try-proposal', '--rpc', node.url, '--governor', governor.address, '--proposal', `${args.proposalId}`);
    }
    const good = await trial(pay(BOB, 600n), pay(DAVE, 400n));
    const tried = JSON.parse(good.stdout);
    assert.deepEqual([good.code, tried.succeeds, tried.state, tried.timelock], [0, true, 'pending', timelock.address]);
    assert.ok(tried.calls[1].events.some(({ event }) => event === `Paid(${token.address}, ${DAVE}, 400)`), good.stdout);
    const bad = await trial(pay(BOB, 600n), pay(DAVE, 401n));
    const [first, second] = JSON.parse(bad.stdout).calls;
    assert.deepEqual([bad.code, first.succeeds, second.succeeds], [1, true, false]);
    assert.equal(second.error, `InsufficientFunds(${token.address}, 400, 401)`, 'the second call finds what the first has left');
    assert.equal(second.call, `pay(${token.address}, ${DAVE}, 401)`);
    const unknown = await tool('try-proposal', '--rpc', node.url, '--governor', governor.address, '--proposal', '1');
    assert.deepEqual([unknown.code, /no proposal 1/.test(unknown.stderr)], [2, true]);
  });
});
