/**
 * Accounts: ERC-7930 bytes as they are hashed, CAIP-10 text as people and the API write them.
 *
 * CAIP-2 (chains), CAIP-10 (accounts), CAIP-350 (chain types of ERC-7930), and docs/protocol/envelope.md section 1.
 */
import { toHex } from './bytes.js';

export const INTEROP_SIZE_MAX = 96;
const EIP155 = 0x0000;
const COSMOS = 0xff01;
const EIP155_REFERENCE_MAX = 8;
const ADDRESS_SIZE = 20;
const COSMOS_REFERENCE = /^[-a-zA-Z0-9]{1,32}$/;

/** An interoperable address: a chain, an account of it, or an account of some chain of its type. */
export interface Interop {
  readonly chainType: number;
  readonly reference: Uint8Array;
  readonly address: Uint8Array;
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** RangeError for bytes that are no ERC-7930 version 1, or not in their one form. */
export function decodeInterop(data: Uint8Array): Interop {
  const refuse = (why: string): never => {
    throw new RangeError(`ERC-7930: ${why}`);
  };
  if (data.length > INTEROP_SIZE_MAX) refuse(`above ${INTEROP_SIZE_MAX} bytes`);
  if (data.length < 4 || data[0] !== 0 || data[1] !== 1) refuse('not of version 1');
  let at = 4;
  // A length byte and as many bytes.
  const take = (): Uint8Array => {
    const size = data[at] ?? refuse('it ends too early');
    if (size > data.length - at - 1) refuse('it ends too early');
    at += 1 + size;
    return data.subarray(at - size, at);
  };
  const chainType = ((data[2] ?? 0) << 8) | (data[3] ?? 0);
  const reference = take();
  const address = take();
  if (at !== data.length) refuse('bytes are left over');
  if (reference.length === 0 && address.length === 0) refuse('neither chain nor address');
  if (chainType === EIP155 && (reference[0] === 0 || reference.length > EIP155_REFERENCE_MAX))
    refuse('not a chain id of eip155 in its shortest form');
  if (chainType === COSMOS && !COSMOS_REFERENCE.test(text(reference))) refuse('not a chain id of cosmos');
  if ((chainType === EIP155 || chainType === COSMOS) && address.length !== 0 && address.length !== ADDRESS_SIZE)
    refuse('an address of other than 20 bytes');
  return { chainType, reference, address };
}

/** CAIP-10 (`eip155:1:0x…`, `cosmos:ledger-1:0x…`) where it is such an account, else the bytes as hex. */
export function accountText(data: Uint8Array): string {
  let account: Interop;
  try {
    account = decodeInterop(data);
  } catch {
    return toHex(data);
  }
  const { chainType, reference, address } = account;
  if (reference.length === 0 || address.length !== ADDRESS_SIZE) return toHex(data);
  if (chainType === EIP155) return `eip155:${BigInt(toHex(reference))}:${toHex(address)}`;
  if (chainType === COSMOS) return `cosmos:${text(reference)}:${toHex(address)}`;
  return toHex(data);
}
