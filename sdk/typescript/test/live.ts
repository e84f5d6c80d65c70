/**
 * Against two running gateways: CAISSON_SDK_WORLD names a file that describes them (tests/e2e/test_sdk.py of the repository
 * makes it).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { createPublicClient, createWalletClient, http, publicActions } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import { ApiError, Gateway, TimedOut, VerificationError, verifyEnvelope, verifyWebhook, WebhookError, type CreateOptions, type Event, type Hex, type Message, type Transaction, type Verified, type VerifyOptions } from '../src/index.js';
import { contractKey, toTransaction } from '../src/viem.js';
import { writeJson } from '../src/json.js';

interface SideOfWorld {
  url: string;
  key_file: string;
  peer_key: string;
  chain: string;
  supervisor: number;
  rpc: string;
  public_key: Hex;
  gateway: Hex;
  bridge: Hex;
  app: Hex;
  friend: Hex;
  secret: Hex;
}

const { sides, losing } = JSON.parse(readFileSync(process.env['CAISSON_SDK_WORLD'] ?? '', 'utf8')) as { sides: [SideOfWorld, SideOfWorld]; losing: string };
const [source, destination] = sides;
const END = { timeoutMs: 90_000 };
const UNIT = 10n ** 18n;

const gatewayOf = (side: SideOfWorld, options = {}) => new Gateway(side.url, readFileSync(side.key_file, 'utf8').trim(), options);
const abroad = (name: 'app' | 'bridge' | 'friend') => `${destination.chain}:${destination[name]}`;
const chainOf = (side: SideOfWorld) => createPublicClient({ transport: http(side.rpc) });

/** Its supervisor starts it again. */
function killGateway(): void {
  const children = readFileSync(`/proc/${source.supervisor}/task/${source.supervisor}/children`, 'utf8').trim().split(' ').map(Number);
  const pid = children.find((child) => readFileSync(`/proc/${child}/comm`, 'utf8').startsWith('caisson-gatewa'));
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
}

const gateway = gatewayOf(source);
let finalized: Message & { id: Hex };
let told: number[];

before(async () => {
  // One sponsored transfer, watched to its end.
  const request = await gateway.transfer({ to: abroad('friend'), amount: 2n * UNIT, mode: 'sponsored' });
  told = [];
  for await (const { message, steps } of gateway.watch(request.request_id, END)) {
    told.push(...steps.map((step) => step.n));
    finalized = message as typeof finalized;
  }
});

const folder = mkdtempSync(join(tmpdir(), 'caisson-sdk-'));
after(() => rmSync(folder, { recursive: true }));

async function refused(status: number, code: string, detail: string, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    if (!(error instanceof ApiError)) return false;
    assert.deepEqual([error.status, error.code], [status, code], error.message);
    assert.ok((error.detail ?? '').includes(detail), error.message);
    return true;
  });
}

/** By the keys that the contracts have. */
async function verified(id: Hex, options: VerifyOptions = {}, of = gateway): Promise<Verified> {
  const envelope = await of.envelope(id);
  const { statement, outcome_statement: back } = envelope;
  const key = await contractKey(chainOf(destination), destination.gateway, statement.signer, statement.epoch);
  const outcomeKey = back && (await contractKey(chainOf(source), source.gateway, back.signer, back.epoch));
  return verifyEnvelope(writeJson(envelope), { key: key.publicKey, outcomeKey: outcomeKey?.publicKey, ...options });
}

// ---- watching ----

test('the transfer arrived', async () => {
  assert.deepEqual([finalized.state, finalized.outcome], ['finalized', 'delivered']);
  assert.deepEqual(
    told.toSorted((a, b) => a - b),
    Array.from({ length: 18 }, (_, i) => i + 1),
  ); // each step once
  assert.equal((await gateway.wait(finalized.id)).state, 'finalized');
});

test('watching outlives the gateway', async () => {
  const request = await gateway.sendMessage({ to: abroad('app'), payload: '0x00', mode: 'sponsored' });
  let last: Message | undefined;
  for await (const { message } of gateway.watch(request.request_id, END)) {
    if (last === undefined) killGateway();
    last = message;
  }
  assert.equal(last?.state, 'finalized');
});

test('events outlive the gateway', async () => {
  const begin = Number((await gateway.status())['event_cursor']);
  const { request_id: id } = await gateway.sendMessage({ to: abroad('app'), payload: '0x01', mode: 'sponsored' });
  const events: Event[] = [];
  for await (const event of gateway.events({ cursor: begin })) {
    if (events.push(event) === 2) killGateway();
    if (event.state === 'finalized' && event.id === (await gateway.message(id)).id) break;
  }
  assert.deepEqual(
    events.map(({ cursor }) => cursor),
    events.map((_, i) => begin + 1 + i),
  ); // each once, in order
  await refused(409, 'conflict', 'cursor', gateway.events({ cursor: 1e12 }).next());
});

test('it may last too long', async () => {
  const { request_id: id } = await gateway.sendMessage({ to: abroad('app'), payload: new TextEncoder().encode('too long'), mode: 'sponsored' });
  await assert.rejects(gateway.wait(id, { timeoutMs: 0 }), TimedOut);
  assert.equal((await gateway.wait(id, END)).state, 'finalized');
});

test('webhooks', async (t) => {
  const taken: { body: Buffer; headers: IncomingHttpHeaders }[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      taken.push({ body: Buffer.concat(pieces), headers: request.headers });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const heard = async (count: number) => {
    for (const end = performance.now() + END.timeoutMs; taken.length < count && performance.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 100));
    return taken[count - 1] as (typeof taken)[number];
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const made = await gateway.createWebhook({ url, types: ['message.finalized'], message: finalized.id, cursor: 0 });
  const first = await heard(1);
  const event = await verifyWebhook(first.body, first.headers, made.secret);
  assert.equal(event.type, 'message.finalized');
  assert.equal((event.data as { id?: Hex }).id, finalized.id);
  const fresh = await gateway.rotateWebhookSecret(made.id);
  await gateway.redeliver(made.id, event.data.cursor);
  const again = await heard(2);
  for (const { secret } of [made, fresh]) assert.deepEqual(await verifyWebhook(again.body, again.headers, secret), event);
  await assert.rejects(verifyWebhook(first.body, first.headers, fresh.secret), WebhookError);
  assert.deepEqual((await gateway.webhooks()).map(({ id, secret }) => [id, secret]), [[made.id, undefined]]);
  assert.equal((await gateway.enableWebhook(made.id)).state, 'active');
  await gateway.deleteWebhook(made.id);
  await refused(404, 'not-found', '', gateway.deleteWebhook(made.id));
  await refused(400, 'invalid', 'types', gateway.createWebhook({ url: 'https://a.example/', types: ['surprise'] }));
});

test('a quote', async () => {
  const quote = await gateway.quote({ to: abroad('app'), payload_size: 5 });
  assert.deepEqual([quote.kind, quote.to_chain, (quote.finalized?.samples ?? 0) > 0], ['message', destination.chain, true]);
  assert.equal((await gateway.quote({ to: abroad('friend'), kind: 'transfer' })).kind, 'transfer');
});

// ---- creating ----

test('what the application signed, by viem', async () => {
  const account = privateKeyToAccount(source.secret);
  const call = { to: abroad('app'), payload: '0x02' } as const;
  const [transaction] = (await gateway.sendMessage({ ...call, mode: 'prepare', from: account.address.toLowerCase() as Hex })).transactions;
  const wallet = createWalletClient({ account, transport: http(source.rpc) }).extend(publicActions);
  const prepared = await wallet.prepareTransactionRequest({ ...toTransaction(transaction as Transaction, await wallet.getChainId()), chain: null });
  const signed = await wallet.signTransaction({ ...prepared, chain: null });
  const { request_id: id } = await gateway.sendMessage({ ...call, mode: 'submit', transaction: signed });
  assert.equal((await gateway.wait(id, END)).state, 'finalized');
  await refused(409, 'conflict', 'transaction', gateway.sendMessage({ ...call, mode: 'submit', transaction: signed }));
});

test('what the application signs, by viem', async () => {
  const account = privateKeyToAccount(source.secret);
  const from = account.address.toLowerCase() as Hex;
  const request = await gateway.transfer({ to: abroad('friend'), amount: 3n, mode: 'prepare', from, attributes: { min_gas_limit: 150_000n } });
  assert.deepEqual(request.transactions.map(({ what, from: by }) => [what, by]), [
    ['approve', from],
    ['transfer', from],
  ]);
  assert.equal((await gateway.message(request.request_id)).state, 'requested');
  const wallet = createWalletClient({ account, transport: http(source.rpc) }).extend(publicActions);
  const chainId = await wallet.getChainId();
  assert.throws(() => toTransaction(request.transactions[0] as Transaction, chainId + 1), TypeError);
  for (const transaction of request.transactions) {
    const hash = await wallet.sendTransaction({ ...toTransaction(transaction, chainId), chain: null });
    assert.equal((await wallet.waitForTransactionReceipt({ hash, pollingInterval: 200 })).status, 'success');
  }
  const message = await gateway.wait(request.request_id, END);
  assert.deepEqual([message.state, message.min_gas_limit, message.refund_to], ['finalized', 150_000, from]);
});

test('an idempotency key is answered once', async () => {
  const body = { to: abroad('app'), payload: '0x01', mode: 'prepare' } as const;
  const options = { idempotencyKey: `of the test ${Date.now()}` };
  const first = await gateway.sendMessage(body, options);
  assert.deepEqual(await gateway.sendMessage(body, options), first);
  const hasty = gatewayOf(source, { patienceMs: 0 });
  await refused(409, 'conflict', 'Idempotency-Key', hasty.sendMessage({ ...body, payload: '0x02' }, options));
  await refused(400, 'invalid', 'Idempotency-Key', gateway.sendMessage(body, { idempotencyKey: 'x'.repeat(129) }));
  assert.notEqual((await gateway.sendMessage(body)).request_id, first.request_id);
});

test('a lost answer makes no second message', async () => {
  // Under keys of the SDK's own, one for each call. What the gateway got of it, whoever started this test looks at.
  const lossy = gatewayOf({ ...source, url: losing });
  const sent: string[] = [];
  for (let i = 0; i < 2; i++) sent.push((await lossy.sendMessage({ to: abroad('app'), payload: new TextEncoder().encode('lost and sent again by TypeScript'), mode: 'sponsored' })).request_id);
  assert.notEqual(sent[0], sent[1]);
  for (const id of sent) assert.equal((await gateway.wait(id, END)).state, 'finalized');
});

test('who carries it', async () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const body = { to: abroad('app'), payload: '0x74', mode: 'sponsored' } as const;
  const rows: [CreateOptions, (string | undefined)[]][] = [
    [{ traceparent, tracestate: 'vendor=1, other@vendor=2' }, [traceparent, 'vendor=1,other@vendor=2']],
    [{ traceparent, tracestate: 'vendor=1,vendor=2' }, [traceparent, undefined]],
    [{ traceparent: `${traceparent}-`, tracestate: 'vendor=1' }, [undefined, undefined]],
  ];
  for (const [options, taken] of rows) {
    const message = await gateway.wait((await gateway.sendMessage(body, options)).request_id, END);
    for (const told of [message, await gatewayOf(destination).message(message.id as Hex)]) {
      assert.deepEqual([told.traceparent, told.tracestate], taken);
    }
  }
  const moved = await gateway.transfer({ to: abroad('friend'), amount: 1n, mode: 'prepare' }, { traceparent, tracestate: 'vendor=1' });
  assert.equal((await gateway.message(moved.request_id)).tracestate, 'vendor=1');
  for (const wrong of ['a=1\r\nX: 1', 'a=\u00e9', 'a=\0']) {
    await assert.rejects(gateway.sendMessage(body, { traceparent, tracestate: wrong }), TypeError);
    await assert.rejects(gateway.sendMessage(body, { traceparent: wrong }), TypeError);
  }
});

test('what dies is refunded and proven dead', async () => {
  // The bridge itself cannot receive tokens.
  const { timestamp } = await chainOf(destination).getBlock();
  const now = Math.max(Number(timestamp), Math.floor(Date.now() / 1000));
  const request = await gateway.transfer({ to: abroad('bridge'), amount: 5n, mode: 'sponsored', attributes: { deadline: now + 8 } });
  const message = await gateway.wait(request.request_id, END);
  assert.deepEqual([message.state, message.outcome], ['refunded', 'dead']);
  assert.equal((await verified(message.id as Hex, { insecureDomain: true })).outcome, 'dead');
});

test('refusals', async () => {
  const base = { to: abroad('app'), payload: '0x', mode: 'prepare' } as const;
  const transfer = { to: abroad('friend'), mode: 'sponsored' } as const;
  await refused(400, 'malformed', 'to', gateway.sendMessage({ ...base, to: 'somebody' }));
  await refused(403, 'not-in-manifest', 'to', gateway.sendMessage({ ...base, to: `eip155:5:0x${'11'.repeat(20)}` }));
  await refused(400, 'invalid', 'mode', gateway.sendMessage({ ...base, mode: 'free' as 'prepare' }));
  await refused(400, 'malformed', 'payload', gateway.sendMessage({ ...base, payload: '0x0' }));
  await refused(413, 'too-large', 'payload', gateway.sendMessage({ ...base, payload: new Uint8Array(16385) }));
  await refused(404, 'not-found', 'from_chain', gateway.sendMessage({ ...base, from_chain: 'eip155:5' }));
  await refused(422, 'reverted', 'attributes.deadline', gateway.sendMessage({ ...base, mode: 'sponsored', attributes: { deadline: 1n } }));
  await refused(400, 'invalid', 'amount', gateway.transfer({ ...transfer, amount: 0n }));
  await refused(400, 'malformed', 'amount', gateway.transfer({ ...transfer, amount: -1n }));
  await refused(402, 'no-funds', 'amount', gateway.transfer({ ...transfer, amount: 2n ** 127n }));
  await refused(409, 'conflict', 'failed', gateway.retry(finalized.id));
  await refused(409, 'conflict', 'finalized', gateway.abandon(finalized.id));
  await refused(409, 'conflict', 'failed', gateway.close(finalized.id));
});

test('keys', async () => {
  await refused(401, 'unauthorized', '', new Gateway(source.url, 'not-a-key-of-this-gateway-at-all').chains());
  await refused(403, 'forbidden', 'scope', new Gateway(source.url, source.peer_key).messages());
});

// ---- looking ----

test('one message', async () => {
  const message = await gateway.message(finalized.id);
  assert.deepEqual(message.steps?.map((step) => step.n), Array.from({ length: 18 }, (_, i) => i + 1));
  assert.equal((await gatewayOf(destination).message(finalized.id)).side, 'destination');
  await refused(404, 'not-found', '', gateway.message(`0x${'00'.repeat(32)}`));
  await refused(404, 'not-found', '', gateway.message(finalized.id, { side: 'destination' }));
  await refused(400, 'malformed', 'id', gateway.message('hello'));
  await refused(400, 'malformed', 'id', gateway.message('../../healthz?x=#'));
});

test('lists', async () => {
  const page = await gateway.messages({ limit: 1 });
  assert.deepEqual([page.messages.length, typeof page.next], [1, 'number']);
  const ids: unknown[] = [];
  for await (const message of gateway.allMessages({ state: 'finalized' })) ids.push(message.id);
  assert.ok(ids.includes(finalized.id));
  await refused(400, 'invalid', 'limit', gateway.messages({ limit: 201 }));
  await refused(400, 'invalid', 'state', gateway.messages({ state: 'happy' as 'final' }));
});

test('what the gateway says of itself', async () => {
  assert.equal(await gateway.ready(), true);
  assert.deepEqual((await gateway.chains()).map(({ id, gateway: contract }) => [id, contract]), [[source.chain, source.gateway]]);
  assert.equal((await gateway.enclave()).keys?.[0]?.public_key, source.public_key);
  assert.equal((await gateway.status())['ready'], true);
});

// ---- verifying ----

test('what both gateways give is proven', async () => {
  for (const side of sides) {
    const proven = await verified(finalized.id, { insecureDomain: true }, gatewayOf(side));
    assert.deepEqual([proven.id, proven.outcome, proven.signed.insecure], [finalized.id, 'delivered', true]);
    assert.deepEqual([proven.sender, proven.recipient], [finalized.sender, finalized.recipient]);
    const claimed = verifyEnvelope(await gatewayOf(side).envelope(finalized.id), { insecureDomain: true, insecureFileKeys: true });
    assert.equal(claimed.signed.key, proven.signed.key);
  }
});

test('simulated enclaves prove nothing by default', async () => {
  await assert.rejects(verified(finalized.id), /simulated or insecure/);
});

test('the keys of contracts', async () => {
  const { signer } = (await gateway.envelope(finalized.id)).statement;
  const key = await contractKey(chainOf(destination), destination.gateway, signer, 1);
  assert.deepEqual([key.publicKey, key.state], [source.public_key, 'active']);
  await assert.rejects(contractKey(chainOf(destination), destination.gateway, signer, 9), VerificationError);
  await assert.rejects(contractKey(chainOf(source), source.gateway, signer, 1), VerificationError);
  await assert.rejects(contractKey(chainOf(destination), `0x${'11'.repeat(20)}`, signer, 1), /returned no data/);
});

// ---- examples ----

function example(name: string, ...args: string[]): Promise<{ code: number; out: string }> {
  const file = fileURLToPath(new URL(`../examples/${name}.js`, import.meta.url));
  const env = { ...process.env, CAISSON_URL: source.url, CAISSON_API_KEY_FILE: source.key_file };
  return new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], { env, timeout: END.timeoutMs }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out: out + err }),
    );
  });
}

test('example: transfer', async () => {
  const run = await example('transfer', abroad('friend'), '7');
  assert.equal(run.code, 0, run.out);
  assert.match(run.out, /delivery_included/);
  assert.match(run.out, /: finalized\n$/);
  assert.equal((await example('transfer')).code, 2);
});

test('example: wallet', async () => {
  const keyFile = join(folder, 'wallet.key');
  writeFileSync(keyFile, `${source.secret}\n`, { mode: 0o600 });
  const run = await example('wallet', source.rpc, keyFile, abroad('friend'), '11');
  assert.equal(run.code, 0, run.out);
  assert.match(run.out, /transfer 0x[0-9a-f]{64} success/);
  assert.ok(!run.out.includes(source.secret.slice(2)));
});

test('example: verify', async () => {
  const file = join(folder, 'envelope.json');
  writeFileSync(file, writeJson(await gateway.envelope(finalized.id)));
  const contracts = [source.rpc, source.gateway, destination.rpc, destination.gateway];
  const good = await example('verify', file, ...contracts, '--insecure-domain');
  assert.equal(good.code, 0, good.out);
  assert.match(good.out, /outcome {3}delivered/);
  const bad = await example('verify', file, ...contracts);
  assert.equal(bad.code, 6, bad.out);
  assert.match(bad.out, /does NOT verify/);
});
