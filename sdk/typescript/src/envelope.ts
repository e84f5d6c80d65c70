/**
 * Verifies a signed envelope offline: what `GET /v1/messages/{id}/envelope` gives, by keys that the caller trusts.
 *
 * Nobody is asked. The rules are those of docs/protocol/envelope.md; a document with a member too many or in another form is
 * refused, so that nobody reads in it what nobody signed.
 */
import { schnorr } from '@noble/curves/secp256k1.js';

import { accountText, INTEROP_SIZE_MAX } from './accounts.js';
import { concat, equal, fromHex, isHex, toHex, type Hex } from './bytes.js';
import { VerificationError } from './errors.js';
import {
  digest,
  fold,
  Kind,
  messageId,
  messageLeaf,
  numberWord,
  outcomeLeaf,
  Status,
  type MessageContent,
  type Statement,
} from './hashing.js';
import { parseJson } from './json.js';
import type { Envelope } from './types.js';

export const DOCUMENT_SIZE_MAX = 1 << 20;
const PAYLOAD_SIZE_MAX = 16384;
const PATH_MAX = 16;
const NUMBER_MAX = 2n ** 63n - 1n;
const FINALITY_MAX = 255n;

export interface VerifyOptions {
  /** x of the key that signs for the source's gateway, as the destination's contract names it (`contractKey`). */
  readonly key?: Hex | undefined;
  /** The same for the destination's gateway, as the source's contract names it. An envelope with an outcome needs both. */
  readonly outcomeKey?: Hex | undefined;
  /** Also takes what simulated or insecure enclaves signed. */
  readonly insecureDomain?: boolean;
  /** A key that is not given is taken from the document itself, which proves nothing about whose it is. */
  readonly insecureFileKeys?: boolean;
}

/** One statement whose signature verified by `key`. insecure: under the domain of simulated or insecure enclaves. */
export interface VerifiedStatement {
  readonly statement: Statement;
  readonly key: Hex;
  readonly insecure: boolean;
}

/**
 * What an envelope proves: the enclave of the source's gateway signed this message as final; and, where `outcome` is not null,
 * the enclave of the destination's gateway signed that it was delivered or is dead for ever.
 */
export interface Verified {
  readonly id: Hex;
  readonly message: MessageContent;
  /** CAIP-10, or hex of what is no account that is known here. */
  readonly sender: string;
  readonly recipient: string;
  readonly signed: VerifiedStatement;
  readonly outcome: 'delivered' | 'dead' | null;
  readonly outcomeSigned: VerifiedStatement | null;
}

/** Checks a whole envelope, and returns what it proves; a VerificationError says why it proves nothing. */
export function verifyEnvelope(document: string | Envelope, options: VerifyOptions = {}): Verified {
  const envelope = read(typeof document === 'string' ? parseDocument(document) : document, 'envelope', {
    needed: ['statement', 'message'],
    optional: ['outcome_statement', 'outcome', 'keys'],
  });
  const message = readMessage(envelope['message']);
  const id = messageId(message);
  const keys = options.insecureFileKeys ? readKeys(envelope['keys'] ?? []) : [];
  const signed = readSigned(envelope['statement'], 'statement');
  if (signed.statement.kind !== Kind.message || !leads(signed.statement, message.source, message.destination))
    throw new VerificationError("statement: not of this message's route");
  const checked = check(signed, messageLeaf(id), options.key, 'key', keys, options);
  if ('outcome' in envelope !== 'outcome_statement' in envelope)
    throw new VerificationError('outcome: it comes with its statement, or not at all');
  let status: Status | null = null;
  let outcomeSigned: VerifiedStatement | null = null;
  if ('outcome' in envelope) {
    status = readOutcome(envelope['outcome']);
    const outcome = readSigned(envelope['outcome_statement'], 'outcome_statement');
    if (outcome.statement.kind !== Kind.outcome || !leads(outcome.statement, message.destination, message.source))
      throw new VerificationError("outcome_statement: not of this message's way back");
    outcomeSigned = check(outcome, outcomeLeaf(id, status), options.outcomeKey, 'outcomeKey', keys, options);
  }
  return {
    id: toHex(id),
    message,
    sender: accountText(message.sender),
    recipient: accountText(message.recipient),
    signed: checked,
    outcome: status === null ? null : status === Status.delivered ? 'delivered' : 'dead',
    outcomeSigned,
  };
}

/** BIP-340 over 32 bytes, in the form that contracts take: R with both coordinates, R.y even. */
export function verifySignature(key: Uint8Array, message: Uint8Array, rx: Uint8Array, ry: Uint8Array, s: Uint8Array): boolean {
  if (!schnorr.verify(concat(rx, s), message, key)) return false;
  try {
    return equal(numberWord(schnorr.utils.lift_x(BigInt(toHex(rx))).toAffine().y), ry);
  } catch {
    return false; // no point has this x
  }
}

// ---- one statement ----

interface Signed {
  readonly where: string;
  readonly statement: Statement;
  readonly rx: Uint8Array;
  readonly ry: Uint8Array;
  readonly s: Uint8Array;
  readonly path: readonly Uint8Array[];
}

interface FileKey {
  readonly identity: Uint8Array;
  readonly epoch: bigint;
  readonly key: Uint8Array;
}

const leads = (statement: Statement, signer: Uint8Array, receiver: Uint8Array): boolean =>
  equal(statement.signer, signer) && equal(statement.receiver, receiver);

function check(
  signed: Signed,
  leaf: Uint8Array,
  given: Hex | undefined,
  name: string,
  keys: readonly FileKey[],
  options: VerifyOptions,
): VerifiedStatement {
  const { where, statement, rx, ry, s } = signed;
  if (!equal(fold(leaf, signed.path), statement.root))
    throw new VerificationError(`${where}: its path does not lead from the message to what was signed`);
  const key =
    given !== undefined
      ? readHex(given, name, 32)
      : keys.find((entry) => entry.epoch === statement.epoch && equal(entry.identity, statement.signer))?.key;
  if (key === undefined)
    throw new VerificationError(`${where}: ${name} is needed: the key of epoch ${statement.epoch} of ${toHex(statement.signer)}`);
  if (verifySignature(key, digest(statement, false), rx, ry, s)) return { statement, key: toHex(key), insecure: false };
  if (!verifySignature(key, digest(statement, true), rx, ry, s))
    throw new VerificationError(`${where}: the signature does not verify by the key ${toHex(key)}`);
  if (options.insecureDomain !== true)
    throw new VerificationError(`${where}: signed under the domain of simulated or insecure enclaves (insecureDomain takes it)`);
  return { statement, key: toHex(key), insecure: true };
}

// ---- reading: strict ----

type Members = Readonly<Record<string, unknown>>;

function parseDocument(document: string): unknown {
  if (document.length > DOCUMENT_SIZE_MAX) throw new VerificationError(`envelope: above ${DOCUMENT_SIZE_MAX} characters`);
  try {
    return parseJson(document, { integers: true });
  } catch (error) {
    throw new VerificationError(`envelope: not JSON: ${(error as Error).message}`);
  }
}

/** Its own members alone, copied into an object that inherits none. */
function read(value: unknown, where: string, names: { needed: readonly string[]; optional?: readonly string[] }): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new VerificationError(`${where}: not an object`);
  const members: Members = Object.assign(Object.create(null), value);
  const missing = names.needed.find((name) => !(name in members));
  if (missing !== undefined) throw new VerificationError(`${where}: ${missing} is missing`);
  const unknown = Object.keys(members).find((name) => !names.needed.includes(name) && !(names.optional ?? []).includes(name));
  if (unknown !== undefined) throw new VerificationError(`${where}: ${unknown.slice(0, 40)} is not a member of it`);
  return members;
}

function readNumber(value: unknown, where: string, most = NUMBER_MAX): bigint {
  const number = typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value as number) : -1n;
  if (number < 0n || number > most) throw new VerificationError(`${where}: not a number from 0 to ${most}`);
  return number;
}

/** Exactly size bytes, or at most `most`. */
function readHex(value: unknown, where: string, size: number | null, most = 0): Uint8Array {
  if (!isHex(value)) throw new VerificationError(`${where}: not 0x and hex digits`);
  const found = value.length / 2 - 1;
  if (size !== null ? found !== size : found > most)
    throw new VerificationError(`${where}: ${found} bytes, ${size !== null ? `not ${size}` : `at most ${most}`}`);
  return fromHex(value);
}

function readMessage(value: unknown): MessageContent {
  const members = read(value, 'message', {
    needed: [
      'source',
      'destination',
      'sequence',
      'deadline',
      'min_gas_limit',
      'finality',
      'closer',
      'refund_to',
      'sender',
      'recipient',
      'payload',
    ],
    optional: ['id'],
  });
  const word = (name: string) => readHex(members[name], `message.${name}`, 32);
  const number = (name: string, most = NUMBER_MAX) => readNumber(members[name], `message.${name}`, most);
  const data = (name: string, most: number) => readHex(members[name], `message.${name}`, null, most);
  const message: MessageContent = {
    source: word('source'),
    destination: word('destination'),
    sequence: number('sequence'),
    deadline: number('deadline'),
    minGasLimit: number('min_gas_limit'),
    finality: Number(number('finality', FINALITY_MAX)),
    closer: word('closer'),
    refundTo: word('refund_to'),
    sender: data('sender', INTEROP_SIZE_MAX),
    recipient: data('recipient', INTEROP_SIZE_MAX),
    payload: data('payload', PAYLOAD_SIZE_MAX),
  };
  if ('id' in members && !equal(word('id'), messageId(message)))
    throw new VerificationError('message.id: not the messageId of the message');
  return message;
}

function readSigned(value: unknown, where: string): Signed {
  const members = read(value, where, {
    needed: ['kind', 'signer', 'receiver', 'epoch', 'manifest', 'root', 'rx', 'ry', 's'],
    optional: ['path'],
  });
  const word = (name: string) => readHex(members[name], `${where}.${name}`, 32);
  const kind = Number(readNumber(members['kind'], `${where}.kind`));
  if (kind !== Kind.message && kind !== Kind.outcome) throw new VerificationError(`${where}.kind: neither a message's nor an outcome's`);
  const path = 'path' in members ? members['path'] : [];
  if (!Array.isArray(path) || path.length > PATH_MAX) throw new VerificationError(`${where}.path: not a list of at most ${PATH_MAX}`);
  return {
    where,
    statement: {
      kind,
      signer: word('signer'),
      receiver: word('receiver'),
      epoch: readNumber(members['epoch'], `${where}.epoch`),
      manifest: readNumber(members['manifest'], `${where}.manifest`),
      root: word('root'),
    },
    rx: word('rx'),
    ry: word('ry'),
    s: word('s'),
    path: path.map((sibling, i) => readHex(sibling, `${where}.path[${i}]`, 32)),
  };
}

function readOutcome(value: unknown): Status {
  const status = Number(readNumber(value, 'outcome'));
  if (status !== Status.delivered && status !== Status.dead)
    throw new VerificationError('outcome: neither delivered (2) nor dead (3)');
  return status;
}

function readKeys(value: unknown): FileKey[] {
  if (!Array.isArray(value)) throw new VerificationError('keys: not a list');
  return value.map((entry, i) => {
    const where = `keys[${i}]`;
    const members = read(entry, where, { needed: ['identity', 'epoch', 'public_key'], optional: ['chain', 'gas_address'] });
    return {
      identity: readHex(members['identity'], `${where}.identity`, 32),
      epoch: readNumber(members['epoch'], `${where}.epoch`),
      key: readHex(members['public_key'], `${where}.public_key`, 32),
    };
  });
}
