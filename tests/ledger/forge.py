"""What an attacker with validators' keys can make: votes, commits, light blocks of its own, as CometBFT v0.38 encodes, hashes and
signs them (spec/core/encoding.md, data_structures.md), and evidence of it in the JSON of CometBFT's RPC."""
from __future__ import annotations

import base64
import calendar
import copy
import hashlib
import json
import time
from pathlib import Path

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from abci.messages import varint


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def some(number: int, body: bytes) -> bytes:
    return field(number, body) if body else b""


def uint(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value) if value else b""


def time_of(text: str) -> bytes:
    """google.protobuf.Timestamp of a time in this epoch."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return uint(1, seconds) + uint(2, int(fraction.ljust(9, "0") or 0))


def merkle(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + merkle(leaves[:split]) + merkle(leaves[split:])).digest()


def block_id_of(block_id: dict) -> bytes:
    parts = uint(1, block_id["parts"]["total"]) + some(2, bytes.fromhex(block_id["parts"]["hash"]))
    return some(1, bytes.fromhex(block_id["hash"])) + field(2, parts)


class Key:
    """A validator's, out of its file."""

    def __init__(self, home: Path):
        keys = json.loads((home / "config" / "priv_validator_key.json").read_text())
        self.address, self.public = keys["address"], keys["pub_key"]
        self.signer = eddsa.new(ECC.construct(curve="Ed25519", seed=base64.b64decode(keys["priv_key"]["value"])[:32]), "rfc8032")

    def sign(self, message: bytes) -> str:
        return base64.b64encode(self.signer.sign(varint(len(message)) + message)).decode()


def vote_bytes(kind: int, height: int, round_: int, block_id: dict, at: str, chain_id: str) -> bytes:
    """CanonicalVote."""
    message = uint(1, kind) + b"\x11" + height.to_bytes(8, "little")
    message += b"\x19" + round_.to_bytes(8, "little") if round_ else b""
    return message + field(4, block_id_of(block_id)) + field(5, time_of(at)) + field(6, chain_id.encode())


def vote(key: Key, index: int, height: int, block_hash: bytes, at: str, chain_id: str) -> dict:
    """A prevote of round 0."""
    block_id = {"hash": block_hash.hex().upper(), "parts": {"total": 1, "hash": block_hash.hex().upper()}}
    return {"type": 1, "height": str(height), "round": 0, "block_id": block_id, "timestamp": at, "validator_address": key.address,
            "validator_index": index, "signature": key.sign(vote_bytes(1, height, 0, block_id, at, chain_id)),
            "extension": None, "extension_signature": None}


def header_hash(header: dict) -> bytes:
    version = header["version"]
    leaves = [uint(1, int(version.get("block", 0))) + uint(2, int(version.get("app", 0))), field(1, header["chain_id"].encode()),
              uint(1, int(header["height"])), time_of(header["time"]), block_id_of(header["last_block_id"])]
    names = ["last_commit_hash", "data_hash", "validators_hash", "next_validators_hash", "consensus_hash", "app_hash",
             "last_results_hash", "evidence_hash", "proposer_address"]
    return merkle(leaves + [some(1, bytes.fromhex(header[name])) for name in names])


def set_hash(validators: list[dict]) -> bytes:
    return merkle([field(1, field(1, base64.b64decode(v["pub_key"]["value"]))) + uint(2, int(v["voting_power"])) for v in validators])


def in_order(validators: list[dict]) -> list[dict]:
    return sorted(validators, key=lambda v: (-int(v["voting_power"]), v["address"]))


def lunatic(header: dict, validators: list[dict], keys: list[Key], salt: str) -> dict:
    """A light block in place of the chain's of this header: another application's state, and a set of the liars alone."""
    liars = {key.address: key for key in keys}
    own = in_order([v for v in validators if v["address"] in liars])
    made = copy.deepcopy(header)
    made["app_hash"] = hashlib.sha256(salt.encode()).hexdigest().upper()
    made["validators_hash"] = made["next_validators_hash"] = set_hash(own).hex().upper()
    return {"signed_header": {"header": made, "commit": commit(made, own, liars)}, "validator_set": {"validators": own, "proposer": own[0]}}


def commit(header: dict, validators: list[dict], keys: dict[str, Key], round_: int = 0) -> dict:
    """By those of the set whose keys these are; the others are absent."""
    digest = header_hash(header).hex().upper()
    block_id = {"hash": digest, "parts": {"total": 1, "hash": digest}}
    signatures = []
    for v in validators:
        if v["address"] not in keys:
            signatures.append({"block_id_flag": 1, "validator_address": "", "timestamp": "0001-01-01T00:00:00Z", "signature": None})
            continue
        message = vote_bytes(2, int(header["height"]), round_, block_id, header["time"], header["chain_id"])
        signatures.append({"block_id_flag": 2, "validator_address": v["address"], "timestamp": header["time"],
                           "signature": keys[v["address"]].sign(message)})
    return {"height": header["height"], "round": round_, "block_id": block_id, "signatures": signatures}


def attack(block: dict, common: dict, validators: list[dict], guilty: list[dict]) -> dict:
    """Evidence; `common` is the header of the common height, `validators` its set."""
    return {"type": "tendermint/LightClientAttackEvidence",
            "value": {"ConflictingBlock": block, "CommonHeight": common["height"], "ByzantineValidators": in_order(guilty) or None,
                      "TotalVotingPower": str(sum(int(v["voting_power"]) for v in validators)), "Timestamp": common["time"]}}


# ---- light blocks in protobuf (proto/tendermint/types/types.proto), as a light client reads them ----

def header_bytes(header: dict) -> bytes:
    version = header["version"]
    out = field(1, uint(1, int(version.get("block", 0))) + uint(2, int(version.get("app", 0)))) + field(2, header["chain_id"].encode())
    out += uint(3, int(header["height"])) + field(4, time_of(header["time"])) + field(5, block_id_of(header["last_block_id"]))
    names = ["last_commit_hash", "data_hash", "validators_hash", "next_validators_hash", "consensus_hash", "app_hash",
             "last_results_hash", "evidence_hash", "proposer_address"]
    return out + b"".join(some(6 + i, bytes.fromhex(header[name])) for i, name in enumerate(names))


# Go's zero time, as protobuf's seconds.
NO_TIME = varint(1 << 3) + varint((-62135596800) % 2**64)


def commit_bytes(commit: dict) -> bytes:
    out = uint(1, int(commit["height"])) + uint(2, commit["round"]) + field(3, block_id_of(commit["block_id"]))
    for one in commit["signatures"]:
        at = NO_TIME if one["block_id_flag"] == 1 else time_of(one["timestamp"])
        out += field(4, uint(1, one["block_id_flag"]) + some(2, bytes.fromhex(one["validator_address"])) + field(3, at)
                     + some(4, base64.b64decode(one["signature"] or "")))
    return out


def validator_bytes(validator: dict) -> bytes:
    key = field(2, field(1, base64.b64decode(validator["pub_key"]["value"])))
    return field(1, bytes.fromhex(validator["address"])) + key + uint(3, int(validator["voting_power"]))


def light_block_bytes(signed: dict, validators: list[dict]) -> bytes:
    """Of an answer to `commit` and the set in the hashed order; priorities are left out."""
    header = signed["signed_header"]
    block = field(1, header_bytes(header["header"])) + field(2, commit_bytes(header["commit"]))
    rows = [validator_bytes(v) for v in validators]
    return field(1, block) + field(2, b"".join(field(1, row) for row in rows) + field(2, rows[0]))
