/** Envelopes: what verifies, and every way in which one must not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { secp256k1 } from '@noble/curves/secp256k1.js';

import { fromHex, toHex, type Hex } from '../src/bytes.js';
import { DOCUMENT_SIZE_MAX, verifyEnvelope, verifySignature, type VerifyOptions } from '../src/envelope.js';
import { VerificationError } from '../src/errors.js';
import { writeJson } from '../src/json.js';
import type { Envelope } from '../src/types.js';
import { envelope, envelopeVectors, publicKey, vectorFile, withOutcome } from './vectors.js';

const KEYS = { key: publicKey(1), outcomeKey: publicKey(2) };

describe('signatures', () => {
  test('the vectors of BIP-340, by the library that we rely on: R.y is not theirs', () => {
    let read = 0;
    for (const line of vectorFile('bip340/test-vectors.csv').trim().split('\n').slice(1)) {
      const [index, , key, , message, signature, verdict] = line.trim().split(',') as string[];
      const bytes = (hex: string | undefined) => fromHex(`0x${hex ?? ''}`);
      if (bytes(message).length !== 32) continue;
      const [rx, s] = [bytes(signature).slice(0, 32), bytes(signature).slice(32)];
      let ry: Uint8Array = new Uint8Array(32);
      try {
        ry = secp256k1.Point.fromHex(`02${toHex(rx).slice(2)}`).toBytes(false).slice(33);
      } catch {
        // no point: refused before R.y matters
      }
      assert.equal(verifySignature(bytes(key), bytes(message), rx, ry, s), verdict === 'TRUE', index);
      read++;
    }
    assert.ok(read >= 10);
  });

  test('with R.y', () => {
    for (const c of envelopeVectors('signatures').signatures) {
      const [key, digest, rx, ry, s] = [c.public, c.digest, c.rx, c.ry, c.s].map(fromHex) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
      assert.equal(verifySignature(key, digest, rx, ry, s), c.valid, c.why);
    }
  });
});

describe('good', () => {
  test('messages', () => {
    for (const name of ['plain', 'payload of 33', 'payload of 10,000', 'closer and refundTo']) {
      const document = envelope(name);
      const verified = verifyEnvelope(document, { key: KEYS.key });
      assert.equal(verified.id, document.message.id);
      assert.equal(toHex(verified.message.payload), document.message.payload);
      assert.deepEqual([verified.outcome, verified.signed.insecure], [null, false]);
      assert.match(verified.sender, /^eip155:31337:0x/);
      assert.match(verified.recipient, /^eip155:777:0x/);
    }
  });

  test('outcomes', () => {
    assert.equal(verifyEnvelope(JSON.stringify(withOutcome(2)), KEYS).outcome, 'delivered');
    assert.equal(verifyEnvelope(withOutcome(3), KEYS).outcome, 'dead');
  });

  test('the insecure domain and the keys of the file are taken where they are asked for', () => {
    const insecure = envelope('plain', 'caisson/statement/v1/insecure');
    assert.equal(verifyEnvelope(insecure, { key: KEYS.key, insecureDomain: true }).signed.insecure, true);
    assert.equal(verifyEnvelope(envelope('plain'), { key: KEYS.key, insecureDomain: true }).signed.insecure, false);
    assert.equal(verifyEnvelope(envelope('plain'), { insecureFileKeys: true }).signed.key, KEYS.key);
  });
});

describe('refused', () => {
  function refused(document: unknown, why: RegExp, options: VerifyOptions = KEYS): void {
    assert.throws(
      () => verifyEnvelope(document as Envelope, options),
      (error) => error instanceof VerificationError && why.test(error.message) ? true : assert.fail(`${String(error)}, not ${String(why)}`),
    );
  }

  // The change is of data in any form.
  function changed(why: RegExp, change: (document: any) => unknown, base: Envelope = withOutcome(2), options: VerifyOptions = KEYS): void {
    const document = structuredClone(base);
    change(document);
    refused(document, why, options);
    if (options === KEYS) refused(writeJson(document), /./); // as text too
  }

  const flipped = (value: Hex): Hex => `${value.slice(0, -1) as Hex}${value.endsWith('0') ? '1' : '0'}`;

  test('the insecure domain', () => refused(envelope('plain', 'caisson/statement/v1/insecure'), /simulated or insecure/));

  test('without keys', () => {
    refused(envelope('plain'), /key is needed/, {});
    refused(withOutcome(2), /outcomeKey is needed/, { key: KEYS.key });
    changed(/key is needed/, (d) => (d.keys[0].epoch = 2), withOutcome(2), { insecureFileKeys: true });
    changed(/key is needed/, (d) => delete d.keys, withOutcome(2), { insecureFileKeys: true });
  });

  test('wrong keys', () => {
    refused(withOutcome(2), /^statement: the signature/, { key: KEYS.outcomeKey, outcomeKey: KEYS.outcomeKey });
    refused(withOutcome(2), /^outcome_statement: the signature/, { key: KEYS.key, outcomeKey: KEYS.key });
    refused(envelope('plain'), /^key: /, { key: '0x12' });
    refused(envelope('plain'), /^statement: the signature/, { key: `0x${'00'.repeat(32)}` });
  });

  test('every member of the message is signed', () => {
    for (const [name, value] of Object.entries(withOutcome(2).message)) {
      if (name === 'id') continue;
      const other = typeof value === 'number' ? value + 1 : value === '0x' ? '0x00' : flipped(value as Hex);
      changed(/message\.id/, (d) => (d.message[name] = other));
      changed(/route|path does not lead|outcome_statement/, (d) => {
        d.message[name] = other;
        delete d.message.id;
      });
    }
  });

  test('every member of a statement is signed', () => {
    for (const of of ['statement', 'outcome_statement'] as const)
      for (const [name, value] of Object.entries(withOutcome(2)[of])) {
        if (name === 'path') continue;
        const other = name === 'kind' ? 3 - (value as number) : typeof value === 'number' ? value + 1 : flipped(value as Hex);
        changed(/route|way back|path does not lead|signature/, (d) => (d[of][name] = other));
      }
  });

  test('paths', () => {
    const base = envelope('payload of 33');
    const zero = `0x${'00'.repeat(32)}`;
    assert.equal(base.statement.path.length, 3);
    changed(/path does not lead/, (d) => d.statement.path.pop(), base);
    changed(/path does not lead/, (d) => d.statement.path.reverse(), base);
    changed(/path does not lead/, (d) => d.statement.path.push(zero), base);
    changed(/at most 16/, (d) => (d.statement.path = Array(17).fill(zero)), base);
    changed(/path\[0\]: 31 bytes/, (d) => (d.statement.path = [zero.slice(0, -2)]), base);
    changed(/not a list/, (d) => (d.statement.path = '0x'), base);
  });

  test('outcomes', () => {
    changed(/path does not lead/, (d) => (d.outcome = 3));
    for (const outcome of [0, 1, 4]) changed(/neither delivered/, (d) => (d.outcome = outcome));
    changed(/comes with its statement/, (d) => delete d.outcome);
    changed(/comes with its statement/, (d) => delete d.outcome_statement);
    changed(/way back/, (d) => (d.outcome_statement = d.statement));
    changed(/route/, (d) => (d.statement = d.outcome_statement));
  });

  test('forms', () => {
    for (const text of ['', '{', '[]', 'null', '7', '"x"', 'NaN', '['.repeat(100_000)]) refused(text, /^envelope: not/);
    for (const number of ['1.0', '1e0', '-1', '01'])
      refused(JSON.stringify(envelope('plain')).replace('"sequence":1,', `"sequence":${number},`), /^envelope: not JSON/);
    refused(' '.repeat(DOCUMENT_SIZE_MAX + 1), /above/);
    refused('{"message": {}, "message": {"a": 1}}', /not JSON: .*[Dd]uplicate/);
    refused('{"__proto__": {"statement": {}, "message": {}}}', /statement is missing/);
    changed(/extra is not a member/, (d) => (d.extra = 1));
    changed(/hidden is not a member/, (d) => (d.message.hidden = 1));
    changed(/more is not a member/, (d) => (d.statement.more = 1));
    changed(/message is missing/, (d) => delete d.message);
    changed(/statement: s is missing/, (d) => delete d.statement.s);
    changed(/message: deadline is missing/, (d) => delete d.message.deadline);
  });

  test('types', () => {
    for (const number of ['1', 1.5, true, -1, 2 ** 53, 2n ** 63n, null]) {
      changed(/sequence: not a number/, (d) => (d.message.sequence = number));
      changed(/epoch: not a number/, (d) => (d.statement.epoch = number));
    }
    changed(/finality: not a number from 0 to 255/, (d) => (d.message.finality = 256));
    for (const text of ['00', '0x0', '0xzz', '0X00', '0x 00', '0x00\n', 7, null])
      changed(/payload: not 0x/, (d) => (d.message.payload = text));
    changed(/source: 31 bytes, not 32/, (d) => (d.message.source = `0x${'00'.repeat(31)}`));
    changed(/payload: 16385 bytes, at most/, (d) => (d.message.payload = `0x${'00'.repeat(16385)}`));
    changed(/sender: 97 bytes, at most/, (d) => (d.message.sender = `0x${'00'.repeat(97)}`));
    changed(/kind: neither/, (d) => (d.statement.kind = 3));
  });
});

test('numbers above 2^53 - 1 are read as they are', () => {
  const document = writeJson({ ...envelope('plain'), message: { ...envelope('plain').message, deadline: 2n ** 63n - 1n, id: undefined } });
  assert.match(document, /9223372036854775807/);
  assert.throws(() => verifyEnvelope(document, KEYS), /path does not lead/); // read, and not what was signed
});
