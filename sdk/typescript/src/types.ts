/** What the gateway's API takes and gives, by its own names (docs/rest.md, /openapi.json). */
import type { Hex } from './bytes.js';
import type { Uint } from './json.js';

export type Mode = 'prepare' | 'submit' | 'sponsored';
export type Side = 'source' | 'destination';
export type MessageState =
  | 'observed'
  | 'final'
  | 'verified'
  | 'signed'
  | 'submitted'
  | 'included'
  | 'outcome_final'
  | 'outcome_verified'
  | 'finalized'
  | 'failed'
  | 'refunding'
  | 'refunded'
  | 'abandoned';
export type RequestState = 'requested' | 'request_failed' | 'request_unknown';

/** ERC-7786 attributes; what is left out is the route's default. */
export interface Attributes {
  deadline?: Uint;
  min_gas_limit?: Uint;
  closer?: Hex;
  refund_to?: Hex;
  finality?: number;
}

interface Send {
  /** CAIP-10. */
  to: string;
  /** prepare: the transactions for the application to sign. submit: it signed, the gateway sends. sponsored: the operator's account sends them. */
  mode: Mode;
  /** CAIP-2; needed where the gateway serves several chains. */
  from_chain?: string;
  /** Of what is prepared: who will sign it. Its balance and allowance are looked at then. */
  from?: Hex;
  attributes?: Attributes;
  /** Of the mode submit: what was signed, as viem's signTransaction gives it. */
  transaction?: Hex;
}

export interface SendMessage extends Send {
  payload: Hex | Uint8Array;
}

export interface SendTransfer extends Send {
  /** In the token's smallest unit. */
  amount: bigint;
  /** Default: the chain's of the configuration. */
  token?: Hex;
}

/** value: wei, as decimal text. `toTransaction` makes viem's of it. */
export interface CloseTransaction {
  chain: string;
  to: Hex;
  data: Hex;
  value: string;
}

export interface Transaction {
  what: 'approve' | 'transfer' | 'sendMessage';
  chain: string;
  from?: Hex;
  to: Hex;
  data: Hex;
  value: string;
  gas: number;
}

/** request_id stands for the message until its id is known. */
export interface Request {
  request_id: string;
  mode: Mode;
  chain: string;
  transactions: Transaction[];
}

export interface Place {
  block: number | null;
  tx: Hex | null;
  time_s: number | null;
}

/** Of steps 6 and 13: the envelope's statement without the path, and the signer's key where this gateway knows it. */
export interface StepSignature extends Omit<SignedStatement, 'path'> {
  public_key: Hex | null;
}

/** What the enclave was shown before it signed, as its gateway told it. */
export interface StepProof {
  kind: 'receipt' | 'storage' | 'ics23';
  block: number | null;
  block_hash: Hex | null;
  final_block: number | null;
}

/** One that happened has t_ms, one that never will has skipped (why), one that may still happen has pending. */
export interface Step {
  n: number;
  name: string;
  t_ms?: number;
  chain?: string | null;
  tx?: Hex | null;
  block?: number | null;
  detail?: string | null;
  /** Of a block with a transaction of the gateway that was asked; paid in the chain's smallest unit, by all its messages together. */
  cost?: { gas_used: number; paid: string; messages: number };
  signature?: StepSignature;
  proof?: StepProof | null;
  skipped?: string;
  pending?: boolean;
}

/** A message, or a request whose event is not on chain yet: id is null then, and only the first members are there. */
export interface Message {
  id: Hex | null;
  state: MessageState | RequestState;
  ended: boolean;
  from_chain: string;
  created_ms: number;
  request_id?: string;
  traceparent?: string;
  tracestate?: string;
  mode?: Mode;
  tx?: Hex | null;
  why?: string | null;
  side?: Side;
  to_chain?: string;
  source?: Hex;
  destination?: Hex;
  sequence?: number;
  deadline?: Uint;
  min_gas_limit?: Uint;
  finality?: number;
  closer?: Hex | null;
  refund_to?: Hex | null;
  sender?: string;
  recipient?: string;
  payload?: Hex;
  sent?: Place;
  status?: 'none' | 'failed' | 'delivered' | 'dead';
  executed?: Place;
  outcome?: 'delivered' | 'dead' | null;
  finalization?: Place;
  tries?: number;
  stopped?: boolean;
  updated_ms?: number;
  submission?: { tx: Hex | null; nonce: number; messages: number };
  steps?: Step[];
}

/** Newest first; next is the cursor for `before`, null at the end. */
export interface MessageList {
  messages: Message[];
  next: number | null;
}

/** Of a list of messages: chains are CAIP-2, accounts CAIP-10, tx is the source's transaction. */
export interface Filters {
  state?: MessageState;
  side?: Side;
  from_chain?: string;
  to_chain?: string;
  sender?: string;
  recipient?: string;
  tx?: Hex;
}

export type QuoteKind = 'message' | 'transfer';

/** Measured: half of the samples, and 99 of a hundred, took no longer than this. */
export interface Latency {
  samples: number;
  p50_ms: number;
  p99_ms: number;
}

/** Wei as decimal text. */
export interface Quote {
  kind: QuoteKind;
  from_chain: string;
  to_chain: string;
  fee: string;
  gas: number;
  gas_price: string;
  gas_cost: string;
  delivered: Latency | null;
  finalized: Latency | null;
}

export type EventKind = 'message' | 'message.refused' | 'request.failed' | 'chain.reorg' | 'chain.diverged' | 'chain.frozen' | 'chain.reorg_held' | 'ledger.conflict' | 'webhook.disabled'
  | 'operator.pause' | 'operator.resume' | 'operator.observe' | 'operator.observed' | 'operator.clear' | 'operator.retry' | 'operator.reload' | 'operator.drain' | 'operator.undrain' | 'operator.drained' | 'operator.raise' | 'operator.sweep' | 'operator.accept_reorg' | 'peer.attested' | 'ledger.registration' | 'chain.evidence';

/** Of the stream: which members are there depends on the kind. */
export interface Event {
  cursor: number;
  time_ms: number;
  kind: EventKind;
  id?: Hex;
  side?: Side;
  state?: MessageState;
  request_id?: string;
  who?: string;
  detail?: string;
}

export interface EnclaveKey {
  chain: string;
  identity: Hex;
  epoch: Uint;
  public_key: Hex;
  gas_address?: Hex;
}

export interface SignedStatement {
  kind: number;
  signer: Hex;
  receiver: Hex;
  epoch: Uint;
  manifest: Uint;
  root: Hex;
  rx: Hex;
  ry: Hex;
  s: Hex;
  path: Hex[];
}

export interface EnvelopeMessage {
  id?: Hex;
  source: Hex;
  destination: Hex;
  sequence: Uint;
  deadline: Uint;
  min_gas_limit: Uint;
  closer: Hex;
  refund_to: Hex;
  finality: number;
  sender: Hex;
  recipient: Hex;
  payload: Hex;
}

/** For verifyEnvelope, or for anybody who delivers it. outcome: 2 delivered, 3 dead. */
export interface Envelope {
  statement: SignedStatement;
  message: EnvelopeMessage;
  outcome_statement?: SignedStatement;
  outcome?: number;
  keys?: EnclaveKey[];
}

export interface Close {
  id: Hex;
  closer: Hex | null;
  transactions: CloseTransaction[];
}

/** While it does not answer only ready and why are there. */
export interface Enclave {
  ready: boolean;
  why: string | null;
  backend?: string;
  build?: string;
  version?: number;
  schema_digest?: Hex;
  measurement?: Hex;
  manifest_hash?: Hex;
  manifest_number?: number;
  lineage?: Hex;
  insecure_flags?: number;
  insecure?: string[];
  rollback_detected_only_within_process?: boolean;
  time_source?: 'ledger' | 'insecure_host_time';
  anchor?: Record<string, unknown> | null;
  evidence?: Hex;
  evidence_digest?: Hex;
  keys?: EnclaveKey[];
}

export interface Route {
  remote: string;
  identity: Hex;
  peers: string[];
  epoch: number;
  next_epoch: number;
  expire_incoming: 'absence' | 'tombstone';
}

/** Heights are 0 until something is known; final is the enclave's light client's. Figures of operators are left to them. */
export interface Chain {
  id: string;
  identity: Hex;
  gateway: Hex;
  bridge: Hex | null;
  token: Hex | null;
  finality: string;
  insecure: boolean;
  head: number;
  final: number;
  final_time_s: number;
  frozen: string | null;
  routes: Route[];
}

/** state: disabled after too many failures or a 410, orphaned while its API key is gone. secret: where it is shown, once. */
export interface Webhook {
  id: string;
  url: string;
  owner: string;
  types: string[];
  from_chain: string | null;
  to_chain: string | null;
  message: string | null;
  state: 'active' | 'disabled' | 'orphaned';
  why: string | null;
  cursor: number;
  failures: number;
  next_ms: number | null;
  secret_number: number;
  old_secret_until_ms: number | null;
  created_ms: number;
  secret?: string;
}

export interface CreateWebhook {
  url: string;
  types?: string[];
  from_chain?: string;
  to_chain?: string;
  message?: string;
  cursor?: number;
}

/** type: `message.` and the new state, or the kind of another event. timestamp: of the event, RFC 3339 in UTC. */
export interface WebhookBody {
  type: string;
  timestamp: string;
  data: Event;
}
