// Compares what slither has found with what docs/security-analysis.md answers: a table row for each detector, with the functions it is
// about (or `*` for wherever it is) and why nothing is changed. Fails on a finding without an answer, and on an answer to nothing.
//
//   node tools/slither.mjs REPORT

import { readFileSync } from 'node:fs';
import { argv, exit } from 'node:process';
import { fileURLToPath } from 'node:url';

const DOCUMENT = fileURLToPath(new URL('../../docs/security-analysis.md', import.meta.url));

/** Detector → functions that are answered for. */
const answers = new Map();
for (const line of readFileSync(DOCUMENT, 'utf8').split('\n')) {
  const [, detector, where] = line.match(/^\| `([a-z0-9-]+)` \| (.+?) \| .+ \|$/) ?? [];
  if (detector) answers.set(detector, new Set(where.match(/[\w.*]+/g)));
}

/** `Contract.function` of the first element of a finding. */
function placeOf({ type, name, type_specific_fields: fields }) {
  let [parent, place] = [fields?.parent, type === 'node' ? undefined : name];
  while (parent && parent.type !== 'contract') {
    if (parent.type === 'function') place = parent.name;
    parent = parent.type_specific_fields?.parent;
  }
  return parent ? `${parent.name}.${place}` : name;
}

const { success, error, results } = JSON.parse(readFileSync(argv[2], 'utf8'));
if (!success) {
  console.error(error);
  exit(1);
}
const used = new Set();
let open = 0;
for (const { check, impact, elements, description } of results.detectors ?? []) {
  const file = elements[0]?.source_mapping.filename_relative ?? '';
  // What begins in a library is that library's; the part for micro-loans is not answered for.
  if (!file.startsWith('src/') || file.startsWith('src/microloans/')) continue;
  const place = placeOf(elements[0]);
  const answered = answers.get(check);
  const key = answered?.has('*') ? '*' : place;
  if (answered?.has(key)) {
    used.add(`${check} ${key}`);
    continue;
  }
  open += 1;
  console.error(`${impact} ${check} at ${place}: ${description.split('\n')[0]}`);
}
for (const [check, places] of answers) {
  for (const place of places) {
    if (used.has(`${check} ${place}`)) continue;
    open += 1;
    console.error(`${check} at ${place} is answered and was not found`);
  }
}
console.log(`${used.size} answers`);
exit(open === 0 ? 0 : 1);
