/**
 * Sends tokens from an account of your own: the gateway prepares, viem signs and sends, the gateway watches.
 *
 *   node wallet.js RPC_URL KEY_FILE eip155:31338:0x… 1000000000000000000
 *
 * KEY_FILE holds the account's private key. CAISSON_URL is the gateway, CAISSON_API_KEY_FILE holds a key with the scopes read
 * and send.
 */
import { readFile } from 'node:fs/promises';

import { CaissonError, Gateway, type Hex } from '@caisson/sdk';
import { toTransaction } from '@caisson/sdk/viem';
import { createWalletClient, http, publicActions } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

const [rpcUrl, keyFile, to, amount] = process.argv.slice(2);
if (rpcUrl === undefined || keyFile === undefined || to === undefined || amount === undefined || !/^\d+$/.test(amount)) {
  console.error('usage: CAISSON_URL=… CAISSON_API_KEY_FILE=… node wallet.js RPC_URL KEY_FILE ACCOUNT AMOUNT');
  process.exit(2);
}

const account = privateKeyToAccount((await readFile(keyFile, 'utf8')).trim() as Hex);
const wallet = createWalletClient({ account, transport: http(rpcUrl) }).extend(publicActions);
const chainId = await wallet.getChainId();

try {
  const gateway = Gateway.fromEnvironment();
  const from = account.address.toLowerCase() as Hex;
  const request = await gateway.transfer({ to, amount: BigInt(amount), mode: 'prepare', from });
  for (const transaction of request.transactions) {
    const hash = await wallet.sendTransaction({ ...toTransaction(transaction, chainId), chain: null });
    const receipt = await wallet.waitForTransactionReceipt({ hash, pollingInterval: 200 });
    console.log(`${transaction.what} ${hash} ${receipt.status}`);
    if (receipt.status !== 'success') process.exit(1);
  }
  const message = await gateway.wait(request.request_id);
  console.log(`${message.id}: ${message.state}`);
  process.exitCode = message.state === 'finalized' ? 0 : 6;
} catch (error) {
  if (!(error instanceof CaissonError)) throw error;
  console.error(`wallet.js: ${error.message}`);
  process.exitCode = 1;
}
