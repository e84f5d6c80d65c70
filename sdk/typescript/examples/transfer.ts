/**
 * Sends tokens from the operator's account of a gateway, and shows each of the eighteen steps as it happens.
 *
 *   node transfer.js eip155:31338:0x… 1000000000000000000
 *
 * CAISSON_URL is the gateway, CAISSON_API_KEY_FILE holds a key with the scopes read, send and sponsor.
 */
import { CaissonError, Gateway } from '@caisson/sdk';

const [to, amount] = process.argv.slice(2);
if (to === undefined || amount === undefined || !/^\d+$/.test(amount)) {
  console.error('usage: CAISSON_URL=… CAISSON_API_KEY_FILE=… node transfer.js ACCOUNT AMOUNT');
  process.exit(2);
}

try {
  const gateway = Gateway.fromEnvironment();
  const request = await gateway.transfer({ to, amount: BigInt(amount), mode: 'sponsored' });
  console.log(`request ${request.request_id} on ${request.chain}`);
  for await (const { message, steps } of gateway.watch(request.request_id)) {
    for (const step of steps) console.log(`${String(step.n).padStart(3)}  ${step.name.padEnd(24)}  ${step.skipped ?? step.tx ?? ''}`);
    if (!message.ended) continue;
    console.log(`${message.id}: ${message.state}`);
    process.exitCode = message.state === 'finalized' ? 0 : 6;
  }
} catch (error) {
  if (!(error instanceof CaissonError)) throw error;
  console.error(`transfer.js: ${error.message}`);
  process.exitCode = 1;
}
