#!/usr/bin/env node
// Everything that was administered of a token, one row each, as CSV or as lines of JSON: AuditRecord and TransferWithMemo of the token,
// and the changes of the lists in its policy registry. Rows are in the order of the chain.
//
//   node contracts/tools/audit-export.mjs --rpc http://127.0.0.1:8545 --token 0x… [--from 0] [--to latest] [--format csv|jsonl]

import { argv, exit } from 'node:process';
import { parseArgs } from 'node:util';
import { createPublicClient, getAddress, hexToString, http, parseAbi } from 'viem';

const USAGE = 'usage: audit-export.mjs --rpc URL --token ADDRESS [--from BLOCK] [--to BLOCK] [--format csv|jsonl]';
/** Blocks asked for at once: what nodes commonly answer. */
const PAGE = 10_000n;
const COLUMNS = ['block', 'time', 'transaction', 'log', 'contract', 'event', 'action', 'actor', 'subject', 'amount', 'memo'];
const registryOf = parseAbi(['function policyRegistry() view returns (address)']);
const tokenEvents = parseAbi([
  'event AuditRecord(bytes32 indexed action, address indexed actor, address indexed subject, uint256 amount)',
  'event TransferWithMemo(address indexed from, address indexed to, uint256 amount, bytes32 indexed memo)',
]);
const registryEvents = parseAbi([
  'event PolicyCreated(uint64 indexed policyId, address indexed updater, uint8 policyType)',
  'event PolicyAdminUpdated(uint64 indexed policyId, address indexed updater, address indexed admin)',
  'event WhitelistUpdated(uint64 indexed policyId, address indexed updater, address indexed account, bool allowed)',
  'event BlacklistUpdated(uint64 indexed policyId, address indexed updater, address indexed account, bool restricted)',
]);

/** The columns that differ between events. */
function fields({ eventName, args }) {
  switch (eventName) {
    case 'AuditRecord':
      return { action: hexToString(args.action, { size: 32 }), actor: args.actor, subject: args.subject, amount: `${args.amount}` };
    case 'TransferWithMemo':
      return { action: 'TRANSFER', actor: args.from, subject: args.to, amount: `${args.amount}`, memo: args.memo };
    case 'WhitelistUpdated':
      return { action: `POLICY_${args.policyId}_${args.allowed ? 'ADMITS' : 'ADMITS_NO_MORE'}`, actor: args.updater, subject: args.account };
    case 'BlacklistUpdated':
      return { action: `POLICY_${args.policyId}_${args.restricted ? 'REFUSES' : 'REFUSES_NO_MORE'}`, actor: args.updater, subject: args.account };
    case 'PolicyAdminUpdated':
      return { action: `POLICY_${args.policyId}_ADMIN`, actor: args.updater, subject: args.admin };
    default:
      return { action: `POLICY_${args.policyId}_MADE`, actor: args.updater };
  }
}

const print = {
  csv: (row) => COLUMNS.map((column) => row[column] ?? '').join(','),
  jsonl: (row) => JSON.stringify(Object.fromEntries(COLUMNS.filter((column) => row[column] !== undefined).map((column) => [column, row[column]]))),
};

async function main() {
  const { values } = parseArgs({
    args: argv.slice(2),
    options: {
      rpc: { type: 'string' },
      token: { type: 'string' },
      from: { type: 'string', default: '0' },
      to: { type: 'string' },
      format: { type: 'string', default: 'csv' },
    },
  });
  if (!values.rpc || !values.token || !print[values.format]) throw new Error(USAGE);
  const client = createPublicClient({ transport: http(values.rpc) });
  const registry = await client.readContract({ address: values.token, abi: registryOf, functionName: 'policyRegistry' });
  const last = values.to ? BigInt(values.to) : await client.getBlockNumber();
  const times = new Map();
  const timeOf = async (blockNumber) => {
    if (!times.has(blockNumber)) times.set(blockNumber, (await client.getBlock({ blockNumber })).timestamp);
    return new Date(Number(times.get(blockNumber)) * 1000).toISOString();
  };
  if (values.format === 'csv') console.log(COLUMNS.join(','));
  for (let fromBlock = BigInt(values.from); fromBlock <= last; fromBlock += PAGE) {
    const toBlock = fromBlock + PAGE - 1n < last ? fromBlock + PAGE - 1n : last;
    const sources = [[values.token, tokenEvents], [registry, registryEvents]];
    const pages = await Promise.all(sources.map(([address, events]) => client.getLogs({ address, events, fromBlock, toBlock })));
    const logs = pages.flat().sort((one, other) => Number(one.blockNumber - other.blockNumber) || one.logIndex - other.logIndex);
    for (const log of logs) {
      const place = { block: Number(log.blockNumber), time: await timeOf(log.blockNumber), transaction: log.transactionHash, log: log.logIndex };
      console.log(print[values.format]({ ...place, contract: getAddress(log.address), event: log.eventName, ...fields(log) }));
    }
  }
}

main().catch((error) => {
  console.error(error.shortMessage ?? error.message);
  exit(2);
});
