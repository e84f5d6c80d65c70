"""Verifies a signed envelope offline: what `GET /v1/messages/{id}/envelope` gives, by keys that the caller trusts.

Nobody is asked. The rules are those of docs/protocol/envelope.md; a document with a member too many, twice or in another form is
refused, so that nobody reads in it what nobody signed.
"""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import coincurve

from . import hashing
from .accounts import INTEROP_SIZE_MAX, account_text
from .errors import VerificationError
from .hashing import Kind, Message, Statement, Status

DOCUMENT_SIZE_MAX = 1 << 20
PAYLOAD_SIZE_MAX = 16384
PATH_MAX = 16
NUMBER_MAX = 2**63 - 1
FINALITY_MAX = 255
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


@dataclass(frozen=True)
class VerifiedStatement:
    """One statement whose signature verified by `key`. insecure: under the domain of simulated or insecure enclaves."""

    statement: Statement
    key: str
    insecure: bool


@dataclass(frozen=True)
class Verified:
    """What an envelope proves: the enclave of the source's gateway signed this message as final; and, where `outcome` is not
    None, the enclave of the destination's gateway signed that it was delivered or is dead for ever."""

    id: str
    message: Message
    signed: VerifiedStatement
    outcome: Status | None
    outcome_signed: VerifiedStatement | None

    @property
    def sender(self) -> str:
        """CAIP-10, or hex of what is no account that is known here."""
        return account_text(self.message.sender)

    @property
    def recipient(self) -> str:
        return account_text(self.message.recipient)


def verify_envelope(document: str | bytes | Mapping[str, Any], *, key: str | None = None, outcome_key: str | None = None,
                    insecure_domain: bool = False, insecure_file_keys: bool = False) -> Verified:
    """Checks a whole envelope, and returns what it proves; VerificationError says why it proves nothing.

    key, outcome_key: the x of the keys that sign for the source's and the destination's gateway, `0x` and 64 digits, as
    the receiving contracts name them (`caisson.contract_key`). An envelope with an outcome needs both.
    insecure_domain: also takes what simulated or insecure enclaves signed.
    insecure_file_keys: a key that is not given is taken from the document itself, which proves nothing about whose it is.
    """
    envelope = _object(_parse(document), "envelope", {"statement", "message"}, {"outcome_statement", "outcome", "keys"})
    message = _message(envelope["message"])
    keys = _keys(envelope.get("keys", [])) if insecure_file_keys else {}
    signed = _signed(envelope["statement"], "statement")
    if (signed.statement.kind, signed.statement.signer, signed.statement.receiver) != (
            Kind.MESSAGE, message.source, message.destination):
        raise VerificationError("statement: not of this message's route")
    checked = _check(signed, hashing.message_leaf(message.id), key, keys, insecure_domain)
    status, outcome_checked = None, None
    if ("outcome" in envelope) != ("outcome_statement" in envelope):
        raise VerificationError("outcome: it comes with its statement, or not at all")
    if "outcome" in envelope:
        status = _outcome(envelope["outcome"])
        outcome = _signed(envelope["outcome_statement"], "outcome_statement")
        if (outcome.statement.kind, outcome.statement.signer, outcome.statement.receiver) != (
                Kind.OUTCOME, message.destination, message.source):
            raise VerificationError("outcome_statement: not of this message's way back")
        outcome_checked = _check(outcome, hashing.outcome_leaf(message.id, status), outcome_key, keys, insecure_domain)
    return Verified("0x" + message.id.hex(), message, checked, status, outcome_checked)


def verify_signature(key: bytes, digest: bytes, rx: bytes, ry: bytes, s: bytes) -> bool:
    """BIP-340 over 32 bytes, in the form that contracts take: R with both coordinates, R.y even."""
    try:
        point = coincurve.PublicKey(b"\x02" + rx).point()
        good = coincurve.PublicKeyXOnly(key).verify(rx + s, digest)
    except ValueError:  # no point has this x
        return False
    return good and point[1].to_bytes(32, "big") == ry


# ---- one statement ----


@dataclass(frozen=True)
class _Signed:
    where: str
    statement: Statement
    rx: bytes
    ry: bytes
    s: bytes
    path: list[bytes]


def _check(signed: _Signed, leaf: bytes, given: str | None, keys: Mapping[tuple[bytes, int], bytes], insecure: bool) -> VerifiedStatement:
    statement, where = signed.statement, signed.where
    if hashing.fold(leaf, signed.path) != statement.root:
        raise VerificationError(f"{where}: its path does not lead from the message to what was signed")
    key = _hex(given, "outcome_key" if statement.kind == Kind.OUTCOME else "key", 32) if given is not None else (
        keys.get((statement.signer, statement.epoch)))
    if key is None:
        name = "outcome_key" if statement.kind == Kind.OUTCOME else "key"
        raise VerificationError(f"{where}: {name} is needed: the key of epoch {statement.epoch} of 0x{statement.signer.hex()}")
    if verify_signature(key, statement.digest(False), signed.rx, signed.ry, signed.s):
        return VerifiedStatement(statement, "0x" + key.hex(), False)
    if not verify_signature(key, statement.digest(True), signed.rx, signed.ry, signed.s):
        raise VerificationError(f"{where}: the signature does not verify by the key 0x{key.hex()}")
    if not insecure:
        raise VerificationError(f"{where}: signed under the domain of simulated or insecure enclaves (insecure_domain takes it)")
    return VerifiedStatement(statement, "0x" + key.hex(), True)


# ---- reading: strict ----


def _parse(document: str | bytes | Mapping[str, Any]) -> object:
    if isinstance(document, Mapping):
        return document
    if len(document) > DOCUMENT_SIZE_MAX:
        raise VerificationError(f"envelope: above {DOCUMENT_SIZE_MAX} bytes")
    try:
        return json.loads(document, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise VerificationError(f"envelope: not JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise VerificationError("envelope: a member is there twice")
    return members


def _object(value: object, where: str, needed: set[str], optional: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise VerificationError(f"{where}: not an object")
    if missing := sorted(needed - value.keys()):
        raise VerificationError(f"{where}: {missing[0]} is missing")
    if unknown := sorted(str(name) for name in value.keys() - needed - optional):
        raise VerificationError(f"{where}: {unknown[0][:40]} is not a member of it")
    return value


def _number(value: object, where: str, most: int = NUMBER_MAX) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise VerificationError(f"{where}: not a number from 0 to {most}")
    return value


def _hex(value: object, where: str, size: int | None = None, most: int = 0) -> bytes:
    """Exactly size bytes, or at most `most`."""
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise VerificationError(f"{where}: not 0x and hex digits")
    data = bytes.fromhex(value[2:])
    if len(data) != size if size is not None else len(data) > most:
        raise VerificationError(f"{where}: {len(data)} bytes, {f'not {size}' if size is not None else f'at most {most}'}")
    return data


_MESSAGE = {"source", "destination", "sequence", "deadline", "min_gas_limit", "finality", "closer", "refund_to", "sender", "recipient",
            "payload"}


def _message(value: object) -> Message:
    members = _object(value, "message", _MESSAGE, {"id"})

    def word(name: str) -> bytes:
        return _hex(members[name], f"message.{name}", 32)

    def number(name: str, most: int = NUMBER_MAX) -> int:
        return _number(members[name], f"message.{name}", most)

    def data(name: str, most: int) -> bytes:
        return _hex(members[name], f"message.{name}", most=most)

    message = Message(source=word("source"), destination=word("destination"), sequence=number("sequence"), deadline=number("deadline"),
                      min_gas_limit=number("min_gas_limit"), finality=number("finality", FINALITY_MAX), closer=word("closer"),
                      refund_to=word("refund_to"), sender=data("sender", INTEROP_SIZE_MAX), recipient=data("recipient", INTEROP_SIZE_MAX),
                      payload=data("payload", PAYLOAD_SIZE_MAX))
    if "id" in members and _hex(members["id"], "message.id", 32) != message.id:
        raise VerificationError("message.id: not the messageId of the message")
    return message


def _signed(value: object, where: str) -> _Signed:
    words = ("signer", "receiver", "root", "rx", "ry", "s")
    members = _object(value, where, {*words, "kind", "epoch", "manifest"}, {"path"})
    part = {name: _hex(members[name], f"{where}.{name}", 32) for name in words}
    kind = _number(members["kind"], f"{where}.kind")
    if kind not in (Kind.MESSAGE, Kind.OUTCOME):
        raise VerificationError(f"{where}.kind: neither a message's nor an outcome's")
    path = members.get("path", [])
    if not isinstance(path, list) or len(path) > PATH_MAX:
        raise VerificationError(f"{where}.path: not a list of at most {PATH_MAX}")
    statement = Statement(Kind(kind), part["signer"], part["receiver"], _number(members["epoch"], f"{where}.epoch"),
                          _number(members["manifest"], f"{where}.manifest"), part["root"])
    return _Signed(where, statement, part["rx"], part["ry"], part["s"],
                   [_hex(sibling, f"{where}.path[{i}]", 32) for i, sibling in enumerate(path)])


def _outcome(value: object) -> Status:
    status = _number(value, "outcome")
    if status not in (Status.DELIVERED, Status.DEAD):
        raise VerificationError("outcome: neither delivered (2) nor dead (3)")
    return Status(status)


def _keys(value: object) -> dict[tuple[bytes, int], bytes]:
    if not isinstance(value, list):
        raise VerificationError("keys: not a list")
    found: dict[tuple[bytes, int], bytes] = {}
    for i, entry in enumerate(value):
        where = f"keys[{i}]"
        members = _object(entry, where, {"identity", "epoch", "public_key"}, {"chain", "gas_address"})
        whose = _hex(members["identity"], f"{where}.identity", 32), _number(members["epoch"], f"{where}.epoch")
        found.setdefault(whose, _hex(members["public_key"], f"{where}.public_key", 32))
    return found
