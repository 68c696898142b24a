// Writes what forge compiled into ../artefacts: a file for every contract that can be deployed, with its interface and
// its creation code. With --check nothing is written: it fails where a file differs from what the sources compile to.

import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { argv, exit } from 'node:process';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [sources, compiled, artefacts] = ['../src', '../../target/contracts/out', '../artefacts'].map(here);
const check = argv.includes('--check');

/** The contracts of one source that have code, by name. Interfaces and abstract contracts have none. */
function contractsOf(source) {
  const folder = join(compiled, basename(source));
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((file) => [basename(file, '.json'), JSON.parse(readFileSync(join(folder, file), 'utf8'))])
    .filter(([, { bytecode }]) => bytecode.object !== '0x');
}

/** One entry of the interface a line, so that a difference can be read. */
function render(name, source, { abi, bytecode, deployedBytecode }) {
  if (/[^0-9a-fx]/.test(bytecode.object)) throw new Error(`${name} needs a library linked`);
  const size = (deployedBytecode.object.length - 2) / 2;
  // EIP-170.
  if (size > 24576) throw new Error(`${name} has ${size} bytes of code, more than a chain takes`);
  const entries = abi.map((entry) => `    ${JSON.stringify(entry)}`).join(',\n');
  const path = `src/${relative(sources, source)}`;
  return `{
  "contract": "${name}",
  "source": "${path}",
  "abi": [
${entries}
  ],
  "bytecode": "${bytecode.object}"
}
`;
}

const wanted = new Map();
const files = readdirSync(sources, { recursive: true }).filter((file) => file.endsWith('.sol')).sort();
for (const file of files) {
  const source = join(sources, file);
  // What an earlier build left of a contract that is gone is passed over.
  const declared = new Set([...readFileSync(source, 'utf8').matchAll(/^contract (\w+)/gm)].map(([, name]) => name));
  for (const [name, output] of contractsOf(source)) {
    if (!declared.has(name)) continue;
    if (wanted.has(`${name}.json`)) throw new Error(`two contracts are called ${name}`);
    wanted.set(`${name}.json`, render(name, source, output));
  }
}

mkdirSync(artefacts, { recursive: true });
let stale = 0;
for (const file of new Set([...readdirSync(artefacts), ...wanted.keys()])) {
  const path = join(artefacts, file);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  if (text === wanted.get(file)) continue;
  stale += 1;
  if (check) console.error(`artefacts/${file} is not what the sources compile to`);
  else if (wanted.has(file)) writeFileSync(path, wanted.get(file));
  else rmSync(path);
}
if (check && wanted.size === 0) {
  console.error('nothing was compiled');
  stale += 1;
}
if (check && stale > 0) exit(1);
console.log(`${wanted.size} contracts`);
