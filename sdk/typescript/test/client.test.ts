/** What needs no gateway: what is refused before anything is sent, and a gateway that is not there. All else is in live.ts. */
import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { ApiError, Gateway, Unreachable } from '../src/index.js';
import { toTransaction } from '../src/viem.js';

const KEY = '0123456789abcdef'.repeat(3);

test('addresses', () => {
  for (const url of ['', 'gateway', 'ftp://gateway', 'ws://gateway', 'http://', 'http://name:password@gateway'])
    assert.throws(
      () => new Gateway(url, KEY),
      (error) => error instanceof TypeError && !error.message.includes('password@'),
    );
});

test('keys', () => {
  for (const key of ['', 'two words', 'line\r\nX-More: 1', 'clé']) assert.throws(() => new Gateway('http://127.0.0.1', key), TypeError);
  assert.ok(!inspect(new Gateway('http://127.0.0.1:1', KEY), { depth: 9, showHidden: true }).includes(KEY));
});

test('nobody there', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const gateway = new Gateway(`http://127.0.0.1:${port}`, KEY, { patienceMs: 500 });
  const begin = performance.now();
  await assert.rejects(gateway.chains(), (error) => error instanceof Unreachable && !error.message.includes(KEY));
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
