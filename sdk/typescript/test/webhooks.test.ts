/** Signatures of webhooks: the vector of Standard Webhooks' reference libraries, and everything around it that is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { verifyWebhook, WebhookError } from '../src/index.js';
import { vectorFile } from './vectors.js';

const vector = JSON.parse(vectorFile('standard-webhooks/vector.json')) as Record<'secret' | 'id' | 'timestamp' | 'body' | 'signature', string>;
const HEADERS = { 'Webhook-Id': vector.id, 'webhook-timestamp': vector.timestamp, 'WEBHOOK-SIGNATURE': vector.signature };
const NOW = { nowS: Number(vector.timestamp) };
const OTHER = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';

function verify({ body = vector.body, secrets = vector.secret as string | string[], nowS = NOW.nowS, ...headers }: Record<string, any>): Promise<unknown> {
  const given: Record<string, string> = { id: vector.id, timestamp: vector.timestamp, signature: vector.signature, ...headers };
  return verifyWebhook(body, Object.fromEntries(Object.entries(given).map(([name, value]) => [`webhook-${name}`, value])), secrets, { nowS });
}

const refused = (call: Promise<unknown>, part: RegExp) => assert.rejects(call, (error) => error instanceof WebhookError && part.test(error.message));

test('the published vector', async () => {
  assert.deepEqual(await verifyWebhook(vector.body, HEADERS, vector.secret, NOW), { test: 2432232314 });
  assert.deepEqual(await verifyWebhook(new TextEncoder().encode(vector.body), new Headers(HEADERS), vector.secret, NOW), { test: 2432232314 });
});

test('after a rotation', async () => {
  await verify({ secrets: [OTHER, vector.secret] });
  await verify({ signature: `v1a,AAAA v1,${'A'.repeat(43)}= ${vector.signature}` });
  await verify({ secrets: vector.secret.slice(6) });
});

test('time', async () => {
  for (const shift of [-300, 300]) await verify({ nowS: NOW.nowS + shift });
  for (const shift of [-301, 301, 1e9]) await refused(verify({ nowS: NOW.nowS + shift }), /not of now/);
  for (const timestamp of ['', '-1', '1.5', 'x', '1'.repeat(16)]) await refused(verify({ timestamp }), /not a number/);
});

test('refusals', async () => {
  const wrong = [{ body: `${vector.body} ` }, { body: '' }, { secrets: OTHER }, { secrets: [] }, { id: 'msg_other' }, { signature: '' }, { signature: 'v1,' },
    { signature: vector.signature.slice(3) }, { signature: `v2${vector.signature.slice(2)}` }, { signature: vector.signature.slice(0, -2) },
    { timestamp: String(NOW.nowS + 1) }];
  for (const more of wrong) await refused(verify(more), /no signature/);
  for (const name of ['id', 'timestamp', 'signature']) await refused(verify({ [name]: undefined }), new RegExp(`webhook-${name} is missing`));
  for (const secrets of ['', 'whsec_', 'whsec_***', 'whsec_abc']) await assert.rejects(verify({ secrets }), TypeError);
});
