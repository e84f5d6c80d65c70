/**
 * Verifies an envelope by the keys that the two contracts have: no gateway is asked, and none is believed.
 *
 *   caisson envelope 0x… > envelope.json
 *   node verify.js envelope.json SOURCE_RPC SOURCE_GATEWAY DESTINATION_RPC DESTINATION_GATEWAY [--insecure-domain]
 *
 * The destination's contract names the key of the source's enclave, and the other way round. Nodes that you trust, please: the
 * proof is as good as what they say the contracts hold. --insecure-domain takes what simulated enclaves signed.
 */
import { readFile } from 'node:fs/promises';

import { CaissonError, verifyEnvelope, type Envelope, type Hex, type SignedStatement } from '@caisson/sdk';
import { contractKey } from '@caisson/sdk/viem';
import { createPublicClient, http } from 'viem';

const insecureDomain = process.argv.includes('--insecure-domain');
const [file, sourceRpc, source, destinationRpc, destination] = process.argv.slice(2).filter((text) => text !== '--insecure-domain');
if (file === undefined || sourceRpc === undefined || destinationRpc === undefined || source === undefined || destination === undefined) {
  console.error('usage: node verify.js FILE SOURCE_RPC SOURCE_GATEWAY DESTINATION_RPC DESTINATION_GATEWAY [--insecure-domain]');
  process.exit(2);
}

async function keyOf(rpc: string, gateway: string, statement: SignedStatement): Promise<Hex> {
  const key = await contractKey(createPublicClient({ transport: http(rpc) }), gateway as Hex, statement.signer, statement.epoch);
  if (key.state === 'revoked') throw new CaissonError(`${gateway} revoked the key ${key.publicKey}`);
  return key.publicKey;
}

const text = await readFile(file, 'utf8');
const envelope = JSON.parse(text) as Envelope; // where the keys are; what is verified is the text
try {
  const key = await keyOf(destinationRpc, destination, envelope.statement);
  const outcomeKey = envelope.outcome_statement && (await keyOf(sourceRpc, source, envelope.outcome_statement));
  const verified = verifyEnvelope(text, { key, outcomeKey, insecureDomain });
  console.log(`message   ${verified.id}\nsender    ${verified.sender}\nrecipient ${verified.recipient}`);
  console.log(`outcome   ${verified.outcome ?? 'not signed yet'}`);
  if (verified.signed.insecure) console.log('INSECURE: signed under the domain of simulated or insecure enclaves');
} catch (error) {
  if (!(error instanceof CaissonError)) throw error;
  console.log(`does NOT verify: ${error.message}`);
  process.exitCode = 6;
}
