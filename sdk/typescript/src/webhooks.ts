/** What a receiver of webhooks does first: is this from our gateway, and of now? By the platform's Web Crypto alone. */
import { WebhookError } from './errors.js';
import { parseJson } from './json.js';
import type { WebhookBody } from './types.js';

const PREFIX = 'whsec_';
const TOLERANCE_S = 300;

export interface VerifyWebhookOptions {
  /** How far the time of the attempt may be from ours; 300. */
  toleranceS?: number;
  /** Unix seconds; default: now. */
  nowS?: number;
}

/**
 * The body of a POST, once its signature (Standard Webhooks) is one of these secrets' and its time is within the tolerance of ours; a
 * WebhookError otherwise. body: as it came, not as some framework wrote it again. headers: names in any case. An event may come twice,
 * with the same header webhook-id: whoever must not act twice remembers it.
 */
export async function verifyWebhook(
  body: Uint8Array | string,
  headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>,
  secrets: string | readonly string[],
  options: VerifyWebhookOptions = {},
): Promise<WebhookBody> {
  const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map((name) => headerOf(headers, `webhook-${name}`)) as [string, string, string];
  if (!/^[0-9]{1,15}$/.test(timestamp)) throw new WebhookError('webhook-timestamp is not a number');
  const now = options.nowS ?? Date.now() / 1000;
  if (Math.abs(now - Number(timestamp)) > (options.toleranceS ?? TOLERANCE_S)) throw new WebhookError('webhook-timestamp is not of now');
  const raw = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + raw.length);
  signed.set(head);
  signed.set(raw, head.length);
  const offered = signatures.split(' ').filter((s) => s.startsWith('v1,')).map((s) => decode(s.slice(3)));
  let known = false;
  for (const secret of typeof secrets === 'string' ? [secrets] : secrets) {
    const bytes = decode(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret);
    if (bytes === null || bytes.length === 0) throw new TypeError('a secret is whsec_ and base64'); // without it: this may be logged
    const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
    for (const signature of offered) known = (signature !== null && (await crypto.subtle.verify('HMAC', key, signature, signed))) || known;
  }
  if (!known) throw new WebhookError('no signature is by a secret that is known here');
  return eventOf(raw);
}

function eventOf(raw: Uint8Array): WebhookBody {
  try {
    const event: unknown = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(raw));
    if (typeof event === 'object' && event !== null && !Array.isArray(event)) return event as WebhookBody;
  } catch {
    // the same refusal
  }
  throw new WebhookError('the body is not a JSON object');
}

function headerOf(headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>, name: string): string {
  const value =
    headers instanceof Headers ? headers.get(name) : Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
  if (typeof value !== 'string') throw new WebhookError(`the header ${name} is missing`);
  return value;
}

/** null: not base64. */
function decode(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return null;
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
