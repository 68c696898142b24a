// Micro-loans as processes: the service (`braid microloans serve`), simulated providers (`braid mobile-money-sim`), handsets as the network's gateway tells of them,
// and a browser without scripts.

import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { openSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { BRAID, ROOT, freePort, temporaryDirectory, until } from './harness.mjs';

const ROLES = ['gateway', 'officer', 'approver', 'treasurer', 'auditor', 'operator'];
/** The password of every account of the pages. */
export const PASSWORD = 'correct horse battery';
/** A slow machine may take its time. */
export const PATIENCE_MS = 90_000;

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

async function launch(args, log) {
  const child = spawn(BRAID, args, { stdio: ['ignore', log, log] });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return { code: child.exitCode, signal: child.signalCode };
  const exited = once(child, 'exit');
  child.kill(signal);
  const [code, by] = await exited;
  return { code, signal: by };
}

async function answers(child, url, what) {
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${what} has ended with ${child.exitCode}`);
    return (await fetch(url).catch(() => undefined))?.ok;
  }, what, PATIENCE_MS);
}

/** What the simulator takes for credentials: constants of its source. */
function credentials() {
  const text = readFileSync(join(ROOT, 'apps/microloans/simulator/src/credentials.rs'), 'utf8');
  return Object.fromEntries([...text.matchAll(/pub const (\w+): &str = "([^"]*)"/g)].map(([, name, value]) => [name, value]));
}

/** Writes the configuration of a service whose providers are simulated; returns its path. */
function configure({ folder, port, simulator, secret, passwordHash, worker }) {
  const known = credentials();
  const file = (name, text) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return JSON.stringify(path);
  };
  const certificate = readFileSync(join(ROOT, 'apps/microloans/simulator/keys/initiator.cert.pem'), 'utf8');
  const statement = (path) => `{ base_url = "${simulator}", path = "/statements/${path}", token_file = ${file('statement-token', known.STATEMENT_TOKEN)} }`;
  const product = `{ subscription_key_file = ${file('subscription-key', known.SUBSCRIPTION_KEY)}, user = "${known.API_USER}", key_file = ${file('api-key', known.API_KEY)} }`;
  const callers = ROLES.map((role) => `[[callers]]\nname = "${role}-1"\nrole = "${role}"\ntoken_sha256 = "${createHash('sha256').update(token(role)).digest('hex')}"\n`);
  const accounts = ROLES.slice(1).map((role) => `{ name = "${role}-1", role = "${role}", password = "${passwordHash}" }`);
  const products = [['stock', 'KE', 'daraja', 1000, 100000], ['market', 'GH', 'mtn', 100, 5000]].map(([id, country, rail, low, high]) => `
[[products]]
id = "${id}"
country = "${country}"
principal_min = "${low}"
principal_max = "${high}"
instant_max = "${high / 5}"
instalments_min = 2
instalments_max = 6
rail = "${rail}"
apr_percent_max = "90"
[products.terms]
method = "flat"
annual_rate_percent = "18"
day_count = "30/360"
every = "1 month"
advance = "next_instalment"
cooling_off_days = 3
fees = [{ name = "service", percent = "2", when = "disbursement" }]
late = { percent = "5", grace_days = 3, cap_percent = "20" }
`);
  const text = `listen = "127.0.0.1:${port}"
database = "sqlite://${join(folder, 'books.sqlite')}?mode=rwc"
master_key_file = ${file('master-key', randomBytes(32).toString('hex'))}
callback_base = "http://127.0.0.1:${port}"
[worker]
pause_ms = 50
lease_seconds = 8
inquire_after_seconds = 1
housekeeping_seconds = 1
${worker ?? ''}
[ussd]
phone = "0800 123"
secret_file = ${file('ussd-secret', secret)}
[pages]
helpline = "0800 123"
dial = "*384*27#"
accounts = [${accounts.join(', ')}]
[rails.daraja]
kind = "daraja"
base_url = "${simulator}"
consumer_key_file = ${file('consumer-key', known.CONSUMER_KEY)}
consumer_secret_file = ${file('consumer-secret', known.CONSUMER_SECRET)}
collection_code = "${known.SHORT_CODE}"
passkey_file = ${file('passkey', known.PASSKEY)}
payout_code = "${known.SHORT_CODE}"
initiator = "${known.INITIATOR}"
initiator_password_file = ${file('initiator-password', known.INITIATOR_PASSWORD)}
certificate_file = ${file('certificate', certificate)}
statement = ${statement('daraja')}
[rails.mtn]
kind = "mtn-momo"
base_url = "${simulator}"
target_environment = "mtnghana"
currency = "GHS"
largest = "10000"
collection = ${product}
disbursement = ${product}
statement = ${statement('mtn-momo')}
${callers.join('')}${products.join('')}`;
  const path = join(folder, 'service.toml');
  writeFileSync(path, text);
  return path;
}

const token = (role) => `${role}-token-that-is-long-enough-for-a-caller`;

/** The service with its simulated providers. */
export class Loans {
  /** Starts both; `phones` telephones, whose holders answer when `habit` says so. */
  static async start({ phones = 4, habit = 'ask', logLevel = 'debug' } = {}) {
    const loans = new Loans();
    loans.folder = temporaryDirectory();
    loans.logPath = join(loans.folder, 'service.log');
    loans.logLevel = logLevel;
    const log = openSync(join(loans.folder, 'simulator.log'), 'a');
    const simulatorPort = await freePort();
    loans.simulatorUrl = `http://127.0.0.1:${simulatorPort}`;
    loans.simulator = await launch(['mobile-money-sim', '--listen', `127.0.0.1:${simulatorPort}`, '--phones', String(phones), '--habit', habit], log);
    await answers(loans.simulator, `${loans.simulatorUrl}/simulator/state`, 'the simulator');
    const port = await freePort();
    const secret = randomBytes(20).toString('hex');
    loans.url = `http://127.0.0.1:${port}`;
    loans.ussd = `${loans.url}/${secret}/ussd`;
    const passwordHash = await hashPassword(PASSWORD);
    loans.config = configure({ folder: loans.folder, port, simulator: loans.simulatorUrl, secret, passwordHash });
    await loans.open();
    return loans;
  }

  /** Starts the service, or starts it again. */
  async open() {
    this.child = await launch(['microloans', 'serve', '--config', this.config, '--log-level', this.logLevel], openSync(this.logPath, 'a'));
    await answers(this.child, `${this.url}/health`, 'the service');
  }

  async killAndGoOn() {
    const ended = await end(this.child, 'SIGKILL');
    if (ended.signal !== 'SIGKILL') throw new Error(`the service had ended: ${JSON.stringify(ended)}`);
    await this.open();
  }

  kill() {
    return end(this.child, 'SIGKILL');
  }

  stop() {
    return end(this.child, 'SIGTERM');
  }

  async close() {
    await end(this.child, 'SIGTERM');
    await end(this.simulator, 'SIGTERM');
  }

  log() {
    return readFileSync(this.logPath, 'utf8');
  }

  /** The files in which the books are. */
  databaseFiles() {
    return readdirSync(this.folder).filter((name) => name.startsWith('books.sqlite')).map((name) => [name, readFileSync(join(this.folder, name))]);
  }

  async get(role, path) {
    const response = await fetch(this.url + path, { headers: { authorization: `Bearer ${token(role)}` } });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }

  async post(role, path, body, key = randomBytes(12).toString('hex')) {
    const headers = { authorization: `Bearer ${token(role)}`, 'idempotency-key': key, 'content-type': 'application/json' };
    const response = await fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** One proposes, another approves. */
  async approved(role, action) {
    const { id } = await this.post(role, '/v1/approvals', action);
    return this.post('approver', `/v1/approvals/${id}/decide`, { decision: 'approved' });
  }

  /** Lenders' money comes in: what the simulated providers hold. */
  async fund() {
    for (const [rail, currency] of [['daraja', 'KES'], ['mtn', 'GHS']]) {
      await this.approved('treasurer', { action: 'deposit', rail, currency, amount: '10000000', evidence: `bank ${rail}` });
    }
  }

  /** A telephone as its provider knows it. */
  async phone(number) {
    return (await fetch(`${this.simulatorUrl}/simulator/phones/${number}`)).json();
  }

  /** Answers what a telephone is asked, with the wallet's PIN. */
  async approvePrompt(number) {
    const phone = await until(async () => {
      const phone = await this.phone(number);
      return phone.prompt && phone;
    }, `a question on ${number}`, PATIENCE_MS);
    const body = JSON.stringify({ pin: phone.pin });
    const response = await fetch(`${this.simulatorUrl}/simulator/phones/${number}/answer`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  }

  /** The loan of a product, once it is in a state. */
  loan(product, state) {
    return until(async () => (await this.get('auditor', `/v1/loans?state=${state}`)).find((loan) => loan.product === product), `a loan of ${product} that is ${state}`, PATIENCE_MS);
  }

  legs(id, kind) {
    return this.get('auditor', `/v1/loans/${id}/legs`).then((legs) => legs.filter((leg) => leg.kind === kind));
  }

  handset(number) {
    return new Handset(this, number);
  }

  browser() {
    return new Browser(this.url);
  }
}

/** The hash of a password, by the command. */
export async function hashPassword(password) {
  const child = spawn(BRAID, ['microloans', 'hash-password'], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(`${password}\n`);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`hash-password has ended with ${code}`);
  return text.trim();
}

/** A telephone with buttons, as the network's gateway tells of it. */
export class Handset {
  constructor(loans, number) {
    Object.assign(this, { loans, number, answers: [] });
  }

  /** Dials; the first screen. */
  dial() {
    this.session = `ATUid_${randomBytes(12).toString('hex')}`;
    this.answers = [];
    return this.ask();
  }

  /** Sends what was typed so far, as the gateway does each time. */
  async ask() {
    const body = new URLSearchParams({ sessionId: this.session, serviceCode: '*384*27#', phoneNumber: `+${this.number}`, networkCode: '63902', text: this.answers.join('*') });
    const response = await fetch(this.loans.ussd, { method: 'POST', body });
    const text = await response.text();
    if (response.status !== 200 || !/^(CON|END) /.test(text)) throw new Error(`${response.status}: ${text}`);
    return text;
  }

  /** Types answers; the last screen. */
  async say(...typed) {
    let screen;
    for (const answer of typed) {
      this.answers.push(answer);
      screen = await this.ask();
    }
    return screen;
  }

  /** The line is closed; the gateway says so. */
  async hangUp() {
    const body = new URLSearchParams({ sessionId: this.session });
    return (await fetch(`${this.loans.ussd}/end`, { method: 'POST', body })).status;
  }
}

/** A browser without scripts, which keeps cookies and goes where it is sent. Every address it meets is kept. */
export class Browser {
  constructor(base) {
    Object.assign(this, { base, cookies: new Map(), addresses: new Set() });
  }

  async request(path, init = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...init.headers, cookie, origin: this.base, 'sec-fetch-site': 'same-origin' };
    const response = await fetch(this.base + path, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [pair] = line.split(';');
      const at = pair.indexOf('=');
      this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const text = await response.text();
    const location = response.headers.get('location');
    this.addresses.add(path);
    if (location) this.addresses.add(location);
    for (const [, address] of text.matchAll(/(?:href|action|src)="([^"]*)"/g)) this.addresses.add(address.replaceAll('&amp;', '&'));
    return { status: response.status, text, location, headers: response.headers };
  }

  get(path) {
    return this.request(path);
  }

  /** Fills in the form of a page that goes to `action`, and sends it. */
  submit(page, action, fields) {
    const form = page.text.split('<form').find((part) => part.includes(`action="${action}"`));
    if (!form) throw new Error(`no form goes to ${action}`);
    const body = new URLSearchParams();
    for (const [input] of form.split('</form>')[0].matchAll(/<input[^>]*type="hidden"[^>]*>/g)) {
      body.set(/name="([^"]*)"/.exec(input)[1], (/value="([^"]*)"/.exec(input) ?? ['', ''])[1]);
    }
    for (const [name, value] of Object.entries(fields)) body.set(name, value);
    return this.request(action, { method: 'POST', body });
  }

  async signIn(number, pin) {
    const answer = await this.submit(await this.get('/sign-in'), '/sign-in', { phone: `+${number}`, pin });
    if (answer.location !== '/me') throw new Error(`not signed in: ${answer.status} ${answer.text}`);
  }

  async signInAsStaff(account, password = PASSWORD) {
    const answer = await this.submit(await this.get('/staff'), '/staff', { account, password });
    if (answer.status !== 303) throw new Error(`not signed in: ${answer.status} ${answer.text}`);
  }
}

