/** A gateway's REST API: create, look, watch. */
import { toHex } from './bytes.js';
import { isKey, readEnvironment } from './environment.js';
import { ApiError, BadReply, CaissonError, ConfigurationError, TimedOut, Unreachable } from './errors.js';
import { parseJson, writeJson } from './json.js';
import type {
  Chain,
  Close,
  CreateWebhook,
  Enclave,
  Envelope,
  Event,
  Filters,
  Message,
  MessageList,
  Quote,
  QuoteKind,
  Request,
  SendMessage,
  SendTransfer,
  Side,
  Step,
  Webhook,
} from './types.js';

/** A list of 200 messages with the largest payloads is 7 MiB. */
const REPLY_SIZE_MAX = 16 << 20;
const PAUSE_MIN_MS = 200;
const PAUSE_MAX_MS = 5000;
const WATCH_PAUSE_MS = 250;
const WATCH_TIMEOUT_MS = 600_000;
/** A gateway says something every 15 s. */
const STREAM_SILENCE_MS = 45_000;
const EVENT_SIZE_MAX = 1 << 16;
/** What a proxy says while there is no gateway behind it. */
const AWAY = [502, 503, 504];

export interface GatewayOptions {
  /** For each answer; 30,000. */
  timeoutMs?: number;
  /** For so long a request that may be repeated is repeated, while the gateway is away or says that it is busy; 10,000. */
  patienceMs?: number;
}

export interface WatchOptions {
  side?: Side;
  /** 600,000. */
  timeoutMs?: number;
  pauseMs?: number;
}

/** What changed: the message as it is now, and the steps that were not told before (after a retry some happen again). */
export interface Update {
  readonly message: Message;
  readonly steps: readonly Step[];
}

export interface CreateOptions {
  /** Of your own, where a request must survive even the death of this process; made anew otherwise. */
  idempotencyKey?: string;
  /** Of W3C Trace Context, as your tracer gives them; the message and its webhooks carry them. A gateway ignores what is not right. */
  traceparent?: string | undefined;
  tracestate?: string | undefined;
}

type Json = Record<string, unknown>;

interface Call {
  body?: unknown;
  headers?: Record<string, string>;
  /** May be repeated: it changes nothing, or has an Idempotency-Key. */
  repeat?: boolean;
}

/** A gateway, with an API key of its configuration: `new Gateway('https://gateway.example', key)`. A ConfigurationError where either is none. */
export class Gateway {
  readonly #base: URL;
  readonly #authorization: string;
  readonly #timeoutMs: number;
  readonly #patienceMs: number;

  constructor(url: string, apiKey: string, options: GatewayOptions = {}) {
    this.#base = parseBase(url);
    if (!isKey(apiKey)) throw new ConfigurationError('the API key is empty, or has characters that no key has');
    this.#authorization = `Bearer ${apiKey}`;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#patienceMs = options.patienceMs ?? 10_000;
  }

  /** By CAISSON_URL and the file that CAISSON_API_KEY_FILE names, as the command line does. On Node alone. */
  static fromEnvironment(options: GatewayOptions = {}): Gateway {
    const { url, apiKey } = readEnvironment();
    return new Gateway(url, apiKey, options);
  }

  // ---- creating ----

  /** `POST /v1/messages`. Repeated under one Idempotency-Key, so that nothing is sent twice. */
  async sendMessage({ payload, ...body }: SendMessage, options: CreateOptions = {}): Promise<Request> {
    return this.#create('/v1/messages', { ...body, payload: typeof payload === 'string' ? payload : toHex(payload) }, options);
  }

  /** `POST /v1/transfers`, the same with an amount of a token. */
  async transfer({ amount, ...body }: SendTransfer, options: CreateOptions = {}): Promise<Request> {
    return this.#create('/v1/transfers', { ...body, amount: String(amount) }, options);
  }

  async #create(path: string, body: Json, options: CreateOptions): Promise<Request> {
    const headers: Record<string, string> = { 'Idempotency-Key': options.idempotencyKey ?? randomKey() };
    for (const name of ['traceparent', 'tracestate'] as const) {
      const value = options[name];
      if (value === undefined) continue;
      if (!/^[\t -~]*$/.test(value)) throw new TypeError(`${name}: has characters that no header has`);
      headers[name] = value;
    }
    return (await this.#call('POST', path, { body, headers, repeat: true })) as unknown as Request;
  }

  // ---- looking ----

  /** `GET /v1/messages/{id}`: with its eighteen steps. id: the message's, or a request's. */
  async message(id: string, query: { side?: Side | undefined } = {}): Promise<Message> {
    return (await this.#get(`/v1/messages/${encodeURIComponent(id)}`, query)) as unknown as Message;
  }

  /** `GET /v1/messages`: one page, newest first, without steps. limit: 1 to 200. */
  async messages(query: Filters & { limit?: number; before?: number | undefined } = {}): Promise<MessageList> {
    return (await this.#get('/v1/messages', { ...query })) as unknown as MessageList;
  }

  /** All pages of it. */
  async *allMessages(query: Filters = {}): AsyncGenerator<Message> {
    let before: number | undefined;
    do {
      const page = await this.messages({ ...query, limit: 200, before });
      yield* page.messages;
      before = page.next ?? undefined;
    } while (before !== undefined);
  }

  /** `GET /v1/messages/{id}/envelope`, for verifyEnvelope. An ApiError `not-final` before the message is signed. */
  async envelope(id: string, query: { side?: Side } = {}): Promise<Envelope> {
    return (await this.#get(`/v1/messages/${encodeURIComponent(id)}/envelope`, query)) as unknown as Envelope;
  }

  /** `GET /v1/quote`: what it costs now, and how long those before it took. to: CAIP-10. */
  async quote(query: { to: string; from_chain?: string; kind?: QuoteKind; payload_size?: number; min_gas_limit?: number }): Promise<Quote> {
    return (await this.#get('/v1/quote', query)) as unknown as Quote;
  }

  /** `GET /v1/chains` */
  async chains(): Promise<Chain[]> {
    return (await this.#get('/v1/chains'))['chains'] as Chain[];
  }

  /** `GET /v1/enclave` */
  async enclave(): Promise<Enclave> {
    return (await this.#get('/v1/enclave')) as unknown as Enclave;
  }

  /** `GET /v1/status` */
  async status(): Promise<Record<string, unknown>> {
    return this.#get('/v1/status');
  }

  /** `GET /healthz`: can a message move? */
  async ready(): Promise<boolean> {
    try {
      return (await this.#once('GET', '/healthz', {}))['ready'] === true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 503) return false;
      throw error;
    }
  }

  // ---- watching ----

  /**
   * Yields whenever something changed, the state as it is at first; ends after the update whose message has ended.
   * Once the message was found, a gateway that goes away is waited for. TimedOut after timeoutMs.
   */
  async *watch(id: string, options: WatchOptions = {}): AsyncGenerator<Update> {
    const timeoutMs = options.timeoutMs ?? WATCH_TIMEOUT_MS;
    const end = performance.now() + timeoutMs;
    const told = new Map<number, number | undefined>();
    let last: string | undefined;
    for (;;) {
      const message = await (last === undefined ? this.message(id, { side: options.side }) : this.#again(id, options.side));
      if (message !== null) {
        const steps = newsOf(message, told);
        const now = JSON.stringify([message.state, message.why, message.id]);
        if (steps.length > 0 || now !== last) yield { message, steps };
        last = now;
        if (message.ended) return;
      }
      if (performance.now() >= end) throw new TimedOut(`${id} has not ended after ${timeoutMs} ms`);
      await pause(options.pauseMs ?? WATCH_PAUSE_MS);
    }
  }

  /** The message once it has ended. Look at its state: finalized, refunded, abandoned, request_failed. */
  async wait(id: string, options: WatchOptions = {}): Promise<Message> {
    let last: Message | undefined;
    for await (const { message } of this.watch(id, options)) last = message;
    return last as Message; // the first look yields
  }

  /**
   * `GET /v1/events`: every change of every message after the cursor, in order and without a gap; without one what is new from now.
   * Goes on for ever, over gateways that go away. An ApiError `conflict` when the journal does not keep the cursor.
   */
  async *events(options: { cursor?: number } = {}): AsyncGenerator<Event> {
    let at = options.cursor ?? Number((await this.status())['event_cursor']);
    for (let wait = PAUSE_MIN_MS; ; wait = Math.min(2 * wait, PAUSE_MAX_MS)) {
      try {
        for await (const event of this.#stream(at)) {
          [at, wait] = [event.cursor, PAUSE_MIN_MS];
          yield event;
        }
      } catch (error) {
        if (!(error instanceof Unreachable) && !(error instanceof ApiError && isPassing(error))) throw error;
      }
      await pause(wait);
    }
  }

  /** Until the connection ends. */
  async *#stream(cursor: number): AsyncGenerator<Event> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), STREAM_SILENCE_MS);
    try {
      const response = await this.#fetch('GET', `/v1/events?cursor=${cursor}`, {}, 'text/event-stream', silence.signal);
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
      if (response.status !== 200 || !isStream) throw this.#problemOf(response, parseReply(await readText(response)));
      for await (const block of blocksOf(response)) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), STREAM_SILENCE_MS);
        if (/^id: /m.test(block)) yield this.#eventOf(block); // others are about the stream itself
      }
    } catch (error) {
      throw error instanceof CaissonError ? error : new Unreachable(`${this.#base.origin}: ${reasonOf(error)}`);
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  #eventOf(block: string): Event {
    const event = parseReply(/^data: (.*)$/m.exec(block)?.[1] ?? '');
    if (typeof event?.['cursor'] !== 'number') throw new BadReply(`${this.#base.origin}: an event that no gateway sends`);
    return event as unknown as Event;
  }

  /** null while there is no gateway that would say anything of the message: it was there, and will be again. */
  async #again(id: string, side: Side | undefined): Promise<Message | null> {
    try {
      return await this.message(id, { side });
    } catch (error) {
      if (error instanceof Unreachable || (error instanceof ApiError && isPassing(error))) return null;
      throw error;
    }
  }

  // ---- doing ----

  /** `POST /v1/messages/{id}/retry` (scope operate): the recipient of a failed message is called again. */
  async retry(id: string, query: { side?: Side } = {}): Promise<Message> {
    return (await this.#call('POST', `/v1/messages/${encodeURIComponent(id)}/retry${search(query)}`, { body: {} })) as unknown as Message;
  }

  /** `POST /v1/messages/{id}/abandon` (scope operate): what nobody delivered by its deadline is proven so now, and brought back. */
  async abandon(id: string, query: { side?: Side } = {}): Promise<Message> {
    return (await this.#call('POST', `/v1/messages/${encodeURIComponent(id)}/abandon${search(query)}`, { body: {} })) as unknown as Message;
  }

  /** `POST /v1/messages/{id}/close`: the transaction by which the message's closer gives it up, for the closer to sign. */
  async close(id: string, query: { side?: Side } = {}): Promise<Close> {
    return (await this.#call('POST', `/v1/messages/${encodeURIComponent(id)}/close${search(query)}`, { body: {} })) as unknown as Close;
  }

  // ---- webhooks (scope webhook) ----

  /** `POST /v1/webhooks`: events from now on, or after the cursor, are posted to url. Keep `secret`: it is not shown again. */
  async createWebhook(body: CreateWebhook): Promise<Webhook & { secret: string }> {
    return (await this.#call('POST', '/v1/webhooks', { body })) as unknown as Webhook & { secret: string };
  }

  /** `GET /v1/webhooks` */
  async webhooks(): Promise<Webhook[]> {
    return (await this.#get('/v1/webhooks'))['webhooks'] as Webhook[];
  }

  /** `POST /v1/webhooks/{id}/enable`: a disabled one goes on where it stopped. */
  async enableWebhook(id: string): Promise<Webhook> {
    return (await this.#call('POST', `/v1/webhooks/${encodeURIComponent(id)}/enable`, { body: {} })) as unknown as Webhook;
  }

  /** `POST /v1/webhooks/{id}/rotate`: with the new `secret`; the one before signs beside it until `old_secret_until_ms`. */
  async rotateWebhookSecret(id: string): Promise<Webhook & { secret: string }> {
    return (await this.#call('POST', `/v1/webhooks/${encodeURIComponent(id)}/rotate`, { body: {} })) as unknown as Webhook & { secret: string };
  }

  /** `POST /v1/webhooks/{id}/deliveries/{event}/redeliver` */
  async redeliver(id: string, event: number): Promise<void> {
    await this.#call('POST', `/v1/webhooks/${encodeURIComponent(id)}/deliveries/${event}/redeliver`, { body: {} });
  }

  /** `DELETE /v1/webhooks/{id}` */
  async deleteWebhook(id: string): Promise<void> {
    await this.#call('DELETE', `/v1/webhooks/${encodeURIComponent(id)}`, {});
  }

  // ---- requests ----

  async #get(path: string, query: Record<string, string | number | undefined> = {}): Promise<Json> {
    return this.#call('GET', path + search(query), { repeat: true });
  }

  async #call(method: string, target: string, call: Call): Promise<Json> {
    const end = performance.now() + this.#patienceMs;
    for (let wait = PAUSE_MIN_MS; ; wait = Math.min(2 * wait, PAUSE_MAX_MS)) {
      let due = wait;
      try {
        return await this.#once(method, target, call);
      } catch (error) {
        const busy = error instanceof ApiError && isPassing(error);
        if (busy) due = Math.max(wait, 1000 * (error.retryAfterS ?? 0));
        if (!call.repeat || !(busy || error instanceof Unreachable) || performance.now() + due > end) throw error;
      }
      await pause(due);
    }
  }

  async #fetch(method: string, target: string, { body, headers }: Call, accept: string, signal: AbortSignal): Promise<Response> {
    return fetch(this.#base.origin + this.#base.pathname.replace(/\/+$/, '') + target, {
      method,
      headers: {
        Authorization: this.#authorization,
        Accept: `${accept}, application/problem+json`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: writeJson(body) }),
      redirect: 'manual', // the API key would go along
      credentials: 'omit',
      signal,
    });
  }

  async #once(method: string, target: string, call: Call): Promise<Json> {
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(method, target, call, 'application/json', AbortSignal.timeout(this.#timeoutMs));
      text = await readText(response);
    } catch (error) {
      throw error instanceof CaissonError ? error : new Unreachable(`${this.#base.origin}: ${reasonOf(error)}`);
    }
    if (response.status === 204) return {};
    const answer = parseReply(text);
    if ([200, 201, 202].includes(response.status) && answer !== null) return answer;
    throw this.#problemOf(response, answer);
  }

  #problemOf(response: Response, answer: Json | null): CaissonError {
    const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') === true;
    const { code, title, detail, retry } = answer ?? {};
    if (isProblem && typeof code === 'string' && typeof title === 'string') {
      const after = response.headers.get('retry-after') ?? '';
      const afterS = /^\d{1,9}$/.test(after) ? Number(after) : null;
      return new ApiError(response.status, code, title, typeof detail === 'string' ? detail : null, retry === true, afterS);
    }
    const told = `${this.#base.origin}: HTTP ${response.status}`;
    if (AWAY.includes(response.status)) return new Unreachable(`${told} of something in front of the gateway`);
    if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400))
      return new BadReply(`${told}, a redirect: it is not followed, since the API key would go along`);
    return new BadReply(`${told} without an answer that a gateway gives: is this the address of one?`);
  }
}

function parseBase(url: string): URL {
  let base: URL | undefined;
  try {
    base = new URL(url);
  } catch {
    // said below
  }
  if (base === undefined || !['http:', 'https:'].includes(base.protocol))
    throw new ConfigurationError('the address does not begin with http:// or https:// and a host');
  if (base.username !== '' || base.password !== '') throw new ConfigurationError('the address has a name or password in it, which would show in logs');
  if (base.search !== '' || base.hash !== '') throw new ConfigurationError('the address has a query or fragment');
  return base;
}

function search(query: Record<string, string | number | undefined>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

/** Not every browser iterates over a body. */
async function* piecesOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** At most REPLY_SIZE_MAX bytes of it. */
async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const piece of piecesOf(response)) {
    size += piece.length;
    if (size > REPLY_SIZE_MAX) throw new BadReply(`the answer is above ${REPLY_SIZE_MAX} bytes`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

/** Server-sent events, each as its lines. */
async function* blocksOf(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of piecesOf(response)) {
    text += decoder.decode(piece, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() as string;
    yield* blocks;
    if (text.length > EVENT_SIZE_MAX) throw new BadReply(`an event is above ${EVENT_SIZE_MAX} characters`);
  }
}

/** null where it is no JSON object. */
function parseReply(text: string): Json | null {
  try {
    const value = parseJson(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
  } catch {
    return null;
  }
}

/** Another moment may change it, whatever is asked. */
const isPassing = (error: ApiError): boolean =>
  error.retry && (error.status === 429 || error.status >= 500 || error.code === 'in-progress');

/** fetch says "fetch failed", and why one level below; of a host's several addresses a code alone. */
function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'no answer in time';
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const { code, message } = cause as { code?: unknown; message?: unknown };
  return String(message || (code ?? cause));
}

/** Steps that happened since, by their time: after a retry some happen again. What is skipped is certain only at the end. */
function newsOf(message: Message, told: Map<number, number | undefined>): Step[] {
  return (message.steps ?? []).filter((step) => {
    const certain = step.t_ms !== undefined || (message.ended && step.skipped !== undefined);
    if (!certain || (told.has(step.n) && told.get(step.n) === step.t_ms)) return false;
    told.set(step.n, step.t_ms);
    return true;
  });
}

const randomKey = (): string => toHex(crypto.getRandomValues(new Uint8Array(16))).slice(2);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
