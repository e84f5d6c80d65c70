"""Envelopes: what verifies, and every way in which one must not."""
from __future__ import annotations

import copy
import csv
import json
import unittest
from collections.abc import Callable
from typing import Any

import coincurve

from caisson import Status, VerificationError, verify_envelope
from caisson.envelope import DOCUMENT_SIZE_MAX, verify_signature

from .vectors import FOLDER, envelope, envelope_vectors, public_key, unhex, with_outcome


class Signatures(unittest.TestCase):
    def test_bip340(self) -> None:
        """The vectors of the BIP, by the library that we rely on: R.y is not theirs."""
        with (FOLDER / "bip340" / "test-vectors.csv").open() as file:
            for row in csv.DictReader(file):
                if len(unhex(row["message"])) != 32:
                    continue
                with self.subTest(row["index"]):
                    signature = unhex(row["signature"])
                    try:
                        ry = coincurve.PublicKey(b"\x02" + signature[:32]).point()[1].to_bytes(32, "big")
                    except ValueError:
                        ry = bytes(32)
                    good = verify_signature(unhex(row["public key"]), unhex(row["message"]), signature[:32], ry, signature[32:])
                    self.assertEqual(good, row["verification result"] == "TRUE")

    def test_with_ry(self) -> None:
        for case in envelope_vectors("signatures")["signatures"]:
            with self.subTest(case["why"]):
                parts = (unhex(case[name]) for name in ("public", "digest", "rx", "ry", "s"))
                self.assertEqual(verify_signature(*parts), case["valid"])


class Good(unittest.TestCase):
    def test_messages(self) -> None:
        for name in ("plain", "payload of 33", "payload of 10,000", "closer and refundTo"):
            with self.subTest(name):
                document = envelope(name)
                verified = verify_envelope(document, key=public_key(1))
                self.assertEqual(verified.id, document["message"]["id"])
                self.assertEqual("0x" + verified.message.payload.hex(), document["message"]["payload"])
                self.assertIsNone(verified.outcome)
                self.assertFalse(verified.signed.insecure)
                self.assertTrue(verified.sender.startswith("eip155:31337:0x"))
                self.assertTrue(verified.recipient.startswith("eip155:777:0x"))

    def test_outcomes(self) -> None:
        for status in (Status.DELIVERED, Status.DEAD):
            verified = verify_envelope(json.dumps(with_outcome(status)), key=public_key(1), outcome_key=public_key(2))
            self.assertEqual(verified.outcome, status)

    def test_the_insecure_domain_is_taken_where_it_is_asked_for(self) -> None:
        document = envelope("plain", domain="caisson/statement/v1/insecure")
        self.assertTrue(verify_envelope(document, key=public_key(1), insecure_domain=True).signed.insecure)
        self.assertFalse(verify_envelope(envelope("plain"), key=public_key(1), insecure_domain=True).signed.insecure)

    def test_the_files_keys_are_taken_where_it_is_asked_for(self) -> None:
        self.assertEqual(verify_envelope(envelope("plain"), insecure_file_keys=True).signed.key, public_key(1))


class Refused(unittest.TestCase):
    def refused(self, document: Any, why: str, **keys: Any) -> None:
        with self.assertRaisesRegex(VerificationError, why):
            verify_envelope(document, **{"key": public_key(1), "outcome_key": public_key(2), **keys})

    def changed(self, why: str, change: Callable[[dict[str, Any]], object], base: dict[str, Any] | None = None, **keys: Any) -> None:
        document = copy.deepcopy(base if base is not None else with_outcome(2))
        change(document)
        self.refused(document, why, **keys)

    def test_the_insecure_domain(self) -> None:
        self.refused(envelope("plain", domain="caisson/statement/v1/insecure"), "simulated or insecure")

    def test_without_keys(self) -> None:
        self.refused(envelope("plain"), "key is needed", key=None)
        self.refused(with_outcome(2), "outcome_key is needed", outcome_key=None)
        self.changed("key is needed", lambda d: d["keys"][0].update(epoch=2), key=None, insecure_file_keys=True)
        self.changed("key is needed", lambda d: d.pop("keys"), key=None, insecure_file_keys=True)

    def test_wrong_keys(self) -> None:
        self.refused(with_outcome(2), "statement: the signature", key=public_key(2))
        self.refused(with_outcome(2), "outcome_statement: the signature", outcome_key=public_key(1))
        self.refused(envelope("plain"), "key: ", key="0x12")
        self.refused(envelope("plain"), "statement: the signature", key="0x" + "00" * 32)

    def test_every_member_of_the_message_is_signed(self) -> None:
        message = with_outcome(2)["message"]
        for name, value in message.items():
            if name == "id":
                continue
            other = value + 1 if isinstance(value, int) else value[:-1] + ("0" if value[-1] != "0" else "1")
            with self.subTest(name):
                self.changed("message.id", lambda d: d["message"].update({name: other}))
                self.changed("route|path does not lead|outcome_statement", lambda d: (d["message"].update({name: other}), d["message"].pop("id")))

    def test_every_member_of_a_statement_is_signed(self) -> None:
        for of in ("statement", "outcome_statement"):
            for name, value in with_outcome(2)[of].items():
                if name == "path":
                    continue
                other = 3 - value if name == "kind" else value + 1 if isinstance(value, int) else value[:-1] + ("0" if value[-1] != "0" else "1")
                with self.subTest(f"{of}.{name}"):
                    self.changed("route|way back|path does not lead|signature", lambda d: d[of].update({name: other}))

    def test_paths(self) -> None:
        base = envelope("payload of 33")
        self.assertEqual(len(base["statement"]["path"]), 3)
        self.changed("path does not lead", lambda d: d["statement"]["path"].pop(), base)
        self.changed("path does not lead", lambda d: d["statement"]["path"].reverse(), base)
        self.changed("path does not lead", lambda d: d["statement"]["path"].append("0x" + "00" * 32), base)
        self.changed("at most 16", lambda d: d["statement"].update(path=["0x" + "00" * 32] * 17), base)
        self.changed("path.0.: 31 bytes", lambda d: d["statement"].update(path=["0x" + "00" * 31]), base)
        self.changed("not a list", lambda d: d["statement"].update(path="0x"), base)

    def test_outcomes(self) -> None:
        self.changed("path does not lead", lambda d: d.update(outcome=3))
        for outcome in (0, 1, 4):
            self.changed("neither delivered", lambda d: d.update(outcome=outcome))
        self.changed("comes with its statement", lambda d: d.pop("outcome"))
        self.changed("comes with its statement", lambda d: d.pop("outcome_statement"))
        self.changed("way back", lambda d: d.update(outcome_statement=d["statement"]))
        self.changed("route", lambda d: d.update(statement=d["outcome_statement"]))

    def test_forms(self) -> None:
        for text in ("", "{", "[]", "null", "7", '"x"', "NaN", "[" * 100_000, b"\xff\xfe"):
            self.refused(text, "envelope: not")
        self.refused(" " * (DOCUMENT_SIZE_MAX + 1), "above")
        self.refused('{"message": {}, "message": {}}', "twice")
        self.changed("extra is not a member", lambda d: d.update(extra=1))
        self.changed("hidden is not a member", lambda d: d["message"].update(hidden=1))
        self.changed("more is not a member", lambda d: d["statement"].update(more=1))
        self.changed("message is missing", lambda d: d.pop("message"))
        self.changed("statement: s is missing", lambda d: d["statement"].pop("s"))
        self.changed("message: deadline is missing", lambda d: d["message"].pop("deadline"))

    def test_types(self) -> None:
        for number in ("1", 1.0, True, -1, 2**63, None):
            self.changed("sequence: not a number", lambda d: d["message"].update(sequence=number))
            self.changed("epoch: not a number", lambda d: d["statement"].update(epoch=number))
        self.changed("finality: not a number from 0 to 255", lambda d: d["message"].update(finality=256))
        for text in ("00", "0x0", "0xzz", "0X00", "0x 00", "0x00\n", 7, None, b"0x00"):
            self.changed("payload: not 0x", lambda d: d["message"].update(payload=text))
        self.changed("source: 31 bytes, not 32", lambda d: d["message"].update(source="0x" + "00" * 31))
        self.changed("payload: 16385 bytes, at most", lambda d: d["message"].update(payload="0x" + "00" * 16385))
        self.changed("sender: 97 bytes, at most", lambda d: d["message"].update(sender="0x" + "00" * 97))
        self.changed("kind: neither", lambda d: d["statement"].update(kind=3))
