// Loans by any telephone, from the first dial to a complaint, through the programs that people start: the service, its books on disk, the simulated providers. The service
// is killed in the middle, more than once. What is known of people stands nowhere but in the sealed vault.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BRAID_ONLY, until } from './harness.mjs';
import { Loans, PATIENCE_MS } from './microloans.mjs';

const AMINA = '254700000002';
const KWAME = '233240000001';
const PIN = '4715';
const ID_NUMBER = 'IDCANARY4711';
const SHILLINGS_10_000 = 1_000_000;

/** Language, consent, number of an ID, PIN twice: the screen is the menu. */
const register = (handset) => handset.say('1', '1', ID_NUMBER, PIN, PIN);

async function balance(loans, number) {
  return (await loans.phone(number)).balance_minor;
}

function paid(loans, id) {
  return until(async () => (await loans.legs(id, 'collection')).find((leg) => leg.state === 'succeeded'), 'a payment that is booked', PATIENCE_MS);
}

/** Amina asks for ten thousand shillings; the service is killed before she accepts, and again when she has. */
async function borrowThroughTwoKills(loans) {
  const handset = loans.handset(AMINA);
  assert.match(await handset.dial(), /^CON Braid\n1 English/);
  assert.match(await register(handset), /1 Borrow/);
  const offer = await handset.say('1', '10000', '1');
  assert.match(offer, /Key facts 1\/3\nYou get KES 9,800\nYou pay back KES 10,300\nThe loan costs KES 500/);
  assert.match(await handset.say('1'), /2 payments, the largest KES 5,150/);
  await loans.killAndGoOn();
  assert.match(await handset.say('1'), /Enter your PIN/, 'a service that does not know the session knows nobody');
  assert.match(await handset.say(PIN), /1 Borrow/);
  assert.match(await handset.say('1', '10000', '1'), /Key facts 1\/3/, 'another offer takes the place of the first');
  assert.match(await handset.say('1', '1'), /A late payment costs KES 257.50 more/);
  assert.equal(await handset.hangUp(), 200);

  // The line breaks: the next session goes on there.
  assert.match(await handset.dial(), /Enter your PIN/);
  assert.match(await handset.say(PIN, '1'), /Key facts 3\/3/);
  const before = await balance(loans, AMINA);
  const accepted = await handset.say('1', PIN);
  assert.match(accepted, /^END Loan .*KES 9,800 will come to this phone/s);
  assert.equal(await handset.ask(), accepted, 'the same request again is answered as before');
  await loans.killAndGoOn();
  assert.match(await handset.ask(), /Enter your PIN/, 'and after a kill does nothing');
  const { id } = await loans.loan('stock', 'active');
  assert.equal(await balance(loans, AMINA) - before, SHILLINGS_10_000 * 0.98, 'two percent are kept back');
  assert.equal((await loans.legs(id, 'payout')).filter((leg) => leg.state === 'succeeded').length, 1);
  return id;
}

async function repay(loans, id) {
  const handset = loans.handset(AMINA);
  await handset.dial();
  assert.match(await handset.say(PIN, '2'), /You owe KES 10,300\nNext: KES 5,150 on /);
  await handset.dial();
  assert.match(await handset.say(PIN, '3', '3', '1000'), /will ask you to pay KES 1,000/);
  await loans.approvePrompt(AMINA);
  assert.equal((await paid(loans, id)).amount, '1000.00');
}

async function statementAndComplaint(loans, id) {
  const handset = loans.handset(AMINA);
  await handset.dial();
  assert.match(await handset.say(PIN, '4'), /KES 1,000\nYou owe KES 9,300/);
  const screen = await handset.say('0', '5', '2');
  const ticket = /^END We have your complaint: (\w{8})/.exec(screen)?.[1];
  assert.ok(ticket, screen);
  const [complaint] = await loans.get('officer', '/v1/complaints');
  assert.deepEqual([complaint.code, complaint.matter, complaint.loan], [ticket, 'not_counted', id]);
}

/** The provider's callback finds nobody: the service is dead when Kwame pays. It asks when it lives again. */
async function payWhileTheServiceIsDead(loans) {
  const handset = loans.handset(KWAME);
  await handset.dial();
  await register(handset);
  await handset.say('1', '500', '1', '1', '1', '1', PIN);
  const { id } = await loans.loan('market', 'active');
  await handset.dial();
  assert.match(await handset.say(PIN, '3', '3', '50'), /will ask you to pay GHS 50/);
  await until(async () => (await loans.phone(KWAME)).prompt, 'a question to Kwame', PATIENCE_MS);
  await loans.kill();
  const before = await balance(loans, KWAME);
  await loans.approvePrompt(KWAME);
  await until(async () => (await balance(loans, KWAME)) === before - 5_000, 'the payment', PATIENCE_MS);
  await loans.open();
  await paid(loans, id);
  assert.equal(await balance(loans, KWAME), before - 5_000, 'once');
}

/** Pages of everybody; returns all addresses that stood on them. */
async function pagesAnswer(loans, id) {
  const addresses = new Set();
  const visit = async (browser, paths) => {
    for (const path of paths) {
      const page = await browser.get(path);
      assert.equal(page.status, 200, `${path}: ${page.text}`);
      assert.ok(page.text.length < 100_000, `${path} has ${page.text.length} bytes`);
      assert.match(page.headers.get('content-security-policy'), /default-src 'none'/);
    }
    for (const address of browser.addresses) addresses.add(address);
  };
  await visit(loans.browser(), ['/', '/learn', '/figures', '/lend', '/sign-in', '/staff']);
  const amina = loans.browser();
  await amina.signIn(AMINA, PIN);
  await visit(amina, ['/me', '/me/pay', '/me/receipts', `/me/statement/${id}`]);
  const receipt = [...amina.addresses].find((address) => address.startsWith('/me/receipts/'));
  assert.match((await amina.get(receipt)).text, /KES\u{a0}1,000/u);
  const officer = loans.browser();
  await officer.signInAsStaff('officer-1');
  await visit(officer, ['/officer', '/officer/collections', '/officer/approvals', '/officer/money', `/officer/loans/${id}`]);
  const auditor = loans.browser();
  await auditor.signInAsStaff('auditor-1');
  await visit(auditor, ['/audit', '/audit/days', '/audit/journal', '/audit/journal/1', '/audit/log']);
  const stranger = await loans.browser().get('/me');
  assert.equal(stranger.location, '/sign-in');
  return addresses;
}

async function booksHold(loans) {
  const inspection = await loans.get('auditor', '/v1/inspection');
  assert.deepEqual([inspection.failures, inspection.journal.failures], [[], []], JSON.stringify(inspection));
  const accounts = await loans.get('auditor', '/v1/accounts');
  const state = await (await fetch(`${loans.simulatorUrl}/simulator/state`)).json();
  const float = (name) => accounts.filter((line) => line.account === name).reduce((sum, line) => sum + line.debits - line.credits, 0);
  // M-PESA's charges are booked from the statement, at night.
  assert.equal(float('rail/daraja/float'), state.daraja.float_minor + state.daraja.charges_minor);
  assert.equal(float('rail/mtn/float'), state['mtn-momo'].float_minor);
}

test('a loan by telephone, through SIGKILL, and nobody is named anywhere', { skip: BRAID_ONLY, timeout: 300_000 }, async () => {
  const loans = await Loans.start();
  try {
    await loans.fund();
    const id = await borrowThroughTwoKills(loans);
    await repay(loans, id);
    await statementAndComplaint(loans, id);
    await payWhileTheServiceIsDead(loans);
    const addresses = await pagesAnswer(loans, id);
    await booksHold(loans);

    const people = await Promise.all([AMINA, KWAME].map((number) => loans.phone(number)));
    const canaries = [AMINA, KWAME, AMINA.slice(3), KWAME.slice(3), ID_NUMBER, ...people.map((phone) => phone.name)];
    const log = loans.log();
    assert.ok(log.length > 1_000, 'there is a log');
    for (const canary of canaries) {
      for (const address of addresses) assert.ok(!address.includes(canary), `${canary} in ${address}`);
      assert.ok(!log.includes(canary), `${canary} in the log`);
      for (const [name, bytes] of loans.databaseFiles()) assert.ok(!bytes.includes(canary), `${canary} in ${name}`);
    }
    assert.deepEqual(await loans.stop(), { code: 0, signal: null });
  } catch (error) {
    console.error(loans.log().slice(-4_000));
    throw error;
  } finally {
    await loans.close();
  }
});
