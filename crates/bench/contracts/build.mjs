// Compiles the contracts beside this file and writes their creation code, as hex, to ../artifacts.
// With --check nothing is written: it fails where a file differs from what the sources compile to.

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { argv, exit } from 'node:process';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const solc = require('solc');
const read = (path) => readFileSync(path, 'utf8');
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const files = readdirSync(here('.')).filter((name) => name.endsWith('.sol')).sort();
const input = {
  language: 'Solidity',
  sources: Object.fromEntries(files.map((name) => [name, { content: read(here(name)) }])),
  settings: {
    evmVersion: 'cancun',
    optimizer: { enabled: true, runs: 200 },
    // No hash of the metadata: it would name the path of every source.
    metadata: { bytecodeHash: 'none' },
    outputSelection: { '*': { '*': ['evm.bytecode.object'] } },
  },
};

function importFrom(path) {
  try {
    return { contents: read(require.resolve(path)) };
  } catch (error) {
    return { error: error.message };
  }
}

const output = JSON.parse(solc.compile(JSON.stringify(input), { import: importFrom }));
const failures = (output.errors ?? []).filter(({ severity }) => severity === 'error');
if (failures.length > 0) {
  console.error(failures.map(({ formattedMessage }) => formattedMessage).join('\n'));
  exit(1);
}

let stale = 0;
for (const file of files) {
  for (const [name, { evm }] of Object.entries(output.contracts[file])) {
    const hex = evm.bytecode.object;
    if (hex === '') continue; // an interface
    const path = here(`../artifacts/${name}.hex`);
    if (!argv.includes('--check')) {
      writeFileSync(path, `${hex}\n`);
    } else if (read(path).trim() !== hex) {
      console.error(`artifacts/${name}.hex is not what contracts/${file} compiles to`);
      stale += 1;
    }
  }
}
exit(stale === 0 ? 0 : 1);
