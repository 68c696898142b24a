// What takes days at the DeFi contracts: a decision, an option, interest. The clock of a development chain is moved; the interfaces are
// viem's (ERC-4626, ERC-6909) and OpenZeppelin's (IGovernor, IVotes), and the contracts' own where there is no standard.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { encodeAbiParameters, encodeFunctionData, erc20Abi, erc4626Abi, keccak256, maxUint256, parseAbi, parseEther, toBytes } from 'viem';

import { WETH9 } from './artefacts.mjs';
import { DAY, alice, bob, carol, startMarkets, units } from './defi.mjs';
import { BOB, BRAID_ONLY, CAROL, OWN_NODE } from './harness.mjs';

const options = { skip: BRAID_ONLY || OWN_NODE };

const governorAbi = parseAbi([
  'function propose(address[] targets, uint256[] values, bytes[] calldatas, string description) returns (uint256)',
  'function hashProposal(address[] targets, uint256[] values, bytes[] calldatas, bytes32 descriptionHash) view returns (uint256)',
  'function state(uint256 proposal) view returns (uint8)',
  'function castVote(uint256 proposal, uint8 support) returns (uint256)',
  'function castVoteWithReason(uint256 proposal, uint8 support, string reason) returns (uint256)',
  'function queue(address[] targets, uint256[] values, bytes[] calldatas, bytes32 descriptionHash) returns (uint256)',
  'function execute(address[] targets, uint256[] values, bytes[] calldatas, bytes32 descriptionHash) payable returns (uint256)',
  'function votingDelay() view returns (uint256)',
  'function votingPeriod() view returns (uint256)',
  'error GovernorUnexpectedProposalState(uint256 proposal, uint8 current, bytes32 expected)',
  'error TimelockUnexpectedOperationState(bytes32 operation, bytes32 expected)',
]);
const [AGAINST, FOR] = [0, 1];
const [PENDING, ACTIVE, SUCCEEDED, QUEUED, EXECUTED] = [0, 1, 4, 5, 7];
const votesAbi = parseAbi([
  'function getVotes(address account) view returns (uint256)',
  'function getPastVotes(address account, uint256 timepoint) view returns (uint256)',
]);
const erc6909Abi = parseAbi([
  'function balanceOf(address owner, uint256 id) view returns (uint256)',
  'function transfer(address to, uint256 id, uint256 amount) returns (bool)',
]);
/** What a wei is worth in millionths of a dollar, times 10^36, at so many dollars for an ether. */
const price = (dollars) => BigInt(dollars) * 10n ** 24n;

describe('over days', options, () => {
  let node, client, all, at, read, own, balance, write, send, refused, approve, pass;
  before(async () => {
    ({ node, client, all, at, read, own, balance, write, send, refused, approve, pass } = await startMarkets());
  });
  after(() => node?.stop());

  const now = async () => Number((await client.getBlock()).timestamp);
  const wrap = (account, amount) => write(account, at('WETH'), WETH9.abi, 'deposit', [], amount);
  /** The owner's price of ether is good for a week. */
  const report = (dollars) => send(alice, 'Price-WETH-bUSD', 'report', price(dollars));

  test('savings grow by what their stake earns (ERC-4626)', async () => {
    const vault = at('Savings-bUSD');
    assert.equal(await read(vault, erc4626Abi, 'asset'), at('bUSD'));
    await approve(bob, 'bUSD', vault, units(5_000));
    const shares = await read(vault, erc4626Abi, 'previewDeposit', units(5_000));
    await write(bob, vault, erc4626Abi, 'deposit', [units(5_000), BOB]);
    assert.ok(await read(vault, erc4626Abi, 'balanceOf', BOB) <= shares);
    await pass(DAY);
    // The pool gives out 1,000 dollars a day, to a stake of 15,000.
    const worth = await read(vault, erc4626Abi, 'convertToAssets', await read(vault, erc4626Abi, 'balanceOf', BOB));
    assert.ok(worth > units(5_330) && worth < units(5_334), String(worth));
    const before = await balance('bUSD', bob);
    await write(bob, vault, erc4626Abi, 'redeem', [await read(vault, erc4626Abi, 'maxRedeem', BOB), BOB, BOB]);
    assert.ok(await balance('bUSD', bob) - before >= worth);
    assert.equal(await read(vault, erc4626Abi, 'balanceOf', BOB), 0n);
  });

  test('a curated vault lends what its cap allows, a day after it was announced (ERC-4626)', async () => {
    const [vault, market] = [at('Curated-bUSD'), at('Lend-bUSD-WETH')];
    await approve(bob, 'bUSD', vault, units(30_000));
    await write(bob, vault, erc4626Abi, 'deposit', [units(30_000), BOB]);
    await send(carol, 'Curated-bUSD', 'acceptCap', market);
    await send(alice, 'Curated-bUSD', 'allocate', market, units(50_000));
    await wrap(carol, parseEther('100'));
    await approve(carol, 'WETH', market, parseEther('100'));
    await send(carol, 'Lend-bUSD-WETH', 'supplyCollateral', parseEther('100'), CAROL);
    await send(carol, 'Lend-bUSD-WETH', 'borrow', units(200_000), CAROL, CAROL);
    await pass(3 * DAY);
    // 4 % a year at a utilisation of 80 %: 65.75 dollars in three days, a tenth of it for the reserve, and 30 of 250 parts of the rest for Bob.
    const worth = await read(vault, erc4626Abi, 'convertToAssets', await read(vault, erc4626Abi, 'balanceOf', BOB));
    assert.ok(worth > units(30_005) && worth < units(30_010), String(worth));
    await write(bob, vault, erc4626Abi, 'withdraw', [units(30_000), BOB, BOB]);
    await approve(carol, 'bUSD', market, maxUint256);
    await send(carol, 'Lend-bUSD-WETH', 'repay', units(200_000), CAROL);
  });

  test('a decision is proposed, voted, queued and executed (IGovernor)', async () => {
    const [governor, treasury] = [at('Governor'), all.get('Treasury')];
    await wrap(bob, parseEther('5'));
    await approve(bob, 'WETH', at('VotingStake'), parseEther('5'));
    await send(bob, 'VotingStake', 'stake', parseEther('5'));
    await pass(DAY + 1);
    assert.equal(await read(at('VotingStake'), votesAbi, 'getVotes', alice.address), parseEther('10'));
    assert.equal(await read(at('VotingStake'), votesAbi, 'getVotes', BOB), parseEther('5'));

    const payment = { abi: treasury.abi, functionName: 'pay', args: [at('bUSD'), CAROL, units(1_000)] };
    await refused(alice, treasury.address, treasury.abi, 'pay', payment.args, /OwnableUnauthorizedAccount/);
    const call = [[treasury.address], [0n], [encodeFunctionData(payment)]];
    const description = 'A thousand dollars for Carol';
    const hashed = [...call, keccak256(toBytes(description))];
    await write(alice, governor, governorAbi, 'propose', [...call, description]);
    const proposal = await read(governor, governorAbi, 'hashProposal', ...hashed);
    const state = () => read(governor, governorAbi, 'state', proposal);
    assert.equal(await state(), PENDING);
    await pass(Number(await read(governor, governorAbi, 'votingDelay')) + 1);
    assert.equal(await state(), ACTIVE);
    await write(alice, governor, governorAbi, 'castVote', [proposal, FOR]);
    await write(bob, governor, governorAbi, 'castVoteWithReason', [proposal, AGAINST, 'too much']);
    await refused(alice, governor, governorAbi, 'queue', hashed, /GovernorUnexpectedProposalState/);
    await pass(Number(await read(governor, governorAbi, 'votingPeriod')) + 1);
    assert.equal(await state(), SUCCEEDED);
    await write(carol, governor, governorAbi, 'queue', hashed);
    assert.equal(await state(), QUEUED);
    await refused(carol, governor, governorAbi, 'execute', hashed, /TimelockUnexpectedOperationState/);
    await pass(2 * DAY + 1);
    const before = await balance('bUSD', carol);
    await write(carol, governor, governorAbi, 'execute', hashed);
    assert.equal(await state(), EXECUTED);
    assert.equal(await balance('bUSD', carol) - before, units(1_000));
  });

  test('an option is bought, and settled in cash (ERC-6909)', async () => {
    const [token, amount, strike] = [at('Options'), parseEther('1'), price(3_000)];
    await report(3_000);
    const key = [{ type: 'address' }, { type: 'address' }, { type: 'address' }];
    const market = BigInt(keccak256(encodeAbiParameters(key, [at('WETH'), at('bUSD'), at('Price-WETH-bUSD')])));
    const expiry = BigInt(await now() + 7 * DAY);
    await send(carol, 'Options', 'createSeries', market, strike, expiry, true);
    const series = await own('Options', 'seriesId', market, strike, expiry, true);
    // Half the volatility of a year's price, for a week: some 83 dollars.
    const { price: mark } = await own('Options', 'markOf', series, parseEther('0.5'), 0n);
    assert.ok(mark > price(82) && mark < price(84), String(mark));

    await wrap(bob, amount);
    await approve(bob, 'WETH', token, amount);
    await send(bob, 'Options', 'write', series, amount, BOB, BOB);
    await write(carol, at('bUSD'), erc20Abi, 'transfer', [BOB, units(83)]);
    await write(bob, token, erc6909Abi, 'transfer', [CAROL, series, amount]);
    assert.equal(await read(token, erc6909Abi, 'balanceOf', CAROL, series), amount);
    await refused(carol, token, all.get('Options').abi, 'settle', [market, expiry], /NotExpired/);

    await pass(7 * DAY);
    await report(3_300);
    await send(carol, 'Options', 'settle', market, expiry);
    const [carols, bobs] = [await balance('WETH', carol), await balance('WETH', bob)];
    await send(carol, 'Options', 'redeem', series, amount, CAROL);
    await send(bob, 'Options', 'redeemShort', series, amount, BOB);
    // 300 dollars at 3,300 for an ether: an eleventh, rounded down.
    assert.equal(await balance('WETH', carol) - carols, amount / 11n);
    const rest = await balance('WETH', bob) - bobs;
    assert.ok(rest <= amount - amount / 11n && rest >= amount - amount / 11n - 1n, String(rest));
  });

  test('a perpetual future is opened, gains, and is closed', async () => {
    const [exchange, size] = [at('Perpetuals'), parseEther('1')];
    await report(3_000);
    const account = await own('Perpetuals', 'accountOf', CAROL, 0n);
    await approve(carol, 'bUSD', exchange, units(1_000));
    await send(carol, 'Perpetuals', 'deposit', account, units(1_000));
    await refused(carol, exchange, all.get('Perpetuals').abi, 'trade', [account, 0n, parseEther('5'), maxUint256], /InsufficientMargin/);
    await send(carol, 'Perpetuals', 'trade', account, 0n, size, price(3_010));
    assert.equal((await own('Perpetuals', 'positionOf', account, 0n)).size, size);
    const liquidated = await own('Perpetuals', 'liquidationPrice', account, 0n);
    assert.ok(liquidated > price(2_100) && liquidated < price(2_200), String(liquidated));

    await report(3_300);
    const [equity, , maintenance] = await own('Perpetuals', 'healthOf', account);
    assert.ok(equity > units(1_290) && equity < units(1_300) && maintenance === units(165), String(equity));
    await send(carol, 'Perpetuals', 'trade', account, 0n, -size, 0n);
    const left = await own('Perpetuals', 'collateralOf', account);
    assert.ok(left > units(1_285) && left < units(1_300), String(left));
    const before = await balance('bUSD', carol);
    await send(carol, 'Perpetuals', 'withdraw', account, left, CAROL);
    assert.equal(await balance('bUSD', carol) - before, left);
    assert.equal((await own('Perpetuals', 'positionOf', account, 0n)).size, 0n);
  });

  test('a bracket closes a perpetual future: the stop-loss is executed, the take-profit ends', async () => {
    const [exchange, orders, size, tip] = [at('Perpetuals'), at('PerpetualOrders'), parseEther('1'), units(2)];
    await report(3_000);
    const account = await own('Perpetuals', 'accountOf', CAROL, 1n);
    await approve(carol, 'bUSD', exchange, units(1_000));
    await send(carol, 'Perpetuals', 'deposit', account, units(1_000));
    await send(carol, 'Perpetuals', 'trade', account, 0n, size, price(3_010));
    await send(carol, 'Perpetuals', 'setDelegate', orders, true);
    await approve(carol, 'bUSD', orders, 2n * tip);
    const order = { account, market: 0n, delta: -size, limit: 0n, reduces: true, expiry: 2n ** 64n - 1n, tip };
    const stop = { ...order, trigger: price(2_800), isAbove: false };
    const [id, other] = [await own('PerpetualOrders', 'idOf', CAROL, 0n), await own('PerpetualOrders', 'idOf', CAROL, 1n)];
    await send(carol, 'PerpetualOrders', 'placeBracket', stop, { ...order, trigger: price(3_300), isAbove: true });
    await refused(bob, orders, all.get('PerpetualOrders').abi, 'execute', [id], /NotTriggered/);

    await report(2_790);
    assert.deepEqual(await own('PerpetualOrders', 'next', id), [true, -size, price(2_790)]);
    const [bobs, carols] = [await balance('bUSD', bob), await balance('bUSD', carol)];
    await send(bob, 'PerpetualOrders', 'execute', id);
    assert.equal((await own('Perpetuals', 'positionOf', account, 0n)).size, 0n);
    assert.equal(await balance('bUSD', bob) - bobs, tip);
    assert.equal(await balance('bUSD', carol) - carols, tip);
    await refused(bob, orders, all.get('PerpetualOrders').abi, 'execute', [other], /UnknownOrder/);
  });
});
