/** The environment of a program on Node, as the command line takes it. Nothing of Node is imported, so that bundlers for browsers need nothing of it. */
import { ConfigurationError } from './errors.js';

interface NodeProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  getBuiltinModule(name: 'node:fs'): { readFileSync(path: string, encoding: 'latin1'): string };
}

/** Of what a header may have. */
export const isKey = (text: unknown): text is string => typeof text === 'string' && /^[\x21-\x7e]+$/.test(text);

/** Set to nothing is not set. */
function variable(process: NodeProcess, name: string): string {
  const value = process.env[name];
  if (!value) throw new ConfigurationError(`${name} is not set`);
  return value;
}

/** CAISSON_URL, and the key in the file that CAISSON_API_KEY_FILE names. */
export function readEnvironment(): { url: string; apiKey: string } {
  const { process } = globalThis as { process?: NodeProcess };
  if (process?.getBuiltinModule === undefined)
    throw new ConfigurationError('there is no environment here that could name a gateway: give its address and the API key to the constructor');
  const url = variable(process, 'CAISSON_URL');
  const file = variable(process, 'CAISSON_API_KEY_FILE');
  let text: string;
  try {
    text = process.getBuiltinModule('node:fs').readFileSync(file, 'latin1');
  } catch (error) {
    const [reason] = (error as Error).message.split(', '); // then the call and the path
    throw new ConfigurationError(`the key file that CAISSON_API_KEY_FILE names cannot be read: ${file}: ${reason}`);
  }
  const apiKey = text.trim();
  if (!isKey(apiKey)) throw new ConfigurationError(`the file that CAISSON_API_KEY_FILE names holds no API key: ${file}`);
  return { url, apiKey };
}
