// Key files: read and written by other wallets as well.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Wallet, encryptKeystoreJson } from 'ethers';

import { ALICE, ALICE_KEY, BRAID_ONLY, ROOT, braid, run, temporaryDirectory } from './harness.mjs';

const options = { skip: BRAID_ONLY };
const CAST = join(ROOT, 'node_modules/@foundry-rs/cast-linux-amd64/bin/cast');
const PASSWORD = 'correct horse';

function folder() {
  const dir = temporaryDirectory();
  const password = join(dir, 'password');
  writeFileSync(password, `${PASSWORD}\n`);
  return { dir, password, keystore: join(dir, 'keystore'), file: (name, text) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  } };
}

test('an imported account is read by ethers and by cast', options, async () => {
  const { keystore, password, file } = folder();
  const key = file('key', `${ALICE_KEY}\n`);
  const printed = await braid(['keys', 'account', 'import', '--private-key-file', key, '--keystore', keystore, '--password-file', password]);
  assert.ok(printed.startsWith(ALICE), printed);
  const path = join(keystore, `${ALICE.slice(2).toLowerCase()}.json`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const wallet = await Wallet.fromEncryptedJson(readFileSync(path, 'utf8'), PASSWORD);
  assert.equal(wallet.privateKey, ALICE_KEY);
  const cast = await run(CAST, ['wallet', 'address', '--keystore', path, '--password', PASSWORD]);
  assert.equal(cast.trim(), ALICE);
  await assert.rejects(
    braid(['keys', 'account', 'import', '--private-key-file', key, '--keystore', keystore, '--password-file', password]),
    /not overwritten/,
  );
});

test('a file of ethers is listed, checked and exported', options, async () => {
  const { keystore, password } = folder();
  const made = await braid(['keys', 'account', 'new', '--light', '--keystore', keystore, '--password-file', password]);
  const text = await encryptKeystoreJson({ address: ALICE, privateKey: ALICE_KEY }, PASSWORD, { scrypt: { N: 4096, r: 8, p: 1 } });
  const path = join(keystore, 'from-ethers.json');
  writeFileSync(path, text);
  writeFileSync(join(keystore, 'note.txt'), 'not a keystore');
  const listed = (await braid(['keys', 'account', 'list', '--keystore', keystore])).split('\n');
  assert.equal(listed.length, 2);
  assert.ok(listed.some((line) => line.startsWith(ALICE)) && listed.some((line) => line.startsWith(made.slice(0, 42))));
  const env = { BRAID_PASSWORD: PASSWORD };
  assert.equal(await braid(['keys', 'account', 'address', path], { env }), ALICE);
  assert.equal(await braid(['keys', 'account', 'export', path, '--password-file', password]), ALICE_KEY);
  await assert.rejects(braid(['keys', 'account', 'export', path], { env: { BRAID_PASSWORD: 'wrong' } }), (error) => {
    assert.match(error.message, /the password is wrong/);
    assert.ok(!error.message.includes(ALICE_KEY.slice(2)));
    return true;
  });
  await assert.rejects(braid(['keys', 'account', 'export', path]), /password is needed/);
});

test('an identity shows its public half without, and its whole only with the password', options, async () => {
  const { dir, password } = folder();
  const path = join(dir, 'keys/validator.json');
  const key = await braid(['keys', 'validator', 'new', path, '--password-file', password]);
  assert.match(key, /^0x[0-9a-f]{64}$/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(await braid(['keys', 'validator', 'export-public', path]), key);
  assert.ok((await braid(['keys', 'validator', 'show', path, '--password-file', password])).includes(key));
  await assert.rejects(braid(['keys', 'validator', 'new', path, '--password-file', password]), /not overwritten/);
  await assert.rejects(braid(['keys', 'validator', 'show', path], { env: { BRAID_PASSWORD: 'x' } }), /the password is wrong/);
});

test('a dealer writes what each validator needs, once', options, async () => {
  const { dir, password } = folder();
  const args = ['keys', 'deal', '--validators', '4', '--dir', join(dir, 'deal'), '--password-file', password, '--light'];
  assert.match(await braid(args), /tests and networks of your own/);
  const group = JSON.parse(readFileSync(join(dir, 'deal/group.json'), 'utf8'));
  assert.equal(group.validators.length, 4);
  for (let i = 0; i < 4; i++) {
    assert.equal(await braid(['keys', 'validator', 'export-public', join(dir, `deal/validator-${i}.json`)]), group.validators[i]);
    const share = await braid(['keys', 'validator', 'show', join(dir, `deal/share-${i}.json`), '--password-file', password]);
    assert.ok(share.includes(group.validators[i]) && share.includes(group.groupPolynomial));
  }
  await assert.rejects(braid(args), /not overwritten/);
  assert.ok(!existsSync(join(dir, 'deal/validator-4.json')));
});
