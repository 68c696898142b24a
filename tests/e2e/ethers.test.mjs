// ethers 6, unmodified.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  Contract, ContractFactory, HDNodeWallet, JsonRpcProvider, Mnemonic, NonceManager, Transaction, Wallet, WebSocketProvider,
  ZeroAddress, getCreateAddress, parseEther, verifyMessage, verifyTypedData,
} from 'ethers';

import { ERC20, ERC20_MINTER } from './artefacts.mjs';
import { ALICE, ALICE_KEY, BOB, BOB_KEY, CAROL, CAROL_KEY, CHAIN_ID, MNEMONIC, startNode, until } from './harness.mjs';

let node, provider, socket, alice, bob, carol;

before(async () => {
  node = await startNode();
  provider = new JsonRpcProvider(node.url, undefined, { polling: true, pollingInterval: 20, cacheTimeout: -1 });
  socket = new WebSocketProvider(node.wsUrl);
  alice = new Wallet(ALICE_KEY, provider);
  bob = new Wallet(BOB_KEY, provider);
  carol = new Wallet(CAROL_KEY, provider);
});
after(async () => {
  provider?.destroy();
  await socket?.destroy();
  await node?.stop();
});

async function deploy({ abi, bytecode }, args, signer = alice) {
  const contract = await new ContractFactory(abi, bytecode, signer).deploy(...args);
  await contract.waitForDeployment();
  return contract;
}

test('the network is recognised, and the mnemonic gives its keys', async () => {
  assert.equal((await provider.getNetwork()).chainId, BigInt(CHAIN_ID));
  const derived = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), "m/44'/60'/0'/0/2");
  assert.equal(derived.address, CAROL);
  assert.equal((await provider.listAccounts()).length, 10);
});

test('value moves, and the receipt, block and transaction tell one story', async () => {
  const target = Wallet.createRandom().address;
  const sent = await alice.sendTransaction({ to: target, value: parseEther('0.25') });
  const receipt = await sent.wait();
  assert.equal(receipt.status, 1);
  assert.equal(receipt.fee, receipt.gasUsed * receipt.gasPrice);
  assert.equal(await provider.getBalance(target), parseEther('0.25'));
  const block = await receipt.getBlock();
  const transaction = await block.getTransaction(receipt.index);
  assert.equal(transaction.hash, sent.hash);
  assert.equal(transaction.from, ALICE);
  assert.equal(block.gasUsed, receipt.gasUsed);
  assert.equal((await provider.getTransaction(sent.hash)).blockHash, block.hash);
});

test('a contract stands where its creator\'s nonce says', async () => {
  const nonce = await alice.getNonce();
  const token = await deploy(ERC20, ['Weft', 'WFT', 500n, ALICE]);
  assert.equal(await token.getAddress(), getCreateAddress({ from: ALICE, nonce }));
  assert.equal(await token.symbol(), 'WFT');
  assert.equal(await provider.getCode(await token.getAddress()), await token.getDeployedCode());
});

test('events are found in the past and heard in the present', async () => {
  const token = await deploy(ERC20, ['Weft', 'WFT', 500n, ALICE]);
  const heard = [];
  await token.on('Transfer', (from, to, value) => heard.push([from, to, value]));
  await (await token.transfer(BOB, 5n)).wait();
  await (await token.connect(bob).transfer(CAROL, 2n)).wait();
  await until(() => heard.length >= 2, 'two events');
  await token.off('Transfer');
  assert.deepEqual(heard.slice(-2), [[ALICE, BOB, 5n], [BOB, CAROL, 2n]]);
  const past = await token.queryFilter(token.filters.Transfer(BOB));
  assert.deepEqual(past.map((event) => event.args.value), [2n]);
  const all = await token.queryFilter('Transfer', 0, 'latest');
  assert.equal(all.length, 3);
});

test('a refusal carries the contract\'s own reason', async () => {
  const token = await deploy(ERC20_MINTER, ['Warp', 'WRP']);
  await assert.rejects(token.connect(bob).mint.staticCall(BOB, 1n), (error) => {
    assert.equal(error.code, 'CALL_EXCEPTION');
    assert.equal(error.reason, 'ERC20PresetMinterPauser: must have minter role to mint');
    return true;
  });
  await assert.rejects(token.connect(bob).pause(), (error) => {
    assert.equal(error.code, 'CALL_EXCEPTION', 'refused when estimating');
    assert.match(error.reason, /must have pauser role/);
    return true;
  });
  await (await token.pause()).wait();
  await assert.rejects(token.mint.estimateGas(BOB, 1n), /token transfer while paused/);
  await (await token.unpause()).wait();
  await (await token.mint(BOB, 12n)).wait();
  assert.equal(await token.balanceOf(BOB), 12n);
});

test('a reverted transaction is told apart from a successful one', async () => {
  const token = await deploy(ERC20_MINTER, ['Warp', 'WRP']);
  const sent = await token.connect(bob).mint(BOB, 1n, { gasLimit: 200_000n });
  await assert.rejects(sent.wait(), (error) => {
    assert.equal(error.code, 'CALL_EXCEPTION');
    assert.equal(error.receipt.status, 0);
    return true;
  });
});

test('what the chain cannot take is refused with the code ethers knows', async () => {
  const poor = Wallet.createRandom().connect(provider);
  await assert.rejects(poor.sendTransaction({ to: BOB, value: 1n, gasLimit: 21_000n }), { code: 'INSUFFICIENT_FUNDS' });
  await assert.rejects(alice.sendTransaction({ to: BOB, nonce: 0, gasLimit: 21_000n }), { code: 'NONCE_EXPIRED' });
});

test('a nonce manager may send without waiting', async () => {
  const manager = new NonceManager(carol);
  const target = Wallet.createRandom().address;
  const sent = await Promise.all(Array.from({ length: 20 }, (_, i) => manager.sendTransaction({ to: target, value: BigInt(i), gasLimit: 21_000n })));
  const receipts = await Promise.all(sent.map((transaction) => transaction.wait()));
  assert.ok(receipts.every((receipt) => receipt.status === 1));
  assert.equal(await provider.getBalance(target), 190n);
});

test('every kind of fee field is understood', async () => {
  const base = { to: BOB, value: 1n, gasLimit: 30_000n };
  const { gasPrice, maxFeePerGas, maxPriorityFeePerGas } = await provider.getFeeData();
  for (const [type, fields] of [
    [0, { type: 0, gasPrice }],
    [1, { type: 1, gasPrice, accessList: [{ address: CAROL, storageKeys: [`0x${'00'.repeat(32)}`] }] }],
    [2, { type: 2, maxFeePerGas, maxPriorityFeePerGas }],
  ]) {
    const receipt = await (await alice.sendTransaction({ ...base, ...fields })).wait();
    assert.equal(receipt.status, 1);
    assert.equal(receipt.type, type);
    const fetched = await provider.getTransaction(receipt.hash);
    assert.equal(fetched.type, type);
    // What comes back must hash to the same transaction: no field was lost or altered.
    assert.equal(Transaction.from(fetched).hash, receipt.hash);
  }
});

test('an account delegates to code (type 4)', async () => {
  const token = await deploy(ERC20, ['Weft', 'WFT', 500n, ALICE]);
  const user = Wallet.createRandom().connect(provider);
  const authorization = await user.authorize({ address: await token.getAddress(), nonce: 0, chainId: CHAIN_ID });
  const receipt = await (await alice.sendTransaction({ type: 4, to: ZeroAddress, authorizationList: [authorization] })).wait();
  assert.equal(receipt.type, 4);
  const code = await provider.getCode(user.address);
  assert.equal(code, `0xef0100${(await token.getAddress()).slice(2).toLowerCase()}`);
});

test('a WebSocket provider hears blocks, pending transactions and logs', async () => {
  const blocks = [];
  const pending = [];
  await socket.on('block', (number) => blocks.push(number));
  await socket.on('pending', (hash) => pending.push(hash));
  const token = new Contract(await (await deploy(ERC20, ['Live', 'LIV', 9n, ALICE])).getAddress(), ERC20.abi, socket);
  const values = [];
  await token.on('Transfer', (_from, _to, value) => values.push(value));
  const send = new Contract(await token.getAddress(), ERC20.abi, alice);
  const hashes = [];
  await until(async () => {
    const receipt = await (await send.transfer(BOB, 1n)).wait();
    hashes.push(receipt.hash);
    return blocks.length > 0 && values.length > 0 && pending.length > 0;
  }, 'one of each', 8_000);
  assert.ok(values.every((value) => value === 1n));
  assert.ok(pending.some((hash) => hashes.includes(hash)) || hashes.length === 1);
  const latest = await socket.getBlockNumber();
  assert.ok(blocks.every((number) => number <= latest));
  await socket.removeAllListeners();
  await token.removeAllListeners();
});

test('messages and typed data are signed by the node\'s own accounts', async () => {
  const signer = await provider.getSigner(BOB);
  assert.equal(verifyMessage('received', await signer.signMessage('received')), BOB);
  const domain = { name: 'Receipt', chainId: CHAIN_ID };
  const types = { Paid: [{ name: 'amount', type: 'uint256' }, { name: 'note', type: 'string' }] };
  const value = { amount: 5n, note: 'rent' };
  assert.equal(verifyTypedData(domain, types, value, await signer.signTypedData(domain, types, value)), BOB);
  const receipt = await (await signer.sendTransaction({ to: CAROL, value: 1n })).wait();
  assert.equal(receipt.from, BOB);
});
