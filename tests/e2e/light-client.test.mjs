// A light client of a network of four validators: proofs collected from one of them with `braid proof`, and checked with
// `braid verify-proof` from the genesis alone. Both kinds of certificates, epochs that pass, and altered proofs.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createPublicClient, createWalletClient, defineChain, http, parseEther } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import { writeNetwork } from '../network/net.mjs';
import { ERC20 } from './artefacts.mjs';
import { ALICE, ALICE_KEY, BOB, BRAID_ONLY, CAROL, CHAIN_ID, OWN_NODE, braid } from './harness.mjs';

const options = { skip: BRAID_ONLY || OWN_NODE };
const NOBODY = '0x00000000000000000000000000000000000000bb';
const EPOCH_LENGTH = 12;

const kinds = [
  { name: 'ed25519, whole blocks', args: ['--scheme', 'ed25519'] },
  { name: 'BLS12-381, coded blocks', args: ['--scheme', 'bls12381-threshold', '--dissemination', 'coded'], hasGroup: true },
];

for (const { name, args, hasGroup = false } of kinds) {
  describe(`a light client (${name})`, options, () => {
    let net;
    let genesis;
    let url;
    let client;
    let wallet;
    let token;
    let payment;

    const file = (of) => join(net.dir, of);
    const collect = (what, ...more) => braid(['proof', ...what, '--rpc', url, ...more]);
    const verify = (path, ...trust) => braid(['verify-proof', path, ...trust]);
    const fails = (path, reason, ...trust) => assert.rejects(verify(path, ...trust), (error) => {
      assert.match(error.message, reason);
      assert.match(error.message, /\nerror: /);
      return true;
    });

    before(async () => {
      if (options.skip) return;
      net = await writeNetwork({ args });
      genesis = file('genesis.json');
      const json = JSON.parse(readFileSync(genesis, 'utf8'));
      json.config.braid.epochLength = EPOCH_LENGTH;
      writeFileSync(genesis, JSON.stringify(json));
      await Promise.all(net.nodes.map((node) => node.start()));
      url = net.nodes[1].url;
      const chain = defineChain({ id: CHAIN_ID, name: 'braid', nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 }, rpcUrls: { default: { http: [] } } });
      client = createPublicClient({ chain, transport: http(url), pollingInterval: 50 });
      wallet = createWalletClient({ account: privateKeyToAccount(ALICE_KEY), chain, transport: http(net.nodes[0].url) });
      const deployment = await wallet.deployContract({ ...ERC20, args: ['Braid', 'BRD', 1_000n, ALICE] });
      token = (await client.waitForTransactionReceipt({ hash: deployment })).contractAddress;
      payment = await wallet.writeContract({ ...ERC20, address: token, functionName: 'transfer', args: [BOB, 42n] });
      await client.waitForTransactionReceipt({ hash: payment });
    });
    after(() => Promise.all((net?.nodes ?? []).map((node) => node.stop())));

    test('a receipt with its logs', async () => {
      const path = file('receipt.json');
      await collect(['receipt', payment], '--out', path);
      const text = await verify(path, '--genesis', genesis);
      for (const part of [`transaction      ${payment}`, 'status           success', `log 0            ${token.toLowerCase()}`]) {
        assert.ok(text.toLowerCase().includes(part), `${part} is missing in\n${text}`);
      }
      assert.match(text, hasGroup ? /signed by +the group 0x[0-9a-f]{192}/ : /signed by +at least 3 of 4 validators of epoch \d+/);
      const { blockNumber, blockHash } = await client.getTransactionReceipt({ hash: payment });
      assert.ok(text.includes(`block            ${blockNumber} ${blockHash}`), text);
    });

    test('accounts, of nobody too, and storage', async () => {
      const paths = [ALICE, NOBODY, token].map((address) => file(`${address}.json`));
      await collect(['account', ALICE], '--out', paths[0]);
      assert.match(await verify(paths[0], '--genesis', genesis), /\nnonce +2\n/);
      await collect(['account', NOBODY, '--slots', '0x7'], '--out', paths[1]);
      assert.match(await verify(paths[1], '--genesis', genesis), /\(does not exist\)[^]*slot 0x7 +0x0$/);
      // OpenZeppelin's ERC-20 has the total supply in its third slot.
      await collect(['account', token, '--slots', '2,0xffff'], '--out', paths[2]);
      assert.match(await verify(paths[2], '--genesis', genesis), /slot 0x2 +0x3e8\nslot 0xffff +0x0$/);
    });

    test('an account as it was, after a block that is asked for', async () => {
      const { blockNumber } = await client.getTransactionReceipt({ hash: payment });
      const hash = await wallet.sendTransaction({ to: CAROL, value: parseEther('1') });
      const later = (await client.waitForTransactionReceipt({ hash })).blockNumber;
      for (const [height, nonce] of [[blockNumber, 2], [later, 3]]) {
        const path = file(`at-${height}.json`);
        await collect(['account', ALICE, '--block', String(height)], '--out', path);
        const text = await verify(path, '--genesis', genesis);
        assert.match(text, new RegExp(`\\nblock +${height} [^]*\\nnonce +${nonce}\\n`));
      }
    });

    test('epochs pass, and a client goes on from where it was', async () => {
      await net.nodes[1].reach(2 * EPOCH_LENGTH + 6);
      const path = file('late.json');
      const saved = file('client.json');
      await collect(['account', ALICE], '--out', path);
      const proof = JSON.parse(readFileSync(path, 'utf8'));
      assert.equal(proof.epochs.length >= 2, !hasGroup);
      assert.ok(await verify(path, '--genesis', genesis, '--save-client', saved));
      assert.ok(await verify(path, '--client', saved));
      // What was passed is not needed again; from the genesis it is.
      writeFileSync(path, JSON.stringify({ ...proof, epochs: [] }));
      assert.ok(await verify(path, '--client', saved));
      if (hasGroup) assert.ok(await verify(path, '--genesis', genesis));
      else await fails(path, /the certificate is of epoch \d+, the committee known is that of epoch 0/, '--genesis', genesis);
    });

    test('what the genesis says can be written down', async () => {
      const printed = JSON.parse(await braid(['proof', 'client', '--genesis', genesis]));
      writeFileSync(file('first.json'), JSON.stringify(printed));
      assert.ok(await verify(file('receipt.json'), '--client', file('first.json')));
      if (!hasGroup) {
        assert.equal(printed.trust.checkpoint.committee.length, 4);
        return;
      }
      const { namespace } = printed.chain;
      const trust = ['--group-key', printed.trust.groupKey, '--namespace', namespace, '--epoch-length', String(EPOCH_LENGTH), '--coded'];
      assert.ok(await verify(file('receipt.json'), ...trust));
      const altered = `${namespace.slice(0, -1)}${namespace.endsWith('0') ? '1' : '0'}`;
      const other = trust.map((arg) => (arg === namespace ? altered : arg));
      await fails(file('receipt.json'), /the group's signature is not valid/, ...other);
    });

    test('an altered proof names the step that fails', async () => {
      const whole = readFileSync(file('receipt.json'), 'utf8');
      const path = file('altered.json');
      const flip = (hex, at) => hex.slice(0, at) + (parseInt(hex[at], 16) ^ 1).toString(16) + hex.slice(at + 1);
      const refused = async (change, reason) => {
        const proof = JSON.parse(whole);
        change(proof);
        writeFileSync(path, JSON.stringify(proof));
        await fails(path, reason, '--genesis', genesis);
      };
      await refused((proof) => { proof.final = flip(proof.final, proof.final.length - 3); }, /ordered header final: .*signature.* is not valid/);
      await refused((proof) => { proof.final = flip(proof.final, 100); }, /ordered header final: .*(has digest|malformed|epoch)/);
      await refused((proof) => { proof.header = flip(proof.header, 200); }, /the Ethereum header: the header has hash/);
      await refused(({ claim }) => { claim.receipt.receipt = flip(claim.receipt.receipt, 20); }, /the receipt: the block has another receipt/);
      await refused(({ claim }) => { claim.receipt.receiptProof[0] = flip(claim.receipt.receiptProof[0], 30); }, /the receipt: node 0 has hash/);
      await refused(({ claim }) => { claim.receipt.transactionHash = flip(claim.receipt.transactionHash, 9); }, /the transaction has hash/);
    });

    test('another genesis believes nothing of it', async () => {
      const json = JSON.parse(readFileSync(genesis, 'utf8'));
      json.timestamp = '0x1';
      writeFileSync(file('other.json'), JSON.stringify(json));
      await fails(file('receipt.json'), /signature.* is not valid/, '--genesis', file('other.json'));
    });

    test('what a node does not have is said', async () => {
      await assert.rejects(collect(['receipt', `0x${'ab'.repeat(32)}`]), /the transaction is in no block/);
      await assert.rejects(collect(['account', ALICE, '--block', '100000000', '--wait', '0']), /no certificate for height 100000003/);
    });
  });
}
