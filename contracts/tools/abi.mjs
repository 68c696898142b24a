// The interfaces of all contracts as one, for reading what is not known in advance. The same entry of several contracts is there once.

import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ARTEFACTS = fileURLToPath(new URL('../artefacts/', import.meta.url));

export function everyAbi() {
  const entries = new Map();
  for (const file of readdirSync(ARTEFACTS)) {
    for (const entry of JSON.parse(readFileSync(ARTEFACTS + file, 'utf8')).abi) {
      if (!entry.name) continue;
      const types = entry.inputs.map(({ type, components }) => type + JSON.stringify(components ?? ''));
      entries.set(`${entry.type} ${entry.name}(${types})`, entry);
    }
  }
  return [...entries.values()];
}
