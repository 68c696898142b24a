// The DeFi contracts as wallets and applications meet them: on `braid dev` from the start, through interfaces that nobody here
// wrote (viem's ERC-20, Uniswap's router and WETH9 as published, ERC-2612, ERC-6909, StakingRewards), and by `braid deploy` elsewhere.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  createPublicClient, encodeAbiParameters, erc20Abi, getAddress, http, keccak256, maxUint256, parseAbi, parseAbiParameters, parseEther, parseSignature,
} from 'viem';
import { foundry } from 'viem/chains';

import { UNISWAP_ROUTER, WETH9 } from './artefacts.mjs';
import { DEADLINE, alice, bob, carol, startMarkets, units } from './defi.mjs';
import { ALICE, BOB, BRAID, BRAID_ONLY, CAROL, OWN_NODE, ROOT, braid, freePort, rpc, startNode, temporaryDirectory, until } from './harness.mjs';

const ANVIL = join(ROOT, 'node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil');
const options = { skip: BRAID_ONLY || OWN_NODE };
const FEE = 3000n;

const permitAbi = parseAbi([
  'function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)',
  'function nonces(address owner) view returns (uint256)',
  'function eip712Domain() view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)',
]);
const erc6909Abi = parseAbi([
  'function balanceOf(address owner, uint256 id) view returns (uint256)',
  'function allowance(address owner, address spender, uint256 id) view returns (uint256)',
  'function transfer(address to, uint256 id, uint256 amount) returns (bool)',
  'function transferFrom(address from, address to, uint256 id, uint256 amount) returns (bool)',
  'function approve(address spender, uint256 id, uint256 amount) returns (bool)',
  'function setOperator(address operator, bool approved) returns (bool)',
  'function isOperator(address owner, address operator) view returns (bool)',
  'function supportsInterface(bytes4 id) view returns (bool)',
]);
const stakingRewardsAbi = parseAbi([
  'function stake(uint256 amount)',
  'function exit()',
  'function earned(address account) view returns (uint256)',
  'function rewardRate() view returns (uint256)',
  'function totalSupply() view returns (uint256)',
  'function periodFinish() view returns (uint256)',
]);

describe('on a development chain', options, () => {
  let node, client, wallet, clock, all, at, read, own, balance, write, send, refused, approve;
  before(async () => {
    ({ node, client, wallet, clock, all, at, read, own, balance, write, send, refused, approve } = await startMarkets());
  });
  after(() => node?.stop());

  test('every contract is there before the first block, and the accounts are as on any chain', async () => {
    assert.equal(await client.getBlockNumber(), 0n);
    for (const { name, address } of all.values()) assert.ok((await client.getCode({ address }))?.length > 100, name);
    for (const { address } of [alice, bob, carol]) {
      assert.equal(await client.getBalance({ address }), parseEther('10000'));
      assert.equal(await client.getTransactionCount({ address }), 0);
    }
    await until(() => node.output().includes(at('bUSD')), 'the first screen');
    assert.ok(node.output().includes('braid contracts'));
  });

  test('the list tells names, addresses and interfaces', async () => {
    const text = await braid(['contracts']);
    for (const { name, address } of all.values()) assert.match(text, new RegExp(`^${name} +${getAddress(address)} +\\S`, 'm'));
    assert.deepEqual(JSON.parse(await braid(['contracts', '--abi', 'vault'])), all.get('Vault').abi);
    await assert.rejects(braid(['contracts', '--abi', 'nothing']), /no contract is called nothing/);
    const other = await braid(['contracts', '--owner', BOB]);
    assert.ok(!other.includes(at('bUSD')) && other.includes(at('Vault')), 'money has an owner, the vault none');
  });

  for (const currency of ['USD', 'KES', 'NGN', 'GHS', 'INR']) {
    test(`every account has b${currency}, an ERC-20 token`, async () => {
      const token = at(`b${currency}`);
      assert.equal(await read(token, erc20Abi, 'symbol'), `b${currency}`);
      assert.equal(await read(token, erc20Abi, 'decimals'), 6);
      const [before, paid] = [await balance(`b${currency}`, carol), units(5)];
      assert.ok(before >= units(100_000));
      await write(bob, token, erc20Abi, 'transfer', [CAROL, paid]);
      assert.equal(await balance(`b${currency}`, carol), before + paid);
    });
  }

  test('a permit (ERC-2612) allows without a transaction of the owner', async () => {
    const token = at('bKES');
    const [, name, version, chainId, verifyingContract] = await read(token, permitAbi, 'eip712Domain');
    const message = { owner: BOB, spender: CAROL, value: units(7), nonce: await read(token, permitAbi, 'nonces', BOB), deadline: DEADLINE };
    const field = (type, name) => ({ name, type });
    const types = { Permit: [field('address', 'owner'), field('address', 'spender'), field('uint256', 'value'), field('uint256', 'nonce'), field('uint256', 'deadline')] };
    const domain = { name, version, chainId, verifyingContract };
    const { v, r, s } = parseSignature(await bob.signTypedData({ domain, types, primaryType: 'Permit', message }));
    await write(carol, token, permitAbi, 'permit', [BOB, CAROL, message.value, DEADLINE, Number(v), r, s]);
    assert.equal(await read(token, erc20Abi, 'allowance', BOB, CAROL), message.value);
    const before = await balance('bKES', carol);
    await write(carol, token, erc20Abi, 'transferFrom', [BOB, CAROL, message.value]);
    assert.equal(await balance('bKES', carol), before + message.value);
  });

  test("a trade is signed as Permit2's libraries do it, and sent by another", async () => {
    const [transfers, trades, amount, tip] = [at('SignatureTransfer'), at('SignedTrades'), units(1_300), units(13)];
    await approve(carol, 'bKES', transfers, maxUint256);
    const nonce = await client.getTransactionCount({ address: CAROL });
    // What is wrong with a signature is told by the contract that checks it.
    const abi = [...all.get('SignedTrades').abi, ...all.get('SignatureTransfer').abi];
    const trade = { amountOutMin: units(9), path: [at('bKES'), at('bUSD')], to: CAROL, tip };
    const permit = { permitted: { token: at('bKES'), amount }, nonce: 77n, deadline: DEADLINE };
    const field = (type, name) => ({ name, type });
    const types = {
      PermitWitnessTransferFrom: [
        field('TokenPermissions', 'permitted'), field('address', 'spender'), field('uint256', 'nonce'), field('uint256', 'deadline'), field('Trade', 'witness'),
      ],
      TokenPermissions: [field('address', 'token'), field('uint256', 'amount')],
      Trade: [field('uint256', 'amountOutMin'), field('address[]', 'path'), field('address', 'to'), field('uint256', 'tip')],
    };
    const domain = { name: 'Permit2', chainId: await client.getChainId(), verifyingContract: transfers };
    const message = { ...permit, spender: trades, witness: trade };
    const signature = await carol.signTypedData({ domain, types, primaryType: 'PermitWitnessTransferFrom', message });
    const [dollars, tips] = [await balance('bUSD', carol), await balance('bKES', bob)];
    await refused(bob, trades, abi, 'trade', [permit, { ...trade, to: BOB }, CAROL, signature], /InvalidSigner/);
    await send(bob, 'SignedTrades', 'trade', permit, trade, CAROL, signature);
    const got = await balance('bUSD', carol) - dollars;
    assert.ok(got > units(9) && got < units(10), String(got));
    assert.equal(await balance('bKES', bob) - tips, tip);
    assert.equal(await client.getTransactionCount({ address: CAROL }), nonce, 'she has sent nothing');
    await refused(bob, trades, abi, 'trade', [permit, trade, CAROL, signature], /InvalidNonce/);
  });

  test('wrapped ether has the interface of WETH9', async () => {
    await write(carol, at('WETH'), WETH9.abi, 'deposit', [], parseEther('3'));
    await write(carol, at('WETH'), WETH9.abi, 'withdraw', [parseEther('1')]);
    assert.equal(await read(at('WETH'), WETH9.abi, 'balanceOf', CAROL), parseEther('2'));
  });

  test('the vault is an ERC-6909 token', async () => {
    const [vault, id] = [at('Vault'), BigInt(at('bUSD'))];
    assert.equal(await read(vault, erc6909Abi, 'supportsInterface', '0x0f632fb3'), true);
    await approve(bob, 'bUSD', vault, units(30));
    await write(bob, vault, all.get('Vault').abi, 'deposit', [at('bUSD'), units(30), BOB]);
    await write(bob, vault, erc6909Abi, 'transfer', [CAROL, id, units(10)]);
    await write(bob, vault, erc6909Abi, 'approve', [ALICE, id, units(5)]);
    await write(alice, vault, erc6909Abi, 'transferFrom', [BOB, CAROL, id, units(5)]);
    assert.equal(await read(vault, erc6909Abi, 'allowance', BOB, ALICE, id), 0n);
    await write(bob, vault, erc6909Abi, 'setOperator', [ALICE, true]);
    assert.equal(await read(vault, erc6909Abi, 'isOperator', BOB, ALICE), true);
    await write(alice, vault, erc6909Abi, 'transferFrom', [BOB, CAROL, id, units(15)]);
    assert.equal(await read(vault, erc6909Abi, 'balanceOf', BOB, id), 0n);
    assert.equal(await read(vault, erc6909Abi, 'balanceOf', CAROL, id), units(30));
  });

  test("swaps go through the interface of Uniswap v2's router, over two pools, with ether", async () => {
    const router = at('Router');
    const path = [at('WETH'), at('bUSD'), at('bKES')];
    const amountIn = parseEther('1');
    const [, middle, expected] = await read(router, UNISWAP_ROUTER.abi, 'getAmountsOut', amountIn, path);
    // 0.05 % of the concentrated pool, whose active bin is at 3,001.4 dollars, and 0.3 % of a pool at 130 shillings.
    assert.ok(middle > units(2_999) && middle < units(3_001), String(middle));
    assert.ok(expected > middle * 120n && expected < middle * 130n, String(expected));
    const before = await balance('bKES', bob);
    await write(bob, router, UNISWAP_ROUTER.abi, 'swapExactETHForTokens', [expected, path, BOB, DEADLINE], amountIn);
    assert.equal(await balance('bKES', bob) - before, expected);

    await approve(bob, 'bKES', router, maxUint256);
    const back = [at('bKES'), at('bUSD')];
    const amounts = await read(router, UNISWAP_ROUTER.abi, 'getAmountsOut', expected, back);
    const dollars = await balance('bUSD', bob);
    await write(bob, router, UNISWAP_ROUTER.abi, 'swapExactTokensForTokens', [expected, amounts[1], back, BOB, DEADLINE]);
    assert.equal(await balance('bUSD', bob) - dollars, amounts[1]);
    const short = wallet.writeContract({ account: bob, address: router, abi: UNISWAP_ROUTER.abi, functionName: 'swapExactTokensForTokens', args: [units(1), units(1), back, BOB, DEADLINE] });
    await assert.rejects(short, /reverted/);
  });

  test('a dollar is worth a dollar of another issuer, in the stable pool', async () => {
    const [router, path] = [at('Router'), [at('bUSD'), at('xUSD')]];
    await approve(bob, 'bUSD', router, units(1_000));
    await write(bob, router, UNISWAP_ROUTER.abi, 'swapExactTokensForTokens', [units(1_000), units(999), path, BOB, DEADLINE]);
    const got = await balance('xUSD', bob);
    assert.ok(got > units(999) && got < units(1_000), String(got));
  });

  test('an order waits for its price; whoever executes it gets the tip', async () => {
    const [vault, id] = [at('Vault'), BigInt(at('bUSD'))];
    const [amount, tip] = [parseEther('1'), parseEther('0.01')];
    await write(carol, at('WETH'), WETH9.abi, 'deposit', [], amount + tip);
    await approve(carol, 'WETH', vault, amount + tip);
    await send(carol, 'Vault', 'deposit', at('WETH'), amount + tip, CAROL);
    await write(carol, vault, erc6909Abi, 'approve', [at('Orders'), BigInt(at('WETH')), amount + tip]);
    const order = await own('Orders', 'idOf', CAROL, 0n);
    await send(carol, 'Orders', 'place', at('WETH'), at('bUSD'), amount, units(2_950), 1, 0n, DEADLINE, tip);
    const [due, , least, offered] = await own('Orders', 'next', order);
    assert.ok(due && least === units(2_950) && offered >= least, String(offered));
    const before = await read(vault, erc6909Abi, 'balanceOf', CAROL, id);
    await send(bob, 'Orders', 'execute', order);
    assert.equal(await read(vault, erc6909Abi, 'balanceOf', CAROL, id) - before, offered);
    assert.equal(await read(vault, erc6909Abi, 'balanceOf', BOB, BigInt(at('WETH'))), tip);
    await refused(bob, at('Orders'), all.get('Orders').abi, 'execute', [order], /UnknownOrder/);
  });

  test('a share of a regulated asset goes to investors alone, and says why not to others', async () => {
    const stranger = getAddress(`0x${'5'.repeat(40)}`);
    await write(alice, at('bSHARE'), erc20Abi, 'transfer', [BOB, parseEther('3')]);
    assert.equal(await balance('bSHARE', bob), parseEther('3'));
    // 9: the recipient is not in the identity registry.
    assert.deepEqual(await own('bSHARE', 'checkTransfer', BOB, stranger, 1n), [9, at('IdentityRegistry')]);
    await refused(bob, at('bSHARE'), all.get('bSHARE').abi, 'transfer', [stranger, 1n], /TransferDenied/);
    await send(alice, 'IdentityRegistry', 'registerIdentity', stranger, stranger, 404);
    await write(bob, at('bSHARE'), erc20Abi, 'transfer', [stranger, 1n]);
    await refused(alice, at('bSHARE'), all.get('bSHARE').abi, 'forcedTransfer', [BOB, ALICE, 1n], /AccessControlUnauthorizedAccount/);
  });

  test('a bond goes to whom a trusted issuer vouches for, until the issuer takes that back', async () => {
    const [stranger, registry, issuer] = [getAddress(`0x${'6'.repeat(40)}`), at('ClaimedIdentityRegistry'), at('ClaimIssuer')];
    await write(alice, at('bBOND'), erc20Abi, 'transfer', [BOB, parseEther('3')]);
    await send(alice, 'ClaimedIdentityRegistry', 'registerIdentity', stranger, stranger, 404);
    // Registered, but nobody claims anything of it.
    assert.deepEqual(await own('bBOND', 'checkTransfer', BOB, stranger, 1n), [9, registry]);
    await refused(bob, at('bBOND'), all.get('bBOND').abi, 'transfer', [stranger, 1n], /TransferDenied/);
    const id = keccak256(encodeAbiParameters(parseAbiParameters('address, uint256'), [issuer, 1n]));
    const [topic, , by, signature, data] = await own('Identity', 'getClaim', id);
    assert.deepEqual([topic, by], [1n, issuer]);
    assert.equal(await own('ClaimIssuer', 'isClaimValid', at('Identity'), topic, signature, data), true);
    assert.deepEqual((await own('bBOND', 'checkTransfer', BOB, ALICE, 1n))[0], 0);
    await send(alice, 'ClaimIssuer', 'revokeClaimBySignature', signature);
    assert.deepEqual(await own('bBOND', 'checkTransfer', BOB, ALICE, 1n), [9, registry]);
    await refused(bob, at('bBOND'), all.get('bBOND').abi, 'transfer', [ALICE, 1n], /TransferDenied/);
  });

  test('a dollar borrows more of a dollar than an ether does', async () => {
    const market = all.get('Lend-bUSD-xUSD');
    await write(alice, at('xUSD'), all.get('xUSD').abi, 'mint', [CAROL, units(1_000)]);
    await approve(carol, 'xUSD', market.address, maxUint256);
    await write(carol, market.address, market.abi, 'supplyCollateral', [units(1_000), CAROL]);
    await refused(carol, market.address, market.abi, 'borrow', [units(951), CAROL, CAROL], /Unhealthy/);
    await write(carol, market.address, market.abi, 'borrow', [units(950), CAROL, CAROL]);
  });

  test('an order gets the price of its batch', async () => {
    const [router, pool] = [all.get('Router'), all.get('Batch-bKES-bUSD')];
    await approve(carol, 'bUSD', router.address, units(100));
    const placed = await write(carol, router.address, router.abi, 'placeOrder', [at('bUSD'), at('bKES'), FEE, units(100), 0n, DEADLINE]);
    const batch = placed.blockNumber;
    await clock.mine({ blocks: 1 });
    const [id, before] = [BigInt(at('bKES')), await read(at('Vault'), erc6909Abi, 'balanceOf', CAROL, BigInt(at('bKES')))];
    await write(bob, pool.address, pool.abi, 'claim', [batch, at('bUSD'), CAROL]);
    const got = await read(at('Vault'), erc6909Abi, 'balanceOf', CAROL, id) - before;
    assert.ok(got > units(12_800) && got < units(13_000), String(got));
  });

  test('a loan is taken against collateral, and paid back', async () => {
    const market = all.get('Lend-bUSD-WETH');
    await write(carol, at('WETH'), WETH9.abi, 'deposit', [], parseEther('1'));
    await approve(carol, 'WETH', market.address, parseEther('1'));
    await write(carol, market.address, market.abi, 'supplyCollateral', [parseEther('1'), CAROL]);
    const before = await balance('bUSD', carol);
    await write(carol, market.address, market.abi, 'borrow', [units(2_000), CAROL, CAROL]);
    assert.equal(await balance('bUSD', carol) - before, units(2_000));
    const more = wallet.writeContract({ account: carol, address: market.address, abi: market.abi, functionName: 'borrow', args: [units(500), CAROL, CAROL] });
    await assert.rejects(more, /Unhealthy/, 'a debt may be 80 % of 3,000 dollars');
    await approve(carol, 'bUSD', market.address, maxUint256);
    await write(carol, market.address, market.abi, 'repay', [maxUint256, CAROL]);
    assert.equal(await own('Lend-bUSD-WETH', 'debtOf', CAROL), 0n);
    await write(carol, market.address, market.abi, 'withdrawCollateral', [parseEther('1'), CAROL, CAROL]);
  });

  test('a stake earns, through the interface of StakingRewards', async () => {
    const pool = at('Stake-WETH');
    await write(bob, at('WETH'), WETH9.abi, 'deposit', [], parseEther('2'));
    await approve(bob, 'WETH', pool, parseEther('2'));
    await write(bob, pool, stakingRewardsAbi, 'stake', [parseEther('2')]);
    assert.equal(await read(pool, stakingRewardsAbi, 'totalSupply'), parseEther('2'));
    await clock.increaseTime({ seconds: 3600 });
    await clock.mine({ blocks: 1 });
    const [rate, earned] = [await read(pool, stakingRewardsAbi, 'rewardRate'), await read(pool, stakingRewardsAbi, 'earned', BOB)];
    assert.ok(rate > 0n && earned >= rate * 3600n - rate, `${earned} at ${rate} a second`);
    const before = await balance('bUSD', bob);
    await write(bob, pool, stakingRewardsAbi, 'exit', []);
    assert.ok(await balance('bUSD', bob) - before >= earned);
    assert.equal(await balance('WETH', bob), parseEther('2'));
  });

  test('braid deploy finds everything done', async () => {
    const report = JSON.parse(await braid(['deploy', '--rpc', node.url, '--seed', '--json']));
    assert.equal(report.transactions, 0);
    assert.deepEqual(report.contracts.map(({ name, address }) => [name, getAddress(address)]), [...all.values()].map(({ name, address }) => [name, address]));
    assert.ok(report.contracts.every(({ wasThere }) => wasThere));
  });
});

test('a chain can be made without the contracts', options, async () => {
  const node = await startNode({ args: ['--no-contracts'] });
  assert.ok(!node.output().includes('bUSD'));
  const [first] = JSON.parse(await braid(['contracts', '--json']));
  assert.equal(await node.rpc('eth_getCode', first.address, 'latest'), '0x');
  await node.stop();
});

test('braid deploy goes on where it was interrupted', options, async () => {
  const node = await startNode({ args: ['--no-contracts', '--block-time', '0.05'] });
  const listed = JSON.parse(await braid(['contracts', '--json']));
  const child = spawn(BRAID, ['deploy', '--rpc', node.url, '--seed'], { stdio: 'ignore' });
  const count = () => node.rpc('eth_getTransactionCount', ALICE, 'latest').then(Number);
  await until(async () => (await count()) >= 20, 'twenty transactions', 60_000);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const report = JSON.parse(await braid(['deploy', '--rpc', node.url, '--seed', '--json']));
  assert.ok(report.contracts.some(({ wasThere }) => wasThere), 'something was done before');
  for (const { name, address } of listed) assert.notEqual(await node.rpc('eth_getCode', address, 'latest'), '0x', name);
  assert.equal(JSON.parse(await braid(['deploy', '--rpc', node.url, '--seed', '--json'])).transactions, 0);
  const pool = listed.find(({ name }) => name === 'Pool-bINR-bUSD').address;
  const supply = await rpc(node.url, 'eth_call', [{ to: pool, input: '0x18160ddd' }, 'latest']);
  assert.ok(BigInt(supply) > 0n);
  await node.stop();
});

test('a file is refused that holds no key, and a chain that is too old', options, async () => {
  const file = join(temporaryDirectory(), 'key');
  writeFileSync(file, 'something\n');
  const node = await startNode({ args: ['--fork', 'shanghai'] });
  await assert.rejects(braid(['deploy', '--rpc', node.url, '--private-key-file', file]), /older than Cancun/);
  await assert.rejects(braid(['deploy', '--rpc', node.url, '--chain-id', '5']), /a node of chain 31337, not 5/);
  await node.stop();
});

describe('on anvil', options, () => {
  let anvil, url;
  before(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    anvil = spawn(ANVIL, ['--port', String(port), '--disable-default-create2-deployer', '--silent'], { stdio: 'ignore' });
    process.on('exit', () => anvil.kill('SIGKILL'));
    await until(() => rpc(url, 'eth_chainId').catch(() => false), 'anvil', 60_000);
  });
  after(() => anvil?.kill('SIGKILL'));

  test('a key without ether is told what it lacks', async () => {
    const file = join(temporaryDirectory(), 'key');
    writeFileSync(file, `0x${'11'.repeat(32)}\n`);
    await assert.rejects(braid(['deploy', '--rpc', url, '--private-key-file', file]), /holds 0 ether on chain 31337, and the \d+ transactions may take 0\.\d+/);
  });

  test('braid deploy puts the contracts where they are on a development chain, the proxy first', async () => {
    assert.equal(await rpc(url, 'eth_getCode', ['0x4e59b44847b379578588920cA78FbF26c0B4956C', 'latest']), '0x');
    const text = await braid(['deploy', '--rpc', url]);
    const listed = JSON.parse(await braid(['contracts', '--json']));
    for (const { name, address } of listed) {
      assert.ok(text.includes(`${getAddress(address)}  ${name}\n`), name);
      assert.notEqual(await rpc(url, 'eth_getCode', [address, 'latest']), '0x', name);
    }
    const usd = getAddress(listed.find(({ name }) => name === 'bUSD').address);
    const client = createPublicClient({ chain: foundry, transport: http(url) });
    const supply = () => client.readContract({ address: usd, abi: erc20Abi, functionName: 'totalSupply' });
    assert.equal(await supply(), 0n, 'money is minted only where it is asked for');
    const report = JSON.parse(await braid(['deploy', '--rpc', url, '--seed', '--json']));
    assert.ok(report.transactions > 0 && report.contracts.every(({ wasThere }) => wasThere));
    assert.ok(await supply() > 0n);
    assert.equal(JSON.parse(await braid(['deploy', '--rpc', url, '--seed', '--json'])).transactions, 0);
  });
});
