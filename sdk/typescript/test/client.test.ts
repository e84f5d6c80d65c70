/** What needs no gateway: what is refused before anything is sent, and a gateway that is not there. All else is in live.ts. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type OutgoingHttpHeaders } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

import { ApiError, BadReply, CaissonError, ConfigurationError, Gateway, Unreachable } from '../src/index.js';
import { toTransaction } from '../src/viem.js';

const KEY = '0123456789abcdef'.repeat(3);

test('addresses', () => {
  for (const url of ['', 'gateway', 'ftp://gateway', 'ws://gateway', 'http://', 'http://name:password@gateway', 'http://gateway/?a=b', 'http://gateway/#a', undefined])
    assert.throws(
      () => new Gateway(url as string, KEY),
      (error) => error instanceof ConfigurationError && /^the address /.test(error.message) && !error.message.includes('password@'),
    );
});

test('keys', () => {
  for (const key of ['', 'two words', 'line\r\nX-More: 1', 'clé', undefined])
    assert.throws(
      () => new Gateway('http://127.0.0.1', key as string),
      (error) => error instanceof ConfigurationError && /^the API key /.test(error.message),
    );
  assert.ok(!inspect(new Gateway('http://127.0.0.1:1', KEY), { depth: 9, showHidden: true }).includes(KEY));
});

test('environment', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'caisson-sdk-'));
  const [before, file] = [process.env, join(folder, 'key')];
  t.after(() => {
    process.env = before;
    rmSync(folder, { recursive: true });
  });
  const refused = (told: string) =>
    assert.throws(
      () => Gateway.fromEnvironment(),
      (error) => error instanceof ConfigurationError && error.message.includes(told) && !error.message.includes(KEY),
    );
  process.env = {};
  refused('CAISSON_URL is not set');
  process.env['CAISSON_URL'] = 'http://127.0.0.1:1';
  refused('CAISSON_API_KEY_FILE is not set');
  process.env['CAISSON_API_KEY_FILE'] = '';
  refused('CAISSON_API_KEY_FILE is not set');
  process.env['CAISSON_API_KEY_FILE'] = file;
  refused(`${file}: ENOENT: no such file or directory`);
  for (const text of ['', '\n', 'clé', `${KEY}\n${KEY}\n`]) {
    writeFileSync(file, text);
    refused(`holds no API key: ${file}`);
  }
  process.env['CAISSON_API_KEY_FILE'] = folder;
  refused(`${folder}: EISDIR`);
  process.env['CAISSON_API_KEY_FILE'] = file;
  writeFileSync(file, `${KEY}\r\n`);
  assert.ok(Gateway.fromEnvironment() instanceof Gateway);
  process.env['CAISSON_URL'] = 'gateway';
  refused('does not begin with http');
  // A page in a browser has no such thing.
  const { process: node } = globalThis;
  Object.defineProperty(globalThis, 'process', { value: undefined, configurable: true });
  try {
    refused('give its address and the API key to the constructor');
  } finally {
    Object.defineProperty(globalThis, 'process', { value: node, configurable: true });
  }
});

test('examples', async () => {
  // Arguments and an environment that are wrong: one line, and no stack.
  const rows: [string, string[], number, RegExp][] = [
    ['transfer', ['eip155:1:0x', 'abc'], 2, /^usage: /],
    ['transfer', ['eip155:1:0x', '-1'], 2, /^usage: /],
    ['transfer', ['eip155:1:0x', '1'], 1, /^transfer.js: CAISSON_URL is not set$/],
    ['wallet', ['http://127.0.0.1:1'], 2, /^usage: /],
  ];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CAISSON_')));
  for (const [name, args, code, told] of rows) {
    const file = fileURLToPath(new URL(`../examples/${name}.js`, import.meta.url));
    const run = await new Promise<{ code: unknown; told: string }>((resolve) =>
      execFile(process.execPath, [file, ...args], { env }, (error, _, text) => resolve({ code: error?.code, told: text })),
    );
    assert.equal(run.code, code, run.told);
    assert.match(run.told.trimEnd(), told);
  }
});

/** Where every request gets the same answer; how many came. */
async function serverOf(t: TestContext, status: number, headers: OutgoingHttpHeaders, body: string): Promise<{ url: string; asked: () => number }> {
  let asked = 0;
  const server = createHttpServer((_request, response) => {
    asked++;
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked };
}

const HTML = { 'Content-Type': 'text/html' };
const PROBLEM = { 'Content-Type': 'application/problem+json' };

test('replies and what they mean', async (t) => {
  // Whose address it was is in each that no gateway gave.
  const rows: [number, OutgoingHttpHeaders, string, new (...args: never[]) => CaissonError, RegExp, boolean][] = [
    [200, HTML, '<html>', BadReply, /^http:\S+ HTTP 200 without an answer that a gateway gives: is this the address of one\?$/, false],
    [200, { 'Content-Type': 'application/json' }, '[]', BadReply, /HTTP 200 without/, false],
    [404, HTML, '<html>', BadReply, /^http:\S+ HTTP 404 without/, false],
    [401, HTML, '<html>', BadReply, /^http:\S+ HTTP 401 without/, false],
    [308, { Location: 'https://elsewhere.example/' }, '', BadReply, /^http:\S+ HTTP 308, a redirect: it is not followed/, false],
    [502, HTML, '<html>', Unreachable, /^http:\S+ HTTP 502 of something in front of the gateway$/, true],
    [401, PROBLEM, '{"code": "unauthorized", "title": "no API key", "retry": false}', ApiError, /^unauthorized \(401\): no API key$/, false],
    [403, PROBLEM, '{"code": "forbidden", "title": "t", "detail": "the API key lacks the scope send", "retry": false}', ApiError, /lacks the scope send$/, false],
    [503, PROBLEM, '{"code": "full", "title": "t", "retry": true}', ApiError, /^full /, true],
  ];
  for (const [status, headers, body, kind, told, again] of rows) {
    const server = await serverOf(t, status, headers, body);
    const gateway = new Gateway(server.url, KEY, { patienceMs: 600 });
    await assert.rejects(gateway.chains(), (error) => {
      assert.ok(error instanceof kind, String(error));
      assert.match(error.message, told);
      return !error.message.includes(KEY);
    });
    assert.equal(server.asked() > 1, again, body);
  }
});

test('no stream of events', async (t) => {
  // From a cursor on it is asked for nothing else: what is no stream is told at once, and not asked again for ever.
  const stream = { 'Content-Type': 'text/event-stream' };
  for (const [headers, body, told] of [
    [HTML, '<html>\n\nid: 1\n\n', /HTTP 200 without an answer/],
    [stream, 'retry: 1000\n\nid: 6\ndata: nonsense\n\n', /an event that no gateway sends/],
    [stream, 'id: 6\ndata: {"kind": "message"}\n\n', /an event that no gateway sends/],
  ] as const) {
    const server = await serverOf(t, 200, headers, body);
    await assert.rejects(new Gateway(server.url, KEY).events({ cursor: 5 }).next(), (error) => error instanceof BadReply && told.test(error.message));
    assert.equal(server.asked(), 1);
  }
});

test('nobody there', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const gateway = new Gateway(`http://127.0.0.1:${port}`, KEY, { patienceMs: 500 });
  const begin = performance.now();
  await assert.rejects(gateway.chains(), (error) => error instanceof Unreachable && error.message === `http://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`);
  assert.ok(performance.now() - begin > 150); // it was tried again
  await assert.rejects(gateway.ready(), Unreachable);
});

test('asked to wait', async () => {
  // No sooner than Retry-After says, and not at all where that is beyond the caller's patience.
  const asked: number[] = [];
  let after = '1';
  const server = createHttpServer((_request, response) => {
    asked.push(performance.now());
    if (asked.length > 1) response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"chains": []}');
    else
      response
        .writeHead(429, { 'Content-Type': 'application/problem+json', 'Retry-After': after })
        .end('{"code": "rate-limited", "title": "too many requests", "retry": true}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const gateway = new Gateway(`http://127.0.0.1:${port}`, KEY);
  assert.deepEqual(await gateway.chains(), []);
  assert.ok((asked[1] as number) - (asked[0] as number) >= 990);
  asked.length = 0;
  after = '3600';
  await assert.rejects(gateway.chains(), (error) => error instanceof ApiError && error.code === 'rate-limited' && error.retryAfterS === 3600);
  assert.equal(asked.length, 1);
  server.closeAllConnections();
  server.close();
});

test("viem's transactions", () => {
  const close = { chain: 'eip155:31337', to: '0x01', data: '0x02', value: '18446744073709551616' } as const;
  const transaction = { ...close, what: 'transfer', gas: 260000 } as const;
  assert.deepEqual(toTransaction(close, 31337), { to: '0x01', data: '0x02', value: 2n ** 64n });
  assert.deepEqual(toTransaction(transaction, 31337), { to: '0x01', data: '0x02', value: 2n ** 64n, gas: 260000n });
  assert.throws(() => toTransaction(transaction, 1), TypeError);
  assert.throws(() => toTransaction({ ...transaction, chain: 'cosmos:ledger-1' }, 31337), TypeError);
});
