"""The published vectors (tests/vectors of the repository), and envelopes made of them: signed by code that is not ours to test."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from caisson import hashing

FOLDER = Path(__file__).resolve().parents[3] / "tests" / "vectors"


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def envelope_vectors(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "envelope" / f"{name}.json").read_text())
    return found


def message_of(case: dict[str, Any]) -> hashing.Message:
    members: dict[str, Any] = {name: int(case[name]) for name in ("sequence", "deadline", "min_gas_limit", "finality")}
    members |= {name: unhex(case[name]) for name in ("source", "destination", "closer", "refund_to", "sender", "recipient", "payload")}
    return hashing.Message(**members)


def public_key(number: int) -> str:
    """Of the key that signs for chain 1 or 2 in the vectors: its secret is keccak-256 of a label."""
    secret = "0x" + hashing.keccak256(f"caisson vector key {number}".encode()).hex()
    found: str = next(case["public"] for case in envelope_vectors("signatures")["signatures"] if case.get("secret") == secret)
    return found


def _statement(call: dict[str, Any], kind: int, signer: str, receiver: str, root: bytes) -> dict[str, Any]:
    statement = dict(call["statement"])
    return {**statement, "epoch": int(statement["epoch"]), "manifest": int(statement["manifest"]), "kind": kind, "signer": signer,
            "receiver": receiver, "root": "0x" + root.hex()}


def envelope(message_name: str, domain: str = "caisson/statement/v1") -> dict[str, Any]:
    """The envelope of the first call that carries this message alone, by the form of `GET /v1/messages/{id}/envelope`."""
    call = next(c for c in envelope_vectors("calldata")["calls"] if c.get("messages") == [message_name] and c["domain"] == domain)
    case = next(m for m in envelope_vectors("messages")["messages"] if m["name"] == message_name)
    root = hashing.fold(unhex(case["leaf"]), [unhex(sibling) for sibling in call["statement"]["path"]])
    message = {name: case[name] for name in ("source", "destination", "closer", "refund_to", "finality", "sender", "recipient", "payload")}
    message |= {name: int(case[name]) for name in ("sequence", "deadline", "min_gas_limit")}
    return {"statement": _statement(call, 1, call["source"], call["receiver"], root), "message": {"id": case["message_id"], **message},
            "keys": [{"chain": "eip155:31337", "identity": call["source"], "epoch": 1, "public_key": public_key(1)}]}


def with_outcome(status: int) -> dict[str, Any]:
    """A finalize call of one outcome of this status, and the message that it is about."""
    call = next(c for c in envelope_vectors("calldata")["calls"]
                if c["function"] == "finalize" and [o["status"] for o in c["outcomes"]] == [status])
    message_id = call["outcomes"][0]["message_id"]
    base = envelope(next(m["name"] for m in envelope_vectors("messages")["messages"] if m["message_id"] == message_id))
    signed = _statement(call, 2, call["destination"], call["receiver"], hashing.outcome_leaf(unhex(message_id), status))
    return {**base, "outcome": status, "outcome_statement": signed}
