/** The preimages of the envelope (docs/protocol/envelope.md): what Caisson hashes and signs. */
import { keccak_256 } from '@noble/hashes/sha3.js';

import { ascii, compare, concat } from './bytes.js';

const WORD_SIZE = 32;

/** What a batch states (section 3). */
export const Kind = { message: 1, outcome: 2, rotation: 3, answer: 4 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Of a message at its destination (section 4). */
export const Status = { none: 0, failed: 1, delivered: 2, dead: 3 } as const;
export type Status = (typeof Status)[keyof typeof Status];

export const keccak256 = (data: Uint8Array): Uint8Array => keccak_256(data);

export const tag = (text: string): Uint8Array => keccak256(ascii(text));

/** 32 bytes, big-endian. RangeError outside 0 to 2^256 - 1. */
export function numberWord(value: bigint | number): Uint8Array {
  let rest = BigInt(value);
  if (rest < 0n || rest >> 256n !== 0n) throw new RangeError('not a number of 32 bytes');
  const word = new Uint8Array(WORD_SIZE);
  for (let i = WORD_SIZE - 1; rest > 0n; i--, rest >>= 8n) word[i] = Number(rest & 0xffn);
  return word;
}

/** A chain's raw address: up to 32 bytes left-padded with zeros, a longer one hashed. */
export function addressWord(address: Uint8Array): Uint8Array {
  return address.length <= WORD_SIZE ? concat(new Uint8Array(WORD_SIZE - address.length), address) : keccak256(address);
}

/** The name of a gateway (section 1): chain id, hash of the genesis block, raw address of the contract. */
export function identity(caip2: string, genesis: Uint8Array, gateway: Uint8Array): Uint8Array {
  return keccak256(concat(tag('caisson/identity/v1'), keccak256(ascii(caip2)), genesis, addressWord(gateway)));
}

/** All that a messageId commits to (section 2). `sender` and `recipient` are ERC-7930 bytes, `closer` and `refundTo` words. */
export interface MessageContent {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sequence: bigint;
  readonly deadline: bigint;
  readonly minGasLimit: bigint;
  readonly finality: number;
  readonly closer: Uint8Array;
  readonly refundTo: Uint8Array;
  readonly sender: Uint8Array;
  readonly recipient: Uint8Array;
  readonly payload: Uint8Array;
}

export function attributesHash(message: MessageContent): Uint8Array {
  return keccak256(
    concat(tag('caisson/attributes/v1'), numberWord(message.minGasLimit), message.closer, message.refundTo, numberWord(message.finality)),
  );
}

export function messageId(message: MessageContent): Uint8Array {
  return keccak256(
    concat(
      tag('caisson/message/v1'),
      message.source,
      message.destination,
      numberWord(message.sequence),
      keccak256(message.sender),
      keccak256(message.recipient),
      keccak256(message.payload),
      attributesHash(message),
      numberWord(message.deadline),
    ),
  );
}

/** What is signed (section 3): `signer` and `receiver` are identities of gateways, `root` the batch's. */
export interface Statement {
  readonly kind: Kind;
  readonly signer: Uint8Array;
  readonly receiver: Uint8Array;
  readonly epoch: bigint;
  readonly manifest: bigint;
  readonly root: Uint8Array;
}

/** insecure: under the domain of simulated or insecure enclaves, which no production contract takes. */
export function digest(statement: Statement, insecure: boolean): Uint8Array {
  return keccak256(
    concat(
      tag(insecure ? 'caisson/statement/v1/insecure' : 'caisson/statement/v1'),
      numberWord(statement.kind),
      statement.signer,
      statement.receiver,
      numberWord(statement.epoch),
      numberWord(statement.manifest),
      statement.root,
    ),
  );
}

export const messageLeaf = (id: Uint8Array): Uint8Array => keccak256(concat(tag('caisson/leaf/message/v1'), id));

export const outcomeLeaf = (id: Uint8Array, status: Status): Uint8Array =>
  keccak256(concat(tag('caisson/leaf/outcome/v1'), id, numberWord(status)));

export const rotationLeaf = (newEpoch: bigint, newKey: Uint8Array): Uint8Array =>
  keccak256(concat(tag('caisson/leaf/rotation/v1'), numberWord(newEpoch), newKey));

export function node(a: Uint8Array, b: Uint8Array): Uint8Array {
  const [low, high] = compare(a, b) <= 0 ? [a, b] : [b, a];
  return keccak256(concat(tag('caisson/node/v1'), low, high));
}

/** Pairs are joined, an odd last one moves up unchanged. RangeError without leaves. */
export function treeRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [first, second] = leaves;
  if (first === undefined) throw new RangeError('a batch has at least one leaf');
  if (second === undefined) return first;
  const above: Uint8Array[] = [];
  for (let i = 0; i < leaves.length; i += 2) {
    const left = leaves[i] as Uint8Array;
    const right = leaves[i + 1];
    above.push(right === undefined ? left : node(left, right));
  }
  return treeRoot(above);
}

/** From a part of the batch up to its root, by the siblings on the way. */
export const fold = (part: Uint8Array, path: readonly Uint8Array[]): Uint8Array => path.reduce(node, part);
