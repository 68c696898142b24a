// web3.py, unmodified, from its own interpreter. Needs the packages of requirements.txt: `make deps-python`.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ROOT, run, startNode } from './harness.mjs';

const PYTHON = process.env.BRAID_E2E_PYTHON ?? join(ROOT, 'target/venv/bin/python');
const ARTEFACT = createRequire(import.meta.url).resolve('@openzeppelin/contracts/build/contracts/ERC20PresetFixedSupply.json');
let node;

before(async () => {
  node = await startNode();
});
after(() => node?.stop());

test('web3.py sends, deploys, reads, signs and subscribes', async () => {
  assert.ok(existsSync(PYTHON), `${PYTHON} is not there; make it with \`make deps-python\``);
  const client = fileURLToPath(new URL('web3_client.py', import.meta.url));
  const output = await run(PYTHON, [client, node.url, ARTEFACT], { env: { PYTHONDONTWRITEBYTECODE: '1' } });
  const [, passed] = output.match(/^(\d+) passed, 0 failed$/m);
  assert.ok(Number(passed) >= 25, output);
});
