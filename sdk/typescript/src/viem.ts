/** For applications that use viem: transactions in its form, and the keys that gateway contracts name. */
import type { Client } from 'viem';
import { readContract } from 'viem/actions';

import type { Hex } from './bytes.js';
import { VerificationError } from './errors.js';
import type { Uint } from './json.js';
import type { CloseTransaction, Transaction } from './types.js';

/** `keyOf` of a gateway contract: the key of a remote's epoch, by which the contract judges what its enclave signed. */
export const gatewayAbi = [
  {
    type: 'function',
    name: 'keyOf',
    stateMutability: 'view',
    inputs: [
      { name: 'remote', type: 'bytes32' },
      { name: 'epoch', type: 'uint64' },
    ],
    outputs: [
      {
        name: 'key',
        type: 'tuple',
        components: [
          { name: 'x', type: 'bytes32' },
          { name: 'state', type: 'uint8' },
          { name: 'notBefore', type: 'uint64' },
          { name: 'notAfter', type: 'uint64' },
        ],
      },
      { name: 'namers', type: 'uint8' },
    ],
  },
] as const;

const STATES = ['absent', 'active', 'suspended', 'revoked'] as const;

/** Times are Unix seconds of that chain, notAfter 0: none. */
export interface ContractKey {
  readonly publicKey: Hex;
  readonly state: 'active' | 'suspended' | 'revoked';
  readonly notBefore: bigint;
  readonly notAfter: bigint;
}

/**
 * The key that the gateway contract at this address has for `signer` (the identity in a statement). It is as true as the
 * client's RPC node is. A VerificationError where the contract has no such key; viem's errors where there is no such contract.
 */
export async function contractKey(client: Client, gateway: Hex, signer: Hex, epoch: Uint): Promise<ContractKey> {
  const [key] = await readContract(client, { address: gateway, abi: gatewayAbi, functionName: 'keyOf', args: [signer, BigInt(epoch)] });
  const state = STATES[key.state];
  if (state === undefined || state === 'absent') throw new VerificationError(`${gateway} has no key of epoch ${epoch} of ${signer}`);
  return { publicKey: key.x, state, notBefore: key.notBefore, notAfter: key.notAfter };
}

/** What `walletClient.sendTransaction` and `publicClient.call` take. */
export interface ViemTransaction {
  readonly to: Hex;
  readonly data: Hex;
  readonly value: bigint;
  readonly gas?: bigint;
}

/** A TypeError for a chain that is none of eip155, and for one that is not chainId: it would be sent to the wrong chain. */
export function toTransaction(transaction: Transaction | CloseTransaction, chainId: number): ViemTransaction {
  if (transaction.chain !== `eip155:${chainId}`) throw new TypeError(`the transaction is for ${transaction.chain}, not eip155:${chainId}`);
  const { to, data, value } = transaction;
  return { to, data, value: BigInt(value), ...('gas' in transaction ? { gas: BigInt(transaction.gas) } : {}) };
}
