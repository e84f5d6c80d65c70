/** The published vectors (tests/vectors of the repository), and envelopes made of them: signed by code that is not ours to test. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { fromHex, toHex, type Hex } from '../src/bytes.js';
import { fold, keccak256, outcomeLeaf, type MessageContent, type Status } from '../src/hashing.js';
import type { Envelope, SignedStatement } from '../src/types.js';

/** Beside sdk/, where npm runs the tests. */
const FOLDER = process.env['CAISSON_VECTORS'] ?? resolve('../../tests/vectors');

export const vectorFile = (name: string): string => readFileSync(resolve(FOLDER, name), 'utf8');

export const envelopeVectors = (name: string): any => JSON.parse(vectorFile(`envelope/${name}.json`));

interface MessageCase {
  name: string;
  source: Hex;
  destination: Hex;
  sequence: string;
  deadline: string;
  min_gas_limit: string;
  finality: number;
  closer: Hex;
  refund_to: Hex;
  sender: Hex;
  recipient: Hex;
  payload: Hex;
  attributes_hash: Hex;
  message_id: Hex;
  leaf: Hex;
  leaf_delivered: Hex;
  leaf_dead: Hex;
}

interface Call {
  function: string;
  source: Hex;
  destination: Hex;
  receiver: Hex;
  domain: string;
  digest: Hex;
  statement: { epoch: string; manifest: string; rx: Hex; ry: Hex; s: Hex; path: Hex[] };
  messages?: string[];
  outcomes: { message_id: Hex; status: Status }[];
}

export const messageCases = (): MessageCase[] => envelopeVectors('messages').messages;

const calls = (): Call[] => envelopeVectors('calldata').calls;

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the vectors have no such case');
  return value;
}

export const messageOf = (c: MessageCase): MessageContent => ({
  source: fromHex(c.source),
  destination: fromHex(c.destination),
  sequence: BigInt(c.sequence),
  deadline: BigInt(c.deadline),
  minGasLimit: BigInt(c.min_gas_limit),
  finality: c.finality,
  closer: fromHex(c.closer),
  refundTo: fromHex(c.refund_to),
  sender: fromHex(c.sender),
  recipient: fromHex(c.recipient),
  payload: fromHex(c.payload),
});

/** Of the key that signs for chain 1 or 2 in the vectors: its secret is keccak-256 of a label. */
export function publicKey(number: 1 | 2): Hex {
  const secret = toHex(keccak256(new TextEncoder().encode(`caisson vector key ${number}`)));
  const cases: { secret?: Hex; public: Hex }[] = envelopeVectors('signatures').signatures;
  return found(cases.find((c) => c.secret === secret)).public;
}

const statementOf = (call: Call, kind: number, signer: Hex, root: Uint8Array): SignedStatement => ({
  ...call.statement,
  epoch: Number(call.statement.epoch),
  manifest: Number(call.statement.manifest),
  kind,
  signer,
  receiver: call.receiver,
  root: toHex(root),
});

/** The envelope of the first call that carries this message alone, by the form of `GET /v1/messages/{id}/envelope`. */
export function envelope(name: string, domain = 'caisson/statement/v1'): Envelope {
  const call = found(calls().find((c) => c.messages?.length === 1 && c.messages[0] === name && c.domain === domain));
  const message = found(messageCases().find((m) => m.name === name));
  const root = fold(fromHex(message.leaf), call.statement.path.map(fromHex));
  const { source, destination, closer, refund_to, finality, sender, recipient, payload } = message;
  const [sequence, deadline, min_gas_limit] = [message.sequence, message.deadline, message.min_gas_limit].map(Number) as [number, number, number];
  return {
    statement: statementOf(call, 1, call.source, root),
    message: { id: message.message_id, source, destination, sequence, deadline, min_gas_limit, closer, refund_to, finality, sender, recipient, payload },
    keys: [{ chain: 'eip155:31337', identity: call.source, epoch: 1, public_key: publicKey(1) }],
  };
}

/** A finalize call of one outcome of this status, and the message that it is about. */
export function withOutcome(status: 2 | 3): Required<Envelope> {
  const call = found(calls().find((c) => c.function === 'finalize' && c.outcomes.length === 1 && c.outcomes[0]?.status === status));
  const id = found(call.outcomes[0]).message_id;
  const base = envelope(found(messageCases().find((m) => m.message_id === id)).name);
  const signed = statementOf(call, 2, call.destination, outcomeLeaf(fromHex(id), status));
  return { ...base, keys: base.keys ?? [], outcome: status, outcome_statement: signed };
}
