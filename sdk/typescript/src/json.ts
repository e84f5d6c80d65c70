import { parse, stringify } from 'lossless-json';

/** A number of the API: a bigint above 2^53 - 1, where a number would be another one. */
export type Uint = number | bigint;

function parseNumber(digits: string): Uint {
  const value = Number(digits);
  return /^\d+$/.test(digits) && !Number.isSafeInteger(value) ? BigInt(digits) : value;
}

/** What is signed has whole numbers, in one form. */
function parseInteger(digits: string): Uint {
  if (!/^(0|[1-9]\d*)$/.test(digits)) throw new SyntaxError(`${digits.slice(0, 40)} is not a whole number`);
  return parseNumber(digits);
}

/** Strict: a member that is there twice with two values, or anything that is no JSON, is a SyntaxError. */
export function parseJson(text: string, { integers = false } = {}): unknown {
  try {
    return parse(text, null, integers ? parseInteger : parseNumber);
  } catch (error) {
    throw new SyntaxError(error instanceof Error ? error.message : 'not JSON');
  }
}

/** Integers of any size; members that are undefined are left out. */
export const writeJson = (value: unknown): string => stringify(value) ?? 'null';
