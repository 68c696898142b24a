// What a node tells of its stages (`/metrics`, `braid top`), and the loads that check it: a soak, and a burst that is too much at once.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { OWN_NODE, braid, freePort, run, BRAID, startNode } from './harness.mjs';

const STAGES = ['decode', 'recover', 'pool', 'order', 'execute', 'root', 'disk', 'publish', 'checkpoint'];
const GAS_LIMIT = ['--gas-limit', '30000000000'];

describe('the stages of a node under load', { skip: OWN_NODE }, () => {
  let node;
  let report;
  before(async () => {
    node = await startNode({ args: [...GAS_LIMIT] });
    report = JSON.parse(await braid(['load', '--rpc', node.url, '--txs', '600', '--accounts', '20', '--json']));
  });
  after(() => node?.stop());

  test('/metrics has every stage with its transactions, and queues with their limits', async () => {
    const text = await (await fetch(`${node.url}/metrics`)).text();
    const value = (measure, stage) => Number(text.match(new RegExp(`^braid_stage_${measure}\\{stage="${stage}"\\} (.*)$`, 'm'))?.[1]);
    for (const stage of STAGES) {
      for (const measure of ['busy_seconds_total', 'waiting_seconds_total', 'cpu_seconds_total', 'items_total', 'threads']) {
        assert.ok(value(measure, stage) >= 0, `${measure} of ${stage}`);
      }
    }
    for (const stage of STAGES.slice(0, 8)) {
      assert.ok(value('items_total', stage) >= 600, `${stage} saw every payment`);
      assert.ok(value('busy_seconds_total', stage) > 0, `${stage} took time`);
    }
    for (const stage of ['decode', 'order', 'checkpoint']) {
      assert.ok(value('depth', stage) < value('limit', stage), stage);
    }
    assert.equal(value('limit', 'order'), 200_000);
  });

  test('braid load says what each stage cost a payment', () => {
    assert.equal(report.included, 600);
    assert.deepEqual(report.stages.map(({ stage }) => stage), [...STAGES, 'other']);
    const recover = report.stages.find(({ stage }) => stage === 'recover');
    assert.ok(recover.cpu_us > 1 && recover.busy_us > 1, JSON.stringify(recover));
    assert.ok(report.answer_ms.p99 > 0);
  });

  test('braid top --once shows a table, with --json the same for programs', async () => {
    const table = await braid(['top', '--rpc', node.url, '--once']);
    for (const stage of [...STAGES, 'other']) assert.match(table, new RegExp(`^${stage} `, 'm'));
    const sending = braid(['load', '--rpc', node.url, '--txs', '16000', '--rate', '8000', '--accounts', '20', '--seed', '1', '--json']);
    const looks = [];
    while (!looks.some(({ slowest }) => slowest !== null) && looks.length < 30) {
      looks.push(JSON.parse(await braid(['top', '--rpc', node.url, '--once', '--json'])));
    }
    await sending;
    const busy = looks.at(-1);
    assert.deepEqual(busy.stages.map(({ stage }) => stage), STAGES);
    assert.ok(STAGES.includes(busy.slowest), `a loaded node has a slowest stage: ${JSON.stringify(busy)}`);
    assert.equal(busy.stages.reduce((a, b) => (b.share > a.share ? b : a)).stage, busy.slowest);
  });

  test('braid top says so where there is no node', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    await assert.rejects(braid(['top', '--rpc', nobody, '--once']), /failed to read .*\/metrics/);
  });
});

test('a soak counts every payment, the money and the memory', { skip: OWN_NODE }, async () => {
  const node = await startNode({ args: [...GAS_LIMIT] });
  const args = ['load', '--soak', '--seconds', '20', '--rate', '200', '--accounts', '50', '--rpc', node.url, '--json'];
  const report = JSON.parse(await run(BRAID, args, { timeoutMs: 150_000 }));
  assert.ok(report.sent >= 400 && report.included === report.sent, JSON.stringify(report));
  assert.equal(report.nonces, report.sent);
  assert.equal(report.tokens_before, report.tokens_after);
  assert.ok(BigInt(report.fees) > 0n);
  await node.stop();
});

test('a burst beyond the pool is refused in words, sent again, and nothing is lost', { skip: OWN_NODE }, async () => {
  const node = await startNode({ args: [...GAS_LIMIT, '--block-time', '1', '--pool-max-transactions', '500'] });
  const burst = (payments, memory, seed) => run(
    BRAID,
    ['load', '--burst', payments, '--accounts', '50', '--max-memory', memory, '--seed', seed, '--rpc', node.url, '--json'],
    { timeoutMs: 150_000 },
  );
  const report = JSON.parse(await burst('3000', '4096', '0'));
  assert.equal(report.included, 3000, JSON.stringify(report));
  assert.ok(report.repeated > 0, 'the pool was full at times');
  assert.equal(report.rejected, 0);
  assert.ok(report.peak_memory_mib > 0 && report.peak_memory_mib <= 4096);
  await assert.rejects(burst('100', '1', '1'), /"included":100/, 'a limit on memory that is exceeded fails the run');
  await node.stop();
});
