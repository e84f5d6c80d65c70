"""The preimages against vectors that were computed by code that this package does not share (tests/vectors/envelope)."""
from __future__ import annotations

import unittest

from caisson import hashing
from caisson.accounts import INTEROP_SIZE_MAX, account_text, decode_interop

from .vectors import envelope_vectors, message_of, unhex


class Hashing(unittest.TestCase):
    def test_tags(self) -> None:
        for case in envelope_vectors("tags")["tags"]:
            self.assertEqual(hashing.tag(case["ascii"]), unhex(case["hash"]))

    def test_identities(self) -> None:
        for case in envelope_vectors("identities")["identities"]:
            address = unhex(case["address"])
            self.assertEqual(hashing.address_word(address), unhex(case["address_word"]))
            self.assertEqual(hashing.identity(case["caip2"], unhex(case["genesis"]), address), unhex(case["identity"]))

    def test_messages(self) -> None:
        for case in envelope_vectors("messages")["messages"]:
            with self.subTest(case["name"]):
                message = message_of(case)
                self.assertEqual(message.attributes_hash, unhex(case["attributes_hash"]))
                self.assertEqual(message.id, unhex(case["message_id"]))
                self.assertEqual(hashing.message_leaf(message.id), unhex(case["leaf"]))
                self.assertEqual(hashing.outcome_leaf(message.id, hashing.Status.DELIVERED), unhex(case["leaf_delivered"]))
                self.assertEqual(hashing.outcome_leaf(message.id, hashing.Status.DEAD), unhex(case["leaf_dead"]))

    def test_trees(self) -> None:
        vectors = envelope_vectors("trees")
        for case in vectors["trees"]:
            leaves = [unhex(leaf) for leaf in case["leaves"]]
            self.assertEqual(hashing.tree_root(leaves), unhex(case["root"]))
            for leaf, path in zip(leaves, case["paths"]):
                if path is None:  # of the large trees only some
                    continue
                self.assertEqual(hashing.fold(leaf, map(unhex, path)), unhex(case["root"]))
        for case in vectors["nodes"]:
            self.assertEqual(hashing.node(unhex(case["a"]), unhex(case["b"])), unhex(case["node"]))
        for case in vectors["rotation_leaves"]:
            self.assertEqual(hashing.rotation_leaf(int(case["new_epoch"]), unhex(case["new_key"])), unhex(case["leaf"]))
        for case in vectors["outcome_leaves"]:
            self.assertEqual(hashing.outcome_leaf(unhex(case["message_id"]), case["status"]), unhex(case["leaf"]))

    def test_a_batch_without_leaves_is_refused(self) -> None:
        self.assertRaises(ValueError, hashing.tree_root, [])

    def test_digests(self) -> None:
        for case in envelope_vectors("digests")["digests"]:
            statement = hashing.Statement(hashing.Kind(case["kind"]), unhex(case["signer"]), unhex(case["receiver"]),
                                          int(case["epoch"]), int(case["manifest"]), unhex(case["root"]))
            self.assertEqual(statement.digest(case["insecure"]), unhex(case["digest"]))

    def test_numbers_outside_a_word_are_refused(self) -> None:
        for number in (-1, 2**256):
            self.assertRaises(OverflowError, hashing.number_word, number)


class Accounts(unittest.TestCase):
    def test_good(self) -> None:
        read = 0
        for case in envelope_vectors("addresses")["good"]:
            data = unhex(case["bytes"])
            if len(data) > INTEROP_SIZE_MAX or (case["chain_type"] == 0 and len(unhex(case["reference"])) > 8):
                self.assertRaises(ValueError, decode_interop, data)  # above what Caisson takes
                continue
            found = decode_interop(data)
            self.assertEqual((found.chain_type, found.reference, found.address),
                             (case["chain_type"], unhex(case["reference"]), unhex(case["address"])))
            read += 1
        self.assertGreaterEqual(read, 5)

    def test_bad(self) -> None:
        for case in envelope_vectors("addresses")["bad"]:
            with self.subTest(case["why"]):
                self.assertRaises(ValueError, decode_interop, unhex(case["bytes"]))

    def test_text(self) -> None:
        address = bytes(range(20))
        self.assertEqual(account_text(b"\0\1\0\0\x02\x7a\x69\x14" + address), "eip155:31337:0x" + address.hex())
        self.assertEqual(account_text(b"\0\1\xff\x01\x08ledger-1\x14" + address), "cosmos:ledger-1:0x" + address.hex())
        for other in (b"\0\1\0\0\x02\x7a\x69\0", b"\0\1\0\x02\x01\x01\x14" + address, b"junk",
                      b"\0\1\0\0\x02\0\x69\x14" + address, b"\0\1\xff\x01\x08ledger_1\x14" + address):
            self.assertEqual(account_text(other), "0x" + other.hex())
