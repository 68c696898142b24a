// Micro-loans as the chain for development starts them: people with a past, and a chain that is told of it once it is over.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { BRAID, BRAID_ONLY, startNode, until } from './harness.mjs';
import { Browser } from './microloans.mjs';

/** Fewer than the people who were offered a loan, and than the days of their past with entries. */
const LOANS = 20;
const DAYS = 60;
const TOLD_MS = 150_000;

test('the chain knows the loans of the demonstration, and anchors its journal', BRAID_ONLY, async (t) => {
  const node = await startNode({ args: ['--microloans'] });
  t.after(() => node.stop());
  const screen = await until(() => node.output().includes('Interface') && node.output(), 'the first screen');
  const base = screen.match(/Pages +(http:\/\/[^/]+)\//)[1];
  const password = screen.match(/each with the password "([^"]+)"/)[1];
  const contracts = JSON.parse((await promisify(execFile)(BRAID, ['contracts', '--json'], { maxBuffer: 64 << 20 })).stdout);
  const address = (name) => contracts.find((contract) => contract.name === name).address;
  const entries = (name) => node.rpc('eth_getLogs', { address: address(name), fromBlock: '0x0', toBlock: 'latest' });
  await until(async () => {
    const [facts, days] = await Promise.all([entries('Loan-Book'), entries('Loan-Journal')]);
    return new Set(facts.map((fact) => fact.topics[1])).size >= LOANS && days.length >= DAYS;
  }, 'what happened to loans, on the chain', TOLD_MS);
  const auditor = new Browser(base);
  await auditor.signInAsStaff('aude', password);
  const page = await auditor.get('/audit/days?lang=en');
  assert.match(page.text, /The same, since/);
  assert.doesNotMatch(page.text, /Differs:/);
});
