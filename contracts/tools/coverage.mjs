// Reads an lcov report: lines reached of lines there, for each part of the contracts and in all. Fails if that is less in all than is
// asked for, in percent.
//
//   node tools/coverage.mjs LCOV LEAST

import { readFileSync } from 'node:fs';
import { argv, exit } from 'node:process';

const [file, least] = argv.slice(2);
const parts = new Map();
const missed = [];
let source;
for (const line of readFileSync(file, 'utf8').split('\n')) {
  const [key, rest] = [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)];
  if (key === 'SF') source = rest.match(/^src\/(.+)$/)?.[1];
  if (key !== 'DA' || !source) continue;
  const [number, hits] = rest.split(',').map(Number);
  const part = source.split('/')[0];
  for (const name of [part, 'all']) {
    const count = parts.get(name) ?? { reached: 0, lines: 0 };
    count.lines += 1;
    if (hits > 0) count.reached += 1;
    parts.set(name, count);
  }
  if (hits === 0) missed.push(`${source}:${number}`);
}
if (parts.size === 0) {
  console.error('the report has no lines of the contracts');
  exit(1);
}
if (missed.length > 0) console.log(`not reached: ${missed.join(' ')}`);
let isEnough = false;
for (const [name, { reached, lines }] of [...parts].sort(([one], [other]) => (one === 'all') - (other === 'all') || one.localeCompare(other))) {
  const percent = (100 * reached) / lines;
  if (name === 'all') isEnough = percent >= Number(least);
  console.log(`${name.padEnd(12)} ${String(reached).padStart(5)} of ${String(lines).padStart(5)} lines  ${percent.toFixed(1)} %`);
}
if (!isEnough) console.error(`less than ${least} %`);
exit(isEnough ? 0 : 1);
