import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';

/** viem's type: `0x` and hex digits. */
export type Hex = `0x${string}`;

const FORM = /^0x(?:[0-9a-fA-F]{2})*$/;

export const toHex = (bytes: Uint8Array): Hex => `0x${bytesToHex(bytes)}`;

export const isHex = (text: unknown): text is Hex => typeof text === 'string' && FORM.test(text) && !text.endsWith('\n');

/** TypeError for anything but 0x and an even number of hex digits. */
export function fromHex(text: Hex): Uint8Array {
  if (!isHex(text)) throw new TypeError('not 0x and hex digits');
  return hexToBytes(text.slice(2));
}

export const concat = (...parts: Uint8Array[]): Uint8Array => concatBytes(...parts);

export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** As numbers of one length: below, equal (0), above. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return a.length - b.length;
  for (const [i, byte] of a.entries()) {
    const other = b[i] ?? 0;
    if (byte !== other) return byte - other;
  }
  return 0;
}

export const equal = (a: Uint8Array, b: Uint8Array): boolean => compare(a, b) === 0;
