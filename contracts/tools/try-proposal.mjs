#!/usr/bin/env node
// What a proposal would do if it were executed now: its calls, made one after the other by the DAO's timelock on the present state of
// a chain, with eth_simulateV1. Nothing is sent. Prints JSON, and fails if a call would.
//
//   node contracts/tools/try-proposal.mjs --rpc http://127.0.0.1:8545 --governor 0x… --proposal 123…

import { argv, exit } from 'node:process';
import { parseArgs } from 'node:util';
import { createPublicClient, decodeErrorResult, decodeEventLog, decodeFunctionData, getAddress, http, numberToHex, parseAbi } from 'viem';

import { everyAbi } from './abi.mjs';

const USAGE = 'usage: try-proposal.mjs --rpc URL --governor ADDRESS --proposal ID [--from BLOCK]';
const STATES = ['pending', 'active', 'cancelled', 'defeated', 'succeeded', 'queued', 'expired', 'executed'];
const governorAbi = parseAbi([
  'function timelock() view returns (address)',
  'function state(uint256 proposal) view returns (uint8)',
  'event ProposalCreated(uint256 proposalId, address proposer, address[] targets, uint256[] values, string[] signatures, bytes[] calldatas, uint256 voteStart, uint256 voteEnd, string description)',
]);
const abi = everyAbi();

/** What `decode` says, as plain text, or nothing if no interface knows it. */
function known(decode) {
  try {
    return decode();
  } catch {
    return undefined;
  }
}

const text = (name, args) => `${name}(${Object.values(args ?? []).map(String).join(', ')})`;

function readCall(call, result) {
  const asked = known(() => decodeFunctionData({ abi, data: call.input }));
  const succeeds = result.status === '0x1';
  const reason = succeeds ? undefined : known(() => decodeErrorResult({ abi, data: result.error?.data ?? result.returnData }));
  return {
    to: call.to,
    value: BigInt(call.value).toString(),
    call: asked ? text(asked.functionName, asked.args) : call.input,
    succeeds,
    gas: Number(result.gasUsed),
    ...(succeeds ? {} : { error: reason ? text(reason.errorName, reason.args) : result.error?.message }),
    events: result.logs.map((log) => {
      const told = known(() => decodeEventLog({ abi, data: log.data, topics: log.topics }));
      return { address: getAddress(log.address), event: told ? text(told.eventName, told.args) : log.topics[0] };
    }),
  };
}

async function main() {
  const { values } = parseArgs({
    args: argv.slice(2),
    options: { rpc: { type: 'string' }, governor: { type: 'string' }, proposal: { type: 'string' }, from: { type: 'string', default: '0' } },
  });
  if (!values.rpc || !values.governor || !values.proposal) throw new Error(USAGE);
  const client = createPublicClient({ transport: http(values.rpc) });
  const [address, proposal] = [values.governor, BigInt(values.proposal)];
  const created = await client.getContractEvents({ address, abi: governorAbi, eventName: 'ProposalCreated', fromBlock: BigInt(values.from) });
  const found = created.find(({ args }) => args.proposalId === proposal);
  if (!found) throw new Error(`the governor has no proposal ${proposal} since block ${values.from}`);
  const read = (functionName, ...args) => client.readContract({ address, abi: governorAbi, functionName, args });
  const [timelock, state] = [await read('timelock'), STATES[await read('state', proposal)]];
  const { targets, values: amounts, calldatas } = found.args;
  const calls = targets.map((to, i) => ({ from: timelock, to, value: numberToHex(amounts[i]), input: calldatas[i] }));
  const [block] = await client.request({ method: 'eth_simulateV1', params: [{ blockStateCalls: [{ calls }], validation: false }, 'latest'] });
  const outcomes = calls.map((call, i) => readCall(call, block.calls[i]));
  const succeeds = outcomes.every((outcome) => outcome.succeeds);
  console.log(JSON.stringify({ proposal: `${proposal}`, state, timelock, succeeds, calls: outcomes }, null, 2));
  return succeeds;
}

main().then(
  (succeeds) => exit(succeeds ? 0 : 1),
  (error) => {
    console.error(error.shortMessage ?? error.message);
    exit(2);
  },
);
