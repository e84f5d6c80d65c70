/** The preimages against vectors that were computed by code that this package does not share (tests/vectors/envelope). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { accountText, decodeInterop, INTEROP_SIZE_MAX } from '../src/accounts.js';
import { ascii, concat, fromHex, toHex, type Hex } from '../src/bytes.js';
import * as hashing from '../src/hashing.js';
import { envelopeVectors, messageCases, messageOf } from './vectors.js';

describe('preimages', () => {
  test('tags', () => {
    for (const c of envelopeVectors('tags').tags) assert.equal(toHex(hashing.tag(c.ascii)), c.hash);
  });

  test('identities', () => {
    for (const c of envelopeVectors('identities').identities) {
      assert.equal(toHex(hashing.addressWord(fromHex(c.address))), c.address_word);
      assert.equal(toHex(hashing.identity(c.caip2, fromHex(c.genesis), fromHex(c.address))), c.identity);
    }
  });

  test('messages', () => {
    for (const c of messageCases()) {
      const message = messageOf(c);
      const id = hashing.messageId(message);
      assert.equal(toHex(hashing.attributesHash(message)), c.attributes_hash, c.name);
      assert.equal(toHex(id), c.message_id, c.name);
      assert.equal(toHex(hashing.messageLeaf(id)), c.leaf, c.name);
      assert.equal(toHex(hashing.outcomeLeaf(id, hashing.Status.delivered)), c.leaf_delivered, c.name);
      assert.equal(toHex(hashing.outcomeLeaf(id, hashing.Status.dead)), c.leaf_dead, c.name);
    }
  });

  test('trees', () => {
    const vectors = envelopeVectors('trees');
    for (const c of vectors.trees) {
      const leaves: Uint8Array[] = c.leaves.map(fromHex);
      assert.equal(toHex(hashing.treeRoot(leaves)), c.root);
      for (const [i, path] of c.paths.entries())
        if (path !== null) assert.equal(toHex(hashing.fold(leaves[i] as Uint8Array, path.map(fromHex))), c.root); // of the large ones some
    }
    for (const c of vectors.nodes) assert.equal(toHex(hashing.node(fromHex(c.a), fromHex(c.b))), c.node);
    for (const c of vectors.rotation_leaves) assert.equal(toHex(hashing.rotationLeaf(BigInt(c.new_epoch), fromHex(c.new_key))), c.leaf);
    for (const c of vectors.outcome_leaves) assert.equal(toHex(hashing.outcomeLeaf(fromHex(c.message_id), c.status)), c.leaf);
  });

  test('digests', () => {
    for (const c of envelopeVectors('digests').digests) {
      const statement = {
        kind: c.kind,
        signer: fromHex(c.signer),
        receiver: fromHex(c.receiver),
        epoch: BigInt(c.epoch),
        manifest: BigInt(c.manifest),
        root: fromHex(c.root),
      };
      assert.equal(toHex(hashing.digest(statement, c.insecure)), c.digest);
    }
  });

  test('what is no tree, no word, no hex is refused', () => {
    assert.throws(() => hashing.treeRoot([]), RangeError);
    for (const number of [-1n, 2n ** 256n]) assert.throws(() => hashing.numberWord(number), RangeError);
    for (const text of ['', '00', '0x0', '0xzz', '0x00\n']) assert.throws(() => fromHex(text as Hex), TypeError);
  });
});

describe('accounts', () => {
  test('good', () => {
    let read = 0;
    for (const c of envelopeVectors('addresses').good) {
      const data = fromHex(c.bytes);
      if (data.length > INTEROP_SIZE_MAX || (c.chain_type === 0 && fromHex(c.reference).length > 8)) {
        assert.throws(() => decodeInterop(data), RangeError); // above what Caisson takes
        continue;
      }
      const { chainType, reference, address } = decodeInterop(data);
      assert.deepEqual([chainType, toHex(reference), toHex(address)], [c.chain_type, c.reference, c.address]);
      read++;
    }
    assert.ok(read >= 5);
  });

  test('bad', () => {
    for (const c of envelopeVectors('addresses').bad) assert.throws(() => decodeInterop(fromHex(c.bytes)), RangeError, c.why);
  });

  test('text', () => {
    const address = Uint8Array.from({ length: 20 }, (_, i) => i);
    const account = (head: number[], reference: string, rest = address) => concat(Uint8Array.from(head), ascii(reference), rest);
    assert.equal(accountText(account([0, 1, 0, 0, 2, 0x7a, 0x69, 20], '')), `eip155:31337:${toHex(address)}`);
    const ledger = concat(Uint8Array.of(0, 1, 0xff, 1, 8), ascii('ledger-1'), Uint8Array.of(20), address);
    assert.equal(accountText(ledger), `cosmos:ledger-1:${toHex(address)}`);
    const underscore = concat(Uint8Array.of(0, 1, 0xff, 1, 8), ascii('ledger_1'), Uint8Array.of(20), address);
    for (const other of [account([0, 1, 0, 0, 2, 0x7a, 0x69, 0], '', new Uint8Array()), ascii('junk'), underscore, account([0, 1, 0, 0, 2, 0, 0x69, 20], '')])
      assert.equal(accountText(other), toHex(other));
  });
});
